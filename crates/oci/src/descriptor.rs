//! [`Descriptor`]: a pointer at content: its type, digest and size.
//!
//! OCI image-spec, "Content Descriptors". What tools in the wild write is read: `null` for an
//! empty list, fields nobody defined, a missing type. What could mislead is refused: a size
//! below zero, embedded data that is not the content named.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::Digest;
use crate::media_type::MediaType;

/// A pointer at a blob or a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The type of the content; `application/octet-stream` where none was told.
    #[serde(default = "unknown_type", deserialize_with = "media_type")]
    pub media_type: MediaType,
    /// The digest of the content.
    pub digest: Digest,
    /// The size of the content in bytes, at most 2⁶³ - 1.
    #[serde(deserialize_with = "size")]
    pub size: u64,
    /// Where else the content can be had; never fetched by a registry.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub urls: Vec<String>,
    /// Notes of any kind.
    #[serde(
        default,
        deserialize_with = "annotations",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub annotations: BTreeMap<String, String>,
    /// The content itself, in JSON as base64.
    #[serde(default, with = "base64_data", skip_serializing_if = "Option::is_none")]
    pub data: Option<Vec<u8>>,
    /// The platform the content runs on, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// The type of the artifact, where the content is a manifest.
    #[serde(
        default,
        deserialize_with = "optional_type",
        skip_serializing_if = "Option::is_none"
    )]
    pub artifact_type: Option<MediaType>,
}

impl Descriptor {
    /// A descriptor that says what every descriptor must.
    #[must_use]
    pub const fn new(media_type: MediaType, digest: Digest, size: u64) -> Self {
        Self {
            media_type,
            digest,
            size,
            urls: Vec::new(),
            annotations: BTreeMap::new(),
            data: None,
            platform: None,
            artifact_type: None,
        }
    }

    /// Whether embedded data, if there is any, is the content named.
    #[must_use]
    pub fn data_is_true(&self) -> bool {
        let Some(data) = &self.data else { return true };
        u64::try_from(data.len()) == Ok(self.size) && self.digest.is_of(data)
    }
}

/// What an image runs on. Empty texts stand for what was not told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Platform {
    /// Such as `amd64`, in the words of Go.
    #[serde(deserialize_with = "null_as_default")]
    pub architecture: String,
    /// Such as `linux`, in the words of Go.
    #[serde(deserialize_with = "null_as_default")]
    pub os: String,
    /// The version of the system, for Windows.
    #[serde(
        rename = "os.version",
        deserialize_with = "null_as_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub os_version: String,
    /// What the system must offer.
    #[serde(
        rename = "os.features",
        deserialize_with = "null_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub os_features: Vec<String>,
    /// Such as `v7`, for ARM.
    #[serde(
        deserialize_with = "null_as_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub variant: String,
}

impl std::fmt::Display for Platform {
    /// As tools show it: `linux/arm/v7`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let or_unknown = |text: &str| if text.is_empty() { "unknown" } else { text }.to_owned();
        write!(
            f,
            "{}/{}",
            or_unknown(&self.os),
            or_unknown(&self.architecture)
        )?;
        if !self.variant.is_empty() {
            write!(f, "/{}", self.variant)?;
        }
        Ok(())
    }
}

/// Reads `null` as an empty value, because Go programs print empty lists so.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads annotations, `null` anywhere as empty.
pub(crate) fn annotations<'de, D>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error>
where
    D: Deserializer<'de>,
{
    let notes: BTreeMap<String, Option<String>> = null_as_default(deserializer)?;
    Ok(notes
        .into_iter()
        .map(|(key, value)| (key, value.unwrap_or_default()))
        .collect())
}

/// Reads a type that may be absent, `null` or empty.
pub(crate) fn optional_type<'de, D>(deserializer: D) -> Result<Option<MediaType>, D::Error>
where
    D: Deserializer<'de>,
{
    let text: Option<String> = Option::deserialize(deserializer)?;
    let text = text.filter(|text| !text.is_empty());
    text.map(|text| text.parse().map_err(D::Error::custom))
        .transpose()
}

fn media_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MediaType, D::Error> {
    Ok(optional_type(deserializer)?.unwrap_or_else(unknown_type))
}

const fn unknown_type() -> MediaType {
    MediaType::OCTET_STREAM
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let size = i64::deserialize(deserializer)?;
    u64::try_from(size).map_err(|_| D::Error::custom("a size is 0 or more"))
}

/// Embedded data, as Go prints bytes. Empty data says nothing and is read as absent.
mod base64_data {
    use super::{Deserialize, Deserializer, Engine, STANDARD, Serializer};
    use serde::de::Error as _;

    pub(super) fn serialize<S: Serializer>(
        data: &Option<Vec<u8>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(data.as_deref().unwrap_or_default()))
    }

    pub(super) fn deserialize<'de, D>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error>
    where
        D: Deserializer<'de>,
    {
        let text: Option<String> = Option::deserialize(deserializer)?;
        let text = text.filter(|text| !text.is_empty());
        text.map(|text| STANDARD.decode(text).map_err(D::Error::custom))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::digest::Algorithm;

    fn read(rest: &str) -> Result<Descriptor, serde_json::Error> {
        let digest = Digest::of(Algorithm::Sha256, b"{}");
        serde_json::from_str(&format!("{{\"digest\":\"{digest}\",\"size\":2{rest}}}"))
    }

    #[test]
    fn what_the_wild_leaves_out_or_writes_as_null_is_read() {
        let bare = read("").unwrap();
        assert_eq!(bare.media_type, MediaType::OCTET_STREAM);
        let nulls = ",\"mediaType\":null,\"urls\":null,\"annotations\":null,\"data\":null,\
                     \"platform\":null,\"artifactType\":null,\"other\":[{}]";
        assert_eq!(read(nulls).unwrap(), bare);
        assert_eq!(
            read(",\"mediaType\":\"\",\"artifactType\":\"\"").unwrap(),
            bare
        );
        let note = read(",\"annotations\":{\"a\":null}").unwrap();
        assert_eq!(note.annotations.get("a").map(String::as_str), Some(""));
    }

    #[test]
    fn what_could_mislead_is_refused() {
        for rest in [
            ",\"size\":2",
            ",\"data\":\"!\"",
            ",\"annotations\":{\"a\":1}",
            ",\"urls\":\"x\"",
            ",\"mediaType\":\"a\\r\\nb\"",
        ] {
            assert!(read(rest).is_err(), "{rest}");
        }
        for size in ["-1", "1.5", "\"1\"", "9223372036854775808", "null"] {
            let digest = Digest::of(Algorithm::Sha256, b"");
            let json = format!("{{\"digest\":\"{digest}\",\"size\":{size}}}");
            assert!(serde_json::from_str::<Descriptor>(&json).is_err(), "{size}");
        }
    }

    #[test]
    fn data_is_true_if_length_and_digest_agree() {
        assert!(read("").unwrap().data_is_true());
        assert!(read(",\"data\":\"e30=\"").unwrap().data_is_true());
        assert!(!read(",\"data\":\"W10=\"").unwrap().data_is_true());
        assert!(!read(",\"data\":\"e30K\"").unwrap().data_is_true());
    }

    #[test]
    fn a_platform_is_shown_as_tools_show_it() {
        let arm =
            read(",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v7\"}");
        assert_eq!(arm.unwrap().platform.unwrap().to_string(), "linux/arm/v7");
        assert_eq!(Platform::default().to_string(), "unknown/unknown");
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_to_the_same(
            content: Vec<u8>,
            size in 0..=u64::MAX / 2,
            texts in prop::collection::vec(any::<String>(), 0..4),
            embedded: bool,
        ) {
            let digest = Digest::of(Algorithm::Sha512, &content);
            let descriptor = Descriptor {
                urls: texts.clone(),
                annotations: texts.iter().cloned().zip(texts.iter().cloned()).collect(),
                data: Some(content).filter(|content| embedded && !content.is_empty()),
                platform: texts.first().map(|os| Platform {
                    os: os.clone(),
                    os_features: texts.clone(),
                    ..Platform::default()
                }),
                artifact_type: Some(MediaType::OCI_EMPTY),
                ..Descriptor::new(MediaType::OCI_LAYER, digest, size)
            };
            let json = serde_json::to_string(&descriptor).unwrap();
            prop_assert_eq!(serde_json::from_str::<Descriptor>(&json).unwrap(), descriptor);
        }
    }
}
