//! SQLite: a file in WAL mode with one writing connection and several reading ones.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::writer::Writer;
use crate::error::{Error, Result, SchemaError};

/// Older ones can corrupt a file in WAL mode that two connections use.
const OLDEST: (i32, &str) = (3_051_003, "3.51.3");
const _: () = assert!(libsqlite3_sys::SQLITE_VERSION_NUMBER >= OLDEST.0);

/// How long a statement waits for another process's lock; shorter than a writer waits for its
/// turn, so that it learns why.
const BUSY: Duration = Duration::from_secs(4);

/// How long a question waits for a free reading connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// The database file, open.
#[derive(Clone, Debug)]
pub(super) struct SqliteDb {
    pub(super) writer: Writer,
    pub(super) readers: Readers,
}

impl SqliteDb {
    /// Opens the file, making it if `create` says so.
    pub(super) async fn open(file: &Path, connections: u32, create: bool) -> Result<Self> {
        if !create && !file.exists() {
            return Err(SchemaError::Missing {
                place: file.display().to_string(),
            }
            .into());
        }
        let options = options(file).create_if_missing(create);
        let connection = connect(&options)
            .await
            .map_err(|error| not_a_database(error, file))?;
        let readers = Readers::new(options.create_if_missing(false), connections);
        Ok(Self {
            writer: Writer::start(connection),
            readers,
        })
    }

    /// Writes a copy to a new file, on a connection of its own: a reading one refuses.
    pub(super) async fn copy_to(&self, file: &Path) -> Result<()> {
        let options =
            SqliteConnectOptions::clone(&self.readers.options).pragma("query_only", "off");
        let mut connection = connect(&options).await?;
        let place = file.display().to_string();
        let copied = sqlx::query("VACUUM INTO $1")
            .bind(place)
            .execute(&mut connection)
            .await;
        connection.close().await?;
        copied.map(|_| ()).map_err(Error::from)
    }

    /// Lets those who write finish and closes everything.
    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .pragma("mmap_size", "0")
        .pragma("cache_size", "-8000")
        .pragma("temp_store", "memory")
        // A reader that took long lets the log grow; it shrinks to this afterwards.
        .pragma("journal_size_limit", "67108864")
        .statement_cache_capacity(512)
        .thread_name(|id| format!("sqlite-{id}"))
        .disable_statement_logging()
}

fn not_a_database(error: Error, file: &Path) -> Error {
    match error {
        Error::Other(text) if text.contains("file is not a database") => {
            SchemaError::NotADatabase {
                file: file.to_owned(),
            }
            .into()
        }
        other => other,
    }
}

/// Opens a connection and looks whether it is what everything relies on.
async fn connect(options: &SqliteConnectOptions) -> Result<SqliteConnection> {
    let mut connection = options.connect().await?;
    assert_settings(&mut connection).await?;
    Ok(connection)
}

async fn assert_settings(connection: &mut SqliteConnection) -> Result<()> {
    let expected = [
        ("PRAGMA journal_mode", "wal"),
        ("PRAGMA synchronous", "2"),
        ("PRAGMA foreign_keys", "1"),
        ("PRAGMA mmap_size", "0"),
        ("PRAGMA busy_timeout", "4000"),
    ];
    for (pragma, wanted) in expected {
        let found = ask(connection, pragma).await?;
        if found != wanted {
            return Err(Error::Refused(format!(
                "{pragma} is {found} instead of {wanted}"
            )));
        }
    }
    let version = ask(connection, "SELECT sqlite_version()").await?;
    if version_number(&version) < OLDEST.0 {
        let text = format!("SQLite is {version}; Naru needs {} or later", OLDEST.1);
        return Err(Error::Refused(text));
    }
    Ok(())
}

/// The first column of the answer as text, whatever its type.
async fn ask(connection: &mut SqliteConnection, text: &'static str) -> Result<String> {
    let row = sqlx::query(text).fetch_one(connection).await?;
    match row.try_get::<i64, _>(0) {
        Ok(number) => Ok(number.to_string()),
        Err(_) => Ok(row.try_get::<String, _>(0)?),
    }
}

/// `3.51.3` as 3051003, as SQLite numbers its versions.
fn version_number(version: &str) -> i32 {
    version
        .split('.')
        .fold(0, |number, part| number * 1000 + part.parse().unwrap_or(0))
}

/// The reading connections: opened when first needed, given back when dropped.
///
/// A pool of our own, because a connection in this process needs no test between two uses.
#[derive(Clone, Debug)]
pub(super) struct Readers {
    options: Arc<SqliteConnectOptions>,
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<SqliteConnection>>>,
}

impl Readers {
    fn new(options: SqliteConnectOptions, connections: u32) -> Self {
        let permits = usize::try_from(connections.max(1)).unwrap_or(1);
        Self {
            // Reading connections must be able to make the shared memory of the log, so the file
            // is not opened read-only; they just refuse to write.
            options: Arc::new(options.pragma("query_only", "on")),
            permits: Arc::new(Semaphore::new(permits)),
            idle: Arc::default(),
        }
    }

    /// A free connection.
    pub(super) async fn get(&self) -> Result<Reader> {
        let permit = Arc::clone(&self.permits).acquire_owned();
        let permit = tokio::time::timeout(PATIENCE, permit)
            .await
            .map_err(|_| Error::Busy)?;
        let permit = permit.map_err(|_| Error::Unavailable("the database is closed".to_owned()))?;
        let idle = self.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connect(&self.options).await?,
        };
        Ok(Reader {
            connection: Some(connection),
            readers: self.clone(),
            _permit: permit,
        })
    }

    async fn close(&self) {
        self.permits.close();
        let idle = std::mem::take(&mut *self.lock());
        for connection in idle {
            connection.close().await.ok();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<SqliteConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reading connection, given back when dropped.
#[derive(Debug)]
pub(super) struct Reader {
    connection: Option<SqliteConnection>,
    readers: Readers,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    pub(super) fn connection(&mut self) -> Result<&mut SqliteConnection> {
        let gone = || Error::Unavailable("the connection was given up".to_owned());
        self.connection.as_mut().ok_or_else(gone)
    }

    /// Does not give the connection back: the next question opens a new one.
    pub(super) fn give_up(&mut self) {
        self.connection = None;
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && !self.readers.permits.is_closed()
        {
            self.readers.lock().push(connection);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbered_as_sqlite_does() {
        assert_eq!(version_number("3.51.3"), 3_051_003);
        assert!(version_number("3.45.1") < OLDEST.0);
    }
}
