//! What the parts of one connection know of each other: the stream below hyper, the service above
//! it, and the bodies in between.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use naru_handoff::Handoff;

use super::ListenMetrics;

/// What a handler may know about the connection of a request; found in its extensions.
///
/// The default stands for no connection at all, as in a test that calls the service directly.
#[derive(Clone, Debug, Default)]
pub struct ConnectionInfo(Arc<Facts>);

#[derive(Debug, Default)]
struct Facts {
    peer: Option<SocketAddr>,
    tls: bool,
    server_name: Option<String>,
    handoff: Option<Handoff>,
}

impl ConnectionInfo {
    pub(super) fn plain(peer: Option<SocketAddr>, handoff: Option<Handoff>) -> Self {
        Self(Arc::new(Facts {
            peer,
            handoff,
            ..Facts::default()
        }))
    }

    pub(super) fn encrypted(peer: Option<SocketAddr>, server_name: Option<String>) -> Self {
        Self(Arc::new(Facts {
            peer,
            tls: true,
            server_name,
            handoff: None,
        }))
    }

    /// The address at the other end, which may be a reverse proxy's; `None` on a Unix socket.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.0.peer
    }

    /// Whether the connection is encrypted by us.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.0.tls
    }

    /// The host name that the TLS client asked for.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.0.server_name.as_deref()
    }

    /// What lets the kernel send files over this connection; only plain HTTP/1 over TCP has it.
    #[must_use]
    pub fn handoff(&self) -> Option<&Handoff> {
        self.0.handoff.as_ref()
    }
}

/// The counters of one connection. All of its parts run in one task or wake it, so relaxed order
/// is enough.
#[derive(Debug)]
pub(super) struct ConnectionState {
    pub(super) metrics: ListenMetrics,
    /// Requests whose head has arrived.
    begun: AtomicU64,
    /// Requests whose answer has not been handed over completely.
    running: AtomicUsize,
    /// Requests whose answer has not begun.
    unanswered: AtomicUsize,
    /// How often bytes came in, and how many went out.
    reads: AtomicU64,
    written: AtomicU64,
    /// A request's body was given up before its end.
    left_unread: AtomicBool,
}

impl ConnectionState {
    pub(super) fn new(metrics: ListenMetrics) -> Arc<Self> {
        metrics.connections.inc();
        metrics.connections_open.inc();
        Arc::new(Self {
            metrics,
            begun: AtomicU64::new(0),
            running: AtomicUsize::new(0),
            unanswered: AtomicUsize::new(0),
            reads: AtomicU64::new(0),
            written: AtomicU64::new(0),
            left_unread: AtomicBool::new(false),
        })
    }

    pub(super) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.load(Ordering::Relaxed) > 0
    }

    pub(super) fn is_answering(&self) -> bool {
        self.unanswered.load(Ordering::Relaxed) > 0
    }

    pub(super) fn has_read(&self) -> bool {
        self.reads.load(Ordering::Relaxed) > 0
    }

    pub(super) fn count_read(&self) {
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    pub(super) fn count_written(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn leave_unread(&self) {
        self.left_unread.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_left_unread(&self) -> bool {
        self.left_unread.load(Ordering::Relaxed)
    }
}

impl Drop for ConnectionState {
    fn drop(&mut self) {
        self.metrics.connections_open.dec();
    }
}

/// A request from its head to the last byte of its answer; ends when dropped.
#[derive(Debug)]
pub(super) struct Running {
    state: Arc<ConnectionState>,
    answered: bool,
}

impl Running {
    pub(super) fn begin(state: &Arc<ConnectionState>) -> Self {
        state.metrics.requests.inc();
        state.metrics.requests_running.inc();
        state.begun.fetch_add(1, Ordering::Relaxed);
        state.running.fetch_add(1, Ordering::Relaxed);
        state.unanswered.fetch_add(1, Ordering::Relaxed);
        Self {
            state: state.clone(),
            answered: false,
        }
    }

    /// The answer's head is known; its body may still take long.
    pub(super) fn answered(mut self) -> Self {
        self.note_answer();
        self
    }

    fn note_answer(&mut self) {
        if !std::mem::replace(&mut self.answered, true) {
            self.state.unanswered.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.note_answer();
        self.state.running.fetch_sub(1, Ordering::Relaxed);
        self.state.metrics.requests_running.dec();
    }
}
