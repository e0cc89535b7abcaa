//! Watches the clock: leases and delays are measured with it, so the collector must not believe a
//! clock that jumps.
//!
//! The wall clock is compared with the time that really passed, and across restarts with the
//! latest time that was written down. After a jump the collector stops, loudly, until a person
//! has looked and runs it by hand.

use std::time::Duration;

use naru_metadata::instance;
use naru_model::Moment;
use tokio::time::Instant;

use crate::Registry;
use crate::error::{Error, Result};

/// The latest time that was seen, by the wall clock.
const SEEN: &str = "clock_seen_at";
/// What is known of a jump that nobody has confirmed yet; empty if there was none.
const JUMPED: &str = "clock_jumped";

/// Where both clocks stood when the watch began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClockWatch {
    wall: Moment,
    steady: Instant,
}

/// By how much the wall clock went ahead of the time that passed, or behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Jump {
    Ahead(Duration),
    Behind(Duration),
}

impl std::fmt::Display for Jump {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ahead(by) => write!(f, "{} minutes ahead", by.as_secs() / 60),
            Self::Behind(by) => write!(f, "{} minutes behind", by.as_secs() / 60),
        }
    }
}

impl ClockWatch {
    pub(crate) fn start(wall: Moment) -> Self {
        Self {
            wall,
            steady: Instant::now(),
        }
    }

    /// A jump by more than `tolerance` since the watch began.
    fn jump(&self, wall: Moment, steady: Instant, tolerance: Duration) -> Option<Jump> {
        let expected = self
            .wall
            .plus(steady.saturating_duration_since(self.steady));
        jump_between(expected, wall, tolerance)
    }
}

fn jump_between(expected: Moment, found: Moment, tolerance: Duration) -> Option<Jump> {
    let (ahead, behind) = (found.since(expected), expected.since(found));
    if ahead > tolerance {
        Some(Jump::Ahead(ahead))
    } else if behind > tolerance {
        Some(Jump::Behind(behind))
    } else {
        None
    }
}

impl Registry {
    /// Refuses to go on after a jump of the clock by more than half a lease: less than that cannot
    /// take a blob from under a push.
    ///
    /// # Errors
    /// [`Error::Conflict`] after a jump that nobody has confirmed.
    pub(crate) async fn believe_clock(&self, watch: &mut ClockWatch) -> Result<()> {
        let tolerance = self.clock_tolerance();
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let seen = instance::get(&mut tx, SEEN)
            .await?
            .and_then(|text| text.parse().ok());
        let backwards = seen
            .map(Moment::from_micros)
            .filter(|seen| seen.since(now) > tolerance)
            .map(|seen| Jump::Behind(seen.since(now)));
        let jump = watch.jump(now, Instant::now(), tolerance).or(backwards);
        if let Some(jump) = jump {
            *watch = ClockWatch::start(now);
            instance::put(&mut tx, JUMPED, &format!("{jump} at {now}")).await?;
        }
        instance::put(&mut tx, SEEN, &now.as_micros().to_string()).await?;
        let held = instance::get(&mut tx, JUMPED)
            .await?
            .filter(|jumped| !jumped.is_empty());
        tx.commit().await?;
        held.map_or(Ok(()), |jumped| Err(held_by(&jumped)))
    }

    /// The time, as long as the clock has not jumped since `watch` began: for each batch of a run.
    /// After a jump the collector is held, as by [`Registry::believe_clock`].
    ///
    /// # Errors
    /// [`Error::Conflict`] after a jump.
    pub(crate) async fn trusted_now(&self, watch: &ClockWatch) -> Result<Moment> {
        let now = self.clock.now();
        let Some(jump) = watch.jump(now, Instant::now(), self.clock_tolerance()) else {
            return Ok(now);
        };
        let jumped = format!("{jump} at {now}");
        let mut tx = self.db.write().await?;
        instance::put(&mut tx, JUMPED, &jumped).await?;
        tx.commit().await?;
        Err(held_by(&jumped))
    }

    fn clock_tolerance(&self) -> Duration {
        self.settings.leases().lease / 2
    }

    /// Says that the clock is right: a person runs the collector by hand.
    pub(crate) async fn confirm_clock(&self) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        instance::put(&mut tx, JUMPED, "").await?;
        instance::put(&mut tx, SEEN, &now.as_micros().to_string()).await?;
        tx.commit().await?;
        Ok(())
    }
}

fn held_by(jumped: &str) -> Error {
    Error::Conflict(format!(
        "the clock jumped ({jumped}), so nothing is collected until somebody has made sure that \
         it is right and runs `naru gc run`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF_A_LEASE: Duration = Duration::from_secs(12 * 3600);

    fn jump(wall_hours: i64, steady_hours: u64) -> Option<Jump> {
        let start = Moment::from_seconds(1_800_000_000);
        let watch = ClockWatch::start(start);
        let wall = Moment::from_seconds(start.as_seconds() + wall_hours * 3600);
        let steady = watch.steady + Duration::from_secs(steady_hours * 3600);
        watch.jump(wall, steady, HALF_A_LEASE)
    }

    #[test]
    fn a_clock_that_goes_with_time_is_believed() {
        for (wall, steady) in [(0, 0), (1000, 1000), (12, 0), (100, 111)] {
            assert_eq!(jump(wall, steady), None, "{wall} {steady}");
        }
    }

    #[test]
    fn a_clock_that_jumps_by_two_days_is_not() {
        let two_days = Duration::from_secs(48 * 3600);
        assert_eq!(jump(48, 0), Some(Jump::Ahead(two_days)));
        assert_eq!(jump(-48, 0), Some(Jump::Behind(two_days)));
        assert_eq!(jump(0, 48), Some(Jump::Behind(two_days)));
    }
}
