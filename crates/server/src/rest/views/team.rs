//! Teams, and memberships in them.

use naru_model::{AccountName, RepositoryRole, Team, TeamRole, TeamSlug};
use naru_registry::team_trees::{ListedTeam, TeamDetails, TeamMembership};
use serde::Serialize;
use utoipa::ToSchema;

use super::{OrganizationView, Permissions, SimpleUser, Urls, node_id, time};

/// What every view of a team has.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct TeamSimple {
    id: i64,
    node_id: String,
    name: String,
    slug: String,
    description: Option<String>,
    /// `closed`: every member of the organization sees it. `secret`: only its own.
    privacy: &'static str,
    notification_setting: &'static str,
    /// The role in new repositories of the team, unless another is asked for; in the list of a
    /// repository's teams, the role there.
    permission: &'static str,
    url: String,
    html_url: String,
    members_url: String,
    repositories_url: String,
    #[serde(rename = "type")]
    kind: &'static str,
    organization_id: i64,
}

impl TeamSimple {
    fn new(team: &Team, organization: &AccountName, urls: &Urls) -> Self {
        let url = urls.team(organization, &team.slug);
        Self {
            id: team.id.get(),
            node_id: node_id("Team", team.id.get()),
            name: team.name.clone(),
            slug: team.slug.to_string(),
            description: team.description.clone(),
            privacy: team.privacy.as_str(),
            notification_setting: if team.notifications {
                "notifications_enabled"
            } else {
                "notifications_disabled"
            },
            permission: "pull",
            html_url: urls.team_page(organization, &team.slug),
            members_url: format!("{url}/members{{/member}}"),
            repositories_url: format!("{url}/repos"),
            url,
            kind: "organization",
            organization_id: team.organization.get(),
        }
    }
}

/// A team in a list (official description: `team`).
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Team)]
pub(crate) struct TeamView {
    #[serde(flatten)]
    team: TeamSimple,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions: Option<Permissions>,
    parent: Option<TeamSimple>,
}

impl TeamView {
    /// A team of an organization.
    pub(crate) fn new(listed: &ListedTeam, urls: &Urls) -> Self {
        let simple = |team: &Team| TeamSimple::new(team, &listed.organization, urls);
        Self {
            team: simple(&listed.team),
            permissions: None,
            parent: listed.parent.as_ref().map(simple),
        }
    }

    /// A team with its role in a repository.
    pub(crate) fn with_role(listed: &ListedTeam, role: RepositoryRole, urls: &Urls) -> Self {
        let mut view = Self::new(listed, urls);
        view.team.permission = role.rest_word();
        view.permissions = Some(Permissions::of(Some(role)));
        view
    }
}

/// A team (official description: `team-full`).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct TeamFull {
    #[serde(flatten)]
    team: TeamSimple,
    parent: Option<TeamSimple>,
    members_count: u64,
    repos_count: u64,
    created_at: String,
    updated_at: String,
    organization: Option<OrganizationView>,
}

impl TeamFull {
    /// A team with what is shown beside it.
    pub(crate) fn new(details: &TeamDetails, urls: &Urls) -> Self {
        let organization = details.organization.account.login();
        let simple = |team: &Team| TeamSimple::new(team, organization, urls);
        Self {
            team: simple(&details.team),
            parent: details.parent.as_ref().map(simple),
            members_count: details.figures.members,
            repos_count: details.figures.repositories,
            created_at: time(details.team.created_at),
            updated_at: time(details.team.updated_at),
            organization: OrganizationView::new(&details.organization, urls),
        }
    }
}

/// A member of a team (official description: `team-member`).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct TeamMember {
    #[serde(flatten)]
    user: SimpleUser,
    /// `member` or `maintainer`.
    role: &'static str,
    /// Whether they are in it only through a team below it.
    inherited: bool,
}

impl TeamMember {
    /// Somebody in a team.
    pub(crate) fn new(membership: &TeamMembership, urls: &Urls) -> Self {
        Self {
            user: SimpleUser::of_user(&membership.user, urls),
            role: membership.role.as_str(),
            inherited: membership.inherited,
        }
    }
}

/// What somebody is in a team (official description: `team-membership`).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct TeamMembershipView {
    url: String,
    role: &'static str,
    /// Memberships are effective at once.
    state: &'static str,
}

impl TeamMembershipView {
    /// The membership of `user`.
    pub(crate) fn new(
        organization: &AccountName,
        team: &TeamSlug,
        user: &AccountName,
        role: TeamRole,
        urls: &Urls,
    ) -> Self {
        Self {
            url: format!("{}/memberships/{user}", urls.team(organization, team)),
            role: role.as_str(),
            state: "active",
        }
    }
}
