//! A part of an immutable file, read from front to back by `pread`.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use rustix::buffer::spare_capacity;
use rustix::fs::Advice;
use rustix::io::{Errno, ReadWriteFlags};

/// Bytes `start..end` of a file that nobody changes. Reading moves `start` forward.
///
/// Clones share the open file, not the position.
#[derive(Clone, Debug)]
pub struct FileRange {
    file: Arc<File>,
    range: Range<u64>,
}

impl FileRange {
    /// The bytes of `file` whose offsets are in `range`. That the file is that long is found out
    /// when it is read: a file that ends early is an error then, never a short answer.
    #[must_use]
    pub fn new(file: impl Into<Arc<File>>, range: Range<u64>) -> Self {
        let start = range.start.min(range.end);
        Self {
            file: file.into(),
            range: start..range.end,
        }
    }

    /// How many bytes are still to be read.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// The offsets still to be read.
    #[must_use]
    pub fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    /// The next bytes, at most `most`, if the page cache has them; `None` if a disk would have to
    /// be asked. Fit for an async thread.
    ///
    /// # Errors
    /// Those of `pread`, and [`io::ErrorKind::UnexpectedEof`] if the file is shorter than promised.
    pub fn read_cached(&mut self, most: usize) -> io::Result<Option<Bytes>> {
        let next = self.next_part(most);
        if is_cached(&self.file, &next)? {
            self.read(most).map(Some)
        } else {
            Ok(None)
        }
    }

    /// The next bytes, exactly `most` of them or what is left. Waits for the disk, so it belongs
    /// on a blocking thread; starts fetching what follows.
    ///
    /// # Errors
    /// Those of `pread`, and [`io::ErrorKind::UnexpectedEof`] if the file is shorter than promised.
    pub fn read_from_disk(&mut self, most: usize) -> io::Result<Bytes> {
        let next = self.next_part(most);
        let ahead = (next.end - next.start).saturating_mul(4);
        fetch_ahead(
            &self.file,
            next.start..next.start.saturating_add(ahead).min(self.range.end),
        );
        self.read(most)
    }

    fn read(&mut self, most: usize) -> io::Result<Bytes> {
        let next = self.next_part(most);
        let length = usize::try_from(next.end - next.start).map_err(io::Error::other)?;
        let mut bytes = Vec::with_capacity(length);
        let mut at = next.start;
        while at < next.end {
            match rustix::io::pread(&self.file, spare_capacity(&mut bytes), at) {
                Ok(0) => return Err(ended_early(at)),
                Ok(_) => at = next.start + bytes.len() as u64,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // The allocator may have given more room than was asked for, and it has been read into.
        bytes.truncate(length);
        self.range.start = next.end;
        Ok(bytes.into())
    }

    fn next_part(&self, most: usize) -> Range<u64> {
        self.range.start
            ..self
                .range
                .end
                .min(self.range.start.saturating_add(most as u64))
    }
}

/// Whether the first and the last byte of `range` are in the page cache, which is true of all
/// between them unless memory is short. Where the filesystem cannot tell, the answer is no.
pub(crate) fn is_cached(file: &File, range: &Range<u64>) -> io::Result<bool> {
    let Some(last) = range.end.checked_sub(1).filter(|last| *last >= range.start) else {
        return Ok(true);
    };
    let one_page = last - range.start < 4096;
    Ok(byte_is_cached(file, last)? && (one_page || byte_is_cached(file, range.start)?))
}

fn byte_is_cached(file: &File, offset: u64) -> io::Result<bool> {
    let mut byte = [0];
    let buffers = &mut [IoSliceMut::new(&mut byte)];
    match rustix::io::preadv2(file, buffers, offset, ReadWriteFlags::NOWAIT) {
        Ok(0) => Err(ended_early(offset)),
        Ok(_) => Ok(true),
        Err(Errno::AGAIN | Errno::INTR | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// Asks the kernel to fetch `range` into the page cache, without waiting for it. Advice may be
/// refused; then the reads that follow are merely slower.
pub(crate) fn fetch_ahead(file: &File, range: Range<u64>) {
    if let Some(length) = NonZeroU64::new(range.end.saturating_sub(range.start)) {
        let _ = rustix::fs::fadvise(file, range.start, Some(length), Advice::WillNeed);
    }
}

/// Waits until the last byte of `range` has come from the disk, and with it, as the kernel fetches
/// in order, nearly all others.
pub(crate) fn wait_for(file: &File, range: &Range<u64>) {
    if let Some(last) = range.end.checked_sub(1) {
        // An error shows again, and is reported, when the bytes are sent.
        let _ = rustix::io::pread(file, &mut [0], last);
    }
}

pub(crate) fn ended_early(offset: u64) -> io::Error {
    let message = format!("a stored file ends before offset {offset}, which it should contain");
    io::Error::new(io::ErrorKind::UnexpectedEof, message)
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

    fn numbers(length: usize) -> Vec<u8> {
        (0..length)
            .map(|at| u8::try_from(at % 251).unwrap())
            .collect()
    }

    #[test]
    fn a_range_is_read_in_parts_and_then_is_empty() {
        let bytes = numbers(100_000);
        let mut range = FileRange::new(file_of(&bytes), 5..70_005);
        let mut read = Vec::new();
        while !range.is_empty() {
            read.extend_from_slice(&range.read_from_disk(4096).unwrap());
        }
        assert_eq!(read, bytes[5..70_005]);
    }

    #[test]
    fn what_was_just_written_is_cached() {
        let bytes = numbers(10_000);
        let mut range = FileRange::new(file_of(&bytes), 0..10_000);
        // A filesystem that cannot tell says "not cached", which is allowed.
        if let Some(read) = range.read_cached(usize::MAX).unwrap() {
            assert_eq!(read, bytes);
        }
    }

    #[test]
    fn a_file_shorter_than_promised_is_an_error() {
        let mut range = FileRange::new(file_of(&numbers(100)), 0..200);
        assert_eq!(
            range.read_from_disk(4096).unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof,
            "never a short answer"
        );
    }

    #[test]
    fn an_empty_or_inverted_range_has_nothing_to_read() {
        let file = file_of(b"abc");
        assert!(FileRange::new(file.clone(), 2..2).is_empty());
        #[expect(
            clippy::reversed_empty_ranges,
            reason = "what a careless caller might pass"
        )]
        let mut inverted = FileRange::new(file, 3..1);
        assert!(inverted.is_empty());
        assert_eq!(inverted.read_cached(10).unwrap(), Some(Bytes::new()));
    }
}
