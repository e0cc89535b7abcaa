//! How versions of a package reach each other: an index its children, a subject its referrers.
//!
//! Each question is asked for a whole set at once, so that a walk costs a few queries a level,
//! however wide it is. An index may have its own child as its subject, so a walk may come back to
//! where it began.

use naru_model::{Moment, PackageId, VersionId};
use naru_oci::Digest;

use crate::db::{Conn, FromRow, Row, statements};
use crate::error::Result;

/// A version as a walk sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its number.
    pub id: VersionId,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The type it was pushed with.
    pub media_type: String,
    /// Its artifact type.
    pub artifact_type: Option<String>,
    /// When it was pushed.
    pub created_at: Moment,
    /// When somebody deleted it while a listed version reached it.
    pub withdrawn_at: Option<Moment>,
    /// When it went into the bin.
    pub deleted_at: Option<Moment>,
}

impl Node {
    /// Whether it stands in the lists.
    #[must_use]
    pub const fn is_listed(&self) -> bool {
        self.deleted_at.is_none() && self.withdrawn_at.is_none()
    }

    /// Whether somebody deleted it while it is still served.
    #[must_use]
    pub const fn is_withdrawn(&self) -> bool {
        self.deleted_at.is_none() && self.withdrawn_at.is_some()
    }
}

impl FromRow for Node {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            digest: row.get("digest")?,
            media_type: row.get("media_type")?,
            artifact_type: row.get("artifact_type")?,
            created_at: row.get("created_at")?,
            withdrawn_at: row.get("withdrawn_at")?,
            deleted_at: row.get("deleted_at")?,
        })
    }
}

/// A version, and one that a walk comes to from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Where the walk came from.
    pub from: VersionId,
    /// Where it comes to.
    pub to: Node,
}

impl FromRow for Edge {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            from: row.get("from_id")?,
            to: Node::from_row(row)?,
        })
    }
}

/// The columns of a [`Node`] of the table `v`.
macro_rules! node {
    () => {
        "v.id, v.digest, v.media_type, v.artifact_type, v.created_at, v.withdrawn_at, v.deleted_at"
    };
}

statements! {
    NODES = concat!("SELECT ", node!(), " FROM versions v
        WHERE v.package_id = $1 AND v.id {{IN $2}} ORDER BY v.created_at DESC, v.id DESC");
    CHILDREN = concat!("SELECT c.version_id AS from_id, ", node!(), "
        FROM version_children c
            JOIN versions v ON v.package_id = c.package_id AND v.digest = c.digest
        WHERE c.version_id {{IN $2}} AND c.package_id = $1 ORDER BY v.id");
    REFERRERS = concat!("SELECT s.id AS from_id, ", node!(), "
        FROM versions s
            JOIN versions v ON v.package_id = s.package_id AND v.subject = s.digest
        WHERE s.package_id = $1 AND s.id {{IN $2}} ORDER BY v.id");
    LISTED_PARENTS = "SELECT b.id AS from_id, MIN(v.id) AS to_id
        FROM versions b
            JOIN version_children c ON c.package_id = b.package_id AND c.digest = b.digest
            JOIN versions v ON v.id = c.version_id
        WHERE b.package_id = $1 AND b.id {{IN $2}}
          AND v.deleted_at IS NULL AND v.withdrawn_at IS NULL AND NOT v.id {{IN $3}}
        GROUP BY b.id";
    UNLISTED_PARENTS = concat!("SELECT b.id AS from_id, ", node!(), "
        FROM versions b
            JOIN version_children c ON c.package_id = b.package_id AND c.digest = b.digest
            JOIN versions v ON v.id = c.version_id
        WHERE b.package_id = $1 AND b.id {{IN $2}} AND v.deleted_at IS NULL
          AND (v.withdrawn_at IS NOT NULL OR v.id {{IN $3}})
        ORDER BY v.id");
    SUBJECTS = concat!("SELECT b.id AS from_id, ", node!(), "
        FROM versions b JOIN versions v ON v.package_id = b.package_id AND v.digest = b.subject
        WHERE b.package_id = $1 AND b.id {{IN $2}} AND v.deleted_at IS NULL
        ORDER BY v.id");
}

pub(super) fn numbers(versions: &[VersionId]) -> Vec<i64> {
    versions.iter().map(|version| version.get()).collect()
}

/// The versions with these numbers, whatever their state, newest first.
///
/// # Errors
/// Those of the database.
pub async fn nodes(
    conn: &mut Conn,
    package: PackageId,
    versions: &[VersionId],
) -> Result<Vec<Node>> {
    let versions = numbers(versions);
    conn.all(NODES, &[package.into(), versions.as_slice().into()])
        .await
}

/// What these indexes have as children, whatever its state.
///
/// # Errors
/// Those of the database.
pub async fn children(conn: &mut Conn, package: PackageId, of: &[VersionId]) -> Result<Vec<Edge>> {
    let of = numbers(of);
    conn.all(CHILDREN, &[package.into(), of.as_slice().into()])
        .await
}

/// What has one of these versions as its subject, whatever its state.
///
/// # Errors
/// Those of the database.
pub async fn referrers_of(
    conn: &mut Conn,
    package: PackageId,
    of: &[VersionId],
) -> Result<Vec<Edge>> {
    let of = numbers(of);
    conn.all(REFERRERS, &[package.into(), of.as_slice().into()])
        .await
}

struct Pair(VersionId, VersionId);

impl FromRow for Pair {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self(row.get("from_id")?, row.get("to_id")?))
    }
}

/// For each of these versions that has one: a listed index, not among `except`, that has it as a
/// child. As `(child, index)`.
///
/// # Errors
/// Those of the database.
pub async fn listed_parents(
    conn: &mut Conn,
    package: PackageId,
    of: &[VersionId],
    except: &[VersionId],
) -> Result<Vec<(VersionId, VersionId)>> {
    let (of, except) = (numbers(of), numbers(except));
    let args = [
        package.into(),
        of.as_slice().into(),
        except.as_slice().into(),
    ];
    let found: Vec<Pair> = conn.all(LISTED_PARENTS, &args).await?;
    Ok(found.into_iter().map(|Pair(from, to)| (from, to)).collect())
}

/// The indexes that have one of these versions as a child and that are served, but withdrawn or
/// among `unlisted`.
///
/// # Errors
/// Those of the database.
pub async fn unlisted_parents(
    conn: &mut Conn,
    package: PackageId,
    of: &[VersionId],
    unlisted: &[VersionId],
) -> Result<Vec<Edge>> {
    let (of, unlisted) = (numbers(of), numbers(unlisted));
    let args = [
        package.into(),
        of.as_slice().into(),
        unlisted.as_slice().into(),
    ];
    conn.all(UNLISTED_PARENTS, &args).await
}

/// The served subjects of these versions.
///
/// # Errors
/// Those of the database.
pub async fn subjects(conn: &mut Conn, package: PackageId, of: &[VersionId]) -> Result<Vec<Edge>> {
    let of = numbers(of);
    conn.all(SUBJECTS, &[package.into(), of.as_slice().into()])
        .await
}
