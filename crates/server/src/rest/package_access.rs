//! Who has which role on a package. Naru's own operations (`EXTENSIONS`, `P/access`).

use http::StatusCode;
use naru_model::{RepositoryPath, Role, Scope};
use naru_registry::packages::GrantTo;
use serde::Deserialize;
use utoipa::ToSchema;

use super::call::Call;
use super::error::Failure;
use super::finish::{Answer, Outcome};
use super::input::{Json, NoQuery, field};
use super::operation::Operations;
use super::owners::for_owners;
use super::views::PackageAccessView;

const SCOPES: &[Scope] = &[Scope::WritePackages, Scope::DeletePackages];

/// The operations of access.
pub(super) fn routes(operations: &mut Operations) {
    for (path, id) in for_owners!(
        "/packages/{package_type}/{package_name}/access",
        "packages/get-access"
    ) {
        operations
            .get(path, get)
            .own(id)
            .summary("List who has been granted a role on a package")
            .description(
                "Owners of the namespace administer its packages without being listed; roles \
                 inherited from the linked repository are its own. Teams and repositories that \
                 the caller may not see are counted and not named.",
            )
            .needs(SCOPES, "get a package's access")
            .answers::<PackageAccessView>(200, "The roles")
            .refuses(&[401, 403, 404]);
    }
    for (path, id) in granting() {
        operations
            .put(path, put)
            .own(id)
            .summary("Grant a role on a package")
            .description(
                "Effective at once; there is no invitation to accept. Private and internal \
                 packages of an organization take its members, teams and repositories only.",
            )
            .needs(SCOPES, "grant access to a package")
            .body::<GrantBody>()
            .ends(204, "They have the role, in place of the one they had")
            .refuses(&[400, 401, 403, 404, 422]);
    }
    for (path, id) in revoking() {
        operations
            .delete(path, delete)
            .own(id)
            .summary("Take a granted role on a package away")
            .needs(SCOPES, "remove access to a package")
            .ends(204, "They have no granted role any more")
            .refuses(&[401, 403, 404, 422]);
    }
}

type Named = (&'static str, &'static str);

fn granting() -> impl Iterator<Item = Named> {
    let users = for_owners!(
        "/packages/{package_type}/{package_name}/access/users/{login}",
        "packages/set-access-of-user"
    );
    let teams = for_owners!(
        "/packages/{package_type}/{package_name}/access/teams/{team_slug}",
        "packages/set-access-of-team"
    );
    let repositories = for_owners!(
        "/packages/{package_type}/{package_name}/access/repositories/{owner}/{repo}",
        "packages/set-access-of-repository"
    );
    users.into_iter().chain(teams).chain(repositories)
}

fn revoking() -> impl Iterator<Item = Named> {
    let users = for_owners!(
        "/packages/{package_type}/{package_name}/access/users/{login}",
        "packages/remove-access-of-user"
    );
    let teams = for_owners!(
        "/packages/{package_type}/{package_name}/access/teams/{team_slug}",
        "packages/remove-access-of-team"
    );
    let repositories = for_owners!(
        "/packages/{package_type}/{package_name}/access/repositories/{owner}/{repo}",
        "packages/remove-access-of-repository"
    );
    users.into_iter().chain(teams).chain(repositories)
}

/// Which role is granted.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PackageGrant)]
struct GrantBody {
    /// `read`, `write` or `admin`.
    role: Option<String>,
}

impl GrantBody {
    fn role(&self) -> Result<Role, Failure> {
        let word = self.role.as_deref();
        let missing = || Failure::missing("PackageAccess", "role");
        field("PackageAccess", "role", word.ok_or_else(missing)?)
    }
}

/// Whom the path names.
fn grantee(call: &Call) -> Result<GrantTo, Failure> {
    if call.text("login").is_ok() {
        return Ok(GrantTo::User(call.part("login")?));
    }
    if call.text("team_slug").is_ok() {
        return Ok(GrantTo::Team(call.part("team_slug")?));
    }
    Ok(GrantTo::Repository(RepositoryPath {
        owner: call.part("owner")?,
        name: call.part("repo")?,
    }))
}

async fn get(call: Call) -> Outcome {
    let owner = call.owner().await?;
    let path = call.package(&owner)?;
    let found = call.registry().package_access(call.caller(), &path).await?;
    call.ok(&PackageAccessView::new(&found, &owner.0, &call.urls()))
}

async fn put(call: Call, Json(body): Json<GrantBody>) -> Outcome {
    let owner = call.owner().await?;
    let path = call.package(&owner)?;
    let (to, role) = (grantee(&call)?, body.role()?);
    call.registry()
        .grant_package(call.caller(), &path, &to, role)
        .await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

async fn delete(call: Call) -> Outcome {
    let owner = call.owner().await?;
    let path = call.package(&owner)?;
    let from = grantee(&call)?;
    let NoQuery {} = call.strict_query()?;
    call.registry()
        .revoke_package_grant(call.caller(), &path, &from)
        .await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}
