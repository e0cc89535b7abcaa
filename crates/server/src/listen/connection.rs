//! The life of one connection: handshake, choice of protocol, requests, end.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use hyper::rt::{Read, Write};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use naru_handoff::SendfileStream;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::pace::Pace;
use super::service::{Answering, HttpService};
use super::shutdown::Orders;
use super::socket::Accepted;
use super::state::{ConnectionInfo, ConnectionState};
use super::stream::WatchedStream;
use super::tls::{HTTP2, Handshake, Tls};
use super::{LimitsSettings, ListenMetrics};

/// The most that is read from a connection at a time, in bytes. Each upload holds a little more
/// than that beside its buffers; four times as much is no faster, and takes four times the memory.
const READ_AT_ONCE: usize = 64 << 10;

/// How much of an answer an HTTP/2 stream takes before the client makes room for it, in bytes.
const HTTP2_SEND_BUFFER: usize = 256 << 10;

/// The first bytes of HTTP/2 (RFC 9113, section 3.4), as many as no HTTP/1 request begins with.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0";

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// What all connections of one endpoint have in common.
#[derive(Clone, Debug)]
pub(super) struct Common {
    pub(super) tls: Option<Tls>,
    pub(super) cleartext_http2: bool,
    pub(super) limits: Arc<LimitsSettings>,
    pub(super) metrics: ListenMetrics,
}

/// Serves one connection to its end. Its failures are the client's, and are logged for whoever
/// looks for them.
pub(super) async fn serve<S: HttpService>(
    accepted: Accepted,
    service: S,
    common: Common,
    orders: Orders,
) {
    let connection = Connection {
        common,
        service,
        orders,
    };
    let outcome = match accepted {
        Accepted::Tcp(stream, peer) => match connection.common.tls.clone() {
            Some(tls) => connection.encrypted(stream, peer, tls).await,
            None => connection.plain(stream, peer).await,
        },
        // Whoever encrypts ends at the reverse proxy on the other side of the socket.
        Accepted::Unix(stream) => {
            let info = ConnectionInfo::plain(None, None);
            connection.http1(TokioIo::new(stream), info).await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(error = &*error as &dyn Error, "connection ended");
    }
}

struct Connection<S> {
    common: Common,
    service: S,
    orders: Orders,
}

impl<S: HttpService> Connection<S> {
    async fn plain(self, stream: TcpStream, peer: SocketAddr) -> Outcome {
        if self.common.cleartext_http2
            && begins_with_http2(&stream, &self.common.limits, &self.orders).await?
        {
            stream.set_nodelay(true)?;
            let info = ConnectionInfo::plain(Some(peer), None);
            return self.http2(TokioIo::new(stream), info).await;
        }
        let stream = SendfileStream::new(stream)?;
        let info = ConnectionInfo::plain(Some(peer), Some(stream.handoff()));
        self.http1(stream, info).await
    }

    async fn encrypted(self, stream: TcpStream, peer: SocketAddr, tls: Tls) -> Outcome {
        stream.set_nodelay(true)?;
        let shaken = tokio::select! {
            shaken = timeout(self.common.limits.handshake(), tls.accept(stream)) => shaken,
            () = self.orders.finish() => return Ok(()),
        };
        let stream = match shaken.map_err(Into::into).and_then(|shaken| shaken) {
            Ok(Handshake::Client(stream)) => *stream,
            Ok(Handshake::Challenge) => return Ok(()),
            Err(error) => {
                self.common.metrics.handshakes_failed.inc();
                return Err(error.into());
            }
        };
        let (_, session) = stream.get_ref();
        let is_http2 = session.alpn_protocol() == Some(HTTP2);
        let info = ConnectionInfo::encrypted(Some(peer), session.server_name().map(Into::into));
        if is_http2 {
            self.http2(TokioIo::new(stream), info).await
        } else {
            self.http1(TokioIo::new(stream), info).await
        }
    }

    async fn http1<T>(self, stream: T, info: ConnectionInfo) -> Outcome
    where
        T: Read + Write + Unpin + Send + 'static,
    {
        let limits = &self.common.limits;
        let state = ConnectionState::new(self.common.metrics.clone());
        let mut builder = http1::Builder::new();
        builder
            .max_header_size(limits.header_bytes)
            .max_buf_size(READ_AT_ONCE);
        if info.handoff().is_some() {
            builder.writev(true);
        }
        // hyper counts headers on the stack only while the limit is the one it was built with.
        if limits.headers != LimitsSettings::default().headers {
            builder.max_headers(limits.headers);
        }
        let answering = Answering::new(self.service, info, state.clone(), limits);
        let connection = builder.serve_connection(
            WatchedStream::http1(stream, limits, state.clone()),
            service_fn(move |request| answering.clone().answer(request)),
        );
        drive(connection, &state, &self.orders, std::future::pending()).await
    }

    async fn http2<T>(self, stream: T, info: ConnectionInfo) -> Outcome
    where
        T: Read + Write + Unpin + Send + 'static,
    {
        let limits = &self.common.limits;
        let state = ConnectionState::new(self.common.metrics.clone());
        let answering = Answering::new(self.service, info, state.clone(), limits);
        let connection = http2_builder(limits).serve_connection(
            WatchedStream::http2(stream, limits, state.clone()),
            service_fn(move |request| answering.clone().answer(request)),
        );
        drive(
            connection,
            &state,
            &self.orders,
            becoming_quiet(&state, limits),
        )
        .await
    }
}

/// A client that speaks HTTP/2 with prior knowledge sends its preface in one piece.
async fn begins_with_http2(
    stream: &TcpStream,
    limits: &LimitsSettings,
    orders: &Orders,
) -> io::Result<bool> {
    let mut first = [0; HTTP2_PREFACE.len()];
    let peeked = tokio::select! {
        peeked = timeout(limits.header(), stream.peek(&mut first)) => peeked,
        () = orders.finish() => return Err(io::ErrorKind::ConnectionAborted.into()),
    };
    let length = peeked.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    Ok(first.get(..length) == Some(HTTP2_PREFACE))
}

fn http2_builder(limits: &LimitsSettings) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.http2_streams)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        // Streams that a client opens and resets at once, and resets that it provokes: beyond
        // these the connection is closed (CVE-2023-44487 and its successors).
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(100)
        // An upload fills a window per round trip.
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .max_send_buf_size(HTTP2_SEND_BUFFER)
        // Finds out about clients that vanished without a word.
        .keep_alive_interval(std::time::Duration::from_secs(20))
        .keep_alive_timeout(std::time::Duration::from_secs(20));
    builder
}

/// Runs a connection until it ends, is told to finish, or has become quiet. The last two let
/// running requests finish: the one until the drain is over, the other for one more idle time.
async fn drive<C>(
    connection: C,
    state: &ConnectionState,
    orders: &Orders,
    quiet: impl Future<Output = std::time::Duration>,
) -> Outcome
where
    C: GracefulConnection<Error: Error + Send + Sync + 'static>,
{
    let mut connection = pin!(connection);
    let at_most = tokio::select! {
        ended = connection.as_mut() => return Ok(ended?),
        () = orders.finish() => None,
        idle = quiet => Some(idle),
    };
    if !state.has_read() {
        return Ok(());
    }
    connection.as_mut().graceful_shutdown();
    let overdue = async {
        match at_most {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        ended = connection => Ok(ended?),
        () = orders.cut() => Ok(()),
        () = overdue => Ok(()),
    }
}

/// Ready once an HTTP/2 connection has been of no use for a whole idle time: no request was being
/// answered at its start or its end, and next to nothing was sent. That also ends connections
/// whose clients hold back the windows of their streams so that answers pile up here.
async fn becoming_quiet(state: &ConnectionState, limits: &LimitsSettings) -> std::time::Duration {
    let pace = Pace::of(limits);
    loop {
        let was_answering = state.is_answering();
        let (begun, written, since) = (state.begun(), state.written(), Instant::now());
        tokio::time::sleep(limits.idle()).await;
        let answering = was_answering || state.is_answering() || state.begun() != begun;
        if !answering && pace.is_stalled(state.written() - written, since.elapsed()) {
            return limits.idle();
        }
    }
}
