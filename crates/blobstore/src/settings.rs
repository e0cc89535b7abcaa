//! [`BlobStoreSettings`]: the section `[blobstore]` of the configuration file.

use std::path::PathBuf;

use naru_handoff::BufferPool;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use crate::intake::Buffers;

/// Where blobs are kept, and how. Everything has a default: a directory beside the database.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BlobStoreSettings {
    /// `directory`, for one machine, or `s3`, for any number of replicas.
    pub backend: BackendKind,
    /// Mebibytes of memory for all uploads together, at least 4. Who comes when they are used up
    /// waits: 32 keep two cores busy with 64 uploads, and more made them no faster. With S3 as much
    /// again, at least one part, is used for parts on their way.
    pub memory_mib: usize,
    /// Directory: where the tree `blobs/` stands; default the data directory. S3: where unfinished
    /// parts are spooled (24 MiB at most for each upload); default `scratch` there.
    pub path: Option<PathBuf>,
    /// Directory: blobs of at least so many mebibytes are written past the page cache (`O_DIRECT`)
    /// where the filesystem allows it; 0 switches that off.
    pub direct_io_from_mib: u64,
    /// Directory: accept a filesystem that forgets (tmpfs) or whose flushes cannot be trusted
    /// (network filesystems). What was acknowledged can then be lost.
    pub allow_unsafe_filesystem: bool,
    /// S3: the bucket.
    pub bucket: Option<String>,
    /// S3: what stands before every key, such as `naru/production`.
    pub prefix: Option<String>,
    /// S3: the region.
    pub region: String,
    /// S3: the server, such as `https://s3.example.org`; default Amazon's own of the region. Plain
    /// `http://` is possible, for a server on the same machine.
    pub endpoint: Option<Url>,
    /// S3: put the bucket into the host name instead of the path.
    pub virtual_hosted_style: bool,
    /// S3: the access key. Without one the role of the machine is used.
    pub access_key_id: Option<String>,
    /// S3: the secret that belongs to it.
    pub secret_access_key: Option<SecretString>,
    /// S3: a file that holds the secret, readable by its owner (and group) alone.
    pub secret_access_key_file: Option<PathBuf>,
    /// S3: send clients that read a blob to the bucket, by a signed URL. It relieves this server,
    /// and outlives a revocation by `redirect_seconds`.
    pub redirect: bool,
    /// S3: how long a signed URL is good, in seconds.
    pub redirect_seconds: u64,
}

/// The kinds of backend: a closed set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendKind {
    /// Files in a directory.
    #[default]
    Directory,
    /// Objects in a bucket of an S3-class store.
    S3,
}

impl Default for BlobStoreSettings {
    fn default() -> Self {
        Self {
            backend: BackendKind::Directory,
            memory_mib: 32,
            path: None,
            direct_io_from_mib: 8,
            allow_unsafe_filesystem: false,
            bucket: None,
            prefix: None,
            region: "us-east-1".to_owned(),
            endpoint: None,
            virtual_hosted_style: false,
            access_key_id: None,
            secret_access_key: None,
            secret_access_key_file: None,
            redirect: false,
            redirect_seconds: 300,
        }
    }
}

impl BlobStoreSettings {
    /// The memory that all uploads of one store share.
    pub(crate) fn buffers(&self) -> Buffers {
        const LEAST: usize = 4;
        // No machine has 2^20 mebibytes to spare for this, so the shift cannot overflow.
        Buffers::new(BufferPool::new(self.memory_mib.clamp(LEAST, 1 << 20) << 20))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_needs_to_be_set() {
        let settings: BlobStoreSettings = toml::from_str("").unwrap();
        assert_eq!(settings.backend, BackendKind::Directory);
        assert_eq!(settings.memory_mib, 32);
    }

    #[test]
    fn a_misspelt_key_is_an_error_that_names_it() {
        let error = toml::from_str::<BlobStoreSettings>("buckett = \"x\"").unwrap_err();
        assert!(error.to_string().contains("buckett"), "{error}");
    }

    #[test]
    fn a_secret_does_not_print_itself() {
        let settings: BlobStoreSettings =
            toml::from_str("backend = \"s3\"\nsecret_access_key = \"hunter2\"").unwrap();
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
}
