//! The tables of the handbook's page about the API.

use std::fmt::Write as _;

use super::html::heading;
use super::read::{Entry, Reference};

/// A table for each noun.
pub(super) fn tables(reference: &Reference) -> String {
    let mut out = String::new();
    for section in &reference.sections {
        let _ = write!(
            out,
            "### {}\n\n| operation | scopes, one of | |\n|---|---|---|\n",
            heading(&section.name)
        );
        for entry in &section.entries {
            line(&mut out, entry);
        }
        out.push('\n');
    }
    out
}

fn line(out: &mut String, entry: &Entry) {
    let scopes: Vec<_> = entry
        .scopes
        .iter()
        .map(|scope| format!("`{scope}`"))
        .collect();
    let own = if entry.is_own {
        " *(Naru’s own)*"
    } else {
        ""
    };
    let _ = writeln!(
        out,
        "| `{} {}` | {} | {}{own} |",
        entry.method,
        entry.path,
        scopes.join(" "),
        entry.summary.replace('|', "\\|"),
    );
}
