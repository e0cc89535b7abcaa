//! Configuration: one TOML file, environment variables over it, flags over those.
//!
//! Each section is defined by the room that uses it; this composes them and checks what concerns
//! two of them. Nothing is guessed: an unknown key is an error that shows where it stands and what
//! was probably meant.
//!
//! - [`key`]: paths of settings; [`mod@file`]: the file, and where in it a setting stands;
//! - [`environment`]: settings from variables; [`layers`]: one over the other, with their origin;
//! - [`secret`]: values that are read from files and never shown;
//! - [`checks`]: what two sections must agree on;
//! - [`inspect`]: what is in force, for `naru config check`;
//! - [`problem`]: what is said when something is wrong.

pub mod checks;
pub mod environment;
pub mod file;
pub mod inspect;
pub mod key;
pub mod layers;
pub mod log;
pub mod problem;
pub mod secret;

use std::ffi::OsString;
use std::path::PathBuf;

use naru_blobstore::BlobStoreSettings;
use naru_metadata::DatabaseSettings;
use naru_server::listen::{LimitsSettings, ListenSettings, TlsSettings};
use naru_server::{HostSettings, RestSettings};
use serde::Deserialize;
use toml::Value;

use file::ConfigFile;
use key::Key;
use layers::{Layers, Origin};
pub use log::{LogFormat, LogSettings};
pub use problem::Problem;

/// Everything that can be configured. Without any configuration Naru runs on SQLite and a
/// directory, on one port of the loopback interface.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How the instance is called.
    pub server: HostSettings,
    /// How often the REST API may be asked.
    pub rest: RestSettings,
    /// Where to listen.
    pub listen: ListenSettings,
    /// Encryption.
    pub tls: TlsSettings,
    /// What a connection may ask for.
    pub limits: LimitsSettings,
    /// Where facts are kept.
    pub database: DatabaseSettings,
    /// Where the bytes of blobs are kept.
    pub blobstore: BlobStoreSettings,
    /// Limits and choices of the registry.
    pub registry: naru_registry::Settings,
    /// What is logged.
    pub log: LogSettings,
    /// Keys that everything else is sealed with.
    pub secrets: SecretsSettings,
}

/// The `[secrets]` section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecretsSettings {
    /// A file with the key that seals the others: 64 hexadecimal digits, or 32 bytes as they are.
    /// Default: `master.key` in the data directory, made at the first start. Replicas on PostgreSQL must share one.
    pub master_key_file: Option<PathBuf>,
}

/// Where configuration comes from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The configuration file, if there is one.
    pub file: Option<PathBuf>,
    /// The environment of the process.
    pub environment: Vec<(OsString, OsString)>,
    /// Settings by flags of the command line: the flag, the setting, the value.
    pub flags: Vec<(&'static str, Key, Value)>,
}

/// A configuration that can be used, and what it was made of.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What somebody set, and where.
    pub layers: Layers,
}

/// Reads, composes and checks the configuration.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn load(sources: Sources) -> Result<Loaded, Problem> {
    let mut layers = Layers::default();
    let file = sources.file.as_deref().map(ConfigFile::read).transpose()?;
    if let Some(file) = &file {
        layers.add_file(file);
    }
    for variable in environment::settings(sources.environment)? {
        layers.add_variable(variable)?;
    }
    for (flag, key, value) in sources.flags {
        layers.set(&key, value, Origin::Flag(flag))?;
    }
    for secret in secret::secrets_from_files() {
        read_secret(&mut layers, &secret, file.as_ref())?;
    }
    let config = deserialize(&mut layers, file.as_ref())?;
    checks::check(&config)?;
    Ok(Loaded { config, layers })
}

/// Puts the contents of `NAME_file` in the place of `NAME`.
fn read_secret(
    layers: &mut Layers,
    secret: &Key,
    file: Option<&ConfigFile>,
) -> Result<(), Problem> {
    let by_file = secret.file_key();
    let Some((path, origin)) = layers.remove(&by_file) else {
        return Ok(());
    };
    let problem = |message: String| Problem::at(&by_file, Some(&origin), file, message);
    match layers.origin(secret).map(Origin::rank) {
        Some(direct) if direct > origin.rank() => return Ok(()),
        Some(direct) if direct == origin.rank() => {
            let message = format!("`{secret}` and `{by_file}` say the same thing");
            return Err(problem(message).with_help("leave one of them out"));
        }
        _ => {}
    }
    let Some(path) = path.as_str() else {
        return Err(problem(format!("`{by_file}` is the path of a file")));
    };
    let value = secret::read(path.as_ref()).map_err(|error| problem(causes(&error)))?;
    layers.set(secret, Value::String(value), origin)
}

fn causes(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", causes(source)),
        None => error.to_string(),
    }
}

fn deserialize(layers: &mut Layers, file: Option<&ConfigFile>) -> Result<Config, Problem> {
    loop {
        let settings = Value::Table(layers.settings().clone());
        let error = match serde_path_to_error::deserialize(settings) {
            Ok(config) => return Ok(config),
            Err(error) => error,
        };
        let key = Key::from(error.path());
        // A variable that says `12` may mean the text.
        if !layers.take_as_text(&key) {
            let origin = layers.origin(&key);
            return Err(Problem::from_serde(&key, origin, file, error.inner()));
        }
    }
}
