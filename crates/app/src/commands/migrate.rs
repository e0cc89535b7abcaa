//! `naru migrate`.

use anyhow::Result;
use clap::Args;
use naru_metadata::SchemaPolicy;

use super::with_policy;
use crate::cli::Global;

/// Bring the database to the schema of this program. Serving does it too; this is for doing it
/// before, or once for several servers.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  naru backup /srv/backup && naru migrate --config /etc/naru/naru.toml"
)]
pub struct MigrateCommand {}

impl MigrateCommand {
    pub(super) fn run(self, global: &Global) -> Result<()> {
        let output = global.output();
        with_policy(global, SchemaPolicy::Migrate, async |_| {
            output.say("the database has the schema of this program");
            Ok(())
        })
    }
}
