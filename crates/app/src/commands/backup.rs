//! `naru backup`.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use naru_registry::backup::{self, BackupCheck, BackupManifest, BackupOptions};
use serde::Serialize;

use super::{Instance, beside, wait};
use crate::cli::Global;
use crate::output::{Output, Row};
use crate::progress::Progress;

/// Back up an instance on SQLite, while it runs. The backup is a data directory: to restore it,
/// start a server on it, or on a copy.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  naru backup /srv/backup/naru\n  naru backup --check /srv/backup/naru\n  naru serve --data /srv/backup/naru\n\nRepeated into the same directory it copies what is new. The master key is part of it, so keep it as safe as the data."
)]
pub struct BackupCommand {
    /// Where to; made if it is not there
    directory: PathBuf,
    /// Make none, but read the one in the directory and tell whether all of it is sound
    #[arg(long)]
    check: bool,
}

impl BackupCommand {
    pub(super) fn run(self, global: &Global) -> Result<()> {
        let output = global.output();
        let directory = &self.directory;
        if self.check {
            return wait(check(directory, output));
        }
        beside(global, async |instance| {
            back_up(instance, directory, output).await
        })
    }
}

async fn back_up(instance: &Instance, directory: &Path, output: Output) -> Result<()> {
    let Instance {
        registry, caller, ..
    } = instance;
    let options = BackupOptions {
        // A key that was configured from elsewhere is kept elsewhere.
        with_master_key: !instance.has_configured_key,
    };
    let progress = Progress::begin("blobs copied", None);
    let advance = |manifest: &BackupManifest| progress.at(manifest.blobs);
    let manifest = registry
        .back_up(caller, directory, options, &advance)
        .await?;
    drop(progress);
    let directory = directory.display();
    output.record(&ManifestRow(manifest))?;
    output.say(format_args!(
        "the backup is in {directory}; to restore it: naru serve --data {directory}"
    ));
    Ok(())
}

async fn check(directory: &Path, output: Output) -> Result<()> {
    let progress = Progress::begin("blobs checked", None);
    let advance = |check: &BackupCheck| progress.at(check.sound);
    let check = backup::verify_backup(directory, &advance).await?;
    drop(progress);
    let count = check.problems.len();
    output.record(&CheckRow(check))?;
    if count > 0 {
        bail!("{count} things are wrong with this backup; make a new one");
    }
    output.say("the backup is sound");
    Ok(())
}

/// What a backup says about itself.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct ManifestRow(BackupManifest);

impl Row for ManifestRow {
    const COLUMNS: &'static [&'static str] = &["made at", "blobs", "bytes", "master key"];

    fn cells(&self) -> Vec<String> {
        let BackupManifest {
            made_at,
            blobs,
            bytes,
            master_key,
            ..
        } = &self.0;
        let key = if *master_key {
            "included"
        } else {
            "kept elsewhere"
        };
        vec![
            made_at.clone(),
            blobs.to_string(),
            bytes.to_string(),
            key.to_owned(),
        ]
    }
}

/// What a check of a backup found.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct CheckRow(BackupCheck);

impl Row for CheckRow {
    const COLUMNS: &'static [&'static str] = &["sound blobs", "problems"];

    fn cells(&self) -> Vec<String> {
        let problems = match self.0.problems.as_slice() {
            [] => "none".to_owned(),
            problems => problems.join("; "),
        };
        vec![self.0.sound.to_string(), problems]
    }
}
