//! Real servers for tests: a database, an object store, container engines.
//!
//! - [`grade`]: which database and which blob store this run of the tests is about.
//! - [`postgres`]: a PostgreSQL cluster of one's own, and a fresh database for each test.
//! - [`s3`]: an S3 server, and a fresh bucket for each test.
//! - [`engine`]: Docker and containerd daemons with directories and sockets of their own.
//! - [`process`]: programs that end when the test does, however it ends.
//! - [`absent`]: what a test says when the machine lacks what it needs.
//!
//! Nothing here depends on another room, so that the lowest rooms can use it in their tests.
//! All of it blocks; a test that is async may call it directly, since nothing else waits for it.

pub mod absent;
pub mod engine;
pub mod grade;
pub mod postgres;
pub mod process;
pub mod s3;

/// A variable of the environment, if set and not empty.
#[expect(
    clippy::disallowed_methods,
    reason = "the environment is how a run tells its tests what it started"
)]
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
