//! Who has been granted a role on a package.

use anyhow::Result;
use naru_model::PackagePath;
use naru_registry::packages::GrantTo;

use crate::commands::repo::GrantRow;
use crate::commands::{Grantee, Instance};
use crate::output::Output;

pub(super) fn grant_to(grantee: Grantee) -> GrantTo {
    match grantee {
        Grantee::User(user) => GrantTo::User(user),
        Grantee::Team(team) => GrantTo::Team(team),
    }
}

pub(super) async fn list(instance: &Instance, path: &PackagePath, output: Output) -> Result<()> {
    let Instance {
        registry, caller, ..
    } = instance;
    let grants = registry.list_package_grants(caller, path).await?;
    let users = grants.users.iter();
    let teams = grants.teams.iter();
    let repositories = grants.repositories.iter();
    let rows: Vec<_> =
        users
            .map(|(user, role)| GrantRow::new("user", &user.login, role.as_str()))
            .chain(teams.map(|(team, role)| GrantRow::new("team", &team.slug, role.as_str())))
            .chain(repositories.map(|(repository, role)| {
                GrantRow::new("repository", &repository.name, role.as_str())
            }))
            .collect();
    output.list(&rows)
}
