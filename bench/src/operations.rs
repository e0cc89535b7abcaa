//! What is measured, and what is to be reached.
//!
//! - [`pulls`] has manifests and blobs on their way out.
//! - [`pushes`] has blobs and manifests on their way in.
//! - [`listings`] has tags.
//! - [`life`] has starting, resting and tokens.

mod life;
mod listings;
mod pulls;
mod pushes;

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use serde::Serialize;

use crate::client::{Cycle, Request, Script, Tally, drive};
use crate::process::{Memory, cpu_time};
use crate::servers::Server;
use crate::statistics::percentile;
use crate::stock::{Shelf, Stock};

/// One line of the table.
#[derive(Clone, Copy)]
pub(crate) struct Operation {
    /// What it is called.
    pub(crate) name: &'static str,
    /// How its results are shown.
    pub(crate) unit: Unit,
    /// Which server it needs.
    pub(crate) stand: Stand,
    /// What Naru is compared with.
    pub(crate) against: Against,
    /// What must lie in the registry.
    pub(crate) needs: &'static [Stock],
    /// What is to be reached.
    pub(crate) goal: Goal,
    /// The most memory it may take: resident and anonymous, in MiB.
    pub(crate) memory_goal: Option<(f64, f64)>,
    /// Does it once.
    pub(crate) measure: Measure,
}

/// Does an operation once on one server.
pub(crate) type Measure = fn(&mut Visit<'_>) -> Result<Sample>;

/// How results are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Unit {
    /// Requests a second, CPU µs each.
    Requests,
    /// MB a second, CPU seconds for a GiB.
    Bytes,
    /// Milliseconds each, CPU milliseconds each.
    Milliseconds,
    /// Only memory matters.
    Memory,
}

/// The server of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    /// The one that stands all the time.
    Standing,
    /// One with an empty store, started for this round and thrown away after it: so a round does
    /// not pay for the one before, and the disk does not fill.
    Fresh,
}

/// What Naru is compared with.
#[derive(Clone, Copy)]
pub(crate) enum Against {
    /// The other registry, in the same operation.
    Peer,
    /// Itself, in another.
    Itself(Measure),
    /// Nothing: the peer has no such thing.
    Nothing,
}

/// What is to be reached; how much better than the other side a ratio says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Goal {
    /// Nothing is written down.
    None,
    /// Ratios of speed and of CPU time; 0 asks for nothing.
    Times {
        /// What the goals ask for.
        goal: (f64, f64),
        /// What must be reached from the first day.
        least: (f64, f64),
    },
    /// At most so many milliseconds.
    Within(f64),
    /// At least so many a second, for at most so many CPU µs each.
    Rate(f64, f64),
}

impl Goal {
    /// A goal with nothing that must be reached before it.
    const fn times(speed: f64, cpu: f64) -> Self {
        Self::Times {
            goal: (speed, cpu),
            least: (0.0, 0.0),
        }
    }

    /// A goal, and what must be reached in any case.
    const fn times_or_least(goal: (f64, f64), least: (f64, f64)) -> Self {
        Self::Times { goal, least }
    }
}

/// What an operation gets to work with.
pub(crate) struct Visit<'a> {
    /// The server.
    pub(crate) server: &'a mut Server,
    /// What was pushed, and the sizes of the run.
    pub(crate) shelf: &'a Shelf,
    /// The number of the round, from 0.
    pub(crate) round: u64,
}

/// What an operation came to in one round.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Sample {
    /// Requests, bytes or other things done.
    pub(crate) work: f64,
    /// How long it took.
    pub(crate) seconds: f64,
    /// How much CPU time the server spent.
    pub(crate) cpu_seconds: f64,
    /// The middle of the times of single requests, in ms.
    pub(crate) p50_ms: f64,
    /// The time that one request of a hundred exceeds, in ms.
    pub(crate) p99_ms: f64,
    /// The memory of the server, where it was looked at.
    pub(crate) memory: Option<Memory>,
}

/// Half a tick of the kernel's CPU clock: less than this cannot be told from nothing.
const HALF_TICK: f64 = 0.005;

impl Sample {
    /// Work done a second.
    pub(crate) fn rate(&self) -> f64 {
        self.work / self.seconds.max(f64::MIN_POSITIVE)
    }

    /// CPU seconds for each piece of work, at least what the clock can show.
    pub(crate) fn cpu_each(&self) -> f64 {
        self.cpu_seconds.max(HALF_TICK) / self.work.max(f64::MIN_POSITIVE)
    }

    /// The same with another count of work: so many requests make one.
    fn per(mut self, requests: f64) -> Self {
        self.work /= requests;
        self
    }
}

/// Every operation, in the order of the table. What starts servers anew comes last.
pub(crate) fn all() -> impl Iterator<Item = &'static Operation> {
    [
        pulls::OPERATIONS,
        listings::OPERATIONS,
        pushes::OPERATIONS,
        life::OPERATIONS,
    ]
    .into_iter()
    .flatten()
}

/// Runs scripts against the server and counts its CPU time meanwhile.
fn timed(visit: &Visit<'_>, run: impl FnOnce() -> Result<Tally>) -> Result<Sample> {
    let before = cpu_time(visit.server.pid())?;
    let tally = run()?;
    let cpu = cpu_time(visit.server.pid())?.saturating_sub(before);
    let mut times: Vec<f64> = tally
        .times
        .iter()
        .map(|time| time.as_secs_f64() * 1e3)
        .collect();
    times.sort_by(f64::total_cmp);
    Ok(Sample {
        work: times.len() as f64,
        seconds: tally.took.as_secs_f64(),
        cpu_seconds: cpu.as_secs_f64(),
        p50_ms: percentile(&times, 50),
        p99_ms: percentile(&times, 99),
        memory: None,
    })
}

/// Repeats requests that change nothing over so many connections for the span of the run.
fn repeated(visit: &Visit<'_>, connections: usize, requests: Vec<Request>) -> Result<Sample> {
    let requests: Arc<[Arc<Request>]> = requests.into_iter().map(Arc::new).collect();
    let until = Instant::now() + visit.shelf.sizes.span;
    let script = |number: usize| -> Box<dyn Script> {
        let first = number * requests.len() / connections;
        Box::new(Cycle::until(&requests, first, until))
    };
    let scripts = (0..connections).map(script).collect();
    timed(visit, || drive(visit.server.address, scripts))
}
