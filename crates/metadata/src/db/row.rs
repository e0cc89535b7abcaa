//! Rows, and how their columns become types. What cannot be true becomes [`Error::Corrupt`].

use std::fmt::Display;
use std::str::FromStr;

use naru_model::{
    AccountId, AttestationId, ClusterJobId, DeploymentRecordId, EventId, Moment, PackageId,
    RepositoryId, StorageRecordId, TagRuleId, TeamId, TokenId, VersionId,
};
use naru_oci::Digest;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use crate::error::{Error, Result};

/// A row of an answer.
#[derive(Debug)]
pub struct Row {
    inner: Inner,
    statement: &'static str,
}

enum Inner {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sqlite(_) => "SqliteRow",
            Self::Postgres(_) => "PgRow",
        })
    }
}

/// Something that is made from one row.
pub trait FromRow: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the row cannot be true.
    fn from_row(row: &Row) -> Result<Self>;
}

/// A column by its name in the answer, or by its position.
#[derive(Clone, Copy, Debug)]
pub enum Column {
    /// By name.
    Name(&'static str),
    /// By position, from 0.
    Position(usize),
}

impl From<&'static str> for Column {
    fn from(name: &'static str) -> Self {
        Self::Name(name)
    }
}

impl From<usize> for Column {
    fn from(position: usize) -> Self {
        Self::Position(position)
    }
}

impl Display for Column {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Position(position) => position.fmt(f),
        }
    }
}

impl Row {
    pub(super) const fn sqlite(row: SqliteRow, statement: &'static str) -> Self {
        Self {
            inner: Inner::Sqlite(row),
            statement,
        }
    }

    pub(super) const fn postgres(row: PgRow, statement: &'static str) -> Self {
        Self {
            inner: Inner::Postgres(row),
            statement,
        }
    }

    /// The value of a column. `Option<T>` where it may be null.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn get<T: FromColumn>(&self, column: impl Into<Column>) -> Result<T> {
        T::from_column(self, column.into())
    }

    /// A column that holds one of a closed set of words, or a name with a grammar.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn word<T>(&self, column: &'static str) -> Result<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        let text: String = self.get(column)?;
        self.parse(column, &text)
    }

    /// As [`Row::word`], where it may be null.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn optional_word<T>(&self, column: &'static str) -> Result<Option<T>>
    where
        T: FromStr,
        T::Err: Display,
    {
        let text: Option<String> = self.get(column)?;
        text.map(|text| self.parse(column, &text)).transpose()
    }

    /// The error for a value that cannot be true.
    #[must_use]
    pub fn corrupt(&self, column: impl Into<Column>, reason: impl Display) -> Error {
        Error::Corrupt {
            statement: self.statement,
            column: column.into().to_string(),
            reason: reason.to_string(),
        }
    }

    fn parse<T>(&self, column: &'static str, text: &str) -> Result<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        text.parse()
            .map_err(|error: T::Err| self.corrupt(column, error))
    }
}

/// What the databases store: numbers, text, bytes.
pub trait Stored: Sized {
    /// Reads a column that may be null.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the column is of another type or missing.
    fn read(row: &Row, column: Column) -> Result<Option<Self>>;
}

macro_rules! stored {
    ($($type:ty),+) => {$(
        impl Stored for $type {
            fn read(row: &Row, column: Column) -> Result<Option<Self>> {
                let read = match (&row.inner, column) {
                    (Inner::Sqlite(inner), Column::Name(name)) => inner.try_get(name),
                    (Inner::Sqlite(inner), Column::Position(at)) => inner.try_get(at),
                    (Inner::Postgres(inner), Column::Name(name)) => inner.try_get(name),
                    (Inner::Postgres(inner), Column::Position(at)) => inner.try_get(at),
                };
                read.map_err(|error| row.corrupt(column, error))
            }
        }

        impl FromStored for $type {
            type Stored = Self;

            fn from_stored(stored: Self) -> Result<Self, String> {
                Ok(stored)
            }
        }
    )+};
}

/// What is made of a stored value that is not null.
pub trait FromStored: Sized {
    /// How it is stored.
    type Stored: Stored;

    /// Makes it, or says why the stored value cannot be true.
    ///
    /// # Errors
    /// The reason, for [`Error::Corrupt`].
    fn from_stored(stored: Self::Stored) -> Result<Self, String>;
}

/// What is made of a column.
pub trait FromColumn: Sized {
    /// Reads the column.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    fn from_column(row: &Row, column: Column) -> Result<Self>;
}

impl<T: FromStored> FromColumn for T {
    fn from_column(row: &Row, column: Column) -> Result<Self> {
        let stored = T::Stored::read(row, column)?;
        let stored = stored.ok_or_else(|| row.corrupt(column, "is null"))?;
        T::from_stored(stored).map_err(|reason| row.corrupt(column, reason))
    }
}

impl<T: FromStored> FromColumn for Option<T> {
    fn from_column(row: &Row, column: Column) -> Result<Self> {
        let stored = T::Stored::read(row, column)?;
        let value = stored.map(T::from_stored).transpose();
        value.map_err(|reason| row.corrupt(column, reason))
    }
}

stored!(i64, String, Vec<u8>);

macro_rules! from_stored {
    ($($type:ty: $stored:ty, $value:ident => $made:expr;)+) => {$(
        impl FromStored for $type {
            type Stored = $stored;

            fn from_stored($value: $stored) -> Result<Self, String> {
                $made
            }
        }
    )+};
}

from_stored! {
    bool: i64, value => match value {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(format!("{other} is neither 0 nor 1")),
    };
    u64: i64, value => Self::try_from(value).map_err(|_| format!("{value} is negative"));
    Moment: i64, value => Ok(Self::from_micros(value));
    Digest: String, value => value.parse().map_err(|error| format!("{error}"));
    AccountId: i64, value => Ok(Self::new(value));
    TeamId: i64, value => Ok(Self::new(value));
    RepositoryId: i64, value => Ok(Self::new(value));
    PackageId: i64, value => Ok(Self::new(value));
    VersionId: i64, value => Ok(Self::new(value));
    TokenId: i64, value => Ok(Self::new(value));
    TagRuleId: i64, value => Ok(Self::new(value));
    EventId: i64, value => Ok(Self::new(value));
    AttestationId: i64, value => Ok(Self::new(value));
    DeploymentRecordId: i64, value => Ok(Self::new(value));
    StorageRecordId: i64, value => Ok(Self::new(value));
    ClusterJobId: i64, value => Ok(Self::new(value));
}

macro_rules! from_first_column {
    ($($type:ty),+) => {$(
        impl FromRow for $type {
            fn from_row(row: &Row) -> Result<Self> {
                row.get(0_usize)
            }
        }
    )+};
}

from_first_column!(
    i64,
    String,
    Vec<u8>,
    bool,
    u64,
    Moment,
    Digest,
    AccountId,
    TeamId,
    RepositoryId,
    PackageId,
    VersionId,
    TokenId,
    TagRuleId,
    EventId,
    AttestationId,
    DeploymentRecordId,
    StorageRecordId,
    ClusterJobId
);

/// Something and the role of somebody in it, from the column `role`.
impl<T, R> FromRow for (T, R)
where
    T: FromRow,
    R: FromStr,
    R::Err: Display,
{
    fn from_row(row: &Row) -> Result<Self> {
        Ok((T::from_row(row)?, row.word("role")?))
    }
}
