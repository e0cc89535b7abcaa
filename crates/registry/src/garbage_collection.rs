//! Which bytes may go, and when: online, a bounded batch at a time, safe against pushes, pulls,
//! mounts and deletes that run beside it.
//!
//! 1. Versions whose time in the bin is over are purged; blobs they held get a lease. What was said
//!    in repositories goes with them.
//! 2. Links go that are neither held nor leased.
//! 3. Blobs without links are condemned: their keys go to the trash, their rows go.
//! 4. Objects go whose time in the trash is over. Missing is fine.
//! 5. Now and then: blobs that a crash left between 2 and 3, objects that no row knows.
//!
//! Storage keys are never used twice, every foreign key restricts, and no storage call stands
//! inside a transaction: that is why no order of events loses a byte that a manifest can reach. A
//! test goes through all orders of a small world, and through the shortcuts that lose data
//! (`tests/it/model.rs`).

use std::time::Duration;

use naru_blobstore::StorageKey;
use naru_metadata::collector::{self, TrashReason, TrashRow};
use naru_metadata::{gone, links, packages, versions};
use naru_model::{Moment, PackageId, RepositoryId};
use naru_oci::Digest;

use crate::Registry;
use crate::clock_watch::ClockWatch;
use crate::commit::Outdated;
use crate::error::Result;

/// Rows per transaction: small enough that a push never waits long.
const BATCH: i64 = 200;

/// How old an object must be to be taken for an orphan, if no row knows it.
pub(crate) const ORPHAN_AGE: Duration = Duration::from_secs(48 * 3600);

/// What one run of the collector did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Collected {
    /// Uploads that were given up and ended.
    pub uploads: usize,
    /// Versions purged because their time in the bin was over.
    pub versions: usize,
    /// Packages purged, deleted ones and those that never saw a manifest.
    pub packages: usize,
    /// Links removed.
    pub links: usize,
    /// Blobs whose key went to the trash.
    pub condemned: usize,
    /// Objects that no row knew and that went to the trash.
    pub orphans: usize,
    /// Objects removed from the store.
    pub removed: usize,
    /// Objects that could not be removed and will be tried again.
    pub failed: usize,
}

/// How thorough a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sweep {
    /// What the indexes name: costs as much as there is garbage.
    Quick,
    /// Also walks over all blob rows and all objects, for what a crash left.
    Full,
}

/// One run: what it did so far, who hears of it, and the clock that it goes by. A run may take
/// hours, and what is due is asked anew for each batch, so the clock is looked at before each.
struct Run<'a> {
    done: Collected,
    progress: &'a (dyn Fn(&Collected) + Send + Sync),
    clock: ClockWatch,
}

impl Run<'_> {
    fn tell(&self) {
        (self.progress)(&self.done);
    }
}

impl Registry {
    /// Runs the collector once. `progress` hears of each step.
    ///
    /// # Errors
    /// [`Error::Conflict`](crate::Error::Conflict) when the clock jumps meanwhile; those of the
    /// database and the blob store. What was done before stays done.
    pub async fn collect_garbage(
        &self,
        sweep: Sweep,
        progress: &(dyn Fn(&Collected) + Send + Sync),
    ) -> Result<Collected> {
        let mut run = Run {
            done: Collected::default(),
            progress,
            clock: ClockWatch::start(self.clock.now()),
        };
        self.end_uploads(&mut run).await?;
        self.purge_bin(&mut run).await?;
        self.purge_repositories(&run).await?;
        self.unlink(&mut run).await?;
        if sweep == Sweep::Full {
            self.sweep_blobs(&mut run).await?;
            self.sweep_objects(&mut run).await?;
        }
        self.empty_trash(&mut run).await?;
        Ok(run.done)
    }

    /// Ends uploads that were given up.
    async fn end_uploads(&self, run: &mut Run<'_>) -> Result<()> {
        loop {
            self.trusted_now(&run.clock).await?;
            let ended = self.expire_uploads(BATCH).await?;
            run.done.uploads += ended;
            run.tell();
            if ended == 0 {
                return Ok(());
            }
        }
    }

    /// Purges versions and packages whose time in the bin is over.
    async fn purge_bin(&self, run: &mut Run<'_>) -> Result<()> {
        let before = self.trusted_now(&run.clock).await?;
        let before = before.minus(self.settings.bin_time());
        let mut tx = self.db.write().await?;
        packages::bin_overdue(&mut tx, before, BATCH).await?;
        tx.commit().await?;
        loop {
            self.trusted_now(&run.clock).await?;
            let mut conn = self.db.read().await?;
            let found = versions::packages_to_purge(&mut conn, before, BATCH).await?;
            drop(conn);
            let mut purged = 0;
            for package in found {
                purged += self.purge_bin_of(package, before).await?;
            }
            run.done.versions += purged;
            run.tell();
            if purged == 0 {
                break;
            }
        }
        let mut tx = self.db.write().await?;
        let purged = packages::purge_empty(&mut tx, before, BATCH).await?;
        let outdated = Outdated::default().and_access(purged > 0);
        self.commit(tx, outdated).await?;
        run.done.packages += purged;
        Ok(())
    }

    /// Purges a batch of one package, while nobody else writes its manifests. Returns how many.
    async fn purge_bin_of(&self, package: PackageId, before: Moment) -> Result<usize> {
        let lease = self.clock.now().plus(self.settings.leases().lease);
        let mut tx = self.db.write().await?;
        packages::lock(&mut tx, package).await?;
        let found = versions::purge_candidates_of(&mut tx, package, before, BATCH).await?;
        for version in &found {
            versions::purge(&mut tx, package, *version, lease).await?;
        }
        tx.commit().await?;
        Ok(found.len())
    }

    /// Removes attestations and records of artifacts with repositories that can no longer be
    /// restored.
    async fn purge_repositories(&self, run: &Run<'_>) -> Result<()> {
        loop {
            self.trusted_now(&run.clock).await?;
            let before = self.end_of_bin_time();
            let mut conn = self.db.read().await?;
            let found = gone::repositories(&mut conn, before, BATCH).await?;
            drop(conn);
            if found.is_empty() {
                return Ok(());
            }
            for repository in found {
                self.forget_repository(repository).await?;
            }
        }
    }

    async fn forget_repository(&self, repository: RepositoryId) -> Result<()> {
        loop {
            let mut tx = self.db.write().await?;
            let is_all = gone::forget(&mut tx, repository, BATCH).await?;
            tx.commit().await?;
            if is_all {
                return Ok(());
            }
        }
    }

    /// Removes loose links, and condemns the blobs that lost their last one.
    async fn unlink(&self, run: &mut Run<'_>) -> Result<()> {
        loop {
            let now = self.trusted_now(&run.clock).await?;
            let mut tx = self.db.write().await?;
            let loose = collector::unlink(&mut tx, now, BATCH).await?;
            tx.commit().await?;
            if loose.is_empty() {
                break;
            }
            run.done.links += loose.len();
            let digests: Vec<&str> = loose.iter().map(Digest::as_str).collect();
            let after = now.plus(self.settings.trash_delay());
            let mut tx = self.db.write().await?;
            run.done.condemned += collector::condemn(&mut tx, &digests, after).await?;
            tx.commit().await?;
            run.tell();
        }
        loop {
            let now = self.trusted_now(&run.clock).await?;
            let mut tx = self.db.write().await?;
            let parked = collector::park_held(&mut tx, now, BATCH).await?;
            tx.commit().await?;
            if parked == 0 {
                return Ok(());
            }
        }
    }

    /// Condemns blobs without links, wherever they come from.
    async fn sweep_blobs(&self, run: &mut Run<'_>) -> Result<()> {
        let mut after = String::new();
        loop {
            let mut conn = self.db.read().await?;
            let loose = collector::loose_blobs(&mut conn, &after, BATCH).await?;
            drop(conn);
            let Some(last) = loose.last() else {
                return Ok(());
            };
            after = last.as_str().to_owned();
            let digests: Vec<&str> = loose.iter().map(Digest::as_str).collect();
            let now = self.trusted_now(&run.clock).await?;
            let delete_after = now.plus(self.settings.trash_delay());
            let mut tx = self.db.write().await?;
            run.done.condemned += collector::condemn(&mut tx, &digests, delete_after).await?;
            tx.commit().await?;
            run.tell();
        }
    }

    /// Puts objects that no row knows into the trash, never straight into the void: a row may be
    /// about to be written.
    async fn sweep_objects(&self, run: &mut Run<'_>) -> Result<()> {
        use futures_util::TryStreamExt;

        let now = self.trusted_now(&run.clock).await?;
        let before = now.minus(ORPHAN_AGE).as_micros() / 1000;
        let mut objects = self.blobs.list(u64::try_from(before).unwrap_or(0));
        while let Some(object) = objects.try_next().await? {
            self.trusted_now(&run.clock).await?;
            if self.discard_unknown(&object.key).await? {
                run.done.orphans += 1;
                run.tell();
            }
        }
        Ok(())
    }

    async fn discard_unknown(&self, key: &StorageKey) -> Result<bool> {
        let key = key.to_string();
        let mut conn = self.db.read().await?;
        if links::key_known(&mut conn, &key).await? {
            return Ok(false);
        }
        drop(conn);
        let mut tx = self.db.write().await?;
        if links::key_known(&mut tx, &key).await? {
            return Ok(false);
        }
        let after = self.clock.now().plus(self.settings.trash_delay());
        collector::discard(&mut tx, &key, None, TrashReason::Orphan, after).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Removes objects whose time in the trash is over.
    async fn empty_trash(&self, run: &mut Run<'_>) -> Result<()> {
        loop {
            let now = self.trusted_now(&run.clock).await?;
            let mut conn = self.db.read().await?;
            let due = collector::due(&mut conn, now, BATCH).await?;
            drop(conn);
            if due.is_empty() {
                return Ok(());
            }
            let mut removed = Vec::with_capacity(due.len());
            for row in &due {
                match self.remove_object(row).await {
                    Ok(()) => removed.push(row.storage_key.as_str()),
                    Err(error) => {
                        self.put_off(row, &error.to_string()).await?;
                        run.done.failed += 1;
                    }
                }
            }
            let mut tx = self.db.write().await?;
            for key in &removed {
                collector::forget(&mut tx, key).await?;
            }
            tx.commit().await?;
            run.done.removed += removed.len();
            run.tell();
        }
    }

    async fn remove_object(&self, row: &TrashRow) -> Result<()> {
        let digest = row.digest.as_deref().unwrap_or("none");
        let Ok(key) = row.storage_key.parse::<StorageKey>() else {
            tracing::error!(
                key = row.storage_key,
                "a key in the trash cannot be read; forgotten"
            );
            return Ok(());
        };
        self.blobs.delete(&key).await?;
        tracing::info!(%key, digest, "object removed");
        Ok(())
    }

    async fn put_off(&self, row: &TrashRow, error: &str) -> Result<()> {
        tracing::warn!(
            key = row.storage_key,
            error,
            "an object could not be removed"
        );
        let shift = u32::try_from(row.attempts.clamp(0, 6)).unwrap_or(6);
        let later = self
            .clock
            .now()
            .plus(Duration::from_secs(600) * 2_u32.pow(shift));
        let mut tx = self.db.write().await?;
        collector::retry_at(&mut tx, &row.storage_key, later).await?;
        tx.commit().await?;
        Ok(())
    }
}
