//! The backend for several machines: an object per key, in a bucket of an S3-class store.
//!
//! An object cannot grow, so an upload is cut into parts of one size; how it drives them, and how
//! another replica goes on with it, is told in [`upload`]. Unique keys and database rows decide who
//! wins; conditional puts are never relied on, because common servers accept and ignore them.

mod connect;
mod parts;
mod probe;
mod scratch;
mod upload;

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use http::Method;
use naru_handoff::BufferPool;
use naru_oci::Digest;
use object_store::multipart::MultipartStore;
use object_store::path::Path as ObjectPath;
use object_store::signer::Signer;
use object_store::{
    Error as ObjectError, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt,
    Result as ObjectResult,
};
use tokio::sync::Semaphore;

use crate::error::{Error, Result};
use crate::failpoint;
use crate::hash::Rehasher;
use crate::intake::Buffers;
use crate::key::StorageKey;
use crate::layout::{self, ObjectNames};
use crate::opened::{BlobStream, Opened};
use crate::probe::Probe;
use crate::settings::BlobStoreSettings;
use crate::state::UploadState;
use crate::store::{Listed, Verdict};
use crate::threads::Threads;

use parts::PART;
pub(crate) use upload::S3Upload;

/// How much of a blob is gathered before it is hashed, when it is read again.
const HASH_AT_ONCE: usize = 1 << 20;

/// Blobs in a bucket.
#[derive(Clone, Debug)]
pub(crate) struct S3(Arc<Shared>);

/// Everything an object store must offer. Amazon's does; so does the one in memory for tests.
pub(crate) trait Bucket: ObjectStore + MultipartStore {}
impl<T: ObjectStore + MultipartStore> Bucket for T {}

/// What the store and its uploads share.
struct Shared {
    bucket: Arc<dyn Bucket>,
    names: ObjectNames,
    /// For the log: bucket and prefix.
    place: String,
    buffers: Buffers,
    threads: Threads,
    /// One permit for each part that may be in memory.
    part_memory: Arc<Semaphore>,
    scratch: PathBuf,
    redirect: Option<Redirect>,
}

struct Redirect {
    signer: Arc<dyn Signer>,
    lifetime: Duration,
}

impl S3 {
    /// Touches neither disk nor network, but for reading the secret.
    pub(crate) fn new(settings: &BlobStoreSettings, data: &Path) -> Result<Self> {
        let bucket = Arc::new(connect::connect(settings)?);
        let redirect = settings.redirect.then(|| Redirect {
            signer: bucket.clone(),
            lifetime: Duration::from_secs(settings.redirect_seconds),
        });
        Ok(Self::over(bucket, settings, data, redirect))
    }

    /// Over any bucket, such as one that fails on purpose.
    #[cfg(test)]
    pub(crate) fn in_memory(bucket: Arc<dyn Bucket>, data: &Path) -> Self {
        Self::over(bucket, &BlobStoreSettings::default(), data, None)
    }

    fn over(
        bucket: Arc<dyn Bucket>,
        settings: &BlobStoreSettings,
        data: &Path,
        redirect: Option<Redirect>,
    ) -> Self {
        let prefix = settings.prefix.as_deref().unwrap_or_default();
        let buffers = settings.buffers();
        let parts = buffers.pool().budget() as u64 / PART;
        Self(Arc::new(Shared {
            bucket,
            names: ObjectNames::new(prefix),
            place: format!(
                "{}/{prefix}",
                settings.bucket.as_deref().unwrap_or_default()
            ),
            part_memory: Arc::new(Semaphore::new(usize::try_from(parts).unwrap_or(1).max(1))),
            buffers,
            threads: Threads::default(),
            scratch: settings
                .path
                .clone()
                .unwrap_or_else(|| data.join(layout::SCRATCH)),
            redirect,
        }))
    }

    pub(crate) fn buffers(&self) -> &BufferPool {
        self.0.buffers.pool()
    }

    pub(crate) fn begin(&self, key: StorageKey) -> S3Upload {
        S3Upload::begin(self.0.clone(), key)
    }

    pub(crate) async fn resume(
        &self,
        key: StorageKey,
        state: Option<&UploadState>,
    ) -> Result<S3Upload> {
        S3Upload::resume(self.0.clone(), key, state).await
    }

    pub(crate) async fn resumable(&self, key: &StorageKey, state: &UploadState) -> Result<u64> {
        let parts = upload::parts_of(state)?;
        let done = parts.done.len() as u64 * PART;
        let tail = match &parts.tail {
            Some(name) => self.0.tail_length(key, name).await?,
            None => 0,
        };
        Ok(done.saturating_add(tail).min(state.offset()))
    }

    pub(crate) async fn discard(
        &self,
        key: &StorageKey,
        state: Option<&UploadState>,
    ) -> Result<()> {
        upload::discard(&self.0, key, state).await
    }

    /// Where a client may fetch the blob itself, if clients are to do that.
    pub(crate) async fn redirect(&self, key: &StorageKey) -> Result<Option<Opened>> {
        let Some(Redirect { signer, lifetime }) = &self.0.redirect else {
            return Ok(None);
        };
        let signed = signer
            .signed_url(Method::GET, &self.0.names.blob(key), *lifetime)
            .await;
        let url = signed.map_err(|error| failed(&error, key))?;
        Ok(Some(Opened::Redirect {
            url,
            lifetime: *lifetime,
        }))
    }

    pub(crate) async fn open(&self, key: &StorageKey, range: Range<u64>) -> Result<Opened> {
        self.0.read(key, range).await.map(Opened::Stream)
    }

    pub(crate) async fn stat(&self, key: &StorageKey) -> Result<Option<u64>> {
        self.0.stat(key).await
    }

    pub(crate) async fn delete(&self, key: &StorageKey) -> Result<()> {
        let failing = |error| Error::io("remove a blob", error);
        failpoint!("blob.delete", key).map_err(failing)?;
        self.0.remove(&self.0.names.blob(key), key).await?;
        failpoint!("blob.deleted", key).map_err(failing)?;
        self.0.remove_tails(key).await
    }

    pub(crate) fn list(&self) -> BoxStream<'static, Result<Listed>> {
        let places = [self.0.names.blobs(), self.0.names.tails()];
        let shared = self.0.clone();
        stream::iter(places)
            .flat_map(move |place| {
                shared
                    .bucket
                    .list(Some(&place))
                    .map(shared.clone().lister())
            })
            .try_filter_map(|listed| future::ready(Ok(listed)))
            .map_err(|error: ObjectError| unavailable(&error))
            .boxed()
    }

    pub(crate) async fn verify(
        &self,
        key: &StorageKey,
        digest: &Digest,
        size: u64,
    ) -> Result<Verdict> {
        self.0.verify(key, digest, size).await
    }

    pub(crate) async fn probe(&self) -> Result<Probe> {
        probe::probe(&self.0).await
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3({})", self.place)
    }
}

impl Shared {
    async fn stat(&self, key: &StorageKey) -> Result<Option<u64>> {
        match self.bucket.head(&self.names.blob(key)).await {
            Ok(found) => Ok(Some(found.size)),
            Err(ObjectError::NotFound { .. }) => Ok(None),
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// How long the tail of an upload is; 0 where it is lost.
    async fn tail_length(&self, key: &StorageKey, name: &str) -> Result<u64> {
        match self.bucket.head(&self.names.tail(key, name)).await {
            Ok(found) => Ok(found.size),
            Err(ObjectError::NotFound { .. }) => Ok(0),
            Err(error) => Err(unavailable(&error)),
        }
    }

    async fn read(&self, key: &StorageKey, range: Range<u64>) -> Result<BlobStream> {
        let len = range.end.saturating_sub(range.start);
        if len == 0 {
            self.check_length(key, range.end).await?;
            return Ok(BlobStream {
                len,
                bytes: stream::empty().boxed(),
            });
        }
        let expected = range.end;
        let options = GetOptions {
            range: Some(GetRange::Bounded(range)),
            ..GetOptions::default()
        };
        match self.bucket.get_opts(&self.names.blob(key), options).await {
            Ok(found) if found.meta.size >= expected => {
                let key = *key;
                let bytes = found
                    .into_stream()
                    .map_err(move |error| failed(&error, &key));
                Ok(BlobStream {
                    len,
                    bytes: bytes.boxed(),
                })
            }
            Ok(found) => Err(Error::Truncated {
                key: *key,
                expected,
                found: found.meta.size,
            }),
            Err(error) => {
                // Servers word an unsatisfiable range in many ways; the length says it plainly.
                self.check_length(key, expected).await?;
                Err(failed(&error, key))
            }
        }
    }

    async fn check_length(&self, key: &StorageKey, expected: u64) -> Result<()> {
        match self.stat(key).await? {
            None => Err(Error::Missing { key: *key }),
            Some(found) if found < expected => Err(Error::Truncated {
                key: *key,
                expected,
                found,
            }),
            Some(_) => Ok(()),
        }
    }

    async fn verify(&self, key: &StorageKey, digest: &Digest, size: u64) -> Result<Verdict> {
        match self.stat(key).await? {
            None => return Ok(Verdict::Missing),
            Some(found) if found != size => return Ok(Verdict::WrongSize { found }),
            Some(_) => {}
        }
        let stream = self.read(key, 0..size).await?;
        let actual = self
            .digest_of(stream, Rehasher::new(digest.algorithm()))
            .await?;
        Ok(if actual == *digest {
            Verdict::Sound
        } else {
            Verdict::WrongDigest { actual }
        })
    }

    /// Hashes a stream, some pieces after the other.
    async fn digest_of(&self, mut stream: BlobStream, mut hash: Rehasher) -> Result<Digest> {
        loop {
            let (pieces, more) = next_pieces(&mut stream).await?;
            let update = move || {
                pieces.iter().for_each(|piece| hash.update(piece));
                Ok(hash)
            };
            hash = self.threads.hash.run(update).await?;
            if !more {
                return hash.digest();
            }
        }
    }

    /// Removes an object; one that is not there is fine.
    async fn remove(&self, object: &ObjectPath, key: &StorageKey) -> Result<()> {
        match self.bucket.delete(object).await {
            Ok(()) | Err(ObjectError::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed(&error, key)),
        }
    }

    async fn remove_tails(&self, key: &StorageKey) -> Result<()> {
        let mut tails = self.bucket.list(Some(&self.names.tails_of(key)));
        while let Some(tail) = tails
            .try_next()
            .await
            .map_err(|error| unavailable(&error))?
        {
            self.remove(&tail.location, key).await?;
        }
        Ok(())
    }

    /// What turns objects into keys; others in this place are left alone.
    fn lister(
        self: Arc<Self>,
    ) -> impl Fn(ObjectResult<ObjectMeta>) -> ObjectResult<Option<Listed>> {
        move |object| {
            let object = object?;
            let key = self.names.key_of(&object.location);
            if key.is_none() {
                tracing::warn!(object = %object.location, "not a blob of this store: left alone");
            }
            Ok(key.map(|key| Listed {
                key,
                size: object.size,
            }))
        }
    }
}

async fn next_pieces(stream: &mut BlobStream) -> Result<(Vec<Bytes>, bool)> {
    let (mut pieces, mut length) = (Vec::new(), 0);
    while length < HASH_AT_ONCE {
        match stream.bytes.try_next().await? {
            Some(piece) => {
                length += piece.len();
                pieces.push(piece);
            }
            None => return Ok((pieces, false)),
        }
    }
    Ok((pieces, true))
}

/// What an error of the object store means while `key` was in hand.
fn failed(error: &ObjectError, key: &StorageKey) -> Error {
    match error {
        ObjectError::NotFound { .. } => Error::Missing { key: *key },
        other => unavailable(other),
    }
}

/// What an error of the object store means otherwise. A full store has no word of its own in the
/// protocol; these are those in use.
fn unavailable(error: &ObjectError) -> Error {
    let text = error.to_string();
    if ["StorageFull", "QuotaExceeded", "507 Insufficient Storage"]
        .iter()
        .any(|word| text.contains(word))
    {
        Error::NoSpace
    } else {
        Error::Unavailable(text)
    }
}

#[cfg(test)]
mod tests;
