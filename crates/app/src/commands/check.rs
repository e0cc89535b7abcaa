//! `naru check`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use naru_model::SystemRandom;
use naru_oci::RepositoryName;
use url::Url;

use crate::check::{self, Target};
use crate::cli::Global;

/// Check a registry from outside, this or any other. What is pushed is deleted again.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  echo \"$TOKEN\" | naru check http://127.0.0.1:5000 --user octocat --password-stdin\n  echo \"$TOKEN\" | naru check registry.example.com --user octocat --password-stdin --image acme/check"
)]
pub struct CheckCommand {
    /// The registry: `https://registry.example.com`, or a host alone
    #[arg(value_parser = super::registry_url)]
    url: Url,
    /// The user to log in as
    #[arg(long, value_name = "USER")]
    user: String,
    /// Read the password (a token) from standard input
    #[arg(long, required = true)]
    password_stdin: bool,
    /// The repository name to push to [default: USER/naru-check]
    #[arg(long, value_name = "NAME")]
    image: Option<RepositoryName>,
    /// Also trust the authorities in this PEM file
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

impl CheckCommand {
    pub(super) fn run(self, global: &Global) -> Result<()> {
        let read = |path: PathBuf| {
            fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        let target = Target {
            url: self.url,
            user: self.user,
            password: super::password(self.password_stdin)?,
            image: self.image.map(|image| image.to_string()),
            authority: self.ca_file.map(read).transpose()?,
        };
        super::wait(check::run(target, &SystemRandom, global.output()))
    }
}
