//! The one place that writes: results to standard output, words on the way to standard error.

use std::fmt::Arguments;
use std::io::Write;

/// Writes one line to standard output.
pub(crate) fn result(text: Arguments<'_>) {
    line(std::io::stdout().lock(), text);
}

/// Writes one line to standard error.
pub(crate) fn word(text: Arguments<'_>) {
    line(std::io::stderr().lock(), text);
}

fn line(mut out: impl Write, text: Arguments<'_>) {
    // A closed pipe means that nobody is reading any more, which a benchmark need not mind.
    let _ = out
        .write_fmt(text)
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush());
}

/// A word to whoever waits.
macro_rules! say {
    ($($text:tt)*) => { $crate::say::word(format_args!($($text)*)) };
}
pub(crate) use say;
