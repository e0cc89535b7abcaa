//! Time and randomness, given and never taken, so that tests can move the one and repeat the other.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use rand::TryRng;

/// A moment in microseconds since the Unix epoch: how the database stores time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(i64);

impl Moment {
    /// From microseconds since the epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down: the unit of JWT claims.
    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// From whole seconds since the epoch.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// This moment and `duration` later; stays at the end of time instead of wrapping.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros))
    }

    /// This moment and `duration` earlier.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(micros))
    }

    /// How long after `earlier` this is; zero if it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        u64::try_from(self.0.saturating_sub(earlier.0))
            .map_or(Duration::ZERO, Duration::from_micros)
    }

    /// For printing: RFC 3339 in UTC with seconds, as GitHub's REST API has it.
    #[must_use]
    pub fn timestamp(self) -> Timestamp {
        Timestamp::from_second(self.as_seconds()).unwrap_or_default()
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.timestamp().fmt(f)
    }
}

/// A text that is no moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a time such as 2026-11-26T12:00:00Z")]
pub struct NotAMoment;

impl FromStr for Moment {
    type Err = NotAMoment;

    /// RFC 3339, with any offset.
    fn from_str(text: &str) -> Result<Self, NotAMoment> {
        let time: Timestamp = text.parse().map_err(|_| NotAMoment)?;
        Ok(Self(time.as_microsecond()))
    }
}

/// Tells the time. The one place in production that reads the system clock is [`SystemClock`].
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Now, by this clock.
    fn now(&self) -> Moment;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the clock"
    )]
    fn now(&self) -> Moment {
        Moment(Timestamp::now().as_microsecond())
    }
}

/// A clock that stands still until a test moves it.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that shows `start`.
    #[must_use]
    pub fn new(start: Moment) -> Self {
        Self(Arc::new(AtomicI64::new(start.as_micros())))
    }

    /// Moves the clock forward.
    pub fn advance(&self, duration: Duration) {
        self.set(self.now().plus(duration));
    }

    /// Sets the clock, also backwards.
    pub fn set(&self, moment: Moment) {
        self.0.store(moment.as_micros(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        Moment(self.0.load(Ordering::SeqCst))
    }
}

/// Gives unpredictable bytes. The one in production is [`SystemRandom`].
pub trait Random: fmt::Debug + Send + Sync + 'static {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness>;
}

/// The operating system refused to give random bytes; nothing secret may be made then.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct NoRandomness;

/// The randomness of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        rand::rngs::SysRng
            .try_fill_bytes(bytes)
            .map_err(|_| NoRandomness)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_back_from_its_text() {
        let moment = Moment::from_seconds(1_800_000_000);
        assert_eq!(moment.to_string().parse(), Ok(moment));
        assert_eq!("2027-01-15T17:00:00+09:00".parse(), Ok(moment));
        for text in ["", "now", "2027-01-15", "1800000000"] {
            assert_eq!(text.parse::<Moment>(), Err(NotAMoment), "{text}");
        }
    }

    #[test]
    fn a_moment_prints_in_utc_with_seconds() {
        let moment = Moment::from_micros(1_700_000_000_999_999);
        assert_eq!(moment.to_string(), "2023-11-14T22:13:20Z");
    }

    #[test]
    fn since_is_never_negative() {
        assert_eq!(
            Moment::from_seconds(1).since(Moment::from_seconds(5)),
            Duration::ZERO
        );
    }

    #[test]
    fn a_manual_clock_stands_still() {
        let clock = ManualClock::new(Moment::from_seconds(10));
        clock.advance(Duration::from_secs(5));
        assert_eq!(clock.now(), Moment::from_seconds(15));
        assert_eq!(clock.now(), clock.now());
    }
}
