//! Certificates from PEM files.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use tokio::sync::Notify;

use super::certificates::Certificates;
use super::{TlsError, provider};
use crate::listen::{CertificateFiles, TlsSettings};

/// The permission bits of those who are neither owner nor group: they must have none on a key.
const OTHERS: u32 = 0o007;

/// Keeps the certificates from files as fresh as the files.
pub(super) struct CertificateWatch {
    files: Arc<[CertificateFiles]>,
    every: Duration,
    /// Told to look at once.
    look: Arc<Notify>,
    certificates: Arc<Certificates>,
    seen: Vec<Option<Stamp>>,
}

/// What changes when a file is written or replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl CertificateWatch {
    /// Loads all files once; `look` wakes [`CertificateWatch::run`].
    pub(super) fn load(
        settings: &TlsSettings,
        certificates: Arc<Certificates>,
        look: Arc<Notify>,
    ) -> Result<Self, TlsError> {
        let files: Arc<[_]> = settings.certificates.clone().into();
        let seen = stamps(&files);
        certificates.replace_files(load_all(&files)?);
        let every = Duration::from_secs(settings.reload_seconds.max(1));
        Ok(Self {
            files,
            every,
            look,
            certificates,
            seen,
        })
    }

    /// Looks at the files now and then, and when told to; never ends.
    pub(super) async fn run(mut self) {
        let look = Arc::clone(&self.look);
        loop {
            let told = tokio::select! {
                () = tokio::time::sleep(self.every) => false,
                () = look.notified() => true,
            };
            self.look_again(told).await;
        }
    }

    /// Loads the files when one has changed, or whoever told us to look wants to know that they
    /// can be loaded. If that fails, the old certificates stay: half of a pair may have been
    /// replaced so far.
    async fn look_again(&mut self, told: bool) {
        let files = self.files.clone();
        let look = move || (stamps(&files), load_all(&files));
        let Ok((stamps, loaded)) = tokio::task::spawn_blocking(look).await else {
            return;
        };
        if !told && stamps == self.seen {
            return;
        }
        self.seen = stamps;
        match loaded {
            Ok(loaded) => {
                let count = loaded.len();
                self.certificates.replace_files(loaded);
                tracing::info!(count, "loaded the certificates again");
            }
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "cannot load the certificates again, still using the old ones"
            ),
        }
    }
}

fn stamps(files: &[CertificateFiles]) -> Vec<Option<Stamp>> {
    files
        .iter()
        .flat_map(|pair| [&pair.certificate, &pair.key])
        .map(|path| std::fs::metadata(path).ok().map(|file| Stamp::of(&file)))
        .collect()
}

impl Stamp {
    fn of(file: &Metadata) -> Self {
        Self {
            inode: file.ino(),
            length: file.len(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }
}

fn load_all(files: &[CertificateFiles]) -> Result<Vec<Arc<CertifiedKey>>, TlsError> {
    files.iter().map(|pair| load(pair).map(Arc::new)).collect()
}

fn load(pair: &CertificateFiles) -> Result<CertifiedKey, TlsError> {
    refuse_exposed(&pair.key)?;
    let chain = CertificateDer::pem_file_iter(&pair.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .and_then(|chain| {
            if chain.is_empty() {
                Err(pem::Error::NoItemsFound)
            } else {
                Ok(chain)
            }
        })
        .map_err(|error| not_pem(&pair.certificate, "certificate", error))?;
    let key = PrivateKeyDer::from_pem_file(&pair.key)
        .map_err(|error| not_pem(&pair.key, "private key", error))?;
    CertifiedKey::from_der(chain, key, &provider()).map_err(|source| TlsError::Unusable {
        certificate: pair.certificate.clone(),
        key: pair.key.clone(),
        source,
    })
}

fn refuse_exposed(key: &Path) -> Result<(), TlsError> {
    let file = std::fs::metadata(key).map_err(|source| TlsError::Read {
        path: key.to_owned(),
        source,
    })?;
    let mode = file.mode() & 0o7777;
    if mode & OTHERS == 0 {
        Ok(())
    } else {
        Err(TlsError::Exposed {
            path: key.to_owned(),
            mode,
        })
    }
}

fn not_pem(path: &Path, expected: &'static str, error: pem::Error) -> TlsError {
    let path = path.to_owned();
    match error {
        pem::Error::Io(source) => TlsError::Read { path, source },
        other => TlsError::NotPem {
            path,
            expected,
            reason: format!("{other:?}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    fn pair_in(directory: &Path) -> CertificateFiles {
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        let pair = CertificateFiles {
            certificate: directory.join("certificate.pem"),
            key: directory.join("key.pem"),
        };
        fs::write(&pair.certificate, made.cert.pem()).unwrap();
        fs::write(&pair.key, made.signing_key.serialize_pem()).unwrap();
        fs::set_permissions(&pair.key, Permissions::from_mode(0o640)).unwrap();
        pair
    }

    #[test]
    fn a_key_that_everybody_can_read_is_refused_with_the_remedy() {
        let directory = tempfile::tempdir().unwrap();
        let pair = pair_in(directory.path());
        assert!(load(&pair).is_ok());
        fs::set_permissions(&pair.key, Permissions::from_mode(0o644)).unwrap();
        let message = load(&pair).unwrap_err().to_string();
        assert!(
            message.contains("(mode 0644): run `chmod 600 "),
            "{message}"
        );
    }

    #[test]
    fn a_missing_file_and_a_file_of_another_kind_are_named() {
        let directory = tempfile::tempdir().unwrap();
        let pair = pair_in(directory.path());
        fs::write(&pair.certificate, "no certificate").unwrap();
        let message = load(&pair).unwrap_err().to_string();
        assert!(
            message.contains("certificate.pem has no PEM certificate"),
            "{message}"
        );
        fs::remove_file(&pair.certificate).unwrap();
        assert!(matches!(load(&pair), Err(TlsError::Read { .. })));
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let pair = pair_in(directory.path());
        let other = rcgen::KeyPair::generate().unwrap();
        fs::write(&pair.key, other.serialize_pem()).unwrap();
        assert!(matches!(load(&pair), Err(TlsError::Unusable { .. })));
    }

    #[test]
    fn a_replaced_file_has_another_stamp() {
        let directory = tempfile::tempdir().unwrap();
        let pairs = [pair_in(directory.path())];
        let before = stamps(&pairs);
        pair_in(directory.path());
        assert!(before != stamps(&pairs));
    }
}
