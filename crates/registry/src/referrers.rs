//! Referrers (distribution-spec, end-12): manifests that name another one as their subject.

use std::collections::{BTreeMap, HashSet};

use naru_metadata::Conn;
use naru_metadata::versions::{self, ReferrersQuery, Version};
use naru_model::{PackageId, VersionId};
use naru_oci::{Descriptor, Digest, FallbackTag, Manifest};

use crate::Registry;
use crate::access::Authorized;
use crate::error::{Error, Result};
use crate::manifests::stored_type;

/// How many referrers a page has at most: well within the 4 MiB that clients accept.
const PAGE: i64 = 500;

/// A page of referrers.
#[derive(Clone, Debug, PartialEq)]
pub struct ReferrersPage {
    /// One descriptor each, with its artifact type and annotations; oldest first.
    pub descriptors: Vec<Descriptor>,
    /// After which the next page begins, if there is one.
    pub next: Option<Digest>,
}

impl Registry {
    /// Manifests that refer to `subject`, pushed as such or listed in the fallback tag by clients
    /// that do not know this endpoint. `artifact_type` filters.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn referrers(
        &self,
        package: &Authorized,
        subject: &Digest,
        artifact_type: Option<&str>,
        after: Option<&Digest>,
    ) -> Result<ReferrersPage> {
        let mut conn = self.db.read().await?;
        let first = after.is_none();
        let after = match after {
            Some(last) => versions::header(&mut conn, package.id(), last)
                .await?
                .map(|v| v.id),
            None => None,
        };
        let query = ReferrersQuery {
            artifact_type,
            after: after.unwrap_or(VersionId::new(0)),
            limit: PAGE + 1,
        };
        let mut found = versions::referrers(&mut conn, package.id(), subject, query).await?;
        let wanted = usize::try_from(PAGE).unwrap_or(usize::MAX);
        let more = found.len() > wanted;
        found.truncate(wanted);
        let next = more
            .then(|| found.last().map(|last| last.digest.clone()))
            .flatten();
        let mut descriptors = found
            .into_iter()
            .map(descriptor)
            .collect::<Result<Vec<_>>>()?;
        if first {
            let listed = fallback(&mut conn, package.id(), subject).await?;
            fold(&mut descriptors, listed, artifact_type);
        }
        Ok(ReferrersPage { descriptors, next })
    }
}

fn descriptor(version: Version) -> Result<Descriptor> {
    let annotations: BTreeMap<String, String> = match &version.annotations {
        Some(json) => serde_json::from_str(json).map_err(|error| {
            Error::Internal(format!(
                "annotations of version {} cannot be read: {error}",
                version.id
            ))
        })?,
        None => BTreeMap::new(),
    };
    let mut descriptor = Descriptor::new(
        stored_type(version.media_type)?,
        version.digest,
        version.size,
    );
    descriptor.artifact_type = version.artifact_type.map(stored_type).transpose()?;
    descriptor.annotations = annotations;
    Ok(descriptor)
}

/// What the fallback tag lists, if it points at an index that can be read.
async fn fallback(
    conn: &mut Conn,
    package: PackageId,
    subject: &Digest,
) -> Result<Vec<Descriptor>> {
    let tag = FallbackTag::of(subject);
    let Some(found) = versions::find_by_tag(conn, package, tag.as_str()).await? else {
        return Ok(Vec::new());
    };
    let parsed = Manifest::parse(&found.content, Some(&found.media_type));
    Ok(parsed.map_or_else(
        |_| Vec::new(),
        |manifest| manifest.children().into_iter().cloned().collect(),
    ))
}

fn fold(descriptors: &mut Vec<Descriptor>, listed: Vec<Descriptor>, artifact_type: Option<&str>) {
    let mut seen: HashSet<Digest> = descriptors.iter().map(|d| d.digest.clone()).collect();
    let wanted = |d: &Descriptor| {
        artifact_type.is_none_or(|wanted| {
            d.artifact_type
                .as_ref()
                .is_some_and(|found| found.as_str() == wanted)
        })
    };
    descriptors.extend(
        listed
            .into_iter()
            .filter(|d| wanted(d))
            .filter(|d| seen.insert(d.digest.clone())),
    );
}
