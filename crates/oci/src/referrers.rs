//! Referrers: the index that lists them, and the tags that stood for that list before there was
//! an API.
//!
//! OCI distribution-spec, "Listing Referrers" and "Referrers Tag Schema".

use serde::Serialize;

use crate::descriptor::Descriptor;
use crate::digest::{Algorithm, Digest};
use crate::media_type::MediaType;
use crate::reference::Tag;

/// The answer to a request for referrers: an OCI index, to be sent as
/// [`MediaType::OCI_INDEX`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReferrersIndex<'d> {
    schema_version: u8,
    media_type: MediaType,
    manifests: &'d [Descriptor],
}

impl<'d> ReferrersIndex<'d> {
    /// The index of one page of referrers; each descriptor is made by
    /// [`Manifest::to_referrer`](crate::Manifest::to_referrer).
    #[must_use]
    pub const fn new(referrers: &'d [Descriptor]) -> Self {
        Self {
            schema_version: 2,
            media_type: MediaType::OCI_INDEX,
            manifests: referrers,
        }
    }

    /// The bytes of the body.
    #[must_use]
    pub fn to_body(&self) -> Vec<u8> {
        // Strings, numbers and maps of strings cannot fail to print into memory.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// A tag that names the digest of another manifest: `sha256-<hex>` for its list of referrers,
/// and `sha256-<hex>.sig` and the like, which cosign uses for what it attaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FallbackTag<'t> {
    algorithm: Algorithm,
    hex: &'t str,
    suffix: Option<&'t str>,
}

impl<'t> FallbackTag<'t> {
    /// How many hex digits such a tag has; a longer hash is cut.
    const HEX_LEN: usize = 64;

    /// The tag for the list of referrers of a digest.
    #[must_use]
    pub fn of(subject: &Digest) -> Tag {
        let hex = subject.hex();
        let cut = hex.get(..Self::HEX_LEN).unwrap_or(hex);
        Tag::trusted(format!("{}-{cut}", subject.algorithm()))
    }

    /// Reads a tag; `None` for every other tag.
    #[must_use]
    pub fn parse(tag: &'t Tag) -> Option<Self> {
        let (word, rest) = tag.as_str().split_once('-')?;
        let (hex, suffix) = match rest.split_once('.') {
            Some((hex, suffix)) => (hex, Some(suffix)),
            None => (rest, None),
        };
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_named = hex.len() == Self::HEX_LEN && hex.bytes().all(is_hex);
        is_named.then_some(())?;
        Some(Self {
            algorithm: word.parse().ok()?,
            hex,
            suffix,
        })
    }

    /// Whether it is the specification's tag for a list of referrers, rather than one with a
    /// suffix.
    #[must_use]
    pub const fn is_list(&self) -> bool {
        self.suffix.is_none()
    }

    /// Whether it names this digest.
    #[must_use]
    pub fn names(&self, subject: &Digest) -> bool {
        subject.algorithm() == self.algorithm && subject.hex().starts_with(self.hex)
    }

    /// The digest it names, if the tag holds all of it: for sha256.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        format!("{}:{}", self.algorithm, self.hex).parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::manifest::Manifest;

    #[test]
    fn an_empty_list_is_an_index_of_nothing() {
        let expected = "{\"schemaVersion\":2,\
            \"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[]}";
        let body = ReferrersIndex::new(&[]).to_body();
        assert_eq!(std::str::from_utf8(&body).unwrap(), expected);
    }

    #[test]
    fn tags_follow_the_examples_of_the_specification() {
        let a = |algorithm: &str, count: usize| format!("{algorithm}:{}", "a".repeat(count));
        let tag = |text: String| FallbackTag::of(&text.parse().unwrap()).to_string();
        assert_eq!(tag(a("sha256", 64)), format!("sha256-{}", "a".repeat(64)));
        assert_eq!(tag(a("sha512", 128)), format!("sha512-{}", "a".repeat(64)));
    }

    #[test]
    fn a_tag_of_cosign_names_a_digest_and_is_no_list() {
        let hex = "0123456789abcdef".repeat(4);
        let tag: Tag = format!("sha256-{hex}.sig").parse().unwrap();
        let fallback = FallbackTag::parse(&tag).unwrap();
        assert!(!fallback.is_list());
        assert_eq!(fallback.digest().unwrap().hex(), hex);
    }

    #[test]
    fn other_tags_are_not_mistaken() {
        for text in ["latest", "sha256-abc", "v1-sha256", "sha256"] {
            assert_eq!(FallbackTag::parse(&text.parse().unwrap()), None, "{text}");
        }
        let hex = "A".repeat(64);
        assert_eq!(
            FallbackTag::parse(&format!("sha256-{hex}").parse().unwrap()),
            None
        );
        assert_eq!(
            FallbackTag::parse(&format!("md5-{}", "a".repeat(64)).parse().unwrap()),
            None
        );
    }

    proptest! {
        #[test]
        fn a_fallback_tag_names_its_digest(content: Vec<u8>, long: bool) {
            let algorithm = if long { Algorithm::Sha512 } else { Algorithm::Sha256 };
            let digest = Digest::of(algorithm, &content);
            let tag = FallbackTag::of(&digest);
            prop_assert_eq!(tag.as_str().parse::<Tag>(), Ok(tag.clone()));
            let fallback = FallbackTag::parse(&tag).unwrap();
            prop_assert!(fallback.is_list() && fallback.names(&digest));
            prop_assert_eq!(fallback.digest(), Some(digest).filter(|_| !long));
        }

        #[test]
        fn the_list_is_an_index_with_these_children(contents in prop::collection::vec("[a-z]{4}", 0..5)) {
            let referrers: Vec<_> = contents.iter().map(|content| {
                let digest = Digest::of(Algorithm::Sha256, content.as_bytes());
                Descriptor::new(MediaType::OCI_MANIFEST, digest, 4)
            }).collect();
            let body = ReferrersIndex::new(&referrers).to_body();
            let index = Manifest::parse(&body, Some(MediaType::OCI_INDEX.as_str())).unwrap();
            prop_assert_eq!(index.entries(), referrers);
        }
    }
}
