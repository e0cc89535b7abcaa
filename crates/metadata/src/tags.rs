//! Tags: movable names of versions, and where they pointed before.

use naru_model::{AccountId, Moment, PackageId, TokenId, VersionId};
use naru_oci::Digest;

use crate::db::{Conn, FromRow, Row, statements};
use crate::error::Result;

/// Why a tag changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagReason {
    /// A manifest was pushed to it.
    Push,
    /// Somebody pointed it at another version.
    Move,
    /// Somebody removed it.
    Delete,
    /// Its version was deleted.
    VersionDeleted,
    /// Its version was restored.
    Restore,
}

impl TagReason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Move => "move",
            Self::Delete => "delete",
            Self::VersionDeleted => "version_deleted",
            Self::Restore => "restore",
        }
    }
}

/// Who changes a tag, when and why.
#[derive(Clone, Copy, Debug)]
pub struct TagChange {
    /// When.
    pub now: Moment,
    /// Whose credential.
    pub by_account: Option<AccountId>,
    /// Which credential.
    pub by_token: Option<TokenId>,
    /// Why.
    pub reason: TagReason,
}

/// A tag and what it points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagRow {
    /// The tag's name.
    pub name: String,
    /// The version it points at.
    pub version: VersionId,
    /// That version's digest.
    pub digest: Digest,
}

impl FromRow for TagRow {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            name: row.get("name")?,
            version: VersionId::new(row.get("version_id")?),
            digest: row.get("digest")?,
        })
    }
}

statements! {
    FIND = "SELECT t.name, t.version_id, v.digest
        FROM tags t JOIN versions v ON v.id = t.version_id
        WHERE t.package_id = $1 AND t.name = $2";
    NAMES = "SELECT name FROM tags WHERE package_id = $1 AND name > $2 ORDER BY name LIMIT $3";
    OF_VERSION = "SELECT name FROM tags WHERE version_id = $1 ORDER BY updated_at DESC, name";
    ANY_ELSE = "SELECT version_id FROM tags
        WHERE package_id = $1 AND version_id <> $2 LIMIT 1";
    PUT = "INSERT INTO tags (package_id, name, version_id, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $4)
        ON CONFLICT (package_id, name) DO UPDATE SET version_id = excluded.version_id,
            updated_at = excluded.updated_at";
    REMOVE = "DELETE FROM tags WHERE package_id = $1 AND name = $2";
    REMOVE_OF_VERSION = "DELETE FROM tags WHERE version_id = $1";
    NOTE = "INSERT INTO tag_history (package_id, name, version_id, at, by_account, by_token, reason)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    LOST_WITH_VERSION = "SELECT h.name FROM tag_history h
        WHERE h.package_id = $1 AND h.version_id = $2 AND h.reason = 'version_deleted'
          AND h.at = $3
          AND NOT EXISTS (SELECT 1 FROM tags t WHERE t.package_id = h.package_id AND t.name = h.name)
        ORDER BY h.id";
}

/// The tag with this name.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, package: PackageId, name: &str) -> Result<Option<TagRow>> {
    conn.optional(FIND, &[package.get().into(), name.into()])
        .await
}

/// Up to `limit` names after `after`, in the lexical order of bytes (distribution-spec, end-8b).
///
/// # Errors
/// Those of the database.
pub async fn names(
    conn: &mut Conn,
    package: PackageId,
    after: &str,
    limit: i64,
) -> Result<Vec<String>> {
    conn.all(NAMES, &[package.get().into(), after.into(), limit.into()])
        .await
}

/// The tags of a version, the one changed last first.
///
/// # Errors
/// Those of the database.
pub async fn of_version(conn: &mut Conn, version: VersionId) -> Result<Vec<String>> {
    conn.all(OF_VERSION, &[version.get().into()]).await
}

/// Whether another version of the package has a tag.
///
/// # Errors
/// Those of the database.
pub async fn any_of_other_version(
    conn: &mut Conn,
    package: PackageId,
    version: VersionId,
) -> Result<bool> {
    let found: Option<i64> = conn
        .optional(ANY_ELSE, &[package.get().into(), version.get().into()])
        .await?;
    Ok(found.is_some())
}

/// Points a tag at a version and notes it in the history.
///
/// # Errors
/// Those of the database.
pub async fn put(
    conn: &mut Conn,
    package: PackageId,
    name: &str,
    version: VersionId,
    change: TagChange,
) -> Result<()> {
    let args = [
        package.get().into(),
        name.into(),
        version.get().into(),
        change.now.as_micros().into(),
    ];
    conn.execute(PUT, &args).await?;
    note(conn, package, name, Some(version), change).await
}

/// Removes a tag and notes it in the history. Returns whether it was there.
///
/// # Errors
/// Those of the database.
pub async fn remove(
    conn: &mut Conn,
    package: PackageId,
    name: &str,
    change: TagChange,
) -> Result<bool> {
    if conn
        .execute(REMOVE, &[package.get().into(), name.into()])
        .await?
        == 0
    {
        return Ok(false);
    }
    note(conn, package, name, None, change).await?;
    Ok(true)
}

/// Removes all tags of a version that goes into the bin, noting each with the version, so that a
/// restore can give back those whose names are still free. Returns their names.
///
/// # Errors
/// Those of the database.
pub async fn remove_of_version(
    conn: &mut Conn,
    package: PackageId,
    version: VersionId,
    change: TagChange,
) -> Result<Vec<String>> {
    let names = of_version(conn, version).await?;
    if names.is_empty() {
        return Ok(names);
    }
    conn.execute(REMOVE_OF_VERSION, &[version.get().into()])
        .await?;
    for name in &names {
        note(conn, package, name, Some(version), change).await?;
    }
    Ok(names)
}

/// The tags that a version lost when it was deleted at `deleted_at` and whose names are free.
///
/// # Errors
/// Those of the database.
pub async fn lost_with_version(
    conn: &mut Conn,
    package: PackageId,
    version: VersionId,
    deleted_at: Moment,
) -> Result<Vec<String>> {
    let args = [
        package.get().into(),
        version.get().into(),
        deleted_at.as_micros().into(),
    ];
    conn.all(LOST_WITH_VERSION, &args).await
}

async fn note(
    conn: &mut Conn,
    package: PackageId,
    name: &str,
    version: Option<VersionId>,
    change: TagChange,
) -> Result<()> {
    let args = [
        package.get().into(),
        name.into(),
        version.map(VersionId::get).into(),
        change.now.as_micros().into(),
        change.by_account.map(AccountId::get).into(),
        change.by_token.map(TokenId::get).into(),
        change.reason.as_str().into(),
    ];
    conn.execute(NOTE, &args).await?;
    Ok(())
}
