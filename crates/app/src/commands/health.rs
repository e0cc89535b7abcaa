//! `naru health`: what a container or a script asks to know whether a server is alive.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use clap::Args;
use reqwest::StatusCode;
use serde::Serialize;
use url::Url;

use super::{registry_url, wait};
use crate::check::Reason;
use crate::cli::Global;
use crate::config::Config;
use crate::failure::hinted;
use crate::output::{Output, Row};

/// How long the server may take: less than the health checks of container engines allow.
const PATIENCE: Duration = Duration::from_secs(5);

/// Ask a server whether it is alive. The exit status is 0 if it is, and 1 if not.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  naru health\n  naru health --ready\n  naru health https://naru.example.com\n\nWithout a URL it asks the server of this configuration on this machine, at its internal listener \nif it has one. The certificate is not looked at then: its names are not those of this machine."
)]
pub struct HealthCommand {
    /// The server: `https://naru.example.com`, or a host alone [default: the one configured here]
    #[arg(value_parser = registry_url)]
    url: Option<Url>,
    /// Also ask whether its database and its store answer
    #[arg(long)]
    ready: bool,
}

impl HealthCommand {
    pub(super) fn run(self, global: &Global) -> Result<()> {
        let path = if self.ready { "/readyz" } else { "/livez" };
        let is_own = self.url.is_none();
        let url = match self.url {
            Some(url) => url,
            None => own_url(&global.load(Vec::new())?.config)?,
        };
        wait(ask(url.join(path)?, is_own, global.output()))
    }
}

/// Where the server of this configuration answers on this machine.
fn own_url(config: &Config) -> Result<Url> {
    let (scheme, address) = match config.listen.internal {
        Some(address) => ("http", address),
        None if config.tls.is_enabled() => ("https", config.listen.address),
        None => ("http", config.listen.address),
    };
    if address.port() == 0 {
        return Err(hinted(
            anyhow!("the configured port is 0, so any free one"),
            "say which server is meant: naru health http://127.0.0.1:PORT",
        ));
    }
    let address = SocketAddr::new(reachable(address.ip()), address.port());
    Ok(Url::parse(&format!("{scheme}://{address}"))?)
}

/// Nobody connects to "any address".
fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    }
}

async fn ask(url: Url, is_own: bool, output: Output) -> Result<()> {
    let client = reqwest::Client::builder()
        .user_agent(concat!("naru-health/", env!("CARGO_PKG_VERSION")))
        .timeout(PATIENCE)
        // A proxy of the environment is for what lies outside.
        .no_proxy()
        .danger_accept_invalid_certs(is_own)
        .build()
        .context("cannot set up an HTTP client")?;
    let answer = client.get(url.clone()).send().await;
    let answer = answer.map_err(|error| {
        let Reason { why, fix } = Reason::no_answer(&error);
        hinted(anyhow!(why), fix)
    })?;
    let status = answer.status();
    if status != StatusCode::OK {
        let said = answer.text().await.unwrap_or_default();
        return Err(anyhow!("{url} was answered {status}: {}", said.trim()));
    }
    output.record(&HealthRow {
        url: url.to_string(),
        status: status.as_u16(),
    })
}

/// How the server answered.
#[derive(Debug, Serialize)]
struct HealthRow {
    url: String,
    status: u16,
}

impl Row for HealthRow {
    const COLUMNS: &'static [&'static str] = &["URL", "STATUS"];

    fn cells(&self) -> Vec<String> {
        vec![self.url.clone(), self.status.to_string()]
    }
}
