//! Help, completion, manual pages, and what happens to output that nobody reads.

use std::process::{Command, Stdio};

use clap::CommandFactory;
use naru::cli::Cli;

use crate::support::{naru, run, stderr, stdout};

/// Calls `visit` with every command that the help names and its path, `naru user create`.
fn walk(command: &clap::Command, path: &str, visit: &mut impl FnMut(&clap::Command, &str)) {
    visit(command, path);
    let shown = |inner: &&clap::Command| !inner.is_hide_set();
    for inner in command.get_subcommands().filter(shown) {
        walk(inner, &format!("{path} {}", inner.get_name()), visit);
    }
}

#[test]
fn clap_finds_nothing_wrong_with_the_command_line() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_has_an_example_in_its_help() {
    walk(&Cli::command(), "naru", &mut |command, path| {
        let help = command.get_after_help().map(ToString::to_string);
        let example = help.unwrap_or_default();
        assert!(example.starts_with("Example"), "{path} has no example");
        let leaf = command.get_subcommands().next().is_none();
        assert!(
            !leaf || example.contains(path),
            "the example of {path} does not use it"
        );
    });
}

#[test]
fn every_command_and_every_flag_says_what_it_is_for() {
    walk(&Cli::command(), "naru", &mut |command, path| {
        assert!(
            command.get_about().is_some(),
            "{path} says nothing about itself"
        );
        for argument in command.get_arguments() {
            let id = argument.get_id();
            assert!(
                argument.get_help().is_some(),
                "{path} has no word about {id}"
            );
        }
    });
}

#[test]
fn the_flags_of_all_commands_stand_anywhere() {
    for line in [
        "--json --data d config check",
        "config --json check --data d",
        "config check --json --data d",
    ] {
        let output = naru().args(line.split(' ')).output().unwrap();
        assert!(
            stdout(&output).starts_with('['),
            "{line}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn a_line_that_is_not_understood_ends_with_two_and_says_what_was_meant() {
    let output = run(naru(), ["cofig"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("config"), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
}

#[test]
fn nothing_is_coloured_in_a_pipe() {
    for line in ["", "cofig", "serve --listen 5000"] {
        let output = naru().args(line.split_whitespace()).output().unwrap();
        let said = stderr(&output);
        assert!(!said.is_empty() && !said.contains('\x1b'), "{line}: {said}");
    }
}

#[test]
fn an_address_that_is_none_is_answered_with_one() {
    let output = run(naru(), ["serve", "--listen", "5000"]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.contains("127.0.0.1:5000"), "{said}");
}

#[test]
fn help_can_be_asked_for_by_a_word() {
    let flag = run(naru(), ["user", "create", "--help"]);
    let word = run(naru(), ["help", "user", "create"]);
    assert_eq!(
        (word.status.code(), stdout(&word)),
        (Some(0), stdout(&flag))
    );
    let all = run(naru(), ["help"]);
    assert_eq!(stdout(&all), stdout(&run(naru(), ["--help"])));
}

#[test]
fn help_is_data_on_standard_output() {
    let output = run(naru(), ["config", "check", "--help"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).contains("Example"));
}

#[test]
fn every_shell_has_its_completion() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(naru(), ["completion", shell]);
        assert!(stdout(&output).contains("config"), "{shell}");
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path().join("man1");
    let output = naru().arg("man").arg(&directory).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    walk(&Cli::command(), "naru", &mut |_, path| {
        let page = directory.join(format!("{}.1", path.replace(' ', "-")));
        assert!(page.exists(), "there is no page for {path}");
    });
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    for line in ["completion bash", "--help", "config check --json"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_naru"))
            .env_clear()
            .args(line.split(' '))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{line}: {}", stderr(&output));
        assert!(!stderr(&output).contains("panicked"), "{line}");
    }
}
