//! [`Digest`]: the name of content, made of an [`Algorithm`] and the hash in lower-case hex.
//!
//! OCI image-spec, "Digests". Only registered algorithms are taken, because content under an
//! unknown one could never be verified.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use sha2::{Digest as _, Sha256, Sha512};
use thiserror::Error;

use crate::text::{excerpt, text_type};

/// A hash algorithm registered in the OCI image specification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256, which everybody speaks.
    #[default]
    Sha256,
    /// SHA-512, optional in the specification.
    Sha512,
}

impl Algorithm {
    /// Every algorithm, the usual one first.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// The word before the colon.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// How many hex characters follow the colon.
    #[must_use]
    pub const fn hex_len(self) -> usize {
        self.hash_len() * 2
    }

    /// How many bytes a hash has.
    #[must_use]
    pub const fn hash_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

impl FromStr for Algorithm {
    type Err = DigestError;

    fn from_str(word: &str) -> Result<Self, DigestError> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == word)
            .ok_or_else(|| DigestError::UnknownAlgorithm {
                given: excerpt(word),
            })
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The digest of some content, such as `sha256:6c3c…`; cloning shares the text.
///
/// Two digests of the same content by different algorithms are different names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(Arc<str>);

text_type!(Digest, DigestError);

impl Digest {
    /// Computes the digest of bytes held in memory; bodies of any size are hashed while they
    /// stream, and end in [`Digest::from_hash`].
    #[must_use]
    pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::print(algorithm, &Sha256::digest(bytes)),
            Algorithm::Sha512 => Self::print(algorithm, &Sha512::digest(bytes)),
        }
    }

    /// Names a finished hash.
    ///
    /// # Errors
    /// [`DigestError::WrongLength`] if the hash has not the algorithm's length.
    pub fn from_hash(algorithm: Algorithm, hash: &[u8]) -> Result<Self, DigestError> {
        if hash.len() == algorithm.hash_len() {
            Ok(Self::print(algorithm, hash))
        } else {
            Err(DigestError::WrongLength {
                algorithm,
                found: hash.len() * 2,
            })
        }
    }

    /// Whether the bytes are the content this digest names.
    #[must_use]
    pub fn is_of(&self, bytes: &[u8]) -> bool {
        *self == Self::of(self.algorithm(), bytes)
    }

    /// The algorithm that made it.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        // The two texts differ in length, and a parsed digest has one of the two.
        if self.hex().len() == Algorithm::Sha512.hex_len() {
            Algorithm::Sha512
        } else {
            Algorithm::Sha256
        }
    }

    /// The part after the colon: lower-case hex.
    #[must_use]
    pub fn hex(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, hex)| hex)
    }

    fn print(algorithm: Algorithm, hash: &[u8]) -> Self {
        Self(format!("{algorithm}:{}", hex::encode(hash)).into())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.0)
    }
}

/// Why a text is not a digest this registry can verify.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DigestError {
    /// There is no colon.
    #[error("a digest is an algorithm, a colon and a hash in hex, such as sha256:<64 hex digits>")]
    MissingColon,
    /// The algorithm is not one of [`Algorithm::ALL`].
    #[error("unsupported digest algorithm \"{given}\": expected sha256 or sha512")]
    UnknownAlgorithm {
        /// What stood before the colon, shortened.
        given: String,
    },
    /// The hash is too short or too long.
    #[error("a {algorithm} digest has {} hex digits, this one has {found}", algorithm.hex_len())]
    WrongLength {
        /// The algorithm named.
        algorithm: Algorithm,
        /// How many bytes of text followed the colon.
        found: usize,
    },
    /// The hash is not hex, or has upper-case letters, which the specification forbids.
    #[error("a digest is written in the lower-case hex digits 0-9 and a-f")]
    NotLowerCaseHex,
}

fn check(text: &str) -> Result<(), DigestError> {
    let (word, hex) = text.split_once(':').ok_or(DigestError::MissingColon)?;
    let algorithm: Algorithm = word.parse()?;
    if hex.len() != algorithm.hex_len() {
        return Err(DigestError::WrongLength {
            algorithm,
            found: hex.chars().count(),
        });
    }
    if !hex
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    {
        return Err(DigestError::NotLowerCaseHex);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EMPTY_256: &str =
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn the_digest_of_nothing_is_the_well_known_one() {
        let digest = Digest::of(Algorithm::Sha256, b"");
        assert_eq!(digest.as_str(), EMPTY_256);
        assert_eq!(digest.algorithm(), Algorithm::Sha256);
        assert_eq!(digest.hex().len(), 64);
        assert!(digest.is_of(b"") && !digest.is_of(b"x"));
        assert_eq!(
            Digest::of(Algorithm::Sha512, b"").algorithm(),
            Algorithm::Sha512
        );
    }

    #[test]
    fn bad_algorithms_case_and_lengths_are_refused_with_a_reason() {
        let hex = "a".repeat(64);
        let unknown = |given: &str| DigestError::UnknownAlgorithm {
            given: given.to_owned(),
        };
        let cases = [
            (String::new(), DigestError::MissingColon),
            (hex.clone(), DigestError::MissingColon),
            (format!("SHA256:{hex}"), unknown("SHA256")),
            (format!("md5:{}", "a".repeat(32)), unknown("md5")),
            (format!("sha256+b64:{hex}"), unknown("sha256+b64")),
            (format!(":{hex}"), unknown("")),
            (
                format!("sha256:{hex}a"),
                DigestError::WrongLength {
                    algorithm: Algorithm::Sha256,
                    found: 65,
                },
            ),
            (
                format!("sha512:{hex}"),
                DigestError::WrongLength {
                    algorithm: Algorithm::Sha512,
                    found: 64,
                },
            ),
            (
                format!("sha256:{}", "A".repeat(64)),
                DigestError::NotLowerCaseHex,
            ),
            (
                format!("sha256:{}\0", "a".repeat(63)),
                DigestError::NotLowerCaseHex,
            ),
            (
                format!("sha256:../{}", "a".repeat(61)),
                DigestError::NotLowerCaseHex,
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Digest>(), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn a_hash_of_the_wrong_length_is_no_digest() {
        assert!(Digest::from_hash(Algorithm::Sha256, &[0; 32]).is_ok());
        assert!(Digest::from_hash(Algorithm::Sha256, &[0; 64]).is_err());
        assert!(Digest::from_hash(Algorithm::Sha512, &[0; 32]).is_err());
    }

    #[test]
    fn json_holds_the_text_and_refuses_what_the_parser_refuses() {
        let digest: Digest = EMPTY_256.parse().unwrap();
        let json = serde_json::to_string(&digest).unwrap();
        assert_eq!(json, format!("\"{EMPTY_256}\""));
        assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
        assert!(serde_json::from_str::<Digest>("\"sha256:\"").is_err());
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_to_the_same(bytes: Vec<u8>, long: bool) {
            let algorithm = if long { Algorithm::Sha512 } else { Algorithm::Sha256 };
            let digest = Digest::of(algorithm, &bytes);
            prop_assert_eq!(digest.to_string().parse::<Digest>(), Ok(digest.clone()));
            prop_assert_eq!(digest.algorithm(), algorithm);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text: String) {
            if let Ok(digest) = text.parse::<Digest>() {
                prop_assert_eq!(digest.as_str(), text);
            }
        }
    }
}
