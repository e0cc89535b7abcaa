//! The seam: both databases behind one set of verbs.
//!
//! [`Db::read`] gives a connection for questions, [`Db::write`] a transaction. A question is a
//! function over `&mut Conn` with one SQL text for both databases; [`Tx`] is a `Conn` too.

mod arg;
pub(crate) mod constraints;
mod dialect;
pub(crate) mod migrate;
mod postgres;
mod row;
mod sqlite;
mod statement;
mod writer;

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Arc;

use sqlx::{AssertSqlSafe, Executor as _, SqlSafeStr as _};

pub use arg::Arg;
pub use dialect::Dialect;
pub use migrate::SchemaPolicy;
pub use row::{Column, FromColumn, FromRow, FromStored, Row, Stored};
pub use statement::Statement;
pub(crate) use statement::statements;

use crate::changes::{self, ChangeStamp};
use crate::error::{Error, Result};
use crate::settings::{DatabaseSettings, Place};

use self::sqlite::Session;

/// The database; cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    inner: Arc<Inner>,
}

#[derive(Debug)]
enum Inner {
    Sqlite(sqlite::SqliteDb),
    Postgres(postgres::PostgresDb),
}

impl Db {
    /// Opens the database that the settings name; a relative path is in `data`.
    ///
    /// # Errors
    /// [`Error::Schema`] if its schema is not this program's and `policy` does not let it be
    /// changed; [`Error::Refused`] if the settings are wrong or the server does not keep what it
    /// acknowledges; [`Error::Unavailable`] if it does not answer.
    pub async fn open(
        settings: &DatabaseSettings,
        data: &Path,
        policy: SchemaPolicy,
    ) -> Result<Self> {
        let (inner, place) = match settings.place(data)? {
            Place::Sqlite(file) => {
                let connections = settings.connections.unwrap_or_else(default_readers);
                let create = policy == SchemaPolicy::CreateOrMigrate;
                let db = sqlite::SqliteDb::open(&file, connections, create).await?;
                (Inner::Sqlite(db), file.display().to_string())
            }
            Place::Postgres(url) => {
                let db = postgres::PostgresDb::open(&url, settings).await?;
                (Inner::Postgres(db), "the PostgreSQL server".to_owned())
            }
        };
        let db = Self {
            inner: Arc::new(inner),
        };
        migrate::prepare(&db, policy, &place).await?;
        Ok(db)
    }

    /// A connection for questions. Each question sees what is committed when it is asked.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Busy`] within five seconds.
    pub async fn read(&self) -> Result<Conn> {
        let driver = match &*self.inner {
            Inner::Sqlite(db) => Driver::Reader(db.readers.get().await?),
            Inner::Postgres(db) => Driver::Postgres(db.connection().await?),
        };
        Ok(Conn {
            driver,
            failed: false,
        })
    }

    /// A transaction. Between this and [`Tx::commit`] wait for nothing but the database: on SQLite
    /// every other writer waits meanwhile.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Busy`] within five seconds.
    pub async fn write(&self) -> Result<Tx> {
        let driver = match &*self.inner {
            Inner::Sqlite(db) => Driver::Writer(db.writer.lease().await?),
            Inner::Postgres(db) => Driver::Postgres(db.begin().await?),
        };
        Ok(Tx {
            conn: Conn {
                driver,
                failed: false,
            },
        })
    }

    /// A stamp that differs from an earlier one if another process changed something in between:
    /// anything at all on SQLite; on PostgreSQL something that access depends on, in this process
    /// too. Cheap enough to ask several times a second.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn changes(&self) -> Result<ChangeStamp> {
        match &*self.inner {
            Inner::Sqlite(db) => db.writer.data_version().await.map(ChangeStamp::new),
            Inner::Postgres(_) => changes::access_stamp(&mut self.read().await?).await,
        }
    }

    /// Whether other processes may write to it as a matter of course, as replicas on PostgreSQL
    /// do.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(&*self.inner, Inner::Postgres(_))
    }

    /// Which of the two databases it is.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match &*self.inner {
            Inner::Sqlite(_) => Dialect::Sqlite,
            Inner::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Writes a copy of the whole database, as it is at one moment, to a file that is not there
    /// yet; whoever reads or writes goes on meanwhile. The copy is not flushed to disk.
    ///
    /// # Errors
    /// [`Error::Refused`] on PostgreSQL, which has tools of its own for that; [`Error::Full`].
    pub async fn copy_to(&self, file: &Path) -> Result<()> {
        match &*self.inner {
            Inner::Sqlite(db) => db.copy_to(file).await,
            Inner::Postgres(_) => Err(Error::Refused(
                "PostgreSQL is copied with its own tools, such as pg_dump".to_owned(),
            )),
        }
    }

    /// Lets those who wait for a commit finish, then closes every connection.
    pub async fn close(&self) {
        match &*self.inner {
            Inner::Sqlite(db) => db.close().await,
            Inner::Postgres(db) => db.close().await,
        }
    }
}

fn default_readers() -> u32 {
    let processors = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    u32::try_from(processors).unwrap_or(8).clamp(2, 8)
}

/// A connection: questions go to it, and inside a [`Tx`] changes too.
#[derive(Debug)]
pub struct Conn {
    driver: Driver,
    /// A statement failed, or its future was dropped before it ended.
    failed: bool,
}

#[derive(Debug)]
enum Driver {
    Reader(sqlite::Reader),
    Writer(writer::Lease),
    Postgres(postgres::Connection),
}

/// Runs one of sqlx's verbs on a connection to PostgreSQL.
macro_rules! on_postgres {
    ($connection:ident, $statement:ident, $args:ident, $verb:ident) => {{
        let args = arg::for_postgres($args)?;
        let is_planned_anew = $statement.is_planned_anew();
        if is_planned_anew {
            $connection.plan_anew(true).await?;
        }
        let query = sqlx::query_with($statement.text(Dialect::Postgres), args);
        let timeout = $connection.timeout();
        let answer = query.$verb($connection.connection()?);
        let answer = tokio::time::timeout(timeout, answer).await;
        let outcome = $connection.judge(answer);
        if is_planned_anew && outcome.is_ok() {
            $connection.plan_anew(false).await?;
        }
        outcome
    }};
}

impl Conn {
    /// Every row of the answer.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn all<T: FromRow>(
        &mut self,
        statement: &'static Statement,
        args: &[Arg<'_>],
    ) -> Result<Vec<T>> {
        self.begin_statement()?;
        let outcome = self.driver.all(statement, args).await;
        let rows = self.end_statement(outcome)?;
        rows.iter().map(T::from_row).collect()
    }

    /// The first row of the answer, if there is one.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn optional<T: FromRow>(
        &mut self,
        statement: &'static Statement,
        args: &[Arg<'_>],
    ) -> Result<Option<T>> {
        self.begin_statement()?;
        let outcome = self.driver.optional(statement, args).await;
        let row = self.end_statement(outcome)?;
        row.as_ref().map(T::from_row).transpose()
    }

    /// The one row that this statement always answers with.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn one<T: FromRow>(
        &mut self,
        statement: &'static Statement,
        args: &[Arg<'_>],
    ) -> Result<T> {
        let row = self.optional(statement, args).await?;
        row.ok_or_else(|| Error::Other(format!("{} answered with no row", statement.name())))
    }

    /// Changes something and says how many rows it touched.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn execute(
        &mut self,
        statement: &'static Statement,
        args: &[Arg<'_>],
    ) -> Result<u64> {
        self.begin_statement()?;
        let outcome = self.driver.execute(statement, args).await;
        self.end_statement(outcome)
    }

    /// Which of the two databases it is.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        match self.driver {
            Driver::Reader(_) | Driver::Writer(_) => Dialect::Sqlite,
            Driver::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Runs a script of a migration, already in the words of this database; takes what it takes.
    async fn run_script(&mut self, script: String) -> Result<()> {
        self.begin_statement()?;
        let outcome = match &mut self.driver {
            Driver::Postgres(connection) => {
                let script = AssertSqlSafe(script).into_sql_str();
                connection.run_script(script).await
            }
            sqlite => sqlite.ask(move |session| session.run(&script)).await,
        };
        self.end_statement(outcome)
    }

    /// Asks the database to understand a statement without running it: the test of all statements.
    ///
    /// # Errors
    /// [`Error::Other`] with the reason.
    pub async fn prepare(&mut self, statement: &'static Statement) -> Result<()> {
        let outcome = match &mut self.driver {
            Driver::Postgres(connection) => {
                let text = statement.text(Dialect::Postgres).into_sql_str();
                let prepared = connection.connection()?.prepare(text).await;
                prepared.map(drop).map_err(Error::from)
            }
            sqlite => sqlite.ask(|session| session.prepare(statement)).await,
        };
        outcome.map_err(|error| Error::Other(format!("{}: {error}", statement.name())))
    }

    /// Counts as failed until it has ended well, so that a future dropped half-way counts too.
    fn begin_statement(&mut self) -> Result<()> {
        if self.failed {
            return Err(Error::Aborted);
        }
        self.failed = !matches!(self.driver, Driver::Reader(_));
        Ok(())
    }

    fn end_statement<T>(&mut self, outcome: Result<T>) -> Result<T> {
        match &outcome {
            Ok(_) => self.failed = false,
            Err(Error::Unavailable(_)) => self.driver.give_up(),
            Err(_) => {}
        }
        outcome
    }
}

impl Driver {
    async fn all(&mut self, statement: &'static Statement, args: &[Arg<'_>]) -> Result<Vec<Row>> {
        if let Self::Postgres(connection) = self {
            let rows = on_postgres!(connection, statement, args, fetch_all)?.into_iter();
            return Ok(rows.map(|row| Row::postgres(row, statement)).collect());
        }
        self.rows(statement, args, usize::MAX).await
    }

    async fn optional(
        &mut self,
        statement: &'static Statement,
        args: &[Arg<'_>],
    ) -> Result<Option<Row>> {
        if let Self::Postgres(connection) = self {
            let row = on_postgres!(connection, statement, args, fetch_optional)?;
            return Ok(row.map(|row| Row::postgres(row, statement)));
        }
        Ok(self.rows(statement, args, 1).await?.pop())
    }

    async fn execute(&mut self, statement: &'static Statement, args: &[Arg<'_>]) -> Result<u64> {
        if let Self::Postgres(connection) = self {
            let done = on_postgres!(connection, statement, args, execute)?;
            return Ok(done.rows_affected());
        }
        let is_short = statement.is_short() && args.iter().all(Arg::is_small);
        let args = arg::for_sqlite(args);
        self.ask_statement(is_short, move |session| session.execute(statement, &args))
            .await
    }

    async fn rows(
        &mut self,
        statement: &'static Statement,
        args: &[Arg<'_>],
        most: usize,
    ) -> Result<Vec<Row>> {
        let is_short = statement.is_short() && args.iter().all(Arg::is_small);
        let args = arg::for_sqlite(args);
        let rows = self
            .ask_statement(is_short, move |session| {
                session.rows(statement, &args, most)
            })
            .await?
            .into_iter();
        Ok(rows.map(|row| Row::sqlite(row, statement)).collect())
    }

    /// Asks SQLite what a statement says: here, if that is short.
    async fn ask_statement<T: Send + 'static>(
        &mut self,
        is_short: bool,
        question: impl FnOnce(&Session) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T> {
        let connection = self.sqlite()?;
        let answer = if is_short {
            connection.ask_shortly(question).await
        } else {
            connection.ask(question).await
        };
        answer?.map_err(Error::from)
    }

    /// Asks SQLite.
    async fn ask<T: Send + 'static>(
        &mut self,
        question: impl FnOnce(&Session) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T> {
        self.ask_statement(false, question).await
    }

    fn sqlite(&self) -> Result<&sqlite::Connection> {
        match self {
            Self::Reader(reader) => reader.connection(),
            Self::Writer(lease) => lease.connection(),
            Self::Postgres(_) => Err(Error::Other("this is PostgreSQL".to_owned())),
        }
    }

    /// A reading connection that failed is not used again; the others see to themselves.
    fn give_up(&mut self) {
        if let Self::Reader(reader) = self {
            reader.give_up();
        }
    }
}

/// A transaction: changes that stand or fall together. Dropped, it leaves nothing behind.
///
/// After a statement failed nothing more can be done in it, on both databases: whoever wants to
/// try something else begins anew.
#[derive(Debug)]
#[must_use = "a transaction that is dropped did nothing"]
pub struct Tx {
    conn: Conn,
}

impl Tx {
    /// Makes the changes durable. When this returns `Ok`, they survive a power cut.
    ///
    /// # Errors
    /// [`Error::Aborted`] if a statement had failed; [`Error::CommitUnknown`] if the answer to the
    /// commit did not come; [`Error::Full`], [`Error::Busy`] and [`Error::Unavailable`] if nothing
    /// was stored.
    pub async fn commit(self) -> Result<()> {
        if self.conn.failed {
            return Err(Error::Aborted);
        }
        match self.conn.driver {
            Driver::Writer(lease) => lease.commit().await,
            Driver::Postgres(connection) => connection.commit().await,
            Driver::Reader(_) => Err(Error::Other("a reader cannot commit".to_owned())),
        }
    }
}

impl Deref for Tx {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        &self.conn
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.conn
    }
}
