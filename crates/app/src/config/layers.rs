//! Settings laid over each other, each remembering where it came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use toml::map::Entry;
use toml::{Table, Value};

use super::environment::Variable;
use super::file::ConfigFile;
use super::key::{Key, Step};
use super::problem::Problem;

/// Where a setting came from; what stands later wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said otherwise.
    Default,
    /// The configuration file.
    File {
        /// Its path.
        path: PathBuf,
        /// The line, counted from one.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
    /// A flag of the command line.
    Flag(&'static str),
}

impl Origin {
    /// Which layer it is of; a higher one wins.
    pub(super) const fn rank(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::File { .. } => 1,
            Self::Variable(_) => 2,
            Self::Flag(_) => 3,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(variable) => f.write_str(variable),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// All settings that somebody made.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    settings: Table,
    origins: BTreeMap<Key, Origin>,
    /// Variables by key, as they were written: a text may look like a number.
    texts: BTreeMap<Key, String>,
}

impl Layers {
    /// Lays the file down.
    pub fn add_file(&mut self, file: &ConfigFile) {
        self.settings = file.settings().clone();
        self.note_origins(file, file.settings(), &Key::default());
    }

    fn note_origins(&mut self, file: &ConfigFile, table: &Table, at: &Key) {
        for (name, value) in table {
            let key = at.child(name);
            if let Value::Table(inner) = value {
                self.note_origins(file, inner, &key);
                continue;
            }
            let line = file
                .find(&key)
                .map_or(0, |span| file.line_of(span.key.start));
            let path = file.path().to_owned();
            self.origins.insert(key, Origin::File { path, line });
        }
    }

    /// Lays a variable over it.
    ///
    /// # Errors
    /// When it goes on below something that is no section.
    pub fn add_variable(&mut self, variable: Variable) -> Result<(), Problem> {
        self.texts.insert(variable.key.clone(), variable.text);
        let origin = Origin::Variable(variable.name);
        self.set(&variable.key, variable.value, origin)
    }

    /// Sets one value.
    ///
    /// # Errors
    /// When a part of the key is no section.
    pub fn set(&mut self, key: &Key, value: Value, origin: Origin) -> Result<(), Problem> {
        let inside = |inner: &str| {
            let message = format!("`{inner}` is a setting, not a section");
            Problem::at(key, Some(&origin), None, message)
        };
        let (table, name) = self.enter(key).map_err(|inner| inside(&inner))?;
        table.insert(name.to_owned(), value);
        // Whatever stood inside is gone with the old value.
        self.origins.retain(|other, _| !other.is_within(key));
        self.origins.insert(key.clone(), origin);
        Ok(())
    }

    /// The table that the last name of a key belongs into, made if it is not there.
    fn enter<'k>(&mut self, key: &'k Key) -> Result<(&mut Table, &'k str), String> {
        let names = key.steps().iter().filter_map(|step| match step {
            Step::Name(name) => Some(name.as_str()),
            Step::Index(_) => None,
        });
        let names: Vec<_> = names.collect();
        let (last, parents) = names.split_last().ok_or_else(String::new)?;
        let mut table = &mut self.settings;
        for name in parents {
            let inner = match table.entry((*name).to_owned()) {
                Entry::Occupied(inner) => inner.into_mut(),
                Entry::Vacant(place) => place.insert(Value::Table(Table::new())),
            };
            table = inner.as_table_mut().ok_or_else(|| (*name).to_owned())?;
        }
        Ok((table, last))
    }

    /// The value of a key, if anybody set it.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&Value> {
        let (first, rest) = key.steps().split_first()?;
        let Step::Name(first) = first else {
            return None;
        };
        let mut value = self.settings.get(first)?;
        for step in rest {
            value = match step {
                Step::Name(name) => value.get(name)?,
                Step::Index(index) => value.get(index)?,
            };
        }
        Some(value)
    }

    /// Takes a value away again.
    pub fn remove(&mut self, key: &Key) -> Option<(Value, Origin)> {
        self.get(key)?;
        let (table, name) = self.enter(key).ok()?;
        let value = table.remove(name)?;
        let origin = self.origins.remove(key).unwrap_or(Origin::Default);
        Some((value, origin))
    }

    /// Where a setting, or the list that it is in, came from.
    #[must_use]
    pub fn origin(&self, key: &Key) -> Option<&Origin> {
        let mut key = key.clone();
        loop {
            if let Some(origin) = self.origins.get(&key) {
                return Some(origin);
            }
            key = key.parent()?;
        }
    }

    /// Takes a variable that looked like a number or the like for the text that it was written
    /// as. `false` if it is one already, or did not come from a variable.
    pub fn take_as_text(&mut self, key: &Key) -> bool {
        let Some(text) = self.texts.remove(key) else {
            return false;
        };
        let Some(Origin::Variable(_)) = self.origins.get(key) else {
            return false;
        };
        match self.enter(key) {
            Ok((table, name)) => table
                .insert(name.to_owned(), Value::String(text))
                .is_some_and(|before| !before.is_str()),
            Err(_) => false,
        }
    }

    /// Everything that somebody set.
    #[must_use]
    pub const fn settings(&self) -> &Table {
        &self.settings
    }
}
