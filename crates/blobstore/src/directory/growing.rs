//! [`Growing`]: a file that grows at its key, on blocking threads only.

use std::fs::{File, OpenOptions};
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use naru_handoff::PAGE;
use rustix::fs::{Advice, FallocateFlags, FlockOperation, OFlags};
use rustix::io::Errno;

use super::Shared;
use super::durable::create_directories;
use crate::error::{During, Error, Result};
use crate::failpoint;
use crate::key::StorageKey;
use crate::layout;

/// How long a writer waits for an earlier one, which was cut off and is about to end.
const PATIENCE: Duration = Duration::from_secs(10);
/// After so many bytes in the page cache the kernel is asked to begin writing, so that the flush at
/// the end has little left to do.
const WRITE_BACK_EVERY: u64 = 4 << 20;
/// How much is set aside beyond what is written, at most: a client that announces much and sends
/// nothing occupies no more.
const SET_ASIDE: u64 = 64 << 20;
/// Less is not worth a call.
const WORTH_SETTING_ASIDE: u64 = 1 << 20;

const WRITE: &str = "write a blob";

/// An open, locked file and where its next byte goes.
///
/// The lock belongs to the open file: while a cut-off writer's last write is still under way, the
/// one that takes over waits, and so no byte of the old one can land among those of the new one.
#[derive(Debug)]
pub(super) struct Growing {
    shared: Arc<Shared>,
    key: StorageKey,
    path: PathBuf,
    file: File,
    /// How many bytes are written.
    end: u64,
    /// How many bytes a row may know of: to this length the file shrinks when writing fails.
    checkpoint: u64,
    expected_end: u64,
    set_aside: u64,
    direct: Direct,
    written_back: u64,
    /// Whether there is anything to flush.
    dirty: bool,
    /// Whether what is here is wanted: then dropping leaves it alone.
    keep: bool,
    failed: Option<Error>,
    cut: Cut,
}

/// How the descriptor writes now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direct {
    Off,
    On,
    /// The filesystem refused.
    Refused,
}

/// Tells work on blocking threads that its upload is gone.
#[derive(Clone, Debug, Default)]
pub(super) struct Cut(Arc<AtomicBool>);

impl Cut {
    pub(super) fn cut(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn check(&self) -> Result<()> {
        if self.0.load(Ordering::Relaxed) {
            Err(Error::Broken)
        } else {
            Ok(())
        }
    }
}

/// Which file is to grow, and from where.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) key: StorageKey,
    /// How many bytes of it are durable.
    pub(super) checkpoint: u64,
    /// Whether the key was never used: a file under it is an error then.
    pub(super) fresh: bool,
    pub(super) cut: Cut,
}

impl Growing {
    /// Opens and locks the file, as soon as an earlier writer has let go, and cuts off what no row
    /// knows of.
    ///
    /// # Errors
    /// [`Error::Missing`] and [`Error::TakenOver`] when what the checkpoint promises is not there.
    pub(super) async fn open(shared: &Arc<Shared>, start: &Start) -> Result<Self> {
        patiently(shared, start.key, {
            let start = start.clone();
            move |shared| Self::open_now(shared, &start)
        })
        .await
    }

    /// The same on a blocking thread for a key that nobody can have locked: `None` if somebody has.
    pub(super) fn open_now(shared: Arc<Shared>, start: &Start) -> Result<Option<Self>> {
        let Start {
            key,
            checkpoint,
            fresh,
            cut,
        } = start.clone();
        shared.names.check()?;
        let path = layout::file(&shared.root, &key);
        let mode = Mode {
            create: checkpoint == 0,
            fresh,
        };
        let Some(file) = open_locked(&path, key, mode)? else {
            return Ok(None);
        };
        cut.check()?;
        let mut growing = Self {
            shared,
            key,
            path,
            file,
            end: checkpoint,
            checkpoint,
            expected_end: checkpoint,
            set_aside: 0,
            direct: Direct::Off,
            written_back: checkpoint,
            dirty: checkpoint == 0,
            keep: checkpoint > 0,
            failed: None,
            cut,
        };
        failpoint!("blob.created", key).during(WRITE)?;
        growing.cut_to_checkpoint()?;
        Ok(Some(growing))
    }

    /// Announces where the upload will end.
    pub(super) fn expect(&mut self, end: u64) {
        self.expected_end = end;
    }

    /// Writes the bytes at the end, unless writing has failed before.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        if self.failed.is_none()
            && let Err(error) = self.try_write(bytes)
        {
            self.failed = Some(error);
        }
    }

    /// Whether writing has failed.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Makes everything written so far durable, with its name, and keeps it. Nothing is flushed
    /// where nothing has changed since the last checkpoint.
    ///
    /// # Errors
    /// The first error of writing, or that of flushing; then the file is as long as before.
    pub(super) fn settle(mut self) -> Result<()> {
        let settled = self.try_settle();
        if settled.is_err() {
            self.give_up();
        }
        settled
    }

    /// Reads what has been written again.
    pub(super) fn reread<T>(&self, read: impl FnOnce(&File, u64) -> Result<T>) -> Result<T> {
        let file = File::open(&self.path).during("read an upload again")?;
        read(&file, self.end)
    }

    /// The error that stopped the writing; the file is as long as a row knows.
    pub(super) fn into_error(mut self) -> Error {
        self.give_up();
        self.failed.take().unwrap_or(Error::Broken)
    }

    /// Removes the file.
    pub(super) fn discard(mut self) {
        self.keep = false;
    }

    fn try_write(&mut self, bytes: &[u8]) -> Result<()> {
        self.cut.check()?;
        failpoint!("blob.append", self.key).during(WRITE)?;
        self.dirty = true;
        self.set_aside(bytes.len() as u64)?;
        let (past_the_cache, rest) = bytes.split_at(self.fit_for_direct(bytes.len()));
        self.put_direct(past_the_cache)?;
        self.put_cached(rest)?;
        failpoint!("blob.appended", self.key).during(WRITE)
    }

    fn try_settle(&mut self) -> Result<()> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        self.cut.check()?;
        if self.set_aside > self.end {
            self.file.set_len(self.end).during(WRITE)?;
        }
        if self.dirty {
            self.shared.names.check()?;
            self.shared.names.flush_data(&self.file, &self.key)?;
            self.shared.names.flush_name(&self.shared.root, &self.key)?;
        }
        self.keep = true;
        Ok(())
    }

    /// How many of the next bytes can be written past the page cache: whole pages, from a page
    /// boundary on. The incomplete page at the end goes through the cache.
    fn fit_for_direct(&self, length: usize) -> usize {
        let large = match self.shared.direct_from {
            Some(from) => self.expected_end.max(self.end) >= from,
            None => false,
        };
        let at_page = self.end.is_multiple_of(PAGE as u64);
        if large && at_page && self.direct != Direct::Refused {
            length - length % PAGE
        } else {
            0
        }
    }

    fn put_direct(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.direct == Direct::Off {
            match rustix::fs::fcntl_setfl(&self.file, OFlags::DIRECT) {
                Ok(()) => self.direct = Direct::On,
                Err(_) => self.direct = Direct::Refused,
            }
        }
        match self.file.write_all_at(bytes, self.end) {
            Ok(()) => {
                self.end += bytes.len() as u64;
                self.written_back = self.end;
                Ok(())
            }
            // Some filesystems accept the flag and refuse the write.
            Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
                self.leave_direct(Direct::Refused)?;
                self.put_cached(bytes)
            }
            Err(error) => Err(Error::io(WRITE, error)),
        }
    }

    fn put_cached(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.leave_direct(Direct::Off)?;
        self.file.write_all_at(bytes, self.end).during(WRITE)?;
        self.end += bytes.len() as u64;
        self.begin_write_back();
        Ok(())
    }

    fn leave_direct(&mut self, to: Direct) -> Result<()> {
        if self.direct == Direct::On {
            rustix::fs::fcntl_setfl(&self.file, OFlags::empty()).during(WRITE)?;
            self.direct = to;
        }
        Ok(())
    }

    /// `fadvise(DONTNEED)` begins the write-back of dirty pages without waiting for it, as
    /// `sync_file_range(WRITE)` does, for which there is no safe wrapper.
    fn begin_write_back(&mut self) {
        let dirty = self.end - self.written_back;
        if dirty >= WRITE_BACK_EVERY {
            // Advice may be refused; then the flush takes longer.
            let length = NonZeroU64::new(dirty);
            let _ = rustix::fs::fadvise(&self.file, self.written_back, length, Advice::DontNeed);
            self.written_back = self.end;
        }
    }

    /// Sets space aside for what was announced, without changing the length of the file, which
    /// tells a resuming writer how far the bytes go.
    fn set_aside(&mut self, coming: u64) -> Result<()> {
        let from = self.end.max(self.set_aside);
        let until = self.expected_end.min(from.saturating_add(SET_ASIDE));
        let short = self.end + coming > self.set_aside;
        if !short || until < from + WORTH_SETTING_ASIDE {
            return Ok(());
        }
        let mode = FallocateFlags::KEEP_SIZE;
        match rustix::fs::fallocate(&self.file, mode, from, until - from) {
            Ok(()) => self.set_aside = until,
            Err(Errno::NOSPC | Errno::DQUOT) => return Err(Error::NoSpace),
            // Not every filesystem can; then space is found as it is needed.
            Err(_) => self.expected_end = 0,
        }
        Ok(())
    }

    /// Gives back what no row knows of: on a full disk, others wait for that space.
    fn give_up(&mut self) {
        if self.checkpoint == 0 {
            self.keep = false;
        } else if let Err(error) = self.cut_to_checkpoint() {
            tracing::warn!(key = %self.key, %error, "an upload that failed keeps its space");
        }
    }

    fn cut_to_checkpoint(&mut self) -> Result<()> {
        let length = self.file.metadata().during(WRITE)?.len();
        if length < self.checkpoint {
            return Err(Error::TakenOver { key: self.key });
        }
        if length > self.checkpoint || self.set_aside > 0 {
            self.file.set_len(self.checkpoint).during(WRITE)?;
            self.dirty = true;
        }
        Ok(())
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        // Still locked, so nobody else has begun to write to this file.
        if !self.keep
            && let Err(error) = super::remove(&self.path)
        {
            tracing::warn!(key = %self.key, %error, "an unwanted upload stays until it is swept");
        }
    }
}

/// Does something with the file of an upload that nobody writes to, as soon as that is so.
pub(super) async fn alone<T: Send + 'static>(
    shared: &Arc<Shared>,
    key: StorageKey,
    work: impl Fn(&Path, &File) -> Result<T> + Clone + Send + 'static,
) -> Result<T> {
    patiently(shared, key, move |shared| {
        let path = layout::file(&shared.root, &key);
        let file = open_locked(
            &path,
            key,
            Mode {
                create: false,
                fresh: false,
            },
        )?;
        file.map(|file| work(&path, &file)).transpose()
    })
    .await
}

/// Removes the file of an upload after its last writer has ended. None there is fine.
pub(super) async fn discard(shared: &Arc<Shared>, key: StorageKey) -> Result<()> {
    let removed = alone(shared, key, move |path, _| {
        failpoint!("upload.abort", key).during("remove an upload")?;
        super::remove(path)
    });
    match removed.await {
        Err(Error::Missing { .. }) => Ok(()),
        other => other,
    }
}

/// Repeats an attempt until the file is not locked any more. Waits without a thread, because the
/// one waited for needs one.
async fn patiently<T: Send + 'static>(
    shared: &Arc<Shared>,
    key: StorageKey,
    attempt: impl Fn(Arc<Shared>) -> Result<Option<T>> + Clone + Send + 'static,
) -> Result<T> {
    let begun = Instant::now();
    loop {
        let (attempt, here) = (attempt.clone(), shared.clone());
        if let Some(done) = shared.threads.write.run(move || attempt(here)).await? {
            return Ok(done);
        }
        if begun.elapsed() > PATIENCE {
            return Err(Error::TakenOver { key });
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[derive(Clone, Copy)]
struct Mode {
    create: bool,
    fresh: bool,
}

/// `None` while somebody else has the lock.
fn open_locked(path: &Path, key: StorageKey, mode: Mode) -> Result<Option<File>> {
    let file = open(path, mode).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::Missing { key },
        io::ErrorKind::AlreadyExists => Error::TakenOver { key },
        _ => Error::io("open an upload", error),
    })?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        // The writer before us may have removed the file after we opened it.
        Ok(()) if file.metadata().during("open an upload")?.nlink() > 0 => Ok(Some(file)),
        Ok(()) | Err(Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(Error::io("lock an upload", error)),
    }
}

fn open(path: &Path, mode: Mode) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .mode(0o600)
        .create(mode.create)
        .create_new(mode.fresh);
    match options.open(path) {
        Err(error) if mode.create && error.kind() == io::ErrorKind::NotFound => {
            create_directories(path.parent().unwrap_or(path))?;
            options.open(path)
        }
        opened => opened,
    }
}

/// The length of the file, at most `most`; a longer one is cut.
pub(super) fn cut_to(file: &File, most: u64) -> Result<u64> {
    let length = file.metadata().during("look at an upload")?.len();
    if length > most {
        const ACTION: &str = "shorten an upload";
        file.set_len(most).during(ACTION)?;
        // A finish without new bytes flushes nothing, and the blob must not grow again.
        rustix::fs::fdatasync(file).during(ACTION)?;
    }
    Ok(length.min(most))
}
