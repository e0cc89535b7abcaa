//! How a process hears that another one changed something it remembers.

use crate::db::{Conn, statements};
use crate::error::Result;

/// How far the changes had come; differs from an earlier one if there were some in between. Good
/// for comparing within one process only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeStamp(i64);

impl ChangeStamp {
    pub(crate) const fn new(counter: i64) -> Self {
        Self(counter)
    }
}

statements! {
    BUMP = "UPDATE changes SET counter = counter + 1 WHERE topic = 'access'";
    COUNTER = "SELECT counter FROM changes WHERE topic = 'access'";
}

/// To be called last in every transaction that changes what access depends on: accounts,
/// memberships, roles, visibility, links to repositories, tokens. Last, because the row it changes
/// is locked until the commit.
///
/// # Errors
/// Those of the database.
pub async fn bump_access(conn: &mut Conn) -> Result<()> {
    // SQLite tells by itself.
    if conn.dialect() == crate::db::Dialect::Postgres {
        conn.execute(BUMP, &[]).await?;
    }
    Ok(())
}

pub(crate) async fn access_stamp(conn: &mut Conn) -> Result<ChangeStamp> {
    conn.one(COUNTER, &[]).await.map(ChangeStamp)
}
