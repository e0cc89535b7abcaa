//! How the outcomes of use cases look in REST: the vendor's shape, statuses and sentences
//! (contract D9).
//!
//! What a caller may not know about answers like what does not exist: 404, byte for byte.

use std::fmt::Display;

use axum::response::IntoResponse;
use http::StatusCode;
use http::header::{HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use naru_model::policy::Refusal;
use naru_model::{Permission, Principal, Scope};
use naru_registry::Error;
use serde::Serialize;
use utoipa::ToSchema;

use super::operation::Operation;
use crate::hosts::Arrival;

/// Where the page about the API tells of secondary rate limits; go-github looks for this end.
pub(super) const SECONDARY_RATE_LIMITS: &str = "secondary-rate-limits";

/// Why an operation is not answered as asked.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    message: Message,
    errors: Vec<FieldError>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Where on the page about the API it is explained, unless the operation explains it.
    anchor: Option<&'static str>,
}

#[derive(Clone, Debug)]
enum Message {
    Is(&'static str),
    Text(String),
    /// "You need at least … scope to …": the end is the operation's.
    NeedsScope(Scope),
}

/// A fault in one field of what was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// The kind of thing, such as `Package`.
    #[serde(skip_serializing_if = "String::is_empty")]
    resource: String,
    /// The field.
    field: String,
    /// `missing`, `missing_field`, `invalid`, `already_exists`, `unprocessable` or `custom`.
    code: &'static str,
    /// What was expected.
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
}

impl FieldError {
    fn new(resource: &str, field: &str, code: &'static str, message: &str) -> Self {
        Self {
            resource: resource.to_owned(),
            field: field.to_owned(),
            code,
            message: message.to_owned(),
        }
    }

    /// A value that the field cannot have.
    pub(crate) fn invalid(resource: &str, field: &str, message: &str) -> Self {
        Self::new(resource, field, "invalid", message)
    }

    /// A field that must be there.
    pub(crate) fn missing(resource: &str, field: &str) -> Self {
        Self::new(resource, field, "missing_field", "")
    }

    /// A value that something else has.
    pub(crate) fn exists(resource: &str, field: &str, message: &str) -> Self {
        Self::new(resource, field, "already_exists", message)
    }

    /// Anything else; the message says what.
    pub(crate) fn custom(resource: &str, field: &str, message: &str) -> Self {
        Self::new(resource, field, "custom", message)
    }
}

/// The body of an error.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BasicError)]
pub(crate) struct ErrorBody {
    /// What was wrong, and what would help.
    message: String,
    /// The faults of single fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// Where the operation is described.
    documentation_url: String,
    /// The status of the answer, as text.
    status: String,
}

impl Failure {
    /// There is no such thing, or the caller may not know about it.
    pub(crate) const NOT_FOUND: Self = Self::is(StatusCode::NOT_FOUND, "Not Found");
    /// Nobody has signed in.
    pub(crate) const UNAUTHENTICATED: Self =
        Self::is(StatusCode::UNAUTHORIZED, "Requires authentication");

    const fn is(status: StatusCode, message: &'static str) -> Self {
        Self {
            status,
            message: Message::Is(message),
            errors: Vec::new(),
            headers: Vec::new(),
            anchor: None,
        }
    }

    /// Any status with a text of its own.
    pub(crate) fn text(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: Message::Text(message.into()),
            errors: Vec::new(),
            headers: Vec::new(),
            anchor: None,
        }
    }

    /// 400: what was sent cannot be understood, or cannot be done as asked.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::text(StatusCode::BAD_REQUEST, message)
    }

    /// 403 with a text of its own.
    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::text(StatusCode::FORBIDDEN, message)
    }

    /// 422: fields that were understood and cannot be taken.
    pub(crate) fn validation(errors: Vec<FieldError>) -> Self {
        Self {
            errors,
            ..Self::is(StatusCode::UNPROCESSABLE_ENTITY, "Validation Failed")
        }
    }

    /// 301 or 307: what is asked for has another address now.
    pub(crate) fn moved(is_read: bool, to: &str) -> Self {
        let failure = if is_read {
            Self::is(StatusCode::MOVED_PERMANENTLY, "Moved Permanently")
        } else {
            Self::is(StatusCode::TEMPORARY_REDIRECT, "Temporary Redirect")
        };
        match HeaderValue::from_str(to) {
            Ok(to) => failure.with(LOCATION, to),
            Err(_) => Self::NOT_FOUND,
        }
    }

    /// 422: a value that a field cannot have.
    pub(crate) fn invalid(resource: &str, field: &str, message: impl Display) -> Self {
        let error = FieldError::invalid(resource, field, &message.to_string());
        Self::validation(vec![error])
    }

    /// 422: a field that must be there.
    pub(crate) fn missing(resource: &str, field: &str) -> Self {
        Self::validation(vec![FieldError::missing(resource, field)])
    }

    /// 400: a parameter that cannot be understood.
    pub(crate) fn bad_argument(error: impl Display) -> Self {
        Self::bad_request(format!("Invalid argument: {error}."))
    }

    /// 409: it stands against the state of things.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::text(StatusCode::CONFLICT, message)
    }

    /// 413: more bytes than a body may have.
    pub(super) fn body_too_large(limit: usize) -> Self {
        Self::text(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("The body is longer than {limit} bytes, or broke off."),
        )
    }

    /// 403: the hour is used up.
    pub(super) fn rate_limited(principal: &Principal, arrival: &Arrival) -> Self {
        let message = match (principal, arrival.client) {
            (Principal::User { user, .. }, _) => {
                format!("API rate limit exceeded for user ID {user}.")
            }
            (Principal::Workflow { repository, .. }, _) => {
                format!("API rate limit exceeded for installation ID {repository}.")
            }
            (_, Some(address)) => format!(
                "API rate limit exceeded for {address}. (But here's the good news: Authenticated \
                 requests get a higher rate limit. Check out the documentation for more details.)"
            ),
            (_, None) => "API rate limit exceeded.".to_owned(),
        };
        Self::forbidden(message)
    }

    /// 403: too much at once, or too many changes in a minute. Clients know it by the first
    /// sentence, or by the end of the documentation's address.
    pub(super) fn secondary_limit(retry_after: u64) -> Self {
        Self {
            anchor: Some(SECONDARY_RATE_LIMITS),
            ..Self::is(
                StatusCode::FORBIDDEN,
                "You have exceeded a secondary rate limit. Please wait a while before you try \
                 again.",
            )
        }
        .with(RETRY_AFTER, HeaderValue::from(retry_after.max(1)))
    }

    /// The same with a header.
    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The status of the answer.
    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers that only this failure has.
    pub(super) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    /// Where on the page about the API the failure is explained.
    pub(super) fn anchor(&self, operation: Option<&Operation>) -> Option<&'static str> {
        self.anchor.or(operation.map(|operation| operation.id))
    }

    /// The body, for an operation whose documentation is at `documentation`.
    pub(super) fn body(&self, operation: Option<&Operation>, documentation: String) -> ErrorBody {
        let message = match &self.message {
            Message::Is(text) => (*text).to_owned(),
            Message::Text(text) => text.clone(),
            Message::NeedsScope(scope) => {
                let deed = operation.map_or("do this", |operation| operation.deed);
                format!("You need at least {scope} scope to {deed}.")
            }
        };
        ErrorBody {
            message,
            errors: self.errors.clone(),
            documentation_url: documentation,
            status: self.status.as_u16().to_string(),
        }
    }
}

/// The failure as the router passes it on; whoever finishes the answer makes its body.
pub(super) fn into_response(failure: Failure) -> axum::response::Response {
    failure.into_response()
}

impl IntoResponse for Failure {
    fn into_response(self) -> axum::response::Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Refused(refusal) => refused(&refusal),
            Error::BadCredential(_) => Self::is(StatusCode::UNAUTHORIZED, "Bad credentials"),
            Error::AccountUnknown(_)
            | Error::NotFound { .. }
            | Error::ManifestUnknown { .. }
            | Error::BlobUnknown(_)
            | Error::UploadUnknown
            | Error::NotAcceptable { .. }
            | Error::NameShape(_) => Self::NOT_FOUND,
            Error::ManifestBlobUnknown(_)
            | Error::ManifestInvalid(_)
            | Error::DigestMismatch { .. }
            | Error::SizeInvalid { .. }
            | Error::RangeInvalid { .. } => Self::bad_request(text),
            Error::Invalid(_) => Self::validation(vec![FieldError::custom("", "", &text)]),
            Error::Undeletable(_) => Self::bad_request(text),
            Error::NeededDeleteRefused { .. } => {
                Self::validation(vec![FieldError::custom("PackageVersion", "needed", &text)])
            }
            Error::InvalidField { field, .. } => {
                Self::validation(vec![FieldError::custom("", field, &text)])
            }
            Error::StillNeeded { .. } => Self::text(StatusCode::CONFLICT, text),
            Error::TagProtected(refusal) if refusal.is_final() => {
                Self::text(StatusCode::CONFLICT, text)
            }
            Error::TagProtected(_) => Self::forbidden(text),
            Error::Exists { what, .. } => {
                Self::validation(vec![FieldError::exists(what, "name", &text)])
            }
            Error::Conflict(_) => Self::validation(vec![FieldError::custom("", "", &text)]),
            Error::TooLarge { .. } => Self::text(StatusCode::PAYLOAD_TOO_LARGE, text),
            Error::QuotaExceeded(_) => Self::forbidden(text),
            Error::TooMany { retry_after } => Self::secondary_limit(retry_after.as_secs()),
            Error::Unsupported => Self::text(StatusCode::METHOD_NOT_ALLOWED, text),
            Error::ClientGone => Self::bad_request(text),
            Error::NoSpace => Self::text(StatusCode::INSUFFICIENT_STORAGE, "No space is left."),
            Error::Unavailable(_) => unavailable(&text),
            Error::Internal(_) => internal(&text),
        }
    }
}

fn unavailable(cause: &str) -> Failure {
    tracing::warn!(cause, "REST is unavailable");
    Failure::text(
        StatusCode::SERVICE_UNAVAILABLE,
        "Temporarily unavailable; please try again.",
    )
    .with(RETRY_AFTER, HeaderValue::from_static("5"))
}

/// The cause is told to the log alone; whoever finishes the answer adds the request's id.
fn internal(cause: &str) -> Failure {
    tracing::error!(cause, "an operation failed");
    Failure::is(StatusCode::INTERNAL_SERVER_ERROR, "Server Error")
}

/// The four kinds of refusal.
fn refused(refusal: &Refusal) -> Failure {
    match refusal {
        Refusal::Unauthenticated => Failure::UNAUTHENTICATED,
        Refusal::Unknown => Failure::NOT_FOUND,
        Refusal::Suspended => Failure::forbidden(refusal.message()),
        Refusal::InstallationGone | Refusal::Installation { .. } => {
            Failure::forbidden("Resource not accessible by integration")
        }
        Refusal::Scope { missing, .. } => Failure {
            message: Message::NeedsScope(*missing),
            ..Failure::is(StatusCode::FORBIDDEN, "")
        },
        Refusal::TokenTooNarrow { .. } => Failure::is(StatusCode::UNAUTHORIZED, "Bad credentials"),
        Refusal::Role { missing, .. } => Failure::forbidden(sentence(*missing, refusal)),
    }
}

/// What is missing and what would help; where the vendor has a sentence of its own, it comes first.
fn sentence(missing: Permission, refusal: &Refusal) -> String {
    let explanation = refusal.explanation();
    match missing {
        Permission::AdminRepository | Permission::DeleteRepository => {
            format!("Must have admin rights to Repository. ({explanation})")
        }
        Permission::WriteRepository => {
            format!("Must have push access to the repository. ({explanation})")
        }
        Permission::AdminTeam => {
            format!("Must be a maintainer of the team. ({explanation})")
        }
        Permission::AdminAccount => {
            format!("Must be an owner of the organization. ({explanation})")
        }
        _ => format!("Not allowed: {explanation}."),
    }
}
