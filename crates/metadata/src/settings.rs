//! The section `[database]` of the configuration.

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::error::{Error, Result};

/// Where the database is and how it is used.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseSettings {
    /// `sqlite:PATH`, relative to the data directory, or `postgres://USER:PASSWORD@HOST/NAME`.
    /// Without it, `naru.db` in the data directory.
    pub url: Option<SecretString>,
    /// A file that holds the URL, so that its password need not stand in the configuration.
    pub url_file: Option<PathBuf>,
    /// Connections at most: to PostgreSQL, by default 16; reading ones to SQLite, by default one
    /// for each processor, at least 2 and at most 8.
    pub connections: Option<u32>,
    /// Seconds after which an unanswered question to PostgreSQL counts as failed. By default 5.
    pub timeout_seconds: u64,
    /// Accept a PostgreSQL whose `fsync`, `full_page_writes` or `synchronous_commit` is off. Then
    /// acknowledged pushes can be lost in a power cut: for tests only.
    pub allow_data_loss: bool,
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self {
            url: None,
            url_file: None,
            connections: None,
            timeout_seconds: 5,
            allow_data_loss: false,
        }
    }
}

/// Which database the settings name.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// A file.
    Sqlite(PathBuf),
    /// A server; the URL may hold a password.
    Postgres(SecretString),
}

impl DatabaseSettings {
    /// Settings with this URL and all else by default.
    #[must_use]
    pub fn with_url(url: &str) -> Self {
        Self {
            url: Some(url.into()),
            ..Self::default()
        }
    }

    /// Whether the database is a server that several processes share, as far as the settings tell
    /// without reading `url_file`.
    ///
    /// # Errors
    /// [`Error::Refused`] if the settings contradict themselves or `url_file` cannot be read.
    pub fn is_shared(&self) -> Result<bool> {
        Ok(matches!(self.place(Path::new(""))?, Place::Postgres(_)))
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.max(1))
    }

    pub(crate) fn place(&self, data: &Path) -> Result<Place> {
        let Some(url) = self.url()? else {
            return Ok(Place::Sqlite(data.join("naru.db")));
        };
        let text = url.expose_secret();
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Place::Postgres(url));
        }
        match text.strip_prefix("sqlite:") {
            // `sqlite://path` is written by habit; both mean a path.
            Some(path) => {
                let path = path.strip_prefix("//").unwrap_or(path);
                if path.is_empty() || path.contains(":memory:") {
                    return Err(Error::Refused(
                        "[database] url = \"sqlite:…\" needs a path".into(),
                    ));
                }
                Ok(Place::Sqlite(data.join(path)))
            }
            None => Err(Error::Refused(
                "[database] url begins with `sqlite:` or `postgres://`".into(),
            )),
        }
    }

    fn url(&self) -> Result<Option<SecretString>> {
        match (&self.url, &self.url_file) {
            (Some(_), Some(_)) => Err(Error::Refused(
                "[database] has both url and url_file; keep one of them".into(),
            )),
            (Some(url), None) => Ok(Some(url.clone())),
            (None, Some(file)) => {
                let text = std::fs::read_to_string(file).map_err(|error| {
                    let file = file.display();
                    Error::Refused(format!(
                        "[database] url_file {file} cannot be read: {error}"
                    ))
                })?;
                Ok(Some(text.trim().into()))
            }
            (None, None) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> String {
        match DatabaseSettings::with_url(url).place(Path::new("/data")) {
            Ok(Place::Sqlite(path)) => path.display().to_string(),
            Ok(Place::Postgres(_)) => "a server".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_default_is_a_file_in_the_data_directory() {
        let found = DatabaseSettings::default()
            .place(Path::new("/data"))
            .unwrap();
        assert!(matches!(found, Place::Sqlite(path) if path == Path::new("/data/naru.db")));
    }

    #[test]
    fn paths_are_relative_to_the_data_directory() {
        assert_eq!(place("sqlite:other.db"), "/data/other.db");
        assert_eq!(place("sqlite://other.db"), "/data/other.db");
        assert_eq!(place("sqlite:/elsewhere/naru.db"), "/elsewhere/naru.db");
        assert_eq!(place("postgres://naru@db/naru"), "a server");
        assert!(place("sqlite::memory:").contains("needs a path"));
        assert!(place("mysql://naru").contains("begins with"));
    }

    #[test]
    fn a_password_is_not_printed() {
        let settings = DatabaseSettings::with_url("postgres://naru:hunter2@db/naru");
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let text = r#"{"url": "sqlite:naru.db", "pool": 3}"#;
        assert!(serde_json::from_str::<DatabaseSettings>(text).is_err());
    }
}
