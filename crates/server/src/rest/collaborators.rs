//! Who works in a source repository. Roles are effective at once: there is nothing to accept.

use http::StatusCode;
use naru_model::{AccountName, RepositoryRole, Scope};
use naru_registry::collaborators::{Affiliation, CollaboratorFilter};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::call::Call;
use super::error::Failure;
use super::finish::{Answer, Outcome};
use super::input::{Json, Query};
use super::operation::Operations;
use super::paging::Paging;
use super::repos::found;
use super::views::{CollaboratorPermission, CollaboratorView, TeamView};

const SCOPES: &[Scope] = &[Scope::Repo, Scope::PublicRepo];

/// The operations of collaborators.
pub(super) fn routes(operations: &mut Operations) {
    operations
        .get("/repos/{owner}/{repo}/collaborators", list)
        .id("repos/list-collaborators")
        .summary("List repository collaborators")
        .description("For who may write in the repository.")
        .needs(SCOPES, "list collaborators")
        .query::<ListCollaborators>()
        .query::<Paging>()
        .lists::<CollaboratorView>("Everybody with a role, oldest account first")
        .refuses(&[301, 400, 401, 403, 404, 422]);
    operations
        .get("/repos/{owner}/{repo}/collaborators/{username}", check)
        .id("repos/check-collaborator")
        .summary("Check if a user is a repository collaborator")
        .needs(SCOPES, "check a collaborator")
        .ends(204, "They have a role in it")
        .refuses(&[301, 401, 403, 404]);
    operations
        .put("/repos/{owner}/{repo}/collaborators/{username}", set)
        .id("repos/add-collaborator")
        .summary("Add a repository collaborator")
        .description("Effective at once: there is no invitation to accept.")
        .needs(SCOPES, "add a collaborator")
        .body::<SetCollaborator>()
        .ends(204, "They have the role")
        .refuses(&[307, 400, 401, 403, 404, 422]);
    operations
        .delete("/repos/{owner}/{repo}/collaborators/{username}", remove)
        .id("repos/remove-collaborator")
        .summary("Remove a repository collaborator")
        .description("For administrators of the repository; everybody may remove themselves.")
        .needs(SCOPES, "remove a collaborator")
        .ends(204, "They have no role of their own in it")
        .refuses(&[307, 401, 403, 404]);
    operations
        .get(
            "/repos/{owner}/{repo}/collaborators/{username}/permission",
            permission,
        )
        .id("repos/get-collaborator-permission-level")
        .summary("Get repository permissions for a user")
        .needs(SCOPES, "get a collaborator's permission")
        .answers::<CollaboratorPermission>(200, "What they may do in it")
        .refuses(&[301, 401, 403, 404]);
    operations
        .get("/repos/{owner}/{repo}/teams", teams)
        .id("repos/list-teams")
        .summary("List repository teams")
        .needs(SCOPES, "list repository teams")
        .query::<Paging>()
        .lists::<TeamView>("The teams with a role in it, in the order of their slugs")
        .refuses(&[301, 400, 401, 403, 404]);
}

/// Which collaborators are asked for.
#[derive(Debug, Deserialize, IntoParams)]
struct ListCollaborators {
    /// `all`, `direct` for roles given in person, or `outside` for who is not in the organization.
    affiliation: Option<String>,
    /// Only with at least this: `pull`, `triage`, `push`, `maintain` or `admin`.
    permission: Option<String>,
}

impl ListCollaborators {
    fn filter(&self) -> Result<CollaboratorFilter, Failure> {
        let affiliation = match self.affiliation.as_deref() {
            None | Some("" | "all") => Affiliation::All,
            Some("direct") => Affiliation::Direct,
            Some("outside") => Affiliation::Outside,
            Some(_) => return Err(invalid("affiliation", "one of all, direct, outside")),
        };
        let at_least = self.permission.as_deref().filter(|word| !word.is_empty());
        Ok(CollaboratorFilter {
            affiliation,
            at_least: at_least.map(role).transpose()?,
        })
    }
}

fn invalid(field: &str, message: impl std::fmt::Display) -> Failure {
    Failure::invalid("Collaborator", field, message)
}

fn role(word: &str) -> Result<RepositoryRole, Failure> {
    RepositoryRole::from_rest_word(word).map_err(|error| invalid("permission", error))
}

async fn list(
    call: Call,
    Query(wanted): Query<ListCollaborators>,
    Query(paging): Query<Paging>,
) -> Outcome {
    let path = call.repository()?;
    let (filter, page) = (wanted.filter()?, paging.wanted()?);
    let (registry, caller) = (call.registry(), call.caller());
    let listed = registry.list_collaborators_page(caller, &path, filter, page.counted());
    let listed = found(&call, &path, listed).await?;
    let urls = call.urls();
    let views: Vec<CollaboratorView> = listed
        .items
        .iter()
        .map(|collaborator| CollaboratorView::new(collaborator, &urls))
        .collect();
    let link = page.counted_link(&call, &listed);
    Ok(call.ok(&views)?.linked(link))
}

async fn check(call: Call) -> Outcome {
    let path = call.repository()?;
    let user: AccountName = call.named("username")?;
    let (registry, caller) = (call.registry(), call.caller());
    let is_one = registry.is_collaborator(caller, &path, &user);
    if found(&call, &path, is_one).await? {
        return Ok(Answer::empty(StatusCode::NO_CONTENT));
    }
    Err(Failure::NOT_FOUND)
}

/// What somebody is to be in a repository.
#[derive(Debug, Deserialize, ToSchema)]
struct SetCollaborator {
    /// `pull`, `triage`, `push`, which is meant if nothing is said, `maintain` or `admin`.
    permission: Option<String>,
}

async fn set(call: Call, Json(wish): Json<SetCollaborator>) -> Outcome {
    let path = call.repository()?;
    let user: AccountName = call.named("username")?;
    let role = role(wish.permission.as_deref().unwrap_or("push"))?;
    if user == path.owner {
        return Err(invalid(
            "username",
            "Repository owner cannot be a collaborator",
        ));
    }
    let (registry, caller) = (call.registry(), call.caller());
    let given = registry.set_collaborator(caller, &path, &user, role);
    found(&call, &path, given).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

async fn remove(call: Call) -> Outcome {
    let path = call.repository()?;
    let user: AccountName = call.named("username")?;
    let (registry, caller) = (call.registry(), call.caller());
    let removed = registry.end_collaboration(caller, &path, &user);
    found(&call, &path, removed).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

async fn permission(call: Call) -> Outcome {
    let path = call.repository()?;
    let user: AccountName = call.named("username")?;
    let (registry, caller) = (call.registry(), call.caller());
    let level = registry.collaborator_level(caller, &path, &user);
    let level = found(&call, &path, level).await?;
    call.ok(&CollaboratorPermission::new(&level, &call.urls()))
}

async fn teams(call: Call, Query(paging): Query<Paging>) -> Outcome {
    let path = call.repository()?;
    let page = paging.wanted()?;
    let (registry, caller) = (call.registry(), call.caller());
    let listed = registry.list_repository_teams(caller, &path, page.counted());
    let listed = found(&call, &path, listed).await?;
    let urls = call.urls();
    let views: Vec<TeamView> = listed
        .items
        .iter()
        .map(|(team, role)| TeamView::with_role(team, *role, &urls))
        .collect();
    let link = page.counted_link(&call, &listed);
    Ok(call.ok(&views)?.linked(link))
}
