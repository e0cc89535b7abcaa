//! What there is to offer, chosen by the name that the client asks for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::asks_for_proof;

/// All certificates. Each source replaces its own while connections are served.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    from_files: ArcSwap<Vec<Arc<CertifiedKey>>>,
    from_acme: ArcSwapOption<CertifiedKey>,
    /// Proofs for an ACME authority, by host name.
    proofs: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl Certificates {
    pub(super) fn replace_files(&self, certificates: Vec<Arc<CertifiedKey>>) {
        self.from_files.store(Arc::new(certificates));
    }

    pub(super) fn replace_acme(&self, certificate: CertifiedKey) {
        self.from_acme.store(Some(Arc::new(certificate)));
    }

    /// Offers `proof` to an authority that asks for `domain`.
    pub(super) fn prove(&self, domain: String, proof: CertifiedKey) {
        self.proofs().insert(domain, Arc::new(proof));
    }

    pub(super) fn forget_proofs(&self) {
        self.proofs().clear();
    }

    /// The first certificate that is valid for the name; for other names and for clients that ask
    /// for none, the first of all: its name will be wrong, but the client can say so.
    fn choose(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let files = self.from_files.load();
        let acme = self.from_acme.load();
        let all = || files.iter().chain(acme.iter());
        let fitting = name.and_then(|name| all().find(|it| is_valid_for(it, name)));
        fitting.or_else(|| all().next()).cloned()
    }

    fn proofs(&self) -> MutexGuard<'_, HashMap<String, Arc<CertifiedKey>>> {
        self.proofs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name();
        if asks_for_proof(&hello) {
            return self.proofs().get(name?).cloned();
        }
        self.choose(name)
    }
}

/// Whether the certificate names this host, also by a wildcard.
pub(super) fn is_valid_for(certificate: &CertifiedKey, name: &str) -> bool {
    let Ok(name) = ServerName::try_from(name) else {
        return false;
    };
    certificate
        .end_entity_cert()
        .is_ok_and(|der| names(der, &name))
}

fn names(certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> bool {
    ParsedCertificate::try_from(certificate)
        .is_ok_and(|parsed| verify_server_name(&parsed, name).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::PrivateKeyDer;

    fn certificate(name: &str) -> CertifiedKey {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        CertifiedKey::from_der(
            vec![made.cert.der().clone()],
            key,
            &super::super::provider(),
        )
        .unwrap()
    }

    fn names_of(certificates: &Certificates, name: Option<&str>) -> Vec<&'static str> {
        let chosen = certificates.choose(name).unwrap();
        ["a.example", "b.example", "x.c.example"]
            .into_iter()
            .filter(|name| is_valid_for(&chosen, name))
            .collect()
    }

    #[test]
    fn a_client_gets_the_certificate_for_the_name_it_asks_for() {
        let certificates = Certificates::default();
        let files = ["a.example", "*.c.example"].map(certificate).map(Arc::new);
        certificates.replace_files(files.to_vec());
        certificates.replace_acme(certificate("b.example"));
        assert_eq!(
            names_of(&certificates, Some("x.c.example")),
            ["x.c.example"]
        );
        assert_eq!(names_of(&certificates, Some("b.example")), ["b.example"]);
        assert_eq!(
            names_of(&certificates, Some("other.example")),
            ["a.example"]
        );
        assert_eq!(names_of(&certificates, None), ["a.example"]);
    }

    #[test]
    fn without_certificates_there_is_nothing_to_offer() {
        assert!(Certificates::default().choose(Some("a.example")).is_none());
    }
}
