//! [`S3Upload`]: cuts the bytes of one upload into parts.
//!
//! What fits into one buffer is put as one object at the end, straight from memory. What is larger
//! is spooled to a [`Scratch`] file; each part that fills is sent while the next one arrives, and
//! what never fills one part is a single put as well.
//!
//! At a checkpoint the bytes after the last part, the tail, become an object of their own. The row
//! then holds the parts' tags, the hash of exactly those parts, and the tail's name: a replica that
//! goes on reads the tail as if a client had sent it. Where the tail is lost, the upload is as much
//! shorter; where the tail is an old writer's, the digest at the end tells.
//!
//! A tail is removed at the checkpoint after the next one, because until then a row may name it.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use naru_handoff::{AlignedBuffer, FilledBuffer};
use naru_oci::{Algorithm, Digest};
use object_store::{Error as ObjectError, ObjectStoreExt, PutPayload};
use tokio::runtime::Handle;

use super::parts::{LARGEST, Multipart, PART, unknown_outcome};
use super::scratch::Scratch;
use super::{Shared, failed};
use crate::error::{Error, Result};
use crate::failpoint;
use crate::flow::Flow;
use crate::hash::{Hasher, Rehasher};
use crate::intake::Intake;
use crate::key::StorageKey;
use crate::layout::ObjectNames;
use crate::state::{Parts, Place, UploadState};
use crate::store::Verdict;
use crate::upload::Finished;

pub(crate) struct S3Upload {
    shared: Arc<Shared>,
    key: StorageKey,
    epoch: i64,
    intake: Intake,
    stage: Stage,
    parts: Multipart,
    /// The last checkpoint, unless less than that was found.
    saved: Option<UploadState>,
    /// Whether a checkpoint names the multipart upload, so that its row leads to it.
    row_knows_parts: bool,
    /// The tail that the last checkpoint names, and that of the one before.
    tails: [Option<String>; 2],
}

enum Stage {
    /// Everything so far is in the intake's buffer, but for what the hash has seen already.
    Gathering(Box<Hasher>),
    /// Everything else is hashed and spooled.
    Flowing(Flow<Scratch>),
    /// Something failed.
    Broken,
}

impl S3Upload {
    pub(super) fn begin(shared: Arc<Shared>, key: StorageKey) -> Self {
        Self::after(shared, key, Parts::default(), Hasher::default())
    }

    pub(super) async fn resume(
        shared: Arc<Shared>,
        key: StorageKey,
        state: Option<&UploadState>,
    ) -> Result<Self> {
        let Some(state) = state else {
            return Ok(Self::begin(shared, key));
        };
        let (parts, hasher) = match &state.place {
            Place::Directory if state.offset() == 0 => Default::default(),
            _ => (parts_of(state)?.clone(), Hasher::restore(&state.hash)?),
        };
        if hasher.position() != parts.done.len() as u64 * PART {
            return Err(Error::BadState("hash and parts disagree".to_owned()));
        }
        let tail = parts.tail.clone();
        let mut upload = Self::after(shared, key, parts, hasher);
        upload.epoch = state.epoch;
        upload.row_knows_parts = upload.parts.has_begun();
        upload.saved = Some(state.clone());
        upload.tails = [tail, None];
        upload.read_tail(state).await?;
        Ok(upload)
    }

    fn after(shared: Arc<Shared>, key: StorageKey, parts: Parts, hasher: Hasher) -> Self {
        let intake = Intake::new(shared.buffers.clone(), hasher.position(), PART);
        let parts = Multipart::new(shared.clone(), key, parts, hasher.save());
        let stage = Stage::Gathering(Box::new(hasher));
        Self {
            shared,
            key,
            epoch: 0,
            intake,
            stage,
            parts,
            saved: None,
            row_knows_parts: false,
            tails: [None, None],
        }
    }

    pub(crate) fn key(&self) -> &StorageKey {
        &self.key
    }

    pub(crate) fn offset(&self) -> u64 {
        self.intake.offset()
    }

    pub(crate) fn set_epoch(&mut self, epoch: i64) {
        self.epoch = epoch;
    }

    pub(crate) fn expect(&mut self, more: u64) {
        self.intake.expect(more);
    }

    pub(crate) async fn append(&mut self, bytes: Bytes) -> Result<()> {
        self.check()?;
        if self.offset().saturating_add(bytes.len() as u64) > LARGEST {
            return Err(Error::TooLarge { limit: LARGEST });
        }
        let appended = self.try_append(bytes).await;
        self.heed(appended)
    }

    pub(crate) async fn checkpoint(&mut self) -> Result<UploadState> {
        self.check()?;
        match &self.saved {
            Some(saved) if saved.offset() == self.offset() => Ok(saved.under(self.epoch)),
            _ => {
                let state = self.try_checkpoint().await;
                self.heed(state)
            }
        }
    }

    pub(crate) async fn finish(mut self, expected: &Digest) -> Result<Finished> {
        self.check()?;
        let size = self.offset();
        match self.try_finish(expected).await {
            Ok(()) => {}
            Err(mismatch @ Error::DigestMismatch { .. }) => {
                self.remove_everything().await?;
                return Err(mismatch);
            }
            Err(error) => self.confirm(expected, size, error).await?,
        }
        // The object is there, so there are no parts to give up.
        self.parts.take_id();
        for tail in std::mem::take(&mut self.tails).into_iter().flatten() {
            self.remove_tail(&tail).await;
        }
        Ok(Finished { size })
    }

    pub(crate) async fn abort(mut self) -> Result<()> {
        self.remove_everything().await
    }

    fn check(&self) -> Result<()> {
        if matches!(self.stage, Stage::Broken) {
            Err(Error::Broken)
        } else {
            Ok(())
        }
    }

    async fn try_append(&mut self, mut bytes: Bytes) -> Result<()> {
        while let Some(full) = self.intake.take(&mut bytes).await {
            self.send(full).await?;
        }
        Ok(())
    }

    /// Spools what was gathered, and sends the part that is thereby complete.
    async fn send(&mut self, gathered: AlignedBuffer) -> Result<()> {
        self.spool(gathered).await?;
        match &self.stage {
            Stage::Flowing(flow) if self.offset().is_multiple_of(PART) => {
                self.parts.send(flow).await
            }
            _ => Ok(()),
        }
    }

    /// Gives what was gathered, the last of the bytes so far, to hash and scratch file.
    async fn spool(&mut self, gathered: AlignedBuffer) -> Result<()> {
        self.start_flow(self.offset() - gathered.len() as u64)
            .await?;
        let Stage::Flowing(flow) = &self.stage else {
            return Err(Error::Broken);
        };
        if flow.send(gathered).await? {
            Ok(())
        } else {
            Err(flow.write.ask(Scratch::take_error).await?)
        }
    }

    async fn start_flow(&mut self, end: u64) -> Result<()> {
        let Stage::Gathering(hasher) = &mut self.stage else {
            return Ok(());
        };
        let hasher = std::mem::take(&mut **hasher);
        let directory = self.shared.scratch.clone();
        let make = move || Scratch::create(&directory, end);
        let scratch = self.shared.threads.write.run(make).await?;
        self.stage = Stage::Flowing(Flow::new(hasher, scratch, &self.shared.threads));
        Ok(())
    }

    async fn try_checkpoint(&mut self) -> Result<UploadState> {
        if let Some(rest) = self.intake.rest() {
            self.send(rest).await?;
        }
        self.parts.wait().await?;
        let offset = self.offset();
        let tail = self.put_tail(offset).await?;
        failpoint!("upload.checkpoint", self.key).map_err(unknown_outcome)?;
        let [last, before] = std::mem::take(&mut self.tails);
        self.tails = [tail.clone(), last];
        if let Some(before) = before {
            self.remove_tail(&before).await;
        }
        let (parts, hash) = self.parts.state(tail);
        let state = UploadState::new(self.epoch, offset, hash, Place::S3(parts));
        self.row_knows_parts = self.parts.has_begun();
        self.saved = Some(state.clone());
        Ok(state)
    }

    /// Makes the bytes after the last part durable.
    async fn put_tail(&mut self, end: u64) -> Result<Option<String>> {
        let from = self.parts.position();
        let Stage::Flowing(flow) = &self.stage else {
            return Ok(None);
        };
        if from == end {
            return Ok(None);
        }
        let range = flow
            .write
            .ask(move |scratch| scratch.range(from..end))
            .await??;
        let bytes = self.shared.read_part(range).await?;
        let name = ObjectNames::tail_name(self.epoch, end);
        let object = self.shared.names.tail(&self.key, &name);
        let put = self
            .shared
            .bucket
            .put(&object, bytes.bytes.clone().into())
            .await;
        put.map_err(|error| failed(&error, &self.key))?;
        Ok(Some(name))
    }

    /// Takes in the tail of a saved state, as far as there is one.
    async fn read_tail(&mut self, state: &UploadState) -> Result<()> {
        let Some(name) = self.tails.first().cloned().flatten() else {
            return Ok(());
        };
        let object = self.shared.names.tail(&self.key, &name);
        match self.shared.bucket.get(&object).await {
            Ok(found) => {
                let mut bytes = found.into_stream();
                while let Some(mut piece) = bytes
                    .try_next()
                    .await
                    .map_err(|error| failed(&error, &self.key))?
                {
                    let wanted = usize::try_from(state.offset() - self.offset());
                    piece.truncate(wanted.unwrap_or(usize::MAX));
                    self.append(piece).await?;
                }
            }
            Err(ObjectError::NotFound { .. }) => {}
            Err(error) => return Err(failed(&error, &self.key)),
        }
        if self.offset() < state.offset() {
            self.saved = None;
            let (stored, found) = (state.offset(), self.offset());
            tracing::warn!(key = %self.key, stored, found, "an upload was shortened");
        }
        Ok(())
    }

    async fn try_finish(&mut self, expected: &Digest) -> Result<()> {
        failpoint!("finish.last_byte", self.key).map_err(unknown_outcome)?;
        if let Stage::Gathering(hasher) = &mut self.stage
            && !self.parts.has_begun()
        {
            let hasher = std::mem::take(hasher);
            let rest = self.intake.rest().map(AlignedBuffer::freeze);
            return self.put_gathered(*hasher, rest, expected).await;
        }
        if let Some(rest) = self.intake.rest() {
            self.spool(rest).await?;
        }
        let quick = expected.algorithm() == Algorithm::Sha256;
        if quick {
            compare(expected, self.digest().await?)?;
        }
        failpoint!("finish.digest_ok", self.key).map_err(unknown_outcome)?;
        self.put_spooled().await?;
        if quick {
            Ok(())
        } else {
            self.read_again(expected).await
        }
    }

    /// The whole blob in one buffer: hashed in memory, put in one request.
    async fn put_gathered(
        &mut self,
        hasher: Hasher,
        rest: Option<FilledBuffer>,
        expected: &Digest,
    ) -> Result<()> {
        let (bytes, algorithm) = (rest.clone(), expected.algorithm());
        let hash = move || {
            let bytes = bytes.as_ref().map(FilledBuffer::filled).unwrap_or_default();
            digest_of(hasher, bytes, algorithm)
        };
        compare(expected, self.shared.threads.hash.run(hash).await?)?;
        failpoint!("finish.digest_ok", self.key).map_err(unknown_outcome)?;
        let payload = rest.map_or_else(PutPayload::new, |rest| {
            PutPayload::from_bytes(Bytes::from_owner(Buffer(rest)))
        });
        self.put(payload).await
    }

    /// The whole blob in the scratch file, in one request or as the last part of many.
    async fn put_spooled(&mut self) -> Result<()> {
        let end = self.offset();
        let flow = match &self.stage {
            Stage::Flowing(flow) => Some(flow),
            Stage::Gathering(_) => None,
            Stage::Broken => return Err(Error::Broken),
        };
        match flow {
            Some(flow) if !self.parts.has_begun() => {
                let range = flow
                    .write
                    .ask(move |scratch| scratch.range(0..end))
                    .await??;
                let bytes = self.shared.read_part(range).await?;
                self.put(bytes.bytes.clone().into()).await
            }
            flow => self.parts.complete(flow, end).await,
        }
    }

    async fn put(&mut self, payload: PutPayload) -> Result<()> {
        failpoint!("s3.put", self.key).map_err(unknown_outcome)?;
        let put = self
            .shared
            .bucket
            .put(&self.shared.names.blob(&self.key), payload)
            .await;
        put.map_err(|error| failed(&error, &self.key))?;
        failpoint!("s3.completed", self.key).map_err(unknown_outcome)
    }

    async fn digest(&mut self) -> Result<Digest> {
        match &self.stage {
            Stage::Gathering(hasher) => hasher.digest(),
            Stage::Flowing(flow) => flow.hash.ask(|hasher| hasher.digest()).await?,
            Stage::Broken => Err(Error::Broken),
        }
    }

    async fn read_again(&mut self, expected: &Digest) -> Result<()> {
        match self
            .shared
            .verify(&self.key, expected, self.offset())
            .await?
        {
            Verdict::Sound => Ok(()),
            Verdict::WrongDigest { actual } => compare(expected, actual),
            Verdict::Missing | Verdict::WrongSize { .. } => Err(Error::Unavailable(
                "the bucket has lost an object just put".to_owned(),
            )),
        }
    }

    /// An error may hide a success: the answer was lost, or an earlier finish got that far and
    /// nobody wrote the row. The object tells, by its size and then by its bytes, because the key
    /// may have been completed by a writer whose time was over.
    async fn confirm(&mut self, expected: &Digest, size: u64, error: Error) -> Result<()> {
        match self.shared.verify(&self.key, expected, size).await {
            Ok(Verdict::Sound) => {
                tracing::info!(key = %self.key, %error, "finished all the same");
                Ok(())
            }
            _ => Err(error),
        }
    }

    async fn remove_everything(&mut self) -> Result<()> {
        let id = self.parts.take_id();
        give_up(&self.shared, &self.key, id).await
    }

    /// Removes a tail that no row names. Where that fails, it goes with the blob.
    async fn remove_tail(&mut self, name: &str) {
        let object = self.shared.names.tail(&self.key, name);
        if let Err(error) = self.shared.remove(&object, &self.key).await {
            tracing::warn!(key = %self.key, %error, "a tail stays until its blob is removed");
        }
    }

    /// After an error, only the last checkpoint counts.
    fn heed<T>(&mut self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            self.stage = Stage::Broken;
            self.parts.stop();
        }
        result
    }
}

impl Drop for S3Upload {
    fn drop(&mut self) {
        // No row knows of these parts, so nobody else would ever remove them.
        if !self.row_knows_parts
            && let Some(id) = self.parts.take_id()
            && let Ok(runtime) = Handle::try_current()
        {
            let (shared, key) = (self.shared.clone(), self.key);
            runtime.spawn(async move {
                if let Err(error) = abort_parts(&shared, &key, &id).await {
                    tracing::warn!(%key, %error, "parts stay until the bucket's own rule");
                }
            });
        }
    }
}

/// What a bucket has of an upload; refuses what another backend has.
pub(super) fn parts_of(state: &UploadState) -> Result<&Parts> {
    match &state.place {
        Place::S3(parts) => Ok(parts),
        Place::Directory => Err(Error::BadState(
            "the upload was begun on another backend".to_owned(),
        )),
    }
}

/// Removes what there is of an upload, as its row knows it.
pub(super) async fn discard(
    shared: &Shared,
    key: &StorageKey,
    state: Option<&UploadState>,
) -> Result<()> {
    let id = match state.map(|state| &state.place) {
        Some(Place::S3(parts)) => parts.multipart.clone(),
        _ => None,
    };
    give_up(shared, key, id).await
}

async fn give_up(shared: &Shared, key: &StorageKey, id: Option<String>) -> Result<()> {
    failpoint!("upload.abort", key).map_err(unknown_outcome)?;
    if let Some(id) = id {
        abort_parts(shared, key, &id).await?;
    }
    shared.remove(&shared.names.blob(key), key).await?;
    shared.remove_tails(key).await
}

async fn abort_parts(shared: &Shared, key: &StorageKey, id: &String) -> Result<()> {
    match shared
        .bucket
        .abort_multipart(&shared.names.blob(key), id)
        .await
    {
        Ok(()) | Err(ObjectError::NotFound { .. }) => Ok(()),
        Err(error) => Err(failed(&error, key)),
    }
}

fn compare(expected: &Digest, actual: Digest) -> Result<()> {
    if actual == *expected {
        Ok(())
    } else {
        Err(Error::DigestMismatch {
            expected: expected.clone(),
            actual,
        })
    }
}

/// The digest of what `hasher` has seen, which is nothing unless an upload was resumed, and
/// `bytes`.
fn digest_of(mut hasher: Hasher, bytes: &[u8], algorithm: Algorithm) -> Result<Digest> {
    match algorithm {
        Algorithm::Sha256 => {
            hasher.update(bytes);
            hasher.digest()
        }
        Algorithm::Sha512 => {
            let mut hash = Rehasher::new(algorithm);
            hash.update(bytes);
            hash.digest()
        }
    }
}

/// A buffer as the owner of a request's bytes: given back to the budget when it has been sent.
struct Buffer(FilledBuffer);

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.0.filled()
    }
}
