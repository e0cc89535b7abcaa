//! Attestations: who may store, find and remove what is said about an artifact.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use naru_model::{AttestationBundle, RepositoryRole, Visibility, WorkflowPackages};
use naru_oci::{Algorithm, Digest};
use naru_registry::attestations::Search;
use naru_registry::quotas::Limit;
use naru_registry::{Caller, Edge, Error, Settings};

use crate::usage::{exceeded, limit, usage};
use crate::world::{bearer, repository};
use crate::{World, name};

pub(crate) const PROVENANCE: &str = "https://slsa.dev/provenance/v1";

pub(crate) fn digest(text: &str) -> Digest {
    Digest::of(Algorithm::Sha256, text.as_bytes())
}

/// A bundle about one thing.
pub(crate) fn bundle(subject: &Digest) -> AttestationBundle {
    let statement = serde_json::json!({
        "subject": [{ "name": "app", "digest": { "sha256": subject.hex() } }],
        "predicateType": PROVENANCE,
    });
    let json = serde_json::json!({ "dsseEnvelope": {
        "payloadType": "application/vnd.in-toto+json",
        "payload": STANDARD.encode(statement.to_string()),
    } });
    AttestationBundle::parse(&serde_json::value::to_raw_value(&json).unwrap()).unwrap()
}

const fn about(digests: &[Digest]) -> Search<'_> {
    Search {
        digests,
        predicate: None,
        edge: Edge::Start,
        limit: 30,
    }
}

/// An organization with a public and a private repository.
pub(crate) async fn octo() -> World {
    let world = World::new().await;
    world.user("owner").await;
    world.user("stranger").await;
    world.organization("octo", "owner").await;
    world.repository("octo/open", Visibility::Public).await;
    world.repository("octo/closed", Visibility::Private).await;
    world
}

pub(crate) async fn person(world: &World, login: &str) -> Caller {
    world.caller(&world.pat(login, "repo").await).await
}

async fn workflow(world: &World, path: &str, packages: WorkflowPackages) -> Caller {
    let hour = std::time::Duration::from_secs(3600);
    let made = world
        .registry
        .create_workflow_token(&Caller::system(), &repository(path), Some(packages), hour)
        .await
        .unwrap();
    world.caller_of(&bearer(made.secret.expose())).await
}

#[tokio::test]
async fn what_is_said_in_a_private_repository_is_for_its_readers_only() {
    let world = octo().await;
    let owner = person(&world, "owner").await;
    let stranger = person(&world, "stranger").await;
    let app = [digest("app")];
    for path in ["octo/open", "octo/closed"] {
        world
            .registry
            .create_attestation(&owner, &repository(path), &bundle(&app[0]))
            .await
            .unwrap();
    }
    let count = async |caller: &Caller| {
        let found = world
            .registry
            .attestations_of_account(caller, &name("octo"), about(&app))
            .await;
        found.unwrap().items.len()
    };
    assert_eq!(count(&owner).await, 2);
    assert_eq!(count(&stranger).await, 1);
    let listed = async |caller: &Caller| {
        let edge = Edge::Start;
        let page = world
            .registry
            .attested_repositories(caller, &name("octo"), Some("provenance"), edge, 30)
            .await;
        let names = page.unwrap().items.into_iter();
        names
            .map(|found| found.name.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(listed(&owner).await, ["open", "closed"]);
    assert_eq!(listed(&stranger).await, ["open"]);
    let closed = repository("octo/closed");
    let refused = world
        .registry
        .attestations_of_repository(&stranger, &closed, about(&app))
        .await;
    let absent = repository("octo/absent");
    let nothing = world
        .registry
        .attestations_of_repository(&stranger, &absent, about(&app))
        .await;
    assert_eq!(
        refused.unwrap_err().to_string(),
        nothing.unwrap_err().to_string()
    );
}

#[tokio::test]
async fn whoever_only_reads_a_repository_neither_stores_nor_removes() {
    let world = octo().await;
    let owner = person(&world, "owner").await;
    let path = repository("octo/closed");
    let reader = person(&world, "stranger").await;
    world
        .registry
        .set_collaborator(&owner, &path, &name("stranger"), RepositoryRole::Read)
        .await
        .unwrap();
    let app = [digest("app")];
    let stored = bundle(&app[0]);
    let registry = &world.registry;
    let refused = registry.create_attestation(&reader, &path, &stored).await;
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    let id = registry
        .create_attestation(&owner, &path, &stored)
        .await
        .unwrap();
    let octo = name("octo");
    let by_id = registry.delete_attestations(&reader, &octo, &[id]).await;
    assert!(matches!(by_id, Err(Error::Refused(_))), "{by_id:?}");
    let about_it = registry.delete_attestations_about(&reader, &octo, &app);
    assert!(matches!(about_it.await, Err(Error::Refused(_))));
    registry
        .delete_attestations_about(&owner, &octo, &app)
        .await
        .unwrap();
    let again = registry.delete_attestations(&owner, &octo, &[id]).await;
    assert!(matches!(again, Err(Error::NotFound { .. })), "{again:?}");
}

#[tokio::test]
async fn an_attestation_that_one_may_not_see_is_as_if_absent_to_who_would_remove_it() {
    let world = octo().await;
    let owner = person(&world, "owner").await;
    let stranger = person(&world, "stranger").await;
    let path = repository("octo/closed");
    let registry = &world.registry;
    let id = registry
        .create_attestation(&owner, &path, &bundle(&digest("app")))
        .await
        .unwrap();
    let octo = name("octo");
    let unseen = registry.delete_attestations(&stranger, &octo, &[id]).await;
    let nowhere = naru_model::AttestationId::new(id.get() + 1);
    let absent = registry
        .delete_attestations(&stranger, &octo, &[nowhere])
        .await;
    assert_eq!(
        unseen.unwrap_err().to_string(),
        absent.unwrap_err().to_string()
    );
    assert!(registry.attestation_bundle(&owner, &path, id).await.is_ok());
}

#[tokio::test]
async fn a_workflow_attests_in_its_own_repository_if_it_may_push() {
    let world = octo().await;
    let pushing = workflow(&world, "octo/closed", WorkflowPackages::Write).await;
    let pulling = workflow(&world, "octo/closed", WorkflowPackages::Read).await;
    let elsewhere = workflow(&world, "octo/open", WorkflowPackages::Write).await;
    let path = repository("octo/closed");
    let app = [digest("app")];
    let stored = bundle(&app[0]);
    let registry = &world.registry;
    registry
        .create_attestation(&pushing, &path, &stored)
        .await
        .unwrap();
    for caller in [&pulling, &elsewhere] {
        let refused = registry.create_attestation(caller, &path, &stored).await;
        assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    }
    let found = registry
        .attestations_of_repository(&pushing, &path, about(&app))
        .await
        .unwrap();
    assert_eq!(found.items[0].attestation.initiator.as_str(), "workflow");
    assert_eq!(found.items[0].bundle, stored.json());
}

#[tokio::test]
async fn a_bundle_over_the_limit_is_refused() {
    let settings = Settings {
        attestation_limit: 100,
        ..Settings::default()
    };
    let world = World::with(settings).await;
    world.user("octocat").await;
    world.repository("octocat/app", Visibility::Private).await;
    let octocat = person(&world, "octocat").await;
    let refused = world
        .registry
        .create_attestation(
            &octocat,
            &repository("octocat/app"),
            &bundle(&digest("app")),
        )
        .await;
    assert!(matches!(refused, Err(Error::TooLarge { limit: 100, .. })));
}

#[tokio::test]
async fn attestations_count_for_the_quota_of_their_owner() {
    let world = octo().await;
    let owner = person(&world, "owner").await;
    let open = repository("octo/open");
    let attest = async |text: &str| {
        let bundle = bundle(&digest(text));
        world
            .registry
            .create_attestation(&owner, &open, &bundle)
            .await
    };
    let size = bundle(&digest("one")).json().len() as u64;
    let first = attest("one").await.unwrap();
    assert_eq!(usage(&world, "octo").await.live, size);
    limit(&world, "octo", Some(2 * size), None).await;
    attest("two").await.unwrap();
    assert_eq!(exceeded(attest("three").await), Limit::Live);
    assert_eq!(
        usage(&world, "octo").await.live,
        2 * size,
        "nothing is left"
    );
    let octo = name("octo");
    let first = [first];
    let deleted = world.registry.delete_attestations(&owner, &octo, &first);
    deleted.await.unwrap();
    world.clock.advance(std::time::Duration::from_secs(1));
    attest("three").await.unwrap();
    let system = Caller::system();
    world
        .registry
        .delete_repository(&system, &open)
        .await
        .unwrap();
    let measured = usage(&world, "octo").await;
    assert_eq!((measured.live, measured.bin), (0, 2 * size));
}
