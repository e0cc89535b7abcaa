//! TLS: which certificate a client gets, and where certificates come from.
//!
//! - `certificates`: what there is to offer, chosen by name;
//! - `files`: certificates from PEM files, loaded again when these change;
//! - `acme`, `store`: certificates from an ACME authority, and where they are kept;
//! - `validity`: until when a certificate is valid.

mod acme;
mod certificates;
mod files;
mod store;
mod validity;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use naru_model::Clock;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{Acceptor, ClientHello};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::{Shutdown, TlsSettings};
use certificates::Certificates;

/// The name of HTTP/2 in ALPN.
pub(super) const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";
/// The name by which an ACME authority asks for the proof (RFC 8737, section 4).
const ACME: &[u8] = b"acme-tls/1";

/// Why there is no encryption.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not the PEM that it should be.
    #[error("{} has no PEM {expected}: {reason}", path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Everybody on the machine can read or change a private key.
    #[error(
        "every user of this machine has access to the private key {} (mode {mode:04o}): \
         run `chmod 600 {}`", path.display(), path.display()
    )]
    Exposed {
        /// The key's file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A certificate and a key do not fit, or cannot be used.
    #[error("the certificate {} and the key {} cannot be used: {source}",
        certificate.display(), key.display())]
    Unusable {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What rustls says.
        source: rustls::Error,
    },
    /// The settings for ACME are incomplete.
    #[error("[tls.acme] {0}")]
    AcmeSettings(&'static str),
    /// The cryptography does not work.
    #[error("cannot set up TLS")]
    Setup(#[from] rustls::Error),
}

/// How to encrypt connections. Clones share the certificates.
#[derive(Clone, Debug)]
pub struct Tls {
    /// For clients.
    serving: Arc<ServerConfig>,
    /// For an ACME authority that checks that a name is ours.
    proving: Arc<ServerConfig>,
    /// Wakes the task that keeps the certificates from files fresh.
    look: Arc<Notify>,
}

/// What a handshake came to.
pub(super) enum Handshake {
    /// A client, ready to speak HTTP.
    Client(Box<TlsStream<TcpStream>>),
    /// An ACME authority, which has seen what it wanted.
    Challenge,
}

impl Tls {
    /// Loads the certificates, and starts the tasks that keep them fresh; these end with
    /// `shutdown`. ACME keeps its account and certificates in `data/acme`. Where only ACME is
    /// configured and nothing is kept yet, handshakes fail until the first certificate is here.
    ///
    /// Must be called within the runtime.
    ///
    /// # Errors
    /// When a file of the settings is missing, is not what it should be, or is a private key that
    /// everybody can read; or when the settings for ACME are incomplete.
    pub fn start(
        settings: &TlsSettings,
        data: &Path,
        clock: Arc<dyn Clock>,
        shutdown: &Shutdown,
    ) -> Result<Self, TlsError> {
        let certificates = Arc::new(Certificates::default());
        let look = Arc::new(Notify::new());
        let files =
            files::CertificateWatch::load(settings, certificates.clone(), Arc::clone(&look))?;
        if let Some(acme) = &settings.acme {
            let acme = acme::Acme::open(acme, data, clock, certificates.clone())?;
            shutdown.spawn(until_shutdown(shutdown.clone(), acme.run()));
        }
        shutdown.spawn(until_shutdown(shutdown.clone(), files.run()));
        Self::offering(certificates, look)
    }

    /// Loads the certificate files now, changed or not, and logs how that went; connections that
    /// begin after it get what was loaded. Returns before it is done. Certificates by ACME are
    /// replaced when it is their time, whatever is said here.
    pub fn reload(&self) {
        self.look.notify_one();
    }

    fn offering(certificates: Arc<Certificates>, look: Arc<Notify>) -> Result<Self, TlsError> {
        let mut serving = base_config(certificates.clone())?;
        // The server's order decides; see `Endpoint::with_tls`.
        serving.alpn_protocols = vec![HTTP1.to_vec(), HTTP2.to_vec()];
        serving.ticketer = aws_lc_rs::Ticketer::new()?;
        let mut proving = base_config(certificates)?;
        proving.alpn_protocols = vec![ACME.to_vec()];
        Ok(Self {
            serving: Arc::new(serving),
            proving: Arc::new(proving),
            look,
        })
    }

    /// Shakes hands. The caller sets the time limit.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<Handshake> {
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        if asks_for_proof(&start.client_hello()) {
            start.into_stream(self.proving.clone()).await?;
            return Ok(Handshake::Challenge);
        }
        let stream = start.into_stream(self.serving.clone()).await?;
        Ok(Handshake::Client(Box::new(stream)))
    }
}

/// Whether this is an ACME authority that checks that a name is ours.
fn asks_for_proof(hello: &ClientHello<'_>) -> bool {
    hello
        .alpn()
        .is_some_and(|mut protocols| protocols.any(|protocol| protocol == ACME))
}

fn base_config(certificates: Arc<Certificates>) -> Result<ServerConfig, TlsError> {
    Ok(ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(certificates))
}

/// The one cryptography provider, whatever the process has installed.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

async fn until_shutdown(shutdown: Shutdown, task: impl Future<Output = ()>) {
    tokio::select! {
        () = task => {}
        () = shutdown.begun() => {}
    }
}
