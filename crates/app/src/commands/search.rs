//! `naru search`.

use anyhow::Result;
use clap::Args;
use naru_registry::search::{MOST, SearchQuery};

use super::beside;
use super::package::PackageRow;
use crate::cli::Global;

/// Find packages by words and qualifiers.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  naru search base image\n  naru search owner:acme is:public tag:v1\n  naru search sha256:0123abcd\n\nA word is the beginning of a word of the name, the description, a tag, a label or the linked \nrepository. The qualifiers are those of the REST API."
)]
pub struct SearchCommand {
    /// Words, and qualifiers such as owner:NAME, is:public, tag:NAME, digest:HEX
    #[arg(required = true)]
    query: Vec<String>,
    /// How many to list at most
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    limit: usize,
}

impl SearchCommand {
    pub(super) fn run(self, global: &Global) -> Result<()> {
        let output = global.output();
        let query = SearchQuery::read(&self.query.join(" "))?;
        beside(global, async |instance| {
            let (registry, caller) = (&instance.registry, &instance.caller);
            let limit = self.limit.min(MOST);
            let found = registry.search_packages(caller, &query, 0, limit).await?;
            let rows: Vec<_> = found
                .items
                .iter()
                .map(|(listed, owner)| PackageRow::new(owner.login(), &listed.package))
                .collect();
            output.list(&rows)?;
            if found.incomplete || found.total > rows.len() {
                let more = if found.incomplete { " and more" } else { "" };
                output.say(format_args!("{} of {}{more}", rows.len(), found.total));
            }
            Ok(())
        })
    }
}
