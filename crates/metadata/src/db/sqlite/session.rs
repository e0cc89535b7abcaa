//! What is said to SQLite on one connection, and the rows it answers with. Everything here may have
//! to wait for the disk; see [`super::Connection`].

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{ErrorCode, OpenFlags, Row, Statement as Prepared};

use crate::db::Statement;
use crate::db::dialect::Dialect;
use crate::error::{Error, Result};

/// Older ones can corrupt a file in WAL mode that two connections use.
const OLDEST: (i32, &str) = (3_051_003, "3.51.3");
const _: () = assert!(libsqlite3_sys::SQLITE_VERSION_NUMBER >= OLDEST.0);

/// How long a statement waits for another process's lock; shorter than a writer waits for its
/// turn, so that it learns why.
const BUSY: Duration = Duration::from_secs(4);

/// What every connection is told, and what it must say of itself afterwards.
const SETTINGS: &[(&str, &str, &str)] = &[
    ("journal_mode", "wal", "wal"),
    ("synchronous", "full", "2"),
    ("foreign_keys", "on", "1"),
    ("mmap_size", "0", "0"),
    ("cache_size", "-8000", "-8000"),
    ("temp_store", "memory", "2"),
    // A reader that took long lets the log grow; it shrinks to this afterwards.
    ("journal_size_limit", "67108864", "67108864"),
];

/// A connection to the file, on the thread that may wait for it.
#[derive(Debug)]
pub(in crate::db) struct Session(rusqlite::Connection);

/// Why a transaction was not stored.
#[derive(Debug)]
pub(in crate::db) enum CommitError {
    /// There is none any more: SQLite ends one by itself when the disk is full.
    Ended,
    /// What SQLite said.
    Refused(rusqlite::Error),
}

/// A row of an answer: the values of its columns, in their order.
pub(in crate::db) type Values = Vec<Value>;

impl Session {
    /// Opens the file, making it if `create` says so, and looks whether the connection is what
    /// everything relies on.
    pub(in crate::db) fn open(file: &Path, create: bool) -> Result<Self> {
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        flags.set(OpenFlags::SQLITE_OPEN_CREATE, create);
        let inner = rusqlite::Connection::open_with_flags(file, flags)?;
        inner.busy_timeout(BUSY)?;
        // A plan is made once: without this, each new value of a parameter that the planner once
        // looked at makes it plan anew, for figures that nobody collects.
        inner.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        inner.set_prepared_statement_cache_capacity(512);
        let session = Self(inner);
        session.assert_version()?;
        for (pragma, value, wanted) in SETTINGS {
            session.set(pragma, value, wanted)?;
        }
        Ok(session)
    }

    /// The same for one that refuses to write and keeps at most `cache` KiB of the file in memory.
    /// It must be able to make the shared memory of the log, so the file is not opened read-only.
    pub(super) fn open_to_read(file: &Path, cache: u32) -> Result<Self> {
        let session = Self::open(file, false)?;
        session.set("query_only", "on", "1")?;
        let cache = format!("-{cache}");
        session.set("cache_size", &cache, &cache)?;
        Ok(session)
    }

    fn set(&self, pragma: &str, value: &str, wanted: &str) -> Result<()> {
        let text = format!("PRAGMA {pragma} = {value}");
        // Where another process makes the file's log, or takes it away with its last connection,
        // SQLite says that it is busy without waiting (its documentation, "Write-Ahead Logging").
        let begun = Instant::now();
        while let Err(error) = self.run(&text) {
            let is_busy = error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy);
            if !is_busy || begun.elapsed() >= BUSY {
                return Err(error.into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let found = self.ask(&format!("PRAGMA {pragma}"))?;
        if found == wanted {
            return Ok(());
        }
        let text = format!("PRAGMA {pragma} is {found} instead of {wanted}");
        Err(Error::Refused(text))
    }

    fn assert_version(&self) -> Result<()> {
        let version = self.ask("SELECT sqlite_version()")?;
        if version_number(&version) >= OLDEST.0 {
            return Ok(());
        }
        let text = format!("SQLite is {version}; Naru needs {} or later", OLDEST.1);
        Err(Error::Refused(text))
    }

    /// The first column of the answer as text, whatever its type.
    fn ask(&self, text: &str) -> Result<String, rusqlite::Error> {
        let value: Value = self.0.query_row(text, [], |row| row.get(0))?;
        Ok(match value {
            Value::Integer(number) => number.to_string(),
            Value::Text(text) => text,
            other => format!("{other:?}"),
        })
    }

    /// Up to so many rows of an answer.
    pub(in crate::db) fn rows(
        &self,
        statement: &'static Statement,
        args: &[Value],
        most: usize,
    ) -> Result<Vec<Values>, rusqlite::Error> {
        let mut prepared = self.0.prepare_cached(statement.text(Dialect::Sqlite))?;
        let columns = statement.columns(|| names(&prepared)).len();
        bind(&mut prepared, args)?;
        let mut rows = prepared.raw_query();
        let mut found = Vec::new();
        while found.len() < most
            && let Some(row) = rows.next()?
        {
            found.push(values(row, columns)?);
        }
        Ok(found)
    }

    /// Changes something and says how many rows it touched.
    pub(in crate::db) fn execute(
        &self,
        statement: &'static Statement,
        args: &[Value],
    ) -> Result<u64, rusqlite::Error> {
        let mut prepared = self.0.prepare_cached(statement.text(Dialect::Sqlite))?;
        bind(&mut prepared, args)?;
        let touched = prepared.raw_execute()?;
        Ok(u64::try_from(touched).unwrap_or(u64::MAX))
    }

    /// Runs statements that begin and end transactions.
    pub(in crate::db) fn control(&self, texts: &[&'static str]) -> Result<(), rusqlite::Error> {
        for text in texts {
            self.0.prepare_cached(text)?.execute([])?;
        }
        Ok(())
    }

    /// Ends the transaction, storing it.
    pub(in crate::db) fn commit(&self) -> Result<(), CommitError> {
        if self.0.is_autocommit() {
            return Err(CommitError::Ended);
        }
        self.control(&["COMMIT"]).map_err(CommitError::Refused)
    }

    /// Runs a text of one or more statements without parameters; their answers are thrown away.
    pub(in crate::db) fn run(&self, text: &str) -> Result<(), rusqlite::Error> {
        self.0.execute_batch(text)
    }

    /// A number that changes when another connection has written to the file.
    pub(in crate::db) fn data_version(&self) -> Result<i64, rusqlite::Error> {
        let mut prepared = self.0.prepare_cached("PRAGMA data_version")?;
        prepared.query_row([], |row| row.get(0))
    }

    /// Writes a copy of the whole database to a new file.
    pub(super) fn copy_to(&self, file: &str) -> Result<(), rusqlite::Error> {
        self.0.execute("VACUUM INTO ?1", [file]).map(drop)
    }

    /// Understands a statement without running it.
    ///
    /// # Errors
    /// What SQLite says of it; a column that cannot be asked for by its name, because another one
    /// has it too.
    pub(in crate::db) fn prepare(
        &self,
        statement: &'static Statement,
    ) -> Result<(), rusqlite::Error> {
        let prepared = self.0.prepare(statement.text(Dialect::Sqlite))?;
        let mut seen = HashSet::new();
        let names = prepared.column_names().into_iter();
        match names.into_iter().find(|name| !seen.insert(*name)) {
            Some(twice) => Err(rusqlite::Error::InvalidColumnName(twice.to_owned())),
            None => Ok(()),
        }
    }

    /// Closes it in order.
    pub(super) fn close(self) -> Result<(), rusqlite::Error> {
        self.0.close().map_err(|(_, error)| error)
    }
}

fn names(prepared: &Prepared<'_>) -> Vec<String> {
    let names = prepared.column_names().into_iter();
    names.map(str::to_owned).collect()
}

/// Binds the arguments; as on PostgreSQL, a statement need not name all of them.
fn bind(prepared: &mut Prepared<'_>, args: &[Value]) -> Result<(), rusqlite::Error> {
    let known = prepared.parameter_count();
    for (number, value) in (1..=known).zip(args) {
        prepared.raw_bind_parameter(number, value)?;
    }
    Ok(())
}

fn values(row: &Row<'_>, columns: usize) -> Result<Values, rusqlite::Error> {
    let value = |column| row.get_ref(column).map(owned);
    (0..columns).map(value).collect()
}

/// The value; text that is not UTF-8 becomes bytes, which no column of text is read from.
fn owned(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => Value::Blob(text.to_owned()),
        },
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_owned()),
    }
}

/// `3.51.3` as 3051003, as SQLite numbers its versions.
fn version_number(version: &str) -> i32 {
    version
        .split('.')
        .fold(0, |number, part| number * 1000 + part.parse().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbered_as_sqlite_does() {
        assert_eq!(version_number("3.51.3"), 3_051_003);
        assert!(version_number("3.45.1") < OLDEST.0);
    }

    #[test]
    fn text_that_is_none_is_not_taken_for_text() {
        assert_eq!(owned(ValueRef::Text(b"\xff")), Value::Blob(vec![0xff]));
        assert_eq!(owned(ValueRef::Text(b"a")), Value::Text("a".to_owned()));
    }
}
