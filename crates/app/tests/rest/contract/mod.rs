//! Whether an answer is what the REST API's description promises: a status that the operation has,
//! the headers that go with it, and a body that the schema accepts.
//!
//! - `github.json`: GitHub's own description, unchanged (`README.md` says where it comes from);
//! - `overlay.json`: what that description lacks or gets wrong, each with the reason, under review;
//! - [`description`]: a description, read: operations, and which of them a request is;
//! - [`schema`]: OpenAPI's dialect of JSON Schema, made into JSON Schema;
//! - [`judge`]: an answer compared with a description: with GitHub's, and with the one that the server
//!   gives of itself ([`own`]).
//!
//! [`faults`] is asked for every answer that the tests of the REST API get.

pub(crate) mod description;
mod judge;
mod schema;
mod tests;

use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::Value;

pub(crate) use description::Description;
pub(crate) use judge::Observed;

use crate::kit::server::plain;

const GITHUB: &str = include_str!("github.json");
const OVERLAY: &str = include_str!("overlay.json");

/// What we know better than the description.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Overlay {
    /// Answers that the description does not have.
    pub(crate) answers: Vec<OverlaidAnswer>,
    /// Changes to its schemas.
    pub(crate) schemas: Vec<OverlaidSchema>,
}

/// An answer that the description does not have.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OverlaidAnswer {
    /// Operation ids; a `*` at the end stands for any rest.
    pub(crate) operations: Vec<String>,
    /// Only those with one of these methods, where there are any.
    #[serde(default)]
    pub(crate) methods: Vec<String>,
    pub(crate) status: u16,
    /// The schema of the body, by its name in the description; none for an answer without a body
    /// or with one of Naru's own.
    pub(crate) schema: Option<String>,
    pub(crate) because: String,
}

/// A change to a schema.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OverlaidSchema {
    /// A JSON pointer (RFC 6901) into the description.
    pub(crate) at: String,
    /// What stands there instead, or what is added where a list stands.
    pub(crate) value: Value,
    pub(crate) because: String,
}

/// The overlay.
pub(crate) fn overlay() -> &'static Overlay {
    static OVERLAID: OnceLock<Overlay> = OnceLock::new();
    OVERLAID.get_or_init(|| serde_json::from_str(OVERLAY).unwrap())
}

/// GitHub's description with the overlay over it.
pub(crate) fn github() -> &'static Description {
    static GITHUBS: OnceLock<Description> = OnceLock::new();
    GITHUBS.get_or_init(|| {
        let document = serde_json::from_str(GITHUB).unwrap();
        Description::overlaid(document, overlay())
    })
}

/// The description that the server gives of itself.
pub(crate) fn own() -> &'static Description {
    static OWN: OnceLock<Description> = OnceLock::new();
    OWN.get_or_init(|| {
        let asked = plain().get("/api/v3/openapi.json");
        let document = asked.with("User-Agent", "naru-tests").send().expect(200);
        Description::read(document.json())
    })
}

/// What GitHub's description and the server's own find wrong with an answer; nothing where the
/// request is none of their operations.
pub(crate) fn faults(observed: &Observed<'_>) -> Vec<String> {
    let mut faults = faults_by(github(), observed);
    let of_own = faults_by(own(), observed).into_iter();
    faults.extend(of_own.map(|fault| format!("by its own description, {fault}")));
    faults
}

/// What one description finds wrong with an answer.
fn faults_by(description: &Description, observed: &Observed<'_>) -> Vec<String> {
    match description.find(observed.method, observed.path) {
        Some(operation) => judge::faults(description, operation, observed),
        None => Vec::new(),
    }
}
