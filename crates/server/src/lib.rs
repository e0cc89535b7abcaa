//! Room `server`: three faces over one registry, and the connections they are reached by.
//!
//! - [`listen`]: from the listening socket to the service that answers requests;
//! - [`body`]: what an answer carries, and how a file gets into it.

pub mod body;
pub mod listen;
