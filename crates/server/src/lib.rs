//! Room `server`: faces over one registry, and the connections they are reached by.
//!
//! - [`listen`]: from the listening socket to the service that answers requests;
//! - [`body`]: what an answer carries, and how a file gets into it;
//! - [`hosts`]: which registry a request is for, and how the instance calls itself;
//! - [`site`]: every route, and what all answers have in common;
//! - `distribution`: the face that speaks OCI;
//! - `rest`: the face that speaks GitHub's packages API;
//! - [`metrics`], `health`: figures, and whether it works.

pub mod body;
mod distribution;
mod health;
pub mod hosts;
pub mod listen;
pub mod metrics;
mod rest;
pub mod site;

pub use hosts::HostSettings;
pub use metrics::Metrics;
pub use rest::{RestSettings, reference_tables};
pub use site::{Site, SiteDoor, SiteSettings};
