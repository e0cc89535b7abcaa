//! What a client presents in the `Authorization` header, taken apart (RFC 9110, section 11.6.2).
//!
//! Clients of registries send more than the specification knows: GitHub's tools say `token T`, some
//! send a personal access token as a bearer, plain or in base64, with or without a user name in
//! front, and Homebrew sends the constant `QQ==`.

use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use naru_model::{TokenError, TokenSecret};
use secrecy::{ExposeSecret, SecretString};

/// The longest header value that is looked at, in bytes: room for a registry token.
const LONGEST: usize = 12 * 1024;

/// Padding is left out by some clients.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a client presented, before anybody has looked it up. Does not print its secret.
#[derive(Debug)]
pub enum Authorization {
    /// There is no such header.
    Absent,
    /// `Basic`: a user name, which means nothing, and a password, which is a token.
    Basic {
        /// The user name as sent.
        user: String,
        /// The password as sent.
        password: SecretString,
    },
    /// `Bearer` or `token`.
    Bearer(BearerCredential),
    /// `Bearer` with nothing after it.
    EmptyBearer,
    /// Another scheme, or text that cannot be read.
    Unreadable,
}

/// What stands after `Bearer`.
pub enum BearerCredential {
    /// Three parts with dots between them: a registry token of our own, if it is genuine.
    RegistryToken(String),
    /// A stored token: itself, or in base64, with or without a user name.
    Token(TokenSecret),
    /// Something that was meant to be a stored token, and why it is none.
    NoToken(TokenError),
}

impl fmt::Debug for BearerCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RegistryToken(_) => f.write_str("RegistryToken(…)"),
            Self::Token(token) => token.fmt(f),
            Self::NoToken(error) => write!(f, "NoToken({error})"),
        }
    }
}

impl Authorization {
    /// Takes the value of the header apart.
    #[must_use]
    pub fn parse(value: Option<&[u8]>) -> Self {
        let Some(value) = value else {
            return Self::Absent;
        };
        if value.len() > LONGEST {
            return Self::Unreadable;
        }
        let Ok(text) = std::str::from_utf8(value) else {
            return Self::Unreadable;
        };
        let text = text.trim();
        let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("basic") {
            basic(rest)
        } else if scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token") {
            bearer(rest)
        } else {
            Self::Unreadable
        }
    }

    /// Whether there is no such header at all.
    #[must_use]
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// User name and password as a form has them (the OAuth2 form of the token endpoint).
    #[must_use]
    pub fn from_parts(user: &str, password: &str) -> Self {
        Self::Basic {
            user: user.to_owned(),
            password: password.into(),
        }
    }
}

fn basic(encoded: &str) -> Authorization {
    let Some(pair) = decode(encoded) else {
        return Authorization::Unreadable;
    };
    match pair.expose_secret().split_once(':') {
        Some((user, password)) => Authorization::from_parts(user, password),
        None => Authorization::Unreadable,
    }
}

fn bearer(text: &str) -> Authorization {
    if text.is_empty() {
        return Authorization::EmptyBearer;
    }
    Authorization::Bearer(bearer_credential(text))
}

fn bearer_credential(text: &str) -> BearerCredential {
    // A dot is in no token of ours and in no base64.
    if text.contains('.') {
        return BearerCredential::RegistryToken(text.to_owned());
    }
    match TokenSecret::parse(text) {
        Ok(token) => BearerCredential::Token(token),
        Err(TokenError::NotAToken) => in_base64(text),
        Err(error) => BearerCredential::NoToken(error),
    }
}

/// `base64(TOKEN)` or `base64(USER:TOKEN)`.
fn in_base64(text: &str) -> BearerCredential {
    let Some(decoded) = decode(text) else {
        return BearerCredential::NoToken(TokenError::NotAToken);
    };
    let decoded = decoded.expose_secret().trim();
    let token = decoded
        .split_once(':')
        .map_or(decoded, |(_, password)| password);
    match TokenSecret::parse(token) {
        Ok(token) => BearerCredential::Token(token),
        Err(error) => BearerCredential::NoToken(error),
    }
}

fn decode(encoded: &str) -> Option<SecretString> {
    let bytes = BASE64.decode(encoded).ok()?;
    String::from_utf8(bytes).ok().map(SecretString::from)
}

#[cfg(test)]
mod tests {
    use naru_model::{SystemRandom, TokenKind};

    use super::*;

    fn secret() -> TokenSecret {
        TokenSecret::generate(TokenKind::Personal, &SystemRandom).unwrap()
    }

    fn parse(text: &str) -> Authorization {
        Authorization::parse(Some(text.as_bytes()))
    }

    fn hash_of(text: &str) -> Option<[u8; 32]> {
        match parse(text) {
            Authorization::Bearer(BearerCredential::Token(token)) => Some(token.hash()),
            _ => None,
        }
    }

    #[test]
    fn a_token_is_found_however_it_is_presented() {
        let secret = secret();
        let token = secret.expose();
        let encoded = BASE64.encode(token);
        let pair = BASE64.encode(format!("octocat:{token}"));
        let line = BASE64.encode(format!("{token}\n"));
        for text in [
            format!("Bearer {token}"),
            format!("bearer {token}"),
            format!("token {token}"),
            format!("Token  {token} "),
            format!("Bearer {encoded}"),
            format!("Bearer {}", encoded.trim_end_matches('=')),
            format!("Bearer {pair}"),
            format!("Bearer {line}"),
        ] {
            assert_eq!(
                hash_of(&text),
                Some(secret.hash()),
                "{}",
                text.split(' ').next().unwrap()
            );
        }
    }

    #[test]
    fn basic_is_a_user_name_and_a_password_that_may_have_colons() {
        for (text, user, password) in [
            ("octocat:s3cret", "octocat", "s3cret"),
            ("octocat:a:b", "octocat", "a:b"),
            (":token", "", "token"),
            ("x:", "x", ""),
            ("ü:ö", "ü", "ö"),
        ] {
            let header = format!("Basic {}", BASE64.encode(text));
            match parse(&header) {
                Authorization::Basic {
                    user: found,
                    password: secret,
                } => {
                    assert_eq!((found.as_str(), secret.expose_secret()), (user, password));
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn homebrews_constant_is_no_token() {
        let Authorization::Bearer(BearerCredential::NoToken(error)) = parse("Bearer QQ==") else {
            panic!("QQ== is `A` in base64");
        };
        assert_eq!(error, TokenError::NotAToken);
    }

    #[test]
    fn a_bearer_with_nothing_after_it_is_told_apart() {
        for text in ["Bearer", "Bearer ", "bearer   ", "token"] {
            assert!(
                matches!(parse(text), Authorization::EmptyBearer),
                "{text:?}"
            );
        }
        assert!(Authorization::parse(None).is_absent());
    }

    #[test]
    fn a_wrong_checksum_is_seen_without_any_look_up() {
        let mut wrong = secret().expose().to_owned();
        let last = wrong.pop().unwrap();
        wrong.push(if last == '0' { '1' } else { '0' });
        for text in [
            format!("Bearer {wrong}"),
            format!("Bearer {}", BASE64.encode(&wrong)),
        ] {
            let Authorization::Bearer(BearerCredential::NoToken(error)) = parse(&text) else {
                panic!("a wrong checksum is no token");
            };
            assert!(matches!(error, TokenError::WrongChecksum { .. }));
        }
    }

    #[test]
    fn what_cannot_be_read_is_said_to_be_so() {
        let long = format!("Bearer {}", "a".repeat(LONGEST));
        for text in [
            "",
            "Digest a",
            "Basic",
            "Basic !!!",
            "Basic QQ==",
            "Negotiate",
            &long,
        ] {
            assert!(
                matches!(parse(text), Authorization::Unreadable),
                "{text:.20}"
            );
        }
        assert!(matches!(
            Authorization::parse(Some(b"Bearer \xff")),
            Authorization::Unreadable
        ));
    }

    #[test]
    fn nothing_secret_is_printed() {
        let secret = secret();
        let token = secret.expose();
        let basic = format!("Basic {}", BASE64.encode(format!("u:{token}")));
        for text in [format!("Bearer {token}"), basic, "Bearer a.b.c".to_owned()] {
            let printed = format!("{:?}", parse(&text));
            assert!(
                !printed.contains(token.get(4..).unwrap()) && !printed.contains("a.b.c"),
                "{printed}"
            );
        }
    }
}
