//! What the names of people, teams, repositories and packages share: a grammar, and case.

/// Why a text is not a name of some kind. The message says what would be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// There is nothing.
    #[error("{what} is empty")]
    Empty {
        /// What kind of name was looked for, with its article: `an account name`.
        what: &'static str,
    },
    /// It is longer than such names may be.
    #[error("{what} has at most {longest} characters")]
    TooLong {
        /// What kind of name was looked for.
        what: &'static str,
        /// The longest allowed, in characters.
        longest: usize,
    },
    /// It is outside the grammar.
    #[error("{what} is made of {grammar}")]
    Grammar {
        /// What kind of name was looked for.
        what: &'static str,
        /// What it is made of, in words.
        grammar: &'static str,
    },
    /// It is inside the grammar, but an address of the server itself begins with it.
    #[error("`{name}` is reserved: addresses of this server begin with it; choose another name")]
    Reserved {
        /// The name, in lower case.
        name: String,
    },
}

/// Gives a validated name that keeps its spelling but compares without case: construction,
/// [`key`](crate::AccountName::key), comparison by key, printing by spelling, serde.
///
/// Needs `fn check(&str) -> Result<(), NameError>` in the same module.
macro_rules! spelled_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name {
            spelling: std::sync::Arc<str>,
            key: std::sync::Arc<str>,
        }

        impl $name {
            /// The name as it was written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.spelling
            }

            /// The name in lower case: what is unique, and what registry paths use.
            #[must_use]
            pub fn key(&self) -> &str {
                &self.key
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::NameError;

            fn from_str(text: &str) -> Result<Self, $crate::NameError> {
                check(text)?;
                let spelling: std::sync::Arc<str> = text.into();
                // Most names are lower case already; they share one text.
                let key = if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
                    text.to_ascii_lowercase().into()
                } else {
                    std::sync::Arc::clone(&spelling)
                };
                Ok(Self { spelling, key })
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.key == other.key
            }
        }

        impl Eq for $name {}

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.key.cmp(&other.key)
            }
        }

        impl std::hash::Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.key.hash(state);
            }
        }

        $crate::name::name_text!($name);
    };
}

/// Printing, debugging and serde of a type with `as_str` and `FromStr`.
macro_rules! name_text {
    ($name:ident) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.as_str())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use {name_text, spelled_name};
