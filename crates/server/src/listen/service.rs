//! Around each request: limits on its head, the facts about its connection, and the counting.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tower::{Service, ServiceExt};

use super::LimitsSettings;
use super::pace::Pace;
use super::request::RequestBody;
use super::state::{ConnectionInfo, ConnectionState, Running};
use crate::body::{Body, BoxError};

/// What answers requests. Cloned for each of them.
pub trait HttpService:
    Service<Request<RequestBody>, Response = Response<Body>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + 'static
{
}

impl<S> HttpService for S where
    S: Service<Request<RequestBody>, Response = Response<Body>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static
{
}

/// One connection's way to the service.
#[derive(Clone, Debug)]
pub(super) struct Answering<S> {
    service: S,
    info: ConnectionInfo,
    state: Arc<ConnectionState>,
    pace: Pace,
    uri_bytes: usize,
    headers: usize,
}

impl<S: HttpService> Answering<S> {
    pub(super) fn new(
        service: S,
        info: ConnectionInfo,
        state: Arc<ConnectionState>,
        limits: &LimitsSettings,
    ) -> Self {
        Self {
            service,
            info,
            state,
            pace: Pace::of(limits),
            uri_bytes: limits.uri_bytes,
            headers: limits.headers,
        }
    }

    pub(super) async fn answer(
        self,
        request: Request<Incoming>,
    ) -> Result<Response<CountedBody>, Infallible> {
        let running = Running::begin(&self.state);
        let request =
            request.map(|incoming| RequestBody::from_client(incoming, self.pace, &self.state));
        let response = match self.refusal(&request) {
            Some(status) => refused(status),
            None => self.pass_on(request).await?,
        };
        Ok(response.map(|body| CountedBody {
            body,
            _running: running.answered(),
        }))
    }

    async fn pass_on(
        self,
        mut request: Request<RequestBody>,
    ) -> Result<Response<Body>, Infallible> {
        request.extensions_mut().insert(self.info);
        self.service.oneshot(request).await
    }

    /// hyper's own limits differ: it allows 64 KiB of URI, and any number of headers in HTTP/2.
    fn refusal(&self, request: &Request<RequestBody>) -> Option<StatusCode> {
        let target = request
            .uri()
            .path_and_query()
            .map_or(0, |target| target.as_str().len());
        if target > self.uri_bytes {
            Some(StatusCode::URI_TOO_LONG)
        } else if request.headers().len() > self.headers {
            Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
        } else {
            None
        }
    }
}

fn refused(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// The body of an answer; its request counts as running until hyper has taken all of it.
#[derive(Debug)]
pub(super) struct CountedBody {
    body: Body,
    _running: Running,
}

impl http_body::Body for CountedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
