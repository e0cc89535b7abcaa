//! Chores of the project, as a program: `cargo xtask --help`.
//!
//! - [`ci`] is the whole test run, step by step, with a summary; it is the README's second command.
//! - [`doors`], [`licences`] and [`dependencies`] look at the crate graph.
//! - [`image`] builds the static binary and the container image.
//! - [`prerequisites`] installs what the tests need and a fresh machine lacks.
//! - [`tools`] builds the Go programs that the tests use as clients and peers.
//! - [`services`] keeps a database and an object store running, for a whole run or for one's hands.
//! - [`shell`], [`workspace`] and [`mod@say`] are what the others stand on.

mod ci;
mod dependencies;
mod doors;
mod image;
mod licences;
mod prerequisites;
mod say;
mod services;
mod shell;
mod tools;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::say::say;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Chores of the project",
    max_term_width = 100
)]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Run every check and every test, installing what they need.
    ///
    /// Example: cargo xtask ci --only fmt,clippy
    Ci(ci::Options),
    /// Keep the PostgreSQL and S3 servers of the tests running.
    #[command(subcommand)]
    Services(services::Chore),
    /// Build the Go programs that the tests use.
    #[command(subcommand)]
    Tools(tools::Chore),
    /// Build the container image of Naru, with buildah, podman or docker.
    ///
    /// Example: cargo xtask image naru:latest
    Image(image::Chore),
    /// Install what the tests need and this machine lacks.
    Install,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().chore {
        Chore::Ci(options) => ci::run(&options),
        Chore::Services(chore) => services::run(&chore),
        Chore::Tools(chore) => tools::run(&chore),
        Chore::Image(chore) => image::run(&chore),
        Chore::Install => prerequisites::install().map(|note| say!("{note}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
