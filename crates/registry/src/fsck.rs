//! `naru fsck`: compares rows with bytes, and rows with each other, and says what to do.
//!
//! It changes nothing but this: a blob whose bytes are missing or wrong is marked, so that pushers
//! are told it is absent and the next push of it heals it. Bytes are never re-hashed into a new
//! truth.

use std::time::Duration;

use futures_util::TryStreamExt;
use naru_blobstore::{StorageKey, Verdict};
use naru_metadata::links::{self, Blob};
use naru_metadata::versions::PackagedManifest;
use naru_metadata::{checks, versions};
use naru_model::{EventKind, PackageId, VersionId};
use naru_oci::{Digest, Manifest};

use crate::error::Result;
use crate::{Caller, Registry, events};

/// How thorough a check is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Rows, and the presence and length of every blob.
    Presence,
    /// Also reads every byte and compares its digest.
    Content,
}

/// How far a check has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Blobs looked at.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Manifests looked at.
    pub versions: u64,
    /// Objects in the store looked at.
    pub objects: u64,
    /// Findings so far.
    pub findings: usize,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Finding {
    /// A row names bytes that are not there.
    MissingBlob {
        /// What was there.
        digest: Digest,
        /// Where it was.
        key: String,
    },
    /// A blob is shorter or longer than it was.
    TruncatedBlob {
        /// What it should be.
        digest: Digest,
        /// Where it lies.
        key: String,
        /// How many bytes it should have.
        expected: u64,
        /// How many it has.
        found: u64,
    },
    /// A blob of the right length holds other bytes.
    DamagedBlob {
        /// What it should be.
        digest: Digest,
        /// Where it lies.
        key: String,
        /// What it is.
        actual: Digest,
    },
    /// The name of a storage key cannot be read.
    UnreadableKey {
        /// The blob whose key it is.
        digest: Digest,
        /// The key.
        key: String,
    },
    /// A manifest's bytes are not what its digest says.
    DamagedManifest {
        /// The package.
        package: PackageId,
        /// The version.
        version: VersionId,
        /// What it should be.
        digest: Digest,
        /// What it is.
        actual: String,
    },
    /// A manifest names content that the rows do not hold for it, so that the collector may take
    /// it.
    Unheld {
        /// The package.
        package: PackageId,
        /// The version.
        version: VersionId,
        /// What it names.
        digest: Digest,
    },
    /// An object that no row knows. The collector takes it when it is 48 hours old.
    UnknownObject {
        /// Where it lies.
        key: String,
        /// How many bytes it has.
        size: u64,
    },
    /// Rows contradict each other.
    Rows {
        /// Which check found it.
        check: &'static str,
        /// What it found, in words.
        detail: String,
    },
}

impl Finding {
    /// What can be done about it, in a sentence.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::MissingBlob { .. } | Self::TruncatedBlob { .. } | Self::DamagedBlob { .. } => {
                "push an image with this layer again from any machine that has it, or restore the \
                 object from a backup and run fsck again"
            }
            Self::UnreadableKey { .. } => {
                "the row is damaged: restore the database from a backup, or push the layer again"
            }
            Self::DamagedManifest { .. } => {
                "restore the database from a backup, or delete the version and push it again"
            }
            Self::Unheld { .. } => {
                "delete the version and push it again, and report this as a defect"
            }
            Self::UnknownObject { .. } => {
                "nothing: the collector removes it in time; a fresh one may belong to an upload"
            }
            Self::Rows { .. } => "restore the database from a backup, and report this as a defect",
        }
    }

    /// Whether something that was acknowledged is lost or wrong.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        !matches!(self, Self::UnknownObject { .. })
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::MissingBlob { digest, key } => {
                write!(f, "the bytes of {digest} are missing ({key})")
            }
            Self::TruncatedBlob {
                digest,
                key,
                expected,
                found,
            } => {
                write!(
                    f,
                    "{digest} has {found} bytes instead of {expected} ({key})"
                )
            }
            Self::DamagedBlob {
                digest,
                key,
                actual,
            } => {
                write!(f, "the bytes of {digest} are {actual} ({key})")
            }
            Self::UnreadableKey { digest, key } => {
                write!(f, "{digest} has the storage key `{key}`, which is none")
            }
            Self::DamagedManifest {
                package,
                version,
                digest,
                actual,
            } => write!(
                f,
                "version {version} of package {package} should be {digest} but its bytes are \
                 {actual}"
            ),
            Self::Unheld {
                package,
                version,
                digest,
            } => write!(
                f,
                "version {version} of package {package} names {digest}, which no row holds for it"
            ),
            Self::UnknownObject { key, size } => {
                write!(f, "no row knows the object {key} of {size} bytes")
            }
            Self::Rows { check, detail } => write!(f, "{check}: {detail}"),
        }
    }
}

/// Hears of progress and findings while a check runs.
pub trait Observer: Send + Sync {
    /// A little more has been looked at.
    fn progress(&self, progress: &Progress);
    /// Something was found.
    fn found(&self, finding: &Finding);
}

/// How many rows are read at once.
const PAGE: i64 = 500;

/// Objects younger than this are left alone.
const YOUNG: Duration = Duration::from_secs(3600);

impl Registry {
    /// Checks everything and returns what was found. May run beside a server; what is pushed or
    /// collected meanwhile is looked at again before it counts as a finding.
    ///
    /// # Errors
    /// Those of the database and of an unreachable store; damage is a finding.
    pub async fn fsck(&self, depth: Depth, observer: &dyn Observer) -> Result<Vec<Finding>> {
        let mut check = Check {
            observer,
            progress: Progress::default(),
            findings: Vec::new(),
        };
        self.check_blobs(depth, &mut check).await?;
        self.check_manifests(&mut check).await?;
        self.check_rows(&mut check).await?;
        self.check_objects(&mut check).await?;
        Ok(check.findings)
    }

    async fn check_blobs(&self, depth: Depth, check: &mut Check<'_>) -> Result<()> {
        let mut after = String::new();
        loop {
            let mut conn = self.db.read().await?;
            let page = links::blobs_page(&mut conn, &after, PAGE).await?;
            drop(conn);
            let Some(last) = page.last() else {
                return Ok(());
            };
            last.digest.as_str().clone_into(&mut after);
            for blob in &page {
                if let Some(finding) = self.check_blob(blob, depth).await? {
                    check.found(finding);
                }
                check.progress.blobs += 1;
                check.progress.bytes += blob.size;
                check.tell();
            }
        }
    }

    /// A finding only counts if the row still says the same: the collector or a healing push may
    /// have come between.
    async fn check_blob(&self, blob: &Blob, depth: Depth) -> Result<Option<Finding>> {
        let (digest, key) = (blob.digest.clone(), blob.storage_key.clone());
        let Ok(place) = blob.storage_key.parse::<StorageKey>() else {
            return Ok(Some(Finding::UnreadableKey { digest, key }));
        };
        let finding = match self.look_at(blob, &place, depth).await? {
            Verdict::Sound => return Ok(None),
            Verdict::Missing => Finding::MissingBlob { digest, key },
            Verdict::WrongSize { found } => Finding::TruncatedBlob {
                digest,
                key,
                expected: blob.size,
                found,
            },
            Verdict::WrongDigest { actual } => Finding::DamagedBlob {
                digest,
                key,
                actual,
            },
        };
        Ok(self.mark_damaged(blob).await?.then_some(finding))
    }

    async fn look_at(&self, blob: &Blob, key: &StorageKey, depth: Depth) -> Result<Verdict> {
        if depth == Depth::Content {
            return Ok(self.blobs.verify(key, &blob.digest, blob.size).await?);
        }
        Ok(match self.blobs.stat(key).await? {
            None => Verdict::Missing,
            Some(found) if found != blob.size => Verdict::WrongSize { found },
            Some(_) => Verdict::Sound,
        })
    }

    /// Marks the blob, so that a push heals it. Returns whether its row is still the one that was
    /// looked at.
    async fn mark_damaged(&self, blob: &Blob) -> Result<bool> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        if links::mark_damaged(&mut tx, &blob.digest, &blob.storage_key, now).await? {
            let event = Caller::system().event(EventKind::BlobDamaged, now);
            events::record(&mut tx, event.with("digest", blob.digest.as_str())).await?;
        }
        let still = links::blob(&mut tx, &blob.digest).await?;
        tx.commit().await?;
        Ok(still.is_some_and(|row| row.storage_key == blob.storage_key))
    }

    async fn check_manifests(&self, check: &mut Check<'_>) -> Result<()> {
        let mut after = VersionId::new(0);
        loop {
            let mut conn = self.db.read().await?;
            let page = versions::contents_after(&mut conn, after, PAGE).await?;
            drop(conn);
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = last.manifest.id;
            for row in &page {
                self.check_manifest(row, check).await?;
                check.progress.versions += 1;
                check.tell();
            }
        }
    }

    /// The bytes of a manifest must have its digest, and the rows must hold what it names.
    async fn check_manifest(&self, row: &PackagedManifest, check: &mut Check<'_>) -> Result<()> {
        let (package, manifest) = (row.package, &row.manifest);
        let version = manifest.id;
        let actual = Digest::of(manifest.digest.algorithm(), &manifest.content);
        let parsed = Manifest::parse(&manifest.content, Some(&manifest.media_type));
        let (true, Ok(parsed)) = (actual == manifest.digest, parsed) else {
            let (digest, actual) = (manifest.digest.clone(), actual.to_string());
            check.found(Finding::DamagedManifest {
                package,
                version,
                digest,
                actual,
            });
            return Ok(());
        };
        let mut conn = self.db.read().await?;
        let held = checks::held(&mut conn, version).await?;
        let named = parsed.required_blobs().into_iter().chain(parsed.children());
        for descriptor in named.filter(|descriptor| !held.contains(&descriptor.digest)) {
            let digest = descriptor.digest.clone();
            check.found(Finding::Unheld {
                package,
                version,
                digest,
            });
        }
        Ok(())
    }

    async fn check_rows(&self, check: &mut Check<'_>) -> Result<()> {
        let mut conn = self.db.read().await?;
        for contradiction in checks::contradictions(&mut conn, PAGE).await? {
            check.found(Finding::Rows {
                check: contradiction.check,
                detail: contradiction.detail,
            });
        }
        Ok(())
    }

    /// Objects that no row knows. Young ones may belong to an upload in one request, which has no
    /// row before its end.
    async fn check_objects(&self, check: &mut Check<'_>) -> Result<()> {
        let before = self.clock.now().minus(YOUNG);
        let before = u64::try_from(before.as_micros() / 1000).unwrap_or(0);
        let mut objects = self.blobs.list(before);
        while let Some(object) = objects.try_next().await? {
            let key = object.key.to_string();
            let mut conn = self.db.read().await?;
            let is_known = links::key_known(&mut conn, &key).await?;
            drop(conn);
            if !is_known {
                check.found(Finding::UnknownObject {
                    key,
                    size: object.size,
                });
            }
            check.progress.objects += 1;
            check.tell();
        }
        Ok(())
    }
}

struct Check<'o> {
    observer: &'o dyn Observer,
    progress: Progress,
    findings: Vec<Finding>,
}

impl Check<'_> {
    fn found(&mut self, finding: Finding) {
        self.observer.found(&finding);
        self.findings.push(finding);
        self.progress.findings = self.findings.len();
    }

    fn tell(&self) {
        self.observer.progress(&self.progress);
    }
}
