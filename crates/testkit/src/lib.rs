//! What tests stand on. No part of Naru that runs outside tests may know this room.
//!
//! - [`services`]: real servers for tests: PostgreSQL, S3, container engines.

pub mod services;
