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

/// The world of [`octo`] with two more people: a builder who writes in `closed`, and a neighbour who
/// writes in `theirs`, which everybody may read.
async fn neighbours() -> (World, Caller, Caller) {
    let world = octo().await;
    world.user("builder").await;
    world.user("neighbour").await;
    let public = naru_model::Visibility::Public;
    world.repository("octo/theirs", public).await;
    for (path, login) in [("octo/closed", "builder"), ("octo/theirs", "neighbour")] {
        let (system, path, login) = (Caller::system(), repository(path), name(login));
        let role = naru_model::RepositoryRole::Write;
        let registry = &world.registry;
        let given = registry.set_collaborator(&system, &path, &login, role);
        given.await.unwrap();
    }
    let builder = person(&world, "builder").await;
    let neighbour = person(&world, "neighbour").await;
    (world, builder, neighbour)
}

#[tokio::test]
async fn provenance_in_a_repository_of_others_diverts_no_record() {
    let (world, builder, neighbour) = neighbours().await;
    let app = bundle(&digest("app"));
    let attest = async |caller: &Caller, path: &str| {
        let path = repository(path);
        let made = world.registry.create_attestation(caller, &path, &app);
        made.await.unwrap()
    };
    attest(&neighbour, "octo/theirs").await;
    let refuse = OnRejection::Refuse;
    let tell = async |named: Option<&str>| {
        record(&world, &builder, vec![told("web", "app", named)], refuse).await
    };
    // What the builder may only read says nothing for them; that it is there is why not.
    let refused = tell(None).await;
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    let named = tell(Some("closed")).await.unwrap();
    assert_eq!(named.records[0].attestation, None);
    let own = attest(&builder, "octo/closed").await;
    attest(&neighbour, "octo/theirs").await;
    for named in [None, Some("closed")] {
        let recorded = tell(named).await.unwrap();
        assert_eq!(recorded.records[0].attestation, Some(own), "{named:?}");
    }
}

#[tokio::test]
async fn among_several_repositories_with_provenance_the_one_that_is_named_counts() {
    let world = octo().await;
    let owner = person(&world, "owner").await;
    let mut made = Vec::new();
    for path in ["octo/open", "octo/closed"] {
        let (path, app) = (repository(path), bundle(&digest("app")));
        let id = world.registry.create_attestation(&owner, &path, &app).await;
        made.push(id.unwrap());
    }
    for (named, expected) in [
        (Some("open"), made[0]),
        (Some("closed"), made[1]),
        (Some("absent"), made[1]),
        (None, made[1]),
    ] {
        let told = vec![told("web", "app", named)];
        let recorded = record(&world, &owner, told, OnRejection::Refuse).await;
        let attestation = recorded.unwrap().records[0].attestation;
        assert_eq!(attestation, Some(expected), "{named:?}");
    }
}

#[tokio::test]
async fn deployments_are_written_in_the_order_of_their_names() {
    let world = octo().await;
    let owner = person(&world, "owner").await;
    let all = ["b", "c", "a"].map(|name| told(name, "app", Some("open")));
    let recorded = record(&world, &owner, all.to_vec(), OnRejection::Refuse).await;
    // They are numbered as they are written, and listed by number.
    let names: Vec<_> = recorded
        .unwrap()
        .records
        .into_iter()
        .map(|record| record.deployment.deployment_name)
        .collect();
    assert_eq!(names, ["a", "b", "c"]);
}
