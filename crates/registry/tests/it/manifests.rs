//! Manifests and tags: complete or refused, never stale, held as long as an index needs them.

use naru_model::{PackagePath, PackagePermission, PackageType, Visibility};
use naru_oci::{Digest, Reference, Tag};
use naru_registry::garbage_collection::Sweep;
use naru_registry::manifests::PutManifest;
use naru_registry::versions::VersionRef;
use naru_registry::{Caller, Error, Result, Settings};
use std::sync::Arc;

use crate::World;
use crate::kit::{
    APP, DAY, HOUR, collect, delete_manifest, digest_of, eventually, is_unknown, manifest_of,
    manifest_with, mount, push_artifact, push_blob, put_manifest, readable, stat,
};
use crate::world::{INDEX, MANIFEST, any, blob, container, descriptor, repository};

async fn sparse() -> World {
    World::with(Settings {
        sparse_indexes: true,
        ..Settings::default()
    })
    .await
}

/// An index of manifests that need not be there.
fn index_of(children: &[&str]) -> String {
    let entries: Vec<String> = children
        .iter()
        .map(|child| descriptor(MANIFEST, &digest_of(child.as_bytes()), child.len()))
        .collect();
    let entries = entries.join(",");
    format!("{{\"schemaVersion\":2,\"mediaType\":\"{INDEX}\",\"manifests\":[{entries}]}}")
}

async fn put_index(world: &World, caller: &Caller, tag: &str, index: String) -> Result<Digest> {
    world.put(caller, APP, Some(tag), INDEX, index).await
}

#[tokio::test]
async fn a_manifest_whose_content_is_missing_is_refused_and_nothing_of_it_stays() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    push_blob(&world, &octocat, APP, b"{}").await;
    let refused = put_manifest(&world, &octocat, APP, "1", manifest_of(&[b"missing"])).await;
    let missing = vec![digest_of(b"missing")];
    assert!(matches!(refused, Err(Error::ManifestBlobUnknown(digests)) if digests == missing));
    let index = index_of(&[&manifest_of(&[b"missing"])]);
    let refused = put_index(&world, &octocat, "1", index).await;
    assert!(matches!(refused, Err(Error::ManifestBlobUnknown(_))));
    let lied = manifest_of(&[b"four"]).replace("\"size\":4", "\"size\":5");
    push_blob(&world, &octocat, APP, b"four").await;
    let refused = put_manifest(&world, &octocat, APP, "1", lied).await;
    assert!(matches!(refused, Err(Error::SizeInvalid { .. })));
    assert!(world.pull(&octocat, APP, "1").await.is_err());
}

#[tokio::test]
async fn a_gap_is_filled_by_a_later_upload_and_held_from_then_on() {
    let world = sparse().await;
    let octocat = world.person("octocat").await;
    push_blob(&world, &octocat, APP, b"{}").await;
    put_manifest(&world, &octocat, APP, "1", manifest_of(&[b"late"]))
        .await
        .unwrap();
    assert!(is_unknown(
        &stat(&world.registry, &octocat, APP, &digest_of(b"late")).await
    ));
    world.clock.advance(DAY);
    let late = push_blob(&world, &octocat, APP, b"late").await;
    world.clock.advance(90 * DAY);
    collect(&world, Sweep::Full).await;
    assert_eq!(
        blob(&world.registry, &octocat, APP, &late).await.unwrap(),
        b"late"[..]
    );
}

#[tokio::test]
async fn a_gap_is_filled_by_a_mount_and_held_from_then_on() {
    let world = sparse().await;
    let octocat = world.person("octocat").await;
    push_blob(&world, &octocat, APP, b"{}").await;
    put_manifest(&world, &octocat, APP, "1", manifest_of(&[b"late"]))
        .await
        .unwrap();
    let late = push_blob(&world, &octocat, "octocat/other", b"late").await;
    assert!(mount(&world.registry, &octocat, APP, &late, Some("octocat/other")).await);
    world.clock.advance(90 * DAY);
    collect(&world, Sweep::Full).await;
    assert_eq!(
        blob(&world.registry, &octocat, APP, &late).await.unwrap(),
        b"late"[..]
    );
}

#[tokio::test]
async fn a_gap_is_filled_by_a_later_push_of_the_child_which_is_then_needed() {
    let world = sparse().await;
    let octocat = world.person("octocat").await;
    let child = manifest_of(&[b"child"]);
    let index = put_index(&world, &octocat, "index", index_of(&[&child]))
        .await
        .unwrap();
    let pushed = push_artifact(&world, &octocat, APP, "child", &[b"child"])
        .await
        .unwrap();
    let needed = delete_manifest(&world, &octocat, APP, &pushed).await;
    assert!(matches!(needed, Err(Error::StillNeeded { by, .. }) if by == index));
}

/// The gap may be that of a manifest in the bin: filling it must not make the blob unfit for the
/// push that brought it.
#[tokio::test]
async fn a_blob_that_fills_a_gap_in_the_bin_is_still_promised_to_its_push() {
    let world = sparse().await;
    let octocat = world.person("octocat").await;
    push_blob(&world, &octocat, APP, b"{}").await;
    let first = put_manifest(&world, &octocat, APP, "1", manifest_of(&[b"late"]))
        .await
        .unwrap();
    delete_manifest(&world, &octocat, APP, &first)
        .await
        .unwrap();
    push_artifact(&world, &octocat, APP, "2", &[b"late", b"more"])
        .await
        .unwrap();
    let late = digest_of(b"late");
    assert_eq!(
        blob(&world.registry, &octocat, APP, &late).await.unwrap(),
        b"late"[..]
    );
}

#[tokio::test]
async fn a_sparse_manifest_that_comes_back_from_the_bin_does_not_bring_back_what_was_deleted() {
    let world = sparse().await;
    let octocat = world.person("octocat").await;
    let first = push_artifact(&world, &octocat, APP, "1", &[b"secret"])
        .await
        .unwrap();
    delete_manifest(&world, &octocat, APP, &first)
        .await
        .unwrap();
    world.clock.advance(25 * HOUR);
    collect(&world, Sweep::Full).await;
    put_manifest(&world, &octocat, APP, "1", manifest_of(&[b"secret"]))
        .await
        .unwrap();
    let secret = digest_of(b"secret");
    assert!(is_unknown(
        &stat(&world.registry, &octocat, APP, &secret).await
    ));
    push_blob(&world, &octocat, APP, b"secret").await;
    world.clock.advance(90 * DAY);
    collect(&world, Sweep::Full).await;
    assert_eq!(
        blob(&world.registry, &octocat, APP, &secret).await.unwrap(),
        b"secret"[..]
    );
}

#[tokio::test]
async fn what_an_index_of_an_index_needs_is_deleted_from_the_top() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let image = world.push(&octocat, APP, "amd64").await;
    let inner = world.push_index(&octocat, APP, "inner", &[&image]).await;
    let content = world.content(&octocat, APP, "inner").await;
    let entry = descriptor(INDEX, &inner, content.len());
    let outer =
        format!("{{\"schemaVersion\":2,\"mediaType\":\"{INDEX}\",\"manifests\":[{entry}]}}");
    let outer = put_index(&world, &octocat, "outer", outer).await.unwrap();
    for (kept, by) in [(&image.digest, &inner), (&inner, &outer)] {
        let needed = delete_manifest(&world, &octocat, APP, kept).await;
        assert!(matches!(needed, Err(Error::StillNeeded { by: found, .. }) if found == *by));
    }
    for digest in [&outer, &inner, &image.digest] {
        delete_manifest(&world, &octocat, APP, digest)
            .await
            .unwrap();
        let again = delete_manifest(&world, &octocat, APP, digest).await;
        assert!(matches!(again, Err(Error::ManifestUnknown { .. })));
    }
    // Pushed again as it was, it needs its children again.
    let again =
        format!("{{\"schemaVersion\":2,\"mediaType\":\"{INDEX}\",\"manifests\":[{entry}]}}");
    let refused = put_index(&world, &octocat, "outer", again).await;
    assert!(matches!(refused, Err(Error::ManifestBlobUnknown(missing)) if missing == [inner]));
}

#[tokio::test]
async fn a_tag_that_moves_is_seen_at_once_and_by_digest_nothing_changes() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let mut digests = Vec::new();
    for number in 0..20_u8 {
        let layer = [number];
        let digest = push_artifact(&world, &octocat, APP, "1", &[&layer])
            .await
            .unwrap();
        assert_eq!(world.pull(&octocat, APP, "1").await.unwrap(), digest);
        digests.push(digest);
    }
    for digest in &digests {
        assert_eq!(
            world.pull(&octocat, APP, digest.as_str()).await.unwrap(),
            *digest
        );
    }
    let last = digests.last().unwrap();
    delete_manifest(&world, &octocat, APP, last).await.unwrap();
    assert!(world.pull(&octocat, APP, "1").await.is_err());
    assert!(world.pull(&octocat, APP, last.as_str()).await.is_err());
    let version = VersionRef::Digest(last.clone());
    let path = container(APP);
    world
        .registry
        .restore_version(&octocat, &path, &version)
        .await
        .unwrap();
    assert_eq!(world.pull(&octocat, APP, "1").await.unwrap(), *last);
    let delete = PackagePermission::Delete;
    let package = world
        .registry
        .authorize(&octocat, &path, delete)
        .await
        .unwrap();
    let tag: Tag = "1".parse().unwrap();
    world
        .registry
        .delete_tag(&octocat, &package, &tag)
        .await
        .unwrap();
    assert!(world.pull(&octocat, APP, "1").await.is_err());
    assert!(world.pull(&octocat, APP, last.as_str()).await.is_ok());
}

/// A client that goes away while its push is being stored must not leave others with the old image.
#[tokio::test]
async fn what_is_remembered_is_true_also_after_pushes_whose_clients_went_away() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let other = world.another().await;
    push_artifact(&world, &octocat, APP, "1", &[])
        .await
        .unwrap();
    let mut pushed = 0;
    for polls in 0..60 {
        let text = format!(",\"annotations\":{{\"number\":\"{polls}\"}}");
        let content = manifest_with(&[], &text);
        let digest = digest_of(content.as_bytes());
        // Dropped at another await each time, also in the middle of the commit.
        drop_after(polls, put_manifest(&world, &octocat, APP, "1", content)).await;
        world.pull(&octocat, APP, "1").await.unwrap();
        eventually("what is remembered is what is stored", async || {
            let stored = crate::world::pull(&other, &octocat, APP, "1")
                .await
                .unwrap();
            other.changed_elsewhere();
            world.pull(&octocat, APP, "1").await.unwrap() == stored
        })
        .await;
        pushed += usize::from(world.pull(&octocat, APP, "1").await.unwrap() == digest);
    }
    assert!((1..60).contains(&pushed), "{pushed} went through");
}

/// Polls a future so many times, then drops it.
async fn drop_after<T>(polls: usize, future: impl Future<Output = T>) {
    let mut future = std::pin::pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return std::task::Poll::Ready(());
        }
        left -= 1;
        future.as_mut().poll(context).map(drop)
    })
    .await;
}

#[tokio::test]
async fn readers_and_writers_at_once_never_see_an_older_image_than_before() {
    let world = Arc::new(World::new().await);
    let octocat = world.person("octocat").await;
    let content =
        |number: u64| manifest_with(&[], &format!(",\"annotations\":{{\"n\":\"{number}\"}}"));
    let numbers: Arc<std::collections::HashMap<Digest, u64>> = Arc::new(
        (0..60)
            .map(|number| (digest_of(content(number).as_bytes()), number))
            .collect(),
    );
    push_blob(&world, &octocat, APP, b"{}").await;
    put_manifest(&world, &octocat, APP, "1", content(0))
        .await
        .unwrap();
    let reader = || {
        let (world, octocat, numbers) = (Arc::clone(&world), octocat.clone(), Arc::clone(&numbers));
        tokio::spawn(async move {
            let mut seen = 0;
            while seen < 59 {
                let digest = world.pull(&octocat, APP, "1").await.unwrap();
                let number = numbers[&digest];
                assert!(number >= seen, "{number} after {seen}");
                seen = number;
                tokio::task::yield_now().await;
            }
        })
    };
    let readers = [reader(), reader(), reader()];
    for number in 1..60 {
        put_manifest(&world, &octocat, APP, "1", content(number))
            .await
            .unwrap();
        let seen = world.pull(&octocat, APP, "1").await.unwrap();
        assert_eq!(numbers[&seen], number, "whoever pushed sees it");
    }
    for reader in readers {
        reader.await.unwrap();
    }
}

/// Of the two, in whichever order, one is refused: a live index never names what is in the bin.
#[tokio::test]
async fn an_index_is_pushed_or_its_child_is_deleted_but_not_both() {
    let world = Arc::new(World::new().await);
    let octocat = world.person("octocat").await;
    for number in 0..20_u8 {
        let layer = [number];
        let child = push_artifact(&world, &octocat, APP, "child", &[&layer])
            .await
            .unwrap();
        let push = tokio::spawn({
            let (world, octocat) = (Arc::clone(&world), octocat.clone());
            let index = index_of(&[&manifest_of(&[&layer])]);
            async move { put_index(&world, &octocat, "index", index).await }
        });
        let delete = tokio::spawn({
            let (world, octocat, child) = (Arc::clone(&world), octocat.clone(), child.clone());
            async move { delete_manifest(&world, &octocat, APP, &child).await }
        });
        let (push, delete) = (push.await.unwrap(), delete.await.unwrap());
        assert!(push.is_ok() != delete.is_ok(), "{push:?} {delete:?}");
        let pulled = world.pull(&octocat, APP, child.as_str()).await;
        assert_eq!(pulled.is_ok(), push.is_ok());
    }
}

#[tokio::test]
async fn opposite_pushes_at_once_do_not_stand_in_each_others_way() {
    let world = Arc::new(World::new().await);
    let octocat = world.person("octocat").await;
    let layers: Vec<Vec<u8>> = (0..20_u8).map(|number| vec![number, 1]).collect();
    push_blob(&world, &octocat, APP, b"{}").await;
    for layer in &layers {
        push_blob(&world, &octocat, APP, layer).await;
    }
    for round in 0..10 {
        let pushes = (0..6).map(|number| {
            let (world, octocat, mut layers) =
                (Arc::clone(&world), octocat.clone(), layers.clone());
            tokio::spawn(async move {
                layers.rotate_left(number * 3);
                if number % 2 == 0 {
                    layers.reverse();
                }
                let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
                let more = format!(",\"annotations\":{{\"round\":\"{round} {number}\"}}");
                let mut tags: Vec<Tag> = ["a", "b", "c"].map(|tag| tag.parse().unwrap()).into();
                tags.rotate_left(number % 3);
                let content = manifest_with(&layers, &more);
                let put = PutManifest {
                    reference: Reference::Digest(digest_of(content.as_bytes())),
                    tags,
                    content_type: Some(MANIFEST.to_owned()),
                    content: content.into(),
                };
                let target = crate::kit::target(&world.registry, &octocat, APP).await;
                world.registry.put_manifest(&octocat, &target, put).await
            })
        });
        let mut pushed = Vec::new();
        for push in pushes.collect::<Vec<_>>() {
            pushed.push(push.await.unwrap().unwrap().digest);
        }
        let mut tagged = Vec::new();
        for tag in ["a", "b", "c"] {
            tagged.push(world.pull(&octocat, APP, tag).await.unwrap());
        }
        tagged.dedup();
        assert_eq!(tagged.len(), 1, "all three tags are the last push's");
        assert!(pushed.contains(&tagged[0]));
    }
}

#[tokio::test]
async fn on_the_legacy_registry_a_published_tag_stays_what_it_is() {
    let world = Arc::new(World::new().await);
    world.user("octocat").await;
    let pat = world
        .pat("octocat", "write:packages,delete:packages,repo")
        .await;
    let octocat = world.caller(&pat).await;
    world
        .registry
        .create_repository(
            &Caller::system(),
            naru_registry::repositories::NewRepository {
                path: repository("octocat/hello"),
                visibility: Visibility::Private,
                description: None,
                forge_url: None,
                homepage: None,
            },
        )
        .await
        .unwrap();
    let path =
        PackagePath::new(PackageType::Docker, &"octocat/hello/app".parse().unwrap()).unwrap();
    let put = async |tag: &str, number: u8| {
        let target = world.registry.authorize_push(&octocat, &path).await?;
        world.upload(&octocat, &target, b"{}").await?;
        let put = PutManifest {
            reference: tag.parse().unwrap(),
            tags: Vec::new(),
            content_type: Some(MANIFEST.to_owned()),
            content: manifest_with(&[], &format!(",\"annotations\":{{\"n\":\"{number}\"}}")).into(),
        };
        world.registry.put_manifest(&octocat, &target, put).await
    };
    put("1.0", 1).await.unwrap();
    put("1.0", 1).await.unwrap();
    let moved = put("1.0", 2).await;
    assert!(matches!(moved, Err(Error::TagProtected(_))));
    put("latest", 1).await.unwrap();
    put("latest", 2).await.unwrap();
    let delete = PackagePermission::Delete;
    let package = world
        .registry
        .authorize(&octocat, &path, delete)
        .await
        .unwrap();
    let tag: Tag = "1.0".parse().unwrap();
    let removed = world.registry.delete_tag(&octocat, &package, &tag).await;
    assert!(matches!(removed, Err(Error::TagProtected(_))));
    // Two who publish one version at once: one does.
    for number in 0..10_u8 {
        let tag = format!("2.{number}");
        let (one, two) = tokio::join!(put(&tag, 100 + number), put(&tag, 200 + number));
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    }
}

/// Pushes a referrer without layers. `more` goes into its annotations.
async fn refer(world: &World, caller: &Caller, subject: &Digest, tag: &str, more: &str) -> Digest {
    let subject = descriptor(MANIFEST, subject, 7);
    let text = format!(",\"subject\":{subject},\"annotations\":{{\"more\":\"{more}\"}}");
    put_manifest(world, caller, APP, tag, manifest_with(&[], &text))
        .await
        .unwrap()
}

/// All referrers, page by page, with the number of pages.
async fn referrers(world: &World, caller: &Caller, subject: &Digest) -> (Vec<Digest>, usize) {
    let package = readable(&world.registry, caller, APP).await;
    let (mut found, mut pages, mut after) = (Vec::new(), 0, None);
    loop {
        let page = world
            .registry
            .referrers(&package, subject, None, after.as_ref())
            .await
            .unwrap();
        let length: usize = page
            .descriptors
            .iter()
            .map(|descriptor| serde_json::to_vec(descriptor).unwrap().len())
            .sum();
        assert!(length < 4 << 20, "a page of {length} bytes");
        found.extend(
            page.descriptors
                .into_iter()
                .map(|descriptor| descriptor.digest),
        );
        pages += 1;
        after = page.next;
        if after.is_none() {
            return (found, pages);
        }
    }
}

#[tokio::test]
async fn referrers_come_in_pages_that_clients_can_take_whatever_their_annotations() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let subject = push_artifact(&world, &octocat, APP, "1", &[b"subject"])
        .await
        .unwrap();
    let mut pushed = Vec::new();
    for number in 0..9_u8 {
        let more = char::from(b'a' + number).to_string().repeat(900_000);
        pushed.push(refer(&world, &octocat, &subject, &format!("r{number}"), &more).await);
    }
    let (found, pages) = referrers(&world, &octocat, &subject).await;
    assert_eq!((found, pages), (pushed, 5), "two on each page");
}

#[tokio::test]
async fn referrers_listed_in_the_fallback_tag_are_folded_in_once() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let subject = push_artifact(&world, &octocat, APP, "1", &[b"subject"])
        .await
        .unwrap();
    let fallback = naru_oci::FallbackTag::of(&subject);
    let native = refer(&world, &octocat, &subject, "native", "x").await;
    let mut large = vec![native.clone()];
    for number in 0..3_u8 {
        let more = char::from(b'a' + number).to_string().repeat(900_000);
        large.push(refer(&world, &octocat, &subject, &format!("l{number}"), &more).await);
    }
    let old = push_artifact(&world, &octocat, APP, "old", &[b"old"])
        .await
        .unwrap();
    let mut listed = Vec::new();
    for digest in large.iter().chain([&old]) {
        listed.push(world.content(&octocat, APP, digest.as_str()).await);
    }
    let listed: Vec<&str> = listed.iter().map(String::as_str).collect();
    put_index(&world, &octocat, fallback.as_str(), index_of(&listed))
        .await
        .unwrap();
    let (mut found, pages) = referrers(&world, &octocat, &subject).await;
    assert!(pages > 1);
    let mut expected = [large, vec![old]].concat();
    found.sort();
    expected.sort();
    assert_eq!(found, expected, "each of them once, on whichever page");
}

#[tokio::test]
async fn a_deleted_referrer_is_not_listed() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let subject = push_artifact(&world, &octocat, APP, "1", &[b"subject"])
        .await
        .unwrap();
    let one = refer(&world, &octocat, &subject, "one", "1").await;
    let two = refer(&world, &octocat, &subject, "two", "2").await;
    delete_manifest(&world, &octocat, APP, &one).await.unwrap();
    assert_eq!(referrers(&world, &octocat, &subject).await, (vec![two], 1));
}

#[tokio::test]
async fn a_manifest_is_given_as_it_was_pushed() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    push_artifact(&world, &octocat, APP, "1", &[b"layer"])
        .await
        .unwrap();
    let package = readable(&world.registry, &octocat, APP).await;
    let found = world
        .registry
        .get_manifest(&package, &"1".parse().unwrap(), &any())
        .await
        .unwrap();
    assert_eq!(found.content, manifest_of(&[b"layer"]));
    assert_eq!(found.media_type.as_str(), MANIFEST);
}
