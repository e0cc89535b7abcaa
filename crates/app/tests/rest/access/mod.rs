//! Who may do what by REST, asked of every operation by every kind of caller, in every way that a
//! token can be sent, for every visibility.
//!
//! - [`operations`]: what can be asked of a package, and what each needs;
//! - [`oracle`], [`world`]: the tables that say who has which role, and everybody in them, shared
//!   with the tests of the registry: they know nothing of the policy's code;
//! - [`walk`]: all of it, asked and compared; what a caller may not know about compared byte for
//!   byte with what does not exist;
//! - [`elsewhere`]: the operations that are about no package.

mod elsewhere;
mod operations;
#[allow(dead_code, reason = "the registry asks more of it")]
#[path = "../../registry/access/oracle.rs"]
mod oracle;
mod walk;
#[allow(dead_code, reason = "the registry asks more of it")]
#[path = "../../registry/access/world.rs"]
mod world;

/// What the shared tables call the kinds of need.
#[allow(dead_code, reason = "the registry asks more of it")]
mod routes {
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub(super) enum Needs {
        Read,
        Push,
        Delete,
    }
}

use std::sync::OnceLock;

use crate::kit::server::Server;

/// The server of these tests: it is asked more often than one user may ask in an hour.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(&[("NARU_REST__RATE_LIMIT", "false")]))
}
