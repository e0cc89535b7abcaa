//! Pushing a blob monolithically (end-4a, end-4b, end-6).

use crate::kit::content::{Hash, digest, noise, unknown_digest};
use crate::kit::http::{Answer, answer_on};
use crate::kit::repo::{Repo, with_digest};
use crate::kit::server::{plain, tight};

#[track_caller]
fn is_there(repo: &Repo<'_>, digest: &str, bytes: &[u8]) {
    assert_eq!(
        repo.get(&format!("blobs/{digest}")).send().expect(200).body,
        bytes
    );
}

/// "With `<blob-location>` being a pullable blob URL." (POST then PUT)
#[track_caller]
fn is_pullable(repo: &Repo<'_>, answer: &Answer, bytes: &[u8]) {
    assert_eq!(
        repo.get(answer.the("location")).send().expect(200).body,
        bytes
    );
}

/// "Upon success, the response MUST have a code of `202 Accepted`, and MUST include the following
/// header: `Location: <blob-push-location>`. The `<blob-push-location>` MUST contain a UUID
/// representing a unique session ID for the upload to follow." (POST then PUT, end-4a)
#[test]
fn an_upload_begins_with_a_location_of_its_own() {
    let repo = plain().repo("begin");
    let answer = repo.post("blobs/uploads/").send().expect(202);
    let location = answer.the("location");
    let id = location.rsplit('/').next().unwrap();
    assert_eq!(answer.the("docker-upload-uuid"), id);
    let dashes = [8, 13, 18, 23];
    let is_uuid = id.len() == 36
        && id
            .bytes()
            .enumerate()
            .all(|(place, byte)| match dashes.contains(&place) {
                true => byte == b'-',
                false => byte.is_ascii_hexdigit(),
            });
    assert!(is_uuid, "{id}");
    assert_ne!(repo.begin(), location);
}

/// "Optionally, the location MAY be absolute (containing the protocol and/or hostname), or it MAY
/// be relative" (POST then PUT): what it says leads back to where the client came from.
#[test]
fn a_location_leads_back_to_the_host_that_the_client_named() {
    let repo = plain().repo("location");
    for host in [
        "registry.example.com",
        "registry.example.com:8443",
        "[::1]:5000",
    ] {
        let answer = repo.at_host(host).post("blobs/uploads/").send().expect(202);
        let location = answer.the("location");
        assert!(
            location.starts_with(&format!("http://{host}/v2/")) || location.starts_with("/v2/"),
            "{location}"
        );
    }
}

/// "Upon successful completion of the request, the response MUST have code `201 Created` and MUST
/// have the following header: `Location: <blob-location>`" (POST then PUT, end-6)
#[test]
fn a_blob_is_pushed_with_a_post_and_a_put() {
    let repo = plain().repo("post-put");
    for hash in Hash::BOTH {
        let blob = noise("post-put", 200_000);
        let digest = hash.of(&blob);
        let location = repo.begin();
        let answer = repo.close(&location, &digest, &blob).expect(201);
        assert_eq!(answer.the("docker-content-digest"), digest);
        is_pullable(&repo, &answer, &blob);
        is_there(&repo, &digest, &blob);
    }
}

/// "The `<blob-push-location>` MAY contain critical query parameters. […] It SHOULD NOT be
/// assembled manually by clients" (POST then PUT): colons in the digest may come encoded.
#[test]
fn the_digest_of_a_put_may_be_percent_encoded() {
    let repo = plain().repo("encoded-digest");
    let blob = noise("encoded-digest", 10);
    let location = repo.begin();
    repo.close(&location, &digest(&blob).replace(':', "%3A"), &blob)
        .expect(201);
    is_there(&repo, &digest(&blob), &blob);
}

/// A PUT of unknown length, as `curl -T -` and some builders send it (RFC 9112, section 7.1).
#[test]
fn a_put_may_be_streamed_without_a_length() {
    let repo = plain().repo("streamed-put");
    let blob = noise("streamed-put", 150_000);
    let location = repo.begin();
    let pieces: Vec<&[u8]> = blob.chunks(7777).collect();
    let answer = repo
        .put(&with_digest(&location, &digest(&blob)))
        .streamed(&pieces)
        .send();
    is_pullable(&repo, &answer.expect(201), &blob);
}

/// "Successful completion of the request MUST return a `201 Created` and MUST include the following
/// header: `Location: <blob-location>`" (Single POST, end-4b)
#[test]
fn a_blob_is_pushed_with_a_single_post() {
    let repo = plain().repo("single-post");
    for hash in Hash::BOTH {
        let blob = noise("single-post", 5000);
        let digest = hash.of(&blob);
        let request = repo.post(&format!("blobs/uploads/?digest={digest}"));
        let answer = request
            .with("Content-Type", "application/octet-stream")
            .body(blob.clone())
            .send();
        let answer = answer.expect(201);
        assert_eq!(answer.the("docker-content-digest"), digest);
        is_pullable(&repo, &answer, &blob);
    }
}

/// "Likewise, the `<digest>` MUST match the blob's digest." (Single POST)
#[test]
fn a_single_post_with_the_wrong_digest_leaves_nothing() {
    let repo = plain().repo("single-post-wrong");
    let request = repo.post(&format!("blobs/uploads/?digest={}", unknown_digest()));
    request
        .body(noise("single-post-wrong", 100))
        .send()
        .refused(400, "DIGEST_INVALID");
    repo.get(&format!("blobs/{}", unknown_digest()))
        .send()
        .expect(404);
}

/// "In each implementation, if the client provided digest is invalid or uses an unsupported
/// algorithm, the registry SHOULD respond with a response code `400 Bad Request`." (Pushing blobs)
#[test]
fn an_invalid_or_unsupported_digest_is_a_bad_request() {
    let repo = plain().repo("bad-digest");
    let blob = b"bad digest".as_slice();
    let upper = digest(blob).to_uppercase().replace("SHA256", "sha256");
    for wrong in [
        "sha256:abc",
        "sha256",
        "",
        "md5:d41d8cd98f00b204e9800998ecf8427e",
        &upper,
        "sha384:38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b",
        "sha256:zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
    ] {
        let location = repo.begin();
        repo.close(&location, wrong, blob)
            .refused(400, "DIGEST_INVALID");
        let post = repo
            .post(&format!("blobs/uploads/?digest={wrong}"))
            .body(blob)
            .send();
        // Without a value the parameter is as good as absent: the upload begins.
        assert!(
            post.status == 400 || (wrong.is_empty() && post.status == 202),
            "{post:?}"
        );
    }
    let location = repo.begin();
    repo.put(&location)
        .body(blob)
        .send()
        .refused(400, "DIGEST_INVALID");
}

/// "provided digest did not match uploaded content" (Error Codes, code-4): nothing of it is kept,
/// under neither name.
#[test]
fn a_blob_that_does_not_match_its_digest_is_refused_and_gone() {
    let repo = plain().repo("mismatch");
    let (blob, other) = (noise("mismatch", 100), noise("mismatch-other", 100));
    for hash in Hash::BOTH {
        let location = repo.begin();
        let error = repo
            .close(&location, &hash.of(&other), &blob)
            .refused(400, "DIGEST_INVALID");
        assert_eq!(
            error.error().message,
            "provided digest did not match uploaded content"
        );
        for digest in [hash.of(&other), hash.of(&blob)] {
            repo.get(&format!("blobs/{digest}")).send().expect(404);
        }
        repo.get(&location)
            .send()
            .refused(404, "BLOB_UPLOAD_UNKNOWN");
    }
}

/// "The `Content-Length` header MUST match the blob's actual content length." (Single POST): when
/// less arrives, there is no blob.
#[test]
fn a_body_shorter_than_it_says_makes_no_blob() {
    use std::io::Write;
    use std::net::Shutdown;

    let repo = plain().repo("short-body");
    let blob = noise("short-body", 1000);
    let location = repo.begin();
    let request = repo
        .put(&with_digest(&location, &digest(&blob[..500])))
        .body(blob.clone());
    let mut connection = repo.server.connect();
    connection.write_all(request.head().as_bytes()).unwrap();
    connection.write_all(&blob[..500]).unwrap();
    connection.shutdown(Shutdown::Write).unwrap();
    // There may be an answer that nobody waits for; it is not a 201.
    assert!(answer_on(&connection).map_or(true, |answer| answer.status >= 400));
    repo.get(&format!("blobs/{}", digest(&blob[..500])))
        .send()
        .expect(404);
}

/// "If process A and B upload the same layer at the same time, both operations will proceed and
/// the first to complete will be stored in the registry." (Layer Upload De-duplication)
#[test]
fn two_uploads_of_the_same_blob_at_once_both_succeed() {
    let repo = plain().repo("twice");
    let blob = noise("twice", 300_000);
    let digest = digest(&blob);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let location = repo.begin();
                repo.close(&location, &digest, &blob).expect(201);
            });
        }
    });
    is_there(&repo, &digest, &blob);
    repo.push_blob(&blob);
}

/// A blob above the limit for layers is refused, by what it says or by what arrives.
#[test]
fn a_layer_above_the_limit_is_refused() {
    let repo = tight().repo("layer-limit");
    let (fits, large) = (noise("fits", 100_000), noise("large", 100_001));
    repo.push_blob(&fits);
    let location = repo.begin();
    repo.close(&location, &digest(&large), &large)
        .refused(413, "SIZE_INVALID");
    let location = repo.begin();
    let pieces: Vec<&[u8]> = large.chunks(10_000).collect();
    repo.put(&with_digest(&location, &digest(&large)))
        .streamed(&pieces)
        .send()
        .expect(413);
    repo.post(&format!("blobs/uploads/?digest={}", digest(&large)))
        .body(large.clone())
        .send()
        .expect(413);
    repo.get(&format!("blobs/{}", digest(&large)))
        .send()
        .expect(404);
}
