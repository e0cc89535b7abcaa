//! Everybody who has a role in a source repository, wherever it comes from, and giving up one's own.

pub use naru_metadata::collaborators::{Affiliation, Collaborator, CollaboratorFilter};
use naru_metadata::{Cursor, Page, collaborators, repositories, team_trees};
use naru_model::{
    AccountName, EventKind, RepositoryPath, RepositoryPermission, RepositoryRole, Team, User,
    Visibility,
};

use crate::account_access as access;
use crate::accounts::find_user;
use crate::error::{Error, Result};
use crate::team_trees::{ListedTeam, listed};
use crate::{Caller, Registry};

/// What a user may do in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollaboratorLevel {
    /// Who.
    pub user: User,
    /// The best of their roles, or what everybody has; none at all otherwise.
    pub role: Option<RepositoryRole>,
}

impl Registry {
    /// Who has a role in a repository, oldest account first.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller may write in it.
    pub async fn list_collaborators_page(
        &self,
        caller: &Caller,
        path: &RepositoryPath,
        filter: CollaboratorFilter,
        cursor: Cursor,
    ) -> Result<Page<Collaborator>> {
        let mut conn = self.db.read().await?;
        let permission = RepositoryPermission::Write;
        let found = access::repository(&mut conn, caller, path, permission).await?;
        Ok(collaborators::page(&mut conn, found.id(), filter, cursor).await?)
    }

    /// Whether a user has a role in a repository.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller may write in it; [`Error::AccountUnknown`].
    pub async fn is_collaborator(
        &self,
        caller: &Caller,
        path: &RepositoryPath,
        user: &AccountName,
    ) -> Result<bool> {
        let mut conn = self.db.read().await?;
        let permission = RepositoryPermission::Write;
        let found = access::repository(&mut conn, caller, path, permission).await?;
        let user = find_user(&mut conn, user).await?;
        let found = collaborators::find(&mut conn, found.id(), user.id).await?;
        Ok(found.is_some())
    }

    /// What a user may do in a repository.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller may write in it; [`Error::AccountUnknown`].
    pub async fn collaborator_level(
        &self,
        caller: &Caller,
        path: &RepositoryPath,
        user: &AccountName,
    ) -> Result<CollaboratorLevel> {
        let mut conn = self.db.read().await?;
        let permission = RepositoryPermission::Write;
        let found = access::repository(&mut conn, caller, path, permission).await?;
        let user = find_user(&mut conn, user).await?;
        let own = collaborators::find(&mut conn, found.id(), user.id).await?;
        let record = repositories::find_by_id(&mut conn, found.id()).await?;
        let is_private = record.is_none_or(|record| record.visibility == Visibility::Private);
        let everybody = (!is_private).then_some(RepositoryRole::Read);
        Ok(CollaboratorLevel {
            role: own.map(|own| own.role).or(everybody),
            user,
        })
    }

    /// Takes a user's own role in a repository: anybody's by who administers it, one's own by
    /// oneself.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::AccountUnknown`]; [`Error::NotFound`] where there is none.
    pub async fn end_collaboration(
        &self,
        caller: &Caller,
        path: &RepositoryPath,
        login: &AccountName,
    ) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        // Who may not know of the repository does not hear first whether there is the user.
        let user = match find_user(&mut tx, login).await {
            found @ (Ok(_) | Err(Error::AccountUnknown(_) | Error::NotFound { .. })) => found,
            Err(error) => return Err(error),
        };
        let is_own = user
            .as_ref()
            .is_ok_and(|user| Some(user.id) == caller.principal.user());
        let permission = if is_own {
            RepositoryPermission::Leave
        } else {
            RepositoryPermission::Administer
        };
        let found = access::repository(&mut tx, caller, path, permission).await?;
        let user = user?;
        if !repositories::remove_user_role(&mut tx, found.id(), user.id).await? {
            return Err(Error::NotFound {
                what: "collaborator",
                name: login.to_string(),
            });
        }
        let event = caller
            .event(EventKind::RepositoryCollaboratorRemoved, now)
            .on_account(found.owner())
            .with("repository", path);
        self.commit_access_change(tx, event.with("user", &user.login))
            .await
    }

    /// The teams with a role in a repository that the caller may see, in the order of their slugs.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller may write in it.
    pub async fn list_repository_teams(
        &self,
        caller: &Caller,
        path: &RepositoryPath,
        cursor: Cursor,
    ) -> Result<Page<(ListedTeam, RepositoryRole)>> {
        let mut conn = self.db.read().await?;
        let permission = RepositoryPermission::Write;
        let found = access::repository(&mut conn, caller, path, permission).await?;
        let (principal, repository) = (&caller.principal, found.id());
        let page = team_trees::of_repository(&mut conn, repository, principal, cursor).await?;
        let roles: Vec<RepositoryRole> = page.items.iter().map(|(_, role)| *role).collect();
        let teams = page.map(|(team, _): (Team, RepositoryRole)| team);
        let teams = listed(&mut conn, teams).await?;
        Ok(Page {
            items: teams.items.into_iter().zip(roles).collect(),
            next: teams.next,
        })
    }
}
