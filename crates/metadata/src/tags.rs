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
    const ALL: [Self; 5] = [
        Self::Push,
        Self::Move,
        Self::Delete,
        Self::VersionDeleted,
        Self::Restore,
    ];

    /// The word used in SQL and REST.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Move => "move",
            Self::Delete => "delete",
            Self::VersionDeleted => "version_deleted",
            Self::Restore => "restore",
        }
    }
}

impl std::str::FromStr for TagReason {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|known| known.as_str() == word);
        found.ok_or_else(|| format!("`{word}` is no reason"))
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

/// A tag with all that is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagRecord {
    /// The tag's name.
    pub name: String,
    /// The version it points at.
    pub version: VersionId,
    /// That version's digest.
    pub digest: Digest,
    /// When it was made.
    pub created_at: Moment,
    /// When it was moved last.
    pub updated_at: Moment,
}

impl FromRow for TagRecord {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            name: row.get("name")?,
            version: row.get("version_id")?,
            digest: row.get("digest")?,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
        })
    }
}

/// In which order tags are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TagOrder {
    /// The one that moved last first.
    #[default]
    Newest,
    /// In the lexical order of bytes.
    Name,
}

/// Which tags of a package are asked for.
#[derive(Clone, Copy, Debug)]
pub struct TagQuery<'a> {
    /// In which order.
    pub order: TagOrder,
    /// Only those that hold this text, in any case.
    pub holding: Option<&'a str>,
    /// How many at most.
    pub limit: i64,
    /// How many to leave out first.
    pub skip: i64,
    /// Only those that come after this one.
    pub after: Option<&'a TagPlace>,
}

/// Where a tag stands in a list of tags, there or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagPlace {
    /// When it moved last, in a list that begins with what moved last.
    pub moved_at: Moment,
    /// The tag's name.
    pub name: String,
}

impl From<&TagRecord> for TagPlace {
    fn from(tag: &TagRecord) -> Self {
        Self {
            moved_at: tag.updated_at,
            name: tag.name.clone(),
        }
    }
}

/// The tags of package `$1` that hold `$2`, if that is given; those that `after` lets through. The
/// page is cut before its versions are looked up.
macro_rules! records {
    ($after:literal, $order:literal, $order_of_page:literal) => {
        concat!(
            "SELECT page.name, page.version_id, v.digest, page.created_at, page.updated_at
            FROM (SELECT t.name, t.version_id, t.created_at, t.updated_at
                FROM tags t
                WHERE t.package_id = $1 AND (CAST($2 AS {{TEXT}}) IS NULL
                    OR replace(lower(t.name), lower($2), '') <> lower(t.name))
                    AND ",
            $after,
            " ORDER BY ",
            $order,
            " LIMIT $3 OFFSET $4) page CROSS JOIN versions v
            WHERE v.id = page.version_id
            ORDER BY ",
            $order_of_page
        )
    };
}

statements! {
    #[short]
    FIND = "SELECT t.name, t.version_id, v.digest
        FROM tags t JOIN versions v ON v.id = t.version_id
        WHERE t.package_id = $1 AND t.name = $2";
    RECORD = "SELECT t.name, t.version_id, v.digest, t.created_at, t.updated_at
        FROM tags t JOIN versions v ON v.id = t.version_id
        WHERE t.package_id = $1 AND t.name = $2";
    NEWEST = records!(
        "t.updated_at <= $5 AND (t.updated_at < $5 OR t.name > $6)",
        "t.updated_at DESC, t.name",
        "page.updated_at DESC, page.name"
    );
    BY_NAME = records!("t.name > $5", "t.name", "page.name");
    NAMES = "SELECT name FROM tags WHERE package_id = $1 AND name > $2 ORDER BY name LIMIT $3";
    OF_VERSION = "SELECT name FROM tags WHERE version_id = $1 ORDER BY updated_at DESC, name";
    OF_VERSIONS = "SELECT t.name, t.version_id, v.digest
        FROM tags t JOIN versions v ON v.id = t.version_id
        WHERE t.version_id {{IN $1}} ORDER BY t.updated_at DESC, t.name";
    AMONG = "SELECT t.name, t.version_id, v.digest
        FROM tags t JOIN versions v ON v.id = t.version_id
        WHERE t.package_id = $1 AND t.name {{IN $2}}";
    ANY_ELSE = "SELECT version_id FROM tags
        WHERE package_id = $1 AND NOT version_id {{IN $2}} LIMIT 1";
    #[short]
    PUT = "INSERT INTO tags (package_id, name, version_id, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $4)
        ON CONFLICT (package_id, name) DO UPDATE SET version_id = excluded.version_id,
            updated_at = excluded.updated_at";
    REMOVE = "DELETE FROM tags WHERE package_id = $1 AND name = $2";
    REMOVE_OF_VERSION = "DELETE FROM tags WHERE version_id = $1";
    #[short]
    NOTE = "INSERT INTO tag_history (package_id, name, version_id, at, by_account, by_token, reason)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    LOST_WITH_VERSION = "SELECT h.name FROM tag_history h
        WHERE h.package_id = $1 AND h.version_id = $2 AND h.reason = 'version_deleted'
          AND h.at = $3
          AND NOT EXISTS (SELECT 1 FROM tags t WHERE t.package_id = h.package_id AND t.name = h.name)
        ORDER BY h.id";
    LOST_AMONG = "SELECT h.name, h.version_id, v.digest
        FROM tag_history h JOIN versions v ON v.id = h.version_id
        WHERE h.package_id = $1 AND h.name {{IN $2}} AND h.reason = 'version_deleted'
          AND h.at = COALESCE(v.withdrawn_at, v.deleted_at)
        ORDER BY h.id";
    LOST_WITH_VERSIONS = "SELECT h.name, h.version_id, v.digest
        FROM tag_history h JOIN versions v ON v.id = h.version_id
        WHERE h.version_id {{IN $1}} AND h.reason = 'version_deleted'
          AND h.at = COALESCE(v.withdrawn_at, v.deleted_at)
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

/// The record of the tag with this name.
///
/// # Errors
/// Those of the database.
pub async fn record(conn: &mut Conn, package: PackageId, name: &str) -> Result<Option<TagRecord>> {
    conn.optional(RECORD, &[package.into(), name.into()]).await
}

/// The records of tags.
///
/// # Errors
/// Those of the database.
pub async fn records(
    conn: &mut Conn,
    package: PackageId,
    query: TagQuery<'_>,
) -> Result<Vec<TagRecord>> {
    let (moved_at, name) = match query.after {
        Some(place) => (place.moved_at.as_micros(), place.name.as_str()),
        None => (i64::MAX, ""),
    };
    let mut args = vec![
        package.into(),
        query.holding.into(),
        query.limit.into(),
        query.skip.into(),
    ];
    let statement = match query.order {
        TagOrder::Newest => {
            args.push(moved_at.into());
            NEWEST
        }
        TagOrder::Name => BY_NAME,
    };
    args.push(name.into());
    conn.all(statement, &args).await
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

/// The tags of several versions in one query, the one changed last first.
///
/// # Errors
/// Those of the database.
pub async fn of_versions(conn: &mut Conn, versions: &[VersionId]) -> Result<Vec<TagRow>> {
    let versions: Vec<i64> = versions.iter().map(|version| version.get()).collect();
    conn.all(OF_VERSIONS, &[versions.as_slice().into()]).await
}

/// Those of these tags that the package has.
///
/// # Errors
/// Those of the database.
pub async fn among(conn: &mut Conn, package: PackageId, names: &[&str]) -> Result<Vec<TagRow>> {
    conn.all(AMONG, &[package.into(), names.into()]).await
}

/// Whether a version of the package other than these has a tag.
///
/// # Errors
/// Those of the database.
pub async fn any_of_other_versions(
    conn: &mut Conn,
    package: PackageId,
    versions: &[VersionId],
) -> Result<bool> {
    let versions: Vec<i64> = versions.iter().map(|version| version.get()).collect();
    let args = [package.into(), versions.as_slice().into()];
    let found: Option<i64> = conn.optional(ANY_ELSE, &args).await?;
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

/// The tags that a version lost when it was deleted or withdrawn at `removed_at`, and whose names
/// are free.
///
/// # Errors
/// Those of the database.
pub async fn lost_with_version(
    conn: &mut Conn,
    package: PackageId,
    version: VersionId,
    removed_at: Moment,
) -> Result<Vec<String>> {
    let args = [
        package.get().into(),
        version.get().into(),
        removed_at.as_micros().into(),
    ];
    conn.all(LOST_WITH_VERSION, &args).await
}

/// The tags that these versions lost when they were deleted or withdrawn, whoever has them now.
///
/// # Errors
/// Those of the database.
pub async fn lost_with_versions(conn: &mut Conn, versions: &[VersionId]) -> Result<Vec<TagRow>> {
    let versions: Vec<i64> = versions.iter().map(|version| version.get()).collect();
    conn.all(LOST_WITH_VERSIONS, &[versions.as_slice().into()])
        .await
}

/// Those of these tags that versions of the package lost when they were deleted or withdrawn.
///
/// # Errors
/// Those of the database.
pub async fn lost_among(
    conn: &mut Conn,
    package: PackageId,
    names: &[&str],
) -> Result<Vec<TagRow>> {
    conn.all(LOST_AMONG, &[package.into(), names.into()]).await
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
