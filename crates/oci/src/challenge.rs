//! [`Challenge`]: which credentials a 401 asks for.

use std::fmt;

use crate::headers::Quoted;
use crate::scope::Scopes;

/// The value of `WWW-Authenticate` (RFC 9110, section 11.6.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge<'t> {
    /// A token of the registry's own, to be fetched at `realm` (Docker's "Token Authentication
    /// Specification").
    Bearer {
        /// The URL of the token endpoint.
        realm: &'t str,
        /// The registry the token is for, as the token endpoint knows it.
        service: &'t str,
        /// What the request needs; nothing is said if it is empty.
        scopes: &'t Scopes,
        /// Why the token that came was not enough.
        error: Option<BearerError>,
    },
    /// User name and password.
    Basic {
        /// What the credentials are for, in words.
        realm: &'t str,
    },
}

/// Why a token was refused (RFC 6750, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BearerError {
    /// It is malformed, expired or revoked.
    InvalidToken,
    /// It is good, and the scope named would be granted if asked for.
    InsufficientScope,
}

impl BearerError {
    /// The word in the challenge.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
        }
    }
}

impl fmt::Display for Challenge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basic { realm } => write!(f, "Basic realm={}", Quoted(realm)),
            Self::Bearer {
                realm,
                service,
                scopes,
                error,
            } => {
                write!(
                    f,
                    "Bearer realm={},service={}",
                    Quoted(realm),
                    Quoted(service)
                )?;
                if !scopes.is_empty() {
                    write!(f, ",scope=\"{scopes}\"")?;
                }
                if let Some(error) = error {
                    write!(f, ",error=\"{}\"", error.as_str())?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers::www_authenticate;

    #[test]
    fn a_bearer_challenge_names_realm_service_and_scope() {
        let scopes = Scopes::parse(["repository:o/i:pull,push"]);
        let challenge = Challenge::Bearer {
            realm: "https://ghcr.example/token",
            service: "ghcr.example",
            scopes: &scopes,
            error: Some(BearerError::InsufficientScope),
        };
        let (name, value) = www_authenticate(&challenge);
        assert_eq!(name, http::header::WWW_AUTHENTICATE);
        assert_eq!(
            value,
            "Bearer realm=\"https://ghcr.example/token\",service=\"ghcr.example\",\
             scope=\"repository:o/i:push,pull\",error=\"insufficient_scope\""
        );
    }

    #[test]
    fn a_challenge_without_scope_says_nothing_of_one() {
        let scopes = Scopes::default();
        let challenge = Challenge::Bearer {
            realm: "https://r/token",
            service: "r",
            scopes: &scopes,
            error: None,
        };
        assert_eq!(
            challenge.to_string(),
            "Bearer realm=\"https://r/token\",service=\"r\""
        );
    }

    #[test]
    fn a_basic_challenge_names_its_realm() {
        let challenge = Challenge::Basic {
            realm: "GitHub Package \"Registry\"",
        };
        assert_eq!(
            challenge.to_string(),
            "Basic realm=\"GitHub Package \\\"Registry\\\"\""
        );
    }
}
