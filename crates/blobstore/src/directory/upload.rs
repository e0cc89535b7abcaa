//! [`DirectoryUpload`]: drives the bytes of one upload through hash and file.
//!
//! Bytes are gathered in a buffer. What fits into one is hashed, written and flushed by a single
//! blocking task at the end: that is most blobs. Larger uploads [`Flow`]. Between requests an
//! upload holds no file, no thread and no buffer.

use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;
use naru_handoff::AlignedBuffer;
use naru_oci::{Algorithm, Digest};
use tokio::runtime::Handle;

use super::Shared;
use super::growing::{Cut, Growing, Start, alone, cut_to, discard};
use crate::error::{During, Error, Result};
use crate::failpoint;
use crate::flow::{Flow, Sink};
use crate::hash::{Hasher, Rehasher};
use crate::intake::Intake;
use crate::key::StorageKey;
use crate::state::{Place, UploadState};
use crate::upload::Finished;

/// Buffers need not end at any particular multiple beyond a page.
const NO_STRIDE: u64 = 1 << 62;

pub(crate) struct DirectoryUpload {
    shared: Arc<Shared>,
    key: StorageKey,
    epoch: i64,
    intake: Intake,
    /// The hash of everything before the intake's buffer; elsewhere while bytes flow.
    hasher: Option<Hasher>,
    flow: Option<Flow<Growing>>,
    /// How many bytes are durable.
    checkpoint: u64,
    /// Whether no file was ever made under this key.
    fresh: bool,
    cut: Cut,
}

impl Sink for Growing {
    fn write(&mut self, bytes: &[u8]) {
        Growing::write(self, bytes);
    }

    fn has_failed(&self) -> bool {
        Growing::has_failed(self)
    }
}

impl DirectoryUpload {
    pub(super) fn begin(shared: Arc<Shared>, key: StorageKey) -> Result<Self> {
        shared.names.check()?;
        Ok(Self::at(shared, key, Hasher::default(), true))
    }

    /// Goes on from what a row and the file agree on.
    pub(super) async fn resume(
        shared: Arc<Shared>,
        key: StorageKey,
        state: Option<&UploadState>,
    ) -> Result<Self> {
        shared.names.check()?;
        let epoch = state.map_or(0, |state| state.epoch);
        let hasher = match state.filter(|state| state.offset() > 0) {
            None => Hasher::default(),
            Some(state) => {
                check_place(state)?;
                let saved = state.clone();
                alone(&shared, key, move |_, file| agree(file, key, &saved)).await?
            }
        };
        let mut upload = Self::at(shared, key, hasher, false);
        upload.epoch = epoch;
        Ok(upload)
    }

    /// An upload whose bytes so far, all durable, are those that `hasher` has seen.
    fn at(shared: Arc<Shared>, key: StorageKey, hasher: Hasher, fresh: bool) -> Self {
        let checkpoint = hasher.position();
        let intake = Intake::new(shared.buffers.clone(), checkpoint, NO_STRIDE);
        Self {
            shared,
            key,
            epoch: 0,
            intake,
            hasher: Some(hasher),
            flow: None,
            checkpoint,
            fresh,
            cut: Cut::default(),
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
        if let Some(flow) = &self.flow {
            let end = self.intake.expected_end();
            flow.write.push(move |growing| growing.expect(end));
        }
    }

    pub(crate) async fn append(&mut self, mut bytes: Bytes) -> Result<()> {
        if self.hasher.is_none() && self.flow.is_none() {
            return Err(Error::Broken);
        }
        while let Some(full) = self.intake.take(&mut bytes).await {
            self.send(full).await?;
        }
        Ok(())
    }

    pub(crate) async fn checkpoint(&mut self) -> Result<UploadState> {
        if self.offset() > self.checkpoint {
            let mut ending = self.ending().await?;
            let kept = self.shared.threads.write.run(move || {
                ending.hash_rest();
                ending.write_rest()?.settle()?;
                failpoint!("upload.checkpoint", ending.start.key).during("keep an upload")?;
                Ok(ending.hasher)
            });
            let hasher = kept.await?;
            self.checkpoint = hasher.position();
            self.hasher = Some(hasher);
        }
        self.state()
    }

    pub(crate) async fn finish(mut self, expected: &Digest) -> Result<Finished> {
        let (ending, expected) = (self.ending().await?, expected.clone());
        let size = self
            .shared
            .threads
            .write
            .run(move || ending.finish(&expected))
            .await?;
        Ok(Finished { size })
    }

    pub(crate) async fn abort(mut self) -> Result<()> {
        self.cut.cut();
        let flow = self.flow.take();
        self.shared
            .threads
            .write
            .run(move || {
                // Jobs that wait are forgotten, and the file is closed here.
                drop(flow);
                Ok(())
            })
            .await?;
        discard(&self.shared, self.key).await
    }

    async fn send(&mut self, full: AlignedBuffer) -> Result<()> {
        if self.flow.is_none() {
            self.start_flow().await?;
        }
        let Some(flow) = &self.flow else {
            return Err(Error::Broken);
        };
        if flow.send(full).await? {
            Ok(())
        } else {
            Err(self.failure().await)
        }
    }

    async fn start_flow(&mut self) -> Result<()> {
        let mut growing = Growing::open(&self.shared, &self.start()).await?;
        growing.expect(self.intake.expected_end());
        self.fresh = false;
        let hasher = self.hasher.take().ok_or(Error::Broken)?;
        self.flow = Some(Flow::new(hasher, growing, &self.shared.threads));
        Ok(())
    }

    /// Why the writing lane gave up.
    async fn failure(&mut self) -> Error {
        let Some(flow) = self.flow.take() else {
            return Error::Broken;
        };
        match flow.write.end().await {
            Ok(growing) => {
                let give_up = move || Err::<(), _>(growing.into_error());
                self.shared
                    .threads
                    .write
                    .run(give_up)
                    .await
                    .err()
                    .unwrap_or(Error::Broken)
            }
            Err(error) => error,
        }
    }

    /// Waits until the lanes are empty and gathers everything that is needed to end. Opens the file
    /// of an upload that goes on; that of a fresh one is made with the last step, in one go.
    async fn ending(&mut self) -> Result<Ending> {
        let start = self.start();
        let (hasher, growing) = match self.flow.take() {
            Some(flow) => {
                let (hasher, growing) = flow.end().await?;
                (hasher, Some(growing))
            }
            None => (self.hasher.take().ok_or(Error::Broken)?, None),
        };
        let growing = match growing {
            None if !self.fresh => Some(Growing::open(&self.shared, &start).await?),
            growing => growing,
        };
        self.fresh = false;
        let rest = self.intake.rest();
        Ok(Ending {
            shared: self.shared.clone(),
            start,
            hasher,
            growing,
            rest,
        })
    }

    fn state(&self) -> Result<UploadState> {
        let hasher = self.hasher.as_ref().ok_or(Error::Broken)?;
        Ok(UploadState::new(
            self.epoch,
            self.checkpoint,
            hasher.save(),
            Place::Directory,
        ))
    }

    fn start(&self) -> Start {
        Start {
            key: self.key,
            checkpoint: self.checkpoint,
            fresh: self.fresh,
            cut: self.cut.clone(),
        }
    }
}

impl Drop for DirectoryUpload {
    fn drop(&mut self) {
        self.cut.cut();
        // Closing (and perhaps removing) a large file takes its time.
        if let (Some(flow), Ok(runtime)) = (self.flow.take(), Handle::try_current()) {
            runtime.spawn_blocking(move || drop(flow));
        }
    }
}

/// The last step of an upload, or of a part of it that ends with a checkpoint.
struct Ending {
    shared: Arc<Shared>,
    start: Start,
    hasher: Hasher,
    growing: Option<Growing>,
    rest: Option<AlignedBuffer>,
}

impl Ending {
    fn hash_rest(&mut self) {
        if let Some(rest) = &self.rest {
            self.hasher.update(rest.filled());
        }
    }

    /// Writes what was gathered last. Makes the file, if nothing has yet.
    fn write_rest(&mut self) -> Result<Growing> {
        let mut growing = match self.growing.take() {
            Some(growing) => growing,
            None => {
                Growing::open_now(self.shared.clone(), &self.start)?.ok_or(Error::TakenOver {
                    key: self.start.key,
                })?
            }
        };
        if let Some(rest) = self.rest.take() {
            growing.write(rest.filled());
        }
        Ok(growing)
    }

    /// Verifies and makes durable: digest, then data, then names.
    fn finish(mut self, expected: &Digest) -> Result<u64> {
        const ACTION: &str = "finish an upload";
        let key = self.start.key;
        failpoint!("finish.last_byte", key).during(ACTION)?;
        self.hash_rest();
        let quick = expected.algorithm() == Algorithm::Sha256;
        if quick {
            let actual = self.hasher.digest()?;
            self.compare(expected, actual)?;
        }
        let size = self.hasher.position();
        let growing = self.write_rest()?;
        if !quick {
            let algorithm = expected.algorithm();
            let reread = |file: &_, size| Rehasher::digest_of_file(algorithm, file, size);
            match growing.reread(reread) {
                Ok(actual) if actual == *expected => {}
                Ok(actual) => {
                    self.growing = Some(growing);
                    return self.compare(expected, actual).map(|()| size);
                }
                Err(error) if growing.has_failed() => {
                    tracing::debug!(%error, "not read again, because it was not written");
                    return Err(growing.into_error());
                }
                Err(error) => return Err(error),
            }
        }
        failpoint!("finish.digest_ok", key).during(ACTION)?;
        growing.settle()?;
        Ok(size)
    }

    /// Compares; where that fails, nothing is left.
    fn compare(&mut self, expected: &Digest, actual: Digest) -> Result<()> {
        if actual == *expected {
            return Ok(());
        }
        if let Some(growing) = self.growing.take() {
            growing.discard();
        }
        Err(Error::DigestMismatch {
            expected: expected.clone(),
            actual,
        })
    }
}

/// Refuses what another backend has.
pub(super) fn check_place(state: &UploadState) -> Result<()> {
    match &state.place {
        Place::Directory => Ok(()),
        Place::S3(_) => Err(Error::BadState(
            "the upload was begun on another backend".to_owned(),
        )),
    }
}

/// What the row says and the file has, whichever is less: the hash of exactly so many bytes.
fn agree(file: &File, key: StorageKey, state: &UploadState) -> Result<Hasher> {
    let length = cut_to(file, state.offset())?;
    if length == state.offset() && state.hash.position == length {
        return Hasher::restore(&state.hash);
    }
    tracing::warn!(%key, stored = state.offset(), found = length, "an upload was shortened");
    Hasher::of_file(file, length)
}
