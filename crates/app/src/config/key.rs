//! [`Key`]: the path of a setting, such as `listen.address` or `tls.certificates[0].key`.

use std::fmt;

use serde_path_to_error::Segment;

/// The path of a setting from the top of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(Vec<Step>);

/// One step of the path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Into a table.
    Name(String),
    /// Into a list.
    Index(usize),
}

impl Key {
    /// The path with these names.
    pub fn of<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self(names.into_iter().map(|it| Step::Name(it.into())).collect())
    }

    /// The path one name further.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Name(name.to_owned()));
        Self(steps)
    }

    /// The path of what this is in; `None` at the top.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (_, parents) = self.0.split_last()?;
        Some(Self(parents.to_vec()))
    }

    /// Whether this is `other` or something inside it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// The last name of the path.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.iter().rev().find_map(|step| match step {
            Step::Name(name) => Some(name.as_str()),
            Step::Index(_) => None,
        })
    }

    /// The key that names a file with the value of this one: `url` and `url_file`.
    #[must_use]
    pub fn file_key(&self) -> Self {
        let mut steps = self.0.clone();
        if let Some(Step::Name(name)) = steps.last_mut() {
            name.push_str("_file");
        }
        Self(steps)
    }

    /// The steps from the top.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The environment variable that sets it.
    #[must_use]
    pub fn variable(&self) -> String {
        let mut variable = super::environment::PREFIX.to_owned();
        for (index, step) in self.0.iter().enumerate() {
            if let Step::Name(name) = step {
                variable.push_str(if index > 0 { "__" } else { "" });
                variable.push_str(&name.to_ascii_uppercase());
            }
        }
        variable
    }
}

impl From<&serde_path_to_error::Path> for Key {
    fn from(path: &serde_path_to_error::Path) -> Self {
        let steps = path.iter().filter_map(|segment| match segment {
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Map { key } => Some(Step::Name(key.clone())),
            // Variants are names of values, which the text of the configuration has no place for.
            Segment::Enum { .. } | Segment::Unknown => None,
        });
        Self(steps.collect())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Name(name) if index > 0 => write!(f, ".{name}")?,
                Step::Name(name) => f.write_str(name)?,
                Step::Index(number) => write!(f, "[{number}]")?,
            }
        }
        Ok(())
    }
}
