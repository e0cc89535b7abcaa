//! Queries and bodies as types, and what is said of those that are none.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::{FromRequest, FromRequestParts, Request};
use bytes::Bytes;
use http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::State;
use super::call::Situation;
use super::error::Failure;

/// The query of a request.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<State> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Failure> {
        if parts.uri.query().is_some_and(|query| query.contains("%00")) {
            return Err(Failure::bad_request(
                "A query must not contain NUL characters.",
            ));
        }
        let query = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        query
            .map(|axum::extract::Query(query)| Self(query))
            .map_err(|error| Failure::bad_request(error.body_text()))
    }
}

/// Reads a text of a body; `resource` is the kind of thing that it is a field of.
pub(crate) fn field<T>(resource: &str, name: &str, text: &str) -> Result<T, Failure>
where
    T: FromStr,
    T::Err: Display,
{
    let read = text.parse();
    read.map_err(|error: T::Err| Failure::invalid(resource, name, error))
}

/// The query of an operation that takes none, where a parameter that means nothing must not be
/// passed over: a misspelt `dry_run` would delete.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoQuery {}

/// The longest body in JSON, in bytes (RELIABILITY 5), where an operation does not say otherwise.
pub(crate) const LONGEST_BODY: usize = 64 << 10;

/// The body of a request, in JSON, of at most `LONGEST` bytes. Fields that are not known are
/// ignored, as the vendor does.
pub(crate) struct Json<T, const LONGEST: usize = LONGEST_BODY>(pub(crate) T);

impl<T: DeserializeOwned, const LONGEST: usize> FromRequest<State> for Json<T, LONGEST> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &State) -> Result<Self, Failure> {
        let bytes = read(request, LONGEST).await?;
        if holds_nul(&bytes) {
            return Err(Failure::bad_request(
                "Texts must not contain NUL characters.",
            ));
        }
        from_json(&bytes).map(Self)
    }
}

/// The body of a request. Nobody has a say without signing in, so nothing is read of those.
async fn read(request: Request, longest: usize) -> Result<Bytes, Failure> {
    let is_anonymous = request
        .extensions()
        .get::<Situation>()
        .is_none_or(|situation| situation.caller().principal.is_anonymous());
    if is_anonymous {
        return Err(Failure::UNAUTHENTICATED);
    }
    let bytes = axum::body::to_bytes(request.into_body(), longest).await;
    bytes.map_err(|_| Failure::body_too_large(longest))
}

/// Whether a text in the JSON holds the one character that PostgreSQL has no place for.
fn holds_nul(json: &[u8]) -> bool {
    let is_escaped = |at: usize| {
        let before = json.get(..at).unwrap_or_default();
        let backslashes = before
            .iter()
            .rev()
            .take_while(|byte| **byte == b'\\')
            .count();
        backslashes % 2 == 1
    };
    json.windows(6)
        .enumerate()
        .any(|(at, part)| part == b"\\u0000" && !is_escaped(at))
}

/// As [`Json`], read straight from the text, so that parts of it can be kept as they came
/// ([`serde_json::value::RawValue`]).
pub(crate) struct Verbatim<T, const LONGEST: usize = LONGEST_BODY>(pub(crate) T);

impl<T: DeserializeOwned, const LONGEST: usize> FromRequest<State> for Verbatim<T, LONGEST> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &State) -> Result<Self, Failure> {
        let bytes = read(request, LONGEST).await?;
        let value = serde_json::from_slice(&bytes).map_err(|error| match error.classify() {
            Category::Data => Failure::invalid("", "", error),
            _ => Failure::bad_request("Problems parsing JSON"),
        })?;
        Ok(Self(value))
    }
}

/// Reads a body. None at all counts as an object without fields, and so does `null`, which
/// google/go-github sends for options that it was not given.
fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    let bytes = match bytes.trim_ascii() {
        b"" | b"null" => b"{}",
        _ => bytes,
    };
    let problem = || Failure::bad_request("Problems parsing JSON");
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    // Straight into the type: a tree of values would be many times as large as the text.
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let field = error.path().to_string();
        let cause = error.inner();
        match cause.classify() {
            Category::Data if !is_structure(bytes) => {
                Failure::bad_request("Body should be a JSON object")
            }
            Category::Data => Failure::invalid("", &field, cause),
            Category::Io | Category::Syntax | Category::Eof => problem(),
        }
    })?;
    reader.end().map_err(|_| problem())?;
    Ok(value)
}

fn is_structure(json: &[u8]) -> bool {
    let first = json.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'['))
}

/// Distinguishes a field that is absent from one that is `null`, in bodies that change a part of
/// something: `#[serde(default, deserialize_with = "input::given")]` on an `Option<Option<T>>`.
///
/// # Errors
/// Those of the deserializer.
#[expect(
    clippy::option_option,
    reason = "absent, null and a value are three things in a PATCH"
)]
pub(crate) fn given<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Body {
        #[serde(default)]
        name: Option<String>,
    }

    fn read(text: &str) -> Result<Body, String> {
        from_json(text.as_bytes()).map_err(|failure| format!("{failure:?}"))
    }

    #[test]
    fn a_body_without_fields_may_be_left_out() {
        assert_eq!(read("").unwrap().name, None);
        assert_eq!(read("null\n").unwrap().name, None);
        assert_eq!(read("{\"unknown\":1}").unwrap().name, None);
    }

    #[test]
    fn a_nul_is_found_however_many_backslashes_stand_before() {
        for (text, holds) in [
            (r#"{"name":"\u0000"}"#, true),
            (r#"{"name":"\\u0000"}"#, false),
            (r#"{"name":"\\\u0000"}"#, true),
            (r#"{"name":"u0000"}"#, false),
        ] {
            assert_eq!(holds_nul(text.as_bytes()), holds, "{text}");
        }
    }

    #[test]
    fn what_is_no_json_or_no_object_or_of_a_wrong_type_is_told_apart() {
        assert!(read("{").unwrap_err().contains("Problems parsing JSON"));
        assert!(
            read("7")
                .unwrap_err()
                .contains("Body should be a JSON object")
        );
        assert!(read("{\"name\":7}").unwrap_err().contains("\"name\""));
    }
}
