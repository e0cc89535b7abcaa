//! The command line: every command with its flags. The flags of all commands stand anywhere.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use toml::Value;

use crate::commands;
use crate::config::key::Key;
use crate::config::{self, Loaded};
use crate::output::{Closed, Output};

/// A self-hosted container registry that behaves like the GitHub Container Registry.
#[derive(Debug, Parser)]
#[command(
    name = "naru",
    version,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    after_help = "Examples:\n  naru serve\n  naru user create octocat --password-stdin < password.txt\n  naru package list octocat",
    subcommand_help_heading = "Commands"
)]
pub struct Cli {
    /// The flags of all commands.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that all commands take.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The data directory
    #[arg(
        long,
        global = true,
        help_heading = HEADING,
        value_name = "DIR",
        env = "NARU_DATA",
        default_value = DEFAULT_DATA,
        hide_env_values = true
    )]
    pub data: PathBuf,
    /// The configuration file
    #[arg(
        long,
        global = true,
        help_heading = HEADING,
        value_name = "FILE",
        env = "NARU_CONFIG",
        hide_env_values = true
    )]
    pub config: Option<PathBuf>,
    /// Print data as JSON
    #[arg(long, global = true, help_heading = HEADING)]
    pub json: bool,
}

const HEADING: &str = "Flags of all commands";
const DEFAULT_DATA: &str = "naru-data";

impl Global {
    /// Where the data is if nobody says otherwise.
    #[must_use]
    pub fn default_data() -> PathBuf {
        DEFAULT_DATA.into()
    }

    /// Where to print to.
    #[must_use]
    pub fn output(&self) -> Output {
        Output::new(self.json)
    }

    /// Loads the configuration, with the settings that flags made over it.
    ///
    /// # Errors
    /// When something is wrong with the configuration.
    pub fn load(&self, flags: Vec<(&'static str, Key, Value)>) -> Result<Loaded, config::Problem> {
        config::load(config::Sources {
            file: self.config.clone(),
            environment: environment(),
            flags,
        })
    }
}

/// The environment of this process: read here and nowhere else.
fn environment() -> Vec<(OsString, OsString)> {
    std::env::vars_os().collect()
}

/// Every command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the registry
    Serve(commands::serve::ServeCommand),
    /// Users: create, list, suspend, set-password
    User(commands::user::UserCommand),
    /// Organizations and their members
    Org(commands::org::OrgCommand),
    /// Teams of organizations and their members
    Team(commands::team::TeamCommand),
    /// Source repositories and their collaborators
    Repo(commands::repo::RepoCommand),
    /// Personal access tokens: what docker takes as a password
    Token(commands::token::TokenCommand),
    /// Packages: list, show, delete, restore, visibility, grants
    Package(commands::package::PackageCommand),
    /// Remove what was deleted, now instead of after 30 days
    Purge(commands::purge::PurgeCommand),
    /// Remove bytes that nothing needs any more
    Gc(commands::gc::GcCommand),
    /// Check that everything is there and is what it was
    Fsck(commands::fsck::FsckCommand),
    /// Back up an instance while it runs
    Backup(commands::backup::BackupCommand),
    /// Bring the database to the schema of this program
    Migrate(commands::migrate::MigrateCommand),
    /// Look at the configuration
    Config(commands::config::ConfigCommand),
    /// Check a registry from outside, this or any other: log in, push, pull, list, delete
    Check(commands::check::CheckCommand),
    /// Print the completion script of a shell
    Completion(commands::completion::CompletionCommand),
    /// Write the manual pages
    Man(commands::man::ManCommand),
}

/// Prints what clap has to say: help on standard output, usage errors on standard error.
#[must_use]
pub fn explain(usage: &clap::Error) -> ExitCode {
    if usage.use_stderr() {
        crate::output::say(usage.render().ansi().to_string().trim_end());
        return ExitCode::from(2);
    }
    match Output::new(false).bytes(usage.render().to_string().as_bytes()) {
        Err(error) if !error.is::<Closed>() => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}
