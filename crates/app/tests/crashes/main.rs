//! `kill -9` under mixed load, again and again, and a look at what is left.
//!
//! - [`ledger`]: what each client began, and what was acknowledged to it
//! - [`load`]: the clients: they push in every way there is, move tags, delete
//! - [`witness`]: what the restarted server shows, against the ledgers
//! - [`wire`]: sends what they ask
//!
//! The law: acknowledged ⊆ visible ⊆ begun, and every byte is what its digest says.
//! `NARU_CRASH_ROUNDS` says how often the server is killed, `NARU_CRASH_SEED` repeats a run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "a test may fail loudly, also in the helpers that clippy does not know as tests"
)]

mod ledger;
mod load;
mod wire;
mod witness;

use std::path::Path;
use std::time::{Duration, Instant};

use naru_testkit::naru::{Plan, Server};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use ledger::Ledger;
use wire::Wire;

/// How many clients push at a time, each into a repository of its own.
const CLIENTS: u64 = 6;

/// How long the start after a crash may take: the promise, which the middle start must keep, and
/// what no start may pass even where others use the machine.
const PROMISED: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_every_kill() {
    let rounds: u64 = setting("NARU_CRASH_ROUNDS").unwrap_or(15);
    let seed: u64 = setting("NARU_CRASH_SEED").unwrap_or_else(rand::random);
    eprintln!("{rounds} rounds with NARU_CRASH_SEED={seed}");
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join("crashes.log");
    let plan = Plan::new(env!("CARGO_BIN_EXE_naru")).logging_to(log);
    let Some(server) = Server::start(plan) else {
        return;
    };
    let wire = Wire::new(server.url(), &server.user("sailor"));

    let mut ledgers: Vec<Ledger> = (0..CLIENTS)
        .map(|number| Ledger::new(&format!("sailor/ship-{number}")))
        .collect();
    let mut chance = StdRng::seed_from_u64(seed);
    let mut starts = Vec::new();
    for round in 0..rounds {
        let span = Duration::from_millis(chance.random_range(50..1500));
        let running = ledgers.drain(..).enumerate().map(|(number, ledger)| {
            let chance = StdRng::seed_from_u64(seed ^ (round * CLIENTS + number as u64 + 1));
            tokio::spawn(load::until_cut_off(wire.clone(), ledger, chance))
        });
        let running: Vec<_> = running.collect();
        tokio::time::sleep(span).await;
        server.kill();
        for client in running {
            ledgers.push(client.await.unwrap());
        }
        let started = Instant::now();
        server.restart();
        wire.until_ready(started + PATIENCE).await;
        starts.push(started.elapsed());
        for ledger in &mut ledgers {
            witness::compare(&wire, ledger).await;
        }
    }
    starts.sort_unstable();
    let middle = starts[starts.len() / 2];
    assert!(middle <= PROMISED, "ready only after {middle:?}");
    let pushed: usize = ledgers.iter().map(Ledger::acknowledged).sum();
    eprintln!(
        "{pushed} blobs acknowledged; ready after {middle:?}, at worst {:?}",
        starts.last()
    );
    assert!(pushed > 0, "the load did nothing");
    assert_eq!(server.naru(["fsck", "--content", "--json"]), "[]");
}

/// A number from the environment.
#[expect(
    clippy::disallowed_methods,
    reason = "the environment is how a run is repeated"
)]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
