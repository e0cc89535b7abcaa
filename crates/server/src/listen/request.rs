//! The body of a request, which gives up on a client that stands still.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;

use super::pace::{Pace, StallMeter};
use super::state::ConnectionState;

/// The body of a request as it comes in. Nothing is read from the client before it is polled.
///
/// Waiting for it never takes for ever: a client that sends less than the limit over half a minute
/// is given up with [`RequestBodyError::Stalled`]. There is no limit on the whole.
#[derive(Debug)]
pub struct RequestBody(Source);

#[derive(Debug)]
enum Source {
    Client(FromClient),
    Memory(Full<Bytes>),
}

#[derive(Debug)]
struct FromClient {
    body: Incoming,
    meter: StallMeter,
    state: Arc<ConnectionState>,
}

/// Why the body of a request ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum RequestBodyError {
    /// The client sent next to nothing for half a minute; the answer is 408.
    #[error("the client stopped sending")]
    Stalled,
    /// The client is gone, or what it sent is not HTTP.
    #[error("the request's body could not be read")]
    Broken(#[from] hyper::Error),
}

impl From<RequestBodyError> for std::io::Error {
    fn from(error: RequestBodyError) -> Self {
        let kind = match &error {
            RequestBodyError::Stalled => std::io::ErrorKind::TimedOut,
            RequestBodyError::Broken(_) => std::io::ErrorKind::ConnectionAborted,
        };
        Self::new(kind, error)
    }
}

impl RequestBody {
    pub(super) fn from_client(body: Incoming, pace: Pace, state: &Arc<ConnectionState>) -> Self {
        let meter = StallMeter::new(pace);
        Self(Source::Client(FromClient {
            body,
            meter,
            state: state.clone(),
        }))
    }
}

/// A body in memory, for calling the service without a connection.
impl<T: Into<Bytes>> From<T> for RequestBody {
    fn from(bytes: T) -> Self {
        Self(Source::Memory(Full::new(bytes.into())))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        match &mut self.get_mut().0 {
            Source::Client(client) => client.poll_frame(cx),
            Source::Memory(bytes) => Pin::new(bytes)
                .poll_frame(cx)
                .map_err(|never| match never {}),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Client(client) => client.body.is_end_stream(),
            Source::Memory(bytes) => bytes.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Client(client) => client.body.size_hint(),
            Source::Memory(bytes) => bytes.size_hint(),
        }
    }
}

impl FromClient {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.meter.moved(frame.data_ref().map_or(0, Bytes::len));
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(end) => Poll::Ready(end.map(|end| end.map_err(Into::into))),
            Poll::Pending => self.meter.poll_stalled(cx).map(|_| {
                self.state.metrics.stalled.inc();
                Some(Err(RequestBodyError::Stalled))
            }),
        }
    }
}

impl Drop for FromClient {
    fn drop(&mut self) {
        if !self.body.is_end_stream() {
            self.state.leave_unread();
        }
    }
}
