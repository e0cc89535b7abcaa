//! Organizations, and memberships in them.

use naru_model::{AccountKind, AccountName, Organization, OrganizationRole};
use naru_registry::members::{AddedMember, ListedOrganization, MembershipDetails};
use naru_registry::profiles::AccountDetails;
use serde::Serialize;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::{SimpleUser, Urls, either, node_id, schemas_of_either, time};

/// An organization in few words (official description: `organization-simple`).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct OrganizationSimple {
    login: String,
    id: i64,
    node_id: String,
    url: String,
    repos_url: String,
    events_url: String,
    hooks_url: String,
    issues_url: String,
    members_url: String,
    public_members_url: String,
    avatar_url: String,
    description: Option<String>,
}

impl OrganizationSimple {
    /// An organization in a list.
    pub(crate) fn new(listed: &ListedOrganization, urls: &Urls) -> Self {
        let description = listed.description.clone();
        Self::of(&listed.organization, description, urls)
    }

    fn of(organization: &Organization, description: Option<String>, urls: &Urls) -> Self {
        let login = &organization.login;
        let url = urls.organization(login);
        Self {
            login: login.to_string(),
            id: organization.id.get(),
            node_id: node_id(AccountKind::Organization.rest_word(), organization.id.get()),
            repos_url: format!("{url}/repos"),
            events_url: format!("{url}/events"),
            hooks_url: format!("{url}/hooks"),
            issues_url: format!("{url}/issues"),
            members_url: format!("{url}/members{{/member}}"),
            public_members_url: format!("{url}/public_members{{/member}}"),
            avatar_url: format!("{}/avatars/{login}", urls.web),
            description,
            url,
        }
    }
}

/// An organization (official description: `organization-full`). What nobody has set is left out.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct OrganizationFull {
    #[serde(flatten)]
    simple: OrganizationSimple,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    company: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blog: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    twitter_username: Option<String>,
    is_verified: bool,
    has_organization_projects: bool,
    has_repository_projects: bool,
    public_repos: u64,
    /// There are no gists here.
    public_gists: u64,
    /// Nobody follows anybody here.
    followers: u64,
    /// Nobody follows anybody here.
    following: u64,
    html_url: String,
    #[serde(rename = "type")]
    kind: &'static str,
    created_at: String,
    updated_at: String,
    archived_at: Option<String>,
}

/// An organization with what only its owners see of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct OrganizationOfOwners {
    #[serde(flatten)]
    full: OrganizationFull,
    #[serde(flatten)]
    for_owners: OrganizationForOwners,
}

/// An organization with as much as the caller may see.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum OrganizationView {
    /// Its owners.
    ForOwners(Box<OrganizationOfOwners>),
    /// Anybody.
    Full(Box<OrganizationFull>),
}

/// What owners see is also what anybody sees, so it is any of the two and not one.
impl PartialSchema for OrganizationView {
    fn schema() -> RefOr<Schema> {
        either::<OrganizationOfOwners, OrganizationFull>()
    }
}

impl ToSchema for OrganizationView {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas_of_either::<OrganizationOfOwners, OrganizationFull>(schemas);
    }
}

/// What only owners see of an organization.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct OrganizationForOwners {
    total_private_repos: u64,
    owned_private_repos: u64,
    private_gists: u64,
    disk_usage: u64,
    collaborators: u64,
    billing_email: Option<String>,
    /// Members have a role in a repository only if it was given to them.
    default_repository_permission: &'static str,
    members_can_create_repositories: bool,
    two_factor_requirement_enabled: bool,
    members_allowed_repository_creation_type: &'static str,
    members_can_create_public_repositories: bool,
    members_can_create_private_repositories: bool,
    members_can_create_internal_repositories: bool,
    members_can_create_pages: bool,
    members_can_create_teams: bool,
    members_can_fork_private_repositories: bool,
    web_commit_signoff_required: bool,
}

impl OrganizationForOwners {
    fn new(details: &AccountDetails, organization: &Organization) -> Self {
        let allowed = organization.packages.members_create_repositories;
        Self {
            total_private_repos: details.figures.private_repositories,
            owned_private_repos: details.figures.private_repositories,
            private_gists: 0,
            disk_usage: 0,
            collaborators: details.figures.collaborators,
            billing_email: details.profile.billing_email.clone(),
            default_repository_permission: "none",
            members_can_create_repositories: allowed,
            two_factor_requirement_enabled: false,
            members_allowed_repository_creation_type: if allowed { "all" } else { "none" },
            members_can_create_public_repositories: allowed,
            members_can_create_private_repositories: allowed,
            members_can_create_internal_repositories: allowed,
            members_can_create_pages: false,
            members_can_create_teams: false,
            members_can_fork_private_repositories: false,
            web_commit_signoff_required: false,
        }
    }
}

impl OrganizationView {
    /// An organization; `None` for a user.
    pub(crate) fn new(details: &AccountDetails, urls: &Urls) -> Option<Self> {
        let naru_model::Account::Organization(organization) = &details.account else {
            return None;
        };
        let full = OrganizationFull::new(details, organization, urls);
        if !details.is_private_view {
            return Some(Self::Full(Box::new(full)));
        }
        Some(Self::ForOwners(Box::new(OrganizationOfOwners {
            full,
            for_owners: OrganizationForOwners::new(details, organization),
        })))
    }
}

impl OrganizationFull {
    fn new(details: &AccountDetails, organization: &Organization, urls: &Urls) -> Self {
        let profile = details.profile.clone();
        Self {
            simple: OrganizationSimple::of(organization, profile.description, urls),
            name: organization.name.clone(),
            company: profile.company,
            blog: profile.blog,
            location: profile.location,
            email: profile.email,
            twitter_username: profile.twitter_username,
            is_verified: false,
            has_organization_projects: false,
            has_repository_projects: false,
            public_repos: details.figures.public_repositories,
            public_gists: 0,
            followers: 0,
            following: 0,
            html_url: urls.account_page(&organization.login),
            kind: AccountKind::Organization.rest_word(),
            created_at: time(organization.created_at),
            updated_at: time(organization.updated_at),
            archived_at: None,
        }
    }
}

/// What somebody is in an organization (official description: `org-membership`).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct OrgMembership {
    url: String,
    /// Memberships are effective at once.
    state: &'static str,
    /// `admin` for owners, `member` for others.
    role: &'static str,
    direct_membership: bool,
    organization_url: String,
    organization: OrganizationSimple,
    user: SimpleUser,
    permissions: OrgMembershipPermissions,
}

/// What a membership lets its holder do.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct OrgMembershipPermissions {
    can_create_repository: bool,
}

impl OrgMembership {
    /// Somebody's membership.
    pub(crate) fn new(details: &MembershipDetails, urls: &Urls) -> Self {
        let organization = &details.organization.organization;
        let organization_url = urls.organization(&organization.login);
        let is_owner = details.role == OrganizationRole::Owner;
        Self {
            url: format!("{organization_url}/memberships/{}", details.user.login),
            state: "active",
            role: details.role.rest_word(),
            direct_membership: true,
            organization: OrganizationSimple::new(&details.organization, urls),
            organization_url,
            user: SimpleUser::of_user(&details.user, urls),
            permissions: OrgMembershipPermissions {
                can_create_repository: is_owner
                    || organization.packages.members_create_repositories,
            },
        }
    }
}

/// What came of an invitation, which nobody has to accept: the membership is there (official
/// description: `organization-invitation`).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct OrganizationInvitation {
    id: i64,
    node_id: String,
    login: Option<String>,
    email: Option<String>,
    role: &'static str,
    created_at: String,
    failed_at: Option<String>,
    failed_reason: Option<String>,
    inviter: SimpleUser,
    team_count: usize,
    invitation_teams_url: String,
    invitation_source: &'static str,
}

impl OrganizationInvitation {
    /// What came of an invitation.
    pub(crate) fn new(organization: &AccountName, made: &AddedMember, urls: &Urls) -> Self {
        let id = made.user.id.get();
        let url = urls.organization(organization);
        Self {
            id,
            node_id: node_id("OrganizationInvitation", id),
            login: Some(made.user.login.to_string()),
            email: None,
            role: match made.role {
                OrganizationRole::Owner => "admin",
                OrganizationRole::Member => "direct_member",
            },
            created_at: time(made.at),
            failed_at: None,
            failed_reason: None,
            inviter: SimpleUser::of_user(&made.by, urls),
            team_count: made.teams,
            invitation_teams_url: format!("{url}/invitations/{id}/teams"),
            invitation_source: "member",
        }
    }

    /// The invitations that wait for somebody: there are none, ever.
    pub(crate) const NONE: [Self; 0] = [];
}
