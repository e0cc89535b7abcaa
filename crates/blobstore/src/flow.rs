//! [`Flow`]: full buffers on their way to the hash and to the disk, both at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use naru_handoff::AlignedBuffer;
use tokio::sync::Semaphore;

use crate::error::{Error, Result};
use crate::hash::Hasher;
use crate::lane::Lane;
use crate::threads::Threads;

/// How many buffers of one upload may be on their way, beside the one that fills.
const IN_FLIGHT: usize = 2;

/// What takes the bytes of an upload in order, on a blocking thread.
pub(crate) trait Sink: Send + 'static {
    /// Takes bytes, unless that has failed before.
    fn write(&mut self, bytes: &[u8]);

    /// Whether taking has failed.
    fn has_failed(&self) -> bool;
}

/// The two lanes of an upload that does not fit into one buffer.
pub(crate) struct Flow<W> {
    pub(crate) hash: Lane<Hasher>,
    pub(crate) write: Lane<W>,
    turns: Arc<Semaphore>,
    failed: Arc<AtomicBool>,
}

impl<W: Sink> Flow<W> {
    pub(crate) fn new(hasher: Hasher, sink: W, threads: &Threads) -> Self {
        Self {
            hash: Lane::new(hasher, threads.hash.clone()),
            write: Lane::new(sink, threads.write.clone()),
            turns: Arc::new(Semaphore::new(IN_FLIGHT)),
            failed: Arc::default(),
        }
    }

    /// Sends a buffer into both lanes, once it is its turn. Says whether the sink still works.
    pub(crate) async fn send(&self, full: AlignedBuffer) -> Result<bool> {
        let turn = self
            .turns
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| Error::Broken)?;
        if self.failed.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let (turn, buffer) = (Arc::new(turn), full.freeze());
        let (same_turn, same_buffer) = (turn.clone(), buffer.clone());
        self.hash.push(move |hasher| {
            hasher.update(buffer.filled());
            drop((buffer, turn));
        });
        let failed = self.failed.clone();
        self.write.push(move |sink| {
            sink.write(same_buffer.filled());
            failed.fetch_or(sink.has_failed(), Ordering::Relaxed);
            drop((same_buffer, same_turn));
        });
        Ok(true)
    }

    /// What hash and sink have come to, once the lanes are empty.
    pub(crate) async fn end(self) -> Result<(Hasher, W)> {
        Ok((self.hash.end().await?, self.write.end().await?))
    }
}
