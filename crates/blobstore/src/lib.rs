//! Room `blobstore`: bytes by storage key, nothing else. It knows no names, accounts or rows.
//!
//! Read in this order:
//!
//! - [`BlobStore`]: begin, resume, open, stat, delete, list, verify, probe;
//! - [`Upload`]: append, checkpoint, finish; what of it is kept in a row is an [`UploadState`];
//! - [`StorageKey`]: where the bytes of one upload lie;
//! - [`Opened`]: a file, a stream or a redirect;
//! - [`Error`]: how it can fail; [`Probe`] and [`Verdict`]: what was found;
//! - [`BlobStoreSettings`]: the section of the configuration file.
//!
//! Inside: `layout` draws where things lie; `directory` and `s3` are the backends; `intake`, `flow`
//! and `hash` are the way of the bytes that both share, `lane` and `threads` who carries them;
//! [`mod@failpoint`] is where tests cut it.

#[cfg(any(test, feature = "contract"))]
pub mod contract;
mod directory;
mod error;
pub mod failpoint;
mod flow;
mod hash;
mod intake;
mod key;
mod lane;
mod layout;
mod opened;
mod probe;
mod s3;
mod settings;
mod state;
mod store;
mod threads;
mod upload;

pub use error::{Error, Result};
pub use key::{StorageKey, StorageKeyError};
pub use opened::{BlobStream, Opened};
pub use probe::Probe;
pub use settings::{BackendKind, BlobStoreSettings};
pub use state::UploadState;
pub use store::{BlobStore, Listed, Verdict};
pub use upload::{Finished, Upload};
