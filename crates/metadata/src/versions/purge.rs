//! Versions that leave the bin for good.

use naru_model::{Moment, PackageId, VersionId};

use super::drop_references;
use crate::db::{Conn, FromRow, Row, statements};
use crate::error::Result;

statements! {
    PURGEABLE_OF = "SELECT v.id FROM versions v
        WHERE v.package_id = $1 AND v.deleted_at IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM version_children c
                          WHERE c.package_id = v.package_id AND c.digest = v.digest)
        ORDER BY v.id LIMIT $2 {{SKIP LOCKED OF v}}";
    BINNED = "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM (SELECT 1 AS one FROM versions
        WHERE package_id = $1 AND deleted_at IS NOT NULL LIMIT $2) AS few";
    PACKAGES_TO_PURGE = "{{PLANNED ANEW}} SELECT DISTINCT v.package_id FROM versions v
        WHERE v.deleted_at IS NOT NULL AND v.deleted_at < $1
          AND NOT EXISTS (SELECT 1 FROM version_children c
                          WHERE c.package_id = v.package_id AND c.digest = v.digest)
        ORDER BY v.package_id LIMIT $2";
    PURGE_CANDIDATES_OF = "SELECT v.id FROM versions v
        WHERE v.package_id = $3 AND v.deleted_at IS NOT NULL AND v.deleted_at < $1
          AND NOT EXISTS (SELECT 1 FROM version_children c
                          WHERE c.package_id = v.package_id AND c.digest = v.digest)
        ORDER BY v.deleted_at, v.id LIMIT $2 {{SKIP LOCKED OF v}}";
    PURGE_CANDIDATES = "{{PLANNED ANEW}} SELECT v.id, v.package_id FROM versions v
        WHERE v.deleted_at IS NOT NULL AND v.deleted_at < $1
          AND NOT EXISTS (SELECT 1 FROM version_children c
                          WHERE c.package_id = v.package_id AND c.digest = v.digest)
        ORDER BY v.deleted_at, v.id LIMIT $2 {{SKIP LOCKED OF v}}";
    LOCK = "SELECT id FROM versions WHERE id = $1 {{FOR UPDATE}}";
    PURGE_HISTORY = "DELETE FROM tag_history WHERE version_id = $1";
    PURGE_TAGS = "DELETE FROM tags WHERE version_id = $1";
    PURGE_DOWNLOADS = "DELETE FROM version_downloads WHERE version_id = $1";
    PURGE_STATISTICS = "DELETE FROM version_statistics WHERE version_id = $1";
    PURGE = "DELETE FROM versions WHERE id = $1";
}

struct PurgeCandidate(VersionId, PackageId);

impl FromRow for PurgeCandidate {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self(
            VersionId::new(row.get("id")?),
            PackageId::new(row.get("package_id")?),
        ))
    }
}

/// Versions deleted before `deleted_before` that no index holds, oldest first; locked until the
/// transaction ends.
///
/// # Errors
/// Those of the database.
pub async fn purge_candidates(
    conn: &mut Conn,
    deleted_before: Moment,
    limit: i64,
) -> Result<Vec<(PackageId, VersionId)>> {
    let args = [deleted_before.as_micros().into(), limit.into()];
    let found: Vec<PurgeCandidate> = conn.all(PURGE_CANDIDATES, &args).await?;
    Ok(found
        .into_iter()
        .map(|PurgeCandidate(version, package)| (package, version))
        .collect())
}

/// Packages with versions deleted before `deleted_before` that no index holds.
///
/// # Errors
/// Those of the database.
pub async fn packages_to_purge(
    conn: &mut Conn,
    deleted_before: Moment,
    limit: i64,
) -> Result<Vec<PackageId>> {
    conn.all(
        PACKAGES_TO_PURGE,
        &[deleted_before.as_micros().into(), limit.into()],
    )
    .await
}

/// As [`purge_candidates`], in one package.
///
/// # Errors
/// Those of the database.
pub async fn purge_candidates_of(
    conn: &mut Conn,
    package: PackageId,
    deleted_before: Moment,
    limit: i64,
) -> Result<Vec<VersionId>> {
    let args = [
        deleted_before.as_micros().into(),
        limit.into(),
        package.into(),
    ];
    conn.all(PURGE_CANDIDATES_OF, &args).await
}

/// Versions of a package that are in the bin and that no index holds; locked until the transaction
/// ends.
///
/// # Errors
/// Those of the database.
pub async fn purgeable_of(
    conn: &mut Conn,
    package: PackageId,
    limit: i64,
) -> Result<Vec<VersionId>> {
    conn.all(PURGEABLE_OF, &[package.into(), limit.into()])
        .await
}

/// Removes a version for good. Blobs that nothing else holds get a lease until `lease_until`, so
/// that a push which was promised them goes through.
///
/// # Errors
/// Those of the database; a foreign-key violation when an index still holds it.
pub async fn purge(
    conn: &mut Conn,
    package: PackageId,
    version: VersionId,
    lease_until: Moment,
) -> Result<bool> {
    // Whoever counts downloads of it holds the row; one that is counted later than its counts are
    // removed here would keep it.
    let locked: Option<VersionId> = conn.optional(LOCK, &[version.into()]).await?;
    if locked.is_none() {
        return Ok(false);
    }
    drop_references(conn, package, version, lease_until).await?;
    for statement in [PURGE_HISTORY, PURGE_TAGS, PURGE_DOWNLOADS, PURGE_STATISTICS] {
        conn.execute(statement, &[version.get().into()]).await?;
    }
    Ok(conn.execute(PURGE, &[version.get().into()]).await? > 0)
}

/// How many versions of a package are in the bin; counts no further than `limit`.
///
/// # Errors
/// Those of the database.
pub async fn binned(conn: &mut Conn, package: PackageId, limit: i64) -> Result<i64> {
    conn.one(BINNED, &[package.into(), limit.into()]).await
}
