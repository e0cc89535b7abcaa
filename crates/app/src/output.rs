//! What a command prints: data on standard output, words on standard error.
//!
//! Lists are tables on a terminal, tab-separated lines in a pipe, and JSON with `--json`. The
//! reader of a pipe may leave before we are done (`naru package list | head -1`). `println!`
//! panics then; here it is [`Closed`], which `main` takes for success.

use std::fmt::{Display, Write as _};
use std::io::{self, ErrorKind, IsTerminal, Write as _};

use anyhow::Result;
use comfy_table::{Table, presets};
use serde::Serialize;

/// Nobody reads standard output any more.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the reader of the output has left")]
pub struct Closed;

/// One line of a list, or one thing shown alone. Its JSON form has the names that GitHub's REST
/// API has, where it has them.
pub trait Row: Serialize {
    /// The heads of the columns, in the order of the cells.
    const COLUMNS: &'static [&'static str];

    /// What stands in the columns.
    fn cells(&self) -> Vec<String>;
}

/// The one writer of everything that a command prints.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
    terminal: bool,
}

impl Output {
    /// Prints to the standard streams of this process, as JSON if asked to.
    #[must_use]
    pub fn new(json: bool) -> Self {
        Self {
            json,
            terminal: io::stdout().is_terminal(),
        }
    }

    /// Whether `--json` was given.
    #[must_use]
    pub const fn is_json(self) -> bool {
        self.json
    }

    /// Whether a person looks at it.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        self.terminal
    }

    /// Prints a list.
    ///
    /// # Errors
    /// [`Closed`], or when standard output cannot be written.
    pub fn list<R: Row>(self, rows: &[R]) -> Result<()> {
        if self.json {
            return self.json(&rows);
        }
        if self.terminal && rows.is_empty() {
            self.say("nothing to list");
            return Ok(());
        }
        let lines = if self.terminal {
            aligned(rows)
        } else {
            tab_separated(rows)
        };
        self.bytes(lines.as_bytes())
    }

    /// Prints one thing: a line for each of its columns.
    ///
    /// # Errors
    /// [`Closed`], or when standard output cannot be written.
    pub fn record<R: Row>(self, row: &R) -> Result<()> {
        if self.json {
            return self.json(row);
        }
        let mut lines = String::new();
        let gap = if self.terminal { ": " } else { "\t" };
        for (column, cell) in R::COLUMNS.iter().zip(row.cells()) {
            let head = column.to_ascii_lowercase();
            writeln!(lines, "{head}{gap}{}", one_line(&cell))?;
        }
        self.bytes(lines.as_bytes())
    }

    /// Something was made: with `--json` it is printed, else `words` say so.
    ///
    /// # Errors
    /// [`Closed`], or when standard output cannot be written.
    pub fn made<R: Row>(self, row: &R, words: impl Display) -> Result<()> {
        if self.json {
            return self.json(row);
        }
        self.say(words);
        Ok(())
    }

    /// Prints a value as JSON, whatever `--json` says.
    ///
    /// # Errors
    /// [`Closed`], or when standard output cannot be written.
    pub fn json(self, value: &impl Serialize) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(value)?;
        text.push(b'\n');
        self.bytes(&text)
    }

    /// Prints a line of data.
    ///
    /// # Errors
    /// [`Closed`], or when standard output cannot be written.
    pub fn line(self, line: impl Display) -> Result<()> {
        self.bytes(format!("{line}\n").as_bytes())
    }

    /// Prints bytes as they are.
    ///
    /// # Errors
    /// [`Closed`], or when standard output cannot be written.
    pub fn bytes(self, bytes: &[u8]) -> Result<()> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Closed.into()),
            Err(error) => Err(anyhow::Error::new(error).context("cannot write to standard output")),
        }
    }

    /// Says something to the person at the terminal. Nobody may be listening; that is no error.
    pub fn say(self, words: impl Display) {
        say(words);
    }
}

/// Says something on standard error, for those who have no [`Output`] yet.
pub fn say(words: impl Display) {
    // With standard error closed there is nobody left to tell.
    let _ = writeln!(io::stderr().lock(), "{words}");
}

/// Columns under their heads, for people.
fn aligned<R: Row>(rows: &[R]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(R::COLUMNS.to_vec());
    for row in rows {
        table.add_row(printable(row));
    }
    let mut lines = String::new();
    for line in table.lines() {
        // The preset without borders still pads both sides.
        lines.push_str(line.strip_prefix(' ').unwrap_or(&line).trim_end());
        lines.push('\n');
    }
    lines
}

/// One line a row and one tab between columns, without heads, for `cut` and `while read`.
fn tab_separated<R: Row>(rows: &[R]) -> String {
    let mut lines = String::new();
    for row in rows {
        lines.push_str(&printable(row).join("\t"));
        lines.push('\n');
    }
    lines
}

fn printable<R: Row>(row: &R) -> Vec<String> {
    row.cells().iter().map(|cell| one_line(cell)).collect()
}

/// A cell without what would break the line or steer a terminal: people write notes and names.
fn one_line(cell: &str) -> String {
    cell.replace(|c: char| c.is_control(), " ")
}
