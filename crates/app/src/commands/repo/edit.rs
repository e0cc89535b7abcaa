//! `naru repo edit`.

use anyhow::Result;
use clap::Args;
use naru_model::{RepositoryPath, SourceRepositoryName, Topics, Visibility};
use naru_registry::repositories::RepositoryChange;

use super::RepositoryRow;
use crate::commands::{Instance, or_none, something, words};
use crate::output::Output;

/// What is to change of a repository.
#[derive(Debug, Args)]
pub(super) struct EditArgs {
    /// OWNER/NAME
    repository: RepositoryPath,
    /// What it is called from now on
    #[arg(long, value_name = "NAME")]
    name: Option<SourceRepositoryName>,
    /// Who may see it
    #[arg(long, value_parser = words(Visibility::ALL))]
    visibility: Option<Visibility>,
    /// What it is, in a sentence; here and below an empty text takes away what was there
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// The address of a page about it
    #[arg(long, value_name = "URL")]
    homepage: Option<String>,
    /// Where the source lives
    #[arg(long, value_name = "URL")]
    forge_url: Option<String>,
    /// Words that it is found by, with spaces between them: all of them, instead of those before
    #[arg(long, value_name = "WORDS")]
    topics: Option<Topics>,
}

pub(super) async fn edit(instance: &Instance, wanted: EditArgs, output: Output) -> Result<()> {
    let Instance {
        registry, caller, ..
    } = instance;
    let before = wanted.repository;
    let change = something(RepositoryChange {
        name: wanted.name,
        visibility: wanted.visibility,
        description: or_none(wanted.description),
        homepage: or_none(wanted.homepage),
        forge_url: or_none(wanted.forge_url),
        topics: wanted.topics,
    })?;
    let path = registry.update_repository(caller, &before, &change).await?;
    let now = registry.repository(caller, &path).await?;
    output.made(
        &RepositoryRow::new(&path.owner, &now),
        format_args!("the repository {path} is changed"),
    )
}
