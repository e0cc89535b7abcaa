//! What is in force, and where each value came from: for `naru config check`.

use serde::Serialize;
use toml::{Table, Value};

use super::file::ConfigFile;
use super::key::Key;
use super::layers::{Layers, Origin};
use super::{Problem, secret};
use crate::output::Row;

/// The example has every setting with its default (a test proves it), so it serves as the lowest
/// layer.
pub const EXAMPLE: &str = include_str!("../../../../config.example.toml");

/// One setting.
#[derive(Clone, Debug, Serialize)]
pub struct Setting {
    /// Its path: `listen.address`.
    pub key: String,
    /// Its value, without secrets.
    pub value: Value,
    /// Where it came from: `default`, `FILE:LINE`, an environment variable or a flag.
    pub from: String,
}

impl Row for Setting {
    const COLUMNS: &'static [&'static str] = &["SETTING", "VALUE", "FROM"];

    fn cells(&self) -> Vec<String> {
        vec![self.key.clone(), self.value.to_string(), self.from.clone()]
    }
}

/// All settings that have a value, in the order of the example.
///
/// # Errors
/// Never, while the example can be parsed.
pub fn in_force(layers: &Layers) -> Result<Vec<Setting>, Problem> {
    let example = ConfigFile::parse("config.example.toml".as_ref(), EXAMPLE.to_owned())?;
    let mut settings = Vec::new();
    collect(
        example.settings(),
        layers.settings(),
        &Key::default(),
        layers,
        &mut settings,
    );
    Ok(settings)
}

fn collect(defaults: &Table, set: &Table, at: &Key, layers: &Layers, settings: &mut Vec<Setting>) {
    let unmentioned = set.keys().filter(|name| !defaults.contains_key(*name));
    for name in defaults.keys().chain(unmentioned) {
        let key = at.child(name);
        let nothing = Table::new();
        match (set.get(name), defaults.get(name)) {
            (Some(Value::Table(set)), default) => {
                let default = default.and_then(Value::as_table).unwrap_or(&nothing);
                collect(default, set, &key, layers, settings);
            }
            (None, Some(Value::Table(default))) => {
                collect(default, &nothing, &key, layers, settings);
            }
            (Some(value), _) => {
                let from = layers.origin(&key).unwrap_or(&Origin::Default);
                settings.push(setting(&key, value, from));
            }
            (None, Some(value)) => settings.push(setting(&key, value, &Origin::Default)),
            (None, None) => {}
        }
    }
}

fn setting(key: &Key, value: &Value, from: &Origin) -> Setting {
    Setting {
        key: key.to_string(),
        value: secret::shown(key, value),
        from: from.to_string(),
    }
}
