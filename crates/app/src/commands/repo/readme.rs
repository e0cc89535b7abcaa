//! `naru repo readme`.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Subcommand;
use naru_model::RepositoryPath;
use naru_registry::readmes::LONGEST_README;

use crate::commands::Instance;
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Print it
    #[command(after_help = "Example:\n  naru repo readme show acme/app")]
    Show {
        /// OWNER/NAME
        repository: RepositoryPath,
    },
    /// Write it
    #[command(
        after_help = "Examples:\n  naru repo readme set acme/app README.md\n  generate | naru repo readme set acme/app -"
    )]
    Set {
        /// OWNER/NAME
        repository: RepositoryPath,
        /// The file with the text; `-` for standard input
        file: PathBuf,
    },
    /// Take it away
    #[command(after_help = "Example:\n  naru repo readme delete acme/app")]
    Delete {
        /// OWNER/NAME
        repository: RepositoryPath,
    },
}

impl Action {
    pub(super) async fn run(self, instance: &Instance, output: Output) -> Result<()> {
        let Instance {
            registry, caller, ..
        } = instance;
        match self {
            Self::Show { repository } => {
                let text = registry.readme(caller, &repository).await?;
                if output.is_json() {
                    return output.json(&text);
                }
                output.bytes(text.as_bytes())
            }
            Self::Set { repository, file } => {
                let text = read(&file)?;
                let text = Some(text.as_str());
                registry.set_readme(caller, &repository, text).await?;
                output.say(format_args!("{repository} has a new readme"));
                Ok(())
            }
            Self::Delete { repository } => {
                registry.set_readme(caller, &repository, None).await?;
                output.say(format_args!("{repository} has no readme any more"));
                Ok(())
            }
        }
    }
}

/// Reads no more than what is too long already.
fn read(file: &Path) -> Result<String> {
    let most = u64::try_from(LONGEST_README)?.saturating_add(1);
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(most).read_to_string(&mut text)
    } else {
        let file = File::open(file);
        file.and_then(|file| file.take(most).read_to_string(&mut text))
    };
    read.with_context(|| format!("cannot read {}", file.display()))?;
    Ok(text)
}
