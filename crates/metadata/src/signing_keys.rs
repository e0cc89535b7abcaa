//! Keys that sign registry tokens, sealed with a master key that is not in the database.

use naru_model::Moment;

use crate::db::{Conn, FromRow, Row, statements};
use crate::error::Result;

/// A stored key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKeyRow {
    /// Its name in the tokens it signed.
    pub kid: String,
    /// The key, sealed.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: Moment,
    /// Since when it only verifies.
    pub retired_at: Option<Moment>,
}

impl FromRow for SigningKeyRow {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            kid: row.get("kid")?,
            sealed: row.get("sealed")?,
            created_at: row.get("created_at")?,
            retired_at: row.get("retired_at")?,
        })
    }
}

statements! {
    ALL = "SELECT kid, sealed, created_at, retired_at FROM signing_keys ORDER BY created_at, kid";
    INSERT = "INSERT INTO signing_keys (kid, sealed, created_at) VALUES ($1, $2, $3)";
    RETIRE_ALL = "UPDATE signing_keys SET retired_at = $1 WHERE retired_at IS NULL";
    FORGET = "DELETE FROM signing_keys WHERE retired_at < $1";
}

/// Every key, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn all(conn: &mut Conn) -> Result<Vec<SigningKeyRow>> {
    conn.all(ALL, &[]).await
}

/// Stores a key that signs from now on.
///
/// # Errors
/// Those of the database.
pub async fn insert(conn: &mut Conn, kid: &str, sealed: &[u8], now: Moment) -> Result<()> {
    conn.execute(INSERT, &[kid.into(), sealed.into(), now.into()])
        .await?;
    Ok(())
}

/// Lets every key that signs do nothing but verify from now on.
///
/// # Errors
/// Those of the database.
pub async fn retire_all(conn: &mut Conn, now: Moment) -> Result<()> {
    conn.execute(RETIRE_ALL, &[now.into()]).await?;
    Ok(())
}

/// Removes keys that stopped signing before `moment`. Returns how many.
///
/// # Errors
/// Those of the database.
pub async fn forget_retired_before(conn: &mut Conn, moment: Moment) -> Result<u64> {
    conn.execute(FORGET, &[moment.into()]).await
}
