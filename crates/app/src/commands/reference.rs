//! `naru reference`, for those who write the handbook.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use crate::cli::Global;
use crate::reference::Page;

/// Bring the generated parts of the handbook's reference pages up to date.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cargo run -p naru -- reference docs/reference")]
pub struct ReferenceCommand {
    /// Where the pages are
    directory: PathBuf,
}

impl ReferenceCommand {
    pub(super) fn run(self, global: &Global) -> Result<()> {
        for page in Page::ALL {
            let file = self.directory.join(page.file_name());
            let text = fs::read_to_string(&file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            let made = page.made_anew(&text)?;
            if made == text {
                continue;
            }
            fs::write(&file, made).with_context(|| format!("cannot write {}", file.display()))?;
            let output = global.output();
            output.say(format_args!("{} is up to date now", file.display()));
        }
        Ok(())
    }
}
