//! Source repositories: one view that is all of the official description's `minimal-repository`,
//! `repository`, `full-repository` and `team-repository`.
//!
//! Naru hosts no git: there are no forks, stars, issues, wikis; what the shapes demand of them is
//! answered with none.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use naru_model::{Account, RepositoryRole, Visibility};
use naru_registry::collaborators::{Collaborator, CollaboratorLevel};
use naru_registry::repository_lists::RepositoryDetails;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Below, SimpleUser, Urls, node_id, time};

/// What a role lets its holder do in a repository.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct Permissions {
    admin: bool,
    maintain: bool,
    push: bool,
    triage: bool,
    pull: bool,
}

impl Permissions {
    /// Of somebody with a role.
    pub(crate) fn of(role: Option<RepositoryRole>) -> Self {
        let at_least = |least: RepositoryRole| role.is_some_and(|role| role >= least);
        Self {
            admin: at_least(RepositoryRole::Admin),
            maintain: at_least(RepositoryRole::Maintain),
            push: at_least(RepositoryRole::Write),
            triage: at_least(RepositoryRole::Triage),
            pull: at_least(RepositoryRole::Read),
        }
    }
}

/// Addresses below that of a record: the field, and what stands behind the record's own.
macro_rules! addresses {
    ($(#[$about:meta])* struct $name:ident { $($field:ident: $rest:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Debug, Serialize, ToSchema)]
        struct $name {
            $(#[schema(value_type = String)] $field: Below,)+
        }

        impl $name {
            fn new(url: &str) -> Self {
                let base: Arc<str> = url.into();
                Self {
                    $($field: Below::new(&base, $rest),)+
                }
            }
        }
    };
}

addresses! {
    /// Where everything about a repository would be.
    struct RepositoryUrls {
        archive_url: "/{archive_format}{/ref}",
        assignees_url: "/assignees{/user}",
        blobs_url: "/git/blobs{/sha}",
        branches_url: "/branches{/branch}",
        collaborators_url: "/collaborators{/collaborator}",
        comments_url: "/comments{/number}",
        commits_url: "/commits{/sha}",
        compare_url: "/compare/{base}...{head}",
        contents_url: "/contents/{+path}",
        contributors_url: "/contributors",
        deployments_url: "/deployments",
        downloads_url: "/downloads",
        events_url: "/events",
        forks_url: "/forks",
        git_commits_url: "/git/commits{/sha}",
        git_refs_url: "/git/refs{/sha}",
        git_tags_url: "/git/tags{/sha}",
        hooks_url: "/hooks",
        issue_comment_url: "/issues/comments{/number}",
        issue_events_url: "/issues/events{/number}",
        issues_url: "/issues{/number}",
        keys_url: "/keys{/key_id}",
        labels_url: "/labels{/name}",
        languages_url: "/languages",
        merges_url: "/merges",
        milestones_url: "/milestones{/number}",
        notifications_url: "/notifications{?since,all,participating}",
        pulls_url: "/pulls{/number}",
        releases_url: "/releases{/id}",
        stargazers_url: "/stargazers",
        statuses_url: "/statuses/{sha}",
        subscribers_url: "/subscribers",
        subscription_url: "/subscription",
        tags_url: "/tags",
        teams_url: "/teams",
        trees_url: "/git/trees{/sha}",
    }
}

/// What the shapes demand of a forge, and Naru has none of.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the official description has a field for each"
)]
struct NoForge {
    fork: bool,
    language: Option<&'static str>,
    license: Option<&'static str>,
    forks: u64,
    forks_count: u64,
    stargazers_count: u64,
    watchers: u64,
    watchers_count: u64,
    subscribers_count: u64,
    network_count: u64,
    size: u64,
    default_branch: &'static str,
    open_issues: u64,
    open_issues_count: u64,
    is_template: bool,
    has_issues: bool,
    has_projects: bool,
    has_wiki: bool,
    has_pages: bool,
    has_downloads: bool,
    has_discussions: bool,
    has_pull_requests: bool,
    archived: bool,
    disabled: bool,
    allow_forking: bool,
    web_commit_signoff_required: bool,
}

const NO_FORGE: NoForge = NoForge {
    fork: false,
    language: None,
    license: None,
    forks: 0,
    forks_count: 0,
    stargazers_count: 0,
    watchers: 0,
    watchers_count: 0,
    subscribers_count: 0,
    network_count: 0,
    size: 0,
    default_branch: "main",
    open_issues: 0,
    open_issues_count: 0,
    is_template: false,
    has_issues: false,
    has_projects: false,
    has_wiki: false,
    has_pages: false,
    has_downloads: false,
    has_discussions: false,
    has_pull_requests: false,
    archived: false,
    disabled: false,
    allow_forking: false,
    web_commit_signoff_required: false,
};

/// A source repository (official description: `minimal-repository` and its longer forms).
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = MinimalRepository)]
pub(crate) struct RepositoryView {
    id: i64,
    node_id: String,
    name: String,
    full_name: String,
    owner: SimpleUser,
    private: bool,
    html_url: String,
    description: Option<String>,
    url: String,
    #[serde(flatten)]
    urls: RepositoryUrls,
    #[serde(flatten)]
    forge: NoForge,
    /// Where git finds the source: the forge's address if the record has one.
    clone_url: String,
    git_url: String,
    ssh_url: String,
    svn_url: String,
    /// The forge that hosts the source.
    mirror_url: Option<String>,
    homepage: Option<String>,
    topics: Vec<String>,
    visibility: &'static str,
    /// When something was last pushed to a package that is linked to it.
    pushed_at: Option<String>,
    created_at: String,
    updated_at: String,
    permissions: Permissions,
    #[serde(skip_serializing_if = "Option::is_none")]
    role_name: Option<&'static str>,
}

/// A source repository by itself (official description: `full-repository`).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct FullRepository {
    #[serde(flatten)]
    repository: RepositoryView,
    /// The organization that owns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<SimpleUser>,
}

impl RepositoryView {
    /// A repository in a list.
    pub(crate) fn new(details: &RepositoryDetails, urls: &Urls) -> Self {
        let record = &details.repository;
        let path = details.path();
        let url = urls.repository(&path);
        let html_url = urls.repository_page(&path);
        let forge = record
            .forge_url
            .as_ref()
            .map(|url| format!("https://{url}"));
        let clone_url = format!("{}.git", forge.as_ref().unwrap_or(&html_url));
        // What everybody may see, everybody may pull.
        let everybody = record.visibility != Visibility::Private;
        let role = details.role.or(everybody.then_some(RepositoryRole::Read));
        Self {
            id: record.id.get(),
            node_id: node_id("Repository", record.id.get()),
            name: record.name.to_string(),
            full_name: path.to_string(),
            owner: SimpleUser::new(&details.owner, urls),
            private: record.visibility != Visibility::Public,
            html_url: html_url.clone(),
            description: record.description.clone(),
            urls: RepositoryUrls::new(&url),
            url,
            forge: NO_FORGE,
            git_url: clone_url.clone(),
            ssh_url: clone_url.clone(),
            svn_url: forge.clone().unwrap_or(html_url),
            clone_url,
            mirror_url: forge,
            homepage: record.homepage.clone(),
            topics: record.topics.as_slice().to_vec(),
            visibility: record.visibility.as_str(),
            pushed_at: details.pushed_at.map(time),
            created_at: time(record.created_at),
            updated_at: time(record.updated_at),
            permissions: Permissions::of(role),
            role_name: role.map(RepositoryRole::as_str),
        }
    }
}

impl FullRepository {
    /// A repository by itself. The shape has no room for "nothing was ever pushed": then it is the
    /// moment it was made.
    pub(crate) fn new(details: &RepositoryDetails, urls: &Urls) -> Self {
        let mut repository = RepositoryView::new(details, urls);
        if repository.pushed_at.is_none() {
            repository.pushed_at = Some(repository.created_at.clone());
        }
        let organization = match &details.owner {
            Account::Organization(_) => Some(SimpleUser::new(&details.owner, urls)),
            Account::User(_) => None,
        };
        Self {
            repository,
            organization,
        }
    }
}

/// Somebody with a role in a repository (official description: `collaborator`).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct CollaboratorView {
    #[serde(flatten)]
    user: SimpleUser,
    permissions: Permissions,
    role_name: &'static str,
}

impl CollaboratorView {
    /// Somebody with a role.
    pub(crate) fn new(collaborator: &Collaborator, urls: &Urls) -> Self {
        Self {
            user: SimpleUser::of_user(&collaborator.user, urls),
            permissions: Permissions::of(Some(collaborator.role)),
            role_name: collaborator.role.as_str(),
        }
    }
}

/// What somebody may do in a repository (official description:
/// `repository-collaborator-permission`).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct CollaboratorPermission {
    /// `admin`, `write`, `read` or `none`; maintain counts as write, triage as read.
    permission: &'static str,
    /// The role's own name.
    role_name: &'static str,
    user: CollaboratorView,
}

impl CollaboratorPermission {
    /// What somebody may do.
    pub(crate) fn new(level: &CollaboratorLevel, urls: &Urls) -> Self {
        let role_name = level.role.map_or("none", RepositoryRole::as_str);
        Self {
            permission: level
                .role
                .map_or("none", |role| role.on_packages().as_str()),
            role_name,
            user: CollaboratorView {
                user: SimpleUser::of_user(&level.user, urls),
                permissions: Permissions::of(level.role),
                role_name,
            },
        }
    }
}

/// A file of a repository: the readme (official description: `content-file`).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ContentFile {
    #[serde(rename = "type")]
    kind: &'static str,
    encoding: &'static str,
    size: usize,
    name: &'static str,
    path: &'static str,
    /// In base64.
    content: String,
    /// The digest of the text, as git makes it.
    sha: String,
    url: String,
    git_url: Option<String>,
    html_url: Option<String>,
    download_url: Option<String>,
    #[serde(rename = "_links")]
    links: ContentLinks,
}

/// Where a file is.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct ContentLinks {
    git: Option<String>,
    html: Option<String>,
    #[serde(rename = "self")]
    itself: String,
}

impl ContentFile {
    /// The readme at `url`, whose digest is `sha`.
    pub(crate) fn readme(text: &str, sha: String, url: String, page: String) -> Self {
        Self {
            kind: "file",
            encoding: "base64",
            size: text.len(),
            name: "README.md",
            path: "README.md",
            content: STANDARD.encode(text),
            sha,
            git_url: None,
            html_url: Some(page.clone()),
            download_url: None,
            links: ContentLinks {
                git: None,
                html: Some(page),
                itself: url.clone(),
            },
            url,
        }
    }
}
