//! The reference of the API for people, made from its description: a page of HTML that the server
//! shows (`/docs/rest`, where `documentation_url` leads), and tables for the handbook.
//!
//! - [`read`]: the description as sections and entries;
//! - [`html`]: the page, in the words of [`words`];
//! - [`markdown`]: the tables.

mod html;
mod markdown;
mod read;
mod words;

use std::sync::Arc;

use http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    HeaderName, IF_NONE_MATCH, REFERRER_POLICY, VARY,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use naru_oci::{Algorithm, Digest};

use super::operation::Table;
use super::views::Urls;
use crate::body::Body;

use read::Reference;
use words::Words;

/// Where the page is on the web host.
pub(crate) const PATH: &str = "/docs/rest";
/// Where its style sheet is.
pub(crate) const STYLE_PATH: &str = "/docs/rest.css";

const STYLE: &str = include_str!("style.css");

/// Nothing but the page itself and its style sheet; no script at all.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'",
);

/// The page in each of its languages, but for the addresses of the server.
pub(super) struct Pages {
    english: Arc<str>,
    korean: Arc<str>,
}

impl Pages {
    /// Makes them from the table of operations.
    pub(super) fn new(table: &Table) -> Self {
        let reference = Reference::read(table);
        Self {
            english: html::page(&reference, &words::ENGLISH).into(),
            korean: html::page(&reference, &words::KOREAN).into(),
        }
    }

    /// The page for whoever asks, in the language of `?lang=`, else of the browser.
    pub(super) fn answer(&self, query: &str, headers: &HeaderMap, urls: &Urls) -> Response<Body> {
        let words = Words::choose(query, headers.get(ACCEPT_LANGUAGE));
        let page = match words.code {
            "ko" => &self.korean,
            _ => &self.english,
        };
        let text = page.replace(html::API, &html::escaped(&urls.api));
        let mut response = cached(headers, "text/html; charset=utf-8", text);
        let headers = response.headers_mut();
        headers.insert(CONTENT_SECURITY_POLICY, POLICY);
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(words.code));
        headers.insert(VARY, HeaderValue::from_static("Accept-Language"));
        headers.insert(
            HeaderName::from_static("cross-origin-opener-policy"),
            HeaderValue::from_static("same-origin"),
        );
        response
    }
}

/// The style sheet.
pub(super) fn style(headers: &HeaderMap) -> Response<Body> {
    cached(headers, "text/css; charset=utf-8", STYLE.to_owned())
}

/// The tables of the handbook's page about the API.
pub(super) fn tables(table: &Table) -> String {
    markdown::tables(&Reference::read(table))
}

/// What changes with the program only: a browser may keep it and asks whether it still holds.
fn cached(headers: &HeaderMap, kind: &'static str, text: String) -> Response<Body> {
    let tag = format!(
        "\"{}\"",
        Digest::of(Algorithm::Sha256, text.as_bytes()).hex()
    );
    let has_it = headers
        .get(IF_NONE_MATCH)
        .is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = Response::new(if has_it { Body::empty() } else { text.into() });
    if has_it {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    response
}
