//! Package versions as people see them: listed with their tags, deleted, restored.
//!
//! Deletes know the graph. A version that somebody deletes while a listed index, or its listed
//! subject, still reaches it is *withdrawn*: its tags are gone and it is out of the lists, but it
//! is served by its digest until nothing reaches it any more; then it goes into the bin. So "delete
//! everything untagged" breaks no image and erases no signature.
//!
//! - `reach`: who keeps whom;
//! - [`plan`]: what a delete would do, and why;
//! - [`delete`] and [`restore`]: what is done, one transaction each;
//! - [`bulk`]: many at once, in batches.

pub mod bulk;
pub mod delete;
pub mod plan;
mod reach;
pub mod restore;

use std::collections::HashMap;

use naru_metadata::versions::{self, Slice, Version, Which};
use naru_metadata::{Conn, tags};
use naru_model::{Moment, PackageId, PackagePath, PackagePermission, VersionId, VersionState};
use naru_oci::Digest;

use crate::error::{Error, Result};
use crate::{Caller, Registry};

/// A version with the tags that point at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedVersion {
    /// Its record.
    pub version: Version,
    /// The tags, the one changed last first.
    pub tags: Vec<String>,
}

/// Which version is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionRef {
    /// By number.
    Id(VersionId),
    /// By the digest of its manifest.
    Digest(Digest),
    /// By a tag that points at it.
    Tag(String),
}

impl std::fmt::Display for VersionRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
            Self::Tag(tag) => f.write_str(tag),
        }
    }
}

/// Which part of which list of versions is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WantedVersions {
    /// Which list.
    pub state: VersionState,
    /// How many at most.
    pub limit: usize,
    /// How many are passed over first.
    pub skip: usize,
    /// The last version of the part before, if that is where this one begins.
    pub after: Option<VersionId>,
}

impl WantedVersions {
    /// The first `limit` of the listed versions.
    #[must_use]
    pub const fn first(limit: usize) -> Self {
        Self {
            state: VersionState::Listed,
            limit,
            skip: 0,
            after: None,
        }
    }
}

/// A part of a list of versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionsPage {
    /// Newest first.
    pub items: Vec<ListedVersion>,
    /// The last of them, if there are more.
    pub next: Option<VersionId>,
    /// How many the whole list has; counted no further than [`COUNTED`].
    pub total: u64,
}

/// How far the length of a list is counted: as far as its pages have numbers (contract D2), and one
/// more.
pub const COUNTED: i64 = 10_001;

impl Registry {
    /// The versions of a package, newest first.
    ///
    /// # Errors
    /// [`Error::Refused`], for deleted ones unless the caller administers the package;
    /// [`Error::NotFound`] for the package; [`Error::InvalidField`] for an `after` that is no
    /// version of it.
    pub async fn list_versions(
        &self,
        caller: &Caller,
        path: &PackagePath,
        wanted: WantedVersions,
    ) -> Result<VersionsPage> {
        let permission = match wanted.state {
            VersionState::Listed | VersionState::Active => PackagePermission::ReadMetadata,
            VersionState::Deleted => PackagePermission::Restore,
        };
        let package = self.authorize(caller, path, permission).await?;
        let mut conn = self.db.read().await?;
        list(&mut conn, package.id(), wanted).await
    }

    /// A served version with its tags; a withdrawn one has none.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::NotFound`] for the package; [`Error::ManifestUnknown`] for what
    /// is not served.
    pub async fn version(
        &self,
        caller: &Caller,
        path: &PackagePath,
        version: &VersionRef,
    ) -> Result<ListedVersion> {
        let package = self
            .authorize(caller, path, PackagePermission::ReadMetadata)
            .await?;
        let mut conn = self.db.read().await?;
        let found = find(&mut conn, package.id(), version).await?;
        let found = found.filter(Version::is_served);
        let version = found.ok_or_else(|| unknown(version))?;
        let tags = tags::of_version(&mut conn, version.id).await?;
        Ok(ListedVersion { version, tags })
    }
}

async fn list(conn: &mut Conn, package: PackageId, wanted: WantedVersions) -> Result<VersionsPage> {
    let which = match wanted.state {
        VersionState::Listed => Which::Listed,
        VersionState::Active => Which::Served,
        VersionState::Deleted => Which::Removed,
    };
    let total = versions::count(conn, package, which, COUNTED).await?;
    let below = match wanted.after {
        Some(last) => Some(place_of(conn, package, last).await?),
        None => None,
    };
    let slice = Slice {
        limit: number(wanted.limit).saturating_add(1),
        offset: number(wanted.skip),
        below,
    };
    let mut found = versions::slice(conn, package, which, slice).await?;
    let more = found.len() > wanted.limit;
    found.truncate(wanted.limit);
    let next = found.last().map(|last| last.id).filter(|_| more);
    Ok(VersionsPage {
        items: with_tags(conn, found).await?,
        next,
        total: u64::try_from(total).unwrap_or(0),
    })
}

/// Where a version stands in the lists, whatever its state.
///
/// # Errors
/// [`Error::InvalidField`] for a number that no version of the package has: a list would begin at
/// its beginning again.
pub(crate) async fn place_of(
    conn: &mut Conn,
    package: PackageId,
    version: VersionId,
) -> Result<(Moment, VersionId)> {
    let found = versions::header_by_id(conn, package, version).await?;
    let found = found.ok_or_else(|| Error::InvalidField {
        field: "after",
        message: format!("after: {version} is no version of this package, or was purged"),
    })?;
    Ok((found.created_at, found.id))
}

fn number(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// The version that is meant, whatever its state.
pub(crate) async fn find(
    conn: &mut Conn,
    package: PackageId,
    version: &VersionRef,
) -> Result<Option<Version>> {
    Ok(match version {
        VersionRef::Id(id) => versions::header_by_id(conn, package, *id).await?,
        VersionRef::Digest(digest) => versions::header(conn, package, digest).await?,
        VersionRef::Tag(name) => match tags::find(conn, package, name).await? {
            Some(tag) => versions::header_by_id(conn, package, tag.version).await?,
            None => None,
        },
    })
}

pub(crate) fn unknown(version: &VersionRef) -> Error {
    Error::ManifestUnknown {
        reference: version.to_string(),
    }
}

/// The versions with their tags, which one query finds.
pub(crate) async fn with_tags(conn: &mut Conn, found: Vec<Version>) -> Result<Vec<ListedVersion>> {
    let ids: Vec<VersionId> = found.iter().map(|version| version.id).collect();
    let mut tags = tags_of(conn, &ids).await?;
    let listed = found.into_iter().map(|version| ListedVersion {
        tags: tags.remove(&version.id).unwrap_or_default(),
        version,
    });
    Ok(listed.collect())
}

/// The tags of several versions, the one changed last first.
pub(crate) async fn tags_of(
    conn: &mut Conn,
    versions: &[VersionId],
) -> Result<HashMap<VersionId, Vec<String>>> {
    let mut found: HashMap<VersionId, Vec<String>> = HashMap::new();
    if versions.is_empty() {
        return Ok(found);
    }
    for tag in tags::of_versions(conn, versions).await? {
        found.entry(tag.version).or_default().push(tag.name);
    }
    Ok(found)
}
