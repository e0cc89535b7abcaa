//! How a command says that it failed: the reason, its causes, and the next step.

use std::fmt::{self, Display};

use anyhow::Error;

use crate::output::{Closed, say};

/// An error with the next step beside it.
#[derive(Debug)]
struct Hinted {
    hint: String,
    source: Error,
}

impl Display for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl std::error::Error for Hinted {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.source()
    }
}

/// Puts the next step beside an error.
pub trait Hint<T> {
    /// The same result; if it is an error, `hint` is said after it.
    ///
    /// # Errors
    /// The error that was there.
    fn hint(self, hint: impl Display) -> Result<T, Error>;
}

impl<T, E: Into<Error>> Hint<T> for Result<T, E> {
    fn hint(self, hint: impl Display) -> Result<T, Error> {
        self.map_err(|error| hinted(error, hint))
    }
}

/// An error with the next step beside it.
pub fn hinted(error: impl Into<Error>, hint: impl Display) -> Error {
    Error::new(Hinted {
        hint: hint.to_string(),
        source: error.into(),
    })
}

/// Says why a command failed. Nothing is said, and `false` returned, when it only lost the reader
/// of its output.
#[must_use]
pub fn report(error: &Error) -> bool {
    if error.chain().any(|cause| cause.is::<Closed>()) {
        return false;
    }
    let mut said = format!("error: {error}");
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Many libraries repeat their cause in their own text.
        if !said.contains(&cause) {
            said.push_str(": ");
            said.push_str(&cause);
        }
    }
    say(said);
    if let Some(hint) = hint_of(error) {
        say(format_args!("hint: {hint}"));
    }
    true
}

fn hint_of(error: &Error) -> Option<&str> {
    let said = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<Hinted>())
        .map(|hinted| hinted.hint.as_str());
    said.or_else(|| {
        error
            .chain()
            .find_map(|cause| of_use_case(cause.downcast_ref()?))
    })
}

/// What to do next after a use case ended otherwise.
fn of_use_case(error: &naru_registry::Error) -> Option<&'static str> {
    use naru_registry::Error as E;
    match error {
        E::AccountUnknown(_) => Some("`naru user list` and `naru org list` show who there is"),
        E::NotFound { what, .. } => where_to_look(what),
        E::ManifestUnknown { .. } => Some(
            "`naru package versions OWNER/NAME` shows what there is, with `--deleted` what was deleted",
        ),
        E::StillNeeded { .. } | E::NeededDeleteRefused { .. } => {
            Some("delete what needs it first, or look at the whole with `--dry-run`")
        }
        E::NoSpace => Some("free some: `naru gc run`, or `naru purge` for what was deleted"),
        E::Unavailable(_) => Some("try again; if it stays so, look at the database and the store"),
        _ => None,
    }
}

/// Which list has what was not found, by the kind of thing it is.
fn where_to_look(what: &str) -> Option<&'static str> {
    Some(match what {
        "package" => "`naru package list` shows what there is, with `--deleted` what was deleted",
        "repository" | "repository of the owner" => "`naru repo list OWNER` shows what there is",
        "collaborator" | "team of the repository" => {
            "`naru repo collaborator list OWNER/NAME` shows who has a role"
        }
        "grant to" => "`naru package grants OWNER/NAME` shows who has one",
        "organization" => "`naru org list` shows what there is",
        "member" => "`naru org member list ORG` shows who is in it",
        "team" => "`naru team list ORG` shows what there is",
        "team member" => "`naru team member list ORG/TEAM` shows who is in it",
        "readme of the repository" => "`naru repo readme set OWNER/NAME FILE` writes one",
        "tag rule" => "`naru tag-rule list OWNER/NAME` shows what there is, and `… list ORG`",
        "user" => "`naru user list` shows who there is",
        "token" => "`naru token list USER` shows what there is",
        "whole backup" => "`naru backup DIR` makes one, or ends one that was broken off",
        _ => return None,
    })
}
