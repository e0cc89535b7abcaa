//! Quotas: how much owners may hold.

use naru_model::{Account, AccountId, Moment, Quota};

use crate::accounts::account_columns;
use crate::db::{Conn, FromRow, Row, statements};
use crate::error::Result;
use crate::page::{Cursor, Page};

impl FromRow for Quota {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            live: row.get("live_limit")?,
            bin: row.get("bin_limit")?,
        })
    }
}

struct OfAccount(Account, Quota);

impl FromRow for OfAccount {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self(Account::from_row(row)?, Quota::from_row(row)?))
    }
}

statements! {
    FIND = "SELECT live_limit, bin_limit FROM quotas WHERE owner_id = $1";
    PUT = "INSERT INTO quotas (owner_id, live_limit, bin_limit, updated_at)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (owner_id) DO UPDATE SET live_limit = excluded.live_limit,
            bin_limit = excluded.bin_limit, updated_at = excluded.updated_at";
    REMOVE = "DELETE FROM quotas WHERE owner_id = $1";
    LIST = concat!("SELECT ", account_columns!(), ", q.live_limit, q.bin_limit
        FROM quotas q JOIN accounts a ON a.id = q.owner_id
        WHERE q.owner_id > $1 ORDER BY q.owner_id LIMIT $2 OFFSET $3");
}

/// How much an owner may hold; no limits where none were set.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, owner: AccountId) -> Result<Quota> {
    let found = conn.optional(FIND, &[owner.into()]).await?;
    Ok(found.unwrap_or_default())
}

/// Sets how much an owner may hold; no limits at all leave no row.
///
/// # Errors
/// Those of the database.
pub async fn set(conn: &mut Conn, owner: AccountId, quota: Quota, now: Moment) -> Result<()> {
    if quota == Quota::default() {
        conn.execute(REMOVE, &[owner.into()]).await?;
        return Ok(());
    }
    let number = |limit: Option<u64>| limit.map(|limit| i64::try_from(limit).unwrap_or(i64::MAX));
    let args = [
        owner.into(),
        number(quota.live).into(),
        number(quota.bin).into(),
        now.into(),
    ];
    conn.execute(PUT, &args).await?;
    Ok(())
}

/// Accounts with a quota, in the order of their numbers.
///
/// # Errors
/// Those of the database.
pub async fn list(conn: &mut Conn, cursor: Cursor) -> Result<Page<(Account, Quota)>> {
    let args = [
        cursor.after.unwrap_or(0).into(),
        cursor.rows().into(),
        cursor.skipped().into(),
    ];
    let found: Vec<OfAccount> = conn.all(LIST, &args).await?;
    let found = found
        .into_iter()
        .map(|OfAccount(account, quota)| (account, quota));
    Ok(Page::cut(
        found.collect(),
        cursor,
        |(account, _): &(Account, Quota)| account.id().get(),
    ))
}
