//! Words of the OCI distribution and image specifications; pure, no I/O.

mod digest;
mod name;
mod reference;
mod text;

pub use digest::{Algorithm, Digest, DigestError};
pub use name::{NameError, RepositoryName};
pub use reference::{Reference, ReferenceError, Tag, TagError};
