//! What deletes and restores of versions are asked for with, and answer (`EXTENSIONS`).

use std::time::Duration;

use naru_model::{Cascade, Needed, TagPattern, VersionId};
use naru_registry::packages::PackageDeletion;
use naru_registry::versions::bulk::{BulkDeletion, BulkRestoration, Stop, VersionFilter};
use naru_registry::versions::plan::{Because, Deletion, Fate, Keeper, Obstacle, PlannedVersion};
use naru_registry::versions::restore::RestoredVersion;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A request to delete many versions.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct DeleteRequest {
    /// Whether to only say what would go. Must be given.
    #[schema(required = true, value_type = bool)]
    pub(crate) dry_run: Option<bool>,
    /// The numbers of the versions, at most 1000.
    #[schema(max_items = 1000)]
    pub(crate) ids: Option<Vec<i64>>,
    /// Instead of numbers: every version that this takes, the newest 1000 of them. At most 10,000
    /// versions are looked at; `stop` in the answer says where to go on.
    pub(crate) filter: Option<FilterView>,
    /// `withdraw` or `refuse`, as when one version is deleted.
    #[schema(value_type = Option<String>)]
    pub(crate) needed: Option<Needed>,
    /// `none`, `children`, `referrers` or `all`, as when one version is deleted.
    #[schema(value_type = Option<String>)]
    pub(crate) cascade: Option<Cascade>,
}

/// A request to restore many versions.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct RestoreRequest {
    /// Whether to only say what would come back. Must be given.
    #[schema(required = true, value_type = bool)]
    pub(crate) dry_run: Option<bool>,
    /// The numbers of the versions, at most 1000.
    #[schema(max_items = 1000)]
    pub(crate) ids: Option<Vec<i64>>,
    /// Instead of numbers: every version that this takes, the newest 1000 of them. At most 10,000
    /// versions are looked at; `stop` in the answer says where to go on.
    pub(crate) filter: Option<FilterView>,
}

/// Takes the versions that every one of its fields lets through. Of deleted versions the tags are
/// meant that they lost with that.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = VersionFilter)]
#[serde(deny_unknown_fields)]
pub(crate) struct FilterView {
    /// Only versions pushed more than so many days ago.
    #[schema(minimum = 0)]
    older_than_days: Option<u32>,
    /// `false`: only versions without a tag; `true`: only those with one.
    tagged: Option<bool>,
    /// Only versions with tags, all of which match one of these patterns, such as `pr-*`.
    #[schema(value_type = Option<Vec<String>>)]
    tags: Option<Vec<TagPattern>>,
    /// No version that has a tag which matches one of these patterns.
    #[schema(value_type = Option<Vec<String>>)]
    keep_tags: Option<Vec<TagPattern>>,
    /// Not the newest so many of those that are left.
    keep_newest: Option<u32>,
    /// Only versions that come after the one with this number in the list, which begins with the
    /// newest: `after` of `stop` in an earlier answer.
    after: Option<i64>,
}

impl From<FilterView> for VersionFilter {
    fn from(view: FilterView) -> Self {
        const DAY: u64 = 24 * 3600;
        let age = |days: u32| Duration::from_secs(u64::from(days) * DAY);
        Self {
            older_than: view.older_than_days.map(age),
            tagged: view.tagged,
            tags: view.tags.unwrap_or_default(),
            keep_tags: view.keep_tags.unwrap_or_default(),
            keep_newest: usize::try_from(view.keep_newest.unwrap_or(0)).unwrap_or(usize::MAX),
            after: view.after.map(VersionId::new),
        }
    }
}

/// What deleting a version would do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VersionDeletion)]
pub(crate) struct DeletionView {
    /// Every version that it concerns.
    versions: Vec<FateView>,
    /// How many bytes of manifests and blobs nothing else of the owner needs: free when the time in
    /// the bin is over.
    freed_bytes: u64,
}

impl DeletionView {
    pub(crate) fn new(deletion: &Deletion) -> Self {
        Self {
            versions: deletion.versions.iter().map(FateView::new).collect(),
            freed_bytes: deletion.freed_bytes,
        }
    }
}

/// What deleting a package would do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PackageDeletion)]
pub(crate) struct PackageDeletionView {
    #[serde(flatten)]
    deletion: DeletionView,
    /// Whether the package has more versions than the newest 1000, which stand here.
    more: bool,
}

impl PackageDeletionView {
    pub(crate) fn new(deletion: &PackageDeletion) -> Self {
        Self {
            deletion: DeletionView::new(&deletion.deletion),
            more: deletion.more,
        }
    }
}

/// What deleting many versions did, or would do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VersionsDeletion)]
pub(crate) struct BulkDeletionView {
    /// Whether it was only asked what would go.
    dry_run: bool,
    #[serde(flatten)]
    deletion: DeletionView,
    /// Numbers of which there is no listed version.
    unknown: Vec<i64>,
    /// Whether there is more to do: ask again with the same request, and with what `stop` says.
    more: bool,
    /// What to put into the filter to go on, where it has not looked at all versions.
    stop: Option<StopView>,
}

/// Where a filter stopped.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VersionFilterStop)]
pub(crate) struct StopView {
    /// The number of the last version that was looked at.
    after: i64,
    /// How many of the newest behind it are still to be kept.
    keep_newest: u32,
}

impl From<Stop> for StopView {
    fn from(stop: Stop) -> Self {
        Self {
            after: stop.after.get(),
            keep_newest: u32::try_from(stop.keep_newest).unwrap_or(u32::MAX),
        }
    }
}

impl BulkDeletionView {
    pub(crate) fn new(done: &BulkDeletion, dry_run: bool) -> Self {
        Self {
            dry_run,
            deletion: DeletionView::new(&done.deletion),
            unknown: numbers(&done.unknown),
            more: done.more,
            stop: done.stop.map(StopView::from),
        }
    }
}

fn numbers(ids: &[VersionId]) -> Vec<i64> {
    ids.iter().map(|id| id.get()).collect()
}

/// What becomes of one version, and why.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VersionFate)]
pub(crate) struct FateView {
    /// The number of the version.
    id: i64,
    /// The digest of its manifest.
    name: String,
    /// The type of its manifest.
    media_type: String,
    /// The tags that it has, and loses if it is deleted or withdrawn.
    tags: Vec<String>,
    /// `deleted`; `withdrawn`: out of the lists, and served as long as something keeps it;
    /// `stays`: it would have gone along, but something keeps it; `refused`.
    fate: &'static str,
    /// Why it is concerned: `asked`, `child`, `referrer`, `unkept`: withdrawn before, and nothing
    /// keeps it any more, or `package`: its package goes.
    reason: &'static str,
    /// The index whose child it is, or the subject that it refers to.
    of: Option<String>,
    /// A listed version that keeps it.
    retained_by: Option<KeeperView>,
    /// Why it is refused: `needed`, `last_tagged_version`, `tag_rule`: you may not remove one of its
    /// tags, or `downloads`: it was downloaded too often.
    refusal: Option<&'static str>,
}

/// A version that keeps another one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VersionKeeper)]
pub(crate) struct KeeperView {
    /// The number of the version.
    id: i64,
    /// The digest of its manifest.
    name: String,
}

impl From<&Keeper> for KeeperView {
    fn from(keeper: &Keeper) -> Self {
        Self {
            id: keeper.id.get(),
            name: keeper.digest.to_string(),
        }
    }
}

impl FateView {
    fn new(version: &PlannedVersion) -> Self {
        let (fate, retained_by, refusal) = match &version.fate {
            Fate::Deleted => ("deleted", None, None),
            Fate::Withdrawn { by } => ("withdrawn", Some(by), None),
            Fate::Stays { by } => ("stays", Some(by), None),
            Fate::Refused(Obstacle::Needed { by }) => ("refused", Some(by), Some("needed")),
            Fate::Refused(Obstacle::LastTagged) => ("refused", None, Some("last_tagged_version")),
            Fate::Refused(Obstacle::TagProtected(_)) => ("refused", None, Some("tag_rule")),
            Fate::Refused(Obstacle::WidelyDownloaded { .. }) => {
                ("refused", None, Some("downloads"))
            }
        };
        let (reason, of) = match &version.because {
            Because::Asked => ("asked", None),
            Because::ChildOf(index) => ("child", Some(index.to_string())),
            Because::ReferrerOf(subject) => ("referrer", Some(subject.to_string())),
            Because::NothingKeepsIt => ("unkept", None),
            Because::WithPackage => ("package", None),
        };
        Self {
            id: version.id.get(),
            name: version.digest.to_string(),
            media_type: version.media_type.clone(),
            tags: version.tags.clone(),
            fate,
            reason,
            of,
            retained_by: retained_by.map(KeeperView::from),
            refusal,
        }
    }
}

/// What restoring many versions did, or would do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VersionsRestoration)]
pub(crate) struct BulkRestorationView {
    /// Whether it was only asked what would come back.
    dry_run: bool,
    /// Every version that came back: those asked for, and what hangs together with them.
    versions: Vec<RestoredView>,
    /// Numbers of which there is no version that can be restored.
    unknown: Vec<i64>,
    /// Whether there is more to do: ask again with the same request, and with what `stop` says.
    more: bool,
    /// What to put into the filter to go on, where it has not looked at all versions.
    stop: Option<StopView>,
}

impl BulkRestorationView {
    pub(crate) fn new(done: &BulkRestoration, dry_run: bool) -> Self {
        let versions = done.restoration.versions.iter();
        Self {
            dry_run,
            versions: versions.map(RestoredView::new).collect(),
            unknown: numbers(&done.unknown),
            more: done.more,
            stop: done.stop.map(StopView::from),
        }
    }
}

/// A version that came back.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RestoredVersion)]
pub(crate) struct RestoredView {
    /// The number of the version.
    id: i64,
    /// The digest of its manifest.
    name: String,
    /// The tags that it has again.
    tags: Vec<String>,
    /// Whether it is in the lists again, and not only served.
    listed: bool,
}

impl RestoredView {
    fn new(version: &RestoredVersion) -> Self {
        Self {
            id: version.id.get(),
            name: version.digest.to_string(),
            tags: version.tags.clone(),
            listed: version.listed,
        }
    }
}
