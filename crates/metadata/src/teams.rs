//! Teams of an organization, and who is in them.

use naru_model::{AccountId, Moment, Team, TeamId, TeamPrivacy, TeamRole, TeamSlug, User};

use crate::accounts::{RoleOf, account_columns};
use crate::db::{Conn, FromRow, Row, statements};
use crate::error::Result;
use crate::team_trees;

/// What [`Team`] is read from.
macro_rules! team_columns {
    () => {
        "t.id, t.organization_id, t.slug, t.name, t.description, t.privacy, t.notifications, \
         t.parent_id, t.created_at, t.updated_at"
    };
}

pub(crate) use team_columns;

/// Whether a user is in a team or in one below it: then they have what was granted to it.
macro_rules! in_team {
    ($team:literal, $user:literal) => {
        concat!(
            "(EXISTS (SELECT 1 FROM team_members tm WHERE tm.team_id = ",
            $team,
            " AND tm.user_id = ",
            $user,
            ") OR EXISTS (SELECT 1 FROM team_ancestors ta
                JOIN team_members tm ON tm.team_id = ta.team_id AND tm.user_id = ",
            $user,
            " WHERE ta.ancestor_id = ",
            $team,
            "))"
        )
    };
}

pub(crate) use in_team;

impl FromRow for Team {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            organization: row.get("organization_id")?,
            slug: row.word("slug")?,
            name: row.get("name")?,
            description: row.get("description")?,
            privacy: row.word("privacy")?,
            notifications: row.get("notifications")?,
            parent: row.get("parent_id")?,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
        })
    }
}

/// A team about to be made.
#[derive(Clone, Debug)]
pub struct NewTeam<'a> {
    /// The organization it is part of.
    pub organization: AccountId,
    /// Its name in addresses, unique in the organization.
    pub slug: &'a TeamSlug,
    /// Its name for people.
    pub name: &'a str,
    /// What it is for.
    pub description: Option<&'a str>,
    /// Who sees it.
    pub privacy: TeamPrivacy,
    /// Whether its members are told when it is mentioned.
    pub notifications: bool,
    /// When.
    pub now: Moment,
}

statements! {
    CREATE = "INSERT INTO teams
            (organization_id, slug, name, description, privacy, notifications, created_at,
            updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
        ON CONFLICT (organization_id, slug) DO NOTHING
        RETURNING id";
    FIND = concat!("SELECT ", team_columns!(), " FROM teams t
        WHERE t.organization_id = $1 AND t.slug = $2");
    LIST = concat!("SELECT ", team_columns!(), " FROM teams t
        WHERE t.organization_id = $1 ORDER BY t.slug");
    FIND_BY_ID = concat!("SELECT ", team_columns!(), " FROM teams t WHERE t.id = $1");
    UPDATE = "UPDATE teams SET slug = $2, name = $3, description = $4, privacy = $5,
            notifications = $6, updated_at = $7
        WHERE id = $1";
    DROP_MEMBERS = "DELETE FROM team_members WHERE team_id = $1";
    DROP_PACKAGES = "DELETE FROM package_teams WHERE team_id = $1";
    DROP_REPOSITORIES = "DELETE FROM repository_teams WHERE team_id = $1";
    DROP_TAG_RULES = "DELETE FROM tag_rule_teams WHERE team_id = $1";
    DROP = "DELETE FROM teams WHERE id = $1";
    MEMBER_ROLE = "SELECT role FROM team_members WHERE team_id = $1 AND user_id = $2";
    PUT_MEMBER = "INSERT INTO team_members (team_id, user_id, role, created_at)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (team_id, user_id) DO UPDATE SET role = excluded.role";
    REMOVE_MEMBER = "DELETE FROM team_members WHERE team_id = $1 AND user_id = $2";
    REMOVE_FROM_ALL = "DELETE FROM team_members
        WHERE user_id = $2 AND team_id IN (SELECT id FROM teams WHERE organization_id = $1)";
    MEMBERS = concat!("SELECT ", account_columns!(), ", m.role
        FROM team_members m JOIN accounts a ON a.id = m.user_id
        WHERE m.team_id = $1 AND a.deleted_at IS NULL
        ORDER BY a.login_key");
}

/// Makes a team. `None` when the organization has one of this slug.
///
/// # Errors
/// [`Error::ForeignKey`](crate::Error::ForeignKey) when there is no such organization.
pub async fn create(conn: &mut Conn, new: &NewTeam<'_>) -> Result<Option<TeamId>> {
    let args = [
        new.organization.into(),
        new.slug.as_str().into(),
        new.name.into(),
        new.description.into(),
        new.privacy.as_str().into(),
        new.notifications.into(),
        new.now.into(),
    ];
    conn.optional(CREATE, &args).await
}

/// The team of this slug.
///
/// # Errors
/// Those of the database.
pub async fn find(
    conn: &mut Conn,
    organization: AccountId,
    slug: &TeamSlug,
) -> Result<Option<Team>> {
    conn.optional(FIND, &[organization.into(), slug.as_str().into()])
        .await
}

/// The teams of an organization in the order of their slugs.
///
/// # Errors
/// Those of the database.
pub async fn of_organization(conn: &mut Conn, organization: AccountId) -> Result<Vec<Team>> {
    conn.all(LIST, &[organization.into()]).await
}

/// The team with this number.
///
/// # Errors
/// Those of the database.
pub async fn find_by_id(conn: &mut Conn, team: TeamId) -> Result<Option<Team>> {
    conn.optional(FIND_BY_ID, &[team.into()]).await
}

/// Writes what a team is called, what it is for and who sees it; its parent is set by
/// [`team_trees::set_parent`].
///
/// # Errors
/// [`Error::Unique`](crate::Error::Unique) when the organization has another of this slug.
pub async fn update(conn: &mut Conn, team: &Team, now: Moment) -> Result<()> {
    let args = [
        team.id.into(),
        team.slug.as_str().into(),
        team.name.as_str().into(),
        team.description.as_deref().into(),
        team.privacy.as_str().into(),
        team.notifications.into(),
        now.into(),
    ];
    conn.execute(UPDATE, &args).await?;
    Ok(())
}

/// Removes a team with its memberships and everything that was granted to it. Teams below it must
/// have gone before.
///
/// # Errors
/// [`Error::ForeignKey`](crate::Error::ForeignKey) while there are teams below it.
pub async fn delete(conn: &mut Conn, team: TeamId) -> Result<()> {
    team_trees::detach(conn, team).await?;
    for statement in [
        DROP_MEMBERS,
        DROP_PACKAGES,
        DROP_REPOSITORIES,
        DROP_TAG_RULES,
        DROP,
    ] {
        conn.execute(statement, &[team.into()]).await?;
    }
    Ok(())
}

/// What a user is in a team.
///
/// # Errors
/// Those of the database.
pub async fn member_role(
    conn: &mut Conn,
    team: TeamId,
    user: AccountId,
) -> Result<Option<TeamRole>> {
    let found: Option<RoleOf<_>> = conn
        .optional(MEMBER_ROLE, &[team.into(), user.into()])
        .await?;
    Ok(found.map(|RoleOf(role)| role))
}

/// Adds a user to a team, or changes what they are in it.
///
/// # Errors
/// [`Error::ForeignKey`](crate::Error::ForeignKey) when there is no such user or team.
pub async fn set_member(
    conn: &mut Conn,
    team: TeamId,
    user: AccountId,
    role: TeamRole,
    now: Moment,
) -> Result<()> {
    let args = [team.into(), user.into(), role.as_str().into(), now.into()];
    conn.execute(PUT_MEMBER, &args).await?;
    Ok(())
}

/// Removes a user from a team. Returns whether they were in it.
///
/// # Errors
/// Those of the database.
pub async fn remove_member(conn: &mut Conn, team: TeamId, user: AccountId) -> Result<bool> {
    Ok(conn
        .execute(REMOVE_MEMBER, &[team.into(), user.into()])
        .await?
        > 0)
}

/// Removes a user from every team of an organization, as leaving it does.
///
/// # Errors
/// Those of the database.
pub async fn remove_from_all(
    conn: &mut Conn,
    organization: AccountId,
    user: AccountId,
) -> Result<()> {
    conn.execute(REMOVE_FROM_ALL, &[organization.into(), user.into()])
        .await?;
    Ok(())
}

/// Who is in a team and as what, in the order of their names.
///
/// # Errors
/// Those of the database.
pub async fn members(conn: &mut Conn, team: TeamId) -> Result<Vec<(User, TeamRole)>> {
    conn.all(MEMBERS, &[team.into()]).await
}
