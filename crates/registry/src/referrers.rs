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

/// How many referrers a page has at most.
const PAGE: i64 = 500;

/// How long the manifests of a page's referrers are together at most, so that the page, which has
/// their annotations, stays well within the 4 MiB that clients accept.
const PAGE_BYTES: u64 = 2 << 20;

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
        let mut query = ReferrersQuery {
            artifact_type,
            after: after.unwrap_or(VersionId::new(0)),
            limit: PAGE + 1,
        };
        let sizes = versions::referrer_sizes(&mut conn, package.id(), subject, query).await?;
        let fitting = how_many_fit(&sizes);
        let more = fitting < sizes.len();
        query.limit = i64::try_from(fitting).unwrap_or(PAGE);
        let found = versions::referrers(&mut conn, package.id(), subject, query).await?;
        let next = more
            .then(|| found.last().map(|last| last.digest.clone()))
            .flatten();
        let mut descriptors = found
            .into_iter()
            .map(descriptor)
            .collect::<Result<Vec<_>>>()?;
        if first {
            let listed = fallback(&mut conn, package.id(), subject).await?;
            if listed.is_empty() {
                return Ok(ReferrersPage { descriptors, next });
            }
            let digests: Vec<&str> = listed.iter().map(|d| d.digest.as_str()).collect();
            // Those stand on this page or on one that follows.
            let native =
                versions::referrers_among(&mut conn, package.id(), subject, &digests).await?;
            fold(&mut descriptors, listed, native, artifact_type);
        }
        Ok(ReferrersPage { descriptors, next })
    }
}

/// How many manifests of these lengths fit on a page; one at least, if there is one.
fn how_many_fit(sizes: &[u64]) -> usize {
    let most = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let mut bytes = 0_u64;
    sizes
        .iter()
        .take(most)
        .enumerate()
        .take_while(|(index, size)| {
            bytes = bytes.saturating_add(**size);
            *index == 0 || bytes <= PAGE_BYTES
        })
        .count()
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

fn fold(
    descriptors: &mut Vec<Descriptor>,
    listed: Vec<Descriptor>,
    native: Vec<Digest>,
    artifact_type: Option<&str>,
) {
    let mut seen: HashSet<Digest> = native.into_iter().collect();
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
