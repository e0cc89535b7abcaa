//! [`Scope`]: what a registry token is asked to allow.
//!
//! The grammar is that of Docker's "Token Scope Documentation": a resource type, a name and
//! actions, such as `repository:octo-org/image:pull,push`; several are separated by spaces.

use std::fmt;
use std::ops::BitOr;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::name::RepositoryName;

/// What may be done in a repository, as a set.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Actions(u8);

impl Actions {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Read manifests, blobs, tags and referrers.
    pub const PULL: Self = Self(1);
    /// Upload blobs, put manifests, move tags.
    pub const PUSH: Self = Self(2);
    /// Delete tags, manifests and blobs.
    pub const DELETE: Self = Self(4);
    /// All of them, in the grammar `*`.
    pub const ALL: Self = Self(7);

    /// Pushing stands first, as on GitHub's registry: a clean-up tool that splits challenges at
    /// every comma takes the first word for all (dataaxiom/ghcr-cleanup-action).
    const WORDS: [(Self, &'static str); 3] = [
        (Self::PUSH, "push"),
        (Self::PULL, "pull"),
        (Self::DELETE, "delete"),
    ];

    /// Whether nothing is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether everything in `other` is in it.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// What is in both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The words in it, in the order push, pull, delete.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        Self::WORDS
            .into_iter()
            .filter(move |(one, _)| self.contains(*one))
            .map(|(_, word)| word)
    }

    /// The action of a word, `*` for all; words we do not know are no action.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        match word {
            "*" => Self::ALL,
            _ => {
                let known = Self::WORDS.into_iter().find(|(_, known)| *known == word);
                known.map_or(Self::NONE, |(one, _)| one)
            }
        }
    }
}

impl BitOr for Actions {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl fmt::Display for Actions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.words().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            f.write_str(word)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Actions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Actions({self})")
    }
}

/// One resource with the actions asked for.
///
/// In JSON it has the form of the `access` claim of a registry token:
/// `{"type":"repository","name":"octo-org/image","actions":["pull"]}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// A repository.
    Repository {
        /// Which one.
        name: RepositoryName,
        /// What for.
        actions: Actions,
    },
    /// The list of repositories: `registry:catalog:*`.
    Catalog,
}

impl Scope {
    /// A scope on one repository.
    #[must_use]
    pub const fn repository(name: RepositoryName, actions: Actions) -> Self {
        Self::Repository { name, actions }
    }

    fn from_parts(kind: &str, name: &str, actions: Actions) -> Result<Self, ScopeError> {
        match kind {
            "repository" => {
                let name = name.parse().map_err(|_| ScopeError::Name)?;
                Ok(Self::Repository { name, actions })
            }
            "registry" if name == "catalog" => Ok(Self::Catalog),
            _ => Err(ScopeError::Type),
        }
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        // A name may begin with a host and its port, so the outer colons are the separators.
        let (kind, rest) = text.split_once(':').ok_or(ScopeError::Syntax)?;
        let (name, words) = rest.rsplit_once(':').ok_or(ScopeError::Syntax)?;
        let actions = words
            .split(',')
            .map(Actions::from_word)
            .fold(Actions::NONE, Actions::union);
        Self::from_parts(kind, name, actions)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository { name, actions } => write!(f, "repository:{name}:{actions}"),
            Self::Catalog => f.write_str("registry:catalog:*"),
        }
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (kind, name, actions) = match self {
            Self::Repository { name, actions } => {
                ("repository", name.as_str(), actions.words().collect())
            }
            Self::Catalog => ("registry", "catalog", vec!["*"]),
        };
        Access {
            kind,
            name,
            actions,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let access = Access::<String>::deserialize(deserializer)?;
        let words = access.actions.iter();
        let actions = words.fold(Actions::NONE, |all, word| all | Actions::from_word(word));
        Self::from_parts(&access.kind, &access.name, actions).map_err(D::Error::custom)
    }
}

/// One entry of the `access` claim.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Access<T> {
    #[serde(rename = "type")]
    kind: T,
    name: T,
    actions: Vec<T>,
}

/// Why a text is not a scope that can be granted here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ScopeError {
    /// It has fewer than three parts.
    #[error("a scope is <type>:<name>:<actions>, such as repository:octo-org/image:pull")]
    Syntax,
    /// It is of a type of resource that does not exist here.
    #[error("a scope is of type repository")]
    Type,
    /// Its name is not a repository name.
    #[error("the name in a scope is a repository name in lower case")]
    Name,
}

/// The scopes of one token request, one entry for each resource, in the order asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// Reads the values of all `scope` parameters, each of which may hold several separated by
    /// spaces.
    ///
    /// What cannot be granted here is left out, as the token documentation asks: a token server
    /// gives what it can, and the request that needs more is refused then. Quotes around a scope
    /// are no part of it: some clients take them along from the challenge.
    #[must_use]
    pub fn parse<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let words = values.into_iter().flat_map(|value| value.split(' '));
        let bare = words.map(|word| word.trim_matches('"'));
        bare.filter_map(|word| word.parse().ok()).collect()
    }

    /// Adds a scope; a second one on the same repository adds its actions to the first.
    pub fn add(&mut self, scope: Scope) {
        let same = self.0.iter_mut().find_map(|known| merge(known, &scope));
        if same.is_none() {
            self.0.push(scope);
        }
    }

    /// What is asked for on a repository.
    #[must_use]
    pub fn actions_on(&self, repository: &RepositoryName) -> Actions {
        let on_it = self.0.iter().find_map(|scope| match scope {
            Scope::Repository { name, actions } if name == repository => Some(*actions),
            _ => None,
        });
        on_it.unwrap_or_default()
    }

    /// Whether nothing is asked for, as at `docker login`.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The scopes in order.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut all = Self::default();
        scopes.into_iter().for_each(|scope| all.add(scope));
        all
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{scope}")?;
        }
        Ok(())
    }
}

/// Adds `scope` to `known` if both are on the same resource.
fn merge(known: &mut Scope, scope: &Scope) -> Option<()> {
    match (known, scope) {
        (
            Scope::Repository { name, actions },
            Scope::Repository {
                name: other,
                actions: more,
            },
        ) if name == other => *actions = *actions | *more,
        (Scope::Catalog, Scope::Catalog) => {}
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn repository(name: &str, actions: Actions) -> Scope {
        Scope::repository(name.parse().unwrap(), actions)
    }

    #[test]
    fn scopes_are_read_as_clients_write_them() {
        let cases = [
            ("repository:o/i:pull", Ok(repository("o/i", Actions::PULL))),
            (
                "repository:o/i:push,pull",
                Ok(repository("o/i", Actions::PULL | Actions::PUSH)),
            ),
            ("repository:o/i:*", Ok(repository("o/i", Actions::ALL))),
            (
                "repository:o/i:delete,fly",
                Ok(repository("o/i", Actions::DELETE)),
            ),
            ("repository:o/i:", Ok(repository("o/i", Actions::NONE))),
            ("registry:catalog:*", Ok(Scope::Catalog)),
            ("repository:*:pull", Err(ScopeError::Name)),
            ("repository:O/i:pull", Err(ScopeError::Name)),
            ("repository:host:5000/o/i:pull", Err(ScopeError::Name)),
            ("repository(plugin):o/i:pull", Err(ScopeError::Type)),
            ("registry:other:*", Err(ScopeError::Type)),
            ("repository:o/i", Err(ScopeError::Syntax)),
            ("", Err(ScopeError::Syntax)),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Scope>(), expected, "{text:?}");
        }
    }

    #[test]
    fn lists_are_split_merged_and_freed_of_what_is_unknown() {
        let values = [
            "repository:a:pull repository:b/c:pull",
            "x:y:z",
            "repository:a:push",
        ];
        let scopes = Scopes::parse(values);
        assert_eq!(
            scopes.to_string(),
            "repository:a:push,pull repository:b/c:pull"
        );
        assert_eq!(scopes.actions_on(&"b/c".parse().unwrap()), Actions::PULL);
        assert_eq!(scopes.actions_on(&"b".parse().unwrap()), Actions::NONE);
        assert!(Scopes::parse([""]).is_empty());
    }

    #[test]
    fn a_scope_that_was_cut_out_of_a_challenge_loses_its_quotes() {
        let scopes = Scopes::parse(["\"repository:a:push"]);
        assert_eq!(scopes.actions_on(&"a".parse().unwrap()), Actions::PUSH);
    }

    #[test]
    fn a_token_claims_access_in_json() {
        let scopes = Scopes::parse(["repository:o/i:push,pull registry:catalog:*"]);
        let json = serde_json::to_string(&scopes).unwrap();
        assert_eq!(
            json,
            "[{\"type\":\"repository\",\"name\":\"o/i\",\"actions\":[\"push\",\"pull\"]},\
             {\"type\":\"registry\",\"name\":\"catalog\",\"actions\":[\"*\"]}]"
        );
        assert_eq!(serde_json::from_str::<Scopes>(&json).unwrap(), scopes);
        let wrong = "{\"type\":\"planet\",\"name\":\"o\",\"actions\":[]}";
        assert!(serde_json::from_str::<Scope>(wrong).is_err());
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_to_the_same(
            names in prop::collection::vec("[a-z0-9]{1,5}(/[a-z0-9]{1,5}){0,2}", 0..4),
            bits in 0_u8..8,
        ) {
            let scopes: Scopes =
                names.iter().map(|name| repository(name, Actions(bits))).collect();
            let printed = scopes.to_string();
            prop_assert_eq!(Scopes::parse([printed.as_str()]), scopes);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text: String) {
            let scopes = Scopes::parse([text.as_str()]);
            let printed = scopes.to_string();
            prop_assert_eq!(Scopes::parse([printed.as_str()]), scopes);
        }
    }
}
