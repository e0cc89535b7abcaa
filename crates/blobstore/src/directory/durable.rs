//! What makes a new file's name survive a power cut.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{During, Error, Result};
use crate::failpoint;
use crate::key::{Shard, StorageKey};
use crate::layout;

/// Remembers which directories are known to be durable themselves, and whether a flush failed.
#[derive(Debug, Default)]
pub(super) struct DurableNames {
    /// Shards whose own name was flushed by this process: whoever made them, others may have
    /// crashed before they flushed them.
    shards: Mutex<HashSet<Shard>>,
    flush_failed: AtomicBool,
}

impl DurableNames {
    /// Refuses new bytes after a flush has failed: the kernel may have forgotten what it could not
    /// write, and says so only once.
    ///
    /// # Errors
    /// [`Error::ReadOnly`].
    pub(super) fn check(&self) -> Result<()> {
        if self.flush_failed.load(Ordering::Relaxed) {
            Err(Error::ReadOnly)
        } else {
            Ok(())
        }
    }

    /// Flushes the bytes and the length of a file.
    pub(super) fn flush_data(&self, file: &File, key: &StorageKey) -> Result<()> {
        self.heed(failpoint!("blob.flush", key).and_then(|()| Ok(rustix::fs::fdatasync(file)?)))?;
        failpoint!("blob.synced", key).during(FLUSH)
    }

    /// Flushes the name of a file, and the names of the directories on the way to it that this
    /// process has not flushed yet.
    pub(super) fn flush_name(&self, root: &Path, key: &StorageKey) -> Result<()> {
        self.heed(flush_directory(&layout::shard(root, key.shard())))?;
        failpoint!("blob.dir_synced", key).during(FLUSH)?;
        if !self.shards().contains(&key.shard()) {
            self.heed(flush_directory(&layout::blobs(root)))?;
            if self.shards().is_empty() {
                self.heed(flush_directory(root))?;
            }
            self.shards().insert(key.shard());
        }
        failpoint!("blob.ancestors_synced", key).during(FLUSH)
    }

    fn heed(&self, flushed: io::Result<()>) -> Result<()> {
        if let Err(error) = &flushed
            && !matches!(Error::io(FLUSH, error.kind()), Error::NoSpace)
        {
            self.flush_failed.store(true, Ordering::Relaxed);
            tracing::error!(%error, "a flush to disk failed: no blobs are taken until a restart");
        }
        flushed.during(FLUSH)
    }

    fn shards(&self) -> MutexGuard<'_, HashSet<Shard>> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const FLUSH: &str = "flush a blob to disk";

/// Makes a directory and those above it that are missing, each flushed into the one above.
pub(super) fn create_directories(path: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => flush_directory(parent(path)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound && path != parent(path) => {
            create_directories(parent(path))?;
            create_directories(path)
        }
        Err(error) => Err(error),
    }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    }
}

fn flush_directory(path: &Path) -> io::Result<()> {
    Ok(rustix::fs::fsync(File::open(path)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_made_from_the_top() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("a/b/c");
        create_directories(&deep).unwrap();
        create_directories(&deep).unwrap();
        assert!(deep.is_dir());
    }

    #[test]
    fn a_file_in_the_way_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a"), "").unwrap();
        assert!(create_directories(&root.path().join("a/b")).is_err());
    }
}
