//! How often the REST API may be asked (contract D9): so many requests in a window of an hour,
//! counted per user and not per token, per repository for its workflows, per address for nobody;
//! and, for the same callers, the secondary limits: so many at once, so many changes in a minute.
//!
//! Each process counts for itself.

mod secondary;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::sync::Cache;
use naru_model::{AccountId, Moment, Principal, RepositoryId};
use naru_registry::Caller;
use serde::Deserialize;

use crate::hosts::Arrival;

use secondary::Secondary;
pub(super) use secondary::{Running, TooMuch};

/// The `[rest]` section: how often the REST API may be asked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RestSettings {
    /// Whether requests are counted at all.
    pub rate_limit: bool,
    /// Requests an hour of a user.
    pub user_requests_per_hour: u64,
    /// Requests an hour of the workflows of a repository.
    pub workflow_requests_per_hour: u64,
    /// Requests an hour of an address from which nobody has signed in.
    pub anonymous_requests_per_hour: u64,
    /// Requests of one caller that are answered at once; 0 is no limit.
    pub concurrent_requests: u64,
    /// Requests of one caller in a minute that may change something; 0 is no limit.
    pub changes_per_minute: u64,
}

impl Default for RestSettings {
    fn default() -> Self {
        Self {
            rate_limit: true,
            user_requests_per_hour: 5_000,
            workflow_requests_per_hour: 1_000,
            anonymous_requests_per_hour: 60,
            concurrent_requests: 100,
            changes_per_minute: 500,
        }
    }
}

/// The window, in seconds.
const WINDOW: i64 = 3_600;

/// For whom requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Counted {
    User(AccountId),
    Workflow(RepositoryId),
    Address(Option<IpAddr>),
}

struct Window {
    reset: Moment,
    used: AtomicU64,
}

/// Counts requests.
pub(super) struct Limiter {
    settings: RestSettings,
    windows: Cache<Counted, Arc<Window>>,
    secondary: Secondary,
}

/// How much of the hour is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Requests in an hour.
    pub(crate) limit: u64,
    /// Of which were made before this one.
    pub(crate) used: u64,
    /// How many this one counts for: none where a caller asks how they stand.
    pub(crate) cost: u64,
    /// When counting begins anew.
    pub(crate) reset: Moment,
}

impl Standing {
    /// Whether no request is left.
    pub(super) const fn is_exceeded(&self) -> bool {
        self.cost > 0 && self.used >= self.limit
    }

    /// How many were made, this one included.
    pub(crate) fn used_with_this(&self) -> u64 {
        self.used.saturating_add(self.cost).min(self.limit)
    }

    /// What is left after this one.
    pub(crate) fn remaining(&self) -> u64 {
        self.limit.saturating_sub(self.used_with_this())
    }
}

impl Limiter {
    pub(super) fn new(settings: RestSettings) -> Self {
        const MOST: u64 = 100_000;
        let windows = Cache::builder()
            .max_capacity(MOST)
            .time_to_live(Duration::from_secs(2 * WINDOW.unsigned_abs()))
            .build();
        let secondary = Secondary::new(&settings, MOST);
        Self {
            settings,
            windows,
            secondary,
        }
    }

    /// Counts a request of `cost` before anything is done for it, so that requests that come at
    /// once cannot all find room. Answers how the caller stood; `None` where nothing is counted.
    pub(super) fn take(
        &self,
        caller: &Caller,
        arrival: &Arrival,
        now: Moment,
        cost: u64,
    ) -> Option<Standing> {
        let (counted, limit) = self.counted(&caller.principal, arrival)?;
        let window = self.window(counted, now);
        Some(Standing {
            limit,
            used: window.used.fetch_add(cost, Ordering::Relaxed),
            cost,
            reset: window.reset,
        })
    }

    /// Counts an attempt with a credential that is of no use, for the address that it came from.
    /// Answers whether there were too many.
    pub(super) fn take_attempt(&self, arrival: &Arrival, now: Moment) -> bool {
        let Some((counted, limit)) = self.counted(&Principal::ANONYMOUS, arrival) else {
            return false;
        };
        let used = &self.window(counted, now).used;
        used.fetch_add(1, Ordering::Relaxed) >= limit
    }

    /// Begins a request within the secondary limits; `None` where nothing is counted.
    pub(super) fn begin(
        &self,
        caller: &Caller,
        arrival: &Arrival,
        now: Moment,
        changes: bool,
    ) -> Result<Option<Running>, TooMuch> {
        let Some((counted, _)) = self.counted(&caller.principal, arrival) else {
            return Ok(None);
        };
        self.secondary.begin(counted, now, changes).map(Some)
    }

    /// Gives back what a request cost that told its caller nothing new.
    pub(super) fn give_back(&self, caller: &Caller, arrival: &Arrival, now: Moment, cost: u64) {
        if let Some((counted, _)) = self.counted(&caller.principal, arrival) {
            self.window(counted, now)
                .used
                .fetch_sub(cost, Ordering::Relaxed);
        }
    }

    fn window(&self, counted: Counted, now: Moment) -> Arc<Window> {
        let fresh = || {
            Arc::new(Window {
                reset: Moment::from_seconds(now.as_seconds().saturating_add(WINDOW)),
                used: AtomicU64::new(0),
            })
        };
        let window = self.windows.get_with(counted, fresh);
        if window.reset > now {
            return window;
        }
        let window = fresh();
        self.windows.insert(counted, Arc::clone(&window));
        window
    }

    fn counted(&self, principal: &Principal, arrival: &Arrival) -> Option<(Counted, u64)> {
        let settings = &self.settings;
        if !settings.rate_limit {
            return None;
        }
        match principal {
            Principal::User { user, .. } => {
                Some((Counted::User(*user), settings.user_requests_per_hour))
            }
            Principal::Workflow { repository, .. } => Some((
                Counted::Workflow(*repository),
                settings.workflow_requests_per_hour,
            )),
            Principal::Anonymous { .. } => Some((
                Counted::Address(arrival.client),
                settings.anonymous_requests_per_hour,
            )),
            Principal::System => None,
        }
    }
}
