//! The backend for one machine: a file per key, written in place.
//!
//! A file means nothing until a row names its key, so there is no temporary name and no rename;
//! what a crash leaves behind is found by its key. What a directory promises about durability is in
//! [`durable`], how a file grows in [`growing`], how an upload drives it in [`upload`].

mod durable;
mod growing;
mod open_files;
mod probe;
mod upload;

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use naru_handoff::{BufferPool, FileRange};
use naru_oci::Digest;

use crate::error::{During, Error, Result};
use crate::failpoint;
use crate::hash::Rehasher;
use crate::intake::Buffers;
use crate::key::StorageKey;
use crate::layout;
use crate::opened::Opened;
use crate::probe::Probe;
use crate::settings::BlobStoreSettings;
use crate::state::UploadState;
use crate::store::{Listed, Verdict};
use crate::threads::Threads;

use durable::DurableNames;
use open_files::OpenFiles;
pub(crate) use upload::DirectoryUpload;

/// Blobs in a directory.
#[derive(Clone, Debug)]
pub(crate) struct Directory(Arc<Shared>);

/// What the store and its uploads share.
#[derive(Debug)]
struct Shared {
    root: PathBuf,
    buffers: Buffers,
    threads: Threads,
    /// From how many bytes on a blob is written past the page cache.
    direct_from: Option<u64>,
    allow_unsafe_filesystem: bool,
    names: DurableNames,
    open_files: OpenFiles,
}

impl Directory {
    /// Touches no disk: commands that only look must not create anything.
    pub(crate) fn new(settings: &BlobStoreSettings, data: &Path) -> Self {
        Self(Arc::new(Shared {
            root: settings.path.clone().unwrap_or_else(|| data.to_owned()),
            buffers: settings.buffers(),
            threads: Threads::default(),
            direct_from: match settings.direct_io_from_mib {
                0 => None,
                mib => Some(mib.saturating_mul(1 << 20)),
            },
            allow_unsafe_filesystem: settings.allow_unsafe_filesystem,
            names: DurableNames::default(),
            open_files: OpenFiles::default(),
        }))
    }

    pub(crate) fn buffers(&self) -> &BufferPool {
        self.0.buffers.pool()
    }

    pub(crate) fn begin(&self, key: StorageKey) -> Result<DirectoryUpload> {
        DirectoryUpload::begin(self.0.clone(), key)
    }

    pub(crate) async fn resume(
        &self,
        key: StorageKey,
        state: Option<&UploadState>,
    ) -> Result<DirectoryUpload> {
        DirectoryUpload::resume(self.0.clone(), key, state).await
    }

    pub(crate) async fn resumable(&self, key: &StorageKey, state: &UploadState) -> Result<u64> {
        upload::check_place(state)?;
        let found = self.stat(key).await?;
        let length = found.ok_or(Error::Missing { key: *key })?;
        Ok(length.min(state.offset()))
    }

    pub(crate) async fn discard(&self, key: &StorageKey) -> Result<()> {
        growing::discard(&self.0, *key).await
    }

    pub(crate) async fn open(&self, key: &StorageKey, range: Range<u64>) -> Result<Opened> {
        let (file, length) = match self.0.open_files.get(key) {
            Some(found) => found,
            None => {
                let (shared, key) = (self.0.clone(), *key);
                self.0
                    .threads
                    .read
                    .run(move || shared.open_and_keep(key))
                    .await?
            }
        };
        if range.end > length {
            return Err(Error::Truncated {
                key: *key,
                expected: range.end,
                found: length,
            });
        }
        Ok(Opened::File(FileRange::new(file, range)))
    }

    pub(crate) async fn stat(&self, key: &StorageKey) -> Result<Option<u64>> {
        let path = self.path(key);
        let look = move || match fs::metadata(path) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("look at a blob", error)),
        };
        self.0.threads.read.run(look).await
    }

    pub(crate) async fn delete(&self, key: &StorageKey) -> Result<()> {
        let (path, key) = (self.path(key), *key);
        self.0.open_files.forget(&key);
        let delete = move || {
            failpoint!("blob.delete", key).during("remove a blob")?;
            remove(&path)?;
            failpoint!("blob.deleted", key).during("remove a blob")
        };
        self.0.threads.read.run(delete).await
    }

    /// Reads the names of one directory after the other; a listing of millions holds one of them.
    pub(crate) fn list(&self) -> BoxStream<'static, Result<Listed>> {
        let shared = self.0.clone();
        let shards = async move {
            shared
                .clone()
                .threads
                .read
                .run(move || shards(&shared.root))
                .await
        };
        let read = self.0.threads.read.clone();
        stream::once(shards)
            .map_ok(|shards| stream::iter(shards.into_iter().map(Ok)))
            .try_flatten()
            .and_then(move |shard| {
                let read = read.clone();
                async move { read.run(move || keys(&shard)).await }
            })
            .map_ok(|keys| stream::iter(keys.into_iter().map(Ok)))
            .try_flatten()
            .boxed()
    }

    pub(crate) async fn verify(
        &self,
        key: &StorageKey,
        digest: &Digest,
        size: u64,
    ) -> Result<Verdict> {
        let (path, digest) = (self.path(key), digest.clone());
        self.0
            .threads
            .read
            .run(move || verify_file(&path, &digest, size))
            .await
    }

    pub(crate) async fn probe(&self) -> Result<Probe> {
        let shared = self.0.clone();
        self.0
            .threads
            .write
            .run(move || probe::probe(&shared))
            .await
    }

    fn path(&self, key: &StorageKey) -> PathBuf {
        layout::file(&self.0.root, key)
    }
}

impl Shared {
    fn open_and_keep(&self, key: StorageKey) -> Result<(Arc<File>, u64)> {
        const ACTION: &str = "open a blob";
        let file = match File::open(layout::file(&self.root, &key)) {
            Ok(file) => Arc::new(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::Missing { key });
            }
            Err(error) => return Err(Error::io(ACTION, error)),
        };
        let length = file.metadata().during(ACTION)?.len();
        self.open_files.keep(key, &file, length);
        Ok((file, length))
    }
}

/// Removes a file; one that is not there is fine. Needs no flush: a name that comes back after a
/// power cut is an orphan, and orphans are found.
fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove a blob", error))
        }
        _ => Ok(()),
    }
}

fn shards(root: &Path) -> Result<Vec<PathBuf>> {
    const ACTION: &str = "list the directories of blobs";
    match fs::read_dir(layout::blobs(root)) {
        Ok(entries) => {
            let mut paths: Vec<_> = entries
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<Result<_, _>>()
                .during(ACTION)?;
            paths.sort();
            Ok(paths)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Error::io(ACTION, error)),
    }
}

fn keys(shard: &Path) -> Result<Vec<Listed>> {
    const ACTION: &str = "list blobs";
    let mut listed = Vec::new();
    for entry in fs::read_dir(shard).during(ACTION)? {
        let entry = entry.during(ACTION)?;
        let names = (
            shard.file_name().and_then(|name| name.to_str()),
            entry.file_name(),
        );
        let key = match (names.0, names.1.to_str()) {
            (Some(shard), Some(name)) => StorageKey::from_parts(shard, name),
            _ => None,
        };
        match (key, entry.metadata()) {
            (Some(key), Ok(metadata)) => listed.push(Listed {
                key,
                size: metadata.len(),
            }),
            (Some(_), Err(error)) if error.kind() == io::ErrorKind::NotFound => {}
            (Some(_), Err(error)) => return Err(Error::io(ACTION, error)),
            (None, _) => {
                let path = entry.path();
                tracing::warn!(path = %path.display(), "not a blob of this store: left alone");
            }
        }
    }
    listed.sort_by_key(|listed| listed.key);
    Ok(listed)
}

fn verify_file(path: &Path, digest: &Digest, size: u64) -> Result<Verdict> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Verdict::Missing),
        Err(error) => return Err(Error::io("open a blob", error)),
    };
    let found = file.metadata().during("look at a blob")?.len();
    if found != size {
        return Ok(Verdict::WrongSize { found });
    }
    let actual = Rehasher::digest_of_file(digest.algorithm(), &file, size)?;
    Ok(if actual == *digest {
        Verdict::Sound
    } else {
        Verdict::WrongDigest { actual }
    })
}

#[cfg(test)]
mod crash;
#[cfg(test)]
mod tests;
