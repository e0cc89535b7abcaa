//! Reading and removing blobs (distribution-spec, end-2 and end-10).

use std::time::Duration;

pub use naru_blobstore::Opened as OpenedBlob;
use naru_blobstore::StorageKey;
use naru_metadata::links::{self, LinkTimes, LinkedBlob, PARKED};
use naru_model::{EventKind, Moment};
use naru_oci::Digest;

use crate::access::{Authorized, lock};
use crate::error::{Error, Result};
use crate::events;
use crate::{Caller, Registry};

/// How long a link lives without a version, and how it is renewed.
#[derive(Clone, Copy, Debug)]
pub struct Leases {
    /// How long an answer "exists" or "created" keeps the collector away.
    pub lease: Duration,
    /// How long a blob can be read, and its lease renewed, without any version that needs it.
    pub pin: Duration,
}

impl Leases {
    pub(crate) fn at(self, now: Moment) -> LinkTimes {
        LinkTimes {
            now,
            lease_until: now.plus(self.lease),
            readable_until: now.plus(self.pin),
        }
    }
}

/// A blob that may be read.
#[derive(Clone, Debug)]
pub struct BlobInfo {
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    key: StorageKey,
}

#[cfg(test)]
impl BlobInfo {
    pub(crate) fn example(content: &[u8]) -> Self {
        Self {
            digest: Digest::of(naru_oci::Algorithm::Sha256, content),
            size: content.len() as u64,
            key: StorageKey::fresh(0, [7; 12]),
        }
    }
}

impl Registry {
    /// Whether the blob is there for this caller, and its length (end-2, HEAD and the head of GET).
    /// For a caller who may push, the answer keeps it from the collector for half a lease at
    /// least: the answer is what a push builds on.
    ///
    /// # Errors
    /// [`Error::BlobUnknown`], and those of the database.
    pub async fn stat_blob(&self, package: &Authorized, digest: &Digest) -> Result<BlobInfo> {
        let stamp = match self.content_cache.blob(package.id(), digest) {
            Ok(known) => return Ok(known),
            Err(stamp) => stamp,
        };
        let now = self.clock.now();
        let mut conn = self.db.read().await?;
        let found = links::find(&mut conn, package.id(), digest).await?;
        drop(conn);
        let blob = found
            .filter(|blob| blob.readable(now) && !(blob.damaged && package.may_push()))
            .ok_or_else(|| Error::BlobUnknown(digest.clone()))?;
        if package.may_push() {
            self.promise(package, digest, &blob, now).await?;
        }
        let key = blob
            .storage_key
            .parse()
            .map_err(|_| damaged_key(&blob.storage_key))?;
        let info = BlobInfo {
            digest: digest.clone(),
            size: blob.size,
            key,
        };
        if blob.needed && !blob.damaged {
            self.content_cache.put_blob(package.id(), &info, stamp);
        }
        Ok(info)
    }

    /// Opens a readable blob, whole or the `range` given as first byte and length.
    ///
    /// # Errors
    /// Those of the blob store; [`Error::Internal`] when the bytes are missing.
    pub async fn open_blob(
        &self,
        blob: &BlobInfo,
        range: std::ops::Range<u64>,
    ) -> Result<OpenedBlob> {
        match self.blobs.open(&blob.key, range).await {
            Ok(opened) => Ok(opened),
            Err(naru_blobstore::Error::Missing { .. }) => {
                tracing::error!(digest = %blob.digest, key = %blob.key,
                    "the bytes of a blob are missing; `naru fsck` says what to do");
                Err(Error::Internal(format!(
                    "the bytes of {} are missing",
                    blob.digest
                )))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Makes a blob unreadable in this package (end-10). The row stays for the collector.
    ///
    /// # Errors
    /// [`Error::BlobUnknown`]; [`Error::StillNeeded`] while a live manifest needs it.
    pub async fn delete_blob(
        &self,
        caller: &Caller,
        package: &Authorized,
        digest: &Digest,
    ) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        lock(&mut tx, package).await?;
        let blob = links::find(&mut tx, package.id(), digest).await?;
        if !blob.is_some_and(|blob| blob.readable(now)) {
            return Err(Error::BlobUnknown(digest.clone()));
        }
        if let Some(by) = links::keeper(&mut tx, package.id(), digest).await? {
            return Err(Error::StillNeeded {
                digest: digest.clone(),
                by,
            });
        }
        links::hide(&mut tx, package.id(), digest, now).await?;
        let event = events::on_package(EventKind::BlobDeleted, caller, package, now)
            .with("digest", digest.as_str());
        events::record(&mut tx, event).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Renews the lease of a blob that nothing holds, so that the manifest that follows an
    /// "exists" goes through.
    async fn promise(
        &self,
        package: &Authorized,
        digest: &Digest,
        blob: &LinkedBlob,
        now: Moment,
    ) -> Result<()> {
        let enough = now.plus(self.settings.leases().lease / 2);
        let parked = blob.lease_until.as_micros() == PARKED;
        if blob.needed || (blob.lease_until >= enough && !parked) {
            return Ok(());
        }
        let mut tx = self.db.write().await?;
        let until = now.plus(self.settings.leases().lease);
        let renewed = links::renew(&mut tx, package.id(), digest, until, now).await?;
        tx.commit().await?;
        if renewed {
            Ok(())
        } else {
            Err(Error::BlobUnknown(digest.clone()))
        }
    }
}

fn damaged_key(key: &str) -> Error {
    Error::Internal(format!("the storage key `{key}` cannot be read"))
}
