//! One run: every operation in rounds, both sides in turn, whoever began last round second.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::operations::{Against, Measure, Operation, Sample, Stand, Visit};
use crate::say::say;
use crate::servers::{Program, Server};
use crate::stock::{Shelf, Stock};

/// What an operation came to.
#[derive(Serialize)]
pub(crate) struct Outcome {
    /// The operation.
    #[serde(serialize_with = "name_of")]
    pub(crate) operation: &'static Operation,
    /// One pair for each round.
    pub(crate) rounds: Vec<Round>,
    /// Why there are not as many rounds as asked for: a wrong answer, for example.
    pub(crate) failure: Option<String>,
}

/// Both sides of one round.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Round {
    /// Naru.
    pub(crate) naru: Sample,
    /// What it is compared with.
    pub(crate) other: Option<Sample>,
}

/// The registries of a run, and what they hold.
pub(crate) struct Run {
    naru: Side,
    peer: Option<Side>,
    shelf: Shelf,
    rounds: u64,
    directory: PathBuf,
}

/// One registry.
struct Side {
    program: Program,
    standing: Option<Server>,
    stocked: HashSet<Stock>,
}

impl Run {
    /// Nothing is started before it is needed.
    pub(crate) fn new(
        naru: Program,
        peer: Option<Program>,
        shelf: Shelf,
        rounds: u64,
        directory: PathBuf,
    ) -> Self {
        Self {
            naru: Side::new(naru),
            peer: peer.map(Side::new),
            shelf,
            rounds,
            directory,
        }
    }

    /// Measures one operation. An operation that fails does not end the run.
    pub(crate) fn measure(&mut self, operation: &'static Operation) -> Outcome {
        let mut rounds = Vec::new();
        let mut failure = None;
        for round in 0..self.rounds {
            match self.round(operation, round) {
                Ok(both) => rounds.push(both),
                Err(error) => {
                    say!("{}: {error:#}", operation.name);
                    failure = Some(format!("{error:#}"));
                    break;
                }
            }
        }
        Outcome {
            operation,
            rounds,
            failure,
        }
    }

    /// Both sides once, in an order that changes.
    fn round(&mut self, operation: &Operation, round: u64) -> Result<Round> {
        let second_first = round % 2 == 1;
        let early = if second_first {
            self.other(operation, round)?
        } else {
            None
        };
        let naru = self.naru.measure(
            operation,
            operation.measure,
            &self.shelf,
            round,
            &self.directory,
        )?;
        let other = if second_first {
            early
        } else {
            self.other(operation, round)?
        };
        Ok(Round { naru, other })
    }

    /// What Naru is compared with.
    fn other(&mut self, operation: &Operation, round: u64) -> Result<Option<Sample>> {
        let (side, measure) = match (operation.against, &mut self.peer) {
            (Against::Peer, Some(peer)) => (peer, operation.measure),
            (Against::Itself(measure), _) => (&mut self.naru, measure),
            (Against::Peer, None) | (Against::Nothing, _) => return Ok(None),
        };
        side.measure(operation, measure, &self.shelf, round, &self.directory)
            .map(Some)
    }
}

impl Side {
    fn new(program: Program) -> Self {
        Self {
            program,
            standing: None,
            stocked: HashSet::new(),
        }
    }

    /// Does an operation once on the server it needs.
    fn measure(
        &mut self,
        operation: &Operation,
        measure: Measure,
        shelf: &Shelf,
        round: u64,
        directory: &Path,
    ) -> Result<Sample> {
        let name = self.program.name();
        if operation.stand == Stand::Fresh {
            let mut server = self.program.start(directory)?;
            return visit(&mut server, shelf, round, measure).context(name);
        }
        if self.standing.is_none() {
            self.standing = Some(self.program.start(directory)?);
        }
        let server = self.standing.as_mut().context("a server that stands")?;
        for stock in operation.needs {
            if !self.stocked.contains(stock) {
                say!("stocking {name} with {stock:?}");
                visit(server, shelf, round, |visit| {
                    visit.shelf.put(visit.server, *stock)
                })
                .with_context(|| format!("stocking {name} with {stock:?}"))?;
                self.stocked.insert(*stock);
            }
        }
        visit(server, shelf, round, measure).context(name)
    }
}

/// Does something with a server; if it fails, the server's last words say why.
fn visit<T>(
    server: &mut Server,
    shelf: &Shelf,
    round: u64,
    work: impl FnOnce(&mut Visit<'_>) -> Result<T>,
) -> Result<T> {
    let done = work(&mut Visit {
        server,
        shelf,
        round,
    });
    done.with_context(|| format!("its log ends with {}", server.last_words()))
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the form that serde asks for"
)]
fn name_of<S: serde::Serializer>(
    operation: &&'static Operation,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(operation.name)
}
