//! Running other people's programs to their end, with their words where they fail.

use std::fs::File;
use std::io::{Seek, Write};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// The longest a program may take.
const PATIENCE: Duration = Duration::from_mins(3);

/// Runs a command to its end, however it ends, but not longer than programs may take.
///
/// # Panics
/// When it cannot be started.
#[must_use]
pub fn output(command: &mut Command) -> Output {
    output_told(command, "")
}

/// The same with something to read on standard input.
///
/// # Panics
/// When it cannot be started.
#[must_use]
pub fn output_told(command: &mut Command, input: &str) -> Output {
    output_within(PATIENCE, command, input)
}

#[expect(
    clippy::expect_used,
    reason = "a program that cannot be started fails the test"
)]
fn output_within(patience: Duration, command: &mut Command, input: &str) -> Output {
    let mut timed = Command::new("timeout");
    timed
        .arg("--kill-after=5")
        .arg(patience.as_secs().to_string())
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => timed.env(name, value),
            None => timed.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        timed.current_dir(directory);
    }
    let input = if input.is_empty() {
        Stdio::null()
    } else {
        file_of(input).expect("a file for standard input").into()
    };
    let ended = timed.stdin(input).output();
    ended.expect("`timeout` runs a command")
}

/// Runs a command that must succeed; its standard output, trimmed.
///
/// # Panics
/// When it fails; with what it said.
#[track_caller]
pub fn succeeds(command: &mut Command) -> String {
    succeeds_told(command, "")
}

/// The same with something to read on standard input.
///
/// # Panics
/// When it fails; with what it said.
#[track_caller]
pub fn succeeds_told(command: &mut Command, input: &str) -> String {
    let output = output_told(command, input);
    succeeded(command, &output)
}

/// Runs a command that must succeed and may take longer than others.
///
/// # Panics
/// When it fails; with what it said.
#[track_caller]
pub fn succeeds_within(patience: Duration, command: &mut Command) -> String {
    let output = output_within(patience, command, "");
    succeeded(command, &output)
}

#[track_caller]
fn succeeded(command: &Command, output: &Output) -> String {
    let words = words(output);
    assert!(
        output.status.success(),
        "{command:?} ended with {}:\n{words}",
        output.status
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Runs a command that must fail; everything that it said.
///
/// # Panics
/// When it succeeds.
#[track_caller]
pub fn fails(command: &mut Command) -> String {
    let output = output(command);
    let words = words(&output);
    assert!(
        !output.status.success(),
        "{command:?} was to fail:\n{words}"
    );
    words
}

fn words(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// A file without a name, at its beginning: unlike a pipe, nobody has to write while it is read.
fn file_of(text: &str) -> std::io::Result<File> {
    let mut file = tempfile::tempfile()?;
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    Ok(file)
}
