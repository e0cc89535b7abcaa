//! [`UploadId`]: the session in `/v2/<name>/blobs/uploads/<id>`.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::text::text_type;

/// The id of an open upload as it stands in a path: 1 to 128 letters, digits, hyphens and
/// underscores.
///
/// Clients treat it as opaque; which ids exist is for the registry to say.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UploadId(Arc<str>);

text_type!(UploadId, UploadIdError);

impl fmt::Debug for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UploadId({})", self.0)
    }
}

/// Why a text cannot be the id of an upload; answered as `BLOB_UPLOAD_UNKNOWN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no upload has such an id")]
pub struct UploadIdError;

fn check(text: &str) -> Result<(), UploadIdError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if (1..=128).contains(&text.len()) && text.bytes().all(is_plain) {
        Ok(())
    } else {
        Err(UploadIdError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_could_mean_a_path_are_refused() {
        for text in ["", ".", "..", "a/b", "a%2fb", "a\0", "a b", "é"] {
            assert_eq!(text.parse::<UploadId>(), Err(UploadIdError), "{text:?}");
        }
        assert!("a".repeat(129).parse::<UploadId>().is_err());
        assert!(
            "0192d3f0-7c1e-7000-8000-000000000000"
                .parse::<UploadId>()
                .is_ok()
        );
    }
}
