//! Teams: groups of an organization's members that are granted roles together.

use std::str::FromStr;
use std::sync::Arc;

use crate::clock::Moment;
use crate::id::{AccountId, TeamId};
use crate::name::{NameError, name_text};
use crate::word::words;

/// The name of a team in addresses: lower-case letters, digits, hyphens and underscores.
///
/// GitHub makes it from the team's name; see [`TeamSlug::from_name`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TeamSlug(Arc<str>);

name_text!(TeamSlug);

const WHAT: &str = "a team slug";

impl TeamSlug {
    /// The longest slug, in characters.
    pub const MAX_LEN: usize = 100;

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The slug of a team called `name`: lower case, with one hyphen for each run of anything
    /// that a slug cannot hold (`Core Team (EU)` → `core-team-eu`).
    ///
    /// # Errors
    /// [`NameError`] if nothing is left, or too much.
    pub fn from_name(name: &str) -> Result<Self, NameError> {
        let parts = name.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
        parts.join("-").to_ascii_lowercase().parse()
    }
}

impl FromStr for TeamSlug {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty { what: WHAT });
        }
        if text.len() > Self::MAX_LEN {
            return Err(NameError::TooLong {
                what: WHAT,
                longest: Self::MAX_LEN,
            });
        }
        let is_word = |part: &str| {
            let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
            !part.is_empty() && part.bytes().all(allowed)
        };
        if text.split('-').all(is_word) {
            return Ok(Self(text.into()));
        }
        Err(NameError::Grammar {
            what: WHAT,
            grammar: "the letters a-z, digits, underscores, and single hyphens between them",
        })
    }
}

/// What a user is in a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TeamRole {
    /// Belongs to it.
    Member,
    /// Also adds and removes members.
    Maintainer,
}

words!(
    TeamRole,
    "role in a team",
    Member = "member",
    Maintainer = "maintainer"
);

/// Who sees a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TeamPrivacy {
    /// Every member of the organization.
    Closed,
    /// Its own members, and owners of the organization.
    Secret,
}

words!(
    TeamPrivacy,
    "privacy of a team",
    Closed = "closed",
    Secret = "secret"
);

/// A team's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    /// The identifier.
    pub id: TeamId,
    /// The organization it is part of.
    pub organization: AccountId,
    /// Its name in addresses, unique in the organization.
    pub slug: TeamSlug,
    /// Its name for people.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Who sees it. A team that has a parent or children is closed.
    pub privacy: TeamPrivacy,
    /// Whether its members are told when it is mentioned.
    pub notifications: bool,
    /// The team that it is part of: its members have what was granted there too.
    pub parent: Option<TeamId>,
    /// When it was made.
    pub created_at: Moment,
    /// When the record last changed.
    pub updated_at: Moment,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_slug_is_made_from_a_name() {
        for (name, slug) in [
            ("Core", "core"),
            ("Core Team (EU)", "core-team-eu"),
            ("  a -- b  ", "a-b"),
            ("justice_league", "justice_league"),
            ("Größe", "gr-e"),
        ] {
            assert_eq!(TeamSlug::from_name(name).unwrap().as_str(), slug);
        }
        assert_eq!(
            TeamSlug::from_name("…"),
            Err(NameError::Empty { what: WHAT })
        );
    }

    #[test]
    fn texts_outside_the_grammar_are_refused() {
        for text in ["", "A", "a b", "-a", "a-", "a--b", "a/b", &"a".repeat(101)] {
            assert!(text.parse::<TeamSlug>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_made_slug_is_its_own_slug(name in "\\PC{0,60}") {
            if let Ok(slug) = TeamSlug::from_name(&name) {
                prop_assert_eq!(TeamSlug::from_name(slug.as_str()), Ok(slug));
            }
        }
    }
}
