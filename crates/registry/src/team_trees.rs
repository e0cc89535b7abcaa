//! Teams as their members and maintainers use them: found, changed, put into one another, and what
//! they may do in source repositories.

mod changes;

pub use naru_metadata::team_trees::{Membership as TeamMembership, TeamFigures};
use naru_metadata::{Conn, Cursor, Page, accounts, team_trees, teams};
use naru_model::{
    AccountName, AccountPermission, Organization, Team, TeamId, TeamPermission, TeamRole, TeamSlug,
};

use crate::account_access::{self as access, AuthorizedTeam};
use crate::accounts::find_user;
use crate::error::{Error, Result};
use crate::profiles::{AccountDetails, public_details};
use crate::{Caller, Registry};

pub use changes::{NewTeam, TeamChange, UpdatedTeam};

/// A team with what is shown beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamDetails {
    /// Its record.
    pub team: Team,
    /// The team it is in.
    pub parent: Option<Team>,
    /// The organization it is part of, as everybody sees it.
    pub organization: AccountDetails,
    /// How many members and repositories it has.
    pub figures: TeamFigures,
}

/// A team in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedTeam {
    /// Its record.
    pub team: Team,
    /// The team it is in.
    pub parent: Option<Team>,
    /// The name of its organization.
    pub organization: AccountName,
}

/// A team of the same organization, by number or by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TeamRef {
    /// By number.
    Id(TeamId),
    /// By its name in addresses.
    Slug(TeamSlug),
}

impl Registry {
    /// The teams of an organization that the caller may see, in the order of their slugs.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller is in it.
    pub async fn list_teams_page(
        &self,
        caller: &Caller,
        organization: &AccountName,
        cursor: Cursor,
    ) -> Result<Page<ListedTeam>> {
        let mut conn = self.db.read().await?;
        let permission = AccountPermission::ReadMembers;
        let found = access::organization(&mut conn, caller, organization, permission).await?;
        let page = team_trees::visible(&mut conn, found.id(), &caller.principal, cursor).await?;
        listed(&mut conn, page).await
    }

    /// The teams right below a team that the caller may see, oldest first.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller may see the team.
    pub async fn list_child_teams(
        &self,
        caller: &Caller,
        organization: &AccountName,
        slug: &TeamSlug,
        cursor: Cursor,
    ) -> Result<Page<ListedTeam>> {
        let mut conn = self.db.read().await?;
        let found = read(&mut conn, caller, organization, slug).await?;
        let page = team_trees::children(&mut conn, found.id(), &caller.principal, cursor).await?;
        listed(&mut conn, page).await
    }

    /// The teams that the caller is in, in every organization, oldest first.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub async fn list_my_teams(
        &self,
        caller: &Caller,
        cursor: Cursor,
    ) -> Result<Page<TeamDetails>> {
        let mut conn = self.db.read().await?;
        let user = crate::members::my_memberships(&mut conn, caller).await?;
        let page = team_trees::of_user(&mut conn, user.id, cursor).await?;
        let mut items = Vec::with_capacity(page.items.len());
        for team in page.items {
            items.push(full(&mut conn, team).await?);
        }
        Ok(Page {
            items,
            next: page.next,
        })
    }

    /// A team with what is shown beside it.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller may see it.
    pub async fn team_details(
        &self,
        caller: &Caller,
        organization: &AccountName,
        slug: &TeamSlug,
    ) -> Result<TeamDetails> {
        let mut conn = self.db.read().await?;
        let found = read(&mut conn, caller, organization, slug).await?;
        let team = record(&mut conn, &found, slug).await?;
        full(&mut conn, team).await
    }

    /// Who is in a team or in one below it, oldest account first.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller may see the team.
    pub async fn list_team_members_page(
        &self,
        caller: &Caller,
        organization: &AccountName,
        slug: &TeamSlug,
        role: Option<TeamRole>,
        cursor: Cursor,
    ) -> Result<Page<TeamMembership>> {
        let mut conn = self.db.read().await?;
        let found = read(&mut conn, caller, organization, slug).await?;
        Ok(team_trees::members(&mut conn, found.id(), role, cursor).await?)
    }

    /// What a user is in a team, or through one below it.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller may see the team; [`Error::NotFound`].
    pub async fn team_membership(
        &self,
        caller: &Caller,
        organization: &AccountName,
        slug: &TeamSlug,
        user: &AccountName,
    ) -> Result<TeamMembership> {
        let mut conn = self.db.read().await?;
        let found = read(&mut conn, caller, organization, slug).await?;
        let user = find_user(&mut conn, user).await?;
        let membership = team_trees::member(&mut conn, found.id(), user.id).await?;
        membership.ok_or_else(|| Error::NotFound {
            what: "team member",
            name: user.login.to_string(),
        })
    }
}

/// Asks for seeing a team.
pub(crate) async fn read(
    conn: &mut Conn,
    caller: &Caller,
    organization: &AccountName,
    slug: &TeamSlug,
) -> Result<AuthorizedTeam> {
    access::team(conn, caller, organization, slug, TeamPermission::Read).await
}

/// Asks for managing a team.
pub(crate) async fn manage(
    conn: &mut Conn,
    caller: &Caller,
    organization: &AccountName,
    slug: &TeamSlug,
) -> Result<AuthorizedTeam> {
    let team = access::team(conn, caller, organization, slug, TeamPermission::Manage).await?;
    // Who moves teams at the same time could make a circle of them.
    accounts::lock(conn, team.organization()).await?;
    Ok(team)
}

async fn record(conn: &mut Conn, team: &AuthorizedTeam, slug: &TeamSlug) -> Result<Team> {
    let found = teams::find_by_id(conn, team.id()).await?;
    found.ok_or_else(|| absent(slug))
}

async fn full(conn: &mut Conn, team: Team) -> Result<TeamDetails> {
    let parent = match team.parent {
        Some(parent) => teams::find_by_id(conn, parent).await?,
        None => None,
    };
    let organization = accounts::find_by_id(conn, team.organization).await?;
    let organization = organization.ok_or_else(|| absent(&team.slug))?;
    Ok(TeamDetails {
        figures: team_trees::figures(conn, team.id).await?,
        organization: public_details(conn, organization).await?,
        parent,
        team,
    })
}

/// Teams of one organization as a list shows them.
pub(crate) async fn listed(conn: &mut Conn, page: Page<Team>) -> Result<Page<ListedTeam>> {
    let mut items = Vec::with_capacity(page.items.len());
    let mut organization: Option<Organization> = None;
    for team in page.items {
        if organization.as_ref().map(|known| known.id) != Some(team.organization) {
            organization = accounts::organization(conn, team.organization).await?;
        }
        let parent = match team.parent {
            Some(parent) => teams::find_by_id(conn, parent).await?,
            None => None,
        };
        let Some(known) = &organization else {
            continue;
        };
        items.push(ListedTeam {
            organization: known.login.clone(),
            team,
            parent,
        });
    }
    Ok(Page {
        items,
        next: page.next,
    })
}

/// A team of an organization that a field of a request names.
pub(crate) async fn find_ref(
    conn: &mut Conn,
    organization: naru_model::AccountId,
    field: &'static str,
    team: &TeamRef,
) -> Result<Team> {
    let found = match team {
        TeamRef::Id(id) => teams::find_by_id(conn, *id).await?,
        TeamRef::Slug(slug) => teams::find(conn, organization, slug).await?,
    };
    let found = found.filter(|team| team.organization == organization);
    found.ok_or_else(|| Error::InvalidField {
        field,
        message: "there is no such team in the organization".to_owned(),
    })
}

fn absent(slug: &TeamSlug) -> Error {
    Error::NotFound {
        what: "team",
        name: slug.to_string(),
    }
}
