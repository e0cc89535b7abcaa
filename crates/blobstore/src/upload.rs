//! [`Upload`]: bytes on their way into the store.

use std::fmt;

use bytes::Bytes;
use naru_oci::Digest;

use crate::directory::DirectoryUpload;
use crate::error::Result;
use crate::key::StorageKey;
use crate::s3::S3Upload;
use crate::state::UploadState;

/// An upload that this process writes to.
///
/// ```text
/// begin ──▶ append* ──▶ finish ──▶ a blob, once a row names its key
///              │  ▲
///   checkpoint ▼  │ resume, here or on another replica
///            UploadState, in a row
/// ```
///
/// Between two requests it can be parked: after a checkpoint it holds no thread, no lock and no
/// buffer. Dropping it forgets what came after the last checkpoint and leaves what came before, to
/// be resumed; nothing is left where there was no checkpoint.
///
/// Two writers: the row's epoch decides. Who takes over raises it there, tells the new number with
/// [`Upload::set_epoch`], and the checkpoint of the other one finds that its number is old. Below
/// that, a directory locks each file, so that a cut-off write that is still under way never mixes
/// with those of the successor; on S3 the tags of the parts tell two writers apart.
pub struct Upload(Kind);

enum Kind {
    Directory(Box<DirectoryUpload>),
    S3(Box<S3Upload>),
}

/// A finished upload: durable, verified, and known to nobody until a row names its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// How many bytes it has.
    pub size: u64,
}

impl Upload {
    /// Where the bytes go.
    #[must_use]
    pub fn key(&self) -> &StorageKey {
        match &self.0 {
            Kind::Directory(upload) => upload.key(),
            Kind::S3(upload) => upload.key(),
        }
    }

    /// How many bytes have been taken; after a checkpoint, how many are durable.
    #[must_use]
    pub fn offset(&self) -> u64 {
        match &self.0 {
            Kind::Directory(upload) => upload.offset(),
            Kind::S3(upload) => upload.offset(),
        }
    }

    /// Says under which number the row lets this writer write. States carry it from now on.
    pub fn set_epoch(&mut self, epoch: i64) {
        match &mut self.0 {
            Kind::Directory(upload) => upload.set_epoch(epoch),
            Kind::S3(upload) => upload.set_epoch(epoch),
        }
    }

    /// Announces that `more` bytes are about to be appended: a `Content-Length`. Only a hint, for
    /// the size of buffers, setting space aside and writing large blobs past the page cache.
    pub fn expect(&mut self, more: u64) {
        match &mut self.0 {
            Kind::Directory(upload) => upload.expect(more),
            Kind::S3(upload) => upload.expect(more),
        }
    }

    /// Takes bytes in, hashed as they pass. Waits while the disk or the bucket is slower than the
    /// client, or while other uploads use up the memory that all share.
    ///
    /// Dropping the future may leave some of `bytes` taken; [`Upload::offset`] tells.
    ///
    /// # Errors
    /// `Error::NoSpace`, `Error::Unavailable`, `Error::TooLarge`, `Error::Io`; after any of them
    /// this value is `Error::Broken`, and the upload can be resumed from its last checkpoint.
    pub async fn append(&mut self, bytes: Bytes) -> Result<()> {
        match &mut self.0 {
            Kind::Directory(upload) => upload.append(bytes).await,
            Kind::S3(upload) => upload.append(bytes).await,
        }
    }

    /// Makes everything taken so far durable: afterwards, and after the state has been stored in
    /// its row, a client may be told [`UploadState::offset`] (202). Without new bytes it costs
    /// nothing.
    ///
    /// # Errors
    /// As [`Upload::append`].
    pub async fn checkpoint(&mut self) -> Result<UploadState> {
        match &mut self.0 {
            Kind::Directory(upload) => upload.checkpoint().await,
            Kind::S3(upload) => upload.checkpoint().await,
        }
    }

    /// Verifies the bytes and makes them durable; afterwards a row may name the key. A digest by
    /// another algorithm than SHA-256 is computed by reading the bytes again.
    ///
    /// # Errors
    /// `Error::DigestMismatch`, after which nothing is left; else as [`Upload::append`], after
    /// which the upload can be resumed from its last checkpoint.
    pub async fn finish(self, expected: &Digest) -> Result<Finished> {
        match self.0 {
            Kind::Directory(upload) => upload.finish(expected).await,
            Kind::S3(upload) => upload.finish(expected).await,
        }
    }

    /// Gives the upload up and removes what there is of it.
    ///
    /// # Errors
    /// Those of the backend; then the key belongs into the trash.
    pub async fn abort(self) -> Result<()> {
        match self.0 {
            Kind::Directory(upload) => upload.abort().await,
            Kind::S3(upload) => upload.abort().await,
        }
    }
}

impl From<DirectoryUpload> for Upload {
    fn from(upload: DirectoryUpload) -> Self {
        Self(Kind::Directory(Box::new(upload)))
    }
}

impl From<S3Upload> for Upload {
    fn from(upload: S3Upload) -> Self {
        Self(Kind::S3(Box::new(upload)))
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upload({} bytes at {})", self.offset(), self.key())
    }
}
