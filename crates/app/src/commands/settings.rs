//! `naru settings`.

mod account;

use anyhow::Result;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use naru_model::{AccountName, InstanceSettings, PackageType, RegistryMode};
use naru_registry::package_settings::SettingsChange;
use serde::Serialize;

use super::{Instance, beside, something, yes_or_no};
use crate::cli::Global;
use crate::output::{Output, Row};
use account::{AccountSettingsRow, Downloads};

/// Settings of the instance, and of accounts about their packages, that can be changed while it
/// runs.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  naru settings show\n  naru settings set --docker disabled\n  naru settings set-account acme --members-create-public no"
)]
pub struct SettingsCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show which registries are open, or the package settings of an account
    #[command(after_help = "Examples:\n  naru settings show\n  naru settings show acme")]
    Show {
        /// The user or organization
        account: Option<AccountName>,
    },
    /// Open or close registries
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  naru settings set --container read-only\n  \
                      naru settings set --docker disabled"
    )]
    Set {
        /// The container registry
        #[arg(long, value_name = "MODE", value_parser = mode())]
        container: Option<RegistryMode>,
        /// The older Docker registry
        #[arg(long, value_name = "MODE", value_parser = mode())]
        docker: Option<RegistryMode>,
    },
    /// Change what holds for the packages of an account; what is not named stays as it is
    #[command(
        after_help = "Examples:\n  naru settings set-account acme --members-create-public no\n  naru settings set-account acme --undeletable-downloads 5000"
    )]
    SetAccount(SetAccount),
}

/// The settings of an account.
#[derive(Debug, Args)]
struct SetAccount {
    /// The user or organization
    account: AccountName,
    /// Whether members of the organization may publish public packages, and make packages public
    #[arg(long, value_name = "YES/NO", value_parser = yes_or_no())]
    members_create_public: Option<bool>,
    /// Whether they may publish internal packages, and make packages internal
    #[arg(long, value_name = "YES/NO", value_parser = yes_or_no())]
    members_create_internal: Option<bool>,
    /// Whether they may publish private packages, and make packages private
    #[arg(long, value_name = "YES/NO", value_parser = yes_or_no())]
    members_create_private: Option<bool>,
    /// Whether a package linked before its first publication takes over the repository's access
    #[arg(long, value_name = "YES/NO", value_parser = yes_or_no())]
    inherit_access: Option<bool>,
    /// Whether a public package can never be anything else again
    #[arg(long, value_name = "YES/NO", value_parser = yes_or_no())]
    public_is_final: Option<bool>,
    /// Whether deleting a version that something needs is refused, instead of withdrawing it
    #[arg(long, value_name = "YES/NO", value_parser = yes_or_no())]
    refuse_needed_deletes: Option<bool>,
    /// A public package of which a version was downloaded more often than this cannot be deleted
    /// but by this command line; `default` is what the instance says
    #[arg(long, value_name = "NUMBER")]
    undeletable_downloads: Option<Downloads>,
}

impl SetAccount {
    fn change(&self) -> Result<SettingsChange> {
        something(SettingsChange {
            members_create_public: self.members_create_public,
            members_create_internal: self.members_create_internal,
            members_create_private: self.members_create_private,
            inherit_access: self.inherit_access,
            public_is_final: self.public_is_final,
            refuse_needed_deletes: self.refuse_needed_deletes,
            undeletable_downloads: self.undeletable_downloads.map(Downloads::most),
        })
    }
}

fn mode() -> impl TypedValueParser<Value = RegistryMode> {
    PossibleValuesParser::new(RegistryMode::ALL.iter().map(|mode| mode.as_str()))
        .try_map(|word| word.parse::<RegistryMode>())
}

impl SettingsCommand {
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
            Self::Show {
                account: Some(account),
            } => {
                let settings = registry.package_settings(caller, &account).await?;
                output.record(&AccountSettingsRow::from(settings))
            }
            Self::SetAccount(wanted) => {
                let change = wanted.change()?;
                let settings = registry.change_package_settings(caller, &wanted.account, change);
                output.record(&AccountSettingsRow::from(settings.await?))
            }
            Self::Show { account: None } => show(instance, output).await,
            Self::Set { container, docker } => {
                let wanted = [
                    (PackageType::Container, container),
                    (PackageType::Docker, docker),
                ];
                for (of, mode) in wanted {
                    if let Some(mode) = mode {
                        registry.set_registry_mode(caller, of, mode).await?;
                    }
                }
                show(instance, output).await
            }
        }
    }
}

async fn show(instance: &Instance, output: Output) -> Result<()> {
    let settings = instance.registry.instance_settings(&instance.caller);
    output.record(&SettingsRow::from(settings.await?))
}

/// Which registries are open.
#[derive(Debug, Serialize)]
struct SettingsRow {
    container: &'static str,
    docker: &'static str,
}

impl From<InstanceSettings> for SettingsRow {
    fn from(settings: InstanceSettings) -> Self {
        Self {
            container: settings.container.as_str(),
            docker: settings.docker.as_str(),
        }
    }
}

impl Row for SettingsRow {
    const COLUMNS: &'static [&'static str] = &["container registry", "docker registry"];

    fn cells(&self) -> Vec<String> {
        vec![self.container.to_owned(), self.docker.to_owned()]
    }
}
