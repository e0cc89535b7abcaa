//! From bytes to [`Manifest`].

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::descriptor::{self, Descriptor};
use crate::manifest::{Manifest, ManifestError, kind, structure};
use crate::media_type::MediaType;

/// The fields of every kind of manifest, before it is known which kind it is. A field that is
/// `null` counts as absent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    pub(super) schema_version: Option<u64>,
    #[serde(default, deserialize_with = "descriptor::optional_type")]
    pub(super) media_type: Option<MediaType>,
    #[serde(default, deserialize_with = "descriptor::optional_type")]
    artifact_type: Option<MediaType>,
    pub(super) config: Option<Descriptor>,
    pub(super) layers: Option<Vec<Descriptor>>,
    pub(super) manifests: Option<Vec<Descriptor>>,
    pub(super) blobs: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    #[serde(default, deserialize_with = "descriptor::annotations")]
    annotations: BTreeMap<String, String>,
    pub(super) fs_layers: Option<IgnoredAny>,
}

impl Manifest {
    /// Reads a manifest from the body of a push and its `Content-Type`, parameters ignored.
    ///
    /// Without a `Content-Type`, or with one that could be of anything (`application/json`,
    /// `application/octet-stream`), the document must tell its type itself.
    ///
    /// # Errors
    /// [`ManifestError`] says what was wrong and what was expected.
    pub fn parse(bytes: &[u8], content_type: Option<&str>) -> Result<Self, ManifestError> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(ManifestError::TooLarge { size: bytes.len() });
        }
        structure::check(bytes)?;
        let document = read(bytes)?;
        document.check_descriptors()?;
        let (kind, media_type) = kind::decide(&document, content_type)?;
        Ok(Self {
            kind,
            media_type,
            artifact_type: document.artifact_type,
            config: document.config,
            layers: document.layers.unwrap_or_default(),
            manifests: document.manifests.unwrap_or_default(),
            blobs: document.blobs.unwrap_or_default(),
            subject: document.subject,
            annotations: document.annotations,
        })
    }
}

/// Reads the fields; an error names the field, such as `layers[3].size`.
fn read(bytes: &[u8]) -> Result<Document, ManifestError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        ManifestError::Json(format!("{path}: {}", error.into_inner()))
    })
}

impl Document {
    fn check_descriptors(&self) -> Result<(), ManifestError> {
        let single = [("config", &self.config), ("subject", &self.subject)];
        for (place, descriptor) in single {
            if let Some(descriptor) = descriptor {
                check_descriptor(descriptor, || place.to_owned())?;
            }
        }
        let lists = [
            ("layers", &self.layers),
            ("manifests", &self.manifests),
            ("blobs", &self.blobs),
        ];
        for (place, list) in lists {
            for (index, descriptor) in list.iter().flatten().enumerate() {
                check_descriptor(descriptor, || format!("{place}[{index}]"))?;
            }
        }
        Ok(())
    }
}

fn check_descriptor(
    descriptor: &Descriptor,
    place: impl Fn() -> String,
) -> Result<(), ManifestError> {
    if !descriptor.data_is_true() {
        return Err(ManifestError::Data { place: place() });
    }
    let is_foreign = descriptor.media_type.is_foreign_layer();
    if is_foreign && !descriptor.urls.iter().all(|url| is_web_address(url)) {
        return Err(ManifestError::ForeignUrl { place: place() });
    }
    Ok(())
}

/// Whether clients can be sent there: http or https, a host, no user, no fragment, nothing that
/// is not printed. Clients have sent credentials to such addresses (CVE-2020-15157).
fn is_web_address(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    (scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http"))
        && !authority.is_empty()
        && !authority.contains(['@', '\\'])
        && rest
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'#')
}
