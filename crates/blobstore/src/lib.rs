//! Room `blobstore`.
