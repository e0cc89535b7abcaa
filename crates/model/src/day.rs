//! Days in UTC, as downloads are counted by.

use std::fmt;

use crate::clock::Moment;

const MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// A day in UTC, as its number since 1970-01-01: how the database stores days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i64);

impl Day {
    /// Wraps a number that the database gave.
    #[must_use]
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number as the database knows it.
    #[must_use]
    pub const fn number(self) -> i64 {
        self.0
    }

    /// The day that is so many days earlier.
    #[must_use]
    pub const fn minus(self, days: i64) -> Self {
        Self(self.0.saturating_sub(days))
    }

    /// The day after.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl From<Moment> for Day {
    fn from(moment: Moment) -> Self {
        Self(moment.as_micros().div_euclid(MICROS))
    }
}

/// `2026-11-26`, as RFC 3339 has it.
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let midnight = Moment::from_micros(self.0.saturating_mul(MICROS));
        midnight.timestamp().strftime("%Y-%m-%d").fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_midnight_in_utc() {
        let last = Day::from(Moment::from_seconds(1_800_057_599));
        let next = Day::from(Moment::from_seconds(1_800_057_600));
        assert_eq!(last.next(), next);
        assert_eq!(
            (last.to_string(), next.to_string()),
            ("2027-01-15".to_owned(), "2027-01-16".to_owned())
        );
    }

    #[test]
    fn a_day_before_the_epoch_is_rounded_down() {
        assert_eq!(Day::from(Moment::from_micros(-1)).to_string(), "1969-12-31");
    }
}
