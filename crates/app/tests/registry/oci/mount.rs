//! Mounting a blob from another repository (end-11).

use crate::kit::content::{Hash, Pushed, image, noise, unknown_digest};
use crate::kit::http::{Answer, Credential, in_query};
use crate::kit::repo::Repo;
use crate::kit::server::plain;

fn mount(repo: &Repo<'_>, digest: &str, from: Option<&str>) -> Answer {
    let from = from
        .map(|from| format!("&from={}", in_query(from)))
        .unwrap_or_default();
    repo.post(&format!("blobs/uploads/?mount={}{from}", in_query(digest)))
        .send()
}

/// "If a registry […] is unable to mount the requested blob, it SHOULD return a `202`. This
/// indicates that the upload session has begun and that the client MAY proceed with the upload."
/// (Mounting a blob from another repository)
#[track_caller]
fn begins_an_upload(repo: &Repo<'_>, answer: Answer, bytes: &[u8]) {
    let location = answer.expect(202).the("location").to_owned();
    repo.close(&location, &Hash::Sha256.of(bytes), bytes)
        .expect(201);
}

/// "The response to a successful mount MUST be `201 Created`, and MUST contain the following
/// header: `Location: <blob-location>`. The Location header will contain the registry URL to access
/// the accepted layer file. The Docker-Content-Digest header returns the digest of the uploaded
/// blob" (Mounting a blob from another repository)
#[test]
fn a_blob_is_mounted_from_a_repository_that_has_it() {
    let (source, target) = (plain().repo("mount-source"), plain().repo("mount-target"));
    source.push_image("v1");
    for hash in Hash::BOTH {
        let blob = noise(&format!("mount-{}", hash.word()), 5000);
        let digest = hash.of(&blob);
        source.push_blob_as(&digest, &blob);
        let answer = mount(&target, &digest, Some(&source.name)).expect(201);
        assert_eq!(answer.the("docker-content-digest"), digest);
        assert_eq!(
            target.get(answer.the("location")).send().expect(200).body,
            blob
        );
        assert!(answer.the("location").contains(&target.name));
    }
}

/// "The registry MAY treat the `from` parameter as optional, and it MAY cross-mount the blob if it
/// can be found." (Mounting a blob from another repository)
#[test]
fn a_blob_is_mounted_without_saying_from_where() {
    let (source, target) = (plain().repo("mount-anywhere"), plain().repo("mount-to"));
    let image = source.push_image("v1");
    let digest = image.layer_digest();
    mount(&target, &digest, None).expect(201);
    let answer = target.get(&format!("blobs/{digest}")).send().expect(200);
    assert_eq!(answer.body, image.layer);
}

#[test]
fn a_blob_is_mounted_from_the_repository_itself() {
    let repo = plain().repo("mount-self");
    let image = repo.push_image("v1");
    mount(&repo, &image.layer_digest(), Some(&repo.name)).expect(201);
    mount(&repo, &image.layer_digest(), None).expect(201);
}

#[test]
fn what_cannot_be_mounted_is_uploaded() {
    let (source, target) = (plain().repo("mount-lacks"), plain().repo("mount-lacks-to"));
    source.push_image("v1");
    let bytes = b"what cannot be mounted".as_slice();
    for (digest, from) in [
        (unknown_digest(), Some(source.name.as_str())),
        (unknown_digest(), None),
        (unknown_digest(), Some("octo/never-pushed")),
        (unknown_digest(), Some("nobody-at-all/app")),
        (Hash::Sha512.of(b"unknown too"), Some(source.name.as_str())),
    ] {
        begins_an_upload(&target, mount(&target, &digest, from), bytes);
    }
    let manifest = source
        .get("manifests/v1")
        .send()
        .the("docker-content-digest")
        .to_owned();
    begins_an_upload(
        &target,
        mount(&target, &manifest, Some(&source.name)),
        bytes,
    );
}

/// Mounting from elsewhere is a read of elsewhere: a digest alone opens nothing, whether the blob
/// is there or not (zot CVE-2024-39897).
#[test]
fn a_blob_that_one_may_not_read_cannot_be_mounted() {
    let server = plain();
    let secret = server.repo("mount-secret");
    let there = secret.push_image("v1");
    let thief = server.someone("mount-thief");
    let target = Repo::new(server, "mount-thief/loot", thief);
    let digest = there.layer_digest();
    for from in [Some(secret.name.as_str()), None] {
        let location = mount(&target, &digest, from)
            .expect(202)
            .the("location")
            .to_owned();
        target
            .get(&format!("blobs/{digest}"))
            .send()
            .refused(404, "BLOB_UNKNOWN");
        // To finish with the digest of what one does not have gives nothing either.
        target
            .close(&location, &digest, b"")
            .refused(400, "DIGEST_INVALID");
        target
            .get(&format!("blobs/{digest}"))
            .send()
            .refused(404, "BLOB_UNKNOWN");
    }
    // Nor by a manifest that names it.
    let manifest = Pushed::new(&image(&there.config, &[&there.layer]));
    target
        .put_manifest("v1", &manifest)
        .refused(400, "MANIFEST_BLOB_UNKNOWN");
    // The absent and the secret source are told apart by nothing.
    let of = |name: &str, digest: &str| {
        let answer = mount(&target, digest, Some(name)).expect(202);
        (answer.header_names().len(), answer.body.clone())
    };
    assert_eq!(of(&secret.name, &digest), of("octo/never-pushed", &digest));
    assert_eq!(
        of(&secret.name, &digest),
        of(&secret.name, &unknown_digest())
    );
}

/// A mount without `from` finds what the caller may read, though somebody else owns it.
#[test]
fn a_public_blob_is_mounted_by_anybody() {
    let server = plain();
    let source = server.repo("mount-public");
    let image = source.push_image("v1");
    server.set_visibility(&source.name, "public");
    let other = server.someone("mount-other");
    let target = Repo::new(server, "mount-other/app", other);
    mount(&target, &image.layer_digest(), Some(&source.name)).expect(201);
    let second = Repo {
        name: "mount-other/second".to_owned(),
        ..target
    };
    mount(&second, &image.layer_digest(), None).expect(201);
}

#[test]
fn a_mount_needs_somebody_who_may_push() {
    let server = plain();
    let repo = server.repo("mount-anonymous");
    let image = repo.push_image("v1");
    let nobody = repo.by(&Credential::Absent);
    mount(&nobody, &image.layer_digest(), Some(&repo.name)).refused(401, "UNAUTHORIZED");
    let stranger = repo.by(&server.someone("mount-stranger"));
    mount(&stranger, &image.layer_digest(), Some(&repo.name)).refused(403, "DENIED");
}

#[test]
fn a_mount_of_what_is_no_digest_is_refused() {
    let repo = plain().repo("mount-invalid");
    mount(&repo, "sha256:abc", None).refused(400, "DIGEST_INVALID");
    let invalid = mount(&repo, &unknown_digest(), Some("UPPER/Case"));
    assert!(matches!(invalid.status, 202 | 400), "{invalid:?}");
}
