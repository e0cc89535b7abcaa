//! [`Probe`]: what a starting server finds out about its store.

use std::fmt;

/// What was found when the store was tried. All of it belongs into the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// A directory that can be written and flushed.
    Directory {
        /// The kind of filesystem, by its name or number.
        filesystem: String,
        /// Free bytes for this user.
        free: u64,
        /// Whether large blobs can be written past the page cache.
        direct_io: bool,
    },
    /// A bucket that can be written and read.
    S3 {
        /// The bucket, and the prefix within.
        bucket: String,
        /// Whether the store refuses to overwrite when asked so. Only noted: unique keys and
        /// database rows decide, because common stores accept the header and ignore it.
        conditional_put: bool,
        /// Free bytes on the scratch disk.
        scratch_free: u64,
    },
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory {
                filesystem,
                free,
                direct_io,
            } => {
                let direct = if *direct_io { "with" } else { "without" };
                write!(
                    f,
                    "{filesystem}, {} MiB free, {direct} direct I/O",
                    free >> 20
                )
            }
            Self::S3 {
                bucket,
                conditional_put,
                scratch_free,
            } => {
                let conditional = if *conditional_put {
                    "honoured"
                } else {
                    "ignored"
                };
                let free = scratch_free >> 20;
                write!(
                    f,
                    "{bucket}, conditional puts {conditional}, {free} MiB of scratch free"
                )
            }
        }
    }
}
