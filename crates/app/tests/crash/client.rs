//! A client that says what it was told, and nothing when it was told nothing.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use reqwest::{Method, StatusCode};
use sha2::{Digest, Sha256};

/// Speaks to the server; cheap to clone.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    owner: String,
    basic: String,
}

/// What came back: `None` when the connection broke, so that nobody knows.
pub(crate) type Answer = Option<(StatusCode, Bytes)>;

impl Client {
    pub(crate) fn new(url: &str, owner: &str, token: &str) -> Self {
        // Only loopback and plain HTTP: the provider is named because reqwest wants one.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        Self {
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            base: url.trim_end_matches('/').to_owned(),
            owner: owner.to_owned(),
            basic: BASE64_STANDARD.encode(format!("{owner}:{token}")),
        }
    }

    /// A request under `/v2/<owner>/`, or to the URL that an upload gave.
    pub(crate) async fn send(&self, method: Method, path: &str, body: Bytes) -> Answer {
        let (answer, _) = self.send_for_location(method, path, body, None).await?;
        Some(answer)
    }

    /// The same, with the `Location` of the answer.
    pub(crate) async fn send_for_location(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        content_type: Option<&str>,
    ) -> Option<((StatusCode, Bytes), String)> {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}/v2/{}/{path}", self.base, self.owner)
        };
        let request = self
            .http
            .request(method, url)
            .header("authorization", format!("Basic {}", self.basic))
            .header(
                "content-type",
                content_type.unwrap_or("application/octet-stream"),
            )
            .body(body);
        let response = request.send().await.ok()?;
        let status = response.status();
        let location = response
            .headers()
            .get("location")
            .and_then(|value| value.to_str().ok());
        let location = location.unwrap_or_default().to_owned();
        let body = response.bytes().await.ok()?;
        Some(((status, body), location))
    }
}

/// `sha256:…` of some bytes.
pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
