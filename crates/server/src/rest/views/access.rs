//! Who has which role on a package.

use naru_model::{Account, Repository, RepositoryPath, Role, Team, User};
use naru_registry::packages::PackageAccess;
use serde::Serialize;
use utoipa::ToSchema;

use super::{SimpleUser, Urls};

/// Who has which role on a package, by grants and by inheritance.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = PackageAccess)]
pub(crate) struct PackageAccessView {
    /// Whether explicit roles on the linked repository count as roles on the package.
    inherit_access: bool,
    /// Users with roles of their own.
    users: Vec<UserRole>,
    /// Teams, whose members have the role.
    teams: Vec<TeamRole>,
    /// Repositories, whose workflows have the role.
    repositories: Vec<RepositoryRole>,
    /// How many teams and repositories have a role besides, which the caller may not see.
    hidden_count: usize,
}

/// A user and the role granted to them.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = PackageAccessUser)]
struct UserRole {
    user: SimpleUser,
    /// `read`, `write` or `admin`.
    role: String,
}

/// A team and the role granted to it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = PackageAccessTeam)]
struct TeamRole {
    team: GrantedTeam,
    /// `read`, `write` or `admin`.
    role: String,
}

/// A team in few words.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct GrantedTeam {
    id: i64,
    name: String,
    slug: String,
    url: String,
}

/// A repository and the role granted to its workflows.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = PackageAccessRepository)]
struct RepositoryRole {
    repository: GrantedRepository,
    /// `read`, `write` or `admin`.
    role: String,
}

/// A repository in few words.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct GrantedRepository {
    id: i64,
    name: String,
    full_name: String,
    url: String,
}

impl PackageAccessView {
    /// What was granted on a package of `owner`.
    pub(crate) fn new(access: &PackageAccess, owner: &Account, urls: &Urls) -> Self {
        let grants = &access.grants;
        let user = |(user, role): &(User, Role)| UserRole {
            user: SimpleUser::new(&Account::User(user.clone()), urls),
            role: role.to_string(),
        };
        let team = |(team, role): &(Team, Role)| TeamRole {
            team: GrantedTeam {
                id: team.id.get(),
                name: team.name.clone(),
                slug: team.slug.to_string(),
                url: format!("{}/orgs/{}/teams/{}", urls.api, owner.login(), team.slug),
            },
            role: role.to_string(),
        };
        let repository = |(repository, role): &(Repository, Role)| {
            let path = RepositoryPath {
                owner: owner.login().clone(),
                name: repository.name.clone(),
            };
            RepositoryRole {
                repository: GrantedRepository {
                    id: repository.id.get(),
                    name: repository.name.to_string(),
                    full_name: path.to_string(),
                    url: format!("{}/repos/{path}", urls.api),
                },
                role: role.to_string(),
            }
        };
        Self {
            inherit_access: access.inherit_access,
            users: grants.users.iter().map(user).collect(),
            teams: grants.teams.iter().map(team).collect(),
            repositories: grants.repositories.iter().map(repository).collect(),
            hidden_count: grants.unseen,
        }
    }
}
