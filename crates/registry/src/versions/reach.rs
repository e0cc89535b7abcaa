//! What reaches what in a package: an index its children, a subject its referrers, and both what
//! lies behind them. A deleted version stays served while a listed one reaches it.
//!
//! Whoever is reached is found by walking up from it, so that a question costs as much as there is
//! above and below what it is about, and not as much as the package is large. Walks may come in a
//! circle: an index may have its own child as its subject.

use std::collections::{HashMap, HashSet};

use naru_metadata::versions::{self, Edge, Node};
use naru_metadata::{Conn, tags};
use naru_model::{Cascade, PackageId, VersionId};
use naru_oci::{Digest, FallbackTag};

use crate::error::{Error, Result};

/// What a walk downward follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Follow {
    pub(super) children: bool,
    pub(super) referrers: bool,
    /// Also what tags of the form `sha256-…` stand for (cosign, and clients without the referrers
    /// API).
    pub(super) fallback_tags: bool,
}

impl Follow {
    /// What keeps and what is kept: an index its children, a subject its referrers.
    pub(super) const KEPT: Self = Self {
        children: true,
        referrers: true,
        fallback_tags: false,
    };
}

/// How a walk came to a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    ToChild,
    ToReferrer,
}

/// A version that a walk came to.
#[derive(Clone, Debug)]
pub(super) struct Reached {
    pub(super) node: Node,
    pub(super) from: Digest,
    pub(super) step: Step,
}

/// How many steps a walk takes, and how many versions it comes to, at most: more than any image
/// needs, and no more than a transaction may hold a package for.
const MOST_STEPS: usize = 500;
const MOST_REACHED: usize = 50_000;

/// # Errors
/// [`Error::Conflict`] when a walk has gone too far.
pub(super) fn within_bounds(steps: usize, reached: usize) -> Result<()> {
    if steps <= MOST_STEPS && reached <= MOST_REACHED {
        return Ok(());
    }
    Err(Error::Conflict(format!(
        "more than {MOST_STEPS} versions in a row or {MOST_REACHED} in all hang together with this \
         one; delete some of those that refer to others first, by digest over /v2"
    )))
}

/// The versions below `from`, nearest first, as far as `is_wanted` says; what it refuses is not
/// walked through.
pub(super) async fn below(
    conn: &mut Conn,
    package: PackageId,
    from: &[Node],
    follow: Follow,
    is_wanted: impl Fn(&Node) -> bool,
) -> Result<Vec<Reached>> {
    let digest = |node: &Node| (node.id, node.digest.clone());
    let mut seen: HashMap<VersionId, Digest> = from.iter().map(digest).collect();
    let mut frontier: Vec<Node> = from.to_vec();
    let mut reached = Vec::new();
    let mut steps = 0;
    while !frontier.is_empty() {
        within_bounds(steps, reached.len())?;
        steps += 1;
        let mut next = Vec::new();
        for (step, edge) in edges_below(conn, package, &frontier, follow).await? {
            let Some(from) = seen.get(&edge.from).cloned() else {
                continue;
            };
            if is_wanted(&edge.to) && !seen.contains_key(&edge.to.id) {
                seen.extend([digest(&edge.to)]);
                next.push(edge.to.clone());
                reached.push(Reached {
                    node: edge.to,
                    from,
                    step,
                });
            }
        }
        frontier = next;
    }
    Ok(reached)
}

/// Splits versions into groups, so that what hangs together is in one: an index and its children, a
/// subject and its referrers, also through versions that are withdrawn or that a cascade takes
/// along. Whether one of a group is kept has nothing to do with the others. In the order of
/// `versions`, by the first of each group.
pub(super) async fn groups(
    conn: &mut Conn,
    package: PackageId,
    versions: &[Node],
    cascade: Cascade,
) -> Result<Vec<Vec<VersionId>>> {
    let follow = Follow {
        fallback_tags: cascade.takes_referrers(),
        ..Follow::KEPT
    };
    let goes_along = |node: &Node| cascade != Cascade::None && node.deleted_at.is_none();
    let mut groups = Groups::default();
    let named: HashSet<VersionId> = versions.iter().map(|node| node.id).collect();
    let mut seen = named.clone();
    let mut frontier = versions.to_vec();
    let mut steps = 0;
    while !frontier.is_empty() {
        within_bounds(steps, seen.len())?;
        steps += 1;
        let mut next = Vec::new();
        for (_, Edge { from, to }) in edges_below(conn, package, &frontier, follow).await? {
            if named.contains(&to.id) || to.is_withdrawn() || goes_along(&to) {
                groups.join(from, to.id);
                if seen.insert(to.id) {
                    next.push(to);
                }
            }
        }
        frontier = next;
    }
    let mut places = HashMap::new();
    let mut found: Vec<Vec<VersionId>> = Vec::new();
    for node in versions {
        let place = *places.entry(groups.head(node.id)).or_insert(found.len());
        match found.get_mut(place) {
            Some(group) => group.push(node.id),
            None => found.push(vec![node.id]),
        }
    }
    Ok(found)
}

/// Disjoint sets of versions, each known by one of them.
#[derive(Default)]
struct Groups(HashMap<VersionId, VersionId>);

impl Groups {
    fn head(&mut self, of: VersionId) -> VersionId {
        let mut head = of;
        while let Some(above) = self.0.get(&head).copied() {
            head = above;
        }
        // So that the next way up is short.
        let mut at = of;
        while let Some(above) = self.0.get_mut(&at) {
            at = std::mem::replace(above, head);
            if at == head {
                break;
            }
        }
        head
    }

    fn join(&mut self, one: VersionId, other: VersionId) {
        let (one, other) = (self.head(one), self.head(other));
        if one != other {
            self.0.insert(other, one);
        }
    }
}

async fn edges_below(
    conn: &mut Conn,
    package: PackageId,
    from: &[Node],
    follow: Follow,
) -> Result<Vec<(Step, Edge)>> {
    let ids: Vec<VersionId> = from.iter().map(|node| node.id).collect();
    let mut edges = Vec::new();
    if follow.children {
        let found = versions::children(conn, package, &ids).await?;
        edges.extend(found.into_iter().map(|edge| (Step::ToChild, edge)));
    }
    if follow.referrers {
        let found = versions::referrers_of(conn, package, &ids).await?;
        edges.extend(found.into_iter().map(|edge| (Step::ToReferrer, edge)));
    }
    if follow.fallback_tags {
        let found = edges_by_tag(conn, package, from).await?;
        edges.extend(found.into_iter().map(|edge| (Step::ToReferrer, edge)));
    }
    Ok(edges)
}

/// What cosign puts behind the digest in the tags of what it attaches.
const SUFFIXES: [&str; 4] = ["", ".sig", ".att", ".sbom"];

/// The tags that may attach something to these versions, each with its version.
fn fallback_tags(of: &[Node]) -> HashMap<String, VersionId> {
    let of_one = |node: &Node| {
        let (digest, id) = (node.digest.clone(), node.id);
        SUFFIXES.map(|suffix| (fallback_tag(&digest, suffix), id))
    };
    of.iter().flat_map(of_one).collect()
}

/// From versions to what fallback tags attached to them until they were deleted.
pub(super) async fn edges_by_lost_tag(
    conn: &mut Conn,
    package: PackageId,
    from: &[Node],
) -> Result<Vec<Edge>> {
    let subjects = fallback_tags(from);
    let names: Vec<&str> = subjects.keys().map(String::as_str).collect();
    let lost = tags::lost_among(conn, package, &names).await?;
    let ids: Vec<VersionId> = lost.iter().map(|tag| tag.version).collect();
    let nodes = versions::nodes(conn, package, &ids).await?;
    let nodes: HashMap<VersionId, Node> = nodes.into_iter().map(|node| (node.id, node)).collect();
    let edge = |tag: &tags::TagRow| {
        Some(Edge {
            from: *subjects.get(&tag.name)?,
            to: nodes.get(&tag.version)?.clone(),
        })
    };
    Ok(lost.iter().filter_map(edge).collect())
}

/// From versions to what fallback tags attach to them, and to the entries of such lists.
async fn edges_by_tag(conn: &mut Conn, package: PackageId, from: &[Node]) -> Result<Vec<Edge>> {
    let subjects = fallback_tags(from);
    let names: Vec<&str> = subjects.keys().map(String::as_str).collect();
    let tagged = tags::among(conn, package, &names).await?;
    let attached: HashMap<VersionId, VersionId> = tagged
        .iter()
        .filter_map(|tag| Some((tag.version, *subjects.get(&tag.name)?)))
        .collect();
    let ids: Vec<VersionId> = attached.keys().copied().collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let entries = versions::children(conn, package, &ids).await?;
    let lists = versions::nodes(conn, package, &ids).await?;
    let lists = lists.into_iter().map(|node| (node.id, node));
    let entries = entries.into_iter().map(|edge| (edge.from, edge.to));
    let edge = |(list, to)| {
        Some(Edge {
            from: *attached.get(&list)?,
            to,
        })
    };
    Ok(lists.chain(entries).filter_map(edge).collect())
}

fn fallback_tag(subject: &Digest, suffix: &str) -> String {
    format!("{}{suffix}", FallbackTag::of(subject))
}

/// What changes before the question is asked who keeps whom.
#[derive(Clone, Debug, Default)]
pub(super) struct Change {
    /// Listed versions that will not be listed any more.
    pub(super) unlisted: HashSet<VersionId>,
    /// Served versions that will not be served any more, whatever keeps them.
    pub(super) gone: HashSet<VersionId>,
}

impl Change {
    fn is_listed(&self, node: &Node) -> bool {
        node.is_listed() && !self.unlisted.contains(&node.id) && !self.gone.contains(&node.id)
    }
}

/// Which of `candidates` a listed version reaches after the change, each with one that does.
pub(super) async fn kept(
    conn: &mut Conn,
    package: PackageId,
    candidates: &[VersionId],
    change: &Change,
) -> Result<HashMap<VersionId, VersionId>> {
    let mut walk = Walk::default();
    walk.seen.extend(candidates);
    let mut frontier = candidates.to_vec();
    let mut steps = 0;
    while !frontier.is_empty() {
        within_bounds(steps, walk.seen.len())?;
        steps += 1;
        frontier = walk.up(conn, package, &frontier, change).await?;
    }
    Ok(walk.spread())
}

/// A walk upward, level by level, until it comes to listed versions.
#[derive(Default)]
struct Walk {
    seen: HashSet<VersionId>,
    /// Who is kept by whom directly, where the keeper is listed.
    roots: HashMap<VersionId, VersionId>,
    /// From a keeper that is not listed to what it keeps.
    below: HashMap<VersionId, Vec<VersionId>>,
}

impl Walk {
    /// One level: from `frontier` to the keepers of those that no listed version keeps directly.
    async fn up(
        &mut self,
        conn: &mut Conn,
        package: PackageId,
        frontier: &[VersionId],
        change: &Change,
    ) -> Result<Vec<VersionId>> {
        let outside: Vec<VersionId> = change.unlisted.union(&change.gone).copied().collect();
        let listed = versions::listed_parents(conn, package, frontier, &outside).await?;
        self.roots.extend(listed);
        let mut next = Vec::new();
        let rest = self.without_root(frontier);
        for edge in versions::subjects(conn, package, &rest).await? {
            self.note(edge, change, &mut next);
        }
        let rest = self.without_root(frontier);
        for edge in versions::unlisted_parents(conn, package, &rest, &outside).await? {
            self.note(edge, change, &mut next);
        }
        Ok(next)
    }

    fn without_root(&self, frontier: &[VersionId]) -> Vec<VersionId> {
        let rest = frontier.iter().copied();
        rest.filter(|id| !self.roots.contains_key(id)).collect()
    }

    /// Notes that `edge.to` keeps `edge.from`.
    fn note(&mut self, edge: Edge, change: &Change, next: &mut Vec<VersionId>) {
        let Edge { from, to } = edge;
        if change.gone.contains(&to.id) {
            return;
        }
        if change.is_listed(&to) {
            self.roots.insert(from, to.id);
            return;
        }
        self.below.entry(to.id).or_default().push(from);
        if self.seen.insert(to.id) {
            next.push(to.id);
        }
    }

    /// Whom a listed version reaches, however far below it.
    fn spread(mut self) -> HashMap<VersionId, VersionId> {
        let mut waiting: Vec<VersionId> = self.roots.keys().copied().collect();
        while let Some(keeper) = waiting.pop() {
            let Some(root) = self.roots.get(&keeper).copied() else {
                continue;
            };
            for kept in self.below.remove(&keeper).unwrap_or_default() {
                if self.roots.insert(kept, root).is_none() {
                    waiting.push(kept);
                }
            }
        }
        self.roots
    }
}
