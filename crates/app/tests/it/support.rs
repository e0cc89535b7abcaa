//! Running the built binary.

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;

/// The built binary, in an environment without settings.
pub(crate) fn naru() -> Command {
    let mut command = Command::cargo_bin("naru").unwrap();
    command.env_clear();
    command
}

/// The built binary on a data directory.
pub(crate) fn naru_on(data: &Path) -> Command {
    let mut command = naru();
    command.arg("--data").arg(data);
    command
}

/// Runs it with these arguments.
pub(crate) fn run<const N: usize>(mut command: Command, arguments: [&str; N]) -> Output {
    command.args(arguments).output().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
