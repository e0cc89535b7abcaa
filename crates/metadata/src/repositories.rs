//! Source repositories, and who has which role in them.

mod roles;

use naru_model::{
    AccountId, Moment, Repository, RepositoryId, RepositoryPath, SourceRepositoryName, Visibility,
};

use crate::db::{Conn, FromRow, Row, Statement, statements};
use crate::error::{Error, Result};

pub use roles::{
    remove_team_role, remove_user_role, set_team_role, set_user_role, team_role, teams, user_role,
    users,
};

/// The statements of the modules below.
pub(crate) const STATEMENTS_BELOW: &[&[&Statement]] = &[roles::STATEMENTS];

/// What [`Repository`] is read from.
macro_rules! repository_columns {
    () => {
        "r.id, r.owner_id, r.name, r.description, r.forge_url, r.homepage, r.topics, \
         r.visibility, r.created_at, r.updated_at, r.deleted_at"
    };
}

pub(crate) use repository_columns;

impl FromRow for Repository {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            owner: row.get("owner_id")?,
            name: row.word("name")?,
            description: row.get("description")?,
            forge_url: row.get("forge_url")?,
            homepage: row.get("homepage")?,
            topics: row.word("topics")?,
            visibility: row.word("visibility")?,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
            deleted_at: row.get("deleted_at")?,
        })
    }
}

/// A repository about to be made.
#[derive(Clone, Debug)]
pub struct NewRepository<'a> {
    /// The account that owns it.
    pub owner: AccountId,
    /// Its name there, in the spelling that is kept.
    pub name: &'a SourceRepositoryName,
    /// What it is, in a sentence.
    pub description: Option<&'a str>,
    /// Where the source lives.
    pub forge_url: Option<&'a str>,
    /// The address of a page about it.
    pub homepage: Option<&'a str>,
    /// Who may see it.
    pub visibility: Visibility,
    /// When.
    pub now: Moment,
}

statements! {
    CREATE = "INSERT INTO repositories (owner_id, name, name_key, description, forge_url,
            homepage, visibility, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
        ON CONFLICT (owner_id, name_key) WHERE deleted_at IS NULL DO NOTHING
        RETURNING id";
    FIND = concat!("SELECT ", repository_columns!(), " FROM repositories r
        WHERE r.owner_id = $1 AND r.name_key = $2 AND r.deleted_at IS NULL");
    FIND_BY_PATH = concat!("SELECT ", repository_columns!(), " FROM repositories r
            JOIN accounts a ON a.id = r.owner_id
        WHERE a.login_key = $1 AND r.name_key = $2 AND r.deleted_at IS NULL
            AND a.deleted_at IS NULL");
    FIND_BY_ID = concat!("SELECT ", repository_columns!(), " FROM repositories r
        WHERE r.id = $1 AND r.deleted_at IS NULL");
    PATHS = "SELECT r.id, a.login, r.name FROM repositories r JOIN accounts a ON a.id = r.owner_id
        WHERE r.id {{IN $1}} AND r.deleted_at IS NULL AND a.deleted_at IS NULL ORDER BY r.id";
    PATH = "SELECT a.login, r.name FROM repositories r JOIN accounts a ON a.id = r.owner_id
        WHERE r.id = $1 AND r.deleted_at IS NULL AND a.deleted_at IS NULL";
    FIND_BY_FORGE_URL = concat!("SELECT ", repository_columns!(), " FROM repositories r
        WHERE r.forge_url = $1 AND r.deleted_at IS NULL ORDER BY r.id");
    LIST = concat!("SELECT ", repository_columns!(), " FROM repositories r
        WHERE r.owner_id = $1 AND r.deleted_at IS NULL ORDER BY r.name_key");
    UPDATE = "UPDATE repositories SET name = $2, name_key = $3, description = $4, forge_url = $5,
            homepage = $6, topics = $7, visibility = $8, updated_at = $9
        WHERE id = $1";
    PUT_REDIRECT = "INSERT INTO repository_redirects (owner_id, name_key, repository_id)
        VALUES ($1, $2, $3)
        ON CONFLICT (owner_id, name_key) DO UPDATE SET repository_id = excluded.repository_id";
    DROP_REDIRECT = "DELETE FROM repository_redirects WHERE owner_id = $1 AND name_key = $2";
    FIND_REDIRECT = concat!("SELECT ", repository_columns!(), " FROM repository_redirects d
            JOIN accounts a ON a.id = d.owner_id
            JOIN repositories r ON r.id = d.repository_id
        WHERE a.login_key = $1 AND d.name_key = $2 AND a.deleted_at IS NULL
            AND r.deleted_at IS NULL");
    FIND_DELETED = concat!("SELECT ", repository_columns!(), " FROM repositories r
        WHERE r.owner_id = $1 AND r.name_key = $2 AND r.deleted_at IS NOT NULL
        ORDER BY r.deleted_at DESC, r.id DESC LIMIT 1");
    RESTORE = "UPDATE repositories SET deleted_at = NULL, updated_at = $2 WHERE id = $1";
    SET_VISIBILITY = "UPDATE repositories SET visibility = $2, updated_at = $3 WHERE id = $1";
    DELETE = "UPDATE repositories SET deleted_at = $2, updated_at = $2
        WHERE id = $1 AND deleted_at IS NULL";
    LEGACY_PACKAGE = "SELECT id FROM packages
        WHERE repository_id = $1 AND package_type = 'docker' AND deleted_at IS NULL LIMIT 1";
    UNLINK_PACKAGES = "UPDATE packages
        SET repository_id = NULL, inherit_access = 0, updated_at = $2
        WHERE repository_id = $1 AND package_type = 'container'";

}

/// Makes a repository. `None` when its owner has one of this name.
///
/// # Errors
/// [`Error::ForeignKey`] when there is no such account.
pub async fn create(conn: &mut Conn, new: &NewRepository<'_>) -> Result<Option<RepositoryId>> {
    let args = [
        new.owner.into(),
        new.name.as_str().into(),
        new.name.key().into(),
        new.description.into(),
        new.forge_url.into(),
        new.homepage.into(),
        new.visibility.as_str().into(),
        new.now.into(),
    ];
    conn.optional(CREATE, &args).await
}

/// The repository of this name, made if there is none, as a first push to the legacy registry
/// does.
///
/// # Errors
/// Those of the database; [`Error::Busy`] in the unlikely case that another transaction makes and
/// deletes it at the same time.
pub async fn find_or_create(
    conn: &mut Conn,
    owner: AccountId,
    name: &SourceRepositoryName,
    visibility: Visibility,
    now: Moment,
) -> Result<RepositoryId> {
    if let Some(repository) = find(conn, owner, name).await? {
        return Ok(repository.id);
    }
    let new = NewRepository {
        owner,
        name,
        description: None,
        forge_url: None,
        homepage: None,
        visibility,
        now,
    };
    if let Some(created) = create(conn, &new).await? {
        return Ok(created);
    }
    let made_meanwhile = find(conn, owner, name).await?;
    made_meanwhile
        .map(|repository| repository.id)
        .ok_or(Error::Busy)
}

/// The repository of this name of this owner.
///
/// # Errors
/// Those of the database.
pub async fn find(
    conn: &mut Conn,
    owner: AccountId,
    name: &SourceRepositoryName,
) -> Result<Option<Repository>> {
    conn.optional(FIND, &[owner.into(), name.key().into()])
        .await
}

/// The repository at this path.
///
/// # Errors
/// Those of the database.
pub async fn find_by_path(conn: &mut Conn, path: &RepositoryPath) -> Result<Option<Repository>> {
    conn.optional(
        FIND_BY_PATH,
        &[path.owner.key().into(), path.name.key().into()],
    )
    .await
}

/// The repository with this number, unless it is deleted.
///
/// # Errors
/// Those of the database.
pub async fn find_by_id(conn: &mut Conn, id: RepositoryId) -> Result<Option<Repository>> {
    conn.optional(FIND_BY_ID, &[id.into()]).await
}

impl FromRow for RepositoryPath {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            owner: row.word("login")?,
            name: row.word("name")?,
        })
    }
}

/// Where the repository with this number is, unless it or its owner is deleted.
///
/// # Errors
/// Those of the database.
pub async fn path(conn: &mut Conn, id: RepositoryId) -> Result<Option<RepositoryPath>> {
    conn.optional(PATH, &[id.into()]).await
}

/// The repositories whose source lives at this address, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn find_by_forge_url(conn: &mut Conn, forge_url: &str) -> Result<Vec<Repository>> {
    conn.all(FIND_BY_FORGE_URL, &[forge_url.into()]).await
}

/// The live ones of these repositories with their paths, in the order of their numbers.
///
/// # Errors
/// Those of the database.
pub async fn paths(
    conn: &mut Conn,
    repositories: &[RepositoryId],
) -> Result<Vec<(RepositoryId, RepositoryPath)>> {
    let ids: Vec<i64> = repositories.iter().map(|id| id.get()).collect();
    let found: Vec<WithPath> = conn.all(PATHS, &[ids.as_slice().into()]).await?;
    Ok(found.into_iter().map(|found| (found.0, found.1)).collect())
}

struct WithPath(RepositoryId, RepositoryPath);

impl FromRow for WithPath {
    fn from_row(row: &Row) -> Result<Self> {
        let path = RepositoryPath {
            owner: row.word("login")?,
            name: row.word("name")?,
        };
        Ok(Self(row.get("id")?, path))
    }
}

/// The repositories of an account in the order of their names.
///
/// # Errors
/// Those of the database.
pub async fn of_owner(conn: &mut Conn, owner: AccountId) -> Result<Vec<Repository>> {
    conn.all(LIST, &[owner.into()]).await
}

/// Writes everything about a repository that people set, its name too.
///
/// # Errors
/// [`Error::Unique`] when its owner has another of this name.
pub async fn update(conn: &mut Conn, repository: &Repository, now: Moment) -> Result<()> {
    let topics = repository.topics.to_string();
    let args = [
        repository.id.into(),
        repository.name.as_str().into(),
        repository.name.key().into(),
        repository.description.as_deref().into(),
        repository.forge_url.as_deref().into(),
        repository.homepage.as_deref().into(),
        topics.as_str().into(),
        repository.visibility.as_str().into(),
        now.into(),
    ];
    conn.execute(UPDATE, &args).await?;
    Ok(())
}

/// Lets a name that a repository had lead to it.
///
/// # Errors
/// Those of the database.
pub async fn redirect(
    conn: &mut Conn,
    owner: AccountId,
    name: &SourceRepositoryName,
    to: RepositoryId,
) -> Result<()> {
    conn.execute(PUT_REDIRECT, &[owner.into(), name.key().into(), to.into()])
        .await?;
    Ok(())
}

/// Ends what a name led to, because it is in use again.
///
/// # Errors
/// Those of the database.
pub async fn end_redirect(
    conn: &mut Conn,
    owner: AccountId,
    name: &SourceRepositoryName,
) -> Result<()> {
    conn.execute(DROP_REDIRECT, &[owner.into(), name.key().into()])
        .await?;
    Ok(())
}

/// The repository that had this path before.
///
/// # Errors
/// Those of the database.
pub async fn find_by_former_path(
    conn: &mut Conn,
    path: &RepositoryPath,
) -> Result<Option<Repository>> {
    let args = [path.owner.key().into(), path.name.key().into()];
    conn.optional(FIND_REDIRECT, &args).await
}

/// The repository of this name that was deleted last.
///
/// # Errors
/// Those of the database.
pub async fn find_deleted(
    conn: &mut Conn,
    owner: AccountId,
    name: &SourceRepositoryName,
) -> Result<Option<Repository>> {
    conn.optional(FIND_DELETED, &[owner.into(), name.key().into()])
        .await
}

/// Takes a repository out of the bin.
///
/// # Errors
/// [`Error::Unique`] when its name is in use again.
pub async fn restore(conn: &mut Conn, repository: RepositoryId, now: Moment) -> Result<()> {
    conn.execute(RESTORE, &[repository.into(), now.into()])
        .await?;
    Ok(())
}

/// Changes who may see it.
///
/// # Errors
/// Those of the database.
pub async fn set_visibility(
    conn: &mut Conn,
    repository: RepositoryId,
    visibility: Visibility,
    now: Moment,
) -> Result<()> {
    let args = [repository.into(), visibility.as_str().into(), now.into()];
    conn.execute(SET_VISIBILITY, &args).await?;
    Ok(())
}

/// Marks it deleted; its name is free then.
///
/// # Errors
/// Those of the database.
pub async fn delete(conn: &mut Conn, repository: RepositoryId, now: Moment) -> Result<()> {
    conn.execute(DELETE, &[repository.into(), now.into()])
        .await?;
    Ok(())
}

/// Whether packages of the legacy registry are in it.
///
/// # Errors
/// Those of the database.
pub async fn has_legacy_packages(conn: &mut Conn, repository: RepositoryId) -> Result<bool> {
    let found: Option<i64> = conn.optional(LEGACY_PACKAGE, &[repository.into()]).await?;
    Ok(found.is_some())
}

/// Takes the link from every package of the container registry that is linked to it.
///
/// # Errors
/// Those of the database.
pub async fn unlink_packages(conn: &mut Conn, repository: RepositoryId, now: Moment) -> Result<()> {
    conn.execute(UNLINK_PACKAGES, &[repository.into(), now.into()])
        .await?;
    Ok(())
}
