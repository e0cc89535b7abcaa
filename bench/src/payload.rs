//! [`Payload`]: bytes that both ends know, so that a whole answer can be compared for the price of
//! a `memcmp`.
//!
//! Hashing what arrives would cost the client more CPU than sending costs the server, and so would
//! measure the client. Bytes that are equal to the ones whose digest was pushed have that digest.

use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};

/// How often the pattern repeats: a prime, so that no page, chunk or buffer that lands in the wrong
/// place goes unseen.
const PERIOD: usize = 65_521;

/// How much of the pattern lies in one piece of memory; the longest slice that is sent at once.
const WINDOW: usize = 4 * PERIOD;

/// The bytes of one blob or manifest.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    /// These bytes.
    Bytes(Arc<[u8]>),
    /// As many bytes of the pattern as wanted, made different from every other by their beginning.
    Pattern(Pattern),
}

/// A blob of any size that takes no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pattern {
    seed: [u8; 8],
    length: u64,
}

impl Payload {
    /// A blob of `length` bytes, which differs from those of every other seed.
    pub(crate) fn pattern(seed: u64, length: u64) -> Self {
        Self::Pattern(Pattern {
            seed: seed.to_be_bytes(),
            length,
        })
    }

    /// How many bytes there are.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Pattern(pattern) => pattern.length,
        }
    }

    /// The bytes from `offset` on that lie together; empty only at the end.
    pub(crate) fn piece(&self, offset: u64) -> &[u8] {
        match self {
            Self::Bytes(bytes) => tail(bytes, offset),
            Self::Pattern(pattern) => pattern.piece(offset),
        }
    }

    /// Whether the payload holds exactly `bytes` at `offset`.
    pub(crate) fn holds(&self, offset: u64, bytes: &[u8]) -> bool {
        let (mut offset, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            let piece = self.piece(offset);
            let common = piece.len().min(rest.len());
            let (Some((now, later)), Some(ours)) =
                (rest.split_at_checked(common), piece.get(..common))
            else {
                return false;
            };
            if common == 0 || now != ours {
                return false;
            }
            rest = later;
            offset += common as u64;
        }
        true
    }

    /// `sha256:…` of all bytes.
    pub(crate) fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        let mut offset = 0;
        while offset < self.len() {
            let piece = self.piece(offset);
            hasher.update(piece);
            offset += piece.len() as u64;
        }
        format!("sha256:{}", hex::encode(hasher.finalize()))
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl Pattern {
    fn piece(&self, offset: u64) -> &[u8] {
        let left = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let piece = if offset < self.seed.len() as u64 {
            tail(&self.seed, offset)
        } else {
            tail(window(), offset % PERIOD as u64)
        };
        piece.get(..left).unwrap_or(piece)
    }
}

/// `bytes` without their first `offset`.
fn tail(bytes: &[u8], offset: u64) -> &[u8] {
    usize::try_from(offset)
        .ok()
        .and_then(|offset| bytes.get(offset..))
        .unwrap_or_default()
}

/// The pattern, a few periods long.
fn window() -> &'static [u8] {
    static PATTERN: OnceLock<Vec<u8>> = OnceLock::new();
    PATTERN.get_or_init(|| {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let period: Vec<u8> = std::iter::repeat_with(|| next_byte(&mut state))
            .take(PERIOD)
            .collect();
        period.iter().copied().cycle().take(WINDOW).collect()
    })
}

/// One step of xorshift64: bytes that no filesystem or client can compress, the same in every run.
fn next_byte(state: &mut u64) -> u8 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    let [byte, ..] = state.to_be_bytes();
    byte
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_of(payload: &Payload) -> Vec<u8> {
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < payload.len() {
            bytes.extend_from_slice(payload.piece(bytes.len() as u64));
        }
        bytes
    }

    #[test]
    fn a_pattern_holds_its_own_bytes_at_every_offset() {
        let payload = Payload::pattern(7, 300_000);
        let bytes = all_of(&payload);
        assert_eq!(bytes.len(), 300_000);
        for offset in [0, 3, 8, 65_520, 65_521, 262_083, 262_084, 299_999] {
            assert!(
                payload.holds(offset as u64, &bytes[offset..]),
                "at {offset}"
            );
        }
    }

    #[test]
    fn a_flipped_bit_a_shifted_chunk_and_a_byte_too_many_are_seen() {
        let payload = Payload::pattern(7, 300_000);
        let mut bytes = all_of(&payload);
        assert!(!payload.holds(4096, &bytes[..100_000]));
        bytes.push(0);
        assert!(!payload.holds(0, &bytes));
        bytes.pop();
        bytes[200_000] ^= 1;
        assert!(!payload.holds(0, &bytes));
    }

    #[test]
    fn the_digest_is_that_of_the_bytes() {
        let payload = Payload::pattern(1, 70_000);
        assert_eq!(payload.digest(), Payload::from(all_of(&payload)).digest());
        assert_ne!(payload.digest(), Payload::pattern(2, 70_000).digest());
        assert_eq!(
            Payload::from(b"abc".to_vec()).digest(),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
