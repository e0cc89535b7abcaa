//! Who has been granted which role on which package.

use naru_model::{
    AccountId, Moment, PackageId, Repository, RepositoryId, Role, Team, TeamId, User,
};

use crate::accounts::account_columns;
use crate::db::{Conn, statements};
use crate::error::Result;
use crate::repositories::repository_columns;
use crate::teams::team_columns;

statements! {
    PUT_USER = "INSERT INTO package_users (package_id, user_id, role, created_at)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (package_id, user_id) DO UPDATE SET role = excluded.role";
    REMOVE_USER = "DELETE FROM package_users WHERE package_id = $1 AND user_id = $2";
    USERS = concat!("SELECT ", account_columns!(), ", g.role
        FROM package_users g JOIN accounts a ON a.id = g.user_id
        WHERE g.package_id = $1 AND a.deleted_at IS NULL ORDER BY a.login_key");
    PUT_TEAM = "INSERT INTO package_teams (package_id, team_id, role, created_at)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (package_id, team_id) DO UPDATE SET role = excluded.role";
    REMOVE_TEAM = "DELETE FROM package_teams WHERE package_id = $1 AND team_id = $2";
    TEAMS = concat!("SELECT ", team_columns!(), ", g.role
        FROM package_teams g JOIN teams t ON t.id = g.team_id
        WHERE g.package_id = $1 ORDER BY t.slug");
    PUT_REPOSITORY = "INSERT INTO package_repositories (package_id, repository_id, role, created_at)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (package_id, repository_id) DO UPDATE SET role = excluded.role";
    REMOVE_REPOSITORY = "DELETE FROM package_repositories
        WHERE package_id = $1 AND repository_id = $2";
    REPOSITORIES = concat!("SELECT ", repository_columns!(), ", g.role
        FROM package_repositories g JOIN repositories r ON r.id = g.repository_id
        WHERE g.package_id = $1 AND r.deleted_at IS NULL ORDER BY r.name_key, r.id");
}

/// Grants a user a role, in place of the one they had.
///
/// # Errors
/// [`Error::ForeignKey`](crate::Error::ForeignKey) when there is no such user or package.
pub async fn set_user(
    conn: &mut Conn,
    package: PackageId,
    user: AccountId,
    role: Role,
    now: Moment,
) -> Result<()> {
    let args = [
        package.into(),
        user.into(),
        role.as_str().into(),
        now.into(),
    ];
    conn.execute(PUT_USER, &args).await?;
    Ok(())
}

/// Takes what was granted to a user. Returns whether there was something.
///
/// # Errors
/// Those of the database.
pub async fn remove_user(conn: &mut Conn, package: PackageId, user: AccountId) -> Result<bool> {
    Ok(conn
        .execute(REMOVE_USER, &[package.into(), user.into()])
        .await?
        > 0)
}

/// What was granted to users, in the order of their names.
///
/// # Errors
/// Those of the database.
pub async fn users(conn: &mut Conn, package: PackageId) -> Result<Vec<(User, Role)>> {
    conn.all(USERS, &[package.into()]).await
}

/// Grants a team a role, in place of the one it had.
///
/// # Errors
/// [`Error::ForeignKey`](crate::Error::ForeignKey) when there is no such team or package.
pub async fn set_team(
    conn: &mut Conn,
    package: PackageId,
    team: TeamId,
    role: Role,
    now: Moment,
) -> Result<()> {
    let args = [
        package.into(),
        team.into(),
        role.as_str().into(),
        now.into(),
    ];
    conn.execute(PUT_TEAM, &args).await?;
    Ok(())
}

/// Takes what was granted to a team. Returns whether there was something.
///
/// # Errors
/// Those of the database.
pub async fn remove_team(conn: &mut Conn, package: PackageId, team: TeamId) -> Result<bool> {
    Ok(conn
        .execute(REMOVE_TEAM, &[package.into(), team.into()])
        .await?
        > 0)
}

/// What was granted to teams, in the order of their slugs.
///
/// # Errors
/// Those of the database.
pub async fn teams(conn: &mut Conn, package: PackageId) -> Result<Vec<(Team, Role)>> {
    conn.all(TEAMS, &[package.into()]).await
}

/// Grants a repository's workflows a role, in place of the one they had ("Actions access").
///
/// # Errors
/// [`Error::ForeignKey`](crate::Error::ForeignKey) when there is no such repository or package.
pub async fn set_repository(
    conn: &mut Conn,
    package: PackageId,
    repository: RepositoryId,
    role: Role,
    now: Moment,
) -> Result<()> {
    let args = [
        package.into(),
        repository.into(),
        role.as_str().into(),
        now.into(),
    ];
    conn.execute(PUT_REPOSITORY, &args).await?;
    Ok(())
}

/// Takes what was granted to a repository's workflows. Returns whether there was something.
///
/// # Errors
/// Those of the database.
pub async fn remove_repository(
    conn: &mut Conn,
    package: PackageId,
    repository: RepositoryId,
) -> Result<bool> {
    Ok(conn
        .execute(REMOVE_REPOSITORY, &[package.into(), repository.into()])
        .await?
        > 0)
}

/// What was granted to the workflows of repositories, in the order of their names.
///
/// # Errors
/// Those of the database.
pub async fn repositories(conn: &mut Conn, package: PackageId) -> Result<Vec<(Repository, Role)>> {
    conn.all(REPOSITORIES, &[package.into()]).await
}
