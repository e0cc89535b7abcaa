//! `naru completion`.

use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::{Cli, Global};

/// Print the completion script of a shell.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  naru completion bash > /etc/bash_completion.d/naru\n  naru completion fish > ~/.config/fish/completions/naru.fish"
)]
pub struct CompletionCommand {
    /// Which shell
    shell: Shell,
}

impl CompletionCommand {
    pub(super) fn run(self, global: &Global) -> Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "naru", &mut script);
        global.output().bytes(&script)
    }
}
