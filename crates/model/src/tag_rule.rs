//! Tag rules: who may create, move and delete which tags of a package. What follows from them for
//! a caller is decided in [`policy`](crate::policy).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

use crate::account::AccountName;
use crate::clock::Moment;
use crate::id::{AccountId, RepositoryId, TagRuleId, TeamId};
use crate::name::{NameError, name_text};
use crate::permission::Role;
use crate::repository::RepositoryPath;
use crate::team::{TeamPrivacy, TeamSlug};
use crate::word::words;

/// What is done with a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TagAction {
    /// Point a tag that is not there at a version.
    Create,
    /// Point a tag that is there at another version.
    Move,
    /// Remove it, alone or with its version.
    Delete,
}

words!(
    TagAction,
    "action on a tag",
    Create = "create",
    Move = "move",
    Delete = "delete"
);

/// Which tags a rule is about: a glob over the whole name, such as `v*`, `release-202?` or
/// `{latest,stable}`. Case counts, as it does in tags.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TagPattern(Arc<str>);

name_text!(TagPattern);

const WHAT: &str = "a tag pattern";

impl TagPattern {
    /// The longest pattern, in characters: that of a tag.
    pub const MAX_LEN: usize = 128;

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The pattern of every tag.
    #[must_use]
    pub fn every() -> Self {
        Self("*".into())
    }

    fn glob(text: &str) -> Result<Glob, NameError> {
        GlobBuilder::new(text).build().map_err(|_| GRAMMAR)
    }
}

const GRAMMAR: NameError = NameError::Grammar {
    what: WHAT,
    grammar: "the characters of a tag, with `*` for any text, `?` for one character, `[a-z]` and \
              `[!a-z]` for one of a range, and `{one,other}` for alternatives",
};

impl FromStr for TagPattern {
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
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-*?[]{},!".contains(&byte);
        if !text.bytes().all(is_allowed) {
            return Err(GRAMMAR);
        }
        Self::glob(text).map(|_| Self(text.into()))
    }
}

/// Whose rule it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TagRuleSource {
    /// The registry's own, until a package setting lifts it: published versions of the legacy
    /// registry are immutable.
    Registry,
    /// The organization's, for all of its packages.
    Organization,
    /// The package's.
    Package,
}

words!(
    TagRuleSource,
    "source of a tag rule",
    Registry = "registry",
    Organization = "organization",
    Package = "package"
);

/// Whom a rule lets do something: whoever has the role, and those who are named. Nobody where
/// there is neither. It only ever narrows what roles and scopes allow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagAllowance {
    /// Whoever has at least this role on the package.
    pub role: Option<Role>,
    /// Users by themselves.
    pub users: Vec<(AccountId, AccountName)>,
    /// Members of teams; a secret one is known to its members alone.
    pub teams: Vec<(TeamId, TeamSlug, TeamPrivacy)>,
    /// Workflows of source repositories.
    pub repositories: Vec<(RepositoryId, RepositoryPath)>,
    /// How many teams and repositories are named besides, where it is shown to somebody who may not
    /// see them.
    pub unseen: usize,
}

impl TagAllowance {
    /// Whoever has the role, and nobody else.
    #[must_use]
    pub const fn role(role: Role) -> Self {
        Self {
            role: Some(role),
            users: Vec::new(),
            teams: Vec::new(),
            repositories: Vec::new(),
            unseen: 0,
        }
    }

    /// Whether there is nobody whom it lets.
    #[must_use]
    pub const fn is_nobody(&self) -> bool {
        self.role.is_none()
            && self.users.is_empty()
            && self.teams.is_empty()
            && self.repositories.is_empty()
            && self.unseen == 0
    }
}

/// A rule about the tags that its pattern names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagRule {
    /// The identifier; 0 for the registry's own.
    pub id: TagRuleId,
    /// Whose it is.
    pub source: TagRuleSource,
    /// The tags that it is about,
    pub pattern: TagPattern,
    /// but for these.
    pub except: Option<TagPattern>,
    /// What it is for, in a sentence.
    pub description: Option<String>,
    /// Whether such a tag stays where it is for ever: nobody moves or deletes it, whoever else is
    /// named.
    pub immutable: bool,
    /// Who creates such tags.
    pub creates: TagAllowance,
    /// Who moves them.
    pub moves: TagAllowance,
    /// Who deletes them.
    pub deletes: TagAllowance,
    /// When it was made.
    pub created_at: Moment,
    /// When it last changed.
    pub updated_at: Moment,
}

impl TagRule {
    /// How many rules a package or an organization has at most.
    pub const MOST: usize = 50;
    /// How many users, teams and repositories an action of a rule names at most, of each.
    pub const MOST_NAMED: usize = 50;
    /// The longest description, in characters.
    pub const LONGEST_DESCRIPTION: usize = 256;

    /// The registry's own rule for the legacy registry: what was published under a version stays
    /// (GitHub documentation, "Working with the Docker registry"); `latest` is none.
    #[must_use]
    pub fn of_the_legacy_registry() -> Self {
        Self {
            id: TagRuleId::new(0),
            source: TagRuleSource::Registry,
            pattern: TagPattern::every(),
            except: Some(TagPattern("latest".into())),
            description: Some(
                "A published version is immutable on the Docker registry.".to_owned(),
            ),
            immutable: true,
            creates: TagAllowance::role(Role::Write),
            moves: TagAllowance::default(),
            deletes: TagAllowance::default(),
            created_at: Moment::from_seconds(0),
            updated_at: Moment::from_seconds(0),
        }
    }

    /// Whom it lets create, move and delete.
    #[must_use]
    pub const fn allowances(&self) -> [&TagAllowance; 3] {
        [&self.creates, &self.moves, &self.deletes]
    }

    /// Whom it lets do something; `None` for what an immutable tag never suffers.
    #[must_use]
    pub const fn allowance(&self, action: TagAction) -> Option<&TagAllowance> {
        match action {
            TagAction::Create => Some(&self.creates),
            TagAction::Move | TagAction::Delete if self.immutable => None,
            TagAction::Move => Some(&self.moves),
            TagAction::Delete => Some(&self.deletes),
        }
    }
}

/// The rules that bind the tags of one package, ready to be asked.
#[derive(Clone, Debug)]
pub struct TagRules {
    rules: Vec<TagRule>,
    patterns: GlobSet,
    exceptions: GlobSet,
}

impl TagRules {
    /// Makes them ready.
    ///
    /// # Errors
    /// [`NameError`] if a pattern is none, which a parsed one never is.
    pub fn new(rules: Vec<TagRule>) -> Result<Self, NameError> {
        let patterns = rules.iter().map(|rule| Some(rule.pattern.as_str()));
        let exceptions = rules
            .iter()
            .map(|rule| rule.except.as_ref().map(TagPattern::as_str));
        Ok(Self {
            patterns: set(patterns)?,
            exceptions: set(exceptions)?,
            rules,
        })
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &TagRule> {
        self.rules.iter()
    }

    /// Those that are about this tag.
    pub fn about(&self, tag: &str) -> impl Iterator<Item = &TagRule> {
        let named = self.patterns.matches(tag);
        let spared = self.exceptions.matches(tag);
        self.rules
            .iter()
            .enumerate()
            .filter(move |(at, _)| named.contains(at) && !spared.contains(at))
            .map(|(_, rule)| rule)
    }
}

/// Several patterns, ready to be asked at once.
#[derive(Clone, Debug)]
pub struct TagPatterns(GlobSet);

impl TagPatterns {
    /// Makes them ready.
    ///
    /// # Errors
    /// [`NameError`] if a pattern is none, which a parsed one never is.
    pub fn new(patterns: &[TagPattern]) -> Result<Self, NameError> {
        set(patterns.iter().map(|pattern| Some(pattern.as_str()))).map(Self)
    }

    /// Whether one of them is about this tag.
    #[must_use]
    pub fn is_about(&self, tag: &str) -> bool {
        self.0.is_match(tag)
    }
}

/// One set for all patterns; a place without one is held by a pattern that no tag has.
fn set<'a>(patterns: impl Iterator<Item = Option<&'a str>>) -> Result<GlobSet, NameError> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(TagPattern::glob(pattern.unwrap_or("/"))?);
    }
    set.build().map_err(|_| GRAMMAR)
}

impl fmt::Display for TagRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            source, pattern, ..
        } = self;
        match &self.except {
            Some(except) => write!(f, "the {source}'s tag rule `{pattern}` except `{except}`"),
            None => write!(f, "the {source}'s tag rule `{pattern}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(pattern: &str, except: Option<&str>) -> TagRule {
        TagRule {
            pattern: pattern.parse().unwrap(),
            except: except.map(|text| text.parse().unwrap()),
            ..TagRule::of_the_legacy_registry()
        }
    }

    fn is_about(pattern: &str, except: Option<&str>, tag: &str) -> bool {
        let rules = TagRules::new(vec![rule(pattern, except)]).unwrap();
        rules.about(tag).count() == 1
    }

    #[test]
    fn one_of_several_patterns_is_enough() {
        let patterns = ["pr-*".parse().unwrap(), "v?".parse().unwrap()];
        let patterns = TagPatterns::new(&patterns).unwrap();
        for (tag, is_one) in [
            ("pr-17", true),
            ("v1", true),
            ("v10", false),
            ("main", false),
        ] {
            assert_eq!(patterns.is_about(tag), is_one, "{tag}");
        }
        assert!(!TagPatterns::new(&[]).unwrap().is_about("main"));
    }

    #[test]
    fn a_pattern_names_whole_tags_and_case_counts() {
        for (pattern, tag, expected) in [
            ("*", "anything", true),
            ("*", "sha256-ab.sig", true),
            ("v*", "v1", true),
            ("v*", "V1", false),
            ("v*", "dev1", false),
            ("v1", "v1.0", false),
            ("v?", "v1", true),
            ("v?", "v10", false),
            ("v[0-9]*", "v2-rc", true),
            ("v[0-9]*", "vx", false),
            ("v[!0-9]", "vx", true),
            ("{latest,stable}", "stable", true),
            ("{latest,stable}", "stable2", false),
            ("release-*-final", "release--final", true),
            ("1.*", "1x2", false),
        ] {
            assert_eq!(is_about(pattern, None, tag), expected, "{pattern} {tag}");
        }
    }

    #[test]
    fn what_is_excepted_is_not_meant() {
        assert!(is_about("*", Some("latest"), "1.0"));
        assert!(!is_about("*", Some("latest"), "latest"));
        assert!(is_about("*", Some("latest"), "latest-1"));
        assert!(!is_about("*", Some("{edge,nightly-*}"), "nightly-7"));
    }

    #[test]
    fn every_rule_keeps_its_own_exception() {
        let rules = vec![
            rule("v*", Some("v0*")),
            rule("v*", None),
            rule("w*", Some("v*")),
        ];
        let rules = TagRules::new(rules).unwrap();
        let about = |tag: &str| rules.about(tag).cloned().collect::<Vec<_>>();
        assert_eq!(about("v0.1"), [rule("v*", None)]);
        assert_eq!(about("v1").len(), 2);
        assert_eq!(about("w1"), [rule("w*", Some("v*"))]);
    }

    #[test]
    fn texts_that_are_no_patterns_are_refused() {
        for text in [
            "",
            "a b",
            "a/b",
            "[",
            "{a",
            "a\\*",
            "ä",
            "a\n",
            &"a".repeat(129),
        ] {
            assert!(text.parse::<TagPattern>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_immutable_rule_lets_nobody_move_or_delete_whoever_is_named() {
        let rule = TagRule {
            moves: TagAllowance::role(Role::Write),
            ..rule("*", None)
        };
        assert_eq!(rule.allowance(TagAction::Move), None);
        assert_eq!(rule.allowance(TagAction::Delete), None);
        assert!(rule.allowance(TagAction::Create).is_some());
    }
}
