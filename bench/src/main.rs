//! Measures Naru beside another registry: `cargo run --release -p naru-bench -- --help`.
//!
//! Both run at the same time on the same machine and are asked in turn, round by round, so that
//! what disturbs one disturbs the other. Every answer is checked: status, digest, every byte.
//! What is compared are ratios of the same round; what is shown are medians.
//! `docs/explanation/performance.md` says what came out and why.
//!
//! - [`operations`] is the table of what is measured, with its goals.
//! - [`run`] goes through it, round by round.
//! - [`servers`] starts and ends the registries, [`process`] reads what they use.
//! - [`stock`] is what lies in them, [`payload`] the bytes of it, [`upload`] pushes it.
//! - [`client`] is the load generator.
//! - [`statistics`] and [`report`] make the table; [`mod@say`] writes.
//! - [`rest`] measures the REST API alone, on a registry with many packages.

mod client;
mod operations;
mod payload;
mod process;
mod report;
mod rest;
mod run;
mod say;
mod servers;
mod sizes;
mod statistics;
mod stock;
mod upload;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};
use clap::{Parser, Subcommand};

use crate::run::{Outcome, Run};
use crate::say::say;
use crate::servers::Program;
use crate::sizes::Sizes;
use crate::stock::Shelf;

/// The type that statfs(2) gives for a filesystem in memory, where an fsync costs nothing.
const TMPFS: u64 = 0x0102_1994;

/// Measures Naru beside another registry.
///
/// Example: naru-bench --peer /usr/local/bin/registry --rounds 5 --json result.json
#[derive(Parser)]
#[command(
    name = "naru-bench",
    max_term_width = 100,
    args_conflicts_with_subcommands = true
)]
struct Options {
    #[command(subcommand)]
    part: Option<Part>,
    /// The `naru` program; by default the one built beside this program.
    #[arg(long, value_name = "FILE")]
    naru: Option<PathBuf>,
    /// The `registry` program of distribution v3; without it, Naru is measured alone.
    #[arg(long, value_name = "FILE")]
    peer: Option<PathBuf>,
    /// Measure the peer against itself: how far from 1 a ratio can be by chance.
    #[arg(long, requires = "peer")]
    noise: bool,
    /// Small sizes and two rounds: shows that everything works, proves no goal.
    #[arg(long)]
    quick: bool,
    /// Only operations with these words in their name; may be repeated.
    #[arg(long, value_name = "WORDS")]
    only: Vec<String>,
    /// How many times each operation is done on each side.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=50))]
    rounds: Option<u64>,
    /// Write every sample to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where the data of both goes while it runs (up to 10 GiB), on a real disk.
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
    /// List the operations.
    #[arg(long)]
    list: bool,
}

/// What is measured beside what registries have in common.
#[derive(Subcommand)]
enum Part {
    Rest(rest::Options),
}

fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = match &options.part {
        None => bench(&options),
        Some(Part::Rest(options)) => rest::bench(options),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs what the options say; whether every answer was right.
fn bench(options: &Options) -> Result<bool> {
    let operations: Vec<_> = operations::all()
        .filter(|operation| options.wants(operation.name))
        .collect();
    ensure!(
        !operations.is_empty(),
        "no operation has any of these words: see --list"
    );
    if options.list {
        operations
            .iter()
            .for_each(|operation| say::result(format_args!("{}", operation.name)));
        return Ok(true);
    }
    let mut run = options.run()?;
    let mut outcomes: Vec<Outcome> = Vec::new();
    for (number, operation) in operations.iter().enumerate() {
        say!("{}/{} {}", number + 1, operations.len(), operation.name);
        outcomes.push(run.measure(operation));
    }
    drop(run);
    say::result(format_args!(
        "{}\n\n{}\n{}",
        options.circumstances()?,
        report::table(&outcomes),
        report::failures(&outcomes)
    ));
    if let Some(file) = &options.json {
        fs::write(file, serde_json::to_vec_pretty(&outcomes)?)
            .with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(outcomes.iter().all(|outcome| outcome.failure.is_none()))
}

impl Options {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|words| name.contains(words.as_str()))
    }

    fn rounds(&self) -> u64 {
        self.rounds.unwrap_or(if self.quick { 2 } else { 5 })
    }

    /// The run that is asked for, after a look at the machine.
    fn run(&self) -> Result<Run> {
        let directory = on_disk(self.directory.as_deref())?;
        let peer = self
            .peer
            .as_deref()
            .map(existing)
            .transpose()?
            .map(Program::Distribution);
        let naru = existing(&self.naru()?)?;
        let naru = if self.noise {
            Program::Distribution(naru)
        } else {
            Program::Naru(naru)
        };
        let sizes = if self.quick {
            Sizes::quick()
        } else {
            Sizes::full()
        };
        Ok(Run::new(
            naru,
            peer,
            Shelf::new(sizes),
            self.rounds(),
            directory,
        ))
    }

    /// The program that stands in the column of Naru.
    fn naru(&self) -> Result<PathBuf> {
        match (&self.naru, &self.peer) {
            (_, Some(peer)) if self.noise => Ok(peer.clone()),
            (named, _) => naru_program(named.as_deref()),
        }
    }

    /// What a reader must know of the machine and the run.
    fn circumstances(&self) -> Result<String> {
        let cores = std::thread::available_parallelism()?;
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
        let load = fs::read_to_string("/proc/loadavg")?;
        let peer = self.peer.as_deref().map_or("none".to_owned(), version);
        let quick = if self.quick {
            " Quick: sizes are smaller than the names say, and no goal is proven."
        } else {
            ""
        };
        Ok(format!(
            "{}; peer {peer}. {cores} cores of {}, Linux {}, load {} at the end; medians of {} \
             rounds.{quick}",
            version(&self.naru()?),
            processor(),
            kernel.trim(),
            load.split(' ').next().unwrap_or_default(),
            self.rounds(),
        ))
    }
}

/// The directory for the data: the system's, if none was named; it must be on a disk.
fn on_disk(directory: Option<&Path>) -> Result<PathBuf> {
    let directory = directory.map_or_else(std::env::temp_dir, Path::to_owned);
    let filesystem = rustix::fs::statfs(&directory)
        .with_context(|| format!("no directory {}", directory.display()))?;
    if u64::try_from(filesystem.f_type)? == TMPFS {
        bail!(
            "{} lies in memory: choose a disk with --directory",
            directory.display()
        );
    }
    Ok(directory)
}

/// The program that was named, or the one built beside this program.
fn naru_program(named: Option<&Path>) -> Result<PathBuf> {
    match named {
        Some(file) => Ok(file.to_owned()),
        None => Ok(std::env::current_exe()?.with_file_name("naru")),
    }
}

/// A program that is there, by its whole path.
fn existing(program: &Path) -> Result<PathBuf> {
    fs::canonicalize(program).with_context(|| format!("no program {}", program.display()))
}

/// What a program says of its version.
fn version(program: &Path) -> String {
    let output = Command::new(program).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_else(|_| "of an unknown version".to_owned())
}

/// The name of the processor.
fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    model
        .map_or("unknown", |model| {
            model.trim_start_matches(['\t', ' ', ':'])
        })
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_consistent() {
        <Options as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn operations_have_names_of_their_own() {
        let mut names: Vec<_> = operations::all().map(|operation| operation.name).collect();
        assert!(names.iter().all(|name| !name.is_empty()));
        let number = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), number);
    }
}
