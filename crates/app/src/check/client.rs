//! A client of the distribution API, as far as a check needs one.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, LINK, LOCATION};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::challenge::Challenge;
use super::image::MANIFEST_TYPE;
use super::reason::{Answer, Reason};

/// How a request ended: with the answer, or with the reason why not.
pub(super) type Attempt<T> = std::result::Result<T, Reason>;

/// Who signs in.
#[derive(Clone, Debug)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: SecretString,
}

/// A registry, spoken to by one user.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    login: Login,
    challenge: Option<Challenge>,
    /// Registry tokens by the scope that they were asked for.
    tokens: HashMap<String, SecretString>,
}

/// A complete answer.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    what: String,
}

impl Client {
    pub(super) fn new(base: Url, login: Login, authority: Option<&[u8]>) -> Result<Self> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("naru-check/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(60));
        if let Some(pem) = authority {
            let certificates = reqwest::Certificate::from_pem_bundle(pem)
                .context("the file given by `--ca-file` is no PEM certificate")?;
            for certificate in certificates {
                builder = builder.add_root_certificate(certificate);
            }
        }
        Ok(Self {
            http: builder.build().context("cannot set up an HTTP client")?,
            base,
            login,
            challenge: None,
            tokens: HashMap::new(),
        })
    }

    pub(super) fn user(&self) -> &str {
        &self.login.user
    }

    pub(super) const fn base(&self) -> &Url {
        &self.base
    }

    /// Asks `/v2/` without credentials and remembers the challenge.
    pub(super) async fn ping(&mut self) -> Attempt<Got> {
        let url = self.url("/v2/")?;
        let got = self.send(Method::GET, url, |request| request).await?;
        self.challenge = Challenge::of(&got.headers);
        Ok(got)
    }

    pub(super) const fn challenge(&self) -> Option<&Challenge> {
        self.challenge.as_ref()
    }

    /// Signs in as docker does: a token without any scope, then `/v2/` with it.
    pub(super) async fn sign_in(&mut self) -> Attempt<Got> {
        let url = self.url("/v2/")?;
        self.signed(Method::GET, url, "", |request| request).await
    }

    /// A request with what the challenge asked for; `scope` is the scope of the registry token.
    pub(super) async fn signed(
        &mut self,
        method: Method,
        url: Url,
        scope: &str,
        complete: impl FnOnce(RequestBuilder) -> RequestBuilder + Send,
    ) -> Attempt<Got> {
        let token = match self.challenge.clone() {
            Some(Challenge::Bearer { realm, service }) => {
                Some(self.token(&realm, service.as_deref(), scope).await?)
            }
            Some(Challenge::Basic) | None => None,
        };
        let login = self.challenge.is_some().then(|| self.login.clone());
        let send = self.send(method, url, |request| {
            let request = match (&token, &login) {
                (Some(token), _) => request.bearer_auth(token.expose_secret()),
                (None, Some(login)) => {
                    request.basic_auth(&login.user, Some(login.password.expose_secret()))
                }
                (None, None) => request,
            };
            complete(request)
        });
        send.await
    }

    async fn token(
        &mut self,
        realm: &str,
        service: Option<&str>,
        scope: &str,
    ) -> Attempt<SecretString> {
        if let Some(token) = self.tokens.get(scope) {
            return Ok(token.clone());
        }
        let mut url = self.realm(realm)?;
        if let Some(service) = service {
            url.query_pairs_mut().append_pair("service", service);
        }
        if !scope.is_empty() {
            url.query_pairs_mut().append_pair("scope", scope);
        }
        url.query_pairs_mut()
            .append_pair("account", &self.login.user);
        let Login { user, password } = &self.login;
        let basic =
            |request: RequestBuilder| request.basic_auth(user, Some(password.expose_secret()));
        let got = self.send(Method::GET, url, basic).await?;
        if got.status != StatusCode::OK {
            return Err(Reason::no_login(&got.answer(), user));
        }
        let token = token_in(&got)?;
        self.tokens.insert(scope.to_owned(), token.clone());
        Ok(token)
    }

    /// The token endpoint. A password that goes to the registry by TLS does not go there without.
    fn realm(&self, realm: &str) -> Attempt<Url> {
        let fix = "set the public names in `[server]`, and `scheme` behind a reverse proxy";
        let url = Url::parse(realm)
            .map_err(|_| Reason::new(format!("the token endpoint `{realm}` is no URL"), fix))?;
        if self.base.scheme() == "https" && url.scheme() != "https" {
            let why = format!("the registry has TLS, but its token endpoint {url} has not");
            return Err(Reason::new(why, fix));
        }
        Ok(url)
    }

    /// Uploads a blob with a POST and a PUT (end-4a, end-6).
    pub(super) async fn push_blob(
        &mut self,
        name: &str,
        digest: &naru_oci::Digest,
        bytes: Vec<u8>,
        scope: &str,
    ) -> Attempt<()> {
        let url = self.url(&format!("/v2/{name}/blobs/uploads/"))?;
        let empty = |request: RequestBuilder| request.header(CONTENT_LENGTH, 0);
        let begun = self.signed(Method::POST, url.clone(), scope, empty).await?;
        let begun = begun.expect(&[StatusCode::ACCEPTED], self.user())?;
        let mut upload = begun.location(&url)?;
        upload
            .query_pairs_mut()
            .append_pair("digest", digest.as_str());
        let whole = |request: RequestBuilder| {
            request
                .header(CONTENT_TYPE, "application/octet-stream")
                .body(bytes)
        };
        let put = self.signed(Method::PUT, upload, scope, whole).await?;
        put.expect(&[StatusCode::CREATED], self.user()).map(drop)
    }

    /// A GET below `/v2/` that takes manifests of the OCI type.
    pub(super) async fn get(&mut self, url: Url, scope: &str) -> Attempt<Got> {
        let accept = |request: RequestBuilder| request.header(ACCEPT, MANIFEST_TYPE);
        self.signed(Method::GET, url, scope, accept).await
    }

    /// A request to the REST API, which takes the token itself.
    pub(super) async fn rest(&self, method: Method, url: Url) -> Attempt<Got> {
        let password = self.login.password.expose_secret();
        let complete = |request: RequestBuilder| {
            request
                .header(ACCEPT, "application/vnd.github+json")
                .bearer_auth(password)
        };
        self.send(method, url, complete).await
    }

    pub(super) fn url(&self, path: &str) -> Attempt<Url> {
        self.base
            .join(path)
            .map_err(|error| Reason::new(format!("`{path}` is no path: {error}"), "mend the URL"))
    }

    async fn send(
        &self,
        method: Method,
        url: Url,
        complete: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Attempt<Got> {
        let what = format!("{method} {}", url.path());
        let request = complete(self.http.request(method, url));
        let response = request.send().await;
        let response = response.map_err(|error| Reason::no_answer(&error))?;
        Got::read(what, response).await
    }
}

impl Got {
    async fn read(what: String, response: Response) -> Attempt<Self> {
        let status = response.status();
        let headers = response.headers().clone();
        let body = response.bytes().await;
        let body = body.map_err(|error| Reason::no_answer(&error))?;
        Ok(Self {
            status,
            headers,
            body,
            what,
        })
    }

    /// The same answer if it has one of these statuses, else the reason it has not.
    pub(super) fn expect(self, statuses: &[StatusCode], user: &str) -> Attempt<Self> {
        if statuses.contains(&self.status) {
            return Ok(self);
        }
        Err(Reason::refused(&self.answer(), user))
    }

    pub(super) fn answer(&self) -> Answer {
        Answer {
            what: self.what.clone(),
            status: self.status,
            request_id: self.header("x-github-request-id").map(str::to_owned),
            body: self.body.to_vec(),
        }
    }

    /// The method and path that were asked for.
    pub(super) fn what(&self) -> &str {
        &self.what
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Where an upload goes on; it may be relative, and may have a query of its own.
    fn location(&self, asked: &Url) -> Attempt<Url> {
        let location = self.header(LOCATION.as_str());
        location
            .and_then(|location| asked.join(location).ok())
            .ok_or_else(|| {
                let why = format!("{} was answered without a usable Location", self.what);
                Reason::new(
                    why,
                    "this is a defect of the registry or of a proxy before it",
                )
            })
    }

    /// The next page (RFC 8288).
    pub(super) fn next(&self, asked: &Url) -> Option<Url> {
        let link = self.header(LINK.as_str())?;
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = parameters.contains("rel=\"next\"") || parameters.contains("rel=next");
        is_next.then(|| asked.join(target).ok()).flatten()
    }
}

fn token_in(got: &Got) -> Attempt<SecretString> {
    #[derive(Deserialize)]
    struct Body {
        token: Option<SecretString>,
        access_token: Option<SecretString>,
    }
    let body = serde_json::from_slice::<Body>(&got.body).ok();
    body.and_then(|body| body.token.or(body.access_token))
        .ok_or_else(|| {
            Reason::new(
                "the token endpoint answered without a token",
                "check that the realm of the challenge leads to the registry",
            )
        })
}
