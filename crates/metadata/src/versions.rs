//! Package versions: manifests as rows, with what each of them needs.
//!
//! A version is in one of three states, by two columns:
//!
//! | state | `withdrawn_at` | `deleted_at` |
//! |---|---|---|
//! | *listed* | null | null |
//! | *withdrawn*: somebody deleted it, but a listed version still reaches it | since then | null |
//! | *in the bin* | since it was withdrawn, if it was before | since then |
//!
//! Listed and withdrawn ones are *served*: found by digest, and what they need is readable. So
//! `deleted_at IS NULL` asks for what is served, everywhere.

mod graph;
mod lists;
mod needs;
mod purge;
mod referrers;
mod states;

use naru_model::{AccountId, Moment, PackageId, VersionId};
use naru_oci::Digest;

pub use graph::{
    Edge, Node, children, listed_parents, nodes, referrers_of, subjects, unlisted_parents,
};
pub use lists::{Slice, Which, count, counts, newest, slice};
pub use needs::{
    GapKind, drop_references, fill_gaps, hold_blobs, hold_children, holder, live_children,
    note_gaps, parent,
};
pub use purge::{
    binned, packages_to_purge, purge, purge_candidates, purge_candidates_of, purgeable_of,
};
pub use referrers::{ReferrersQuery, referrer_sizes, referrers, referrers_among};
pub use states::{
    delete, erase, freed_bytes, hide_lost_blobs, relist, restore, restore_withdrawn, withdraw,
};

use crate::db::{Conn, FromRow, Row, Statement, statements};
use crate::error::Result;

/// The statements of the modules below.
pub(crate) const STATEMENTS_BELOW: &[&[&Statement]] = &[
    graph::STATEMENTS,
    lists::STATEMENTS,
    needs::STATEMENTS,
    purge::STATEMENTS,
    referrers::STATEMENTS,
    states::STATEMENTS,
];

/// A stored manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredManifest {
    /// The version's number.
    pub id: VersionId,
    /// The digest of `content`.
    pub digest: Digest,
    /// The type it was pushed with.
    pub media_type: String,
    /// The bytes as they were pushed.
    pub content: Vec<u8>,
}

impl FromRow for StoredManifest {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: VersionId::new(row.get("id")?),
            digest: row.get("digest")?,
            media_type: row.get("media_type")?,
            content: row.get("content")?,
        })
    }
}

/// A version without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its number.
    pub id: VersionId,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The type it was pushed with.
    pub media_type: String,
    /// Its artifact type, as the referrers list shows it.
    pub artifact_type: Option<String>,
    /// The digest it refers to.
    pub subject: Option<Digest>,
    /// Its annotations as a JSON object.
    pub annotations: Option<String>,
    /// Length of the manifest in bytes.
    pub size: u64,
    /// When it was pushed, anew after a deletion.
    pub created_at: Moment,
    /// When its tags last changed.
    pub updated_at: Moment,
    /// When somebody deleted it while a listed version reached it: it is served, but not listed.
    pub withdrawn_at: Option<Moment>,
    /// When it went into the bin; it can be restored until it is purged.
    pub deleted_at: Option<Moment>,
}

impl Version {
    /// Whether it stands in the lists.
    #[must_use]
    pub const fn is_listed(&self) -> bool {
        self.is_served() && self.withdrawn_at.is_none()
    }

    /// Whether it is found by its digest.
    #[must_use]
    pub const fn is_served(&self) -> bool {
        self.deleted_at.is_none()
    }

    /// When its tags were taken from it.
    #[must_use]
    pub fn removed_at(&self) -> Option<Moment> {
        self.withdrawn_at.or(self.deleted_at)
    }
}

impl FromRow for Version {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: VersionId::new(row.get("id")?),
            digest: row.get("digest")?,
            media_type: row.get("media_type")?,
            artifact_type: row.get("artifact_type")?,
            subject: row.get("subject")?,
            annotations: row.get("annotations")?,
            size: row.get("size")?,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
            withdrawn_at: row.get("withdrawn_at")?,
            deleted_at: row.get("deleted_at")?,
        })
    }
}

/// The columns of a [`Version`]; `withdrawn_at` stands behind the bytes of the manifest, so where
/// it is known to be null it is not read.
macro_rules! columns {
    () => {
        columns!("withdrawn_at")
    };
    ($withdrawn_at:literal) => {
        concat!(
            "id, digest, media_type, artifact_type, subject, annotations, size,
            created_at, updated_at, deleted_at, ",
            $withdrawn_at
        )
    };
}

use columns;

/// What is stored of a manifest that is pushed.
#[derive(Clone, Debug)]
pub struct NewVersion<'a> {
    /// The digest of `content`.
    pub digest: &'a Digest,
    /// The type it was pushed with.
    pub media_type: &'a str,
    /// Its artifact type, as the referrers list shows it.
    pub artifact_type: Option<&'a str>,
    /// The digest it refers to.
    pub subject: Option<&'a Digest>,
    /// Its annotations as a JSON object.
    pub annotations: Option<&'a str>,
    /// The bytes as they were pushed.
    pub content: &'a [u8],
    /// Who pushed it.
    pub created_by: Option<AccountId>,
    /// When.
    pub now: Moment,
}

statements! {
    #[short]
    FIND_BY_TAG = "SELECT v.id, v.digest, v.media_type, v.content
        FROM tags t JOIN versions v ON v.id = t.version_id
        WHERE t.package_id = $1 AND t.name = $2 AND v.deleted_at IS NULL";
    #[short]
    FIND_BY_DIGEST = "SELECT id, digest, media_type, content FROM versions
        WHERE package_id = $1 AND digest = $2 AND deleted_at IS NULL";
    #[short]
    HEADER = concat!("SELECT ", columns!(), "
        FROM versions WHERE package_id = $1 AND digest = $2");
    #[short]
    HEADER_BY_ID = concat!("SELECT ", columns!(), "
        FROM versions WHERE package_id = $1 AND id = $2");
    #[short]
    INSERT = "INSERT INTO versions (package_id, digest, media_type, artifact_type, subject,
            annotations, size, content, created_by, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
        ON CONFLICT (package_id, digest) DO NOTHING
        RETURNING id";
    REVIVE = "UPDATE versions SET deleted_at = NULL, deleted_by = NULL, withdrawn_at = NULL,
            created_at = $3, updated_at = $3, created_by = $4
        WHERE package_id = $1 AND id = $2
          AND (deleted_at IS NOT NULL OR withdrawn_at IS NOT NULL)";
    #[short]
    TOUCH = "UPDATE versions SET updated_at = $2 WHERE id = $1";
    CONTENTS_AFTER = "SELECT id, package_id, digest, media_type, content FROM versions
        WHERE id > $1 ORDER BY id LIMIT $2";
}

/// The served manifest that a tag points at.
///
/// # Errors
/// Those of the database.
pub async fn find_by_tag(
    conn: &mut Conn,
    package: PackageId,
    tag: &str,
) -> Result<Option<StoredManifest>> {
    conn.optional(FIND_BY_TAG, &[package.get().into(), tag.into()])
        .await
}

/// The served manifest with this digest.
///
/// # Errors
/// Those of the database.
pub async fn find_by_digest(
    conn: &mut Conn,
    package: PackageId,
    digest: &Digest,
) -> Result<Option<StoredManifest>> {
    conn.optional(
        FIND_BY_DIGEST,
        &[package.get().into(), digest.as_str().into()],
    )
    .await
}

/// The version with this digest without its bytes, whatever its state.
///
/// # Errors
/// Those of the database.
pub async fn header(
    conn: &mut Conn,
    package: PackageId,
    digest: &Digest,
) -> Result<Option<Version>> {
    conn.optional(HEADER, &[package.get().into(), digest.as_str().into()])
        .await
}

/// The version with this number, whatever its state.
///
/// # Errors
/// Those of the database.
pub async fn header_by_id(
    conn: &mut Conn,
    package: PackageId,
    version: VersionId,
) -> Result<Option<Version>> {
    conn.optional(HEADER_BY_ID, &[package.get().into(), version.get().into()])
        .await
}

/// Inserts a manifest. `None` when the digest has a row already, live or deleted.
///
/// # Errors
/// Those of the database.
pub async fn insert(
    conn: &mut Conn,
    package: PackageId,
    new: &NewVersion<'_>,
) -> Result<Option<VersionId>> {
    let size = i64::try_from(new.content.len()).unwrap_or(i64::MAX);
    let args = [
        package.get().into(),
        new.digest.as_str().into(),
        new.media_type.into(),
        new.artifact_type.into(),
        new.subject.map(Digest::as_str).into(),
        new.annotations.into(),
        size.into(),
        new.content.into(),
        new.created_by.map(AccountId::get).into(),
        new.now.as_micros().into(),
    ];
    let id: Option<i64> = conn.optional(INSERT, &args).await?;
    Ok(id.map(VersionId::new))
}

/// Brings a deleted or withdrawn version back because its digest was pushed again, as if it were
/// new.
///
/// # Errors
/// Those of the database.
pub async fn revive(
    conn: &mut Conn,
    package: PackageId,
    version: VersionId,
    now: Moment,
    by: Option<AccountId>,
) -> Result<bool> {
    let args = [
        package.get().into(),
        version.get().into(),
        now.as_micros().into(),
        by.map(AccountId::get).into(),
    ];
    Ok(conn.execute(REVIVE, &args).await? > 0)
}

/// Notes that the tags of a version changed.
///
/// # Errors
/// Those of the database.
pub async fn touch(conn: &mut Conn, version: VersionId, now: Moment) -> Result<()> {
    conn.execute(TOUCH, &[version.get().into(), now.as_micros().into()])
        .await?;
    Ok(())
}

/// A manifest with the package it is in, as a check of all manifests walks over them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackagedManifest {
    /// The package.
    pub package: PackageId,
    /// The manifest.
    pub manifest: StoredManifest,
}

impl FromRow for PackagedManifest {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            package: row.get("package_id")?,
            manifest: StoredManifest::from_row(row)?,
        })
    }
}

/// The next `limit` manifests of all packages after `after`, deleted ones included.
///
/// # Errors
/// Those of the database.
pub async fn contents_after(
    conn: &mut Conn,
    after: VersionId,
    limit: i64,
) -> Result<Vec<PackagedManifest>> {
    conn.all(CONTENTS_AFTER, &[after.into(), limit.into()])
        .await
}
