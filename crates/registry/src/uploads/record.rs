//! The rows of finished blobs: written in one transaction, after the bytes are durable.

use std::time::Duration;

use naru_blobstore::StorageKey;
use naru_metadata::collector::{self, TrashReason};
use naru_metadata::links::{self, PutBlob};
use naru_metadata::uploads::{self, UploadRow};
use naru_metadata::versions::{self, GapKind};
use naru_metadata::{Conn, packages};
use naru_model::{Moment, PackageId};
use naru_oci::Digest;

use crate::access::PushTarget;
use crate::commit::Outdated;
use crate::error::{Error, Result};
use crate::garbage_collection::ORPHAN_AGE;
use crate::{Caller, Registry};

/// Bytes that are durable and have this digest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Finished<'a> {
    pub(super) digest: &'a Digest,
    pub(super) size: u64,
    pub(super) key: &'a StorageKey,
}

impl Registry {
    /// Ends the upload and writes the rows of its blob.
    ///
    /// # Errors
    /// [`Error::UploadUnknown`] when another writer took the upload over; those of the database.
    pub(super) async fn record(
        &self,
        caller: &Caller,
        target: &PushTarget,
        row: &UploadRow,
        finished: Finished<'_>,
    ) -> Result<()> {
        let mut tx = self.db.write().await?;
        if !uploads::close(&mut tx, &row.id, row.epoch).await? {
            return Err(Error::UploadUnknown);
        }
        self.write_rows(&mut tx, caller, target, finished).await?;
        Ok(self.commit(tx, born(target)).await?)
    }

    /// Writes the rows of bytes that no upload row leads to. If that surely failed, the bytes go at
    /// once: on a full disk others wait for their space. If it may have succeeded they stay, and
    /// the sweep of orphans finds out.
    ///
    /// # Errors
    /// Those of the database.
    pub(super) async fn record_or_remove(
        &self,
        caller: &Caller,
        target: &PushTarget,
        finished: Finished<'_>,
    ) -> Result<()> {
        let written = async {
            no_orphan(finished.key, self.clock.now())?;
            let mut tx = self.db.write().await?;
            self.write_rows(&mut tx, caller, target, finished).await?;
            Ok(tx)
        };
        let error = match written.await {
            Ok(tx) => match self.commit(tx, born(target)).await {
                Ok(()) => return Ok(()),
                Err(unknown @ naru_metadata::Error::CommitUnknown(_)) => return Err(unknown.into()),
                Err(error) => error.into(),
            },
            Err(error) => error,
        };
        if let Err(error) = self.blobs.delete(finished.key).await {
            tracing::warn!(key = %finished.key, %error, "an unwanted blob stays until it is swept");
        }
        Err(error)
    }

    /// Writes the blob row and links it to the package.
    async fn write_rows(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        target: &PushTarget,
        finished: Finished<'_>,
    ) -> Result<()> {
        let now = self.clock.now();
        let Finished { digest, size, .. } = finished;
        let owner = target.owner();
        let price = self
            .price_of_blob(conn, owner, digest, Some(size), now)
            .await?;
        let package = self.package_for_link(conn, caller, target, now).await?;
        self.put_blob(conn, finished, now).await?;
        let times = self.settings.leases().at(now);
        links::put_link(conn, package, digest, times).await?;
        versions::fill_gaps(conn, package, GapKind::Blob, digest).await?;
        self.charge(conn, owner, price).await
    }

    /// The package that a blob is linked to. Where manifests may lack content, nobody writes one
    /// meanwhile: it would not see the link, and the link would not see its gap.
    pub(super) async fn package_for_link(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        target: &PushTarget,
        now: Moment,
    ) -> Result<PackageId> {
        let package = self.package_for_push(conn, caller, target, now).await?;
        if self.settings.sparse_indexes {
            packages::lock(conn, package).await?;
        }
        Ok(package)
    }

    /// Names the bytes in the blob's row, or throws them away where it has sound ones already.
    async fn put_blob(&self, conn: &mut Conn, finished: Finished<'_>, now: Moment) -> Result<()> {
        let Finished { digest, size, key } = finished;
        let key = key.to_string();
        let (unwanted, reason, after) = match links::put_blob(conn, digest, size, &key, now).await?
        {
            PutBlob::Stored => return Ok(()),
            PutBlob::Duplicate => (key, TrashReason::Duplicate, now),
            PutBlob::Healed { replaced } => {
                let after = now.plus(self.settings.trash_delay());
                (replaced, TrashReason::Replaced, after)
            }
        };
        collector::discard(conn, &unwanted, Some(digest), reason, after).await?;
        Ok(())
    }
}

/// An object that no row knows is an orphan when it is old enough. Whoever takes that long to send
/// a blob without an upload row must not name it: it may be in the trash, or gone.
fn no_orphan(key: &StorageKey, now: Moment) -> Result<()> {
    const LONGEST: Duration = ORPHAN_AGE.saturating_sub(Duration::from_secs(3600));
    let millis = i64::try_from(key.began()).unwrap_or(i64::MAX);
    let began = Moment::from_micros(millis.saturating_mul(1000));
    if now.since(began) < LONGEST {
        return Ok(());
    }
    let text = "a blob that takes this long is sent in chunks, as an upload that can be resumed";
    Err(Error::Unavailable(text.to_owned()))
}

/// Whoever remembers that there is no such package is wrong after a push to a new one.
pub(super) fn born(target: &PushTarget) -> Outdated {
    Outdated::default().and_access(target.package().is_none())
}
