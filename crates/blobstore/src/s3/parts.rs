//! [`Multipart`]: parts on their way from the scratch file to the bucket.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use naru_handoff::FileRange;
use object_store::multipart::PartId;
use tokio_util::task::AbortOnDropHandle;

use super::scratch::{self, SLOTS, Scratch};
use super::{Shared, failed};
use crate::error::{Error, Result};
use crate::failpoint;
use crate::flow::Flow;
use crate::hash::SavedHash;
use crate::key::StorageKey;
use crate::state::Parts;

/// The size of every part but the last, in bytes: some stores want equal parts.
pub(super) const PART: u64 = 8 << 20;
/// How many parts a multipart upload can have (S3, "Multipart upload limits").
const MOST_PARTS: u64 = 10_000;
/// The largest blob this backend can take, in bytes: 78 GiB.
pub(super) const LARGEST: u64 = MOST_PARTS * PART;

/// The parts of one upload: those done, and those on their way.
pub(super) struct Multipart {
    shared: Arc<Shared>,
    key: StorageKey,
    id: Option<String>,
    done: Vec<String>,
    /// The hash of what is done, for another replica to go on from.
    hash: SavedHash,
    sending: VecDeque<Sending>,
}

struct Sending {
    tag: AbortOnDropHandle<Result<String>>,
    hash: BoxFuture<'static, Result<SavedHash>>,
}

impl Multipart {
    /// Goes on after the parts of a saved state, which `hash` has seen.
    pub(super) fn new(shared: Arc<Shared>, key: StorageKey, parts: Parts, hash: SavedHash) -> Self {
        let Parts {
            multipart, done, ..
        } = parts;
        Self {
            shared,
            key,
            id: multipart,
            done,
            hash,
            sending: VecDeque::new(),
        }
    }

    /// Whether the bucket knows of a multipart upload.
    pub(super) fn has_begun(&self) -> bool {
        self.id.is_some()
    }

    /// Where the parts that are done end.
    pub(super) fn position(&self) -> u64 {
        self.done.len() as u64 * PART
    }

    /// For a row, once nothing is on its way.
    pub(super) fn state(&self, tail: Option<String>) -> (Parts, SavedHash) {
        let parts = Parts {
            multipart: self.id.clone(),
            done: self.done.clone(),
            tail,
        };
        (parts, self.hash.clone())
    }

    /// Sends the part that the bytes given to `flow` so far complete. Comes back as soon as its
    /// successor has room in the scratch file.
    pub(super) async fn send(&mut self, flow: &Flow<Scratch>) -> Result<()> {
        let index = self.done.len() + self.sending.len();
        let from = index as u64 * PART;
        // Both wait in line now, before the bytes of the next part.
        let hash = flow.hash.ask(|hasher| hasher.save());
        let range = flow
            .write
            .ask(move |scratch| scratch.range(from..from + PART));
        let id = self.begun().await?;
        let put = put_part(self.shared.clone(), self.key, id, index, range);
        let tag = AbortOnDropHandle::new(tokio::spawn(put));
        self.sending.push_back(Sending { tag, hash });
        while self.sending.len() as u64 >= SLOTS {
            self.wait_for_one().await?;
        }
        Ok(())
    }

    /// Waits until all parts have arrived.
    pub(super) async fn wait(&mut self) -> Result<()> {
        while !self.sending.is_empty() {
            self.wait_for_one().await?;
        }
        Ok(())
    }

    /// Ends with the bytes after the last full part, if any: afterwards there is an object.
    pub(super) async fn complete(&mut self, flow: Option<&Flow<Scratch>>, end: u64) -> Result<()> {
        self.wait().await?;
        let id = self.begun().await?;
        let from = self.position();
        if let Some(flow) = flow.filter(|_| from < end) {
            let range = flow.write.ask(move |scratch| scratch.range(from..end));
            let index = self.done.len();
            let put = put_part(self.shared.clone(), self.key, id.clone(), index, range);
            self.done.push(put.await?);
        }
        failpoint!("s3.complete", self.key).map_err(unknown_outcome)?;
        let parts = self
            .done
            .iter()
            .map(|tag| PartId {
                content_id: tag.clone(),
            })
            .collect();
        let name = self.shared.names.blob(&self.key);
        let completed = self
            .shared
            .bucket
            .complete_multipart(&name, &id, parts)
            .await;
        completed.map_err(|error| failed(&error, &self.key))?;
        self.id = None;
        failpoint!("s3.completed", self.key).map_err(unknown_outcome)
    }

    /// Stops what is on its way.
    pub(super) fn stop(&mut self) {
        self.sending.clear();
    }

    /// Stops, and hands over the id for the bucket to forget the parts.
    pub(super) fn take_id(&mut self) -> Option<String> {
        self.stop();
        self.id.take()
    }

    async fn begun(&mut self) -> Result<String> {
        if let Some(id) = &self.id {
            return Ok(id.clone());
        }
        failpoint!("s3.create", self.key).map_err(unknown_outcome)?;
        let created = self
            .shared
            .bucket
            .create_multipart(&self.shared.names.blob(&self.key))
            .await;
        let id = created.map_err(|error| failed(&error, &self.key))?;
        Ok(self.id.insert(id).clone())
    }

    async fn wait_for_one(&mut self) -> Result<()> {
        let Some(first) = self.sending.front_mut() else {
            return Ok(());
        };
        let tag = (&mut first.tag).await.map_err(|_| Error::Broken)??;
        let hash = (&mut first.hash).await?;
        self.sending.pop_front();
        self.done.push(tag);
        self.hash = hash;
        Ok(())
    }
}

/// Reads a part and puts it, once there is memory for it. Putting it twice is harmless.
async fn put_part(
    shared: Arc<Shared>,
    key: StorageKey,
    id: String,
    index: usize,
    range: BoxFuture<'static, Result<Result<FileRange>>>,
) -> Result<String> {
    let range = range.await??;
    let bytes = shared.read_part(range).await?;
    failpoint!("s3.part", key).map_err(unknown_outcome)?;
    let payload = bytes.bytes.clone().into();
    let put = shared
        .bucket
        .put_part(&shared.names.blob(&key), &id, index, payload)
        .await;
    let tag = put.map_err(|error| failed(&error, &key))?;
    Ok(tag.content_id)
}

/// A part in memory, and its share of the memory for parts.
pub(super) struct PartInMemory {
    pub(super) bytes: Bytes,
    _permit: tokio::sync::OwnedSemaphorePermit,
}

impl Shared {
    /// Reads spooled bytes, at most one part, once there is memory for them. Who holds that memory
    /// waits for nothing but the bucket.
    pub(super) async fn read_part(&self, range: FileRange) -> Result<PartInMemory> {
        let permit = self
            .part_memory
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| Error::Broken)?;
        let bytes = self.threads.read.run(move || scratch::read(range)).await?;
        Ok(PartInMemory {
            bytes,
            _permit: permit,
        })
    }
}

/// A failpoint stands for an answer that was lost.
pub(super) fn unknown_outcome(error: std::io::Error) -> Error {
    Error::Unavailable(error.to_string())
}
