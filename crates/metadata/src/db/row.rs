//! Rows, and how their columns become types. What cannot be true becomes [`Error::Corrupt`].

use std::fmt::Display;
use std::str::FromStr;

use naru_model::{
    AccountId, AttestationId, ClusterJobId, DeploymentRecordId, EventId, Moment, PackageId,
    RepositoryId, StorageRecordId, TagRuleId, TeamId, TokenId, VersionId,
};
use naru_oci::Digest;
use rusqlite::types::Value;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::Statement;
use super::sqlite::Values;
use crate::error::{Error, Result};

/// A row of an answer.
#[derive(Debug)]
pub struct Row {
    inner: Inner,
    statement: &'static Statement,
}

enum Inner {
    Sqlite(Values),
    Postgres(PgRow),
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sqlite(_) => "Values",
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
    pub(super) const fn sqlite(row: Values, statement: &'static Statement) -> Self {
        Self {
            inner: Inner::Sqlite(row),
            statement,
        }
    }

    pub(super) const fn postgres(row: PgRow, statement: &'static Statement) -> Self {
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
            statement: self.statement.name(),
            column: column.into().to_string(),
            reason: reason.to_string(),
        }
    }

    fn value<'a>(&self, values: &'a Values, column: Column) -> Result<&'a Value> {
        let position = match column {
            Column::Name(name) => self.statement.position(name),
            Column::Position(at) => Some(at),
        };
        let value = position.and_then(|at| values.get(at));
        value.ok_or_else(|| self.corrupt(column, "there is no such column"))
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

/// For each type, how SQLite has it.
macro_rules! stored {
    ($($type:ty: $variant:ident),+ $(,)?) => {$(
        impl Stored for $type {
            fn read(row: &Row, column: Column) -> Result<Option<Self>> {
                let inner = match &row.inner {
                    Inner::Sqlite(values) => {
                        return match row.value(values, column)? {
                            Value::Null => Ok(None),
                            Value::$variant(value) => Ok(Some(value.clone())),
                            other => Err(row.corrupt(column, unexpected(other))),
                        };
                    }
                    Inner::Postgres(inner) => inner,
                };
                let read = match column {
                    Column::Name(name) => inner.try_get(name),
                    Column::Position(at) => inner.try_get(at),
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

fn unexpected(value: &Value) -> String {
    format!("is {}", value.data_type())
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

stored!(i64: Integer, String: Text, Vec<u8>: Blob);

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
