//! Who may do what, asked of every route by every kind of caller, in every way that a credential
//! can be sent, for every visibility.
//!
//! - [`routes`]: what can be asked, and that nothing is missing in that list;
//! - [`oracle`]: the answer that is expected, from tables that know nothing of the policy's code;
//! - [`world`]: an organization and a person with packages, and everybody who may want something;
//! - [`walk`]: all of it, asked and compared; and what a caller may not know about compared byte
//!   for byte with what does not exist;
//! - [`outage`]: all of it while the database does not answer: that is no refusal.

mod oracle;
mod outage;
mod routes;
mod walk;
mod world;

use crate::kit::server::{Server, plain};

/// The server of these tests.
fn server() -> &'static Server {
    plain()
}
