//! Uploads of blobs (distribution-spec, end-4 to end-6, end-11 and end-13).
//!
//! Bytes go to a storage key of their own, chosen when the upload begins. They become durable
//! first, then the rows, then the answer. An upload belongs to a principal and a package; it
//! outlives the expiry of its token, but not its revocation.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use naru_blobstore::{StorageKey, Upload, UploadState};
use naru_metadata::Conn;
use naru_metadata::collector::{self, TrashReason};
use naru_metadata::links::{self, PutBlob};
use naru_metadata::uploads::{self, UploadRow};
use naru_metadata::versions::{self, GapKind};
use naru_model::{Moment, PackageId};
use naru_oci::{ContentRange, Digest, UploadId};
use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio_util::sync::CancellationToken;

use crate::access::{Authorized, PushTarget};
use crate::error::{Error, Result};
use crate::{Caller, Registry};

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

/// The uploads that this process has open. At most one request writes to an upload at a time: a
/// later one cuts the earlier one off and waits until it has let go.
#[derive(Debug, Default)]
pub(crate) struct OpenUploads {
    slots: Mutex<HashMap<UploadId, Arc<Slot>>>,
}

#[derive(Debug)]
struct Slot {
    /// What was left by the last request: the blob store's end and the epoch it belongs to.
    parked: Arc<AsyncMutex<Option<Parked>>>,
    /// Ends the request that writes now.
    cut: Mutex<CancellationToken>,
}

#[derive(Debug)]
struct Parked {
    row: UploadRow,
    upload: Upload,
    touched: Moment,
}

/// The right to write to one upload, until dropped.
struct Writing {
    parked: OwnedMutexGuard<Option<Parked>>,
    cut: CancellationToken,
}

impl OpenUploads {
    fn slot(&self, id: &UploadId) -> Arc<Slot> {
        let mut slots = self.slots.lock();
        let slot = slots.entry(id.clone()).or_insert_with(|| {
            Arc::new(Slot {
                parked: Arc::default(),
                cut: Mutex::new(CancellationToken::new()),
            })
        });
        Arc::clone(slot)
    }

    /// Cuts off whoever writes, and takes the place.
    async fn take_over(&self, id: &UploadId) -> Writing {
        let slot = self.slot(id);
        let cut = CancellationToken::new();
        std::mem::replace(&mut *slot.cut.lock(), cut.clone()).cancel();
        let parked = Arc::clone(&slot.parked).lock_owned().await;
        Writing { parked, cut }
    }

    fn forget(&self, id: &UploadId) {
        self.slots.lock().remove(id);
    }

    /// Lets go of uploads that no request has touched since `before`; they go on from their rows.
    pub(crate) fn let_go(&self, before: Moment) {
        self.slots
            .lock()
            .retain(|_, slot| match slot.parked.try_lock() {
                Ok(parked) => parked
                    .as_ref()
                    .is_some_and(|parked| parked.touched >= before),
                Err(_) => true,
            });
    }
}

impl Registry {
    /// Begins an upload, or links the blob from where it is readable already (end-4a, end-11).
    ///
    /// # Errors
    /// Those of the database and the blob store.
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
        tx.commit().await?;
        self.may_be_born(target);
        let mut writing = self.uploads.take_over(&id).await;
        *writing.parked = Some(Parked {
            row,
            upload,
            touched: now,
        });
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
        let mut upload = self.blobs.begin(self.new_storage_key()?)?;
        let key = *upload.key();
        let limit = self.settings.layer_limit_of(target.package_type());
        let never = CancellationToken::new();
        let received = self.receive(limit, &mut upload, chunk, &never).await;
        let finished = match received {
            Ok(()) => self.verify(upload, digest).await,
            Err(error) => {
                upload.abort().await?;
                Err(error)
            }
        };
        let size = finished?;
        self.record_retrying(caller, target, None, digest, size, &key)
            .await
    }

    /// Where an upload stands (end-13).
    ///
    /// # Errors
    /// [`Error::UploadUnknown`], also when it is somebody else's.
    pub async fn upload_status(
        &self,
        caller: &Caller,
        target: &PushTarget,
        id: &UploadId,
    ) -> Result<UploadStatus> {
        let mut conn = self.db.read().await?;
        let row = uploads::find(&mut conn, id.as_str()).await?;
        let row = self.own(caller, target, row)?;
        Ok(UploadStatus {
            id: id.clone(),
            offset: row.offset,
        })
    }

    /// Takes a chunk (end-5). What was received is durable before the answer.
    ///
    /// # Errors
    /// [`Error::UploadUnknown`]; [`Error::RangeInvalid`] when the chunk does not begin where the
    /// upload stands; [`Error::ClientGone`]; those of the blob store.
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
        let mut writing = self.uploads.take_over(id).await;
        let mut parked = self.claim(caller, target, id, &mut writing).await?;
        let limit = self.settings.layer_limit_of(target.package_type());
        let received = match stands_at(&parked.upload, chunk.range) {
            Ok(()) => {
                self.receive(limit, &mut parked.upload, chunk, &writing.cut)
                    .await
            }
            Err(error) => Err(error),
        };
        let status = self.save(id, parked, &mut writing).await?;
        received.map(|()| status)
    }

    /// Takes the rest of a blob, if any, and makes it one (end-6). There is one winner, and a
    /// repeated finish of what is there already answers the same.
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
        let mut writing = self.uploads.take_over(id).await;
        let mut parked = self.claim(caller, target, id, &mut writing).await?;
        let limit = self.settings.layer_limit_of(target.package_type());
        let received = match stands_at(&parked.upload, chunk.range) {
            Ok(()) => {
                self.receive(limit, &mut parked.upload, chunk, &writing.cut)
                    .await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = received {
            self.save(id, parked, &mut writing).await?;
            return Err(error);
        }
        let key = *parked.upload.key();
        let outcome = self.verify(parked.upload, digest).await;
        self.uploads.forget(id);
        match outcome {
            Ok(size) => {
                self.record_retrying(caller, target, Some(&parked.row), digest, size, &key)
                    .await
            }
            Err(error @ Error::DigestMismatch { .. }) => {
                self.end(&parked.row, TrashReason::Upload).await?;
                Err(error)
            }
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
        let mut writing = self.uploads.take_over(id).await;
        let parked = self.claim(caller, target, id, &mut writing).await?;
        self.uploads.forget(id);
        self.end(&parked.row, TrashReason::Upload).await?;
        parked.upload.abort().await?;
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
        if let Ok(id) = row.id.parse() {
            drop(self.uploads.take_over(&id).await);
            self.uploads.forget(&id);
        }
        if !self.end(row, TrashReason::Upload).await? {
            return Ok(());
        }
        // What cannot be resumed is in the trash already, and goes with it.
        match self.resume(row).await {
            Ok(upload) => upload.abort().await.map_err(Error::from),
            Err(_) => Ok(()),
        }
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
        let now = self.clock.now();
        for source in sources {
            let mut tx = self.db.write().await?;
            let package = self.package_for_push(&mut tx, caller, target, now).await?;
            let times = self.settings.leases().at(now);
            if links::mount(&mut tx, package, source, digest, times).await? {
                versions::fill_gaps(&mut tx, package, GapKind::Blob, digest).await?;
                tx.commit().await?;
                self.may_be_born(target);
                return Ok(true);
            }
        }
        Ok(false)
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
        let now = self.clock.now();
        row.filter(|row| row.principal == caller.key())
            .filter(|row| target.package() == Some(row.package))
            .filter(|row| row.expires_at > now)
            .ok_or(Error::UploadUnknown)
    }

    /// Makes this request the one that may write: raises the epoch, and goes on where the last
    /// request of this process stopped, or from the row.
    async fn claim(
        &self,
        caller: &Caller,
        target: &PushTarget,
        id: &UploadId,
        writing: &mut Writing,
    ) -> Result<Parked> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let found = uploads::find(&mut tx, id.as_str()).await?;
        if let Err(error) = self.own(caller, target, found) {
            self.uploads.forget(id);
            return Err(error);
        }
        let expires_at = now.plus(self.settings.upload_expiry());
        let row = uploads::claim(&mut tx, id.as_str(), expires_at).await?;
        let row = row.ok_or(Error::UploadUnknown)?;
        tx.commit().await?;
        let mut upload = match writing.parked.take() {
            Some(parked) if parked.row.epoch + 1 == row.epoch => parked.upload,
            _ => self.resume(&row).await?,
        };
        upload.set_epoch(row.epoch);
        Ok(Parked {
            row,
            upload,
            touched: now,
        })
    }

    /// What is left of it may be less than the row says, or nothing, after a power cut.
    async fn resume(&self, row: &UploadRow) -> Result<Upload> {
        let key: StorageKey = row.storage_key.parse().map_err(|_| Error::UploadUnknown)?;
        let state = row
            .state
            .as_deref()
            .map(UploadState::from_bytes)
            .transpose()?;
        match self.blobs.resume(key, state.as_ref()).await {
            Err(naru_blobstore::Error::Missing { .. }) => Err(Error::UploadUnknown),
            other => Ok(other?),
        }
    }

    /// Makes what was received durable, notes it, and parks the upload for the next request.
    async fn save(
        &self,
        id: &UploadId,
        mut parked: Parked,
        writing: &mut Writing,
    ) -> Result<UploadStatus> {
        let state = parked.upload.checkpoint().await?;
        let bytes = state.to_bytes()?;
        let now = self.clock.now();
        let expires_at = now.plus(self.settings.upload_expiry());
        let mut tx = self.db.write().await?;
        let row = &parked.row;
        let saved = uploads::save(
            &mut tx,
            &row.id,
            row.epoch,
            state.offset(),
            &bytes,
            expires_at,
        )
        .await?;
        tx.commit().await?;
        if !saved {
            return Err(Error::UploadUnknown);
        }
        let status = UploadStatus {
            id: id.clone(),
            offset: state.offset(),
        };
        parked.row.offset = status.offset;
        parked.touched = now;
        *writing.parked = Some(parked);
        Ok(status)
    }

    /// Streams the body into the upload, within the limits.
    async fn receive<S>(
        &self,
        limit: u64,
        upload: &mut Upload,
        chunk: Chunk<S>,
        cut: &CancellationToken,
    ) -> Result<()>
    where
        S: Stream<Item = Result<Bytes>> + Send + Unpin,
    {
        let said = chunk.range.map(|range| range.len()).or(chunk.length);
        if upload.offset().saturating_add(said.unwrap_or(0)) > limit {
            return Err(Error::TooLarge {
                what: "the blob",
                limit,
            });
        }
        if let Some(length) = said {
            upload.expect(length);
        }
        let begin = upload.offset();
        let mut body = chunk.body;
        loop {
            let next = tokio::select! {
                biased;
                () = cut.cancelled() => return Err(Error::ClientGone),
                next = body.next() => next,
            };
            let Some(bytes) = next else { break };
            upload.append(bytes?).await?;
            if upload.offset() > limit {
                return Err(Error::TooLarge {
                    what: "the blob",
                    limit,
                });
            }
        }
        match (chunk.range, upload.offset() - begin) {
            (Some(range), received) if range.len() != received => Err(Error::SizeInvalid {
                what: "the chunk".to_owned(),
                expected: range.len(),
                actual: received,
            }),
            _ => Ok(()),
        }
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

    /// Writes the rows of a finished blob. The collector may take a blob's row in the instant
    /// between finding and linking it; then the transaction is refused by a foreign key and simply
    /// begins anew.
    async fn record_retrying(
        &self,
        caller: &Caller,
        target: &PushTarget,
        row: Option<&UploadRow>,
        digest: &Digest,
        size: u64,
        key: &StorageKey,
    ) -> Result<()> {
        const TRIES: usize = 5;
        for _ in 1..TRIES {
            match self.record(caller, target, row, digest, size, key).await {
                Err(error) if error.lost_race() => {}
                other => return other.map_err(RecordError::into_error),
            }
        }
        self.record(caller, target, row, digest, size, key)
            .await
            .map_err(RecordError::into_error)
    }

    async fn record(
        &self,
        caller: &Caller,
        target: &PushTarget,
        row: Option<&UploadRow>,
        digest: &Digest,
        size: u64,
        key: &StorageKey,
    ) -> std::result::Result<(), RecordError> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        if let Some(row) = row
            && !uploads::close(&mut tx, &row.id, row.epoch).await?
        {
            return Err(RecordError::Lost);
        }
        let package = self
            .package_for_push(&mut tx, caller, target, now)
            .await
            .map_err(RecordError::Other)?;
        self.link_finished(&mut tx, package, digest, size, key, now)
            .await?;
        tx.commit().await?;
        self.may_be_born(target);
        Ok(())
    }

    /// After the commit: whoever remembers that there is no such package is wrong now.
    fn may_be_born(&self, target: &PushTarget) {
        if target.package().is_none() {
            self.access_changed();
        }
    }

    async fn link_finished(
        &self,
        conn: &mut Conn,
        package: PackageId,
        digest: &Digest,
        size: u64,
        key: &StorageKey,
        now: Moment,
    ) -> std::result::Result<(), naru_metadata::Error> {
        let key = key.to_string();
        match links::put_blob(conn, digest, size, &key, now).await? {
            PutBlob::Stored => {}
            PutBlob::Duplicate => {
                collector::discard(conn, &key, Some(digest), TrashReason::Duplicate, now).await?;
            }
            PutBlob::Healed { replaced } => {
                let after = now.plus(self.settings.trash_delay());
                collector::discard(conn, &replaced, Some(digest), TrashReason::Replaced, after)
                    .await?;
            }
        }
        links::put_link(conn, package, digest, self.settings.leases().at(now)).await?;
        versions::fill_gaps(conn, package, GapKind::Blob, digest).await
    }
}

enum RecordError {
    Lost,
    Database(naru_metadata::Error),
    Other(Error),
}

impl RecordError {
    fn lost_race(&self) -> bool {
        matches!(
            self,
            Self::Database(naru_metadata::Error::ForeignKey { .. })
        )
    }

    fn into_error(self) -> Error {
        match self {
            Self::Lost => Error::UploadUnknown,
            Self::Database(error) => error.into(),
            Self::Other(error) => error,
        }
    }
}

impl From<naru_metadata::Error> for RecordError {
    fn from(error: naru_metadata::Error) -> Self {
        Self::Database(error)
    }
}

/// A chunk with a range must begin where the upload stands.
fn stands_at(upload: &Upload, range: Option<ContentRange>) -> Result<()> {
    match range {
        Some(range) if range.start() != upload.offset() => Err(Error::RangeInvalid {
            offset: upload.offset(),
        }),
        _ => Ok(()),
    }
}
