//! `naru fsck`.

use anyhow::{Result, anyhow};
use clap::Args;
use naru_registry::fsck::{self, Depth, Finding};
use serde::Serialize;

use super::{Instance, beside};
use crate::cli::Global;
use crate::failure::hinted;
use crate::output::{Output, Row};
use crate::progress::Progress;

/// Check that everything acknowledged is there and is what it was, and say what to do where it is
/// not. Damaged blobs are marked, so that the next push of them heals them.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  naru fsck\n  naru fsck --content --json\n\nThe exit status is 1 if something is damaged. A server may run meanwhile."
)]
pub struct FsckCommand {
    /// Also read every byte of every blob and compare its digest
    #[arg(long)]
    content: bool,
}

impl FsckCommand {
    pub(super) fn run(self, global: &Global) -> Result<()> {
        let output = global.output();
        let depth = if self.content {
            Depth::Content
        } else {
            Depth::Presence
        };
        beside(global, async |instance| {
            check(instance, depth, output).await
        })
    }
}

async fn check(instance: &Instance, depth: Depth, output: Output) -> Result<()> {
    let observer = Observer(Progress::begin("blobs checked", None));
    let findings = instance.registry.fsck(depth, &observer).await?;
    drop(observer);
    let rows: Vec<_> = findings.iter().map(FindingRow::from).collect();
    if !rows.is_empty() || output.is_json() {
        output.list(&rows)?;
    }
    match findings
        .iter()
        .filter(|finding| finding.is_damage())
        .count()
    {
        0 => {
            output.say("nothing is damaged");
            Ok(())
        }
        count => {
            let all = match depth {
                Depth::Presence => "`naru fsck --content` looks closer",
                Depth::Content => "the list above says what to do about each",
            };
            Err(hinted(anyhow!("{count} things are damaged"), all))
        }
    }
}

struct Observer(Progress);

impl fsck::Observer for Observer {
    fn progress(&self, progress: &fsck::Progress) {
        self.0.at(progress.blobs);
    }

    // All findings are printed at the end, where they stand together.
    fn found(&self, _: &Finding) {}
}

/// Something that is not as it should be.
#[derive(Debug, Serialize)]
struct FindingRow<'a> {
    #[serde(flatten)]
    finding: &'a Finding,
    damage: bool,
    message: String,
    remedy: &'static str,
}

impl<'a> From<&'a Finding> for FindingRow<'a> {
    fn from(finding: &'a Finding) -> Self {
        Self {
            finding,
            damage: finding.is_damage(),
            message: finding.to_string(),
            remedy: finding.remedy(),
        }
    }
}

impl Row for FindingRow<'_> {
    const COLUMNS: &'static [&'static str] = &["", "FOUND", "WHAT TO DO"];

    fn cells(&self) -> Vec<String> {
        let kind = if self.damage { "damage" } else { "notice" };
        vec![
            kind.to_owned(),
            self.message.clone(),
            self.remedy.to_owned(),
        ]
    }
}
