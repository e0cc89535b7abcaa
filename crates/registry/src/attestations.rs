//! Attestations: signed statements about artifacts, kept for those who may read the repository they
//! are stored with. Naru does not verify them, whoever relies on one does (contract C5).

use naru_metadata::attestations::{self, NewAttestation, Sought};
use naru_metadata::repository_lists::{self, Shown};
use naru_metadata::{BothWays, Conn, Edge, Tx};
use naru_model::{
    Account, AccountId, AccountName, Attestation, AttestationBundle, AttestationId, EventKind,
    Initiator, Moment, Principal, Repository, RepositoryId, RepositoryPath, RepositoryPermission,
};
use naru_oci::Digest;

use crate::account_access as access;
use crate::error::{Error, Result};
use crate::quotas::Holder;
use crate::repository_lists::reached;
use crate::{Caller, Registry, events};

pub use naru_metadata::attestations::FoundAttestation;

/// In how many repositories of one owner the same artifact is looked for.
const MOST_REPOSITORIES: i64 = 1000;
/// How many bytes of bundles a page has, each as often as it is about a digest that was asked for;
/// one attestation that has more stands alone.
const PAGE_BYTES: u64 = 8 << 20;
/// How many bytes a bundle has at most, times the digests it is about: so much stands in an answer
/// that asks for all of them.
const MOST_SPREAD: u64 = 32 << 20;
/// How many attestations go in one round of a deletion.
const ROUND: i64 = 1000;

/// Which attestations are looked for, and which part of them.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    /// What they are about: one of these.
    pub digests: &'a [Digest],
    /// A predicate type as a URI, or `provenance`, `sbom` or `release`.
    pub predicate: Option<&'a str>,
    /// Where the page begins.
    pub edge: Edge,
    /// How many at most.
    pub limit: usize,
}

impl Registry {
    /// Stores an attestation with a repository.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller may write in it, or is a workflow of it that may push
    /// packages; [`Error::TooLarge`]; [`Error::QuotaExceeded`].
    pub async fn create_attestation(
        &self,
        caller: &Caller,
        path: &RepositoryPath,
        bundle: &AttestationBundle,
    ) -> Result<AttestationId> {
        let size = self.check_size(bundle)?;
        let attest = RepositoryPermission::Attest;
        let mut conn = self.db.read().await?;
        let found = access::repository(&mut conn, caller, path, attest).await?;
        drop(conn);
        let holder = Holder {
            owner: found.owner(),
            name: &path.owner,
        };
        self.admit_to(holder, size).await?;
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let found = access::repository(&mut tx, caller, path, attest).await?;
        let new = NewAttestation {
            repository: found.id(),
            owner: found.owner(),
            bundle,
            initiator: initiator(&caller.principal),
            now,
        };
        let id = attestations::insert(&mut tx, &new).await?;
        let kind = EventKind::AttestationCreated;
        let event = caller.event(kind, now).on_account(found.owner());
        let event = event.with("repository", path).with("attestation", id);
        let event = event.with("predicate_type", bundle.predicate_type());
        events::record(&mut tx, event).await?;
        self.charge_within(&mut tx, holder, size).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// How many bytes a bundle has, if that is not too many.
    fn check_size(&self, bundle: &AttestationBundle) -> Result<u64> {
        let bytes = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let limit = self.settings.attestation_limit;
        let size = bytes(bundle.json().len());
        if size > limit {
            let what = "the bundle";
            return Err(Error::TooLarge { what, limit });
        }
        if size.saturating_mul(bytes(bundle.subjects().len())) > MOST_SPREAD {
            let what = "the bundle, times the digests it is about,";
            let limit = MOST_SPREAD;
            return Err(Error::TooLarge { what, limit });
        }
        Ok(size)
    }

    /// What a repository holds about the digests, newest first; one that is about several of them
    /// stands once for each.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller may read the repository.
    pub async fn attestations_of_repository(
        &self,
        caller: &Caller,
        path: &RepositoryPath,
        search: Search<'_>,
    ) -> Result<BothWays<FoundAttestation>> {
        let mut conn = self.db.read().await?;
        let read = RepositoryPermission::Read;
        let found = access::repository(&mut conn, caller, path, read).await?;
        find(&mut conn, found.owner(), &[found.id()], search).await
    }

    /// What the repositories of an account hold about the digests, as far as the caller may read
    /// them; newest first.
    ///
    /// # Errors
    /// [`Error::Refused`] for nobody; [`Error::AccountUnknown`].
    pub async fn attestations_of_account(
        &self,
        caller: &Caller,
        owner: &AccountName,
        search: Search<'_>,
    ) -> Result<BothWays<FoundAttestation>> {
        let mut conn = self.db.read().await?;
        let owner = access::profile(&mut conn, caller, owner).await?.id();
        let readable = readable(&mut conn, caller, owner, search.digests).await?;
        find(&mut conn, owner, &readable, search).await
    }

    /// The repositories of an organization that hold attestations, as far as the caller may read
    /// them, in the order of their numbers.
    ///
    /// # Errors
    /// [`Error::Refused`] for nobody; [`Error::AccountUnknown`]; [`Error::NotFound`] for a user.
    pub async fn attested_repositories(
        &self,
        caller: &Caller,
        organization: &AccountName,
        predicate: Option<&str>,
        edge: Edge,
        limit: usize,
    ) -> Result<BothWays<Repository>> {
        let mut conn = self.db.read().await?;
        let owner = organization_profile(&mut conn, caller, organization).await?;
        let Some(shown) = reached(caller, Shown::All) else {
            return Ok(BothWays {
                items: Vec::new(),
                previous: None,
                next: None,
            });
        };
        let principal = &caller.principal;
        let found =
            repository_lists::attested(&mut conn, principal, owner, predicate, shown, edge, limit);
        Ok(found.await?)
    }

    /// The bundle of an attestation, JSON as it came.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller may read the repository; [`Error::NotFound`].
    pub async fn attestation_bundle(
        &self,
        caller: &Caller,
        path: &RepositoryPath,
        id: AttestationId,
    ) -> Result<String> {
        let mut conn = self.db.read().await?;
        let read = RepositoryPermission::Read;
        let found = access::repository(&mut conn, caller, path, read).await?;
        let bundle = attestations::bundle(&mut conn, found.id(), id).await?;
        bundle.ok_or_else(|| absent(id))
    }

    /// Removes attestations of an account by their numbers. All of them go, or none.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the caller may read none of them; [`Error::Refused`] when they may
    /// read one but not write in its repository.
    pub async fn delete_attestations(
        &self,
        caller: &Caller,
        owner: &AccountName,
        ids: &[AttestationId],
    ) -> Result<()> {
        let mut tx = self.db.write().await?;
        let owner = access::profile(&mut tx, caller, owner).await?.id();
        let found = attestations::of_owner(&mut tx, owner, ids).await?;
        let candidates: Vec<_> = found.iter().map(|found| found.repository).collect();
        let attest = RepositoryPermission::Attest;
        let seen = access::repositories_seen(&mut tx, caller, &candidates, attest).await?;
        let gone = numbers_in(&found, &seen);
        if gone.is_empty() {
            return Err(nothing_found());
        }
        attestations::delete(&mut tx, &gone).await?;
        self.tell_deleted(&mut tx, caller, owner, &gone).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Removes what the repositories of an account say about the digests. An attestation that is
    /// about other things too stays for them.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the caller may read none of them; [`Error::Refused`] when they may
    /// read one but not write in its repository.
    pub async fn delete_attestations_about(
        &self,
        caller: &Caller,
        owner: &AccountName,
        digests: &[Digest],
    ) -> Result<()> {
        let mut tx = self.db.write().await?;
        let owner = access::profile(&mut tx, caller, owner).await?.id();
        let limit = MOST_REPOSITORIES;
        let candidates =
            attestations::repositories_of_subjects(&mut tx, owner, digests, limit).await?;
        let attest = RepositoryPermission::Attest;
        let seen = access::repositories_seen(&mut tx, caller, &candidates, attest).await?;
        let mut removed = Vec::new();
        loop {
            let found = attestations::about(&mut tx, owner, digests, &seen, ROUND).await?;
            if found.is_empty() {
                break;
            }
            let ids = numbers_in(&found, &seen);
            attestations::remove_subjects(&mut tx, &ids, digests).await?;
            removed.extend(ids);
        }
        if removed.is_empty() {
            return Err(nothing_found());
        }
        self.tell_deleted(&mut tx, caller, owner, &removed).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn tell_deleted(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        owner: AccountId,
        ids: &[AttestationId],
    ) -> Result<()> {
        let now: Moment = self.clock.now();
        let kind = EventKind::AttestationDeleted;
        for id in ids {
            let event = caller.event(kind, now).on_account(owner);
            events::record(tx, event.with("attestation", id)).await?;
        }
        Ok(())
    }
}

async fn find(
    conn: &mut Conn,
    owner: AccountId,
    repositories: &[RepositoryId],
    search: Search<'_>,
) -> Result<BothWays<FoundAttestation>> {
    let sought = Sought {
        owner,
        digests: search.digests,
        repositories,
        predicate: search.predicate,
    };
    Ok(attestations::find(conn, sought, search.edge, search.limit, PAGE_BYTES).await?)
}

/// The repositories of `owner` that say something about the digests and that the caller may read.
async fn readable(
    conn: &mut Conn,
    caller: &Caller,
    owner: AccountId,
    digests: &[Digest],
) -> Result<Vec<RepositoryId>> {
    let limit = MOST_REPOSITORIES;
    let candidates = attestations::repositories_of_subjects(conn, owner, digests, limit).await?;
    access::repositories_among(conn, caller, &candidates, RepositoryPermission::Read).await
}

/// The number of an organization, for whoever has signed in.
pub(crate) async fn organization_profile(
    conn: &mut Conn,
    caller: &Caller,
    name: &AccountName,
) -> Result<AccountId> {
    match access::profile(conn, caller, name).await? {
        Account::Organization(organization) => Ok(organization.id),
        Account::User(_) => Err(Error::NotFound {
            what: "organization",
            name: name.to_string(),
        }),
    }
}

fn numbers_in(found: &[Attestation], repositories: &[RepositoryId]) -> Vec<AttestationId> {
    let inside = found
        .iter()
        .filter(|found| repositories.contains(&found.repository));
    inside.map(|found| found.id).collect()
}

const fn initiator(principal: &Principal) -> Initiator {
    match principal {
        Principal::Workflow { .. } => Initiator::Workflow,
        Principal::Anonymous { .. } | Principal::User { .. } | Principal::System => Initiator::User,
    }
}

fn absent(id: AttestationId) -> Error {
    Error::NotFound {
        what: "attestation",
        name: id.to_string(),
    }
}

fn nothing_found() -> Error {
    Error::NotFound {
        what: "attestation",
        name: "of these".to_owned(),
    }
}
