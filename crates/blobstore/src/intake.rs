//! [`Intake`]: gathers the frames of a request body into aligned buffers.

use bytes::{Buf, Bytes};
use naru_handoff::{AlignedBuffer, BufferPool, PAGE};

/// The front of every upload: counts bytes and fills one buffer at a time.
pub(crate) struct Intake {
    buffers: BufferPool,
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
    pub(crate) fn new(buffers: BufferPool, offset: u64, stride: u64) -> Self {
        Self {
            buffers,
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
                return self.rest();
            }
            let taken = filling.buffer.push(bytes.get(..room).unwrap_or(bytes));
            bytes.advance(taken);
            self.offset += taken as u64;
        }
        None
    }

    /// What has been gathered and not been given yet.
    pub(crate) fn rest(&mut self) -> Option<AlignedBuffer> {
        self.filling.take().map(|filling| filling.buffer)
    }

    async fn acquire(&self) -> Filling {
        let coming = self.expected_end.saturating_sub(self.offset);
        // Powers of two, so that buffers given back fit the next upload.
        let at_most = match usize::try_from(coming) {
            Ok(0) | Err(_) => usize::MAX,
            Ok(coming) => coming.checked_next_power_of_two().unwrap_or(usize::MAX),
        };
        let buffer = self.buffers.acquire_for_load(at_most).await;
        let page = PAGE as u64;
        let to_page = buffer.capacity() as u64 - self.offset % page;
        let to_stride = self.stride - self.offset % self.stride;
        let limit = usize::try_from(to_page.min(to_stride)).unwrap_or(buffer.capacity());
        Filling { buffer, limit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn buffers_end_at_pages_and_strides() {
        let mut intake = Intake::new(BufferPool::default(), 4095, 3 * PAGE as u64);
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
        let pool = BufferPool::default();
        let mut intake = Intake::new(pool.clone(), 0, 1 << 30);
        intake.expect(5000);
        let mut bytes = Bytes::from(vec![1; 5000]);
        assert!(intake.take(&mut bytes).await.is_none());
        assert_eq!(pool.in_use(), 8192);
        assert_eq!(intake.rest().unwrap().len(), 5000);
        assert!(intake.rest().is_none());
        assert_eq!(pool.in_use(), 0);
    }

    #[tokio::test]
    async fn more_than_was_announced_is_taken_too() {
        let mut intake = Intake::new(BufferPool::default(), 0, 1 << 30);
        intake.expect(1);
        let mut bytes = Bytes::from(vec![1; PAGE + 1]);
        assert_eq!(intake.take(&mut bytes).await.unwrap().len(), PAGE);
        assert!(intake.take(&mut bytes).await.is_none());
        assert_eq!(intake.offset(), PAGE as u64 + 1);
    }
}
