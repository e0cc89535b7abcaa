//! Settings from the environment: `NARU_SECTION__KEY`.
//!
//! Only names with `__` are settings: Kubernetes injects `NARU_PORT` and the like into every
//! container beside a service called `naru`. Values are typed as in TOML (`true`, `12`,
//! `["a", "b"]`); what is no TOML value is a text, so that texts need no quotes.

use std::ffi::OsString;

use serde::Deserialize;
use toml::Value;

use super::key::Key;
use super::problem::Problem;

/// What the names of all variables begin with.
pub(super) const PREFIX: &str = "NARU_";

/// One setting from the environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// Its name, as it stands in the environment.
    pub name: String,
    /// Which setting it is.
    pub key: Key,
    /// What it is set to.
    pub value: Value,
    /// The value as it was written.
    pub text: String,
}

/// Picks the settings out of the environment, in the order of their names.
///
/// # Errors
/// When a setting's value is no UTF-8.
pub fn settings(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<Variable>, Problem> {
    let mut settings = Vec::new();
    for (name, text) in environment {
        let Some(name) = name.to_str() else { continue };
        let Some(key) = key_of(name) else { continue };
        let Ok(text) = text.into_string() else {
            return Err(Problem::of_variable(name, "is not UTF-8"));
        };
        let value = value_of(&text);
        let name = name.to_owned();
        settings.push(Variable {
            name,
            key,
            value,
            text,
        });
    }
    settings.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(settings)
}

fn key_of(variable: &str) -> Option<Key> {
    let path = variable.strip_prefix(PREFIX)?;
    let names = path.contains("__").then(|| path.split("__"))?;
    Some(Key::of(names.map(str::to_ascii_lowercase)))
}

fn value_of(text: &str) -> Value {
    let typed = toml::de::ValueDeserializer::parse(text)
        .ok()
        .and_then(|value| Value::deserialize(value).ok());
    typed.unwrap_or_else(|| Value::String(text.to_owned()))
}
