//! Secondary limits (contract D9): how many requests of one caller are answered at once, and how
//! many may change something in a minute. Counted for the same callers as the hour is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::sync::Cache;
use naru_model::Moment;

use super::{Counted, RestSettings};

/// The window of requests that change something, in seconds.
const WINDOW: i64 = 60;
/// When a caller may come again who has too many requests under way: one of them ends soon.
const SOON: u64 = 1;

/// What is under way for a caller, and what changed something lately.
struct Activity {
    running: Arc<AtomicU64>,
    writes: AtomicU64,
    /// When `writes` begins anew.
    reset: Moment,
}

/// Counts what each caller does at once and in a minute.
pub(super) struct Secondary {
    concurrent: u64,
    writes: u64,
    activities: Cache<Counted, Arc<Activity>>,
}

/// A request under way; it has ended when this is dropped, also if its client has left.
#[derive(Debug)]
pub(in crate::rest) struct Running(Arc<AtomicU64>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A secondary limit is exceeded; so many seconds later it may be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rest) struct TooMuch {
    pub(in crate::rest) retry_after: u64,
}

impl Secondary {
    pub(super) fn new(settings: &RestSettings, most_callers: u64) -> Self {
        // Longer than any request and any window lasts.
        const KEPT: Duration = Duration::from_secs(3_600);
        let unlimited_if_zero = |limit: u64| if limit == 0 { u64::MAX } else { limit };
        Self {
            concurrent: unlimited_if_zero(settings.concurrent_requests),
            writes: unlimited_if_zero(settings.changes_per_minute),
            activities: Cache::builder()
                .max_capacity(most_callers)
                .time_to_idle(KEPT)
                .build(),
        }
    }

    /// Begins a request, unless there are too many.
    pub(super) fn begin(
        &self,
        counted: Counted,
        now: Moment,
        changes: bool,
    ) -> Result<Running, TooMuch> {
        let activity = self.activity(counted, now);
        let before = activity.running.fetch_add(1, Ordering::Relaxed);
        let running = Running(Arc::clone(&activity.running));
        if before >= self.concurrent {
            return Err(TooMuch { retry_after: SOON });
        }
        if changes && activity.writes.fetch_add(1, Ordering::Relaxed) >= self.writes {
            let wait = activity.reset.as_seconds().saturating_sub(now.as_seconds());
            let retry_after = u64::try_from(wait).unwrap_or(SOON).max(SOON);
            return Err(TooMuch { retry_after });
        }
        Ok(running)
    }

    fn activity(&self, counted: Counted, now: Moment) -> Arc<Activity> {
        let fresh = |running| {
            Arc::new(Activity {
                running,
                writes: AtomicU64::new(0),
                reset: Moment::from_seconds(now.as_seconds().saturating_add(WINDOW)),
            })
        };
        let activity = self.activities.get_with(counted, || fresh(Arc::default()));
        if activity.reset > now {
            return activity;
        }
        // What is under way stays under way in the next minute.
        let activity = fresh(Arc::clone(&activity.running));
        self.activities.insert(counted, Arc::clone(&activity));
        activity
    }
}

#[cfg(test)]
mod tests {
    use naru_model::AccountId;

    use super::*;

    fn limits(concurrent_requests: u64, changes_per_minute: u64) -> Secondary {
        let settings = RestSettings {
            concurrent_requests,
            changes_per_minute,
            ..RestSettings::default()
        };
        Secondary::new(&settings, 10)
    }

    const OCTO: Counted = Counted::User(AccountId::new(1));
    const HUBOT: Counted = Counted::User(AccountId::new(2));

    fn at(seconds: i64) -> Moment {
        Moment::from_seconds(seconds)
    }

    #[test]
    fn a_request_that_ends_makes_room_for_another() {
        let limits = limits(2, 0);
        let first = limits.begin(OCTO, at(0), false).unwrap();
        let _second = limits.begin(OCTO, at(0), false).unwrap();
        let refused = limits.begin(OCTO, at(0), false).unwrap_err();
        assert_eq!(refused.retry_after, 1);
        assert!(limits.begin(HUBOT, at(0), false).is_ok());
        drop(first);
        assert!(limits.begin(OCTO, at(0), false).is_ok());
    }

    #[test]
    fn what_is_under_way_counts_after_the_minute_too() {
        let limits = limits(1, 0);
        let running = limits.begin(OCTO, at(0), false).unwrap();
        assert!(limits.begin(OCTO, at(61), false).is_err());
        drop(running);
        assert!(limits.begin(OCTO, at(61), false).is_ok());
    }

    #[test]
    fn changes_are_counted_by_the_minute_and_reading_is_not() {
        let limits = limits(0, 2);
        let begin = |seconds, changes| limits.begin(OCTO, at(seconds), changes).map(drop);
        assert_eq!(begin(0, true), Ok(()));
        assert_eq!(begin(10, true), Ok(()));
        assert_eq!(begin(20, true), Err(TooMuch { retry_after: 40 }));
        assert_eq!(begin(20, false), Ok(()));
        assert_eq!(limits.begin(HUBOT, at(20), true).map(drop), Ok(()));
        assert_eq!(begin(60, true), Ok(()));
    }

    #[test]
    fn nothing_is_no_limit() {
        let limits = limits(0, 0);
        let running: Vec<_> = (0..1_000)
            .map(|_| limits.begin(OCTO, at(0), true))
            .collect();
        assert!(running.iter().all(Result::is_ok));
    }
}
