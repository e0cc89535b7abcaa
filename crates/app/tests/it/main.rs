//! The `naru` binary from outside: what it prints, writes and refuses.

mod beside;
mod configuration;
mod example;
mod help;
mod serving;
mod support;
