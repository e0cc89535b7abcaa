//! `naru gc`.

use anyhow::Result;
use clap::{Args, Subcommand};
use naru_registry::garbage_collection::{Collected, Sweep};
use serde::Serialize;

use super::{Instance, beside};
use crate::cli::Global;
use crate::output::{Output, Row};
use crate::progress::Progress;

/// Garbage collection: remove bytes that nothing needs any more.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Example:\n  naru gc run\n\nThe server does it by itself, every hour."
)]
pub struct GcCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Run the collector once; pushes and pulls go on meanwhile
    #[command(after_help = "Examples:\n  naru gc run\n  naru gc run --full")]
    Run {
        /// Also walk over all rows and all objects, for what a crash may have left
        #[arg(long)]
        full: bool,
    },
}

impl GcCommand {
    pub(super) fn run(self, global: &Global) -> Result<()> {
        let output = global.output();
        let Action::Run { full } = self.action;
        let sweep = if full { Sweep::Full } else { Sweep::Quick };
        beside(global, async |instance| run(instance, sweep, output).await)
    }
}

async fn run(instance: &Instance, sweep: Sweep, output: Output) -> Result<()> {
    let Instance {
        registry, caller, ..
    } = instance;
    let progress = Progress::begin("objects removed", None);
    let advance = |collected: &Collected| progress.at(steps(collected.removed));
    let collected = registry.collect_by_hand(caller, sweep, &advance).await?;
    drop(progress);
    output.record(&CollectedRow(collected))
}

/// A count as indicatif has it.
pub(super) fn steps(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// What a run of the collector did.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct CollectedRow(pub(super) Collected);

impl Row for CollectedRow {
    const COLUMNS: &'static [&'static str] = &[
        "uploads ended",
        "versions purged",
        "packages purged",
        "links removed",
        "blobs to the trash",
        "orphans to the trash",
        "objects removed",
        "objects that stayed",
    ];

    fn cells(&self) -> Vec<String> {
        let Collected {
            uploads,
            versions,
            packages,
            links,
            condemned,
            orphans,
            removed,
            failed,
        } = self.0;
        let counts = [
            uploads, versions, packages, links, condemned, orphans, removed, failed,
        ];
        counts.iter().map(ToString::to_string).collect()
    }
}
