//! Words of the OCI distribution and image specifications; pure, no I/O.
//!
//! Read in this order: what names content and places, what content is, what a request says,
//! what an answer says.

mod accept;
mod challenge;
mod digest;
mod endpoint;
mod error;
pub mod headers;
mod media_type;
mod name;
mod query;
mod range;
mod reference;
mod scope;
mod text;
mod upload_id;

pub use accept::{Accept, not_accepted};
pub use challenge::{BearerError, Challenge};
pub use digest::{Algorithm, Digest, DigestError};
pub use endpoint::{Endpoint, EndpointError};
pub use error::{ErrorCode, ErrorInfo, ErrorResponse, UnknownErrorCode};
pub use media_type::{MediaType, MediaTypeError};
pub use name::{NameError, RepositoryName};
pub use range::{ByteRange, ContentRange, ContentRangeError, Unsatisfiable, UploadRange};
pub use reference::{Reference, ReferenceError, Tag, TagError};
pub use scope::{Actions, Scope, ScopeError, Scopes};
pub use upload_id::{UploadId, UploadIdError};
