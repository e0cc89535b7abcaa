//! Pulling manifests and blobs, and checking whether they exist (end-2, end-3).

use serde_json::json;

use crate::kit::content::{
    EMPTY, Hash, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, Pushed, descriptor_by, digest, image, index,
    noise, unknown_digest,
};
use crate::kit::server::plain;

/// "A GET request to an existing manifest URL MUST provide the expected manifest, with a response
/// code that MUST be `200 OK`." (Pulling manifests, end-3)
///
/// "A successful response MUST contain the digest of the uploaded blob in the header
/// `Docker-Content-Digest`." (same place)
///
/// "`<tag-or-digest>` MUST be either (a) the digest of the manifest or (b) a tag." (same place)
#[test]
fn a_manifest_comes_back_by_tag_and_by_digest() {
    let repo = plain().repo("pull-manifest");
    let image = repo.push_image("v1");
    for reference in ["v1", image.digest()] {
        let answer = repo
            .get(&format!("manifests/{reference}"))
            .send()
            .expect(200);
        assert_eq!(answer.body, image.manifest.bytes);
        assert_eq!(answer.the("docker-content-digest"), image.digest());
        assert_eq!(
            answer.the("content-length"),
            image.manifest.bytes.len().to_string()
        );
    }
}

/// "The `Content-Type` header SHOULD match what the client pushed as the manifest's
/// `Content-Type`." and "The registry SHOULD NOT include parameters on the `Content-Type` header."
/// (Pulling manifests)
#[test]
fn the_type_of_a_manifest_is_the_one_it_was_pushed_with() {
    let repo = plain().repo("pull-type");
    let image = repo.push_image("v1");
    let sent = repo
        .put("manifests/v2")
        .with("Content-Type", &format!("{OCI_MANIFEST}; charset=utf-8"))
        .body(image.manifest.bytes.clone());
    sent.send().expect(201);
    for tag in ["v1", "v2"] {
        let answer = repo.get(&format!("manifests/{tag}")).send().expect(200);
        assert_eq!(answer.the("content-type"), OCI_MANIFEST);
    }
    let list = repo.push("list", &index(&[&image.manifest]));
    let answer = repo
        .get(&format!("manifests/{}", list.digest))
        .send()
        .expect(200);
    assert_eq!(answer.the("content-type"), OCI_INDEX);
}

/// "If the manifest is not found in the repository, the response code MUST be `404 Not Found`."
/// (Pulling manifests)
#[test]
fn an_absent_manifest_is_not_found() {
    let repo = plain().repo("pull-absent");
    let other = plain().repo("pull-absent-other");
    repo.push_image("v1");
    let elsewhere = other.push_image("elsewhere");
    for reference in ["v2", "V1", &unknown_digest(), elsewhere.digest()] {
        let path = format!("manifests/{reference}");
        repo.get(&path).send().refused(404, "MANIFEST_UNKNOWN");
        repo.head(&path).send().expect(404);
    }
}

/// "An attempt to pull a nonexistent repository MUST return response code `404 Not Found`."
/// (Pushing Manifests)
#[test]
fn a_nonexistent_repository_is_not_found() {
    let repo = plain().repo("pull-no-repository");
    for (rest, code) in [
        ("manifests/v1".to_owned(), "MANIFEST_UNKNOWN"),
        (format!("blobs/{}", unknown_digest()), "BLOB_UNKNOWN"),
        ("tags/list".to_owned(), "NAME_UNKNOWN"),
    ] {
        repo.get(&rest).send().refused(404, code);
        repo.head(&rest).send().expect(404);
    }
}

/// "The `<tag-or-digest>` MUST NOT be in any other format." (Pulling manifests)
///
/// "`<tag-or-digest>` as a tag MUST be at most 128 characters in length and MUST match the
/// following regular expression: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`" (same place)
#[test]
fn references_are_tags_or_digests_and_nothing_else() {
    let repo = plain().repo("pull-references");
    let image = repo.push_image("v1");
    for tag in ["a", "_", "A.b-c_d", "0", "sha256", &"x".repeat(128)] {
        repo.put_manifest(tag, &image.manifest).expect(201);
        repo.get(&format!("manifests/{tag}")).send().expect(200);
    }
    for tag in [
        ".a",
        "-a",
        "a+b",
        "a%20b",
        "a%2Fb",
        "a%00",
        "%C3%A4",
        &"x".repeat(129),
    ] {
        repo.put_manifest(tag, &image.manifest)
            .refused(400, "TAG_INVALID");
        repo.get(&format!("manifests/{tag}"))
            .send()
            .refused(400, "TAG_INVALID");
    }
    for wrong in [
        "sha256:",
        "sha256:abc",
        "md5:d41d8cd98f00b204e9800998ecf8427e",
        "a:b",
    ] {
        repo.put_manifest(wrong, &image.manifest)
            .refused(400, "DIGEST_INVALID");
        repo.get(&format!("manifests/{wrong}"))
            .send()
            .refused(400, "DIGEST_INVALID");
    }
    let upper = image.digest().replace("sha256:", "").to_uppercase();
    repo.get(&format!("manifests/sha256:{upper}"))
        .send()
        .refused(400, "DIGEST_INVALID");
}

/// "A GET request to an existing blob URL MUST provide the expected blob, with a response code
/// that MUST be `200 OK`. A successful response MUST contain the digest of the uploaded blob in the
/// header `Docker-Content-Digest`. If present, the value of this header MUST be a digest matching
/// that of the response body." (Pulling blobs, end-2)
#[test]
fn a_blob_comes_back_with_its_digest() {
    let repo = plain().repo("pull-blob");
    for (hash, length) in [
        (Hash::Sha256, 1),
        (Hash::Sha512, 1000),
        (Hash::Sha256, 3_000_000),
    ] {
        let blob = noise(&format!("pull-blob-{length}"), length);
        repo.push_blob_as(&hash.of(&blob), &blob);
        let answer = repo
            .get(&format!("blobs/{}", hash.of(&blob)))
            .send()
            .expect(200);
        assert_eq!(answer.the("docker-content-digest"), hash.of(&answer.body));
        assert_eq!(answer.body, blob);
        assert_eq!(answer.the("content-length"), length.to_string());
    }
}

/// "If the blob is not found in the repository, the response code MUST be `404 Not Found`."
/// (Pulling blobs)
#[test]
fn an_absent_blob_is_not_found_though_another_repository_has_it() {
    let repo = plain().repo("pull-no-blob");
    let other = plain().repo("pull-no-blob-other");
    repo.push_image("v1");
    let elsewhere = other.push_blob(&noise("pull-no-blob", 100));
    for digest in [
        unknown_digest(),
        Hash::Sha512.of(b"nobody has this"),
        elsewhere,
    ] {
        repo.get(&format!("blobs/{digest}"))
            .send()
            .refused(404, "BLOB_UNKNOWN");
        repo.head(&format!("blobs/{digest}")).send().expect(404);
    }
}

/// A manifest is no blob, and a blob no manifest: they have different URLs. (Checking if content
/// exists in the registry)
#[test]
fn blobs_and_manifests_do_not_stand_in_for_each_other() {
    let repo = plain().repo("pull-kinds");
    let image = repo.push_image("v1");
    repo.get(&format!("manifests/{}", image.layer_digest()))
        .send()
        .refused(404, "MANIFEST_UNKNOWN");
    repo.get(&format!("blobs/{}", image.digest()))
        .send()
        .refused(404, "BLOB_UNKNOWN");
}

/// "A HEAD request to an existing blob or manifest URL MUST return `200 OK`. A successful response
/// MUST contain the digest of the uploaded blob or manifest in the header `Docker-Content-Digest`.
/// A successful response MUST contain the size in bytes of the uploaded blob or manifest in the
/// header `Content-Length`." (Checking if content exists in the registry)
#[test]
fn a_head_tells_digest_and_size() {
    let repo = plain().repo("head");
    let image = repo.push_image("v1");
    let config = digest(&image.config);
    for (rest, digest, size) in [
        (
            "manifests/v1".to_owned(),
            image.digest(),
            image.manifest.bytes.len(),
        ),
        (
            format!("manifests/{}", image.digest()),
            image.digest(),
            image.manifest.bytes.len(),
        ),
        (
            format!("blobs/{}", image.layer_digest()),
            &*image.layer_digest(),
            image.layer.len(),
        ),
        (format!("blobs/{config}"), &*config, image.config.len()),
    ] {
        let answer = repo.head(&rest).send().expect(200);
        assert_eq!(answer.the("docker-content-digest"), digest);
        assert_eq!(answer.the("content-length"), size.to_string());
        assert!(answer.body.is_empty());
    }
}

/// "If the digest does differ, it MAY be the case that the hashing algorithms used do not match."
/// (Pulling manifests): a manifest pushed by sha512 is served under that name, and by its tags.
#[test]
fn a_manifest_is_named_by_the_hash_that_its_client_chose() {
    let repo = plain().repo("pull-sha512");
    let pushed = Pushed::new(&{
        let config = b"{\"sha512\":true}".as_slice();
        repo.push_blob_as(&Hash::Sha512.of(config), config);
        json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor_by(Hash::Sha512, OCI_CONFIG, config),
            "layers": [],
        })
    });
    let named = pushed.digest_by(Hash::Sha512);
    let answer = repo
        .put_manifest(&format!("{named}?tag=v512"), &pushed)
        .expect(201);
    assert_eq!(answer.the("docker-content-digest"), named);
    for reference in [named.as_str(), "v512"] {
        let answer = repo
            .get(&format!("manifests/{reference}"))
            .send()
            .expect(200);
        assert_eq!(answer.the("docker-content-digest"), named);
        assert_eq!(answer.body, pushed.bytes);
    }
}

/// "The client SHOULD include an `Accept` header indicating which manifest content types it
/// supports. In a successful response, the `Content-Type` header will indicate the type of the
/// returned manifest." (Pulling manifests): stored bytes alone, never converted.
#[test]
fn stored_bytes_come_back_or_the_client_is_told_that_it_cannot_have_them() {
    let repo = plain().repo("accept");
    let image = repo.push_image("v1");
    let list = repo.push("list", &index(&[&image.manifest]));
    let get = |accept: &[&str]| {
        let request = repo.get("manifests/list");
        accept
            .iter()
            .fold(request, |request, value| request.with("Accept", value))
            .send()
    };
    for accept in [
        &[][..],
        &["*/*"],
        &["application/*"],
        &[OCI_INDEX],
        &["application/vnd.oci.image.index.v1+json;q=0.5"],
        &["APPLICATION/vnd.oci.image.INDEX.v1+json"],
        &["application/json, */*;q=0.1"],
        &[
            "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.index.v1+json",
        ],
        &[
            "application/vnd.docker.distribution.manifest.v2+json",
            OCI_INDEX,
        ],
    ] {
        let answer = get(accept).expect(200);
        assert_eq!(answer.body, list.bytes, "{accept:?}");
        assert_eq!(answer.the("content-type"), OCI_INDEX);
    }
    for accept in [
        &[OCI_MANIFEST][..],
        &["application/vnd.docker.distribution.manifest.v2+json"],
        &["text/html"],
        &["*/*, application/vnd.oci.image.index.v1+json;q=0"],
    ] {
        let error = get(accept).refused(404, "MANIFEST_UNKNOWN").error();
        assert!(error.message.contains("Accept"), "{error:?}");
    }
}

/// "the response code MUST be `200 OK`" (Pulling manifests) unless the client has it already: RFC
/// 9110, section 13.1.2. A digest is its content's name, so it makes the entity tag.
#[test]
fn what_the_client_has_already_is_not_sent_again() {
    let repo = plain().repo("if-none-match");
    let image = repo.push_image("v1");
    let layer = image.layer_digest();
    for (rest, digest) in [
        ("manifests/v1".to_owned(), image.digest()),
        (format!("blobs/{layer}"), layer.as_str()),
    ] {
        let tag = repo.get(&rest).send().expect(200).the("etag").to_owned();
        assert_eq!(tag, format!("\"{digest}\""));
        for has in [
            tag.clone(),
            format!("W/{tag}"),
            format!("\"x\", {tag}"),
            "*".to_owned(),
        ] {
            for request in [repo.get(&rest), repo.head(&rest)] {
                let answer = request.with("If-None-Match", &has).send().expect(304);
                assert_eq!(answer.the("etag"), tag);
                assert_eq!(answer.the("docker-content-digest"), digest);
                assert!(answer.body.is_empty());
            }
        }
        repo.get(&rest)
            .with("If-None-Match", "\"sha256:other\"")
            .send()
            .expect(200);
    }
}

/// Clients take what they pull for what it says it is; browsers must not (headers of answers with
/// somebody's content).
#[test]
fn content_is_never_to_be_run_by_a_browser() {
    let repo = plain().repo("untrusted");
    let image = repo.push_image("v1");
    for rest in [
        "manifests/v1".to_owned(),
        format!("blobs/{}", image.layer_digest()),
    ] {
        let answer = repo.get(&rest).send().expect(200);
        assert_eq!(answer.the("x-content-type-options"), "nosniff");
        assert!(answer.the("content-security-policy").contains("sandbox"));
    }
    let blob = repo.get(&format!("blobs/{}", image.layer_digest())).send();
    assert_eq!(blob.the("content-type"), "application/octet-stream");
    assert_eq!(blob.the("content-disposition"), "attachment");
}

/// "the list of blobs MAY be empty" (Pushing Manifests), and a blob may be empty too.
#[test]
fn an_empty_blob_is_a_blob() {
    let repo = plain().repo("pull-empty");
    for hash in Hash::BOTH {
        let digest = hash.of(b"");
        repo.push_blob_as(&digest, b"");
        let answer = repo.get(&format!("blobs/{digest}")).send().expect(200);
        assert_eq!((answer.body.len(), answer.the("content-length")), (0, "0"));
        let answer = repo.head(&format!("blobs/{digest}")).send().expect(200);
        assert_eq!(answer.the("content-length"), "0");
    }
    let config = repo.push_blob(EMPTY);
    assert_eq!(config, digest(EMPTY));
    let manifest = repo.push("empty", &image(EMPTY, &[b""]));
    assert_eq!(
        repo.get("manifests/empty").send().expect(200).body,
        manifest.bytes
    );
}
