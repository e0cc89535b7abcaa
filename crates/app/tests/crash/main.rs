//! Power cuts as far as a process can have them: the server is killed at random moments under
//! mixed load, and what it had acknowledged is all there afterwards.
//!
//! The client notes when it begins a request and when it has an answer. At the end
//! *acknowledged ⊆ visible ⊆ begun* must hold, every digest is hashed again, and `naru fsck` finds
//! nothing. A run has [`CYCLES`] kills; `NARU_KILL_CYCLES` asks for a longer one.

mod client;
mod ledger;
mod load;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use naru_testkit::naru::{Plan, Server};

use crate::client::Client;
use crate::ledger::Ledger;
use crate::load::Random;

/// How many kills a run has.
const CYCLES: u32 = 6;

/// How many clients push, move and delete at the same time.
const CLIENTS: u64 = 4;

/// Longer than a start ever takes, and short enough to notice one that needs a hand.
const READY_WITHIN: Duration = Duration::from_secs(20);

#[test]
fn what_was_acknowledged_survives_any_kill() {
    let Some(server) = Server::start(Plan::new(env!("CARGO_BIN_EXE_naru"))) else {
        return;
    };
    let user = server.user("octo");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let ledger = Arc::new(Ledger::default());
    let client = Client::new(server.url(), &user.name, &user.token);
    let workers: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (client, ledger) = (client.clone(), Arc::clone(&ledger));
            runtime.spawn(load::work(number, client, ledger))
        })
        .collect();
    let seed = u64::from(std::process::id());
    eprintln!("kill loop with seed {seed}");
    let restarts = kill_and_restart(&server, &mut Random::new(seed));
    ledger.stop();
    for worker in workers {
        runtime.block_on(worker).unwrap();
    }
    let report = runtime.block_on(ledger::compare(&ledger, &client));
    eprintln!("{report}; restarts took {restarts:?}");
    assert!(
        report.acknowledged > 20,
        "too little was acknowledged to prove anything: {report}"
    );
    assert_eq!(report.faults, Vec::<String>::new());
    check(&server);
}

/// Kills the server again and again while the load runs. Returns how long each start took.
fn kill_and_restart(server: &Server, random: &mut Random) -> Vec<Duration> {
    (0..cycles())
        .map(|_| {
            std::thread::sleep(Duration::from_millis(150 + random.below(850)));
            server.kill();
            let begun = Instant::now();
            server.restart();
            let took = begun.elapsed();
            assert!(
                took < READY_WITHIN,
                "a start took {took:?}: it needed a hand"
            );
            took
        })
        .collect()
}

/// Nothing is missing, truncated or flipped.
fn check(server: &Server) {
    let output = server.command().arg("fsck").output().unwrap();
    let words = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "naru fsck found something: {words}"
    );
    let data = server.data();
    assert_eq!(empty_files(&data.join("blobs")), Vec::<String>::new());
}

/// Zero-length files that a crash left where blobs are.
fn empty_files(directory: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    entries
        .flatten()
        .flat_map(|entry| match entry.metadata() {
            Ok(data) if data.is_dir() => empty_files(&entry.path()),
            Ok(data) if data.len() == 0 => vec![entry.path().display().to_string()],
            _ => Vec::new(),
        })
        .collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a campaign asks for more cycles than a test run"
)]
fn cycles() -> u32 {
    std::env::var("NARU_KILL_CYCLES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(CYCLES)
}
