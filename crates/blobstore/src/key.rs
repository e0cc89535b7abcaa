//! [`StorageKey`]: where the bytes of one upload lie, opaque to everybody but the backend.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Crockford's base32 in lower case, so that one key has one spelling, also on file systems and in
/// buckets that tell cases apart.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// How many letters a ULID has.
const ULID_LETTERS: usize = 26;
/// The bits of a ULID that are random; above them stand the milliseconds.
const RANDOM_BITS: u32 = 80;

/// Where the bytes of one upload lie: `blobs/<2 letters>/<ULID>`.
///
/// A key is chosen when an upload begins, before its digest is known, and is never used again. It
/// means nothing until a row names it (RELIABILITY, "Unique keys"). The two letters are random and
/// spread files over 1,024 directories; the ULID carries the moment of the beginning.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorageKey {
    shard: Shard,
    ulid: u128,
}

/// The directory a key lies in: two letters, ten bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Shard(u16);

impl StorageKey {
    /// A key that was never used: `unix_millis` is now, in milliseconds since the Unix epoch, and
    /// `random` comes from the operating system (90 of its 96 bits are used).
    #[must_use]
    pub fn fresh(unix_millis: u64, random: [u8; 12]) -> Self {
        let [first, second, low @ ..] = random;
        let moment = u128::from(unix_millis & 0xffff_ffff_ffff) << RANDOM_BITS;
        let low = low
            .iter()
            .fold(0, |bits, &byte| (bits << 8) | u128::from(byte));
        Self {
            shard: Shard(u16::from_be_bytes([first, second]) & 0x3ff),
            ulid: moment | low,
        }
    }

    /// When the upload began, in milliseconds since the Unix epoch, by the clock of that time.
    #[must_use]
    pub fn began(&self) -> u64 {
        // 48 bits are left, so the conversion cannot fail.
        u64::try_from(self.ulid >> RANDOM_BITS).unwrap_or(u64::MAX)
    }

    /// The directory below `blobs`.
    pub(crate) fn shard(&self) -> Shard {
        self.shard
    }

    /// The name within the directory.
    pub(crate) fn name(&self) -> String {
        (0..ULID_LETTERS)
            .rev()
            .map(|place| letter(self.ulid >> (5 * place)))
            .collect()
    }

    /// The key of a file called `name` in the directory `shard`, if it is one.
    pub(crate) fn from_parts(shard: &str, name: &str) -> Option<Self> {
        let shard = match shard.as_bytes() {
            [first, second] => Shard((value(*first)? << 5) | value(*second)?),
            _ => return None,
        };
        // 26 letters are 130 bits: the first must leave the top two empty.
        let fits = name.len() == ULID_LETTERS && name.starts_with(|first| first <= '7');
        let ulid = name.bytes().try_fold(0_u128, |bits, byte| {
            Some((bits << 5) | u128::from(value(byte)?))
        });
        Some(Self {
            shard,
            ulid: ulid.filter(|_| fits)?,
        })
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = u128::from(self.0);
        write!(f, "{}{}", letter(bits >> 5), letter(bits))
    }
}

impl fmt::Display for StorageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "blobs/{}/{}", self.shard, self.name())
    }
}

impl fmt::Debug for StorageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StorageKey({self})")
    }
}

impl FromStr for StorageKey {
    type Err = StorageKeyError;

    fn from_str(text: &str) -> Result<Self, StorageKeyError> {
        text.strip_prefix("blobs/")
            .and_then(|rest| rest.split_once('/'))
            .and_then(|(shard, name)| Self::from_parts(shard, name))
            .ok_or(StorageKeyError)
    }
}

/// The text is not a storage key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a storage key looks like blobs/7k/01hf7yat00abcdefghjkmnpqrs")]
pub struct StorageKeyError;

fn letter(bits: u128) -> char {
    let five = usize::try_from(bits & 31).unwrap_or(0);
    ALPHABET.get(five).map_or('0', |&letter| char::from(letter))
}

fn value(letter: u8) -> Option<u16> {
    let place = ALPHABET.iter().position(|&known| known == letter)?;
    u16::try_from(place).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_is_two_letters_and_a_ulid() {
        let key = StorageKey::fresh(1_700_000_000_000, [0xff; 12]);
        assert_eq!(key.to_string(), "blobs/zz/01hf7yat00zzzzzzzzzzzzzzzz");
        assert_eq!(key.began(), 1_700_000_000_000);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in [
            "",
            "blobs",
            "blobs/zz/",
            "zz/01hf7yat00zzzzzzzzzzzzzzzz",
            "blobs/ZZ/01hf7yat00zzzzzzzzzzzzzzzz",
            "blobs/zz/81hf7yat00zzzzzzzzzzzzzzzz",
            "blobs/zz/01hf7yat00zzzzzzzzzzzzzzzzz",
            "blobs/zz/../../etc/passwd",
            "blobs/zz/01hf7yat00zzzzzzzzzzzzzzz\u{e9}",
        ] {
            assert_eq!(text.parse::<StorageKey>(), Err(StorageKeyError), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_to_the_same(millis in 0_u64..1 << 48, random: [u8; 12]) {
            let key = StorageKey::fresh(millis, random);
            prop_assert_eq!(key.to_string().parse(), Ok(key));
            prop_assert_eq!(key.began(), millis);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text: String) {
            if let Ok(key) = text.parse::<StorageKey>() {
                prop_assert_eq!(key.to_string(), text);
            }
        }
    }
}
