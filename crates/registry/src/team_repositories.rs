//! What teams may do in source repositories.

use naru_metadata::{Conn, repositories, team_trees};
use naru_model::{
    AccountId, AccountName, EventKind, Moment, RepositoryPath, RepositoryPermission,
    RepositoryRole, TeamId, TeamSlug,
};

use crate::account_access as access;
use crate::error::{Error, Result};
use crate::repository_lists::{RepositoryDetails, details};
use crate::team_trees::{manage, read};
use crate::{Caller, Registry};

impl Registry {
    /// A repository with the role of a team in it, its own or one of a team above it.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller may see both; [`Error::NotFound`] where it has none.
    pub async fn team_repository(
        &self,
        caller: &Caller,
        organization: &AccountName,
        slug: &TeamSlug,
        path: &RepositoryPath,
    ) -> Result<RepositoryDetails> {
        let mut conn = self.db.read().await?;
        let found = read(&mut conn, caller, organization, slug).await?;
        let seen = details(&mut conn, caller, path).await?;
        let repository = seen.repository.id;
        let role = team_trees::repository_role(&mut conn, found.id(), repository).await?;
        if role.is_none() {
            return Err(no_role(slug));
        }
        Ok(RepositoryDetails { role, ..seen })
    }

    /// Gives a team a role in a repository of its organization.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller may see the team and administers the repository;
    /// [`Error::InvalidField`] for a repository of somebody else.
    pub async fn give_team_repository(
        &self,
        caller: &Caller,
        organization: &AccountName,
        slug: &TeamSlug,
        path: &RepositoryPath,
        role: RepositoryRole,
    ) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let found = read(&mut tx, caller, organization, slug).await?;
        give(
            &mut tx,
            caller,
            found.organization(),
            found.id(),
            path,
            role,
            now,
        )
        .await?;
        let event = caller
            .event(EventKind::RepositoryTeamUpdated, now)
            .on_account(found.organization())
            .with("repository", path);
        self.commit_access_change(tx, event.with("team", slug).with("role", role))
            .await
    }

    /// Takes a team's role in a repository: by who administers the repository, or manages the team.
    ///
    /// # Errors
    /// [`Error::Refused`] for everybody else; [`Error::NotFound`] where it has none.
    pub async fn take_team_repository(
        &self,
        caller: &Caller,
        organization: &AccountName,
        slug: &TeamSlug,
        path: &RepositoryPath,
    ) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let team = read(&mut tx, caller, organization, slug).await?;
        let permission = RepositoryPermission::Administer;
        let repository = match access::repository(&mut tx, caller, path, permission).await {
            Ok(repository) => repository,
            Err(Error::Refused(refusal)) => {
                let managed = manage(&mut tx, caller, organization, slug).await;
                managed.map_err(|error| match error {
                    Error::Refused(_) => Error::Refused(refusal),
                    error => error,
                })?;
                access::repository(&mut tx, caller, path, RepositoryPermission::Read).await?
            }
            Err(error) => return Err(error),
        };
        if !repositories::remove_team_role(&mut tx, repository.id(), team.id()).await? {
            return Err(no_role(slug));
        }
        let event = caller
            .event(EventKind::RepositoryTeamRemoved, now)
            .on_account(repository.owner())
            .with("repository", path);
        self.commit_access_change(tx, event.with("team", slug))
            .await
    }
}

/// Gives a team a role in a repository of its organization that the caller administers.
pub(crate) async fn give(
    conn: &mut Conn,
    caller: &Caller,
    organization: AccountId,
    team: TeamId,
    path: &RepositoryPath,
    role: RepositoryRole,
    now: Moment,
) -> Result<()> {
    let permission = RepositoryPermission::Administer;
    let repository = access::repository(conn, caller, path, permission).await?;
    if repository.owner() != organization {
        return Err(Error::InvalidField {
            field: "repository",
            message: format!("{path} is not a repository of the organization"),
        });
    }
    repositories::set_team_role(conn, repository.id(), team, role, now).await?;
    Ok(())
}

fn no_role(slug: &TeamSlug) -> Error {
    Error::NotFound {
        what: "team of the repository",
        name: slug.to_string(),
    }
}
