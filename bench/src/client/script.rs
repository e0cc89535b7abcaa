//! What one connection does, request after request.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;

use super::answer::Answer;
use super::request::Request;

/// A conversation: each request may depend on the answer before it.
pub(crate) trait Script: Send {
    /// The next request, after `last`, the last answer that was asked to be kept; `None` at the
    /// end.
    ///
    /// # Errors
    /// The last answer lacks what the next request needs.
    fn next(&mut self, last: &Answer) -> Result<Option<Arc<Request>>>;
}

/// Goes round a list of requests that depend on nothing, until a moment or a number is reached.
pub(crate) struct Cycle {
    requests: Arc<[Arc<Request>]>,
    at: usize,
    left: u64,
    until: Option<Instant>,
}

impl Cycle {
    /// Every request once around from `at`, again and again, until the moment comes.
    pub(crate) fn until(requests: &Arc<[Arc<Request>]>, at: usize, until: Instant) -> Self {
        Self {
            requests: Arc::clone(requests),
            at,
            left: u64::MAX,
            until: Some(until),
        }
    }

    /// `count` requests from `at` on.
    pub(crate) fn count(requests: &Arc<[Arc<Request>]>, at: usize, count: u64) -> Self {
        Self {
            requests: Arc::clone(requests),
            at,
            left: count,
            until: None,
        }
    }
}

impl Script for Cycle {
    fn next(&mut self, _last: &Answer) -> Result<Option<Arc<Request>>> {
        if self.left == 0 || self.until.is_some_and(|until| Instant::now() >= until) {
            return Ok(None);
        }
        self.left -= 1;
        let request = self.requests.get(self.at % self.requests.len().max(1));
        self.at += 1;
        Ok(request.cloned())
    }
}

/// A conversation written as a closure over the number of the step, from 0.
pub(crate) struct Steps<F> {
    step: usize,
    next: F,
}

impl<F> Steps<F>
where
    F: FnMut(usize, &Answer) -> Result<Option<Request>> + Send,
{
    /// Asks `next` for each request.
    pub(crate) fn new(next: F) -> Self {
        Self { step: 0, next }
    }
}

impl<F> Script for Steps<F>
where
    F: FnMut(usize, &Answer) -> Result<Option<Request>> + Send,
{
    fn next(&mut self, last: &Answer) -> Result<Option<Arc<Request>>> {
        let request = (self.next)(self.step, last)?;
        self.step += 1;
        Ok(request.map(Arc::new))
    }
}
