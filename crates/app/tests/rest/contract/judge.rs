//! An answer compared with a description.

use std::fmt::Write as _;

use serde_json::Value;

use super::description::{Description, Operation};

/// An answer, as it came over the wire, and what was asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observed<'a> {
    /// In capitals.
    pub(crate) method: &'a str,
    /// The raw path below the base of the API (`/orgs/…`), without the query.
    pub(crate) path: &'a str,
    pub(crate) status: u16,
    /// Names in small letters.
    pub(crate) headers: &'a [(String, String)],
    pub(crate) body: &'a [u8],
}

impl Observed<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        let own = self.headers.iter().find(|(own, _)| own == name);
        own.map(|(_, value)| value.as_str())
    }
}

/// What is wrong with an answer to an operation.
pub(super) fn faults(
    description: &Description,
    operation: &Operation,
    observed: &Observed<'_>,
) -> Vec<String> {
    let mut faults = Vec::new();
    let mut fault = |text: String| {
        let Observed {
            method,
            path,
            status,
            ..
        } = observed;
        faults.push(format!(
            "{method} {path} ({}) answered {status}: {text}",
            operation.id
        ));
    };
    let Some(expected) = operation.answers.get(&observed.status) else {
        let known: Vec<_> = operation.answers.keys().collect();
        fault(format!("the description has only {known:?}"));
        return faults;
    };
    if let Some(text) = header_fault(observed) {
        fault(text);
    }
    if !expected.has_body {
        if matches!(observed.status, 204 | 304) && !observed.body.is_empty() {
            fault("there must be no body".to_owned());
        }
        return faults;
    }
    let body: Value = match serde_json::from_slice(observed.body) {
        Ok(body) => body,
        Err(error) => {
            fault(format!("the body is no JSON: {error}"));
            return faults;
        }
    };
    if let Some(validator) = description.validator(operation, observed.status) {
        let mut text = String::new();
        for error in validator.iter_errors(&body).take(5) {
            // Writing to a string does not fail.
            let _ = write!(text, "\n  at {}: {}", error.instance_path(), error.masked());
        }
        if !text.is_empty() {
            fault(format!("the schema refuses the body:{text}"));
        }
    }
    faults
}

/// What every answer with a body and every answer at all must carry (contract D5, D9).
fn header_fault(observed: &Observed<'_>) -> Option<String> {
    if !observed.body.is_empty() {
        let json = observed
            .header("content-type")
            .is_some_and(|value| value.starts_with("application/json"));
        if !json {
            return Some(format!("the type is {:?}", observed.header("content-type")));
        }
    }
    if observed.header("x-github-request-id").is_none() {
        return Some("there is no x-github-request-id".to_owned());
    }
    if observed.status == 201 || observed.status == 302 {
        // Only what the description gives a Location must have one; a wrong one is a fault anyway.
        if let Some(location) = observed.header("location")
            && !location.starts_with("http")
        {
            return Some(format!("the Location {location} is not absolute"));
        }
    }
    observed.header("link").and_then(link_fault)
}

/// Clients stop at a relation that they do not know, and follow URLs as they stand.
fn link_fault(link: &str) -> Option<String> {
    for part in link.split(", ") {
        let parsed = part
            .strip_prefix('<')
            .and_then(|part| part.split_once(">; rel=\""));
        let Some((url, relation)) = parsed else {
            return Some(format!("`{part}` is no link"));
        };
        if !url.starts_with("http") {
            return Some(format!("the link {url} is not absolute"));
        }
        if !matches!(
            relation.trim_end_matches('"'),
            "next" | "prev" | "first" | "last"
        ) {
            return Some(format!("clients do not know the relation in `{part}`"));
        }
    }
    None
}
