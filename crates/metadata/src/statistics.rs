//! Downloads of versions and packages: totals, and a row a day.

use naru_model::{Day, Moment, PackageId, VersionId};

use crate::db::{Conn, FromRow, Row, statements};
use crate::error::Result;

/// How often something was downloaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Downloads {
    /// Manifests that were fetched.
    pub downloads: u64,
    /// Images that were fetched: an index and the child read through it are one.
    pub pulls: u64,
}

/// What a package or a version was downloaded over all its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TotalDownloads {
    /// How often. Pulls are counted for packages only.
    pub downloads: Downloads,
    /// The last time, to within the seconds that counts are gathered for.
    pub last: Option<Moment>,
}

/// What was downloaded on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayDownloads {
    /// The day.
    pub day: Day,
    /// How often.
    pub downloads: Downloads,
}

impl FromRow for TotalDownloads {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            downloads: counts(row)?,
            last: row.get("downloaded_at")?,
        })
    }
}

impl FromRow for DayDownloads {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            day: Day::new(row.get("day")?),
            downloads: counts(row)?,
        })
    }
}

fn counts(row: &Row) -> Result<Downloads> {
    Ok(Downloads {
        downloads: row.get("downloads")?,
        pulls: row.get("pulls")?,
    })
}

statements! {
    IS_ENTRY = "SELECT CASE WHEN v.subject IS NULL
                AND NOT EXISTS (SELECT 1 FROM version_children c
                    WHERE c.package_id = v.package_id AND c.digest = v.digest)
            THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS is_entry
        FROM versions v WHERE v.id = $1";
    ADD_TO_PACKAGE = "INSERT INTO package_statistics (package_id, downloads, pulls, downloaded_at)
        SELECT p.id, CAST($2 AS BIGINT), CAST($3 AS BIGINT), CAST($4 AS BIGINT)
        FROM packages p WHERE p.id = $1 {{FOR KEY SHARE OF p}}
        ON CONFLICT (package_id) DO UPDATE SET
            downloads = package_statistics.downloads + excluded.downloads,
            pulls = package_statistics.pulls + excluded.pulls,
            downloaded_at = excluded.downloaded_at";
    ADD_TO_PACKAGE_DAY = "INSERT INTO package_downloads (package_id, day, downloads, pulls)
        SELECT p.id, CAST($2 AS BIGINT), CAST($3 AS BIGINT), CAST($4 AS BIGINT)
        FROM packages p WHERE p.id = $1 {{FOR KEY SHARE OF p}}
        ON CONFLICT (package_id, day) DO UPDATE SET
            downloads = package_downloads.downloads + excluded.downloads,
            pulls = package_downloads.pulls + excluded.pulls";
    ADD_TO_VERSION = "INSERT INTO version_statistics
            (version_id, package_id, downloads, downloaded_at)
        SELECT v.id, v.package_id, CAST($2 AS BIGINT), CAST($3 AS BIGINT)
        FROM versions v WHERE v.id = $1 {{FOR KEY SHARE OF v}}
        ON CONFLICT (version_id) DO UPDATE SET
            downloads = version_statistics.downloads + excluded.downloads,
            downloaded_at = excluded.downloaded_at";
    ADD_TO_VERSION_DAY = "INSERT INTO version_downloads (version_id, day, downloads)
        SELECT v.id, CAST($2 AS BIGINT), CAST($3 AS BIGINT)
        FROM versions v WHERE v.id = $1 {{FOR KEY SHARE OF v}}
        ON CONFLICT (version_id, day) DO UPDATE SET
            downloads = version_downloads.downloads + excluded.downloads";

    OF_PACKAGE = "SELECT downloads, pulls, downloaded_at FROM package_statistics
        WHERE package_id = $1";
    DAYS_OF_PACKAGE = "SELECT day, downloads, pulls FROM package_downloads
        WHERE package_id = $1 AND day >= $2 ORDER BY day";
    OF_VERSION = "SELECT downloads, CAST(0 AS BIGINT) AS pulls, downloaded_at
        FROM version_statistics WHERE version_id = $1";
    DAYS_OF_VERSION = "SELECT day, downloads, CAST(0 AS BIGINT) AS pulls FROM version_downloads
        WHERE version_id = $1 AND day >= $2 ORDER BY day";
    MOST_DOWNLOADED = "SELECT downloads FROM version_statistics
        WHERE package_id = $1 ORDER BY downloads DESC LIMIT 1";

    DOWNLOADED_MORE = "SELECT version_id FROM version_statistics
        WHERE version_id {{IN $1}} AND downloads > $2";

    FORGET_VERSION_DAYS = "{{PLANNED ANEW}} DELETE FROM version_downloads WHERE (version_id, day) IN
        (SELECT d.version_id, d.day FROM version_downloads d WHERE d.day < $1
         ORDER BY d.day LIMIT $2)";
    FORGET_PACKAGE_DAYS = "{{PLANNED ANEW}} DELETE FROM package_downloads WHERE (package_id, day) IN
        (SELECT d.package_id, d.day FROM package_downloads d WHERE d.day < $1
         ORDER BY d.day LIMIT $2)";
}

/// Whether whoever fetches this version by its digest begins with it: it is no child of an index
/// and refers to no subject. `None` when it is gone.
///
/// # Errors
/// Those of the database.
pub async fn is_entry(conn: &mut Conn, version: VersionId) -> Result<Option<bool>> {
    conn.optional(IS_ENTRY, &[version.into()]).await
}

/// Adds to what a package was downloaded. One that is gone is passed over.
///
/// # Errors
/// Those of the database.
pub async fn add_to_package(
    conn: &mut Conn,
    package: PackageId,
    day: Day,
    count: Downloads,
    now: Moment,
) -> Result<()> {
    let (downloads, pulls) = (number(count.downloads), number(count.pulls));
    let args = [package.into(), downloads.into(), pulls.into(), now.into()];
    conn.execute(ADD_TO_PACKAGE, &args).await?;
    let day = day.number();
    let args = [package.into(), day.into(), downloads.into(), pulls.into()];
    conn.execute(ADD_TO_PACKAGE_DAY, &args).await?;
    Ok(())
}

/// Adds to what a version was downloaded. One that is gone is passed over.
///
/// # Errors
/// Those of the database.
pub async fn add_to_version(
    conn: &mut Conn,
    version: VersionId,
    day: Day,
    downloads: u64,
    now: Moment,
) -> Result<()> {
    let downloads = number(downloads);
    let args = [version.into(), downloads.into(), now.into()];
    conn.execute(ADD_TO_VERSION, &args).await?;
    let args = [version.into(), day.number().into(), downloads.into()];
    conn.execute(ADD_TO_VERSION_DAY, &args).await?;
    Ok(())
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// What a package was downloaded, by versions that have gone since too.
///
/// # Errors
/// Those of the database.
pub async fn of_package(conn: &mut Conn, package: PackageId) -> Result<TotalDownloads> {
    let found = conn.optional(OF_PACKAGE, &[package.into()]).await?;
    Ok(found.unwrap_or_default())
}

/// The days since `from` on which a package was downloaded, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn days_of_package(
    conn: &mut Conn,
    package: PackageId,
    from: Day,
) -> Result<Vec<DayDownloads>> {
    conn.all(DAYS_OF_PACKAGE, &[package.into(), from.number().into()])
        .await
}

/// What a version was downloaded.
///
/// # Errors
/// Those of the database.
pub async fn of_version(conn: &mut Conn, version: VersionId) -> Result<TotalDownloads> {
    let found = conn.optional(OF_VERSION, &[version.into()]).await?;
    Ok(found.unwrap_or_default())
}

/// The days since `from` on which a version was downloaded, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn days_of_version(
    conn: &mut Conn,
    version: VersionId,
    from: Day,
) -> Result<Vec<DayDownloads>> {
    conn.all(DAYS_OF_VERSION, &[version.into(), from.number().into()])
        .await
}

/// How often the version of a package was downloaded that was downloaded most.
///
/// # Errors
/// Those of the database.
pub async fn most_downloaded(conn: &mut Conn, package: PackageId) -> Result<u64> {
    let found: Option<u64> = conn.optional(MOST_DOWNLOADED, &[package.into()]).await?;
    Ok(found.unwrap_or(0))
}

/// Which of these versions were downloaded more than `most` times.
///
/// # Errors
/// Those of the database.
pub async fn downloaded_more(
    conn: &mut Conn,
    versions: &[VersionId],
    most: u64,
) -> Result<Vec<VersionId>> {
    let versions: Vec<i64> = versions.iter().map(|version| version.get()).collect();
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let args = [versions.as_slice().into(), most.into()];
    conn.all(DOWNLOADED_MORE, &args).await
}

/// Forgets days before `before`, at most `limit` rows of versions and of packages each; totals
/// stay. Returns how many rows went.
///
/// # Errors
/// Those of the database.
pub async fn forget_days(conn: &mut Conn, before: Day, limit: i64) -> Result<u64> {
    let args = [before.number().into(), limit.into()];
    let versions = conn.execute(FORGET_VERSION_DAYS, &args).await?;
    let packages = conn.execute(FORGET_PACKAGE_DAYS, &args).await?;
    Ok(versions + packages)
}
