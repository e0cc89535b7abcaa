//! Versions that name another one as their subject.

use naru_model::{PackageId, VersionId};
use naru_oci::Digest;

use super::{Version, columns};
use crate::db::{Conn, FromRow, Row, statements};
use crate::error::Result;

statements! {
    REFERRER_SIZES = "SELECT id, size FROM versions
        WHERE package_id = $1 AND subject = $2 AND deleted_at IS NULL AND id > $3
          AND (CAST($4 AS {{TEXT}}) IS NULL OR artifact_type = $4)
        ORDER BY id LIMIT $5";
    REFERRERS_AMONG = "SELECT digest FROM versions
        WHERE package_id = $1 AND subject = $2 AND digest {{IN $3}} AND deleted_at IS NULL";
    REFERRERS = concat!("SELECT ", columns!(), "
        FROM versions
        WHERE package_id = $1 AND subject = $2 AND deleted_at IS NULL AND id > $3
          AND (CAST($4 AS {{TEXT}}) IS NULL OR artifact_type = $4)
        ORDER BY id LIMIT $5");
}

/// Which referrers are asked for.
#[derive(Clone, Copy, Debug)]
pub struct ReferrersQuery<'a> {
    /// Only those of this artifact type.
    pub artifact_type: Option<&'a str>,
    /// Only those after this number; zero begins.
    pub after: VersionId,
    /// At most so many.
    pub limit: i64,
}

/// Served versions whose subject is `subject`, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn referrers(
    conn: &mut Conn,
    package: PackageId,
    subject: &Digest,
    query: ReferrersQuery<'_>,
) -> Result<Vec<Version>> {
    let args = [
        package.get().into(),
        subject.as_str().into(),
        query.after.get().into(),
        query.artifact_type.into(),
        query.limit.into(),
    ];
    conn.all(REFERRERS, &args).await
}

struct ManifestSize(u64);

impl FromRow for ManifestSize {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self(row.get("size")?))
    }
}

/// How long the manifests are that [`referrers`] answers with, in its order: what it answers with
/// may be large, and nobody knows before.
///
/// # Errors
/// Those of the database.
pub async fn referrer_sizes(
    conn: &mut Conn,
    package: PackageId,
    subject: &Digest,
    query: ReferrersQuery<'_>,
) -> Result<Vec<u64>> {
    let args = [
        package.get().into(),
        subject.as_str().into(),
        query.after.get().into(),
        query.artifact_type.into(),
        query.limit.into(),
    ];
    let found: Vec<ManifestSize> = conn.all(REFERRER_SIZES, &args).await?;
    Ok(found.into_iter().map(|ManifestSize(size)| size).collect())
}

/// Which of `digests` are served versions whose subject is `subject`.
///
/// # Errors
/// Those of the database.
pub async fn referrers_among(
    conn: &mut Conn,
    package: PackageId,
    subject: &Digest,
    digests: &[&str],
) -> Result<Vec<Digest>> {
    let args = [
        package.get().into(),
        subject.as_str().into(),
        digests.into(),
    ];
    conn.all(REFERRERS_AMONG, &args).await
}
