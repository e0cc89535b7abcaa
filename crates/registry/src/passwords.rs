//! Passwords of accounts: Argon2id, off the async threads, never too many at once.
//!
//! A password opens the pages and nothing else; registries and REST take tokens.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use naru_model::{AccountName, Random};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use crate::error::{Error, Result};

/// Cost of a hash: 19 MiB, two passes, one lane (OWASP "Password Storage", Argon2id).
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// The shortest and the longest password, in bytes as received.
const SHORTEST: usize = 8;
const LONGEST: usize = 1024;

/// How long a hash waits for its turn.
const QUEUE: Duration = Duration::from_secs(1);

/// Passwords that are tried first, in lower case; also as the core of `Password123!`.
const COMMON: &str = include_str!("common_passwords.txt");

/// A password that may be set: long enough, and nothing that is tried first.
#[derive(Clone, Debug)]
pub struct NewPassword(SecretString);

/// Why a password may not be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Fewer bytes than needed.
    #[error("a password has at least {SHORTEST} bytes")]
    TooShort,
    /// More bytes than taken.
    #[error("a password has at most {LONGEST} bytes")]
    TooLong,
    /// It stands in lists of passwords that are tried first, or is one of those with a little
    /// around it.
    #[error("this password is among those that are tried first; choose another")]
    Common,
    /// It is little more than the account's name or the server's.
    #[error("this password is little more than the name of the account or of the server")]
    Context,
}

impl NewPassword {
    /// Takes a password for the account `login`, as received: no trimming, no normalising.
    ///
    /// # Errors
    /// [`WeakPassword`].
    pub fn new(text: SecretString, login: &AccountName) -> Result<Self, WeakPassword> {
        let password = text.expose_secret();
        if password.len() < SHORTEST {
            return Err(WeakPassword::TooShort);
        }
        if password.len() > LONGEST {
            return Err(WeakPassword::TooLong);
        }
        let password = password.to_lowercase();
        if is_common(&password) {
            return Err(WeakPassword::Common);
        }
        if is_little_more_than(&password, &[login.key(), "naru"]) {
            return Err(WeakPassword::Context);
        }
        Ok(Self(text))
    }
}

impl From<WeakPassword> for Error {
    fn from(weak: WeakPassword) -> Self {
        Self::Invalid(weak.to_string())
    }
}

fn is_common(password: &str) -> bool {
    const AROUND: usize = 5;
    let core = password.trim_matches(|c: char| !c.is_alphabetic());
    let is_core = password.len() - core.len() <= AROUND;
    let mut characters: Vec<char> = password.chars().collect();
    characters.sort_unstable();
    characters.dedup();
    characters.len() < 4
        || COMMON
            .lines()
            .any(|common| common == password || (is_core && common == core))
}

fn is_little_more_than(password: &str, words: &[&str]) -> bool {
    const MORE: usize = 6;
    words
        .iter()
        .any(|word| password.contains(word) && password.replace(word, "").chars().count() < MORE)
}

/// What a comparison said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the password; its hash is as strong as hashes made today.
    Right,
    /// It is the password; its hash is weaker than hashes made today and should be made anew.
    RightButWeak,
    /// It is not.
    Wrong,
}

/// Hashes and compares, at most twice as many at once as there are processors.
#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self::with_turns(2 * processors)
    }
}

impl Passwords {
    fn with_turns(turns: usize) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(turns)),
        }
    }

    /// The hash to store: a PHC string.
    pub(crate) async fn hash(&self, password: NewPassword, random: &dyn Random) -> Result<String> {
        self.hash_secret(password.0, random).await
    }

    /// Makes the hash of a password that was right anew, with today's cost.
    pub(crate) async fn rehash(
        &self,
        password: SecretString,
        random: &dyn Random,
    ) -> Result<String> {
        self.hash_secret(password, random).await
    }

    async fn hash_secret(&self, password: SecretString, random: &dyn Random) -> Result<String> {
        let mut salt = [0; 16];
        random
            .fill(&mut salt)
            .map_err(|error| Error::Internal(error.to_string()))?;
        let turn = self.turn().await?;
        let hashed = spawn_blocking(move || {
            let _turn = turn;
            hash(password.expose_secret().as_bytes(), &salt)
        });
        hashed
            .await
            .map_err(|error| Error::Internal(error.to_string()))?
    }

    /// Compares a password with a stored hash. Without one, for an account that does not exist or
    /// has no password, it takes as long and says no.
    pub(crate) async fn verify(
        &self,
        password: SecretString,
        stored: Option<String>,
    ) -> Result<Verdict> {
        if password.expose_secret().len() > LONGEST {
            return Ok(Verdict::Wrong);
        }
        let turn = self.turn().await?;
        let compared = spawn_blocking(move || {
            let _turn = turn;
            match stored {
                Some(stored) => verify(password.expose_secret().as_bytes(), &stored),
                None => {
                    hash(password.expose_secret().as_bytes(), b"nobody's salt 16")?;
                    Ok(Verdict::Wrong)
                }
            }
        });
        compared
            .await
            .map_err(|error| Error::Internal(error.to_string()))?
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit> {
        let turn = tokio::time::timeout(QUEUE, Arc::clone(&self.turns).acquire_owned());
        match turn.await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(Error::TooMany { retry_after: QUEUE }),
        }
    }
}

fn argon2() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(internal)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &[u8], salt: &[u8]) -> Result<String> {
    let hash: PasswordHash = argon2()?
        .hash_password_with_salt(password, salt)
        .map_err(internal)?;
    Ok(hash.to_string())
}

fn verify(password: &[u8], stored: &str) -> Result<Verdict> {
    let stored = PasswordHash::new(stored).map_err(internal)?;
    match argon2()?.verify_password(password, &stored) {
        Ok(()) if is_weak(&stored) => Ok(Verdict::RightButWeak),
        Ok(()) => Ok(Verdict::Right),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(Verdict::Wrong),
        Err(error) => Err(internal(error)),
    }
}

/// Whether a hash costs less to try than one made today.
fn is_weak(stored: &PasswordHash) -> bool {
    let Ok(params) = Params::try_from(stored) else {
        return true;
    };
    let is_id = stored.algorithm == Algorithm::Argon2id.ident();
    !is_id || params.m_cost() < MEMORY_KIB || params.t_cost() < PASSES
}

fn internal(error: impl std::fmt::Display) -> Error {
    Error::Internal(format!("password hash: {error}"))
}

#[cfg(test)]
mod tests {
    use naru_model::SystemRandom;

    use super::*;

    fn new(text: &str) -> Result<NewPassword, WeakPassword> {
        NewPassword::new(text.into(), &"octocat".parse().unwrap())
    }

    #[test]
    fn length_counts_in_bytes_as_received() {
        assert_eq!(new("kräuter").map(|_| ()), Ok(()));
        assert_eq!(new("kruter7").unwrap_err(), WeakPassword::TooShort);
        assert_eq!(new(&"ab1-".repeat(256)).map(|_| ()), Ok(()));
        assert_eq!(
            new(&format!("{}!", "ab1-".repeat(256))).unwrap_err(),
            WeakPassword::TooLong
        );
    }

    #[test]
    fn passwords_that_are_tried_first_are_refused_with_anything_little_around_them() {
        for text in [
            "password",
            "Password1",
            "PASSWORD123!",
            "12345678",
            "qwertyuiop",
            "letmein123",
            "aaaaaaaaaaaa",
            "abababababab",
            "iloveyou",
            "Welcome2024",
            "changeme",
            "admin1234",
        ] {
            assert_eq!(new(text).unwrap_err(), WeakPassword::Common, "{text}");
        }
    }

    #[test]
    fn the_name_of_the_account_or_server_is_no_password() {
        for text in [
            "octocat1",
            "Octocat2026",
            "octocat-octocat",
            "naru-2026",
            "narunaru",
        ] {
            assert_eq!(new(text).unwrap_err(), WeakPassword::Context, "{text}");
        }
        assert!(new("octocat keeps ferries").is_ok());
    }

    #[test]
    fn the_list_is_in_lower_case_without_blanks() {
        let mut seen = std::collections::HashSet::new();
        for line in COMMON.lines() {
            assert!(!line.is_empty() && line == line.trim() && line == line.to_lowercase());
            assert!(seen.insert(line), "{line} stands twice");
        }
    }

    #[tokio::test]
    async fn a_password_is_right_and_another_is_wrong() {
        let passwords = Passwords::default();
        let stored = passwords
            .hash(new("ferry at dawn").unwrap(), &SystemRandom)
            .await
            .unwrap();
        assert!(
            stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{stored}"
        );
        let verdict = |text: &str| passwords.verify(text.into(), Some(stored.clone()));
        assert_eq!(verdict("ferry at dawn").await.unwrap(), Verdict::Right);
        assert_eq!(verdict("ferry at dusk").await.unwrap(), Verdict::Wrong);
        assert_eq!(verdict("").await.unwrap(), Verdict::Wrong);
        assert_eq!(verdict(&"a".repeat(2000)).await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn nobody_has_no_password_and_it_takes_as_long_to_say_so() {
        let passwords = Passwords::default();
        let verdict = passwords.verify("anything".into(), None).await.unwrap();
        assert_eq!(verdict, Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_hash_of_older_cost_is_right_but_weak() {
        let params = Params::new(8, 1, 1, None).unwrap();
        let old = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let stored: PasswordHash = old
            .hash_password_with_salt(b"ferry at dawn", b"0123456789abcdef")
            .unwrap();
        let verdict = Passwords::default()
            .verify("ferry at dawn".into(), Some(stored.to_string()))
            .await;
        assert_eq!(verdict.unwrap(), Verdict::RightButWeak);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_longer_than_a_second_is_told_to_come_again() {
        let passwords = Passwords::with_turns(0);
        let answer = passwords.verify("anything".into(), None).await;
        assert!(matches!(answer, Err(Error::TooMany { retry_after: QUEUE })));
    }
}
