//! Downloads: counted in memory while manifests are served, written down behind the requests.
//!
//! A download is a 200 to a GET of a manifest: an index and the child read through it are two, as
//! the vendor counts. A *pull* counts an image once: the manifest that a client begins with, which
//! is one asked for by a tag that is no fallback tag of referrers, or one asked for by its digest
//! that is no child of an index and refers to no subject. So a child pulled by its own digest, which
//! looks like a part of a pull of its index, is no pull.
//!
//! What a process has counted and not yet written is lost if it is killed: at most the downloads of
//! the last ten seconds (`jobs::CHORES`), or those since the database stopped answering.

use std::collections::HashMap;

use naru_metadata::Conn;
use naru_metadata::statistics::{self, DayDownloads, Downloads, TotalDownloads};
use naru_metadata::{package_lists, package_settings, packages, versions};
use naru_model::{
    Day, Moment, PackageId, PackagePath, PackagePermission, Principal, VersionId, Visibility,
};
use naru_oci::{FallbackTag, Reference};
use parking_lot::Mutex;

use crate::access::Authorized;
use crate::cache::CachedManifest;
use crate::error::{Error, Result};
use crate::{Caller, Registry};

/// How many days of downloads are kept: thirteen months.
pub const DAYS_KEPT: i64 = 396;

/// How many versions are written in one transaction.
const BATCH: usize = 200;

/// Downloads of this process that are not written down yet. Many locks, each held for an addition,
/// so that requests do not wait for one another.
pub(crate) struct DownloadCounter {
    shards: [Mutex<HashMap<Counted, Count>>; SHARDS],
}

const SHARDS: usize = 16;
/// More versions than this wait only where the database does not answer; then new ones are not
/// counted.
const MOST_IN_A_SHARD: usize = 20_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Counted {
    package: PackageId,
    day: Day,
    version: VersionId,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    downloads: u64,
    /// Of these, by a tag that names an image.
    by_tag: u64,
    /// Of these, by a fallback tag: signatures and the like.
    by_fallback: u64,
}

impl Count {
    const fn plus(self, more: Self) -> Self {
        Self {
            downloads: self.downloads.saturating_add(more.downloads),
            by_tag: self.by_tag.saturating_add(more.by_tag),
            by_fallback: self.by_fallback.saturating_add(more.by_fallback),
        }
    }

    /// What of it are pulls.
    const fn pulls(self, is_entry: bool) -> u64 {
        if is_entry {
            self.downloads.saturating_sub(self.by_fallback)
        } else {
            self.by_tag
        }
    }
}

impl DownloadCounter {
    pub(crate) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::new(HashMap::new())),
        }
    }

    fn add(&self, counted: Counted, count: Count) {
        let index = usize::try_from(counted.version.get()).unwrap_or_default() % SHARDS;
        let Some(shard) = self.shards.get(index) else {
            return;
        };
        let mut shard = shard.lock();
        if let Some(known) = shard.get_mut(&counted) {
            *known = known.plus(count);
        } else if shard.len() < MOST_IN_A_SHARD {
            shard.insert(counted, count);
        }
    }

    /// Takes what was counted, in an order that all processes share: two that write at the same
    /// time then never wait for one another in a circle.
    fn take(&self) -> Vec<(Counted, Count)> {
        let shards = self.shards.iter();
        let mut taken: Vec<_> = shards
            .flat_map(|shard| std::mem::take(&mut *shard.lock()))
            .collect();
        taken.sort_unstable_by_key(|(counted, _)| *counted);
        taken
    }
}

impl std::fmt::Debug for DownloadCounter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DownloadCounter").finish_non_exhaustive()
    }
}

/// Downloads day by day, without a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DailyDownloads {
    /// Over all time.
    pub total: TotalDownloads,
    /// The last days, the oldest first, today last.
    pub days: Vec<DayDownloads>,
}

impl DailyDownloads {
    fn new(total: TotalDownloads, known: &[DayDownloads], today: Day, days: i64) -> Self {
        let known: HashMap<Day, Downloads> =
            known.iter().map(|day| (day.day, day.downloads)).collect();
        let first = today.minus(days - 1);
        let days = (0..days).map(|number| {
            let day = first.minus(-number);
            DayDownloads {
                day,
                downloads: known.get(&day).copied().unwrap_or_default(),
            }
        });
        Self {
            total,
            days: days.collect(),
        }
    }
}

impl Registry {
    /// Counts that a manifest was sent to a client: by `reference`, with a 200 to a GET. Costs a
    /// lock that is hardly ever waited for; nothing is written here.
    pub fn count_download(
        &self,
        package: &Authorized,
        manifest: &CachedManifest,
        reference: &Reference,
    ) {
        let is_fallback = match reference {
            Reference::Tag(tag) => Some(FallbackTag::parse(tag).is_some()),
            Reference::Digest(_) => None,
        };
        let counted = Counted {
            package: package.id(),
            day: self.clock.now().into(),
            version: manifest.version,
        };
        let count = Count {
            downloads: 1,
            by_tag: u64::from(is_fallback == Some(false)),
            by_fallback: u64::from(is_fallback == Some(true)),
        };
        self.downloads.add(counted, count);
    }

    /// Writes down what was counted since the last time. What could not be written is counted
    /// again, unless it may have been written all the same: statistics rather lack something than
    /// tell it twice. Returns how many versions there were.
    pub(crate) async fn write_downloads(&self) -> Result<usize> {
        let taken = self.downloads.take();
        let mut batches = taken.chunks(BATCH);
        while let Some(batch) = batches.next() {
            if let Err(error) = self.write_batch(batch).await {
                let may_be_written = matches!(error, naru_metadata::Error::CommitUnknown(_));
                let first = batch.iter().filter(|_| !may_be_written);
                for (counted, count) in first.chain(batches.flatten()) {
                    self.downloads.add(*counted, *count);
                }
                return Err(error.into());
            }
        }
        Ok(taken.len())
    }

    async fn write_batch(
        &self,
        batch: &[(Counted, Count)],
    ) -> std::result::Result<(), naru_metadata::Error> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        for of_day in
            batch.chunk_by(|(one, _), (next, _)| (one.package, one.day) == (next.package, next.day))
        {
            write_day(&mut tx, of_day, now).await?;
        }
        tx.commit().await
    }

    /// What a package was downloaded, in all and on each of the last `days` days, of which there
    /// are between one and [`DAYS_KEPT`].
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::NotFound`].
    pub async fn package_downloads(
        &self,
        caller: &Caller,
        path: &PackagePath,
        days: i64,
    ) -> Result<DailyDownloads> {
        let package = self
            .authorize(caller, path, PackagePermission::Read)
            .await?;
        let (today, days) = self.span(days);
        let mut conn = self.db.read().await?;
        let total = statistics::of_package(&mut conn, package.id()).await?;
        let from = today.minus(days - 1);
        let known = statistics::days_of_package(&mut conn, package.id(), from).await?;
        Ok(DailyDownloads::new(total, &known, today, days))
    }

    /// As [`Registry::package_downloads`], of one version.
    ///
    /// # Errors
    /// As there; [`Error::ManifestUnknown`].
    pub async fn version_downloads(
        &self,
        caller: &Caller,
        path: &PackagePath,
        version: VersionId,
        days: i64,
    ) -> Result<DailyDownloads> {
        let package = self
            .authorize(caller, path, PackagePermission::Read)
            .await?;
        let (today, days) = self.span(days);
        let mut conn = self.db.read().await?;
        live_version(&mut conn, package.id(), version).await?;
        let total = statistics::of_version(&mut conn, version).await?;
        let from = today.minus(days - 1);
        let known = statistics::days_of_version(&mut conn, version, from).await?;
        Ok(DailyDownloads::new(total, &known, today, days))
    }

    fn span(&self, days: i64) -> (Day, i64) {
        (self.clock.now().into(), days.clamp(1, DAYS_KEPT))
    }

    /// How often a version of the package may have been downloaded so that it can still be deleted;
    /// none where that does not matter: unless the owner or the settings say so and the package is
    /// public. The
    /// machine itself may delete everything, as the support that the vendor sends people to.
    pub(crate) async fn deletable_downloads(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        package: PackageId,
    ) -> Result<Option<u64>> {
        if caller.principal == Principal::System {
            return Ok(None);
        }
        let of_owner = package_settings::undeletable_downloads(conn, package).await?;
        let most = of_owner.unwrap_or(self.settings.undeletable_downloads);
        if most == 0 {
            return Ok(None);
        }
        // A package of the legacy registry is as visible as its repository.
        let found = package_lists::listed(conn, package).await?;
        let is_public = found.is_some_and(|found| found.package.visibility == Visibility::Public);
        Ok(is_public.then_some(most))
    }

    /// Refuses to delete a package of which any version was downloaded too often.
    ///
    /// # Errors
    /// [`Error::Undeletable`] with the vendor's sentence (contract D6).
    pub(crate) async fn refuse_widely_downloaded(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        package: PackageId,
    ) -> Result<()> {
        match self.deletable_downloads(conn, caller, package).await? {
            Some(most) if statistics::most_downloaded(conn, package).await? > most => {
                Err(widely_downloaded(most))
            }
            _ => Ok(()),
        }
    }

    /// Refuses to delete a version that was downloaded too often.
    ///
    /// # Errors
    /// [`Error::Undeletable`] with the vendor's sentence (contract D6).
    pub(crate) async fn refuse_downloaded_version(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        package: PackageId,
        version: VersionId,
    ) -> Result<()> {
        let Some(most) = self.deletable_downloads(conn, caller, package).await? else {
            return Ok(());
        };
        let too_often = statistics::downloaded_more(conn, &[version], most).await?;
        match too_often.is_empty() {
            true => Ok(()),
            false => Err(widely_downloaded(most)),
        }
    }

    /// Forgets the days that are older than thirteen months. Returns how many rows went.
    pub(crate) async fn forget_download_days(&self) -> Result<u64> {
        const ROWS: i64 = 1000;
        let before = Day::from(self.clock.now()).minus(DAYS_KEPT - 1);
        let mut forgotten = 0;
        loop {
            let mut tx = self.db.write().await?;
            let gone = statistics::forget_days(&mut tx, before, ROWS).await?;
            tx.commit().await?;
            forgotten += gone;
            if gone == 0 {
                return Ok(forgotten);
            }
        }
    }
}

/// Writes what one package was downloaded on one day. The package's rows come first, as everywhere.
async fn write_day(
    conn: &mut Conn,
    counts: &[(Counted, Count)],
    now: Moment,
) -> std::result::Result<(), naru_metadata::Error> {
    let Some((Counted { package, day, .. }, _)) = counts.first().copied() else {
        return Ok(());
    };
    let mut sum = Downloads::default();
    for (counted, count) in counts {
        let is_entry = statistics::is_entry(conn, counted.version).await?;
        sum.downloads = sum.downloads.saturating_add(count.downloads);
        let pulls = count.pulls(is_entry.unwrap_or(false));
        sum.pulls = sum.pulls.saturating_add(pulls);
    }
    packages::note_pulled(conn, package, now).await?;
    statistics::add_to_package(conn, package, day, sum, now).await?;
    for (counted, count) in counts {
        statistics::add_to_version(conn, counted.version, day, count.downloads, now).await?;
    }
    Ok(())
}

async fn live_version(conn: &mut Conn, package: PackageId, version: VersionId) -> Result<()> {
    let found = versions::header_by_id(conn, package, version).await?;
    match found.filter(|found| found.deleted_at.is_none()) {
        Some(_) => Ok(()),
        None => Err(Error::ManifestUnknown {
            reference: version.to_string(),
        }),
    }
}

/// The vendor's sentence (contract D6).
pub(crate) fn widely_downloaded(most: u64) -> Error {
    Error::Undeletable(format!(
        "Publicly visible package versions with more than {most} downloads cannot be deleted. \
         Contact the administrators of this instance for further assistance."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(version: i64) -> Counted {
        Counted {
            package: PackageId::new(1),
            day: Day::new(20_000),
            version: VersionId::new(version),
        }
    }

    const ONE_BY_TAG: Count = Count {
        downloads: 1,
        by_tag: 1,
        by_fallback: 0,
    };

    #[test]
    fn what_is_counted_is_taken_once() {
        let counter = DownloadCounter::new();
        counter.add(counted(20), ONE_BY_TAG);
        counter.add(counted(3), ONE_BY_TAG);
        counter.add(counted(20), ONE_BY_TAG);
        let twice = ONE_BY_TAG.plus(ONE_BY_TAG);
        assert_eq!(
            counter.take(),
            [(counted(3), ONE_BY_TAG), (counted(20), twice)]
        );
        assert_eq!(counter.take(), []);
    }

    #[test]
    fn a_child_read_by_its_digest_is_no_pull_of_its_own() {
        let count = Count {
            downloads: 5,
            by_tag: 2,
            by_fallback: 1,
        };
        assert_eq!((count.pulls(true), count.pulls(false)), (4, 2));
    }

    #[test]
    fn days_without_downloads_are_zero_and_not_missing() {
        let today = Day::new(100);
        let known = [DayDownloads {
            day: Day::new(99),
            downloads: Downloads {
                downloads: 7,
                pulls: 3,
            },
        }];
        let daily = DailyDownloads::new(TotalDownloads::default(), &known, today, 3);
        let told: Vec<_> = daily
            .days
            .iter()
            .map(|day| (day.day.number(), day.downloads.downloads))
            .collect();
        assert_eq!(told, [(98, 0), (99, 7), (100, 0)]);
    }
}
