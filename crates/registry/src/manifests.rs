//! Manifests (distribution-spec, end-2, end-3, end-7 and end-9).

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use naru_metadata::versions::{self, GapKind, NewVersion, StoredManifest};
use naru_metadata::{Conn, links, packages};
use naru_model::{AccountId, EventKind, Moment, PackageId, VersionId};
use naru_oci::{Accept, Algorithm, Descriptor, Digest, Manifest, MediaType, Reference, Tag};

use crate::access::tag_rules::TaggedPackage;
use crate::access::{Authorized, PushTarget, lock};
use crate::cache::CachedManifest;
use crate::commit::Outdated;
use crate::error::{Error, Result};
use crate::linking::SourceLabel;
use crate::{Caller, Registry, events};

/// A manifest that is pushed.
#[derive(Clone, Debug)]
pub struct PutManifest {
    /// Where to: a tag, or the digest that the bytes must have.
    pub reference: Reference,
    /// Tags besides, with a push by digest (`?tag=`, distribution-spec end-7b).
    pub tags: Vec<Tag>,
    /// `Content-Type`, if there was one.
    pub content_type: Option<String>,
    /// The bytes.
    pub content: Bytes,
}

/// What became of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedManifest {
    /// The digest of the bytes, in the algorithm that the client used.
    pub digest: Digest,
    /// The subject, for `OCI-Subject`.
    pub subject: Option<Digest>,
    /// The tags that point at it now because of this push.
    pub tags: Vec<Tag>,
}

/// A manifest taken apart, with what the rows say of it.
struct Parsed {
    digest: Digest,
    media_type: String,
    artifact_type: Option<String>,
    annotations: Option<String>,
    manifest: Manifest,
    content: Bytes,
}

impl Registry {
    /// The stored manifest, byte for byte (end-3). Never converted: a client that lists types of
    /// which none matches is told that what is there is of another type.
    ///
    /// # Errors
    /// [`Error::ManifestUnknown`], [`Error::NotAcceptable`], and those of the database.
    pub async fn get_manifest(
        &self,
        package: &Authorized,
        reference: &Reference,
        accept: &Accept,
    ) -> Result<std::sync::Arc<CachedManifest>> {
        let manifest = self.find_manifest(package.id(), reference).await?;
        if accept.accepts(&manifest.media_type) {
            Ok(manifest)
        } else {
            Err(Error::NotAcceptable {
                media_type: manifest.media_type.to_string(),
            })
        }
    }

    async fn find_manifest(
        &self,
        package: PackageId,
        reference: &Reference,
    ) -> Result<std::sync::Arc<CachedManifest>> {
        let stamp = match self.content_cache.get(package, reference) {
            Ok(found) => return Ok(found),
            Err(stamp) => stamp,
        };
        let mut conn = self.db.read().await?;
        let found = match reference {
            Reference::Tag(tag) => versions::find_by_tag(&mut conn, package, tag.as_str()).await?,
            Reference::Digest(digest) => {
                versions::find_by_digest(&mut conn, package, digest).await?
            }
        };
        let found = found.ok_or_else(|| Error::ManifestUnknown {
            reference: reference.to_string(),
        })?;
        Ok(self
            .content_cache
            .put(package, reference, cached(found)?, stamp))
    }

    /// Takes a manifest (end-7). Everything it needs must be there; manifest, references, tags,
    /// events and the package's birth stand or fall together.
    ///
    /// # Errors
    /// [`Error::ManifestInvalid`], [`Error::DigestMismatch`], [`Error::ManifestBlobUnknown`],
    /// [`Error::SizeInvalid`], [`Error::TagProtected`], [`Error::TooLarge`],
    /// [`Error::QuotaExceeded`].
    pub async fn put_manifest(
        &self,
        caller: &Caller,
        target: &PushTarget,
        put: PutManifest,
    ) -> Result<PushedManifest> {
        let parsed = self.parse(&put)?;
        let length = u64::try_from(parsed.content.len()).unwrap_or(u64::MAX);
        let named = parsed.manifest.required_blobs();
        let named: Vec<&str> = named.iter().map(|blob| blob.digest.as_str()).collect();
        self.admit_manifest(target, length, &named).await?;
        let tags = tags_of(&put);
        let source = match tags.is_empty() {
            true => None,
            false => {
                self.source_label(target.package(), &parsed.manifest)
                    .await?
            }
        };
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let package = self
            .package_for_manifest(&mut tx, caller, target, now)
            .await?;
        let place = Place {
            owner: target.owner(),
            package,
        };
        let price = self.price_of_named(&mut tx, target.owner(), &named, now);
        let price = length.saturating_add(price.await?);
        let version = self.store(&mut tx, caller, place, &parsed, now).await?;
        if !tags.is_empty() {
            let tagged = TaggedPackage::pushed(target, package);
            self.write_tags(&mut tx, caller, tagged, &tags, version, now)
                .await?;
        }
        let published = self.publish(&mut tx, caller, target, package, now).await?;
        if let Some(value) = source {
            let at_birth = published;
            let label = SourceLabel {
                package,
                value,
                at_birth,
            };
            self.link_by_label(&mut tx, caller, &label, now).await?;
        }
        self.charge_within(&mut tx, target.into(), price).await?;
        let outdated = Outdated::manifests(package).and_access(published);
        self.commit(tx, outdated).await?;
        Ok(PushedManifest {
            digest: parsed.digest,
            subject: subject_of(&parsed.manifest),
            tags,
        })
    }

    /// Puts a manifest into the bin, with the tags that point at it (end-9 by digest).
    ///
    /// # Errors
    /// [`Error::ManifestUnknown`]; [`Error::StillNeeded`] while a live index needs it;
    /// [`Error::Undeletable`] for what was downloaded too often.
    pub async fn delete_manifest(
        &self,
        caller: &Caller,
        package: &Authorized,
        digest: &Digest,
    ) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        lock(&mut tx, package).await?;
        let found = versions::header(&mut tx, package.id(), digest).await?;
        let version = found
            .filter(|version| version.deleted_at.is_none())
            .ok_or_else(|| Error::ManifestUnknown {
                reference: digest.to_string(),
            })?;
        if let Some(by) = versions::parent(&mut tx, package.id(), digest).await? {
            return Err(Error::StillNeeded {
                digest: digest.clone(),
                by,
            });
        }
        self.refuse_downloaded_version(&mut tx, caller, package.id(), version.id)
            .await?;
        self.erase_version(&mut tx, caller, package, version.id, now)
            .await?;
        self.commit(tx, Outdated::manifests(package.id())).await?;
        Ok(())
    }

    /// Checks the bytes against what was said about them and takes them apart.
    fn parse(&self, put: &PutManifest) -> Result<Parsed> {
        let limit = self.settings.manifest_limit;
        if u64::try_from(put.content.len()).is_ok_and(|length| length > limit) {
            return Err(Error::TooLarge {
                what: "the manifest",
                limit,
            });
        }
        let digest = checked_digest(&put.reference, &put.content)?;
        let manifest = Manifest::parse(&put.content, put.content_type.as_deref())?;
        let annotations = (!manifest.annotations().is_empty())
            .then(|| serde_json::to_string(manifest.annotations()).unwrap_or_default());
        Ok(Parsed {
            digest,
            media_type: manifest.media_type().to_string(),
            artifact_type: manifest.artifact_type().map(ToString::to_string),
            annotations,
            manifest,
            content: put.content.clone(),
        })
    }

    /// Writes the version row and what it holds. A digest that is there already keeps its row; one
    /// that was deleted comes back without its old tags, if what it needs could be pushed now too.
    async fn store(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        Place { owner, package }: Place,
        parsed: &Parsed,
        now: Moment,
    ) -> Result<VersionId> {
        let by = caller.principal.user();
        let subject = subject_of(&parsed.manifest);
        let new = NewVersion {
            digest: &parsed.digest,
            media_type: &parsed.media_type,
            artifact_type: parsed.artifact_type.as_deref(),
            subject: subject.as_ref(),
            annotations: parsed.annotations.as_deref(),
            content: &parsed.content,
            created_by: by,
            now,
        };
        let version = match versions::insert(conn, package, &new).await? {
            Some(version) => {
                let required = self.required(conn, package, &parsed.manifest, now).await?;
                required.hold(conn, package, version).await?;
                version
            }
            None => match self.existing(conn, package, parsed, now, by).await? {
                (version, false) => return Ok(version),
                (version, true) => version,
            },
        };
        versions::fill_gaps(conn, package, GapKind::Manifest, &parsed.digest).await?;
        let event = caller
            .event(EventKind::VersionPublished, now)
            .on_package(owner, package)
            .on_version(version)
            .with("digest", parsed.digest.as_str());
        events::record(conn, event).await?;
        Ok(version)
    }

    /// The row of a digest that is there already, and whether it came back into the lists.
    async fn existing(
        &self,
        conn: &mut Conn,
        package: PackageId,
        parsed: &Parsed,
        now: Moment,
        by: Option<AccountId>,
    ) -> Result<(VersionId, bool)> {
        let purged =
            || Error::Unavailable("the manifest was purged while it was pushed".to_owned());
        let found = versions::header(conn, package, &parsed.digest).await?;
        let version = found.ok_or_else(purged)?;
        if version.is_listed() {
            return Ok((version.id, false));
        }
        // A withdrawn one is served, so everything it needs is there.
        if !version.is_served() {
            self.hold_anew(conn, package, parsed, version.id, now)
                .await?;
        }
        if versions::revive(conn, package, version.id, now, by).await? {
            Ok((version.id, true))
        } else {
            Err(purged())
        }
    }

    /// Holds a version that is in the bin to its needs as if it were new.
    async fn hold_anew(
        &self,
        conn: &mut Conn,
        package: PackageId,
        parsed: &Parsed,
        version: VersionId,
        now: Moment,
    ) -> Result<()> {
        // What it held in the bin is no reason to have it now: it is asked for like a new one.
        let required = self.required(conn, package, &parsed.manifest, now).await?;
        versions::drop_references(conn, package, version, now).await?;
        required.hold(conn, package, version).await
    }

    /// What the manifest needs, and whether the package has it. What is missing refuses the push,
    /// unless sparse manifests are allowed.
    async fn required(
        &self,
        conn: &mut Conn,
        package: PackageId,
        manifest: &Manifest,
        now: Moment,
    ) -> Result<Required> {
        let blobs = required_blobs(conn, package, manifest, now).await?;
        let children = required_children(conn, package, manifest).await?;
        let missing = [&*blobs.missing, &*children.missing].concat();
        if !self.settings.sparse_indexes && !missing.is_empty() {
            return Err(Error::ManifestBlobUnknown(missing));
        }
        Ok(Required { blobs, children })
    }

    /// The first manifest publishes the package. Returns whether this was it.
    async fn publish(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        target: &PushTarget,
        package: PackageId,
        now: Moment,
    ) -> Result<bool> {
        if !packages::publish(conn, package, now).await? {
            return Ok(false);
        }
        let event = caller.event(EventKind::PackagePublished, now);
        events::record(conn, event.on_package(target.owner(), package)).await?;
        Ok(true)
    }
}

/// Where a manifest goes.
#[derive(Clone, Copy)]
struct Place {
    owner: AccountId,
    package: PackageId,
}

/// What a manifest needs.
struct Required {
    blobs: Found,
    children: Found,
}

#[derive(Default)]
struct Found {
    present: Vec<Digest>,
    missing: Vec<Digest>,
}

impl Required {
    /// Holds what is there for a version, and notes as gaps what is missing.
    async fn hold(&self, conn: &mut Conn, package: PackageId, version: VersionId) -> Result<()> {
        let (blobs, children) = (texts(&self.blobs.present), texts(&self.children.present));
        versions::hold_blobs(conn, package, version, &blobs).await?;
        versions::hold_children(conn, package, version, &children).await?;
        let (blobs, children) = (texts(&self.blobs.missing), texts(&self.children.missing));
        versions::note_gaps(conn, package, version, GapKind::Blob, &blobs).await?;
        versions::note_gaps(conn, package, version, GapKind::Manifest, &children).await?;
        Ok(())
    }
}

async fn required_blobs(
    conn: &mut Conn,
    package: PackageId,
    manifest: &Manifest,
    now: Moment,
) -> Result<Found> {
    let wanted = manifest.required_blobs();
    if wanted.is_empty() {
        return Ok(Found::default());
    }
    let digests: Vec<&str> = wanted.iter().map(|wanted| wanted.digest.as_str()).collect();
    let usable = links::usable(conn, package, &digests, now).await?;
    let sizes: HashMap<&Digest, u64> = usable
        .iter()
        .map(|found| (&found.digest, found.size))
        .collect();
    let mut blobs = Found::default();
    for descriptor in wanted {
        match sizes.get(&descriptor.digest) {
            Some(&size) => {
                same_size(descriptor, size)?;
                blobs.present.push(descriptor.digest.clone());
            }
            None => blobs.missing.push(descriptor.digest.clone()),
        }
    }
    Ok(blobs)
}

async fn required_children(
    conn: &mut Conn,
    package: PackageId,
    manifest: &Manifest,
) -> Result<Found> {
    let wanted = manifest.children();
    if wanted.is_empty() {
        return Ok(Found::default());
    }
    let digests: Vec<&str> = wanted.iter().map(|child| child.digest.as_str()).collect();
    let live = versions::live_children(conn, package, &digests).await?;
    let live: HashSet<Digest> = live.into_iter().collect();
    let (present, missing) = wanted
        .into_iter()
        .map(|child| child.digest.clone())
        .partition(|child| live.contains(child));
    Ok(Found { present, missing })
}

fn subject_of(manifest: &Manifest) -> Option<Digest> {
    manifest.subject().map(|subject| subject.digest.clone())
}

fn texts(digests: &[Digest]) -> Vec<&str> {
    digests.iter().map(Digest::as_str).collect()
}

/// The digest of the bytes, in the algorithm of the reference; sha256 with a tag.
fn checked_digest(reference: &Reference, content: &[u8]) -> Result<Digest> {
    match reference {
        Reference::Tag(_) => Ok(Digest::of(Algorithm::Sha256, content)),
        Reference::Digest(expected) => {
            let actual = Digest::of(expected.algorithm(), content);
            if actual == *expected {
                return Ok(actual);
            }
            Err(Error::DigestMismatch {
                expected: expected.clone(),
                actual: actual.to_string(),
            })
        }
    }
}

fn tags_of(put: &PutManifest) -> Vec<Tag> {
    let named = match &put.reference {
        Reference::Tag(tag) => Some(tag.clone()),
        Reference::Digest(_) => None,
    };
    let mut tags: Vec<Tag> = named.into_iter().chain(put.tags.iter().cloned()).collect();
    let mut seen = HashSet::new();
    tags.retain(|tag| seen.insert(tag.as_str().to_owned()));
    tags
}

/// A descriptor that lies about a length would mislead every client that trusts it.
fn same_size(descriptor: &Descriptor, actual: u64) -> Result<()> {
    if descriptor.size == actual {
        return Ok(());
    }
    let what = format!("the blob {}", descriptor.digest);
    Err(Error::SizeInvalid {
        what,
        expected: descriptor.size,
        actual,
    })
}

fn cached(found: StoredManifest) -> Result<CachedManifest> {
    Ok(CachedManifest {
        version: found.id,
        digest: found.digest,
        media_type: stored_type(found.media_type)?,
        content: Bytes::from(found.content),
    })
}

/// A media type as a row has it: it was a valid one when it was written.
pub(crate) fn stored_type(text: String) -> Result<MediaType> {
    text.parse()
        .map_err(|_| Error::Internal(format!("a row has the media type `{text}`")))
}
