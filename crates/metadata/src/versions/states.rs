//! How a version passes from one state to another. Each takes a set, because versions that keep
//! each other go together.

use naru_model::{AccountId, Moment, PackageId, VersionId};

use super::graph::numbers;
use crate::db::{Conn, statements};
use crate::error::Result;

statements! {
    WITHDRAW = "UPDATE versions SET withdrawn_at = $3, deleted_by = $4
        WHERE package_id = $1 AND id {{IN $2}} AND deleted_at IS NULL AND withdrawn_at IS NULL";
    DELETE = "UPDATE versions SET deleted_at = $3,
            deleted_by = CASE WHEN withdrawn_at IS NULL THEN $4 ELSE deleted_by END
        WHERE package_id = $1 AND id {{IN $2}} AND deleted_at IS NULL";
    ERASE = "UPDATE versions SET deleted_at = $3, deleted_by = $4, withdrawn_at = NULL
        WHERE package_id = $1 AND id = $2 AND deleted_at IS NULL";
    #[short]
    RELIST = "UPDATE versions SET withdrawn_at = NULL, deleted_by = NULL
        WHERE id = $1 AND deleted_at IS NULL AND withdrawn_at IS NOT NULL";
    RESTORE = "UPDATE versions SET deleted_at = NULL, deleted_by = NULL, withdrawn_at = NULL,
            updated_at = $3
        WHERE package_id = $1 AND id = $2
          AND (deleted_at IS NOT NULL OR withdrawn_at IS NOT NULL)";
    RESTORE_WITHDRAWN = "UPDATE versions SET deleted_at = NULL
        WHERE package_id = $1 AND id = $2
          AND deleted_at IS NOT NULL AND withdrawn_at IS NOT NULL";
    HIDE_LOST_BLOBS = "UPDATE links SET readable_until = $3,
            lease_until = CASE WHEN lease_until > $4 AND lease_until < 9223372036854775807
                               THEN lease_until ELSE $4 END
        WHERE package_id = $1
          AND digest IN (SELECT digest FROM version_blobs WHERE version_id {{IN $2}})
          AND NOT EXISTS (SELECT 1 FROM version_blobs r JOIN versions v ON v.id = r.version_id
                          WHERE r.package_id = links.package_id AND r.digest = links.digest
                            AND v.deleted_at IS NULL)";
    FREED_BYTES = "SELECT CAST(
            COALESCE((SELECT SUM(size) FROM versions WHERE id {{IN $1}}), 0)
            + COALESCE((SELECT SUM(b.size) FROM blobs b
                WHERE b.digest IN (SELECT digest FROM version_blobs WHERE version_id {{IN $1}})
                  AND NOT EXISTS (SELECT 1 FROM links l JOIN packages p ON p.id = l.package_id
                        JOIN version_blobs r ON r.package_id = l.package_id AND r.digest = l.digest
                        JOIN versions v ON v.id = r.version_id
                    WHERE l.owner_id = $2 AND l.digest = b.digest AND p.deleted_at IS NULL
                      AND v.deleted_at IS NULL AND NOT v.id {{IN $1}})), 0)
            AS BIGINT) AS n";
}

/// Takes listed versions out of the lists, while they stay served.
///
/// # Errors
/// Those of the database.
pub async fn withdraw(
    conn: &mut Conn,
    package: PackageId,
    versions: &[VersionId],
    now: Moment,
    by: Option<AccountId>,
) -> Result<u64> {
    change(conn, WITHDRAW, package, versions, now, by).await
}

/// Puts served versions into the bin. Returns how many.
///
/// # Errors
/// Those of the database.
pub async fn delete(
    conn: &mut Conn,
    package: PackageId,
    versions: &[VersionId],
    now: Moment,
    by: Option<AccountId>,
) -> Result<u64> {
    change(conn, DELETE, package, versions, now, by).await
}

async fn change(
    conn: &mut Conn,
    statement: &'static crate::db::Statement,
    package: PackageId,
    versions: &[VersionId],
    now: Moment,
    by: Option<AccountId>,
) -> Result<u64> {
    let versions = numbers(versions);
    let args = [
        package.into(),
        versions.as_slice().into(),
        now.into(),
        by.into(),
    ];
    conn.execute(statement, &args).await
}

/// Puts a served version into the bin as if it had been listed until now: what keeps it coming back
/// with its subject is forgotten. Returns whether it was served.
///
/// # Errors
/// Those of the database.
pub async fn erase(
    conn: &mut Conn,
    package: PackageId,
    version: VersionId,
    now: Moment,
    by: Option<AccountId>,
) -> Result<bool> {
    let args = [package.into(), version.into(), now.into(), by.into()];
    Ok(conn.execute(ERASE, &args).await? > 0)
}

/// Puts a withdrawn version back into the lists, because it has a tag again. Returns whether it
/// was withdrawn.
///
/// # Errors
/// Those of the database.
pub async fn relist(conn: &mut Conn, version: VersionId) -> Result<bool> {
    Ok(conn.execute(RELIST, &[version.into()]).await? > 0)
}

/// Puts a version from the bin, or a withdrawn one, back into the lists. Returns whether it was
/// one of these.
///
/// # Errors
/// Those of the database.
pub async fn restore(
    conn: &mut Conn,
    package: PackageId,
    version: VersionId,
    now: Moment,
) -> Result<bool> {
    let args = [package.into(), version.into(), now.into()];
    Ok(conn.execute(RESTORE, &args).await? > 0)
}

/// Takes a version out of the bin that was withdrawn before it went there: it is served again, and
/// still not listed. Returns whether it was one.
///
/// # Errors
/// Those of the database.
pub async fn restore_withdrawn(
    conn: &mut Conn,
    package: PackageId,
    version: VersionId,
) -> Result<bool> {
    let args = [package.into(), version.into()];
    Ok(conn.execute(RESTORE_WITHDRAWN, &args).await? > 0)
}

/// After versions went into the bin: the blobs that no served version needs any more stop being
/// readable, while a push that was promised them may still name them until `lease_until`.
///
/// # Errors
/// Those of the database.
pub async fn hide_lost_blobs(
    conn: &mut Conn,
    package: PackageId,
    versions: &[VersionId],
    now: Moment,
    lease_until: Moment,
) -> Result<()> {
    let versions = numbers(versions);
    let args = [
        package.into(),
        versions.as_slice().into(),
        now.into(),
        lease_until.into(),
    ];
    conn.execute(HIDE_LOST_BLOBS, &args).await?;
    Ok(())
}

/// How many bytes nothing of the owner would need without `versions`: their manifests, and blobs
/// that no other served version of a live package has, each once.
///
/// # Errors
/// Those of the database.
pub async fn freed_bytes(conn: &mut Conn, owner: AccountId, versions: &[VersionId]) -> Result<u64> {
    let versions = numbers(versions);
    let args = [versions.as_slice().into(), owner.into()];
    let bytes: i64 = conn.one(FREED_BYTES, &args).await?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}
