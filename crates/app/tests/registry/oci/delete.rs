//! Deleting tags, manifests and blobs (end-9, end-10).

use crate::kit::content::{EMPTY, Hash, digest, image, index, noise, unknown_digest};
use crate::kit::server::plain;

/// "Upon success, the registry MUST respond with a `202 Accepted` code. […] Once deleted, a `GET`
/// to `/v2/<name>/manifests/<tag>` will return a 404." (Deleting tags, end-9)
#[test]
fn a_deleted_tag_is_gone_and_its_manifest_stays() {
    let repo = plain().repo("delete-tag");
    let image = repo.push_image("v1");
    repo.put_manifest("v2", &image.manifest).expect(201);
    repo.delete("manifests/v1").send().expect(202);
    repo.get("manifests/v1")
        .send()
        .refused(404, "MANIFEST_UNKNOWN");
    repo.head("manifests/v1").send().expect(404);
    assert_eq!(repo.tags(), ["v2"]);
    for reference in ["v2", image.digest()] {
        repo.get(&format!("manifests/{reference}"))
            .send()
            .expect(200);
    }
    repo.delete("manifests/v1")
        .send()
        .refused(404, "MANIFEST_UNKNOWN");
    repo.put_manifest("v1", &image.manifest).expect(201);
    repo.get("manifests/v1").send().expect(200);
}

/// "Upon success, the registry MUST respond with a `202 Accepted` code. […] Once deleted, a `GET`
/// to `/v2/<name>/manifests/<digest>` and any tag pointing to that digest will return a 404."
/// (Deleting Manifests, end-9)
#[test]
fn a_deleted_manifest_is_gone_with_its_tags() {
    let repo = plain().repo("delete-manifest");
    let (image, other) = (repo.push_image("v1"), repo.push_image("other"));
    repo.put_manifest("v2", &image.manifest).expect(201);
    repo.delete(&format!("manifests/{}", image.digest()))
        .send()
        .expect(202);
    for reference in ["v1", "v2", image.digest()] {
        repo.get(&format!("manifests/{reference}"))
            .send()
            .refused(404, "MANIFEST_UNKNOWN");
        repo.head(&format!("manifests/{reference}"))
            .send()
            .expect(404);
    }
    assert_eq!(repo.tags(), ["other"]);
    repo.get(&format!("manifests/{}", other.digest()))
        .send()
        .expect(200);
    repo.delete(&format!("manifests/{}", image.digest()))
        .send()
        .refused(404, "MANIFEST_UNKNOWN");
}

/// "If the repository does not exist, the response MUST return `404 Not Found`." (Deleting
/// Manifests)
#[test]
fn nothing_is_deleted_in_a_repository_that_does_not_exist() {
    let repo = plain().repo("delete-nowhere");
    let unknown = unknown_digest();
    repo.delete("manifests/v1").send().expect(404);
    repo.delete(&format!("manifests/{unknown}"))
        .send()
        .expect(404);
    repo.delete(&format!("blobs/{unknown}")).send().expect(404);
}

/// A manifest that a live index lists is needed: 409, naming the index.
#[test]
fn a_manifest_that_an_index_needs_stays() {
    let repo = plain().repo("delete-child");
    let child = repo.push_image("child");
    let list = repo.push("list", &index(&[&child.manifest]));
    let path = format!("manifests/{}", child.digest());
    let answer = repo.delete(&path).send().expect(409);
    assert!(answer.text().contains(&list.digest), "{answer:?}");
    repo.get(&path).send().expect(200);
    repo.get("manifests/child").send().expect(200);
    // Its tag may go; and it may go when nothing needs it.
    repo.delete("manifests/child").send().expect(202);
    repo.delete(&format!("manifests/{}", list.digest))
        .send()
        .expect(202);
    repo.delete(&path).send().expect(202);
}

/// A digest that was deleted and is pushed again is there again, without its old tags.
#[test]
fn a_deleted_manifest_may_be_pushed_again() {
    let repo = plain().repo("delete-again");
    let image = repo.push_image("v1");
    repo.delete(&format!("manifests/{}", image.digest()))
        .send()
        .expect(202);
    repo.put_manifest("v2", &image.manifest).expect(201);
    assert_eq!(repo.tags(), ["v2"]);
    let answer = repo
        .get(&format!("manifests/{}", image.digest()))
        .send()
        .expect(200);
    assert_eq!(answer.body, image.manifest.bytes);
    repo.get(&format!("blobs/{}", image.layer_digest()))
        .send()
        .expect(200);
}

/// The blobs of a deleted manifest are there for another push of it, or not needed for it: after a
/// HEAD that says 200, the manifest is taken.
#[test]
fn what_a_head_promises_the_next_manifest_may_use() {
    let repo = plain().repo("delete-promise");
    let first = repo.push_image("v1");
    repo.delete(&format!("manifests/{}", first.digest()))
        .send()
        .expect(202);
    for bytes in [&first.config, &first.layer] {
        let digest = digest(bytes);
        if repo.head(&format!("blobs/{digest}")).send().status == 404 {
            repo.push_blob(bytes);
        }
    }
    repo.push("v2", &image(&first.config, &[&first.layer]));
}

/// "Upon success, the registry MUST respond with code `202 Accepted`." (Deleting Blobs, end-10)
#[test]
fn a_deleted_blob_is_gone() {
    let repo = plain().repo("delete-blob");
    repo.push_image("v1");
    for hash in Hash::BOTH {
        let blob = noise("delete-blob", 700);
        let path = format!("blobs/{}", hash.of(&blob));
        repo.push_blob_as(&hash.of(&blob), &blob);
        repo.delete(&path).send().expect(202);
        repo.get(&path).send().refused(404, "BLOB_UNKNOWN");
        repo.head(&path).send().expect(404);
        repo.delete(&path).send().refused(404, "BLOB_UNKNOWN");
        repo.push_blob_as(&hash.of(&blob), &blob);
        assert_eq!(repo.get(&path).send().expect(200).body, blob);
    }
}

/// "If the blob is not found, a `404 Not Found` code MUST be returned." (Deleting Blobs)
#[test]
fn an_absent_blob_cannot_be_deleted() {
    let (repo, other) = (
        plain().repo("delete-no-blob"),
        plain().repo("delete-no-blob-other"),
    );
    repo.push_image("v1");
    let elsewhere = other.push_image("v1");
    for digest in [unknown_digest(), elsewhere.layer_digest()] {
        repo.delete(&format!("blobs/{digest}"))
            .send()
            .refused(404, "BLOB_UNKNOWN");
    }
    other
        .get(&format!("blobs/{}", elsewhere.layer_digest()))
        .send()
        .expect(200);
}

/// A blob that a live manifest needs stays: 409, naming the manifest.
#[test]
fn a_blob_that_a_manifest_needs_stays() {
    let repo = plain().repo("delete-needed-blob");
    let image = repo.push_image("v1");
    for bytes in [&image.layer, &image.config] {
        let path = format!("blobs/{}", digest(bytes));
        let answer = repo.delete(&path).send().expect(409);
        assert!(answer.text().contains(image.digest()), "{answer:?}");
        repo.get(&path).send().expect(200);
    }
}

/// A blob deleted in one repository stays in the others that have it.
#[test]
fn a_blob_is_deleted_in_one_repository_only() {
    let (one, two) = (
        plain().repo("delete-shared"),
        plain().repo("delete-shared-other"),
    );
    one.push_image("v1");
    two.push_image("v1");
    let blob = noise("delete-shared", 900);
    let digest = one.push_blob(&blob);
    two.push_blob(&blob);
    one.delete(&format!("blobs/{digest}")).send().expect(202);
    assert_eq!(
        two.get(&format!("blobs/{digest}")).send().expect(200).body,
        blob
    );
}

/// What a manifest once needed and nothing needs any more can be deleted.
#[test]
fn a_blob_may_be_deleted_after_its_manifest() {
    let repo = plain().repo("delete-order");
    repo.push_image("stays");
    repo.push_blob(EMPTY);
    let image = repo.push_image("v1");
    repo.delete(&format!("manifests/{}", image.digest()))
        .send()
        .expect(202);
    let answer = repo
        .delete(&format!("blobs/{}", image.layer_digest()))
        .send();
    // It may have gone with the manifest already.
    assert!(matches!(answer.status, 202 | 404), "{answer:?}");
}
