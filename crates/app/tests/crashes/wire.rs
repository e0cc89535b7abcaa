//! Requests to the server, over connections that break when it is killed.

use std::time::{Duration, Instant};

use naru_testkit::naru::User;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use sha2::{Digest, Sha256};

/// One person's way to the server.
#[derive(Clone)]
pub(crate) struct Wire {
    client: Client,
    url: String,
    user: String,
    token: String,
}

/// The connection broke before an answer was there.
#[derive(Debug)]
pub(crate) struct CutOff;

impl Wire {
    pub(crate) fn new(url: &str, user: &User) -> Self {
        let client = Client::builder().no_proxy().build().unwrap();
        Self {
            client,
            url: url.to_owned(),
            user: user.name.clone(),
            token: user.token.clone(),
        }
    }

    /// A request for a path, or for a URL of the server's own making.
    pub(crate) fn request(&self, method: Method, place: &str) -> RequestBuilder {
        let url = if place.starts_with('/') {
            format!("{}{place}", self.url)
        } else {
            place.to_owned()
        };
        let request = self
            .client
            .request(method, url)
            .basic_auth(&self.user, Some(&self.token));
        request.timeout(Duration::from_secs(60))
    }

    /// Sends a request that must have this answer, if it has any.
    pub(crate) async fn expect(
        &self,
        request: RequestBuilder,
        status: StatusCode,
    ) -> Result<Response, CutOff> {
        let response = request.send().await.map_err(|_| CutOff)?;
        if response.status() == status {
            return Ok(response);
        }
        let (got, url) = (response.status(), response.url().clone());
        let body = response.text().await.map_err(|_| CutOff)?;
        panic!("{url}: {got} instead of {status}: {body}");
    }

    /// What is at this place; `None` where nothing is.
    pub(crate) async fn get(&self, place: &str) -> Option<Vec<u8>> {
        let accept = "application/vnd.oci.image.manifest.v1+json, */*";
        let request = self.request(Method::GET, place).header("Accept", accept);
        let response = request.send().await.unwrap();
        match response.status() {
            StatusCode::OK => Some(response.bytes().await.unwrap().to_vec()),
            StatusCode::NOT_FOUND => None,
            status => panic!("{place}: {status}: {}", response.text().await.unwrap()),
        }
    }

    /// Waits until the server says that it is ready.
    pub(crate) async fn until_ready(&self, limit: Instant) {
        loop {
            let answer = self.client.get(format!("{}/readyz", self.url)).send().await;
            if answer.is_ok_and(|answer| answer.status() == StatusCode::OK) {
                return;
            }
            assert!(Instant::now() < limit, "the server is not ready");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// `sha256:…` of these bytes.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
