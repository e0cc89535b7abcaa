//! `naru purge`.

use anyhow::{Result, anyhow};
use clap::Args;
use naru_model::{PackagePath, PackageType};
use naru_oci::Digest;
use naru_registry::purge::{DoomedVersion, PurgeOptions, PurgePreview, PurgeTarget, Purged};
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
    after_help = "Examples:\n  naru purge octocat/hello --dry-run\n  naru purge octocat/hello --yes\n  naru purge --all --yes\n\nBytes follow after the delays of the collector. With --at-once they go now; with --all as well, \nthis also ends the delays that earlier purges left, and a push under way may have to be repeated."
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
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
    /// That it cannot be undone is understood
    #[arg(long)]
    yes: bool,
}

impl PurgeCommand {
    pub(super) fn run(self, global: &Global) -> Result<()> {
        if !self.yes && !self.dry_run {
            return Err(hinted(
                anyhow!("purging cannot be undone"),
                "look at what would go with `--dry-run`, then say it again with `--yes`",
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
            if self.dry_run {
                preview(instance, target, options, output).await
            } else {
                purge(instance, target, options, output).await
            }
        })
    }
}

async fn preview(
    instance: &Instance,
    target: PurgeTarget,
    options: PurgeOptions,
    output: Output,
) -> Result<()> {
    let Instance {
        registry, caller, ..
    } = instance;
    let preview = registry.preview_purge(caller, &target, options).await?;
    if output.is_json() {
        return output.json(&preview);
    }
    let rows: Vec<_> = preview.versions.iter().map(DoomedRow::from).collect();
    output.list(&rows)?;
    output.say(in_words(&preview));
    Ok(())
}

/// What would go, for people.
fn in_words(preview: &PurgePreview) -> String {
    let PurgePreview {
        versions,
        kept,
        blobs,
        bytes,
        trash,
        has_more,
    } = preview;
    let at_least = if *has_more { "at least " } else { "" };
    let mut words = vec![format!(
        "would go: {at_least}{}, and {} of {bytes} bytes that nothing else needs",
        count(versions.len(), "version"),
        count(*blobs, "blob")
    )];
    if *trash > 0 {
        let objects = count(*trash, "object");
        words.push(format!("also out of the trash: {objects}"));
    }
    if *kept > 0 {
        let kept = count(*kept, "deleted version");
        words.push(format!("would stay, because an index needs it: {kept}"));
    }
    words.join("\n")
}

fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
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

/// A version that would go.
#[derive(Debug, Serialize)]
struct DoomedRow<'a> {
    package: &'a str,
    digest: &'a Digest,
    media_type: &'a str,
}

impl<'a> From<&'a DoomedVersion> for DoomedRow<'a> {
    fn from(version: &'a DoomedVersion) -> Self {
        Self {
            package: &version.package,
            digest: &version.digest,
            media_type: &version.media_type,
        }
    }
}

impl Row for DoomedRow<'_> {
    const COLUMNS: &'static [&'static str] = &["PACKAGE", "DIGEST", "TYPE"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.package.to_owned(),
            self.digest.to_string(),
            self.media_type.to_owned(),
        ]
    }
}
