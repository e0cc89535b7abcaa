//! Artifact metadata: where artifacts are deployed and where they lie, as others tell it.
//!
//! A record belongs to the repository that the artifact was built from: the one that a provenance
//! attestation names, else the one that is named in the request. Whoever may attest in that
//! repository may tell; whoever may read it may ask. Anybody may attest what they like in their own
//! repository, so that only attestations count in repositories where whoever tells may attest too;
//! among several the one in the repository that is named, else the last.

use std::collections::{HashMap, HashSet};

use naru_metadata::artifacts::{self, Home, NewClusterJob, NewDeployment};
use naru_metadata::{Conn, attestations, repositories};
use naru_model::{
    AccountId, AccountName, AttestationId, ClusterJob, ClusterJobId, Deployment, DeploymentRecord,
    DeploymentRecordId, Environment, EventKind, Moment, Refusal, RepositoryId, RepositoryPath,
    RepositoryPermission, SourceRepositoryName, StorageRecord, Stored,
};
use naru_oci::Digest;

use crate::account_access as access;
use crate::attestations::organization_profile;
use crate::error::{Error, Result};
use crate::{Caller, Registry, events};

/// How many records one answer has.
const MOST_RECORDS: i64 = 1000;
/// How long a job is remembered.
const JOB_MEMORY: std::time::Duration = std::time::Duration::from_secs(30 * 24 * 3600);

/// A deployment that is told, and the repository it is told for.
#[derive(Clone, Debug)]
pub struct Told {
    /// The deployment.
    pub deployment: Deployment,
    /// The repository that the artifact was built from, if no provenance attestation says it.
    pub repository: Option<SourceRepositoryName>,
}

/// What became of the deployments that were told.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// Those that are remembered now.
    pub records: Vec<DeploymentRecord>,
    /// Those that are not.
    pub rejected: Vec<Rejected>,
}

/// A deployment that is not remembered, and why.
#[derive(Clone, Debug)]
pub struct Rejected {
    /// What was told.
    pub told: Told,
    /// Why.
    pub cause: RejectionCause,
}

/// Why a deployment is not remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectionCause {
    /// The caller may read the repository but not tell anything for it.
    Unauthorized,
    /// There is no such repository, as far as the caller may know.
    NotFound,
}

/// What is done with deployments that cannot be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRejection {
    /// None is recorded then.
    Refuse,
    /// The others are recorded.
    Skip,
}

impl Registry {
    /// Remembers deployments in an environment, each in the place of what was told of one with the
    /// same name.
    ///
    /// # Errors
    /// [`Error::Invalid`] for one that breaks the limits of its fields or stands there twice;
    /// [`Error::AccountUnknown`], [`Error::NotFound`] and [`Error::Refused`], the latter two of the
    /// first that cannot be recorded, if the others shall not be.
    pub async fn record_deployments(
        &self,
        caller: &Caller,
        organization: &AccountName,
        environment: &Environment,
        told: Vec<Told>,
        on_rejection: OnRejection,
    ) -> Result<Recorded> {
        check(environment, &told)?;
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let owner = organization_profile(&mut tx, caller, organization).await?;
        let digests: Vec<_> = told.iter().map(|t| t.deployment.digest.clone()).collect();
        let mut scribe = Scribe::new(&mut tx, caller, owner, organization, &digests).await?;
        let names: Vec<_> = told
            .iter()
            .map(|t| t.deployment.deployment_name.as_str())
            .collect();
        let before = artifacts::deployment_holders(&mut tx, owner, environment, &names).await?;
        let mut recorded = Recorded::default();
        let mut settled = Vec::new();
        for told in told {
            let Told {
                deployment,
                repository,
            } = &told;
            let before = before.get(&deployment.deployment_name).copied();
            let home = scribe
                .home(&mut tx, &deployment.digest, repository.as_ref(), before)
                .await;
            match (home, on_rejection) {
                (Ok(home), _) => settled.push((told.deployment, home)),
                (Err(error), OnRejection::Skip) => {
                    let cause = cause(&error).ok_or(error)?;
                    recorded.rejected.push(Rejected { told, cause });
                }
                (Err(error), OnRejection::Refuse) => return Err(error),
            }
        }
        let ids = put_all(&mut tx, environment, settled, now).await?;
        recorded.records = artifacts::deployments(&mut tx, &ids).await?;
        let kind = EventKind::DeploymentRecorded;
        let event = caller.event(kind, now).on_account(owner);
        events::record(&mut tx, event.with("records", ids.len())).await?;
        tx.commit().await?;
        Ok(recorded)
    }

    /// As [`Registry::record_deployments`], passing over what cannot be recorded, and remembers for
    /// 30 days that it was done.
    ///
    /// # Errors
    /// As there.
    pub async fn record_deployments_as_job(
        &self,
        caller: &Caller,
        organization: &AccountName,
        environment: &Environment,
        told: Vec<Told>,
    ) -> Result<(ClusterJob, Vec<Rejected>)> {
        let recorded = self
            .record_deployments(caller, organization, environment, told, OnRejection::Skip)
            .await?;
        let now = self.clock.now();
        let total = u64::try_from(recorded.records.len()).unwrap_or(u64::MAX);
        let mut tx = self.db.write().await?;
        let owner = organization_profile(&mut tx, caller, organization).await?;
        let principal = caller.key();
        let new = NewClusterJob {
            organization: owner,
            cluster: &environment.cluster,
            principal: &principal,
            total,
            now,
        };
        let id = artifacts::note_job(&mut tx, new, now.minus(JOB_MEMORY)).await?;
        tx.commit().await?;
        let job = ClusterJob {
            id,
            cluster: environment.cluster.clone(),
            total,
            started_at: now,
        };
        Ok((job, recorded.rejected))
    }

    /// What became of a job, for whoever made it.
    ///
    /// # Errors
    /// [`Error::NotFound`] also for somebody else's; [`Error::AccountUnknown`].
    pub async fn deployment_job(
        &self,
        caller: &Caller,
        organization: &AccountName,
        cluster: &str,
        id: ClusterJobId,
    ) -> Result<ClusterJob> {
        let mut conn = self.db.read().await?;
        let owner = organization_profile(&mut conn, caller, organization).await?;
        let job = artifacts::job(&mut conn, owner, cluster, &caller.key(), id).await?;
        job.ok_or_else(|| Error::NotFound {
            what: "job",
            name: id.to_string(),
        })
    }

    /// Where an artifact is deployed, as far as the caller may read the repositories that tell it;
    /// a thousand places at most.
    ///
    /// # Errors
    /// [`Error::Refused`] for nobody; [`Error::AccountUnknown`]; [`Error::NotFound`] for a user.
    pub async fn deployments_of(
        &self,
        caller: &Caller,
        organization: &AccountName,
        digest: &Digest,
    ) -> Result<Vec<DeploymentRecord>> {
        let mut conn = self.db.read().await?;
        let owner = organization_profile(&mut conn, caller, organization).await?;
        let told_by = artifacts::deployed_from(&mut conn, owner, digest, MOST_RECORDS).await?;
        let readable = readable(&mut conn, caller, &told_by).await?;
        Ok(artifacts::deployments_of(&mut conn, owner, digest, &readable, MOST_RECORDS).await?)
    }

    /// Remembers where an artifact lies, in the place of what was told of the same place.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it breaks the limits of its fields; [`Error::AccountUnknown`];
    /// [`Error::NotFound`] when no repository is known for it; [`Error::Refused`].
    pub async fn record_storage(
        &self,
        caller: &Caller,
        organization: &AccountName,
        stored: Stored,
        repository: Option<SourceRepositoryName>,
    ) -> Result<StorageRecord> {
        stored
            .check()
            .map_err(|error| Error::Invalid(error.to_string()))?;
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let owner = organization_profile(&mut tx, caller, organization).await?;
        let digests = [stored.digest.clone()];
        let mut scribe = Scribe::new(&mut tx, caller, owner, organization, &digests).await?;
        let before = artifacts::storage_holder(&mut tx, owner, &stored).await?;
        let (home, _) = scribe
            .home(&mut tx, &stored.digest, repository.as_ref(), before)
            .await?;
        let id = artifacts::put_storage(&mut tx, home, &stored, now).await?;
        let event = caller
            .event(EventKind::StorageRecorded, now)
            .on_account(owner);
        events::record(&mut tx, event.with("digest", &stored.digest)).await?;
        let record = artifacts::storage(&mut tx, id).await?;
        tx.commit().await?;
        record.ok_or_else(|| Error::Internal("a record that was just written is gone".to_owned()))
    }

    /// Where an artifact lies, as far as the caller may read the repositories that tell it; a
    /// thousand places at most.
    ///
    /// # Errors
    /// [`Error::Refused`] for nobody; [`Error::AccountUnknown`]; [`Error::NotFound`] for a user.
    pub async fn storage_of(
        &self,
        caller: &Caller,
        organization: &AccountName,
        digest: &Digest,
    ) -> Result<Vec<StorageRecord>> {
        let mut conn = self.db.read().await?;
        let owner = organization_profile(&mut conn, caller, organization).await?;
        let told_by = artifacts::stored_from(&mut conn, owner, digest, MOST_RECORDS).await?;
        let readable = readable(&mut conn, caller, &told_by).await?;
        Ok(artifacts::storage_of(&mut conn, owner, digest, &readable, MOST_RECORDS).await?)
    }
}

/// Writes deployments with their homes. Every request locks its rows in the order of their names, so
/// that of two that tell of the same ones none waits for the other for ever.
async fn put_all(
    conn: &mut Conn,
    environment: &Environment,
    mut settled: Vec<(Deployment, (Home, Option<AttestationId>))>,
    now: Moment,
) -> Result<Vec<DeploymentRecordId>> {
    settled.sort_by(|(one, _), (other, _)| one.deployment_name.cmp(&other.deployment_name));
    let mut ids = Vec::with_capacity(settled.len());
    for (deployment, (home, attestation)) in &settled {
        let record = NewDeployment {
            home: *home,
            environment,
            deployment,
            attestation: *attestation,
            now,
        };
        ids.push(artifacts::put_deployment(conn, &record).await?);
    }
    Ok(ids)
}

/// Finds the repository of each artifact, and asks once for each repository.
struct Scribe<'c> {
    caller: &'c Caller,
    owner: AccountId,
    organization: &'c AccountName,
    /// Where the caller may attest too, oldest first.
    provenance: HashMap<Digest, Vec<(RepositoryId, AttestationId)>>,
    /// A repository that the caller may only read, and that has provenance of the artifact.
    read_only: HashMap<Digest, RepositoryId>,
    /// Repositories that the caller may tell for.
    allowed: HashSet<RepositoryId>,
    by_name: HashMap<SourceRepositoryName, RepositoryId>,
}

impl<'c> Scribe<'c> {
    /// Reads which repositories the artifacts are from, as far as the caller may know.
    async fn new(
        conn: &mut Conn,
        caller: &'c Caller,
        owner: AccountId,
        organization: &'c AccountName,
        digests: &[Digest],
    ) -> Result<Self> {
        let found = attestations::provenance(conn, owner, digests).await?;
        let candidates: Vec<_> = found.iter().map(|f| f.attestation.repository).collect();
        let readable = readable(conn, caller, &candidates).await?;
        let attest = RepositoryPermission::Attest;
        let allowed = access::repositories_among(conn, caller, &readable, attest).await?;
        let mut scribe = Self {
            caller,
            owner,
            organization,
            provenance: HashMap::new(),
            read_only: HashMap::new(),
            allowed: allowed.into_iter().collect(),
            by_name: HashMap::new(),
        };
        for found in found {
            let repository = found.attestation.repository;
            if scribe.allowed.contains(&repository) {
                let says = scribe.provenance.entry(found.subject).or_default();
                says.push((repository, found.attestation.id));
            } else if readable.contains(&repository) {
                scribe.read_only.insert(found.subject, repository);
            }
        }
        Ok(scribe)
    }

    /// The repository to tell for, and the attestation that says so. `before` is the one that told
    /// of the same thing until now.
    async fn home(
        &mut self,
        conn: &mut Conn,
        digest: &Digest,
        named: Option<&SourceRepositoryName>,
        before: Option<RepositoryId>,
    ) -> Result<(Home, Option<AttestationId>)> {
        let (repository, attestation) = match self.attested(conn, digest, named).await? {
            Some((repository, attestation)) => (repository, Some(attestation)),
            None => (self.named(conn, digest, named).await?, None),
        };
        self.ask(conn, repository).await?;
        if let Some(before) = before
            && !repositories::paths(conn, &[before]).await?.is_empty()
        {
            self.ask(conn, before).await?;
        }
        let home = Home {
            organization: self.owner,
            repository,
        };
        Ok((home, attestation))
    }

    /// What an attestation says, if one counts: the last, or the one in the repository that is
    /// named.
    async fn attested(
        &mut self,
        conn: &mut Conn,
        digest: &Digest,
        named: Option<&SourceRepositoryName>,
    ) -> Result<Option<(RepositoryId, AttestationId)>> {
        let Some(says) = self.provenance.get(digest).cloned() else {
            return Ok(None);
        };
        let last = says.last().copied();
        if named.is_none() || says.len() < 2 {
            return Ok(last);
        }
        let named = match self.named(conn, digest, named).await {
            Ok(named) => named,
            Err(error) if cause(&error).is_some() => return Ok(last),
            Err(error) => return Err(error),
        };
        let there = says
            .into_iter()
            .find(|(repository, _)| *repository == named);
        Ok(there.or(last))
    }

    async fn named(
        &mut self,
        conn: &mut Conn,
        digest: &Digest,
        named: Option<&SourceRepositoryName>,
    ) -> Result<RepositoryId> {
        let Some(name) = named else {
            if let Some(read_only) = self.read_only.get(digest).copied() {
                self.ask(conn, read_only).await?;
            }
            return Err(Error::NotFound {
                what: "provenance attestation",
                name: digest.to_string(),
            });
        };
        if let Some(known) = self.by_name.get(name) {
            return Ok(*known);
        }
        let path = RepositoryPath {
            owner: self.organization.clone(),
            name: name.clone(),
        };
        let attest = RepositoryPermission::Attest;
        let found = access::repository(conn, self.caller, &path, attest).await?;
        self.by_name.insert(name.clone(), found.id());
        self.allowed.insert(found.id());
        Ok(found.id())
    }

    /// Asks whether the caller may tell something for a repository. One that they may not see is
    /// refused like one that is not there.
    async fn ask(&mut self, conn: &mut Conn, repository: RepositoryId) -> Result<()> {
        if self.allowed.contains(&repository) {
            return Ok(());
        }
        let attest = RepositoryPermission::Attest;
        let seen = access::repositories_seen(conn, self.caller, &[repository], attest).await?;
        if seen.is_empty() {
            return Err(Error::Refused(Refusal::Unknown));
        }
        self.allowed.insert(repository);
        Ok(())
    }
}

/// A deployment stands once among those that are told together.
fn check(environment: &Environment, told: &[Told]) -> Result<()> {
    let invalid = |error: naru_model::RecordError| Error::Invalid(error.to_string());
    environment.check().map_err(invalid)?;
    let mut names = HashSet::new();
    for told in told {
        told.deployment.check().map_err(invalid)?;
        if !names.insert(&told.deployment.deployment_name) {
            return Err(Error::Invalid(format!(
                "deployment_name `{}` stands there twice",
                told.deployment.deployment_name
            )));
        }
    }
    Ok(())
}

/// Why a deployment cannot be recorded; `None` when that is not its own fault.
const fn cause(error: &Error) -> Option<RejectionCause> {
    match error {
        Error::NotFound { .. } | Error::Refused(Refusal::Unknown) => Some(RejectionCause::NotFound),
        Error::Refused(_) => Some(RejectionCause::Unauthorized),
        _ => None,
    }
}

async fn readable(
    conn: &mut Conn,
    caller: &Caller,
    repositories: &[RepositoryId],
) -> Result<Vec<RepositoryId>> {
    access::repositories_among(conn, caller, repositories, RepositoryPermission::Read).await
}
