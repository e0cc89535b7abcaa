//! Why a document is not taken as a manifest.

use http::StatusCode;
use thiserror::Error;

use crate::error::{ErrorCode, ErrorInfo};
use crate::manifest::{Manifest, ManifestKind};

/// What was wrong with a manifest, and what was expected; answered as `MANIFEST_INVALID`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ManifestError {
    /// It has more than [`Manifest::MAX_BYTES`]; answered with 413.
    #[error(
        "a manifest has at most {} bytes, this one has {size}",
        Manifest::MAX_BYTES
    )]
    TooLarge {
        /// Its size in bytes.
        size: usize,
    },
    /// It is not JSON, or a field is not of the form expected; says where.
    #[error("{0}")]
    Json(String),
    /// Objects and lists are nested deeper than [`Manifest::MAX_DEPTH`].
    #[error("a manifest is nested at most {} deep", Manifest::MAX_DEPTH)]
    TooDeep,
    /// It has more descriptors than [`Manifest::MAX_DESCRIPTORS`].
    #[error("a manifest has at most {} descriptors", Manifest::MAX_DESCRIPTORS)]
    TooManyDescriptors,
    /// A key stands twice in one object: programs differ in which one they read.
    #[error("the key \"{key}\" stands twice in one object")]
    DuplicateKey {
        /// The key, shortened.
        key: String,
    },
    /// A key differs from a known one only in case: some programs read it as that one.
    #[error("the key \"{given}\" is to be written \"{expected}\"")]
    KeyCase {
        /// The key, shortened.
        given: String,
        /// How the specification writes it.
        expected: &'static str,
    },
    /// It is of Docker's schema 1.
    #[error("schema 1 manifests are not supported: push a schema 2 or OCI manifest")]
    Schema1,
    /// `schemaVersion` is not 2.
    #[error("schemaVersion is 2, not {}", found.map_or("absent".to_owned(), |v| v.to_string()))]
    SchemaVersion {
        /// What it is.
        found: Option<u64>,
    },
    /// The type is of no manifest.
    #[error(
        "\"{given}\" is not the type of a manifest: expected an OCI image manifest or index, or \
         a Docker schema 2 manifest or list"
    )]
    UnsupportedType {
        /// The type, shortened.
        given: String,
    },
    /// Header and document tell two types.
    #[error("Content-Type is \"{content_type}\", but mediaType is \"{media_type}\"")]
    TypesDiffer {
        /// The type in the header, shortened.
        content_type: String,
        /// The type in the document, shortened.
        media_type: String,
    },
    /// Neither header nor document tells a type, nor do the fields.
    #[error("a manifest has a mediaType, or config and layers, or manifests")]
    NoType,
    /// It has a field of another kind, so that programs could read two different things.
    #[error("an {kind} has no \"{field}\"")]
    Ambiguous {
        /// What it is.
        kind: ManifestKind,
        /// What it should not have.
        field: &'static str,
    },
    /// An image without a configuration.
    #[error("an image manifest has a \"config\"")]
    NoConfig,
    /// Embedded data is not the content its descriptor names.
    #[error("{place}.data does not match its digest and size")]
    Data {
        /// The descriptor, such as `layers[0]`.
        place: String,
    },
    /// A layer is to be fetched from something that is not a plain web address.
    #[error("{place}.urls: a foreign layer is at an http or https URL without user or fragment")]
    ForeignUrl {
        /// The descriptor, such as `layers[0]`.
        place: String,
    },
}

impl ManifestError {
    /// The code to answer with.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        ErrorCode::ManifestInvalid
    }

    /// The status to answer with.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            _ => self.code().status(),
        }
    }

    /// The entry of the body.
    #[must_use]
    pub fn to_info(&self) -> ErrorInfo {
        ErrorInfo::new(self.code(), format!("manifest invalid: {self}"))
    }
}
