//! Tags as people see them: listed, read, moved and removed one by one, with where they pointed
//! before.

use naru_metadata::tag_history::{self, TagChanged};
use naru_metadata::tags::{self, TagOrder, TagPlace, TagQuery, TagReason, TagRecord};
use naru_metadata::{Cursor, Page, versions};
use naru_model::{PackagePath, PackagePermission, VersionId};
use naru_oci::Tag;

use super::{TagWrite, write_tag};
use crate::access::lock;
use crate::access::tag_rules::TaggedPackage;
use crate::commit::Outdated;
use crate::error::{Error, Result};
use crate::{Caller, Registry};

/// Which tags of a package are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WantedTags {
    /// In which order.
    pub order: TagOrder,
    /// Only those that hold this text, in any case.
    pub holding: Option<String>,
    /// How many at most.
    pub limit: usize,
    /// How many to leave out first.
    pub skip: usize,
    /// Only those that come after this one.
    pub after: Option<TagPlace>,
}

/// A part of a list of tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagRecords {
    /// The tags.
    pub tags: Vec<TagRecord>,
    /// Whether more follow.
    pub more: bool,
}

/// Where a tag pointed, and by whom, to those who may know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagHistory {
    /// What happened to it, the last first.
    pub changes: Page<TagChanged>,
    /// Whether the caller may push, and so may know which repository's workflow it was.
    pub names_repositories: bool,
}

impl Registry {
    /// Tags of a package with what they point at.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::NotFound`] for the package.
    pub async fn list_tag_records(
        &self,
        caller: &Caller,
        path: &PackagePath,
        wanted: &WantedTags,
    ) -> Result<TagRecords> {
        let permission = PackagePermission::ReadMetadata;
        let package = self.authorize(caller, path, permission).await?;
        let query = TagQuery {
            order: wanted.order,
            holding: wanted.holding.as_deref(),
            limit: i64::try_from(wanted.limit).unwrap_or(i64::MAX - 1) + 1,
            skip: i64::try_from(wanted.skip).unwrap_or(i64::MAX),
            after: wanted.after.as_ref(),
        };
        let mut conn = self.db.read().await?;
        let mut tags = tags::records(&mut conn, package.id(), query).await?;
        let more = tags.len() > wanted.limit;
        tags.truncate(wanted.limit);
        Ok(TagRecords { tags, more })
    }

    /// One tag with what it points at.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::ManifestUnknown`].
    pub async fn tag_record(
        &self,
        caller: &Caller,
        path: &PackagePath,
        tag: &Tag,
    ) -> Result<TagRecord> {
        let permission = PackagePermission::ReadMetadata;
        let package = self.authorize(caller, path, permission).await?;
        let mut conn = self.db.read().await?;
        let found = tags::record(&mut conn, package.id(), tag.as_str()).await?;
        found.ok_or_else(|| unknown(tag))
    }

    /// Points a tag, there or not, at a version; back to where it was before, for one.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller may push; [`Error::Invalid`] for what is no served
    /// version of the package; [`Error::TagProtected`].
    pub async fn move_tag(
        &self,
        caller: &Caller,
        path: &PackagePath,
        tag: &Tag,
        version: VersionId,
    ) -> Result<TagRecord> {
        let permission = PackagePermission::Write;
        let package = self.authorize(caller, path, permission).await?;
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        lock(&mut tx, &package).await?;
        let found = versions::header_by_id(&mut tx, package.id(), version).await?;
        // A withdrawn one is listed again with it.
        if !found.is_some_and(|found| found.is_served()) {
            return Err(Error::Invalid(format!(
                "version_id: {version} is no version of {path}"
            )));
        }
        let tagged = TaggedPackage::from(&package);
        let binding = self.tag_binding(&mut tx, caller, tagged).await?;
        let write = TagWrite {
            tag: tag.as_str(),
            version,
            reason: TagReason::Move,
        };
        write_tag(&mut tx, caller, tagged, &binding, write, now).await?;
        let found = tags::record(&mut tx, package.id(), tag.as_str()).await?;
        self.commit(tx, Outdated::manifests(package.id())).await?;
        found.ok_or_else(|| unknown(tag))
    }

    /// Removes a tag by its package's name; the version stays.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller may delete; [`Error::ManifestUnknown`];
    /// [`Error::TagProtected`].
    pub async fn remove_tag(&self, caller: &Caller, path: &PackagePath, tag: &Tag) -> Result<()> {
        let permission = PackagePermission::Delete;
        let package = self.authorize(caller, path, permission).await?;
        self.delete_tag(caller, &package, tag).await
    }

    /// Where a tag pointed, the last change first; also of a tag that is not there any more.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::ManifestUnknown`] for a tag that never was.
    pub async fn tag_history(
        &self,
        caller: &Caller,
        path: &PackagePath,
        tag: &Tag,
        cursor: Cursor,
    ) -> Result<TagHistory> {
        let permission = PackagePermission::ReadMetadata;
        let package = self.authorize(caller, path, permission).await?;
        let mut conn = self.db.read().await?;
        let changes = tag_history::of_tag(&mut conn, package.id(), tag.as_str(), cursor).await?;
        let is_first = cursor.after.is_none() && cursor.skip == 0;
        if changes.items.is_empty() && is_first {
            return Err(unknown(tag));
        }
        Ok(TagHistory {
            changes,
            names_repositories: package.may_push(),
        })
    }
}

fn unknown(tag: &Tag) -> Error {
    Error::ManifestUnknown {
        reference: tag.to_string(),
    }
}
