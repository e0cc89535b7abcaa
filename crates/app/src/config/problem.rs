//! [`Problem`]: what is wrong with the configuration, where, and what was probably meant.

use std::fmt;
use std::path::{Path, PathBuf};

use super::file::{ConfigFile, Excerpt};
use super::key::Key;
use super::layers::Origin;
use super::secret;

/// What is wrong with the configuration.
#[derive(Debug)]
pub struct Problem {
    place: Place,
    message: String,
    help: Option<String>,
}

#[derive(Debug)]
enum Place {
    /// No one setting.
    Whole,
    File(PathBuf, Excerpt),
    Variable(String),
    Flag(&'static str),
}

impl Problem {
    /// Something that concerns several settings.
    pub fn of_settings(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            place: Place::Whole,
            message: message.into(),
            help: Some(help.into()),
        }
    }

    /// Something about the file as a whole.
    pub(super) fn of_file(path: &Path, message: impl Into<String>) -> Self {
        Self::in_file(path, Excerpt::default(), message)
    }

    pub(super) fn in_file(path: &Path, excerpt: Excerpt, message: impl Into<String>) -> Self {
        Self {
            place: Place::File(path.to_owned(), excerpt),
            message: message.into(),
            help: None,
        }
    }

    pub(super) fn of_variable(variable: &str, message: impl Into<String>) -> Self {
        Self {
            place: Place::Variable(variable.to_owned()),
            message: message.into(),
            help: None,
        }
    }

    /// Something about the setting `key`, which came from `origin`.
    pub(super) fn at(
        key: &Key,
        origin: Option<&Origin>,
        file: Option<&ConfigFile>,
        message: impl Into<String>,
    ) -> Self {
        let place = match origin {
            Some(Origin::Variable(variable)) => Place::Variable(variable.clone()),
            Some(Origin::Flag(flag)) => Place::Flag(flag),
            Some(Origin::File { .. } | Origin::Default) | None => {
                file.map_or(Place::Whole, |file| in_file(file, key, Part::Value))
            }
        };
        Self {
            place,
            message: message.into(),
            help: None,
        }
    }

    /// What serde found wrong at `key`.
    pub(super) fn from_serde(
        key: &Key,
        origin: Option<&Origin>,
        file: Option<&ConfigFile>,
        error: &toml::de::Error,
    ) -> Self {
        let Some(unknown) = Unknown::read(error.message()) else {
            let message = if secret::is_secret(key) {
                // serde repeats the value.
                format!("`{key}` has a value of the wrong kind")
            } else {
                format!("`{key}`: {}", error.message())
            };
            return Self::at(key, origin, file, message);
        };
        let mut problem = Self::at(key, origin, file, unknown.message(key));
        if let (Place::File(..), Some(file), Kind::Field) = (&problem.place, file, unknown.kind) {
            problem.place = in_file(file, key, Part::Key);
        }
        problem.help = unknown.help(key, origin);
        problem
    }

    /// Adds what was probably meant.
    #[must_use]
    pub(super) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl std::error::Error for Problem {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (message, help) = (&self.message, self.help.as_deref().unwrap_or_default());
        let drawn = match &self.place {
            Place::Whole => {
                write!(f, "{message}")?;
                None
            }
            Place::File(path, excerpt) if excerpt.line == 0 => {
                write!(f, "{}: {message}", path.display())?;
                None
            }
            Place::File(path, excerpt) => {
                let (line, column) = (excerpt.line, excerpt.column);
                write!(f, "{}:{line}:{column}: {message}", path.display())?;
                Some(excerpt)
            }
            Place::Variable(variable) => {
                write!(f, "environment variable {variable}: {message}")?;
                None
            }
            Place::Flag(flag) => {
                write!(f, "{flag}: {message}")?;
                None
            }
        };
        match drawn {
            Some(excerpt) => excerpt.write(f, help),
            None if help.is_empty() => Ok(()),
            None => write!(f, "; {help}"),
        }
    }
}

enum Part {
    Key,
    Value,
}

fn in_file(file: &ConfigFile, key: &Key, part: Part) -> Place {
    // What is missing has no place of its own; the table that lacks it has one.
    let mut found = file.find(key);
    let mut outer = key.parent();
    while let (None, Some(key)) = (&found, outer) {
        found = file.find(&key).map(|mut span| {
            span.value = span.key.clone();
            span
        });
        outer = key.parent();
    }
    let excerpt = found.map(|span| match part {
        Part::Key => file.excerpt(&span.key, !secret::is_secret(key)),
        Part::Value => file.excerpt(&span.value, !secret::is_secret(key)),
    });
    Place::File(file.path().to_owned(), excerpt.unwrap_or_default())
}

/// A key or word that nobody knows, and the known ones, as serde's text has them: "unknown field
/// `adress`, expected one of `address`, `internal`".
#[derive(Debug)]
struct Unknown<'m> {
    kind: Kind,
    name: &'m str,
    known: Vec<&'m str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Field,
    Variant,
}

impl<'m> Unknown<'m> {
    fn read(message: &'m str) -> Option<Self> {
        let field = message.strip_prefix("unknown field ");
        let (kind, rest) = match field {
            Some(rest) => (Kind::Field, rest),
            None => (Kind::Variant, message.strip_prefix("unknown variant ")?),
        };
        let mut quoted = rest.split('`').skip(1).step_by(2);
        let name = quoted.next()?;
        Some(Self {
            kind,
            name,
            known: quoted.collect(),
        })
    }

    fn message(&self, key: &Key) -> String {
        let name = self.name;
        match (self.kind, key.parent()) {
            (Kind::Variant, _) => format!("`{key}` cannot be `{name}`"),
            (Kind::Field, Some(table)) if !table.steps().is_empty() => {
                format!("unknown key `{name}` in [{table}]")
            }
            (Kind::Field, _) => format!("unknown section `{name}`"),
        }
    }

    fn help(&self, key: &Key, origin: Option<&Origin>) -> Option<String> {
        let Some(nearest) = nearest(self.name, &self.known) else {
            let known: Vec<_> = self.known.iter().map(|it| format!("`{it}`")).collect();
            return (!known.is_empty()).then(|| format!("known here: {}", known.join(", ")));
        };
        let meant = match (self.kind, origin, key.parent()) {
            (Kind::Field, Some(Origin::Variable(_)), Some(table)) => {
                table.child(nearest).variable()
            }
            _ => nearest.to_owned(),
        };
        Some(format!("did you mean `{meant}`?"))
    }
}

/// The known word that is written most alike, if any is alike at all: at most half of it differs.
pub(super) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let distance = |known: &&'k str| (strsim::damerau_levenshtein(word, known), *known);
    let (distance, nearest) = known.iter().map(distance).min()?;
    (distance * 2 <= nearest.len()).then_some(nearest)
}
