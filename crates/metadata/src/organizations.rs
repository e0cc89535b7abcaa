//! The end of organizations: deleted with all that is theirs, and restored as they were.

use naru_model::{AccountId, AccountName, Moment, Organization};

use crate::accounts::account_columns;
use crate::db::{Conn, FromRow, Row, statements};
use crate::error::Result;

/// An organization in the bin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedOrganization {
    /// Its record.
    pub organization: Organization,
    /// When it was deleted.
    pub deleted_at: Moment,
}

impl FromRow for DeletedOrganization {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            organization: Organization::from_row(row)?,
            deleted_at: row.get("deleted_at")?,
        })
    }
}

statements! {
    DELETE = "UPDATE accounts SET deleted_at = $2, updated_at = $2
        WHERE id = $1 AND kind = 'organization' AND deleted_at IS NULL";
    DELETE_PACKAGES = "UPDATE packages SET deleted_at = $2, deleted_by = $3, updated_at = $2
        WHERE owner_id = $1 AND deleted_at IS NULL AND published_at IS NOT NULL";
    FIND_DELETED = concat!("SELECT ", account_columns!(), ", a.deleted_at FROM accounts a
        WHERE a.login_key = $1 AND a.kind = 'organization' AND a.deleted_at IS NOT NULL");
    RESTORE = "UPDATE accounts SET deleted_at = NULL, updated_at = $2 WHERE id = $1";
    RESTORE_PACKAGES = "UPDATE packages SET deleted_at = NULL, deleted_by = NULL, updated_at = $3
        WHERE owner_id = $1 AND deleted_at = $2";
}

/// Marks an organization deleted, and its packages with it, so that they go when their time in the
/// bin is over. Everything else that is its own stays as it is, out of reach.
///
/// # Errors
/// Those of the database.
pub async fn delete(
    conn: &mut Conn,
    organization: AccountId,
    now: Moment,
    by: Option<AccountId>,
) -> Result<()> {
    let args = [organization.into(), now.into(), by.into()];
    conn.execute(DELETE_PACKAGES, &args).await?;
    conn.execute(DELETE, &[organization.into(), now.into()])
        .await?;
    Ok(())
}

/// The deleted organization of this name.
///
/// # Errors
/// Those of the database.
pub async fn find_deleted(
    conn: &mut Conn,
    login: &AccountName,
) -> Result<Option<DeletedOrganization>> {
    conn.optional(FIND_DELETED, &[login.key().into()]).await
}

/// Restores an organization and the packages that were deleted with it.
///
/// # Errors
/// Those of the database.
pub async fn restore(conn: &mut Conn, deleted: &DeletedOrganization, now: Moment) -> Result<()> {
    let id = deleted.organization.id;
    let args = [id.into(), deleted.deleted_at.into(), now.into()];
    conn.execute(RESTORE_PACKAGES, &args).await?;
    conn.execute(RESTORE, &[id.into(), now.into()]).await?;
    Ok(())
}
