//! Uploads of blobs (distribution-spec, end-4 to end-6, end-11 and end-13).
//!
//! Bytes go to a storage key of their own, chosen when the upload begins. They become durable
//! first, then the rows, then the answer. An upload belongs to a principal and a package; it
//! outlives the expiry of its token, but not its revocation.
//!
//! `open` says who may write to an upload and what becomes of it when a client vanishes,
//! `incoming` measures chunks, `record` writes the rows of finished blobs.

mod incoming;
mod open;
mod record;

use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use naru_blobstore::{StorageKey, Upload, UploadState};
use naru_metadata::collector::{self, TrashReason};
use naru_metadata::links;
use naru_metadata::uploads::{self, Claim, UploadRow};
use naru_metadata::versions::{self, GapKind};
use naru_model::PackageId;
use naru_oci::{ContentRange, Digest, UploadId};

use crate::access::{Authorized, PushTarget};
use crate::error::{Error, Result};
use crate::{Caller, Registry};
use incoming::Incoming;
pub(crate) use open::OpenUploads;
use open::{Held, Keeper, Parked, Place};
use record::{Finished, born};

/// Where an upload stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadStatus {
    /// Its id.
    pub id: UploadId,
    /// How many bytes are durable.
    pub offset: u64,
}

/// How an upload began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// The blob could be linked from another package: nothing is to be sent.
    Mounted(Digest),
    /// An upload is open.
    Open(UploadStatus),
}

/// What a client says when it begins an upload.
#[derive(Clone, Debug, Default)]
pub struct BeginUpload {
    /// A blob that may be there already (`mount=`).
    pub mount: Option<Digest>,
    /// Where it may be (`from=`): readable by this caller, or not given.
    pub from: Option<Authorized>,
}

/// A chunk on its way in.
pub struct Chunk<S> {
    /// Where it begins, if the client said so; else where the upload stands.
    pub range: Option<ContentRange>,
    /// Its length, if the client said so.
    pub length: Option<u64>,
    /// The bytes.
    pub body: S,
}

impl Registry {
    /// Begins an upload, or links the blob from where it is readable already (end-4a, end-11).
    ///
    /// # Errors
    /// [`Error::QuotaExceeded`]; those of the database and the blob store.
    pub async fn begin_upload(
        &self,
        caller: &Caller,
        target: &PushTarget,
        begin: BeginUpload,
    ) -> Result<Begun> {
        if let Some(digest) = begin.mount
            && self
                .mount(caller, target, &digest, begin.from.as_ref())
                .await?
        {
            return Ok(Begun::Mounted(digest));
        }
        self.admit_bytes(target, 1).await?;
        let id = self.new_upload_id()?;
        let now = self.clock.now();
        let mut upload = self.blobs.begin(self.new_storage_key()?)?;
        upload.set_epoch(1);
        let mut tx = self.db.write().await?;
        let package = self.package_for_push(&mut tx, caller, target, now).await?;
        let row = UploadRow {
            id: id.to_string(),
            package,
            principal: caller.key(),
            token: caller.principal.token(),
            storage_key: upload.key().to_string(),
            epoch: 1,
            offset: 0,
            state: None,
            expires_at: now.plus(self.settings.upload_expiry()),
        };
        uploads::insert(&mut tx, &row, now).await?;
        self.commit(tx, born(target)).await?;
        let touched = now;
        let parked = Parked {
            row,
            upload,
            touched,
        };
        self.uploads.park(&id, parked);
        Ok(Begun::Open(UploadStatus { id, offset: 0 }))
    }

    /// Takes a whole blob in one request (end-4b).
    ///
    /// # Errors
    /// As [`Registry::finish_upload`].
    pub async fn upload_whole<S>(
        &self,
        caller: &Caller,
        target: &PushTarget,
        digest: &Digest,
        chunk: Chunk<S>,
    ) -> Result<()>
    where
        S: Stream<Item = Result<Bytes>> + Send + Unpin,
    {
        self.admit_bytes(target, chunk.length.unwrap_or(1)).await?;
        let key = self.new_storage_key()?;
        let mut upload = self.blobs.begin(key)?;
        let limit = self.settings.layer_limit_of(target.package_type());
        if let Err(error) = receive_whole(&mut upload, chunk, limit).await {
            // Dropped, it would leave nothing either, but somewhat later.
            upload.abort().await.ok();
            return Err(error);
        }
        let size = self.verify(upload, digest).await?;
        let key = &key;
        let finished = Finished { digest, size, key };
        self.record_or_remove(caller, target, finished).await
    }

    /// Where an upload stands (end-13): at what its row says, or at less where a power cut left
    /// less. A client that goes on from there is not refused.
    ///
    /// # Errors
    /// [`Error::UploadUnknown`], also when it is somebody else's; those of the blob store.
    pub async fn upload_status(
        &self,
        caller: &Caller,
        target: &PushTarget,
        id: &UploadId,
    ) -> Result<UploadStatus> {
        let mut conn = self.db.read().await?;
        let row = uploads::find(&mut conn, id.as_str()).await?;
        drop(conn);
        let row = self.own(caller, target, row)?;
        let (key, state) = stored_place(&row)?;
        let found = self.blobs.resumable(&key, state.as_ref()).await;
        Ok(UploadStatus {
            id: id.clone(),
            offset: found.map_err(unless_missing)?,
        })
    }

    /// Takes a chunk (end-5). What was received is durable before the answer. If the client
    /// vanishes half-way, what came until then is kept for it to resume; if the chunk is wrong, it
    /// had no effect.
    ///
    /// # Errors
    /// [`Error::UploadUnknown`]; [`Error::RangeInvalid`] when the chunk does not begin where the
    /// upload stands; [`Error::SizeInvalid`] when it is not as long as its range;
    /// [`Error::TooLarge`]; [`Error::ClientGone`]; those of the blob store.
    pub async fn append_upload<S>(
        &self,
        caller: &Caller,
        target: &PushTarget,
        id: &UploadId,
        chunk: Chunk<S>,
    ) -> Result<UploadStatus>
    where
        S: Stream<Item = Result<Bytes>> + Send + Unpin,
    {
        let (mut held, chunk) = self.hold(caller, target, id, chunk).await?;
        held.keep_what_comes()?;
        match held.receive(chunk).await {
            Ok(()) => held.put_away().await,
            Err(error) => {
                held.end_early(&error).await;
                Err(error)
            }
        }
    }

    /// Takes the rest of a blob, if any, and makes it one (end-6). There is one winner, and a
    /// repeated finish of what is there already answers the same. A rest that did not come whole
    /// had no effect: clients send it again from its beginning.
    ///
    /// # Errors
    /// As [`Registry::append_upload`]; [`Error::DigestMismatch`], after which nothing is left.
    pub async fn finish_upload<S>(
        &self,
        caller: &Caller,
        target: &PushTarget,
        id: &UploadId,
        digest: &Digest,
        chunk: Chunk<S>,
    ) -> Result<()>
    where
        S: Stream<Item = Result<Bytes>> + Send + Unpin,
    {
        let finished = match self.hold(caller, target, id, chunk).await {
            Ok((held, chunk)) => self.finish(caller, target, held, chunk, digest).await,
            Err(error) => Err(error),
        };
        match finished {
            Err(Error::UploadUnknown) => self.finished_before(target, digest).await,
            Ok(()) | Err(Error::DigestMismatch { .. }) => {
                self.uploads.forget(id);
                finished
            }
            Err(_) => finished,
        }
    }

    async fn finish<S>(
        &self,
        caller: &Caller,
        target: &PushTarget,
        mut held: Held,
        chunk: Incoming<S>,
        digest: &Digest,
    ) -> Result<()>
    where
        S: Stream<Item = Result<Bytes>> + Send + Unpin,
    {
        held.receive(chunk).await?;
        // The place is given up only after the rows are written: who waits for it then finds that
        // the upload has ended.
        let (Parked { row, upload, .. }, _place) = held.into_parts()?;
        let key = *upload.key();
        match self.verify(upload, digest).await {
            Ok(size) => {
                let key = &key;
                let finished = Finished { digest, size, key };
                self.record(caller, target, &row, finished).await
            }
            Err(error @ Error::DigestMismatch { .. }) => {
                self.end(&row, TrashReason::Upload).await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// An upload that is not there may have been finished by an earlier request whose answer got
    /// lost. Then the blob is there for this caller, and is promised anew.
    async fn finished_before(&self, target: &PushTarget, digest: &Digest) -> Result<()> {
        let PushTarget::Existing(package) = target else {
            return Err(Error::UploadUnknown);
        };
        match self.stat_blob(package, digest).await {
            Ok(_) => Ok(()),
            Err(Error::BlobUnknown(_)) => Err(Error::UploadUnknown),
            Err(error) => Err(error),
        }
    }

    /// Cancels an upload (end-14 of the current specification).
    ///
    /// # Errors
    /// [`Error::UploadUnknown`].
    pub async fn cancel_upload(
        &self,
        caller: &Caller,
        target: &PushTarget,
        id: &UploadId,
    ) -> Result<()> {
        let (Parked { row, upload, .. }, _place) =
            self.take_over(caller, target, id).await?.into_parts()?;
        if !self.end(&row, TrashReason::Upload).await? {
            // Another process took it over: its bytes are not ours to remove.
            return Err(Error::UploadUnknown);
        }
        self.uploads.forget(id);
        if let Err(error) = upload.abort().await {
            tracing::debug!(key = row.storage_key, %error, "left to the collector");
        }
        Ok(())
    }

    /// Ends uploads whose time is over. Returns how many.
    pub(crate) async fn expire_uploads(&self, limit: i64) -> Result<usize> {
        let now = self.clock.now();
        let mut conn = self.db.read().await?;
        let expired = uploads::expired(&mut conn, now, limit).await?;
        drop(conn);
        for row in &expired {
            self.expire(row).await?;
        }
        Ok(expired.len())
    }

    async fn expire(&self, row: &UploadRow) -> Result<()> {
        if !self.end(row, TrashReason::Upload).await? {
            return Ok(());
        }
        if let Ok(id) = row.id.parse() {
            // Whoever still writes, with a token that was revoked, stops.
            if let Err(slot) = self.uploads.enter(&id) {
                drop(slot.take_over().await);
            }
            self.uploads.forget(&id);
        }
        let Ok(key) = row.storage_key.parse() else {
            return Ok(());
        };
        let state = row.state.as_deref().map(UploadState::from_bytes);
        let state = state.and_then(|state| state.ok());
        if let Err(error) = self.blobs.discard(&key, state.as_ref()).await {
            tracing::debug!(%key, %error, "left to the collector");
        }
        Ok(())
    }

    /// Links a blob that is readable in `from`, or in any package that the caller may read.
    async fn mount(
        &self,
        caller: &Caller,
        target: &PushTarget,
        digest: &Digest,
        from: Option<&Authorized>,
    ) -> Result<bool> {
        let sources = match from {
            Some(from) => vec![from.id()],
            None => self.readable_sources(caller, target, digest).await?,
        };
        for source in sources {
            if self.mount_from(caller, target, digest, source).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn mount_from(
        &self,
        caller: &Caller,
        target: &PushTarget,
        digest: &Digest,
        source: PackageId,
    ) -> Result<bool> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let owner = target.owner();
        let price = self
            .price_of_blob(&mut tx, owner, digest, None, now)
            .await?;
        let package = self.package_for_link(&mut tx, caller, target, now).await?;
        let times = self.settings.leases().at(now);
        match links::mount(&mut tx, package, source, digest, times).await {
            Ok(true) => {}
            // The collector took the blob in this instant.
            Ok(false) | Err(naru_metadata::Error::ForeignKey { .. }) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        versions::fill_gaps(&mut tx, package, GapKind::Blob, digest).await?;
        self.charge(&mut tx, owner, price).await?;
        self.commit(tx, born(target)).await?;
        Ok(true)
    }

    /// Where a mount without `from` may look: the target itself, then packages that have the blob
    /// and that the caller may read. What a caller may not read stays unseen.
    async fn readable_sources(
        &self,
        caller: &Caller,
        target: &PushTarget,
        digest: &Digest,
    ) -> Result<Vec<PackageId>> {
        const MOST: i64 = 8;
        let own = target.package();
        let mut conn = self.db.read().await?;
        let none = PackageId::new(0);
        let found =
            links::mount_candidates(&mut conn, digest, own.unwrap_or(none), target.owner(), MOST)
                .await?;
        drop(conn);
        let mut readable: Vec<PackageId> = own.into_iter().collect();
        for package in found {
            if self.may_read(caller, package).await? {
                readable.push(package);
            }
        }
        Ok(readable)
    }

    /// The row, if it is this caller's and of this package.
    fn own(
        &self,
        caller: &Caller,
        target: &PushTarget,
        row: Option<UploadRow>,
    ) -> Result<UploadRow> {
        row.filter(|row| self.is_own(caller, target, row, Duration::ZERO))
            .ok_or(Error::UploadUnknown)
    }

    /// Whether an upload is this caller's, of this package, and lasts at least so long.
    fn is_own(
        &self,
        caller: &Caller,
        target: &PushTarget,
        row: &UploadRow,
        at_least: Duration,
    ) -> bool {
        row.principal == caller.key()
            && target.package() == Some(row.package)
            && row.expires_at > self.clock.now().plus(at_least)
    }

    /// Makes this request the one that writes to an upload, and announces its chunk. A chunk that
    /// cannot be taken leaves the upload as it stands.
    async fn hold<S>(
        &self,
        caller: &Caller,
        target: &PushTarget,
        id: &UploadId,
        chunk: Chunk<S>,
    ) -> Result<(Held, Incoming<S>)>
    where
        S: Stream<Item = Result<Bytes>> + Send + Unpin,
    {
        let mut held = self.take_over(caller, target, id).await?;
        let limit = self.settings.layer_limit_of(target.package_type());
        match Incoming::announce(chunk, held.upload()?, limit) {
            Ok(chunk) => Ok((held, chunk)),
            Err(error) => {
                // What the row says may be more than what a power cut left.
                held.put_away().await?;
                Err(error)
            }
        }
    }

    /// Makes this request the one that may write: cuts off the one that does, and goes on where the
    /// last request of this process stopped, or from the row, whose epoch it then raises.
    async fn take_over(&self, caller: &Caller, target: &PushTarget, id: &UploadId) -> Result<Held> {
        let mut place = self.place(caller, target, id).await?;
        let (row, upload) = match place.parked.take() {
            Some(kept) if self.needs_no_claim(caller, target, &kept.row) => (kept.row, kept.upload),
            kept => match self.claim(caller, target, id).await {
                Ok(row) => {
                    let upload = self.claimed(&row, kept).await?;
                    (row, upload)
                }
                Err(error) => {
                    drop(place);
                    self.uploads.forget_if_empty(id);
                    return Err(error);
                }
            },
        };
        let keeper = Keeper {
            db: self.db.clone(),
            clock: self.clock.clone(),
            expiry: self.settings.upload_expiry(),
        };
        let touched = self.clock.now();
        let parked = Parked {
            row,
            upload,
            touched,
        };
        Ok(Held::new(parked, place, keeper))
    }

    /// Whether what this process kept of an upload is all there is to know, so that nothing has to
    /// be written before the end of the request: where no other process takes uploads. What ends
    /// it meanwhile, such as the revocation of its token, raises the epoch of its row, and then the
    /// write at the end is refused. Near its expiry it is claimed, so that it lasts.
    fn needs_no_claim(&self, caller: &Caller, target: &PushTarget, kept: &UploadRow) -> bool {
        let half = self.settings.upload_expiry() / 2;
        !self.db.is_shared() && self.is_own(caller, target, kept, half)
    }

    /// The blob store's end of an upload whose row was claimed just now.
    async fn claimed(&self, row: &UploadRow, kept: Option<Parked>) -> Result<Upload> {
        let mut upload = match kept {
            Some(kept) if kept.row.epoch + 1 == row.epoch => kept.upload,
            _ => self.resume(row).await?,
        };
        upload.set_epoch(row.epoch);
        Ok(upload)
    }

    /// Only whose upload it is may cut off the request that writes to it.
    async fn place(&self, caller: &Caller, target: &PushTarget, id: &UploadId) -> Result<Place> {
        let slot = match self.uploads.enter(id) {
            Ok(place) => return Ok(place),
            Err(slot) => slot,
        };
        let mut conn = self.db.read().await?;
        let row = uploads::find(&mut conn, id.as_str()).await?;
        drop(conn);
        self.own(caller, target, row)?;
        let place = slot.take_over().await;
        if place.is_cut() {
            return Err(Error::ClientGone);
        }
        Ok(place)
    }

    async fn claim(
        &self,
        caller: &Caller,
        target: &PushTarget,
        id: &UploadId,
    ) -> Result<UploadRow> {
        let now = self.clock.now();
        let claim = Claim {
            principal: &caller.key(),
            package: target.package().ok_or(Error::UploadUnknown)?,
            now,
            expires_at: now.plus(self.settings.upload_expiry()),
        };
        let mut tx = self.db.write().await?;
        let row = uploads::claim(&mut tx, id.as_str(), claim).await?;
        let row = row.ok_or(Error::UploadUnknown)?;
        tx.commit().await?;
        Ok(row)
    }

    /// What is left of it may be less than the row says, or nothing, after a power cut.
    async fn resume(&self, row: &UploadRow) -> Result<Upload> {
        let (key, state) = stored_place(row)?;
        let resumed = self.blobs.resume(key, state.as_ref()).await;
        resumed.map_err(unless_missing)
    }

    /// Makes the bytes durable under their key and compares the digest.
    async fn verify(&self, upload: Upload, digest: &Digest) -> Result<u64> {
        match upload.finish(digest).await {
            Ok(finished) => Ok(finished.size),
            Err(naru_blobstore::Error::DigestMismatch { expected, actual }) => {
                Err(Error::DigestMismatch {
                    expected,
                    actual: actual.to_string(),
                })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Ends an upload whose bytes are not wanted. Returns whether it was still open.
    async fn end(&self, row: &UploadRow, reason: TrashReason) -> Result<bool> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let closed = uploads::close(&mut tx, &row.id, row.epoch).await?;
        if closed {
            collector::discard(&mut tx, &row.storage_key, None, reason, now).await?;
        }
        tx.commit().await?;
        Ok(closed)
    }
}

/// Where the bytes of an upload are, as its row knows.
fn stored_place(row: &UploadRow) -> Result<(StorageKey, Option<UploadState>)> {
    let key = row.storage_key.parse().map_err(|_| Error::UploadUnknown)?;
    let state = row.state.as_deref().map(UploadState::from_bytes);
    Ok((key, state.transpose()?))
}

/// An upload of which nothing is left is none.
fn unless_missing(error: naru_blobstore::Error) -> Error {
    match error {
        naru_blobstore::Error::Missing { .. } => Error::UploadUnknown,
        other => other.into(),
    }
}

async fn receive_whole<S>(upload: &mut Upload, chunk: Chunk<S>, limit: u64) -> Result<()>
where
    S: Stream<Item = Result<Bytes>> + Send + Unpin,
{
    let mut chunk = Incoming::announce(chunk, upload, limit)?;
    while let Some(bytes) = chunk.next().await? {
        upload.append(bytes).await?;
        chunk.within(upload.offset())?;
    }
    chunk.complete(upload.offset())
}
