//! [`Reference`]: what may stand after `/manifests/`: a [`Tag`] or a [`Digest`].

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::digest::{Digest, DigestError};
use crate::text::text_type;

/// A movable label on a manifest, such as `latest`; cloning shares the text.
///
/// OCI distribution-spec, "Pulling manifests": `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Arc<str>);

text_type!(Tag, TagError);

impl Tag {
    /// The longest tag, in characters.
    pub const MAX_LEN: usize = 128;

    /// A tag from a text that is inside the grammar by the way it was made.
    pub(crate) fn trusted(text: String) -> Self {
        debug_assert!(check(&text).is_ok(), "{text} is no tag");
        Self(text.into())
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({})", self.0)
    }
}

/// Why a text is not a tag.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TagError {
    /// There is nothing.
    #[error("a tag is needed")]
    Empty,
    /// It is longer than [`Tag::MAX_LEN`].
    #[error("a tag has at most {} characters, this one has {length}", Tag::MAX_LEN)]
    TooLong {
        /// How many characters it has.
        length: usize,
    },
    /// It is outside the grammar.
    #[error(
        "a tag is made of letters, digits, underscores, periods and hyphens, and begins with \
         none of the last two"
    )]
    Grammar,
}

fn check(text: &str) -> Result<(), TagError> {
    let (first, rest) = text.as_bytes().split_first().ok_or(TagError::Empty)?;
    if text.len() > Tag::MAX_LEN {
        return Err(TagError::TooLong {
            length: text.chars().count(),
        });
    }
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    if is_word(first)
        && rest
            .iter()
            .all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'))
    {
        Ok(())
    } else {
        Err(TagError::Grammar)
    }
}

/// How a request names a manifest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// By a tag, which may be moved.
    Tag(Tag),
    /// By the digest of its bytes.
    Digest(Digest),
}

impl Reference {
    /// The text as it stands in a path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Tag(tag) => tag.as_str(),
            Self::Digest(digest) => digest.as_str(),
        }
    }

    /// The tag, if it is one.
    #[must_use]
    pub const fn tag(&self) -> Option<&Tag> {
        match self {
            Self::Tag(tag) => Some(tag),
            Self::Digest(_) => None,
        }
    }

    /// The digest, if it is one.
    #[must_use]
    pub const fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Tag(_) => None,
            Self::Digest(digest) => Some(digest),
        }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    /// A colon cannot occur in a tag and must occur in a digest, so it decides which is meant.
    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.contains(':') {
            Ok(Self::Digest(text.parse()?))
        } else {
            Ok(Self::Tag(text.parse()?))
        }
    }
}

impl TryFrom<&str> for Reference {
    type Error = ReferenceError;

    fn try_from(text: &str) -> Result<Self, ReferenceError> {
        text.parse()
    }
}

impl From<Tag> for Reference {
    fn from(tag: Tag) -> Self {
        Self::Tag(tag)
    }
}

impl From<Digest> for Reference {
    fn from(digest: Digest) -> Self {
        Self::Digest(digest)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::text::deserialize(deserializer)
    }
}

/// Why a text is neither a tag nor a digest.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReferenceError {
    /// It has no colon and is not a tag.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// It has a colon and is not a digest.
    #[error(transparent)]
    Digest(#[from] DigestError),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tags_outside_the_grammar_are_refused() {
        for text in [
            ".a", "-a", "a/b", "a b", "a\0", "ä", "a+b", "..", "a%41", "a\n",
        ] {
            assert_eq!(text.parse::<Tag>(), Err(TagError::Grammar), "{text:?}");
        }
        assert_eq!("".parse::<Tag>(), Err(TagError::Empty));
        assert_eq!(
            "a".repeat(129).parse::<Tag>(),
            Err(TagError::TooLong { length: 129 })
        );
    }

    #[test]
    fn a_colon_makes_a_reference_a_digest() {
        let text = format!("sha256:{}", "a".repeat(64));
        assert!(text.parse::<Reference>().unwrap().digest().is_some());
        assert_eq!(
            "sha256:x".parse::<Reference>().unwrap_err().to_string(),
            "a sha256 digest has 64 hex digits, this one has 1"
        );
        assert!("sha256-x".parse::<Reference>().unwrap().tag().is_some());
    }

    proptest! {
        #[test]
        fn every_text_of_the_grammar_parses_and_prints_the_same(
            text in "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}"
        ) {
            let reference: Reference = text.parse().unwrap();
            prop_assert_eq!(reference.tag().map(Tag::as_str), Some(text.as_str()));
            prop_assert_eq!(reference.to_string(), text);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text: String) {
            if let Ok(reference) = text.parse::<Reference>() {
                prop_assert_eq!(reference.as_str(), text);
            }
        }
    }
}
