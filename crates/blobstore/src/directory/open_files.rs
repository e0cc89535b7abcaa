//! Files that were read lately stay open, so that a hot blob costs no look-up of its path.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;

use crate::key::StorageKey;

/// How many files stay open at most.
const AT_MOST: u64 = 256;
/// How long one stays open: the space of a blob that another process deletes comes back after so
/// long.
const LIFETIME: Duration = Duration::from_secs(30);

/// Open files of blobs with their lengths. A blob never changes, so neither does its length.
#[derive(Debug)]
pub(super) struct OpenFiles(Cache<StorageKey, (Arc<File>, u64)>);

impl Default for OpenFiles {
    fn default() -> Self {
        Self(
            Cache::builder()
                .max_capacity(AT_MOST)
                .time_to_live(LIFETIME)
                .build(),
        )
    }
}

impl OpenFiles {
    pub(super) fn get(&self, key: &StorageKey) -> Option<(Arc<File>, u64)> {
        self.0.get(key)
    }

    pub(super) fn keep(&self, key: StorageKey, file: &Arc<File>, length: u64) {
        self.0.insert(key, (file.clone(), length));
    }

    pub(super) fn forget(&self, key: &StorageKey) {
        self.0.invalidate(key);
    }
}
