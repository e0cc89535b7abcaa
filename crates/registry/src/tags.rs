//! Tags (distribution-spec, end-8 and end-9 by tag). `Registry::write_tag` is the one place
//! where a tag is written, whatever the door.

use naru_metadata::tags::{self, TagChange, TagReason};
use naru_metadata::{Conn, packages, versions};
use naru_model::policy::Refusal;
use naru_model::{
    AccountId, EventKind, Moment, PackageId, PackagePermission, PackageType, VersionId,
};
use naru_oci::{RepositoryName, Tag};

use crate::access::{Authorized, lock};
use crate::commit::Outdated;
use crate::error::{Error, Result};
use crate::{Caller, Registry, events};

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
    /// The account that owns the package.
    pub(crate) owner: AccountId,
    /// The package.
    pub(crate) package: PackageId,
    /// Its type: on the legacy registry published tags are immutable by default.
    pub(crate) kind: PackageType,
    /// The tag.
    pub(crate) tag: &'a Tag,
    /// Where it is to point.
    pub(crate) version: VersionId,
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
    /// [`Error::ManifestUnknown`] when there is no such tag; [`Error::TagImmutable`].
    pub async fn delete_tag(&self, caller: &Caller, package: &Authorized, tag: &Tag) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        lock(&mut tx, package).await?;
        let found = tags::find(&mut tx, package.id(), tag.as_str()).await?;
        let found = found.ok_or_else(|| Error::ManifestUnknown {
            reference: tag.to_string(),
        })?;
        // Removed and pushed again, it would have moved.
        if self.is_immutable(package.package_type(), tag) {
            return Err(Error::TagImmutable {
                tag: tag.to_string(),
            });
        }
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

    /// Points a tag at a version, if the rules of the package allow it.
    ///
    /// # Errors
    /// [`Error::TagImmutable`]; those of the database.
    pub(crate) async fn write_tag(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        write: TagWrite<'_>,
        now: Moment,
    ) -> Result<()> {
        let before = tags::find(conn, write.package, write.tag.as_str()).await?;
        if before
            .as_ref()
            .is_some_and(|before| before.version == write.version)
        {
            return Ok(());
        }
        if before.is_some() && self.is_immutable(write.kind, write.tag) {
            return Err(Error::TagImmutable {
                tag: write.tag.to_string(),
            });
        }
        let change = caller.tag_change(TagReason::Push, now);
        tags::put(
            conn,
            write.package,
            write.tag.as_str(),
            write.version,
            change,
        )
        .await?;
        versions::touch(conn, write.version, now).await?;
        let event = caller
            .event(EventKind::TagMoved, now)
            .on_package(write.owner, write.package)
            .on_version(write.version)
            .with("tag", write.tag.as_str());
        match before {
            Some(before) => {
                versions::touch(conn, before.version, now).await?;
                let event = event.with("before", before.digest.as_str());
                events::record(conn, event).await
            }
            None => events::record(conn, event).await,
        }
    }

    /// A published tag other than `latest` cannot be moved on the legacy registry.
    fn is_immutable(&self, kind: PackageType, tag: &Tag) -> bool {
        kind == PackageType::Docker
            && self.settings.legacy_immutable_tags
            && tag.as_str() != "latest"
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
