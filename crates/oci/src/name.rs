//! [`RepositoryName`]: the `<name>` in `/v2/<name>/…`.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::text::text_type;

/// The name of a repository on the registry, such as `octo-org/tools/builder`.
///
/// OCI distribution-spec, "Pulling manifests": components of
/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`, joined by `/`. Cloning shares the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryName(Arc<str>);

text_type!(RepositoryName, NameError);

impl RepositoryName {
    /// The longest name taken, in characters: what clients allow for host and name together.
    pub const MAX_LEN: usize = 255;

    /// The first component: the account that owns the package.
    #[must_use]
    pub fn owner(&self) -> &str {
        self.0.split_once('/').map_or(&self.0, |(owner, _)| owner)
    }

    /// Everything after the first component, or `None` if there is only one.
    #[must_use]
    pub fn rest(&self) -> Option<&str> {
        self.0.split_once('/').map(|(_, rest)| rest)
    }

    /// The parts between the slashes, at least one.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }
}

impl fmt::Debug for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RepositoryName({})", self.0)
    }
}

/// Why a text is not a repository name; answered as `NAME_INVALID`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// There is nothing.
    #[error("a repository name is needed")]
    Empty,
    /// It is longer than [`RepositoryName::MAX_LEN`].
    #[error(
        "a repository name has at most {} characters, this one has {length}",
        RepositoryName::MAX_LEN
    )]
    TooLong {
        /// How many characters it has.
        length: usize,
    },
    /// It would be a name if it had no upper-case letters.
    #[error("repository name must be lowercase: use {lower_case}")]
    UpperCase {
        /// The same name in lower case, which is valid.
        lower_case: String,
    },
    /// It is outside the grammar.
    #[error(
        "a repository name is made of the letters a-z and digits, separated inside by one \
         period, one or two underscores or any number of hyphens, in components joined by /"
    )]
    Grammar,
}

fn check(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > RepositoryName::MAX_LEN {
        return Err(NameError::TooLong {
            length: text.chars().count(),
        });
    }
    if text.split('/').all(is_component) {
        return Ok(());
    }
    let lower_case = text.to_ascii_lowercase();
    if lower_case != text && lower_case.split('/').all(is_component) {
        return Err(NameError::UpperCase { lower_case });
    }
    Err(NameError::Grammar)
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`, read byte by byte: runs of letters and digits, and
/// between two of them one separator.
fn is_component(text: &str) -> bool {
    let mut bytes = text.as_bytes();
    loop {
        let Some(after_word) = skip(bytes, |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9')) else {
            return false;
        };
        if after_word.is_empty() {
            return true;
        }
        let Some(after_separator) = skip_separator(after_word) else {
            return false;
        };
        bytes = after_separator;
    }
}

fn skip_separator(bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        [b'.', rest @ ..] | [b'_', b'_', rest @ ..] | [b'_', rest @ ..] => Some(rest),
        _ => skip(bytes, |byte| byte == b'-'),
    }
}

/// What is left after one or more bytes of a class; `None` if the first is of another.
fn skip(bytes: &[u8], class: impl Fn(u8) -> bool) -> Option<&[u8]> {
    let taken = bytes.iter().take_while(|byte| class(**byte)).count();
    bytes.get(taken..).filter(|_| taken > 0)
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
            "octo-org/image",
            "a.b_c__d-e---f/g/h/i/j",
            "a/blobs/uploads",
            "v2/manifests/tags/list",
        ] {
            assert_eq!(text.parse::<RepositoryName>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn names_outside_the_grammar_are_refused() {
        for text in [
            "/", "a/", "/a", "a//b", ".", "..", "a/../b", "a..b", "a___b", "a_-b", "a._b", "-a",
            "a-", "_a", "a_", ".a", "a.", "a b", "a%2fb", "a\0", "ä", "a\n", "a:b", "a@b", "A..B",
        ] {
            assert_eq!(
                text.parse::<RepositoryName>(),
                Err(NameError::Grammar),
                "{text:?}"
            );
        }
        assert_eq!("".parse::<RepositoryName>(), Err(NameError::Empty));
    }

    #[test]
    fn upper_case_is_told_the_lower_case_form() {
        let error = "Octo-Org/Image".parse::<RepositoryName>().unwrap_err();
        assert_eq!(
            error,
            NameError::UpperCase {
                lower_case: "octo-org/image".to_owned()
            }
        );
        assert_eq!(
            error.to_string(),
            "repository name must be lowercase: use octo-org/image"
        );
    }

    #[test]
    fn a_name_has_at_most_255_characters() {
        assert!("a".repeat(255).parse::<RepositoryName>().is_ok());
        let error = "a".repeat(256).parse::<RepositoryName>().unwrap_err();
        assert_eq!(error, NameError::TooLong { length: 256 });
    }

    #[test]
    fn the_owner_is_the_first_component() {
        let name: RepositoryName = "octo-org/tools/builder".parse().unwrap();
        assert_eq!(name.owner(), "octo-org");
        assert_eq!(name.rest(), Some("tools/builder"));
        assert_eq!(
            name.components().collect::<Vec<_>>(),
            ["octo-org", "tools", "builder"]
        );
        let single: RepositoryName = "alpine".parse().unwrap();
        assert_eq!((single.owner(), single.rest()), ("alpine", None));
    }

    proptest! {
        #[test]
        fn every_text_of_the_grammar_parses_and_prints_the_same(
            text in "[a-z0-9]{1,9}((\\.|_|__|-{1,3})[a-z0-9]{1,9}){0,3}(/[a-z0-9]{1,9}((\\.|_|__|-{1,3})[a-z0-9]{1,9}){0,3}){0,3}"
        ) {
            let name: RepositoryName = text.parse().unwrap();
            prop_assert_eq!(name.to_string(), text);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC*|[a-zA-Z0-9._/-]{0,20}") {
            if let Ok(name) = text.parse::<RepositoryName>() {
                prop_assert!(!name.owner().is_empty());
                prop_assert_eq!(name.as_str(), text);
            }
        }
    }
}
