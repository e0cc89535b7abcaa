//! [`ErrorCode`]: the specification's words for a refusal, and the JSON body that carries them.
//!
//! OCI distribution-spec, "Error Codes". Messages and statuses that the specification leaves
//! open are those of the CNCF distribution server, because people search for its texts.

use std::fmt;
use std::str::FromStr;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::text::excerpt;

/// Why a request under `/v2/` was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorCode {
    /// No such blob in the repository (code-1).
    BlobUnknown,
    /// The upload cannot go on (code-2).
    BlobUploadInvalid,
    /// No such upload in the repository (code-3).
    BlobUploadUnknown,
    /// A digest is malformed, or is not that of the content (code-4).
    DigestInvalid,
    /// A manifest needs something the repository does not have (code-5).
    ManifestBlobUnknown,
    /// The manifest is not acceptable (code-6).
    ManifestInvalid,
    /// No such manifest in the repository (code-7).
    ManifestUnknown,
    /// The repository name is outside the grammar (code-8).
    NameInvalid,
    /// No such repository (code-9).
    NameUnknown,
    /// The length told is not that of the content (code-10).
    SizeInvalid,
    /// Credentials are needed, or were not good (code-11).
    Unauthorized,
    /// The credentials are good and do not suffice (code-12).
    Denied,
    /// The registry does not do this (code-13).
    Unsupported,
    /// The client should slow down (code-14).
    TooManyRequests,
    /// The tag is outside the grammar (Docker).
    TagInvalid,
    /// A chunk does not begin where the last one ended (Docker).
    RangeInvalid,
    /// A chunk with a range is larger than is taken, in the words of the vendor.
    RequestedRangeNotSatisfiable,
    /// The page size is not a number (Docker).
    PaginationNumberInvalid,
    /// The registry is in no state to answer (Docker).
    Unavailable,
    /// Something went wrong on our side (Docker).
    Unknown,
}

impl ErrorCode {
    /// Every code, those of the specification first and in its order.
    pub const ALL: [Self; 20] = [
        Self::BlobUnknown,
        Self::BlobUploadInvalid,
        Self::BlobUploadUnknown,
        Self::DigestInvalid,
        Self::ManifestBlobUnknown,
        Self::ManifestInvalid,
        Self::ManifestUnknown,
        Self::NameInvalid,
        Self::NameUnknown,
        Self::SizeInvalid,
        Self::Unauthorized,
        Self::Denied,
        Self::Unsupported,
        Self::TooManyRequests,
        Self::TagInvalid,
        Self::RangeInvalid,
        Self::RequestedRangeNotSatisfiable,
        Self::PaginationNumberInvalid,
        Self::Unavailable,
        Self::Unknown,
    ];

    /// The identifier in the body.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BlobUnknown => "BLOB_UNKNOWN",
            Self::BlobUploadInvalid => "BLOB_UPLOAD_INVALID",
            Self::BlobUploadUnknown => "BLOB_UPLOAD_UNKNOWN",
            Self::DigestInvalid => "DIGEST_INVALID",
            Self::ManifestBlobUnknown => "MANIFEST_BLOB_UNKNOWN",
            Self::ManifestInvalid => "MANIFEST_INVALID",
            Self::ManifestUnknown => "MANIFEST_UNKNOWN",
            Self::NameInvalid => "NAME_INVALID",
            Self::NameUnknown => "NAME_UNKNOWN",
            Self::SizeInvalid => "SIZE_INVALID",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Denied => "DENIED",
            Self::Unsupported => "UNSUPPORTED",
            Self::TooManyRequests => "TOOMANYREQUESTS",
            Self::TagInvalid => "TAG_INVALID",
            Self::RangeInvalid => "RANGE_INVALID",
            Self::RequestedRangeNotSatisfiable => "REQUESTED_RANGE_NOT_SATISFIABLE",
            Self::PaginationNumberInvalid => "PAGINATION_NUMBER_INVALID",
            Self::Unavailable => "UNAVAILABLE",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// The status it is usually answered with.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::BlobUnknown
            | Self::BlobUploadUnknown
            | Self::BlobUploadInvalid
            | Self::ManifestUnknown
            | Self::NameUnknown => StatusCode::NOT_FOUND,
            Self::DigestInvalid
            | Self::ManifestBlobUnknown
            | Self::ManifestInvalid
            | Self::NameInvalid
            | Self::SizeInvalid
            | Self::TagInvalid
            | Self::PaginationNumberInvalid => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Denied => StatusCode::FORBIDDEN,
            Self::Unsupported => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::RangeInvalid | Self::RequestedRangeNotSatisfiable => {
                StatusCode::RANGE_NOT_SATISFIABLE
            }
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unknown => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The message where nothing more precise is known.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::BlobUnknown | Self::ManifestBlobUnknown => "blob unknown to registry",
            Self::BlobUploadInvalid => "blob upload invalid",
            Self::BlobUploadUnknown => "blob upload unknown to registry",
            Self::DigestInvalid => "provided digest did not match uploaded content",
            Self::ManifestInvalid => "manifest invalid",
            Self::ManifestUnknown => "manifest unknown",
            Self::NameInvalid => "invalid repository name",
            Self::NameUnknown => "repository name not known to registry",
            Self::SizeInvalid => "provided length did not match content length",
            Self::Unauthorized => "authentication required",
            Self::Denied => "requested access to the resource is denied",
            Self::Unsupported => "The operation is unsupported.",
            Self::TooManyRequests => "too many requests",
            Self::TagInvalid => "manifest tag did not match URI",
            Self::RangeInvalid => "invalid content range",
            Self::RequestedRangeNotSatisfiable => "requested range not satisfiable",
            Self::PaginationNumberInvalid => "invalid number of results requested",
            Self::Unavailable => "service unavailable",
            Self::Unknown => "unknown error",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ErrorCode {
    type Err = UnknownErrorCode;

    fn from_str(text: &str) -> Result<Self, UnknownErrorCode> {
        Self::ALL
            .into_iter()
            .find(|code| code.as_str() == text)
            .ok_or_else(|| UnknownErrorCode {
                given: excerpt(text),
            })
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::text::deserialize(deserializer)
    }
}

/// A text that is none of [`ErrorCode::ALL`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{given}\" is not an error code of the distribution specification")]
pub struct UnknownErrorCode {
    given: String,
}

/// One refusal in the body: code, message and, where it helps, a detail of any shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorInfo {
    /// What kind of refusal it is.
    pub code: ErrorCode,
    /// What to tell people; clients print it.
    #[serde(default)]
    pub message: String,
    /// More for programs, such as the digest that was missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Value>,
}

impl ErrorInfo {
    /// A refusal with a message of its own.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            detail: None,
        }
    }

    /// The same with a detail.
    #[must_use]
    pub fn with_detail(self, detail: impl Into<Value>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }
}

impl From<ErrorCode> for ErrorInfo {
    fn from(code: ErrorCode) -> Self {
        Self::new(code, code.message())
    }
}

/// The body of a refusal: `{"errors":[…]}` and a newline, to be sent as `application/json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorResponse {
    /// At least one refusal.
    pub errors: Vec<ErrorInfo>,
}

impl ErrorResponse {
    /// The bytes of the body.
    #[must_use]
    pub fn to_body(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(128);
        if serde_json::to_writer(&mut body, self).is_err() {
            // A value of strings and JSON cannot fail to print into memory.
            body.clear();
        }
        body.push(b'\n');
        body
    }
}

impl From<ErrorInfo> for ErrorResponse {
    fn from(error: ErrorInfo) -> Self {
        Self {
            errors: vec![error],
        }
    }
}

impl From<ErrorCode> for ErrorResponse {
    fn from(code: ErrorCode) -> Self {
        ErrorInfo::from(code).into()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_body_of_unauthorized_is_73_bytes() {
        let body = ErrorResponse::from(ErrorCode::Unauthorized).to_body();
        let expected =
            "{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"authentication required\"}]}\n";
        assert_eq!(std::str::from_utf8(&body).unwrap(), expected);
        assert_eq!(body.len(), 73);
    }

    #[test]
    fn a_detail_stands_after_the_message() {
        let error = ErrorInfo::from(ErrorCode::ManifestBlobUnknown).with_detail("sha256:abc");
        let body = ErrorResponse::from(error.clone()).to_body();
        assert_eq!(
            std::str::from_utf8(&body).unwrap(),
            "{\"errors\":[{\"code\":\"MANIFEST_BLOB_UNKNOWN\",\
             \"message\":\"blob unknown to registry\",\"detail\":\"sha256:abc\"}]}\n"
        );
        assert_eq!(
            serde_json::from_slice::<ErrorResponse>(&body)
                .unwrap()
                .errors,
            [error]
        );
    }

    #[test]
    fn every_code_parses_back_is_named_once_and_refuses() {
        let mut seen = HashSet::new();
        for code in ErrorCode::ALL {
            assert!(seen.insert(code.as_str()), "{code} twice");
            assert_eq!(code.to_string().parse(), Ok(code));
            assert!(
                code.as_str()
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b == b'_')
            );
            assert!(code.status().as_u16() >= 400);
            assert!(!code.message().is_empty());
        }
        assert!("unauthorized".parse::<ErrorCode>().is_err());
    }
}
