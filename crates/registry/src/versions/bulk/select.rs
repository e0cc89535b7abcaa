//! Which versions a request means that concerns many.
//!
//! A filter may take few of very many versions, so a request looks at so many and says where it
//! stopped.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use naru_metadata::versions::{self, Slice, Version, Which};
use naru_metadata::{Conn, tags};
use naru_model::{Moment, PackageId, TagPattern, TagPatterns, VersionId};

use super::super::{place_of, tags_of};
use crate::error::{Error, Result};

/// How many versions one request may concern.
pub const MOST: usize = 1000;

/// Rows per page when a filter looks for what it takes.
const PAGE: i64 = 500;

/// How many versions one request looks at when a filter looks for what it takes.
pub const MOST_LOOKED_AT: usize = 10_000;

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
    /// Only those that come after this one in the list: where an earlier request stopped.
    pub after: Option<VersionId>,
}

/// Where a request stopped that looked for what a filter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The last version that it looked at.
    pub after: VersionId,
    /// How many of the newest behind it are still to be kept.
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

/// What was found of a selection.
pub(super) struct Selected {
    pub(super) found: Vec<VersionId>,
    /// Whether there may be more.
    pub(super) more: bool,
    /// Where to go on for that.
    pub(super) stop: Option<Stop>,
}

impl Selected {
    const fn all(found: Vec<VersionId>) -> Self {
        Self {
            found,
            more: false,
            stop: None,
        }
    }
}

/// Those of `ids` that the selection means even now, when nothing can change any more: a push may
/// have given one a tag, or a new date, since they were selected.
pub(super) async fn still_meant(
    conn: &mut Conn,
    package: PackageId,
    selection: &Selection,
    ids: &[VersionId],
    now: Moment,
) -> Result<Vec<VersionId>> {
    let Selection::Filter(filter) = selection else {
        return Ok(ids.to_vec());
    };
    let sieve = Sieve::new(filter)?;
    let mut tags = tags_of(conn, ids).await?;
    let mut nodes = versions::nodes(conn, package, ids).await?;
    nodes.retain(|node| {
        let tags = tags.remove(&node.id).unwrap_or_default();
        filter.is_old_enough(node.created_at, now) && sieve.lets_through(&tags)
    });
    Ok(nodes.into_iter().map(|node| node.id).collect())
}

pub(super) async fn select(
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
                stop: None,
            })
        }
        Selection::Filter(filter) => filtered(conn, package, which, filter, now).await,
    }
}

/// Walks over the versions of a package, newest first, until there are enough that the filter takes
/// or enough were looked at.
async fn filtered(
    conn: &mut Conn,
    package: PackageId,
    which: Which,
    filter: &VersionFilter,
    now: Moment,
) -> Result<Selected> {
    let sieve = Sieve::new(filter)?;
    let mut slice = first_slice(conn, package, filter, now).await?;
    let mut to_keep = filter.keep_newest;
    let mut found = Vec::new();
    let mut looked_at = 0;
    let mut stop = Stop {
        after: VersionId::new(0),
        keep_newest: to_keep,
    };
    loop {
        let page: Vec<Version> = versions::slice(conn, package, which, slice).await?;
        let Some(last) = page.last() else {
            return Ok(Selected::all(found));
        };
        slice.below = Some((last.created_at, last.id));
        let mut tags = tags_then(conn, which, &page).await?;
        for version in page {
            if looked_at == MOST_LOOKED_AT || found.len() == MOST {
                return Ok(Selected {
                    found,
                    more: true,
                    stop: Some(stop),
                });
            }
            looked_at += 1;
            let is_taken = sieve.lets_through(&tags.remove(&version.id).unwrap_or_default());
            if is_taken && to_keep > 0 {
                to_keep -= 1;
            } else if is_taken {
                found.push(version.id);
            }
            stop = Stop {
                after: version.id,
                keep_newest: to_keep,
            };
        }
    }
}

/// Where a filter begins to look.
async fn first_slice(
    conn: &mut Conn,
    package: PackageId,
    filter: &VersionFilter,
    now: Moment,
) -> Result<Slice> {
    let by_age = filter
        .older_than
        .map(|age| (now.minus(age), VersionId::new(0)));
    let by_stop = match filter.after {
        Some(after) => Some(place_of(conn, package, after).await?),
        None => None,
    };
    let below = match (by_age, by_stop) {
        (Some(age), Some(stop)) => Some(age.min(stop)),
        (age, stop) => age.or(stop),
    };
    Ok(Slice {
        below,
        ..Slice::first(PAGE)
    })
}

/// The tags of versions; of those that were removed, the tags that they lost then.
async fn tags_then(
    conn: &mut Conn,
    which: Which,
    page: &[Version],
) -> Result<HashMap<VersionId, Vec<String>>> {
    let ids: Vec<VersionId> = page.iter().map(|version| version.id).collect();
    if which != Which::Removed {
        return tags_of(conn, &ids).await;
    }
    let mut lost: HashMap<VersionId, Vec<String>> = HashMap::new();
    for tag in tags::lost_with_versions(conn, &ids).await? {
        lost.entry(tag.version).or_default().push(tag.name);
    }
    Ok(lost)
}
