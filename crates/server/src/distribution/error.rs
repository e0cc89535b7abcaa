//! How the outcomes of use cases look to a distribution client: the codes of the specification,
//! the vendor's statuses and texts, and the challenge that leads on.
//!
//! What a caller may not know about answers like what does not exist: anonymously 401 with a
//! challenge either way, signed in 404 either way.

use http::{Method, Response, StatusCode};
use naru_model::NameError;
use naru_model::policy::{Refusal, TagRefusal};
use naru_oci::{
    BearerError, Challenge, Endpoint, EndpointError, ErrorCode, ErrorInfo, ErrorResponse,
    Unsatisfiable, headers, not_accepted,
};
use naru_registry::{BadCredential, Error};
use serde_json::json;

use super::WithHeader;
use crate::body::Body;
use crate::hosts::Arrival;
use naru_model::PackageType;

/// Why a request under `/v2/` is not answered as asked.
pub(super) enum Refused {
    /// A use case ended otherwise.
    UseCase(Error),
    /// The request line is none of the specification's.
    Endpoint(EndpointError),
    /// The name cannot be a package's at this registry.
    Name(NameError),
    /// A range beyond the blob.
    Range(Unsatisfiable),
    /// `Bearer` and nothing after it.
    TokenNotProvided,
    /// A form from a browser or `curl -F`, where the blob itself was expected.
    FormUpload,
    /// Something else about the request; the text says what was expected.
    Request(ErrorCode, String),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::UseCase(error)
    }
}

/// What an error answer depends on besides the error.
pub(super) struct Situation<'a> {
    arrival: &'a Arrival,
    method: &'a Method,
    endpoint: Option<&'a Endpoint>,
    signed_in: bool,
    ignored: Option<BadCredential>,
}

/// An answer on its way: status, entry of the body, and what leads on.
struct Shape {
    status: StatusCode,
    info: ErrorInfo,
    challenge: Option<Option<BearerError>>,
    headers: Vec<headers::Header>,
}

impl Shape {
    fn new(status: StatusCode, info: impl Into<ErrorInfo>) -> Self {
        Self {
            status,
            info: info.into(),
            challenge: None,
            headers: Vec::new(),
        }
    }

    fn code(code: ErrorCode) -> Self {
        Self::new(code.status(), code)
    }

    fn text(code: ErrorCode, text: impl Into<String>) -> Self {
        Self::new(code.status(), ErrorInfo::new(code, text))
    }

    fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    fn detail(mut self, detail: serde_json::Value) -> Self {
        self.info = self.info.with_detail(detail);
        self
    }

    fn challenge(mut self, error: Option<BearerError>) -> Self {
        self.challenge = Some(error);
        self
    }

    fn header(mut self, header: headers::Header) -> Self {
        self.headers.push(header);
        self
    }
}

impl<'a> Situation<'a> {
    pub(super) const fn new(
        arrival: &'a Arrival,
        method: &'a Method,
        endpoint: Option<&'a Endpoint>,
    ) -> Self {
        Self {
            arrival,
            method,
            endpoint,
            signed_in: false,
            ignored: None,
        }
    }

    pub(super) const fn signed_in(mut self, signed_in: bool) -> Self {
        self.signed_in = signed_in;
        self
    }

    /// A credential came and was of no use; whoever is refused is told.
    pub(super) const fn with_ignored(mut self, ignored: Option<BadCredential>) -> Self {
        self.ignored = ignored;
        self
    }

    pub(super) fn answer(&self, request_id: &str, refused: &Refused) -> Response<Body> {
        let shape = match refused {
            Refused::UseCase(error) => self.use_case(request_id, error),
            Refused::Endpoint(error) => self.endpoint_error(error),
            Refused::Name(_) if !self.signed_in => self.who_are_you(),
            Refused::Name(error) => Shape::text(ErrorCode::NameInvalid, error.to_string()),
            Refused::Range(range) => {
                Shape::code(ErrorCode::RangeInvalid).header(headers::unsatisfiable(range))
            }
            Refused::TokenNotProvided => {
                Shape::text(ErrorCode::Unauthorized, "authentication token not provided")
                    .challenge(None)
            }
            Refused::Request(code, text) => Shape::text(*code, text.as_str()),
            Refused::FormUpload => Shape::text(
                ErrorCode::BlobUploadInvalid,
                "the body is the blob itself, as application/octet-stream",
            )
            .status(StatusCode::UNSUPPORTED_MEDIA_TYPE),
        };
        self.render(shape)
    }

    fn render(&self, shape: Shape) -> Response<Body> {
        let body = ErrorResponse::from(shape.info).to_body();
        let mut response = super::json(shape.status, body);
        for header in shape.headers {
            response = response.with(header);
        }
        match shape.challenge {
            Some(error) => response.with(self.challenge_header(error)),
            None => response,
        }
    }

    fn challenge_header(&self, error: Option<BearerError>) -> headers::Header {
        match self.arrival.registry {
            PackageType::Docker => headers::www_authenticate(&Challenge::Basic {
                realm: "GitHub Package Registry",
            }),
            PackageType::Container => {
                let realm = format!("{}/token", self.arrival.origin());
                let scopes = self.endpoint.map(|endpoint| endpoint.scopes(self.method));
                headers::www_authenticate(&Challenge::Bearer {
                    realm: &realm,
                    service: &self.arrival.host,
                    scopes: &scopes.unwrap_or_default(),
                    error,
                })
            }
        }
    }

    fn who_are_you(&self) -> Shape {
        let shape = match self.arrival.registry {
            PackageType::Container => Shape::code(ErrorCode::Unauthorized),
            PackageType::Docker => Shape::text(
                ErrorCode::Unauthorized,
                "The request could not be authenticated by the GitHub Packages service. Check \
                 that the token is valid and has the scopes it needs.",
            ),
        };
        match self.ignored {
            Some(bad) => shape
                .detail(json!({ "reason": bad.to_string() }))
                .challenge(Some(BearerError::InvalidToken)),
            None => shape.challenge(None),
        }
    }

    fn endpoint_error(&self, error: &EndpointError) -> Shape {
        if !self.signed_in && matches!(error, EndpointError::NotFound) {
            return self.who_are_you();
        }
        let shape = Shape::new(error.status(), error.to_info());
        match error {
            EndpointError::MethodNotAllowed { allow } => shape.header(headers::allow(allow)),
            _ => shape,
        }
    }

    /// Every outcome, named: a new one cannot be forgotten.
    fn use_case(&self, request_id: &str, error: &Error) -> Shape {
        match error {
            Error::Refused(refusal) => self.refusal(refusal),
            Error::BadCredential(bad) => self.bad_credential(*bad),
            Error::AccountUnknown(_) | Error::NotFound { .. } if !self.signed_in => {
                self.who_are_you()
            }
            Error::AccountUnknown(_) | Error::NotFound { .. } => self.unknown(),
            Error::ManifestUnknown { .. } => Shape::code(ErrorCode::ManifestUnknown),
            Error::NotAcceptable { media_type } => {
                let known = media_type.parse().map(|found| not_accepted(&found));
                Shape::text(
                    ErrorCode::ManifestUnknown,
                    known.unwrap_or_else(|_| error.to_string()),
                )
            }
            Error::BlobUnknown(digest) => {
                Shape::code(ErrorCode::BlobUnknown).detail(json!({ "digest": digest.as_str() }))
            }
            Error::UploadUnknown => Shape::code(ErrorCode::BlobUploadUnknown),
            Error::ManifestBlobUnknown(digests) => {
                let digests: Vec<&str> = digests.iter().map(naru_oci::Digest::as_str).collect();
                Shape::code(ErrorCode::ManifestBlobUnknown).detail(json!({ "digests": digests }))
            }
            Error::ManifestInvalid(cause) => {
                Shape::text(ErrorCode::ManifestInvalid, cause.to_string())
            }
            Error::DigestMismatch { expected, actual } => Shape::code(ErrorCode::DigestInvalid)
                .detail(json!({ "expected": expected.as_str(), "actual": actual })),
            Error::SizeInvalid { .. } => Shape::text(ErrorCode::SizeInvalid, error.to_string()),
            Error::RangeInvalid { offset } => {
                Shape::text(ErrorCode::RangeInvalid, error.to_string())
                    .header(headers::upload_range(*offset))
            }
            Error::InvalidField { message, .. } => {
                Shape::text(ErrorCode::ManifestInvalid, message.as_str())
            }
            Error::Invalid(text) => Shape::text(ErrorCode::ManifestInvalid, text.as_str()),
            Error::NameShape(_) => Shape::text(ErrorCode::NameInvalid, error.to_string()),
            Error::StillNeeded { by, .. } | Error::NeededDeleteRefused { by, .. } => {
                Shape::text(ErrorCode::Denied, error.to_string())
                    .status(StatusCode::CONFLICT)
                    .detail(json!({ "needed_by": by.as_str() }))
            }
            Error::TagProtected(refusal) => protected(refusal),
            Error::Exists { .. } | Error::Conflict(_) | Error::Undeletable(_) => {
                Shape::text(ErrorCode::Denied, error.to_string()).status(StatusCode::CONFLICT)
            }
            Error::TooLarge { what, limit } => self.too_large(what, *limit),
            Error::QuotaExceeded(exceeded) => Shape::text(ErrorCode::Denied, exceeded.to_string())
                .detail(json!({ "used": exceeded.used, "limit": exceeded.limit })),
            Error::TooMany { retry_after } => Shape::code(ErrorCode::TooManyRequests)
                .header(headers::retry_after(retry_after.as_secs().max(1))),
            Error::Unsupported => Shape::code(ErrorCode::Unsupported),
            Error::ClientGone => Shape::text(ErrorCode::BlobUploadInvalid, error.to_string())
                .status(StatusCode::REQUEST_TIMEOUT),
            Error::NoSpace => {
                Shape::text(ErrorCode::Unavailable, "no space is left on the registry")
                    .status(StatusCode::INSUFFICIENT_STORAGE)
            }
            Error::Unavailable(cause) => {
                tracing::warn!(request_id, cause, "temporarily unavailable");
                Shape::code(ErrorCode::Unavailable).header(headers::retry_after(1))
            }
            Error::Internal(cause) => {
                tracing::error!(request_id, cause, "a request failed");
                Shape::code(ErrorCode::Unknown).detail(json!({ "request_id": request_id }))
            }
        }
    }

    fn too_large(&self, what: &str, limit: u64) -> Shape {
        let code = match self.endpoint {
            Some(Endpoint::Manifest { .. }) => ErrorCode::ManifestInvalid,
            _ => ErrorCode::SizeInvalid,
        };
        Shape::text(
            code,
            format!("{what} is larger than the {limit} bytes that this registry takes"),
        )
        .status(StatusCode::PAYLOAD_TOO_LARGE)
    }

    fn refusal(&self, refusal: &Refusal) -> Shape {
        match refusal {
            Refusal::Unauthenticated => self.who_are_you(),
            Refusal::Unknown => self.unknown(),
            Refusal::TokenTooNarrow { .. } => {
                Shape::text(ErrorCode::Unauthorized, refusal.message())
                    .challenge(Some(BearerError::InsufficientScope))
            }
            Refusal::Scope { .. }
            | Refusal::Role { .. }
            | Refusal::Installation { .. }
            | Refusal::InstallationGone
            | Refusal::Suspended => Shape::text(ErrorCode::Denied, refusal.message())
                .detail(json!({ "reason": refusal.explanation() })),
        }
    }

    /// What is not there, to somebody who has signed in.
    fn unknown(&self) -> Shape {
        match self.endpoint {
            Some(Endpoint::Manifest { .. }) => Shape::code(ErrorCode::ManifestUnknown),
            Some(Endpoint::Blob { .. }) => Shape::code(ErrorCode::BlobUnknown),
            _ => Shape::code(ErrorCode::NameUnknown),
        }
    }

    /// A credential that came and cannot be used: the vendor's text, and why.
    fn bad_credential(&self, bad: BadCredential) -> Shape {
        let text = "unauthenticated: User cannot be authenticated with the token provided.";
        Shape::text(ErrorCode::Unauthorized, text)
            .detail(json!({ "reason": reason(bad, self.arrival) }))
            .challenge(Some(BearerError::InvalidToken))
    }
}

/// A tag rule stands against it: a conflict with what is there if nobody may, whoever asks.
fn protected(refusal: &TagRefusal) -> Shape {
    let shape = Shape::text(ErrorCode::Denied, refusal.to_string());
    let shape = shape.detail(json!({ "tag": refusal.tag, "reason": refusal.to_string() }));
    if refusal.is_final() {
        shape.status(StatusCode::CONFLICT)
    } else {
        shape
    }
}

/// Why a credential is of no use, and how to be rid of it: people forget what docker has stored,
/// and wonder why even what is public cannot be pulled.
pub(super) fn reason(bad: BadCredential, arrival: &Arrival) -> String {
    format!(
        "{bad}; `docker logout {}` removes a stored login",
        arrival.host
    )
}
