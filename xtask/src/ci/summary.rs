//! The end of a run, in words.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use crate::say::say;

/// How a step ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Passed,
    Skipped,
    Failed,
}

/// What a step has to say when it did not fail.
pub(super) struct Outcome {
    pub(super) ending: Ending,
    pub(super) note: String,
}

impl Outcome {
    pub(super) fn passed(note: impl Into<String>) -> Self {
        Self {
            ending: Ending::Passed,
            note: note.into(),
        }
    }

    pub(super) fn skipped(note: impl Into<String>) -> Self {
        Self {
            ending: Ending::Skipped,
            note: note.into(),
        }
    }
}

/// One step in the summary.
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) ending: Ending,
    pub(super) note: String,
    pub(super) took: Duration,
}

impl Display for Line {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let word = match self.ending {
            Ending::Passed => "ok",
            Ending::Skipped => "SKIPPED",
            Ending::Failed => "FAILED",
        };
        let seconds = self.took.as_secs_f64();
        write!(
            out,
            "{word:<8}{:<14}{seconds:>7.1} s  {}",
            self.name, self.note
        )
    }
}

/// Prints every step, what tests passed over, and one closing line.
pub(super) fn print(lines: &[Line], skips: &str, took: Duration) {
    say!("\n==> summary");
    lines.iter().for_each(|line| say!("    {line}"));
    let mut missing: Vec<&str> = skips.lines().collect();
    missing.sort_unstable();
    missing.dedup();
    if !missing.is_empty() {
        say!("\n!!! Tests that this machine could not run:");
        missing.iter().for_each(|skip| say!("!!!   {skip}"));
    }
    let count = |ending| lines.iter().filter(|line| line.ending == ending).count();
    let failed = count(Ending::Failed);
    say!(
        "\nci result: {}. {} passed; {failed} failed; {} skipped; {} tests passed over; finished in {} min {:02} s",
        if failed == 0 { "ok" } else { "FAILED" },
        count(Ending::Passed),
        count(Ending::Skipped),
        missing.len(),
        took.as_secs() / 60,
        took.as_secs() % 60,
    );
}

/// The closing lines of several test programs, added up into one of the same form.
/// `None` when `output` has no closing line at all.
pub(super) fn add_up(output: &str) -> Option<String> {
    let closing: Vec<&str> = output
        .lines()
        .filter(|line| line.starts_with("test result: "))
        .collect();
    if closing.is_empty() {
        return None;
    }
    let total = |word: &str| -> u64 { closing.iter().map(|line| number_before(line, word)).sum() };
    let verdict = if total("failed") == 0 { "ok" } else { "FAILED" };
    Some(format!(
        "test result: {verdict}. {} passed; {} failed; {} ignored; {} measured; {} filtered out",
        total("passed"),
        total("failed"),
        total("ignored"),
        total("measured"),
        total("filtered out"),
    ))
}

/// The number in `12 passed;` for the word `passed`.
fn number_before(line: &str, word: &str) -> u64 {
    line.split([';', '.'])
        .filter_map(|part| part.trim().strip_suffix(word))
        .find_map(|number| number.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_add_up() {
        let output = "running 2 tests\n\
            test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s\n\
            test result: ok. 40 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.1s\n";
        let sum = "test result: ok. 42 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out";
        assert_eq!(add_up(output).as_deref(), Some(sum));
    }

    #[test]
    fn output_without_a_closing_line_has_no_sum() {
        assert_eq!(add_up("error: could not compile"), None);
    }
}
