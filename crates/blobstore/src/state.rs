//! [`UploadState`]: what a row keeps of an upload, so that any replica can go on with it.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::hash::SavedHash;

/// The version written today. An older one is understood as long as code for it is here; a newer
/// one is refused, so that a process that was rolled back spoils nothing.
const VERSION: u32 = 1;

/// An upload at a checkpoint: everything up to [`UploadState::offset`] is durable.
///
/// It goes as it is into one row of the caller. The row's own epoch decides who may go on; the
/// copy in here names the writer for people who read the row, and tells the objects of two writers
/// apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UploadState {
    version: u32,
    /// Under which number its writer wrote.
    pub epoch: i64,
    pub(crate) offset: u64,
    pub(crate) hash: SavedHash,
    pub(crate) place: Place,
}

/// What one backend has of an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Place {
    /// A file of at least `offset` bytes; the hash has seen exactly those.
    Directory,
    /// Parts in a bucket; the hash has seen exactly those, and not yet the tail.
    S3(Parts),
}

/// What a bucket has of an upload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parts {
    /// The id of the multipart upload, once there is one.
    pub(crate) multipart: Option<String>,
    /// The entity tags of the parts so far, in order, all of one size.
    pub(crate) done: Vec<String>,
    /// The object that holds the bytes after the last part.
    pub(crate) tail: Option<String>,
}

impl UploadState {
    pub(crate) fn new(epoch: i64, offset: u64, hash: SavedHash, place: Place) -> Self {
        Self {
            version: VERSION,
            epoch,
            offset,
            hash,
            place,
        }
    }

    /// The same state, written by the writer of this number.
    pub(crate) fn under(&self, epoch: i64) -> Self {
        Self {
            epoch,
            ..self.clone()
        }
    }

    /// How many bytes are durable: what a client is told.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// For the row: JSON, about 300 bytes, with S3 about 40 more for each part.
    ///
    /// # Errors
    /// [`Error::BadState`], which cannot happen with the types of today.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|error| Error::BadState(error.to_string()))
    }

    /// From the row.
    ///
    /// # Errors
    /// [`Error::BadState`] when it is damaged or from a newer version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct OnlyVersion {
            version: u32,
        }
        let bad = |error: serde_json::Error| Error::BadState(error.to_string());
        let OnlyVersion { version } = serde_json::from_slice(bytes).map_err(bad)?;
        if version != VERSION {
            return Err(Error::BadState(format!(
                "version {version} is not known here"
            )));
        }
        serde_json::from_slice(bytes).map_err(bad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Hasher;

    #[test]
    fn a_state_survives_its_row() {
        let parts = Parts {
            multipart: Some("id".to_owned()),
            done: vec!["\"etag\"".to_owned()],
            tail: Some("tails/zz/01hf/1-5".to_owned()),
        };
        for place in [Place::Directory, Place::S3(parts)] {
            let state = UploadState::new(7, 5, Hasher::default().save(), place);
            let bytes = state.to_bytes().unwrap();
            assert_eq!(UploadState::from_bytes(&bytes).unwrap(), state);
        }
    }

    #[test]
    fn a_newer_or_damaged_state_is_refused() {
        for text in [
            "",
            "{}",
            r#"{"version":2,"what":"ever"}"#,
            r#"{"version":1,"epoch":0}"#,
        ] {
            let read = UploadState::from_bytes(text.as_bytes());
            assert!(matches!(read, Err(Error::BadState(_))), "{text}");
        }
    }
}
