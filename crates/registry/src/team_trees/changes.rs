//! Making, changing and removing teams.

use naru_metadata::teams::NewTeam as NewTeamRow;
use naru_metadata::{Conn, accounts, team_trees, teams};
use naru_model::{
    AccountName, EventKind, Moment, RepositoryPath, RepositoryRole, Team, TeamId, TeamPrivacy,
    TeamRole, TeamSlug, check_text,
};

use super::{TeamDetails, TeamRef, absent, find_ref, full, manage, record};
use crate::account_access::AuthorizedTeam;
use crate::accounts::find_user;
use crate::error::{Error, Result};
use crate::organizations::administer;
use crate::profiles::invalid;
use crate::team_repositories::give;
use crate::{Caller, Registry};

/// How many teams may be above one another.
const DEEPEST: i64 = 16;
/// The longest name and description, in characters.
const LONGEST: usize = 255;

/// The field that names the team to put a team in.
const PARENT: &str = "parent_team_id";

/// A team about to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTeam {
    /// Its name for people; its slug comes from it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Who sees it. A team in another one is closed.
    pub privacy: Option<TeamPrivacy>,
    /// Whether its members are told when it is mentioned; so if nothing is said.
    pub notifications: Option<bool>,
    /// The team to put it in.
    pub parent: Option<TeamRef>,
    /// Members of the organization who are its maintainers.
    pub maintainers: Vec<AccountName>,
    /// Repositories to give it a role in.
    pub repositories: Vec<RepositoryPath>,
    /// The role in them.
    pub role: Option<RepositoryRole>,
}

/// What is to change of a team.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TeamChange {
    /// Its name for people; its slug follows.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<Option<String>>,
    /// Who sees it.
    pub privacy: Option<TeamPrivacy>,
    /// Whether its members are told when it is mentioned.
    pub notifications: Option<bool>,
    /// The team to put it in; none takes it out.
    pub parent: Option<Option<TeamRef>>,
}

/// What came of changing a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdatedTeam {
    /// As it is now.
    pub team: TeamDetails,
    /// Whether it was otherwise before.
    pub is_changed: bool,
}

impl Registry {
    /// Makes a team.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller owns the organization; [`Error::Exists`];
    /// [`Error::InvalidField`] for a name that leaves no slug, for a parent that is none, and for a
    /// maintainer who is not in the organization.
    pub async fn create_team_from(
        &self,
        caller: &Caller,
        organization: &AccountName,
        new: &NewTeam,
    ) -> Result<TeamDetails> {
        let slug = slug_of(&new.name)?;
        check(Some(&new.name), new.description.as_deref())?;
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let found = administer(&mut tx, caller, organization).await?;
        let parent = match &new.parent {
            Some(parent) => Some(find_ref(&mut tx, found.id(), PARENT, parent).await?),
            None => None,
        };
        let privacy = privacy(new.privacy, parent.is_some())?;
        let row = NewTeamRow {
            organization: found.id(),
            slug: &slug,
            name: new.name.trim(),
            description: given(new.description.as_deref()),
            privacy,
            notifications: new.notifications.unwrap_or(true),
            now,
        };
        let id = teams::create(&mut tx, &row).await?;
        let id = id.ok_or_else(|| taken(&slug))?;
        if let Some(parent) = parent {
            put_into(&mut tx, id, &parent, now).await?;
        }
        for login in &new.maintainers {
            add_maintainer(&mut tx, found.id(), id, login, now).await?;
        }
        for path in &new.repositories {
            let role = new.role.unwrap_or(RepositoryRole::Read);
            give(&mut tx, caller, found.id(), id, path, role, now).await?;
        }
        let event = caller
            .event(EventKind::TeamCreated, now)
            .on_account(found.id())
            .with("team", &slug);
        let team = teams::find_by_id(&mut tx, id).await?;
        let made = full(&mut tx, team.ok_or_else(|| absent(&slug))?).await?;
        self.commit_access_change(tx, event).await?;
        Ok(made)
    }

    /// Changes a team; its slug follows its name.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller maintains it or owns the organization;
    /// [`Error::Exists`]; [`Error::InvalidField`].
    pub async fn update_team(
        &self,
        caller: &Caller,
        organization: &AccountName,
        slug: &TeamSlug,
        change: &TeamChange,
    ) -> Result<UpdatedTeam> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let found = manage(&mut tx, caller, organization, slug).await?;
        let before = record(&mut tx, &found, slug).await?;
        let mut team = before.clone();
        if let Some(name) = &change.name {
            team.slug = slug_of(name)?;
            name.trim().clone_into(&mut team.name);
        }
        if let Some(description) = &change.description {
            team.description = given(description.as_deref()).map(str::to_owned);
        }
        check(Some(&team.name), team.description.as_deref())?;
        team.notifications = change.notifications.unwrap_or(team.notifications);
        if let Some(parent) = &change.parent {
            team.parent = self
                .move_team(&mut tx, caller, organization, &found, parent.as_ref(), now)
                .await?;
        }
        let is_nested = team.parent.is_some() || has_children(&mut tx, team.id).await?;
        let wanted = change.privacy.or((!is_nested).then_some(team.privacy));
        team.privacy = privacy(wanted, is_nested)?;
        if team == before {
            let team = full(&mut tx, team).await?;
            return Ok(UpdatedTeam {
                team,
                is_changed: false,
            });
        }
        let updated = teams::update(&mut tx, &team, now).await;
        updated.map_err(|error| name_taken(error, &team.slug))?;
        let team = record(&mut tx, &found, &team.slug).await?;
        let seen = full(&mut tx, team).await?;
        let event = caller
            .event(EventKind::TeamUpdated, now)
            .on_account(found.organization())
            .with("team", &seen.team.slug);
        self.commit_access_change(tx, event).await?;
        Ok(UpdatedTeam {
            team: seen,
            is_changed: true,
        })
    }

    /// Who is put above whom decides what the lower ones may do, so that it takes whoever may
    /// manage both: what the upper team may do is theirs to give.
    async fn move_team(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        organization: &AccountName,
        team: &AuthorizedTeam,
        parent: Option<&TeamRef>,
        now: Moment,
    ) -> Result<Option<TeamId>> {
        let Some(parent) = parent else {
            team_trees::set_parent(conn, team.id(), None, now).await?;
            return Ok(None);
        };
        let parent = find_ref(conn, team.organization(), PARENT, parent).await?;
        manage(conn, caller, organization, &parent.slug).await?;
        put_into(conn, team.id(), &parent, now).await?;
        Ok(Some(parent.id))
    }

    /// Removes a team with everything that was granted to it, and the teams below it. Those go with
    /// it only where an owner of the organization asks.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller maintains it or owns the organization.
    pub async fn delete_team(
        &self,
        caller: &Caller,
        organization: &AccountName,
        slug: &TeamSlug,
    ) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let found = manage(&mut tx, caller, organization, slug).await?;
        let below = team_trees::below(&mut tx, found.id()).await?;
        if !below.is_empty() {
            administer(&mut tx, caller, organization).await?;
        }
        team_trees::delete_all(&mut tx, found.id(), &below, now).await?;
        let event = caller
            .event(EventKind::TeamDeleted, now)
            .on_account(found.organization());
        self.commit_access_change(tx, event.with("team", slug))
            .await
    }
}

/// Puts a team into another one, if that makes a tree that is not too deep.
async fn put_into(conn: &mut Conn, team: TeamId, parent: &Team, now: Moment) -> Result<()> {
    let below = team_trees::below(conn, team).await?;
    if parent.id == team || below.contains(&parent.id) {
        return Err(no_parent("a team cannot be in itself or in one below it"));
    }
    if parent.privacy == TeamPrivacy::Secret {
        return Err(no_parent("a secret team cannot have teams in it"));
    }
    let above = team_trees::depth(conn, parent.id).await? + 1;
    let height = team_trees::lowest(conn, team).await? - team_trees::depth(conn, team).await?;
    if above + height.max(0) > DEEPEST {
        return Err(no_parent("teams can be in one another 16 times at most"));
    }
    team_trees::set_parent(conn, team, Some(parent.id), now).await?;
    Ok(())
}

async fn has_children(conn: &mut Conn, team: TeamId) -> Result<bool> {
    Ok(!team_trees::below(conn, team).await?.is_empty())
}

/// A team that has a parent or children is closed (GitHub documentation, "About teams").
fn privacy(wanted: Option<TeamPrivacy>, is_nested: bool) -> Result<TeamPrivacy> {
    match (wanted, is_nested) {
        (Some(TeamPrivacy::Secret), true) => Err(Error::InvalidField {
            field: "privacy",
            message: "a team with a parent or children cannot be secret".to_owned(),
        }),
        (Some(wanted), _) => Ok(wanted),
        (None, true) => Ok(TeamPrivacy::Closed),
        (None, false) => Ok(TeamPrivacy::Secret),
    }
}

async fn add_maintainer(
    conn: &mut Conn,
    organization: naru_model::AccountId,
    team: TeamId,
    login: &AccountName,
    now: Moment,
) -> Result<()> {
    let user = find_user(conn, login).await?;
    if accounts::member_role(conn, organization, user.id)
        .await?
        .is_none()
    {
        return Err(Error::InvalidField {
            field: "maintainers",
            message: format!("{login} is not in the organization"),
        });
    }
    teams::set_member(conn, team, user.id, TeamRole::Maintainer, now).await?;
    Ok(())
}

fn slug_of(name: &str) -> Result<TeamSlug> {
    TeamSlug::from_name(name).map_err(|error| Error::InvalidField {
        field: "name",
        message: error.to_string(),
    })
}

fn check(name: Option<&str>, description: Option<&str>) -> Result<()> {
    check_text("name", name, LONGEST).map_err(invalid)?;
    check_text("description", description, LONGEST).map_err(invalid)
}

/// An empty text is none.
fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

fn no_parent(message: &str) -> Error {
    Error::InvalidField {
        field: PARENT,
        message: message.to_owned(),
    }
}

fn taken(slug: &TeamSlug) -> Error {
    Error::Exists {
        what: "team",
        name: slug.to_string(),
    }
}

fn name_taken(error: naru_metadata::Error, slug: &TeamSlug) -> Error {
    match error {
        naru_metadata::Error::Unique { .. } => taken(slug),
        other => other.into(),
    }
}
