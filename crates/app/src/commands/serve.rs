//! `naru serve`.

use std::net::SocketAddr;

use anyhow::{Result, anyhow};
use clap::Args;
use toml::Value;

use crate::cli::Global;
use crate::config::key::Key;
use crate::serve;

/// Run the registry. The first start makes the data directory and an administrator, and says how
/// to go on.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  naru serve\n  naru serve --data /var/lib/naru --listen 0.0.0.0:5000 --config /etc/naru/naru.toml"
)]
pub struct ServeCommand {
    /// The address to listen on; port 0 takes a free one [default: 127.0.0.1:5000]
    #[arg(long, value_name = "ADDR", value_parser = address)]
    listen: Option<SocketAddr>,
}

impl ServeCommand {
    pub(super) fn run(self, global: &Global) -> Result<()> {
        let listen = self.listen.map(|address| {
            let key = Key::of(["listen", "address"]);
            ("--listen", key, Value::String(address.to_string()))
        });
        let loaded = global.load(listen.into_iter().collect())?;
        serve::run(global, &loaded.config)
    }
}

fn address(text: &str) -> Result<SocketAddr> {
    text.parse().map_err(|_| {
        anyhow!("write an IP address and a port, such as 127.0.0.1:5000, 0.0.0.0:5000 or [::]:5000")
    })
}
