//! Logs on standard error: lines for people on a terminal, else one JSON object a line. What must
//! be seen whatever the level is goes the same way, through the [`Announcer`].

use std::io::{self, IsTerminal};
use std::panic;

use anyhow::{Context, Result};
use naru_model::Clock;
use serde_json::json;
use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSettings};
use crate::output::say;

/// How log lines are written here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Lines for people.
    Human,
    /// One JSON object a line.
    Json,
}

impl Style {
    /// What the settings come to on this standard error.
    #[must_use]
    pub fn of(settings: &LogSettings) -> Self {
        match settings.format {
            LogFormat::Human => Self::Human,
            LogFormat::Json => Self::Json,
            LogFormat::Auto if io::stderr().is_terminal() => Self::Human,
            LogFormat::Auto => Self::Json,
        }
    }
}

/// Understands which events are logged.
///
/// # Errors
/// When the level is no level, and no list of modules with levels.
pub fn filter(level: &str) -> Result<EnvFilter> {
    EnvFilter::builder()
        .parse(level)
        .with_context(|| format!("`{level}` is no log level"))
}

/// Begins to log, for the rest of the process.
///
/// # Errors
/// When the level is none, or something logs already.
pub fn start(settings: &LogSettings) -> Result<()> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(&settings.level)?)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    let started = match Style::of(settings) {
        Style::Human => builder.compact().try_init(),
        Style::Json => builder
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("cannot log: {error}"))?;
    // A panic costs one request and not the process, so it belongs into the log.
    panic::set_hook(Box::new(|panicked| {
        let place = panicked.location().map(ToString::to_string);
        let reason = panicked.payload_as_str().unwrap_or("no reason given");
        tracing::error!(place, reason, "panicked");
    }));
    Ok(())
}

/// Says what must be seen whatever the log level is. In a log of JSON objects each line is one of
/// them, so that the log stays readable for machines.
#[derive(Clone, Copy, Debug)]
pub struct Announcer {
    style: Style,
    style_for_people: Style,
}

impl Announcer {
    /// Speaks as the settings say.
    #[must_use]
    pub fn new(settings: &LogSettings) -> Self {
        Self {
            style: Style::of(settings),
            style_for_people: match settings.format {
                LogFormat::Json => Style::Json,
                LogFormat::Human | LogFormat::Auto => Style::Human,
            },
        }
    }

    /// Says each line of `words` like the log.
    pub fn announce(self, words: &str, clock: &dyn Clock) {
        say_lines(self.style, words, clock);
    }

    /// Says each line of `words` so that a person can read and copy it, also where nobody looks
    /// now: somebody will read the output of the container, the journal or the file for just these
    /// words. Only where JSON was asked for by name is it JSON.
    pub fn tell_person(self, words: &str, clock: &dyn Clock) {
        say_lines(self.style_for_people, words, clock);
    }
}

fn say_lines(style: Style, words: &str, clock: &dyn Clock) {
    for line in words.lines() {
        match style {
            Style::Human => say(line),
            Style::Json if line.is_empty() => {}
            Style::Json => say(json!({
                "timestamp": clock.now().to_string(),
                "level": "INFO",
                "message": line,
                "target": "naru",
            })),
        }
    }
}
