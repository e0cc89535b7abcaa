//! Facts about the instance as a whole, by key: when it was set up, how far time had come.

use crate::db::{Conn, statements};
use crate::error::Result;

statements! {
    GET = "SELECT value FROM instance WHERE key = $1";
    CLAIM = "INSERT INTO instance (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING";
    PUT = "INSERT INTO instance (key, value) VALUES ($1, $2)
        ON CONFLICT (key) DO UPDATE SET value = excluded.value";
}

/// What is stored under a key.
///
/// # Errors
/// Those of the database.
pub async fn get(conn: &mut Conn, key: &str) -> Result<Option<String>> {
    conn.optional(GET, &[key.into()]).await
}

/// Stores a value unless there is one. Returns whether it was the first: of several processes that
/// start together one hears yes, and the others wait for its transaction before they hear no.
///
/// # Errors
/// Those of the database.
pub async fn claim(conn: &mut Conn, key: &str, value: &str) -> Result<bool> {
    Ok(conn.execute(CLAIM, &[key.into(), value.into()]).await? > 0)
}

/// Stores a value in place of what was there.
///
/// # Errors
/// Those of the database.
pub async fn put(conn: &mut Conn, key: &str, value: &str) -> Result<()> {
    conn.execute(PUT, &[key.into(), value.into()]).await?;
    Ok(())
}
