//! Reading a challenge: what a registry asks for with a 401 (RFC 9110, section 11.6.1).

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// What a registry asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A token from `realm` (Docker's "Token Authentication Specification").
    Bearer {
        realm: String,
        service: Option<String>,
    },
    /// User name and password with each request.
    Basic,
}

impl Challenge {
    /// The challenge of an answer; Bearer wins, as it does with docker.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let values = headers.get_all(WWW_AUTHENTICATE);
        let mut challenges: Vec<_> = values
            .iter()
            .filter_map(|value| Self::parse(value.to_str().ok()?))
            .collect();
        challenges.sort_by_key(|challenge| *challenge == Self::Basic);
        challenges.into_iter().next()
    }

    fn parse(text: &str) -> Option<Self> {
        let (scheme, parameters) = text.trim().split_once(' ').unwrap_or((text, ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        let bearer = scheme.eq_ignore_ascii_case("bearer");
        let realm = bearer.then(|| parameter(parameters, "realm")).flatten()?;
        let service = parameter(parameters, "service");
        Some(Self::Bearer { realm, service })
    }
}

/// One of `name="value", other=value`. A quoted value may hold commas and escaped quotes.
fn parameter(parameters: &str, wanted: &str) -> Option<String> {
    let mut rest = parameters;
    loop {
        let (name, after) = rest.trim_start_matches([',', ' ', '\t']).split_once('=')?;
        let (value, left) = value(after);
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = left;
    }
}

fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = text.split_once(',').unwrap_or((text, ""));
        return (value.trim().to_owned(), rest);
    };
    let mut value = String::new();
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => value.extend(characters.next()),
            _ => value.push(character),
        }
    }
    (value, characters.as_str())
}
