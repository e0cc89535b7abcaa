//! The client of the bucket.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use secrecy::{ExposeSecret, SecretString};

use crate::error::{Error, Result};
use crate::settings::BlobStoreSettings;

/// How long the store may be silent. There is no total limit: a large blob takes its time.
const SILENCE: Duration = Duration::from_secs(30);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a request is repeated, each repetition being harmless.
const RETRIES: RetryConfig = RetryConfig {
    backoff: BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(2),
        base: 2.0,
    },
    max_retries: 4,
    retry_timeout: Duration::from_secs(60),
};

pub(super) fn connect(settings: &BlobStoreSettings) -> Result<AmazonS3> {
    let bucket = settings.bucket.as_ref().ok_or_else(|| missing("bucket"))?;
    let plain = settings
        .endpoint
        .as_ref()
        .is_some_and(|endpoint| endpoint.scheme() == "http");
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(&settings.region)
        .with_virtual_hosted_style_request(settings.virtual_hosted_style)
        // One request per object is understood everywhere, the bulk form is not.
        .with_disable_bulk_delete(true)
        // TLS guards the bytes on their way; signing them would hash them once more.
        .with_unsigned_payload(!plain)
        .with_retry(RETRIES)
        .with_client_options(
            ClientOptions::new()
                .with_timeout_disabled()
                .with_read_timeout(SILENCE)
                .with_connect_timeout(CONNECT)
                .with_allow_http(plain),
        );
    if let Some(endpoint) = &settings.endpoint {
        builder = builder.with_endpoint(endpoint.as_str().trim_end_matches('/'));
    }
    if let Some(id) = &settings.access_key_id {
        let secret = secret(settings)?;
        builder = builder
            .with_access_key_id(id)
            .with_secret_access_key(secret.expose_secret());
    }
    builder
        .build()
        .map_err(|error| Error::Unfit(format!("the settings of S3: {error}")))
}

fn secret(settings: &BlobStoreSettings) -> Result<SecretString> {
    match (
        &settings.secret_access_key,
        &settings.secret_access_key_file,
    ) {
        (Some(_), Some(_)) => Err(Error::Unfit(
            "set only one of `blobstore.secret_access_key` and its `_file`".to_owned(),
        )),
        (Some(secret), None) => Ok(secret.clone()),
        (None, Some(path)) => read_secret(path),
        (None, None) => Err(missing("secret_access_key")),
    }
}

fn read_secret(path: &Path) -> Result<SecretString> {
    let unfit = |why: String| Error::Unfit(format!("the secret in {}: {why}", path.display()));
    let mut file = File::open(path).map_err(|error| unfit(error.to_string()))?;
    let mode = file
        .metadata()
        .map_err(|error| unfit(error.to_string()))?
        .mode();
    if mode & 0o007 != 0 {
        return Err(unfit("everybody can read it; `chmod o= FILE`".to_owned()));
    }
    let mut text = String::new();
    file.read_to_string(&mut text)
        .map_err(|error| unfit(error.to_string()))?;
    Ok(text.trim_end().into())
}

fn missing(key: &str) -> Error {
    Error::Unfit(format!("the backend s3 needs `blobstore.{key}`"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn settings(text: &str) -> BlobStoreSettings {
        toml::from_str(text).unwrap()
    }

    fn refusal(text: &str) -> String {
        connect(&settings(text)).unwrap_err().to_string()
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(refusal("backend = \"s3\"").contains("blobstore.bucket"));
        assert!(
            refusal("bucket = \"b\"\naccess_key_id = \"a\"")
                .contains("blobstore.secret_access_key")
        );
        let both = "bucket = \"b\"\naccess_key_id = \"a\"
            secret_access_key = \"s\"\nsecret_access_key_file = \"f\"";
        assert!(refusal(both).contains("only one"));
    }

    #[test]
    fn a_secret_that_everybody_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        fs::write(&path, "hunter2\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(
            read_secret(&path)
                .unwrap_err()
                .to_string()
                .contains("everybody")
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(read_secret(&path).unwrap().expose_secret(), "hunter2");
    }
}
