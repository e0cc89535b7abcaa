//! [`MediaType`]: what kind of document some bytes are.
//!
//! The types are those of OCI image-spec, "Media Types", and of Docker's image manifest
//! version 2, schema 2.

use std::borrow::Cow;
use std::fmt;

use thiserror::Error;

use crate::text::text_type;

/// A media type as it was written, such as `application/vnd.oci.image.index.v1+json`.
///
/// Artifacts bring types of their own, with and without parameters, and not all of them well
/// formed; so any text is taken that can stand in a header. Two types are the same when their
/// texts are, but for [`MediaType::is`], which forgives case and parameters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaType(Cow<'static, str>);

text_type!(MediaType, MediaTypeError);

impl MediaType {
    /// The longest type taken, in characters: 127, a slash and 127 (RFC 6838, section 4.2).
    pub const MAX_LEN: usize = 255;

    /// OCI image manifest.
    pub const OCI_MANIFEST: Self = Self::known("application/vnd.oci.image.manifest.v1+json");
    /// OCI image index.
    pub const OCI_INDEX: Self = Self::known("application/vnd.oci.image.index.v1+json");
    /// OCI artifact manifest, of a release candidate of image-spec 1.1; still found.
    pub const OCI_ARTIFACT: Self = Self::known("application/vnd.oci.artifact.manifest.v1+json");
    /// OCI image configuration.
    pub const OCI_CONFIG: Self = Self::known("application/vnd.oci.image.config.v1+json");
    /// The two bytes `{}`, which stand for "no configuration".
    pub const OCI_EMPTY: Self = Self::known("application/vnd.oci.empty.v1+json");
    /// OCI layer.
    pub const OCI_LAYER: Self = Self::known("application/vnd.oci.image.layer.v1.tar");
    /// OCI layer, gzip.
    pub const OCI_LAYER_GZIP: Self = Self::known("application/vnd.oci.image.layer.v1.tar+gzip");
    /// OCI layer, zstd.
    pub const OCI_LAYER_ZSTD: Self = Self::known("application/vnd.oci.image.layer.v1.tar+zstd");
    /// OCI layer that must not be distributed.
    pub const OCI_FOREIGN_LAYER: Self =
        Self::known("application/vnd.oci.image.layer.nondistributable.v1.tar");
    /// OCI layer that must not be distributed, gzip.
    pub const OCI_FOREIGN_LAYER_GZIP: Self =
        Self::known("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip");
    /// OCI layer that must not be distributed, zstd.
    pub const OCI_FOREIGN_LAYER_ZSTD: Self =
        Self::known("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd");

    /// Docker image manifest, schema 2.
    pub const DOCKER_MANIFEST: Self =
        Self::known("application/vnd.docker.distribution.manifest.v2+json");
    /// Docker manifest list.
    pub const DOCKER_LIST: Self =
        Self::known("application/vnd.docker.distribution.manifest.list.v2+json");
    /// Docker image manifest, schema 1, which is refused.
    pub const DOCKER_SCHEMA1: Self =
        Self::known("application/vnd.docker.distribution.manifest.v1+json");
    /// Docker image manifest, schema 1 and signed, which is refused.
    pub const DOCKER_SCHEMA1_SIGNED: Self =
        Self::known("application/vnd.docker.distribution.manifest.v1+prettyjws");
    /// Docker image configuration.
    pub const DOCKER_CONFIG: Self = Self::known("application/vnd.docker.container.image.v1+json");
    /// Docker layer, gzip.
    pub const DOCKER_LAYER: Self = Self::known("application/vnd.docker.image.rootfs.diff.tar.gzip");
    /// Docker layer, not compressed.
    pub const DOCKER_LAYER_TAR: Self = Self::known("application/vnd.docker.image.rootfs.diff.tar");
    /// Docker layer that is fetched from elsewhere, gzip.
    pub const DOCKER_FOREIGN_LAYER: Self =
        Self::known("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
    /// Docker layer that is fetched from elsewhere, not compressed.
    pub const DOCKER_FOREIGN_LAYER_TAR: Self =
        Self::known("application/vnd.docker.image.rootfs.foreign.diff.tar");

    /// JSON that says no more.
    pub const JSON: Self = Self::known("application/json");
    /// Bytes that say nothing.
    pub const OCTET_STREAM: Self = Self::known("application/octet-stream");

    const fn known(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// The type without its parameters.
    #[must_use]
    pub fn essence(&self) -> &str {
        essence(&self.0)
    }

    /// Whether the two are the same type, whatever their case and parameters
    /// (RFC 9110, section 8.3.1).
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.essence().eq_ignore_ascii_case(other.essence())
    }

    /// Whether it is of a manifest with a configuration and layers.
    #[must_use]
    pub fn is_image(&self) -> bool {
        self.is(&Self::OCI_MANIFEST) || self.is(&Self::DOCKER_MANIFEST)
    }

    /// Whether it is of an index or manifest list.
    #[must_use]
    pub fn is_index(&self) -> bool {
        self.is(&Self::OCI_INDEX) || self.is(&Self::DOCKER_LIST)
    }

    /// Whether it is of anything kept as a manifest: image, index or artifact.
    #[must_use]
    pub fn is_manifest(&self) -> bool {
        self.is_image() || self.is_index() || self.is(&Self::OCI_ARTIFACT)
    }

    /// Whether it is of Docker's schema 1, which nobody should push any more.
    #[must_use]
    pub fn is_schema1(&self) -> bool {
        self.is(&Self::DOCKER_SCHEMA1) || self.is(&Self::DOCKER_SCHEMA1_SIGNED)
    }

    /// Whether it is of a layer that clients fetch from elsewhere ("foreign" at Docker,
    /// "non-distributable" at OCI).
    #[must_use]
    pub fn is_foreign_layer(&self) -> bool {
        [
            Self::OCI_FOREIGN_LAYER,
            Self::OCI_FOREIGN_LAYER_GZIP,
            Self::OCI_FOREIGN_LAYER_ZSTD,
            Self::DOCKER_FOREIGN_LAYER,
            Self::DOCKER_FOREIGN_LAYER_TAR,
        ]
        .iter()
        .any(|foreign| self.is(foreign))
    }

    /// Whether it says nothing about a manifest, so that the document must say it itself.
    #[must_use]
    pub fn is_generic(&self) -> bool {
        self.is(&Self::JSON) || self.is(&Self::OCTET_STREAM)
    }
}

impl fmt::Debug for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MediaType({})", self.0)
    }
}

/// Why a text is not a media type.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MediaTypeError {
    /// There is nothing.
    #[error("a media type is needed, such as application/vnd.oci.image.manifest.v1+json")]
    Empty,
    /// It is longer than [`MediaType::MAX_LEN`].
    #[error(
        "a media type has at most {} characters, this one has {length}",
        MediaType::MAX_LEN
    )]
    TooLong {
        /// How many characters it has.
        length: usize,
    },
    /// It has characters that cannot stand in a header.
    #[error("a media type is made of printable ASCII characters")]
    Character,
}

/// A media type without parameters and the space around it.
pub(crate) fn essence(text: &str) -> &str {
    text.split_once(';')
        .map_or(text, |(essence, _)| essence)
        .trim()
}

fn check(text: &str) -> Result<(), MediaTypeError> {
    if text.trim().is_empty() {
        return Err(MediaTypeError::Empty);
    }
    if text.len() > MediaType::MAX_LEN {
        return Err(MediaTypeError::TooLong {
            length: text.chars().count(),
        });
    }
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        Ok(())
    } else {
        Err(MediaTypeError::Character)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parameters_and_case_do_not_make_another_type() {
        let given: MediaType = "Application/JSON; charset=utf-8".parse().unwrap();
        assert_eq!(given.essence(), "Application/JSON");
        assert!(given.is(&MediaType::JSON) && given.is_generic());
        assert_ne!(given, MediaType::JSON);
    }

    #[test]
    fn every_type_is_sorted_into_its_kind() {
        let kinds = |t: MediaType| (t.is_image(), t.is_index(), t.is_manifest());
        assert_eq!(kinds(MediaType::OCI_MANIFEST), (true, false, true));
        assert_eq!(kinds(MediaType::DOCKER_MANIFEST), (true, false, true));
        assert_eq!(kinds(MediaType::OCI_INDEX), (false, true, true));
        assert_eq!(kinds(MediaType::DOCKER_LIST), (false, true, true));
        assert_eq!(kinds(MediaType::OCI_ARTIFACT), (false, false, true));
        assert_eq!(
            kinds(MediaType::DOCKER_SCHEMA1_SIGNED),
            (false, false, false)
        );
        assert!(MediaType::DOCKER_SCHEMA1_SIGNED.is_schema1());
        assert!(MediaType::OCI_FOREIGN_LAYER_GZIP.is_foreign_layer());
        assert!(!MediaType::OCI_LAYER_GZIP.is_foreign_layer());
    }

    #[test]
    fn texts_that_cannot_stand_in_a_header_are_refused() {
        assert_eq!(" ".parse::<MediaType>(), Err(MediaTypeError::Empty));
        assert_eq!(
            "a/b\r\nx: y".parse::<MediaType>(),
            Err(MediaTypeError::Character)
        );
        assert_eq!("a/b\0".parse::<MediaType>(), Err(MediaTypeError::Character));
        assert_eq!(
            "a".repeat(256).parse::<MediaType>(),
            Err(MediaTypeError::TooLong { length: 256 })
        );
    }

    proptest! {
        #[test]
        fn every_printable_text_parses_and_prints_the_same(text in "[!-~][ -~]{0,254}") {
            let media_type: MediaType = text.parse().unwrap();
            prop_assert!(http::HeaderValue::from_str(media_type.as_str()).is_ok());
            prop_assert_eq!(media_type.to_string(), text);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text: String) {
            if let Ok(media_type) = text.parse::<MediaType>() {
                prop_assert!(media_type.is(&media_type));
            }
        }
    }
}
