//! Many versions at once, by their numbers or by a filter: planned and done in batches, each in a
//! transaction of its own.

mod select;

use std::collections::HashSet;

use naru_metadata::versions::{self, Node, Which};
use naru_metadata::{Conn, Tx};
use naru_model::{PackagePath, PackagePermission, VersionId};

pub use self::select::{MOST, MOST_LOOKED_AT, Selection, Stop, VersionFilter};
use self::select::{Selected, select, still_meant};
use super::delete::DeleteOptions;
use super::plan::{Deletion, Fate, Named, Obstacle};
use super::reach;
use super::restore::Restoration;
use crate::access::{Authorized, lock};
use crate::commit::Outdated;
use crate::error::Result;
use crate::{Caller, Registry};

/// Versions per transaction: few enough that a push never waits long.
const BATCH: usize = 100;

/// What deleting many versions did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BulkDeletion {
    /// What became of which version, and why.
    pub deletion: Deletion,
    /// Numbers of which there is no listed version.
    pub unknown: Vec<VersionId>,
    /// Whether there is more to do: the filter takes more than one request may concern, or a batch
    /// did not go through.
    pub more: bool,
    /// Where a filter is to go on, if it has not looked at all versions.
    pub stop: Option<Stop>,
}

/// What restoring many versions did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BulkRestoration {
    /// What came back.
    pub restoration: Restoration,
    /// Numbers of which there is no version that can be restored.
    pub unknown: Vec<VersionId>,
    /// As in [`BulkDeletion`].
    pub more: bool,
    /// As in [`BulkDeletion`].
    pub stop: Option<Stop>,
}

impl Registry {
    /// What [`Registry::delete_versions`] would do, all at once. Nothing changes.
    ///
    /// # Errors
    /// Those of [`Registry::delete_versions`].
    pub async fn preview_delete_versions(
        &self,
        caller: &Caller,
        path: &PackagePath,
        selection: &Selection,
        options: DeleteOptions,
    ) -> Result<BulkDeletion> {
        let package = self
            .authorize(caller, path, PackagePermission::Delete)
            .await?;
        let mut conn = self.db.read().await?;
        let now = self.clock.now();
        let selected = select(&mut conn, package.id(), Which::Listed, selection, now).await?;
        let all = Batch::all(&selected.found);
        let planned = self
            .plan_batch(&mut conn, caller, &package, all, options)
            .await?;
        Ok(BulkDeletion {
            more: selected.more,
            stop: selected.stop,
            ..planned
        })
    }

    /// Deletes many versions as [`Registry::delete_version`] does one. What cannot be deleted is
    /// told, and the others go.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) unless the caller administers the package;
    /// otherwise only those of the first batch.
    pub async fn delete_versions(
        &self,
        caller: &Caller,
        path: &PackagePath,
        selection: &Selection,
        options: DeleteOptions,
    ) -> Result<BulkDeletion> {
        let package = self
            .authorize(caller, path, PackagePermission::Delete)
            .await?;
        let mut conn = self.db.read().await?;
        let now = self.clock.now();
        let selected = select(&mut conn, package.id(), Which::Listed, selection, now).await?;
        let mut done = BulkDeletion {
            more: selected.more,
            stop: selected.stop,
            ..BulkDeletion::default()
        };
        let plan = self.batches(&mut conn, caller, &package, &selected.found, options);
        let Batches {
            batches,
            last_tagged,
            unknown,
        } = plan.await?;
        drop(conn);
        done.unknown = unknown;
        for (number, ids) in batches.iter().enumerate() {
            let batch = Batch { ids, last_tagged };
            let part = self.delete_batch(caller, &package, batch, selection, options);
            match part.await {
                Ok(part) => done.add(part),
                Err(error) if number == 0 => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, %path, "a batch of deletes did not go through");
                    done.more = true;
                    // Going on behind it would leave out what did not go through.
                    done.stop = None;
                    break;
                }
            }
        }
        Ok(done)
    }

    /// Splits what is to be deleted so that all batches together do what one would: what hangs
    /// together goes together, and which tagged version is spared is settled before. The oldest
    /// come first.
    async fn batches(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        package: &Authorized,
        ids: &[VersionId],
        options: DeleteOptions,
    ) -> Result<Batches> {
        if ids.len() <= BATCH {
            return Ok(Batches {
                batches: ids.chunks(BATCH).map(<[VersionId]>::to_vec).collect(),
                last_tagged: None,
                unknown: Vec::new(),
            });
        }
        let planned = self.plan_batch(conn, caller, package, Batch::all(ids), options);
        let planned = planned.await?;
        let is_last = |fate: &Fate| matches!(fate, Fate::Refused(Obstacle::LastTagged));
        let mut versions = planned.deletion.versions.iter();
        let last_tagged = versions.find(|version| is_last(&version.fate));
        let mut nodes = versions::nodes(conn, package.id(), ids).await?;
        nodes.retain(Node::is_listed);
        nodes.reverse();
        let groups = reach::groups(conn, package.id(), &nodes, options.cascade).await?;
        Ok(Batches {
            batches: packed(groups),
            last_tagged: last_tagged.map(|version| version.id),
            unknown: planned.unknown,
        })
    }

    async fn delete_batch(
        &self,
        caller: &Caller,
        package: &Authorized,
        batch: Batch<'_>,
        selection: &Selection,
        options: DeleteOptions,
    ) -> Result<BulkDeletion> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        lock(&mut tx, package).await?;
        let still = still_meant(&mut tx, package.id(), selection, batch.ids, now).await?;
        let still = Batch {
            ids: &still,
            ..batch
        };
        let planned = self
            .plan_batch(&mut tx, caller, package, still, options)
            .await?;
        self.carry_out(&mut tx, caller, package, &planned.deletion, now)
            .await?;
        self.commit(tx, Outdated::manifests(package.id())).await?;
        Ok(planned)
    }

    async fn plan_batch(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        package: &Authorized,
        Batch { ids, last_tagged }: Batch<'_>,
        options: DeleteOptions,
    ) -> Result<BulkDeletion> {
        let mut listed = versions::nodes(conn, package.id(), ids).await?;
        listed.retain(Node::is_listed);
        let found: Vec<VersionId> = listed.iter().map(|node| node.id).collect();
        let named = Named {
            versions: listed,
            last_tagged,
        };
        let (deletion, _) = self.plan(conn, caller, package, named, options).await?;
        Ok(BulkDeletion {
            deletion,
            unknown: missing(ids, &found),
            more: false,
            stop: None,
        })
    }

    /// What [`Registry::restore_versions`] would do. Nothing changes: it is done in a transaction
    /// that is rolled back.
    ///
    /// # Errors
    /// Those of [`Registry::restore_versions`].
    pub async fn preview_restore_versions(
        &self,
        caller: &Caller,
        path: &PackagePath,
        selection: &Selection,
    ) -> Result<BulkRestoration> {
        let (package, selected) = self.select_removed(caller, path, selection).await?;
        self.measure_for_restore(&package).await?;
        let (done, _) = self
            .restore_batch(caller, &package, &selected.found)
            .await?;
        Ok(BulkRestoration {
            more: selected.more,
            stop: selected.stop,
            ..done
        })
    }

    /// Restores many versions as [`Registry::restore_version`] does one.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) unless the caller administers the package;
    /// otherwise only those of the first batch.
    pub async fn restore_versions(
        &self,
        caller: &Caller,
        path: &PackagePath,
        selection: &Selection,
    ) -> Result<BulkRestoration> {
        let (package, selected) = self.select_removed(caller, path, selection).await?;
        let is_limited = self.measure_for_restore(&package).await?;
        if is_limited && selected.found.len() > BATCH {
            // All of it fits, or nothing comes back; this is rolled back.
            let (_, tx) = self
                .restore_batch(caller, &package, &selected.found)
                .await?;
            drop(tx);
        }
        let mut done = BulkRestoration {
            more: selected.more,
            stop: selected.stop,
            ..BulkRestoration::default()
        };
        for (number, batch) in selected.found.chunks(BATCH).enumerate() {
            match self.commit_restore(caller, &package, batch).await {
                Ok(part) => done.add(part),
                Err(error) if number == 0 => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, %path, "a batch of restores did not go through");
                    done.more = true;
                    // Going on behind it would leave out what did not go through.
                    done.stop = None;
                    break;
                }
            }
        }
        // A version may have come back with another one of an earlier batch.
        let back: HashSet<VersionId> = done.restoration.versions.iter().map(|v| v.id).collect();
        done.unknown.retain(|id| !back.contains(id));
        Ok(done)
    }

    async fn select_removed(
        &self,
        caller: &Caller,
        path: &PackagePath,
        selection: &Selection,
    ) -> Result<(Authorized, Selected)> {
        let package = self
            .authorize(caller, path, PackagePermission::Restore)
            .await?;
        let mut conn = self.db.read().await?;
        let now = self.clock.now();
        let selected = select(&mut conn, package.id(), Which::Removed, selection, now).await?;
        Ok((package, selected))
    }

    async fn commit_restore(
        &self,
        caller: &Caller,
        package: &Authorized,
        batch: &[VersionId],
    ) -> Result<BulkRestoration> {
        let (done, tx) = self.restore_batch(caller, package, batch).await?;
        self.commit(tx, Outdated::manifests(package.id())).await?;
        Ok(done)
    }

    async fn restore_batch(
        &self,
        caller: &Caller,
        package: &Authorized,
        batch: &[VersionId],
    ) -> Result<(BulkRestoration, Tx)> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        lock(&mut tx, package).await?;
        let mut found = versions::nodes(&mut tx, package.id(), batch).await?;
        found.retain(|node| !node.is_listed() && !self.is_past_restoring(node.deleted_at, now));
        let found: Vec<VersionId> = found.into_iter().map(|node| node.id).collect();
        let done = BulkRestoration {
            unknown: missing(batch, &found),
            restoration: self
                .take_back(&mut tx, caller, package, &found, now)
                .await?,
            more: false,
            stop: None,
        };
        Ok((done, tx))
    }
}

/// A part of what is to be deleted.
#[derive(Clone, Copy)]
struct Batch<'a> {
    ids: &'a [VersionId],
    last_tagged: Option<VersionId>,
}

impl<'a> Batch<'a> {
    const fn all(ids: &'a [VersionId]) -> Self {
        Self {
            ids,
            last_tagged: None,
        }
    }
}

/// All that is to be deleted, in parts.
struct Batches {
    batches: Vec<Vec<VersionId>>,
    last_tagged: Option<VersionId>,
    /// Numbers of which there is no listed version.
    unknown: Vec<VersionId>,
}

/// Puts groups together as long as they make no more than a batch; a group that is larger stays
/// whole.
fn packed(groups: Vec<Vec<VersionId>>) -> Vec<Vec<VersionId>> {
    let mut batches: Vec<Vec<VersionId>> = Vec::new();
    for group in groups {
        match batches.last_mut() {
            Some(last) if last.len() + group.len() <= BATCH => last.extend(group),
            _ => batches.push(group),
        }
    }
    batches
}

impl BulkDeletion {
    /// Adds what was done next: what was withdrawn before may have gone since.
    pub fn add(&mut self, part: Self) {
        let mut later = part.deletion.versions;
        for version in &mut self.deletion.versions {
            if let Some(at) = later.iter().position(|later| later.id == version.id) {
                version.fate = later.swap_remove(at).fate;
            }
        }
        self.deletion.versions.extend(later);
        self.deletion.freed_bytes += part.deletion.freed_bytes;
        self.unknown.extend(part.unknown);
    }
}

impl BulkRestoration {
    /// Adds what was done next.
    pub fn add(&mut self, part: Self) {
        self.restoration.versions.extend(part.restoration.versions);
        self.unknown.extend(part.unknown);
    }
}

fn missing(wanted: &[VersionId], found: &[VersionId]) -> Vec<VersionId> {
    let found: HashSet<&VersionId> = found.iter().collect();
    let wanted = wanted.iter();
    wanted.filter(|id| !found.contains(id)).copied().collect()
}
