//! [`Threads`]: how many blocking threads a store uses at once.
//!
//! The runtime would start a thread for every upload that has work, up to some hundreds, and each
//! keeps memory of its own for a while. More threads than cores do not hash faster, and more than
//! a few do not make a disk faster, so the others wait here, first come, first served.

use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Error, Result};

/// How many threads write and flush: flushes that wait together are done together by the disk.
const WRITING: usize = 16;
/// How many threads look at files.
const READING: usize = 16;

/// The threads of one store, by what they do, so that who reads never waits for who flushes.
#[derive(Clone, Debug)]
pub(crate) struct Threads {
    pub(crate) hash: Gate,
    pub(crate) write: Gate,
    pub(crate) read: Gate,
}

impl Default for Threads {
    fn default() -> Self {
        let cores = available_parallelism().map_or(2, usize::from);
        Self {
            hash: Gate::new(cores),
            write: Gate::new(WRITING),
            read: Gate::new(READING),
        }
    }
}

/// Lets so many pass at once.
#[derive(Clone, Debug)]
pub(crate) struct Gate(Arc<Semaphore>);

impl Gate {
    pub(crate) fn new(at_once: usize) -> Self {
        Self(Arc::new(Semaphore::new(at_once)))
    }

    /// Runs what waits for a disk or a processor on a blocking thread, once there is one. It runs
    /// to its end even if nobody waits for it any more.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let permit = self
            .0
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| Error::Broken)?;
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        });
        done.await
            .unwrap_or_else(|error| Err(Error::io("work on a blocking thread", error)))
    }

    /// Whether all threads are taken, so that others may be waiting.
    pub(crate) fn is_crowded(&self) -> bool {
        self.0.available_permits() == 0
    }

    /// Starts work from wherever, without waiting for it.
    pub(crate) fn start(&self, work: impl FnOnce(Permit) + Send + 'static) {
        if let Ok(permit) = self.0.clone().try_acquire_owned() {
            tokio::task::spawn_blocking(move || work(Permit(permit)));
            return;
        }
        let gate = self.0.clone();
        tokio::spawn(async move {
            // The gate is never closed.
            if let Ok(permit) = gate.acquire_owned().await {
                tokio::task::spawn_blocking(move || work(Permit(permit)));
            }
        });
    }
}

/// The right to occupy a thread, until dropped.
pub(crate) struct Permit(#[expect(dead_code, reason = "held until dropped")] OwnedSemaphorePermit);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn no_more_run_at_once_than_were_let_in() {
        let gate = Gate::new(3);
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let work = (0..20).map(|_| {
            let (running, most) = (running.clone(), most.clone());
            gate.run(move || {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(2));
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            })
        });
        assert!(join_all(work).await.iter().all(Result::is_ok));
        assert_eq!(most.load(Ordering::SeqCst), 3);
    }
}
