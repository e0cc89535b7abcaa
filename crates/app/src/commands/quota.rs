//! `naru quota`.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use naru_model::{AccountName, Quota};
use naru_registry::Cursor;
use naru_registry::usage::AccountUsage;
use serde::Serialize;

use super::{Instance, beside};
use crate::cli::Global;
use crate::output::{Output, Row};

/// How much the packages of an account may hold.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  naru quota set acme --live 500GB --bin 100GB\n  naru quota show acme"
)]
pub struct QuotaCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Set the limits of an account; one that is not named is lifted
    #[command(after_help = "Examples:\n  naru quota set acme --live 500GB\n  naru quota set acme")]
    Set {
        /// The user or organization
        account: AccountName,
        /// Of what is served and uploaded, each blob once: bytes, or with kB, MB, GB or TB
        #[arg(long, value_name = "BYTES", value_parser = bytes)]
        live: Option<u64>,
        /// Of what can be restored: bytes, or with kB, MB, GB or TB
        #[arg(long, value_name = "BYTES", value_parser = bytes)]
        bin: Option<u64>,
    },
    /// Show what an account holds and may hold
    #[command(after_help = "Example:\n  naru quota show acme")]
    Show {
        /// The user or organization
        account: AccountName,
    },
    /// List the accounts that have a quota
    #[command(after_help = "Example:\n  naru quota list")]
    List,
}

/// Reads `1500`, `1.5kB`, `20 GB`: decimal units, as disks are sold.
fn bytes(text: &str) -> Result<u64> {
    const UNITS: [(&str, u64); 5] = [
        ("TB", 1_000_000_000_000),
        ("GB", 1_000_000_000),
        ("MB", 1_000_000),
        ("KB", 1000),
        ("B", 1),
    ];
    let upper = text.trim().to_uppercase();
    let found = UNITS
        .iter()
        .find_map(|(word, unit)| Some((upper.strip_suffix(word)?, *unit)));
    let (number, unit) = found.unwrap_or((&upper, 1));
    let (whole, part) = number.trim().split_once('.').unwrap_or((number.trim(), ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || part.len() > 3 || !are_digits(whole) || !are_digits(part) {
        bail!("expected bytes such as 500GB, 1.5TB or 1000000");
    }
    let thousandths = format!("{whole}{part:0<3}").parse::<u64>();
    match thousandths.ok().and_then(|number| number.checked_mul(unit)) {
        Some(product) => Ok(product / 1000),
        None => bail!("that is more than there can be"),
    }
}

impl QuotaCommand {
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
        match self {
            Self::Set { account, live, bin } => {
                let quota = Quota { live, bin };
                let (quota, usage) = registry.set_quota(caller, &account, quota).await?;
                output.record(&UsageRow::new(&account, &usage, quota))
            }
            Self::Show { account } => {
                let (quota, usage) = registry.quota_of(caller, &account).await?;
                output.record(&UsageRow::new(&account, &usage, quota))
            }
            Self::List => list(instance, output).await,
        }
    }
}

async fn list(instance: &Instance, output: Output) -> Result<()> {
    const PAGE: usize = 500;
    let mut rows = Vec::new();
    let mut cursor = Some(Cursor::first(PAGE));
    while let Some(page) = cursor {
        let found = instance
            .registry
            .list_quotas(&instance.caller, page)
            .await?;
        let found_rows = found.items.iter().map(|(account, quota)| QuotaRow {
            login: account.login().to_string(),
            live_limit: quota.live,
            bin_limit: quota.bin,
        });
        rows.extend(found_rows);
        cursor = found.next;
    }
    output.list(&rows)
}

fn limit(limit: Option<u64>) -> String {
    limit.map_or_else(|| "none".to_owned(), |limit| limit.to_string())
}

/// An account with a quota, with the names of the REST API.
#[derive(Debug, Serialize)]
struct QuotaRow {
    login: String,
    live_limit: Option<u64>,
    bin_limit: Option<u64>,
}

impl Row for QuotaRow {
    const COLUMNS: &'static [&'static str] = &["ACCOUNT", "LIVE LIMIT", "BIN LIMIT"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.login.clone(),
            limit(self.live_limit),
            limit(self.bin_limit),
        ]
    }
}

/// What an account holds and may hold, with the names of the REST API.
#[derive(Debug, Serialize)]
struct UsageRow {
    login: String,
    live_bytes: u64,
    pending_bytes: u64,
    bin_bytes: u64,
    blobs: u64,
    versions: u64,
    live_limit: Option<u64>,
    bin_limit: Option<u64>,
    measured_at: String,
}

impl UsageRow {
    fn new(login: &AccountName, usage: &AccountUsage, quota: Quota) -> Self {
        Self {
            login: login.to_string(),
            live_bytes: usage.live,
            pending_bytes: usage.pending,
            bin_bytes: usage.bin,
            blobs: usage.blobs,
            versions: usage.versions,
            live_limit: quota.live,
            bin_limit: quota.bin,
            measured_at: usage.measured_at.to_string(),
        }
    }
}

impl Row for UsageRow {
    const COLUMNS: &'static [&'static str] = &[
        "account",
        "live bytes",
        "pending bytes",
        "bin bytes",
        "blobs",
        "versions",
        "live limit",
        "bin limit",
        "measured",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.login.clone(),
            self.live_bytes.to_string(),
            self.pending_bytes.to_string(),
            self.bin_bytes.to_string(),
            self.blobs.to_string(),
            self.versions.to_string(),
            limit(self.live_limit),
            limit(self.bin_limit),
            self.measured_at.clone(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_people_write_them() {
        for (text, expected) in [
            ("0", 0),
            ("1500", 1500),
            ("1.5kB", 1500),
            ("20 GB", 20_000_000_000),
            ("0.25tb", 250_000_000_000),
        ] {
            assert_eq!(bytes(text).unwrap(), expected, "{text}");
        }
        for wrong in [
            "",
            "GB",
            "-1",
            "+1",
            "1.+5",
            ".5GB",
            "1.2345GB",
            "1e3",
            "99999999999TB",
        ] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}
