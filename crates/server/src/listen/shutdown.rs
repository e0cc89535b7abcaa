//! Stopping in order: accept nothing new, let running requests finish, then close.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The one switch that stops all listeners, connections and background tasks. Clones are the same
/// switch.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    begun: CancellationToken,
    cut: CancellationToken,
    tasks: TaskTracker,
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Everything finished by itself.
    Finished,
    /// The time was over, and this many connections or tasks were cut off.
    Cut(usize),
}

impl Shutdown {
    /// A switch that is off.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins to stop: no connection is accepted any more, and open ones close after the requests
    /// they are busy with. Does not wait.
    pub fn begin(&self) {
        self.begun.cancel();
        self.tasks.close();
    }

    /// Whether stopping has begun; for `/readyz`.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.begun.is_cancelled()
    }

    /// Waits until stopping begins.
    pub async fn begun(&self) {
        self.begun.cancelled().await;
    }

    /// Begins to stop, waits up to `grace` for running requests, then cuts off what is left.
    pub async fn drain(&self, grace: Duration) -> Drained {
        self.begin();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_ok() {
            return Drained::Finished;
        }
        let left = self.tasks.len();
        self.cut.cancel();
        self.tasks.wait().await;
        Drained::Cut(left)
    }

    /// Runs a task that a drain waits for. It must end soon after [`Self::begun`], or, if it is a
    /// connection, soon after its [`Orders::cut`].
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// The orders for one connection: a branch of its own of the switch, because a connection asks
    /// each time it is woken, and would contend with all others for the trunk.
    pub(super) fn orders(&self) -> Orders {
        Orders {
            begun: self.begun.child_token(),
            cut: self.cut.child_token(),
        }
    }
}

/// What one connection is told.
#[derive(Debug)]
pub(super) struct Orders {
    begun: CancellationToken,
    cut: CancellationToken,
}

impl Orders {
    /// Finish what is running, then close.
    pub(super) async fn finish(&self) {
        self.begun.cancelled().await;
    }

    /// Close now.
    pub(super) async fn cut(&self) {
        self.cut.cancelled().await;
    }
}
