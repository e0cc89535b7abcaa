//! Taking versions back that somebody deleted, as long as they can be restored.

use std::collections::{HashMap, HashSet};

use naru_metadata::versions::{self, Edge, GapKind, Node, Version};
use naru_metadata::{Conn, tags};
use naru_model::{EventKind, Moment, PackageId, PackagePath, PackagePermission, VersionId};
use naru_oci::Digest;

use super::reach::{edges_by_lost_tag, within_bounds};
use super::{VersionRef, find, unknown};
use crate::access::{Authorized, lock};
use crate::commit::Outdated;
use crate::error::Result;
use crate::{Caller, Registry, events};

/// What a restore brought back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restoration {
    /// Every version that came back: those asked for, and what hangs together with them.
    pub versions: Vec<RestoredVersion>,
}

/// A version that came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoredVersion {
    /// Its number.
    pub id: VersionId,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The tags that it has again: those it lost whose names are free and that the caller may
    /// create.
    pub tags: Vec<String>,
    /// Whether it stands in the lists again; else it is served only, as it was before.
    pub listed: bool,
}

impl Restoration {
    /// Every tag that came back.
    #[must_use]
    pub fn tags(&self) -> Vec<String> {
        let tags = self.versions.iter().flat_map(|version| &version.tags);
        tags.cloned().collect()
    }
}

impl Registry {
    /// Takes a deleted or withdrawn version back into the lists and gives it the tags that it lost
    /// whose names are still free and which the caller may create. From the bin come with it, as they were: the children it needs,
    /// and the referrers that went with it or had been withdrawn before.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) unless the caller administers the package;
    /// [`Error::ManifestUnknown`](crate::Error::ManifestUnknown) for what nobody deleted, or cannot
    /// be restored any more; [`Error::QuotaExceeded`](crate::Error::QuotaExceeded) when what comes
    /// back does not fit.
    pub async fn restore_version(
        &self,
        caller: &Caller,
        path: &PackagePath,
        version: &VersionRef,
    ) -> Result<Restoration> {
        let package = self
            .authorize(caller, path, PackagePermission::Restore)
            .await?;
        self.measure_for_restore(&package).await?;
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        lock(&mut tx, &package).await?;
        let found = find(&mut tx, package.id(), version).await?;
        let found = found.filter(|found| self.can_be_restored(found, now));
        let found = found.ok_or_else(|| unknown(version))?;
        let restoration = self
            .take_back(&mut tx, caller, &package, &[found.id], now)
            .await?;
        self.commit(tx, Outdated::manifests(package.id())).await?;
        Ok(restoration)
    }

    fn can_be_restored(&self, version: &Version, now: Moment) -> bool {
        !version.is_listed() && !self.is_past_restoring(version.deleted_at, now)
    }

    /// Takes versions back that can be restored, with what hangs together with them; what was in
    /// the bin counts for the quota of the owner again.
    pub(super) async fn take_back(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        package: &Authorized,
        asked: &[VersionId],
        now: Moment,
    ) -> Result<Restoration> {
        let mut restoration = Restoration::default();
        let mut waiting = versions::nodes(conn, package.id(), asked).await?;
        let in_bin = waiting.iter().filter(|node| node.deleted_at.is_some());
        let mut from_bin: Vec<VersionId> = in_bin.map(|node| node.id).collect();
        for node in &waiting {
            let restored = self.relist(conn, caller, package, node, now).await?;
            restoration.versions.push(restored);
        }
        let mut steps = 0;
        while !waiting.is_empty() {
            within_bounds(steps, restoration.versions.len())?;
            steps += 1;
            let next = hanging_together(conn, package.id(), &waiting).await?;
            for node in &next {
                let restored = self.unbin(conn, caller, package, node, now).await?;
                restoration.versions.push(restored);
            }
            from_bin.extend(next.iter().map(|node| node.id));
            waiting = next;
        }
        self.charge_restored(conn, package, &from_bin, now).await?;
        Ok(restoration)
    }

    /// Takes a version out of the bin as it was when it went there.
    async fn unbin(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        package: &Authorized,
        node: &Node,
        now: Moment,
    ) -> Result<RestoredVersion> {
        if node.withdrawn_at.is_none() {
            return self.relist(conn, caller, package, node, now).await;
        }
        versions::restore_withdrawn(conn, package.id(), node.id).await?;
        versions::fill_gaps(conn, package.id(), GapKind::Manifest, &node.digest).await?;
        Ok(RestoredVersion {
            id: node.id,
            digest: node.digest.clone(),
            tags: Vec::new(),
            listed: false,
        })
    }

    /// Puts a version back into the lists, with its tags.
    async fn relist(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        package: &Authorized,
        node: &Node,
        now: Moment,
    ) -> Result<RestoredVersion> {
        let package_id = package.id();
        versions::restore(conn, package_id, node.id, now).await?;
        // A sparse index may have been pushed while it was away.
        versions::fill_gaps(conn, package_id, GapKind::Manifest, &node.digest).await?;
        let lost = match node.withdrawn_at.or(node.deleted_at) {
            Some(at) => tags::lost_with_version(conn, package_id, node.id, at).await?,
            None => Vec::new(),
        };
        let names = self
            .give_back_tags(conn, caller, package, node.id, lost, now)
            .await?;
        let event = events::on_package(EventKind::VersionRestored, caller, package, now)
            .on_version(node.id)
            .with("tags", names.join(" "));
        events::record(conn, event).await?;
        Ok(RestoredVersion {
            id: node.id,
            digest: node.digest.clone(),
            tags: names,
            listed: true,
        })
    }
}

/// What comes out of the bin with versions that just did: the children of an index, without which
/// it would be of no use, and referrers that went at the same moment or that only their subject
/// kept; also those by fallback tag.
async fn hanging_together(conn: &mut Conn, package: PackageId, back: &[Node]) -> Result<Vec<Node>> {
    let ids: Vec<VersionId> = back.iter().map(|node| node.id).collect();
    let went: HashMap<VersionId, Option<Moment>> =
        back.iter().map(|node| (node.id, node.deleted_at)).collect();
    let children = versions::children(conn, package, &ids).await?;
    let mut referrers = versions::referrers_of(conn, package, &ids).await?;
    referrers.extend(edges_by_lost_tag(conn, package, back).await?);
    referrers.retain(|Edge { from, to }| {
        let with_subject = went.get(from).is_some_and(|at| *at == to.deleted_at);
        with_subject || to.withdrawn_at.is_some()
    });
    let mut seen = HashSet::new();
    let edges = children.into_iter().chain(referrers);
    let in_bin = edges
        .map(|edge| edge.to)
        .filter(|to| to.deleted_at.is_some());
    Ok(in_bin.filter(|to| seen.insert(to.id)).collect())
}
