//! Deleting versions: planned and done in one transaction.

use naru_metadata::versions::{self, Node};
use naru_metadata::{Conn, package_settings};
use naru_model::{
    AccountId, Cascade, EventKind, Moment, Needed, PackageId, PackagePath, PackagePermission,
    VersionId,
};

use super::plan::{self, Deletion, Fate, Named, Obstacle, PlannedVersion, Wish};
use super::{VersionRef, find, unknown};
use crate::access::{Authorized, lock};
use crate::commit::Outdated;
use crate::error::{Error, Result};
use crate::statistics::widely_downloaded;
use crate::{Caller, Registry, events};

/// How a delete treats what hangs together with the version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// What becomes of a version that something keeps; nothing said means what the organization
    /// says, and *withdraw* where it says nothing.
    pub needed: Option<Needed>,
    /// What goes along.
    pub cascade: Cascade,
}

impl DeleteOptions {
    /// A version that something keeps is not deleted.
    pub const REFUSE: Self = Self {
        needed: Some(Needed::Refuse),
        cascade: Cascade::None,
    };
}

/// Why a delete of something that is needed is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefusedBy {
    Caller,
    Organization,
}

impl Registry {
    /// What [`Registry::delete_version`] would do. Nothing changes.
    ///
    /// # Errors
    /// Those of [`Registry::delete_version`], but for [`Error::StillNeeded`],
    /// [`Error::NeededDeleteRefused`], [`Error::Undeletable`] and [`Error::TagProtected`]: those are
    /// fates in the answer.
    pub async fn preview_delete_version(
        &self,
        caller: &Caller,
        path: &PackagePath,
        version: &VersionRef,
        options: DeleteOptions,
    ) -> Result<Deletion> {
        let package = self
            .authorize(caller, path, PackagePermission::Delete)
            .await?;
        let mut conn = self.db.read().await?;
        let planned = self.plan_one(&mut conn, caller, &package, version, options);
        let (deletion, _) = planned.await?;
        Ok(deletion)
    }

    /// Deletes a version, with the tags that point at it. While a listed index, or its listed
    /// subject, reaches it, it is withdrawn: it leaves the lists and stays served.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the package; [`Error::ManifestUnknown`] for
    /// what is not listed; [`Error::StillNeeded`] if something keeps it and that was to refuse,
    /// [`Error::NeededDeleteRefused`] if the organization has it so; [`Error::Undeletable`] for the
    /// last tagged version, with which the package goes, and for one that was downloaded too often;
    /// [`Error::TagProtected`] if the caller may not remove one of its tags.
    pub async fn delete_version(
        &self,
        caller: &Caller,
        path: &PackagePath,
        version: &VersionRef,
        options: DeleteOptions,
    ) -> Result<Deletion> {
        let package = self
            .authorize(caller, path, PackagePermission::Delete)
            .await?;
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        lock(&mut tx, &package).await?;
        let planned = self.plan_one(&mut tx, caller, &package, version, options);
        let (deletion, refused_by) = planned.await?;
        for asked in deletion.asked() {
            if let Fate::Refused(obstacle) = &asked.fate {
                return Err(refusal(asked, obstacle, refused_by));
            }
        }
        self.carry_out(&mut tx, caller, &package, &deletion, now)
            .await?;
        self.commit(tx, Outdated::manifests(package.id())).await?;
        Ok(deletion)
    }

    async fn plan_one(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        package: &Authorized,
        version: &VersionRef,
        options: DeleteOptions,
    ) -> Result<(Deletion, RefusedBy)> {
        let found = find(conn, package.id(), version).await?;
        let found = found.filter(|found| found.is_listed());
        let found = found.ok_or_else(|| unknown(version))?;
        let named = node(conn, package.id(), found.id).await?;
        let named = Named {
            versions: named.into_iter().collect(),
            last_tagged: None,
        };
        self.plan(conn, caller, package, named, options).await
    }

    /// What deleting these listed versions does, and who says so where one is refused because
    /// something keeps it.
    pub(super) async fn plan(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        package: &Authorized,
        named: Named,
        options: DeleteOptions,
    ) -> Result<(Deletion, RefusedBy)> {
        let (needed, refused_by) = needed(conn, package, options).await?;
        let downloads = self.deletable_downloads(conn, caller, package.id());
        let wish = Wish {
            named,
            cascade: options.cascade,
            refuse_needed: needed == Needed::Refuse,
            most_downloads: downloads.await?,
            tags: self.tag_binding(conn, caller, package.into()).await?,
        };
        Ok((plan::plan(conn, package, wish).await?, refused_by))
    }

    /// Puts a served version into the bin, whatever keeps it, and with it what nothing keeps any
    /// more.
    pub(crate) async fn erase_version(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        package: &Authorized,
        version: VersionId,
        now: Moment,
    ) -> Result<()> {
        let Some(node) = node(conn, package.id(), version).await? else {
            return Ok(());
        };
        let deletion = plan::plan_erasing(conn, package.id(), node).await?;
        let by = caller.principal.user();
        self.take_tags(conn, caller, package, &deletion, now)
            .await?;
        versions::erase(conn, package.id(), version, now, by).await?;
        self.put_into_bin(conn, package, &deletion.deleted(), now, by)
            .await
    }

    /// Does what was planned, in the transaction that planned it.
    pub(super) async fn carry_out(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        package: &Authorized,
        deletion: &Deletion,
        now: Moment,
    ) -> Result<()> {
        let by = caller.principal.user();
        self.take_tags(conn, caller, package, deletion, now).await?;
        let withdrawn = deletion.withdrawn();
        if !withdrawn.is_empty() {
            versions::withdraw(conn, package.id(), &withdrawn, now, by).await?;
        }
        self.put_into_bin(conn, package, &deletion.deleted(), now, by)
            .await
    }

    /// Blobs that nothing served needs stop being readable, but a push that was promised them may
    /// still name them.
    async fn put_into_bin(
        &self,
        conn: &mut Conn,
        package: &Authorized,
        deleted: &[VersionId],
        now: Moment,
        by: Option<AccountId>,
    ) -> Result<()> {
        if deleted.is_empty() {
            return Ok(());
        }
        versions::delete(conn, package.id(), deleted, now, by).await?;
        let lease = now.plus(self.settings.leases().lease);
        versions::hide_lost_blobs(conn, package.id(), deleted, now, lease).await?;
        Ok(())
    }

    /// Takes the tags of what goes or is withdrawn, and notes what happened to each.
    async fn take_tags(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        package: &Authorized,
        deletion: &Deletion,
        now: Moment,
    ) -> Result<()> {
        for version in &deletion.versions {
            let kind = match version.fate {
                Fate::Deleted => EventKind::VersionDeleted,
                Fate::Withdrawn { .. } => EventKind::VersionWithdrawn,
                Fate::Stays { .. } | Fate::Refused(_) => continue,
            };
            if !version.tags.is_empty() {
                self.remove_tags_of(conn, caller, package, version.id, now)
                    .await?;
            }
            let event = events::on_package(kind, caller, package, now)
                .on_version(version.id)
                .with("tags", version.tags.join(" "));
            events::record(conn, event).await?;
        }
        Ok(())
    }
}

async fn node(conn: &mut Conn, package: PackageId, version: VersionId) -> Result<Option<Node>> {
    let mut found = versions::nodes(conn, package, &[version]).await?;
    Ok(found.pop())
}

/// What becomes of a version that something keeps, and who says so.
async fn needed(
    conn: &mut Conn,
    package: &Authorized,
    options: DeleteOptions,
) -> Result<(Needed, RefusedBy)> {
    if let Some(needed) = options.needed {
        return Ok((needed, RefusedBy::Caller));
    }
    let settings = package_settings::find(conn, package.owner()).await?;
    let needed = if settings.packages.refuse_needed_deletes {
        Needed::Refuse
    } else {
        Needed::Withdraw
    };
    Ok((needed, RefusedBy::Organization))
}

fn refusal(asked: &PlannedVersion, obstacle: &Obstacle, refused_by: RefusedBy) -> Error {
    let digest = asked.digest.clone();
    match (obstacle, refused_by) {
        (Obstacle::TagProtected(refusal), _) => Error::TagProtected(refusal.clone()),
        (Obstacle::WidelyDownloaded { most }, _) => widely_downloaded(*most),
        (Obstacle::LastTagged, _) => Error::Undeletable(
            "You cannot delete the last tagged version of a package. You must delete the package \
             instead."
                .to_owned(),
        ),
        (Obstacle::Needed { by }, RefusedBy::Caller) => Error::StillNeeded {
            digest,
            by: by.digest.clone(),
        },
        (Obstacle::Needed { by }, RefusedBy::Organization) => Error::NeededDeleteRefused {
            digest,
            by: by.digest.clone(),
        },
    }
}
