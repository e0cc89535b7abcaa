//! Source repositories: records that packages are linked to. Naru hosts no git.

use std::fmt;
use std::str::FromStr;

use crate::account::AccountName;
use crate::clock::Moment;
use crate::id::{AccountId, RepositoryId};
use crate::name::{NameError, spelled_name};
use crate::package::Visibility;
use crate::permission::Role;
use crate::word::{UnknownWord, words};

spelled_name! {
    /// The name of a source repository, after GitHub's grammar: ASCII letters, digits, `.`, `-`
    /// and `_`, at most 100 characters, not `.` or `..`, not ending in `.git`.
    ///
    /// Keeps its spelling and compares without case.
    SourceRepositoryName
}

const WHAT: &str = "a repository name";

impl SourceRepositoryName {
    /// The longest name, in characters.
    pub const MAX_LEN: usize = 100;
}

fn check(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty { what: WHAT });
    }
    if text.len() > SourceRepositoryName::MAX_LEN {
        return Err(NameError::TooLong {
            what: WHAT,
            longest: SourceRepositoryName::MAX_LEN,
        });
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let is_git = text.to_ascii_lowercase().ends_with(".git");
    if text.bytes().all(allowed) && text != "." && text != ".." && !is_git {
        return Ok(());
    }
    Err(NameError::Grammar {
        what: WHAT,
        grammar: "the letters A-Z and a-z, digits, periods, hyphens and underscores; it is not \
                  `.` or `..` and does not end in `.git`",
    })
}

/// A source repository by name: `OWNER/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryPath {
    /// The account that owns it.
    pub owner: AccountName,
    /// Its name there.
    pub name: SourceRepositoryName,
}

impl fmt::Display for RepositoryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl FromStr for RepositoryPath {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (owner, name) = text.split_once('/').ok_or(NameError::Grammar {
            what: "the path of a repository",
            grammar: "an account name, a slash and a repository name",
        })?;
        Ok(Self {
            owner: owner.parse()?,
            name: name.parse()?,
        })
    }
}

/// What a collaborator or a team may do in a source repository. Each includes the ones before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RepositoryRole {
    /// See it.
    Read,
    /// Also sort issues; for packages the same as read.
    Triage,
    /// Also push.
    Write,
    /// Also manage without the dangerous parts; for packages the same as write.
    Maintain,
    /// Everything.
    Admin,
}

words!(
    RepositoryRole,
    "role in a repository",
    Read = "read",
    Triage = "triage",
    Write = "write",
    Maintain = "maintain",
    Admin = "admin",
);

impl RepositoryRole {
    /// The role on a package that inherits the repository's access, and on every package of the
    /// legacy registry in it.
    #[must_use]
    pub const fn on_packages(self) -> Role {
        match self {
            Self::Read | Self::Triage => Role::Read,
            Self::Write | Self::Maintain => Role::Write,
            Self::Admin => Role::Admin,
        }
    }

    /// REST's word for it as a collaborator's `permission`: `pull` for read, `push` for write.
    #[must_use]
    pub const fn rest_word(self) -> &'static str {
        match self {
            Self::Read => "pull",
            Self::Write => "push",
            other => other.as_str(),
        }
    }

    /// From REST's word; takes `read` and `write` too.
    ///
    /// # Errors
    /// [`UnknownWord`].
    pub fn from_rest_word(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "pull" => Ok(Self::Read),
            "push" => Ok(Self::Write),
            other => other.parse(),
        }
    }
}

/// Words that a repository is found by, in the order they were given (GitHub documentation,
/// "Classifying your repository with topics").
///
/// Its text is the words with spaces between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topics(Vec<String>);

impl Topics {
    /// How many there may be.
    pub const MAX_COUNT: usize = 20;
    /// The longest, in characters.
    pub const MAX_LEN: usize = 50;

    /// Takes words in any case, keeps each once and in lower case.
    ///
    /// # Errors
    /// [`NameError`] for a word outside the grammar, or too many.
    pub fn new<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, NameError> {
        let mut topics = Vec::new();
        for word in words {
            let word = word.to_ascii_lowercase();
            check_topic(&word)?;
            if !topics.contains(&word) {
                topics.push(word);
            }
        }
        if topics.len() > Self::MAX_COUNT {
            return Err(NameError::Grammar {
                what: "a list of topics",
                grammar: "at most 20 words",
            });
        }
        Ok(Self(topics))
    }

    /// The words.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

fn check_topic(word: &str) -> Result<(), NameError> {
    const WHAT: &str = "a topic";
    if word.is_empty() {
        return Err(NameError::Empty { what: WHAT });
    }
    if word.len() > Topics::MAX_LEN {
        return Err(NameError::TooLong {
            what: WHAT,
            longest: Topics::MAX_LEN,
        });
    }
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if word.bytes().all(allowed) && !word.starts_with('-') {
        return Ok(());
    }
    Err(NameError::Grammar {
        what: WHAT,
        grammar: "the letters a-z, digits and hyphens, and does not begin with a hyphen",
    })
}

impl fmt::Display for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

impl FromStr for Topics {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text.split(' ').filter(|word| !word.is_empty()))
    }
}

/// A source repository's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// The identifier.
    pub id: RepositoryId,
    /// The account that owns it.
    pub owner: AccountId,
    /// Its name there.
    pub name: SourceRepositoryName,
    /// What it is, in a sentence.
    pub description: Option<String>,
    /// Where the source lives, on a forge elsewhere.
    pub forge_url: Option<String>,
    /// The address of a page about it.
    pub homepage: Option<String>,
    /// Words that it is found by.
    pub topics: Topics,
    /// Who may see it. Packages of the legacy registry follow it.
    pub visibility: Visibility,
    /// When it was made.
    pub created_at: Moment,
    /// When the record last changed.
    pub updated_at: Moment,
    /// When it was deleted; it can be restored for 30 days.
    pub deleted_at: Option<Moment>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_inside_the_grammar_are_taken() {
        for text in [
            "a",
            ".github",
            "_",
            "-",
            "Hello-World",
            "a..b",
            "git",
            &"a".repeat(100),
        ] {
            assert_eq!(text.parse::<SourceRepositoryName>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn names_outside_the_grammar_are_refused() {
        for text in [
            "",
            ".",
            "..",
            "a/b",
            "a b",
            "ä",
            "a.git",
            "a.GIT",
            "\0",
            &"a".repeat(101),
        ] {
            assert!(text.parse::<SourceRepositoryName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_path_is_an_owner_and_a_name() {
        let path: RepositoryPath = "Octo/App".parse().unwrap();
        assert_eq!(path.to_string(), "Octo/App");
        assert_eq!(path, "octo/app".parse().unwrap());
        for text in ["octo", "octo/", "/app", "octo/app/more", "oc_to/app"] {
            assert!(text.parse::<RepositoryPath>().is_err(), "{text}");
        }
    }

    #[test]
    fn topics_are_kept_once_in_lower_case() {
        let topics = Topics::new(["Rust", "oci-registry", "rust"]).unwrap();
        assert_eq!(topics.as_slice(), ["rust", "oci-registry"]);
        assert_eq!(topics.to_string().parse(), Ok(topics));
        assert_eq!("".parse(), Ok(Topics::default()));
        for word in ["", "a b", "-a", "ä", &"a".repeat(51)] {
            assert!(Topics::new([word]).is_err(), "{word:?}");
        }
        let many: Vec<String> = (0..21).map(|number| format!("t{number}")).collect();
        assert!(Topics::new(many.iter().map(String::as_str)).is_err());
    }

    #[test]
    fn repository_roles_map_to_package_roles() {
        use RepositoryRole::{Admin, Maintain, Read, Triage, Write};
        for (repository, package) in [
            (Read, Role::Read),
            (Triage, Role::Read),
            (Write, Role::Write),
            (Maintain, Role::Write),
            (Admin, Role::Admin),
        ] {
            assert_eq!(repository.on_packages(), package);
            assert_eq!(
                RepositoryRole::from_rest_word(repository.rest_word()),
                Ok(repository)
            );
        }
    }
}
