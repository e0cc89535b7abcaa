//! The configuration file, and where in it a setting stands.

use std::fmt::{self, Write as _};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::key::{Key, Step};
use super::problem::Problem;

/// The text of the file, and the settings in it.
#[derive(Debug)]
pub struct ConfigFile {
    path: PathBuf,
    text: String,
    settings: toml::Table,
}

/// Where in the file something stands, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The key, or the head of the table.
    pub key: Range<usize>,
    /// The value.
    pub value: Range<usize>,
}

impl ConfigFile {
    /// Reads and parses the file.
    ///
    /// # Errors
    /// When it cannot be read or is no TOML.
    pub fn read(path: &Path) -> Result<Self, Problem> {
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(path, text),
            Err(error) => Err(Problem::of_file(path, format!("cannot be read: {error}"))),
        }
    }

    /// Parses the text of a file.
    ///
    /// # Errors
    /// When it is no TOML; the error has line and caret.
    pub fn parse(path: &Path, text: String) -> Result<Self, Problem> {
        match text.parse::<toml::Table>() {
            Ok(settings) => Ok(Self {
                path: path.to_owned(),
                text,
                settings,
            }),
            Err(error) => {
                let place = error
                    .span()
                    .map(|span| Excerpt::of(&text, &span, true))
                    .unwrap_or_default();
                Err(Problem::in_file(path, place, in_words(error.message())))
            }
        }
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says.
    #[must_use]
    pub const fn settings(&self) -> &toml::Table {
        &self.settings
    }

    /// Where a setting stands.
    #[must_use]
    pub fn find(&self, key: &Key) -> Option<Span> {
        let root = DeTable::parse(&self.text).ok()?;
        let (last, parents) = key.steps().split_last()?;
        let mut table = root.get_ref();
        let mut list: Option<&Spanned<DeValue<'_>>> = None;
        for step in parents {
            let (_, value) = enter(table, list, step)?;
            match value.get_ref() {
                DeValue::Table(inner) => (table, list) = (inner, None),
                DeValue::Array(_) => list = Some(value),
                _ => return None,
            }
        }
        let (key, value) = enter(table, list, last)?;
        Some(Span {
            key,
            value: value.span(),
        })
    }

    /// The line that a byte of the file is in, counted from one.
    #[must_use]
    pub fn line_of(&self, byte: usize) -> usize {
        line_and_column(&self.text, byte).0
    }

    /// A part of the file, to be shown in an error. `with_line` says whether the line itself may
    /// be shown: it may hold a secret.
    #[must_use]
    pub fn excerpt(&self, part: &Range<usize>, with_line: bool) -> Excerpt {
        Excerpt::of(&self.text, part, with_line)
    }
}

/// The parser takes a word without quotes that begins with an `i` for infinity.
fn in_words(message: &str) -> &str {
    if message.contains("expected `inf`") {
        return "string values must be quoted";
    }
    message
}

/// One step further: where the key stands, and the value. An element of a list has no key; its
/// value stands for both.
fn enter<'t, 'i>(
    table: &'t DeTable<'i>,
    list: Option<&'t Spanned<DeValue<'i>>>,
    step: &Step,
) -> Option<(Range<usize>, &'t Spanned<DeValue<'i>>)> {
    match (step, list) {
        (Step::Name(name), None) => {
            let (key, value) = table.iter().find(|(key, _)| key.get_ref() == name)?;
            Some((key.span(), value))
        }
        (Step::Index(index), Some(list)) => {
            let value = list.get_ref().as_array()?.get(*index)?;
            Some((value.span(), value))
        }
        _ => None,
    }
}

/// A line of the file with carets under a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// The line, counted from one; zero when the place is unknown.
    pub line: usize,
    /// The column in characters, counted from one.
    pub column: usize,
    /// How many characters are meant.
    width: usize,
    source: Option<String>,
}

impl Excerpt {
    fn of(text: &str, part: &Range<usize>, with_line: bool) -> Self {
        let (line, column) = line_and_column(text, part.start);
        let source = text.lines().nth(line - 1).unwrap_or_default();
        let meant = text.get(part.clone()).unwrap_or_default();
        let first = meant.lines().next().unwrap_or_default();
        Self {
            line,
            column,
            width: first.chars().count().max(1),
            source: with_line.then(|| source.replace('\t', " ")),
        }
    }

    /// Writes the line, the carets, and `note` after them.
    pub(super) fn write(&self, f: &mut fmt::Formatter<'_>, note: &str) -> fmt::Result {
        let Some(source) = &self.source else {
            return Ok(());
        };
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        let indent = " ".repeat(self.column.saturating_sub(1));
        let carets = "^".repeat(self.width);
        let mut drawn = String::new();
        writeln!(drawn, "\n{margin} |")?;
        writeln!(drawn, "{number} | {source}")?;
        write!(drawn, "{margin} | {indent}{carets} {note}")?;
        f.write_str(drawn.trim_end())
    }
}

/// Line and column of a byte, both counted from one, the column in characters.
fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let begin = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before.get(begin..).unwrap_or_default().chars().count() + 1;
    (line, column)
}
