//! Certificates by ACME (RFC 8555), proved over TLS-ALPN-01 (RFC 8737).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    Account, AccountBuilder, AccountCredentials, AuthorizationStatus, ChallengeHandle,
    ChallengeType, Identifier, NewAccount, NewOrder, Order, OrderStatus, RetryPolicy,
};
use naru_model::{Clock, Moment};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};

use super::certificates::{Certificates, is_valid_for};
use super::store::SecretDirectory;
use super::validity::Validity;
use super::{TlsError, provider};
use crate::listen::AcmeSettings;

const ACCOUNT: &str = "account.json";
const CERTIFICATE: &str = "certificate.pem";

/// The longest sleep between two looks at the clock: the machine's may be set, or it may have slept.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_hours(6);
/// How long to wait after a failure; doubled with each further one.
const FIRST_RETRY: Duration = Duration::from_mins(1);
const LAST_RETRY: Duration = Duration::from_hours(6);
/// How long the authority may take over one step.
const PATIENCE: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(250))
    .backoff(1.5)
    .timeout(Duration::from_mins(2));

/// Keeps one certificate for all configured names.
pub(super) struct Acme {
    settings: AcmeSettings,
    directory: SecretDirectory,
    clock: Arc<dyn Clock>,
    certificates: Arc<Certificates>,
    /// When the present certificate is to be replaced; `None` without one.
    due: Option<Moment>,
}

/// Why no certificate came. Logged, and tried again.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the authority refused or could not be reached")]
    Authority(#[from] instant_acme::Error),
    #[error("the authority offers no tls-alpn-01 challenge for {0}")]
    NoChallenge(String),
    #[error("the authority could not validate the names; it must reach this server on port 443")]
    NotValidated,
    #[error("cannot make the proof")]
    Proof(#[from] rcgen::Error),
    #[error("the certificate cannot be used")]
    Certificate(#[from] rustls::Error),
    #[error("the authority sent no certificate chain: {0}")]
    Chain(String),
    #[error(transparent)]
    Store(#[from] TlsError),
    #[error("cannot keep the account")]
    Account(#[from] serde_json::Error),
}

/// The account as it is kept. Each authority has its own.
#[derive(Serialize, Deserialize)]
struct KeptAccount {
    directory: String,
    credentials: AccountCredentials,
}

impl Acme {
    /// Takes up what was kept of an earlier run.
    pub(super) fn open(
        settings: &AcmeSettings,
        data: &Path,
        clock: Arc<dyn Clock>,
        certificates: Arc<Certificates>,
    ) -> Result<Self, TlsError> {
        check(settings)?;
        let directory = SecretDirectory::open(data.join("acme"))?;
        let mut acme = Self {
            settings: settings.clone(),
            directory,
            clock,
            certificates,
            due: None,
        };
        acme.take_up_kept()?;
        Ok(acme)
    }

    /// Replaces the certificate whenever it is time; never ends.
    pub(super) async fn run(mut self) {
        let mut retry = FIRST_RETRY;
        loop {
            let left = self
                .due
                .map_or(Duration::ZERO, |due| due.since(self.clock.now()));
            if !left.is_zero() {
                tokio::time::sleep(left.min(LOOK_AT_LEAST_EVERY)).await;
                continue;
            }
            match self.renew().await {
                Ok(()) => retry = FIRST_RETRY,
                Err(failure) => {
                    tracing::error!(
                        error = &failure as &dyn std::error::Error,
                        domains = ?self.settings.domains,
                        retry_seconds = retry.as_secs(),
                        "no certificate by ACME"
                    );
                    tokio::time::sleep(retry).await;
                    retry = (retry * 2).min(LAST_RETRY);
                }
            }
        }
    }

    /// A kept certificate is used if it has all the names that are wanted now.
    fn take_up_kept(&mut self) -> Result<(), TlsError> {
        let Some(pem) = self.directory.read(CERTIFICATE)? else {
            return Ok(());
        };
        match certified(&pem) {
            Ok((certificate, validity)) if self.has_all_names(&certificate) => {
                self.due = Some(validity.renewal());
                self.certificates.replace_acme(certificate);
            }
            Ok(_) => tracing::info!("the kept certificate has other names, asking for a new one"),
            Err(failure) => tracing::warn!(
                error = &failure as &dyn std::error::Error,
                "the kept certificate cannot be used, asking for a new one"
            ),
        }
        Ok(())
    }

    fn has_all_names(&self, certificate: &CertifiedKey) -> bool {
        self.settings
            .domains
            .iter()
            .all(|domain| is_valid_for(certificate, domain))
    }

    async fn renew(&mut self) -> Result<(), Failure> {
        let pem = self.obtain().await;
        self.certificates.forget_proofs();
        let pem = pem?;
        let (certificate, validity) = certified(pem.as_bytes())?;
        self.keep(CERTIFICATE, pem.into_bytes()).await?;
        self.certificates.replace_acme(certificate);
        // However short its life: an authority limits how many it issues.
        let soonest = self.clock.now().plus(FIRST_RETRY);
        self.due = Some(validity.renewal().max(soonest));
        tracing::info!(
            domains = ?self.settings.domains,
            until = %validity.until,
            "got a certificate by ACME"
        );
        Ok(())
    }

    /// A key and the chain of certificates for it, both PEM.
    async fn obtain(&self) -> Result<String, Failure> {
        let account = self.account().await?;
        let names: Vec<_> = self
            .settings
            .domains
            .iter()
            .cloned()
            .map(Identifier::Dns)
            .collect();
        let mut order = account.new_order(&NewOrder::new(&names)).await?;
        self.prove_names(&mut order).await?;
        if order.poll_ready(&PATIENCE).await? != OrderStatus::Ready {
            return Err(Failure::NotValidated);
        }
        let key = order.finalize().await?;
        let chain = order.poll_certificate(&PATIENCE).await?;
        Ok(key + &chain)
    }

    /// Lets the authority see, for each name that it does not believe yet, that it is ours.
    async fn prove_names(&self, order: &mut Order) -> Result<(), Failure> {
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let name = authorization.identifier().to_string();
            let mut challenge = authorization
                .challenge(ChallengeType::TlsAlpn01)
                .ok_or_else(|| Failure::NoChallenge(name.clone()))?;
            let proof = proof_of(&name, &challenge)?;
            self.certificates.prove(name, proof);
            challenge.set_ready().await?;
        }
        Ok(())
    }

    /// The account of an earlier run, or a new one.
    async fn account(&self) -> Result<Account, Failure> {
        let directory = self.settings.directory.to_string();
        if let Some(kept) = self.directory.read(ACCOUNT)? {
            let kept: KeptAccount = serde_json::from_slice(&kept)?;
            if kept.directory == directory {
                return Ok(self.builder()?.from_credentials(kept.credentials).await?);
            }
        }
        let contact: Vec<_> = self
            .settings
            .contact
            .iter()
            .map(|mail| format!("mailto:{mail}"))
            .collect();
        let contact: Vec<_> = contact.iter().map(String::as_str).collect();
        let wanted = NewAccount {
            contact: &contact,
            terms_of_service_agreed: self.settings.terms_of_service_agreed,
            only_return_existing: false,
        };
        let (account, credentials) = self
            .builder()?
            .create(&wanted, directory.clone(), None)
            .await?;
        let kept = serde_json::to_vec(&KeptAccount {
            directory,
            credentials,
        })?;
        self.keep(ACCOUNT, kept).await?;
        Ok(account)
    }

    fn builder(&self) -> Result<AccountBuilder, instant_acme::Error> {
        match &self.settings.root_certificate {
            Some(path) => Account::builder_with_root(path),
            None => Account::builder(),
        }
    }

    async fn keep(&self, name: &'static str, bytes: Vec<u8>) -> Result<(), Failure> {
        let directory = self.directory.clone();
        let write = move || directory.write(name, &bytes);
        match tokio::task::spawn_blocking(write).await {
            Ok(written) => Ok(written?),
            Err(_) => Err(TlsError::Write {
                path: self.directory.path_of(name),
                source: std::io::ErrorKind::Other.into(),
            }
            .into()),
        }
    }
}

fn check(settings: &AcmeSettings) -> Result<(), TlsError> {
    if settings.domains.is_empty() {
        return Err(TlsError::AcmeSettings(
            "domains is empty: name the hosts of the certificate",
        ));
    }
    if !settings.terms_of_service_agreed {
        return Err(TlsError::AcmeSettings(
            "terms_of_service_agreed is not true: the authority issues nothing without it",
        ));
    }
    Ok(())
}

/// The self-signed certificate that proves to the authority that the name is ours (RFC 8737,
/// section 3).
fn proof_of(name: &str, challenge: &ChallengeHandle<'_>) -> Result<CertifiedKey, Failure> {
    let mut wanted = CertificateParams::new([name.to_owned()])?;
    let digest = challenge.key_authorization().digest();
    wanted.custom_extensions = vec![CustomExtension::new_acme_identifier(digest.as_ref())];
    let key = KeyPair::generate()?;
    let certificate = wanted.self_signed(&key)?;
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(other)?;
    let key = provider().key_provider.load_private_key(key)?;
    // Not `from_der`, which checks the certificate and does not know the critical extension.
    Ok(CertifiedKey::new(vec![certificate.der().clone()], key))
}

/// Key and chain out of one PEM text.
fn certified(pem: &[u8]) -> Result<(CertifiedKey, Validity), Failure> {
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(other)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = chain.map_err(other)?;
    let validity = chain
        .first()
        .and_then(|certificate| Validity::of(certificate))
        .ok_or_else(|| Failure::Chain("it has no validity".to_owned()))?;
    Ok((CertifiedKey::from_der(chain, key, &provider())?, validity))
}

fn other(error: impl ToString) -> Failure {
    Failure::Chain(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use naru_model::SystemClock;

    fn settings(domains: &[&str]) -> AcmeSettings {
        serde_json::from_value(serde_json::json!({
            "domains": domains,
            "terms_of_service_agreed": true,
        }))
        .unwrap()
    }

    fn opened(settings: &AcmeSettings, data: &Path) -> Result<Acme, TlsError> {
        Acme::open(settings, data, Arc::new(SystemClock), Arc::default())
    }

    #[test]
    fn incomplete_settings_are_refused() {
        let data = tempfile::tempdir().unwrap();
        assert!(opened(&settings(&[]), data.path()).is_err());
        let mut refused = settings(&["a.example"]);
        refused.terms_of_service_agreed = false;
        let message = opened(&refused, data.path()).err().unwrap().to_string();
        assert!(message.contains("terms_of_service_agreed"), "{message}");
    }

    #[test]
    fn a_kept_certificate_is_used_only_for_its_own_names() {
        let data = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        let pem = made.signing_key.serialize_pem() + &made.cert.pem();
        let directory = SecretDirectory::open(data.path().join("acme")).unwrap();
        directory.write(CERTIFICATE, pem.as_bytes()).unwrap();
        assert!(
            opened(&settings(&["a.example"]), data.path())
                .unwrap()
                .due
                .is_some()
        );
        assert!(
            opened(&settings(&["a.example", "b.example"]), data.path())
                .unwrap()
                .due
                .is_none()
        );
    }

    #[test]
    fn a_damaged_certificate_is_asked_for_anew() {
        let data = tempfile::tempdir().unwrap();
        let directory = SecretDirectory::open(data.path().join("acme")).unwrap();
        directory.write(CERTIFICATE, b"garbage").unwrap();
        assert!(
            opened(&settings(&["a.example"]), data.path())
                .unwrap()
                .due
                .is_none()
        );
    }
}
