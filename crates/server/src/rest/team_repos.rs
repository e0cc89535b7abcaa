//! What teams may do in source repositories.

use http::StatusCode;
use naru_model::{AccountName, Scope};
use serde::Deserialize;
use utoipa::ToSchema;

use super::call::Call;
use super::finish::{Answer, Outcome};
use super::input::{Json, Query};
use super::operation::Operations;
use super::paging::Paging;
use super::teams::role;
use super::views::RepositoryView;

/// The operations of teams' repositories.
pub(super) fn routes(operations: &mut Operations) {
    operations
        .get("/orgs/{org}/teams/{team_slug}/repos", list_repositories)
        .id("teams/list-repos-in-org")
        .summary("List team repositories")
        .needs(&[Scope::ReadOrg], "list team repositories")
        .query::<Paging>()
        .lists::<RepositoryView>("The repositories that the caller may see, with the team's role")
        .refuses(&[400, 401, 403, 404]);
    operations
        .get(
            "/orgs/{org}/teams/{team_slug}/repos/{owner}/{repo}",
            check_repository,
        )
        .id("teams/check-permissions-for-repo-in-org")
        .summary("Check team permissions for a repository")
        .description(
            "With `Accept: application/vnd.github.v3.repository+json` the repository is told, with \
             the team's role.",
        )
        .needs(&[Scope::ReadOrg], "check team permissions")
        .answers::<RepositoryView>(200, "The repository with the team's role")
        .ends(204, "The team has a role in it")
        .refuses(&[401, 403, 404]);
    operations
        .put(
            "/orgs/{org}/teams/{team_slug}/repos/{owner}/{repo}",
            set_repository,
        )
        .id("teams/add-or-update-repo-permissions-in-org")
        .summary("Add or update team repository permissions")
        .description("For who administers the repository and may see the team.")
        .needs(&[Scope::ReadOrg, Scope::Repo], "set team permissions")
        .body::<SetTeamRepository>()
        .ends(204, "The team has the role")
        .refuses(&[400, 401, 403, 404, 422]);
    operations
        .delete(
            "/orgs/{org}/teams/{team_slug}/repos/{owner}/{repo}",
            remove_repository,
        )
        .id("teams/remove-repo-in-org")
        .summary("Remove a repository from a team")
        .needs(&[Scope::Repo], "remove a repository from a team")
        .ends(204, "The team has no role in it")
        .refuses(&[401, 403, 404]);
}

async fn list_repositories(call: Call, Query(paging): Query<Paging>) -> Outcome {
    let organization: AccountName = call.named("org")?;
    let page = paging.wanted()?;
    let found = call
        .registry()
        .list_team_repositories(call.caller(), &organization, &call.team()?, page.counted())
        .await?;
    let urls = call.urls();
    let views: Vec<RepositoryView> = found
        .items
        .iter()
        .map(|repository| RepositoryView::new(repository, &urls))
        .collect();
    let link = page.counted_link(&call, &found);
    Ok(call.ok(&views)?.linked(link))
}

async fn check_repository(call: Call) -> Outcome {
    let organization: AccountName = call.named("org")?;
    let (slug, path) = (call.team()?, call.repository()?);
    let found = call
        .registry()
        .team_repository(call.caller(), &organization, &slug, &path)
        .await?;
    let accept = call.header("accept").unwrap_or_default();
    if accept.contains("repository+json") {
        return call.ok(&RepositoryView::new(&found, &call.urls()));
    }
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

/// What a team is to be in a repository.
#[derive(Debug, Deserialize, ToSchema)]
struct SetTeamRepository {
    /// `pull`, `triage`, `push`, which is meant if nothing is said, `maintain` or `admin`.
    permission: Option<String>,
}

async fn set_repository(call: Call, Json(wish): Json<SetTeamRepository>) -> Outcome {
    let organization: AccountName = call.named("org")?;
    let (slug, path) = (call.team()?, call.repository()?);
    let role = role(wish.permission.as_deref().unwrap_or("push"))?;
    call.registry()
        .give_team_repository(call.caller(), &organization, &slug, &path, role)
        .await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

async fn remove_repository(call: Call) -> Outcome {
    let organization: AccountName = call.named("org")?;
    let (slug, path) = (call.team()?, call.repository()?);
    call.registry()
        .take_team_repository(call.caller(), &organization, &slug, &path)
        .await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}
