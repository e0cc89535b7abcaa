//! The whole site as one service: a request is given an id, the host is understood, and one of the
//! faces answers.
//!
//! Every route, in reading order:
//!
//! | path | what |
//! |---|---|
//! | `/api/v3/…` | the REST API (on a host of its own at the root) |
//! | `/v2/…` | the distribution API, of the registry that the host names |
//! | `/token` | the token endpoint of the container registry |
//! | `/livez`, `/readyz` | is the process alive, can it serve (here unless an internal listener is configured) |
//! | `/metrics` | figures, to administrators of the instance (free on the internal listener) |
//! | `/api/graphql` | what `gh` asks by GraphQL |
//! | `/docs/rest` | the reference of the REST API |
//! | `/` | a page that says what this is |

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_util::FutureExt;
use http::header::{STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use naru_oci::headers as oci_headers;
use naru_registry::Registry;

use crate::body::Body;
use crate::distribution;
use crate::health;
use crate::hosts::{Arrival, HostSettings, RestBase, Scheme};
use crate::listen::{ConnectionInfo, RequestBody};
use crate::metrics::Metrics;
use crate::rest::{Rest, RestSettings};

/// The id of a request, in answers, logs and events.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-github-request-id");

/// The site: cheap to clone, one clone a connection.
#[derive(Clone)]
pub struct Site(Arc<Parts>);

struct Parts {
    registry: Arc<Registry>,
    hosts: HostSettings,
    rest: Rest,
    metrics: Arc<Metrics>,
    door: SiteDoor,
    request_ids: RequestIds,
}

/// How the site is to be.
#[derive(Clone, Debug, Default)]
pub struct SiteSettings {
    /// Names of the instance.
    pub hosts: HostSettings,
    /// How often the REST API may be asked.
    pub rest: RestSettings,
}

/// Which listener a site answers at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SiteDoor {
    /// The public one; `internal` says whether there is another for health and figures.
    Public {
        /// Whether health and figures have a listener of their own.
        internal: bool,
    },
    /// The internal one: health and figures, nothing else.
    Internal,
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site")
            .field("door", &self.0.door)
            .finish_non_exhaustive()
    }
}

/// Request ids that nobody can guess the next of, without asking for randomness each time: a
/// random beginning for the process and a number.
struct RequestIds {
    begin: String,
    next: std::sync::atomic::AtomicU64,
}

impl RequestIds {
    fn next(&self) -> String {
        let number = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        format!("{}:{number:X}", self.begin)
    }
}

impl Site {
    /// A site over `registry`. `process` begins the request ids: eight or so random characters.
    #[must_use]
    pub fn new(
        registry: Arc<Registry>,
        settings: SiteSettings,
        metrics: Arc<Metrics>,
        door: SiteDoor,
        process: &str,
    ) -> Self {
        let SiteSettings { hosts, rest } = settings;
        let rest = Rest::new(Arc::clone(&registry), rest);
        let request_ids = RequestIds {
            begin: process.to_owned(),
            next: 1.into(),
        };
        Self(Arc::new(Parts {
            registry,
            hosts,
            rest,
            metrics,
            door,
            request_ids,
        }))
    }

    async fn answer(self, request: Request<RequestBody>) -> Response<Body> {
        let begun = Instant::now();
        let request_id = self.0.request_ids.next();
        let connection = request
            .extensions()
            .get::<ConnectionInfo>()
            .cloned()
            .unwrap_or_default();
        let method = request.method().clone();
        let kind = kind_of(request.uri().path());
        let path =
            tracing::enabled!(tracing::Level::DEBUG).then(|| request.uri().path().to_owned());
        let arrival = self
            .0
            .hosts
            .arrival(request.uri(), request.headers(), &connection);
        let secure = arrival
            .as_ref()
            .is_some_and(|arrival| arrival.scheme == Scheme::Https);
        let mut response = self.contained(arrival, &request_id, request).await;
        finish(&mut response, &request_id, secure);
        self.0
            .metrics
            .answered(kind, &method, response.status(), begun.elapsed());
        tracing::debug!(
            request_id, %method, path, status = response.status().as_u16(),
            peer = connection.peer().map(tracing::field::display), "answered"
        );
        response
    }

    /// A panic in a handler is a defect; it costs one answer and not the process.
    async fn contained(
        &self,
        arrival: Option<Arrival>,
        request_id: &str,
        request: Request<RequestBody>,
    ) -> Response<Body> {
        let routed = std::panic::AssertUnwindSafe(self.route(arrival, request_id, request));
        routed.catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!(request_id, "a handler panicked");
            plain(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("internal error, request {request_id}\n"),
            )
        })
    }

    async fn route(
        &self,
        arrival: Option<Arrival>,
        request_id: &str,
        request: Request<RequestBody>,
    ) -> Response<Body> {
        let parts = &self.0;
        let path = request.uri().path();
        if let Some(response) = self.health(path).await {
            return response;
        }
        if parts.door == SiteDoor::Internal {
            return plain(
                StatusCode::NOT_FOUND,
                "this listener has /livez, /readyz and /metrics\n",
            );
        }
        let Some(arrival) = arrival else {
            return plain(StatusCode::BAD_REQUEST, "the request names no valid host\n");
        };
        if path == "/v2" || path.starts_with("/v2/") {
            let registry = &parts.registry;
            return distribution::answer(registry, &arrival, request_id, request)
                .await
                .with_version();
        }
        if path == GRAPHQL_PATH && arrival.rest == Some(RestBase::Path) {
            let rest = &parts.rest;
            let request = at_graphql(request);
            return rest
                .answer(&arrival, RestBase::Path, request_id, request)
                .await;
        }
        if let Some(base) = arrival.rest.filter(|base| base.covers(path)) {
            let rest = &parts.rest;
            return rest.answer(&arrival, base, request_id, request).await;
        }
        if matches!(*request.method(), Method::GET | Method::HEAD)
            && let Some(page) = parts.rest.page(&arrival, &request)
        {
            return page;
        }
        match (path, request.method()) {
            ("/token", _) => {
                distribution::answer_token(&parts.registry, &arrival, request_id, request).await
            }
            ("/metrics", &Method::GET) => {
                health::metrics_for_administrators(&parts.registry, &parts.metrics, &request).await
            }
            ("/", &Method::GET | &Method::HEAD) => health::welcome(&arrival),
            _ => plain(StatusCode::NOT_FOUND, "not found\n"),
        }
    }

    /// Health answers where it is looked for: on the internal listener if there is one.
    async fn health(&self, path: &str) -> Option<Response<Body>> {
        let parts = &self.0;
        if parts.door == (SiteDoor::Public { internal: true }) {
            return None;
        }
        match path {
            "/livez" => Some(plain(StatusCode::OK, "ok\n")),
            "/readyz" => Some(health::ready(&parts.registry).await),
            "/metrics" if parts.door == SiteDoor::Internal => Some(health::metrics(&parts.metrics)),
            _ => None,
        }
    }
}

/// Where GitHub Enterprise Server has GraphQL: beside the REST API, not below it.
const GRAPHQL_PATH: &str = "/api/graphql";

/// The request as if it had named the operation of the REST API that answers it.
fn at_graphql(mut request: Request<RequestBody>) -> Request<RequestBody> {
    *request.uri_mut() = Uri::from_static("/api/v3/graphql");
    request
}

trait WithVersion {
    fn with_version(self) -> Self;
}

impl WithVersion for Response<Body> {
    fn with_version(mut self) -> Self {
        let (name, value) = oci_headers::docker_distribution_api_version();
        self.headers_mut().insert(name, value);
        self
    }
}

fn finish(response: &mut Response<Body>, request_id: &str, secure: bool) {
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, value);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if secure {
        let year = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.insert(STRICT_TRANSPORT_SECURITY, year);
    }
}

/// A word for the figures: never the path itself, of which there are as many as clients like.
fn kind_of(path: &str) -> &'static str {
    let has = |part: &str| path.contains(part);
    match path {
        "/token" => "token",
        _ if RestBase::Path.covers(path) => "rest",
        "/v2" | "/v2/" => "base",
        _ if !path.starts_with("/v2/") => "other",
        _ if has("/manifests/") => "manifest",
        _ if has("/blobs/uploads") => "upload",
        _ if has("/blobs/") => "blob",
        _ if has("/tags/") => "tags",
        _ if has("/referrers/") => "referrers",
        _ => "other",
    }
}

/// A short answer in words.
pub(crate) fn plain(status: StatusCode, text: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, kind);
    response
}

impl tower::Service<Request<RequestBody>> for Site {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let site = self.clone();
        Box::pin(async move { Ok(site.answer(request).await) })
    }
}
