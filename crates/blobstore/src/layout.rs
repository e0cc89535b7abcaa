//! Where things lie. This is the only place that turns a [`StorageKey`] into a path.
//!
//! In the data directory (backend `directory`):
//!
//! ```text
//! naru-data/
//! └── blobs/                                made with the first blob
//!     ├── 7k/                               two random letters: at most 1,024 directories
//!     │   ├── 01hf7yat00abcdefghjkmnpqrs    one upload, written in place, later perhaps a blob
//!     │   └── …
//!     └── …
//! ```
//!
//! In a bucket (backend `s3`), below the configured prefix:
//!
//! ```text
//! blobs/7k/01hf7yat00abcdefghjkmnpqrs       a blob, or at that key an unfinished multipart upload
//! tails/7k/01hf7yat00abcdefghjkmnpqrs/2-9000000
//!                                           the bytes after the last part of that upload, up to
//!                                           offset 9,000,000, written under epoch 2
//! probe                                     written and removed when a server starts
//! ```
//!
//! and on the local disk of each replica `scratch/`, whose files have no name and vanish with the
//! process.
//!
//! Whether a key is a blob, an upload, or rubbish, only the rows know. Nothing is ever renamed.

use std::path::{Path, PathBuf};

use object_store::path::Path as ObjectPath;

use crate::key::{Shard, StorageKey};

/// The directory of all blobs and uploads.
pub(crate) const BLOBS: &str = "blobs";
/// The unfinished ends of uploads, in a bucket.
pub(crate) const TAILS: &str = "tails";
/// Where parts wait for their way to the bucket, on the local disk.
pub(crate) const SCRATCH: &str = "scratch";
/// What a server writes when it starts, to learn whether it can.
pub(crate) const PROBE: &str = "probe";

/// The directory of all shards.
pub(crate) fn blobs(root: &Path) -> PathBuf {
    root.join(BLOBS)
}

/// The directory of one shard.
pub(crate) fn shard(root: &Path, shard: Shard) -> PathBuf {
    blobs(root).join(shard.to_string())
}

/// The file of one key.
pub(crate) fn file(root: &Path, key: &StorageKey) -> PathBuf {
    shard(root, key.shard()).join(key.name())
}

/// The objects of one bucket.
#[derive(Clone, Debug)]
pub(crate) struct ObjectNames {
    prefix: ObjectPath,
}

impl ObjectNames {
    pub(crate) fn new(prefix: &str) -> Self {
        Self {
            prefix: ObjectPath::from(prefix),
        }
    }

    /// The object of one key.
    pub(crate) fn blob(&self, key: &StorageKey) -> ObjectPath {
        self.blobs().join(key.shard().to_string()).join(key.name())
    }

    /// Below which all blobs lie.
    pub(crate) fn blobs(&self) -> ObjectPath {
        self.prefix.clone().join(BLOBS)
    }

    /// Below which all tails lie.
    pub(crate) fn tails(&self) -> ObjectPath {
        self.prefix.clone().join(TAILS)
    }

    /// Below which the tails of one key lie.
    pub(crate) fn tails_of(&self, key: &StorageKey) -> ObjectPath {
        self.tails().join(key.shard().to_string()).join(key.name())
    }

    /// The last part of the name of the tail that ends at `offset`, unique among all writers.
    pub(crate) fn tail_name(epoch: i64, offset: u64) -> String {
        format!("{epoch}-{offset}")
    }

    /// The tail of that name.
    pub(crate) fn tail(&self, key: &StorageKey, name: &str) -> ObjectPath {
        self.tails_of(key).join(name)
    }

    /// What a starting server writes.
    pub(crate) fn probe(&self) -> ObjectPath {
        self.prefix.clone().join(PROBE)
    }

    /// The key of an object below [`ObjectNames::blobs`] or [`ObjectNames::tails`], if it is one.
    pub(crate) fn key_of(&self, object: &ObjectPath) -> Option<StorageKey> {
        let below = object.prefix_match(&self.prefix)?;
        let names: Vec<_> = below.map(|name| name.as_ref().to_owned()).collect();
        match names
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .as_slice()
        {
            [BLOBS, shard, name] | [TAILS, shard, name, _] => StorageKey::from_parts(shard, name),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_prints_as_its_path() {
        let key = StorageKey::fresh(1_700_000_000_000, [7; 12]);
        let expected = Path::new("/data").join(key.to_string());
        assert_eq!(file(Path::new("/data"), &key), expected);
        let names = ObjectNames::new("naru/production");
        assert_eq!(names.blob(&key).as_ref(), format!("naru/production/{key}"));
    }

    #[test]
    fn the_key_of_an_object_is_found_again() {
        let key = StorageKey::fresh(1_700_000_000_000, [7; 12]);
        for prefix in ["", "a/b"] {
            let names = ObjectNames::new(prefix);
            assert_eq!(names.key_of(&names.blob(&key)), Some(key));
            let tail = names.tail(&key, &ObjectNames::tail_name(2, 9));
            assert_eq!(names.key_of(&tail), Some(key));
            assert_eq!(names.key_of(&names.probe()), None);
            assert_eq!(names.key_of(&ObjectPath::from("elsewhere")), None);
        }
    }
}
