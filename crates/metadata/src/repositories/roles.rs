//! Who has which role in a source repository.

use naru_model::{AccountId, Moment, RepositoryId, RepositoryRole, Team, TeamId, User};

use crate::accounts::{RoleOf, account_columns};
use crate::db::{Conn, statements};
use crate::error::Result;
use crate::teams::team_columns;

statements! {
    USER_ROLE = "SELECT role FROM repository_users WHERE repository_id = $1 AND user_id = $2";
    PUT_USER = "INSERT INTO repository_users (repository_id, user_id, role, created_at)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (repository_id, user_id) DO UPDATE SET role = excluded.role";
    REMOVE_USER = "DELETE FROM repository_users WHERE repository_id = $1 AND user_id = $2";
    USERS = concat!("SELECT ", account_columns!(), ", c.role
        FROM repository_users c JOIN accounts a ON a.id = c.user_id
        WHERE c.repository_id = $1 AND a.deleted_at IS NULL
        ORDER BY a.login_key");
    TEAM_ROLE = "SELECT role FROM repository_teams WHERE repository_id = $1 AND team_id = $2";
    PUT_TEAM = "INSERT INTO repository_teams (repository_id, team_id, role, created_at)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (repository_id, team_id) DO UPDATE SET role = excluded.role";
    REMOVE_TEAM = "DELETE FROM repository_teams WHERE repository_id = $1 AND team_id = $2";
    TEAMS = concat!("SELECT ", team_columns!(), ", c.role
        FROM repository_teams c JOIN teams t ON t.id = c.team_id
        WHERE c.repository_id = $1 ORDER BY t.slug");
}

/// The role that was given to a user.
///
/// # Errors
/// Those of the database.
pub async fn user_role(
    conn: &mut Conn,
    repository: RepositoryId,
    user: AccountId,
) -> Result<Option<RepositoryRole>> {
    let found: Option<RoleOf<_>> = conn
        .optional(USER_ROLE, &[repository.into(), user.into()])
        .await?;
    Ok(found.map(|RoleOf(role)| role))
}

/// Gives a user a role, in place of the one they had.
///
/// # Errors
/// [`Error::ForeignKey`](crate::Error::ForeignKey) when there is no such user or repository.
pub async fn set_user_role(
    conn: &mut Conn,
    repository: RepositoryId,
    user: AccountId,
    role: RepositoryRole,
    now: Moment,
) -> Result<()> {
    let args = [
        repository.into(),
        user.into(),
        role.as_str().into(),
        now.into(),
    ];
    conn.execute(PUT_USER, &args).await?;
    Ok(())
}

/// Takes a user's role. Returns whether they had one.
///
/// # Errors
/// Those of the database.
pub async fn remove_user_role(
    conn: &mut Conn,
    repository: RepositoryId,
    user: AccountId,
) -> Result<bool> {
    Ok(conn
        .execute(REMOVE_USER, &[repository.into(), user.into()])
        .await?
        > 0)
}

/// Users with a role of their own, in the order of their names.
///
/// # Errors
/// Those of the database.
pub async fn users(
    conn: &mut Conn,
    repository: RepositoryId,
) -> Result<Vec<(User, RepositoryRole)>> {
    conn.all(USERS, &[repository.into()]).await
}

/// The role that was given to a team.
///
/// # Errors
/// Those of the database.
pub async fn team_role(
    conn: &mut Conn,
    repository: RepositoryId,
    team: TeamId,
) -> Result<Option<RepositoryRole>> {
    let found: Option<RoleOf<_>> = conn
        .optional(TEAM_ROLE, &[repository.into(), team.into()])
        .await?;
    Ok(found.map(|RoleOf(role)| role))
}

/// Gives a team a role, in place of the one it had.
///
/// # Errors
/// [`Error::ForeignKey`](crate::Error::ForeignKey) when there is no such team or repository.
pub async fn set_team_role(
    conn: &mut Conn,
    repository: RepositoryId,
    team: TeamId,
    role: RepositoryRole,
    now: Moment,
) -> Result<()> {
    let args = [
        repository.into(),
        team.into(),
        role.as_str().into(),
        now.into(),
    ];
    conn.execute(PUT_TEAM, &args).await?;
    Ok(())
}

/// Takes a team's role. Returns whether it had one.
///
/// # Errors
/// Those of the database.
pub async fn remove_team_role(
    conn: &mut Conn,
    repository: RepositoryId,
    team: TeamId,
) -> Result<bool> {
    Ok(conn
        .execute(REMOVE_TEAM, &[repository.into(), team.into()])
        .await?
        > 0)
}

/// Teams with a role, in the order of their slugs.
///
/// # Errors
/// Those of the database.
pub async fn teams(
    conn: &mut Conn,
    repository: RepositoryId,
) -> Result<Vec<(Team, RepositoryRole)>> {
    conn.all(TEAMS, &[repository.into()]).await
}
