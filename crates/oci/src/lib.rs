//! Words of the OCI distribution and image specifications; pure, no I/O.
//!
//! Read in this order: what names content and places, what content is, what a request says,
//! what an answer says.

mod accept;
mod digest;
mod error;
mod media_type;
mod name;
mod range;
mod reference;
mod scope;
mod text;

pub use accept::{Accept, not_accepted};
pub use digest::{Algorithm, Digest, DigestError};
pub use error::{ErrorCode, ErrorInfo, ErrorResponse, UnknownErrorCode};
pub use media_type::{MediaType, MediaTypeError};
pub use name::{NameError, RepositoryName};
pub use range::{ByteRange, ContentRange, ContentRangeError, Unsatisfiable, UploadRange};
pub use reference::{Reference, ReferenceError, Tag, TagError};
pub use scope::{Actions, Scope, ScopeError, Scopes};
