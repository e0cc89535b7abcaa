//! The text that introduces a source repository.

use naru_metadata::readmes;
use naru_model::{EventKind, RepositoryPath, RepositoryPermission};

use crate::account_access as access;
use crate::error::{Error, Result};
use crate::{Caller, Registry, events};

/// The longest text, in bytes (RELIABILITY 5).
pub const LONGEST_README: usize = 512 << 10;

impl Registry {
    /// The text that introduces a repository, in Markdown.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller may see it; [`Error::NotFound`] where there is none.
    pub async fn readme(&self, caller: &Caller, path: &RepositoryPath) -> Result<String> {
        let mut conn = self.db.read().await?;
        let permission = RepositoryPermission::Read;
        let found = access::repository(&mut conn, caller, path, permission).await?;
        let text = readmes::find(&mut conn, found.id()).await?;
        text.ok_or_else(|| Error::NotFound {
            what: "readme of the repository",
            name: path.to_string(),
        })
    }

    /// Writes the text that introduces a repository; none removes it.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller may write in it; [`Error::TooLarge`].
    pub async fn set_readme(
        &self,
        caller: &Caller,
        path: &RepositoryPath,
        content: Option<&str>,
    ) -> Result<()> {
        if content.is_some_and(|content| content.len() > LONGEST_README) {
            return Err(Error::TooLarge {
                what: "the readme",
                limit: u64::try_from(LONGEST_README).unwrap_or(u64::MAX),
            });
        }
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let permission = RepositoryPermission::Write;
        let found = access::repository(&mut tx, caller, path, permission).await?;
        match content {
            // PostgreSQL takes no zero byte in a text, and Markdown means a replacement by it.
            Some(content) => {
                let content = content.replace('\0', "\u{fffd}");
                readmes::put(&mut tx, found.id(), &content, now).await?;
            }
            None => {
                readmes::remove(&mut tx, found.id()).await?;
            }
        }
        let event = caller
            .event(EventKind::RepositoryUpdated, now)
            .on_account(found.owner());
        events::record(&mut tx, event.with("repository", path)).await?;
        tx.commit().await?;
        Ok(())
    }
}
