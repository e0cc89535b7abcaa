//! The text that introduces a source repository.

use naru_model::{Moment, RepositoryId};

use crate::db::{Conn, statements};
use crate::error::Result;

statements! {
    FIND = "SELECT content FROM repository_readmes WHERE repository_id = $1";
    PUT = "INSERT INTO repository_readmes (repository_id, content, updated_at)
        VALUES ($1, $2, $3)
        ON CONFLICT (repository_id) DO UPDATE
            SET content = excluded.content, updated_at = excluded.updated_at";
    REMOVE = "DELETE FROM repository_readmes WHERE repository_id = $1";
}

/// The text, in Markdown.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, repository: RepositoryId) -> Result<Option<String>> {
    conn.optional(FIND, &[repository.into()]).await
}

/// Writes the text, in place of the one before.
///
/// # Errors
/// [`Error::ForeignKey`](crate::Error::ForeignKey) when there is no such repository.
pub async fn put(
    conn: &mut Conn,
    repository: RepositoryId,
    content: &str,
    now: Moment,
) -> Result<()> {
    conn.execute(PUT, &[repository.into(), content.into(), now.into()])
        .await?;
    Ok(())
}

/// Removes the text. Returns whether there was one.
///
/// # Errors
/// Those of the database.
pub async fn remove(conn: &mut Conn, repository: RepositoryId) -> Result<bool> {
    Ok(conn.execute(REMOVE, &[repository.into()]).await? > 0)
}
