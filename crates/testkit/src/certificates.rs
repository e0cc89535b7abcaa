//! A certificate authority of one's own, for the loopback address and a name of its own.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};

/// The name in the certificates, besides that of the loopback address. `test` is a top-level domain
/// that nobody has (RFC 6761): whoever wants to reach the name must lead there himself.
pub const NAME: &str = "naru.test";

/// The files of a server that clients can trust.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// The authority, PEM: what a client is told to trust. It stands alone in its directory as
    /// `ca.crt`, as clients that take a directory want it.
    pub authority: PathBuf,
    /// The server's certificate, PEM, for `localhost`, `127.0.0.1` and [`NAME`].
    pub certificate: PathBuf,
    /// The server's key, PEM, readable by its owner alone.
    pub key: PathBuf,
}

impl Certificates {
    /// Makes an authority and a certificate signed by it, in `directory`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn make(directory: &Path) -> io::Result<Self> {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority
            .distinguished_name
            .push(DnType::CommonName, "Naru test authority");
        let authority_key = KeyPair::generate().map_err(io::Error::other)?;
        let authority_pem = authority
            .self_signed(&authority_key)
            .map_err(io::Error::other)?
            .pem();
        let issuer = Issuer::new(authority, authority_key);

        let mut server = CertificateParams::new(["localhost".to_owned(), NAME.to_owned()])
            .map_err(io::Error::other)?;
        server
            .subject_alt_names
            .push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        server
            .distinguished_name
            .push(DnType::CommonName, "localhost");
        server.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = server.signed_by(&key, &issuer).map_err(io::Error::other)?;

        let trusted = directory.join("trusted");
        std::fs::create_dir_all(&trusted)?;
        let files = Self {
            authority: trusted.join("ca.crt"),
            certificate: directory.join("server.pem"),
            key: directory.join("server.key"),
        };
        std::fs::write(&files.authority, authority_pem)?;
        std::fs::write(&files.certificate, certificate.pem())?;
        write_private(&files.key, &key.serialize_pem())?;
        Ok(files)
    }
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?
        .write_all(text.as_bytes())
}
