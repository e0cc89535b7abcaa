//! Artifact metadata: who may tell where an artifact is, and who may ask.

use std::collections::{BTreeMap, BTreeSet};

use naru_model::{Deployment, DeploymentStatus, Environment, StorageStatus, Stored};
use naru_registry::artifacts::{OnRejection, RejectionCause, Told};
use naru_registry::{Caller, Error};

use crate::attestations::{bundle, digest, octo, person};
use crate::world::repository;
use crate::{World, name};

fn told(deployment_name: &str, artifact: &str, repository: Option<&str>) -> Told {
    Told {
        deployment: Deployment {
            deployment_name: deployment_name.to_owned(),
            name: artifact.to_owned(),
            digest: digest(artifact),
            version: None,
            status: DeploymentStatus::Deployed,
            tags: BTreeMap::new(),
            runtime_risks: BTreeSet::new(),
        },
        repository: repository.map(|name| name.parse().unwrap()),
    }
}

fn production() -> Environment {
    Environment {
        logical: "production".to_owned(),
        physical: String::new(),
        cluster: "moda-1".to_owned(),
    }
}

async fn record(
    world: &World,
    caller: &Caller,
    told: Vec<Told>,
    on_rejection: OnRejection,
) -> naru_registry::Result<naru_registry::artifacts::Recorded> {
    let octo = name("octo");
    world
        .registry
        .record_deployments(caller, &octo, &production(), told, on_rejection)
        .await
}

#[tokio::test]
async fn a_deployment_is_told_once_and_updated_afterwards() {
    let world = octo().await;
    let owner = person(&world, "owner").await;
    let refuse = OnRejection::Refuse;
    let first = record(
        &world,
        &owner,
        vec![told("web", "one", Some("open"))],
        refuse,
    )
    .await
    .unwrap();
    let second = record(
        &world,
        &owner,
        vec![told("web", "two", Some("open"))],
        refuse,
    )
    .await
    .unwrap();
    assert_eq!(first.records[0].id, second.records[0].id);
    let octo = name("octo");
    let registry = &world.registry;
    let old = registry.deployments_of(&owner, &octo, &digest("one")).await;
    assert_eq!(old.unwrap(), []);
    let new = registry.deployments_of(&owner, &octo, &digest("two")).await;
    assert_eq!(new.unwrap(), second.records);
}

#[tokio::test]
async fn the_repository_comes_from_the_provenance_before_the_request() {
    let world = octo().await;
    let owner = person(&world, "owner").await;
    let stranger = person(&world, "stranger").await;
    let id = world
        .registry
        .create_attestation(&owner, &repository("octo/closed"), &bundle(&digest("app")))
        .await
        .unwrap();
    let recorded = record(
        &world,
        &owner,
        vec![told("web", "app", Some("open"))],
        OnRejection::Refuse,
    )
    .await
    .unwrap();
    assert_eq!(recorded.records[0].attestation, Some(id));
    let octo = name("octo");
    let unseen = world
        .registry
        .deployments_of(&stranger, &octo, &digest("app"))
        .await;
    assert_eq!(unseen.unwrap(), [], "it is told by a private repository");
}

#[tokio::test]
async fn what_cannot_be_recorded_is_refused_or_passed_over() {
    let world = octo().await;
    let stranger = person(&world, "stranger").await;
    let all = vec![
        told("visible", "a", Some("open")),
        told("hidden", "b", Some("closed")),
        told("absent", "c", Some("absent")),
        told("nameless", "d", None),
    ];
    let refused = record(&world, &stranger, all.clone(), OnRejection::Refuse).await;
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    let recorded = record(&world, &stranger, all, OnRejection::Skip)
        .await
        .unwrap();
    assert_eq!(recorded.records, []);
    let causes: Vec<_> = recorded.rejected.iter().map(|r| r.cause).collect();
    use RejectionCause::{NotFound, Unauthorized};
    assert_eq!(causes, [Unauthorized, NotFound, NotFound, NotFound]);
}

#[tokio::test]
async fn nobody_takes_over_a_deployment_of_a_repository_they_may_not_write_in() {
    let world = octo().await;
    let owner = person(&world, "owner").await;
    let stranger = person(&world, "stranger").await;
    world
        .repository("octo/theirs", naru_model::Visibility::Private)
        .await;
    world
        .registry
        .set_collaborator(
            &owner,
            &repository("octo/theirs"),
            &name("stranger"),
            naru_model::RepositoryRole::Write,
        )
        .await
        .unwrap();
    let refuse = OnRejection::Refuse;
    record(
        &world,
        &owner,
        vec![told("web", "good", Some("closed"))],
        refuse,
    )
    .await
    .unwrap();
    let taken = record(
        &world,
        &stranger,
        vec![told("web", "bad", Some("theirs"))],
        refuse,
    )
    .await;
    assert!(taken.is_err(), "{taken:?}");
    record(
        &world,
        &stranger,
        vec![told("other", "bad", Some("theirs"))],
        refuse,
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn a_job_is_seen_by_whoever_made_it() {
    let world = octo().await;
    let owner = person(&world, "owner").await;
    let stranger = person(&world, "stranger").await;
    let octo = name("octo");
    let registry = &world.registry;
    let all = vec![told("web", "app", Some("open")), told("db", "db", None)];
    let (job, rejected) = registry
        .record_deployments_as_job(&owner, &octo, &production(), all)
        .await
        .unwrap();
    assert_eq!((job.total, rejected.len()), (1, 1));
    let seen = registry
        .deployment_job(&owner, &octo, "moda-1", job.id)
        .await;
    assert_eq!(seen.unwrap(), job);
    for (caller, cluster) in [(&stranger, "moda-1"), (&owner, "moda-2")] {
        let unseen = registry
            .deployment_job(caller, &octo, cluster, job.id)
            .await;
        assert!(matches!(unseen, Err(Error::NotFound { .. })), "{unseen:?}");
    }
}

#[tokio::test]
async fn a_stored_artifact_is_listed_to_those_who_read_its_repository() {
    let world = octo().await;
    let owner = person(&world, "owner").await;
    let stranger = person(&world, "stranger").await;
    let octo = name("octo");
    let stored = Stored {
        name: "lib".to_owned(),
        digest: digest("lib"),
        version: Some("1.0".to_owned()),
        registry_url: "https://registry.example.com/".to_owned(),
        repository: String::new(),
        path: String::new(),
        artifact_url: String::new(),
        status: StorageStatus::Active,
    };
    let registry = &world.registry;
    let closed = Some("closed".parse().unwrap());
    let record = registry
        .record_storage(&owner, &octo, stored.clone(), closed)
        .await
        .unwrap();
    let gone = Stored {
        status: StorageStatus::Deleted,
        ..stored
    };
    let closed = Some("closed".parse().unwrap());
    let again = registry
        .record_storage(&owner, &octo, gone, closed)
        .await
        .unwrap();
    assert_eq!(record.id, again.id);
    let seen = registry.storage_of(&owner, &octo, &digest("lib")).await;
    assert_eq!(seen.unwrap(), [again]);
    let unseen = registry.storage_of(&stranger, &octo, &digest("lib")).await;
    assert_eq!(unseen.unwrap(), []);
}
