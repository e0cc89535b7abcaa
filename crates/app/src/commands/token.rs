//! `naru token`.

use anyhow::{Result, anyhow};
use clap::{Args, Subcommand};
use naru_model::{
    AccountName, Lifetime, Moment, Scope, Scopes, Token, TokenHolder, TokenId, TokenSecret,
};
use naru_registry::tokens::TokenWish;
use serde::Serialize;

use super::{Instance, beside, words};
use crate::cli::Global;
use crate::output::{Output, Row};

/// Personal access tokens: what docker takes as a password.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  naru token create octocat --scope write:packages > token\n  naru token list octocat"
)]
pub struct TokenCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a token and print it, alone; it is shown this once
    #[command(
        after_help = "Examples:\n  naru token create octocat --scope write:packages --scope delete:packages > token\n  naru token create ci-bot --scope read:packages --expires never --note \"pulls on the cluster\""
    )]
    Create {
        /// Whose token it is
        user: AccountName,
        /// What it may be used for; may be given several times
        #[arg(
            long = "scope",
            value_name = "SCOPE",
            required = true,
            value_delimiter = ',',
            value_parser = words(Scope::ALL),
            hide_possible_values = true,
            help = "What it may be used for, such as read:packages, write:packages, delete:packages; may be given several times"
        )]
        scopes: Vec<Scope>,
        /// How long it works: 90d, 12h, … or never
        #[arg(long, value_name = "TIME", default_value_t = Lifetime::DEFAULT)]
        expires: Lifetime,
        /// What it is for, for those who read the list later
        #[arg(long, value_name = "TEXT", default_value = "")]
        note: String,
    },
    /// List the tokens of a user; the secrets are not kept
    #[command(after_help = "Example:\n  naru token list octocat")]
    List {
        /// Whose tokens
        user: AccountName,
    },
    /// End a token for good, and every upload that was begun with it
    #[command(after_help = "Example:\n  naru token revoke octocat 12")]
    Revoke {
        /// Whose token
        user: AccountName,
        /// The number in the list
        #[arg(value_parser = number)]
        id: i64,
    },
}

impl TokenCommand {
    pub(super) fn run(self, global: &Global) -> Result<()> {
        let output = global.output();
        beside(global, async |instance| {
            self.action.run(instance, output).await
        })
    }
}

impl Action {
    async fn run(self, instance: &Instance, output: Output) -> Result<()> {
        let Instance {
            registry, caller, ..
        } = instance;
        match self {
            Self::Create {
                user,
                scopes,
                expires,
                note,
            } => {
                let wish = TokenWish {
                    scopes: scopes.into_iter().collect(),
                    lifetime: expires,
                    note,
                };
                let created = registry.create_token(caller, &user, wish).await?;
                show(&created.token, &created.secret, instance.now(), output)
            }
            Self::List { user } => {
                let tokens = registry.list_tokens(caller, &user).await?;
                let now = instance.now();
                let rows: Vec<_> = tokens
                    .iter()
                    .map(|token| TokenRow::new(token, now))
                    .collect();
                output.list(&rows)
            }
            Self::Revoke { user, id } => {
                registry
                    .revoke_token(caller, &user, TokenId::new(id))
                    .await?;
                output.say(format_args!("the token {id} of {user} is revoked"));
                Ok(())
            }
        }
    }
}

/// Prints the secret alone, so that it can be piped into `docker login`.
fn show(token: &Token, secret: &TokenSecret, now: Moment, output: Output) -> Result<()> {
    #[derive(Serialize)]
    struct Created<'a> {
        #[serde(flatten)]
        row: TokenRow,
        token: &'a str,
    }
    if output.is_json() {
        return output.json(&Created {
            row: TokenRow::new(token, now),
            token: secret.expose(),
        });
    }
    output.line(secret.expose())?;
    let until = token.expires_at.map_or_else(
        || "never expires".to_owned(),
        |at| format!("expires at {at}"),
    );
    output.say(format_args!(
        "this is the only time it is shown; it {until}"
    ));
    Ok(())
}

/// A token without its secret.
#[derive(Debug, Serialize)]
struct TokenRow {
    id: i64,
    note: String,
    scopes: Vec<String>,
    state: &'static str,
    created_at: String,
    expires_at: Option<String>,
    last_used_at: Option<String>,
}

impl TokenRow {
    fn new(token: &Token, now: Moment) -> Self {
        let scopes = match &token.holder {
            TokenHolder::User { scopes, .. } => *scopes,
            TokenHolder::Repository { .. } => Scopes::default(),
        };
        let text = |moment: Option<Moment>| moment.map(|at| at.to_string());
        Self {
            id: token.id.get(),
            note: token.note.clone(),
            scopes: scopes.iter().map(|scope| scope.to_string()).collect(),
            state: token.state(now).as_str(),
            created_at: token.created_at.to_string(),
            expires_at: text(token.expires_at),
            last_used_at: text(token.last_used_at),
        }
    }
}

impl Row for TokenRow {
    const COLUMNS: &'static [&'static str] =
        &["ID", "STATE", "SCOPES", "EXPIRES", "LAST USED", "NOTE"];

    fn cells(&self) -> Vec<String> {
        let or = |moment: &Option<String>, word: &str| moment.as_deref().unwrap_or(word).to_owned();
        vec![
            self.id.to_string(),
            self.state.to_owned(),
            self.scopes.join(","),
            or(&self.expires_at, "never"),
            or(&self.last_used_at, "never"),
            self.note.clone(),
        ]
    }
}

fn number(text: &str) -> Result<i64> {
    text.parse()
        .map_err(|_| anyhow!("a token is named by its number in `naru token list USER`"))
}
