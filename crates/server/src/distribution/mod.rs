//! The distribution face: `/v2/…` and the token endpoint, for clients that speak OCI.
//!
//! Each handler has three movements: the request is read into types (by [`Endpoint`], here), one
//! use case of the registry is called, the answer is rendered. Errors are mapped once, in
//! [`error`].

mod blobs;
mod error;
mod manifests;
mod referrers;
mod tags;
mod token;
mod uploads;

use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use naru_model::policy::Refusal;
use naru_model::{PackagePath, PackageType};
use naru_oci::{Endpoint, RepositoryName, headers};
use naru_registry::authorization::Authorization;
use naru_registry::credentials::{Door, Identity};
use naru_registry::{Caller, Registry};

use crate::body::Body;
use crate::hosts::Arrival;
use crate::listen::{ConnectionInfo, RequestBody};

pub(crate) use token::answer_token;

use error::{Refused, Situation};

/// One request under `/v2/`, read into types.
struct Call<'r> {
    registry: &'r Registry,
    arrival: &'r Arrival,
    caller: Caller,
    method: Method,
    endpoint: Endpoint,
    headers: HeaderMap,
    connection: ConnectionInfo,
}

type Answer = Result<Response<Body>, Refused>;

/// Answers a request under `/v2/`.
pub(crate) async fn answer(
    registry: &Registry,
    arrival: &Arrival,
    request_id: &str,
    request: Request<RequestBody>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let endpoint = Endpoint::parse(&parts.method, parts.uri.path(), parts.uri.query());
    let presented = parts
        .headers
        .get(AUTHORIZATION)
        .map(http::HeaderValue::as_bytes);
    let identified = registry
        .identify(door(arrival.registry), &Authorization::parse(presented))
        .await;
    let situation = Situation::new(arrival, &parts.method, endpoint.as_ref().ok());
    let identity = match identified {
        Ok(identity) => identity,
        Err(error) => return situation.answer(request_id, &Refused::from(error)),
    };
    let ignored = match &identity {
        Identity::Known(_) => None,
        Identity::Ignored(bad) => Some(*bad),
        Identity::TokenNotProvided => {
            return situation.answer(request_id, &Refused::TokenNotProvided);
        }
    };
    let principal = identity.into_principal();
    let situation = situation.signed_in(!principal.is_anonymous());
    let endpoint = match &endpoint {
        Ok(endpoint) => endpoint.clone(),
        Err(error) => return situation.answer(request_id, &Refused::Endpoint(error.clone())),
    };
    let connection = parts
        .extensions
        .get::<ConnectionInfo>()
        .cloned()
        .unwrap_or_default();
    let call = Call {
        registry,
        arrival,
        caller: Caller {
            principal,
            request_id: Some(request_id.to_owned()),
        },
        method: parts.method,
        endpoint,
        headers: parts.headers,
        connection,
    };
    let outcome = call.dispatch(body).await;
    let situation = Situation::new(arrival, &call.method, Some(&call.endpoint))
        .signed_in(!call.caller.principal.is_anonymous())
        .with_ignored(ignored);
    match outcome {
        Ok(response) => response,
        Err(refused) => situation.answer(request_id, &refused),
    }
}

/// Which rules for credentials hold at a registry.
const fn door(registry: PackageType) -> Door {
    match registry {
        PackageType::Container => Door::ContainerRegistry,
        PackageType::Docker => Door::DockerRegistry,
    }
}

impl Call<'_> {
    /// Every endpoint of the specification, in its order.
    async fn dispatch(&self, body: RequestBody) -> Answer {
        match (&self.endpoint, &self.method) {
            (Endpoint::Base, _) => self.base().await,
            (Endpoint::Blob { name, digest }, &Method::DELETE) => {
                blobs::delete(self, name, digest).await
            }
            (Endpoint::Blob { name, digest }, _) => blobs::get(self, name, digest).await,
            (
                Endpoint::Manifest {
                    name,
                    reference,
                    tags,
                },
                &Method::PUT,
            ) => manifests::put(self, name, reference, tags, body).await,
            (
                Endpoint::Manifest {
                    name, reference, ..
                },
                &Method::DELETE,
            ) => manifests::delete(self, name, reference).await,
            (
                Endpoint::Manifest {
                    name, reference, ..
                },
                _,
            ) => manifests::get(self, name, reference).await,
            (Endpoint::TagsList { name, n, last }, _) => {
                tags::list(self, name, *n, last.as_ref()).await
            }
            (Endpoint::Uploads { .. }, _) => uploads::begin(self, body).await,
            (Endpoint::Upload { name, id, .. }, &Method::GET | &Method::HEAD) => {
                uploads::status(self, name, id).await
            }
            (Endpoint::Upload { name, id, .. }, &Method::PATCH) => {
                uploads::append(self, name, id, body).await
            }
            (
                Endpoint::Upload {
                    name,
                    id,
                    digest: Some(digest),
                },
                &Method::PUT,
            ) => uploads::finish(self, name, id, digest, body).await,
            (Endpoint::Upload { name, id, .. }, _) => uploads::cancel(self, name, id).await,
            (Endpoint::Referrers { name, digest, .. }, _) => {
                referrers::list(self, name, digest).await
            }
            (Endpoint::Catalog { n, last }, _) => tags::catalog(self, *n, last.as_ref()).await,
        }
    }

    /// Is this a registry, and do the credentials work? (end-1)
    async fn base(&self) -> Answer {
        if self.caller.principal.is_anonymous() {
            return Err(naru_registry::Error::Refused(Refusal::Unauthenticated).into());
        }
        self.registry
            .find_registry(&self.caller, self.arrival.registry)
            .await?;
        Ok(json(StatusCode::OK, "{}"))
    }

    /// The package that a name means at this registry.
    fn path(&self, name: &RepositoryName) -> Result<PackagePath, Refused> {
        PackagePath::new(self.arrival.registry, name).map_err(Refused::Name)
    }

    fn header(&self, name: http::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Locations are relative to nothing: they carry the public origin.
    fn origin(&self) -> String {
        self.arrival.origin()
    }
}

/// An answer with no body.
fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// An answer in JSON.
fn json(status: StatusCode, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let value = http::HeaderValue::from_static("application/json");
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, value);
    response
}

/// Adds headers of the specification.
trait WithHeader: Sized {
    fn with(self, header: headers::Header) -> Self;
}

impl WithHeader for Response<Body> {
    fn with(mut self, (name, value): headers::Header) -> Self {
        self.headers_mut().append(name, value);
        self
    }
}
