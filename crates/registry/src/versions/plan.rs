//! What a delete does and why, before it is done: by reading alone, so that a preview and the deed
//! cannot differ but by what happens in between.

use std::collections::{HashMap, HashSet};

use naru_metadata::versions::{self, Node};
use naru_metadata::{Conn, statistics, tags};
use naru_model::policy::TagRefusal;
use naru_model::{AccountId, Cascade, Moment, PackageId, TagAction, VersionId};
use naru_oci::Digest;

use super::reach::{self, Change, Follow, Reached, Step};
use super::tags_of;
use crate::access::Authorized;
use crate::access::tag_rules::TagBinding;
use crate::error::{Error, Result};

/// What a delete does, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deletion {
    /// Every version that it concerns: those asked for, then what goes along, then what nothing
    /// keeps any more.
    pub versions: Vec<PlannedVersion>,
    /// How many bytes of manifests and blobs nothing else of the owner needs: they are free when the
    /// time in the bin is over.
    pub freed_bytes: u64,
}

/// What becomes of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedVersion {
    /// Its number.
    pub id: VersionId,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The type it was pushed with.
    pub media_type: String,
    /// Its artifact type.
    pub artifact_type: Option<String>,
    /// When it was pushed.
    pub created_at: Moment,
    /// The tags that it has, and loses if it goes or is withdrawn.
    pub tags: Vec<String>,
    /// Why it is concerned.
    pub because: Because,
    /// What becomes of it.
    pub fate: Fate,
}

/// Why a delete concerns a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Because {
    /// It was asked for.
    Asked,
    /// It is a child of an index that goes.
    ChildOf(Digest),
    /// It refers to a version that goes.
    ReferrerOf(Digest),
    /// It was withdrawn earlier, and nothing keeps it any more.
    NothingKeepsIt,
    /// Its package goes.
    WithPackage,
}

/// What becomes of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes into the bin.
    Deleted,
    /// It leaves the lists and stays served.
    Withdrawn {
        /// What keeps it.
        by: Keeper,
    },
    /// It would have gone along, and stays as it is.
    Stays {
        /// What keeps it.
        by: Keeper,
    },
    /// It was to go, and stays as it is.
    Refused(Obstacle),
}

/// A listed version that reaches another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keeper {
    /// Its number.
    pub id: VersionId,
    /// The digest of its manifest.
    pub digest: Digest,
}

/// Why a version that was to go is not deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Something keeps it.
    Needed {
        /// What.
        by: Keeper,
    },
    /// No other version has a tag: it goes with the package only (contract D6).
    LastTagged,
    /// The caller may not remove one of its tags.
    TagProtected(TagRefusal),
    /// It is public and was downloaded too often (contract D6).
    WidelyDownloaded {
        /// How often it may have been.
        most: u64,
    },
}

impl Deletion {
    /// Those of these that were asked for.
    pub fn asked(&self) -> impl Iterator<Item = &PlannedVersion> {
        let versions = self.versions.iter();
        versions.filter(|version| version.because == Because::Asked)
    }

    /// The numbers of those that go into the bin.
    #[must_use]
    pub fn deleted(&self) -> Vec<VersionId> {
        self.with_fate(|fate| matches!(fate, Fate::Deleted))
    }

    /// The numbers of those that are withdrawn.
    #[must_use]
    pub fn withdrawn(&self) -> Vec<VersionId> {
        self.with_fate(|fate| matches!(fate, Fate::Withdrawn { .. }))
    }

    fn with_fate(&self, is_wanted: impl Fn(&Fate) -> bool) -> Vec<VersionId> {
        let versions = self.versions.iter();
        let wanted = versions.filter(|version| is_wanted(&version.fate));
        wanted.map(|version| version.id).collect()
    }
}

/// The versions that are to be deleted.
#[derive(Debug)]
pub(super) struct Named {
    /// Listed versions.
    pub(super) versions: Vec<Node>,
    /// The one that is spared because no other would have a tag, where that is settled already: by
    /// a plan of all batches.
    pub(super) last_tagged: Option<VersionId>,
}

/// What is to be deleted and how.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) named: Named,
    pub(super) cascade: Cascade,
    pub(super) refuse_needed: bool,
    /// What was downloaded more often is not deleted.
    pub(super) most_downloads: Option<u64>,
    /// What has a tag that the caller may not remove is not deleted.
    pub(super) tags: TagBinding,
}

/// What deleting does that was wished for.
pub(super) async fn plan(conn: &mut Conn, package: &Authorized, wish: Wish) -> Result<Deletion> {
    let package_id = package.id();
    let scope = scope(conn, package_id, &wish).await?;
    let change = Change {
        unlisted: scope.unlisted(),
        gone: HashSet::new(),
    };
    let keepers = keepers(conn, package_id, &change).await?;
    let going = scope.nodes().filter(|node| !keepers.contains_key(&node.id));
    let going: Vec<Node> = going.cloned().collect();
    let lost = lost(conn, package_id, &going, &change).await?;
    let mut versions = scope.judge(&keepers, wish.refuse_needed);
    versions.extend(lost);
    name_tags(conn, &mut versions).await?;
    summed(conn, package.owner(), versions).await
}

/// What deleting one version does, whatever keeps it; the bytes are not counted.
pub(super) async fn plan_erasing(
    conn: &mut Conn,
    package: PackageId,
    version: Node,
) -> Result<Deletion> {
    let change = Change {
        unlisted: HashSet::new(),
        gone: HashSet::from([version.id]),
    };
    let lost = lost(conn, package, std::slice::from_ref(&version), &change).await?;
    let mut versions = vec![planned(version, Because::Asked, Fate::Deleted)];
    versions.extend(lost);
    name_tags(conn, &mut versions).await?;
    Ok(Deletion {
        versions,
        freed_bytes: 0,
    })
}

/// The versions below those that go that were withdrawn earlier and that nothing keeps any more.
async fn lost(
    conn: &mut Conn,
    package: PackageId,
    going: &[Node],
    change: &Change,
) -> Result<Vec<PlannedVersion>> {
    let mut lost = reach::below(conn, package, going, Follow::KEPT, Node::is_withdrawn).await?;
    let candidates: Vec<VersionId> = lost.iter().map(|lost| lost.node.id).collect();
    let kept = reach::kept(conn, package, &candidates, change).await?;
    lost.retain(|lost| !kept.contains_key(&lost.node.id));
    let lost = lost.into_iter().map(|lost| lost.node);
    let gone = |node| planned(node, Because::NothingKeepsIt, Fate::Deleted);
    Ok(lost.map(gone).collect())
}

/// The versions that a delete may concern.
struct Scope {
    named: Vec<Node>,
    /// What stays as it is.
    spared: Vec<Spared>,
    /// Listed, and to go along.
    along: Vec<Reached>,
}

/// A version that was to go, why, and why it does not.
struct Spared(Node, Because, Obstacle);

/// Finds what may be concerned. What was downloaded too often or has a protected tag is spared; and
/// where no tag would be left in the package, the newest that has one.
async fn scope(conn: &mut Conn, package: PackageId, wish: &Wish) -> Result<Scope> {
    let mut named = wish.named.versions.clone();
    let mut along = along(conn, package, &named, wish.cascade).await?;
    let mut spared = Vec::new();
    for (id, obstacle) in obstacles(conn, wish, &ids(&named, &along)).await? {
        spared.extend(spare(id, obstacle, &mut named, &mut along));
    }
    if let Some(last) = wish.named.last_tagged {
        spared.extend(spare(last, Obstacle::LastTagged, &mut named, &mut along));
    }
    if let Some(last) = last_tagged(conn, package, &named, &along).await? {
        spared.extend(spare(last, Obstacle::LastTagged, &mut named, &mut along));
    }
    if !spared.is_empty() {
        // What went along only with what does not go.
        let out: HashSet<VersionId> = spared.iter().map(|Spared(node, ..)| node.id).collect();
        along = self::along(conn, package, &named, wish.cascade).await?;
        along.retain(|reached| !out.contains(&reached.node.id));
    }
    Ok(Scope {
        named,
        spared,
        along,
    })
}

/// Takes a version out of those that are to go, with why it was among them.
fn spare(
    id: VersionId,
    obstacle: Obstacle,
    named: &mut Vec<Node>,
    along: &mut Vec<Reached>,
) -> Option<Spared> {
    if let Some(at) = named.iter().position(|node| node.id == id) {
        return Some(Spared(named.remove(at), Because::Asked, obstacle));
    }
    let at = along.iter().position(|reached| reached.node.id == id)?;
    let reached = along.remove(at);
    let because = reached.because();
    Some(Spared(reached.node, because, obstacle))
}

/// What stands against deleting which of these versions, whatever else is deleted.
async fn obstacles(
    conn: &mut Conn,
    wish: &Wish,
    versions: &[VersionId],
) -> Result<Vec<(VersionId, Obstacle)>> {
    let mut found = Vec::new();
    if let Some(most) = wish.most_downloads {
        let obstacle = Obstacle::WidelyDownloaded { most };
        let too_often = statistics::downloaded_more(conn, versions, most).await?;
        found.extend(too_often.into_iter().map(|id| (id, obstacle.clone())));
    }
    for tag in tags::of_versions(conn, versions).await? {
        if let Err(Error::TagProtected(refusal)) = wish.tags.allow(TagAction::Delete, &tag.name) {
            found.push((tag.version, Obstacle::TagProtected(refusal)));
        }
    }
    Ok(found)
}

fn ids(named: &[Node], along: &[Reached]) -> Vec<VersionId> {
    let along = along.iter().map(|reached| reached.node.id);
    named.iter().map(|node| node.id).chain(along).collect()
}

/// The listed versions that are to go along.
async fn along(
    conn: &mut Conn,
    package: PackageId,
    named: &[Node],
    cascade: Cascade,
) -> Result<Vec<Reached>> {
    if cascade == Cascade::None {
        return Ok(Vec::new());
    }
    let follow = Follow {
        children: cascade.takes_children(),
        referrers: cascade.takes_referrers(),
        fallback_tags: cascade.takes_referrers(),
    };
    let is_served = |node: &Node| node.deleted_at.is_none();
    let mut reached = reach::below(conn, package, named, follow, is_served).await?;
    reached.retain(|reached| reached.node.is_listed());
    Ok(reached)
}

/// The newest tagged version among these, if no other version of the package has a tag.
async fn last_tagged(
    conn: &mut Conn,
    package: PackageId,
    named: &[Node],
    along: &[Reached],
) -> Result<Option<VersionId>> {
    let all = ids(named, along);
    let named = ids(named, &[]);
    if all.is_empty() || tags::any_of_other_versions(conn, package, &all).await? {
        return Ok(None);
    }
    match versions::newest(conn, package, &named).await? {
        Some(last) => Ok(Some(last)),
        None => Ok(versions::newest(conn, package, &all).await?),
    }
}

/// Which of the versions that are to go a listed one still reaches, each with one that does.
async fn keepers(
    conn: &mut Conn,
    package: PackageId,
    change: &Change,
) -> Result<HashMap<VersionId, Keeper>> {
    let candidates: Vec<VersionId> = change.unlisted.iter().copied().collect();
    let kept = reach::kept(conn, package, &candidates, change).await?;
    let roots: HashSet<VersionId> = kept.values().copied().collect();
    let roots: Vec<VersionId> = roots.into_iter().collect();
    if roots.is_empty() {
        return Ok(HashMap::new());
    }
    let roots = versions::nodes(conn, package, &roots).await?;
    let roots: HashMap<VersionId, Keeper> = roots
        .into_iter()
        .map(|Node { id, digest, .. }| (id, Keeper { id, digest }))
        .collect();
    let named = |(kept, root)| Some((kept, roots.get(&root)?.clone()));
    Ok(kept.into_iter().filter_map(named).collect())
}

impl Reached {
    fn because(&self) -> Because {
        match self.step {
            Step::ToChild => Because::ChildOf(self.from.clone()),
            Step::ToReferrer => Because::ReferrerOf(self.from.clone()),
        }
    }
}

impl Scope {
    /// All that are to go.
    fn nodes(&self) -> impl Iterator<Item = &Node> {
        let along = self.along.iter().map(|reached| &reached.node);
        self.named.iter().chain(along)
    }

    fn unlisted(&self) -> HashSet<VersionId> {
        ids(&self.named, &self.along).into_iter().collect()
    }

    fn judge(
        self,
        keepers: &HashMap<VersionId, Keeper>,
        refuse_needed: bool,
    ) -> Vec<PlannedVersion> {
        let keeper = |node: &Node| keepers.get(&node.id).cloned();
        let mut out = Vec::new();
        for node in self.named {
            let fate = match keeper(&node) {
                None => Fate::Deleted,
                Some(by) if refuse_needed => Fate::Refused(Obstacle::Needed { by }),
                Some(by) => Fate::Withdrawn { by },
            };
            out.push(planned(node, Because::Asked, fate));
        }
        for Spared(node, because, obstacle) in self.spared {
            out.push(planned(node, because, Fate::Refused(obstacle)));
        }
        for reached in self.along {
            let fate = match keeper(&reached.node) {
                None => Fate::Deleted,
                Some(by) => Fate::Stays { by },
            };
            let because = reached.because();
            out.push(planned(reached.node, because, fate));
        }
        out
    }
}

fn planned(node: Node, because: Because, fate: Fate) -> PlannedVersion {
    PlannedVersion {
        id: node.id,
        digest: node.digest,
        media_type: node.media_type,
        artifact_type: node.artifact_type,
        created_at: node.created_at,
        tags: Vec::new(),
        because,
        fate,
    }
}

async fn name_tags(conn: &mut Conn, versions: &mut [PlannedVersion]) -> Result<()> {
    let ids: Vec<VersionId> = versions.iter().map(|version| version.id).collect();
    let mut tags = tags_of(conn, &ids).await?;
    for version in versions {
        version.tags = tags.remove(&version.id).unwrap_or_default();
    }
    Ok(())
}

async fn summed(
    conn: &mut Conn,
    owner: AccountId,
    versions: Vec<PlannedVersion>,
) -> Result<Deletion> {
    let deletion = Deletion {
        versions,
        freed_bytes: 0,
    };
    let gone = deletion.deleted();
    if gone.is_empty() {
        return Ok(deletion);
    }
    Ok(Deletion {
        freed_bytes: versions::freed_bytes(conn, owner, &gone).await?,
        ..deletion
    })
}
