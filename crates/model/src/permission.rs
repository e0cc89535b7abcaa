//! What may be done: permissions, and the roles that carry them (contract E2).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A stored role of a user, a team or a repository on a package, or of a collaborator on a
/// repository. Each includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Download, read metadata.
    Read,
    /// Also upload and write metadata.
    Write,
    /// Also delete, restore, grant access, change visibility, connect a repository.
    Admin,
}

impl Role {
    /// Every role, weakest first.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    /// The word used in SQL, REST and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

/// A word that names no known thing; the message lists the known ones.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a {what}; expected one of: {expected}")]
pub struct UnknownWord {
    /// What kind of thing was looked for.
    pub what: &'static str,
    /// What was given.
    pub given: String,
    /// The words that would have been understood.
    pub expected: &'static str,
}

impl FromStr for Role {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|role| role.as_str() == word).ok_or_else(|| UnknownWord {
            what: "role",
            given: word.to_owned(),
            expected: "read, write, admin",
        })
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
