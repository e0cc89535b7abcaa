//! [`Opened`]: a blob about to be read, in the form its backend does best.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use naru_handoff::FileRange;
use url::Url;

use crate::error::{Error, Result};

/// A range of a blob, open for reading: whichever way, a `delete` that follows does not spoil it.
pub enum Opened {
    /// A part of a file that nobody changes, fit for `sendfile`.
    File(FileRange),
    /// Bytes from elsewhere.
    Stream(BlobStream),
    /// The client is to fetch the bytes itself (S3 with `redirect`).
    Redirect {
        /// A signed URL for the whole blob; clients send their `Range` again.
        url: Url,
        /// How long it is good. It outlives a revocation by so much.
        lifetime: Duration,
    },
}

/// The bytes of a range, as they come. An error is the last item.
pub struct BlobStream {
    /// How many bytes there will be.
    pub len: u64,
    /// They.
    pub bytes: BoxStream<'static, Result<Bytes>>,
}

impl Opened {
    /// How many bytes will come, unless the client is sent elsewhere.
    #[must_use]
    pub fn len(&self) -> Option<u64> {
        match self {
            Self::File(range) => Some(range.len()),
            Self::Stream(stream) => Some(stream.len),
            Self::Redirect { .. } => None,
        }
    }

    /// Whether nothing will come.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// All bytes, in memory: for small blobs, such as configurations. Waits for the disk on a
    /// blocking thread.
    ///
    /// # Errors
    /// Those of reading; [`Error::Unfit`] for a redirect, which is for clients.
    pub async fn read(self) -> Result<Bytes> {
        match self {
            Self::File(range) => read_file(range).await,
            Self::Stream(stream) => read_stream(stream).await,
            Self::Redirect { .. } => Err(Error::Unfit(
                "a redirect is followed by the client".to_owned(),
            )),
        }
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(range) => f.debug_tuple("File").field(range).finish(),
            Self::Stream(stream) => write!(f, "Stream({} bytes)", stream.len),
            // The URL is a secret as long as it is good.
            Self::Redirect { lifetime, .. } => write!(f, "Redirect(for {lifetime:?})"),
        }
    }
}

async fn read_file(mut range: FileRange) -> Result<Bytes> {
    const ACTION: &str = "read a blob";
    if let Ok(Some(bytes)) = range.read_cached(usize::MAX) {
        return Ok(bytes);
    }
    tokio::task::spawn_blocking(move || range.read_from_disk(usize::MAX))
        .await
        .map_err(|error| Error::io(ACTION, error))?
        .map_err(|error| Error::io(ACTION, error))
}

async fn read_stream(stream: BlobStream) -> Result<Bytes> {
    use futures_util::TryStreamExt;
    let parts: Vec<Bytes> = stream.bytes.try_collect().await?;
    Ok(parts.concat().into())
}
