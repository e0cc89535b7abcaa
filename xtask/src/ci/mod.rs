//! The whole test run: every check and every test, in the order of what fails soonest.
//!
//! - [`steps`] is the list of steps and what each does.
//! - [`summary`] says at the end what ran, what did not, and why.

mod steps;
mod summary;

use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;

use crate::say::say;
use crate::services::Services;
use crate::shell::Log;
use crate::workspace;

use steps::{STEPS, Step};
use summary::{Ending, Line};

/// What of the run is wanted.
#[derive(Args)]
pub(crate) struct Options {
    /// Only these steps, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "STEP")]
    only: Vec<String>,
    /// All steps but these
    #[arg(long, value_delimiter = ',', value_name = "STEP")]
    skip: Vec<String>,
    /// Let tests pass over what this machine lacks, instead of failing
    #[arg(long)]
    lenient: bool,
    /// Name the steps and end
    #[arg(long)]
    list: bool,
}

impl Options {
    fn wants(&self, step: &str) -> bool {
        let listed = |names: &[String]| names.iter().any(|name| name == step);
        (self.only.is_empty() || listed(&self.only)) && !listed(&self.skip)
    }
}

/// What the steps of one run share.
pub(crate) struct Session {
    /// Whether a test may pass over what the machine lacks.
    lenient: bool,
    /// Where tests write down what they passed over.
    skips: PathBuf,
    /// The database and object store of this run, once a step needed them.
    services: Option<Services>,
    /// The Go programs, being built beside the Rust code.
    tools: Option<JoinHandle<Result<String>>>,
    /// The static binary, once a step has built it.
    static_binary: Option<PathBuf>,
}

/// Runs the steps that are wanted. Fails when one of them does, after the summary.
pub(crate) fn run(options: &Options) -> Result<()> {
    if options.list {
        STEPS
            .iter()
            .for_each(|step| say!("{:<14}{}", step.name, step.title));
        return Ok(());
    }
    refuse_unknown(options.only.iter().chain(&options.skip))?;
    let directory = workspace::target_directory().join("ci");
    std::fs::create_dir_all(&directory)?;
    let mut session = Session {
        lenient: options.lenient,
        skips: directory.join("skips.txt"),
        services: None,
        tools: None,
        static_binary: None,
    };
    std::fs::write(&session.skips, "")?;
    let started = Instant::now();
    let mut lines: Vec<Line> = Vec::new();
    for step in STEPS.iter().filter(|step| options.wants(step.name)) {
        let line = take(step, &mut session, &lines);
        lines.push(line);
    }
    let skips = std::fs::read_to_string(&session.skips).unwrap_or_default();
    summary::print(&lines, &skips, started.elapsed());
    if lines
        .iter()
        .any(|line| matches!(line.ending, Ending::Failed))
    {
        bail!("the run failed; the logs are in {}", directory.display());
    }
    Ok(())
}

fn refuse_unknown<'a>(mut names: impl Iterator<Item = &'a String>) -> Result<()> {
    match names.find(|name| !STEPS.iter().any(|step| step.name == name.as_str())) {
        Some(name) => bail!("no step is called `{name}`; `cargo xtask ci --list` names them"),
        None => Ok(()),
    }
}

/// Runs one step, unless one that it needs has failed, and says how it ended.
fn take(step: &'static Step, session: &mut Session, before: &[Line]) -> Line {
    let failed = |name: &&&str| {
        before
            .iter()
            .any(|line| line.name == **name && matches!(line.ending, Ending::Failed))
    };
    if let Some(cause) = step.needs.iter().find(failed) {
        let note = format!("not run, because `{cause}` failed");
        return finish(step, Ending::Skipped, note, Duration::ZERO);
    }
    say!("\n==> {}: {}", step.name, step.title);
    let started = Instant::now();
    let log = match Log::begin(step.name) {
        Ok(log) => log,
        Err(error) => return finish(step, Ending::Failed, format!("{error:#}"), Duration::ZERO),
    };
    match (step.run)(session, &log) {
        Ok(outcome) => finish(step, outcome.ending, outcome.note, started.elapsed()),
        Err(error) => {
            say!("{}", log.tail());
            let note = format!("{error:#} (log: {})", log.path().display());
            finish(step, Ending::Failed, note, started.elapsed())
        }
    }
}

fn finish(step: &'static Step, ending: Ending, note: String, took: Duration) -> Line {
    let line = Line {
        name: step.name,
        ending,
        note,
        took,
    };
    say!("    {line}");
    line
}
