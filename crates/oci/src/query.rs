//! Query strings and percent-encoding, as `/v2/` URLs need them.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What may stand in a query value as it is. `+` may not, because many programs read it as a
/// space.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'/');

/// Undoes percent-encoding. What is not UTF-8 afterwards becomes U+FFFD, which every grammar
/// refuses.
pub(crate) fn decode(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

/// A raw query string.
#[derive(Clone, Copy)]
pub(crate) struct Query<'q>(pub(crate) &'q str);

impl<'q> Query<'q> {
    /// The decoded values of a parameter, in order; empty ones are as good as absent.
    ///
    /// A `+` stays one: no value here has spaces, while media types have pluses that people
    /// forget to encode.
    pub(crate) fn all(self, name: &str) -> impl Iterator<Item = Cow<'q, str>> {
        self.0
            .split('&')
            .filter_map(move |pair| pair.strip_prefix(name)?.strip_prefix('='))
            .filter(|value| !value.is_empty())
            .map(decode)
    }

    /// The first value of a parameter.
    pub(crate) fn first(self, name: &str) -> Option<Cow<'q, str>> {
        self.all(name).next()
    }
}

/// Prints a query string, parameter by parameter, with its question mark.
pub(crate) struct QueryPrinter<'f, 'b> {
    f: &'f mut fmt::Formatter<'b>,
    separator: char,
}

impl<'f, 'b> QueryPrinter<'f, 'b> {
    /// Begins a query.
    pub(crate) fn new(f: &'f mut fmt::Formatter<'b>) -> Self {
        Self { f, separator: '?' }
    }

    /// Adds a parameter, encoded, if there is a value.
    pub(crate) fn add(&mut self, name: &str, value: Option<impl fmt::Display>) -> fmt::Result {
        let Some(value) = value else { return Ok(()) };
        let text = value.to_string();
        let encoded = utf8_percent_encode(&text, ESCAPED);
        write!(self.f, "{}{name}={encoded}", self.separator)?;
        self.separator = '&';
        Ok(())
    }
}
