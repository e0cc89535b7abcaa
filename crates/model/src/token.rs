//! Tokens: secrets in GitHub's format, stored as a hash only.
//!
//! A secret is a prefix that names its kind, 30 random Base62 characters, and six more that are
//! the CRC-32 of those 30 (GitHub blog, "Behind GitHub's new authentication token formats",
//! 2021-04-05). The checksum lets a mistyped or foreign token be refused before any look-up.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};

use crate::clock::{Moment, NoRandomness, Random};
use crate::id::{AccountId, RepositoryId, TokenId};
use crate::principal::WorkflowPackages;
use crate::scope::Scopes;
use crate::word::words;

/// What a token is for; tokens of other kinds are known, but Naru makes none and takes none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenKind {
    /// A personal access token (classic): `ghp_`.
    Personal,
    /// A workflow's token, bound to one repository: `ghs_`.
    Workflow,
}

words!(
    TokenKind,
    "kind of token",
    Personal = "personal",
    Workflow = "workflow"
);

impl TokenKind {
    /// What the secret begins with.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Personal => "ghp_",
            Self::Workflow => "ghs_",
        }
    }
}

/// Kinds of tokens that GitHub makes and Naru does not.
const FOREIGN_PREFIXES: [&str; 4] = ["github_pat_", "gho_", "ghu_", "ghr_"];

/// The alphabet of Base62, in the order that gives each character its value.
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PREFIX_LEN: usize = 4;
const BODY_LEN: usize = 30;
const CHECKSUM_LEN: usize = 6;

/// The secret itself. It does not print itself; [`TokenSecret::expose`] is for the one moment
/// when it is shown to its owner.
pub struct TokenSecret {
    kind: TokenKind,
    text: SecretString,
}

impl TokenSecret {
    /// How long every secret is, in characters.
    pub const LEN: usize = PREFIX_LEN + BODY_LEN + CHECKSUM_LEN;

    /// Makes a new secret with 178 bits of randomness.
    ///
    /// # Errors
    /// [`NoRandomness`] when the operating system gives none.
    pub fn generate(kind: TokenKind, random: &dyn Random) -> Result<Self, NoRandomness> {
        let body = random_base62(random)?;
        let checksum = checksum(&body);
        Ok(Self {
            kind,
            text: format!("{}{body}{checksum}", kind.prefix()).into(),
        })
    }

    /// Reads a secret that a client sent. Nothing is looked up for one that fails here.
    ///
    /// # Errors
    /// [`TokenError`], which never repeats what was sent.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        if let Some(prefix) = FOREIGN_PREFIXES
            .into_iter()
            .find(|prefix| text.starts_with(prefix))
        {
            return Err(TokenError::ForeignKind { prefix });
        }
        let of_kind = |kind: &&TokenKind| text.starts_with(kind.prefix());
        let kind = *TokenKind::ALL
            .iter()
            .find(of_kind)
            .ok_or(TokenError::NotAToken)?;
        let rest = text.get(PREFIX_LEN..).ok_or(TokenError::NotAToken)?;
        if rest.len() != BODY_LEN + CHECKSUM_LEN || !rest.bytes().all(|b| b.is_ascii_alphanumeric())
        {
            return Err(TokenError::WrongShape { kind });
        }
        let (body, given) = rest.split_at(BODY_LEN);
        if checksum(body) != given {
            return Err(TokenError::WrongChecksum { kind });
        }
        Ok(Self {
            kind,
            text: text.into(),
        })
    }

    /// What the token is for.
    #[must_use]
    pub const fn kind(&self) -> TokenKind {
        self.kind
    }

    /// SHA-256 of the whole text: what is stored and looked up. With 178 random bits in the
    /// secret a slow hash would add nothing.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.text.expose_secret().as_bytes()).into()
    }

    /// The text, to be shown once to its owner.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenSecret({}…)", self.kind.prefix())
    }
}

/// Why a text is not a token that could be known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It does not begin like any token: perhaps an account password.
    #[error("this is not a token; an account password cannot be used here, make a token instead")]
    NotAToken,
    /// It begins like a token of a kind that GitHub makes and Naru does not.
    #[error(
        "tokens that begin with {prefix} are not supported; use a personal access token (classic), \
         which begins with ghp_"
    )]
    ForeignKind {
        /// What it begins with.
        prefix: &'static str,
    },
    /// It begins like a token, but has another length or other characters.
    #[error("this begins like a token but has the wrong length or characters; is it cut off?")]
    WrongShape {
        /// What kind it would be.
        kind: TokenKind,
    },
    /// It looks like a token, but its checksum is wrong.
    #[error("this looks like a token but its checksum is wrong; it was mistyped or made elsewhere")]
    WrongChecksum {
        /// What kind it would be.
        kind: TokenKind,
    },
}

/// Thirty Base62 characters, each as likely as any other: bytes that would favour some are thrown
/// away instead of wrapped around.
fn random_base62(random: &dyn Random) -> Result<String, NoRandomness> {
    const FAIR: u8 = 248; // The largest multiple of 62 in a byte.
    let mut body = String::with_capacity(BODY_LEN);
    let mut bytes = [0; 48];
    while body.len() < BODY_LEN {
        random.fill(&mut bytes)?;
        let fair = bytes.iter().filter(|byte| **byte < FAIR);
        let characters = fair.filter_map(|byte| BASE62.get(usize::from(byte % 62)));
        body.extend(
            characters
                .take(BODY_LEN - body.len())
                .map(|byte| char::from(*byte)),
        );
    }
    Ok(body)
}

/// CRC-32 (IEEE) of the body in Base62, six characters with zeros in front.
fn checksum(body: &str) -> String {
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut digits = [b'0'; CHECKSUM_LEN];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62.get((rest % 62) as usize).copied().unwrap_or(b'0');
        rest /= 62;
    }
    digits.iter().map(|byte| char::from(*byte)).collect()
}

/// How long a token lives, as the command line and pages say it: `90d`, `12h`, `never`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Until it is revoked.
    Never,
    /// For this long.
    For(Duration),
}

impl Lifetime {
    /// What a new token gets if nobody says otherwise: 90 days.
    pub const DEFAULT: Self = Self::For(Duration::from_secs(90 * DAY));

    /// When a token made at `now` stops working; none if never.
    #[must_use]
    pub fn expiry(self, now: Moment) -> Option<Moment> {
        match self {
            Self::Never => None,
            Self::For(duration) => Some(now.plus(duration)),
        }
    }
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Units of a lifetime, the longest first.
const UNITS: [(char, u64); 4] = [('w', 7 * DAY), ('d', DAY), ('h', HOUR), ('m', MINUTE)];

/// The text names no lifetime.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a lifetime; write a number and m, h, d or w, such as 90d, or `never`")]
pub struct NotALifetime(String);

impl FromStr for Lifetime {
    type Err = NotALifetime;

    fn from_str(text: &str) -> Result<Self, NotALifetime> {
        if text == "never" {
            return Ok(Self::Never);
        }
        let seconds = UNITS.into_iter().find_map(|(letter, seconds)| {
            let digits = text.strip_suffix(letter)?;
            // `u64` would also take a sign.
            let number: u64 = digits
                .bytes()
                .all(|b| b.is_ascii_digit())
                .then(|| digits.parse().ok())??;
            number.checked_mul(seconds).filter(|seconds| *seconds > 0)
        });
        seconds
            .map(|seconds| Self::For(Duration::from_secs(seconds)))
            .ok_or_else(|| NotALifetime(text.chars().take(64).collect()))
    }
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::For(duration) = self else {
            return f.write_str("never");
        };
        let seconds = duration.as_secs();
        // Weeks are read but days are said, because GitHub speaks of 7, 30, 60 and 90 days.
        let units = UNITS.into_iter().skip(1);
        let fitting = units
            .clone()
            .find(|(_, unit)| seconds.is_multiple_of(*unit));
        let (letter, unit) = fitting.unwrap_or(('m', MINUTE));
        write!(f, "{}{letter}", seconds / unit)
    }
}

/// Whom a token speaks for, and what it may be used for at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenHolder {
    /// A user: a personal access token.
    User {
        /// The account.
        user: AccountId,
        /// The scopes.
        scopes: Scopes,
    },
    /// A source repository: a workflow's token.
    Repository {
        /// The repository.
        repository: RepositoryId,
        /// The `packages:` permission, if any.
        packages: Option<WorkflowPackages>,
    },
}

impl TokenHolder {
    /// The user; none for a repository.
    #[must_use]
    pub const fn user(&self) -> Option<AccountId> {
        match self {
            Self::User { user, .. } => Some(*user),
            Self::Repository { .. } => None,
        }
    }

    /// What kind of token such a holder has.
    #[must_use]
    pub const fn kind(&self) -> TokenKind {
        match self {
            Self::User { .. } => TokenKind::Personal,
            Self::Repository { .. } => TokenKind::Workflow,
        }
    }
}

/// A token's record. The secret is not in it: only its hash was ever stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The identifier.
    pub id: TokenId,
    /// Whom it speaks for.
    pub holder: TokenHolder,
    /// What its owner wrote beside it.
    pub note: String,
    /// When it was made.
    pub created_at: Moment,
    /// When it stops working.
    pub expires_at: Option<Moment>,
    /// When it was last used, to within a minute.
    pub last_used_at: Option<Moment>,
    /// When it was revoked.
    pub revoked_at: Option<Moment>,
}

/// Whether a token works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenState {
    /// It works.
    Active,
    /// Its time has passed. Uploads it began go on with another token.
    Expired,
    /// Its owner or an administrator ended it. Uploads it began end too.
    Revoked,
}

words!(
    TokenState,
    "state of a token",
    Active = "active",
    Expired = "expired",
    Revoked = "revoked"
);

impl Token {
    /// Whether it works at `now`.
    #[must_use]
    pub fn state(&self, now: Moment) -> TokenState {
        if self.revoked_at.is_some() {
            TokenState::Revoked
        } else if self.expires_at.is_some_and(|end| end <= now) {
            TokenState::Expired
        } else {
            TokenState::Active
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use proptest::prelude::*;

    use super::*;
    use crate::clock::SystemRandom;

    /// Bytes that count up, so that every value occurs.
    #[derive(Debug, Default)]
    struct Counting(AtomicU8);

    impl Random for Counting {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
            for byte in bytes {
                *byte = self.0.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        }
    }

    #[derive(Debug)]
    struct Broken;

    impl Random for Broken {
        fn fill(&self, _: &mut [u8]) -> Result<(), NoRandomness> {
            Err(NoRandomness)
        }
    }

    /// Put together here, so that no scanner for secrets finds a whole one in the source.
    fn vector(body: &str, checksum: &str) -> String {
        format!("{}{body}{checksum}", TokenKind::Personal.prefix())
    }

    #[test]
    fn the_checksum_is_the_one_github_makes() {
        for (body, expected) in [
            ("zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ", "0mLq17"),
            ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "0uCPlr"),
        ] {
            assert_eq!(checksum(body), expected);
            let secret = TokenSecret::parse(&vector(body, expected)).unwrap();
            assert_eq!(secret.kind(), TokenKind::Personal);
        }
    }

    #[test]
    fn a_generated_secret_has_the_prefix_of_its_kind_and_is_read_back() {
        for kind in TokenKind::ALL.iter().copied() {
            let secret = TokenSecret::generate(kind, &SystemRandom).unwrap();
            assert_eq!(secret.expose().len(), TokenSecret::LEN);
            assert!(secret.expose().starts_with(kind.prefix()));
            let read = TokenSecret::parse(secret.expose()).unwrap();
            assert_eq!((read.kind(), read.hash()), (kind, secret.hash()));
        }
    }

    #[test]
    fn two_secrets_differ() {
        let one = TokenSecret::generate(TokenKind::Personal, &SystemRandom).unwrap();
        let other = TokenSecret::generate(TokenKind::Personal, &SystemRandom).unwrap();
        assert_ne!(one.hash(), other.hash());
    }

    #[test]
    fn every_character_is_equally_likely() {
        let counting = Counting::default();
        let mut seen = [0_u32; 128];
        // Fifteen rounds of 256 bytes give 248 fair ones each, four for every character.
        for _ in 0..124 {
            for byte in random_base62(&counting).unwrap().bytes() {
                seen[usize::from(byte)] += 1;
            }
        }
        let counts: Vec<_> = BASE62.iter().map(|byte| seen[usize::from(*byte)]).collect();
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        assert!(most - least <= 20, "{least}..{most}");
    }

    #[test]
    fn without_randomness_no_secret_is_made() {
        assert!(TokenSecret::generate(TokenKind::Personal, &Broken).is_err());
    }

    #[test]
    fn a_wrong_checksum_is_told_from_what_is_no_token() {
        let kind = TokenKind::Personal;
        let good = vector("zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ", "0mLq17");
        let cases = [
            (
                good.replace("zQW", "zQX"),
                TokenError::WrongChecksum { kind },
            ),
            (
                good.replace("q17", "q18"),
                TokenError::WrongChecksum { kind },
            ),
            (
                good.chars().take(39).collect(),
                TokenError::WrongShape { kind },
            ),
            (format!("{good}0"), TokenError::WrongShape { kind }),
            (good.replace("zQW", "z-W"), TokenError::WrongShape { kind }),
            (good.replace("zQW", "zäW"), TokenError::WrongShape { kind }),
            ("hunter2".to_owned(), TokenError::NotAToken),
            (String::new(), TokenError::NotAToken),
            ("ghp".to_owned(), TokenError::NotAToken),
            ("GHP_".to_owned(), TokenError::NotAToken),
            (
                "gho_x".to_owned(),
                TokenError::ForeignKind { prefix: "gho_" },
            ),
            (
                "github_pat_x".to_owned(),
                TokenError::ForeignKind {
                    prefix: "github_pat_",
                },
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(TokenSecret::parse(&text).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn a_secret_does_not_print_itself() {
        let secret = TokenSecret::generate(TokenKind::Workflow, &SystemRandom).unwrap();
        assert_eq!(format!("{secret:?}"), "TokenSecret(ghs_…)");
    }

    #[test]
    fn the_hash_is_sha256_of_the_whole_text() {
        let text = vector("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "0uCPlr");
        let expected: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        assert_eq!(TokenSecret::parse(&text).unwrap().hash(), expected);
    }

    #[test]
    fn lifetimes_are_read_and_said() {
        for (text, seconds, said) in [
            ("90d", 90 * DAY, "90d"),
            ("2w", 14 * DAY, "14d"),
            ("12h", 12 * HOUR, "12h"),
            ("48h", 2 * DAY, "2d"),
            ("90m", 90 * MINUTE, "90m"),
        ] {
            let lifetime: Lifetime = text.parse().unwrap();
            assert_eq!(lifetime, Lifetime::For(Duration::from_secs(seconds)));
            assert_eq!(lifetime.to_string(), said);
        }
        assert_eq!("never".parse(), Ok(Lifetime::Never));
        assert_eq!(Lifetime::Never.expiry(Moment::from_seconds(1)), None);
        assert_eq!(Lifetime::DEFAULT.to_string(), "90d");
    }

    #[test]
    fn texts_that_are_no_lifetime_are_refused() {
        for text in [
            "",
            "d",
            "90",
            "0d",
            "-1d",
            "+1d",
            "1y",
            "1.5d",
            "Never",
            "99999999999999999999d",
            "9999999999999999999w",
            "1 d",
        ] {
            assert!(text.parse::<Lifetime>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_token_works_until_its_last_moment_and_not_in_it() {
        let end = Moment::from_seconds(100);
        let mut token = Token {
            id: TokenId::new(1),
            holder: TokenHolder::User {
                user: AccountId::new(1),
                scopes: Scopes::NONE,
            },
            note: String::new(),
            created_at: Moment::from_seconds(0),
            expires_at: Some(end),
            last_used_at: None,
            revoked_at: None,
        };
        assert_eq!(
            token.state(Moment::from_micros(end.as_micros() - 1)),
            TokenState::Active
        );
        assert_eq!(token.state(end), TokenState::Expired);
        token.revoked_at = Some(Moment::from_seconds(1));
        assert_eq!(token.state(end), TokenState::Revoked);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(ghp_|ghs_|gho_)?\\PC{0,40}") {
            let _ = TokenSecret::parse(&text);
        }

        #[test]
        fn one_changed_character_is_noticed(place in 4_usize..40, by in 1_usize..62) {
            let good = vector("zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ", "0mLq17");
            let mut bytes = good.into_bytes();
            let value = BASE62.iter().position(|byte| *byte == bytes[place]).unwrap();
            bytes[place] = BASE62[(value + by) % 62];
            let error = TokenSecret::parse(std::str::from_utf8(&bytes).unwrap()).unwrap_err();
            prop_assert_eq!(error, TokenError::WrongChecksum { kind: TokenKind::Personal });
        }
    }
}
