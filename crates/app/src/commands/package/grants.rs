//! Who has been granted a role on a package.

use anyhow::{Result, anyhow};
use clap::Args;
use naru_model::{AccountName, PackagePath, RepositoryPath, Role, TeamSlug};
use naru_registry::packages::GrantTo;

use crate::commands::Instance;
use crate::commands::repo::GrantRow;
use crate::output::Output;

/// Whom a role on a package is for.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct GrantArgs {
    /// A user
    #[arg(long, value_name = "USER")]
    user: Option<AccountName>,
    /// A team of the organization that owns it
    #[arg(long, value_name = "TEAM")]
    team: Option<TeamSlug>,
    /// A source repository of the owner, whose workflows are meant
    #[arg(long, value_name = "OWNER/NAME")]
    repository: Option<RepositoryPath>,
}

impl GrantArgs {
    pub(super) fn grant_to(self) -> Result<GrantTo> {
        let user = self.user.map(GrantTo::User);
        let team = || self.team.map(GrantTo::Team);
        let given = user.or_else(team);
        let given = given.or(self.repository.map(GrantTo::Repository));
        given.ok_or_else(|| {
            anyhow!("say whom it is for: `--user USER`, `--team TEAM` or `--repository OWNER/NAME`")
        })
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

/// Grants a role.
pub(super) async fn give(
    instance: &Instance,
    path: &PackagePath,
    to: &GrantTo,
    role: Role,
    output: Output,
) -> Result<()> {
    let (registry, caller) = (&instance.registry, &instance.caller);
    registry.grant_package(caller, path, to, role).await?;
    output.say(format_args!("{to} has the role {role} on {path}"));
    Ok(())
}

/// Takes a granted role away.
pub(super) async fn take(
    instance: &Instance,
    path: &PackagePath,
    from: &GrantTo,
    output: Output,
) -> Result<()> {
    let (registry, caller) = (&instance.registry, &instance.caller);
    registry.revoke_package_grant(caller, path, from).await?;
    output.say(format_args!(
        "{from} has no granted role on {path} any more"
    ));
    Ok(())
}
