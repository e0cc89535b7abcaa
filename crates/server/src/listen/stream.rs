//! The stream below hyper, with a watch on the client: heads that do not come, answers that are
//! not taken.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use tokio::time::Instant;

use super::LimitsSettings;
use super::pace::{Alarm, Pace, StallMeter};
use super::state::ConnectionState;

/// After an answer that did not wait for the request's body, how long the rest of that body is
/// read and thrown away. Closing at once would make the kernel reset the connection, and the
/// client would lose the answer that says what was wrong.
const LINGER: Duration = Duration::from_secs(5);

/// Any stream that hyper can use, and which gives up on clients that stand still.
///
/// hyper has a timer for heads of its own. It makes a new timer for each request and closes idle
/// connections as early as slow ones; this one is set at most every few seconds, and knows the
/// two apart.
pub(super) struct WatchedStream<T> {
    stream: T,
    state: Arc<ConnectionState>,
    head: HeadWatch,
    answer: StallMeter,
    linger: Alarm,
    lingering_until: Option<Instant>,
}

impl<T> WatchedStream<T> {
    /// For HTTP/1: watches each head, the time between requests, and the answers.
    pub(super) fn http1(stream: T, limits: &LimitsSettings, state: Arc<ConnectionState>) -> Self {
        Self::new(stream, limits, state, HeadWatch::every(limits))
    }

    /// For HTTP/2, where many requests share the stream: watches the preface and the writing.
    /// Idle connections are the business of [`super::connection`].
    pub(super) fn http2(stream: T, limits: &LimitsSettings, state: Arc<ConnectionState>) -> Self {
        Self::new(stream, limits, state, HeadWatch::preface(limits))
    }

    fn new(
        stream: T,
        limits: &LimitsSettings,
        state: Arc<ConnectionState>,
        head: HeadWatch,
    ) -> Self {
        Self {
            stream,
            state,
            head,
            answer: StallMeter::new(Pace::of(limits)),
            linger: Alarm::default(),
            lingering_until: None,
        }
    }

    /// Passes on what a write did, and judges the client when it could do nothing.
    fn watch_write(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(bytes)) => {
                self.answer.moved(bytes);
                self.state.count_written(bytes);
                Poll::Ready(Ok(bytes))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                ready!(self.answer.poll_stalled(cx));
                self.state.metrics.stalled.inc();
                Poll::Ready(Err(timed_out("the client stopped taking the answer")))
            }
        }
    }
}

impl<T: Read + Unpin> WatchedStream<T> {
    /// Reads and forgets until the client closes, or it has taken long enough.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let until = *self
            .lingering_until
            .get_or_insert_with(|| Instant::now() + LINGER);
        let mut scratch = [0; 16 << 10];
        loop {
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.stream).poll_read(cx, buffer.unfilled()) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() && Instant::now() < until => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return self.linger.poll(cx, until),
            }
        }
    }
}

impl<T: Read + Unpin> Read for WatchedStream<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match Pin::new(&mut this.stream).poll_read(cx, buffer) {
            Poll::Ready(Ok(())) => {
                this.head.bytes_came(&this.state);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => this.head.poll_too_late(cx, &this.state).map(Err),
        }
    }
}

impl<T: Read + Write + Unpin> Write for WatchedStream<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, buffer);
        this.watch_write(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, buffers);
        this.watch_write(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx).map_ok(|()| 0);
        this.watch_write(cx, flushed).map_ok(|_| ())
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.lingering_until.is_none() {
            let closed = Pin::new(&mut this.stream).poll_shutdown(cx).map_ok(|()| 0);
            ready!(this.watch_write(cx, closed))?;
        }
        if this.state.has_left_unread() {
            ready!(this.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}

/// How long we wait for the head of the next request.
#[derive(Debug)]
struct HeadWatch {
    protocol: Protocol,
    header: Duration,
    idle: Duration,
    alarm: Alarm,
    /// How many requests had begun when we last looked.
    begun: u64,
    wait: Wait,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

/// What we wait for, and since when.
#[derive(Clone, Copy, Debug)]
enum Wait {
    /// Nothing so far: the wait begins when a read finds no bytes.
    Unset,
    /// The first byte of another request.
    Request(Instant),
    /// The rest of a head.
    Head(Instant),
}

impl HeadWatch {
    fn every(limits: &LimitsSettings) -> Self {
        Self::new(limits, Protocol::Http1)
    }

    fn preface(limits: &LimitsSettings) -> Self {
        Self::new(limits, Protocol::Http2)
    }

    fn new(limits: &LimitsSettings, protocol: Protocol) -> Self {
        Self {
            protocol,
            header: limits.header(),
            idle: limits.idle(),
            alarm: Alarm::default(),
            begun: 0,
            // Who connects is expected to say something at once.
            wait: Wait::Head(Instant::now()),
        }
    }

    fn bytes_came(&mut self, state: &ConnectionState) {
        state.count_read();
        self.look(state);
        let is_of_a_head = self.protocol == Protocol::Http1 && !state.is_running();
        if is_of_a_head && !matches!(self.wait, Wait::Head(_)) {
            self.wait = Wait::Head(Instant::now());
        }
    }

    fn poll_too_late(&mut self, cx: &mut Context<'_>, state: &ConnectionState) -> Poll<io::Error> {
        self.look(state);
        let preface_is_here = self.protocol == Protocol::Http2 && state.has_read();
        if state.is_running() || preface_is_here {
            return Poll::Pending;
        }
        let (deadline, message) = match self.wait {
            Wait::Head(since) => (since + self.header, "the head of a request took too long"),
            Wait::Request(since) => (since + self.idle, "no further request came"),
            Wait::Unset => {
                let now = Instant::now();
                self.wait = Wait::Request(now);
                (now + self.idle, "no further request came")
            }
        };
        self.alarm.poll(cx, deadline).map(|()| timed_out(message))
    }

    /// A request that has begun ends the wait for its head.
    fn look(&mut self, state: &ConnectionState) {
        if state.begun() != self.begun {
            self.begun = state.begun();
            self.wait = Wait::Unset;
        }
    }
}

fn timed_out(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, message)
}
