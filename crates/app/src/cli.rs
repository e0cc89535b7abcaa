//! The command line: every command with its flags. The flags of all commands stand anywhere.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use toml::Value;

use crate::commands;
use crate::config::key::Key;
use crate::config::{self, Loaded};
use crate::output::Output;

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

/// What these flags stand under in the help.
pub(crate) const HEADING: &str = "Flags of all commands";
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
    ///
    /// The first start makes the data directory and an administrator, and says how to go on. SIGTERM
    /// and SIGINT stop it after running requests, a second one at once; SIGHUP loads certificates
    /// again.
    Serve(commands::serve::ServeCommand),
    /// Users: create, list, show, edit, suspend, set-password
    User(commands::user::UserCommand),
    /// Organizations and their members
    Org(commands::org::OrgCommand),
    /// Teams of organizations and their members
    Team(commands::team::TeamCommand),
    /// Source repositories and their collaborators
    Repo(commands::repo::RepoCommand),
    /// Personal access tokens: what docker takes as a password
    Token(commands::token::TokenCommand),
    /// Packages: list, show, edit, delete, restore, grants, statistics
    Package(commands::package::PackageCommand),
    /// Tags of packages: list, move, remove, and where they pointed before
    Tag(commands::tag::TagCommand),
    /// Who may create, move and delete which tags
    TagRule(commands::tag_rule::TagRuleCommand),
    /// Find packages by words and qualifiers
    Search(commands::search::SearchCommand),
    /// Say why somebody may do something with a package, or what is missing
    Explain(commands::explain::ExplainCommand),
    /// Remove what was deleted, now instead of after 30 days
    ///
    /// It cannot be undone. Versions and packages go now; their bytes follow after the delays that
    /// protect pushes under way and older backups of the database.
    Purge(commands::purge::PurgeCommand),
    /// Remove bytes that nothing needs any more
    Gc(commands::gc::GcCommand),
    /// How much the packages of an account may hold
    Quota(commands::quota::QuotaCommand),
    /// Settings of the instance and of accounts that can be changed while it runs
    Settings(commands::settings::SettingsCommand),
    /// Check that everything is there and is what it was
    Fsck(commands::fsck::FsckCommand),
    /// Back up an instance while it runs
    Backup(commands::backup::BackupCommand),
    /// Bring the database to the schema of this program
    Migrate(commands::migrate::MigrateCommand),
    /// Look at the configuration
    Config(commands::config::ConfigCommand),
    /// Check a registry from outside, this or any other: log in, push, pull, list, delete
    ///
    /// Each step has a tick, or the reason in plain words and the fix. What is pushed is deleted again.
    Check(commands::check::CheckCommand),
    /// Ask a server whether it is alive, as container engines do
    Health(commands::health::HealthCommand),
    /// Print the completion script of a shell
    Completion(commands::completion::CompletionCommand),
    /// Write the manual pages
    Man(commands::man::ManCommand),
    /// Bring the generated parts of the handbook's reference pages up to date
    #[command(hide = true)]
    Reference(commands::reference::ReferenceCommand),
}

/// Understands the command line of this process. `naru help user create` is another way to write
/// `naru user create --help`.
///
/// # Errors
/// When it is not understood, or asks for help or the version: see [`explain`].
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let mut arguments: Vec<_> = arguments.into_iter().collect();
    if arguments.get(1).is_some_and(|first| first == "help") {
        arguments.remove(1);
        arguments.push("--help".into());
    }
    Cli::try_parse_from(arguments)
}

/// Prints what clap has to say: help on standard output, usage errors on standard error, in
/// colours where a person looks at it. Returns the exit status.
#[must_use]
pub fn explain(usage: &clap::Error) -> ExitCode {
    match usage.print() {
        // Nobody reads it any more, and that is no failure.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ if usage.use_stderr() => ExitCode::from(2),
        _ => ExitCode::SUCCESS,
    }
}
