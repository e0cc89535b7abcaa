//! What a new instance says once: who administers it, and how to go on.

use std::fmt::Write as _;

use anyhow::Result;
use naru_registry::setup::FirstStart;

use crate::cli::Global;
use crate::compose::Instance;
use crate::config::Config;

/// Makes the administrator if there is none yet, and says how to go on; `None` on every later
/// start.
pub(super) async fn words(
    global: &Global,
    config: &Config,
    instance: &Instance,
    urls: &[String],
) -> Result<Option<String>> {
    let Some(first) = instance.registry.first_start().await? else {
        return Ok(None);
    };
    Ok(Some(say(&first, &naru_on(global), &host(config, urls))?))
}

fn say(first: &FirstStart, naru: &str, host: &str) -> Result<String> {
    let (login, token) = (&first.login, first.token.expose());
    let mut words = String::new();
    // It stands out from the log around it.
    writeln!(words)?;
    writeln!(
        words,
        "This is the first start. The administrator is `{login}`; the token in this line"
    )?;
    writeln!(
        words,
        "works until {} and is shown only now:",
        first.expires_at
    )?;
    writeln!(words)?;
    writeln!(
        words,
        "    echo {token} | docker login {host} --username {login} --password-stdin"
    )?;
    writeln!(words)?;
    writeln!(words, "Make yourself a user and a token that last:")?;
    writeln!(words)?;
    writeln!(words, "    {naru} user create NAME --admin")?;
    writeln!(
        words,
        "    {naru} token create NAME --scope write:packages --scope delete:packages"
    )?;
    writeln!(words)?;
    Ok(words)
}

/// The program, as it was started here, with the flags that lead to this data.
fn naru_on(global: &Global) -> String {
    let mut naru = std::env::args().next().unwrap_or_else(|| "naru".to_owned());
    if global.data != Global::default_data() {
        naru = format!("{naru} --data {}", global.data.display());
    }
    if let Some(config) = &global.config {
        naru = format!("{naru} --config {}", config.display());
    }
    naru
}

/// What docker calls the container registry.
fn host(config: &Config, urls: &[String]) -> String {
    let names = &config.server;
    let configured = names.containers.as_ref().or(names.web.as_ref());
    let listening = || {
        let address = urls.first().and_then(|url| url.split_once("://"));
        let address = address.map_or("localhost", |(_, address)| address);
        // Nobody connects to "any address".
        address
            .replace("0.0.0.0", "localhost")
            .replace("[::]", "localhost")
    };
    configured.cloned().unwrap_or_else(listening)
}
