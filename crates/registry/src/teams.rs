//! Teams of an organization, and who is in them.

use naru_metadata::teams::{self, NewTeam};
use naru_metadata::{Conn, Cursor, accounts, team_trees};
use naru_model::{
    AccountId, AccountName, AccountPermission, EventKind, Team, TeamPermission, TeamPrivacy,
    TeamRole, TeamSlug, User,
};

use crate::account_access as access;
use crate::accounts::find_user;
use crate::error::{Error, Result};
use crate::organizations::administer;
use crate::team_trees::manage;
use crate::{Caller, Registry, events};

impl Registry {
    /// Makes a team; its slug comes from its name.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller owns the organization; [`Error::Exists`];
    /// [`Error::Invalid`] for a name that leaves no slug.
    pub async fn create_team(
        &self,
        caller: &Caller,
        organization: &AccountName,
        name: &str,
        description: Option<&str>,
    ) -> Result<Team> {
        let slug = TeamSlug::from_name(name).map_err(|error| Error::Invalid(error.to_string()))?;
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let found = administer(&mut tx, caller, organization).await?;
        let new = NewTeam {
            organization: found.id(),
            slug: &slug,
            name,
            description,
            privacy: TeamPrivacy::Closed,
            notifications: true,
            now,
        };
        let Some(team) = teams::create(&mut tx, &new).await? else {
            return Err(Error::Exists {
                what: "team",
                name: slug.to_string(),
            });
        };
        let event = caller
            .event(EventKind::TeamCreated, now)
            .on_account(found.id());
        events::record(&mut tx, event.with("team", &slug)).await?;
        let team = teams::find(&mut tx, found.id(), &slug)
            .await?
            .filter(|row| row.id == team);
        tx.commit().await?;
        team.ok_or_else(|| absent(&slug))
    }

    /// The teams of an organization that the caller may see, in the order of their slugs.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller is in it.
    pub async fn list_teams(
        &self,
        caller: &Caller,
        organization: &AccountName,
    ) -> Result<Vec<Team>> {
        let mut conn = self.db.read().await?;
        let permission = AccountPermission::ReadMembers;
        let found = access::organization(&mut conn, caller, organization, permission).await?;
        let all = Cursor::first(usize::MAX);
        let page = team_trees::visible(&mut conn, found.id(), &caller.principal, all).await?;
        Ok(page.items)
    }

    /// Adds a member of the organization to a team, or changes what they are in it.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller maintains the team or owns the organization;
    /// [`Error::NotFound`]; [`Error::Conflict`] for who is not in the organization.
    pub async fn set_team_member(
        &self,
        caller: &Caller,
        organization: &AccountName,
        slug: &TeamSlug,
        user: &AccountName,
        role: TeamRole,
    ) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let team = manage(&mut tx, caller, organization, slug).await?;
        let user = find_user(&mut tx, user).await?;
        if accounts::member_role(&mut tx, team.organization(), user.id)
            .await?
            .is_none()
        {
            return Err(Error::Conflict(format!(
                "{} is not in {organization}; `naru org member add` comes first",
                user.login
            )));
        }
        let before = teams::member_role(&mut tx, team.id(), user.id).await?;
        if before == Some(role) {
            return Ok(());
        }
        teams::set_member(&mut tx, team.id(), user.id, role, now).await?;
        let kind = match before {
            None => EventKind::TeamMemberAdded,
            Some(_) => EventKind::TeamMemberUpdated,
        };
        let event = caller
            .event(kind, now)
            .on_account(team.organization())
            .with("team", slug);
        self.commit_access_change(tx, event.with("user", &user.login).with("role", role))
            .await
    }

    /// Removes somebody from a team.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller maintains the team or owns the organization;
    /// [`Error::NotFound`].
    pub async fn remove_team_member(
        &self,
        caller: &Caller,
        organization: &AccountName,
        slug: &TeamSlug,
        user: &AccountName,
    ) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let team = manage(&mut tx, caller, organization, slug).await?;
        let user = find_user(&mut tx, user).await?;
        if !teams::remove_member(&mut tx, team.id(), user.id).await? {
            return Err(Error::NotFound {
                what: "team member",
                name: user.login.to_string(),
            });
        }
        let event = caller
            .event(EventKind::TeamMemberRemoved, now)
            .on_account(team.organization());
        self.commit_access_change(tx, event.with("team", slug).with("user", &user.login))
            .await
    }

    /// Who is in a team itself, in the order of their names.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller may see the team.
    pub async fn list_team_members(
        &self,
        caller: &Caller,
        organization: &AccountName,
        slug: &TeamSlug,
    ) -> Result<Vec<(User, TeamRole)>> {
        let mut conn = self.db.read().await?;
        let permission = TeamPermission::Read;
        let team = access::team(&mut conn, caller, organization, slug, permission).await?;
        Ok(teams::members(&mut conn, team.id()).await?)
    }
}

/// The team of this slug, if the caller may see it: to name it takes no scope of its own.
///
/// # Errors
/// [`Error::NotFound`], the same for one that is not there and for one that is hidden.
pub(crate) async fn find(
    conn: &mut Conn,
    caller: &Caller,
    organization: AccountId,
    slug: &TeamSlug,
) -> Result<Team> {
    let found = teams::find(conn, organization, slug).await?;
    let team = found.ok_or_else(|| absent(slug))?;
    let seen = team_trees::among(conn, &caller.principal, &[team.id]).await?;
    if seen.is_empty() {
        return Err(absent(slug));
    }
    Ok(team)
}

fn absent(slug: &TeamSlug) -> Error {
    Error::NotFound {
        what: "team",
        name: slug.to_string(),
    }
}
