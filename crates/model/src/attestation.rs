//! Attestations: signed statements about artifacts, kept beside a source repository.
//!
//! An attestation is a Sigstore bundle around an in-toto statement. Naru keeps it as it came and
//! reads from it what it is found by: the digests of its subjects and the type of its predicate.
//! It does not verify the signature: whoever relies on an attestation verifies it, and must not
//! trust the one who stores it (contract C5).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use naru_oci::{Algorithm, Digest};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::clock::Moment;
use crate::id::{AttestationId, RepositoryId};
use crate::word::words;

/// A stored attestation, without its bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attestation {
    /// The identifier.
    pub id: AttestationId,
    /// The source repository it belongs to: who may read that, may read it.
    pub repository: RepositoryId,
    /// What kind of statement it makes, as a URI.
    pub predicate_type: String,
    /// Who stored it.
    pub initiator: Initiator,
    /// When it was stored.
    pub created_at: Moment,
}

/// Who stored an attestation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Initiator {
    /// A person, or a program with a person's token.
    User,
    /// A workflow of the repository.
    Workflow,
}

words!(Initiator, "initiator", User = "user", Workflow = "workflow");

/// A family of predicate types that REST has a short word for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PredicateKind {
    /// How it was built.
    Provenance,
    /// What it is made of.
    Sbom,
    /// What was released.
    Release,
}

words!(
    PredicateKind,
    "kind of predicate",
    Provenance = "provenance",
    Sbom = "sbom",
    Release = "release"
);

impl PredicateKind {
    /// The family that a predicate type belongs to, whatever its version.
    #[must_use]
    pub fn of(predicate_type: &str) -> Option<Self> {
        const FAMILIES: [(&str, PredicateKind); 4] = [
            ("https://slsa.dev/provenance/", PredicateKind::Provenance),
            ("https://spdx.dev/Document", PredicateKind::Sbom),
            ("https://cyclonedx.org/bom", PredicateKind::Sbom),
            (
                "https://in-toto.io/attestation/release",
                PredicateKind::Release,
            ),
        ];
        let found = FAMILIES
            .iter()
            .find(|(prefix, _)| predicate_type.starts_with(prefix));
        found.map(|(_, kind)| *kind)
    }
}

/// A bundle that was read: its text unchanged, and what it is found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttestationBundle {
    json: String,
    predicate_type: String,
    subjects: Vec<Digest>,
}

/// The bundle cannot be stored, because it could not be found again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotABundle(String);

impl AttestationBundle {
    /// How many subjects a statement has at most, as `actions/attest` makes them.
    pub const MOST_SUBJECTS: usize = 1024;
    /// How long a predicate type is at most, in bytes.
    pub const LONGEST_PREDICATE_TYPE: usize = 512;

    /// Reads a bundle.
    ///
    /// # Errors
    /// [`NotABundle`] unless it holds a DSSE envelope around an in-toto statement about at least
    /// one thing that is named by SHA-256 or SHA-512.
    pub fn parse(json: &RawValue) -> Result<Self, NotABundle> {
        let bundle: Bundle = read("the bundle", json.get().as_bytes())?;
        if bundle.envelope.payload_type != STATEMENT_TYPE {
            return Err(NotABundle(format!(
                "the envelope's payloadType is not {STATEMENT_TYPE}"
            )));
        }
        let payload = STANDARD
            .decode(bundle.envelope.payload)
            .map_err(|_| NotABundle("the envelope's payload is not base64".to_owned()))?;
        let statement: Statement = read("the envelope's payload", &payload)?;
        if statement.predicate_type.len() > Self::LONGEST_PREDICATE_TYPE {
            return Err(NotABundle("the predicate type is too long".to_owned()));
        }
        Ok(Self {
            json: json.get().to_owned(),
            subjects: subjects(&statement.subject)?,
            predicate_type: statement.predicate_type,
        })
    }

    /// The text as it came.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.json
    }

    /// What kind of statement it makes, as a URI.
    #[must_use]
    pub fn predicate_type(&self) -> &str {
        &self.predicate_type
    }

    /// What the statement is about; each digest once.
    #[must_use]
    pub fn subjects(&self) -> &[Digest] {
        &self.subjects
    }
}

/// in-toto Attestation Framework, "Envelope".
const STATEMENT_TYPE: &str = "application/vnd.in-toto+json";

/// Sigstore bundle: only what is read.
#[derive(Deserialize)]
struct Bundle {
    #[serde(rename = "dsseEnvelope")]
    envelope: Envelope,
}

#[derive(Deserialize)]
struct Envelope {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: String,
}

#[derive(Deserialize)]
struct Statement {
    subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
}

#[derive(Deserialize)]
struct Subject {
    digest: BTreeMap<String, String>,
}

fn read<'a, T: Deserialize<'a>>(what: &str, json: &'a [u8]) -> Result<T, NotABundle> {
    serde_json::from_slice(json).map_err(|error| NotABundle(format!("{what}: {error}")))
}

/// A subject may be named by several algorithms; those that a registry knows are kept.
fn subjects(subjects: &[Subject]) -> Result<Vec<Digest>, NotABundle> {
    let most = AttestationBundle::MOST_SUBJECTS;
    if subjects.len() > most {
        return Err(NotABundle(format!(
            "the statement has more than {most} subjects"
        )));
    }
    let mut digests = Vec::new();
    for subject in subjects {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            if let Some(hex) = subject.digest.get(algorithm.as_str()) {
                digests.push(digest(algorithm, hex)?);
            }
        }
    }
    digests.sort();
    digests.dedup();
    if digests.is_empty() {
        return Err(NotABundle(
            "the statement has no subject with a sha256 or sha512 digest".to_owned(),
        ));
    }
    Ok(digests)
}

fn digest(algorithm: Algorithm, hex: &str) -> Result<Digest, NotABundle> {
    format!("{}:{hex}", algorithm.as_str())
        .parse()
        .map_err(|error| NotABundle(format!("a subject's digest: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle_of(statement: &str) -> String {
        format!(
            r#"{{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json",
                "dsseEnvelope":{{"payloadType":"{STATEMENT_TYPE}","payload":"{}"}}}}"#,
            STANDARD.encode(statement)
        )
    }

    fn parse(json: &str) -> Result<AttestationBundle, NotABundle> {
        AttestationBundle::parse(serde_json::from_str(json).unwrap())
    }

    fn statement(subjects: &str) -> String {
        format!(r#"{{"subject":[{subjects}],"predicateType":"https://slsa.dev/provenance/v1"}}"#)
    }

    #[test]
    fn a_bundle_is_kept_as_it_came_and_found_by_what_it_is_about() {
        let hex = "a".repeat(64);
        let subject = format!(r#"{{"name":"app","digest":{{"sha256":"{hex}","gitCommit":"1"}}}}"#);
        let json = bundle_of(&statement(&format!("{subject},{subject}")));
        let bundle = parse(&json).unwrap();
        assert_eq!(bundle.json(), json);
        assert_eq!(bundle.predicate_type(), "https://slsa.dev/provenance/v1");
        assert_eq!(
            bundle.subjects(),
            [format!("sha256:{hex}").parse().unwrap()]
        );
    }

    #[test]
    fn a_bundle_that_could_not_be_found_again_is_refused() {
        let nameless = statement(r#"{"digest":{"sha1":"00"}}"#);
        let crooked = statement(r#"{"digest":{"sha256":"XYZ"}}"#);
        let many = statement(&vec![r#"{"digest":{}}"#; 1025].join(","));
        for json in [
            "{}".to_owned(),
            r#"{"messageSignature":{}}"#.to_owned(),
            r#"{"dsseEnvelope":{"payload":"e30=","payloadType":"text/plain"}}"#.to_owned(),
            format!(r#"{{"dsseEnvelope":{{"payload":"%","payloadType":"{STATEMENT_TYPE}"}}}}"#),
            bundle_of("[]"),
            bundle_of(&statement("")),
            bundle_of(&nameless),
            bundle_of(&crooked),
            bundle_of(&many),
        ] {
            assert!(parse(&json).is_err(), "{json:.200}");
        }
    }

    #[test]
    fn every_version_of_a_predicate_type_is_of_its_family() {
        for (uri, kind) in [
            (
                "https://slsa.dev/provenance/v1",
                Some(PredicateKind::Provenance),
            ),
            (
                "https://slsa.dev/provenance/v0.2",
                Some(PredicateKind::Provenance),
            ),
            ("https://spdx.dev/Document/v2.3", Some(PredicateKind::Sbom)),
            ("https://cyclonedx.org/bom", Some(PredicateKind::Sbom)),
            (
                "https://in-toto.io/attestation/release/v0.1",
                Some(PredicateKind::Release),
            ),
            ("https://example.com/anything", None),
        ] {
            assert_eq!(PredicateKind::of(uri), kind, "{uri}");
        }
    }
}
