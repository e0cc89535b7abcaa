//! Starting, resting, tokens: what a server does besides pulls and pushes.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{Against, Goal, Operation, Sample, Stand, Unit, Visit, timed};
use crate::client::{Script, Steps, drive};
use crate::process::{cpu_time, memory};
use crate::servers::{Account, token_in};
use crate::stock::Stock;

/// How long a server rests before its memory is read.
const REST: Duration = Duration::from_millis(1500);

/// What the starts have in common.
const START: Operation = Operation {
    name: "",
    unit: Unit::Milliseconds,
    stand: Stand::Fresh,
    against: Against::Peer,
    needs: &[],
    goal: Goal::None,
    memory_goal: None,
    measure: |visit| started(visit),
};

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        name: "token endpoint, c16",
        unit: Unit::Requests,
        stand: Stand::Standing,
        against: Against::Nothing,
        needs: &[Stock::Images],
        goal: Goal::Rate(15_000.0, 45.0),
        measure: tokens,
        ..START
    },
    Operation {
        name: "memory at rest",
        unit: Unit::Memory,
        memory_goal: Some((20.0, 0.0)),
        measure: resting,
        ..START
    },
    Operation {
        name: "very first start to first answer",
        ..START
    },
    Operation {
        name: "start to first answer, empty",
        goal: Goal::Within(20.0),
        measure: restarted,
        ..START
    },
    Operation {
        name: "start to first answer, with data",
        stand: Stand::Standing,
        needs: &[Stock::Images, Stock::Mounted, Stock::Tags(1)],
        goal: Goal::Within(60.0),
        measure: restarted,
        ..START
    },
];

/// Signed-in requests for a token that allows a pull.
fn tokens(visit: &mut Visit<'_>) -> Result<Sample> {
    let account = visit.server.account().context("no accounts here")?;
    let until = Instant::now() + visit.shelf.sizes.span;
    let scripts = (0..16).map(|_| asking(account.clone(), until)).collect();
    timed(visit, || drive(visit.server.address, scripts))
}

/// One client that asks for tokens until the moment comes, and looks at each.
fn asking(account: Account, until: Instant) -> Box<dyn Script> {
    Box::new(Steps::new(move |step, last| {
        if step > 0 {
            token_in(&last.body)?;
        }
        let more = Instant::now() < until;
        Ok(more.then(|| account.token_request(&["repository:bench/images:pull"])))
    }))
}

/// The memory of a server that does nothing.
fn resting(visit: &mut Visit<'_>) -> Result<Sample> {
    std::thread::sleep(REST);
    let memory = memory(visit.server.pid())?;
    Ok(Sample {
        memory: Some(memory),
        ..started(visit)?
    })
}

/// How long the server took to its first answer.
fn started(visit: &Visit<'_>) -> Result<Sample> {
    let seconds = visit.server.started_in.as_secs_f64();
    let cpu_seconds = cpu_time(visit.server.pid())?.as_secs_f64();
    Ok(Sample {
        work: 1.0,
        seconds,
        cpu_seconds,
        ..Sample::default()
    })
}

/// The same after an end and a new start on the same data.
fn restarted(visit: &mut Visit<'_>) -> Result<Sample> {
    visit.server.restart()?;
    started(visit)
}
