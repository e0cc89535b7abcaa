//! Health, figures, and the page at the root.

use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response, StatusCode};
use naru_model::Principal;
use naru_oci::headers;
use naru_registry::authorization::Authorization;
use naru_registry::credentials::{Door, Identity};
use naru_registry::{Error, Registry};

use crate::body::Body;
use crate::hosts::Arrival;
use crate::listen::RequestBody;
use crate::metrics::Metrics;
use crate::site::plain;

/// `/readyz`: whether the database and the blob store answer.
pub(crate) async fn ready(registry: &Registry) -> Response<Body> {
    match registry.ready().await {
        Ok(()) => plain(StatusCode::OK, "ok\n"),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "not ready; the log says why\n",
            )
        }
    }
}

/// `/metrics` on the internal listener: whoever can reach it may read it.
pub(crate) fn metrics(metrics: &Metrics) -> Response<Body> {
    let mut response = plain(StatusCode::OK, metrics.encode());
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// `/metrics` on the public listener: for administrators of the instance; to others it is absent.
pub(crate) async fn metrics_for_administrators(
    registry: &Registry,
    figures: &Metrics,
    request: &Request<RequestBody>,
) -> Response<Body> {
    let presented = request
        .headers()
        .get(AUTHORIZATION)
        .map(HeaderValue::as_bytes);
    let identity = registry
        .identify(Door::Rest, &Authorization::parse(presented))
        .await;
    match identity.map(Identity::into_principal) {
        Ok(Principal::User {
            site_admin: true, ..
        }) => metrics(figures),
        Err(Error::Unavailable(cause)) => unavailable(&cause),
        _ => plain(StatusCode::NOT_FOUND, "not found\n"),
    }
}

/// Whoever it is could not be looked up; that is no refusal.
fn unavailable(cause: &str) -> Response<Body> {
    tracing::warn!(
        cause,
        "figures were asked for, and the database does not answer"
    );
    let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, "temporarily unavailable\n");
    let (name, value) = headers::retry_after(1);
    response.headers_mut().insert(name, value);
    response
}

/// `/`: what this is, for somebody who opens it in a browser or with curl.
pub(crate) fn welcome(arrival: &Arrival) -> Response<Body> {
    let host = &arrival.host;
    plain(
        StatusCode::OK,
        format!(
            "This is Naru, a container registry.\n\n    docker login {host}\n    docker pull {host}/OWNER/IMAGE:TAG\n"
        ),
    )
}
