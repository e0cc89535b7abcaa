//! The life of content: uploaded, linked, named by a manifest, deleted, collected.

use std::time::Duration;

use crate::accounts::{package, user};
use crate::home::at;
use crate::{Home, on_both};
use naru_metadata::collector::{self, TrashReason};
use naru_metadata::links::{self, LinkTimes, PutBlob};
use naru_metadata::tags::{self, TagChange, TagReason};
use naru_metadata::uploads::{self, Claim, UploadRow};
use naru_metadata::versions::{self, GapKind, NewVersion, ReferrersQuery};
use naru_metadata::{Conn, Error, packages};
use naru_model::{Moment, PackageId, PackageType, TokenId, VersionId};
use naru_oci::{Algorithm, Digest};

on_both!(
    an_upload_goes_on_with_one_writer_at_a_time,
    a_digest_keeps_the_first_key_and_a_damaged_one_is_healed,
    a_mount_needs_a_blob_that_is_readable_there,
    an_image_lives_from_push_to_collection,
    an_index_holds_its_children,
    a_gap_is_filled_by_what_comes_later,
    a_tag_moves_and_is_given_back,
    referrers_are_filtered_and_paged,
    a_manifest_without_its_blob_is_refused,
);

const DAY: i64 = 24 * 3600;

fn digest(text: &str) -> Digest {
    Digest::of(Algorithm::Sha256, text.as_bytes())
}

fn times(now: i64) -> LinkTimes {
    LinkTimes {
        now: at(now),
        lease_until: at(now + DAY),
        readable_until: at(now + DAY),
    }
}

async fn image(tx: &mut Conn, name: &str) -> PackageId {
    let owner = match naru_metadata::accounts::find(tx, &"cat".parse().unwrap())
        .await
        .unwrap()
    {
        Some(account) => account.id(),
        None => user(tx, "cat").await,
    };
    package(tx, owner, PackageType::Container, name).await
}

async fn blob(tx: &mut Conn, package: PackageId, text: &str, now: i64) -> Digest {
    let digest = digest(text);
    links::put_blob(
        tx,
        &digest,
        text.len() as u64,
        &format!("key-{text}"),
        at(now),
    )
    .await
    .unwrap();
    links::put_link(tx, package, &digest, times(now))
        .await
        .unwrap();
    digest
}

async fn manifest(
    tx: &mut Conn,
    package: PackageId,
    content: &str,
    subject: Option<&Digest>,
    now: i64,
) -> (VersionId, Digest) {
    let digest = digest(content);
    let new = NewVersion {
        digest: &digest,
        media_type: "application/vnd.oci.image.manifest.v1+json",
        artifact_type: subject.map(|_| "application/x-signature"),
        subject,
        annotations: Some("{}"),
        content: content.as_bytes(),
        created_by: None,
        now: at(now),
    };
    (
        versions::insert(tx, package, &new).await.unwrap().unwrap(),
        digest,
    )
}

const fn tagging(now: Moment, reason: TagReason) -> TagChange {
    TagChange {
        now,
        by_account: None,
        by_token: None,
        reason,
    }
}

async fn an_upload_goes_on_with_one_writer_at_a_time(home: Home) {
    let mut tx = home.open().await.write().await.unwrap();
    let package = image(&mut tx, "image").await;
    let upload = UploadRow {
        id: "upload".to_owned(),
        package,
        principal: "user:7".to_owned(),
        token: Some(TokenId::new(3)),
        storage_key: "key".to_owned(),
        epoch: 1,
        offset: 0,
        state: None,
        expires_at: at(100),
    };
    uploads::insert(&mut tx, &upload, at(1)).await.unwrap();
    assert_eq!(
        uploads::find(&mut tx, "upload").await.unwrap().as_ref(),
        Some(&upload)
    );
    assert!(
        uploads::save(&mut tx, "upload", 1, 5, b"state", at(101))
            .await
            .unwrap()
    );
    let claim = Claim {
        principal: "user:7",
        package,
        now: at(99),
        expires_at: at(102),
    };
    for wrong in [
        Claim {
            principal: "user:8",
            ..claim
        },
        Claim {
            package: PackageId::new(package.get() + 1),
            ..claim
        },
        Claim {
            now: at(101),
            ..claim
        },
    ] {
        let refused = uploads::claim(&mut tx, "upload", wrong).await.unwrap();
        assert_eq!(refused, None, "{wrong:?}");
    }
    let claimed = uploads::claim(&mut tx, "upload", claim)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((claimed.epoch, claimed.offset), (2, 5));
    assert_eq!(claimed.state.as_deref(), Some(&b"state"[..]));
    assert!(
        !uploads::save(&mut tx, "upload", 1, 9, b"old", at(101))
            .await
            .unwrap()
    );
    assert!(!uploads::close(&mut tx, "upload", 1).await.unwrap());
    assert_eq!(
        uploads::count_of_package(&mut tx, package).await.unwrap(),
        1
    );
    assert_eq!(uploads::expired(&mut tx, at(102), 9).await.unwrap(), []);
    uploads::end_those_of_token(&mut tx, TokenId::new(3), at(50))
        .await
        .unwrap();
    assert_eq!(
        uploads::expired(&mut tx, at(50), 9).await.unwrap()[0].epoch,
        3
    );
    assert!(uploads::close(&mut tx, "upload", 3).await.unwrap());
    assert_eq!(uploads::find(&mut tx, "upload").await.unwrap(), None);
}

async fn a_digest_keeps_the_first_key_and_a_damaged_one_is_healed(home: Home) {
    let mut tx = home.open().await.write().await.unwrap();
    let layer = digest("layer");
    let put =
        async |tx: &mut Conn, key: &str| links::put_blob(tx, &layer, 5, key, at(1)).await.unwrap();
    assert_eq!(put(&mut tx, "first").await, PutBlob::Stored);
    assert_eq!(put(&mut tx, "second").await, PutBlob::Duplicate);
    assert!(
        !links::mark_damaged(&mut tx, &layer, "second", at(2))
            .await
            .unwrap()
    );
    assert!(
        links::mark_damaged(&mut tx, &layer, "first", at(2))
            .await
            .unwrap()
    );
    assert!(links::blobs_page(&mut tx, "", 9).await.unwrap()[0].damaged);
    assert_eq!(
        put(&mut tx, "third").await,
        PutBlob::Healed {
            replaced: "first".to_owned()
        }
    );
    let found = links::blobs_page(&mut tx, "", 9).await.unwrap();
    assert_eq!(
        (found[0].storage_key.as_str(), found[0].damaged),
        ("third", false)
    );
    assert!(links::key_known(&mut tx, "third").await.unwrap());
    assert!(!links::key_known(&mut tx, "first").await.unwrap());
}

async fn a_mount_needs_a_blob_that_is_readable_there(home: Home) {
    let mut tx = home.open().await.write().await.unwrap();
    let source = image(&mut tx, "source").await;
    let target = image(&mut tx, "target").await;
    packages::publish(&mut tx, source, at(1)).await.unwrap();
    let layer = blob(&mut tx, source, "layer", 1).await;
    let owner = packages::find(&mut tx, source)
        .await
        .unwrap()
        .unwrap()
        .owner;
    let found = links::mount_candidates(&mut tx, &layer, target, owner, 9)
        .await
        .unwrap();
    assert_eq!(found, [source]);
    let absent = digest("absent");
    assert!(
        !links::mount(&mut tx, target, source, &absent, times(2))
            .await
            .unwrap()
    );
    assert!(
        links::mount(&mut tx, target, source, &layer, times(2))
            .await
            .unwrap()
    );
    let linked = links::find(&mut tx, target, &layer).await.unwrap().unwrap();
    assert_eq!((linked.size, linked.lease_until), (5, at(2 + DAY)));
    assert!(links::hide(&mut tx, source, &layer, at(3)).await.unwrap());
    assert!(
        !links::mount(&mut tx, target, source, &layer, times(4))
            .await
            .unwrap()
    );
}

async fn an_image_lives_from_push_to_collection(home: Home) {
    let mut tx = home.open().await.write().await.unwrap();
    let package = image(&mut tx, "image").await;
    let layer = blob(&mut tx, package, "layer", 1).await;
    let digests = [layer.as_str()];
    let usable = links::usable(&mut tx, package, &digests, at(2))
        .await
        .unwrap();
    assert_eq!((usable.len(), usable[0].size), (1, 5));
    let (version, name) = manifest(&mut tx, package, "manifest", None, 2).await;
    versions::hold_blobs(&mut tx, package, version, &digests)
        .await
        .unwrap();
    assert!(packages::publish(&mut tx, package, at(2)).await.unwrap());
    let change = tagging(at(2), TagReason::Push);
    tags::put(&mut tx, package, "latest", version, change)
        .await
        .unwrap();
    let found = versions::find_by_tag(&mut tx, package, "latest")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.id, found.content.as_slice()),
        (version, &b"manifest"[..])
    );
    assert_eq!(
        versions::find_by_digest(&mut tx, package, &name)
            .await
            .unwrap(),
        Some(found)
    );
    assert!(
        links::find(&mut tx, package, &layer)
            .await
            .unwrap()
            .unwrap()
            .needed
    );
    assert_eq!(
        links::keeper(&mut tx, package, &layer).await.unwrap(),
        Some(name.clone())
    );

    // A year later the link is still held, whatever its lease said.
    let later = 365 * DAY;
    assert_eq!(collector::unlink(&mut tx, at(later), 9).await.unwrap(), []);

    let change = tagging(at(later), TagReason::VersionDeleted);
    tags::remove_of_version(&mut tx, package, version, change)
        .await
        .unwrap();
    let deleted = versions::delete(&mut tx, package, &[version], at(later), None).await;
    assert_eq!(deleted.unwrap(), 1);
    let until = at(later + DAY);
    versions::hide_lost_blobs(&mut tx, package, &[version], at(later), until)
        .await
        .unwrap();
    let hidden = links::find(&mut tx, package, &layer)
        .await
        .unwrap()
        .unwrap();
    assert!(!hidden.needed && !hidden.readable(at(later)));

    let purge = later + 30 * DAY;
    let found = versions::purge_candidates(&mut tx, at(purge), 9)
        .await
        .unwrap();
    assert_eq!(found, [(package, version)]);
    versions::purge(&mut tx, package, version, at(purge + DAY))
        .await
        .unwrap();
    assert_eq!(collector::unlink(&mut tx, at(purge), 9).await.unwrap(), []);
    let loose = collector::unlink(&mut tx, at(purge + 2 * DAY), 9)
        .await
        .unwrap();
    assert_eq!(loose, std::slice::from_ref(&layer));
    let delete_after = at(purge + 9 * DAY);
    assert_eq!(
        collector::condemn(&mut tx, &digests, delete_after)
            .await
            .unwrap(),
        1
    );
    assert_eq!(collector::due(&mut tx, delete_after, 9).await.unwrap(), []);
    let due = collector::due(&mut tx, at(purge + 10 * DAY), 9)
        .await
        .unwrap();
    assert_eq!(due[0].storage_key, "key-layer");
    collector::retry_at(&mut tx, "key-layer", at(purge + 11 * DAY))
        .await
        .unwrap();
    collector::forget(&mut tx, "key-layer").await.unwrap();
    assert_eq!(collector::trash_size(&mut tx).await.unwrap(), 0);
}

async fn an_index_holds_its_children(home: Home) {
    let db = home.open().await;
    let mut tx = db.write().await.unwrap();
    let package = image(&mut tx, "image").await;
    let (child, child_digest) = manifest(&mut tx, package, "child", None, 1).await;
    let (index, index_digest) = manifest(&mut tx, package, "index", None, 1).await;
    let children = [child_digest.as_str()];
    let live = versions::live_children(&mut tx, package, &children)
        .await
        .unwrap();
    assert_eq!(live, std::slice::from_ref(&child_digest));
    versions::hold_children(&mut tx, package, index, &children)
        .await
        .unwrap();
    let parent = versions::parent(&mut tx, package, &child_digest)
        .await
        .unwrap();
    assert_eq!(parent, Some(index_digest));
    versions::delete(&mut tx, package, &[child, index], at(2), None)
        .await
        .unwrap();
    let found = versions::purge_candidates(&mut tx, at(3), 9).await.unwrap();
    assert_eq!(found, [(package, index)]);
    tx.commit().await.unwrap();

    // Even a purge that is wrong removes nothing that something refers to.
    let mut tx = db.write().await.unwrap();
    let outcome = versions::purge(&mut tx, package, child, at(9)).await;
    assert!(
        matches!(outcome, Err(Error::ForeignKey { .. })),
        "{outcome:?}"
    );
    drop(tx);
    let mut conn = db.read().await.unwrap();
    assert!(
        versions::header_by_id(&mut conn, package, child)
            .await
            .unwrap()
            .is_some()
    );
}

async fn a_gap_is_filled_by_what_comes_later(home: Home) {
    let mut tx = home.open().await.write().await.unwrap();
    let package = image(&mut tx, "image").await;
    let (version, name) = manifest(&mut tx, package, "sparse", None, 1).await;
    let missing = digest("layer");
    let digests = [missing.as_str()];
    versions::note_gaps(&mut tx, package, version, GapKind::Blob, &digests)
        .await
        .unwrap();
    assert_eq!(
        links::keeper(&mut tx, package, &missing).await.unwrap(),
        None
    );
    blob(&mut tx, package, "layer", 2).await;
    versions::fill_gaps(&mut tx, package, GapKind::Blob, &missing)
        .await
        .unwrap();
    assert_eq!(
        links::keeper(&mut tx, package, &missing).await.unwrap(),
        Some(name.clone())
    );

    let child = digest("child");
    let digests = [child.as_str()];
    versions::note_gaps(&mut tx, package, version, GapKind::Manifest, &digests)
        .await
        .unwrap();
    manifest(&mut tx, package, "child", None, 3).await;
    versions::fill_gaps(&mut tx, package, GapKind::Manifest, &child)
        .await
        .unwrap();
    assert_eq!(
        versions::parent(&mut tx, package, &child).await.unwrap(),
        Some(name)
    );
}

async fn a_tag_moves_and_is_given_back(home: Home) {
    let mut tx = home.open().await.write().await.unwrap();
    let package = image(&mut tx, "image").await;
    let (one, _) = manifest(&mut tx, package, "one", None, 1).await;
    let (two, digest) = manifest(&mut tx, package, "two", None, 1).await;
    for (name, version) in [("v1", one), ("V1", one), ("latest", one), ("latest", two)] {
        tags::put(
            &mut tx,
            package,
            name,
            version,
            tagging(at(2), TagReason::Push),
        )
        .await
        .unwrap();
    }
    let found = tags::find(&mut tx, package, "latest")
        .await
        .unwrap()
        .unwrap();
    assert_eq!((found.version, found.digest), (two, digest));
    // In the order of bytes: capitals first.
    assert_eq!(
        tags::names(&mut tx, package, "", 9).await.unwrap(),
        ["V1", "latest", "v1"]
    );
    assert_eq!(
        tags::names(&mut tx, package, "V1", 1).await.unwrap(),
        ["latest"]
    );
    let change = tagging(at(5), TagReason::VersionDeleted);
    let mut lost = tags::remove_of_version(&mut tx, package, one, change)
        .await
        .unwrap();
    lost.sort_unstable();
    assert_eq!(lost, ["V1", "v1"]);
    tags::put(&mut tx, package, "v1", two, tagging(at(6), TagReason::Push))
        .await
        .unwrap();
    let free = tags::lost_with_version(&mut tx, package, one, at(5))
        .await
        .unwrap();
    assert_eq!(free, ["V1"]);
    let removed = tagging(at(7), TagReason::Delete);
    assert!(
        tags::remove(&mut tx, package, "latest", removed)
            .await
            .unwrap()
    );
    assert!(
        !tags::remove(&mut tx, package, "latest", removed)
            .await
            .unwrap()
    );
    assert_eq!(tags::of_version(&mut tx, two).await.unwrap(), ["v1"]);
}

async fn referrers_are_filtered_and_paged(home: Home) {
    let mut tx = home.open().await.write().await.unwrap();
    let package = image(&mut tx, "image").await;
    let subject = digest("subject");
    let (first, _) = manifest(&mut tx, package, "one", Some(&subject), 1).await;
    manifest(&mut tx, package, "two", Some(&subject), 1).await;
    manifest(&mut tx, package, "unrelated", None, 1).await;
    let query = |artifact_type, after| ReferrersQuery {
        artifact_type,
        after,
        limit: 9,
    };
    let mut count = async |query| {
        versions::referrers(&mut tx, package, &subject, query)
            .await
            .unwrap()
            .len()
    };
    assert_eq!(count(query(None, VersionId::new(0))).await, 2);
    assert_eq!(count(query(None, first)).await, 1);
    assert_eq!(
        count(query(Some("application/x-signature"), VersionId::new(0))).await,
        2
    );
    assert_eq!(
        count(query(Some("application/other"), VersionId::new(0))).await,
        0
    );
}

async fn a_manifest_without_its_blob_is_refused(home: Home) {
    let mut tx = home.open().await.write().await.unwrap();
    let package = image(&mut tx, "image").await;
    let (version, _) = manifest(&mut tx, package, "manifest", None, 1).await;
    let absent = digest("absent");
    let outcome = versions::hold_blobs(&mut tx, package, version, &[absent.as_str()]).await;
    assert!(
        matches!(outcome, Err(Error::ForeignKey { .. })),
        "{outcome:?}"
    );
    let later = at(1).plus(Duration::from_secs(1));
    let discarded = collector::discard(&mut tx, "key", None, TrashReason::Orphan, later).await;
    assert_eq!(discarded, Err(Error::Aborted));
}
