//! Deletes know the graph: what something listed still reaches is withdrawn and not lost.

use naru_model::{Cascade, Clock, Needed, PackageSettings, VersionState};
use naru_oci::Digest;
use naru_registry::fsck::{Depth, Finding, Observer, Progress};
use naru_registry::garbage_collection::Sweep;
use naru_registry::versions::VersionRef;
use naru_registry::versions::delete::DeleteOptions;
use naru_registry::versions::plan::{Because, Deletion, Fate};
use naru_registry::{Caller, Error, Result, Settings};

use crate::World;
use crate::kit::{
    APP, DAY, collect, delete_manifest, delete_version, digest_of, manifest_of, manifest_with,
    push_artifact, push_blob, readable, versions_of,
};
use crate::world::{INDEX, MANIFEST, blob, container, descriptor, name};

/// An image with a layer of its own, untagged.
pub(crate) async fn image(world: &World, caller: &Caller, package: &str, layer: &str) -> Digest {
    let content = image_content(layer, None);
    push_blob(world, caller, package, b"{}").await;
    push_blob(world, caller, package, layer.as_bytes()).await;
    put(world, caller, package, None, MANIFEST, content).await
}

/// What the manifest of such an image says; with a subject, it refers to that.
pub(crate) fn image_content(layer: &str, subject: Option<(&Digest, usize)>) -> String {
    match subject {
        None => manifest_of(&[layer.as_bytes()]),
        Some(subject) => manifest_with(&[layer.as_bytes()], &subject_field(subject)),
    }
}

fn subject_field((digest, size): (&Digest, usize)) -> String {
    format!(",\"subject\":{}", descriptor(MANIFEST, digest, size))
}

/// What the manifest of an index says.
pub(crate) fn index_content(
    children: &[(&Digest, usize)],
    subject: Option<(&Digest, usize)>,
) -> String {
    let entries: Vec<String> = children
        .iter()
        .map(|(digest, size)| descriptor(MANIFEST, digest, *size))
        .collect();
    let subject = subject.map(subject_field).unwrap_or_default();
    format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"{INDEX}\",\"manifests\":[{}]{subject}}}",
        entries.join(",")
    )
}

async fn put(
    world: &World,
    caller: &Caller,
    package: &str,
    tag: Option<&str>,
    media_type: &str,
    content: String,
) -> Digest {
    let pushed = world.put(caller, package, tag, media_type, content).await;
    pushed.unwrap()
}

async fn size(world: &World, caller: &Caller, digest: &Digest) -> usize {
    world.content(caller, APP, digest.as_str()).await.len()
}

/// How long these manifests are together.
async fn lengths(world: &World, caller: &Caller, digests: &[&Digest]) -> u64 {
    let mut length = 0;
    for digest in digests {
        length += size(world, caller, digest).await as u64;
    }
    length
}

async fn index(world: &World, caller: &Caller, tag: Option<&str>, children: &[&Digest]) -> Digest {
    let mut entries = Vec::new();
    for child in children {
        entries.push((*child, size(world, caller, child).await));
    }
    let content = index_content(&entries, None);
    put(world, caller, APP, tag, INDEX, content).await
}

async fn referrer(world: &World, caller: &Caller, subject: &Digest, text: &str) -> Digest {
    let length = size(world, caller, subject).await;
    push_blob(world, caller, APP, b"{}").await;
    push_blob(world, caller, APP, text.as_bytes()).await;
    let content = image_content(text, Some((subject, length)));
    put(world, caller, APP, None, MANIFEST, content).await
}

async fn delete(world: &World, caller: &Caller, digest: &Digest) -> Result<Deletion> {
    delete_version(world, caller, APP, &VersionRef::Digest(digest.clone())).await
}

async fn delete_with(
    world: &World,
    caller: &Caller,
    digest: &Digest,
    options: DeleteOptions,
) -> Result<Deletion> {
    let version = VersionRef::Digest(digest.clone());
    let path = container(APP);
    let deleted = world
        .registry
        .delete_version(caller, &path, &version, options);
    deleted.await
}

async fn restore(world: &World, caller: &Caller, digest: &Digest) {
    let version = VersionRef::Digest(digest.clone());
    let path = container(APP);
    let restored = world.registry.restore_version(caller, &path, &version);
    restored.await.unwrap();
}

async fn is_served(world: &World, caller: &Caller, digest: &Digest) -> bool {
    world.pull(caller, APP, digest.as_str()).await.is_ok()
}

async fn in_state(world: &World, caller: &Caller, state: VersionState) -> Vec<Digest> {
    let found = versions_of(world, caller, APP, state).await.unwrap();
    found
        .into_iter()
        .map(|found| found.version.digest)
        .collect()
}

async fn referrers(world: &World, caller: &Caller, subject: &Digest) -> Vec<Digest> {
    let package = readable(&world.registry, caller, APP).await;
    let page = world.registry.referrers(&package, subject, None, None);
    let descriptors = page.await.unwrap().descriptors;
    descriptors.into_iter().map(|found| found.digest).collect()
}

struct Silent;

impl Observer for Silent {
    fn progress(&self, _: &Progress) {}
    fn found(&self, _: &Finding) {}
}

pub(crate) async fn findings(world: &World) -> Vec<Finding> {
    let found = world.registry.fsck(Depth::Content, &Silent).await;
    found.unwrap()
}

#[tokio::test]
async fn a_platform_of_a_listed_index_is_withdrawn_and_stays_pullable() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let child = image(&world, &octocat, APP, "amd64").await;
    let parent = index(&world, &octocat, Some("1"), &[&child]).await;
    let deleted = delete(&world, &octocat, &child).await.unwrap();
    let fate = &deleted.versions.first().unwrap().fate;
    assert!(matches!(fate, Fate::Withdrawn { by } if by.digest == parent));
    assert_eq!(deleted.freed_bytes, 0);
    assert!(is_served(&world, &octocat, &child).await);
    let layer = blob(&world.registry, &octocat, APP, &digest_of(b"amd64")).await;
    assert_eq!(layer.unwrap(), "amd64");
    let listed = in_state(&world, &octocat, VersionState::Listed).await;
    assert_eq!(listed, std::slice::from_ref(&parent));
    let active = in_state(&world, &octocat, VersionState::Active).await;
    assert_eq!(active, [parent, child.clone()]);
    let removed = in_state(&world, &octocat, VersionState::Deleted).await;
    assert_eq!(removed, std::slice::from_ref(&child));
    let again = delete(&world, &octocat, &child).await;
    assert!(matches!(again, Err(Error::ManifestUnknown { .. })));
}

#[tokio::test]
async fn what_was_withdrawn_goes_with_its_last_keeper_and_its_days_begin_then() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    push_artifact(&world, &octocat, APP, "other", &[b"other"])
        .await
        .unwrap();
    let child = image(&world, &octocat, APP, "amd64").await;
    let inner = index(&world, &octocat, None, &[&child]).await;
    let first = index(&world, &octocat, Some("1"), &[&inner]).await;
    let second = index(&world, &octocat, Some("2"), &[&child, &inner]).await;
    let manifests = lengths(&world, &octocat, &[&child, &inner, &second]).await;
    for digest in [&child, &inner] {
        delete(&world, &octocat, digest).await.unwrap();
    }
    world.clock.advance(40 * DAY);
    collect(&world, Sweep::Full).await;
    delete(&world, &octocat, &first).await.unwrap();
    assert!(is_served(&world, &octocat, &child).await);
    world.clock.advance(20 * DAY);
    let deleted = delete(&world, &octocat, &second).await.unwrap();
    let also = deleted.versions.iter().skip(1);
    let also: Vec<_> = also.map(|also| (&also.digest, &also.because)).collect();
    assert_eq!(also.len(), 2);
    assert!(also.contains(&(&child, &Because::NothingKeepsIt)));
    // The configuration is the other's too.
    assert_eq!(deleted.freed_bytes, 5 + manifests);
    for digest in [&child, &inner, &second] {
        assert!(!is_served(&world, &octocat, digest).await);
    }
    world.clock.advance(29 * DAY);
    collect(&world, Sweep::Full).await;
    restore(&world, &octocat, &second).await;
    for digest in [&child, &inner, &second] {
        assert!(is_served(&world, &octocat, digest).await, "{digest}");
    }
    let listed = in_state(&world, &octocat, VersionState::Listed).await;
    assert!(
        listed.contains(&second) && !listed.contains(&child),
        "as it was"
    );
    delete(&world, &octocat, &second).await.unwrap();
    world.clock.advance(31 * DAY);
    let collected = collect(&world, Sweep::Full).await;
    assert_eq!(collected.versions, 3, "the first went earlier");
    assert_eq!(findings(&world).await, []);
}

#[tokio::test]
async fn a_signature_stays_as_long_as_what_it_signs() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    push_artifact(&world, &octocat, APP, "other", &[b"other"])
        .await
        .unwrap();
    let child = image(&world, &octocat, APP, "amd64").await;
    let parent = index(&world, &octocat, Some("1"), &[&child]).await;
    let attestation = referrer(&world, &octocat, &child, "provenance").await;
    let signature = referrer(&world, &octocat, &attestation, "signature").await;
    for digest in [&signature, &attestation, &child] {
        let deleted = delete(&world, &octocat, digest).await.unwrap();
        let fate = &deleted.versions.first().unwrap().fate;
        assert!(matches!(fate, Fate::Withdrawn { .. }));
    }
    let of_child = referrers(&world, &octocat, &child).await;
    assert_eq!(of_child, std::slice::from_ref(&attestation));
    let of_attestation = referrers(&world, &octocat, &attestation).await;
    assert_eq!(of_attestation, std::slice::from_ref(&signature));
    delete(&world, &octocat, &parent).await.unwrap();
    for digest in [&signature, &attestation, &child] {
        assert!(!is_served(&world, &octocat, digest).await);
    }
    restore(&world, &octocat, &parent).await;
    for digest in [&signature, &attestation, &child] {
        assert!(is_served(&world, &octocat, digest).await);
    }
}

#[tokio::test]
async fn a_signature_never_holds_what_it_signs() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let subject = push_artifact(&world, &octocat, APP, "1", &[b"one"])
        .await
        .unwrap();
    push_artifact(&world, &octocat, APP, "2", &[b"two"])
        .await
        .unwrap();
    let signature = referrer(&world, &octocat, &subject, "signature").await;
    let deleted = delete(&world, &octocat, &subject).await.unwrap();
    assert_eq!(deleted.versions.len(), 1);
    assert_eq!(deleted.versions.first().unwrap().fate, Fate::Deleted);
    assert!(!is_served(&world, &octocat, &subject).await);
    assert!(
        is_served(&world, &octocat, &signature).await,
        "it is listed"
    );
}

#[tokio::test]
async fn versions_that_keep_each_other_in_a_circle_go_together() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    push_artifact(&world, &octocat, APP, "other", &[b"other"])
        .await
        .unwrap();
    let child = image(&world, &octocat, APP, "amd64").await;
    let length = size(&world, &octocat, &child).await;
    let content = index_content(&[(&child, length)], Some((&child, length)));
    let circle = put(&world, &octocat, APP, None, INDEX, content).await;
    delete(&world, &octocat, &circle).await.unwrap();
    assert!(
        is_served(&world, &octocat, &circle).await,
        "its subject is listed"
    );
    let deleted = delete(&world, &octocat, &child).await.unwrap();
    assert_eq!(deleted.deleted().len(), 2);
    for digest in [&child, &circle] {
        assert!(!is_served(&world, &octocat, digest).await);
    }
    assert_eq!(findings(&world).await, []);
}

#[tokio::test]
async fn a_withdrawn_digest_that_is_pushed_again_is_listed_as_if_it_were_new() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let child = image(&world, &octocat, APP, "amd64").await;
    index(&world, &octocat, Some("1"), &[&child]).await;
    delete(&world, &octocat, &child).await.unwrap();
    world.clock.advance(DAY);
    let content = world.content(&octocat, APP, child.as_str()).await;
    put(&world, &octocat, APP, Some("amd64"), MANIFEST, content).await;
    let listed = versions_of(&world, &octocat, APP, VersionState::Listed).await;
    let newest = listed.unwrap().into_iter().next().unwrap();
    assert_eq!(newest.version.digest, child);
    assert_eq!(newest.version.created_at, world.clock.now());
    assert_eq!(newest.tags, ["amd64"]);
}

#[tokio::test]
async fn a_child_of_a_withdrawn_index_is_still_what_a_new_index_may_name() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let child = image(&world, &octocat, APP, "amd64").await;
    let first = index(&world, &octocat, Some("1"), &[&child]).await;
    delete(&world, &octocat, &child).await.unwrap();
    let second = index(&world, &octocat, Some("2"), &[&child, &first]).await;
    delete(&world, &octocat, &first).await.unwrap();
    for digest in [&child, &first, &second] {
        assert!(is_served(&world, &octocat, digest).await);
    }
    let listed = in_state(&world, &octocat, VersionState::Listed).await;
    assert_eq!(listed, [second]);
}

#[tokio::test]
async fn a_sparse_index_keeps_a_child_that_is_restored_after_it_was_pushed() {
    let settings = Settings {
        sparse_indexes: true,
        ..Settings::default()
    };
    let world = World::with(settings).await;
    let octocat = world.person("octocat").await;
    let child = image(&world, &octocat, APP, "amd64").await;
    let length = size(&world, &octocat, &child).await;
    delete(&world, &octocat, &child).await.unwrap();
    let content = index_content(&[(&child, length)], None);
    let parent = put(&world, &octocat, APP, Some("1"), INDEX, content).await;
    restore(&world, &octocat, &child).await;
    let deleted = delete(&world, &octocat, &child).await.unwrap();
    let fate = &deleted.versions.first().unwrap().fate;
    assert!(matches!(fate, Fate::Withdrawn { by } if by.digest == parent));
}

#[tokio::test]
async fn a_chain_that_is_longer_than_a_walk_is_refused_and_can_be_cut() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    push_artifact(&world, &octocat, APP, "other", &[b"other"])
        .await
        .unwrap();
    let mut chain = vec![image(&world, &octocat, APP, "root").await];
    for link in 0..501 {
        let last = chain.last().unwrap().clone();
        chain.push(referrer(&world, &octocat, &last, &link.to_string()).await);
    }
    for withdrawn in chain.iter().skip(1).rev() {
        delete(&world, &octocat, withdrawn).await.unwrap();
    }
    let (root, end) = (chain.first().unwrap(), chain.last().unwrap());
    let refused = delete(&world, &octocat, root).await;
    assert!(matches!(refused, Err(Error::Conflict(text)) if text.contains("in a row")));
    assert!(is_served(&world, &octocat, end).await);
    delete_manifest(&world, &octocat, APP, chain.get(250).unwrap())
        .await
        .unwrap();
    assert!(!is_served(&world, &octocat, end).await);
    delete(&world, &octocat, root).await.unwrap();
    assert!(!is_served(&world, &octocat, chain.get(249).unwrap()).await);
}

#[tokio::test]
async fn refusing_names_what_keeps_it_and_changes_nothing() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let child = image(&world, &octocat, APP, "amd64").await;
    let parent = index(&world, &octocat, Some("1"), &[&child]).await;
    let refused = delete_with(&world, &octocat, &child, DeleteOptions::REFUSE).await;
    assert!(matches!(refused, Err(Error::StillNeeded { by, .. }) if by == parent));
    let listed = in_state(&world, &octocat, VersionState::Listed).await;
    assert!(listed.contains(&child));
}

#[tokio::test]
async fn an_organization_may_make_refusal_the_default() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    world.organization("octo", "octocat").await;
    let settings = PackageSettings {
        refuse_needed_deletes: true,
        ..PackageSettings::default()
    };
    world
        .registry
        .set_package_settings(&Caller::system(), &name("octo"), settings)
        .await
        .unwrap();
    let image = world.push(&octocat, "octo/app", "amd64").await;
    world.push_index(&octocat, "octo/app", "1", &[&image]).await;
    let version = VersionRef::Digest(image.digest.clone());
    let refused = delete_version(&world, &octocat, "octo/app", &version).await;
    assert!(matches!(refused, Err(Error::NeededDeleteRefused { .. })));
    let withdraw = DeleteOptions {
        needed: Some(Needed::Withdraw),
        cascade: Cascade::None,
    };
    let path = container("octo/app");
    world
        .registry
        .delete_version(&octocat, &path, &version, withdraw)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_cascade_takes_along_what_nothing_else_keeps() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let shared = image(&world, &octocat, APP, "shared").await;
    let own = image(&world, &octocat, APP, "own").await;
    let first = index(&world, &octocat, Some("1"), &[&shared, &own]).await;
    let second = index(&world, &octocat, Some("2"), &[&shared]).await;
    let signature = referrer(&world, &octocat, &own, "signature").await;
    let manifests = lengths(&world, &octocat, &[&first, &own, &signature]).await;
    let options = DeleteOptions {
        needed: Some(Needed::Refuse),
        cascade: Cascade::All,
    };
    let path = container(APP);
    let version = VersionRef::Digest(first.clone());
    let preview = world
        .registry
        .preview_delete_version(&octocat, &path, &version, options)
        .await
        .unwrap();
    let done = delete_with(&world, &octocat, &first, options)
        .await
        .unwrap();
    assert_eq!(preview, done, "a preview says what happens");
    let fates: Vec<_> = done
        .versions
        .iter()
        .map(|one| (one.digest.clone(), one.fate.clone()))
        .collect();
    assert_eq!(fates.len(), 4);
    assert!(fates.contains(&(own.clone(), Fate::Deleted)));
    assert!(fates.contains(&(signature.clone(), Fate::Deleted)));
    let stays = fates.iter().find(|(digest, _)| *digest == shared).unwrap();
    assert!(matches!(&stays.1, Fate::Stays { by } if by.digest == second));
    assert_eq!(done.freed_bytes, 3 + 9 + manifests);
    let listed = in_state(&world, &octocat, VersionState::Listed).await;
    assert_eq!(listed, [second, shared]);
    restore(&world, &octocat, &first).await;
    let listed = in_state(&world, &octocat, VersionState::Listed).await;
    assert_eq!(listed.len(), 5, "everything is back as it was");
}

#[tokio::test]
async fn a_cascade_takes_signatures_by_tag_along() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    push_artifact(&world, &octocat, APP, "other", &[b"other"])
        .await
        .unwrap();
    let image = push_artifact(&world, &octocat, APP, "1", &[b"one"])
        .await
        .unwrap();
    let entry = self::image(&world, &octocat, APP, "an entry of the fallback list").await;
    let list = format!("sha256-{}", image.hex());
    index(&world, &octocat, Some(&list), &[&entry]).await;
    let signature = format!("sha256-{}.sig", image.hex());
    push_artifact(&world, &octocat, APP, &signature, &[b"cosign"])
        .await
        .unwrap();
    let options = DeleteOptions {
        needed: None,
        cascade: Cascade::Referrers,
    };
    let done = delete_with(&world, &octocat, &image, options)
        .await
        .unwrap();
    assert_eq!(done.deleted().len(), 4);
    let listed = in_state(&world, &octocat, VersionState::Listed).await;
    assert_eq!(listed.len(), 1, "only the other is left");
}

#[tokio::test]
async fn the_last_tagged_version_is_refused_whatever_goes_along() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let child = push_artifact(&world, &octocat, APP, "amd64", &[b"amd64"])
        .await
        .unwrap();
    let parent = index(&world, &octocat, Some("1"), &[&child]).await;
    let all = DeleteOptions {
        needed: None,
        cascade: Cascade::All,
    };
    let refused = delete_with(&world, &octocat, &parent, all).await;
    assert!(
        matches!(refused, Err(Error::Undeletable(text)) if text.contains("last tagged version"))
    );
    assert_eq!(
        in_state(&world, &octocat, VersionState::Listed).await.len(),
        2
    );
    delete(&world, &octocat, &parent).await.unwrap();
}

#[tokio::test]
async fn deleting_a_manifest_by_digest_erases_a_signature_for_good() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let subject = push_artifact(&world, &octocat, APP, "1", &[b"one"])
        .await
        .unwrap();
    let signature = referrer(&world, &octocat, &subject, "signature").await;
    let second = referrer(&world, &octocat, &signature, "of the signature").await;
    delete(&world, &octocat, &second).await.unwrap();
    assert!(is_served(&world, &octocat, &second).await);
    delete_manifest(&world, &octocat, APP, &signature)
        .await
        .unwrap();
    assert!(!is_served(&world, &octocat, &signature).await);
    assert!(
        !is_served(&world, &octocat, &second).await,
        "nothing reaches it"
    );
    assert!(is_served(&world, &octocat, &subject).await);
}
