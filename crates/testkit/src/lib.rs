//! What tests stand on. No part of Naru that runs outside tests may know this room.
//!
//! - [`services`]: real servers for tests: PostgreSQL, S3, container engines.
#![cfg_attr(
    feature = "clients",
    doc = "- [`naru`]: the running binary, as clients meet it."
)]
#![cfg_attr(
    feature = "clients",
    doc = "- [`certificates`]: a certificate authority of one's own."
)]
#![cfg_attr(
    feature = "clients",
    doc = "- [`run`]: running other people's programs to their end."
)]

#[cfg(feature = "clients")]
pub mod certificates;
#[cfg(feature = "clients")]
pub mod naru;
#[cfg(feature = "clients")]
pub mod run;
pub mod services;
