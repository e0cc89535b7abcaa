//! `naru package statistics` and `naru package downloads`.

use anyhow::Result;
use naru_metadata::statistics::DayDownloads;
use naru_model::PackagePath;
use naru_registry::statistics::DailyDownloads;
use naru_registry::usage::Bytes;
use naru_registry::versions::VersionRef;
use serde::Serialize;

use crate::commands::Instance;
use crate::output::{Output, Row};

/// The days that the vendor's page shows.
pub(super) const MONTH: i64 = 30;

/// Prints how often a package or a version was downloaded, and what its bytes are made of.
pub(super) async fn show(
    instance: &Instance,
    path: &PackagePath,
    version: Option<&VersionRef>,
    output: Output,
) -> Result<()> {
    let Instance {
        registry, caller, ..
    } = instance;
    let (found, bytes, is_package) = match version {
        None => {
            let found = registry.package_downloads(caller, path, MONTH).await?;
            (found, registry.package_bytes(caller, path).await?, true)
        }
        Some(version) => {
            let id = registry.version(caller, path, version).await?.version.id;
            let found = registry.version_downloads(caller, path, id, MONTH).await?;
            (
                found,
                registry.version_bytes(caller, path, id).await?,
                false,
            )
        }
    };
    output.record(&StatisticsRow::new(&found, bytes, is_package))
}

/// Prints how often a package was downloaded on each of the last days.
pub(super) async fn by_day(
    instance: &Instance,
    path: &PackagePath,
    days: i64,
    output: Output,
) -> Result<()> {
    let (registry, caller) = (&instance.registry, &instance.caller);
    let found = registry.package_downloads(caller, path, days).await?;
    let rows: Vec<_> = found.days.iter().map(DayRow::from).collect();
    output.list(&rows)
}

/// Statistics, with the names of the REST API.
#[derive(Debug, Serialize)]
struct StatisticsRow {
    downloads: u64,
    /// Of packages only: the pull of an index and its image is one.
    pulls: Option<u64>,
    downloads_last_30_days: u64,
    pulls_last_30_days: Option<u64>,
    last_downloaded_at: Option<String>,
    bytes: BytesRow,
}

/// What bytes are made of.
#[derive(Debug, Serialize)]
struct BytesRow {
    total: u64,
    unique: u64,
    shared: u64,
    freeable: u64,
    complete: bool,
}

impl StatisticsRow {
    fn new(found: &DailyDownloads, bytes: Bytes, is_package: bool) -> Self {
        let days = || found.days.iter().map(|day| day.downloads);
        let pulls: u64 = days().map(|day| day.pulls).sum();
        Self {
            downloads: found.total.downloads.downloads,
            pulls: is_package.then_some(found.total.downloads.pulls),
            downloads_last_30_days: days().map(|day| day.downloads).sum(),
            pulls_last_30_days: is_package.then_some(pulls),
            last_downloaded_at: found.total.last.map(|at| at.to_string()),
            bytes: BytesRow {
                total: bytes.total,
                unique: bytes.unique,
                shared: bytes.shared,
                freeable: bytes.freeable,
                complete: bytes.complete,
            },
        }
    }
}

impl Row for StatisticsRow {
    const COLUMNS: &'static [&'static str] = &[
        "downloads",
        "pulls",
        "downloads in 30 days",
        "pulls in 30 days",
        "last download",
        "bytes",
        "unique bytes",
        "shared bytes",
        "freeable bytes",
    ];

    fn cells(&self) -> Vec<String> {
        let number = |number: Option<u64>| number.map(|n| n.to_string()).unwrap_or_default();
        vec![
            self.downloads.to_string(),
            number(self.pulls),
            self.downloads_last_30_days.to_string(),
            number(self.pulls_last_30_days),
            self.last_downloaded_at.clone().unwrap_or_default(),
            self.bytes.total.to_string(),
            self.bytes.unique.to_string(),
            self.bytes.shared.to_string(),
            self.bytes.freeable.to_string(),
        ]
    }
}

/// Downloads of a day in UTC, with the names of the REST API.
#[derive(Debug, Serialize)]
struct DayRow {
    day: String,
    downloads: u64,
    pulls: u64,
}

impl From<&DayDownloads> for DayRow {
    fn from(day: &DayDownloads) -> Self {
        Self {
            day: day.day.to_string(),
            downloads: day.downloads.downloads,
            pulls: day.downloads.pulls,
        }
    }
}

impl Row for DayRow {
    const COLUMNS: &'static [&'static str] = &["DAY", "DOWNLOADS", "PULLS"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.day.clone(),
            self.downloads.to_string(),
            self.pulls.to_string(),
        ]
    }
}
