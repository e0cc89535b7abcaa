//! `naru man`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, CommandFactory};

use crate::cli::{Cli, Global};

/// Write the manual pages, one for each command.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  naru man /usr/local/share/man/man1")]
pub struct ManCommand {
    /// Where to; made if it is not there
    directory: PathBuf,
}

impl ManCommand {
    pub(super) fn run(self, global: &Global) -> Result<()> {
        let directory = &self.directory;
        fs::create_dir_all(directory)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), directory))
            .with_context(|| format!("cannot write manual pages to {}", directory.display()))?;
        let output = global.output();
        output.say(format_args!("manual pages are in {}", directory.display()));
        Ok(())
    }
}
