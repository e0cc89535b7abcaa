//! The load generator: HTTP/1.1 on raw sockets, as cheap as it can be while it checks every byte.
//!
//! - [`request`] says what is sent and what must come back.
//! - [`answer`] reads heads and chunks.
//! - [`script`] is what one connection does, request after request.
//! - [`connection`] is one socket with a script on it.
//! - [`engine`] drives many of them from one thread with epoll.

mod answer;
mod connection;
mod engine;
mod request;
mod script;

pub(crate) use answer::Answer;
pub(crate) use engine::{Tally, ask, drive, drive_in_threads};
pub(crate) use request::{Framing, Request, Want};
pub(crate) use script::{Cycle, Script, Steps};
