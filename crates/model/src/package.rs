//! Packages: what GitHub calls the contents of one repository name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::permission::UnknownWord;

/// Which registry a package belongs to (PRODUCT: container and legacy docker).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackageType {
    /// The container registry: `HOST/OWNER/IMAGE`, own permissions and visibility.
    Container,
    /// The legacy Docker registry: `docker.HOST/OWNER/REPO/IMAGE`, its repository's permissions.
    /// The package name is then `REPO/IMAGE`.
    Docker,
}

impl PackageType {
    /// The word used in SQL and REST.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Docker => "docker",
        }
    }
}

impl FromStr for PackageType {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "container" => Ok(Self::Container),
            "docker" => Ok(Self::Docker),
            _ => Err(UnknownWord {
                what: "package type",
                given: word.to_owned(),
                expected: "container, docker",
            }),
        }
    }
}

impl fmt::Display for PackageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who may read without a role of their own (contract E3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Everybody, also without signing in.
    Public,
    /// Every active account of the instance.
    Internal,
    /// Only those with a role.
    Private,
}

impl Visibility {
    /// Every visibility, widest first.
    pub const ALL: [Self; 3] = [Self::Public, Self::Internal, Self::Private];

    /// The word used in SQL, REST and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Private => "private",
        }
    }
}

impl FromStr for Visibility {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|v| v.as_str() == word).ok_or_else(|| UnknownWord {
            what: "visibility",
            given: word.to_owned(),
            expected: "public, internal, private",
        })
    }
}

impl fmt::Display for Visibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
