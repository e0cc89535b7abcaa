//! Package settings of accounts, all of them together.

use naru_model::{AccountId, Moment, PackageId, PackageSettings};

use crate::accounts;
use crate::db::{Conn, FromRow, Row, statements};
use crate::error::Result;

/// Everything that an account says about packages under it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountSettings {
    /// What decisions depend on.
    pub packages: PackageSettings,
    /// How many downloads make a public package undeletable; `None` is what the instance says, 0
    /// lets everything be deleted.
    pub undeletable_downloads: Option<u64>,
}

impl FromRow for AccountSettings {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            packages: PackageSettings::from_row(row)?,
            undeletable_downloads: row.get("undeletable_downloads")?,
        })
    }
}

statements! {
    FIND = "SELECT a.members_create_public, a.members_create_internal, a.members_create_private,
            a.members_create_repositories, a.packages_inherit_access, a.public_is_final,
            a.refuse_needed_deletes, a.undeletable_downloads
        FROM accounts a WHERE a.id = $1";
    SET_UNDELETABLE = "UPDATE accounts SET undeletable_downloads = $2 WHERE id = $1";
    UNDELETABLE = "SELECT a.undeletable_downloads
        FROM packages p JOIN accounts a ON a.id = p.owner_id WHERE p.id = $1";
}

/// The settings of an account; those of a new one where there is none.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, account: AccountId) -> Result<AccountSettings> {
    let found = conn.optional(FIND, &[account.into()]).await?;
    Ok(found.unwrap_or_default())
}

/// Sets all settings of an account.
///
/// # Errors
/// Those of the database.
pub async fn set(
    conn: &mut Conn,
    account: AccountId,
    settings: &AccountSettings,
    now: Moment,
) -> Result<()> {
    accounts::set_package_settings(conn, account, &settings.packages, now).await?;
    let downloads = settings.undeletable_downloads;
    let downloads = downloads.map(|most| i64::try_from(most).unwrap_or(i64::MAX));
    conn.execute(SET_UNDELETABLE, &[account.into(), downloads.into()])
        .await?;
    Ok(())
}

struct Undeletable(Option<u64>);

impl FromRow for Undeletable {
    fn from_row(row: &Row) -> Result<Self> {
        row.get("undeletable_downloads").map(Self)
    }
}

/// How many downloads make a public package undeletable, if its owner says so.
///
/// # Errors
/// Those of the database.
pub async fn undeletable_downloads(conn: &mut Conn, package: PackageId) -> Result<Option<u64>> {
    let found = conn.optional(UNDELETABLE, &[package.into()]).await?;
    Ok(found.and_then(|Undeletable(most)| most))
}
