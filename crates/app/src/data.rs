//! The data directory: who may read it, who serves it, and the master key in it.
//!
//! ```text
//! naru-data/            0700
//! ├── naru.lock         locked by the server; holds its process id
//! ├── naru.db           SQLite, unless another database is configured
//! ├── blobs/            unless another store is configured
//! ├── acme/             account and certificates, where ACME is configured
//! └── master.key        0600; seals what is secret in the database
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, anyhow};
use naru_model::Random;
use naru_registry::MasterKey;
use rustix::fs::{FlockOperation, Mode, flock};
use secrecy::ExposeSecret;

use crate::config::secret;
use crate::failure::{Hint, hinted};

/// The data directory.
#[derive(Clone, Debug)]
pub struct DataDirectory(PathBuf);

/// Held by the one server of a data directory, until it is dropped or the process ends.
#[derive(Debug)]
pub struct ServerLock(#[expect(dead_code, reason = "the lock ends when the file is closed")] File);

impl DataDirectory {
    /// Opens the data directory of a server, and makes it on the first start.
    ///
    /// # Errors
    /// When it cannot be made, is not a directory, or every user of the machine can write to it.
    pub fn create(path: &Path) -> Result<Self> {
        make_private(path)
            .with_context(|| format!("cannot make the data directory {}", path.display()))
            .hint("name a place that this user can write to with `--data DIR`")?;
        Self::open(path)
    }

    /// Opens the data directory that a server has made.
    ///
    /// # Errors
    /// When there is none, or every user of the machine can write to it.
    pub fn open(path: &Path) -> Result<Self> {
        let shown = path.display();
        let found = match fs::metadata(path) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(hinted(
                    anyhow!("there is no data directory at {shown}"),
                    format!(
                        "name the right one with `--data DIR`, or start a server: naru serve --data {shown}"
                    ),
                ));
            }
            Err(error) => return Err(error).with_context(|| format!("cannot look at {shown}")),
        };
        if !found.is_dir() {
            return Err(anyhow!("{shown} is not a directory"));
        }
        let mode = found.permissions().mode();
        // A sticky directory such as /tmp keeps strangers from replacing our files.
        if mode & 0o1002 == 0o0002 {
            return Err(hinted(
                anyhow!(
                    "every user of this machine can write to {shown} (mode {:04o})",
                    mode & 0o7777
                ),
                format!("chmod 700 {shown}, or use a directory inside it: --data {shown}/naru"),
            ));
        }
        Ok(Self(path.to_owned()))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Locks it for one server. The lock ends with the process, however that ends.
    ///
    /// # Errors
    /// When another server holds it; the message has its process id.
    pub fn lock(&self) -> Result<ServerLock> {
        let path = self.0.join("naru.lock");
        let shown = self.0.display();
        let open = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path);
        let mut file = open.map_err(|error| self.out_of_reach(error))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(hinted(
                    anyhow!("another server{} serves {shown} already", holder(&mut file)),
                    "stop it first, or give this one a data directory of its own with `--data DIR`",
                ));
            }
            Err(error) => return Err(error).with_context(|| format!("cannot lock {shown}")),
        }
        let pid = std::process::id();
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{pid}"))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(ServerLock(file))
    }

    /// The master key that lies in this directory.
    ///
    /// # Errors
    /// When it is missing, every user of the machine has access to it, or it is no key.
    pub fn master_key(&self) -> Result<MasterKey> {
        let path = self.master_key_path();
        match fs::metadata(&path) {
            Ok(_) => read_master_key(&path),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(hinted(
                anyhow!("the master key {} is missing", path.display()),
                "put it back from a backup; without it the signing keys in the database cannot be opened",
            )),
            Err(error) => Err(self.out_of_reach(error)),
        }
    }

    /// Makes the master key, on the first start.
    ///
    /// # Errors
    /// When there is one, or it cannot be written.
    pub fn make_master_key(&self, random: &dyn Random) -> Result<MasterKey> {
        let path = self.master_key_path();
        let key = MasterKey::generate(random)?;
        write_secret(&self.0, &path, key.to_text().expose_secret().as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(key)
    }

    /// Whether a master key has ever been made here.
    #[must_use]
    pub fn has_master_key(&self) -> bool {
        self.master_key_path().exists()
    }

    /// What is in it cannot be used by this user, most likely because it is another's.
    fn out_of_reach(&self, error: io::Error) -> Error {
        let shown = self.0.display();
        let failed = Error::new(error).context(format!("cannot use the data in {shown}"));
        match failed.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(ErrorKind::PermissionDenied) => hinted(
                failed,
                "run this as the user that runs the server, for example with `sudo -u naru`",
            ),
            _ => failed,
        }
    }

    fn master_key_path(&self) -> PathBuf {
        self.0.join("master.key")
    }
}

/// Reads a master key from a file that a person or [`DataDirectory::make_master_key`] wrote.
///
/// # Errors
/// When it cannot be read, every user of the machine has access to it, or it is no key.
pub fn read_master_key(path: &Path) -> Result<MasterKey> {
    let content = secret::read_bytes(path).map_err(Error::new)?;
    MasterKey::from_file_content(&content)
        .with_context(|| format!("{} is no master key", path.display()))
        .hint("make one: head -c 32 /dev/urandom | od -An -vtx1 | tr -d ' \\n' > master.key")
}

/// From here on this process makes files and directories for its own user alone.
pub fn make_everything_private() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

fn make_private(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Writes a file that is complete or absent, whatever happens, and never replaces one.
fn write_secret(directory: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("new");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::hard_link(&draft, path)?;
    fs::remove_file(&draft)?;
    File::open(directory)?.sync_all()
}

/// Who holds the lock, in words.
fn holder(file: &mut File) -> String {
    let mut pid = String::new();
    let read = file.take(32).read_to_string(&mut pid);
    match (read, pid.trim().parse::<u32>()) {
        (Ok(_), Ok(pid)) => format!(" (process {pid})"),
        _ => String::new(),
    }
}
