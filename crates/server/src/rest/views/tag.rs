//! Tags.

use naru_model::{Account, PackagePath, TokenKind};
use naru_registry::tags::{TagChanged, TagRecord};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Urls, part, time};

/// A tag and the version it points at.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Tag)]
pub(crate) struct TagView {
    name: String,
    /// The number of the version that it points at.
    version_id: i64,
    /// The digest of that version.
    digest: String,
    /// This tag.
    url: String,
    /// The version's record.
    version_url: String,
    /// Where it pointed before.
    history_url: String,
    created_at: String,
    /// When it was moved last.
    updated_at: String,
}

impl TagView {
    /// A tag of the package at `path`.
    pub(crate) fn new(tag: &TagRecord, owner: &Account, path: &PackagePath, urls: &Urls) -> Self {
        let kind = path.package_type;
        let package = urls.package(owner, kind, &path.name);
        let url = format!("{package}/tags/{}", part(&tag.name));
        Self {
            name: tag.name.clone(),
            version_id: tag.version.get(),
            digest: tag.digest.to_string(),
            version_url: urls.version(owner, kind, &path.name, tag.version),
            history_url: format!("{url}/history"),
            url,
            created_at: time(tag.created_at),
            updated_at: time(tag.updated_at),
        }
    }
}

/// Something that happened to a tag.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TagChange)]
pub(crate) struct TagChangeView {
    /// Rises with time.
    id: i64,
    /// `push`, `move`, `delete`, `version_deleted` or `restore`.
    reason: String,
    /// The version that it pointed at from then on, or that went with it; null for a tag that was
    /// removed alone, and for a version that is gone for good.
    version_id: Option<i64>,
    /// The digest of that version.
    digest: Option<String>,
    /// The user who did it; null for a workflow and for the machine itself.
    actor: Option<String>,
    /// The repository whose workflow it was, as `OWNER/NAME`; told to those who may push.
    repository: Option<String>,
    /// What kind of credential was used: `personal_access_token`, `workflow_token`, `session`, or
    /// `system` for the machine itself.
    credential: String,
    created_at: String,
}

impl TagChangeView {
    /// What happened; `names_repositories` says whether the caller may know which repository's
    /// workflow it was.
    pub(crate) fn new(change: &TagChanged, names_repositories: bool) -> Self {
        let credential = match (change.token, &change.user) {
            (Some(TokenKind::Personal), _) => "personal_access_token",
            (Some(TokenKind::Workflow), _) => "workflow_token",
            (None, Some(_)) => "session",
            (None, None) => "system",
        };
        let repository = change.repository.as_ref().filter(|_| names_repositories);
        Self {
            id: change.id,
            reason: change.reason.as_str().to_owned(),
            version_id: change.version.map(naru_model::VersionId::get),
            digest: change.digest.as_ref().map(ToString::to_string),
            actor: change.user.as_ref().map(ToString::to_string),
            repository: repository.map(ToString::to_string),
            credential: credential.to_owned(),
            created_at: time(change.at),
        }
    }
}
