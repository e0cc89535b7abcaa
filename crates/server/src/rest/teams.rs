//! Teams of organizations: found, made, changed; who is in them; what they may do in repositories.

use http::StatusCode;
use naru_model::{
    AccountName, RepositoryPath, RepositoryRole, Scope, TeamId, TeamPrivacy, TeamRole,
};
use naru_registry::Page;
use naru_registry::team_trees::{ListedTeam, NewTeam, TeamChange, TeamRef};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::call::Call;
use super::error::Failure;
use super::finish::{Answer, Outcome};
use super::input::{Json, Query, given};
use super::operation::Operations;
use super::paging::{Paging, Wanted};
use super::views::{TeamFull, TeamMember, TeamMembershipView, TeamView};

/// The operations of teams.
pub(super) fn routes(operations: &mut Operations) {
    teams(operations);
    members(operations);
}

fn teams(operations: &mut Operations) {
    operations
        .get("/orgs/{org}/teams", list)
        .id("teams/list")
        .summary("List teams")
        .needs(&[Scope::ReadOrg], "list teams")
        .query::<ListTeams>()
        .query::<Paging>()
        .lists::<TeamView>("The teams that the caller may see, in the order of their slugs")
        .refuses(&[400, 401, 403, 404, 422]);
    operations
        .post("/orgs/{org}/teams", create)
        .id("teams/create")
        .summary("Create a team")
        .description("For owners of the organization.")
        .needs(&[Scope::AdminOrg], "create a team")
        .body::<CreateTeam>()
        .answers::<TeamFull>(201, "The team")
        .refuses(&[400, 401, 403, 404, 422]);
    operations
        .get("/orgs/{org}/teams/{team_slug}", show)
        .id("teams/get-by-name")
        .summary("Get a team by name")
        .needs(&[Scope::ReadOrg], "get a team")
        .answers::<TeamFull>(200, "The team")
        .refuses(&[401, 403, 404]);
    operations
        .patch("/orgs/{org}/teams/{team_slug}", update)
        .id("teams/update-in-org")
        .summary("Update a team")
        .description("For owners of the organization and maintainers of the team.")
        .needs(&[Scope::WriteOrg], "change a team")
        .body::<UpdateTeam>()
        .answers::<TeamFull>(200, "It was so already")
        .answers::<TeamFull>(201, "The team as it is now")
        .refuses(&[400, 401, 403, 404, 422]);
    operations
        .delete("/orgs/{org}/teams/{team_slug}", delete)
        .id("teams/delete-in-org")
        .summary("Delete a team")
        .description("With everything that was granted to it; for owners, with the teams in it.")
        .needs(&[Scope::WriteOrg], "delete a team")
        .ends(204, "It is gone")
        .refuses(&[401, 403, 404]);
    operations
        .get("/orgs/{org}/teams/{team_slug}/teams", children)
        .id("teams/list-child-in-org")
        .summary("List child teams")
        .needs(&[Scope::ReadOrg], "list child teams")
        .query::<Paging>()
        .lists::<TeamView>("The teams right below it, oldest first")
        .refuses(&[400, 401, 403, 404]);
    operations
        .get("/user/teams", list_mine)
        .id("teams/list-for-authenticated-user")
        .summary("List teams for the authenticated user")
        .needs(&[Scope::ReadOrg], "list your teams")
        .query::<Paging>()
        .lists::<TeamFull>("The teams that the caller is in, oldest first")
        .refuses(&[400, 401, 403]);
}

fn members(operations: &mut Operations) {
    operations
        .get("/orgs/{org}/teams/{team_slug}/members", list_members)
        .id("teams/list-members-in-org")
        .summary("List team members")
        .needs(&[Scope::ReadOrg], "list team members")
        .query::<ListTeamMembers>()
        .query::<Paging>()
        .lists::<TeamMember>("Its members and those of teams below it, oldest account first")
        .refuses(&[400, 401, 403, 404, 422]);
    operations
        .get(
            "/orgs/{org}/teams/{team_slug}/memberships/{username}",
            membership,
        )
        .id("teams/get-membership-for-user-in-org")
        .summary("Get team membership for a user")
        .needs(&[Scope::ReadOrg], "get a team membership")
        .answers::<TeamMembershipView>(200, "What they are in it")
        .refuses(&[401, 403, 404]);
    operations
        .put(
            "/orgs/{org}/teams/{team_slug}/memberships/{username}",
            set_member,
        )
        .id("teams/add-or-update-membership-for-user-in-org")
        .summary("Add or update team membership for a user")
        .description(
            "For owners of the organization and maintainers of the team; effective at once.",
        )
        .needs(&[Scope::WriteOrg], "set a team membership")
        .body::<SetTeamMembership>()
        .answers::<TeamMembershipView>(200, "What they are in it now")
        .refuses(&[400, 401, 403, 404, 422]);
    operations
        .delete(
            "/orgs/{org}/teams/{team_slug}/memberships/{username}",
            remove_member,
        )
        .id("teams/remove-membership-for-user-in-org")
        .summary("Remove team membership for a user")
        .needs(&[Scope::WriteOrg], "remove a team membership")
        .ends(204, "They are not in it any more")
        .refuses(&[401, 403, 404]);
}

fn invalid(field: &str, message: impl std::fmt::Display) -> Failure {
    Failure::invalid("Team", field, message)
}

/// Which teams are asked for.
#[derive(Debug, Deserialize, IntoParams)]
struct ListTeams {
    /// `all` and `organization` mean the same here: there are no teams of an enterprise.
    team_type: Option<String>,
}

async fn list(
    call: Call,
    Query(wanted): Query<ListTeams>,
    Query(paging): Query<Paging>,
) -> Outcome {
    let organization: AccountName = call.named("org")?;
    let page = paging.wanted()?;
    let found = call
        .registry()
        .list_teams_page(call.caller(), &organization, page.counted())
        .await?;
    if wanted.team_type.as_deref() == Some("enterprise") {
        return call.ok(&[(); 0]);
    }
    page_of(&call, &page, &found)
}

async fn children(call: Call, Query(paging): Query<Paging>) -> Outcome {
    let organization: AccountName = call.named("org")?;
    let page = paging.wanted()?;
    let found = call
        .registry()
        .list_child_teams(call.caller(), &organization, &call.team()?, page.counted())
        .await?;
    page_of(&call, &page, &found)
}

fn page_of(call: &Call, page: &Wanted, found: &Page<ListedTeam>) -> Outcome {
    let urls = call.urls();
    let view = |team: &ListedTeam| TeamView::new(team, &urls);
    let views: Vec<TeamView> = found.items.iter().map(view).collect();
    Ok(call.ok(&views)?.linked(page.counted_link(call, found)))
}

async fn list_mine(call: Call, Query(paging): Query<Paging>) -> Outcome {
    let page = paging.wanted()?;
    let found = call
        .registry()
        .list_my_teams(call.caller(), page.counted())
        .await?;
    let urls = call.urls();
    let views: Vec<TeamFull> = found
        .items
        .iter()
        .map(|team| TeamFull::new(team, &urls))
        .collect();
    let link = page.counted_link(&call, &found);
    Ok(call.ok(&views)?.linked(link))
}

async fn show(call: Call) -> Outcome {
    let organization: AccountName = call.named("org")?;
    let found = call
        .registry()
        .team_details(call.caller(), &organization, &call.team()?)
        .await?;
    call.ok(&TeamFull::new(&found, &call.urls()))
}

/// A team to make.
#[derive(Debug, Deserialize, ToSchema)]
struct CreateTeam {
    /// Its name for people; its slug comes from it.
    name: Option<String>,
    /// What it is for.
    description: Option<String>,
    /// Members of the organization who are its maintainers.
    #[serde(default)]
    maintainers: Vec<String>,
    /// Repositories, as `OWNER/NAME`, to give it a role in.
    #[serde(default)]
    repo_names: Vec<String>,
    /// `secret`, which is meant if nothing is said, or `closed`; a team in another one is closed.
    privacy: Option<String>,
    /// `notifications_enabled`, which is meant if nothing is said, or `notifications_disabled`.
    notification_setting: Option<String>,
    /// The role in the repositories: `pull`, which is meant if nothing is said, or `push`.
    permission: Option<String>,
    /// The number of the team to put it in.
    parent_team_id: Option<i64>,
    /// The slug of the team to put it in.
    parent_team_slug: Option<String>,
}

impl CreateTeam {
    fn new_team(self) -> Result<NewTeam, Failure> {
        let name = self.name.ok_or_else(|| Failure::missing("Team", "name"))?;
        let maintainers = self.maintainers.iter().map(|login| login.parse());
        let maintainers: Result<Vec<AccountName>, _> = maintainers.collect();
        let repositories = self.repo_names.iter().map(|path| path.parse());
        let repositories: Result<Vec<RepositoryPath>, _> = repositories.collect();
        Ok(NewTeam {
            name,
            description: self.description,
            privacy: privacy(self.privacy.as_deref())?,
            notifications: notifications(self.notification_setting.as_deref())?,
            parent: parent(self.parent_team_id, self.parent_team_slug.as_deref())?,
            maintainers: maintainers.map_err(|error| invalid("maintainers", error))?,
            repositories: repositories.map_err(|error| invalid("repo_names", error))?,
            role: self.permission.as_deref().map(role).transpose()?,
        })
    }
}

fn privacy(word: Option<&str>) -> Result<Option<TeamPrivacy>, Failure> {
    word.map(str::parse)
        .transpose()
        .map_err(|error| invalid("privacy", error))
}

fn notifications(word: Option<&str>) -> Result<Option<bool>, Failure> {
    match word {
        None => Ok(None),
        Some("notifications_enabled") => Ok(Some(true)),
        Some("notifications_disabled") => Ok(Some(false)),
        Some(_) => Err(invalid(
            "notification_setting",
            "`notifications_enabled` or `notifications_disabled`",
        )),
    }
}

fn parent(id: Option<i64>, slug: Option<&str>) -> Result<Option<TeamRef>, Failure> {
    match (id, slug) {
        (Some(id), _) => Ok(Some(TeamRef::Id(TeamId::new(id)))),
        (None, Some(slug)) => {
            let slug = slug.to_ascii_lowercase().parse();
            let slug = slug.map_err(|error| invalid("parent_team_slug", error))?;
            Ok(Some(TeamRef::Slug(slug)))
        }
        (None, None) => Ok(None),
    }
}

/// The role that REST calls so.
///
/// # Errors
/// 422 for a word that is none.
pub(super) fn role(word: &str) -> Result<RepositoryRole, Failure> {
    RepositoryRole::from_rest_word(word).map_err(|error| invalid("permission", error))
}

async fn create(call: Call, Json(team): Json<CreateTeam>) -> Outcome {
    let organization: AccountName = call.named("org")?;
    let new = team.new_team()?;
    let made = call
        .registry()
        .create_team_from(call.caller(), &organization, &new)
        .await?;
    Answer::json(StatusCode::CREATED, &TeamFull::new(&made, &call.urls()))
}

/// What is to change of a team; what is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
struct UpdateTeam {
    /// Its name for people; its slug follows.
    name: Option<String>,
    /// What it is for.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    description: Option<Option<String>>,
    /// `secret` or `closed`; a team with a parent or children is closed.
    privacy: Option<String>,
    /// `notifications_enabled` or `notifications_disabled`.
    notification_setting: Option<String>,
    /// The number of the team to put it in; null takes it out.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    parent_team_id: Option<Option<i64>>,
    /// The slug of the team to put it in; null takes it out.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    parent_team_slug: Option<Option<String>>,
}

impl UpdateTeam {
    fn change(self) -> Result<TeamChange, Failure> {
        let says_parent = self.parent_team_id.is_some() || self.parent_team_slug.is_some();
        let to = parent(
            self.parent_team_id.flatten(),
            self.parent_team_slug.flatten().as_deref(),
        )?;
        Ok(TeamChange {
            name: self.name,
            description: self.description,
            privacy: privacy(self.privacy.as_deref())?,
            notifications: notifications(self.notification_setting.as_deref())?,
            parent: says_parent.then_some(to),
        })
    }
}

async fn update(call: Call, Json(update): Json<UpdateTeam>) -> Outcome {
    let organization: AccountName = call.named("org")?;
    let change = update.change()?;
    let updated = call
        .registry()
        .update_team(call.caller(), &organization, &call.team()?, &change)
        .await?;
    let status = if updated.is_changed {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Answer::json(status, &TeamFull::new(&updated.team, &call.urls()))
}

async fn delete(call: Call) -> Outcome {
    let organization: AccountName = call.named("org")?;
    call.registry()
        .delete_team(call.caller(), &organization, &call.team()?)
        .await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

/// Which members are asked for.
#[derive(Debug, Deserialize, IntoParams)]
struct ListTeamMembers {
    /// `all`, `member` or `maintainer`.
    role: Option<String>,
}

async fn list_members(
    call: Call,
    Query(wanted): Query<ListTeamMembers>,
    Query(paging): Query<Paging>,
) -> Outcome {
    let organization: AccountName = call.named("org")?;
    let role = match wanted.role.as_deref() {
        None | Some("all" | "") => None,
        Some(word) => Some(team_role(word)?),
    };
    let page = paging.wanted()?;
    let slug = call.team()?;
    let found = call
        .registry()
        .list_team_members_page(call.caller(), &organization, &slug, role, page.counted())
        .await?;
    let urls = call.urls();
    let views: Vec<TeamMember> = found
        .items
        .iter()
        .map(|member| TeamMember::new(member, &urls))
        .collect();
    let link = page.counted_link(&call, &found);
    Ok(call.ok(&views)?.linked(link))
}

fn team_role(word: &str) -> Result<TeamRole, Failure> {
    word.parse().map_err(|error| invalid("role", error))
}

async fn membership(call: Call) -> Outcome {
    let organization: AccountName = call.named("org")?;
    let (slug, user): (_, AccountName) = (call.team()?, call.named("username")?);
    let found = call
        .registry()
        .team_membership(call.caller(), &organization, &slug, &user)
        .await?;
    let login = &found.user.login;
    let urls = call.urls();
    let view = TeamMembershipView::new(&organization, &slug, login, found.role, &urls);
    call.ok(&view)
}

/// What somebody is to be in a team.
#[derive(Debug, Deserialize, ToSchema)]
struct SetTeamMembership {
    /// `member`, which is meant if nothing is said, or `maintainer`.
    role: Option<String>,
}

async fn set_member(call: Call, Json(wish): Json<SetTeamMembership>) -> Outcome {
    let organization: AccountName = call.named("org")?;
    let (slug, user): (_, AccountName) = (call.team()?, call.named("username")?);
    let role = team_role(wish.role.as_deref().unwrap_or("member"))?;
    call.registry()
        .set_team_member(call.caller(), &organization, &slug, &user, role)
        .await?;
    let urls = call.urls();
    call.ok(&TeamMembershipView::new(
        &organization,
        &slug,
        &user,
        role,
        &urls,
    ))
}

async fn remove_member(call: Call) -> Outcome {
    let organization: AccountName = call.named("org")?;
    let (slug, user): (_, AccountName) = (call.team()?, call.named("username")?);
    call.registry()
        .remove_team_member(call.caller(), &organization, &slug, &user)
        .await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}
