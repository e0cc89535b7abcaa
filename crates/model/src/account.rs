//! Accounts: users and organizations, which share one namespace.

use crate::clock::Moment;
use crate::id::AccountId;
use crate::name::{NameError, spelled_name};
use crate::package::PackageSettings;
use crate::word::{UnknownWord, words};

spelled_name! {
    /// The name of a user or an organization, after GitHub's login grammar: ASCII letters,
    /// digits and single hyphens between them, at most 39 characters.
    ///
    /// Keeps the spelling it was registered with and compares without case. Every such name, in
    /// lower case, is also one component of an OCI repository name.
    AccountName
}

const WHAT: &str = "an account name";

/// First parts of addresses that are the server's own, now or, as far as foreseen, later.
/// `admin` is not among them: it is the account of the first start.
const RESERVED: &[&str] = &[
    "about",
    "account",
    "accounts",
    "api",
    "apps",
    "assets",
    "auth",
    "blob",
    "blobs",
    "catalog",
    "codespaces",
    "collections",
    "contact",
    "containers",
    "dashboard",
    "device",
    "docker",
    "docs",
    "enterprise",
    "enterprises",
    "events",
    "explore",
    "favicon",
    "features",
    "feed",
    "graphql",
    "health",
    "healthz",
    "help",
    "home",
    "hooks",
    "index",
    "installations",
    "internal",
    "issues",
    "join",
    "livez",
    "login",
    "logout",
    "marketplace",
    "meta",
    "metrics",
    "new",
    "notifications",
    "oauth",
    "oidc",
    "organizations",
    "orgs",
    "packages",
    "password",
    "pricing",
    "privacy",
    "profile",
    "public",
    "pulls",
    "raw",
    "readyz",
    "register",
    "registry",
    "repos",
    "repositories",
    "robots",
    "search",
    "security",
    "session",
    "sessions",
    "settings",
    "setup",
    "signin",
    "signout",
    "signup",
    "site",
    "sitemap",
    "sponsors",
    "sso",
    "static",
    "status",
    "stars",
    "support",
    "teams",
    "terms",
    "token",
    "tokens",
    "topics",
    "user",
    "users",
    "v1",
    "v2",
    "v3",
    "web",
    "webhooks",
    "well-known",
    "www",
];

impl AccountName {
    /// The longest name, in characters.
    pub const MAX_LEN: usize = 39;

    /// A name for an account about to be registered or renamed: inside the grammar and not
    /// reserved. Reading a stored name or a path uses [`str::parse`], so that a word reserved
    /// later locks nobody out.
    ///
    /// # Errors
    /// [`NameError`], which says what would be allowed.
    pub fn for_new_account(text: &str) -> Result<Self, NameError> {
        let name: Self = text.parse()?;
        if RESERVED.contains(&name.key()) {
            return Err(NameError::Reserved {
                name: name.key().to_owned(),
            });
        }
        Ok(name)
    }
}

fn check(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty { what: WHAT });
    }
    if text.len() > AccountName::MAX_LEN {
        return Err(NameError::TooLong {
            what: WHAT,
            longest: AccountName::MAX_LEN,
        });
    }
    let is_word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
    if text.split('-').all(is_word) {
        return Ok(());
    }
    Err(NameError::Grammar {
        what: WHAT,
        grammar: "the letters A-Z and a-z, digits, and single hyphens between them",
    })
}

/// Whether an account is a person or a group of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountKind {
    /// A person, or a machine that signs in like one.
    User,
    /// A group with members, teams and owners; nobody signs in as it.
    Organization,
}

words!(
    AccountKind,
    "kind of account",
    User = "user",
    Organization = "organization"
);

impl AccountKind {
    /// The `type` of REST's simple user: `User` or `Organization`.
    #[must_use]
    pub const fn rest_word(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Organization => "Organization",
        }
    }
}

/// What a user is in an organization. An owner is a member too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OrganizationRole {
    /// Belongs to it.
    Member,
    /// Also administers it and every package of it (GitHub documentation, "Configuring a
    /// package's access control and visibility").
    Owner,
}

words!(
    OrganizationRole,
    "role in an organization",
    Member = "member",
    Owner = "owner"
);

impl OrganizationRole {
    /// REST's word: an owner is `admin` there.
    #[must_use]
    pub const fn rest_word(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Owner => "admin",
        }
    }

    /// From REST's or the command line's word; takes `owner` as well as `admin`.
    ///
    /// # Errors
    /// [`UnknownWord`].
    pub fn from_rest_word(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "member" => Ok(Self::Member),
            "admin" | "owner" => Ok(Self::Owner),
            _ => Err(UnknownWord {
                what: "role in an organization",
                given: word.to_owned(),
                expected: "member, admin",
            }),
        }
    }
}

/// A user's record. The password hash is not part of it: it never leaves the sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The identifier.
    pub id: AccountId,
    /// The account name (REST: `login`).
    pub login: AccountName,
    /// What the person is called (REST: `name`).
    pub name: Option<String>,
    /// Whether they administer the instance.
    pub site_admin: bool,
    /// When the account was made.
    pub created_at: Moment,
    /// When the record last changed.
    pub updated_at: Moment,
    /// Since when nothing may be done with it.
    pub suspended_at: Option<Moment>,
}

/// An organization's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// The identifier.
    pub id: AccountId,
    /// The account name (REST: `login`).
    pub login: AccountName,
    /// What the organization is called (REST: `name`).
    pub name: Option<String>,
    /// What its members may do with packages.
    pub packages: PackageSettings,
    /// When the account was made.
    pub created_at: Moment,
    /// When the record last changed.
    pub updated_at: Moment,
}

/// A user or an organization: whoever can own a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Account {
    /// A user.
    User(User),
    /// An organization.
    Organization(Organization),
}

impl Account {
    /// The identifier.
    #[must_use]
    pub const fn id(&self) -> AccountId {
        match self {
            Self::User(user) => user.id,
            Self::Organization(organization) => organization.id,
        }
    }

    /// The account name.
    #[must_use]
    pub const fn login(&self) -> &AccountName {
        match self {
            Self::User(user) => &user.login,
            Self::Organization(organization) => &organization.login,
        }
    }

    /// Which of the two it is.
    #[must_use]
    pub const fn kind(&self) -> AccountKind {
        match self {
            Self::User(_) => AccountKind::User,
            Self::Organization(_) => AccountKind::Organization,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_inside_the_grammar_are_taken() {
        for text in [
            "a",
            "0",
            "octocat",
            "Octo-Org",
            "a-b-c-d",
            "x1",
            &"a".repeat(39),
        ] {
            assert_eq!(text.parse::<AccountName>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn names_outside_the_grammar_are_refused() {
        for text in [
            "-a", "a-", "a--b", "-", "a_b", "a.b", "a/b", "a b", "ä", "а", "a\0", "a\n", "..",
        ] {
            let error = text.parse::<AccountName>().unwrap_err();
            assert!(
                matches!(error, NameError::Grammar { .. }),
                "{text:?}: {error}"
            );
        }
        assert_eq!(
            "".parse::<AccountName>(),
            Err(NameError::Empty { what: WHAT })
        );
        let error = "a".repeat(40).parse::<AccountName>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "an account name has at most 39 characters"
        );
    }

    #[test]
    fn spelling_is_kept_and_case_is_not_compared() {
        let name: AccountName = "Octo-Org".parse().unwrap();
        assert_eq!((name.as_str(), name.key()), ("Octo-Org", "octo-org"));
        assert_eq!(name, "octo-ORG".parse().unwrap());
    }

    #[test]
    fn reserved_words_cannot_be_registered_in_any_case_but_can_be_read() {
        for text in [
            "v2",
            "Token",
            "API",
            "livez",
            "orgs",
            "settings",
            "enterprise",
        ] {
            let error = AccountName::for_new_account(text).unwrap_err();
            assert!(matches!(error, NameError::Reserved { .. }), "{text}");
            assert!(text.parse::<AccountName>().is_ok());
        }
        assert!(AccountName::for_new_account("admin").is_ok());
    }

    #[test]
    fn reserved_words_are_lower_case_and_sorted_enough_to_be_read() {
        for word in RESERVED {
            assert_eq!(word.parse::<AccountName>().unwrap().key(), *word);
        }
    }

    #[test]
    fn an_owner_is_called_admin_in_rest() {
        assert_eq!(
            OrganizationRole::from_rest_word("admin"),
            Ok(OrganizationRole::Owner)
        );
        assert_eq!(
            OrganizationRole::from_rest_word("owner"),
            Ok(OrganizationRole::Owner)
        );
        assert_eq!(OrganizationRole::Owner.rest_word(), "admin");
        assert!(OrganizationRole::from_rest_word("maintainer").is_err());
    }

    proptest! {
        #[test]
        fn every_account_name_is_a_component_of_a_repository_name(
            text in "[A-Za-z0-9]{1,6}(-[A-Za-z0-9]{1,6}){0,4}"
        ) {
            let name: AccountName = text.parse().unwrap();
            prop_assert!(name.key().parse::<naru_oci::RepositoryName>().is_ok());
            prop_assert_eq!(name.to_string(), text);
        }
    }
}
