//! Who is in an organization, page by page, and who shows it to everybody.

use std::collections::HashMap;

use naru_model::{Account, AccountId, Organization, OrganizationRole, User};

use crate::accounts::{self, account_columns};
use crate::db::{Conn, FromRow, Row, statements};
use crate::error::Result;
use crate::page::{Cursor, Page};

/// What a user is in an organization, and whether everybody may know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// What they are.
    pub role: OrganizationRole,
    /// Whether they show it to everybody.
    pub is_public: bool,
}

impl FromRow for Membership {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            role: row.word("role")?,
            is_public: row.get("is_public")?,
        })
    }
}

/// Which members are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemberFilter {
    /// Only with this role.
    pub role: Option<OrganizationRole>,
    /// Only those who show it to everybody.
    pub public_only: bool,
}

statements! {
    FIND = "SELECT m.role, m.is_public FROM organization_members m
            JOIN accounts a ON a.id = m.user_id
        WHERE m.organization_id = $1 AND m.user_id = $2 AND a.deleted_at IS NULL";
    SET_PUBLIC = "UPDATE organization_members SET is_public = $3
        WHERE organization_id = $1 AND user_id = $2";
    PAGE = "SELECT m.user_id, m.role FROM organization_members m
        WHERE m.organization_id = $1
            AND m.user_id NOT IN (SELECT d.id FROM accounts d WHERE d.deleted_at IS NOT NULL)
            AND (CAST($2 AS {{TEXT}}) IS NULL OR m.role = $2)
            AND (m.is_public = 1 OR $3 = 0)
        ORDER BY m.user_id LIMIT $4 OFFSET $5";
    OF_USER = concat!("SELECT ", account_columns!(), ", m.role
        FROM organization_members m JOIN accounts a ON a.id = m.organization_id
        WHERE m.user_id = $1 AND a.deleted_at IS NULL AND (m.is_public = 1 OR $2 = 0)
        ORDER BY m.organization_id LIMIT $3 OFFSET $4");
}

/// What a user is in an organization.
///
/// # Errors
/// Those of the database.
pub async fn find(
    conn: &mut Conn,
    organization: AccountId,
    user: AccountId,
) -> Result<Option<Membership>> {
    conn.optional(FIND, &[organization.into(), user.into()])
        .await
}

/// Sets whether a member shows the membership to everybody.
///
/// # Errors
/// Those of the database.
pub async fn set_public(
    conn: &mut Conn,
    organization: AccountId,
    user: AccountId,
    is_public: bool,
) -> Result<()> {
    let args = [organization.into(), user.into(), is_public.into()];
    conn.execute(SET_PUBLIC, &args).await?;
    Ok(())
}

/// Members of an organization, oldest account first.
///
/// # Errors
/// Those of the database.
pub async fn page(
    conn: &mut Conn,
    organization: AccountId,
    filter: MemberFilter,
    cursor: Cursor,
) -> Result<Page<(User, OrganizationRole)>> {
    let args = [
        organization.into(),
        filter.role.map(OrganizationRole::as_str).into(),
        filter.public_only.into(),
        cursor.rows().into(),
        cursor.skipped().into(),
    ];
    let rows: Vec<(AccountId, OrganizationRole)> = conn.all(PAGE, &args).await?;
    let page = Page::cut_counted(rows, cursor);
    Ok(Page {
        items: with_users(conn, page.items).await?,
        next: page.next,
    })
}

/// The same members by their records: asked for once the page is cut, because PostgreSQL reads all
/// accounts where it has to guess how many members a page has.
async fn with_users(
    conn: &mut Conn,
    members: Vec<(AccountId, OrganizationRole)>,
) -> Result<Vec<(User, OrganizationRole)>> {
    let numbers: Vec<AccountId> = members.iter().map(|(user, _)| *user).collect();
    let found = accounts::many(conn, &numbers).await?.into_iter();
    let found = found.filter_map(|account| match account {
        Account::User(user) => Some((user.id, user)),
        Account::Organization(_) => None,
    });
    let mut users: HashMap<AccountId, User> = found.collect();
    let members = members.into_iter();
    let members = members.filter_map(|(user, role)| Some((users.remove(&user)?, role)));
    Ok(members.collect())
}

/// The organizations a user is in and as what, oldest organization first; only those that they show
/// to everybody if `public_only`.
///
/// # Errors
/// Those of the database.
pub async fn of_user(
    conn: &mut Conn,
    user: AccountId,
    public_only: bool,
    cursor: Cursor,
) -> Result<Page<(Organization, OrganizationRole)>> {
    let args = [
        user.into(),
        public_only.into(),
        cursor.rows().into(),
        cursor.skipped().into(),
    ];
    let rows = conn.all(OF_USER, &args).await?;
    Ok(Page::cut_counted(rows, cursor))
}
