//! How a question to the database can end otherwise than with an answer. Absence is no error: it
//! is `None`, and the use case decides whether that is bad.

use std::path::PathBuf;

use crate::db::constraints;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in words that are the same for both databases.
///
/// Cloneable, because one failed commit is told to every member of its group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A row with these values is there already.
    #[error("there is a row with the same values already ({constraint})")]
    Unique {
        /// The unique index or primary key, by the same name on both databases:
        /// `packages_name`, `organization_members_pkey`.
        constraint: String,
    },
    /// A row that is referred to is missing, or one that would go is still referred to.
    #[error("a row would refer to one that is not there ({constraint})")]
    ForeignKey {
        /// The name of the key. SQLite does not tell it; the text is `foreign key` then.
        constraint: String,
    },
    /// The database could not be asked or did not answer. Nothing is known about what was asked.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// Others held what was needed for too long. Nothing happened; it may be tried again.
    #[error("the database is busy")]
    Busy,
    /// There is no space left for the database. Nothing happened; reading goes on.
    #[error("the database has no space left on its disk")]
    Full,
    /// What is stored cannot be true.
    #[error("the database is damaged: {statement}, column {column}: {reason}")]
    Corrupt {
        /// The statement that found it, by its name in the source.
        statement: &'static str,
        /// The column.
        column: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The commit was sent, but not whether it succeeded came back: all of it happened or nothing.
    #[error("it is not known whether the change was stored: {0}")]
    CommitUnknown(String),
    /// An earlier statement of this transaction failed, so that nothing of it can be stored.
    /// PostgreSQL demands this; SQLite is held to the same.
    #[error("an earlier statement of the transaction failed")]
    Aborted,
    /// The tables are not the ones this program works with.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The settings or the server do not allow what this program promises.
    #[error("{0}")]
    Refused(String),
    /// Anything else: a defect of this program.
    #[error("the database refused a statement: {0}")]
    Other(String),
}

/// Why a database cannot be worked with as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// There is no database yet, and this command does not create one.
    #[error("there is no Naru database at {place}; `naru serve` creates one at its first start")]
    Missing {
        /// The file, or the server and database name.
        place: String,
    },
    /// Somebody else's tables are in it.
    #[error(
        "the database holds the table `{table}`, which is not Naru's; give Naru a database of its own"
    )]
    NotNaru {
        /// One of the tables.
        table: String,
    },
    /// An older Naru made it, and this command does not change schemas.
    #[error(
        "the database has schema {found} and this program needs {wanted}; stop the server and run \
         `naru migrate`, or start the new `naru serve`, which does it too"
    )]
    Older {
        /// The schema that was found.
        found: i64,
        /// The schema of this program.
        wanted: i64,
    },
    /// A newer Naru made it.
    #[error(
        "the database has schema {found}, made by a newer Naru; this program knows {wanted} at \
         most. Use the newer program, or restore the backup made before the upgrade"
    )]
    Newer {
        /// The schema that was found.
        found: i64,
        /// The schema of this program.
        wanted: i64,
    },
    /// A migration ran with another text than the one in this program.
    #[error(
        "schema {version} of the database was made from another text than this program has, by a \
         development version; such a database cannot be used"
    )]
    Changed {
        /// The migration.
        version: i64,
    },
    /// The file is no SQLite database.
    #[error("{file} is not an SQLite database")]
    NotADatabase {
        /// The file.
        file: PathBuf,
    },
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => match database.try_downcast_ref() {
                Some(postgres) => from_postgres(postgres),
                None => Self::Other(error.to_string()),
            },
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error.to_string()),
            _ => Self::Other(error.to_string()),
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match &error {
            rusqlite::Error::SqliteFailure(failure, message) => {
                let known = failure.to_string();
                let message = message.as_deref().unwrap_or(&known);
                from_sqlite(failure.extended_code, message)
            }
            _ => Self::Other(error.to_string()),
        }
    }
}

/// PostgreSQL documentation, appendix A, "PostgreSQL Error Codes".
fn from_postgres(error: &sqlx::postgres::PgDatabaseError) -> Error {
    let constraint = || error.constraint().unwrap_or_default().to_owned();
    match error.code() {
        "23505" => Error::Unique {
            constraint: constraint(),
        },
        "23503" | "23001" => Error::ForeignKey {
            constraint: constraint(),
        },
        // Waited too long for a lock, was cancelled for taking too long, deadlock, serialization.
        "55P03" | "57014" | "40P01" | "40001" => Error::Busy,
        "53100" => Error::Full,
        // Shut down, crashed, starting up, too many connections, and a standby that cannot be
        // written to; then connection exceptions and refused credentials.
        "57P01" | "57P02" | "57P03" | "53300" | "25006" => Error::Unavailable(error.to_string()),
        code if code.starts_with("08") || code.starts_with("28") => {
            Error::Unavailable(error.to_string())
        }
        _ => Error::Other(error.to_string()),
    }
}

/// SQLite documentation, "Result and Error Codes": the low byte is the primary code.
fn from_sqlite(code: i32, message: &str) -> Error {
    const BUSY: i32 = 5;
    const LOCKED: i32 = 6;
    const READ_ONLY: i32 = 8;
    const IO: i32 = 10;
    const FULL: i32 = 13;
    const CANNOT_OPEN: i32 = 14;
    const CONSTRAINT: i32 = 19;
    const PRIMARY_KEY: i32 = 1555;
    match code & 0xff {
        BUSY | LOCKED => Error::Busy,
        FULL => Error::Full,
        IO | READ_ONLY | CANNOT_OPEN => {
            Error::Unavailable(format!("{message} (SQLite code {code})"))
        }
        // What a RESTRICT stops comes with the code of a trigger, so the text decides.
        CONSTRAINT if message.contains("FOREIGN KEY constraint failed") => Error::ForeignKey {
            constraint: "foreign key".to_owned(),
        },
        CONSTRAINT => match message.split_once("UNIQUE constraint failed: ") {
            Some((_, columns)) => Error::Unique {
                constraint: constraints::name(columns, code == PRIMARY_KEY),
            },
            None => Error::Other(message.to_owned()),
        },
        _ => Error::Other(format!("{message} (SQLite code {code})")),
    }
}

/// Whether the disk refused to keep what it was given: after that nothing may be acknowledged
/// until a restart has looked at what is really there.
pub(crate) fn is_failed_flush(error: &rusqlite::Error) -> bool {
    // SQLITE_IOERR_WRITE, _FSYNC, _DIR_FSYNC, _TRUNCATE.
    const FLUSHES: [i32; 4] = [778, 1034, 1290, 1546];
    let failure = error.sqlite_error();
    failure.is_some_and(|failure| FLUSHES.contains(&failure.extended_code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unique_index_has_the_same_name_as_on_postgresql() {
        let error = from_sqlite(2067, "UNIQUE constraint failed: accounts.login_key");
        assert_eq!(
            error,
            Error::Unique {
                constraint: "accounts_login".to_owned()
            }
        );
        let error = from_sqlite(2067, "UNIQUE constraint failed: blobs.storage_key");
        assert_eq!(
            error,
            Error::Unique {
                constraint: "blobs_storage_key_key".to_owned()
            }
        );
        let text = "UNIQUE constraint failed: team_members.team_id, team_members.user_id";
        let error = from_sqlite(1555, text);
        assert_eq!(
            error,
            Error::Unique {
                constraint: "team_members_pkey".to_owned()
            }
        );
    }

    #[test]
    fn what_a_restrict_stops_is_a_foreign_key() {
        let error = from_sqlite(1811, "FOREIGN KEY constraint failed");
        assert!(matches!(error, Error::ForeignKey { .. }));
    }
}
