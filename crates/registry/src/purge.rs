//! Purging: what is in the bin goes at once instead of after its 30 days, to free space.
//!
//! It cannot be undone, so it can be previewed. Bytes follow through the collector, in its order
//! and after its delays; only when told to [`PurgeOptions::at_once`] are the delays left out.

use std::time::Duration;

use naru_metadata::{Conn, collector, gone, links, packages, versions};
use naru_model::{EventKind, Moment, PackageId, PackagePath, VersionId};
use naru_oci::Digest;

use crate::error::{Error, Result};
use crate::garbage_collection::{Collected, Sweep};
use crate::versions::{VersionRef, find, unknown};
use crate::{Caller, Registry, account_access, accounts, events};

/// Rows per transaction.
const BATCH: i64 = 200;

/// How many versions a preview looks at. It holds the one transaction that writes meanwhile, and
/// pushes wait for that.
const PREVIEWED: usize = 2000;

/// Before this moment every lease of a link that no version holds has ended; parked links, which
/// versions hold, lie at it.
const END_OF_TIME: Moment = Moment::from_micros(i64::MAX);

/// A lease that ended before any other.
const BEGINNING_OF_TIME: Moment = Moment::from_micros(0);

/// What is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PurgeTarget {
    /// Everything in the bin, with deleted repositories and organizations.
    Bin,
    /// The deleted versions of a package, and deleted packages of this name.
    Package(PackagePath),
    /// One deleted version.
    Version(PackagePath, VersionRef),
}

/// How it is to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PurgeOptions {
    /// Also leave out what protects pushes under way and older backups of the database: bytes are
    /// removed now. A push that was told a moment ago that such a blob exists is then refused and
    /// uploads it again; a database backup from before finds objects missing.
    ///
    /// Of [`PurgeTarget::Bin`] it ends every lease and every delay of the trash, also those that
    /// earlier purges and deletions left: nothing that no manifest needs stays. A push that has
    /// uploaded layers and not yet its manifest is then refused, and has to be repeated.
    pub at_once: bool,
}

/// What went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Purged {
    /// Versions that cannot be restored any more.
    pub versions: usize,
    /// Deleted versions that stayed, because an index that is not purged needs them.
    pub kept: usize,
    /// What the collector did afterwards.
    pub collected: Collected,
}

/// What would go if it were purged now.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct PurgePreview {
    /// Versions that could not be restored any more.
    pub versions: Vec<DoomedVersion>,
    /// Deleted versions that would stay, because an index that is not purged needs them.
    pub kept: usize,
    /// Blobs that nothing else needs.
    pub blobs: usize,
    /// The length of these blobs in bytes.
    pub bytes: u64,
    /// Objects in the trash that would go before their time.
    pub trash: usize,
    /// Whether there is more than a preview looks at; then the figures are the least that goes.
    pub has_more: bool,
}

/// A version that would go.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct DoomedVersion {
    /// Its package, as `owner/name`.
    pub package: String,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The type that it was pushed with.
    pub media_type: String,
}

impl Registry {
    /// What [`Registry::purge`] would do. Nothing changes: it is done in a transaction that is
    /// rolled back.
    ///
    /// # Errors
    /// Those of [`Registry::purge`].
    pub async fn preview_purge(
        &self,
        caller: &Caller,
        target: &PurgeTarget,
        options: PurgeOptions,
    ) -> Result<PurgePreview> {
        let named = match target {
            PurgeTarget::Bin => Vec::new(),
            PurgeTarget::Package(path) | PurgeTarget::Version(path, _) => {
                self.packages_named(path).await?
            }
        };
        let mut tx = self.db.write().await?;
        account_access::instance(&mut tx, caller).await?;
        let mut preview = PurgePreview::default();
        match target {
            PurgeTarget::Bin => self.preview_bin(&mut tx, &mut preview).await?,
            PurgeTarget::Package(_) => {
                for package in named {
                    self.preview_package(&mut tx, package, &mut preview).await?;
                }
            }
            PurgeTarget::Version(_, version) => {
                let (package, found) = in_bin(&mut tx, &named, version).await?;
                doom(&mut tx, &[(package, found)], &mut preview).await?;
            }
        }
        let everything = options.at_once && *target == PurgeTarget::Bin;
        if everything {
            preview.trash = usize::try_from(collector::trash_size(&mut tx).await?).unwrap_or(0);
        }
        let ended = if everything {
            END_OF_TIME
        } else {
            just_after(BEGINNING_OF_TIME)
        };
        count_loose(&mut tx, ended, &mut preview).await?;
        Ok(preview)
    }

    async fn preview_bin(&self, conn: &mut Conn, preview: &mut PurgePreview) -> Result<()> {
        packages::end_bin_time(conn, None, self.end_of_bin_time()).await?;
        let before = just_after(self.clock.now());
        loop {
            let binned = packages::bin_overdue(conn, before, BATCH).await?;
            let found = versions::purge_candidates(conn, before, BATCH).await?;
            doom(conn, &found, preview).await?;
            if (binned == 0 && found.is_empty()) || preview.has_more {
                return Ok(());
            }
        }
    }

    async fn preview_package(
        &self,
        conn: &mut Conn,
        package: PackageId,
        preview: &mut PurgePreview,
    ) -> Result<()> {
        packages::bin_versions_of_deleted(conn, package, self.clock.now()).await?;
        loop {
            let found = versions::purgeable_of(conn, package, BATCH).await?;
            let found: Vec<_> = found
                .into_iter()
                .map(|version| (package, version))
                .collect();
            doom(conn, &found, preview).await?;
            if found.is_empty() || preview.has_more {
                break;
            }
        }
        if !preview.has_more {
            let kept = versions::binned(conn, package, BATCH).await?;
            preview.kept += usize::try_from(kept).unwrap_or(0);
        }
        Ok(())
    }

    /// Purges, then runs the collector.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the instance; [`Error::AccountUnknown`],
    /// [`Error::NotFound`], [`Error::ManifestUnknown`] for what is not in the bin.
    pub async fn purge(
        &self,
        caller: &Caller,
        target: &PurgeTarget,
        options: PurgeOptions,
        progress: &(dyn Fn(&Purged) + Send + Sync),
    ) -> Result<Purged> {
        let mut conn = self.db.read().await?;
        account_access::instance(&mut conn, caller).await?;
        drop(conn);
        let mut done = Purged::default();
        match target {
            PurgeTarget::Bin => {
                self.purge_everything(caller, options, &mut done, progress)
                    .await?
            }
            PurgeTarget::Package(path) => {
                for package in self.packages_named(path).await? {
                    self.purge_package(caller, package, options, &mut done, progress)
                        .await?;
                }
            }
            PurgeTarget::Version(path, version) => {
                self.purge_one(caller, path, version, options, &mut done)
                    .await?;
            }
        }
        let everything = options.at_once && *target == PurgeTarget::Bin;
        if options.at_once {
            let until = everything.then_some(END_OF_TIME);
            done.collected.condemned = self.condemn_at_once(until).await?;
        }
        loop {
            if everything {
                self.end_delays_of_trash().await?;
            }
            let before = done;
            let collected = self
                .collect_garbage(Sweep::Quick, &|collected| {
                    progress(&before.and(*collected));
                })
                .await?;
            done = before.and(collected);
            if !everything || collected.removed == 0 {
                return Ok(done);
            }
        }
    }

    /// The live package of this name, whose bin is meant, and deleted ones.
    async fn packages_named(&self, path: &PackagePath) -> Result<Vec<PackageId>> {
        let mut conn = self.db.read().await?;
        let owner = accounts::find(&mut conn, &path.owner).await?.id();
        let found = packages::ids_of_name(&mut conn, owner, path.package_type, &path.name).await?;
        if found.is_empty() {
            return Err(Error::NotFound {
                what: "package",
                name: path.to_string(),
            });
        }
        Ok(found)
    }

    async fn purge_everything(
        &self,
        caller: &Caller,
        options: PurgeOptions,
        done: &mut Purged,
        progress: &(dyn Fn(&Purged) + Send + Sync),
    ) -> Result<()> {
        let mut tx = self.db.write().await?;
        packages::end_bin_time(&mut tx, None, self.end_of_bin_time()).await?;
        // Just before it, so that it is over; what was said there goes with the collector.
        let ended = self.end_of_bin_time().minus(Duration::from_micros(1));
        gone::end_bin_time(&mut tx, ended).await?;
        tx.commit().await?;
        loop {
            let before = just_after(self.clock.now());
            let mut tx = self.db.write().await?;
            let binned = packages::bin_overdue(&mut tx, before, BATCH).await?;
            tx.commit().await?;
            let mut conn = self.db.read().await?;
            let found = versions::packages_to_purge(&mut conn, before, BATCH).await?;
            drop(conn);
            let mut purged = 0;
            for package in found {
                let before = Some(before);
                purged += self.purge_batch(caller, package, before, options).await?;
            }
            done.versions += purged;
            progress(done);
            if binned == 0 && purged == 0 {
                return Ok(());
            }
        }
    }

    /// Purges a batch of one package: of what was deleted before a moment, or of all its bin.
    /// Returns how many.
    async fn purge_batch(
        &self,
        caller: &Caller,
        package: PackageId,
        deleted_before: Option<Moment>,
        options: PurgeOptions,
    ) -> Result<usize> {
        let mut tx = self.db.write().await?;
        packages::lock(&mut tx, package).await?;
        let found = match deleted_before {
            Some(before) => versions::purge_candidates_of(&mut tx, package, before, BATCH).await?,
            None => versions::purgeable_of(&mut tx, package, BATCH).await?,
        };
        self.purge_versions(&mut tx, caller, package, &found, options)
            .await?;
        tx.commit().await?;
        Ok(found.len())
    }

    async fn purge_package(
        &self,
        caller: &Caller,
        package: PackageId,
        options: PurgeOptions,
        done: &mut Purged,
        progress: &(dyn Fn(&Purged) + Send + Sync),
    ) -> Result<()> {
        let mut tx = self.db.write().await?;
        // A restore comes before all of it, or finds it gone.
        packages::lock(&mut tx, package).await?;
        packages::bin_versions_of_deleted(&mut tx, package, self.clock.now()).await?;
        packages::end_bin_time(&mut tx, Some(package), self.end_of_bin_time()).await?;
        tx.commit().await?;
        loop {
            let purged = self.purge_batch(caller, package, None, options).await?;
            done.versions += purged;
            progress(done);
            if purged == 0 {
                break;
            }
        }
        let mut conn = self.db.read().await?;
        let kept = versions::binned(&mut conn, package, BATCH).await?;
        done.kept += usize::try_from(kept).unwrap_or(0);
        Ok(())
    }

    async fn purge_one(
        &self,
        caller: &Caller,
        path: &PackagePath,
        version: &VersionRef,
        options: PurgeOptions,
        done: &mut Purged,
    ) -> Result<()> {
        let named = self.packages_named(path).await?;
        let mut tx = self.db.write().await?;
        for package in &named {
            packages::lock(&mut tx, *package).await?;
        }
        let (package, found) = in_bin(&mut tx, &named, version).await?;
        self.purge_versions(&mut tx, caller, package, &[found], options)
            .await?;
        tx.commit().await?;
        done.versions += 1;
        Ok(())
    }

    /// Purges versions that were found in the bin by the same transaction, which has locked their
    /// package first, as pushes do: two that lock in the same order never wait for one another.
    async fn purge_versions(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        package: PackageId,
        found: &[VersionId],
        options: PurgeOptions,
    ) -> Result<()> {
        let now = self.clock.now();
        let lease = if options.at_once {
            now
        } else {
            now.plus(self.settings.leases().lease)
        };
        for version in found {
            versions::purge(conn, package, *version, lease).await?;
            let mut event = caller.event(EventKind::VersionPurged, now);
            if let Some(found) = packages::find(conn, package).await? {
                event = event.on_package(found.owner, package);
            }
            events::record(conn, event.on_version(*version)).await?;
        }
        Ok(())
    }

    /// What was deleted before can no longer be restored, and its row goes when nothing holds it.
    pub(crate) fn end_of_bin_time(&self) -> Moment {
        self.clock
            .now()
            .minus(self.settings.bin_time() + Duration::from_secs(1))
    }

    /// Takes loose links and puts their bytes into the trash as if its delay were over. The moment
    /// that counts lies just ahead, so that leases which end now have ended; or it is `until`.
    async fn condemn_at_once(&self, until: Option<Moment>) -> Result<usize> {
        let mut condemned = 0;
        loop {
            let now = until.unwrap_or_else(|| just_after(self.clock.now()));
            let mut tx = self.db.write().await?;
            let loose = collector::unlink(&mut tx, now, BATCH).await?;
            tx.commit().await?;
            if loose.is_empty() {
                return Ok(condemned);
            }
            let digests: Vec<&str> = loose.iter().map(Digest::as_str).collect();
            let mut tx = self.db.write().await?;
            condemned += collector::condemn(&mut tx, &digests, BEGINNING_OF_TIME).await?;
            tx.commit().await?;
        }
    }

    /// Ends the delay of what has waited longest in the trash, a batch of it.
    async fn end_delays_of_trash(&self) -> Result<()> {
        let mut tx = self.db.write().await?;
        for row in collector::due(&mut tx, END_OF_TIME, BATCH).await? {
            collector::retry_at(&mut tx, &row.storage_key, BEGINNING_OF_TIME).await?;
        }
        Ok(tx.commit().await?)
    }
}

impl Purged {
    /// With what one more run of the collector did.
    fn and(self, run: Collected) -> Self {
        let earlier = self.collected;
        let collected = Collected {
            uploads: earlier.uploads + run.uploads,
            versions: earlier.versions + run.versions,
            packages: earlier.packages + run.packages,
            links: earlier.links + run.links,
            condemned: earlier.condemned + run.condemned,
            orphans: earlier.orphans + run.orphans,
            removed: earlier.removed + run.removed,
            failed: earlier.failed + run.failed,
        };
        Self { collected, ..self }
    }
}

/// The deleted version that is meant, in one of the packages of that name.
async fn in_bin(
    conn: &mut Conn,
    named: &[PackageId],
    version: &VersionRef,
) -> Result<(PackageId, VersionId)> {
    for package in named {
        let found = find(conn, *package, version).await?;
        let Some(found) = found.filter(|found| found.deleted_at.is_some()) else {
            continue;
        };
        return match versions::holder(conn, *package, &found.digest).await? {
            None => Ok((*package, found.id)),
            Some(by) => Err(Error::StillNeeded {
                digest: found.digest,
                by,
            }),
        };
    }
    Err(unknown(version))
}

/// Notes versions that would go, and takes them out of the transaction of the preview.
async fn doom(
    conn: &mut Conn,
    found: &[(PackageId, VersionId)],
    preview: &mut PurgePreview,
) -> Result<()> {
    for (package, version) in found {
        if preview.versions.len() == PREVIEWED {
            preview.has_more = true;
            return Ok(());
        }
        let doomed = describe(conn, *package, *version).await?;
        preview.versions.extend(doomed);
        versions::purge(conn, *package, *version, BEGINNING_OF_TIME).await?;
    }
    Ok(())
}

async fn describe(
    conn: &mut Conn,
    package: PackageId,
    version: VersionId,
) -> Result<Option<DoomedVersion>> {
    let header = versions::header_by_id(conn, package, version).await?;
    let (Some(header), Some(package)) = (header, packages::find(conn, package).await?) else {
        return Ok(None);
    };
    let owner = naru_metadata::accounts::find_by_id(conn, package.owner).await?;
    let owner = owner.map(|owner| owner.login().to_string().to_ascii_lowercase());
    Ok(Some(DoomedVersion {
        package: format!("{}/{}", owner.unwrap_or_default(), package.name),
        digest: header.digest,
        media_type: header.media_type,
    }))
}

/// Counts the blobs that lose their last link, of those whose lease ended before `ended`.
async fn count_loose(conn: &mut Conn, ended: Moment, preview: &mut PurgePreview) -> Result<()> {
    loop {
        let loose = collector::unlink(conn, ended, BATCH).await?;
        if loose.is_empty() {
            return Ok(());
        }
        for digest in &loose {
            let Some(blob) = links::blob(conn, digest).await? else {
                continue;
            };
            if collector::condemn(conn, &[digest.as_str()], END_OF_TIME).await? > 0 {
                preview.blobs += 1;
                preview.bytes += blob.size;
            }
        }
    }
}

fn just_after(now: Moment) -> Moment {
    now.plus(Duration::from_micros(1))
}
