//! Accounts: users and organizations, and who is in which organization.

use naru_model::{
    Account, AccountId, AccountKind, AccountName, Moment, Organization, OrganizationRole,
    PackageSettings, User,
};

use crate::db::{Conn, FromRow, Row, statements};
use crate::error::Result;

/// What [`User`] and [`Organization`] are read from.
macro_rules! account_columns {
    () => {
        "a.id, a.kind, a.login, a.name, a.site_admin, a.created_at, a.updated_at, a.suspended_at, \
         a.members_create_public, a.members_create_internal, a.members_create_private, \
         a.members_create_repositories, a.packages_inherit_access, a.public_is_final, \
         a.refuse_needed_deletes"
    };
}

pub(crate) use account_columns;

impl FromRow for User {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            login: row.word("login")?,
            name: row.get("name")?,
            site_admin: row.get("site_admin")?,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
            suspended_at: row.get("suspended_at")?,
        })
    }
}

impl FromRow for Organization {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            login: row.word("login")?,
            name: row.get("name")?,
            packages: PackageSettings::from_row(row)?,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
        })
    }
}

impl FromRow for PackageSettings {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            members_create_public: row.get("members_create_public")?,
            members_create_internal: row.get("members_create_internal")?,
            members_create_private: row.get("members_create_private")?,
            members_create_repositories: row.get("members_create_repositories")?,
            inherit_access: row.get("packages_inherit_access")?,
            public_is_final: row.get("public_is_final")?,
            refuse_needed_deletes: row.get("refuse_needed_deletes")?,
        })
    }
}

impl FromRow for Account {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(match row.word("kind")? {
            AccountKind::User => Self::User(User::from_row(row)?),
            AccountKind::Organization => Self::Organization(Organization::from_row(row)?),
        })
    }
}

struct WithPassword(User, Option<String>);

impl FromRow for WithPassword {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self(User::from_row(row)?, row.get("password_hash")?))
    }
}

/// A user about to be registered.
#[derive(Clone, Debug)]
pub struct NewUser<'a> {
    /// The account name, in the spelling that is kept.
    pub login: &'a AccountName,
    /// What the person is called.
    pub name: Option<&'a str>,
    /// Whether they administer the instance.
    pub site_admin: bool,
    /// The password's hash, as a PHC string; without one nobody signs in by password.
    pub password_hash: Option<&'a str>,
    /// When.
    pub now: Moment,
}

/// An organization about to be registered. Its first owner is added by [`set_member`].
#[derive(Clone, Debug)]
pub struct NewOrganization<'a> {
    /// The account name, in the spelling that is kept.
    pub login: &'a AccountName,
    /// What it is called.
    pub name: Option<&'a str>,
    /// When.
    pub now: Moment,
}

statements! {
    CREATE = "INSERT INTO accounts
            (kind, login, login_key, name, site_admin, password_hash, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
        ON CONFLICT (login_key) DO NOTHING
        RETURNING id";
    #[short]
    FIND = concat!("SELECT ", account_columns!(), " FROM accounts a
        WHERE a.login_key = $1 AND a.deleted_at IS NULL");
    FIND_WITH_PASSWORD = concat!("SELECT ", account_columns!(), ", a.password_hash FROM accounts a
        WHERE a.login_key = $1 AND a.kind = 'user' AND a.deleted_at IS NULL");
    #[short]
    FIND_BY_ID = concat!("SELECT ", account_columns!(), " FROM accounts a
        WHERE a.id = $1 AND a.deleted_at IS NULL");
    LOCK = "SELECT id FROM accounts WHERE id = $1 {{FOR NO KEY UPDATE}}";
    LIST = concat!("SELECT ", account_columns!(), " FROM accounts a
        WHERE a.kind = $1 AND a.deleted_at IS NULL
        ORDER BY a.login_key LIMIT $2 OFFSET $3");
    AFTER = concat!("SELECT ", account_columns!(), " FROM accounts a
        WHERE a.id > $1 AND a.deleted_at IS NULL ORDER BY a.id LIMIT $2");
    MANY = concat!("SELECT ", account_columns!(), " FROM accounts a
        WHERE a.id {{IN $1}} AND a.deleted_at IS NULL");
    ADMINISTRATORS = "SELECT a.id FROM accounts a
        WHERE a.kind = 'user' AND a.site_admin = 1 AND a.deleted_at IS NULL
            AND a.suspended_at IS NULL
        ORDER BY a.id {{FOR UPDATE}}";
    SET_PASSWORD = "UPDATE accounts SET password_hash = $2, updated_at = $3 WHERE id = $1";
    SET_NAME = "UPDATE accounts SET name = $2, updated_at = $3 WHERE id = $1";
    SET_SUSPENDED = "UPDATE accounts SET suspended_at = $2, updated_at = $3 WHERE id = $1";
    SET_SITE_ADMIN = "UPDATE accounts SET site_admin = $2, updated_at = $3 WHERE id = $1";
    SET_PACKAGES = "UPDATE accounts SET members_create_public = $2, members_create_internal = $3,
            members_create_private = $4, members_create_repositories = $5,
            packages_inherit_access = $6, public_is_final = $7, updated_at = $8,
            refuse_needed_deletes = $9
        WHERE id = $1";
    RETIRE_NAMES = "INSERT INTO retired_names (owner_key, package_type, name, kept_for)
        SELECT DISTINCT a.login_key, p.package_type, p.name, a.id
        FROM packages p JOIN accounts a ON a.id = p.owner_id
        WHERE a.id = $1 AND p.pulled_at IS NOT NULL
        ON CONFLICT (owner_key, package_type, name) DO NOTHING";
    RENAME = "UPDATE accounts SET login = $2, login_key = $3, updated_at = $4 WHERE id = $1";

    MEMBER_ROLE = "SELECT role FROM organization_members
        WHERE organization_id = $1 AND user_id = $2";
    PUT_MEMBER = "INSERT INTO organization_members (organization_id, user_id, role, created_at)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (organization_id, user_id) DO UPDATE SET role = excluded.role";
    REMOVE_MEMBER = "DELETE FROM organization_members WHERE organization_id = $1 AND user_id = $2";
    MEMBERS = concat!("SELECT ", account_columns!(), ", m.role
        FROM organization_members m JOIN accounts a ON a.id = m.user_id
        WHERE m.organization_id = $1 AND a.deleted_at IS NULL
        ORDER BY a.login_key");
    MEMBERSHIPS = concat!("SELECT ", account_columns!(), ", m.role
        FROM organization_members m JOIN accounts a ON a.id = m.organization_id
        WHERE m.user_id = $1 AND a.deleted_at IS NULL
        ORDER BY a.login_key");
    OWNERS = "SELECT user_id FROM organization_members
        WHERE organization_id = $1 AND role = 'owner' ORDER BY user_id {{FOR UPDATE}}";
}

/// Registers a user. `None` when the name is taken, also by a deleted account.
///
/// # Errors
/// Those of the database.
pub async fn create_user(conn: &mut Conn, new: &NewUser<'_>) -> Result<Option<AccountId>> {
    let args = [
        AccountKind::User.as_str().into(),
        new.login.as_str().into(),
        new.login.key().into(),
        new.name.into(),
        new.site_admin.into(),
        new.password_hash.into(),
        new.now.into(),
    ];
    conn.optional(CREATE, &args).await
}

/// Registers an organization. `None` when the name is taken, also by a deleted account.
///
/// # Errors
/// Those of the database.
pub async fn create_organization(
    conn: &mut Conn,
    new: &NewOrganization<'_>,
) -> Result<Option<AccountId>> {
    let args = [
        AccountKind::Organization.as_str().into(),
        new.login.as_str().into(),
        new.login.key().into(),
        new.name.into(),
        false.into(),
        None::<&str>.into(),
        new.now.into(),
    ];
    conn.optional(CREATE, &args).await
}

/// The account of this name, in any spelling of its case.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, login: &AccountName) -> Result<Option<Account>> {
    conn.optional(FIND, &[login.key().into()]).await
}

/// The account with this number.
///
/// # Errors
/// Those of the database.
pub async fn find_by_id(conn: &mut Conn, id: AccountId) -> Result<Option<Account>> {
    conn.optional(FIND_BY_ID, &[id.into()]).await
}

/// Makes others who lock the account wait until this transaction ends. On SQLite, whoever writes is
/// alone anyway.
///
/// # Errors
/// Those of the database.
pub async fn lock(conn: &mut Conn, id: AccountId) -> Result<()> {
    conn.optional::<AccountId>(LOCK, &[id.into()]).await?;
    Ok(())
}

/// The user with this number; `None` for an organization.
///
/// # Errors
/// Those of the database.
pub async fn user(conn: &mut Conn, id: AccountId) -> Result<Option<User>> {
    Ok(match find_by_id(conn, id).await? {
        Some(Account::User(user)) => Some(user),
        _ => None,
    })
}

/// The organization with this number; `None` for a user.
///
/// # Errors
/// Those of the database.
pub async fn organization(conn: &mut Conn, id: AccountId) -> Result<Option<Organization>> {
    Ok(match find_by_id(conn, id).await? {
        Some(Account::Organization(organization)) => Some(organization),
        _ => None,
    })
}

/// The user of this name and the hash of their password, suspended ones too: for signing in.
///
/// # Errors
/// Those of the database.
pub async fn user_with_password(
    conn: &mut Conn,
    login: &AccountName,
) -> Result<Option<(User, Option<String>)>> {
    let found = conn
        .optional(FIND_WITH_PASSWORD, &[login.key().into()])
        .await?;
    Ok(found.map(|WithPassword(user, hash)| (user, hash)))
}

/// Users in the order of their names; `limit` of them, after the first `offset`.
///
/// # Errors
/// Those of the database.
pub async fn users(conn: &mut Conn, limit: i64, offset: i64) -> Result<Vec<User>> {
    conn.all(
        LIST,
        &[
            AccountKind::User.as_str().into(),
            limit.into(),
            offset.into(),
        ],
    )
    .await
}

/// Organizations in the order of their names; `limit` of them, after the first `offset`.
///
/// # Errors
/// Those of the database.
pub async fn organizations(conn: &mut Conn, limit: i64, offset: i64) -> Result<Vec<Organization>> {
    conn.all(
        LIST,
        &[
            AccountKind::Organization.as_str().into(),
            limit.into(),
            offset.into(),
        ],
    )
    .await
}

/// Users and organizations in the order in which they were made, after this one.
///
/// # Errors
/// Those of the database.
pub async fn after(conn: &mut Conn, account: AccountId, limit: i64) -> Result<Vec<Account>> {
    conn.all(AFTER, &[account.into(), limit.into()]).await
}

/// The accounts with these numbers, in no particular order.
///
/// # Errors
/// Those of the database.
pub async fn many(conn: &mut Conn, accounts: &[AccountId]) -> Result<Vec<Account>> {
    let numbers: Vec<i64> = accounts.iter().map(|account| account.get()).collect();
    conn.all(MANY, &[numbers.as_slice().into()]).await
}

/// How many users administer the instance and are not suspended. Inside a transaction none of them
/// can stop being one before it ends, so that two who demote each other do not both succeed.
///
/// # Errors
/// Those of the database.
pub async fn count_active_administrators(conn: &mut Conn) -> Result<usize> {
    let found: Vec<AccountId> = conn.all(ADMINISTRATORS, &[]).await?;
    Ok(found.len())
}

/// Sets or removes the hash of a user's password.
///
/// # Errors
/// Those of the database.
pub async fn set_password_hash(
    conn: &mut Conn,
    user: AccountId,
    hash: Option<&str>,
    now: Moment,
) -> Result<()> {
    conn.execute(SET_PASSWORD, &[user.into(), hash.into(), now.into()])
        .await?;
    Ok(())
}

/// Sets what an account is called.
///
/// # Errors
/// Those of the database.
pub async fn set_name(
    conn: &mut Conn,
    account: AccountId,
    name: Option<&str>,
    now: Moment,
) -> Result<()> {
    conn.execute(SET_NAME, &[account.into(), name.into(), now.into()])
        .await?;
    Ok(())
}

/// Suspends a user since `since`, or lifts the suspension.
///
/// # Errors
/// Those of the database.
pub async fn set_suspended(
    conn: &mut Conn,
    user: AccountId,
    since: Option<Moment>,
    now: Moment,
) -> Result<()> {
    conn.execute(SET_SUSPENDED, &[user.into(), since.into(), now.into()])
        .await?;
    Ok(())
}

/// Sets whether a user administers the instance.
///
/// # Errors
/// Those of the database.
pub async fn set_site_admin(
    conn: &mut Conn,
    user: AccountId,
    site_admin: bool,
    now: Moment,
) -> Result<()> {
    conn.execute(
        SET_SITE_ADMIN,
        &[user.into(), site_admin.into(), now.into()],
    )
    .await?;
    Ok(())
}

/// Sets what an organization lets its members do with packages.
///
/// # Errors
/// Those of the database.
pub async fn set_package_settings(
    conn: &mut Conn,
    organization: AccountId,
    settings: &PackageSettings,
    now: Moment,
) -> Result<()> {
    let args = [
        organization.into(),
        settings.members_create_public.into(),
        settings.members_create_internal.into(),
        settings.members_create_private.into(),
        settings.members_create_repositories.into(),
        settings.inherit_access.into(),
        settings.public_is_final.into(),
        now.into(),
        settings.refuse_needed_deletes.into(),
    ];
    conn.execute(SET_PACKAGES, &args).await?;
    Ok(())
}

/// Gives an account another name. Everything refers to its number, so nothing else changes; the
/// full names of packages that were ever pulled are kept for it under the old one.
///
/// # Errors
/// [`Error::Unique`](crate::Error::Unique) when the name is taken.
pub async fn rename(
    conn: &mut Conn,
    account: AccountId,
    login: &AccountName,
    now: Moment,
) -> Result<()> {
    conn.execute(RETIRE_NAMES, &[account.into()]).await?;
    let args = [
        account.into(),
        login.as_str().into(),
        login.key().into(),
        now.into(),
    ];
    conn.execute(RENAME, &args).await?;
    Ok(())
}

/// What a user is in an organization.
///
/// # Errors
/// Those of the database.
pub async fn member_role(
    conn: &mut Conn,
    organization: AccountId,
    user: AccountId,
) -> Result<Option<OrganizationRole>> {
    let found: Option<RoleOf<_>> = conn
        .optional(MEMBER_ROLE, &[organization.into(), user.into()])
        .await?;
    Ok(found.map(|RoleOf(role)| role))
}

/// Adds a user to an organization, or changes what they are in it.
///
/// # Errors
/// [`Error::ForeignKey`](crate::Error::ForeignKey) when there is no such account.
pub async fn set_member(
    conn: &mut Conn,
    organization: AccountId,
    user: AccountId,
    role: OrganizationRole,
    now: Moment,
) -> Result<()> {
    let args = [
        organization.into(),
        user.into(),
        role.as_str().into(),
        now.into(),
    ];
    conn.execute(PUT_MEMBER, &args).await?;
    Ok(())
}

/// Removes a user from an organization. Returns whether they were in it.
///
/// # Errors
/// Those of the database.
pub async fn remove_member(
    conn: &mut Conn,
    organization: AccountId,
    user: AccountId,
) -> Result<bool> {
    Ok(conn
        .execute(REMOVE_MEMBER, &[organization.into(), user.into()])
        .await?
        > 0)
}

/// Who is in an organization and as what, in the order of their names.
///
/// # Errors
/// Those of the database.
pub async fn members(
    conn: &mut Conn,
    organization: AccountId,
) -> Result<Vec<(User, OrganizationRole)>> {
    conn.all(MEMBERS, &[organization.into()]).await
}

/// The organizations a user is in and as what, in the order of their names.
///
/// # Errors
/// Those of the database.
pub async fn memberships(
    conn: &mut Conn,
    user: AccountId,
) -> Result<Vec<(Organization, OrganizationRole)>> {
    conn.all(MEMBERSHIPS, &[user.into()]).await
}

/// How many owners an organization has. Inside a transaction none of them can stop being one before
/// it ends.
///
/// # Errors
/// Those of the database.
pub async fn count_owners(conn: &mut Conn, organization: AccountId) -> Result<usize> {
    let found: Vec<AccountId> = conn.all(OWNERS, &[organization.into()]).await?;
    Ok(found.len())
}

/// A row that is nothing but a role.
pub(crate) struct RoleOf<R>(pub(crate) R);

impl<R> FromRow for RoleOf<R>
where
    R: std::str::FromStr,
    R::Err: std::fmt::Display,
{
    fn from_row(row: &Row) -> Result<Self> {
        row.word("role").map(Self)
    }
}
