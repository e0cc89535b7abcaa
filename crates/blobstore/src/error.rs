//! [`enum@Error`]: how a blob store can fail. It knows storage cases only.

use std::io;

use naru_oci::Digest;
use thiserror::Error;

use crate::key::StorageKey;

/// How an operation on the blob store can fail.
///
/// Whatever the error, nothing that was not durable before has been acknowledged.
#[derive(Debug, Error)]
pub enum Error {
    /// The disk is full, or the quota used up. Reads and deletes go on; writes succeed again by
    /// themselves when there is space.
    #[error("no space is left for blobs")]
    NoSpace,
    /// The bytes are not those that were announced. Nothing of them is left.
    #[error("the bytes are {actual}, not {expected}")]
    DigestMismatch {
        /// What the client named.
        expected: Digest,
        /// What the bytes are, by the same algorithm.
        actual: Digest,
    },
    /// There is nothing under this key.
    #[error("nothing is stored under {key}")]
    Missing {
        /// The key.
        key: StorageKey,
    },
    /// There are fewer bytes under this key than a row promises.
    #[error("{key} holds {found} bytes where {expected} are promised")]
    Truncated {
        /// The key.
        key: StorageKey,
        /// How many bytes were asked for, counted from the first.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// Somebody else writes to this upload, or has written to it since. The row's epoch decides
    /// who may go on.
    #[error("another writer has taken over the upload at {key}")]
    TakenOver {
        /// The key of the upload.
        key: StorageKey,
    },
    /// The upload failed before. It can go on from its last checkpoint, by
    /// [`BlobStore::resume`](crate::BlobStore::resume).
    #[error("this upload failed before; resume it from its last checkpoint")]
    Broken,
    /// More bytes than this backend can hold under one key.
    #[error("a blob can have at most {limit} bytes in this store")]
    TooLarge {
        /// The most, in bytes.
        limit: u64,
    },
    /// The saved state of an upload cannot be read here: damaged, from a newer version, or of
    /// another backend.
    #[error("the saved state of the upload cannot be used: {0}")]
    BadState(String),
    /// The store cannot be reached, or does not answer in time. Trying again later makes sense.
    #[error("the blob store is unavailable: {0}")]
    Unavailable(String),
    /// The disk failed to flush earlier, so that nothing new can be promised until the disk has
    /// been checked and the process restarted (RELIABILITY, P4). Reads go on.
    #[error("a flush to disk failed earlier; no blobs are taken until a check and a restart")]
    ReadOnly,
    /// The operating system refused.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried, such as "write a blob".
        action: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The settings cannot work, or the place they name is unfit.
    #[error("{0}")]
    Unfit(String),
}

/// The result of an operation on the blob store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// What an I/O error means while `action` was tried.
    pub(crate) fn io(action: &'static str, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            _ => Self::Io { action, source },
        }
    }
}

/// Names the action that an I/O error interrupted.
pub(crate) trait During<T> {
    fn during(self, action: &'static str) -> Result<T>;
}

impl<T, E: Into<io::Error>> During<T> for std::result::Result<T, E> {
    fn during(self, action: &'static str) -> Result<T> {
        self.map_err(|error| Error::io(action, error))
    }
}
