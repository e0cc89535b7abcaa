//! Words of the OCI distribution and image specifications; pure, no I/O.
//!
//! Text and bytes from outside become validated values here, once; everything printed comes
//! from such values and parses back to them. Read in this order:
//!
//! 1. What names content and places: [`Digest`], [`RepositoryName`], [`Tag`], [`Reference`],
//!    [`UploadId`].
//! 2. What content is: [`MediaType`], [`Descriptor`], [`Manifest`], [`ReferrersIndex`].
//! 3. What a request says: [`Endpoint`], [`Accept`], [`ContentRange`], [`ByteRange`],
//!    [`Scopes`].
//! 4. What an answer says: [`headers`], [`Challenge`], [`ErrorCode`], [`ErrorResponse`].

mod digest;
mod name;
mod reference;
mod upload_id;

mod descriptor;
mod manifest;
mod media_type;
mod referrers;

mod accept;
mod endpoint;
mod range;
mod scope;

mod challenge;
mod error;
pub mod headers;

mod query;
mod text;

pub use digest::{Algorithm, Digest, DigestError};
pub use name::{NameError, RepositoryName};
pub use reference::{Reference, ReferenceError, Tag, TagError};
pub use upload_id::{UploadId, UploadIdError};

pub use descriptor::{Descriptor, Platform};
pub use manifest::{Manifest, ManifestError, ManifestKind};
pub use media_type::{MediaType, MediaTypeError};
pub use referrers::{FallbackTag, ReferrersIndex};

pub use accept::{Accept, not_accepted};
pub use endpoint::{Endpoint, EndpointError};
pub use range::{ByteRange, ContentRange, ContentRangeError, Unsatisfiable, UploadRange};
pub use scope::{Actions, Scope, ScopeError, Scopes};

pub use challenge::{BearerError, Challenge};
pub use error::{ErrorCode, ErrorInfo, ErrorResponse, UnknownErrorCode};
