//! Why a request line under `/v2/` is not understood, and what to answer.

use http::StatusCode;
use thiserror::Error;

use crate::digest::DigestError;
use crate::endpoint::Endpoint;
use crate::error::{ErrorCode, ErrorInfo};
use crate::media_type::MediaTypeError;
use crate::name::NameError;
use crate::reference::{ReferenceError, TagError};
use crate::upload_id::UploadIdError;

/// A request line that is none of the specification's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// The path is of no endpoint.
    #[error("there is no such endpoint in the distribution specification")]
    NotFound,
    /// The endpoint exists, the method does not apply to it.
    #[error("this endpoint takes {allow}")]
    MethodNotAllowed {
        /// The methods that do, for the `Allow` header.
        allow: &'static str,
    },
    /// The repository name, or the one to mount from, is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A digest in path or query is none.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// A tag in path or query is none.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// The id of the upload cannot be one.
    #[error(transparent)]
    UploadId(#[from] UploadIdError),
    /// An upload is to be closed and the digest is not told.
    #[error("closing an upload needs the digest of the whole blob as ?digest=<digest>")]
    DigestMissing,
    /// More tags at once than [`Endpoint::MAX_TAGS`].
    #[error("at most {} tags can be pushed at once", Endpoint::MAX_TAGS)]
    TooManyTags,
    /// The page size is not a number.
    #[error("the page size n is a number, 0 or more")]
    PageSize,
    /// The artifact type to filter by cannot be one.
    #[error("artifactType: {0}")]
    ArtifactType(MediaTypeError),
}

impl EndpointError {
    /// The status to answer with.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::ArtifactType(_) => StatusCode::BAD_REQUEST,
            Self::TooManyTags => StatusCode::URI_TOO_LONG,
            _ => self.code().status(),
        }
    }

    /// The code to answer with.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound | Self::MethodNotAllowed { .. } | Self::ArtifactType(_) => {
                ErrorCode::Unsupported
            }
            Self::Name(_) => ErrorCode::NameInvalid,
            Self::Digest(_) | Self::DigestMissing => ErrorCode::DigestInvalid,
            Self::Tag(_) | Self::TooManyTags => ErrorCode::TagInvalid,
            Self::UploadId(_) => ErrorCode::BlobUploadUnknown,
            Self::PageSize => ErrorCode::PaginationNumberInvalid,
        }
    }

    /// The entry of the body.
    #[must_use]
    pub fn to_info(&self) -> ErrorInfo {
        match self {
            // Clients and people know these two by the registry's own words.
            Self::MethodNotAllowed { .. } => ErrorCode::Unsupported.into(),
            Self::UploadId(_) => ErrorCode::BlobUploadUnknown.into(),
            _ => ErrorInfo::new(self.code(), self.to_string()),
        }
    }
}

impl From<ReferenceError> for EndpointError {
    fn from(error: ReferenceError) -> Self {
        match error {
            ReferenceError::Tag(error) => Self::Tag(error),
            ReferenceError::Digest(error) => Self::Digest(error),
        }
    }
}
