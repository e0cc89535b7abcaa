//! [`Scratch`]: a nameless local file where the bytes of an upload wait until a part is full.
//!
//! Waiting in memory would cost a part (8 MiB) for every slow client.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use naru_handoff::FileRange;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::parts::PART;
use crate::error::{During, Error, Result};
use crate::flow::Sink;

/// How many parts fit: the one that fills and those on their way. They take turns, so a file never
/// grows beyond that.
pub(super) const SLOTS: u64 = 3;

const ACTION: &str = "spool an upload";

/// The file, and where the next byte of the upload goes.
#[derive(Debug)]
pub(super) struct Scratch {
    file: Arc<File>,
    /// Counted from the beginning of the upload, not of the file.
    end: u64,
    failed: Option<Error>,
}

impl Scratch {
    /// Makes the directory if it is missing. The file has no name, so a crash leaves nothing.
    pub(super) fn create(directory: &Path, end: u64) -> Result<Self> {
        let file = match nameless(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(directory).during(ACTION)?;
                nameless(directory)
            }
            file => file,
        };
        Ok(Self {
            file: Arc::new(file.during(ACTION)?),
            end,
            failed: None,
        })
    }

    /// Bytes of the upload, to be read with [`read`], as long as they are not overwritten: they
    /// lie within one part, which began at most [`SLOTS`] parts ago.
    pub(super) fn range(&mut self, bytes: Range<u64>) -> Result<FileRange> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let at = bytes.start % (SLOTS * PART);
        let length = bytes.end.saturating_sub(bytes.start);
        Ok(FileRange::new(self.file.clone(), at..at + length))
    }

    /// The error that stopped the writing.
    pub(super) fn take_error(&mut self) -> Error {
        self.failed.take().unwrap_or(Error::Broken)
    }
}

/// Reads spooled bytes into memory; waits for the disk.
pub(super) fn read(mut range: FileRange) -> Result<Bytes> {
    range
        .read_from_disk(usize::MAX)
        .during("read a spooled part")
}

impl Sink for Scratch {
    fn write(&mut self, bytes: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        match self.file.write_all_at(bytes, self.end % (SLOTS * PART)) {
            Ok(()) => self.end += bytes.len() as u64,
            Err(error) => self.failed = Some(Error::io(ACTION, error)),
        }
    }

    fn has_failed(&self) -> bool {
        self.failed.is_some()
    }
}

fn nameless(directory: &Path) -> io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    match rustix::fs::open(directory, flags, Mode::RUSR | Mode::WUSR) {
        Ok(file) => Ok(file.into()),
        // Not every filesystem can; then the name goes right after the making.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => named_and_removed(directory),
        Err(error) => Err(error.into()),
    }
}

fn named_and_removed(directory: &Path) -> io::Result<File> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = directory.join(format!("{}-{number}", std::process::id()));
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_back_after_the_slots_have_been_used_again() {
        let directory = tempfile::tempdir().unwrap();
        let mut scratch = Scratch::create(&directory.path().join("scratch"), 0).unwrap();
        let piece = usize::try_from(PART).unwrap();
        for part in 0..5_u8 {
            scratch.write(&vec![part; piece]);
            let from = u64::from(part) * PART;
            let range = scratch.range(from..from + PART).unwrap();
            assert_eq!(read(range).unwrap(), vec![part; piece]);
        }
        let length = scratch.file.metadata().unwrap().len();
        assert_eq!(
            length,
            SLOTS * PART,
            "the file does not grow with the upload"
        );
    }

    #[test]
    fn nothing_is_left_in_the_directory() {
        let directory = tempfile::tempdir().unwrap();
        let _by_flag = Scratch::create(directory.path(), 0).unwrap();
        let _by_name = named_and_removed(directory.path()).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
