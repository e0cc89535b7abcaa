//! How a use case can end otherwise, in the language of the domain. Each face has one `match` over
//! this type, without a catch-all, so that a new outcome cannot be forgotten.

use std::time::Duration;

use naru_model::policy::TagRefusal;
use naru_model::{PackageType, Refusal};
use naru_oci::{Digest, ManifestError};

use crate::quotas::QuotaExceeded;

/// The outcome of a use case.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that a use case may answer instead of its result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The policy said no; the refusal knows why and what would help.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// The credential itself is of no use: unknown, expired, revoked, or of a suspended account.
    #[error("the credential cannot be used: {0}")]
    BadCredential(BadCredential),

    /// There is no such account.
    #[error("there is no account `{0}`")]
    AccountUnknown(String),
    /// There is no such thing of the kind named first.
    #[error("there is no {what} `{name}`")]
    NotFound {
        /// The kind of thing, in the words of the documentation.
        what: &'static str,
        /// What was asked for.
        name: String,
    },
    /// The package has no such manifest.
    #[error("manifest unknown: {reference}")]
    ManifestUnknown {
        /// The tag or digest that was asked for.
        reference: String,
    },
    /// The manifest exists, but not in a type that the client accepts (contract C3).
    #[error("{media_type} found, but the Accept header does not support it")]
    NotAcceptable {
        /// The type that is stored.
        media_type: String,
    },
    /// The package has no such blob.
    #[error("blob unknown to registry: {0}")]
    BlobUnknown(Digest),
    /// There is no such upload, or it is somebody else's.
    #[error("blob upload unknown to registry")]
    UploadUnknown,
    /// A manifest names what the package lacks.
    #[error("the manifest names content that is unknown here: {}", list(.0))]
    ManifestBlobUnknown(Vec<Digest>),

    /// The bytes are not a manifest, or not of the type they were sent as.
    #[error("{0}")]
    ManifestInvalid(#[from] ManifestError),
    /// The bytes have another digest than was said.
    #[error("the content has the digest {actual}, expected {expected}")]
    DigestMismatch {
        /// What the client said.
        expected: Digest,
        /// What the bytes have; `None` when nothing was received.
        actual: String,
    },
    /// The length differs from what was said.
    #[error("{what} has {actual} bytes, expected {expected}")]
    SizeInvalid {
        /// What was measured.
        what: String,
        /// What was said.
        expected: u64,
        /// What is so.
        actual: u64,
    },
    /// A chunk does not begin where the upload stands.
    #[error("the upload stands at {offset}; the next chunk must begin there")]
    RangeInvalid {
        /// How many bytes are durable.
        offset: u64,
    },
    /// A field of what was sent cannot be taken.
    #[error("{message}")]
    InvalidField {
        /// Which field, by its name in REST.
        field: &'static str,
        /// What was expected.
        message: String,
    },
    /// What was sent cannot be understood; the text says what was expected.
    #[error("{0}")]
    Invalid(String),

    /// It cannot be deleted, whoever asks for it; the text says why (contract D6).
    #[error("{0}")]
    Undeletable(String),
    /// A live manifest still needs this.
    #[error("{digest} is still needed by {by}")]
    StillNeeded {
        /// What was to go.
        digest: Digest,
        /// What needs it.
        by: Digest,
    },
    /// A live manifest still needs this, and its organization refuses such deletes.
    #[error("{digest} is still needed by {by}, and the organization refuses such deletes")]
    NeededDeleteRefused {
        /// What was to go.
        digest: Digest,
        /// What needs it.
        by: Digest,
    },
    /// A tag rule stands against it; the refusal names the rule and whom it lets.
    #[error("{0}")]
    TagProtected(TagRefusal),
    /// Something of that name is there already.
    #[error("{what} `{name}` exists already")]
    Exists {
        /// The kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// What is asked for stands against the state of things; the text says which.
    #[error("{0}")]
    Conflict(String),

    /// More bytes than allowed.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit in bytes.
        limit: u64,
    },
    /// The owner holds as much as they may; the text says how much, and who can help.
    #[error("{0}")]
    QuotaExceeded(QuotaExceeded),
    /// Too many of the like; try again after the time named.
    #[error("too many requests")]
    TooMany {
        /// When to try again.
        retry_after: Duration,
    },
    /// This registry does not do that.
    #[error("the operation is unsupported")]
    Unsupported,
    /// The legacy registry names its packages with three parts.
    #[error("a {0} name has another number of parts")]
    NameShape(PackageType),

    /// The client stopped sending, or broke the connection.
    #[error("the client stopped sending")]
    ClientGone,
    /// No space is left on the device.
    #[error("no space is left")]
    NoSpace,
    /// The database or the store does not answer now.
    #[error("temporarily unavailable: {0}")]
    Unavailable(String),
    /// A defect or damage. The cause is logged once, where it becomes an answer.
    #[error("internal error: {0}")]
    Internal(String),
}

/// Why a credential is of no use. What the client is told is decided by the face.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCredential {
    /// Nothing like a token: an account password, for example.
    #[error("not a token; make one with `naru token create`")]
    NotAToken,
    /// A token with a wrong checksum: mistyped or cut off.
    #[error("the token's checksum is wrong: it is mistyped or cut off")]
    Checksum,
    /// No such token, or revoked.
    #[error("the token is unknown or revoked")]
    Unknown,
    /// Expired.
    #[error("the token has expired")]
    Expired,
    /// Its account is suspended.
    #[error("the account is suspended")]
    Suspended,
}

fn list(digests: &[Digest]) -> String {
    digests
        .iter()
        .map(Digest::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

impl From<naru_metadata::Error> for Error {
    fn from(error: naru_metadata::Error) -> Self {
        use naru_metadata::Error as E;
        match error {
            E::Unavailable(_) | E::Busy | E::CommitUnknown(_) => {
                Self::Unavailable(error.to_string())
            }
            // What a change builds on went at the same moment: the collector took it, or a package
            // that nobody ever pushed a manifest to.
            E::ForeignKey { .. } => {
                Self::Unavailable("something that this needs was just removed".to_owned())
            }
            E::Full => Self::NoSpace,
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<naru_blobstore::Error> for Error {
    fn from(error: naru_blobstore::Error) -> Self {
        use naru_blobstore::Error as E;
        match error {
            E::NoSpace => Self::NoSpace,
            E::Unavailable { .. } | E::TakenOver { .. } => Self::Unavailable(error.to_string()),
            other => Self::Internal(other.to_string()),
        }
    }
}
