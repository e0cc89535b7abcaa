//! The generated parts of the reference pages of the handbook: every command with its flags, every
//! setting with its default, every operation of the REST API. They stand between two marks in pages that are otherwise written by
//! hand, and a test fails when they are out of date.
//!
//! - `commands`: what clap knows;
//! - `settings`: what the example of the configuration says.

mod commands;
mod settings;

use anyhow::{Result, anyhow};

/// A page of the handbook with a generated part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// Every command.
    CommandLine,
    /// Every setting.
    Configuration,
    /// Every operation of the REST API.
    RestApi,
}

/// What the generated part stands between.
const BEGIN: &str = "<!-- Made by `naru reference`; do not edit from here -->";
const END: &str = "<!-- to here -->";

impl Page {
    /// All pages.
    pub const ALL: [Self; 3] = [Self::CommandLine, Self::Configuration, Self::RestApi];

    /// The name of its file in `docs/reference`.
    #[must_use]
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::CommandLine => "command-line.md",
            Self::Configuration => "configuration.md",
            Self::RestApi => "rest-api.md",
        }
    }

    fn generated(self) -> String {
        match self {
            Self::CommandLine => commands::all(),
            Self::Configuration => settings::all(),
            Self::RestApi => naru_server::reference_tables(),
        }
    }

    /// The text of the page with its generated part made anew.
    ///
    /// # Errors
    /// When the marks are not there.
    pub fn made_anew(self, text: &str) -> Result<String> {
        let marked = text
            .split_once(BEGIN)
            .and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
        let (before, after) =
            marked.ok_or_else(|| anyhow!("{} lacks `{BEGIN}` and `{END}`", self.file_name()))?;
        let generated = self.generated();
        Ok(format!(
            "{before}{BEGIN}\n\n{}\n\n{END}{after}",
            generated.trim()
        ))
    }
}

/// Text in a cell of a Markdown table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
