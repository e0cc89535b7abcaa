//! Uploads: resumed, cut off, given up, taken over, finished twice.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use naru_registry::garbage_collection::Sweep;
use naru_registry::{Caller, Error};

use crate::World;
use crate::fsck::file_of;
use crate::kit::{
    APP, HOUR, append, begin, chunk, chunk_at, collect, digest_of, eventually, finish, noise,
    objects, offset, slow_chunk, stat, target,
};
use crate::world::blob;

#[tokio::test]
async fn an_upload_goes_on_in_another_process_where_the_last_answer_said() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let content = noise("restart", 300_000);
    let id = begin(&world.registry, &octocat, APP).await;
    let status = append(
        &world.registry,
        &octocat,
        APP,
        &id,
        chunk(&content[..100_001]),
    )
    .await;
    assert_eq!(status.unwrap().offset, 100_001);
    let other = world.another().await;
    assert_eq!(offset(&other, &octocat, APP, &id).await.unwrap(), 100_001);
    let rest = chunk_at(100_001, &content[100_001..200_002]);
    append(&other, &octocat, APP, &id, rest).await.unwrap();
    let digest = digest_of(&content);
    finish(&other, &octocat, APP, &id, &digest, &content[200_002..])
        .await
        .unwrap();
    let found = blob(&world.registry, &octocat, APP, &digest).await.unwrap();
    assert_eq!(found, content);
}

#[tokio::test]
async fn after_a_power_cut_that_shortened_an_upload_it_stands_where_its_file_ends() {
    let world = World::new().await;
    if !world.is_embedded() {
        return;
    }
    let octocat = world.person("octocat").await;
    let content = noise("power cut", 100_000);
    let id = begin(&world.registry, &octocat, APP).await;
    append(&world.registry, &octocat, APP, &id, chunk(&content))
        .await
        .unwrap();
    let file = file_of(&world, &content);
    let file = std::fs::OpenOptions::new().write(true).open(file).unwrap();
    file.set_len(60_000).unwrap();
    let other = world.another().await;
    assert_eq!(offset(&other, &octocat, APP, &id).await.unwrap(), 60_000);
    let rest = chunk_at(60_000, &content[60_000..]);
    append(&other, &octocat, APP, &id, rest).await.unwrap();
    let digest = digest_of(&content);
    finish(&other, &octocat, APP, &id, &digest, b"")
        .await
        .unwrap();
    assert_eq!(blob(&other, &octocat, APP, &digest).await.unwrap(), content);
}

#[tokio::test]
async fn an_upload_whose_bytes_are_gone_is_unknown() {
    let world = World::new().await;
    if !world.is_embedded() {
        return;
    }
    let octocat = world.person("octocat").await;
    let content = noise("gone", 1000);
    let id = begin(&world.registry, &octocat, APP).await;
    append(&world.registry, &octocat, APP, &id, chunk(&content))
        .await
        .unwrap();
    std::fs::remove_file(file_of(&world, &content)).unwrap();
    let gone = offset(&world.registry, &octocat, APP, &id).await;
    assert!(matches!(gone, Err(Error::UploadUnknown)), "{gone:?}");
}

#[tokio::test]
async fn what_a_client_sent_before_it_vanished_is_kept() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let content = noise("vanished", 200_000);
    let id = begin(&world.registry, &octocat, APP).await;
    let (sender, slow) = slow_chunk();
    sender
        .send(Ok(Bytes::copy_from_slice(&content[..90_000])))
        .unwrap();
    sender.send(Err(Error::ClientGone)).unwrap();
    let gone = append(&world.registry, &octocat, APP, &id, slow).await;
    assert!(matches!(gone, Err(Error::ClientGone)));
    assert_eq!(
        offset(&world.registry, &octocat, APP, &id).await.unwrap(),
        90_000
    );
    let rest = chunk_at(90_000, &content[90_000..]);
    append(&world.registry, &octocat, APP, &id, rest)
        .await
        .unwrap();
    let digest = digest_of(&content);
    finish(&world.registry, &octocat, APP, &id, &digest, b"")
        .await
        .unwrap();
}

/// A reset HTTP/2 stream does not end the body: the whole request is dropped where it stands.
#[tokio::test]
async fn what_came_is_kept_too_when_the_request_is_dropped_half_way() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let content = noise("dropped", 3_000_000);
    let id = begin(&world.registry, &octocat, APP).await;
    let mut stands = 0;
    for until in [1, 65_536, 2_500_000] {
        let (sender, slow) = slow_chunk();
        let piece = Bytes::copy_from_slice(&content[stands..until]);
        sender.send(Ok(piece)).unwrap();
        {
            let request = append(&world.registry, &octocat, APP, &id, slow);
            let waited = tokio::time::timeout(Duration::from_millis(200), request).await;
            assert!(waited.is_err(), "it waits for more");
        }
        eventually("what came is saved", async || {
            offset(&world.registry, &octocat, APP, &id).await.unwrap() == until as u64
        })
        .await;
        stands = until;
    }
    let digest = digest_of(&content);
    finish(
        &world.registry,
        &octocat,
        APP,
        &id,
        &digest,
        &content[stands..],
    )
    .await
    .unwrap();
    assert_eq!(
        blob(&world.registry, &octocat, APP, &digest).await.unwrap(),
        content
    );
}

#[tokio::test]
async fn a_successor_cuts_off_its_predecessor_and_begins_where_clients_were_told() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let content = noise("successor", 200_000);
    let id = begin(&world.registry, &octocat, APP).await;
    append(
        &world.registry,
        &octocat,
        APP,
        &id,
        chunk(&content[..50_000]),
    )
    .await
    .unwrap();
    let (sender, slow) = slow_chunk();
    sender
        .send(Ok(Bytes::copy_from_slice(&content[50_000..120_000])))
        .unwrap();
    let stuck = tokio::spawn({
        let (registry, octocat, id) = (Arc::clone(&world.registry), octocat.clone(), id.clone());
        async move { append(&registry, &octocat, APP, &id, slow).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let again = chunk_at(50_000, &content[50_000..]);
    let status = append(&world.registry, &octocat, APP, &id, again)
        .await
        .unwrap();
    assert_eq!(status.offset, 200_000);
    assert!(matches!(stuck.await.unwrap(), Err(Error::ClientGone)));
    assert!(
        sender.send(Ok(Bytes::from_static(b"late"))).is_err(),
        "nobody listens"
    );
    let digest = digest_of(&content);
    finish(&world.registry, &octocat, APP, &id, &digest, b"")
        .await
        .unwrap();
}

#[tokio::test]
async fn of_equal_chunks_at_once_one_is_taken() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let content = noise("equal", 50_000);
    let id = begin(&world.registry, &octocat, APP).await;
    let requests = (0..8).map(|_| {
        let (registry, octocat, id) = (Arc::clone(&world.registry), octocat.clone(), id.clone());
        let chunk = chunk_at(0, &content);
        tokio::spawn(async move { append(&registry, &octocat, APP, &id, chunk).await })
    });
    let mut taken = 0;
    for request in requests.collect::<Vec<_>>() {
        match request.await.unwrap() {
            Ok(_) => taken += 1,
            Err(Error::ClientGone | Error::RangeInvalid { offset: 50_000 }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(taken, 1);
    let digest = digest_of(&content);
    finish(&world.registry, &octocat, APP, &id, &digest, b"")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_stranger_neither_sees_nor_disturbs_an_upload() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let hubot = world.person("hubot").await;
    let content = noise("stranger", 100_000);
    let id = begin(&world.registry, &octocat, APP).await;
    let (sender, slow) = slow_chunk();
    sender
        .send(Ok(Bytes::copy_from_slice(&content[..60_000])))
        .unwrap();
    let busy = tokio::spawn({
        let (registry, octocat, id) = (Arc::clone(&world.registry), octocat.clone(), id.clone());
        async move { append(&registry, &octocat, APP, &id, slow).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    begin(&world.registry, &hubot, "hubot/own").await;
    let own = target(&world.registry, &hubot, "hubot/own").await;
    let digest = digest_of(b"evil");
    let appended = world
        .registry
        .append_upload(&hubot, &own, &id, chunk(b"evil"))
        .await;
    let finished = world
        .registry
        .finish_upload(&hubot, &own, &id, &digest, chunk(b"evil"))
        .await;
    let cancelled = world.registry.cancel_upload(&hubot, &own, &id).await;
    let seen = world.registry.upload_status(&hubot, &own, &id).await;
    for unknown in [appended.map(drop), finished, cancelled, seen.map(drop)] {
        assert!(matches!(unknown, Err(Error::UploadUnknown)), "{unknown:?}");
    }
    sender
        .send(Ok(Bytes::copy_from_slice(&content[60_000..])))
        .unwrap();
    drop(sender);
    assert_eq!(busy.await.unwrap().unwrap().offset, 100_000);
}

#[tokio::test]
async fn a_finish_whose_answer_was_lost_answers_again() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let content = noise("lost answer", 10_000);
    let digest = digest_of(&content);
    let id = begin(&world.registry, &octocat, APP).await;
    for _ in 0..3 {
        finish(&world.registry, &octocat, APP, &id, &digest, &content)
            .await
            .unwrap();
    }
    let other = digest_of(b"something else");
    let unknown = finish(&world.registry, &octocat, APP, &id, &other, &content).await;
    assert!(matches!(unknown, Err(Error::UploadUnknown)));
}

#[tokio::test]
async fn of_several_finishes_at_once_all_are_told_the_same() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let content = noise("finishes", 100_000);
    let digest = digest_of(&content);
    let id = begin(&world.registry, &octocat, APP).await;
    append(&world.registry, &octocat, APP, &id, chunk(&content))
        .await
        .unwrap();
    let requests = (0..6).map(|_| {
        let (registry, octocat) = (Arc::clone(&world.registry), octocat.clone());
        let (id, digest) = (id.clone(), digest.clone());
        tokio::spawn(async move { finish(&registry, &octocat, APP, &id, &digest, b"").await })
    });
    let mut created = 0;
    for request in requests.collect::<Vec<_>>() {
        match request.await.unwrap() {
            Ok(()) => created += 1,
            // Cut off by a later one.
            Err(Error::ClientGone) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(created > 0);
    assert_eq!(
        blob(&world.registry, &octocat, APP, &digest).await.unwrap(),
        content
    );
}

#[tokio::test]
async fn a_rest_that_did_not_come_whole_can_be_sent_again_from_its_beginning() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let content = noise("rest", 100_000);
    let digest = digest_of(&content);
    let id = begin(&world.registry, &octocat, APP).await;
    let (sender, slow) = slow_chunk();
    sender
        .send(Ok(Bytes::copy_from_slice(&content[..70_000])))
        .unwrap();
    sender.send(Err(Error::ClientGone)).unwrap();
    let target = target(&world.registry, &octocat, APP).await;
    let gone = world
        .registry
        .finish_upload(&octocat, &target, &id, &digest, slow)
        .await;
    assert!(matches!(gone, Err(Error::ClientGone)));
    finish(&world.registry, &octocat, APP, &id, &digest, &content)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_chunk_that_is_not_what_it_said_has_no_effect() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let content = noise("wrong", 30_000);
    let id = begin(&world.registry, &octocat, APP).await;
    append(
        &world.registry,
        &octocat,
        APP,
        &id,
        chunk(&content[..10_000]),
    )
    .await
    .unwrap();
    let beyond = append(&world.registry, &octocat, APP, &id, chunk_at(10_001, b"x")).await;
    assert!(matches!(
        beyond,
        Err(Error::RangeInvalid { offset: 10_000 })
    ));
    let mut short = chunk_at(10_000, &content[10_000..]);
    short.body = chunk(&content[10_000..20_000]).body;
    let short = append(&world.registry, &octocat, APP, &id, short).await;
    assert!(matches!(short, Err(Error::SizeInvalid { .. })));
    assert_eq!(
        offset(&world.registry, &octocat, APP, &id).await.unwrap(),
        10_000
    );
    let digest = digest_of(&content);
    finish(
        &world.registry,
        &octocat,
        APP,
        &id,
        &digest,
        &content[10_000..],
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn after_a_wrong_digest_nothing_is_left() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let id = begin(&world.registry, &octocat, APP).await;
    append(
        &world.registry,
        &octocat,
        APP,
        &id,
        chunk(&noise("wrong digest", 100_000)),
    )
    .await
    .unwrap();
    let digest = digest_of(b"something else");
    let wrong = finish(&world.registry, &octocat, APP, &id, &digest, b"").await;
    assert!(matches!(wrong, Err(Error::DigestMismatch { .. })));
    let gone = offset(&world.registry, &octocat, APP, &id).await;
    assert!(matches!(gone, Err(Error::UploadUnknown)));
    assert!(stat(&world.registry, &octocat, APP, &digest).await.is_err());
    eventually("the bytes go", async || objects(&world).await == 0).await;
}

#[tokio::test]
async fn a_blob_beyond_the_limit_leaves_nothing() {
    let settings = naru_registry::Settings {
        layer_limit: 1000,
        ..naru_registry::Settings::default()
    };
    let world = World::with(settings).await;
    let octocat = world.person("octocat").await;
    let content = noise("large", 1001);
    let id = begin(&world.registry, &octocat, APP).await;
    let said = append(&world.registry, &octocat, APP, &id, chunk(&content)).await;
    let mut unsaid = chunk(&content);
    unsaid.length = None;
    let unsaid = append(&world.registry, &octocat, APP, &id, unsaid).await;
    for outcome in [said, unsaid] {
        assert!(matches!(outcome, Err(Error::TooLarge { limit: 1000, .. })));
    }
    assert_eq!(
        offset(&world.registry, &octocat, APP, &id).await.unwrap(),
        0
    );
    let whole = target(&world.registry, &octocat, APP).await;
    assert!(world.upload(&octocat, &whole, &content).await.is_err());
    world
        .upload(&octocat, &whole, &content[..1000])
        .await
        .unwrap();
}

#[tokio::test]
async fn a_writer_whose_upload_went_on_elsewhere_is_refused() {
    let world = World::new().await;
    if !world.shares_bytes() {
        return;
    }
    let octocat = world.person("octocat").await;
    let content = noise("fencing", 100_000);
    let id = begin(&world.registry, &octocat, APP).await;
    append(
        &world.registry,
        &octocat,
        APP,
        &id,
        chunk(&content[..40_000]),
    )
    .await
    .unwrap();
    let (sender, slow) = slow_chunk();
    let old = tokio::spawn({
        let (registry, octocat, id) = (Arc::clone(&world.registry), octocat.clone(), id.clone());
        async move { append(&registry, &octocat, APP, &id, slow).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let other = world.another().await;
    let rest = chunk_at(40_000, &content[40_000..]);
    append(&other, &octocat, APP, &id, rest).await.unwrap();
    sender
        .send(Ok(Bytes::from_static(b"bytes of a half-dead connection")))
        .unwrap();
    drop(sender);
    assert!(old.await.unwrap().is_err(), "its number is old");
    assert_eq!(
        offset(&world.registry, &octocat, APP, &id).await.unwrap(),
        100_000
    );
    let digest = digest_of(&content);
    finish(&other, &octocat, APP, &id, &digest, b"")
        .await
        .unwrap();
    assert_eq!(
        blob(&world.registry, &octocat, APP, &digest).await.unwrap(),
        content
    );
}

#[tokio::test]
async fn a_cancelled_upload_is_gone_with_its_bytes() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let id = begin(&world.registry, &octocat, APP).await;
    append(
        &world.registry,
        &octocat,
        APP,
        &id,
        chunk(&noise("cancel", 100_000)),
    )
    .await
    .unwrap();
    let target = target(&world.registry, &octocat, APP).await;
    world
        .registry
        .cancel_upload(&octocat, &target, &id)
        .await
        .unwrap();
    let again = world.registry.cancel_upload(&octocat, &target, &id).await;
    assert!(matches!(again, Err(Error::UploadUnknown)));
    assert_eq!(objects(&world).await, 0);
}

#[tokio::test]
async fn an_upload_that_nobody_touches_for_a_day_is_given_up() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let id = begin(&world.registry, &octocat, APP).await;
    append(
        &world.registry,
        &octocat,
        APP,
        &id,
        chunk(&noise("expiry", 100_000)),
    )
    .await
    .unwrap();
    world.clock.advance(23 * HOUR);
    assert_eq!(collect(&world, Sweep::Quick).await.uploads, 0);
    append(&world.registry, &octocat, APP, &id, chunk(b"more"))
        .await
        .unwrap();
    world.clock.advance(23 * HOUR);
    assert_eq!(collect(&world, Sweep::Quick).await.uploads, 0);
    world.clock.advance(2 * HOUR);
    let late = append(&world.registry, &octocat, APP, &id, chunk(b"late")).await;
    assert!(matches!(late, Err(Error::UploadUnknown)));
    let collected = collect(&world, Sweep::Quick).await;
    assert_eq!(
        (collected.uploads, collected.packages),
        (1, 1),
        "the hidden package goes too"
    );
    assert_eq!(objects(&world).await, 0);
    begin(&world.registry, &octocat, APP).await;
}

#[tokio::test]
async fn a_revoked_token_ends_its_uploads_and_an_expired_one_does_not() {
    let world = World::new().await;
    world.user("octocat").await;
    let pat = world.pat("octocat", crate::world::PACKAGES).await;
    let octocat = world.caller(&pat).await;
    let id = begin(&world.registry, &octocat, APP).await;
    append(&world.registry, &octocat, APP, &id, chunk(b"before"))
        .await
        .unwrap();
    world
        .registry
        .revoke_token(&Caller::system(), &crate::name("octocat"), pat.id)
        .await
        .unwrap();
    // A caller whose principal was established before the revocation.
    let after = append(&world.registry, &octocat, APP, &id, chunk(b"after")).await;
    assert!(matches!(after, Err(Error::UploadUnknown)), "{after:?}");
}

#[tokio::test]
async fn a_duplicate_keeps_one_key() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let content = noise("duplicate", 10_000);
    let digest = digest_of(&content);
    let requests = (0..8).map(|number| {
        let (registry, octocat) = (Arc::clone(&world.registry), octocat.clone());
        let (content, digest) = (content.clone(), digest.clone());
        let package = format!("octocat/app{number}");
        tokio::spawn(async move {
            let target = target(&registry, &octocat, &package).await;
            let whole = chunk(&content);
            registry
                .upload_whole(&octocat, &target, &digest, whole)
                .await
        })
    });
    for request in requests.collect::<Vec<_>>() {
        request.await.unwrap().unwrap();
    }
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(collect(&world, Sweep::Quick).await.removed, 7);
    assert_eq!(objects(&world).await, 1);
    for number in 0..8 {
        let package = format!("octocat/app{number}");
        let found = blob(&world.registry, &octocat, &package, &digest).await;
        assert_eq!(found.unwrap(), content);
    }
}

/// The sweep of orphans may have taken its bytes: nothing may name them then.
#[tokio::test]
async fn a_blob_that_took_two_days_in_one_request_is_refused_and_one_in_chunks_is_not() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let content = noise("two days", 10_000);
    let digest = digest_of(&content);
    let id = begin(&world.registry, &octocat, APP).await;
    let target = target(&world.registry, &octocat, APP).await;
    let (sender, slow) = slow_chunk();
    let whole = tokio::spawn({
        let (registry, octocat) = (Arc::clone(&world.registry), octocat.clone());
        let (target, digest) = (target.clone(), digest.clone());
        async move {
            registry
                .upload_whole(&octocat, &target, &digest, slow)
                .await
        }
    });
    for _ in 0..3 {
        append(&world.registry, &octocat, APP, &id, chunk(b""))
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        world.clock.advance(16 * HOUR);
    }
    sender.send(Ok(Bytes::from(content.clone()))).unwrap();
    drop(sender);
    let whole = whole.await.unwrap();
    assert!(matches!(whole, Err(Error::Unavailable(_))), "{whole:?}");
    eventually("nothing of it is left", async || objects(&world).await == 0).await;
    finish(&world.registry, &octocat, APP, &id, &digest, &content)
        .await
        .unwrap();
}

/// A push of a small blob costs a transaction to begin and one to end; between them nothing has to
/// be written where no other process could go on with the upload.
#[tokio::test]
async fn only_where_other_processes_take_uploads_is_one_claimed_between_its_requests() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let id = begin(&world.registry, &octocat, APP).await;
    let content = noise("claims", 3000);
    append(&world.registry, &octocat, APP, &id, chunk(&content[..1000]))
        .await
        .unwrap();
    let db = world.db().await;
    let epoch = async || {
        let mut conn = db.read().await.unwrap();
        let row = naru_metadata::uploads::find(&mut conn, id.as_str()).await;
        row.unwrap().unwrap().epoch
    };
    let claims = if db.is_shared() { 1 } else { 0 };
    assert_eq!(epoch().await, 1 + claims);
    // Near its expiry it is claimed, so that it lasts.
    world.clock.advance(13 * HOUR);
    append(
        &world.registry,
        &octocat,
        APP,
        &id,
        chunk(&content[1000..2000]),
    )
    .await
    .unwrap();
    assert_eq!(epoch().await, 2 + claims);
    db.close().await;
    let digest = digest_of(&content);
    finish(
        &world.registry,
        &octocat,
        APP,
        &id,
        &digest,
        &content[2000..],
    )
    .await
    .unwrap();
}
