//! Versions: lists, the bin, tags that come back.

use naru_model::{Cascade, VersionState};
use naru_registry::packages::GrantTo;
use naru_registry::versions::VersionRef;
use naru_registry::versions::delete::DeleteOptions;
use naru_registry::{Caller, Error};

use crate::World;
use crate::kit::{delete_version, versions_of};
use crate::world::{MANIFEST, blob, container};

fn tag(name: &str) -> VersionRef {
    VersionRef::Tag(name.to_owned())
}

#[tokio::test]
async fn versions_are_listed_newest_first_with_their_tags() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let first = world.push(&octocat, "octocat/app", "1").await;
    world.clock.advance(std::time::Duration::from_secs(1));
    let second = world.push(&octocat, "octocat/app", "2").await;
    let listed = versions_of(&world, &octocat, "octocat/app", VersionState::Listed)
        .await
        .unwrap();
    let listed: Vec<_> = listed
        .iter()
        .map(|one| (one.version.digest.clone(), one.tags.clone()))
        .collect();
    let expected = [
        (second.digest, vec!["2".to_owned()]),
        (first.digest, vec!["1".to_owned()]),
    ];
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn a_signature_by_tag_that_went_with_an_image_comes_back_with_it() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let path = container("octocat/app");
    world.push(&octocat, "octocat/app", "other").await;
    let image = world.push(&octocat, "octocat/app", "1").await;
    let attached = |suffix: &str| format!("sha256-{}{suffix}", image.digest.hex());
    let (sig, sbom) = (attached(".sig"), attached(".sbom"));
    world.push(&octocat, "octocat/app", &sig).await;
    // What went alone before, comes alone.
    world.push(&octocat, "octocat/app", &sbom).await;
    delete_version(&world, &octocat, "octocat/app", &tag(&sbom))
        .await
        .unwrap();
    world.clock.advance(std::time::Duration::from_secs(1));
    let options = DeleteOptions {
        cascade: Cascade::Referrers,
        ..DeleteOptions::default()
    };
    let version = tag("1");
    let deleted = world
        .registry
        .delete_version(&octocat, &path, &version, options);
    assert_eq!(deleted.await.unwrap().deleted().len(), 2);
    let version = VersionRef::Digest(image.digest.clone());
    let back = world.registry.restore_version(&octocat, &path, &version);
    assert_eq!(back.await.unwrap().tags(), ["1".to_owned(), sig]);
}

#[tokio::test]
async fn a_deleted_version_takes_its_tags_and_brings_those_back_that_are_free() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let path = container("octocat/app");
    let image = world.push(&octocat, "octocat/app", "1").await;
    world.push(&octocat, "octocat/app", "other").await;
    let version = VersionRef::Digest(image.digest.clone());
    let content = world.content(&octocat, "octocat/app", "1").await;
    world
        .put(&octocat, "octocat/app", Some("1.0"), MANIFEST, content)
        .await
        .unwrap();
    delete_version(&world, &octocat, "octocat/app", &version)
        .await
        .unwrap();
    for gone in ["1", "1.0", image.digest.as_str()] {
        assert!(
            world.pull(&octocat, "octocat/app", gone).await.is_err(),
            "{gone}"
        );
    }
    assert!(matches!(
        blob(&world.registry, &octocat, "octocat/app", &image.layer).await,
        Err(Error::BlobUnknown(_))
    ));
    let deleted = versions_of(&world, &octocat, "octocat/app", VersionState::Deleted)
        .await
        .unwrap();
    assert_eq!(deleted.len(), 1);
    let newer = world.push(&octocat, "octocat/app", "1.0").await;
    let back = world
        .registry
        .restore_version(&octocat, &path, &version)
        .await
        .unwrap();
    assert_eq!(back.tags(), ["1"], "`1.0` is another version's meanwhile");
    assert_eq!(
        world.pull(&octocat, "octocat/app", "1").await.unwrap(),
        image.digest
    );
    assert_eq!(
        world.pull(&octocat, "octocat/app", "1.0").await.unwrap(),
        newer.digest
    );
    assert!(
        blob(&world.registry, &octocat, "octocat/app", &image.layer)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn what_an_index_needs_stays_and_comes_back_with_it() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let path = container("octocat/app");
    let image = world.push(&octocat, "octocat/app", "amd64").await;
    let index = world
        .push_index(&octocat, "octocat/app", "1", &[&image])
        .await;
    let child = VersionRef::Digest(image.digest.clone());
    let needed = world
        .registry
        .delete_version(&octocat, &path, &child, DeleteOptions::REFUSE)
        .await;
    assert!(matches!(needed, Err(Error::StillNeeded { by, .. }) if by == index));
    delete_version(&world, &octocat, "octocat/app", &tag("1"))
        .await
        .unwrap();
    world.push(&octocat, "octocat/app", "other").await;
    delete_version(&world, &octocat, "octocat/app", &child)
        .await
        .unwrap();
    let parent = VersionRef::Digest(index.clone());
    world
        .registry
        .restore_version(&octocat, &path, &parent)
        .await
        .unwrap();
    assert_eq!(
        world.pull(&octocat, "octocat/app", "1").await.unwrap(),
        index
    );
    let image = world
        .pull(&octocat, "octocat/app", image.digest.as_str())
        .await;
    assert!(
        image.is_ok(),
        "an index without its children would be of no use"
    );
}

#[tokio::test]
async fn the_last_tagged_version_goes_with_the_package_only() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    world.push(&octocat, "octocat/app", "1").await;
    let last = delete_version(&world, &octocat, "octocat/app", &tag("1")).await;
    assert!(matches!(last, Err(Error::Undeletable(text)) if text.contains("last tagged version")));
    world.push(&octocat, "octocat/app", "2").await;
    delete_version(&world, &octocat, "octocat/app", &tag("1"))
        .await
        .unwrap();
}

#[tokio::test]
async fn only_admins_delete_and_see_the_bin() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let hubot = world.person("hubot").await;
    let path = container("octocat/app");
    world.push(&octocat, "octocat/app", "1").await;
    world.push(&octocat, "octocat/app", "2").await;
    let to = GrantTo::User(crate::name("hubot"));
    let role = naru_model::Role::Write;
    world
        .registry
        .grant_package(&Caller::system(), &path, &to, role)
        .await
        .unwrap();
    let delete = delete_version(&world, &hubot, "octocat/app", &tag("1")).await;
    assert!(matches!(delete, Err(Error::Refused(_))));
    let listed = versions_of(&world, &hubot, "octocat/app", VersionState::Deleted).await;
    assert!(matches!(listed, Err(Error::Refused(_))));
}
