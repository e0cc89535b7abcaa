//! Many versions deleted and restored at once.

use naru_model::{VersionId, VersionState};
use naru_registry::versions::VersionRef;
use naru_registry::versions::bulk::{BulkDeletion, MOST, Selection, VersionFilter};
use naru_registry::versions::delete::DeleteOptions;
use naru_registry::versions::plan::{Fate, Obstacle};
use naru_registry::{Caller, Error};

use crate::World;
use crate::graph::{findings, image};
use crate::kit::{APP, DAY, delete_version, push_artifact, versions_of};
use crate::world::{Image, container};

async fn delete(world: &World, caller: &Caller, selection: &Selection) -> BulkDeletion {
    let path = container(APP);
    let options = DeleteOptions::default();
    let registry = &world.registry;
    let preview = registry.preview_delete_versions(caller, &path, selection, options);
    let preview = preview.await.unwrap();
    let done = registry.delete_versions(caller, &path, selection, options);
    let done = done.await.unwrap();
    let sorted = |done: &BulkDeletion| {
        let mut fates: Vec<_> = done.deletion.versions.iter().map(|v| v.id).collect();
        fates.sort_unstable();
        let mut unknown = done.unknown.clone();
        unknown.sort_unstable();
        (fates, unknown, done.more)
    };
    assert_eq!(
        sorted(&preview),
        sorted(&done),
        "a preview says what happens"
    );
    done
}

async fn listed(world: &World, caller: &Caller) -> Vec<Vec<String>> {
    let listed = versions_of(world, caller, APP, VersionState::Listed).await;
    listed
        .unwrap()
        .into_iter()
        .map(|listed| listed.tags)
        .collect()
}

async fn ids(world: &World, caller: &Caller, state: VersionState) -> Vec<VersionId> {
    let found = versions_of(world, caller, APP, state).await.unwrap();
    found.into_iter().map(|found| found.version.id).collect()
}

fn untagged() -> Selection {
    Selection::Filter(VersionFilter {
        tagged: Some(false),
        ..VersionFilter::default()
    })
}

/// Five tagged images, a day apart.
async fn five_days(world: &World, caller: &Caller) {
    for tag in ["1", "2", "3", "4", "5"] {
        push_artifact(world, caller, APP, tag, &[tag.as_bytes()])
            .await
            .unwrap();
        world.clock.advance(DAY);
    }
}

#[tokio::test]
async fn everything_untagged_goes_but_what_a_tag_reaches() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let child = world.push(&octocat, APP, "amd64").await;
    world.push_index(&octocat, APP, "1", &[&child]).await;
    world.push(&octocat, APP, "amd64").await;
    let loose = image(&world, &octocat, APP, "loose").await;
    let moved = world.push_image(&octocat, APP, "amd64", "{\"a\":\"b\"}");
    moved.await.unwrap();
    let done = delete(&world, &octocat, &untagged()).await;
    let fates = done.deletion.versions.iter();
    let fates: Vec<_> = fates
        .map(|v| (&v.digest, v.fate == Fate::Deleted))
        .collect();
    assert!(fates.contains(&(&loose, true)) && fates.contains(&(&child.digest, false)));
    assert_eq!(listed(&world, &octocat).await, [["amd64"], ["1"]]);
    let Image { digest, .. } = child;
    assert!(world.pull(&octocat, APP, digest.as_str()).await.is_ok());
}

#[tokio::test]
async fn a_filter_takes_by_age_and_keeps_the_newest() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    five_days(&world, &octocat).await;
    let filter = |days: u32, keep_newest| {
        Selection::Filter(VersionFilter {
            older_than: Some(DAY * days),
            keep_newest,
            ..VersionFilter::default()
        })
    };
    delete(&world, &octocat, &filter(3, 1)).await;
    assert_eq!(listed(&world, &octocat).await, [["5"], ["4"], ["3"], ["2"]]);
    delete(&world, &octocat, &filter(2, 0)).await;
    assert_eq!(listed(&world, &octocat).await, [["5"], ["4"]]);
}

#[tokio::test]
async fn the_newest_tagged_version_is_spared_and_told() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    five_days(&world, &octocat).await;
    let everything = Selection::Filter(VersionFilter::default());
    let done = delete(&world, &octocat, &everything).await;
    let spared: Vec<_> = done
        .deletion
        .versions
        .iter()
        .filter(|version| version.fate == Fate::Refused(Obstacle::LastTagged))
        .map(|version| version.tags.clone())
        .collect();
    assert_eq!(spared, [["5"]]);
    assert_eq!(listed(&world, &octocat).await, [["5"]]);
}

#[tokio::test]
async fn what_is_not_there_is_told_and_the_others_go() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    five_days(&world, &octocat).await;
    let all = ids(&world, &octocat, VersionState::Listed).await;
    let gone = VersionRef::Id(*all.get(4).unwrap());
    delete_version(&world, &octocat, APP, &gone).await.unwrap();
    let absent = VersionId::new(987_654);
    let wanted = vec![all[3], absent, all[4], all[3]];
    let done = delete(&world, &octocat, &Selection::Ids(wanted)).await;
    assert_eq!(done.deletion.deleted(), [all[3]]);
    let mut unknown = done.unknown;
    unknown.sort_unstable();
    assert_eq!(unknown, [all[4], absent]);
}

#[tokio::test]
async fn what_was_deleted_at_once_comes_back_at_once() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    five_days(&world, &octocat).await;
    let before = listed(&world, &octocat).await;
    delete(
        &world,
        &octocat,
        &Selection::Filter(VersionFilter::default()),
    )
    .await;
    let path = container(APP);
    let everything = Selection::Filter(VersionFilter::default());
    let registry = &world.registry;
    let preview = registry.preview_restore_versions(&octocat, &path, &everything);
    assert_eq!(preview.await.unwrap().restoration.versions.len(), 4);
    assert_eq!(listed(&world, &octocat).await.len(), 1, "nothing changed");
    let removed = ids(&world, &octocat, VersionState::Deleted).await;
    let removed = Selection::Ids(removed);
    let done = registry.restore_versions(&octocat, &path, &removed);
    assert_eq!(done.await.unwrap().restoration.tags(), ["4", "3", "2", "1"]);
    assert_eq!(listed(&world, &octocat).await, before);
    assert_eq!(findings(&world).await, []);
}

#[tokio::test]
async fn a_request_takes_so_many_and_says_that_there_are_more() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    push_artifact(&world, &octocat, APP, "kept", &[b"kept"])
        .await
        .unwrap();
    let first = crate::kit::manifest_with(&[b"kept"], ",\"annotations\":{\"number\":\"0\"}");
    for number in 0..=MOST {
        let number = format!("\"number\":\"{number}\"");
        let content = first.replace("\"number\":\"0\"", &number);
        let pushed = world.put(&octocat, APP, None, crate::world::MANIFEST, content);
        pushed.await.unwrap();
    }
    let done = delete(&world, &octocat, &untagged()).await;
    assert_eq!((done.deletion.deleted().len(), done.more), (MOST, true));
    let done = delete(&world, &octocat, &untagged()).await;
    assert_eq!((done.deletion.deleted().len(), done.more), (1, false));
}

#[tokio::test]
async fn only_administrators_delete_and_restore_many() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let hubot = world.person("hubot").await;
    world.push(&octocat, APP, "1").await;
    let path = container(APP);
    let registry = &world.registry;
    let options = DeleteOptions::default();
    for refused in [
        registry
            .delete_versions(&hubot, &path, &untagged(), options)
            .await
            .err(),
        registry
            .preview_delete_versions(&hubot, &path, &untagged(), options)
            .await
            .err(),
        registry
            .restore_versions(&hubot, &path, &untagged())
            .await
            .err(),
    ] {
        assert!(matches!(refused, Some(Error::Refused(_))), "{refused:?}");
    }
}
