//! Files as `Bytes` that are never read: the address by which a [`SendfileStream`] sends a file.
//!
//! hyper queues the head and the body of an answer as a list of memory slices. A slice of a mapped
//! file looks like any other to hyper, so framing, `Content-Length`, keep-alive and back-pressure
//! stay hyper's; the stream of the connection recognises the slice by its address and has the
//! kernel send the file instead. No page of the mapping is touched on the way.
//!
//! A [`Handoff`] belongs to one stream, and only that stream can be asked for it: whoever has none
//! (TLS, HTTP/2) cannot make such `Bytes` by mistake. Should something between handler and stream
//! read them nevertheless, it reads the file, because the mapping is real.
//!
//! [`SendfileStream`]: crate::SendfileStream

use std::ffi::c_void;
use std::fs::File;
use std::io::{self, IoSlice};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rustix::mm::{MapFlags, ProtFlags};

use crate::FileRange;

/// Mappings begin at multiples of this many bytes: the largest page size in use, and so a multiple
/// of every other.
const ALIGNMENT: u64 = 64 << 10;

/// The files that one connection may have sent by the kernel. Clones mean the same connection.
#[derive(Clone, Debug, Default)]
pub struct Handoff(Arc<Mutex<Vec<Arc<MappedFile>>>>);

impl Handoff {
    /// `Bytes` that stand for `range`. Slices of them work, for example for an HTTP range; when the
    /// last one is dropped, the file is unmapped.
    ///
    /// The file must never be written to or cut short as long as the `Bytes` live, which holds for
    /// every blob: they are renamed into place complete, and only ever unlinked.
    ///
    /// # Errors
    /// When the kernel refuses to map the file, or the range exceeds the address space.
    pub fn hand_off(&self, range: &FileRange) -> io::Result<Bytes> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let mapped = Arc::new(MappedFile::map(range)?);
        self.mapped().push(mapped.clone());
        Ok(Bytes::from_owner(Owner {
            mapped,
            handoff: self.clone(),
        }))
    }

    /// The piece of a file that `slice` stands for, or `None` for ordinary memory.
    pub(crate) fn find(&self, slice: &IoSlice<'_>) -> Option<Piece> {
        self.mapped().iter().find_map(|mapped| mapped.piece(slice))
    }

    /// Nearly always zero or one: hyper finishes an answer before the next.
    fn mapped(&self) -> MutexGuard<'_, Vec<Arc<MappedFile>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Part of a file, recognised by an address.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) file: Arc<File>,
    pub(crate) offset: u64,
    pub(crate) length: usize,
}

/// What the `Bytes` own. Taken off the list first, unmapped second, so that the list never names
/// an address that something else has got since.
struct Owner {
    mapped: Arc<MappedFile>,
    handoff: Handoff,
}

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        self.mapped.bytes()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let mut mapped = self.handoff.mapped();
        if let Some(at) = mapped.iter().position(|it| Arc::ptr_eq(it, &self.mapped)) {
            mapped.swap_remove(at);
        }
    }
}

/// A read-only mapping of a range of a file.
#[derive(Debug)]
struct MappedFile {
    /// Where the mapping begins.
    base: NonNull<c_void>,
    /// How many bytes are mapped.
    mapped_length: usize,
    /// How many mapped bytes come before the range.
    skip: usize,
    /// The range itself.
    range: FileRange,
}

// SAFETY: the mapping is read-only memory that belongs to this value alone; no thread can change
// it, and it may be unmapped from any thread.
unsafe impl Send for MappedFile {}
// SAFETY: as above; shared references allow reading only.
unsafe impl Sync for MappedFile {}

impl MappedFile {
    fn map(range: &FileRange) -> io::Result<Self> {
        let start = range.range().start;
        let skip = start % ALIGNMENT;
        let mapped_length = usize::try_from(skip + range.len()).map_err(io::Error::other)?;
        if isize::try_from(mapped_length).is_err() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        // SAFETY: the kernel chooses an address that is free, so no memory in use is affected. The
        // length is not zero (the range is not empty) and the offset is on a page boundary.
        let base = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                mapped_length,
                ProtFlags::READ,
                MapFlags::SHARED,
                range.file(),
                start - skip,
            )
        }?;
        let base = NonNull::new(base).ok_or(io::ErrorKind::AddrNotAvailable)?;
        let skip = usize::try_from(skip).map_err(io::Error::other)?;
        Ok(Self {
            base,
            mapped_length,
            skip,
            range: range.clone(),
        })
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: `skip` is less than the mapping, which is one allocation.
        let start = unsafe { self.base.cast::<u8>().as_ptr().add(self.skip) };
        // SAFETY: these bytes are mapped for reading as long as `self` lives, and fit in isize
        // (checked by `map`). Blobs are immutable, so they do not change under the reference; were
        // one cut short behind our back, reading it would raise SIGBUS, which is why the path from
        // here to the socket compares addresses and never reads.
        unsafe { std::slice::from_raw_parts(start, self.mapped_length - self.skip) }
    }

    fn piece(&self, slice: &IoSlice<'_>) -> Option<Piece> {
        let first = self.base.addr().get() + self.skip;
        let end = self.base.addr().get() + self.mapped_length;
        let address = slice.as_ptr().addr();
        let within = first <= address && address + slice.len() <= end && !slice.is_empty();
        within.then(|| Piece {
            file: self.range.file().clone(),
            offset: self.range.range().start + (address - first) as u64,
            length: slice.len(),
        })
    }
}

impl Drop for MappedFile {
    fn drop(&mut self) {
        // SAFETY: this is exactly what `map` mapped, and no reference into it outlives `self`: the
        // `Bytes` own it.
        let unmapped = unsafe { rustix::mm::munmap(self.base.as_ptr(), self.mapped_length) };
        debug_assert!(unmapped.is_ok(), "a mapping of our own can be unmapped");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file_of(bytes: &[u8]) -> Arc<File> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Arc::new(file)
    }

    #[test]
    fn the_bytes_are_those_of_the_range_wherever_it_starts() {
        let content: Vec<u8> = (0..20_000_u32).flat_map(u32::to_le_bytes).collect();
        let file = file_of(&content);
        for range in [
            0..80_000,
            0..1,
            4096..8192,
            4097..8191,
            79_999..80_000,
            5..50_000,
        ] {
            let handoff = Handoff::default();
            let bytes = handoff
                .hand_off(&FileRange::new(file.clone(), range.clone()))
                .unwrap();
            let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
            assert_eq!(bytes, content[range]);
        }
    }

    #[test]
    fn a_slice_is_found_with_its_offset_in_the_file() {
        let handoff = Handoff::default();
        let range = FileRange::new(file_of(&[7; 10_000]), 4_100..9_000);
        let bytes = handoff.hand_off(&range).unwrap();
        let piece = handoff.find(&IoSlice::new(&bytes[100..300])).unwrap();
        assert_eq!((piece.offset, piece.length), (4_200, 200));
        assert!(Arc::ptr_eq(&piece.file, range.file()));
    }

    #[test]
    fn ordinary_memory_is_not_found() {
        let handoff = Handoff::default();
        let _bytes = handoff
            .hand_off(&FileRange::new(file_of(&[7; 10]), 0..10))
            .unwrap();
        assert!(handoff.find(&IoSlice::new(b"a head")).is_none());
        assert!(handoff.find(&IoSlice::new(b"")).is_none());
    }

    #[test]
    fn another_connection_does_not_know_the_bytes() {
        let range = FileRange::new(file_of(&[7; 10]), 0..10);
        let bytes = Handoff::default().hand_off(&range).unwrap();
        assert!(Handoff::default().find(&IoSlice::new(&bytes)).is_none());
    }

    #[test]
    fn the_mapping_lives_as_long_as_the_last_slice() {
        let handoff = Handoff::default();
        let bytes = handoff
            .hand_off(&FileRange::new(file_of(b"hello"), 0..5))
            .unwrap();
        let slice = bytes.slice(1..3);
        drop(bytes);
        assert_eq!(slice, &b"el"[..]);
        assert!(handoff.find(&IoSlice::new(&slice)).is_some());
        drop(slice);
        assert!(handoff.mapped().is_empty());
    }

    #[test]
    fn nothing_is_mapped_for_an_empty_range() {
        let handoff = Handoff::default();
        let bytes = handoff
            .hand_off(&FileRange::new(file_of(b""), 0..0))
            .unwrap();
        assert!(bytes.is_empty());
        assert!(handoff.mapped().is_empty());
    }
}
