//! `naru config`.

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use naru_blobstore::BlobStore;

use crate::cli::Global;
use crate::config::inspect;

/// Look at the configuration.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Example:\n  naru config check --config naru.toml"
)]
pub struct ConfigCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Check the configuration and print every setting, its value, and where that came from
    #[command(
        after_help = "Example:\n  NARU_LISTEN__ADDRESS=0.0.0.0:5000 naru config check --config naru.toml"
    )]
    Check,
}

impl ConfigCommand {
    pub(super) fn run(self, global: &Global) -> Result<()> {
        match self.action {
            Action::Check => check(global),
        }
    }
}

fn check(global: &Global) -> Result<()> {
    let loaded = global.load(Vec::new())?;
    // Whether the store's settings fit together is known to it alone; this touches no disk.
    BlobStore::new(&loaded.config.blobstore, &global.data).context("[blobstore]")?;
    let output = global.output();
    output.list(&inspect::in_force(&loaded.layers)?)?;
    output.say("the configuration is good");
    Ok(())
}
