//! Which registry a request is for, and how the instance calls itself in its answer.
//!
//! The container registry and the legacy Docker registry speak the same protocol under the same
//! paths; the host name tells them apart. Everything that leads back to the instance (the realm of
//! a challenge, `Location`, `Link`) uses the configured public origin, or, where none is
//! configured, the host that the client named, if it is a host at all.

use std::net::IpAddr;

use http::header::HOST;
use http::{HeaderMap, Uri};
use ipnet::IpNet;
use naru_model::PackageType;
use serde::Deserialize;

use crate::listen::ConnectionInfo;

/// The `[server]` section: names of the instance, and who may speak for its clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HostSettings {
    /// Host name (and port, if it is not the scheme's own) of the web pages and of REST under
    /// `/api/v3`. Default: what the client names.
    pub web: Option<String>,
    /// Host name of the container registry. Default: the same as `web`.
    pub containers: Option<String>,
    /// Host name of the legacy Docker registry. Default: `docker.` before `web`.
    pub docker: Option<String>,
    /// Host name of REST at the root. Default: none of its own.
    pub api: Option<String>,
    /// Which registry the main host name is.
    pub layout: Layout,
    /// How clients reach the instance. Default: as the connection shows.
    pub scheme: Option<Scheme>,
    /// Networks of reverse proxies whose `X-Forwarded-Proto` and `X-Forwarded-Host` are believed.
    pub trusted_proxies: Vec<IpNet>,
}

/// Which registry the main host name is (GitHub Enterprise Server: subdomain isolation).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Isolation on: the main host, or `containers`, is the container registry; the legacy Docker
    /// registry has a name of its own.
    #[default]
    Subdomains,
    /// Isolation off: `HOST/OWNER/REPO/IMAGE` on the main host is the legacy Docker registry; the
    /// container registry needs a name of its own.
    SingleHostLegacy,
}

/// How clients reach the instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Where a request arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The registry that `/v2/` is here.
    pub registry: PackageType,
    /// The host that the instance calls itself in the answer: `registry.example.com`, with the
    /// port where there is one.
    pub host: String,
    /// How clients reach it.
    pub scheme: Scheme,
    /// The host of the web pages.
    pub web: String,
    /// The host of the container registry.
    pub containers: String,
    /// Where the REST API begins, if it is at this host.
    pub rest: Option<RestBase>,
    /// The address that limits are counted for.
    pub client: Option<IpAddr>,
}

impl Arrival {
    /// `https://registry.example.com`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme.as_str(), self.host)
    }

    /// `https://example.com`: where the pages are.
    #[must_use]
    pub fn web_origin(&self) -> String {
        format!("{}://{}", self.scheme.as_str(), self.web)
    }

    /// `https://example.com/api/v3`, or `https://api.example.com`: what REST addresses begin with.
    #[must_use]
    pub fn api_origin(&self, base: RestBase) -> String {
        match base {
            RestBase::Path => format!("{}{}", self.web_origin(), RestBase::PREFIX),
            RestBase::Host => self.origin(),
        }
    }
}

/// Where the REST API begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestBase {
    /// Under `/api/v3` of the web host.
    Path,
    /// At the root of a host of its own.
    Host,
}

impl RestBase {
    /// What stands before every path of the API on the web host.
    pub const PREFIX: &str = "/api/v3";

    /// The address of an operation without what stands before it, as it came: nothing is decoded.
    /// `None` for what is not below the base.
    #[must_use]
    pub fn strip(self, uri: &Uri) -> Option<Uri> {
        let whole = uri.path_and_query()?.as_str();
        let rest = match self {
            Self::Path => whole.strip_prefix(Self::PREFIX)?,
            Self::Host => whole,
        };
        let rest = match rest.as_bytes().first() {
            Some(b'/') => rest.to_owned(),
            None | Some(b'?') => format!("/{rest}"),
            Some(_) => return None,
        };
        rest.parse().ok()
    }

    /// Whether `path` is below the base.
    #[must_use]
    pub fn covers(self, path: &str) -> bool {
        match self {
            Self::Host => true,
            Self::Path => path
                .strip_prefix(Self::PREFIX)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        }
    }
}

impl HostSettings {
    /// Understands where a request arrived. `None` when it names no host, or something that is
    /// none.
    #[must_use]
    pub fn arrival(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        connection: &ConnectionInfo,
    ) -> Option<Arrival> {
        let peer = connection.peer().map(|peer| peer.ip());
        let trusted = peer.is_some_and(|ip| self.trusted_proxies.iter().any(|n| n.contains(&ip)));
        let named = self.named_host(uri, headers, trusted)?;
        let registry = self.registry_at(named);
        let rest = self.rest_at(named);
        let scheme = self
            .scheme
            .unwrap_or_else(|| scheme(headers, connection, trusted));
        let client = if trusted {
            forwarded_for(headers).or(peer)
        } else {
            peer
        };
        Some(Arrival {
            registry,
            host: match rest {
                Some(RestBase::Host) => named.to_ascii_lowercase(),
                _ => self.public_host(registry, named),
            },
            scheme,
            web: self.web_host(named),
            containers: self.containers_host(named),
            rest,
            client,
        })
    }

    fn named_host<'a>(
        &self,
        uri: &'a Uri,
        headers: &'a HeaderMap,
        trusted: bool,
    ) -> Option<&'a str> {
        let forwarded = trusted.then(|| text(headers, "x-forwarded-host")).flatten();
        let named = forwarded
            .or_else(|| uri.authority().map(http::uri::Authority::as_str))
            .or_else(|| headers.get(HOST).and_then(|value| value.to_str().ok()))?;
        is_host(named).then_some(named)
    }

    /// Hosts that are a registry and nothing else have no REST API.
    fn rest_at(&self, named: &str) -> Option<RestBase> {
        if is(self.api.as_ref(), named) {
            return Some(RestBase::Host);
        }
        let is_web = is(self.web.as_ref(), named);
        let is_registry = is(self.docker.as_ref(), named)
            || is(self.containers.as_ref(), named)
            || (self.registry_at(named) == PackageType::Docker
                && self.layout == Layout::Subdomains);
        (is_web || !is_registry).then_some(RestBase::Path)
    }

    /// The host of the pages: configured, or the one named, without what makes it a registry's.
    fn web_host(&self, named: &str) -> String {
        match &self.web {
            Some(web) => web.clone(),
            None if begins_with_docker(named) => {
                named.get(7..).unwrap_or(named).to_ascii_lowercase()
            }
            None => named.to_ascii_lowercase(),
        }
    }

    fn containers_host(&self, named: &str) -> String {
        match &self.containers {
            Some(host) => host.clone(),
            None => self.web_host(named),
        }
    }

    fn registry_at(&self, named: &str) -> PackageType {
        if is(self.docker.as_ref(), named) {
            return PackageType::Docker;
        }
        if is(self.containers.as_ref(), named) {
            return PackageType::Container;
        }
        match self.layout {
            Layout::SingleHostLegacy => PackageType::Docker,
            Layout::Subdomains if self.docker.is_none() && begins_with_docker(named) => {
                PackageType::Docker
            }
            Layout::Subdomains => PackageType::Container,
        }
    }

    /// The configured name of the registry, else the one that the client used.
    fn public_host(&self, registry: PackageType, named: &str) -> String {
        let configured = match registry {
            PackageType::Container => self.containers.as_ref().or(self.web.as_ref()),
            PackageType::Docker => self.docker.as_ref(),
        };
        match (configured, registry, &self.web) {
            (Some(host), _, _) => host.clone(),
            (None, PackageType::Docker, Some(web)) if self.layout == Layout::Subdomains => {
                format!("docker.{web}")
            }
            (None, PackageType::Docker, Some(web)) => web.clone(),
            (None, _, _) => named.to_ascii_lowercase(),
        }
    }
}

fn is(configured: Option<&String>, named: &str) -> bool {
    configured.is_some_and(|host| host.eq_ignore_ascii_case(named))
}

fn begins_with_docker(host: &str) -> bool {
    host.get(..7)
        .is_some_and(|begin| begin.eq_ignore_ascii_case("docker."))
}

/// A host name or address, with a port or without (RFC 3986, section 3.2): nothing that could
/// break out of a header or a URL.
fn is_host(text: &str) -> bool {
    let plain =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    !text.is_empty() && text.len() <= 255 && text.bytes().all(plain)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let value = headers.get(name)?.to_str().ok()?;
    value.split(',').next_back().map(str::trim)
}

fn scheme(headers: &HeaderMap, connection: &ConnectionInfo, trusted: bool) -> Scheme {
    let forwarded = trusted
        .then(|| text(headers, "x-forwarded-proto"))
        .flatten();
    match forwarded {
        Some("https") => Scheme::Https,
        Some("http") => Scheme::Http,
        _ if connection.is_tls() => Scheme::Https,
        _ => Scheme::Http,
    }
}

/// The address that the nearest trusted proxy saw: the last one of the list.
fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    text(headers, "x-forwarded-for")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(settings: &HostSettings, host: &str) -> Option<Arrival> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        settings.arrival(
            &Uri::from_static("/v2/"),
            &headers,
            &ConnectionInfo::default(),
        )
    }

    #[test]
    fn without_configuration_the_instance_is_what_the_client_calls_it() {
        let found = arrival(&HostSettings::default(), "LOCALHOST:5000").unwrap();
        assert_eq!(found.registry, PackageType::Container);
        assert_eq!(found.origin(), "http://localhost:5000");
    }

    #[test]
    fn a_name_that_begins_with_docker_is_the_legacy_registry() {
        let found = arrival(&HostSettings::default(), "docker.example.com").unwrap();
        assert_eq!(found.registry, PackageType::Docker);
        assert_eq!(found.origin(), "http://docker.example.com");
    }

    #[test]
    fn a_configured_name_stands_in_every_answer() {
        let settings = HostSettings {
            web: Some("naru.example.com".to_owned()),
            scheme: Some(Scheme::Https),
            ..HostSettings::default()
        };
        let container = arrival(&settings, "10.0.0.7:5000").unwrap();
        assert_eq!(container.origin(), "https://naru.example.com");
        let legacy = arrival(&settings, "docker.naru.example.com").unwrap();
        assert_eq!(legacy.origin(), "https://docker.naru.example.com");
    }

    #[test]
    fn with_a_single_host_the_main_name_is_the_legacy_registry() {
        let settings = HostSettings {
            web: Some("ghes.example.com".to_owned()),
            containers: Some("containers.ghes.example.com".to_owned()),
            layout: Layout::SingleHostLegacy,
            ..HostSettings::default()
        };
        let main = arrival(&settings, "ghes.example.com").unwrap();
        assert_eq!(main.registry, PackageType::Docker);
        assert_eq!(main.host, "ghes.example.com");
        let other = arrival(&settings, "containers.ghes.example.com").unwrap();
        assert_eq!(other.registry, PackageType::Container);
    }

    #[test]
    fn rest_is_below_a_path_of_the_web_host_and_at_the_root_of_its_own() {
        let settings = HostSettings {
            web: Some("naru.example.com".to_owned()),
            api: Some("api.naru.example.com".to_owned()),
            ..HostSettings::default()
        };
        let web = arrival(&settings, "naru.example.com").unwrap();
        assert_eq!(web.rest, Some(RestBase::Path));
        assert_eq!(
            web.api_origin(RestBase::Path),
            "http://naru.example.com/api/v3"
        );
        let api = arrival(&settings, "api.naru.example.com").unwrap();
        assert_eq!(api.rest, Some(RestBase::Host));
        assert_eq!(
            api.api_origin(RestBase::Host),
            "http://api.naru.example.com"
        );
        assert_eq!(api.web_origin(), "http://naru.example.com");
        let legacy = arrival(&settings, "docker.naru.example.com").unwrap();
        assert_eq!(legacy.rest, None);
    }

    #[test]
    fn what_stands_before_an_operation_is_cut_off_and_nothing_else() {
        let strip = |base: RestBase, uri: &str| {
            let stripped = base.strip(&uri.parse().unwrap());
            stripped.map(|uri| uri.to_string())
        };
        for (uri, rest) in [
            ("/api/v3/user", Some("/user")),
            ("/api/v3", Some("/")),
            ("/api/v3?a=b", Some("/?a=b")),
            ("/api/v3/a%2Fb//?q=%20", Some("/a%2Fb//?q=%20")),
            ("/api/v33/user", None),
            ("/user", None),
        ] {
            assert_eq!(strip(RestBase::Path, uri).as_deref(), rest, "{uri}");
        }
        assert_eq!(strip(RestBase::Host, "/user").as_deref(), Some("/user"));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for host in ["", "a b", "evil\"host", "a/b", "a?b"] {
            assert_eq!(arrival(&HostSettings::default(), host), None, "{host:?}");
        }
    }

    #[test]
    fn forwarded_headers_of_strangers_are_not_believed() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "localhost".parse().unwrap());
        headers.insert("x-forwarded-proto", "https".parse().unwrap());
        headers.insert("x-forwarded-host", "evil.example".parse().unwrap());
        let settings = HostSettings::default();
        let found = settings
            .arrival(
                &Uri::from_static("/v2/"),
                &headers,
                &ConnectionInfo::default(),
            )
            .unwrap();
        assert_eq!(found.origin(), "http://localhost");
    }
}
