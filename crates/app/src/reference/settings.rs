//! Every setting with its default and what it means, in Markdown, as the example of the
//! configuration has them.

use super::cell;
use crate::config::inspect::EXAMPLE;

/// Settings that share an explanation.
struct Row {
    names: Vec<String>,
    /// Empty where there is no value unless one is given.
    defaults: Vec<String>,
    what: String,
}

/// What a line of the example is.
enum Line<'a> {
    Comment(&'a str),
    Section(&'a str),
    Setting {
        name: &'a str,
        /// `None` where the line is commented out.
        value: Option<&'a str>,
    },
    Gap,
}

/// Every setting, in the order of the example.
pub(super) fn all() -> String {
    let mut page = String::new();
    let mut rows: Vec<Row> = Vec::new();
    let mut comment = String::new();
    for line in EXAMPLE.lines() {
        match understand(line) {
            Line::Comment(text) => {
                if !comment.is_empty() {
                    comment.push(' ');
                }
                comment.push_str(text);
            }
            Line::Section(name) => {
                page.push_str(&table(&rows));
                rows.clear();
                page.push_str(&format!("### `[{name}]`\n\n{comment}\n\n"));
                comment.clear();
            }
            Line::Setting { name, value } => {
                note(&mut rows, name, value, &comment);
                comment.clear();
            }
            Line::Gap => comment.clear(),
        }
    }
    page.push_str(&table(&rows));
    page
}

fn understand(line: &str) -> Line<'_> {
    let (text, is_on) = match line.strip_prefix('#') {
        Some(text) => (text, false),
        None => (line, true),
    };
    if let Some(comment) = text.strip_prefix(' ') {
        return Line::Comment(comment);
    }
    if let Some(section) = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
    {
        return Line::Section(section);
    }
    match text.split_once(" = ") {
        Some((name, value)) => Line::Setting {
            name,
            value: is_on.then_some(value),
        },
        None => Line::Gap,
    }
}

/// A setting without an explanation of its own shares the one before it; one that is there
/// already is an example of another value.
fn note(rows: &mut Vec<Row>, name: &str, value: Option<&str>, comment: &str) {
    if rows
        .iter()
        .any(|row| row.names.iter().any(|known| known == name))
    {
        return;
    }
    let default = value.map(|value| format!("`{value}`"));
    let default = default.unwrap_or_default();
    match rows.last_mut() {
        Some(row) if comment.is_empty() => {
            row.names.push(name.to_owned());
            row.defaults.push(default);
        }
        _ => rows.push(Row {
            names: vec![name.to_owned()],
            defaults: vec![default],
            what: comment.to_owned(),
        }),
    }
}

fn table(rows: &[Row]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut table = "| setting | default | |\n|---|---|---|\n".to_owned();
    for Row {
        names,
        defaults,
        what,
    } in rows
    {
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        table.push_str(&format!(
            "| {} | {} | {} |\n",
            names.join(", "),
            cell(&defaults.join(", ")),
            cell(what)
        ));
    }
    table.push('\n');
    table
}
