//! What a version needs and holds by foreign key: blobs of an image, children of an index, and the
//! gaps that a sparse manifest leaves.

use naru_model::{Moment, PackageId, VersionId};
use naru_oci::Digest;

use crate::db::{Conn, statements};
use crate::error::Result;
use crate::links::PARKED;

statements! {
    #[short]
    HOLD_BLOBS = "INSERT INTO version_blobs (version_id, package_id, digest)
        SELECT CAST($1 AS BIGINT), CAST($2 AS BIGINT), value FROM {{LIST $3}}
        ON CONFLICT (version_id, digest) DO NOTHING";
    #[short]
    PARK_LINKS = "UPDATE links SET lease_until = 9223372036854775807
        WHERE package_id = $1 AND digest {{IN $2}} AND lease_until < 9223372036854775807";
    LIVE_CHILDREN = "SELECT digest FROM versions
        WHERE package_id = $1 AND digest {{IN $2}} AND deleted_at IS NULL";
    HOLD_CHILDREN = "INSERT INTO version_children (version_id, package_id, digest)
        SELECT CAST($1 AS BIGINT), CAST($2 AS BIGINT), value FROM {{LIST $3}}
        ON CONFLICT (version_id, digest) DO NOTHING";
    NOTE_GAPS = "INSERT INTO version_gaps (version_id, package_id, digest, kind)
        SELECT CAST($1 AS BIGINT), CAST($2 AS BIGINT), value, $4 FROM {{LIST $3}}
        ON CONFLICT (version_id, digest, kind) DO NOTHING";
    #[short]
    FILL_BLOB_GAPS = "INSERT INTO version_blobs (version_id, package_id, digest)
        SELECT version_id, package_id, digest FROM version_gaps
        WHERE package_id = $1 AND digest = $2 AND kind = 'blob'
        ON CONFLICT (version_id, digest) DO NOTHING";
    #[short]
    FILL_CHILD_GAPS = "INSERT INTO version_children (version_id, package_id, digest)
        SELECT version_id, package_id, digest FROM version_gaps
        WHERE package_id = $1 AND digest = $2 AND kind = 'manifest'
        ON CONFLICT (version_id, digest) DO NOTHING";
    DROP_GAPS = "DELETE FROM version_gaps WHERE package_id = $1 AND digest = $2 AND kind = $3";
    PARENT = "SELECT v.digest FROM version_children c JOIN versions v ON v.id = c.version_id
        WHERE c.package_id = $1 AND c.digest = $2 AND v.deleted_at IS NULL
        ORDER BY v.id LIMIT 1";
    HOLDER = "SELECT v.digest FROM version_children c JOIN versions v ON v.id = c.version_id
        WHERE c.package_id = $1 AND c.digest = $2 ORDER BY v.id LIMIT 1";
    LOST_LEASES = "UPDATE links SET lease_until = $3
        WHERE package_id = $1
          AND digest IN (SELECT digest FROM version_blobs WHERE version_id = $2)
          AND NOT EXISTS (SELECT 1 FROM version_blobs r
                          WHERE r.package_id = links.package_id AND r.digest = links.digest
                            AND r.version_id <> $2)";
    PURGE_BLOBS = "DELETE FROM version_blobs WHERE version_id = $1";
    PURGE_CHILDREN = "DELETE FROM version_children WHERE version_id = $1";
    PURGE_GAPS = "DELETE FROM version_gaps WHERE version_id = $1";
}

/// Holds the links of `digests` for `version` and parks their leases. All of them must be linked:
/// a missing one ends the transaction with a foreign-key violation.
///
/// # Errors
/// Those of the database.
pub async fn hold_blobs(
    conn: &mut Conn,
    package: PackageId,
    version: VersionId,
    digests: &[&str],
) -> Result<()> {
    if digests.is_empty() {
        return Ok(());
    }
    conn.execute(
        HOLD_BLOBS,
        &[version.get().into(), package.get().into(), digests.into()],
    )
    .await?;
    conn.execute(PARK_LINKS, &[package.get().into(), digests.into()])
        .await?;
    Ok(())
}

/// Which of `digests` are live versions of the package.
///
/// # Errors
/// Those of the database.
pub async fn live_children(
    conn: &mut Conn,
    package: PackageId,
    digests: &[&str],
) -> Result<Vec<Digest>> {
    conn.all(LIVE_CHILDREN, &[package.get().into(), digests.into()])
        .await
}

/// Holds child manifests for an index.
///
/// # Errors
/// Those of the database.
pub async fn hold_children(
    conn: &mut Conn,
    package: PackageId,
    version: VersionId,
    digests: &[&str],
) -> Result<()> {
    if digests.is_empty() {
        return Ok(());
    }
    let args = [version.get().into(), package.get().into(), digests.into()];
    conn.execute(HOLD_CHILDREN, &args).await?;
    Ok(())
}

/// What a gap lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapKind {
    /// A blob of an image.
    Blob,
    /// A child of an index.
    Manifest,
}

impl GapKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Blob => "blob",
            Self::Manifest => "manifest",
        }
    }
}

/// Notes what a sparse manifest names and the package lacks.
///
/// # Errors
/// Those of the database.
pub async fn note_gaps(
    conn: &mut Conn,
    package: PackageId,
    version: VersionId,
    kind: GapKind,
    digests: &[&str],
) -> Result<()> {
    if digests.is_empty() {
        return Ok(());
    }
    let args = [
        version.get().into(),
        package.get().into(),
        digests.into(),
        kind.as_str().into(),
    ];
    conn.execute(NOTE_GAPS, &args).await?;
    Ok(())
}

/// Turns the gaps that `digest` fills into ordinary references, in the transaction that brought
/// it: to be called after each new link and each new or revived version. The lease of a link stays:
/// it is a promise, and those who named it first may all be in the bin.
///
/// # Errors
/// Those of the database.
pub async fn fill_gaps(
    conn: &mut Conn,
    package: PackageId,
    kind: GapKind,
    digest: &Digest,
) -> Result<()> {
    let args = [package.get().into(), digest.as_str().into()];
    let fill = match kind {
        GapKind::Blob => FILL_BLOB_GAPS,
        GapKind::Manifest => FILL_CHILD_GAPS,
    };
    if conn.execute(fill, &args).await? == 0 {
        return Ok(());
    }
    let args = [
        package.get().into(),
        digest.as_str().into(),
        kind.as_str().into(),
    ];
    conn.execute(DROP_GAPS, &args).await?;
    Ok(())
}

/// A live index of the package that names `digest` as a child, if there is one.
///
/// # Errors
/// Those of the database.
pub async fn parent(
    conn: &mut Conn,
    package: PackageId,
    digest: &Digest,
) -> Result<Option<Digest>> {
    conn.optional(PARENT, &[package.get().into(), digest.as_str().into()])
        .await
}

/// An index, deleted or not, that holds the version with this digest, if there is one: as long as
/// it is there the version cannot be purged.
///
/// # Errors
/// Those of the database.
pub async fn holder(
    conn: &mut Conn,
    package: PackageId,
    digest: &Digest,
) -> Result<Option<Digest>> {
    conn.optional(HOLDER, &[package.into(), digest.into()])
        .await
}

/// Lets go of everything that a version holds or lacks, as if it named nothing: before it goes, or
/// before it is held to its needs anew. Blobs that nothing else holds get a lease until
/// `lease_until`.
///
/// # Errors
/// Those of the database.
pub async fn drop_references(
    conn: &mut Conn,
    package: PackageId,
    version: VersionId,
    lease_until: Moment,
) -> Result<()> {
    let lease = [
        package.get().into(),
        version.get().into(),
        lease_until.as_micros().into(),
    ];
    conn.execute(LOST_LEASES, &lease).await?;
    for statement in [PURGE_BLOBS, PURGE_CHILDREN, PURGE_GAPS] {
        conn.execute(statement, &[version.get().into()]).await?;
    }
    Ok(())
}

const _: () = assert!(
    PARKED == 9_223_372_036_854_775_807,
    "the statements spell it out"
);
