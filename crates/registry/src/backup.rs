//! Backing up a running instance that lives in files: an SQLite database and, beside it, every
//! blob that the copied rows name.
//!
//! The database is copied first, at one moment; then the bytes of every blob in that copy. The
//! collector removes nothing that the copy names for as long as the trash delay lasts, so the two
//! fit together while the server goes on. Each blob is verified as it is copied. The backup is a
//! data directory: restoring is starting on it, or on a copy of it.
//!
//! Instances on PostgreSQL are backed up with that server's own tools, and then the bucket (or
//! directory) of blobs; the order is the same.

use std::path::{Path, PathBuf};

use futures_util::TryStreamExt;
use naru_blobstore::Error as StoreError;
use naru_blobstore::{BlobStore, BlobStoreSettings, Opened, StorageKey, Upload, Verdict};
use naru_metadata::links::{self, Blob};
use naru_metadata::{DatabaseSettings, Db, SchemaPolicy};
use naru_oci::{Algorithm, Digest};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::{Caller, Registry, account_access};

/// The name of the database in a data directory.
const DATABASE: &str = "naru.db";
/// The name of the master key in a data directory.
const MASTER_KEY: &str = "master.key";
/// What says that a backup is whole; written last.
const MANIFEST: &str = "backup.json";

/// How many rows are read at once.
const PAGE: i64 = 500;
/// How many bytes of a blob are copied at once.
const PART: usize = 1 << 20;

/// What a backup says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupManifest {
    /// The version of the program that made it.
    pub made_by: String,
    /// When it was begun: the moment it shows.
    pub made_at: String,
    /// The digest of the database file.
    pub database: Digest,
    /// How many blobs there are.
    pub blobs: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// Blobs whose bytes were found missing or wrong while they were copied: they are in the rows of
    /// the backup, but not in it.
    #[serde(default)]
    pub damaged: Vec<Digest>,
    /// Whether the master key lies beside them. Without it, keys sealed in the database can only
    /// be opened with the configured one.
    pub master_key: bool,
}

/// What is to be backed up besides rows and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackupOptions {
    /// Also the master key, with mode 0600: for an instance whose key lies in its data directory.
    pub with_master_key: bool,
}

/// What a check of a backup found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BackupCheck {
    /// Blobs that are sound.
    pub sound: u64,
    /// What is wrong, in sentences. Empty for a backup to rely on.
    pub problems: Vec<String>,
}

impl Registry {
    /// Backs this instance up into the directory `to`, while it runs. A directory with an earlier
    /// backup is brought up to date: blobs that are there already are not copied again.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the instance; [`Error::Conflict`] on
    /// PostgreSQL and for a directory that holds something else; [`Error::NoSpace`].
    pub async fn back_up(
        &self,
        caller: &Caller,
        to: &Path,
        options: BackupOptions,
        progress: &(dyn Fn(&BackupManifest) + Send + Sync),
    ) -> Result<BackupManifest> {
        let mut conn = self.db.read().await?;
        account_access::instance(&mut conn, caller).await?;
        drop(conn);
        if self.db.is_shared() {
            return Err(Error::Conflict(
                "on PostgreSQL, back the database up with `pg_dump` first and the blob store \
                 after it; the handbook says how"
                    .to_owned(),
            ));
        }
        prepare_directory(to)?;
        let made_at = self.clock.now().to_string();
        let fresh = to.join("naru.db.new");
        remove_if_there(&fresh)?;
        self.db.copy_to(&fresh).await?;
        let copy = open_copy(&fresh).await?;
        let mut manifest = BackupManifest {
            made_by: env!("CARGO_PKG_VERSION").to_owned(),
            made_at,
            database: Digest::of(Algorithm::Sha256, b""),
            blobs: 0,
            bytes: 0,
            damaged: Vec::new(),
            master_key: options.with_master_key,
        };
        let copied = self.copy_blobs(&copy, to, &mut manifest, progress).await;
        copy.close().await;
        copied?;
        if options.with_master_key {
            write_private(
                &to.join(MASTER_KEY),
                self.keyring.key_file().expose_secret(),
            )?;
        }
        put_database(&fresh, &to.join(DATABASE))?;
        manifest.database = digest_of_file(&to.join(DATABASE)).await?;
        write_manifest(to, &manifest)?;
        Ok(manifest)
    }

    /// Copies every blob that the rows of `copy` name.
    async fn copy_blobs(
        &self,
        copy: &Db,
        to: &Path,
        manifest: &mut BackupManifest,
        progress: &(dyn Fn(&BackupManifest) + Send + Sync),
    ) -> Result<()> {
        let target = BlobStore::new(&copy_settings(), to)?;
        target.probe().await?;
        let mut after = String::new();
        loop {
            let mut conn = copy.read().await?;
            let page = links::blobs_page(&mut conn, &after, PAGE).await?;
            drop(conn);
            let Some(last) = page.last() else {
                return Ok(());
            };
            last.digest.as_str().clone_into(&mut after);
            for blob in page.iter().filter(|blob| !blob.damaged) {
                if self.copy_blob(blob, &target).await? {
                    manifest.blobs += 1;
                    manifest.bytes += blob.size;
                } else {
                    tracing::error!(digest = %blob.digest,
                        "a blob is damaged and not in the backup; `naru fsck` says what to do");
                    manifest.damaged.push(blob.digest.clone());
                }
                progress(manifest);
            }
        }
    }

    /// Copies a blob unless it is there already. Returns false if its bytes are not what they
    /// should be; then nothing of it is in the backup.
    async fn copy_blob(&self, blob: &Blob, target: &BlobStore) -> Result<bool> {
        let Ok(key) = blob.storage_key.parse::<StorageKey>() else {
            return Ok(false);
        };
        if target.stat(&key).await? == Some(blob.size) {
            return Ok(true);
        }
        // What an interrupted backup left under this key.
        target.delete(&key).await?;
        let opened = match self.blobs.open_here(&key, 0..blob.size).await {
            Ok(opened) => opened,
            Err(StoreError::Missing { .. } | StoreError::Truncated { .. }) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let mut upload = target.begin(key)?;
        upload.expect(blob.size);
        if !append_all(opened, &mut upload).await? {
            return Ok(false);
        }
        match upload.finish(&blob.digest).await {
            Ok(_) => Ok(true),
            Err(StoreError::DigestMismatch { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Copies what was opened into an upload. Returns false if it ends early or cannot be read.
async fn append_all(opened: Opened, upload: &mut Upload) -> Result<bool> {
    match opened {
        Opened::File(mut file) => {
            while !file.is_empty() {
                let read = move || {
                    let bytes = file.read_from_disk(PART);
                    (file, bytes)
                };
                let (rest, bytes) = in_background(read).await?;
                file = rest;
                let Ok(bytes) = bytes else { return Ok(false) };
                upload.append(bytes).await?;
            }
        }
        Opened::Stream(mut stream) => {
            while let Some(bytes) = stream.bytes.try_next().await? {
                upload.append(bytes).await?;
            }
        }
        Opened::Redirect { .. } => {
            return Err(Error::Conflict(
                "a blob store that redirects is backed up with its own tools".to_owned(),
            ));
        }
    }
    Ok(true)
}

/// Checks that a backup is whole: its manifest, its database, every byte of every blob.
///
/// # Errors
/// [`Error::NotFound`] for what is no backup; those of reading. What is wrong with it is in the
/// answer.
pub async fn verify_backup(
    from: &Path,
    progress: &(dyn Fn(&BackupCheck) + Send + Sync),
) -> Result<BackupCheck> {
    let manifest = read_manifest(from)?;
    let mut check = BackupCheck::default();
    if digest_of_file(&from.join(DATABASE)).await? != manifest.database {
        check
            .problems
            .push("the database is not the one that was written".to_owned());
    }
    let copy = open_copy(&from.join(DATABASE)).await?;
    let outcome = verify_blobs(&copy, from, &mut check, progress).await;
    copy.close().await;
    outcome?;
    if check.sound < manifest.blobs && check.problems.is_empty() {
        let (found, expected) = (check.sound, manifest.blobs);
        check
            .problems
            .push(format!("there are {found} blobs instead of {expected}"));
    }
    Ok(check)
}

async fn verify_blobs(
    copy: &Db,
    from: &Path,
    check: &mut BackupCheck,
    progress: &(dyn Fn(&BackupCheck) + Send + Sync),
) -> Result<()> {
    let store = BlobStore::new(&copy_settings(), from)?;
    let mut after = String::new();
    loop {
        let mut conn = copy.read().await?;
        let page = links::blobs_page(&mut conn, &after, PAGE).await?;
        drop(conn);
        let Some(last) = page.last() else {
            return Ok(());
        };
        last.digest.as_str().clone_into(&mut after);
        for blob in page.iter().filter(|blob| !blob.damaged) {
            match verify_blob(&store, blob).await? {
                None => check.sound += 1,
                Some(problem) => check.problems.push(problem),
            }
            progress(check);
        }
    }
}

async fn verify_blob(store: &BlobStore, blob: &Blob) -> Result<Option<String>> {
    let Ok(key) = blob.storage_key.parse::<StorageKey>() else {
        return Ok(Some(format!("`{}` is no storage key", blob.storage_key)));
    };
    let digest = &blob.digest;
    Ok(match store.verify(&key, digest, blob.size).await? {
        Verdict::Sound => None,
        Verdict::Missing => Some(format!("{digest} is missing")),
        Verdict::WrongSize { found } => Some(format!(
            "{digest} has {found} bytes instead of {}",
            blob.size
        )),
        Verdict::WrongDigest { actual } => Some(format!("the bytes of {digest} are {actual}")),
    })
}

/// A backup may lie on any filesystem, also one that no server should run on: it is verified.
fn copy_settings() -> BlobStoreSettings {
    BlobStoreSettings {
        allow_unsafe_filesystem: true,
        ..BlobStoreSettings::default()
    }
}

/// Waits for the disk on a blocking thread.
async fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::Internal(error.to_string()))
}

async fn digest_of_file(file: &Path) -> Result<Digest> {
    let file = file.to_owned();
    let hashed = in_background(move || {
        let mut hasher = HashWriter(Sha256::new());
        std::fs::File::open(&file)
            .and_then(|mut open| std::io::copy(&mut open, &mut hasher))
            .map(|_| hex::encode(hasher.0.finalize()))
            .map_err(|error| cannot("read", &file, &error))
    });
    let text = format!("sha256:{}", hashed.await??);
    text.parse()
        .map_err(|_| Error::Internal(format!("`{text}` is no digest")))
}

struct HashWriter(Sha256);

impl std::io::Write for HashWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn open_copy(file: &Path) -> Result<Db> {
    let settings = DatabaseSettings::with_url(&format!("sqlite:{}", file.display()));
    Ok(Db::open(&settings, Path::new(""), SchemaPolicy::MustMatch).await?)
}

/// Makes the directory, or takes one that is empty or holds an earlier backup.
fn prepare_directory(to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).map_err(|error| cannot("make", to, &error))?;
    let mut entries = std::fs::read_dir(to).map_err(|error| cannot("read", to, &error))?;
    let is_ours = to.join(MANIFEST).exists() || to.join("naru.db.new").exists();
    if entries.next().is_some() && !is_ours {
        return Err(Error::Conflict(format!(
            "{} is not empty and holds no earlier backup",
            to.display()
        )));
    }
    // Until the end it is no whole backup.
    remove_if_there(&to.join(MANIFEST))
}

/// Puts the copied database in its place. The log of an earlier one would be played into it.
fn put_database(fresh: &Path, place: &Path) -> Result<()> {
    for suffix in ["-wal", "-shm"] {
        for file in [fresh, place] {
            let mut name = file.as_os_str().to_owned();
            name.push(suffix);
            remove_if_there(&PathBuf::from(name))?;
        }
    }
    std::fs::rename(fresh, place).map_err(|error| cannot("write", place, &error))?;
    sync(place)
}

fn write_manifest(to: &Path, manifest: &BackupManifest) -> Result<()> {
    let text = serde_json::to_string_pretty(manifest)
        .map_err(|error| Error::Internal(error.to_string()))?;
    let file = to.join(MANIFEST);
    std::fs::write(&file, text).map_err(|error| cannot("write", &file, &error))?;
    sync(&file)?;
    sync(to)
}

fn read_manifest(from: &Path) -> Result<BackupManifest> {
    let file = from.join(MANIFEST);
    let text = std::fs::read(&file).map_err(|_| Error::NotFound {
        what: "whole backup",
        name: from.display().to_string(),
    })?;
    serde_json::from_slice(&text).map_err(|error| {
        Error::Invalid(format!("{} cannot be understood: {error}", file.display()))
    })
}

/// Writes a file that nobody else may read.
fn write_private(file: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;

    remove_if_there(file)?;
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .and_then(|mut open| open.write_all(text.as_bytes()));
    written.map_err(|error| cannot("write", file, &error))?;
    sync(file)
}

fn remove_if_there(file: &Path) -> Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(cannot("remove", file, &error))
        }
        _ => Ok(()),
    }
}

fn sync(path: &Path) -> Result<()> {
    let synced = std::fs::File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|error| cannot("flush", path, &error))
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::StorageFull => Error::NoSpace,
        _ => Error::Invalid(format!("cannot {what} {}: {error}", path.display())),
    }
}
