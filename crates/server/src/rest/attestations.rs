//! Attestations: stored with a repository, found by what they are about, removed (contract C5; the
//! shapes are the official description's).

mod forms;

use std::collections::BTreeMap;

use http::StatusCode;
use naru_model::{AttestationBundle, AttestationId, RepositoryPath, Scope};
use naru_oci::Digest;
use naru_registry::attestations::{FoundAttestation, Search};
use naru_registry::{BothWays, Edge};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::call::{Call, Owner};
use super::error::Failure;
use super::finish::{Answer, Outcome};
use super::input::{Json, Query, Verbatim};
use super::operation::Operations;
use super::turning::{self, Turning};
use super::views::part;
use forms::FORMS;

/// The longest body that stores an attestation, in bytes; `[registry] attestation_limit` bounds the
/// bundle in it.
const LONGEST: usize = 8 << 20;
/// The longest list of digests, in bytes: room for as many as one request may name.
const LONGEST_LIST: usize = 256 << 10;
/// How many digests or numbers one request names at most (official description).
const MOST: usize = 1024;

/// The operations of attestations.
pub(super) fn routes(operations: &mut Operations) {
    operations
        .post("/repos/{owner}/{repo}/attestations", create)
        .id("repos/create-attestation")
        .summary("Create an attestation")
        .description(
            "Stores a Sigstore bundle with a repository. The bundle is kept as it comes and not \
             verified: whoever relies on it verifies it. A workflow's token does, if the job may \
             write packages.",
        )
        .needs(&[Scope::Repo, Scope::PublicRepo], "create an attestation")
        .body::<NewAttestation>()
        .answers::<CreatedAttestation>(201, "Stored")
        .refuses(&[400, 401, 403, 404, 413, 422]);
    operations
        .get(
            "/repos/{owner}/{repo}/attestations/{subject_digest}",
            of_repository,
        )
        .id("repos/list-attestations")
        .summary("List attestations")
        .query::<Turning>()
        .query::<OfPredicate>()
        .answers::<AttestationList>(
            200,
            "What the repository holds about the digest, newest first",
        )
        .refuses(&[400, 401, 403, 404]);
    operations
        .get(
            "/repos/{owner}/{repo}/attestations/{attestation_id}/bundle",
            bundle,
        )
        .own("repos/get-attestation-bundle")
        .summary("Get the bundle of an attestation")
        .description("Where `bundle_url` leads: the Sigstore bundle as it was stored.")
        .answers::<BundleView>(200, "The bundle")
        .refuses(&[401, 403, 404]);
    of_owners(operations);
}

fn of_owners(operations: &mut Operations) {
    operations
        .get("/orgs/{org}/attestations/repositories", repositories)
        .id("orgs/list-attestation-repositories")
        .summary("List attestation repositories")
        .query::<Turning>()
        .query::<OfPredicate>()
        .lists::<AttestedRepository>("Repositories that hold attestations, by their numbers")
        .refuses(&[400, 401, 404]);
    for form in &FORMS {
        form.declare(operations);
    }
}

const WRITE: &[Scope] = &[Scope::Repo, Scope::PublicRepo];

/// Which statements are asked for.
#[derive(Debug, Deserialize, IntoParams)]
struct OfPredicate {
    /// `provenance`, `sbom`, `release`, or a predicate type as a URI.
    #[serde(default)]
    predicate_type: Option<String>,
}

/// An attestation to be stored.
#[derive(Deserialize, ToSchema)]
struct NewAttestation {
    /// A Sigstore bundle around an in-toto statement about something named by SHA-256 or SHA-512.
    #[schema(value_type = BundleView)]
    bundle: Box<RawValue>,
}

/// A Sigstore bundle.
#[derive(Serialize, ToSchema)]
#[schema(as = SigstoreBundle)]
#[serde(rename_all = "camelCase")]
struct BundleView {
    media_type: Option<String>,
    #[schema(value_type = Option<Object>)]
    verification_material: Option<Box<RawValue>>,
    #[schema(value_type = Object)]
    dsse_envelope: Box<RawValue>,
}

/// The number of what was stored.
#[derive(Serialize, ToSchema)]
struct CreatedAttestation {
    /// The number of the attestation.
    id: i64,
}

/// What is held about one digest.
#[derive(Serialize, ToSchema)]
struct AttestationList {
    attestations: Vec<AttestationView>,
}

/// An attestation.
#[derive(Serialize, ToSchema)]
#[schema(as = Attestation)]
struct AttestationView {
    /// The bundle as it was stored; from version 2026-03-10 on it is at `bundle_url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BundleView>)]
    bundle: Option<Box<RawValue>>,
    /// The repository it belongs to.
    repository_id: i64,
    /// Where the bundle is, from version 2026-03-10 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    bundle_url: Option<String>,
    /// Who stored it: `user` or `workflow`.
    initiator: &'static str,
}

/// A repository that holds attestations.
#[derive(Serialize, ToSchema)]
struct AttestedRepository {
    /// The number of the repository.
    id: i64,
    /// Its name.
    name: String,
}

/// The digests that attestations are asked for.
#[derive(Deserialize, ToSchema)]
struct BulkList {
    /// 1 to 1024 digests such as `sha256:…`.
    subject_digests: Vec<String>,
    /// `provenance`, `sbom`, `release`, or a predicate type as a URI.
    predicate_type: Option<String>,
}

/// What is held about several digests.
#[derive(Serialize, ToSchema)]
struct BulkListed {
    /// By digest; `null` for one about which nothing is held on this page.
    attestations_subject_digests: BTreeMap<String, Option<Vec<AttestationView>>>,
    page_info: PageInfo,
}

/// How to turn the pages.
#[derive(Serialize, ToSchema)]
struct PageInfo {
    has_next: bool,
    has_previous: bool,
    /// For `after`.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// For `before`.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
}

/// What is to be deleted: one of the two.
#[derive(Deserialize, ToSchema)]
struct DeleteRequest {
    /// 1 to 1024 digests such as `sha256:…`.
    subject_digests: Option<Vec<String>>,
    /// 1 to 1024 numbers.
    attestation_ids: Option<Vec<i64>>,
}

async fn create(call: Call, Verbatim(body): Verbatim<NewAttestation, LONGEST>) -> Outcome {
    let path = repository(&call)?;
    let bundle = AttestationBundle::parse(&body.bundle)
        .map_err(|error| invalid("bundle", &error.to_string()))?;
    let id = call
        .registry()
        .create_attestation(call.caller(), &path, &bundle)
        .await?;
    Answer::json(StatusCode::CREATED, &CreatedAttestation { id: id.get() })
}

async fn of_repository(
    call: Call,
    Query(turning): Query<Turning>,
    Query(predicate): Query<OfPredicate>,
) -> Outcome {
    let path = repository(&call)?;
    let digests = [call.part::<Digest>("subject_digest")?];
    let search = search(&digests, &turning, predicate.predicate_type.as_deref())?;
    let found = call
        .registry()
        .attestations_of_repository(call.caller(), &path, search)
        .await?;
    listed(&call, found).await
}

async fn of_owner(
    call: Call,
    Query(turning): Query<Turning>,
    Query(predicate): Query<OfPredicate>,
) -> Outcome {
    let Owner(owner) = call.owner().await?;
    let digests = [call.part::<Digest>("subject_digest")?];
    let search = search(&digests, &turning, predicate.predicate_type.as_deref())?;
    let found = call
        .registry()
        .attestations_of_account(call.caller(), owner.login(), search)
        .await?;
    listed(&call, found).await
}

async fn bundle(call: Call) -> Outcome {
    let path = repository(&call)?;
    let id = call.number("attestation_id")?;
    let bundle = call
        .registry()
        .attestation_bundle(call.caller(), &path, AttestationId::new(id))
        .await?;
    call.ok(&raw(bundle)?)
}

async fn repositories(
    call: Call,
    Query(turning): Query<Turning>,
    Query(predicate): Query<OfPredicate>,
) -> Outcome {
    let Owner(owner) = call.owner().await?;
    let (edge, limit) = turning.wanted()?;
    let predicate = predicate.predicate_type.as_deref();
    let page = call
        .registry()
        .attested_repositories(call.caller(), owner.login(), predicate, edge, limit)
        .await?;
    let views: Vec<_> = page
        .items
        .iter()
        .map(|repository| AttestedRepository {
            id: repository.id.get(),
            name: repository.name.to_string(),
        })
        .collect();
    Ok(call.ok(&views)?.linked(turning::link(&call, &page)))
}

async fn bulk_list(
    call: Call,
    Query(turning): Query<Turning>,
    Json(body): Json<BulkList, LONGEST_LIST>,
) -> Outcome {
    let Owner(owner) = call.owner().await?;
    let digests = digests(&body.subject_digests)?;
    let search = search(&digests, &turning, body.predicate_type.as_deref())?;
    let page = call
        .registry()
        .attestations_of_account(call.caller(), owner.login(), search)
        .await?;
    let page_info = PageInfo {
        has_next: page.next.is_some(),
        has_previous: page.previous.is_some(),
        next: page.next.map(|number| number.to_string()),
        previous: page.previous.map(|number| number.to_string()),
    };
    let mut by_digest: BTreeMap<String, Option<Vec<AttestationView>>> = body
        .subject_digests
        .into_iter()
        .map(|d| (d, None))
        .collect();
    let links = Links::of(&call, &page).await?;
    for found in page.items {
        let about = by_digest.entry(found.subject.to_string()).or_default();
        about.get_or_insert_default().push(links.view(found)?);
    }
    call.ok(&BulkListed {
        attestations_subject_digests: by_digest,
        page_info,
    })
}

async fn delete_request(call: Call, Json(body): Json<DeleteRequest, LONGEST_LIST>) -> Outcome {
    let Owner(owner) = call.owner().await?;
    let registry = call.registry();
    match (body.subject_digests, body.attestation_ids) {
        (Some(texts), None) => {
            let digests = digests(&texts)?;
            registry
                .delete_attestations_about(call.caller(), owner.login(), &digests)
                .await?;
        }
        (None, Some(numbers)) => {
            check_count("attestation_ids", numbers.len())?;
            let ids: Vec<_> = numbers.into_iter().map(AttestationId::new).collect();
            registry
                .delete_attestations(call.caller(), owner.login(), &ids)
                .await?;
        }
        _ => {
            return Err(invalid(
                "subject_digests",
                "either subject_digests or attestation_ids, not both",
            ));
        }
    }
    Ok(Answer::empty(StatusCode::OK))
}

async fn delete_by_digest(call: Call) -> Outcome {
    let Owner(owner) = call.owner().await?;
    let digest: Digest = call.part("subject_digest")?;
    call.registry()
        .delete_attestations_about(call.caller(), owner.login(), &[digest])
        .await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

async fn delete_by_id(call: Call) -> Outcome {
    let Owner(owner) = call.owner().await?;
    let id = AttestationId::new(call.number("attestation_id")?);
    call.registry()
        .delete_attestations(call.caller(), owner.login(), &[id])
        .await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

fn repository(call: &Call) -> Result<RepositoryPath, Failure> {
    Ok(RepositoryPath {
        owner: call.part("owner")?,
        name: call.part("repo")?,
    })
}

fn search<'a>(
    digests: &'a [Digest],
    turning: &Turning,
    predicate: Option<&'a str>,
) -> Result<Search<'a>, Failure> {
    let (edge, limit): (Edge, usize) = turning.wanted()?;
    Ok(Search {
        digests,
        predicate,
        edge,
        limit,
    })
}

async fn listed(call: &Call, page: BothWays<FoundAttestation>) -> Outcome {
    let link = turning::link(call, &page);
    let links = Links::of(call, &page).await?;
    let views: Result<Vec<_>, _> = page.items.into_iter().map(|f| links.view(f)).collect();
    let list = AttestationList {
        attestations: views?,
    };
    Ok(call.ok(&list)?.linked(link))
}

/// Where bundles are, for the version of the API that leaves them out of lists.
struct Links {
    repositories: Option<BTreeMap<i64, String>>,
}

impl Links {
    async fn of(call: &Call, page: &BothWays<FoundAttestation>) -> Result<Self, Failure> {
        if !call.is_since("2026-03-10") {
            return Ok(Self { repositories: None });
        }
        let ids: Vec<_> = page
            .items
            .iter()
            .map(|f| f.attestation.repository)
            .collect();
        let paths = call
            .registry()
            .repository_paths(call.caller(), &ids)
            .await?;
        let api = call.urls().api;
        let url = |path: &RepositoryPath| {
            let name = part(path.name.as_str());
            format!("{api}/repos/{}/{name}/attestations", path.owner)
        };
        let urls = paths.iter().map(|(id, path)| (id.get(), url(path)));
        Ok(Self {
            repositories: Some(urls.collect()),
        })
    }

    fn view(&self, found: FoundAttestation) -> Result<AttestationView, Failure> {
        let attestation = found.attestation;
        let repository_id = attestation.repository.get();
        let (bundle, bundle_url) = match &self.repositories {
            None => (Some(raw(found.bundle)?), None),
            Some(urls) => {
                let base = urls.get(&repository_id);
                (
                    None,
                    base.map(|base| format!("{base}/{}/bundle", attestation.id)),
                )
            }
        };
        Ok(AttestationView {
            bundle,
            repository_id,
            bundle_url,
            initiator: attestation.initiator.as_str(),
        })
    }
}

/// Text that was JSON when it was stored.
fn raw(json: String) -> Result<Box<RawValue>, Failure> {
    let damaged = |error: serde_json::Error| naru_registry::Error::Internal(error.to_string());
    Ok(RawValue::from_string(json).map_err(damaged)?)
}

fn digests(texts: &[String]) -> Result<Vec<Digest>, Failure> {
    check_count("subject_digests", texts.len())?;
    let digests: Result<Vec<_>, _> = texts.iter().map(|text| text.parse()).collect();
    digests.map_err(|_| invalid("subject_digests", "a digest is sha256: and 64 hex digits"))
}

fn check_count(field: &str, count: usize) -> Result<(), Failure> {
    if (1..=MOST).contains(&count) {
        return Ok(());
    }
    Err(invalid(field, &format!("1 to {MOST} at once")))
}

fn invalid(field: &str, message: &str) -> Failure {
    Failure::invalid("Attestation", field, message)
}
