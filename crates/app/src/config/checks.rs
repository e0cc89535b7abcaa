//! What two sections must agree on, and what no section can check alone.

use naru_server::hosts::{Layout, Scheme};

use super::{Config, Problem};
use crate::logging;

/// Checks what concerns more than one section.
///
/// # Errors
/// The first contradiction, with a way out of it.
pub fn check(config: &Config) -> Result<(), Problem> {
    level(config)?;
    listeners(config)?;
    names(config)?;
    scheme(config)?;
    sizes(config)?;
    signed_urls(config)?;
    shared_database(config)
}

fn level(config: &Config) -> Result<(), Problem> {
    let filter = logging::filter(&config.log.level);
    filter.map(drop).map_err(|error| {
        let help =
            "say error, warn, info, debug or trace, or a list such as info,naru_registry=debug";
        Problem::of_settings(format!("[log] level: {error}"), help)
    })
}

fn listeners(config: &Config) -> Result<(), Problem> {
    let (public, internal) = (config.listen.address, config.listen.internal);
    if internal == Some(public) && public.port() != 0 {
        return Err(Problem::of_settings(
            format!("[listen] address and internal are both {public}"),
            "give the internal listener another port",
        ));
    }
    Ok(())
}

fn names(config: &Config) -> Result<(), Problem> {
    let names = &config.server;
    if names.layout == Layout::SingleHostLegacy && names.containers.is_none() {
        return Err(Problem::of_settings(
            "[server] layout = \"single-host-legacy\" makes the main host the legacy Docker registry",
            "name a host for the container registry: containers = \"containers.example.com\"",
        ));
    }
    if names.docker.is_some() && names.docker == names.containers {
        return Err(Problem::of_settings(
            "[server] docker and containers are the same host",
            "the two registries tell each other apart by their names; give each its own",
        ));
    }
    Ok(())
}

fn scheme(config: &Config) -> Result<(), Problem> {
    if config.tls.is_enabled() && config.server.scheme == Some(Scheme::Http) {
        return Err(Problem::of_settings(
            "[tls] encrypts connections, but [server] scheme says \"http\"",
            "leave scheme out",
        ));
    }
    Ok(())
}

fn sizes(config: &Config) -> Result<(), Problem> {
    // hyper reads nothing with a smaller buffer.
    const LEAST_HEADER_BYTES: usize = 8192;
    if config.limits.header_bytes < LEAST_HEADER_BYTES {
        return Err(Problem::of_settings(
            format!("[limits] header_bytes is {}", config.limits.header_bytes),
            format!("it is at least {LEAST_HEADER_BYTES}"),
        ));
    }
    let registry = &config.registry;
    if registry.tags_page == 0 || registry.tags_page > registry.tags_page_limit {
        return Err(Problem::of_settings(
            "[registry] tags_page is not between 1 and tags_page_limit",
            "a page has as many tags when the client does not say",
        ));
    }
    Ok(())
}

/// An object that nothing needs is removed after `trash_hours`; until then a URL that was signed
/// before must work.
fn signed_urls(config: &Config) -> Result<(), Problem> {
    let seconds = config.blobstore.redirect_seconds;
    let hours = config.registry.trash_hours;
    if config.blobstore.redirect && seconds > hours.saturating_mul(3600) {
        return Err(Problem::of_settings(
            format!("[blobstore] redirect_seconds is longer than [registry] trash_hours ({hours})"),
            "a signed URL would outlive what it leads to; shorten the one or lengthen the other",
        ));
    }
    Ok(())
}

/// Several servers on one PostgreSQL open what the others sealed.
fn shared_database(config: &Config) -> Result<(), Problem> {
    let shared = config.database.is_shared().map_err(|error| {
        Problem::of_settings(error.to_string(), "see [database] in config.example.toml")
    })?;
    if shared && config.secrets.master_key_file.is_none() {
        return Err(Problem::of_settings(
            "PostgreSQL needs a master key that every server shares",
            "make one with `head -c 32 /dev/urandom | od -An -vtx1 | tr -d ' \\n' > master.key && \
             chmod 600 master.key`, and name it: [secrets] master_key_file = \"master.key\"",
        ));
    }
    Ok(())
}
