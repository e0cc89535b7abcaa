//! Hashes of what passes: [`Hasher`] can be saved and goes on elsewhere; [`Rehasher`] reads again.

use std::fs::File;
use std::io::{self, Read};

use digest::common::hazmat::{SerializableState, SerializedState};
use naru_oci::{Algorithm, Digest};
use rustix::fs::Advice;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha512};

use crate::error::{During, Error, Result};

/// How much is read at once when bytes are hashed again.
const READ_AT_ONCE: usize = 256 << 10;

/// SHA-256 of an upload so far.
#[derive(Clone, Default)]
pub(crate) struct Hasher {
    sha256: Sha256,
    position: u64,
}

/// A [`Hasher`] as it lies in a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedHash {
    /// How many bytes it has seen.
    pub(crate) position: u64,
    /// The state of sha2's SHA-256, in hex: stable within 0.11, guarded by the version of the
    /// whole state.
    sha256: String,
}

impl Hasher {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.position += bytes.len() as u64;
    }

    /// How many bytes it has seen.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    pub(crate) fn save(&self) -> SavedHash {
        SavedHash {
            position: self.position,
            sha256: hex::encode(self.sha256.serialize()),
        }
    }

    pub(crate) fn restore(saved: &SavedHash) -> Result<Self> {
        let unusable = |why: String| Error::BadState(format!("hash state: {why}"));
        let mut state = SerializedState::<Sha256>::default();
        hex::decode_to_slice(&saved.sha256, &mut state)
            .map_err(|error| unusable(error.to_string()))?;
        let sha256 = Sha256::deserialize(&state).map_err(|error| unusable(error.to_string()))?;
        Ok(Self {
            sha256,
            position: saved.position,
        })
    }

    /// The hash of the first `length` bytes of `file`, read again.
    pub(crate) fn of_file(file: &File, length: u64) -> Result<Self> {
        let mut hasher = Self::default();
        read_all(file, length, |bytes| hasher.update(bytes)).during("read an upload again")?;
        Ok(hasher)
    }

    pub(crate) fn digest(&self) -> Result<Digest> {
        named(Algorithm::Sha256, &self.sha256.clone().finalize())
    }
}

/// A hash by whichever algorithm a digest names, over bytes that are read again.
pub(crate) enum Rehasher {
    Sha256(Box<Sha256>),
    Sha512(Box<Sha512>),
}

impl Rehasher {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Box::default()),
            Algorithm::Sha512 => Self::Sha512(Box::default()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
        }
    }

    pub(crate) fn digest(self) -> Result<Digest> {
        match self {
            Self::Sha256(hash) => named(Algorithm::Sha256, &hash.finalize()),
            Self::Sha512(hash) => named(Algorithm::Sha512, &hash.finalize()),
        }
    }

    /// The digest of a whole file of `length` bytes.
    pub(crate) fn digest_of_file(algorithm: Algorithm, file: &File, length: u64) -> Result<Digest> {
        let mut hash = Self::new(algorithm);
        read_all(file, length, |bytes| hash.update(bytes)).during("read a blob")?;
        hash.digest()
    }
}

fn named(algorithm: Algorithm, hash: &[u8]) -> Result<Digest> {
    Digest::from_hash(algorithm, hash)
        .map_err(|error| Error::io("name a hash", io::Error::other(error)))
}

fn read_all(file: &File, length: u64, mut each: impl FnMut(&[u8])) -> io::Result<()> {
    // Advice may be refused; then the reads are merely slower.
    let _ = rustix::fs::fadvise(file, 0, None, Advice::Sequential);
    let mut buffer = vec![0; READ_AT_ONCE];
    let mut from = FromStart { file, position: 0 }.take(length);
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => each(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    if from.limit() > 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

/// Reads by position, so that the file's own position, which others may share, stays where it is.
struct FromStart<'a> {
    file: &'a File,
    position: u64,
}

impl Read for FromStart<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = rustix::io::pread(self.file, buffer, self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_saved_hash_goes_on_as_if_it_had_never_stopped(
            bytes: Vec<u8>,
            cut: prop::sample::Index,
        ) {
            let cut = if bytes.is_empty() { 0 } else { cut.index(bytes.len()) };
            let mut first = Hasher::default();
            first.update(&bytes[..cut]);
            let saved = serde_json::to_string(&first.save()).unwrap();
            let mut second = Hasher::restore(&serde_json::from_str(&saved).unwrap()).unwrap();
            second.update(&bytes[cut..]);
            prop_assert_eq!(second.position(), bytes.len() as u64);
            prop_assert!(second.digest().unwrap().is_of(&bytes));
        }
    }

    #[test]
    fn a_damaged_state_is_refused() {
        let mut saved = Hasher::default().save();
        saved.sha256.truncate(10);
        assert!(matches!(Hasher::restore(&saved), Err(Error::BadState(_))));
    }

    #[test]
    fn a_file_shorter_than_promised_has_no_digest() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(10).unwrap();
        assert!(Rehasher::digest_of_file(Algorithm::Sha512, &file, 10).is_ok());
        assert!(Rehasher::digest_of_file(Algorithm::Sha512, &file, 11).is_err());
    }
}
