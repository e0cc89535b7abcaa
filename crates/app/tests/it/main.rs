//! The `naru` binary from outside: what it prints, writes and refuses.

mod configuration;
mod help;
mod support;
