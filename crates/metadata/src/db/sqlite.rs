//! SQLite: a file in WAL mode with one writing connection and several reading ones.

mod connection;
mod session;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(super) use self::connection::Connection;
pub(super) use self::session::{CommitError, Session, Values};
use super::writer::Writer;
use crate::error::{Error, Result, SchemaError};

/// How long a question waits for a free reading connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// What all reading connections may keep of the file in memory, in KiB. A search that combines two
/// frequent words walks through some 10 MiB of its index, and again with each like it.
const CACHES: u32 = 64_000;
/// What each of them may keep at least.
const LEAST_CACHE: u32 = 8_000;

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
        let opened = file.to_owned();
        let connection = Connection::open(move || Session::open(&opened, create)).await;
        let connection = connection.map_err(|error| not_a_database(error, file))?;
        Ok(Self {
            writer: Writer::start(connection),
            readers: Readers::new(file, connections),
        })
    }

    /// Writes a copy to a new file, on a connection of its own: a reading one refuses.
    pub(super) async fn copy_to(&self, file: &Path) -> Result<()> {
        let place = file.display().to_string();
        let original = Arc::clone(&self.readers.file);
        let connection = Connection::open(move || Session::open(&original, false)).await?;
        connection
            .ask(move |session| session.copy_to(&place))
            .await??;
        connection.close().await
    }

    /// Lets those who write finish and closes everything.
    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
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

/// The reading connections: opened when first needed, given back when dropped.
#[derive(Clone, Debug)]
pub(super) struct Readers {
    file: Arc<PathBuf>,
    /// What each keeps of the file in memory, in KiB.
    cache: u32,
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    fn new(file: &Path, connections: u32) -> Self {
        let permits = usize::try_from(connections.max(1)).unwrap_or(1);
        Self {
            file: Arc::new(file.to_owned()),
            cache: (CACHES / connections.max(1)).max(LEAST_CACHE),
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
            None => {
                let (file, cache) = (Arc::clone(&self.file), self.cache);
                Connection::open(move || Session::open_to_read(&file, cache)).await?
            }
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

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reading connection, given back when dropped.
#[derive(Debug)]
pub(super) struct Reader {
    connection: Option<Connection>,
    readers: Readers,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    /// The connection. Whoever has it next waits behind a question that was given up, so that no
    /// more are answered at once than there are connections.
    pub(super) fn connection(&self) -> Result<&Connection> {
        let gone = || Error::Unavailable("the connection was given up".to_owned());
        self.connection.as_ref().ok_or_else(gone)
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
