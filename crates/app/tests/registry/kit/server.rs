//! The built binary, running on the grade of this run; and those servers that many tests share.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use naru_testkit::naru::{self, Plan};

use super::repo::Repo;

/// Settings as the environment has them.
type Settings = &'static [(&'static str, &'static str)];

/// A running server. It ends with the value, or with the test process.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) process: naru::Server,
    pub(crate) address: SocketAddr,
    pub(crate) settings: Settings,
}

impl Server {
    /// Starts a server on fresh backends.
    pub(crate) fn start(settings: Settings) -> Self {
        let plan = settings.iter().fold(
            Plan::new(env!("CARGO_BIN_EXE_naru")),
            |plan, (name, value)| plan.set(name, value),
        );
        let process =
            naru::Server::start(plan).expect("the backends that this run is about are not there");
        let address = process.host().parse().unwrap();
        Self {
            process,
            address,
            settings,
        }
    }

    /// Ends the server as a power cut would, and starts it again on what is left.
    pub(crate) fn kill_and_restart(&self) {
        self.process.kill();
        self.process.restart();
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.process.data()
    }

    /// A name under `octo` that no other test uses.
    pub(crate) fn fresh_name(&self, about: &str) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        format!("octo/{about}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// A repository of one's own, not yet existing, with the token of its owner.
    pub(crate) fn repo(&self, about: &str) -> Repo<'_> {
        Repo::new(self, &self.fresh_name(about), self.octo())
    }
}

/// The server that most tests share: as it is without configuration, but for the requests of
/// the REST API, of which all tests together make more than so many from one address.
pub(crate) fn plain() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        Server::start(&[
            ("NARU_REST__ANONYMOUS_REQUESTS_PER_HOUR", "1000000"),
            ("NARU_REST__USER_REQUESTS_PER_HOUR", "1000000"),
            ("NARU_REST__CHANGES_PER_MINUTE", "1000000"),
        ])
    })
}

/// A server that takes manifests whose content is not there.
pub(crate) fn sparse() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(&[("NARU_REGISTRY__SPARSE_INDEXES", "true")]))
}

/// A server whose registry tokens live one second (and the five of leeway), and whose pages and
/// layers are small.
pub(crate) fn tight() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        Server::start(&[
            ("NARU_REGISTRY__TOKEN_SECONDS", "1"),
            ("NARU_REGISTRY__LAYER_LIMIT", "100000"),
            ("NARU_REGISTRY__LEGACY_LAYER_LIMIT", "50000"),
            ("NARU_REGISTRY__TAGS_PAGE", "3"),
            ("NARU_REGISTRY__TAGS_PAGE_LIMIT", "5"),
        ])
    })
}

/// A server whose main host name is the legacy Docker registry (GHES without subdomain isolation).
pub(crate) fn single_host() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        Server::start(&[
            ("NARU_SERVER__LAYOUT", "single-host-legacy"),
            ("NARU_SERVER__WEB", "ghes.example.com"),
            ("NARU_SERVER__CONTAINERS", "containers.ghes.example.com"),
            ("NARU_SERVER__SCHEME", "https"),
        ])
    })
}
