//! Package versions as people see them: listed with their tags, deleted, restored.

use naru_metadata::versions::{self, Version};
use naru_metadata::{Conn, tags};
use naru_model::{EventKind, Moment, PackageId, PackagePath, PackagePermission, VersionId};
use naru_oci::Digest;

use crate::access::{Authorized, lock};
use crate::commit::Outdated;
use crate::error::{Error, Result};
use crate::{Caller, Registry, events};

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

impl Registry {
    /// The versions of a package, newest first; `limit` of them, after the first `offset`.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::NotFound`] for the package.
    pub async fn list_versions(
        &self,
        caller: &Caller,
        path: &PackagePath,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<ListedVersion>> {
        let package = self
            .authorize(caller, path, PackagePermission::ReadMetadata)
            .await?;
        let mut conn = self.db.read().await?;
        let found = versions::page(&mut conn, package.id(), limit, offset).await?;
        with_tags(&mut conn, found).await
    }

    /// The deleted versions of a package that can be restored, newest first.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the package.
    pub async fn list_deleted_versions(
        &self,
        caller: &Caller,
        path: &PackagePath,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<Version>> {
        let package = self
            .authorize(caller, path, PackagePermission::Restore)
            .await?;
        let mut conn = self.db.read().await?;
        Ok(versions::deleted_page(&mut conn, package.id(), limit, offset).await?)
    }

    /// Puts a version into the bin, with the tags that point at it.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the package; [`Error::ManifestUnknown`];
    /// [`Error::StillNeeded`] while an index needs it; [`Error::Invalid`] for the last tagged
    /// version, with which the package goes; [`Error::TagProtected`].
    pub async fn delete_version(
        &self,
        caller: &Caller,
        path: &PackagePath,
        version: &VersionRef,
    ) -> Result<()> {
        let package = self
            .authorize(caller, path, PackagePermission::Delete)
            .await?;
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        lock(&mut tx, &package).await?;
        let found = find(&mut tx, package.id(), version).await?;
        let found = found.filter(|found| found.deleted_at.is_none());
        let found = found.ok_or_else(|| unknown(version))?;
        self.refuse_widely_downloaded(&mut tx, caller, package.id(), Some(found.id))
            .await?;
        if let Some(by) = versions::parent(&mut tx, package.id(), &found.digest).await? {
            return Err(Error::StillNeeded {
                digest: found.digest,
                by,
            });
        }
        if is_last_tagged(&mut tx, package.id(), found.id).await? {
            return Err(Error::Invalid(
                "You cannot delete the last tagged version of a package. You must delete the \
                 package instead."
                    .to_owned(),
            ));
        }
        self.bin_version(&mut tx, caller, &package, found.id, now)
            .await?;
        self.commit(tx, Outdated::manifests(package.id())).await?;
        Ok(())
    }

    /// Takes a version out of the bin, with those of its children that are there too, and gives
    /// back the tags it lost whose names are still free and which the caller may create.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the package; [`Error::ManifestUnknown`]
    /// for what is not in the bin.
    pub async fn restore_version(
        &self,
        caller: &Caller,
        path: &PackagePath,
        version: &VersionRef,
    ) -> Result<Vec<String>> {
        let package = self
            .authorize(caller, path, PackagePermission::Restore)
            .await?;
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        lock(&mut tx, &package).await?;
        let found = find(&mut tx, package.id(), version).await?;
        let found = found.filter(|found| found.deleted_at.is_some());
        let found = found.filter(|found| !self.is_past_restoring(found.deleted_at, now));
        let found = found.ok_or_else(|| unknown(version))?;
        let mut waiting = vec![found.id];
        let mut given_back = Vec::new();
        while let Some(id) = waiting.pop() {
            given_back.extend(self.unbin(&mut tx, caller, &package, id, now).await?);
            waiting.extend(versions::deleted_children(&mut tx, package.id(), id).await?);
        }
        self.commit(tx, Outdated::manifests(package.id())).await?;
        Ok(given_back)
    }

    /// Puts a version into the bin, noting the tags it loses; blobs that nothing else needs stop
    /// being readable, but a push that was promised them may still name them.
    ///
    /// # Errors
    /// [`Error::TagProtected`] if the caller may not remove one of the tags.
    pub(crate) async fn bin_version(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        package: &Authorized,
        version: VersionId,
        now: Moment,
    ) -> Result<()> {
        let lost = self
            .remove_tags_of(conn, caller, package, version, now)
            .await?;
        versions::delete(conn, package.id(), version, now, caller.principal.user()).await?;
        let lease = now.plus(self.settings.leases().lease);
        versions::hide_lost_blobs(conn, package.id(), version, now, lease).await?;
        let event = events::on_package(EventKind::VersionDeleted, caller, package, now)
            .on_version(version)
            .with("tags", lost.join(" "));
        events::record(conn, event).await
    }

    /// Takes one version out of the bin and gives back its tags. Returns their names.
    async fn unbin(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        package: &Authorized,
        version: VersionId,
        now: Moment,
    ) -> Result<Vec<String>> {
        let found = versions::header_by_id(conn, package.id(), version).await?;
        let Some(deleted_at) = found.and_then(|found| found.deleted_at) else {
            return Ok(Vec::new());
        };
        versions::restore(conn, package.id(), version, now).await?;
        let lost = tags::lost_with_version(conn, package.id(), version, deleted_at).await?;
        let names = self
            .give_back_tags(conn, caller, package, version, lost, now)
            .await?;
        let event = events::on_package(EventKind::VersionRestored, caller, package, now)
            .on_version(version)
            .with("tags", names.join(" "));
        events::record(conn, event).await?;
        Ok(names)
    }
}

/// The version that is meant, deleted ones included.
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

/// Whether no other version of the package has a tag, but this one has.
async fn is_last_tagged(conn: &mut Conn, package: PackageId, version: VersionId) -> Result<bool> {
    if tags::of_version(conn, version).await?.is_empty() {
        return Ok(false);
    }
    Ok(!tags::any_of_other_version(conn, package, version).await?)
}

async fn with_tags(conn: &mut Conn, found: Vec<Version>) -> Result<Vec<ListedVersion>> {
    let mut listed = Vec::with_capacity(found.len());
    for version in found {
        let tags = tags::of_version(conn, version.id).await?;
        listed.push(ListedVersion { version, tags });
    }
    Ok(listed)
}
