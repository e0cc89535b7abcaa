//! Many versions at once, by their numbers or by a filter: planned and done in batches, each in a
//! transaction of its own.

use std::collections::HashSet;
use std::time::Duration;

use naru_metadata::versions::{self, Node, Slice, Version, Which};
use naru_metadata::{Conn, Tx};
use naru_model::{
    Moment, PackageId, PackagePath, PackagePermission, TagPattern, TagPatterns, VersionId,
};

use super::delete::DeleteOptions;
use super::plan::Deletion;
use super::restore::Restoration;
use super::{tags_of, with_tags};
use crate::access::{Authorized, lock};
use crate::commit::Outdated;
use crate::error::{Error, Result};
use crate::{Caller, Registry};

/// How many versions one request may concern.
pub const MOST: usize = 1000;

/// Versions per transaction: few enough that a push never waits long.
const BATCH: usize = 100;

/// Rows per page when a filter looks for what it takes.
const PAGE: i64 = 500;

/// Which versions are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Those with these numbers, at most [`MOST`].
    Ids(Vec<VersionId>),
    /// Those that a filter takes, newest first, at most [`MOST`].
    Filter(VersionFilter),
}

/// Which versions a filter takes: those that it has nothing against.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionFilter {
    /// Only those pushed longer ago than this.
    pub older_than: Option<Duration>,
    /// Only those that have a tag, or only those that have none.
    pub tagged: Option<bool>,
    /// Only those with tags, all of which match one of these; empty for any.
    pub tags: Vec<TagPattern>,
    /// None that has a tag which matches one of these.
    pub keep_tags: Vec<TagPattern>,
    /// Not the newest so many of those that are left.
    pub keep_newest: usize,
}

impl VersionFilter {
    fn is_old_enough(&self, pushed_at: Moment, now: Moment) -> bool {
        self.older_than.is_none_or(|age| pushed_at < now.minus(age))
    }
}

/// A filter that is ready to be asked.
struct Sieve<'f> {
    filter: &'f VersionFilter,
    tags: TagPatterns,
    keep_tags: TagPatterns,
}

impl<'f> Sieve<'f> {
    fn new(filter: &'f VersionFilter) -> Result<Self> {
        let ready = |patterns| {
            let ready = TagPatterns::new(patterns);
            ready.map_err(|error| Error::Internal(error.to_string()))
        };
        Ok(Self {
            filter,
            tags: ready(&filter.tags)?,
            keep_tags: ready(&filter.keep_tags)?,
        })
    }

    fn lets_through(&self, tags: &[String]) -> bool {
        let is_one_of = |patterns: &TagPatterns, tag: &String| patterns.is_about(tag);
        let tagged = self
            .filter
            .tagged
            .is_none_or(|tagged| tagged != tags.is_empty());
        let all = || !tags.is_empty() && tags.iter().all(|tag| is_one_of(&self.tags, tag));
        let kept = tags.iter().any(|tag| is_one_of(&self.keep_tags, tag));
        tagged && (self.filter.tags.is_empty() || all()) && !kept
    }
}

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
}

/// What was found of a selection.
struct Selected {
    found: Vec<VersionId>,
    more: bool,
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
        let planned = self
            .plan_batch(&mut conn, caller, &package, &selected.found, options)
            .await?;
        Ok(BulkDeletion {
            more: selected.more,
            ..planned
        })
    }

    /// Deletes many versions as [`Registry::delete_version`] does one. What cannot be deleted is
    /// told, and the others go.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the package;
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
        drop(conn);
        let mut done = BulkDeletion {
            more: selected.more,
            ..BulkDeletion::default()
        };
        // The oldest first, so that what is refused as the last tagged version is the newest.
        let oldest_first: Vec<VersionId> = selected.found.into_iter().rev().collect();
        for (number, batch) in oldest_first.chunks(BATCH).enumerate() {
            let part = Batch {
                ids: batch,
                selection,
            };
            match self.delete_batch(caller, &package, part, options).await {
                Ok(part) => done.add(part),
                Err(error) if number == 0 => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, %path, "a batch of deletes did not go through");
                    done.more = true;
                    break;
                }
            }
        }
        Ok(done)
    }

    async fn delete_batch(
        &self,
        caller: &Caller,
        package: &Authorized,
        batch: Batch<'_>,
        options: DeleteOptions,
    ) -> Result<BulkDeletion> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        lock(&mut tx, package).await?;
        let still = batch.still_meant(&mut tx, package.id(), now).await?;
        let planned = self
            .plan_batch(&mut tx, caller, package, &still, options)
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
        batch: &[VersionId],
        options: DeleteOptions,
    ) -> Result<BulkDeletion> {
        let mut named = versions::nodes(conn, package.id(), batch).await?;
        named.retain(Node::is_listed);
        let found: Vec<VersionId> = named.iter().map(|node| node.id).collect();
        let (deletion, _) = self.plan(conn, caller, package, named, options).await?;
        Ok(BulkDeletion {
            deletion,
            unknown: missing(batch, &found),
            more: false,
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
            ..done
        })
    }

    /// Restores many versions as [`Registry::restore_version`] does one.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the package;
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
            ..BulkRestoration::default()
        };
        for (number, batch) in selected.found.chunks(BATCH).enumerate() {
            match self.commit_restore(caller, &package, batch).await {
                Ok(part) => done.add(part),
                Err(error) if number == 0 => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, %path, "a batch of restores did not go through");
                    done.more = true;
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
        };
        Ok((done, tx))
    }
}

/// A part of a selection.
#[derive(Clone, Copy)]
struct Batch<'a> {
    ids: &'a [VersionId],
    selection: &'a Selection,
}

impl Batch<'_> {
    /// Those that the selection means even now, when nothing can change any more: a push may have
    /// given one a tag, or a new date, since they were selected.
    async fn still_meant(
        self,
        conn: &mut Conn,
        package: PackageId,
        now: Moment,
    ) -> Result<Vec<VersionId>> {
        let Selection::Filter(filter) = self.selection else {
            return Ok(self.ids.to_vec());
        };
        let sieve = Sieve::new(filter)?;
        let mut tags = tags_of(conn, self.ids).await?;
        let mut nodes = versions::nodes(conn, package, self.ids).await?;
        nodes.retain(|node| {
            let tags = tags.remove(&node.id).unwrap_or_default();
            filter.is_old_enough(node.created_at, now) && sieve.lets_through(&tags)
        });
        Ok(nodes.into_iter().map(|node| node.id).collect())
    }
}

impl BulkDeletion {
    /// What an earlier batch withdrew may go with a later one.
    fn add(&mut self, part: Self) {
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
    fn add(&mut self, part: Self) {
        self.restoration.versions.extend(part.restoration.versions);
        self.unknown.extend(part.unknown);
    }
}

fn missing(wanted: &[VersionId], found: &[VersionId]) -> Vec<VersionId> {
    let found: HashSet<&VersionId> = found.iter().collect();
    let wanted = wanted.iter();
    wanted.filter(|id| !found.contains(id)).copied().collect()
}

async fn select(
    conn: &mut Conn,
    package: PackageId,
    which: Which,
    selection: &Selection,
    now: Moment,
) -> Result<Selected> {
    match selection {
        Selection::Ids(ids) => {
            let mut seen = HashSet::new();
            let once = ids.iter().copied().filter(|id| seen.insert(*id));
            Ok(Selected {
                found: once.take(MOST).collect(),
                more: ids.len() > MOST,
            })
        }
        Selection::Filter(filter) => filtered(conn, package, which, filter, now).await,
    }
}

/// Walks over the versions of a package, newest first, until there are enough that the filter
/// takes.
async fn filtered(
    conn: &mut Conn,
    package: PackageId,
    which: Which,
    filter: &VersionFilter,
    now: Moment,
) -> Result<Selected> {
    let sieve = Sieve::new(filter)?;
    let mut to_keep = filter.keep_newest;
    let mut found = Vec::new();
    let mut slice = Slice {
        below: filter
            .older_than
            .map(|age| (now.minus(age), VersionId::new(0))),
        ..Slice::first(PAGE)
    };
    loop {
        let page: Vec<Version> = versions::slice(conn, package, which, slice).await?;
        let Some(last) = page.last() else {
            return Ok(Selected { found, more: false });
        };
        slice.below = Some((last.created_at, last.id));
        for listed in with_tags(conn, page).await? {
            if !sieve.lets_through(&listed.tags) {
                continue;
            }
            if to_keep > 0 {
                to_keep -= 1;
                continue;
            }
            if found.len() == MOST {
                return Ok(Selected { found, more: true });
            }
            found.push(listed.version.id);
        }
    }
}
