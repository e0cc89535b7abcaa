//! What the tests of the running server stand on.
//!
//! - [`server`]: the built binary, running, with a database and a blob store of this run's grade;
//! - [`hand`]: the command line beside it: users, organizations, tokens, packages;
//! - [`beside`]: the registry in this process, for what the command line does not do: tokens that
//!   have expired already, and tokens of workflows;
//! - [`http`]: a client that hides nothing: every byte it sends is chosen by the test, every
//!   header that came back is there;
//! - [`content`]: blobs and manifests, and their digests;
//! - [`repo`]: a repository of one's own on a shared server, for one test;
//! - [`token_endpoint`]: registry tokens, as a client gets them.

pub(crate) mod beside;
pub(crate) mod content;
pub(crate) mod hand;
pub(crate) mod http;
pub(crate) mod repo;
pub(crate) mod server;
pub(crate) mod token_endpoint;

use std::time::{Duration, Instant};

/// Waits until `holds`, at most `patience`; says whether it came true.
pub(crate) fn eventually(patience: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    loop {
        if holds() {
            return true;
        }
        if begun.elapsed() > patience {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
