//! Tags (distribution-spec, end-8 and end-9 by tag). Tags are written and removed here and nowhere
//! else, whatever the door, each time with a `TagBinding`: what the tag rules let this caller do.

mod records;

pub use naru_metadata::tag_history::TagChanged;
use naru_metadata::tags::{self, TagChange};
pub use naru_metadata::tags::{TagOrder, TagPlace, TagReason, TagRecord};
use naru_metadata::{Conn, packages, versions};
use naru_model::policy::Refusal;
use naru_model::{EventKind, Moment, PackagePermission, PackageType, TagAction, VersionId};
use naru_oci::{RepositoryName, Tag};

use crate::access::tag_rules::{TagBinding, TaggedPackage};
use crate::access::{Authorized, lock};
use crate::commit::Outdated;
use crate::error::{Error, Result};
use crate::{Caller, Registry, events};

pub use records::{TagHistory, TagRecords, WantedTags};

/// A page of tag names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagPage {
    /// The names, in lexical order.
    pub names: Vec<String>,
    /// Whether there are more after the last one.
    pub more: bool,
}

/// A tag that is to point at a version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TagWrite<'a> {
    /// The tag.
    pub(crate) tag: &'a str,
    /// Where it is to point.
    pub(crate) version: VersionId,
    /// Why.
    pub(crate) reason: TagReason,
}

impl Registry {
    /// Tag names after `last`, at most `n` (end-8). A page costs the same however many tags there
    /// are.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn list_tags(
        &self,
        package: &Authorized,
        last: Option<&str>,
        n: Option<u64>,
    ) -> Result<TagPage> {
        let (most, default) = (self.settings.tags_page_limit, self.settings.tags_page);
        let n = n.map_or(default, |n| n.min(most));
        let limit = i64::try_from(n).unwrap_or(i64::MAX - 1);
        if limit == 0 {
            return Ok(TagPage {
                names: Vec::new(),
                more: false,
            });
        }
        let mut conn = self.db.read().await?;
        let last = last.unwrap_or_default();
        let mut names = tags::names(&mut conn, package.id(), last, limit + 1).await?;
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = names.len() > wanted;
        names.truncate(wanted);
        Ok(TagPage { names, more })
    }

    /// Names of the packages of a registry that this caller may read, after `last`, at most `n`
    /// (Docker's `_catalog`). A registry token sees what it was given for; strangers see nothing.
    ///
    /// # Errors
    /// [`Refusal::Unauthenticated`] for strangers; those of the database.
    pub async fn catalog(
        &self,
        caller: &Caller,
        registry: PackageType,
        last: Option<&RepositoryName>,
        n: Option<u64>,
    ) -> Result<TagPage> {
        const BATCH: i64 = 500;
        if caller.principal.is_anonymous() {
            return Err(Error::Refused(Refusal::Unauthenticated));
        }
        let n = n
            .unwrap_or(self.settings.tags_page)
            .min(self.settings.tags_page_limit);
        let wanted = usize::try_from(n).unwrap_or(usize::MAX);
        let mut names: Vec<String> = Vec::new();
        if wanted == 0 {
            return Ok(TagPage { names, more: false });
        }
        let mut owner = last.map_or_else(String::new, |last| last.owner().to_owned());
        let mut name = last
            .and_then(|last| last.rest())
            .unwrap_or_default()
            .to_owned();
        loop {
            let mut conn = self.db.read().await?;
            let batch = packages::catalog(&mut conn, registry, &owner, &name, BATCH).await?;
            drop(conn);
            let Some(end) = batch.last() else {
                return Ok(TagPage { names, more: false });
            };
            (owner, name) = (end.owner.key().to_owned(), end.name.as_str().to_owned());
            for path in &batch {
                let read = PackagePermission::Read;
                if !self
                    .decide(&caller.principal, path, read)
                    .await?
                    .is_allowed()
                {
                    continue;
                }
                if names.len() == wanted {
                    return Ok(TagPage { names, more: true });
                }
                names.push(path.to_string());
            }
        }
    }

    /// Removes a tag; the manifest stays (end-9 by tag).
    ///
    /// # Errors
    /// [`Error::ManifestUnknown`] when there is no such tag; [`Error::TagProtected`].
    pub async fn delete_tag(&self, caller: &Caller, package: &Authorized, tag: &Tag) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        lock(&mut tx, package).await?;
        let found = tags::find(&mut tx, package.id(), tag.as_str()).await?;
        let found = found.ok_or_else(|| Error::ManifestUnknown {
            reference: tag.to_string(),
        })?;
        let binding = self.tag_binding(&mut tx, caller, package.into()).await?;
        binding.allow(TagAction::Delete, tag.as_str())?;
        let change = caller.tag_change(TagReason::Delete, now);
        tags::remove(&mut tx, package.id(), tag.as_str(), change).await?;
        versions::touch(&mut tx, found.version, now).await?;
        let event = events::on_package(EventKind::TagRemoved, caller, package, now)
            .on_version(found.version)
            .with("tag", tag.as_str());
        events::record(&mut tx, event).await?;
        self.commit(tx, Outdated::manifests(package.id())).await?;
        Ok(())
    }

    /// Points the tags of a push at its version.
    ///
    /// # Errors
    /// [`Error::TagProtected`]; those of the database.
    pub(crate) async fn write_tags(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        package: TaggedPackage<'_>,
        tags: &[Tag],
        version: VersionId,
        now: Moment,
    ) -> Result<()> {
        let binding = self.tag_binding(conn, caller, package).await?;
        let reason = TagReason::Push;
        for tag in tags {
            let tag = tag.as_str();
            let write = TagWrite {
                tag,
                version,
                reason,
            };
            write_tag(conn, caller, package, &binding, write, now).await?;
        }
        Ok(())
    }

    /// Removes the tags of a version that goes. Returns their names.
    ///
    /// # Errors
    /// [`Error::TagProtected`] if one of them must stay; those of the database.
    pub(crate) async fn remove_tags_of(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        package: &Authorized,
        version: VersionId,
        now: Moment,
    ) -> Result<Vec<String>> {
        let names = tags::of_version(conn, version).await?;
        if names.is_empty() {
            return Ok(names);
        }
        let binding = self.tag_binding(conn, caller, package.into()).await?;
        for name in &names {
            binding.allow(TagAction::Delete, name)?;
        }
        let change = caller.tag_change(TagReason::VersionDeleted, now);
        Ok(tags::remove_of_version(conn, package.id(), version, change).await?)
    }

    /// Gives a version that comes back those of its lost tags that the caller may create. Returns
    /// their names.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn give_back_tags(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        package: &Authorized,
        version: VersionId,
        mut lost: Vec<String>,
        now: Moment,
    ) -> Result<Vec<String>> {
        if lost.is_empty() {
            return Ok(lost);
        }
        let binding = self.tag_binding(conn, caller, package.into()).await?;
        lost.retain(|name| binding.allow(TagAction::Create, name).is_ok());
        let change = caller.tag_change(TagReason::Restore, now);
        for name in &lost {
            tags::put(conn, package.id(), name, version, change).await?;
        }
        Ok(lost)
    }
}

/// Points a tag at a version, if the rules of the package allow it. A tag that points there already
/// is left alone.
///
/// # Errors
/// [`Error::TagProtected`]; those of the database.
pub(crate) async fn write_tag(
    conn: &mut Conn,
    caller: &Caller,
    package: TaggedPackage<'_>,
    binding: &TagBinding,
    write: TagWrite<'_>,
    now: Moment,
) -> Result<()> {
    let before = tags::find(conn, package.id, write.tag).await?;
    let action = match &before {
        Some(before) if before.version == write.version => return Ok(()),
        Some(_) => TagAction::Move,
        None => TagAction::Create,
    };
    binding.allow(action, write.tag)?;
    let change = caller.tag_change(write.reason, now);
    tags::put(conn, package.id, write.tag, write.version, change).await?;
    // What has a tag is listed, also if somebody had deleted it.
    versions::relist(conn, write.version).await?;
    versions::touch(conn, write.version, now).await?;
    let event = caller
        .event(EventKind::TagMoved, now)
        .on_package(package.owner, package.id)
        .on_version(write.version)
        .with("tag", write.tag);
    match before {
        Some(before) => {
            versions::touch(conn, before.version, now).await?;
            events::record(conn, event.with("before", before.digest.as_str())).await
        }
        None => events::record(conn, event).await,
    }
}

impl Caller {
    pub(crate) fn tag_change(&self, reason: TagReason, now: Moment) -> TagChange {
        TagChange {
            now,
            by_account: self.principal.user(),
            by_token: self.principal.token(),
            reason,
        }
    }
}
