//! What bytes are made of, and quotas.

use naru_metadata::usage::AccountUsage;
use naru_model::{Quota, VersionState};
use naru_registry::garbage_collection::Sweep;
use naru_registry::quotas::Limit;
use naru_registry::uploads::BeginUpload;
use naru_registry::versions::VersionRef;
use naru_registry::{Caller, Error, Result};

use crate::kit::{
    APP, DAY, HOUR, collect, delete_version, manifest_of, mount, noise, push_artifact, push_blob,
    put_manifest, target, versions_of,
};
use crate::world::{Image, container};
use crate::{World, name};

/// The empty configuration of an artifact.
const CONFIG: u64 = 2;

pub(crate) async fn usage(world: &World, owner: &str) -> AccountUsage {
    // What was measured in no time is good for no time.
    world.clock.advance(std::time::Duration::from_secs(1));
    let measured = world
        .registry
        .account_usage(&Caller::system(), &name(owner))
        .await;
    measured.unwrap().0
}

pub(crate) async fn limit(world: &World, owner: &str, live: Option<u64>, bin: Option<u64>) {
    let quota = Quota { live, bin };
    let set = world
        .registry
        .set_quota(&Caller::system(), &name(owner), quota)
        .await;
    set.unwrap();
}

pub(crate) fn exceeded<T: std::fmt::Debug>(result: Result<T>) -> Limit {
    match result {
        Err(Error::QuotaExceeded(exceeded)) => exceeded.which,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_blob_of_an_owner_counts_once_wherever_it_is_needed() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let hubot = world.person("hubot").await;
    let (base, own, others) = (noise("base", 5000), noise("own", 700), noise("others", 90));
    push_artifact(&world, &octocat, "octocat/one", "1", &[&base])
        .await
        .unwrap();
    push_artifact(&world, &octocat, "octocat/two", "1", &[&base, &own])
        .await
        .unwrap();
    push_artifact(&world, &hubot, "hubot/app", "1", &[&base, &others])
        .await
        .unwrap();
    let manifests = manifest_of(&[&base]).len() + manifest_of(&[&base, &own]).len();
    let measured = usage(&world, "octocat").await;
    assert_eq!(measured.live, 5700 + CONFIG + manifests as u64);
    assert_eq!((measured.blobs, measured.versions), (3, 2));
    assert_eq!((measured.pending, measured.bin), (0, 0));
    let measured = usage(&world, "hubot").await;
    let manifest = manifest_of(&[&base, &others]).len() as u64;
    assert_eq!(measured.live, 5090 + CONFIG + manifest);
}

#[tokio::test]
async fn what_is_deleted_moves_to_the_bin_and_what_no_manifest_names_is_pending() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let (old, new, loose) = (noise("old", 4000), noise("new", 300), noise("loose", 20));
    push_artifact(&world, &octocat, APP, "old", &[&old])
        .await
        .unwrap();
    push_artifact(&world, &octocat, APP, "new", &[&new])
        .await
        .unwrap();
    push_blob(&world, &octocat, APP, &loose).await;
    let manifest = manifest_of(&[&old]).len() as u64;
    let before = usage(&world, "octocat").await;
    assert_eq!((before.pending, before.bin), (20, 0));

    let path = container(APP);
    let version = VersionRef::Tag("old".to_owned());
    delete_version(&world, &octocat, APP, &version)
        .await
        .unwrap();
    let after = usage(&world, "octocat").await;
    assert_eq!(after.bin, 4000 + manifest);
    assert_eq!(after.live, before.live - 4000 - manifest);

    world
        .registry
        .delete_package(&octocat, &path)
        .await
        .unwrap();
    let binned = usage(&world, "octocat").await;
    assert_eq!(binned.live, 0);
    assert_eq!(binned.bin + binned.pending, before.live + before.pending);

    world.clock.advance(31 * DAY);
    collect(&world, Sweep::Full).await;
    world.clock.advance(31 * DAY);
    collect(&world, Sweep::Full).await;
    let gone = usage(&world, "octocat").await;
    assert_eq!((gone.live, gone.pending, gone.bin), (0, 0, 0));
}

#[tokio::test]
async fn bytes_of_a_package_are_unique_or_shared_within_its_owner() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let hubot = world.person("hubot").await;
    let (base, own, gone) = (noise("base", 5000), noise("own", 700), noise("gone", 60));
    push_artifact(&world, &octocat, APP, "1", &[&base, &own])
        .await
        .unwrap();
    push_artifact(&world, &octocat, APP, "2", &[&gone])
        .await
        .unwrap();
    // A stranger's copy changes nothing.
    push_artifact(&world, &hubot, "hubot/app", "1", &[&base, &own])
        .await
        .unwrap();
    let path = container(APP);
    let bytes = async || world.registry.package_bytes(&octocat, &path).await.unwrap();
    let alone = bytes().await;
    assert_eq!((alone.shared, alone.unique), (0, alone.total));
    assert_eq!(alone.freeable, alone.total);

    push_artifact(&world, &octocat, "octocat/two", "1", &[&base])
        .await
        .unwrap();
    let beside = bytes().await;
    assert_eq!(beside.shared, 5000 + CONFIG);
    assert_eq!(
        (beside.total, beside.unique),
        (alone.total, alone.total - 5000 - CONFIG)
    );

    let second = VersionRef::Tag("2".to_owned());
    delete_version(&world, &octocat, APP, &second)
        .await
        .unwrap();
    let binned = bytes().await;
    let manifest = manifest_of(&[&gone]).len() as u64;
    assert_eq!(binned.unique, beside.unique - 60 - manifest);
    assert_eq!(
        binned.freeable, beside.freeable,
        "what is in the bin can be freed too"
    );
    assert!(binned.complete);
}

#[tokio::test]
async fn bytes_of_an_index_are_those_of_its_whole_image() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let amd = world.push(&octocat, APP, "amd64").await;
    let arm = world.push(&octocat, APP, "arm64").await;
    let both = world.push_index(&octocat, APP, "both", &[&amd, &arm]).await;
    let path = container(APP);
    let of = async |digest: &naru_oci::Digest| {
        let listed = versions_of(&world, &octocat, APP, VersionState::Listed).await;
        let listed = listed.unwrap();
        let found = listed
            .iter()
            .find(|listed| listed.version.digest == *digest);
        let id = found.unwrap().version.id;
        world
            .registry
            .version_bytes(&octocat, &path, id)
            .await
            .unwrap()
    };
    let (amd_bytes, arm_bytes, all) = (
        of(&amd.digest).await,
        of(&arm.digest).await,
        of(&both).await,
    );
    let index = world.content(&octocat, APP, "both").await.len() as u64;
    assert_eq!(all.total, amd_bytes.total + arm_bytes.total + index);
    assert_eq!((all.unique, all.freeable), (all.total, all.total));
    assert_eq!(amd_bytes.freeable, 0, "the index needs it");
    let content = world.content(&octocat, APP, "amd64").await.len() as u64;
    assert_eq!(
        amd_bytes.shared, content,
        "its manifest belongs to the index too"
    );

    // Another index of one of the two shares that one's manifest.
    world.push_index(&octocat, APP, "one", &[&arm]).await;
    let content = world.content(&octocat, APP, "arm64").await.len() as u64;
    assert_eq!(of(&both).await.shared, content);
}

#[tokio::test]
async fn a_full_owner_is_refused_at_the_start_of_an_upload_and_told_whom_to_ask() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    push_artifact(&world, &octocat, APP, "1", &[&noise("first", 3000)])
        .await
        .unwrap();
    let used = usage(&world, "octocat").await.live;
    limit(&world, "octocat", Some(used), None).await;
    let target = target(&world.registry, &octocat, APP).await;
    let begun = world
        .registry
        .begin_upload(&octocat, &target, BeginUpload::default())
        .await;
    let Err(Error::QuotaExceeded(told)) = begun else {
        panic!("{begun:?}");
    };
    assert_eq!(
        (told.used, told.limit, told.which),
        (used, used, Limit::Live)
    );
    let text = told.to_string();
    assert!(
        text.starts_with("quota exceeded: the packages of octocat hold 3.")
            && text.contains("ask an administrator"),
        "{text}"
    );
    let whole = world.upload(&octocat, &target, b"one more").await;
    assert_eq!(exceeded(whole), Limit::Live);
    // Somebody else's push is their own matter.
    let hubot = world.person("hubot").await;
    world.push(&hubot, "hubot/app", "1").await;

    limit(&world, "octocat", None, None).await;
    world.push(&octocat, APP, "2").await;
}

#[tokio::test]
async fn a_blob_that_would_not_fit_is_refused_by_its_length_and_one_that_is_there_costs_nothing() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let layer = noise("layer", 3000);
    push_artifact(&world, &octocat, APP, "1", &[&layer])
        .await
        .unwrap();
    let used = usage(&world, "octocat").await.live;
    limit(&world, "octocat", Some(used + 500), None).await;
    let there = target(&world.registry, &octocat, APP).await;
    let large = world.upload(&octocat, &there, &noise("large", 501)).await;
    assert_eq!(exceeded(large), Limit::Live);
    world
        .upload(&octocat, &there, &noise("small", 99))
        .await
        .unwrap();

    let digest = crate::kit::digest_of(&layer);
    assert!(mount(&world.registry, &octocat, "octocat/two", &digest, Some(APP)).await);
    let elsewhere = target(&world.registry, &octocat, "octocat/two").await;
    world
        .upload(&octocat, &elsewhere, &noise("small", 99))
        .await
        .unwrap();
    let left = 500 - 99;
    let large = world
        .upload(&octocat, &there, &noise("large", left + 1))
        .await;
    assert_eq!(exceeded(large), Limit::Live, "each blob was charged once");
    world
        .upload(&octocat, &there, &noise("rest", left))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_manifest_that_passes_the_limit_is_refused_and_deleting_makes_room() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let (old, new) = (noise("old", 3000), noise("new", 1000));
    push_artifact(&world, &octocat, APP, "old", &[&old])
        .await
        .unwrap();
    push_artifact(&world, &octocat, APP, "tiny", &[b"tiny"])
        .await
        .unwrap();
    let used = usage(&world, "octocat").await.live;
    limit(&world, "octocat", Some(used + 1001), None).await;
    push_blob(&world, &octocat, APP, &new).await;
    let manifest = manifest_of(&[&new]);
    let refused = put_manifest(&world, &octocat, APP, "new", manifest.clone()).await;
    assert_eq!(exceeded(refused), Limit::Live);
    assert!(
        world.pull(&octocat, APP, "new").await.is_err(),
        "nothing is left of it"
    );

    let version = VersionRef::Tag("old".to_owned());
    delete_version(&world, &octocat, APP, &version)
        .await
        .unwrap();
    world.clock.advance(std::time::Duration::from_secs(1));
    put_manifest(&world, &octocat, APP, "new", manifest)
        .await
        .unwrap();
}

#[tokio::test]
async fn the_bin_has_a_limit_of_its_own() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    push_artifact(&world, &octocat, APP, "1", &[&noise("one", 3000)])
        .await
        .unwrap();
    push_artifact(&world, &octocat, APP, "2", &[&noise("two", 3000)])
        .await
        .unwrap();
    limit(&world, "octocat", Some(1_000_000), Some(2000)).await;
    let version = VersionRef::Tag("1".to_owned());
    delete_version(&world, &octocat, APP, &version)
        .await
        .unwrap();
    // The bin is looked at when it is measured.
    usage(&world, "octocat").await;
    let there = target(&world.registry, &octocat, APP).await;
    let refused = world.upload(&octocat, &there, b"more").await;
    assert_eq!(exceeded(refused), Limit::Bin);
    world.clock.advance(31 * DAY);
    collect(&world, Sweep::Full).await;
    world.clock.advance(25 * HOUR);
    collect(&world, Sweep::Full).await;
    let there = target(&world.registry, &octocat, APP).await;
    world.upload(&octocat, &there, b"more").await.unwrap();
}

#[tokio::test]
async fn pushes_at_the_same_time_do_not_pass_the_limit_with_their_manifests() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    push_artifact(&world, &octocat, APP, "1", &[&noise("one", 1000)])
        .await
        .unwrap();
    let used = usage(&world, "octocat").await.live;
    let size = 1000 + manifest_of(&[&noise("n0", 1000)]).len() as u64;
    limit(&world, "octocat", Some(used + 3 * size), None).await;
    let pushes = (0..8).map(|number| {
        let (world, octocat) = (&world, &octocat);
        async move {
            let layer = noise(&format!("n{number}"), 1000);
            let there = target(&world.registry, octocat, APP).await;
            world.upload(octocat, &there, &layer).await?;
            let tag = format!("n{number}");
            put_manifest(world, octocat, APP, &tag, manifest_of(&[&layer])).await
        }
    });
    let done = futures_util::future::join_all(pushes).await;
    let accepted = done.iter().filter(|done| done.is_ok()).count();
    assert!(accepted <= 3, "{accepted} of 8");
    for refused in done.into_iter().filter(Result::is_err) {
        assert_eq!(exceeded(refused), Limit::Live);
    }
    let live = usage(&world, "octocat").await.live;
    assert!(live <= used + 3 * size, "{live}");
}

#[tokio::test]
async fn whoever_only_reads_a_package_is_not_told_what_it_shares() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let Image { .. } = world.push(&octocat, APP, "1").await;
    let path = container(APP);
    let public = naru_model::Visibility::Public;
    world
        .registry
        .set_package_visibility(&Caller::system(), &path, public)
        .await
        .unwrap();
    let stranger = world.person("stranger").await;
    let refused = world.registry.package_bytes(&stranger, &path).await;
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    let refused = world
        .registry
        .account_usage(&stranger, &name("octocat"))
        .await;
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
}
