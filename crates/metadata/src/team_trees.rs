//! Teams inside teams. Whoever is in a team is in every team above it too: the rows of
//! `team_ancestors` say so, so that no decision has to climb.

use naru_model::{
    AccountId, Moment, Principal, RepositoryId, RepositoryRole, Team, TeamId, TeamRole, User,
};

use crate::accounts::account_columns;
use crate::db::{Conn, FromRow, Row, statements};
use crate::error::Result;
use crate::grants::rank;
use crate::page::{Cursor, Page};
use crate::teams::{self, in_team, team_columns};

/// Somebody in a team or in one below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Who.
    pub user: User,
    /// What they are in the team itself; members of teams below it are members.
    pub role: TeamRole,
    /// Whether they are in it only through a team below it.
    pub inherited: bool,
}

impl FromRow for Membership {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            user: User::from_row(row)?,
            role: row.word("role")?,
            inherited: row.get("inherited")?,
        })
    }
}

/// How many there are of what belongs to a team.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TeamFigures {
    /// Members, those of teams below it too.
    pub members: u64,
    /// Repositories with a role for it, its own or one of a team above it.
    pub repositories: u64,
}

impl FromRow for TeamFigures {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            members: row.get("members")?,
            repositories: row.get("repositories")?,
        })
    }
}

/// What the policy says of reading the team `t`, for the machine (`$2` is 1) or the user `$3`.
macro_rules! seen {
    () => {
        concat!(
            "($2 = 1 OR EXISTS (SELECT 1 FROM organization_members m
                    JOIN accounts u ON u.id = m.user_id AND u.deleted_at IS NULL
                        AND u.suspended_at IS NULL
                WHERE m.organization_id = t.organization_id AND m.user_id = $3
                    AND (m.role = 'owner' OR t.privacy = 'closed' OR ",
            in_team!("t.id", "$3"),
            ")))"
        )
    };
}

/// Everybody in team `$1` and in the teams below it, each once.
macro_rules! everybody {
    () => {
        "(SELECT y.user_id, MIN(y.inherited) AS inherited, MAX(y.maintains) AS maintains
            FROM (SELECT tm.user_id, CAST(0 AS BIGINT) AS inherited,
                    CASE tm.role WHEN 'maintainer' THEN 1 ELSE 0 END AS maintains
                FROM team_members tm WHERE tm.team_id = $1
                UNION ALL
                SELECT tm.user_id, CAST(1 AS BIGINT), 0
                FROM team_ancestors ta JOIN team_members tm ON tm.team_id = ta.team_id
                WHERE ta.ancestor_id = $1) AS y
            GROUP BY y.user_id) AS x"
    };
}

/// A member's role: owners of the organization maintain every team they are in.
macro_rules! everybodys_role {
    () => {
        "CASE WHEN x.maintains = 1 OR EXISTS (SELECT 1 FROM organization_members o
                JOIN teams t ON t.organization_id = o.organization_id
                WHERE t.id = $1 AND o.user_id = x.user_id AND o.role = 'owner')
            THEN 'maintainer' ELSE 'member' END"
    };
}

statements! {
    SET_PARENT = "UPDATE teams SET parent_id = $2, updated_at = $3 WHERE id = $1";
    FORGET_ABOVE = "DELETE FROM team_ancestors
        WHERE team_id IN (SELECT ta.team_id FROM team_ancestors ta WHERE ta.ancestor_id = $1
                UNION SELECT CAST($1 AS BIGINT))
            AND ancestor_id IN (SELECT ta.ancestor_id FROM team_ancestors ta
                WHERE ta.team_id = $1)";
    FORGET = "DELETE FROM team_ancestors WHERE team_id = $1";
    NOTE_ABOVE = "INSERT INTO team_ancestors (team_id, ancestor_id)
        SELECT below.id, above.id
        FROM (SELECT ta.team_id AS id FROM team_ancestors ta WHERE ta.ancestor_id = $1
                UNION SELECT CAST($1 AS BIGINT)) AS below,
            (SELECT ta.ancestor_id AS id FROM team_ancestors ta WHERE ta.team_id = $2
                UNION SELECT CAST($2 AS BIGINT)) AS above";
    BELOW = "SELECT ta.team_id FROM team_ancestors ta WHERE ta.ancestor_id = $1 ORDER BY ta.team_id";
    DEPTH = "SELECT COUNT(*) FROM team_ancestors ta WHERE ta.team_id = $1";
    HEIGHT = "SELECT COALESCE(MAX(x.steps), 0) FROM (SELECT COUNT(*) AS steps
            FROM team_ancestors below JOIN team_ancestors path ON path.team_id = below.team_id
            WHERE below.ancestor_id = $1 GROUP BY below.team_id) AS x";
    CHILDREN = concat!("SELECT ", team_columns!(), " FROM teams t
        WHERE t.parent_id = $1 AND ", seen!(), "
        ORDER BY t.id LIMIT $4 OFFSET $5");
    VISIBLE = concat!("SELECT ", team_columns!(), " FROM teams t
        WHERE t.organization_id = $1 AND ", seen!(), "
        ORDER BY t.slug LIMIT $4 OFFSET $5");
    AMONG = concat!("SELECT t.id FROM teams t WHERE t.id {{IN $1}} AND ", seen!(), " ORDER BY t.id");
    OF_REPOSITORY = concat!("SELECT ", team_columns!(), ", c.role
        FROM repository_teams c JOIN teams t ON t.id = c.team_id
        WHERE c.repository_id = $1 AND ", seen!(), "
        ORDER BY t.slug LIMIT $4 OFFSET $5");
    OF_USER = concat!("SELECT ", team_columns!(), "
        FROM team_members m JOIN teams t ON t.id = m.team_id
            JOIN accounts o ON o.id = t.organization_id
        WHERE m.user_id = $1 AND o.deleted_at IS NULL ORDER BY t.id LIMIT $2 OFFSET $3");
    MEMBERS = concat!("SELECT ", account_columns!(), ", x.inherited, ", everybodys_role!(), " AS role
        FROM ", everybody!(), " JOIN accounts a ON a.id = x.user_id
        WHERE a.deleted_at IS NULL
            AND (CAST($2 AS {{TEXT}}) IS NULL OR $2 = ", everybodys_role!(), ")
        ORDER BY a.id LIMIT $3 OFFSET $4");
    MEMBER = concat!("SELECT ", account_columns!(), ", x.inherited, ", everybodys_role!(), " AS role
        FROM ", everybody!(), " JOIN accounts a ON a.id = x.user_id
        WHERE a.deleted_at IS NULL AND a.id = $2");
    FIGURES = concat!("SELECT (SELECT COUNT(*) FROM ", everybody!(), ") AS members,
            (SELECT COUNT(DISTINCT c.repository_id) FROM repository_teams c
                    JOIN repositories r ON r.id = c.repository_id
                WHERE r.deleted_at IS NULL AND c.team_id IN (
                    SELECT ta.ancestor_id FROM team_ancestors ta WHERE ta.team_id = $1
                    UNION SELECT CAST($1 AS BIGINT))) AS repositories");
    REPOSITORY_ROLE = "SELECT CAST(MAX(CASE c.role WHEN 'admin' THEN 5 WHEN 'maintain' THEN 4
                WHEN 'write' THEN 3 WHEN 'triage' THEN 2 ELSE 1 END) AS BIGINT) AS team_rank
        FROM repository_teams c
        WHERE c.repository_id = $2 AND c.team_id IN (
            SELECT ta.ancestor_id FROM team_ancestors ta WHERE ta.team_id = $1
            UNION SELECT CAST($1 AS BIGINT))";
}

/// Puts a team, with all below it, into another one, or takes it out of the one it is in. The
/// other must not be below it.
///
/// # Errors
/// [`Error::Unique`](crate::Error::Unique) if it is below it.
pub async fn set_parent(
    conn: &mut Conn,
    team: TeamId,
    parent: Option<TeamId>,
    now: Moment,
) -> Result<()> {
    conn.execute(FORGET_ABOVE, &[team.into()]).await?;
    if let Some(parent) = parent {
        conn.execute(NOTE_ABOVE, &[team.into(), parent.into()])
            .await?;
    }
    let args = [team.into(), parent.into(), now.into()];
    conn.execute(SET_PARENT, &args).await?;
    Ok(())
}

/// Forgets what was above a team that is about to go.
pub(crate) async fn detach(conn: &mut Conn, team: TeamId) -> Result<()> {
    conn.execute(FORGET_ABOVE, &[team.into()]).await?;
    Ok(())
}

/// The teams below a team, not itself.
///
/// # Errors
/// Those of the database.
pub async fn below(conn: &mut Conn, team: TeamId) -> Result<Vec<TeamId>> {
    conn.all(BELOW, &[team.into()]).await
}

/// Removes a team and those below it, from the lowest up, each as [`teams::delete`] does.
///
/// # Errors
/// Those of the database.
pub async fn delete_all(
    conn: &mut Conn,
    team: TeamId,
    below: &[TeamId],
    now: Moment,
) -> Result<()> {
    for lower in below {
        conn.execute(
            SET_PARENT,
            &[(*lower).into(), None::<TeamId>.into(), now.into()],
        )
        .await?;
    }
    for lower in below {
        conn.execute(FORGET, &[(*lower).into()]).await?;
    }
    for gone in below.iter().chain([&team]) {
        teams::delete(conn, *gone).await?;
    }
    Ok(())
}

/// How many teams are above a team.
///
/// # Errors
/// Those of the database.
pub async fn depth(conn: &mut Conn, team: TeamId) -> Result<i64> {
    conn.one(DEPTH, &[team.into()]).await
}

/// How many steps it is from a team down to the lowest one below it, counted with the steps above
/// it.
///
/// # Errors
/// Those of the database.
pub async fn lowest(conn: &mut Conn, team: TeamId) -> Result<i64> {
    conn.one(HEIGHT, &[team.into()]).await
}

/// The teams right below a team that `principal` may see, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn children(
    conn: &mut Conn,
    team: TeamId,
    principal: &Principal,
    cursor: Cursor,
) -> Result<Page<Team>> {
    let args = [
        team.into(),
        (*principal == Principal::System).into(),
        principal.user().into(),
        cursor.rows().into(),
        cursor.skipped().into(),
    ];
    let rows = conn.all(CHILDREN, &args).await?;
    Ok(Page::cut_counted(rows, cursor))
}

/// The teams of an organization that `principal` may see, in the order of their slugs.
///
/// # Errors
/// Those of the database.
pub async fn visible(
    conn: &mut Conn,
    organization: AccountId,
    principal: &Principal,
    cursor: Cursor,
) -> Result<Page<Team>> {
    let args = [
        organization.into(),
        (*principal == Principal::System).into(),
        principal.user().into(),
        cursor.rows().into(),
        cursor.skipped().into(),
    ];
    let rows = conn.all(VISIBLE, &args).await?;
    Ok(Page::cut_counted(rows, cursor))
}

/// Those of the teams that `principal` may see, in the order of their numbers.
///
/// # Errors
/// Those of the database.
pub async fn among(
    conn: &mut Conn,
    principal: &Principal,
    teams: &[TeamId],
) -> Result<Vec<TeamId>> {
    let numbers: Vec<i64> = teams.iter().map(|id| id.get()).collect();
    let args = [
        numbers.as_slice().into(),
        (*principal == Principal::System).into(),
        principal.user().into(),
    ];
    conn.all(AMONG, &args).await
}

/// The teams with a role in a repository that `principal` may see, in the order of their slugs.
///
/// # Errors
/// Those of the database.
pub async fn of_repository(
    conn: &mut Conn,
    repository: RepositoryId,
    principal: &Principal,
    cursor: Cursor,
) -> Result<Page<(Team, RepositoryRole)>> {
    let args = [
        repository.into(),
        (*principal == Principal::System).into(),
        principal.user().into(),
        cursor.rows().into(),
        cursor.skipped().into(),
    ];
    let rows = conn.all(OF_REPOSITORY, &args).await?;
    Ok(Page::cut_counted(rows, cursor))
}

/// The teams that a user is in, in every organization, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn of_user(conn: &mut Conn, user: AccountId, cursor: Cursor) -> Result<Page<Team>> {
    let args = [user.into(), cursor.rows().into(), cursor.skipped().into()];
    let rows = conn.all(OF_USER, &args).await?;
    Ok(Page::cut_counted(rows, cursor))
}

/// Who is in a team or in one below it, oldest account first; only those of a role if one is given.
///
/// # Errors
/// Those of the database.
pub async fn members(
    conn: &mut Conn,
    team: TeamId,
    role: Option<TeamRole>,
    cursor: Cursor,
) -> Result<Page<Membership>> {
    let args = [
        team.into(),
        role.map(TeamRole::as_str).into(),
        cursor.rows().into(),
        cursor.skipped().into(),
    ];
    let rows = conn.all(MEMBERS, &args).await?;
    Ok(Page::cut_counted(rows, cursor))
}

/// What a user is in a team, or through a team below it.
///
/// # Errors
/// Those of the database.
pub async fn member(conn: &mut Conn, team: TeamId, user: AccountId) -> Result<Option<Membership>> {
    conn.optional(MEMBER, &[team.into(), user.into()]).await
}

/// How many members and repositories a team has.
///
/// # Errors
/// Those of the database.
pub async fn figures(conn: &mut Conn, team: TeamId) -> Result<TeamFigures> {
    conn.one(FIGURES, &[team.into()]).await
}

struct Rank(Option<RepositoryRole>);

impl FromRow for Rank {
    fn from_row(row: &Row) -> Result<Self> {
        rank(row, "team_rank", RepositoryRole::ALL).map(Self)
    }
}

/// The best role of a team in a repository, its own or one of a team above it.
///
/// # Errors
/// Those of the database.
pub async fn repository_role(
    conn: &mut Conn,
    team: TeamId,
    repository: RepositoryId,
) -> Result<Option<RepositoryRole>> {
    let Rank(role) = conn
        .one(REPOSITORY_ROLE, &[team.into(), repository.into()])
        .await?;
    Ok(role)
}
