//! distribution v3: filesystem storage, descriptors cached in memory, no access log, no tracing,
//! no authentication. This is the best that it can do.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

/// `registry serve` with a configuration of its own.
pub(super) fn command(binary: &Path, directory: &Path, address: SocketAddr) -> Result<Command> {
    let config = directory.join("config.yml");
    let root = directory.join("data");
    fs::write(
        &config,
        format!(
            "version: 0.1\n\
             log: {{ level: error, accesslog: {{ disabled: true }} }}\n\
             storage:\n  \
               filesystem: {{ rootdirectory: \"{}\" }}\n  \
               cache: {{ blobdescriptor: inmemory }}\n  \
               delete: {{ enabled: true }}\n\
             http: {{ addr: \"{address}\", secret: benchmark }}\n",
            root.display()
        ),
    )?;
    let mut command = Command::new(binary);
    command
        .arg("serve")
        .arg(config)
        .env("OTEL_TRACES_EXPORTER", "none");
    Ok(command)
}
