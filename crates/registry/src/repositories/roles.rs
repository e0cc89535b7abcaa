//! Who has an explicit role in a source repository.

use naru_metadata::repositories;
use naru_model::{
    AccountName, EventKind, RepositoryPath, RepositoryPermission, RepositoryRole, Team, TeamSlug,
    User,
};

use super::administer;
use crate::account_access as access;
use crate::accounts::find_user;
use crate::error::{Error, Result};
use crate::{Caller, Registry, teams};

/// Who may do what in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collaborators {
    /// Users with their own roles.
    pub users: Vec<(User, RepositoryRole)>,
    /// Teams, whose members have the role.
    pub teams: Vec<(Team, RepositoryRole)>,
}

impl Registry {
    /// Gives a user a role in a repository; effective at once.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers it; [`Error::AccountUnknown`].
    pub async fn set_collaborator(
        &self,
        caller: &Caller,
        path: &RepositoryPath,
        user: &AccountName,
        role: RepositoryRole,
    ) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let found = administer(&mut tx, caller, path).await?;
        let user = find_user(&mut tx, user).await?;
        let before = repositories::user_role(&mut tx, found.id(), user.id).await?;
        repositories::set_user_role(&mut tx, found.id(), user.id, role, now).await?;
        let kind = match before {
            None => EventKind::RepositoryCollaboratorAdded,
            Some(_) => EventKind::RepositoryCollaboratorUpdated,
        };
        let event = caller
            .event(kind, now)
            .on_account(found.owner())
            .with("repository", path);
        let event = event.with("user", &user.login).with("role", role);
        self.commit_access_change(tx, event).await
    }

    /// Takes a user's role in a repository.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers it; [`Error::NotFound`].
    pub async fn remove_collaborator(
        &self,
        caller: &Caller,
        path: &RepositoryPath,
        user: &AccountName,
    ) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let found = administer(&mut tx, caller, path).await?;
        let user = find_user(&mut tx, user).await?;
        if !repositories::remove_user_role(&mut tx, found.id(), user.id).await? {
            return Err(no_collaborator(&user.login));
        }
        let kind = EventKind::RepositoryCollaboratorRemoved;
        let event = caller
            .event(kind, now)
            .on_account(found.owner())
            .with("repository", path);
        self.commit_access_change(tx, event.with("user", &user.login))
            .await
    }

    /// Gives a team of the owning organization a role in a repository.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers it; [`Error::NotFound`] for the team.
    pub async fn set_repository_team(
        &self,
        caller: &Caller,
        path: &RepositoryPath,
        slug: &TeamSlug,
        role: RepositoryRole,
    ) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let found = administer(&mut tx, caller, path).await?;
        let team = teams::find(&mut tx, caller, found.owner(), slug).await?;
        let before = repositories::team_role(&mut tx, found.id(), team.id).await?;
        repositories::set_team_role(&mut tx, found.id(), team.id, role, now).await?;
        let kind = match before {
            None => EventKind::RepositoryTeamAdded,
            Some(_) => EventKind::RepositoryTeamUpdated,
        };
        let event = caller
            .event(kind, now)
            .on_account(found.owner())
            .with("repository", path);
        self.commit_access_change(tx, event.with("team", slug).with("role", role))
            .await
    }

    /// Takes a team's role in a repository.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers it; [`Error::NotFound`].
    pub async fn remove_repository_team(
        &self,
        caller: &Caller,
        path: &RepositoryPath,
        slug: &TeamSlug,
    ) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let found = administer(&mut tx, caller, path).await?;
        let team = teams::find(&mut tx, caller, found.owner(), slug).await?;
        if !repositories::remove_team_role(&mut tx, found.id(), team.id).await? {
            return Err(Error::NotFound {
                what: "team of the repository",
                name: slug.to_string(),
            });
        }
        let kind = EventKind::RepositoryTeamRemoved;
        let event = caller
            .event(kind, now)
            .on_account(found.owner())
            .with("repository", path);
        self.commit_access_change(tx, event.with("team", slug))
            .await
    }

    /// Who has an explicit role in a repository.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller may write in it.
    pub async fn list_collaborators(
        &self,
        caller: &Caller,
        path: &RepositoryPath,
    ) -> Result<Collaborators> {
        let mut conn = self.db.read().await?;
        let permission = RepositoryPermission::Write;
        let found = access::repository(&mut conn, caller, path, permission).await?;
        Ok(Collaborators {
            users: repositories::users(&mut conn, found.id()).await?,
            teams: repositories::teams(&mut conn, found.id()).await?,
        })
    }
}

fn no_collaborator(login: &AccountName) -> Error {
    Error::NotFound {
        what: "collaborator",
        name: login.to_string(),
    }
}
