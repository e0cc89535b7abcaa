//! Is the other side still moving? Measures how long we wait for a client, and how much it moved
//! meanwhile.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::LimitsSettings;

/// The slowest acceptable pace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    window: Duration,
    bytes_per_second: u64,
}

impl Pace {
    pub(super) fn of(limits: &LimitsSettings) -> Self {
        Self {
            window: Duration::from_secs(limits.stall_seconds.max(1)),
            bytes_per_second: limits.stall_bytes_per_second,
        }
    }

    fn suffices(self, moved: u64, waited: Duration) -> bool {
        let millibytes = u128::from(self.bytes_per_second) * waited.as_millis();
        u128::from(moved) * 1000 >= millibytes
    }

    /// Whether `moved` bytes in one whole window are too few.
    pub(super) fn is_stalled(self, moved: u64, waited: Duration) -> bool {
        waited >= self.window && !self.suffices(moved, waited)
    }
}

/// The other side has stood still for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stalled;

/// Judges one direction of one connection, window after window. Only the time spent waiting
/// counts: a server that is busy elsewhere never blames the client.
#[derive(Debug)]
pub(super) struct StallMeter {
    pace: Pace,
    /// Time waited and bytes moved in the present window.
    waited: Duration,
    moved: u64,
    /// Since when we have been waiting, if we are.
    since: Option<Instant>,
    alarm: Alarm,
}

impl StallMeter {
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            pace,
            waited: Duration::ZERO,
            moved: 0,
            since: None,
            alarm: Alarm::default(),
        }
    }

    /// Something moved. Costs no look at the clock unless we had to wait for it.
    pub(super) fn moved(&mut self, bytes: usize) {
        self.moved = self.moved.saturating_add(bytes as u64);
        if let Some(since) = self.since.take() {
            self.waited += since.elapsed();
        }
    }

    /// To be asked whenever the other side is not ready: ready once it has stalled, else the task
    /// is woken when the window ends.
    pub(super) fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<Stalled> {
        loop {
            let now = Instant::now();
            let since = *self.since.get_or_insert(now);
            let waited = self.waited + now.duration_since(since);
            if self.pace.is_stalled(self.moved, waited) {
                return Poll::Ready(Stalled);
            }
            let left = match self.pace.window.checked_sub(waited) {
                Some(left) if !left.is_zero() => left,
                _ => {
                    (self.waited, self.moved, self.since) = (Duration::ZERO, 0, Some(now));
                    self.pace.window
                }
            };
            ready!(self.alarm.poll(cx, now + left));
        }
    }
}

/// A timer that is set rarely: it may ring before the time asked for, and is set anew then. Most
/// waits end long before, and cost nothing here.
#[derive(Debug, Default)]
pub(super) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Ready when `deadline` has passed.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let sleep = self
            .0
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        loop {
            match sleep.as_mut().poll(cx) {
                Poll::Pending if sleep.deadline() <= deadline => return Poll::Pending,
                Poll::Ready(()) if sleep.deadline() >= deadline => return Poll::Ready(()),
                _ => sleep.as_mut().reset(deadline),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    const WINDOW: Duration = Duration::from_millis(300);
    const STEP: Duration = Duration::from_millis(20);

    fn meter(bytes_per_second: u64) -> StallMeter {
        StallMeter::new(Pace {
            window: WINDOW,
            bytes_per_second,
        })
    }

    async fn stalls_within(meter: &mut StallMeter, time: Duration) -> bool {
        let waiting = poll_fn(|cx| meter.poll_stalled(cx));
        tokio::time::timeout(time, waiting).await.is_ok()
    }

    async fn until_stalled(meter: &mut StallMeter) -> Duration {
        let start = Instant::now();
        assert!(stalls_within(meter, Duration::from_secs(30)).await);
        start.elapsed()
    }

    #[tokio::test]
    async fn silence_is_a_stall_after_one_window() {
        let waited = until_stalled(&mut meter(1)).await;
        assert!((WINDOW..2 * WINDOW).contains(&waited), "{waited:?}");
    }

    #[tokio::test]
    async fn the_required_pace_is_enough_for_ever() {
        let mut meter = meter(1000);
        for _ in 0..50 {
            assert!(!stalls_within(&mut meter, STEP).await);
            meter.moved(1000);
        }
    }

    #[tokio::test]
    async fn a_trickle_is_a_stall() {
        let mut meter = meter(1_000_000);
        let start = Instant::now();
        while !stalls_within(&mut meter, STEP).await {
            meter.moved(1);
        }
        assert!(start.elapsed() >= WINDOW);
    }

    #[tokio::test]
    async fn our_own_slowness_does_not_count() {
        let mut meter = meter(1_000_000);
        for _ in 0..5 {
            assert!(!stalls_within(&mut meter, Duration::from_millis(1)).await);
            meter.moved(1);
            tokio::time::sleep(WINDOW / 2).await;
        }
    }

    #[tokio::test]
    async fn a_burst_does_not_excuse_silence_in_the_next_window() {
        let mut meter = meter(1);
        meter.moved(1 << 30);
        assert!(until_stalled(&mut meter).await >= 2 * WINDOW);
    }

    #[tokio::test]
    async fn an_alarm_rings_at_the_deadline_asked_for_last() {
        let mut alarm = Alarm::default();
        let start = Instant::now();
        for deadline in [
            start + STEP,
            start + Duration::from_secs(60),
            start + 2 * STEP,
        ] {
            assert!(
                poll_fn(|cx| Poll::Ready(alarm.poll(cx, deadline)))
                    .await
                    .is_pending()
            );
        }
        poll_fn(|cx| alarm.poll(cx, start + 3 * STEP)).await;
        assert!((3 * STEP..Duration::from_secs(60)).contains(&start.elapsed()));
    }
}
