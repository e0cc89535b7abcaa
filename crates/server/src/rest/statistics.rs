//! Statistics of packages and versions: downloads, and what their bytes are made of (contract J3;
//! `EXTENSIONS`, `P/statistics…`).
//!
//! Downloads of a public package are told to everybody, as the vendor's pages do. What is shared
//! tells of other packages, so bytes are told only to those who administer the package.

use naru_model::{AccountName, PackageName, PackagePath, PackageType, Scope, VersionId};
use naru_registry::statistics::{DAYS_KEPT, DailyDownloads};
use naru_registry::usage::Bytes;
use naru_registry::{Error, Result as UseCase};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::call::Call;
use super::error::Failure;
use super::finish::Outcome;
use super::input::Query;
use super::operation::Operations;
use super::owners::for_owners;
use super::views::time;

const SCOPES: &[Scope] = &[Scope::ReadPackages];
const DEED: &str = "read the statistics of a package";

/// The operations of statistics.
pub(super) fn routes(operations: &mut Operations) {
    for (path, id) in for_owners!(
        "/packages/{package_type}/{package_name}/statistics",
        "packages/get-package-statistics"
    ) {
        operations
            .get(path, of_package)
            .own(id)
            .summary("Get statistics of a package")
            .needs(SCOPES, DEED)
            .answers::<StatisticsView>(200, "How often it was downloaded, and what its bytes are")
            .refuses(&[401, 403, 404]);
    }
    for (path, id) in for_owners!(
        "/packages/{package_type}/{package_name}/statistics/downloads",
        "packages/list-package-downloads"
    ) {
        operations
            .get(path, by_day)
            .own(id)
            .summary("List downloads of a package by day")
            .needs(SCOPES, DEED)
            .query::<ListDownloads>()
            .lists::<DayView>("The last days in UTC, the oldest first and today last")
            .refuses(&[400, 401, 403, 404]);
    }
    for (path, id) in for_owners!(
        "/packages/{package_type}/{package_name}/versions/{package_version_id}/statistics",
        "packages/get-package-version-statistics"
    ) {
        operations
            .get(path, of_version)
            .own(id)
            .summary("Get statistics of a package version")
            .needs(SCOPES, DEED)
            .answers::<VersionStatisticsView>(
                200,
                "How often it was downloaded, and what its bytes are",
            )
            .refuses(&[401, 403, 404]);
    }
}

/// Statistics of a package.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PackageStatistics)]
struct StatisticsView {
    /// Manifests fetched, over all time: an index and the image read through it are two.
    downloads: u64,
    /// Images pulled, over all time: an index and the image read through it are one.
    pulls: u64,
    /// Downloads in the last 30 days, in UTC.
    downloads_last_30_days: u64,
    /// Pulls in the last 30 days, in UTC.
    pulls_last_30_days: u64,
    /// The last time.
    last_downloaded_at: Option<String>,
    /// What its bytes are made of; null for those who do not administer the package.
    bytes: Option<BytesView>,
}

/// Statistics of a package version.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PackageVersionStatistics)]
struct VersionStatisticsView {
    /// How often its manifest was fetched, over all time.
    downloads: u64,
    /// Downloads in the last 30 days, in UTC.
    downloads_last_30_days: u64,
    /// The last time.
    last_downloaded_at: Option<String>,
    /// What its bytes are made of, with the images of an index; null for those who do not
    /// administer the package.
    bytes: Option<BytesView>,
}

/// What bytes are made of, within the packages of one owner.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PackageBytes)]
struct BytesView {
    /// Needed, each blob once, with the manifests.
    total: u64,
    /// Of these, needed by nothing else of the owner.
    unique: u64,
    /// Of these, needed elsewhere too.
    shared: u64,
    /// What the owner would hold less without it.
    freeable: u64,
    /// Whether all of it was looked at; else there is more than these figures say.
    complete: bool,
}

impl From<Bytes> for BytesView {
    fn from(bytes: Bytes) -> Self {
        Self {
            total: bytes.total,
            unique: bytes.unique,
            shared: bytes.shared,
            freeable: bytes.freeable,
            complete: bytes.complete,
        }
    }
}

/// Downloads of one day.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PackageDownloadsOfDay)]
struct DayView {
    /// The day in UTC, such as `2026-11-26`.
    day: String,
    /// Manifests fetched.
    downloads: u64,
    /// Images pulled.
    pulls: u64,
}

/// Which downloads are asked for.
#[derive(Debug, Deserialize, IntoParams)]
struct ListDownloads {
    /// What they are counted by: `day`.
    per: Option<String>,
    /// How many days, today included; at most 396. Default 30.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 396)]
    days: Option<String>,
}

impl ListDownloads {
    fn wanted(&self) -> Result<i64, Failure> {
        if self.per.as_deref().is_some_and(|per| per != "day") {
            return Err(Failure::bad_request("Invalid argument: per is day."));
        }
        let Some(text) = &self.days else {
            return Ok(MONTH);
        };
        let days = text.parse::<i64>().ok();
        days.filter(|days| (1..=DAYS_KEPT).contains(days))
            .ok_or_else(|| {
                Failure::bad_request(format!("Invalid argument: days is 1 to {DAYS_KEPT}."))
            })
    }
}

/// The days that the vendor's page shows.
const MONTH: i64 = 30;

async fn of_package(call: Call) -> Outcome {
    let path = package(&call).await?;
    let registry = call.registry();
    let found = registry
        .package_downloads(call.caller(), &path, MONTH)
        .await?;
    let bytes = told(registry.package_bytes(call.caller(), &path).await)?;
    let (downloads, pulls) = of_days(&found);
    call.ok(&StatisticsView {
        downloads: found.total.downloads.downloads,
        pulls: found.total.downloads.pulls,
        downloads_last_30_days: downloads,
        pulls_last_30_days: pulls,
        last_downloaded_at: found.total.last.map(time),
        bytes,
    })
}

async fn by_day(call: Call, Query(query): Query<ListDownloads>) -> Outcome {
    let path = package(&call).await?;
    let days = query.wanted()?;
    let found = call
        .registry()
        .package_downloads(call.caller(), &path, days)
        .await?;
    let days = found.days.iter().map(|day| DayView {
        day: day.day.to_string(),
        downloads: day.downloads.downloads,
        pulls: day.downloads.pulls,
    });
    call.ok(&days.collect::<Vec<_>>())
}

async fn of_version(call: Call) -> Outcome {
    let path = package(&call).await?;
    let version = VersionId::new(call.part("package_version_id")?);
    let registry = call.registry();
    let found = registry
        .version_downloads(call.caller(), &path, version, MONTH)
        .await?;
    let bytes = told(registry.version_bytes(call.caller(), &path, version).await)?;
    call.ok(&VersionStatisticsView {
        downloads: found.total.downloads.downloads,
        downloads_last_30_days: of_days(&found).0,
        last_downloaded_at: found.total.last.map(time),
        bytes,
    })
}

/// The package of the path. Nobody in particular may ask about a public one, and hears of accounts
/// no more than that way.
async fn package(call: &Call) -> Result<PackagePath, Failure> {
    if !call.caller().principal.is_anonymous() {
        let owner = call.owner().await?;
        return call.package(&owner);
    }
    let owner = call.text("org").or_else(|_| call.text("username"));
    let owner = owner.map_err(|_| Failure::UNAUTHENTICATED)?;
    let path = || {
        Some(PackagePath {
            package_type: call.part::<PackageType>("package_type").ok()?,
            owner: owner.parse::<AccountName>().ok()?,
            name: call.part::<PackageName>("package_name").ok()?,
        })
    };
    path().ok_or(Failure::UNAUTHENTICATED)
}

/// Bytes, to those who may know them.
fn told(bytes: UseCase<Bytes>) -> Result<Option<BytesView>, Failure> {
    match bytes {
        Ok(bytes) => Ok(Some(bytes.into())),
        Err(Error::Refused(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn of_days(found: &DailyDownloads) -> (u64, u64) {
    let days = found.days.iter().map(|day| day.downloads);
    days.fold((0, 0), |(downloads, pulls), day| {
        (downloads + day.downloads, pulls + day.pulls)
    })
}
