//! The uploads that this process has open, and who may write to each.
//!
//! At most one request writes to an upload at a time. A later one cuts the earlier one off, whose
//! client has given it up, and goes on where a client was last told that the upload stands.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use naru_blobstore::Upload;
use naru_metadata::Db;
use naru_metadata::uploads::{self, UploadRow};
use naru_model::{Clock, Moment};
use naru_oci::UploadId;
use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::UploadStatus;
use super::incoming::Incoming;
use crate::error::{Error, Result};

/// How many uploads are kept between two requests at most; others go on from their rows.
const MOST_PARKED: usize = 10_000;

/// How often a request that lasts saves what it has received, so that an upload never expires under
/// it and a crash costs no more than this.
const SAVE_EVERY: Duration = Duration::from_secs(300);

/// The uploads that this process has open.
#[derive(Debug, Default)]
pub(crate) struct OpenUploads {
    slots: Mutex<HashMap<UploadId, Arc<Slot>>>,
}

#[derive(Debug)]
pub(super) struct Slot {
    /// What was left by the last request.
    parked: Arc<AsyncMutex<Option<Parked>>>,
    /// Ends the request that writes now.
    cut: Mutex<CancellationToken>,
}

/// The blob store's end of an upload, and the row with the epoch it belongs to.
#[derive(Debug)]
pub(super) struct Parked {
    pub(super) row: UploadRow,
    pub(super) upload: Upload,
    pub(super) touched: Moment,
}

/// The right to write to one upload, until dropped.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) parked: OwnedMutexGuard<Option<Parked>>,
    cut: CancellationToken,
}

impl Place {
    /// Whether a later request waits for this place.
    pub(super) fn is_cut(&self) -> bool {
        self.cut.is_cancelled()
    }
}

impl Slot {
    /// Cuts off whoever writes, and takes the place.
    pub(super) async fn take_over(&self) -> Place {
        let cut = CancellationToken::new();
        std::mem::replace(&mut *self.cut.lock(), cut.clone()).cancel();
        let parked = Arc::clone(&self.parked).lock_owned().await;
        Place { parked, cut }
    }

    fn try_enter(&self) -> Option<Place> {
        // In this order, so that whoever takes over meanwhile cuts off this place.
        let mut current = self.cut.lock();
        let parked = Arc::clone(&self.parked).try_lock_owned().ok()?;
        let cut = CancellationToken::new();
        current.clone_from(&cut);
        Some(Place { parked, cut })
    }

    /// Whether nobody writes and nothing is kept that was touched since `before`.
    fn is_idle(&self, before: Moment) -> bool {
        self.parked
            .try_lock()
            .is_ok_and(|parked| parked.as_ref().is_none_or(|parked| parked.touched < before))
    }
}

impl OpenUploads {
    /// Takes the place if nobody writes to the upload; else says whose place it is.
    pub(super) fn enter(&self, id: &UploadId) -> Result<Place, Arc<Slot>> {
        let slot = self.slot(id);
        slot.try_enter().ok_or(slot)
    }

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

    /// Keeps a new upload for its first request, if there is room.
    pub(super) fn park(&self, id: &UploadId, parked: Parked) {
        if self.slots.lock().len() >= MOST_PARKED {
            return;
        }
        if let Ok(mut place) = self.enter(id) {
            *place.parked = Some(parked);
        }
    }

    /// Forgets an upload that has ended.
    pub(super) fn forget(&self, id: &UploadId) {
        self.slots.lock().remove(id);
    }

    /// Forgets an upload unless somebody writes to it or something is kept of it.
    pub(super) fn forget_if_empty(&self, id: &UploadId) {
        let mut slots = self.slots.lock();
        if slots
            .get(id)
            .is_some_and(|slot| can_go(slot, Moment::from_micros(i64::MIN)))
        {
            slots.remove(id);
        }
    }

    /// Lets go of uploads that no request has touched since `before`; they go on from their rows.
    pub(crate) fn let_go(&self, before: Moment) {
        self.slots.lock().retain(|_, slot| !can_go(slot, before));
    }
}

/// A slot that a request is about to enter must stay: the next one would find another.
fn can_go(slot: &Arc<Slot>, before: Moment) -> bool {
    Arc::strong_count(slot) == 1 && slot.is_idle(before)
}

/// What it takes to save how far an upload has come.
#[derive(Clone, Debug)]
pub(super) struct Keeper {
    pub(super) db: Db,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) expiry: Duration,
}

impl Keeper {
    /// Makes what was received durable, then notes it in the row.
    async fn save(&self, parked: &mut Parked) -> Result<()> {
        let state = parked.upload.checkpoint().await?;
        let bytes = state.to_bytes()?;
        let now = self.clock.now();
        let expires_at = now.plus(self.expiry);
        let (id, epoch) = (&parked.row.id, parked.row.epoch);
        let mut tx = self.db.write().await?;
        let saved = uploads::save(&mut tx, id, epoch, state.offset(), &bytes, expires_at).await?;
        tx.commit().await?;
        if !saved {
            return Err(Error::UploadUnknown);
        }
        parked.row.offset = state.offset();
        parked.row.expires_at = expires_at;
        parked.touched = now;
        Ok(())
    }
}

/// An upload that a request writes to.
///
/// Dropped half-way, because its client reset the stream, it saves what it has received if it was
/// told to keep that; else the upload stands where it stood.
#[derive(Debug)]
pub(super) struct Held {
    /// There until it is put away, finished or dropped.
    inner: Option<Inner>,
    keeper: Keeper,
}

#[derive(Debug)]
struct Inner {
    parked: Parked,
    place: Place,
    /// Whether what has been received is kept when the request ends early.
    keeps: bool,
    /// Whether the blob store's end is between two steps, not within one or broken by one.
    whole: bool,
    saved: Instant,
}

impl Held {
    pub(super) fn new(parked: Parked, place: Place, keeper: Keeper) -> Self {
        let inner = Some(Inner {
            parked,
            place,
            keeps: false,
            whole: true,
            saved: Instant::now(),
        });
        Self { inner, keeper }
    }

    /// From now on, what is received stays, also if the request ends early: the client may ask how
    /// far it came.
    pub(super) fn keep_what_comes(&mut self) -> Result<()> {
        self.inner()?.keeps = true;
        Ok(())
    }

    pub(super) fn upload(&mut self) -> Result<&mut Upload> {
        Ok(&mut self.inner()?.parked.upload)
    }

    /// Streams a chunk in, until its end or until a later request cuts this one off.
    pub(super) async fn receive<S>(&mut self, mut chunk: Incoming<S>) -> Result<()>
    where
        S: Stream<Item = Result<Bytes>> + Send + Unpin,
    {
        let cut = self.inner()?.place.cut.clone();
        loop {
            let next = tokio::select! {
                biased;
                () = cut.cancelled() => Err(Error::ClientGone),
                next = chunk.next() => next,
            };
            match next? {
                Some(bytes) => self.append(bytes).await?,
                None => return chunk.complete(self.upload()?.offset()),
            }
            chunk.within(self.upload()?.offset())?;
            self.save_now_and_then().await?;
        }
    }

    async fn append(&mut self, bytes: Bytes) -> Result<()> {
        let inner = self.inner()?;
        inner.whole = false;
        inner.parked.upload.append(bytes).await?;
        inner.whole = true;
        Ok(())
    }

    async fn save_now_and_then(&mut self) -> Result<()> {
        let keeper = self.keeper.clone();
        let inner = self.inner()?;
        if !inner.keeps || inner.saved.elapsed() < SAVE_EVERY {
            return Ok(());
        }
        inner.whole = false;
        keeper.save(&mut inner.parked).await?;
        inner.whole = true;
        inner.saved = Instant::now();
        Ok(())
    }

    /// After a chunk that did not end well: keeps what came before its client vanished, and
    /// nothing else. What a client sent wrongly, and what a later request repeats, is forgotten.
    pub(super) async fn end_early(mut self, error: &Error) {
        let worth_keeping = matches!(error, Error::ClientGone)
            && self.inner().is_ok_and(|inner| inner.is_worth_keeping());
        if !worth_keeping {
            self.inner = None;
        } else if let Err(error) = self.put_away().await {
            tracing::debug!(%error, "what a client sent before it vanished could not be kept");
        }
    }

    /// Saves how far the upload has come and parks it for the next request. Goes on even if this
    /// future is dropped.
    pub(super) async fn put_away(mut self) -> Result<UploadStatus> {
        let inner = self.inner.take().ok_or_else(gone)?;
        let ended = tokio::spawn(inner.put_away(self.keeper.clone()));
        ended
            .await
            .map_err(|broken| Error::Internal(broken.to_string()))?
    }

    /// The parts, for the request that finishes or cancels the upload.
    pub(super) fn into_parts(mut self) -> Result<(Parked, Place)> {
        let inner = self.inner.take().ok_or_else(gone)?;
        Ok((inner.parked, inner.place))
    }

    fn inner(&mut self) -> Result<&mut Inner> {
        self.inner.as_mut().ok_or_else(gone)
    }
}

impl Inner {
    fn is_worth_keeping(&self) -> bool {
        let is_new = self.parked.upload.offset() > self.parked.row.offset;
        self.keeps && self.whole && is_new && !self.place.is_cut()
    }

    async fn put_away(mut self, keeper: Keeper) -> Result<UploadStatus> {
        keeper.save(&mut self.parked).await?;
        let id = self.parked.row.id.parse();
        let status = UploadStatus {
            id: id.map_err(|_| Error::Internal("an upload has no id".to_owned()))?,
            offset: self.parked.row.offset,
        };
        *self.place.parked = Some(self.parked);
        Ok(status)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(inner) = self.inner.take() else {
            return;
        };
        if inner.is_worth_keeping()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(inner.put_away(self.keeper.clone()));
        }
    }
}

fn gone() -> Error {
    Error::Internal("an upload was let go of too early".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: Moment = Moment::from_micros(i64::MAX);

    fn id(number: u32) -> UploadId {
        let text = format!("00000000-0000-4000-8000-{number:012}");
        text.parse().unwrap()
    }

    #[test]
    fn asking_for_uploads_that_are_not_there_leaves_nothing() {
        let uploads = OpenUploads::default();
        for number in 0..1000 {
            let place = uploads.enter(&id(number)).unwrap();
            uploads.forget_if_empty(&id(number));
            assert_eq!(uploads.slots.lock().len(), 1, "somebody is there");
            drop(place);
            uploads.forget_if_empty(&id(number));
            assert!(uploads.slots.lock().is_empty());
        }
    }

    #[tokio::test]
    async fn a_place_that_somebody_has_or_waits_for_stays() {
        let uploads = OpenUploads::default();
        let first = uploads.enter(&id(1)).unwrap();
        let slot = uploads.enter(&id(1)).expect_err("it is taken");
        let waiting = tokio::spawn(async move { slot.take_over().await });
        tokio::task::yield_now().await;
        assert!(first.is_cut());
        drop(first);
        uploads.let_go(LATER);
        assert_eq!(uploads.slots.lock().len(), 1);
        let second = waiting.await.unwrap();
        assert!(!second.is_cut());
        assert!(uploads.enter(&id(1)).is_err(), "there is one place");
        drop(second);
        uploads.let_go(LATER);
        assert!(uploads.slots.lock().is_empty());
    }
}
