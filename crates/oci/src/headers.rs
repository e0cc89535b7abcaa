//! The specification's response headers, by name: each function gives a header ready to insert.
//!
//! Values are printed from validated types, so nothing a client sent can break out of a header
//! line or of the quotes inside one.

use std::fmt;

use http::header::{ALLOW, CONTENT_RANGE, LINK, LOCATION, RANGE, RETRY_AFTER, WARNING};
use http::{HeaderName, HeaderValue};

use crate::challenge::Challenge;
use crate::digest::Digest;
use crate::endpoint::Endpoint;
use crate::range::{ByteRange, Unsatisfiable, UploadRange};
use crate::reference::Tag;
use crate::upload_id::UploadId;

/// The digest of the content that is sent, or was stored.
pub const DOCKER_CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
/// Docker's word for "this is a registry"; old clients look for it.
pub const DOCKER_DISTRIBUTION_API_VERSION: HeaderName =
    HeaderName::from_static("docker-distribution-api-version");
/// The id of an upload, apart from its location.
pub const DOCKER_UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");
/// The subject of a pushed manifest: says that the referrers API knows of it.
pub const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
/// The filters that a list of referrers went through.
pub const OCI_FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");
/// The tags that a push by digest set.
pub const OCI_TAG: HeaderName = HeaderName::from_static("oci-tag");
/// The least length, in bytes, of all chunks but the last.
pub const OCI_CHUNK_MIN_LENGTH: HeaderName = HeaderName::from_static("oci-chunk-min-length");

/// A header ready to insert.
pub type Header = (HeaderName, HeaderValue);

/// `Docker-Content-Digest: <digest>`.
#[must_use]
pub fn docker_content_digest(digest: &Digest) -> Header {
    (DOCKER_CONTENT_DIGEST, value(digest))
}

/// `Docker-Distribution-API-Version: registry/2.0`, on every answer under `/v2/`.
#[must_use]
pub fn docker_distribution_api_version() -> Header {
    (
        DOCKER_DISTRIBUTION_API_VERSION,
        HeaderValue::from_static("registry/2.0"),
    )
}

/// `Docker-Upload-UUID: <id>`.
#[must_use]
pub fn docker_upload_uuid(id: &UploadId) -> Header {
    (DOCKER_UPLOAD_UUID, value(id))
}

/// `OCI-Subject: <digest>`, on the answer to a push of a manifest with a subject.
#[must_use]
pub fn oci_subject(subject: &Digest) -> Header {
    (OCI_SUBJECT, value(subject))
}

/// `OCI-Filters-Applied: artifactType`, the one filter there is.
#[must_use]
pub fn oci_filters_applied() -> Header {
    (
        OCI_FILTERS_APPLIED,
        HeaderValue::from_static("artifactType"),
    )
}

/// `OCI-Tag: <tag>`, to be appended for each tag that was set.
#[must_use]
pub fn oci_tag(tag: &Tag) -> Header {
    (OCI_TAG, value(tag))
}

/// `OCI-Chunk-Min-Length: <bytes>`, on the answer that opens an upload.
#[must_use]
pub fn oci_chunk_min_length(bytes: u64) -> Header {
    (OCI_CHUNK_MIN_LENGTH, value(bytes))
}

/// `Location: <origin><path>`; the origin is that of the configured public URL, such as
/// `https://containers.example.com`, or empty for a location relative to the host.
#[must_use]
pub fn location(origin: &str, endpoint: &Endpoint) -> Header {
    (LOCATION, value(format_args!("{origin}{endpoint}")))
}

/// `Link: <…>; rel="next"` (RFC 8288): where a list goes on.
#[must_use]
pub fn link_next(origin: &str, next: &Endpoint) -> Header {
    (LINK, value(format_args!("<{origin}{next}>; rel=\"next\"")))
}

/// `Range: 0-<last byte>`: how much of an upload has arrived.
#[must_use]
pub fn upload_range(length: u64) -> Header {
    (RANGE, value(UploadRange { length }))
}

/// `Content-Range: bytes <first>-<last>/<size>`, on a 206.
#[must_use]
pub fn content_range(range: &ByteRange) -> Header {
    (CONTENT_RANGE, value(range))
}

/// `Content-Range: bytes */<size>`, on a 416.
#[must_use]
pub fn unsatisfiable(range: &Unsatisfiable) -> Header {
    (CONTENT_RANGE, value(range))
}

/// `Allow: <methods>`, on a 405.
#[must_use]
pub fn allow(methods: &'static str) -> Header {
    (ALLOW, HeaderValue::from_static(methods))
}

/// `Retry-After: <seconds>`, on a 429 or 503.
#[must_use]
pub fn retry_after(seconds: u64) -> Header {
    (RETRY_AFTER, value(seconds))
}

/// `WWW-Authenticate: …`, on a 401.
#[must_use]
pub fn www_authenticate(challenge: &Challenge<'_>) -> Header {
    (http::header::WWW_AUTHENTICATE, value(challenge))
}

/// `Warning: 299 - "<text>"`, which clients show to people. The specification allows 4,096
/// bytes of warnings in one answer; a text is cut at 1,024 characters.
#[must_use]
pub fn warning(text: &str) -> Header {
    let text: String = text.chars().take(1024).collect();
    (WARNING, value(format_args!("299 - {}", Quoted(&text))))
}

/// A quoted string (RFC 9110, section 5.6.4). What cannot stand in a header becomes `?`.
pub(crate) struct Quoted<'t>(pub(crate) &'t str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        f.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '"' | '\\' => write!(f, "\\{character}")?,
                ' '..='~' => f.write_char(character)?,
                _ => f.write_char('?')?,
            }
        }
        f.write_char('"')
    }
}

fn value(text: impl fmt::Display) -> HeaderValue {
    // What is printed here is visible ASCII by its type; only a misconfigured origin could not
    // be, and then an empty header is better than no answer.
    HeaderValue::try_from(text.to_string()).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::digest::Algorithm;

    fn shown(header: Header) -> String {
        format!("{}: {}", header.0, header.1.to_str().unwrap())
    }

    #[test]
    fn headers_print_as_the_specification_shows_them() {
        let digest = Digest::of(Algorithm::Sha256, b"");
        let tag: Tag = "v1".parse().unwrap();
        let range = ByteRange::parse("bytes=0-4", 10).unwrap().unwrap();
        let cases = [
            (
                docker_content_digest(&digest),
                format!("docker-content-digest: {digest}"),
            ),
            (oci_subject(&digest), format!("oci-subject: {digest}")),
            (oci_tag(&tag), "oci-tag: v1".to_owned()),
            (
                oci_filters_applied(),
                "oci-filters-applied: artifactType".to_owned(),
            ),
            (
                oci_chunk_min_length(1024),
                "oci-chunk-min-length: 1024".to_owned(),
            ),
            (
                docker_upload_uuid(&"u-1".parse().unwrap()),
                "docker-upload-uuid: u-1".to_owned(),
            ),
            (
                docker_distribution_api_version(),
                "docker-distribution-api-version: registry/2.0".to_owned(),
            ),
            (upload_range(0), "range: 0-0".to_owned()),
            (upload_range(1024), "range: 0-1023".to_owned()),
            (
                content_range(&range),
                "content-range: bytes 0-4/10".to_owned(),
            ),
            (
                unsatisfiable(&Unsatisfiable { size: 10 }),
                "content-range: bytes */10".to_owned(),
            ),
            (allow("GET, HEAD"), "allow: GET, HEAD".to_owned()),
            (retry_after(5), "retry-after: 5".to_owned()),
            (
                warning("mind \"this\""),
                "warning: 299 - \"mind \\\"this\\\"\"".to_owned(),
            ),
        ];
        for (header, expected) in cases {
            assert_eq!(shown(header), expected);
        }
    }

    #[test]
    fn links_and_locations_are_encoded_and_carry_the_origin() {
        let next = Endpoint::Referrers {
            name: "o/i".parse().unwrap(),
            digest: Digest::of(Algorithm::Sha256, b""),
            artifact_type: Some("a/b+c<>\"&".parse().unwrap()),
            n: Some(2),
            last: None,
        };
        let link = shown(link_next("https://r.example", &next));
        assert!(
            link.starts_with("link: <https://r.example/v2/o/i/referrers/sha256:"),
            "{link}"
        );
        assert!(
            link.ends_with("?artifactType=a/b%2Bc%3C%3E%22%26&n=2>; rel=\"next\""),
            "{link}"
        );
        let name = "o/i".parse().unwrap();
        let blob = Endpoint::Upload {
            name,
            id: "u".parse().unwrap(),
            digest: None,
        };
        assert_eq!(
            shown(location("", &blob)),
            "location: /v2/o/i/blobs/uploads/u"
        );
    }

    proptest! {
        #[test]
        fn a_warning_is_one_line_whatever_it_says(text: String) {
            let (_, value) = warning(&text);
            let shown = value.to_str().unwrap();
            prop_assert!(shown.starts_with("299 - \"") && shown.ends_with('"'));
            prop_assert!(shown.len() <= 2 * 1024 + 9);
        }
    }
}
