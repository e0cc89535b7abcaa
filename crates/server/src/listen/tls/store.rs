//! Where the ACME account and the certificate are kept: files that only their owner can read,
//! replaced as a whole.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::TlsError;

/// A directory of secrets.
#[derive(Clone, Debug)]
pub(super) struct SecretDirectory(PathBuf);

impl SecretDirectory {
    pub(super) fn open(path: PathBuf) -> Result<Self, TlsError> {
        match DirBuilder::new().recursive(true).mode(0o700).create(&path) {
            Ok(()) => Ok(Self(path)),
            Err(source) => Err(TlsError::Write { path, source }),
        }
    }

    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The contents of a file; `None` if there is none.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, TlsError> {
        let path = self.path_of(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(TlsError::Read { path, source }),
        }
    }

    /// Replaces a file. After a crash it is either the old or the new one.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), TlsError> {
        let path = self.path_of(name);
        replace(&self.0, &path, bytes).map_err(|source| TlsError::Write { path, source })
    }
}

fn replace(directory: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("new");
    // A draft that a crash left behind may have other permissions than a new file gets.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_secret_is_readable_by_its_owner_alone_and_is_replaced() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = SecretDirectory::open(scratch.path().join("acme")).unwrap();
        assert_eq!(directory.read("account.json").unwrap(), None);
        fs::write(directory.path_of("account.new"), "left behind").unwrap();
        directory.write("account.json", b"1").unwrap();
        directory.write("account.json", b"2").unwrap();
        assert_eq!(directory.read("account.json").unwrap().unwrap(), b"2");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&directory.path_of("account.json")), 0o600);
        assert_eq!(mode(&scratch.path().join("acme")), 0o700);
    }
}
