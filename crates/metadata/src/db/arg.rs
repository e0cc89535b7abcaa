//! What is bound to the numbered parameters of a statement.

use naru_model::{
    AccountId, AttestationId, ClusterJobId, DeploymentRecordId, EventId, Moment, PackageId,
    RepositoryId, StorageRecordId, TagRuleId, TeamId, TokenId, VersionId,
};
use naru_oci::Digest;
use rusqlite::types::Value;
use sqlx::Arguments as _;
use sqlx::postgres::PgArguments;

use crate::error::{Error, Result};

/// A value for a parameter. Its type, not its value, decides what the database is told, so that
/// a missing text is a missing *text*.
#[derive(Clone, Copy, Debug)]
pub enum Arg<'a> {
    /// A number; also time in microseconds, and truth as 0 or 1.
    Int(Option<i64>),
    /// Text.
    Text(Option<&'a str>),
    /// Bytes.
    Bytes(Option<&'a [u8]>),
    /// Texts for `{{IN $n}}` and `{{LIST $n}}`.
    TextList(&'a [&'a str]),
    /// Numbers for `{{IN $n}}`.
    IntList(&'a [i64]),
}

impl Arg<'_> {
    /// Whether a short statement stays short with it.
    pub(super) const fn is_small(&self) -> bool {
        const FEW: usize = 64;
        const BYTES: usize = 64 << 10;
        match self {
            Self::Int(_) | Self::Text(None) | Self::Bytes(None) => true,
            Self::Text(Some(text)) => text.len() <= BYTES,
            Self::Bytes(Some(bytes)) => bytes.len() <= BYTES,
            Self::TextList(list) => list.len() <= FEW,
            Self::IntList(list) => list.len() <= FEW,
        }
    }
}

macro_rules! arg_from {
    ($($type:ty, $value:ident => $arg:expr;)+) => {$(
        impl<'a> From<$type> for Arg<'a> {
            fn from($value: $type) -> Self {
                $arg
            }
        }
    )+};
}

arg_from! {
    i64, value => Arg::Int(Some(value));
    Option<i64>, value => Arg::Int(value);
    bool, value => Arg::Int(Some(i64::from(value)));
    Moment, value => Arg::Int(Some(value.as_micros()));
    Option<Moment>, value => Arg::Int(value.map(Moment::as_micros));
    &'a str, value => Arg::Text(Some(value));
    Option<&'a str>, value => Arg::Text(value);
    &'a Digest, value => Arg::Text(Some(value.as_str()));
    &'a [u8], value => Arg::Bytes(Some(value));
    Option<&'a [u8]>, value => Arg::Bytes(value);
    &'a [&'a str], value => Arg::TextList(value);
    &'a [i64], value => Arg::IntList(value);
}

macro_rules! arg_from_id {
    ($($id:ident),+) => {$(
        impl From<$id> for Arg<'_> {
            fn from(id: $id) -> Self {
                Self::Int(Some(id.get()))
            }
        }

        impl From<Option<$id>> for Arg<'_> {
            fn from(id: Option<$id>) -> Self {
                Self::Int(id.map($id::get))
            }
        }
    )+};
}

arg_from_id!(
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

/// The arguments as SQLite takes them: lists are JSON.
pub(super) fn for_sqlite(args: &[Arg<'_>]) -> Vec<Value> {
    let value = |arg: &Arg<'_>| match *arg {
        Arg::Int(value) => value.into(),
        Arg::Text(value) => value.map(str::to_owned).into(),
        Arg::Bytes(value) => value.map(<[u8]>::to_vec).into(),
        Arg::TextList(values) => serde_json::json!(values).to_string().into(),
        Arg::IntList(values) => serde_json::json!(values).to_string().into(),
    };
    args.iter().map(value).collect()
}

/// The arguments as PostgreSQL takes them: lists are arrays.
pub(super) fn for_postgres(args: &[Arg<'_>]) -> Result<PgArguments> {
    let mut out = PgArguments::default();
    for arg in args {
        match arg {
            Arg::Int(value) => out.add(*value),
            Arg::Text(value) => out.add(*value),
            Arg::Bytes(value) => out.add(*value),
            Arg::TextList(values) => out.add(*values),
            Arg::IntList(values) => out.add(*values),
        }
        .map_err(|error| Error::Other(error.to_string()))?;
    }
    Ok(out)
}
