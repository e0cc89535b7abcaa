//! Packages: their birth, their record, the bin.

use naru_model::{
    AccountId, Moment, Package, PackageId, PackageName, PackagePath, PackageType, RepositoryId,
    Visibility,
};

use crate::db::{Conn, FromRow, Row, statements};
use crate::error::{Error, Result};

impl FromRow for Package {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: PackageId::new(row.get("id")?),
            owner: AccountId::new(row.get("owner_id")?),
            package_type: row.word("package_type")?,
            name: row.word("name")?,
            visibility: row.word("visibility")?,
            repository: row
                .get::<Option<i64>>("repository_id")?
                .map(RepositoryId::new),
            inherit_access: row.get::<i64>("inherit_access")? != 0,
            description: row.get("description")?,
            link_note: row.get("link_note")?,
            default_tag_rule: row.get("default_tag_rule")?,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
            published_at: row.get("published_at")?,
            deleted_at: row.get("deleted_at")?,
        })
    }
}

/// A package that is about to be pushed to for the first time.
#[derive(Clone, Debug)]
pub struct NewPackage<'a> {
    /// The account that owns it.
    pub owner: AccountId,
    /// Which registry it belongs to.
    pub package_type: PackageType,
    /// Its name under the owner.
    pub name: &'a PackageName,
    /// Who may read it without a role.
    pub visibility: Visibility,
    /// The source repository it is linked to from birth.
    pub repository: Option<RepositoryId>,
    /// Whether explicit roles on that repository count.
    pub inherit_access: bool,
    /// The user who pushes; none for a workflow.
    pub created_by: Option<AccountId>,
    /// When.
    pub now: Moment,
}

statements! {
    #[short]
    CREATE_HIDDEN = "INSERT INTO packages (owner_id, package_type, name, visibility, repository_id,
            inherit_access, created_by, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
        ON CONFLICT (owner_id, package_type, name) WHERE deleted_at IS NULL
            DO NOTHING
        RETURNING id";
    #[short]
    PUBLISH = "UPDATE packages SET published_at = $2, updated_at = $2
        WHERE id = $1 AND published_at IS NULL AND deleted_at IS NULL";
    #[short]
    FIND = "SELECT id, owner_id, package_type, name, visibility, repository_id, inherit_access,
            description, link_note,
            default_tag_rule, created_at, updated_at, published_at, deleted_at
        FROM packages WHERE id = $1";
    #[short]
    LOCK = "SELECT id, owner_id, package_type, name, visibility, repository_id, inherit_access,
            description, link_note,
            default_tag_rule, created_at, updated_at, published_at, deleted_at
        FROM packages WHERE id = $1 {{FOR NO KEY UPDATE}}";
    FIND_LIVE = "SELECT id, owner_id, package_type, name, visibility, repository_id,
            inherit_access, description, link_note,
            default_tag_rule, created_at, updated_at, published_at, deleted_at
        FROM packages
        WHERE owner_id = $1 AND package_type = $2 AND name = $3 AND deleted_at IS NULL";
    FIND_DELETED = "SELECT id, owner_id, package_type, name, visibility, repository_id,
            inherit_access, description, link_note,
            default_tag_rule, created_at, updated_at, published_at, deleted_at
        FROM packages
        WHERE owner_id = $1 AND package_type = $2 AND name = $3 AND deleted_at IS NOT NULL
        ORDER BY deleted_at DESC, id DESC LIMIT 1";
    OWNER_PAGE = "SELECT id, owner_id, package_type, name, visibility, repository_id,
            inherit_access, description, link_note,
            default_tag_rule, created_at, updated_at, published_at, deleted_at
        FROM packages
        WHERE owner_id = $1 AND deleted_at IS NULL AND published_at IS NOT NULL
        ORDER BY id DESC LIMIT $2 OFFSET $3";
    ALL_PAGE = "SELECT id, owner_id, package_type, name, visibility, repository_id,
            inherit_access, description, link_note,
            default_tag_rule, created_at, updated_at, published_at, deleted_at
        FROM packages
        WHERE deleted_at IS NULL AND published_at IS NOT NULL AND id > $1
        ORDER BY id LIMIT $2";
    CATALOG = "SELECT p.package_type, a.login, p.name
        FROM accounts a CROSS JOIN packages p
        WHERE a.login_key >= $2 AND p.owner_id = a.id
          AND p.package_type = $1 AND p.deleted_at IS NULL AND p.published_at IS NOT NULL
          AND (a.login_key > $2 OR p.name > $3)
        ORDER BY a.login_key, p.name LIMIT $4";
    SET_VISIBILITY = "UPDATE packages SET visibility = $2, updated_at = $3 WHERE id = $1";
    LINK_REPOSITORY = "UPDATE packages SET repository_id = $2, inherit_access = $3,
            link_note = NULL, updated_at = $4
        WHERE id = $1";
    LINK_FROM_LABEL = "UPDATE packages SET repository_id = $2, inherit_access = $4,
            link_note = NULL, updated_at = $3
        WHERE id = $1 AND repository_id IS NULL";
    NOTE_LINK = "UPDATE packages SET link_note = $2 WHERE id = $1 AND repository_id IS NULL";
    DESCRIBE = "UPDATE packages SET description = $2 WHERE id = $1";
    PULLED = "UPDATE packages SET pulled_at = $2 WHERE id = $1 AND pulled_at IS NULL";
    DELETE = "UPDATE packages SET deleted_at = $2, deleted_by = $3, updated_at = $2
        WHERE id = $1 AND deleted_at IS NULL";
    RESTORE = "UPDATE packages SET deleted_at = NULL, deleted_by = NULL, updated_at = $2
        WHERE id = $1 AND deleted_at IS NOT NULL";
    OVERDUE = "SELECT id FROM packages p
        WHERE p.deleted_at IS NOT NULL AND p.deleted_at < $1
          AND EXISTS (SELECT 1 FROM versions v
                      WHERE v.package_id = p.id AND v.deleted_at IS NULL)
        ORDER BY p.deleted_at, p.id LIMIT $2 {{SKIP LOCKED OF p}}";
    END_BIN_TIME = "UPDATE packages SET deleted_at = $1
        WHERE deleted_at IS NOT NULL AND deleted_at > $1";
    END_BIN_TIME_OF = "UPDATE packages SET deleted_at = $1
        WHERE id = $2 AND deleted_at IS NOT NULL AND deleted_at > $1";
    IDS_OF_NAME = "SELECT id FROM packages
        WHERE owner_id = $1 AND package_type = $2 AND name = $3 ORDER BY id";
    BIN_VERSIONS_OF_DELETED = "UPDATE versions SET deleted_at = $2
        WHERE package_id = $1 AND deleted_at IS NULL
          AND EXISTS (SELECT 1 FROM packages p WHERE p.id = $1 AND p.deleted_at IS NOT NULL)";
    BIN_VERSIONS = "UPDATE versions SET deleted_at = $2 WHERE package_id = $1 AND deleted_at IS NULL";
    EMPTY = "SELECT id FROM packages p
        WHERE p.id IN (SELECT x.id FROM packages x
                WHERE x.deleted_at IS NOT NULL AND x.deleted_at < $1
                UNION SELECT y.id FROM packages y WHERE y.published_at IS NULL)
          AND NOT EXISTS (SELECT 1 FROM versions v WHERE v.package_id = p.id)
          AND NOT EXISTS (SELECT 1 FROM links l WHERE l.package_id = p.id)
          AND NOT EXISTS (SELECT 1 FROM uploads u WHERE u.package_id = p.id)
        ORDER BY id LIMIT $2 {{SKIP LOCKED OF p}}";
    DROP_USERS = "DELETE FROM package_users WHERE package_id = $1";
    DROP_TEAMS = "DELETE FROM package_teams WHERE package_id = $1";
    DROP_REPOSITORIES = "DELETE FROM package_repositories WHERE package_id = $1";
    DROP_HISTORY = "DELETE FROM tag_history WHERE package_id = $1";
    DROP_TERMS = "DELETE FROM search_terms WHERE package_id = $1";
    DROP_DOWNLOADS = "DELETE FROM package_downloads WHERE package_id = $1";
    DROP_STATISTICS = "DELETE FROM package_statistics WHERE package_id = $1";
    DROP_RULE_USERS = "DELETE FROM tag_rule_users
        WHERE rule_id IN (SELECT id FROM tag_rules WHERE package_id = $1)";
    DROP_RULE_TEAMS = "DELETE FROM tag_rule_teams
        WHERE rule_id IN (SELECT id FROM tag_rules WHERE package_id = $1)";
    DROP_RULE_REPOSITORIES = "DELETE FROM tag_rule_repositories
        WHERE rule_id IN (SELECT id FROM tag_rules WHERE package_id = $1)";
    DROP_RULES = "DELETE FROM tag_rules WHERE package_id = $1";
    DROP = "DELETE FROM packages WHERE id = $1 AND (deleted_at IS NOT NULL OR published_at IS NULL)
        AND NOT EXISTS (SELECT 1 FROM uploads u WHERE u.package_id = packages.id)
        AND NOT EXISTS (SELECT 1 FROM links l WHERE l.package_id = packages.id)
        AND NOT EXISTS (SELECT 1 FROM versions v WHERE v.package_id = packages.id)";
}

/// Makes the row of a package that is pushed to for the first time. It stays hidden until its
/// first manifest. `None` when another request made it meanwhile.
///
/// # Errors
/// Those of the database.
pub async fn create_hidden(conn: &mut Conn, new: &NewPackage<'_>) -> Result<Option<PackageId>> {
    let args = [
        new.owner.get().into(),
        new.package_type.as_str().into(),
        new.name.as_str().into(),
        new.visibility.as_str().into(),
        new.repository.map(RepositoryId::get).into(),
        i64::from(new.inherit_access).into(),
        new.created_by.map(AccountId::get).into(),
        new.now.as_micros().into(),
    ];
    let id: Option<i64> = conn.optional(CREATE_HIDDEN, &args).await?;
    Ok(id.map(PackageId::new))
}

/// Publishes a hidden package. Returns whether it was hidden.
///
/// # Errors
/// Those of the database.
pub async fn publish(conn: &mut Conn, package: PackageId, now: Moment) -> Result<bool> {
    Ok(conn
        .execute(PUBLISH, &[package.get().into(), now.as_micros().into()])
        .await?
        > 0)
}

/// The package with this number, whatever its state.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, package: PackageId) -> Result<Option<Package>> {
    conn.optional(FIND, &[package.get().into()]).await
}

/// The package with this number, whatever its state; its manifests and tags are written by nobody
/// else until the transaction ends. On SQLite, whoever writes is alone anyway; this makes it so on
/// PostgreSQL, where blobs of the package are linked meanwhile all the same.
///
/// # Errors
/// Those of the database.
pub async fn lock(conn: &mut Conn, package: PackageId) -> Result<Option<Package>> {
    conn.optional(LOCK, &[package.get().into()]).await
}

/// The live or hidden package of this name.
///
/// # Errors
/// Those of the database.
pub async fn find_live(
    conn: &mut Conn,
    owner: AccountId,
    package_type: PackageType,
    name: &PackageName,
) -> Result<Option<Package>> {
    let args = [
        owner.get().into(),
        package_type.as_str().into(),
        name.as_str().into(),
    ];
    conn.optional(FIND_LIVE, &args).await
}

/// The package of this name that was deleted last and can be restored.
///
/// # Errors
/// Those of the database.
pub async fn find_deleted(
    conn: &mut Conn,
    owner: AccountId,
    package_type: PackageType,
    name: &PackageName,
) -> Result<Option<Package>> {
    let args = [
        owner.get().into(),
        package_type.as_str().into(),
        name.as_str().into(),
    ];
    conn.optional(FIND_DELETED, &args).await
}

/// Published packages of an owner, newest first, whoever asks: for the machine itself.
///
/// # Errors
/// Those of the database.
pub async fn of_owner(
    conn: &mut Conn,
    owner: AccountId,
    limit: i64,
    offset: i64,
) -> Result<Vec<Package>> {
    conn.all(
        OWNER_PAGE,
        &[owner.get().into(), limit.into(), offset.into()],
    )
    .await
}

/// Published packages after `after`, in the order of their numbers, whoever asks.
///
/// # Errors
/// Those of the database.
pub async fn all(conn: &mut Conn, after: PackageId, limit: i64) -> Result<Vec<Package>> {
    conn.all(ALL_PAGE, &[after.get().into(), limit.into()])
        .await
}

/// Where published packages of a registry are, by owner and name, after `owner`/`name`; whoever
/// asks.
///
/// # Errors
/// Those of the database.
pub async fn catalog(
    conn: &mut Conn,
    package_type: PackageType,
    owner: &str,
    name: &str,
    limit: i64,
) -> Result<Vec<PackagePath>> {
    let args = [
        package_type.as_str().into(),
        owner.into(),
        name.into(),
        limit.into(),
    ];
    conn.all(CATALOG, &args).await
}

/// Changes who may read it without a role.
///
/// # Errors
/// Those of the database.
pub async fn set_visibility(
    conn: &mut Conn,
    package: PackageId,
    visibility: Visibility,
    now: Moment,
) -> Result<()> {
    let args = [
        package.get().into(),
        visibility.as_str().into(),
        now.as_micros().into(),
    ];
    conn.execute(SET_VISIBILITY, &args).await?;
    Ok(())
}

/// Links the package to a source repository, or unlinks it, and says whether explicit roles there
/// count here.
///
/// # Errors
/// Those of the database.
pub async fn set_repository(
    conn: &mut Conn,
    package: PackageId,
    repository: Option<RepositoryId>,
    inherit_access: bool,
    now: Moment,
) -> Result<()> {
    let args = [
        package.get().into(),
        repository.map(RepositoryId::get).into(),
        i64::from(inherit_access && repository.is_some()).into(),
        now.as_micros().into(),
    ];
    conn.execute(LINK_REPOSITORY, &args).await?;
    Ok(())
}

/// Links an unlinked package to the repository that its label names, and says whether explicit
/// roles there count here. Returns whether it was unlinked.
///
/// # Errors
/// Those of the database.
pub async fn link_from_label(
    conn: &mut Conn,
    package: PackageId,
    repository: RepositoryId,
    inherit_access: bool,
    now: Moment,
) -> Result<bool> {
    let args = [
        package.get().into(),
        repository.get().into(),
        now.as_micros().into(),
        inherit_access.into(),
    ];
    Ok(conn.execute(LINK_FROM_LABEL, &args).await? > 0)
}

/// Notes why the label of an unlinked package was ignored, for its page.
///
/// # Errors
/// Those of the database.
pub async fn note_link(conn: &mut Conn, package: PackageId, note: &str) -> Result<()> {
    conn.execute(NOTE_LINK, &[package.get().into(), note.into()])
        .await?;
    Ok(())
}

/// Sets the description.
///
/// # Errors
/// Those of the database.
pub async fn describe(
    conn: &mut Conn,
    package: PackageId,
    description: Option<&str>,
) -> Result<()> {
    conn.execute(DESCRIBE, &[package.get().into(), description.into()])
        .await?;
    Ok(())
}

/// Notes that the package was pulled once: its name is then kept for its owner for ever.
///
/// # Errors
/// Those of the database.
pub async fn note_pulled(conn: &mut Conn, package: PackageId, now: Moment) -> Result<()> {
    conn.execute(PULLED, &[package.get().into(), now.as_micros().into()])
        .await?;
    Ok(())
}

/// Puts a package into the bin. Returns whether it was live.
///
/// # Errors
/// Those of the database.
pub async fn delete(
    conn: &mut Conn,
    package: PackageId,
    now: Moment,
    by: Option<AccountId>,
) -> Result<bool> {
    let args = [
        package.get().into(),
        now.as_micros().into(),
        by.map(AccountId::get).into(),
    ];
    Ok(conn.execute(DELETE, &args).await? > 0)
}

/// Takes a package out of the bin. Returns whether it was there.
///
/// # Errors
/// Those of the database; [`Error::Unique`] when the name was taken meanwhile.
pub async fn restore(conn: &mut Conn, package: PackageId, now: Moment) -> Result<bool> {
    Ok(conn
        .execute(RESTORE, &[package.get().into(), now.as_micros().into()])
        .await?
        > 0)
}

/// Puts the versions of packages whose time in the bin is over into the bin themselves, as of
/// `deleted_at`, so that they are purged like others. Returns how many packages there were.
///
/// # Errors
/// Those of the database.
pub async fn bin_overdue(conn: &mut Conn, deleted_before: Moment, limit: i64) -> Result<usize> {
    let args = [deleted_before.as_micros().into(), limit.into()];
    let overdue: Vec<i64> = conn.all(OVERDUE, &args).await?;
    let earlier = deleted_before.minus(std::time::Duration::from_micros(1));
    for package in &overdue {
        conn.execute(
            BIN_VERSIONS,
            &[(*package).into(), earlier.as_micros().into()],
        )
        .await?;
    }
    Ok(overdue.len())
}

/// Puts the versions of a deleted package into the bin themselves; those of a live one stay.
///
/// # Errors
/// Those of the database.
pub async fn bin_versions_of_deleted(
    conn: &mut Conn,
    package: PackageId,
    now: Moment,
) -> Result<()> {
    let args = [package.get().into(), now.as_micros().into()];
    conn.execute(BIN_VERSIONS_OF_DELETED, &args).await?;
    Ok(())
}

/// Makes deleted packages, or the one given, count as deleted at `at`, if they were deleted later:
/// their time in the bin is over then.
///
/// # Errors
/// Those of the database.
pub async fn end_bin_time(conn: &mut Conn, package: Option<PackageId>, at: Moment) -> Result<()> {
    match package {
        Some(package) => {
            conn.execute(
                END_BIN_TIME_OF,
                &[at.as_micros().into(), package.get().into()],
            )
            .await?
        }
        None => conn.execute(END_BIN_TIME, &[at.as_micros().into()]).await?,
    };
    Ok(())
}

/// Every package that has or had this name, deleted ones included, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn ids_of_name(
    conn: &mut Conn,
    owner: AccountId,
    package_type: PackageType,
    name: &PackageName,
) -> Result<Vec<PackageId>> {
    let args = [
        owner.get().into(),
        package_type.as_str().into(),
        name.as_str().into(),
    ];
    conn.all(IDS_OF_NAME, &args).await
}

/// Removes packages for good that were deleted before `deleted_before` or never saw a manifest,
/// and that hold nothing any more. Returns how many.
///
/// # Errors
/// Those of the database.
pub async fn purge_empty(conn: &mut Conn, deleted_before: Moment, limit: i64) -> Result<usize> {
    let args = [deleted_before.as_micros().into(), limit.into()];
    let empty: Vec<i64> = conn.all(EMPTY, &args).await?;
    let mut purged = 0;
    for package in empty {
        for statement in [
            DROP_USERS,
            DROP_TEAMS,
            DROP_REPOSITORIES,
            DROP_HISTORY,
            DROP_TERMS,
            DROP_DOWNLOADS,
            DROP_STATISTICS,
            DROP_RULE_USERS,
            DROP_RULE_TEAMS,
            DROP_RULE_REPOSITORIES,
            DROP_RULES,
        ] {
            conn.execute(statement, &[package.into()]).await?;
        }
        purged += usize::from(conn.execute(DROP, &[package.into()]).await? > 0);
    }
    Ok(purged)
}

/// Whether the error says that the name was taken meanwhile.
#[must_use]
pub fn name_taken(error: &Error) -> bool {
    matches!(error, Error::Unique { .. })
}
