//! [`BlobStore`]: bytes by storage key.

use std::ops::Range;
use std::path::Path;

use futures_util::stream::BoxStream;
use naru_handoff::BufferPool;
use naru_oci::Digest;

use crate::directory::Directory;
use crate::error::Result;
use crate::key::StorageKey;
use crate::opened::Opened;
use crate::probe::Probe;
use crate::s3::S3;
use crate::settings::{BackendKind, BlobStoreSettings};
use crate::state::UploadState;
use crate::upload::Upload;

/// Bytes by storage key: a closed set of backends behind one contract, which
/// `contract` (feature `contract`) states as tests. Clones share everything.
///
/// A key is chosen by the caller when an upload begins and is never used twice, so no operation
/// here needs a condition, and each can be repeated.
#[derive(Clone, Debug)]
pub struct BlobStore(Backend);

#[derive(Clone, Debug)]
enum Backend {
    Directory(Directory),
    S3(S3),
}

/// A key that something is stored under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The key; [`StorageKey::began`] tells its age.
    pub key: StorageKey,
    /// How many bytes there are.
    pub size: u64,
}

/// What [`BlobStore::verify`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The bytes are what they should be.
    Sound,
    /// There is nothing under the key.
    Missing,
    /// Bytes are missing, or there are too many.
    WrongSize {
        /// How many there are.
        found: u64,
    },
    /// There are as many as there should be, but others.
    WrongDigest {
        /// Their digest, by the same algorithm.
        actual: Digest,
    },
}

impl BlobStore {
    /// A store as the settings say; `data` is the data directory, for what they leave open.
    /// Touches neither disk nor network: that is [`BlobStore::probe`].
    ///
    /// # Errors
    /// `Error::Unfit` when settings are missing or contradict each other.
    pub fn new(settings: &BlobStoreSettings, data: &Path) -> Result<Self> {
        match settings.backend {
            BackendKind::Directory => Ok(Self(Backend::Directory(Directory::new(settings, data)))),
            BackendKind::S3 => Ok(Self(Backend::S3(S3::new(settings, data)?))),
        }
    }

    #[cfg(test)]
    pub(crate) fn over(s3: S3) -> Self {
        Self(Backend::S3(s3))
    }

    /// Tries the store, as a server does before it takes requests: makes its directory, refuses a
    /// filesystem that loses what was flushed, writes and removes something.
    ///
    /// # Errors
    /// `Error::Unfit` with the reason and what to do, `Error::NoSpace`, `Error::Unavailable`.
    pub async fn probe(&self) -> Result<Probe> {
        match &self.0 {
            Backend::Directory(directory) => directory.probe().await,
            Backend::S3(s3) => s3.probe().await,
        }
    }

    /// Begins an upload under a fresh key. Nothing is stored before bytes come.
    ///
    /// # Errors
    /// `Error::ReadOnly`.
    pub fn begin(&self, key: StorageKey) -> Result<Upload> {
        match &self.0 {
            Backend::Directory(directory) => Ok(directory.begin(key)?.into()),
            Backend::S3(s3) => Ok(s3.begin(key).into()),
        }
    }

    /// Goes on with an upload from what its row keeps; `None` when there was no checkpoint yet.
    ///
    /// [`Upload::offset`] is then the smaller of what the row says and what the store has: a power
    /// cut may shorten an upload. What came after the checkpoint is forgotten.
    ///
    /// # Errors
    /// `Error::Missing` when nothing is left of it, `Error::BadState`, `Error::TakenOver` when an
    /// earlier writer does not let go within 10 s, and those of the backend.
    pub async fn resume(&self, key: StorageKey, state: Option<&UploadState>) -> Result<Upload> {
        match &self.0 {
            Backend::Directory(directory) => Ok(directory.resume(key, state).await?.into()),
            Backend::S3(s3) => Ok(s3.resume(key, state).await?.into()),
        }
    }

    /// From how many bytes on an upload could go on, without going on with it: what
    /// [`Upload::offset`] would be after [`BlobStore::resume`]. Whoever writes to it is not
    /// disturbed.
    ///
    /// # Errors
    /// `Error::Missing` when nothing is left of it, `Error::BadState`, and those of the backend.
    pub async fn resumable(&self, key: &StorageKey, state: Option<&UploadState>) -> Result<u64> {
        match state {
            None => Ok(0),
            Some(state) if state.offset() == 0 => Ok(0),
            Some(state) => match &self.0 {
                Backend::Directory(directory) => directory.resumable(key, state).await,
                Backend::S3(s3) => s3.resumable(key, state).await,
            },
        }
    }

    /// Removes what there is of an upload that nobody writes to any more, as its row knows it:
    /// like [`Upload::abort`], without reading anything back first. Nothing there is fine.
    ///
    /// # Errors
    /// Those of the backend; then the key belongs into the trash.
    pub async fn discard(&self, key: &StorageKey, state: Option<&UploadState>) -> Result<()> {
        match &self.0 {
            Backend::Directory(directory) => directory.discard(key).await,
            Backend::S3(s3) => s3.discard(key, state).await,
        }
    }

    /// Opens a range of the blob at `key` for a client; its size is known from the row. Where the
    /// settings say so, the client is sent to the bucket.
    ///
    /// # Errors
    /// `Error::Missing` and `Error::Truncated` when the store has lost what a row promises; those
    /// of the backend.
    pub async fn open(&self, key: &StorageKey, range: Range<u64>) -> Result<Opened> {
        match &self.0 {
            Backend::Directory(directory) => directory.open(key, range).await,
            Backend::S3(s3) => match s3.redirect(key).await? {
                Some(redirect) => Ok(redirect),
                None => s3.open(key, range).await,
            },
        }
    }

    /// Opens a range of the blob at `key` for this process, which never is a redirect: to read a
    /// configuration, to make a backup.
    ///
    /// # Errors
    /// As [`BlobStore::open`].
    pub async fn open_here(&self, key: &StorageKey, range: Range<u64>) -> Result<Opened> {
        match &self.0 {
            Backend::Directory(directory) => directory.open(key, range).await,
            Backend::S3(s3) => s3.open(key, range).await,
        }
    }

    /// How many bytes are stored under `key`; `None` when there is nothing.
    ///
    /// # Errors
    /// Those of the backend.
    pub async fn stat(&self, key: &StorageKey) -> Result<Option<u64>> {
        match &self.0 {
            Backend::Directory(directory) => directory.stat(key).await,
            Backend::S3(s3) => s3.stat(key).await,
        }
    }

    /// Removes what is stored under `key`, a blob or what is left of an upload. Nothing there is
    /// fine, so it can be repeated. Works on a full disk. Who reads it already reads on.
    ///
    /// # Errors
    /// Those of the backend.
    pub async fn delete(&self, key: &StorageKey) -> Result<()> {
        match &self.0 {
            Backend::Directory(directory) => directory.delete(key).await,
            Backend::S3(s3) => s3.delete(key).await,
        }
    }

    /// All keys with anything stored under them, blobs and uploads alike, that were begun before
    /// `unix_millis` (milliseconds since the Unix epoch), for the sweep of orphans and for `fsck`.
    /// `u64::MAX` lists all. In no particular order; a key may come twice.
    pub fn list(&self, unix_millis: u64) -> BoxStream<'static, Result<Listed>> {
        use futures_util::{StreamExt, TryStreamExt, future};
        let all = match &self.0 {
            Backend::Directory(directory) => directory.list(),
            Backend::S3(s3) => s3.list(),
        };
        all.try_filter(move |listed| future::ready(listed.key.began() < unix_millis))
            .boxed()
    }

    /// Reads the blob at `key` again and compares it with what its row says.
    ///
    /// # Errors
    /// Those of the backend; damage is a [`Verdict`], not an error.
    pub async fn verify(&self, key: &StorageKey, digest: &Digest, size: u64) -> Result<Verdict> {
        match &self.0 {
            Backend::Directory(directory) => directory.verify(key, digest, size).await,
            Backend::S3(s3) => s3.verify(key, digest, size).await,
        }
    }

    /// The memory that all uploads share, for the metrics.
    #[must_use]
    pub fn buffers(&self) -> &BufferPool {
        match &self.0 {
            Backend::Directory(directory) => directory.buffers(),
            Backend::S3(s3) => s3.buffers(),
        }
    }
}
