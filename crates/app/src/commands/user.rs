//! `naru user`.

use anyhow::Result;
use clap::{Args, Subcommand};
use naru_model::{AccountName, User};
use naru_registry::accounts::NewUser;
use naru_registry::profiles::ProfileChange;
use serde::Serialize;

use super::profile::{ProfileArgs, ProfileRow};
use super::{Instance, beside, or_none, pages, password, something, yes_or_no};
use crate::cli::Global;
use crate::output::{Output, Row};

/// People, and machines that sign in like people.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  naru user create octocat --password-stdin < password.txt\n  naru user list"
)]
pub struct UserCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a user
    #[command(
        after_help = "Examples:\n  naru user create octocat --password-stdin < password.txt\n  naru user create ci-bot\n\nWithout a password only tokens work; that is enough for docker."
    )]
    Create {
        /// The account name: letters, digits and hyphens
        name: AccountName,
        /// What the person is called
        #[arg(id = "full_name", long = "name", value_name = "TEXT")]
        full_name: Option<String>,
        /// Make an administrator of the instance
        #[arg(long)]
        admin: bool,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// List the users
    #[command(after_help = "Example:\n  naru user list --json")]
    List,
    /// Show a user with the profile
    #[command(after_help = "Example:\n  naru user show octocat")]
    Show {
        /// The user
        name: AccountName,
    },
    /// Change what a user is called and says of themselves
    #[command(
        after_help = "Examples:\n  naru user edit octocat --name \"The Octocat\" --email octocat@example.com\n  naru user edit octocat --company \"\""
    )]
    Edit {
        /// The user
        name: AccountName,
        #[command(flatten)]
        profile: ProfileArgs,
        /// A few words about themselves
        #[arg(long, value_name = "TEXT")]
        bio: Option<String>,
        /// Whether they look for work
        #[arg(long, value_name = "YES/NO", value_parser = yes_or_no())]
        hireable: Option<bool>,
    },
    /// Suspend a user: from now on nothing can be done with the account
    #[command(after_help = "Example:\n  naru user suspend octocat")]
    Suspend {
        /// The user
        name: AccountName,
    },
    /// Lift a suspension
    #[command(after_help = "Example:\n  naru user unsuspend octocat")]
    Unsuspend {
        /// The user
        name: AccountName,
    },
    /// Make a user an administrator of the instance
    #[command(after_help = "Example:\n  naru user promote octocat")]
    Promote {
        /// The user
        name: AccountName,
    },
    /// Make an administrator of the instance an ordinary user
    #[command(after_help = "Example:\n  naru user demote octocat")]
    Demote {
        /// The user
        name: AccountName,
    },
    /// Set the password of a user
    #[command(
        after_help = "Example:\n  naru user set-password octocat --password-stdin < password.txt"
    )]
    SetPassword {
        /// The user
        name: AccountName,
        /// Read the password from standard input
        #[arg(long, required = true)]
        password_stdin: bool,
    },
}

impl UserCommand {
    pub(super) fn run(self, global: &Global) -> Result<()> {
        let output = global.output();
        match self.action {
            Action::Create {
                name,
                full_name,
                admin,
                password_stdin,
            } => {
                let password = password_stdin.then(|| password(true)).transpose()?;
                let new = NewUser {
                    login: name,
                    name: full_name,
                    site_admin: admin,
                    password,
                };
                beside(global, async |instance| create(instance, new, output).await)
            }
            Action::List => beside(global, async |instance| list(instance, output).await),
            Action::Show { name } => {
                beside(global, async |instance| show(instance, &name, output).await)
            }
            Action::Edit {
                name,
                profile,
                bio,
                hireable,
            } => {
                let change = something(ProfileChange {
                    bio: or_none(bio),
                    hireable: hireable.map(Some),
                    ..profile.change()
                })?;
                beside(global, async |instance| {
                    edit(instance, &name, &change, output).await
                })
            }
            Action::Suspend { name } => beside(global, async |instance| {
                instance
                    .registry
                    .suspend_user(&instance.caller, &name)
                    .await?;
                output.say(format_args!(
                    "{name} is suspended; `naru user unsuspend {name}` lifts it"
                ));
                Ok(())
            }),
            Action::Unsuspend { name } => beside(global, async |instance| {
                instance
                    .registry
                    .unsuspend_user(&instance.caller, &name)
                    .await?;
                output.say(format_args!("{name} is no longer suspended"));
                Ok(())
            }),
            Action::Promote { name } => beside(global, async |instance| {
                instance
                    .registry
                    .promote_user(&instance.caller, &name)
                    .await?;
                output.say(format_args!("{name} administers the instance"));
                Ok(())
            }),
            Action::Demote { name } => beside(global, async |instance| {
                instance
                    .registry
                    .demote_user(&instance.caller, &name)
                    .await?;
                output.say(format_args!("{name} no longer administers the instance"));
                Ok(())
            }),
            Action::SetPassword {
                name,
                password_stdin,
            } => {
                let password = password(password_stdin)?;
                beside(global, async |instance| {
                    let Instance {
                        registry, caller, ..
                    } = instance;
                    registry.set_password(caller, &name, password).await?;
                    output.say(format_args!("{name} has a new password"));
                    Ok(())
                })
            }
        }
    }
}

async fn create(instance: &Instance, new: NewUser, output: Output) -> Result<()> {
    let user = instance.registry.create_user(&instance.caller, new).await?;
    let login = &user.login;
    output.made(
        &UserRow::from(&user),
        format_args!(
            "made the user {login}; a token for docker: naru token create {login} --scope \
             write:packages --scope delete:packages"
        ),
    )
}

async fn list(instance: &Instance, output: Output) -> Result<()> {
    let Instance {
        registry, caller, ..
    } = instance;
    let users = pages(async |limit, offset| registry.list_users(caller, limit, offset).await);
    let rows: Vec<_> = users.await?.iter().map(UserRow::from).collect();
    output.list(&rows)
}

async fn show(instance: &Instance, name: &AccountName, output: Output) -> Result<()> {
    let found = instance.registry.account_details(&instance.caller, name);
    output.record(&ProfileRow::from(&found.await?))
}

async fn edit(
    instance: &Instance,
    name: &AccountName,
    change: &ProfileChange,
    output: Output,
) -> Result<()> {
    let (registry, caller) = (&instance.registry, &instance.caller);
    let now = registry.update_user_profile(caller, name, change).await?;
    output.made(
        &ProfileRow::from(&now),
        format_args!("the profile of {name} is changed"),
    )
}

/// A user, with the names of GitHub's REST API.
#[derive(Debug, Serialize)]
pub(super) struct UserRow {
    login: String,
    id: i64,
    r#type: &'static str,
    name: Option<String>,
    site_admin: bool,
    created_at: String,
    updated_at: String,
    suspended_at: Option<String>,
}

impl From<&User> for UserRow {
    fn from(user: &User) -> Self {
        Self {
            login: user.login.to_string(),
            id: user.id.get(),
            r#type: "User",
            name: user.name.clone(),
            site_admin: user.site_admin,
            created_at: user.created_at.to_string(),
            updated_at: user.updated_at.to_string(),
            suspended_at: user.suspended_at.map(|at| at.to_string()),
        }
    }
}

impl Row for UserRow {
    const COLUMNS: &'static [&'static str] = &["NAME", "STATE", "ROLE", "CREATED"];

    fn cells(&self) -> Vec<String> {
        let state = if self.suspended_at.is_some() {
            "suspended"
        } else {
            "active"
        };
        let role = if self.site_admin {
            "administrator"
        } else {
            "user"
        };
        vec![
            self.login.clone(),
            state.to_owned(),
            role.to_owned(),
            self.created_at.clone(),
        ]
    }
}
