//! Every command with its arguments, flags and examples, in Markdown.

use clap::{Arg, Command, CommandFactory};

use super::cell;
use crate::cli::{self, Cli};

/// Every command that does something, in the order of the help.
pub(super) fn all() -> String {
    let mut naru = Cli::command();
    naru.build();
    let mut page = String::new();
    for command in shown(&naru) {
        let name = command.get_name();
        page.push_str(&format!("### `naru {name}`\n\n"));
        describe(command, &mut page);
    }
    page
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
}

/// A command, or those below it.
fn describe(command: &Command, page: &mut String) {
    page.push_str(&about(command));
    page.push_str("\n\n");
    if shown(command).next().is_none() {
        page.push_str(&details(command));
        return;
    }
    for inner in shown(command) {
        let path = inner.get_bin_name().unwrap_or(inner.get_name());
        page.push_str(&format!("#### `{path}`\n\n"));
        describe(inner, page);
    }
}

fn about(command: &Command) -> String {
    let about = command.get_long_about().or(command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    // The one line of the help has no full stop.
    let (first, rest) = about.split_once("\n\n").unwrap_or((&about, ""));
    let stop = if first.ends_with('.') { "" } else { "." };
    format!("{first}{stop}\n\n{rest}").trim_end().to_owned()
}

fn details(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    let mut text = format!("```text\n{usage}\n```\n\n");
    let rows: String = command
        .get_arguments()
        .filter(|argument| is_own(argument))
        .map(row)
        .collect();
    if !rows.is_empty() {
        text.push_str("| | |\n|---|---|\n");
        text.push_str(&rows);
        text.push('\n');
    }
    text.push_str(&examples(command));
    text
}

/// The flags of all commands are told once, and everybody knows `--help`.
fn is_own(argument: &Arg) -> bool {
    let is_everywhere = argument.get_help_heading() == Some(cli::HEADING);
    !is_everywhere && argument.get_id() != "help" && !argument.is_hide_set()
}

fn row(argument: &Arg) -> String {
    let mut what = argument
        .get_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let takes_value = argument.get_action().takes_values();
    if takes_value {
        let words: Vec<_> = argument
            .get_possible_values()
            .iter()
            .map(|word| format!("`{}`", word.get_name()))
            .collect();
        // A long list of words stands in a page of its own.
        if (1..=8).contains(&words.len()) {
            what.push_str(&format!("; one of {}", words.join(", ")));
        }
        let defaults = argument.get_default_values().iter();
        let defaults: Vec<_> = defaults.map(|value| value.to_string_lossy()).collect();
        let default = defaults.join(",");
        if !default.is_empty() {
            what.push_str(&format!(" (default: `{default}`)"));
        }
    }
    format!("| `{}` | {} |\n", name(argument), cell(&what))
}

/// As it is typed.
fn name(argument: &Arg) -> String {
    let names = argument.get_value_names().unwrap_or_default();
    let value = names.join(" ");
    match argument.get_long() {
        None => value,
        Some(long) if argument.get_action().takes_values() => format!("--{long} {value}"),
        Some(long) => format!("--{long}"),
    }
}

/// What stands after the flags in the help: examples to copy, and perhaps a paragraph.
fn examples(command: &Command) -> String {
    let after = command.get_after_help().map(ToString::to_string);
    let after = after.unwrap_or_default();
    let (mut code, mut words) = (String::new(), Vec::new());
    for line in after.lines().skip(1) {
        match line.strip_prefix("  ") {
            Some(example) => code.push_str(&format!("{example}\n")),
            None if line.is_empty() => {}
            None => words.push(line.trim()),
        }
    }
    let mut text = format!("```sh\n{code}```\n\n");
    if !words.is_empty() {
        text.push_str(&format!("{}\n\n", words.join(" ")));
    }
    text
}
