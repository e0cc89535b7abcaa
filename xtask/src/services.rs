//! The database and the object store that one run of the tests shares.
//!
//! The servers themselves are started by the test kit, in a small program of its own, so that the
//! chores compile without the rest of the house. It prints one `NAME=value` line for each
//! variable, then `ready`, and ends everything when its standard input closes, which happens also
//! when whoever holds the other end is killed.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use anyhow::{Context, Result, bail};
use clap::Subcommand;

use crate::say::say;
use crate::{prerequisites, shell};

/// The variable that tells the test kit where `moto_server` is.
pub(crate) const MOTO_VARIABLE: &str = "NARU_TEST_MOTO_SERVER";

/// `cargo xtask services …`
#[derive(Subcommand)]
pub(crate) enum Chore {
    /// Start both, print the variables that the tests read, and wait for Ctrl-C.
    ///
    /// Example: cargo xtask services up
    Up,
}

/// Does what was asked on the command line.
pub(crate) fn run(chore: &Chore) -> Result<()> {
    match chore {
        Chore::Up => {
            let mut services = Services::start()?;
            services
                .variables()
                .for_each(|(name, value)| say!("export {name}={value}"));
            // Waiting would close the pipe, and that ends the servers: it is held here instead.
            let leash = services.program.stdin.take();
            // Ctrl-C ends the whole process group, so there is nothing to do but to wait.
            services.program.wait()?;
            drop(leash);
            Ok(())
        }
    }
}

/// The running servers; they end when this value goes.
pub(crate) struct Services {
    program: Child,
    variables: Vec<(String, String)>,
}

impl Services {
    /// Builds the program if need be, starts it, and waits until both servers answer.
    pub(crate) fn start() -> Result<Self> {
        let words = ["run", "--quiet", "--locked", "--package", "naru-testkit"];
        let mut program = shell::cargo()
            .args(words)
            .args(["--bin", "naru-test-services"])
            .env(MOTO_VARIABLE, prerequisites::python("moto_server"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start the test kit's services")?;
        let output = program
            .stdout
            .take()
            .context("the services' output is a pipe")?;
        let mut variables = Vec::new();
        for line in BufReader::new(output).lines() {
            let line = line?;
            if line == "ready" {
                return Ok(Self { program, variables });
            }
            if let Some((name, value)) = line.split_once('=') {
                variables.push((name.to_owned(), value.to_owned()));
            }
        }
        let status = program.wait()?;
        bail!("the test kit's services ended with {status} before they were ready");
    }

    /// What the tests are to find in their environment.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        // Closing its input asks the program to end the servers; waiting lets it clean up.
        drop(self.program.stdin.take());
        let _ = self.program.wait();
    }
}
