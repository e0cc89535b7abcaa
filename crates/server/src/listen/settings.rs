//! The sections of the configuration that concern connections.
//!
//! Times are whole seconds and sizes are bytes; the names say so.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use url::Url;

/// Where to listen: `[listen]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListenSettings {
    /// The address clients connect to.
    pub address: SocketAddr,
    /// A second, always plain address for `/livez`, `/readyz` and `/metrics` alone. Where it is
    /// absent, the first address answers them.
    pub internal: Option<SocketAddr>,
    /// Also listen on this Unix socket, for a reverse proxy on the same machine.
    pub unix_socket: Option<PathBuf>,
    /// Accept HTTP/2 without TLS from clients that begin with its preface, for reverse proxies.
    pub cleartext_http2: bool,
    /// How long running requests may take to finish after the signal to stop.
    pub drain_seconds: u64,
}

impl Default for ListenSettings {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 5000)),
            internal: None,
            unix_socket: None,
            cleartext_http2: false,
            drain_seconds: 30,
        }
    }
}

/// What a connection may ask for: `[limits]`. There is a limit on standing still, and none on how
/// long a transfer may take.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsSettings {
    /// Connections open at a time on each address. Further ones wait to be accepted.
    pub connections: usize,
    /// How long a TLS handshake may take.
    pub handshake_seconds: u64,
    /// How long a client may take from connecting, or from the first byte of a later request, to
    /// the end of that request's head.
    pub header_seconds: u64,
    /// How long a connection may stay open between requests. Reverse proxies keep theirs for up to
    /// 60 seconds; a shorter time here makes them send into a closing connection.
    pub idle_seconds: u64,
    /// The size of a request's head; a larger one is answered 431.
    pub header_bytes: usize,
    /// The number of headers of a request; more are answered 431.
    pub headers: usize,
    /// The length of a request's path and query; a longer one is answered 414.
    pub uri_bytes: usize,
    /// A body that moves slower than this many bytes per second over `stall_seconds` ends its
    /// connection.
    pub stall_bytes_per_second: u64,
    /// The time over which the speed of a body is judged. Only the time that the server waits for
    /// the client counts.
    pub stall_seconds: u64,
    /// Requests that run at a time on one HTTP/2 connection.
    pub http2_streams: u32,
}

impl Default for LimitsSettings {
    fn default() -> Self {
        Self {
            connections: 4096,
            handshake_seconds: 10,
            header_seconds: 10,
            idle_seconds: 75,
            header_bytes: 64 << 10,
            headers: 100,
            uri_bytes: 8 << 10,
            stall_bytes_per_second: 1024,
            stall_seconds: 30,
            http2_streams: 100,
        }
    }
}

impl LimitsSettings {
    pub(super) fn handshake(&self) -> Duration {
        Duration::from_secs(self.handshake_seconds)
    }

    pub(super) fn header(&self) -> Duration {
        Duration::from_secs(self.header_seconds)
    }

    pub(super) fn idle(&self) -> Duration {
        Duration::from_secs(self.idle_seconds)
    }
}

/// Encryption: `[tls]`. Without certificates and without `acme`, connections are plain.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsSettings {
    /// Certificates from files. A client gets the first that is valid for the name it asks for, or
    /// the first of all.
    pub certificates: Vec<CertificateFiles>,
    /// How often the files are looked at; changed ones are loaded without a restart.
    pub reload_seconds: u64,
    /// Certificates from an ACME authority such as Let's Encrypt.
    pub acme: Option<AcmeSettings>,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self {
            certificates: Vec::new(),
            reload_seconds: 30,
            acme: None,
        }
    }
}

impl TlsSettings {
    /// Whether connections are to be encrypted.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        !self.certificates.is_empty() || self.acme.is_some()
    }
}

/// One certificate chain and its key, both PEM.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateFiles {
    /// The certificate, followed by the intermediate ones.
    pub certificate: PathBuf,
    /// The private key. Other users of the machine must not be able to read it.
    pub key: PathBuf,
}

/// Certificates by ACME (RFC 8555), proved by TLS-ALPN-01 (RFC 8737) on the serving port, which
/// the authority must reach as port 443.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcmeSettings {
    /// The host names of the certificate.
    pub domains: Vec<String>,
    /// Mail addresses for the authority's notices.
    #[serde(default)]
    pub contact: Vec<String>,
    /// The authority's directory.
    #[serde(default = "lets_encrypt")]
    pub directory: Url,
    /// Trust this authority (PEM) for the directory's own certificate instead of the system's:
    /// for an authority inside a company.
    #[serde(default)]
    pub root_certificate: Option<PathBuf>,
    /// That you agree to the authority's terms of service; it issues nothing otherwise.
    pub terms_of_service_agreed: bool,
}

#[expect(
    clippy::expect_used,
    reason = "a constant, parsed by every test of this module"
)]
fn lets_encrypt() -> Url {
    Url::parse("https://acme-v02.api.letsencrypt.org/directory").expect("a constant URL")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_empty_section_is_the_default() {
        let listen: ListenSettings = serde_json::from_value(json!({})).unwrap();
        assert_eq!(listen.address.to_string(), "127.0.0.1:5000");
        let limits: LimitsSettings = serde_json::from_value(json!({})).unwrap();
        assert_eq!(limits.header_bytes, 65_536);
        let tls: TlsSettings = serde_json::from_value(json!({})).unwrap();
        assert!(!tls.is_enabled());
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        assert!(serde_json::from_value::<ListenSettings>(json!({"adress": "[::]:1"})).is_err());
        assert!(serde_json::from_value::<TlsSettings>(json!({"acmee": {}})).is_err());
    }

    #[test]
    fn acme_asks_lets_encrypt_unless_told_otherwise() {
        let acme: AcmeSettings = serde_json::from_value(
            json!({"domains": ["registry.example"], "terms_of_service_agreed": true}),
        )
        .unwrap();
        assert_eq!(
            acme.directory.host_str(),
            Some("acme-v02.api.letsencrypt.org")
        );
    }
}
