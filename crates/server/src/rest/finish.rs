//! What all answers have in common: errors get their body, lists an entity tag, and every answer
//! the headers that the vendor's clients look at (contract D9).

use std::sync::Arc;

use axum::body::to_bytes;
use axum::response::IntoResponse;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LINK, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use naru_model::{Moment, Principal, Scope, Scopes};
use naru_registry::{Caller, Error};
use serde::Serialize;
use twox_hash::XxHash3_128;

use super::error::Failure;
use super::operation::Operation;
use super::rate::Standing;
use crate::body::Body;
use crate::hosts::Arrival;

/// The versions of the API that can be asked for with `X-GitHub-Api-Version`, the one that is meant
/// without first.
pub(crate) const VERSIONS: [&str; 2] = ["2022-11-28", "2026-03-10"];

/// Whose behaviour is followed, in GitHub Enterprise Server's numbering.
pub(crate) const ENTERPRISE_VERSION: &str = "3.20.0";

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// What a handler answers.
pub(crate) type Outcome = Result<Answer, Failure>;

/// A good answer.
pub(crate) struct Answer(axum::response::Response);

impl Answer {
    /// A body in JSON.
    ///
    /// # Errors
    /// Only for a view that JSON has no form for, which is a defect.
    pub(crate) fn json(status: StatusCode, view: &impl Serialize) -> Outcome {
        let body = serde_json::to_vec(view).map_err(|error| Error::Internal(error.to_string()))?;
        let mut response = (status, body).into_response();
        response.headers_mut().insert(CONTENT_TYPE, JSON);
        Ok(Self(response))
    }

    /// A body that is text of its own.
    pub(crate) fn text(media_type: &'static str, body: String) -> Self {
        let mut response = (StatusCode::OK, body).into_response();
        let media_type = HeaderValue::from_static(media_type);
        response.headers_mut().insert(CONTENT_TYPE, media_type);
        Self(response)
    }

    /// 204, or another status without a body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self(status.into_response())
    }

    /// The same with a header; text that cannot stand in one is left out.
    #[must_use]
    pub(crate) fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.headers_mut().append(name, value);
        }
        self
    }

    /// The same with the header that leads to other pages.
    #[must_use]
    pub(crate) fn linked(self, link: Option<String>) -> Self {
        match link {
            Some(link) => self.with(LINK, &link),
            None => self,
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> axum::response::Response {
        self.0
    }
}

/// What the end of an answer depends on.
pub(super) struct Finish {
    method: Method,
    none_match: Option<String>,
    version: Option<String>,
    scopes: Option<Scopes>,
    standing: Option<Standing>,
    expiry: Option<Moment>,
    documentation: String,
    request_id: String,
}

impl Finish {
    pub(super) fn new(
        method: &Method,
        headers: &HeaderMap,
        arrival: &Arrival,
        request_id: &str,
    ) -> Self {
        let text = |name: HeaderName| {
            let value = headers.get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        Self {
            method: method.clone(),
            none_match: text(IF_NONE_MATCH),
            version: text(HeaderName::from_static("x-github-api-version")),
            scopes: None,
            standing: None,
            expiry: None,
            documentation: format!("{}/docs/rest", arrival.web_origin()),
            request_id: request_id.to_owned(),
        }
    }

    /// From now on it is known who calls.
    pub(super) fn for_caller(&mut self, caller: &Caller) {
        self.scopes = match &caller.principal {
            Principal::User { credential, .. } => credential.scopes,
            _ => None,
        };
    }

    /// From now on it is known when the caller's token stops working.
    pub(super) const fn expires(&mut self, at: Option<Moment>) {
        self.expiry = at;
    }

    /// From now on it is known how the caller stands.
    pub(super) const fn rate(&mut self, standing: Option<Standing>) {
        self.standing = standing;
    }

    /// A version of the API that nobody knows is refused.
    pub(super) fn check_version(&self) -> Result<(), Failure> {
        match &self.version {
            Some(version) if !VERSIONS.contains(&version.as_str()) => {
                Err(Failure::bad_request(format!(
                    "`{}` is no version of this API; X-GitHub-Api-Version is one of {}.",
                    version.escape_default(),
                    VERSIONS.join(", ")
                )))
            }
            _ => Ok(()),
        }
    }

    /// The answer to what failed before an operation was found.
    pub(super) fn failure(&self, failure: &Failure) -> Response<Body> {
        self.render(failure, None)
    }

    /// Whether the client named what it has, instead of asking whether there is anything.
    pub(super) fn names_entity_tags(&self) -> bool {
        self.none_match
            .as_deref()
            .is_some_and(|list| list.trim() != "*")
    }

    /// The end of whatever the router answered.
    pub(super) async fn finish(&self, response: axum::response::Response) -> Response<Body> {
        let (parts, body) = response.into_parts();
        let operation = parts.extensions.get::<Arc<Operation>>().map(Arc::as_ref);
        if let Some(failure) = parts.extensions.get::<Failure>() {
            return self.render(failure, operation);
        }
        let Ok(body) = to_bytes(body, usize::MAX).await else {
            let lost = Error::Internal("an answer lost its body".to_owned());
            return self.render(&lost.into(), operation);
        };
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = parts.status;
        *answer.headers_mut() = parts.headers;
        self.conditional(&mut answer, body);
        self.dress(&mut answer, operation);
        answer
    }

    /// Gives what was read an entity tag, and leaves out what the client has already.
    fn conditional(&self, answer: &mut Response<Body>, body: Bytes) {
        let is_read = matches!(self.method, Method::GET | Method::HEAD);
        if !is_read || answer.status() != StatusCode::OK {
            *answer.body_mut() = body.into();
            return;
        }
        // It tells answers apart and vouches for nothing: a hash that cannot be forged is not needed.
        let tag = format!("W/\"{:032x}\"", XxHash3_128::oneshot(&body));
        let has_it = self
            .none_match
            .as_deref()
            .is_some_and(|known| matches(known, &tag));
        if let Ok(value) = HeaderValue::from_str(&tag) {
            answer.headers_mut().insert(ETAG, value);
        }
        if has_it {
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
            answer.headers_mut().remove(CONTENT_TYPE);
            answer.headers_mut().remove(CONTENT_LENGTH);
        } else {
            *answer.body_mut() = body.into();
        }
    }

    fn render(&self, failure: &Failure, operation: Option<&Operation>) -> Response<Body> {
        let documentation = match failure.anchor(operation) {
            Some(anchor) => format!("{}#{anchor}", self.documentation),
            None => self.documentation.clone(),
        };
        let body = failure.body(operation, documentation);
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut answer = Response::new(Body::from(body));
        *answer.status_mut() = failure.status();
        answer.headers_mut().insert(CONTENT_TYPE, JSON);
        for (name, value) in failure.headers() {
            answer.headers_mut().insert(name.clone(), value.clone());
        }
        if failure.status() == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(request_id = self.request_id, "answered 500");
        }
        self.dress(&mut answer, operation);
        answer
    }

    fn dress(&self, answer: &mut Response<Body>, operation: Option<&Operation>) {
        let headers = answer.headers_mut();
        let mut put = |name: &'static str, value: String| {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        if let Some(scopes) = &self.scopes {
            put("x-oauth-scopes", scopes.to_string());
            let accepted = operation.map_or(&[] as &[Scope], |operation| operation.scopes);
            let accepted: Vec<&str> = accepted.iter().map(|scope| scope.as_str()).collect();
            put("x-accepted-oauth-scopes", accepted.join(", "));
        }
        if let Some(standing) = self.standing {
            put("x-ratelimit-limit", standing.limit.to_string());
            put("x-ratelimit-used", standing.used_with_this().to_string());
            put("x-ratelimit-remaining", standing.remaining().to_string());
            put("x-ratelimit-reset", standing.reset.as_seconds().to_string());
            put("x-ratelimit-resource", "core".to_owned());
        }
        if let Some(expiry) = self.expiry {
            let text = expiry.timestamp().strftime("%Y-%m-%d %H:%M:%S UTC");
            put("github-authentication-token-expiration", text.to_string());
        }
        let version = self.version.as_deref().unwrap_or(VERSIONS[0]);
        put("x-github-api-version-selected", version.to_owned());
        put("x-github-media-type", "github.v3; format=json".to_owned());
        put("x-github-enterprise-version", ENTERPRISE_VERSION.to_owned());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        headers.insert(VARY, HeaderValue::from_static("Accept, Authorization"));
    }
}

/// Whether a list of entity tags names this one (RFC 9110, section 13.1.2: weak comparison).
fn matches(list: &str, tag: &str) -> bool {
    let plain = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    list.trim() == "*" || list.split(',').any(|known| plain(known) == plain(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entity_tags_are_compared_weakly() {
        for (list, same) in [
            ("W/\"abc\"", true),
            ("\"abc\"", true),
            ("\"x\", W/\"abc\"", true),
            ("*", true),
            ("\"ab\"", false),
            ("", false),
        ] {
            assert_eq!(matches(list, "W/\"abc\""), same, "{list}");
        }
    }
}
