//! [`Intake`]: gathers the frames of a request body into aligned buffers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Buf, Bytes};
use naru_handoff::{AlignedBuffer, BufferPool, PAGE};

/// The sizes of buffers, in bytes. They are few, and chosen by what changes slowly, so that a
/// buffer given back fits who waits for one, and memory is not asked from the system again and
/// again. The smallest is for blobs known to be small.
const SIZES: [usize; 4] = [
    BufferPool::SMALL / 4,
    BufferPool::SMALL,
    BufferPool::MEDIUM,
    BufferPool::LARGE,
];

/// The memory of all uploads of a store, and how many of them share it at the moment.
#[derive(Clone, Debug)]
pub(crate) struct Buffers {
    pool: BufferPool,
    gathering: Arc<AtomicUsize>,
}

impl Buffers {
    pub(crate) fn new(pool: BufferPool) -> Self {
        Self {
            pool,
            gathering: Arc::default(),
        }
    }

    pub(crate) fn pool(&self) -> &BufferPool {
        &self.pool
    }

    /// What a buffer should hold so that everybody who gathers now can have one that fills and one
    /// on its way.
    fn capacity(&self) -> usize {
        let uploads = self.gathering.load(Ordering::Relaxed).max(1);
        let share = self.pool.budget() / uploads.saturating_mul(2);
        let largest = SIZES.into_iter().rev().find(|&size| size <= share);
        largest.unwrap_or(BufferPool::SMALL).max(BufferPool::SMALL)
    }

    fn gather(&self) -> Gathering {
        self.gathering.fetch_add(1, Ordering::Relaxed);
        Gathering(self.gathering.clone())
    }
}

/// One upload that gathers, as long as this lives.
struct Gathering(Arc<AtomicUsize>);

impl Drop for Gathering {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The front of every upload: counts bytes and fills one buffer at a time.
pub(crate) struct Intake {
    buffers: Buffers,
    gathering: Option<Gathering>,
    filling: Option<Filling>,
    offset: u64,
    /// Where the bytes announced so far end, or less when nothing was announced.
    expected_end: u64,
    /// A buffer never reaches over a multiple of this, at least [`PAGE`].
    stride: u64,
}

struct Filling {
    buffer: AlignedBuffer,
    /// How many bytes it is to hold, so that it ends where the next one should begin.
    limit: usize,
}

impl Intake {
    /// For bytes from `offset` on. Buffers end at multiples of a page, which suits direct writes,
    /// and none reaches over a multiple of `stride`, which is a multiple of a page itself.
    pub(crate) fn new(buffers: Buffers, offset: u64, stride: u64) -> Self {
        Self {
            buffers,
            gathering: None,
            filling: None,
            offset,
            expected_end: offset,
            stride,
        }
    }

    /// How many bytes the upload has, counted from its beginning.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Where the announced bytes end; not beyond [`Intake::offset`] when nothing is known.
    pub(crate) fn expected_end(&self) -> u64 {
        self.expected_end
    }

    /// Announces that `more` bytes are about to come.
    pub(crate) fn expect(&mut self, more: u64) {
        self.expected_end = self.offset.saturating_add(more);
    }

    /// Moves bytes into the buffer. Gives the buffer back when it is full and there are more bytes:
    /// so an upload that fits into one buffer never leaves memory before its end.
    ///
    /// Waits while the budget of all uploads is spent, holding nothing. Nothing is lost when the
    /// future is dropped: what was taken is counted.
    pub(crate) async fn take(&mut self, bytes: &mut Bytes) -> Option<AlignedBuffer> {
        while !bytes.is_empty() {
            let filling = match &mut self.filling {
                Some(filling) => filling,
                None => {
                    let fresh = self.acquire().await;
                    self.filling.insert(fresh)
                }
            };
            let room = filling.limit.saturating_sub(filling.buffer.len());
            if room == 0 {
                return self.filled();
            }
            let taken = filling.buffer.push(bytes.get(..room).unwrap_or(bytes));
            bytes.advance(taken);
            self.offset += taken as u64;
        }
        None
    }

    /// What has been gathered and not been given yet; nothing more comes for now.
    pub(crate) fn rest(&mut self) -> Option<AlignedBuffer> {
        self.gathering = None;
        self.filled()
    }

    fn filled(&mut self) -> Option<AlignedBuffer> {
        self.filling.take().map(|filling| filling.buffer)
    }

    async fn acquire(&mut self) -> Filling {
        self.gathering.get_or_insert_with(|| self.buffers.gather());
        let buffer = self.buffers.pool.acquire(self.capacity()).await;
        let page = PAGE as u64;
        let to_page = buffer.capacity() as u64 - self.offset % page;
        let to_stride = self.stride - self.offset % self.stride;
        let limit = usize::try_from(to_page.min(to_stride)).unwrap_or(buffer.capacity());
        Filling { buffer, limit }
    }

    fn capacity(&self) -> usize {
        let usual = self.buffers.capacity();
        match usize::try_from(self.expected_end.saturating_sub(self.offset)) {
            Ok(0) | Err(_) => usual,
            Ok(coming) => SIZES
                .into_iter()
                .find(|&size| size >= coming)
                .unwrap_or(usual)
                .min(usual),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffers() -> Buffers {
        Buffers::new(BufferPool::new(48 << 20))
    }

    #[tokio::test]
    async fn buffers_are_smaller_the_more_uploads_share_them() {
        let buffers = buffers();
        let mut intakes = Vec::new();
        for (uploads, size) in [
            (1, 1 << 20),
            (24, 1 << 20),
            (25, 256 << 10),
            (96, 256 << 10),
            (97, 64 << 10),
        ] {
            while intakes.len() < uploads {
                let mut intake = Intake::new(buffers.clone(), 0, 1 << 30);
                intake.expect(1);
                intake.take(&mut Bytes::from_static(b"x")).await;
                intakes.push(intake);
            }
            assert_eq!(buffers.capacity(), size, "{uploads} uploads");
        }
        intakes.clear();
        assert_eq!(buffers.capacity(), 1 << 20);
    }

    #[tokio::test]
    async fn buffers_end_at_pages_and_strides() {
        let mut intake = Intake::new(buffers(), 4095, 3 * PAGE as u64);
        let mut bytes = Bytes::from(vec![1; 5 * PAGE]);
        let mut lengths = Vec::new();
        while let Some(buffer) = intake.take(&mut bytes).await {
            lengths.push(buffer.len());
        }
        lengths.push(intake.rest().unwrap().len());
        assert_eq!(lengths, [2 * PAGE + 1, 3 * PAGE - 1]);
        assert_eq!(intake.offset(), 4095 + 5 * PAGE as u64);
    }

    #[tokio::test]
    async fn what_fits_one_buffer_stays_in_it() {
        let buffers = buffers();
        let pool = buffers.pool().clone();
        let mut intake = Intake::new(buffers, 0, 1 << 30);
        intake.expect(5000);
        let mut bytes = Bytes::from(vec![1; 5000]);
        assert!(intake.take(&mut bytes).await.is_none());
        assert_eq!(pool.in_use(), 16 << 10);
        assert_eq!(intake.rest().unwrap().len(), 5000);
        assert!(intake.rest().is_none());
        assert_eq!(pool.in_use(), 0);
    }

    #[tokio::test]
    async fn more_than_was_announced_is_taken_too() {
        let mut intake = Intake::new(buffers(), 0, 1 << 30);
        intake.expect(1);
        let mut bytes = Bytes::from(vec![1; 5 * PAGE]);
        assert_eq!(intake.take(&mut bytes).await.unwrap().len(), 4 * PAGE);
        assert!(intake.take(&mut bytes).await.is_none());
        assert_eq!(intake.offset(), 5 * PAGE as u64);
    }
}
