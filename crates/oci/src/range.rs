//! Ranges of bytes: [`ContentRange`] of an uploaded chunk, [`ByteRange`] of a blob to be read,
//! and the `Range` that tells how much of an upload has arrived.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The `Content-Range` of a chunk: first and last byte, both included, so never empty.
///
/// OCI distribution-spec, "Pushing a blob in chunks": `^[0-9]+-[0-9]+$`. Clients that follow
/// RFC 9110 instead and write `bytes 0-9/20` or `bytes 0-9/*` are understood too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContentRange {
    start: u64,
    end: u64,
}

impl ContentRange {
    /// The range of the `length` bytes from `start` on; `None` if it is empty or too far out.
    #[must_use]
    pub fn new(start: u64, length: u64) -> Option<Self> {
        let end = start.checked_add(length.checked_sub(1)?)?;
        (end < u64::MAX).then_some(Self { start, end })
    }

    /// The position of the first byte.
    #[must_use]
    pub const fn start(self) -> u64 {
        self.start
    }

    /// The position of the last byte.
    #[must_use]
    pub const fn end(self) -> u64 {
        self.end
    }

    /// How many bytes it is.
    #[expect(
        clippy::len_without_is_empty,
        reason = "a range of inclusive ends is never empty"
    )]
    #[must_use]
    pub const fn len(self) -> u64 {
        // The constructors keep end between start and u64::MAX - 1, so this cannot overflow.
        self.end.saturating_sub(self.start).saturating_add(1)
    }
}

impl FromStr for ContentRange {
    type Err = ContentRangeError;

    fn from_str(text: &str) -> Result<Self, ContentRangeError> {
        let ends = match text.strip_prefix("bytes") {
            Some(rest) => rest.trim_start_matches([' ', '=']),
            None => text,
        };
        let ends = ends.split_once('/').map_or(ends, |(ends, _)| ends);
        let (start, end) = ends
            .trim()
            .split_once('-')
            .ok_or(ContentRangeError::Syntax)?;
        let start = digits(start).ok_or(ContentRangeError::Syntax)?;
        let end = digits(end).ok_or(ContentRangeError::Syntax)?;
        if end < start {
            return Err(ContentRangeError::Backwards);
        }
        // Saturated digits end here too.
        if end == u64::MAX {
            return Err(ContentRangeError::TooFar);
        }
        Ok(Self { start, end })
    }
}

impl fmt::Display for ContentRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.start, self.end)
    }
}

/// Why a `Content-Range` cannot be that of a chunk; answered with 416.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ContentRangeError {
    /// It is not two numbers with a hyphen between.
    #[error("Content-Range is <first byte>-<last byte>, such as 0-1023")]
    Syntax,
    /// It ends before it starts.
    #[error("Content-Range ends before it starts")]
    Backwards,
    /// It ends beyond what can be counted.
    #[error("Content-Range ends beyond what can be stored")]
    TooFar,
}

/// The `Range` of an open upload: `0-<position of the last byte>`.
///
/// There is no way to say "nothing yet" in this form; the distribution server says `0-0`, which
/// clients expect, and so do we.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UploadRange {
    /// How many bytes have arrived.
    pub length: u64,
}

impl fmt::Display for UploadRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0-{}", self.length.saturating_sub(1))
    }
}

/// The part of a blob a client asks for with `Range: bytes=…` (RFC 9110, section 14.1.2);
/// prints as the `Content-Range` of a 206.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ByteRange {
    start: u64,
    end: u64,
    size: u64,
}

impl ByteRange {
    /// Reads a `Range` header for a blob of `size` bytes.
    ///
    /// `Ok(None)` means the whole blob: for another unit, for what is not a range, for several
    /// ranges (a server may ignore them, and nobody asks a registry for them), and for an empty
    /// blob, because clients that always send a range mean no error by it.
    ///
    /// # Errors
    /// [`Unsatisfiable`] if the range lies outside the blob or ends before it starts.
    pub fn parse(header: &str, size: u64) -> Result<Option<Self>, Unsatisfiable> {
        let Some((first, last)) = single_range(header) else {
            return Ok(None);
        };
        if size == 0 {
            return Ok(None);
        }
        let final_byte = size - 1;
        let (start, end) = match (digits(first), digits(last)) {
            (Some(start), Some(end)) => (start, end.min(final_byte)),
            (Some(start), None) if last.is_empty() => (start, final_byte),
            (None, Some(0)) if first.is_empty() => return Err(Unsatisfiable { size }),
            (None, Some(length)) if first.is_empty() => (size.saturating_sub(length), final_byte),
            _ => return Ok(None),
        };
        if start <= end {
            Ok(Some(Self { start, end, size }))
        } else {
            Err(Unsatisfiable { size })
        }
    }

    /// The position of the first byte.
    #[must_use]
    pub const fn start(self) -> u64 {
        self.start
    }

    /// The position of the last byte.
    #[must_use]
    pub const fn end(self) -> u64 {
        self.end
    }

    /// How many bytes it is: the `Content-Length` of the answer.
    #[expect(
        clippy::len_without_is_empty,
        reason = "a range of inclusive ends is never empty"
    )]
    #[must_use]
    pub const fn len(self) -> u64 {
        // start <= end < size, so neither can overflow.
        self.end - self.start + 1
    }
}

impl fmt::Display for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bytes {}-{}/{}", self.start, self.end, self.size)
    }
}

/// No byte of the blob is in the range: 416; prints as the `Content-Range` of that answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("bytes */{size}")]
pub struct Unsatisfiable {
    /// How many bytes the blob has.
    pub size: u64,
}

/// The two sides of the hyphen, if the header is one range of bytes.
fn single_range(header: &str) -> Option<(&str, &str)> {
    let (unit, set) = header.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let mut ranges = set
        .split(',')
        .map(str::trim)
        .filter(|range| !range.is_empty());
    let only = ranges.next().filter(|_| ranges.next().is_none())?;
    only.split_once('-')
        .map(|(first, last)| (first.trim(), last.trim()))
}

/// A number of decimal digits alone (no sign), as far as `u64` counts and no further.
fn digits(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn content_range_is_read_in_both_spellings() {
        for text in [
            "10-19",
            "bytes 10-19/100",
            "bytes 10-19/*",
            "bytes=10-19",
            " 10-19 ",
        ] {
            let range: ContentRange = text.parse().unwrap();
            assert_eq!(
                (range.start(), range.end(), range.len()),
                (10, 19, 10),
                "{text:?}"
            );
        }
    }

    #[test]
    fn content_range_that_is_none_is_refused() {
        let cases = [
            ("", ContentRangeError::Syntax),
            ("0", ContentRangeError::Syntax),
            ("-5", ContentRangeError::Syntax),
            ("5-", ContentRangeError::Syntax),
            ("+1-5", ContentRangeError::Syntax),
            ("0--1", ContentRangeError::Syntax),
            ("0x1-0x2", ContentRangeError::Syntax),
            ("bytes */100", ContentRangeError::Syntax),
            ("9-3", ContentRangeError::Backwards),
            ("0-18446744073709551615", ContentRangeError::TooFar),
            (
                "99999999999999999999-999999999999999999999",
                ContentRangeError::TooFar,
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<ContentRange>(), Err(expected), "{text:?}");
        }
        assert_eq!(ContentRange::new(0, 0), None);
        assert_eq!(ContentRange::new(u64::MAX - 1, 2), None);
    }

    #[test]
    fn an_upload_range_ends_at_the_last_byte_and_an_empty_one_says_0_0() {
        let printed = |length| UploadRange { length }.to_string();
        assert_eq!(
            (printed(0), printed(1), printed(10)),
            ("0-0".into(), "0-0".into(), "0-9".into())
        );
    }

    #[test]
    fn a_range_of_2048_bytes_is_what_the_header_asks_for() {
        let whole = Ok(None);
        let none = Err(Unsatisfiable { size: 2048 });
        let part = |start, end| {
            Ok(Some(ByteRange {
                start,
                end,
                size: 2048,
            }))
        };
        let cases = [
            ("bytes=500-1499", part(500, 1499)),
            ("Bytes = 500 - 1499", part(500, 1499)),
            ("bytes=500-", part(500, 2047)),
            ("bytes=-500", part(1548, 2047)),
            ("bytes=-5000", part(0, 2047)),
            ("bytes=2000-5000", part(2000, 2047)),
            ("bytes=0-99999999999999999999999", part(0, 2047)),
            ("bytes=0-0,", part(0, 0)),
            ("bytes=500-0", none),
            ("bytes=5000-10000", none),
            ("bytes=2048-", none),
            ("bytes=99999999999999999999999-", none),
            ("bytes=-0", none),
            ("bytes=0-1,5-6", whole),
            ("bytes=-", whole),
            ("bytes=a-b", whole),
            ("bytes=+1-2", whole),
            ("bytes", whole),
            ("items=0-1", whole),
            ("", whole),
        ];
        for (header, expected) in cases {
            assert_eq!(ByteRange::parse(header, 2048), expected, "{header:?}");
        }
        assert_eq!(ByteRange::parse("bytes=0-99", 0), whole);
    }

    #[test]
    fn answers_print_their_content_range() {
        let range = ByteRange::parse("bytes=500-", 2048).unwrap().unwrap();
        assert_eq!(range.to_string(), "bytes 500-2047/2048");
        assert_eq!(range.len(), 1548);
        assert_eq!(Unsatisfiable { size: 7 }.to_string(), "bytes */7");
    }

    proptest! {
        #[test]
        fn content_range_prints_what_it_parses(start: u64, length: u64) {
            if let Some(range) = ContentRange::new(start, length) {
                prop_assert_eq!(range.len(), length);
                prop_assert_eq!(range.to_string().parse::<ContentRange>(), Ok(range));
            }
        }

        #[test]
        fn a_byte_range_always_lies_inside_the_blob(
            header in "bytes=[0-9]{0,21}-[0-9]{0,21}|[ -~]{0,30}", size: u64
        ) {
            if let Ok(Some(range)) = ByteRange::parse(&header, size) {
                prop_assert!(range.start() <= range.end() && range.end() < size);
                prop_assert!(range.len() >= 1);
            }
        }

        #[test]
        fn no_text_makes_the_parsers_panic(text: String, size: u64) {
            let _ = text.parse::<ContentRange>();
            let _ = ByteRange::parse(&text, size);
        }
    }
}
