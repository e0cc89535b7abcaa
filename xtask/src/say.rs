//! The one place that writes to standard output: a reader who goes away is no error.

use std::fmt::Arguments;
use std::io::Write;

/// Writes one line to standard output, flushed, so that logs show it when it is said.
pub(crate) fn line(text: Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    // A closed pipe means that nobody is reading any more, which a chore need not mind.
    let _ = out
        .write_fmt(text)
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush());
}

/// `println!` without its panic when the reader has gone.
macro_rules! say {
    ($($text:tt)*) => { $crate::say::line(format_args!($($text)*)) };
}
pub(crate) use say;
