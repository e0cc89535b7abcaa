//! `naru settings`.

use anyhow::Result;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use naru_model::{InstanceSettings, PackageType, RegistryMode};
use serde::Serialize;

use super::{Instance, beside};
use crate::cli::Global;
use crate::output::{Output, Row};

/// Settings of the instance that can be changed while it runs.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  naru settings show\n  naru settings set --docker disabled"
)]
pub struct SettingsCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show which registries are open
    #[command(after_help = "Example:\n  naru settings show")]
    Show,
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
        if let Self::Set { container, docker } = self {
            let wanted = [
                (PackageType::Container, container),
                (PackageType::Docker, docker),
            ];
            for (of, mode) in wanted {
                if let Some(mode) = mode {
                    registry.set_registry_mode(caller, of, mode).await?;
                }
            }
        }
        let settings = registry.instance_settings(caller).await?;
        output.record(&SettingsRow::from(settings))
    }
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
