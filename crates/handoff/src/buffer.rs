//! Page-aligned buffers out of one global byte budget.
//!
//! Uploads copy the frames of a request body into an [`AlignedBuffer`], [`freeze`] it when it is
//! full, and give the [`FilledBuffer`] to a hashing and a writing thread at the same time. Its start
//! and its padded length suit `O_DIRECT`. The last clone that is dropped gives the memory back.
//!
//! A [`BufferPool`] never has more bytes in its users' hands than its budget, however many uploads
//! run: who wants a buffer waits for one, which is also the back-pressure that reaches the client's
//! socket. Two habits keep it alive and fair:
//!
//! - never wait for a second buffer while holding one that is not frozen yet (two uploads could
//!   otherwise wait for each other forever);
//! - ask with [`BufferPool::acquire_for_load`], which gives smaller buffers when the budget is
//!   nearly spent, so that a slow client cannot occupy much of it.
//!
//! ```
//! # async fn upload() {
//! use naru_handoff::BufferPool;
//!
//! let pool = BufferPool::default();
//! let mut buffer = pool.acquire_for_load(usize::MAX).await;
//! let taken = buffer.push(b"the bytes of one frame");
//! assert_eq!(taken, 22);
//! let filled = buffer.freeze();
//! assert_eq!(filled.filled().len(), 22); // what is hashed
//! assert_eq!(filled.padded().len(), 4096); // what is written; then the file is cut to length
//! # }
//! ```
//!
//! [`freeze`]: AlignedBuffer::freeze

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The alignment of every buffer and the unit of its capacity, in bytes. No common disk or
/// filesystem asks more of `O_DIRECT`.
pub const PAGE: usize = 4096;

/// A buffer of fixed capacity whose memory starts on a page boundary.
///
/// It is filled by one owner; [`AlignedBuffer::freeze`] turns it into something to share.
pub struct AlignedBuffer {
    block: Block,
    len: usize,
    lease: Option<Lease>,
}

impl AlignedBuffer {
    /// A buffer outside any pool. The capacity is rounded up to whole pages, at least one.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            block: Block::new(pages(capacity)),
            len: 0,
            lease: None,
        }
    }

    /// Copies as much of `bytes` as fits and says how much that was; 0 means the buffer is full.
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        let room = self
            .block
            .bytes_mut()
            .get_mut(self.len..)
            .unwrap_or_default();
        let taken = room.len().min(bytes.len());
        if let (Some(to), Some(from)) = (room.get_mut(..taken), bytes.get(..taken)) {
            to.copy_from_slice(from);
        }
        self.len += taken;
        taken
    }

    /// What has been pushed so far.
    #[must_use]
    pub fn filled(&self) -> &[u8] {
        self.block.bytes().get(..self.len).unwrap_or_default()
    }

    /// How many bytes have been pushed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing has been pushed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether nothing more fits.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.len == self.capacity()
    }

    /// How many bytes fit in all: a multiple of [`PAGE`] that never changes.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.block.capacity()
    }

    /// Forgets what was pushed, to be filled anew.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Ends the filling. The rest of the last page becomes zeros, so that what an earlier upload
    /// left in this memory never reaches a disk.
    #[must_use]
    pub fn freeze(mut self) -> FilledBuffer {
        let end = self.padded_len();
        if let Some(rest) = self.block.bytes_mut().get_mut(self.len..end) {
            rest.fill(0);
        }
        FilledBuffer(Arc::new(self))
    }

    fn padded_len(&self) -> usize {
        self.len.next_multiple_of(PAGE)
    }
}

impl fmt::Debug for AlignedBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the bytes: they are somebody's upload.
        write!(
            f,
            "AlignedBuffer({} of {} bytes)",
            self.len,
            self.capacity()
        )
    }
}

impl Drop for AlignedBuffer {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back(std::mem::take(&mut self.block));
        }
    }
}

/// A full (or last) buffer, readable by several threads at once. Clones share the memory.
#[derive(Clone, Debug)]
pub struct FilledBuffer(Arc<AlignedBuffer>);

impl FilledBuffer {
    /// The bytes that were pushed.
    #[must_use]
    pub fn filled(&self) -> &[u8] {
        self.0.filled()
    }

    /// The bytes that were pushed, then zeros up to the next page boundary: start and length suit
    /// an `O_DIRECT` write. The file must be cut to its true length afterwards.
    #[must_use]
    pub fn padded(&self) -> &[u8] {
        self.0
            .block
            .bytes()
            .get(..self.0.padded_len())
            .unwrap_or_default()
    }
}

/// One budget of bytes, shared by all uploads. Clones share it.
#[derive(Clone, Debug)]
pub struct BufferPool(Arc<Shared>);

impl BufferPool {
    /// 48 MiB: enough for a dozen fast uploads, little enough for a small machine.
    pub const DEFAULT_BUDGET: usize = 48 << 20;
    /// What one buffer holds while the budget is mostly unused, in bytes.
    pub const LARGE: usize = 1 << 20;
    /// What one buffer holds while many uploads run, in bytes.
    pub const MEDIUM: usize = 256 << 10;
    /// What one buffer holds when the budget is nearly spent, in bytes.
    pub const SMALL: usize = 64 << 10;

    /// A pool that hands out at most `budget` bytes at a time (whole pages, at least one).
    #[must_use]
    pub fn new(budget: usize) -> Self {
        // A buffer's size in pages must fit tokio's 32-bit permit count; 1 TiB will do.
        let budget = pages(budget).min(1 << 40);
        Self(Arc::new(Shared {
            budget,
            pages: Arc::new(Semaphore::new(budget / PAGE)),
            spare: Mutex::new(Vec::new()),
        }))
    }

    /// Waits for a buffer of `capacity` bytes, rounded up to whole pages. First come, first
    /// served. A capacity beyond the whole budget gets the whole budget.
    pub async fn acquire(&self, capacity: usize) -> AlignedBuffer {
        let capacity = pages(capacity).min(self.0.budget);
        // The semaphore is never closed, so there is always a permit.
        let permit = self
            .0
            .pages
            .clone()
            .acquire_many_owned(permits(capacity))
            .await
            .ok();
        self.lend(capacity, permit)
    }

    /// Waits for a buffer whose size suits the load: [`Self::LARGE`] while half of the budget is
    /// free, then [`Self::MEDIUM`], and [`Self::SMALL`] when less than an eighth is left; and no
    /// larger than `at_most` bytes, which is what is still to come (`usize::MAX` when unknown).
    pub async fn acquire_for_load(&self, at_most: usize) -> AlignedBuffer {
        self.acquire(self.capacity_for_load().min(at_most)).await
    }

    /// A buffer of `capacity` bytes if the budget has room right now and nobody waits.
    #[must_use]
    pub fn try_acquire(&self, capacity: usize) -> Option<AlignedBuffer> {
        let capacity = pages(capacity).min(self.0.budget);
        let permit = self
            .0
            .pages
            .clone()
            .try_acquire_many_owned(permits(capacity))
            .ok()?;
        Some(self.lend(capacity, Some(permit)))
    }

    /// The budget, in bytes.
    #[must_use]
    pub fn budget(&self) -> usize {
        self.0.budget
    }

    /// How many bytes are in users' hands, for the metrics.
    #[must_use]
    pub fn in_use(&self) -> usize {
        self.0.in_use()
    }

    /// Returns spare memory to the system; for quiet times.
    pub fn trim(&self) {
        self.0.spare().clear();
    }

    fn capacity_for_load(&self) -> usize {
        let free = self.0.budget - self.in_use();
        if free >= self.0.budget / 2 {
            Self::LARGE
        } else if free >= self.0.budget / 8 {
            Self::MEDIUM
        } else {
            Self::SMALL
        }
    }

    fn lend(&self, capacity: usize, permit: Option<OwnedSemaphorePermit>) -> AlignedBuffer {
        let block = self
            .0
            .take_spare(capacity)
            .unwrap_or_else(|| Block::new(capacity));
        let lease = Lease {
            pool: self.0.clone(),
            _permit: permit,
        };
        AlignedBuffer {
            block,
            len: 0,
            lease: Some(lease),
        }
    }
}

impl Default for BufferPool {
    fn default() -> Self {
        Self::new(Self::DEFAULT_BUDGET)
    }
}

#[derive(Debug)]
struct Shared {
    budget: usize,
    /// One permit per page that is not in users' hands.
    pages: Arc<Semaphore>,
    /// Memory given back and kept, because touching fresh pages costs more than the copy.
    spare: Mutex<Vec<Block>>,
}

impl Shared {
    fn in_use(&self) -> usize {
        self.budget
            .saturating_sub(self.pages.available_permits() * PAGE)
    }

    /// A spare block of this capacity. Where there is none a new one must be made, and the other
    /// spare ones make room for it, so that pool and users together stay within the budget.
    fn take_spare(&self, capacity: usize) -> Option<Block> {
        let mut spare = self.spare();
        if let Some(at) = spare.iter().rposition(|block| block.capacity() == capacity) {
            return Some(spare.swap_remove(at));
        }
        while !spare.is_empty() && total(&spare) + self.in_use() > self.budget {
            spare.swap_remove(0);
        }
        None
    }

    /// Keeps the block while all spare ones are at most a quarter of the budget.
    fn keep(&self, block: Block) {
        let mut spare = self.spare();
        if total(&spare) + block.capacity() <= self.budget / 4 {
            spare.push(block);
        }
    }

    fn spare(&self) -> MutexGuard<'_, Vec<Block>> {
        // The list is whole between any two statements, also after a panic elsewhere.
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A buffer's part of the budget. The permit is released after the block has been kept, because
/// fields drop after [`Lease::give_back`] has run.
struct Lease {
    pool: Arc<Shared>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Lease {
    fn give_back(self, block: Block) {
        self.pool.keep(block);
    }
}

/// Memory with room for an aligned part. Safe code suffices: one page more than needed is
/// allocated (and never touched), and the part starts at the first page boundary.
#[derive(Debug, Default)]
struct Block {
    memory: Box<[u8]>,
    start: usize,
}

impl Block {
    /// `capacity` is a multiple of [`PAGE`].
    fn new(capacity: usize) -> Self {
        let memory = vec![0; capacity + PAGE].into_boxed_slice();
        let address = memory.as_ptr().addr();
        Self {
            start: address.next_multiple_of(PAGE) - address,
            memory,
        }
    }

    fn capacity(&self) -> usize {
        self.memory.len().saturating_sub(PAGE)
    }

    fn bytes(&self) -> &[u8] {
        self.memory
            .get(self.start..self.start + self.capacity())
            .unwrap_or_default()
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        let end = self.start + self.capacity();
        self.memory.get_mut(self.start..end).unwrap_or_default()
    }
}

fn total(blocks: &[Block]) -> usize {
    blocks.iter().map(Block::capacity).sum()
}

fn pages(bytes: usize) -> usize {
    bytes.max(1).next_multiple_of(PAGE)
}

fn permits(capacity: usize) -> u32 {
    u32::try_from(capacity / PAGE).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_buffer_starts_on_a_page_and_holds_whole_pages() {
        for capacity in [0, 1, 4096, 5000, 1 << 20] {
            let buffer = AlignedBuffer::new(capacity);
            assert_eq!(buffer.block.bytes().as_ptr().addr() % PAGE, 0);
            assert_eq!(buffer.capacity(), capacity.max(1).div_ceil(PAGE) * PAGE);
        }
    }

    #[test]
    fn a_push_takes_what_fits() {
        let mut buffer = AlignedBuffer::new(PAGE);
        assert_eq!(buffer.push(&[1; 4000]), 4000);
        assert_eq!(buffer.push(&[2; 4000]), 96);
        assert!(buffer.is_full());
        assert_eq!(buffer.push(&[3; 1]), 0);
        assert_eq!(buffer.filled().get(4000..), Some(&[2; 96][..]));
    }

    #[test]
    fn padding_is_zero_even_in_memory_that_was_used_before() {
        let pool = BufferPool::new(16 * PAGE);
        let mut first = pool.try_acquire(2 * PAGE).unwrap();
        first.push(&[0xff; 2 * PAGE]);
        let address = first.block.bytes().as_ptr();
        drop(first);
        let mut second = pool.try_acquire(2 * PAGE).unwrap();
        assert_eq!(
            second.block.bytes().as_ptr(),
            address,
            "the memory is used again"
        );
        second.push(b"abc");
        let second = second.freeze();
        assert_eq!(second.filled(), b"abc");
        assert_eq!(second.padded().len(), PAGE);
        assert!(second.padded().iter().skip(3).all(|&byte| byte == 0));
    }

    #[test]
    fn a_full_buffer_needs_no_padding_and_an_empty_one_has_nothing_to_write() {
        let mut buffer = AlignedBuffer::new(PAGE);
        buffer.push(&[7; PAGE]);
        assert_eq!(buffer.freeze().padded(), [7; PAGE]);
        assert!(AlignedBuffer::new(PAGE).freeze().padded().is_empty());
    }

    #[tokio::test]
    async fn who_comes_after_the_budget_is_spent_waits_for_the_last_clone() {
        let pool = BufferPool::new(2 * PAGE);
        let filled = pool.acquire(2 * PAGE).await.freeze();
        let clone = filled.clone();
        let mut next = tokio::spawn({
            let pool = pool.clone();
            async move { pool.acquire(PAGE).await.capacity() }
        });
        drop(filled);
        assert!(
            tokio::time::timeout(Duration::from_millis(50), &mut next)
                .await
                .is_err()
        );
        drop(clone);
        assert_eq!(next.await.unwrap(), PAGE);
        assert_eq!(pool.in_use(), 0);
    }

    #[tokio::test]
    async fn a_wish_beyond_the_budget_gets_the_whole_budget() {
        let pool = BufferPool::new(3 * PAGE);
        assert_eq!(pool.acquire(usize::MAX / 2).await.capacity(), 3 * PAGE);
    }

    #[tokio::test]
    async fn buffers_shrink_as_the_budget_is_spent() {
        let pool = BufferPool::new(4 << 20);
        let mut held = Vec::new();
        let mut sizes = Vec::new();
        while let Some(buffer) = pool.try_acquire(pool.capacity_for_load()) {
            sizes.push(buffer.capacity());
            held.push(buffer);
        }
        assert_eq!(sizes.first(), Some(&BufferPool::LARGE));
        assert!(sizes.contains(&BufferPool::MEDIUM));
        assert_eq!(sizes.last(), Some(&BufferPool::SMALL));
        assert!(sizes.is_sorted_by(|a, b| a >= b));
    }

    #[test]
    fn spare_memory_and_used_memory_stay_within_the_budget() {
        let pool = BufferPool::new(8 * PAGE);
        drop(pool.try_acquire(2 * PAGE));
        assert_eq!(total(&pool.0.spare()), 2 * PAGE);
        let held = pool.try_acquire(7 * PAGE).unwrap();
        assert_eq!(total(&pool.0.spare()), 0);
        drop(held);
        assert_eq!(
            total(&pool.0.spare()),
            0,
            "more than a quarter of the budget is not kept"
        );
        pool.trim();
    }
}
