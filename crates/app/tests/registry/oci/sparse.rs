//! Manifests whose content is not all there, where a setting allows them (end-7).
//!
//! "A registry MAY reject a manifest uploaded to the manifest endpoint with descriptors in other
//! fields that reference a manifest or blob that does not exist in the registry." (Push)

use crate::kit::content::{EMPTY, Pushed, digest, image, index, noise};
use crate::kit::repo::Repo;
use crate::kit::server::{plain, sparse};

#[test]
fn an_index_may_lack_children_where_that_is_allowed() {
    let absent = Pushed::new(&image(EMPTY, &[b"an absent child"]));
    let repo = sparse().repo("sparse-index");
    let there = repo.push_image("v1");
    let list = repo.push("list", &index(&[&there.manifest, &absent]));
    assert_eq!(
        repo.get("manifests/list").send().expect(200).body,
        list.bytes
    );
    repo.get(&format!("manifests/{}", absent.digest))
        .send()
        .refused(404, "MANIFEST_UNKNOWN");
    let strict = plain().repo("sparse-index");
    strict
        .put_manifest("list", &Pushed::new(&index(&[&absent])))
        .refused(400, "MANIFEST_BLOB_UNKNOWN");
}

#[test]
fn an_image_may_lack_blobs_where_that_is_allowed() {
    let repo = sparse().repo("sparse-image");
    let (config, layer) = (b"{\"sparse\":1}".as_slice(), noise("sparse-image", 300));
    let pushed = repo.push("v1", &image(config, &[&layer]));
    assert_eq!(
        repo.get("manifests/v1").send().expect(200).body,
        pushed.bytes
    );
    let path = format!("blobs/{}", digest(&layer));
    repo.get(&path).send().refused(404, "BLOB_UNKNOWN");
}

/// What comes later fills the gap, and is then needed like everything else.
#[test]
fn a_gap_that_is_filled_holds_what_filled_it() {
    let repo = sparse().repo("sparse-filled");
    let (config, layer) = (b"{\"sparse\":2}".as_slice(), noise("sparse-filled", 300));
    let child = Pushed::new(&image(config, &[&layer]));
    let list = repo.push("list", &index(&[&child]));
    repo.put_manifest(&child.digest, &child).expect(201);
    let blob = repo.push_blob(&layer);
    repo.get(&format!("blobs/{blob}")).send().expect(200);
    repo.delete(&format!("blobs/{blob}")).send().expect(409);
    let refused = repo
        .delete(&format!("manifests/{}", child.digest))
        .send()
        .expect(409);
    assert!(refused.text().contains(&list.digest), "{refused:?}");
}

/// A mount fills a gap as an upload does.
#[test]
fn a_gap_is_filled_by_a_mount_too() {
    let server = sparse();
    let source = server.repo("sparse-mount-source");
    let there = source.push_image("v1");
    let repo = server.repo("sparse-mount");
    repo.push("v1", &image(&there.config, &[&there.layer]));
    let digest = there.layer_digest();
    let mount = format!("blobs/uploads/?mount={digest}&from={}", source.name);
    repo.post(&mount).send().expect(201);
    repo.get(&format!("blobs/{digest}")).send().expect(200);
    repo.delete(&format!("blobs/{digest}")).send().expect(409);
}

/// What cannot be read elsewhere does not become readable by being named here.
#[test]
fn a_sparse_manifest_opens_nothing_of_others() {
    let server = sparse();
    let secret = server.repo("sparse-secret");
    let image_there = secret.push_image("v1");
    let thief = server.someone("sparse-thief");
    let loot = Repo::new(server, "sparse-thief/loot", thief);
    loot.push("v1", &image(&image_there.config, &[&image_there.layer]));
    loot.push("list", &index(&[&image_there.manifest]));
    for path in [
        format!("blobs/{}", image_there.layer_digest()),
        format!("manifests/{}", image_there.digest()),
    ] {
        // The image itself has the same digest here, because its bytes were pushed here.
        let status = loot.get(&path).send().status;
        assert!(
            status == 404 || path.starts_with("manifests"),
            "{path}: {status}"
        );
    }
}
