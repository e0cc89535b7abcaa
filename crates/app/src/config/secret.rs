//! Secrets in the configuration: read from files, never shown.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use toml::Value;
use url::Url;

use super::key::Key;

/// Settings whose value must not be shown.
const SECRETS: [[&str; 2]; 2] = [["database", "url"], ["blobstore", "secret_access_key"]];

/// What stands in place of a secret.
const HIDDEN: &str = "(hidden)";

/// Why a file with a secret is of no use.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// It cannot be read.
    #[error("cannot read the secret in {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Everybody on the machine can read or change it.
    #[error(
        "every user of this machine has access to the secret in {} (mode {mode:04o}); run \
         `chmod 600 {}`", path.display(), path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It should be a text.
    #[error("the secret in {} is not UTF-8", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// There is nothing in it.
    #[error("the secret in {} is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// Whether the value of a setting must not be shown.
#[must_use]
pub fn is_secret(key: &Key) -> bool {
    SECRETS.iter().any(|names| *key == Key::of(*names))
}

/// The settings that may be given as a file, by a key that ends in `_file`.
pub(super) fn secrets_from_files() -> impl Iterator<Item = Key> {
    SECRETS.into_iter().map(Key::of)
}

/// Reads a secret text from a file of its own, without the line break that editors add.
///
/// # Errors
/// When it cannot be read, everybody could read or change it, or there is nothing in it.
pub fn read(path: &Path) -> Result<String, SecretFileError> {
    let bytes = read_bytes(path)?;
    let text = String::from_utf8(bytes).map_err(|_| SecretFileError::NotText {
        path: path.to_owned(),
    })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Reads a secret from a file of its own, byte for byte.
///
/// # Errors
/// When it cannot be read, everybody could read or change it, or there is nothing in it.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, SecretFileError> {
    let failed = |source| SecretFileError::Read {
        path: path.to_owned(),
        source,
    };
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode() & 0o7777;
    if mode & 0o007 != 0 {
        let path = path.to_owned();
        return Err(SecretFileError::Exposed { path, mode });
    }
    let bytes = fs::read(path).map_err(failed)?;
    if bytes.trim_ascii().is_empty() {
        let path = path.to_owned();
        return Err(SecretFileError::Empty { path });
    }
    Ok(bytes)
}

/// A setting as it may be shown: without its secret part.
#[must_use]
pub fn shown(key: &Key, value: &Value) -> Value {
    if !is_secret(key) {
        return value.clone();
    }
    let without_password = value.as_str().and_then(without_password);
    Value::String(without_password.unwrap_or_else(|| HIDDEN.to_owned()))
}

/// The URL of a database without its password; `None` if this is no URL, and so all of it may be
/// secret.
fn without_password(text: &str) -> Option<String> {
    let mut url = Url::parse(text).ok().filter(Url::has_host)?;
    if url.password().is_some() {
        url.set_password(Some("hidden")).ok()?;
    }
    // `?password=` is another way to say it.
    if url.query_pairs().any(|(name, _)| name == "password") {
        url.set_query(None);
    }
    Some(url.into())
}
