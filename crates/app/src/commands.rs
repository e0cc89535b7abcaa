//! What each command does; one file per noun, named as it is typed.

pub mod check;
pub mod completion;
pub mod config;
pub mod man;

use std::io::{IsTerminal, Read};

use anyhow::{Context, Result};
use secrecy::SecretString;

use crate::cli::{Cli, Command};
use crate::failure::hinted;

/// Runs the command that was typed.
///
/// # Errors
/// When it fails; the error carries what to do next where that is known.
pub fn run(cli: Cli) -> Result<()> {
    let Cli { global, command } = cli;
    match command {
        Command::Config(command) => command.run(&global),
        Command::Check(command) => command.run(&global),
        Command::Completion(command) => command.run(&global),
        Command::Man(command) => command.run(&global),
    }
}

/// Runs a command that waits for answers, on this thread.
fn wait<T>(task: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(task)
}

/// Reads a password: from standard input with `--password-stdin`, never from a flag, which
/// everybody on the machine could see.
fn password(from_stdin: bool) -> Result<SecretString> {
    const LONGEST: u64 = 64 << 10;
    let stdin = std::io::stdin();
    if !from_stdin {
        return Err(hinted(
            anyhow::anyhow!("a password is needed"),
            "give it on standard input with `--password-stdin`: echo \"$PASSWORD\" | naru …",
        ));
    }
    if stdin.is_terminal() {
        crate::output::say("type the password, then press Enter and Ctrl-D (it is shown):");
    }
    let mut text = String::new();
    let mut limited = stdin.lock().take(LONGEST);
    limited
        .read_to_string(&mut text)
        .context("cannot read the password from standard input")?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        anyhow::bail!("the password on standard input is empty");
    }
    Ok(password.into())
}
