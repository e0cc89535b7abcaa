//! What a push or a restore adds to what an owner holds: what does not count yet as live or pending.

use naru_model::{AccountId, Moment, PackageId, VersionId};
use naru_oci::Digest;

use super::{UsedBlob, numbers};
use crate::db::{Conn, statements};
use crate::error::Result;

/// Whether the link `l` of the package `p` counts as live or pending at the moment `$3`: what
/// a measuring says of it. `$but` leaves versions out.
macro_rules! counts {
    ($but:literal) => {
        concat!(
            "(NOT EXISTS (SELECT 1 FROM version_blobs r
                    WHERE r.package_id = l.package_id AND r.digest = l.digest)
                OR (p.deleted_at IS NULL AND (l.readable_until > $3
                    OR EXISTS (SELECT 1 FROM version_blobs r JOIN versions v ON v.id = r.version_id
                        WHERE r.package_id = l.package_id AND r.digest = l.digest
                            AND v.deleted_at IS NULL",
            $but,
            "))))"
        )
    };
}

statements! {
    HOLDS = concat!("SELECT l.package_id FROM links l JOIN packages p ON p.id = l.package_id
        WHERE l.owner_id = $1 AND l.digest = $2 AND ", counts!(""), " LIMIT 1");
    UNCOUNTED = concat!("SELECT CAST(COALESCE(SUM(b.size), 0) AS BIGINT) AS n FROM blobs b
        WHERE b.digest {{IN $2}}
          AND NOT EXISTS (SELECT 1 FROM links l JOIN packages p ON p.id = l.package_id
                WHERE l.owner_id = $1 AND l.digest = b.digest AND ", counts!(""), ")");
    BROUGHT_BACK = concat!("SELECT CAST(
            COALESCE((SELECT SUM(size) FROM versions WHERE id {{IN $2}}), 0)
            + COALESCE((SELECT SUM(b.size) FROM blobs b
                WHERE b.digest IN (SELECT digest FROM version_blobs WHERE version_id {{IN $2}})
                  AND NOT EXISTS (SELECT 1 FROM links l JOIN packages p ON p.id = l.package_id
                    WHERE l.owner_id = $1 AND l.digest = b.digest
                        AND ", counts!(" AND NOT v.id {{IN $2}}"), ")), 0)
            AS BIGINT) AS n");
    SERVED_MANIFESTS = "SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) AS n FROM versions
        WHERE package_id = $1 AND deleted_at IS NULL";
    SERVED_BLOBS = "SELECT l.digest, b.size, CAST(1 AS BIGINT) AS held, CAST(0 AS BIGINT) AS shared
        FROM links l JOIN blobs b ON b.digest = l.digest
        WHERE l.package_id = $1 AND l.digest > $2
          AND EXISTS (SELECT 1 FROM version_blobs r JOIN versions v ON v.id = r.version_id
                WHERE r.package_id = l.package_id AND r.digest = l.digest
                    AND v.deleted_at IS NULL)
          AND NOT EXISTS (SELECT 1 FROM links o JOIN packages op ON op.id = o.package_id
                    JOIN version_blobs r ON r.package_id = o.package_id AND r.digest = o.digest
                    JOIN versions v ON v.id = r.version_id
                WHERE o.owner_id = l.owner_id AND o.digest = l.digest
                    AND o.package_id <> l.package_id AND op.deleted_at IS NULL
                    AND v.deleted_at IS NULL)
        ORDER BY l.digest LIMIT $3";
}

/// Whether the blob counts among what `owner` holds otherwise than in the bin.
///
/// # Errors
/// Those of the database.
pub async fn holds(
    conn: &mut Conn,
    owner: AccountId,
    digest: &Digest,
    now: Moment,
) -> Result<bool> {
    let args = [owner.into(), digest.into(), now.into()];
    let found: Option<PackageId> = conn.optional(HOLDS, &args).await?;
    Ok(found.is_some())
}

/// How many bytes of these blobs do not count yet among what `owner` holds otherwise than in the
/// bin: a manifest may name what only the bin has, as long as its lease lasts.
///
/// # Errors
/// Those of the database.
pub async fn uncounted(
    conn: &mut Conn,
    owner: AccountId,
    digests: &[&str],
    now: Moment,
) -> Result<u64> {
    let args = [owner.into(), digests.into(), now.into()];
    let size: i64 = conn.one(UNCOUNTED, &args).await?;
    Ok(u64::try_from(size).unwrap_or(0))
}

/// How many bytes `versions`, which have just come out of the bin, add to what `owner` holds
/// otherwise: their manifests, and the blobs that nothing else held but the bin.
///
/// # Errors
/// Those of the database.
pub async fn brought_back(
    conn: &mut Conn,
    owner: AccountId,
    versions: &[VersionId],
    now: Moment,
) -> Result<u64> {
    let ids = numbers(versions);
    let args = [owner.into(), ids.as_slice().into(), now.into()];
    let size: i64 = conn.one(BROUGHT_BACK, &args).await?;
    Ok(u64::try_from(size).unwrap_or(0))
}

/// How long the manifests are that a package in the bin serves again when it is restored.
///
/// # Errors
/// Those of the database.
pub async fn served_manifests(conn: &mut Conn, package: PackageId) -> Result<u64> {
    let size: i64 = conn.one(SERVED_MANIFESTS, &[package.into()]).await?;
    Ok(u64::try_from(size).unwrap_or(0))
}

/// The next `limit` blobs after `after` that a package in the bin serves again when it is restored
/// and that no other package of its owner serves.
///
/// # Errors
/// Those of the database.
pub async fn served_blobs(
    conn: &mut Conn,
    package: PackageId,
    after: &str,
    limit: i64,
) -> Result<Vec<UsedBlob>> {
    let args = [package.into(), after.into(), limit.into()];
    conn.all(SERVED_BLOBS, &args).await
}
