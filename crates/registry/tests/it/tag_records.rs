//! Tags one by one: listed, moved, with where they were.

use std::time::Duration;

use naru_model::{TokenKind, VersionState};
use naru_oci::Tag;
use naru_registry::tags::{TagOrder, TagPlace, TagReason, WantedTags};
use naru_registry::versions::VersionRef;
use naru_registry::versions::delete::DeleteOptions;
use naru_registry::{Caller, Cursor, Error};

use crate::World;
use crate::kit::{delete_version, versions_of};
use crate::world::container;

fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

async fn listed(world: &World, caller: &Caller, wanted: &WantedTags) -> (Vec<String>, bool) {
    let path = container("octocat/app");
    let found = world.registry.list_tag_records(caller, &path, wanted).await;
    let found = found.unwrap();
    let names = found.tags.into_iter().map(|tag| tag.name).collect();
    (names, found.more)
}

#[tokio::test]
async fn the_tag_that_moved_last_comes_first_and_pages_tell_each_once() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    for name in ["b", "a", "c"] {
        world.push(&octocat, "octocat/app", name).await;
        world.clock.advance(Duration::from_secs(1));
    }
    // Pushed again, `b` is the newest.
    let again = "{\"again\":\"1\"}";
    let pushed = world.push_image(&octocat, "octocat/app", "b", again).await;
    pushed.unwrap();
    let all = WantedTags {
        limit: 10,
        ..WantedTags::default()
    };
    assert_eq!(listed(&world, &octocat, &all).await.0, ["b", "c", "a"]);
    let by_name = WantedTags {
        order: TagOrder::Name,
        ..all.clone()
    };
    assert_eq!(listed(&world, &octocat, &by_name).await.0, ["a", "b", "c"]);
    let mut seen = Vec::new();
    for skip in 0..3 {
        let page = WantedTags {
            limit: 1,
            skip,
            ..all.clone()
        };
        let (names, more) = listed(&world, &octocat, &page).await;
        assert_eq!(more, skip < 2);
        seen.extend(names);
    }
    assert_eq!(seen, ["b", "c", "a"]);
    // And by cursor, also where several moved at the same moment.
    for name in ["d", "e"] {
        world.push(&octocat, "octocat/app", name).await;
    }
    let path = container("octocat/app");
    for (order, expected) in [
        (TagOrder::Newest, ["b", "d", "e", "c", "a"]),
        (TagOrder::Name, ["a", "b", "c", "d", "e"]),
    ] {
        let mut wanted = WantedTags {
            order,
            limit: 1,
            ..WantedTags::default()
        };
        let mut seen = Vec::new();
        while let Some(tag) = {
            let found = world.registry.list_tag_records(&octocat, &path, &wanted);
            found.await.unwrap().tags.pop()
        } {
            wanted.after = Some(TagPlace::from(&tag));
            seen.push(tag.name);
        }
        assert_eq!(seen, expected);
    }
    // What has a meaning in patterns has none here.
    for (holding, count) in [("%", 0), ("_", 0), ("B", 1), ("*", 0)] {
        let filtered = WantedTags {
            holding: Some(holding.to_owned()),
            ..all.clone()
        };
        assert_eq!(
            listed(&world, &octocat, &filtered).await.0.len(),
            count,
            "{holding}"
        );
    }
}

#[tokio::test]
async fn a_tag_puts_a_withdrawn_version_back_into_the_lists() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let path = container("octocat/app");
    let child = world.push(&octocat, "octocat/app", "amd64").await;
    world
        .push_index(&octocat, "octocat/app", "1", &[&child])
        .await;
    let amd64 = tag("amd64");
    let found = world.registry.tag_record(&octocat, &path, &amd64);
    let version = found.await.unwrap().version;
    let withdrawn = VersionRef::Id(version);
    delete_version(&world, &octocat, "octocat/app", &withdrawn)
        .await
        .unwrap();
    let listed = async || {
        let listed = versions_of(&world, &octocat, "octocat/app", VersionState::Listed);
        listed.await.unwrap().len()
    };
    assert_eq!(listed().await, 1);
    world
        .registry
        .move_tag(&octocat, &path, &tag("latest"), version)
        .await
        .unwrap();
    assert_eq!(listed().await, 2);
}

#[tokio::test]
async fn a_tag_points_only_at_versions_of_its_package_that_are_there() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let path = container("octocat/app");
    world.push(&octocat, "octocat/app", "1").await;
    world.push(&octocat, "octocat/app", "2").await;
    world.push(&octocat, "octocat/other", "1").await;
    let other = container("octocat/other");
    let version = |found: naru_registry::tags::TagRecord| found.version;
    let record = async |path, name| {
        let found = world.registry.tag_record(&octocat, path, &tag(name)).await;
        version(found.unwrap())
    };
    let (one, two) = (record(&path, "1").await, record(&path, "2").await);
    let foreign = record(&other, "1").await;
    let point = async |version| {
        world
            .registry
            .move_tag(&octocat, &path, &tag("latest"), version)
            .await
    };
    assert!(matches!(point(foreign).await, Err(Error::Invalid(_))));
    assert_eq!(point(one).await.unwrap().version, one);
    assert_eq!(point(two).await.unwrap().version, two);
    let digest = world.pull(&octocat, "octocat/app", "latest").await.unwrap();
    assert_eq!(
        digest,
        world.pull(&octocat, "octocat/app", "2").await.unwrap()
    );
    let deleted = VersionRef::Id(one);
    world
        .registry
        .delete_version(&octocat, &path, &deleted, DeleteOptions::default())
        .await
        .unwrap();
    assert!(matches!(point(one).await, Err(Error::Invalid(_))));
    assert_eq!(record(&path, "latest").await, two);
}

#[tokio::test]
async fn the_history_says_where_it_was_when_and_by_whom() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let path = container("octocat/app");
    let first = world.push(&octocat, "octocat/app", "1").await;
    world.push(&octocat, "octocat/app", "2").await;
    world.clock.advance(Duration::from_secs(1));
    world
        .registry
        .remove_tag(&octocat, &path, &tag("1"))
        .await
        .unwrap();
    let history = async |name, cursor| {
        let tag = tag(name);
        world
            .registry
            .tag_history(&octocat, &path, &tag, cursor)
            .await
    };
    let found = history("1", Cursor::first(10)).await.unwrap();
    assert!(found.names_repositories);
    let changes = found.changes.items;
    let reasons: Vec<_> = changes.iter().map(|change| change.reason).collect();
    assert_eq!(reasons, [TagReason::Delete, TagReason::Push]);
    assert!(changes[0].at > changes[1].at);
    assert_eq!(changes[1].digest.as_ref(), Some(&first.digest));
    for change in &changes {
        let login = change.user.as_ref().map(naru_model::AccountName::as_str);
        assert_eq!(
            (login, change.token),
            (Some("octocat"), Some(TokenKind::Personal))
        );
    }
    let page = history("1", Cursor::first(1)).await.unwrap().changes;
    let next = history("1", page.next.unwrap()).await.unwrap().changes;
    assert_eq!((next.items.len(), next.next), (1, None));
    assert_eq!(next.items[0], changes[1]);
    let never = history("never", Cursor::first(1)).await;
    assert!(matches!(never, Err(Error::ManifestUnknown { .. })));
}
