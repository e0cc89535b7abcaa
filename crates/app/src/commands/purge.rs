//! `naru purge`.

use anyhow::{Result, anyhow};
use clap::Args;
use naru_model::{PackagePath, PackageType};
use naru_registry::purge::{PurgeOptions, PurgeTarget, Purged};
use serde::Serialize;

use super::gc::steps;
use super::package::Target;
use super::{Instance, beside, words};
use crate::cli::Global;
use crate::failure::hinted;
use crate::output::{Output, Row};
use crate::progress::Progress;

/// Remove what was deleted, now instead of after 30 days, to free space. It cannot be undone.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  naru package list --deleted\n  naru purge octocat/hello --yes\n  naru purge --all --yes\n\nBytes follow after the delays of the collector; with --at-once they go now."
)]
pub struct PurgeCommand {
    /// OWNER/NAME, or OWNER/NAME@DIGEST for one deleted version
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    target: Option<Target>,
    /// Everything that was deleted
    #[arg(long)]
    all: bool,
    /// Which registry the package belongs to: `docker` is the legacy one
    #[arg(long = "type", value_name = "TYPE", default_value = "container", value_parser = words(PackageType::ALL))]
    package_type: PackageType,
    /// Also leave out the delays that protect pushes under way and older database backups
    #[arg(long)]
    at_once: bool,
    /// That it cannot be undone is understood
    #[arg(long)]
    yes: bool,
}

impl PurgeCommand {
    pub(super) fn run(self, global: &Global) -> Result<()> {
        if !self.yes {
            return Err(hinted(
                anyhow!("purging cannot be undone"),
                "look at what would go with `naru package list --deleted` and `naru package \
                 versions OWNER/NAME --deleted`, then say it again with `--yes`",
            ));
        }
        let target = match self.target {
            None => PurgeTarget::Bin,
            Some(Target { package, version }) => {
                let path = PackagePath::new(self.package_type, &package)?;
                match version {
                    None => PurgeTarget::Package(path),
                    Some(version) => PurgeTarget::Version(path, version),
                }
            }
        };
        let options = PurgeOptions {
            at_once: self.at_once,
        };
        let output = global.output();
        beside(global, async |instance| {
            purge(instance, target, options, output).await
        })
    }
}

async fn purge(
    instance: &Instance,
    target: PurgeTarget,
    options: PurgeOptions,
    output: Output,
) -> Result<()> {
    let Instance {
        registry, caller, ..
    } = instance;
    let progress = Progress::begin("versions purged", None);
    let advance = |purged: &Purged| progress.at(steps(purged.versions));
    let purged = registry.purge(caller, &target, options, &advance).await?;
    drop(progress);
    output.record(&PurgedRow(purged))
}

/// What went.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct PurgedRow(Purged);

impl Row for PurgedRow {
    const COLUMNS: &'static [&'static str] = &[
        "versions purged",
        "versions that an index needs",
        "blobs to the trash",
        "objects removed",
    ];

    fn cells(&self) -> Vec<String> {
        let Purged {
            versions,
            kept,
            collected,
        } = self.0;
        let counts = [versions, kept, collected.condemned, collected.removed];
        counts.iter().map(ToString::to_string).collect()
    }
}
