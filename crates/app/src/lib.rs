//! The `naru` binary: configuration in, running registry out, and the command line beside it.
//!
//! Read in this order:
//! - [`cli`]: every command, and the flags that all of them take;
//! - [`config`]: one file, the environment over it, flags over that;
//! - [`commands`]: what each command does, one file per noun;
//! - [`compose`], [`data`]: the parts put together, and the directory they live in;
//! - [`serve`], [`logging`]: the server;
//! - [`check`]: `naru check`, the client that tells what is wrong with a registry;
//! - [`output`], [`progress`], [`failure`]: what is printed, and how failure is said;
//! - [`mod@reference`]: the generated parts of the handbook.

pub mod check;
pub mod cli;
pub mod commands;
pub mod compose;
pub mod config;
pub mod data;
pub mod failure;
pub mod logging;
pub mod output;
pub mod progress;
pub mod reference;
pub mod serve;

use std::process::ExitCode;

/// Runs the command line of this process. The exit status is 0, 1 if the command failed, and 2 if
/// it was not understood.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(usage) => return cli::explain(&usage),
    };
    // The one provider, said aloud: with two of them linked, rustls would refuse to choose. It
    // fails only where one is installed already, and this is the first to try.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if failure::report(&error) => ExitCode::FAILURE,
        Err(_) => ExitCode::SUCCESS,
    }
}
