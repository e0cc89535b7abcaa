//! How a package, or one version of it, is named.

use std::str::FromStr;

use anyhow::{Error, Result, anyhow};
use naru_model::VersionId;
use naru_oci::{Digest, RepositoryName};
use naru_registry::versions::VersionRef;

/// A package, or one version of it.
#[derive(Clone, Debug)]
pub(in crate::commands) struct Target {
    pub(in crate::commands) package: RepositoryName,
    pub(in crate::commands) version: Option<VersionRef>,
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some((package, digest)) = text.split_once('@') {
            let version = VersionRef::Digest(digest.parse::<Digest>()?);
            return Ok(Self {
                package: package.parse()?,
                version: Some(version),
            });
        }
        let (package, tag) = match text.rsplit_once(':') {
            Some((package, tag)) => (package, Some(tag.parse::<naru_oci::Tag>()?)),
            None => (text, None),
        };
        Ok(Self {
            package: package.parse()?,
            version: tag.map(|tag| VersionRef::Tag(tag.to_string())),
        })
    }
}

impl Target {
    /// The same, or the version with a number that was given besides.
    pub(super) fn or_version(self, number: Option<i64>) -> Result<Self> {
        match (number, &self.version) {
            (None, _) => Ok(self),
            (Some(number), None) => Ok(Self {
                version: Some(VersionRef::Id(VersionId::new(number))),
                ..self
            }),
            (Some(_), Some(_)) => Err(anyhow!(
                "name the version by tag, by digest or by number, not by two of them"
            )),
        }
    }
}
