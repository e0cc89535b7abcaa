//! What each command does; one file per noun, named as it is typed.

pub mod backup;
pub mod check;
pub mod completion;
pub mod config;
pub mod explain;
pub mod fsck;
pub mod gc;
pub mod health;
pub mod man;
pub mod migrate;
pub mod org;
pub mod package;
mod profile;
pub mod purge;
pub mod quota;
pub mod reference;
pub mod repo;
pub mod search;
pub mod serve;
pub mod settings;
pub mod tag;
pub mod tag_rule;
pub mod team;
pub mod token;
pub mod user;

use std::fmt;
use std::io::{IsTerminal, Read};

use anyhow::{Context, Result, anyhow};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use naru_metadata::SchemaPolicy;
use naru_model::{AccountName, TeamSlug, UnknownWord};
use secrecy::SecretString;
use url::Url;

use crate::cli::{Cli, Command, Global};
use crate::compose::Instance;
use crate::data;
use crate::failure::hinted;

/// Runs the command that was typed.
///
/// # Errors
/// When it fails; the error carries what to do next where that is known.
pub fn run(cli: Cli) -> Result<()> {
    let Cli { global, command } = cli;
    match command {
        Command::Serve(command) => command.run(&global),
        Command::User(command) => command.run(&global),
        Command::Org(command) => command.run(&global),
        Command::Team(command) => command.run(&global),
        Command::Repo(command) => command.run(&global),
        Command::Token(command) => command.run(&global),
        Command::Package(command) => command.run(&global),
        Command::Tag(command) => command.run(&global),
        Command::TagRule(command) => command.run(&global),
        Command::Search(command) => command.run(&global),
        Command::Explain(command) => command.run(&global),
        Command::Purge(command) => command.run(&global),
        Command::Gc(command) => command.run(&global),
        Command::Quota(command) => command.run(&global),
        Command::Settings(command) => command.run(&global),
        Command::Fsck(command) => command.run(&global),
        Command::Backup(command) => command.run(&global),
        Command::Migrate(command) => command.run(&global),
        Command::Config(command) => command.run(&global),
        Command::Check(command) => command.run(&global),
        Command::Health(command) => command.run(&global),
        Command::Completion(command) => command.run(&global),
        Command::Man(command) => command.run(&global),
        Command::Reference(command) => command.run(&global),
    }
}

/// Runs a command on the data of a server, which may be running.
fn beside<T>(global: &Global, task: impl AsyncFnOnce(&Instance) -> Result<T>) -> Result<T> {
    with_policy(global, SchemaPolicy::MustMatch, task)
}

/// The same, with a say in what happens to a database of another schema.
fn with_policy<T>(
    global: &Global,
    policy: SchemaPolicy,
    task: impl AsyncFnOnce(&Instance) -> Result<T>,
) -> Result<T> {
    let loaded = global.load(Vec::new())?;
    data::make_everything_private();
    wait(async {
        let instance = Instance::beside(&loaded.config, &global.data, policy).await?;
        let done = task(&instance).await;
        instance.close().await;
        done
    })
}

/// Runs a command that waits for answers, on this thread.
fn wait<T>(task: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(task)
}

/// All of a list that comes in pages: `page` is asked for so many, after the first so many.
async fn pages<T>(page: impl AsyncFn(i64, i64) -> naru_registry::Result<Vec<T>>) -> Result<Vec<T>> {
    const LIMIT: i64 = 500;
    let mut all = Vec::new();
    loop {
        let offset = i64::try_from(all.len())?;
        let found = page(LIMIT, offset).await?;
        let last = found.is_empty();
        all.extend(found);
        if last {
            return Ok(all);
        }
    }
}

/// The names of all users and organizations.
async fn all_accounts(instance: &Instance) -> Result<Vec<AccountName>> {
    let Instance {
        registry, caller, ..
    } = instance;
    let users = pages(async |limit, offset| registry.list_users(caller, limit, offset).await);
    let users = users.await?.into_iter().map(|user| user.login);
    let page = async |limit, offset| registry.list_organizations(caller, limit, offset).await;
    let organizations = pages(page).await?.into_iter().map(|found| found.login);
    Ok(users.chain(organizations).collect())
}

/// Takes one of a closed set of words, and lists them in the help.
fn words<T>(all: &'static [T]) -> impl TypedValueParser<Value = T>
where
    T: std::str::FromStr<Err = UnknownWord> + fmt::Display + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(all.iter().map(ToString::to_string)).try_map(|word| word.parse())
}

/// Takes `yes` or `no`.
fn yes_or_no() -> impl TypedValueParser<Value = bool> {
    PossibleValuesParser::new(["yes", "no"]).map(|word| word == "yes")
}

/// What a flag makes of a text: an empty one takes away what was there.
#[expect(
    clippy::option_option,
    reason = "not said, taken away and a text are three things in a change"
)]
fn or_none(text: Option<String>) -> Option<Option<String>> {
    text.map(|text| Some(text).filter(|text| !text.is_empty()))
}

/// A change that changes something; one that does not was not meant.
fn something<T: Default + PartialEq>(change: T) -> Result<T> {
    if change == T::default() {
        return Err(anyhow!(
            "nothing is to change: name a flag, which `--help` lists"
        ));
    }
    Ok(change)
}

/// Whom a role is for.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct GranteeArgs {
    /// A user
    #[arg(long, value_name = "USER")]
    user: Option<AccountName>,
    /// A team of the organization that owns it
    #[arg(long, value_name = "TEAM")]
    team: Option<TeamSlug>,
}

/// Whom a role is for.
#[derive(Clone, Debug)]
enum Grantee {
    User(AccountName),
    Team(TeamSlug),
}

impl GranteeArgs {
    fn grantee(self) -> Result<Grantee> {
        match (self.user, self.team) {
            (Some(user), _) => Ok(Grantee::User(user)),
            (None, Some(team)) => Ok(Grantee::Team(team)),
            (None, None) => Err(anyhow!(
                "say whom it is for: `--user USER` or `--team TEAM`"
            )),
        }
    }
}

impl fmt::Display for Grantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => user.fmt(f),
            Self::Team(team) => write!(f, "the team {team}"),
        }
    }
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

/// A URL, or a host as docker takes it: plain HTTP on loopback, TLS elsewhere.
fn registry_url(text: &str) -> Result<Url> {
    let url = match text.split_once("://") {
        Some(("http" | "https", _)) => Url::parse(text)?,
        Some((scheme, _)) => return Err(anyhow!("`{scheme}` is not http or https")),
        None if is_loopback(text) => Url::parse(&format!("http://{text}"))?,
        None => Url::parse(&format!("https://{text}"))?,
    };
    Ok(url)
}

/// Whether a host is meant that docker speaks plain HTTP to.
fn is_loopback(host: &str) -> bool {
    let name = host.split([':', '/']).next().unwrap_or_default();
    host.starts_with("[::1]")
        || name == "localhost"
        || name.ends_with(".localhost")
        || name.starts_with("127.")
}
