//! [`Accept`]: which manifests a client understands (RFC 9110, section 12.5.1).
//!
//! Stored bytes are never converted. So there is nothing to choose: either the stored type is
//! acceptable, or there is no such manifest for this client.

use http::HeaderMap;
use http::header::ACCEPT;

use crate::media_type::{MediaType, essence};

/// What a client accepts; without an `Accept` header, everything.
///
/// Qualities do not rank, since only one representation exists; `q=0` excludes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accept(Box<str>);

impl Accept {
    /// From all `Accept` lines of a request. Lines that are not text are passed over.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Self {
        Self::from_values(
            headers
                .get_all(ACCEPT)
                .iter()
                .filter_map(|value| value.to_str().ok()),
        )
    }

    /// From the values of the `Accept` lines; several are one list.
    #[must_use]
    pub fn from_values<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut list = String::new();
        for value in values {
            if !list.is_empty() {
                list.push(',');
            }
            list.push_str(value);
        }
        Self(list.into())
    }

    /// Whether a document of this type may be sent.
    ///
    /// The most specific range that fits decides: the type itself, then `type/*`, then `*/*`.
    #[must_use]
    pub fn accepts(&self, media_type: &MediaType) -> bool {
        let mut listed = false;
        let mut best: Option<(Fit, bool)> = None;
        for (range, wanted) in self.ranges() {
            listed = true;
            let fit = Fit::of(range, media_type.essence());
            if fit > best.map(|(fit, _)| fit) {
                best = fit.map(|fit| (fit, wanted));
            }
        }
        best.map_or(!listed, |(_, wanted)| wanted)
    }

    /// The ranges, and whether each is wanted.
    fn ranges(&self) -> impl Iterator<Item = (&str, bool)> {
        self.0
            .split(',')
            .map(|range| (essence(range), !is_excluded(range)))
            .filter(|(range, _)| !range.is_empty())
    }
}

/// What to tell a client that found a manifest and does not understand it, in the words of the
/// distribution server; the code is `MANIFEST_UNKNOWN`.
#[must_use]
pub fn not_accepted(media_type: &MediaType) -> String {
    let (one, many) = if media_type.is(&MediaType::OCI_INDEX) {
        ("OCI index", "OCI indexes")
    } else if media_type.is(&MediaType::OCI_MANIFEST) {
        ("OCI manifest", "OCI manifests")
    } else if media_type.is(&MediaType::DOCKER_LIST) {
        ("manifest list", "manifest lists")
    } else if media_type.is(&MediaType::DOCKER_MANIFEST) {
        ("schema 2 manifest", "schema 2 manifests")
    } else {
        ("artifact manifest", "artifact manifests")
    };
    format!("{one} found, but Accept header does not support {many}")
}

/// How closely a range describes a type, the closest last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Anything,
    Family,
    Exact,
}

impl Fit {
    fn of(range: &str, essence: &str) -> Option<Self> {
        if range == "*/*" {
            return Some(Self::Anything);
        }
        if range.eq_ignore_ascii_case(essence) {
            return Some(Self::Exact);
        }
        let family = range.strip_suffix("/*")?;
        let (own, _) = essence.split_once('/')?;
        own.eq_ignore_ascii_case(family).then_some(Self::Family)
    }
}

/// Whether a range carries `q=0`, `q=0.0` or their like.
fn is_excluded(range: &str) -> bool {
    range.split(';').skip(1).any(|parameter| {
        let Some((name, quality)) = parameter.split_once('=') else {
            return false;
        };
        name.trim().eq_ignore_ascii_case("q")
            && quality
                .trim()
                .bytes()
                .all(|byte| matches!(byte, b'0' | b'.'))
            && quality.contains('0')
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_type_is_accepted_as_the_closest_range_says() {
        let index = MediaType::OCI_INDEX;
        let cases: [(&[&str], bool); 14] = [
            (&[], true),
            (&[""], true),
            (&[" , ;"], true),
            (&["*/*"], true),
            (&["application/*"], true),
            (&["text/*"], false),
            (&["application/json"], false),
            (&["application/vnd.oci.image.index.v1+json"], true),
            (&["APPLICATION/vnd.OCI.image.index.v1+json;q=0.5"], true),
            (
                &["application/vnd.oci.image.manifest.v1+json, */*;q=0.1"],
                true,
            ),
            (&["application/vnd.oci.image.index.v1+json;q=0, */*"], false),
            (
                &["*/*;q=0", "application/vnd.oci.image.index.v1+json"],
                true,
            ),
            (&["application/*; q=0.000", "*/*"], false),
            (
                &[
                    "application/vnd.docker.distribution.manifest.v2+json",
                    "application/vnd.oci.image.index.v1+json",
                ],
                true,
            ),
        ];
        for (values, expected) in cases {
            let accept = Accept::from_values(values.iter().copied());
            assert_eq!(accept.accepts(&index), expected, "{values:?}");
        }
    }

    #[test]
    fn all_lines_of_the_header_count_as_one_list() {
        let mut headers = HeaderMap::new();
        headers.append(ACCEPT, HeaderValue::from_static("text/html"));
        headers.append(
            ACCEPT,
            HeaderValue::from_static("application/vnd.oci.image.*, image/png"),
        );
        assert!(!Accept::from_headers(&headers).accepts(&MediaType::OCI_MANIFEST));
        headers.append(ACCEPT, HeaderValue::from_static("application/*"));
        assert!(Accept::from_headers(&headers).accepts(&MediaType::OCI_MANIFEST));
    }

    #[test]
    fn the_refusal_names_what_was_found() {
        assert_eq!(
            not_accepted(&MediaType::OCI_INDEX),
            "OCI index found, but Accept header does not support OCI indexes"
        );
    }

    proptest! {
        #[test]
        fn no_header_panics_and_a_listed_type_is_accepted(before in "[ -~]{0,40}", after in "[ -~]{0,40}") {
            let exact = MediaType::DOCKER_LIST;
            let values = [before.as_str(), exact.as_str(), after.as_str()];
            let excluded = before.contains("docker") || after.contains("docker");
            prop_assume!(!excluded);
            prop_assert!(Accept::from_values(values).accepts(&exact));
        }
    }
}
