//! Lists of versions, newest first.

use naru_model::{Moment, PackageId, VersionId};

use super::{Version, columns};
use crate::db::{Conn, FromRow, Row, statements};
use crate::error::Result;

/// Which versions a list has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those that are listed.
    Listed,
    /// Those that are served: also withdrawn ones.
    Served,
    /// Those that somebody deleted: in the bin, or withdrawn.
    Removed,
}

/// A part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// At most so many.
    pub limit: i64,
    /// How many are passed over.
    pub offset: i64,
    /// Only those created before, and with a lower number if at this moment.
    pub below: Option<(Moment, VersionId)>,
}

impl Slice {
    /// The first `limit` of a list.
    #[must_use]
    pub const fn first(limit: i64) -> Self {
        Self {
            limit,
            offset: 0,
            below: None,
        }
    }
}

/// A page of the versions of package `$1`, newest first: at most `$2` after the first `$3`, below
/// `$4` and `$5`. First the numbers of those on it, which stand in the index; only then the rows.
macro_rules! page_of_versions {
    ($columns:expr, $which:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM (SELECT x.id AS page_id FROM versions x WHERE x.package_id = $1 AND ",
            $which,
            " AND (x.created_at, x.id) < ($4, $5)
                ORDER BY x.created_at DESC, x.id DESC LIMIT $2 OFFSET $3) page
                CROSS JOIN versions
            WHERE id = page.page_id ORDER BY created_at DESC, id DESC"
        )
    };
}

statements! {
    LISTED = page_of_versions!(
        columns!("CAST(NULL AS BIGINT) AS withdrawn_at"),
        "deleted_at IS NULL AND withdrawn_at IS NULL"
    );
    SERVED = page_of_versions!(columns!(), "deleted_at IS NULL");
    REMOVED = page_of_versions!(columns!(), "(deleted_at IS NOT NULL OR withdrawn_at IS NOT NULL)");
    COUNT_LISTED = "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM (SELECT 1 AS one FROM versions
        WHERE package_id = $1 AND deleted_at IS NULL AND withdrawn_at IS NULL LIMIT $2) AS few";
    COUNT_SERVED = "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM (SELECT 1 AS one FROM versions
        WHERE package_id = $1 AND deleted_at IS NULL LIMIT $2) AS few";
    COUNT_REMOVED = "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM (SELECT 1 AS one FROM versions
        WHERE package_id = $1 AND (deleted_at IS NOT NULL OR withdrawn_at IS NOT NULL)
        LIMIT $2) AS few";
    COUNTS = "SELECT package_id, CAST(COUNT(*) AS BIGINT) AS n FROM versions
        WHERE package_id {{IN $1}} AND deleted_at IS NULL AND withdrawn_at IS NULL
        GROUP BY package_id";
    NEWEST_TAGGED = "SELECT v.id FROM versions v
        WHERE v.package_id = $1 AND v.id {{IN $2}}
          AND EXISTS (SELECT 1 FROM tags t WHERE t.version_id = v.id)
        ORDER BY v.created_at DESC, v.id DESC LIMIT 1";
}

/// A part of the versions of a package, newest first.
///
/// # Errors
/// Those of the database.
pub async fn slice(
    conn: &mut Conn,
    package: PackageId,
    which: Which,
    slice: Slice,
) -> Result<Vec<Version>> {
    let statement = match which {
        Which::Listed => LISTED,
        Which::Served => SERVED,
        Which::Removed => REMOVED,
    };
    let below = slice.below.map(|(at, id)| (at.as_micros(), id.get()));
    let (created_at, id) = below.unwrap_or((i64::MAX, i64::MAX));
    let args = [
        package.into(),
        slice.limit.into(),
        slice.offset.into(),
        created_at.into(),
        id.into(),
    ];
    conn.all(statement, &args).await
}

/// How many versions a list has; counts no further than `limit`.
///
/// # Errors
/// Those of the database.
pub async fn count(conn: &mut Conn, package: PackageId, which: Which, limit: i64) -> Result<i64> {
    let statement = match which {
        Which::Listed => COUNT_LISTED,
        Which::Served => COUNT_SERVED,
        Which::Removed => COUNT_REMOVED,
    };
    conn.one(statement, &[package.into(), limit.into()]).await
}

struct Count(PackageId, u64);

impl FromRow for Count {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self(row.get("package_id")?, row.get("n")?))
    }
}

/// How many listed versions each of these packages has, in one query; those that have none are
/// left out.
///
/// # Errors
/// Those of the database.
pub async fn counts(conn: &mut Conn, packages: &[PackageId]) -> Result<Vec<(PackageId, u64)>> {
    let packages: Vec<i64> = packages.iter().map(|package| package.get()).collect();
    let found: Vec<Count> = conn.all(COUNTS, &[packages.as_slice().into()]).await?;
    Ok(found.into_iter().map(|Count(id, n)| (id, n)).collect())
}

/// The newest of `versions` that has a tag.
///
/// # Errors
/// Those of the database.
pub async fn newest(
    conn: &mut Conn,
    package: PackageId,
    versions: &[VersionId],
) -> Result<Option<VersionId>> {
    let versions = super::graph::numbers(versions);
    conn.optional(NEWEST_TAGGED, &[package.into(), versions.as_slice().into()])
        .await
}
