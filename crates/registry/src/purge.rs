//! Purging: what is in the bin goes at once instead of after its 30 days, to free space.
//!
//! It cannot be undone. Bytes follow through the collector, in its order and after its delays;
//! only when told to [`PurgeOptions::at_once`] are the delays left out.

use std::time::Duration;

use naru_metadata::{Conn, collector, packages, versions};
use naru_model::{EventKind, Moment, PackageId, PackagePath, VersionId};
use naru_oci::Digest;

use crate::error::{Error, Result};
use crate::garbage_collection::{Collected, Sweep};
use crate::versions::{VersionRef, find, unknown};
use crate::{Caller, Registry, account_access, accounts, events};

/// Rows per transaction.
const BATCH: i64 = 200;

/// What is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PurgeTarget {
    /// Everything in the bin.
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

impl Registry {
    /// Purges, then runs the collector once.
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
        if options.at_once {
            done.collected.condemned = self.condemn_at_once().await?;
        }
        let before = done;
        let collected = self
            .collect_garbage(Sweep::Quick, &|collected| {
                progress(&Purged {
                    collected: *collected,
                    ..before
                });
            })
            .await?;
        let condemned = before.collected.condemned + collected.condemned;
        Ok(Purged {
            collected: Collected {
                condemned,
                ..collected
            },
            ..before
        })
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
        tx.commit().await?;
        loop {
            let mut tx = self.db.write().await?;
            let before = just_after(self.clock.now());
            let binned = packages::bin_overdue(&mut tx, before, BATCH).await?;
            let found = versions::purge_candidates(&mut tx, before, BATCH).await?;
            self.purge_versions(&mut tx, caller, &found, options)
                .await?;
            tx.commit().await?;
            done.versions += found.len();
            progress(done);
            if binned == 0 && found.is_empty() {
                return Ok(());
            }
        }
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
        packages::bin_versions_of_deleted(&mut tx, package, self.clock.now()).await?;
        packages::end_bin_time(&mut tx, Some(package), self.end_of_bin_time()).await?;
        tx.commit().await?;
        loop {
            let mut tx = self.db.write().await?;
            let found = versions::purgeable_of(&mut tx, package, BATCH).await?;
            let found: Vec<_> = found
                .into_iter()
                .map(|version| (package, version))
                .collect();
            self.purge_versions(&mut tx, caller, &found, options)
                .await?;
            tx.commit().await?;
            done.versions += found.len();
            progress(done);
            if found.is_empty() {
                break;
            }
        }
        let mut conn = self.db.read().await?;
        done.kept += versions::deleted_page(&mut conn, package, BATCH, 0)
            .await?
            .len();
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
        for package in self.packages_named(path).await? {
            let mut tx = self.db.write().await?;
            let found = find(&mut tx, package, version).await?;
            let Some(found) = found.filter(|found| found.deleted_at.is_some()) else {
                continue;
            };
            if let Some(by) = versions::holder(&mut tx, package, &found.digest).await? {
                return Err(Error::StillNeeded {
                    digest: found.digest,
                    by,
                });
            }
            self.purge_versions(&mut tx, caller, &[(package, found.id)], options)
                .await?;
            tx.commit().await?;
            done.versions += 1;
            return Ok(());
        }
        Err(unknown(version))
    }

    /// Purges versions that were found in the bin by the same transaction.
    async fn purge_versions(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        found: &[(PackageId, VersionId)],
        options: PurgeOptions,
    ) -> Result<()> {
        let now = self.clock.now();
        let lease = if options.at_once {
            now
        } else {
            now.plus(self.settings.leases().lease)
        };
        for (package, version) in found {
            versions::purge(conn, *package, *version, lease).await?;
            let mut event = caller.event(EventKind::VersionPurged, now);
            if let Some(found) = packages::find(conn, *package).await? {
                event = event.on_package(found.owner, *package);
            }
            events::record(conn, event.on_version(*version)).await?;
        }
        Ok(())
    }

    /// What was deleted before can no longer be restored, and its row goes when nothing holds it.
    fn end_of_bin_time(&self) -> Moment {
        self.clock
            .now()
            .minus(self.settings.bin_time() + Duration::from_secs(1))
    }

    /// Takes loose links and puts their bytes into the trash as if its delay were over. The moment
    /// that counts lies just ahead, so that leases which end now have ended.
    async fn condemn_at_once(&self) -> Result<usize> {
        let mut condemned = 0;
        loop {
            let now = just_after(self.clock.now());
            let mut tx = self.db.write().await?;
            let loose = collector::unlink(&mut tx, now, BATCH).await?;
            tx.commit().await?;
            if loose.is_empty() {
                return Ok(condemned);
            }
            let digests: Vec<&str> = loose.iter().map(Digest::as_str).collect();
            let mut tx = self.db.write().await?;
            condemned += collector::condemn(&mut tx, &digests, Moment::from_micros(0)).await?;
            tx.commit().await?;
        }
    }
}

fn just_after(now: Moment) -> Moment {
    now.plus(Duration::from_micros(1))
}
