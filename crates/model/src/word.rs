//! Closed sets of words: enums that SQL, REST and the command line spell the same way.

/// A word that names no known thing; the message lists the known ones.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a {what}; expected one of: {expected}")]
pub struct UnknownWord {
    /// What kind of thing was looked for.
    pub what: &'static str,
    /// What was given.
    pub given: String,
    /// The words that would have been understood.
    pub expected: &'static str,
}

/// Gives an enum of words its list, its spelling, its parser and its serde form.
///
/// Every variant stands once, beside its word, so that no form can forget one.
macro_rules! words {
    ($type:ident, $what:literal, $first:ident = $first_word:literal $(, $variant:ident = $word:literal)* $(,)?) => {
        impl $type {
            /// Every one, in the order of the declaration.
            pub const ALL: &'static [Self] = &[Self::$first $(, Self::$variant)*];

            /// The word used in SQL, REST and on the command line.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    Self::$first => $first_word,
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::UnknownWord;

            fn from_str(word: &str) -> Result<Self, $crate::UnknownWord> {
                Self::ALL.iter().copied().find(|known| known.as_str() == word).ok_or_else(|| {
                    $crate::UnknownWord {
                        what: $what,
                        given: word.to_owned(),
                        expected: concat!($first_word $(, ", ", $word)*),
                    }
                })
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                word.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use words;

#[cfg(test)]
mod tests {
    use crate::{
        Cascade, EventKind, Needed, PackageType, RepositoryRole, Role, Scope, VersionState,
        Visibility,
    };

    fn check<T>(all: &[T])
    where
        T: Copy + std::fmt::Debug + std::fmt::Display + PartialEq + std::str::FromStr,
        T::Err: std::fmt::Debug,
    {
        for word in all {
            assert_eq!(&word.to_string().parse::<T>().unwrap(), word);
        }
    }

    #[test]
    fn every_word_is_read_back_as_what_it_was() {
        check(Role::ALL);
        check(RepositoryRole::ALL);
        check(Visibility::ALL);
        check(PackageType::ALL);
        check(Scope::ALL);
        check(EventKind::ALL);
        check(VersionState::ALL);
        check(Needed::ALL);
        check(Cascade::ALL);
    }

    #[test]
    fn an_unknown_word_is_told_the_known_ones() {
        let error = "owner".parse::<Role>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`owner` is not a role; expected one of: read, write, admin"
        );
    }
}
