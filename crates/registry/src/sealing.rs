//! Sealing: how secrets that must be read again lie in the database.
//!
//! AES-256-GCM under the master key, which is kept outside the database. What a sealed value is
//! for goes into it as associated data, so that one cannot be put in the place of another.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use naru_model::Random;
use secrecy::{ExposeSecret, SecretBox, SecretString};

/// The key that everything sealed is sealed with: 32 bytes.
///
/// A file holds it as 64 hexadecimal digits, see [`MasterKey::to_text`]. Whoever reads that file
/// answers for its mode; several processes on one database need the same key.
pub struct MasterKey(SecretBox<[u8; MasterKey::LEN]>);

impl MasterKey {
    /// How long a key is, in bytes.
    pub const LEN: usize = 32;

    /// A new key.
    ///
    /// # Errors
    /// [`SealError::NoRandomness`].
    pub fn generate(random: &dyn Random) -> Result<Self, SealError> {
        let mut bytes = [0; Self::LEN];
        random
            .fill(&mut bytes)
            .map_err(|_| SealError::NoRandomness)?;
        Ok(Self::new(bytes))
    }

    /// A key of these bytes.
    #[must_use]
    pub fn new(bytes: [u8; Self::LEN]) -> Self {
        Self(SecretBox::new(Box::new(bytes)))
    }

    /// Reads what a key file holds: 64 hexadecimal digits with white space around them, or just
    /// the 32 bytes.
    ///
    /// # Errors
    /// [`SealError::NotAKey`], which never repeats what was read.
    pub fn from_file_content(content: &[u8]) -> Result<Self, SealError> {
        if let Ok(bytes) = content.try_into() {
            return Ok(Self::new(bytes));
        }
        let mut bytes = [0; Self::LEN];
        hex::decode_to_slice(content.trim_ascii(), &mut bytes).map_err(|_| SealError::NotAKey)?;
        Ok(Self::new(bytes))
    }

    /// What a key file holds: 64 hexadecimal digits and a newline.
    #[must_use]
    pub fn to_text(&self) -> SecretString {
        format!("{}\n", hex::encode(self.0.expose_secret())).into()
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// Why something could not be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The file holds no key.
    #[error("a master key is 64 hexadecimal digits")]
    NotAKey,
    /// It was sealed with another key, for another purpose, or was changed since.
    #[error("it was sealed with another master key, or is damaged")]
    CannotOpen,
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    NoRandomness,
    /// The cryptography refused; it never does with a key of the right length.
    #[error("the cryptography library refused")]
    Library,
}

/// The form of what is sealed: this byte, the nonce, the sealed text, its tag.
const FORM: u8 = 1;

/// Seals and opens.
pub(crate) struct Sealer(LessSafeKey);

impl Sealer {
    pub(crate) fn new(master: &MasterKey) -> Result<Self, SealError> {
        let key = UnboundKey::new(&AES_256_GCM, master.0.expose_secret());
        Ok(Self(LessSafeKey::new(key.map_err(|_| SealError::Library)?)))
    }

    /// Seals `secret` for `purpose`, which must be said again to open it.
    pub(crate) fn seal(
        &self,
        purpose: &str,
        secret: &[u8],
        random: &dyn Random,
    ) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_LEN];
        random
            .fill(&mut nonce)
            .map_err(|_| SealError::NoRandomness)?;
        let mut text = secret.to_vec();
        let nonce_value = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce_value, Aad::from(purpose), &mut text);
        let tag = tag.map_err(|_| SealError::Library)?;
        Ok([&[FORM][..], &nonce, &text, tag.as_ref()].concat())
    }

    /// Opens what was sealed for `purpose`.
    pub(crate) fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (form, rest) = sealed.split_first().ok_or(SealError::CannotOpen)?;
        let (nonce, text) = rest
            .split_first_chunk::<NONCE_LEN>()
            .ok_or(SealError::CannotOpen)?;
        if *form != FORM {
            return Err(SealError::CannotOpen);
        }
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let mut text = text.to_vec();
        let opened = self.0.open_in_place(nonce, Aad::from(purpose), &mut text);
        opened
            .map(|secret| secret.to_vec())
            .map_err(|_| SealError::CannotOpen)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(…)")
    }
}

#[cfg(test)]
mod tests {
    use naru_model::SystemRandom;

    use super::*;

    fn sealer(byte: u8) -> Sealer {
        Sealer::new(&MasterKey::new([byte; 32])).unwrap()
    }

    #[test]
    fn what_was_sealed_is_opened_again() {
        let sealed = sealer(7).seal("key/a", b"secret", &SystemRandom).unwrap();
        assert_eq!(sealer(7).open("key/a", &sealed).unwrap(), b"secret");
    }

    #[test]
    fn nothing_of_the_secret_shows_and_no_two_seals_are_alike() {
        let one = sealer(7).seal("key/a", b"secret", &SystemRandom).unwrap();
        let other = sealer(7).seal("key/a", b"secret", &SystemRandom).unwrap();
        assert_ne!(one, other);
        assert!(!one.windows(6).any(|window| window == b"secret"));
    }

    #[test]
    fn another_key_another_purpose_or_a_flipped_bit_opens_nothing() {
        let sealed = sealer(7).seal("key/a", b"secret", &SystemRandom).unwrap();
        assert_eq!(sealer(8).open("key/a", &sealed), Err(SealError::CannotOpen));
        assert_eq!(sealer(7).open("key/b", &sealed), Err(SealError::CannotOpen));
        for place in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[place] ^= 1;
            assert_eq!(
                sealer(7).open("key/a", &flipped),
                Err(SealError::CannotOpen),
                "{place}"
            );
        }
        for length in 0..sealed.len() {
            assert!(
                sealer(7).open("key/a", &sealed[..length]).is_err(),
                "{length}"
            );
        }
    }

    #[test]
    fn a_key_file_is_read_back() {
        let key = MasterKey::generate(&SystemRandom).unwrap();
        let text = key.to_text();
        let read = MasterKey::from_file_content(text.expose_secret().as_bytes()).unwrap();
        assert_eq!(read.0.expose_secret(), key.0.expose_secret());
        let raw = MasterKey::from_file_content(key.0.expose_secret()).unwrap();
        assert_eq!(raw.0.expose_secret(), key.0.expose_secret());
    }

    #[test]
    fn a_file_without_a_key_is_refused_and_not_repeated() {
        for content in [
            "",
            "hunter2",
            &"a".repeat(63),
            &"g".repeat(64),
            &"a".repeat(66),
        ] {
            let error = MasterKey::from_file_content(content.as_bytes()).unwrap_err();
            assert_eq!(error, SealError::NotAKey);
        }
        assert_eq!(format!("{:?}", MasterKey::new([1; 32])), "MasterKey(…)");
    }
}
