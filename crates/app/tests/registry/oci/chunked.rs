//! Pushing a blob in chunks, asking where an upload stands, giving it up (end-4c, end-5, end-6,
//! end-13, end-14).

use crate::kit::content::{Hash, digest, noise};
use crate::kit::http::{Answer, Credential};
use crate::kit::repo::{Repo, with_digest};
use crate::kit::server::plain;

/// Sends a chunk with its range, as the specification has it.
fn chunk(repo: &Repo<'_>, location: &str, first: usize, bytes: &[u8]) -> Answer {
    let range = format!("{first}-{}", first + bytes.len() - 1);
    repo.patch(location)
        .with("Content-Range", &range)
        .body(bytes)
        .send()
}

/// "The response for each successful chunk upload MUST be `202 Accepted`, and MUST have the
/// following headers: `Location: <blob-push-location>`, `Range: 0-<end-of-range>`" and "The
/// `<end-of-range>` value is the position of the last uploaded byte of the blob" (Pushing a blob in
/// chunks, end-5)
#[track_caller]
fn stands_at(answer: Answer, bytes: usize) -> String {
    let answer = answer.expect(202);
    assert_eq!(answer.the("range"), format!("0-{}", bytes - 1));
    answer.the("location").to_owned()
}

#[test]
fn a_blob_is_pushed_chunk_by_chunk() {
    let repo = plain().repo("chunked");
    for hash in Hash::BOTH {
        let blob = noise(&format!("chunked-{}", hash.word()), 100_000);
        let mut location = repo.begin();
        for (place, bytes) in blob.chunks(9999).enumerate() {
            let first = place * 9999;
            location = stands_at(chunk(&repo, &location, first, bytes), first + bytes.len());
        }
        repo.close(&location, &hash.of(&blob), b"").expect(201);
        let answer = repo
            .get(&format!("blobs/{}", hash.of(&blob)))
            .send()
            .expect(200);
        assert_eq!(answer.body, blob);
    }
}

/// "The process remains unchanged for chunked upload, except that the post request MUST include
/// […] `Content-Length: 0`" and "When pushing a blob with a digest algorithm other than `sha256`,
/// the post request SHOULD include the `digest-algorithm` parameter" (Pushing a blob in chunks,
/// end-4c)
#[test]
fn an_upload_may_say_its_hash_beforehand() {
    let repo = plain().repo("digest-algorithm");
    for hash in Hash::BOTH {
        let blob = noise("digest-algorithm", 5000);
        let begin = repo.post(&format!("blobs/uploads/?digest-algorithm={}", hash.word()));
        let location = begin.send().expect(202).the("location").to_owned();
        let location = stands_at(chunk(&repo, &location, 0, &blob), 5000);
        let answer = repo.close(&location, &hash.of(&blob), b"").expect(201);
        assert_eq!(answer.the("docker-content-digest"), hash.of(&blob));
    }
    let unknown = repo.post("blobs/uploads/?digest-algorithm=md5").send();
    unknown.refused(400, "DIGEST_INVALID");
}

/// "The final chunk MAY be uploaded using a `PATCH` request or it MAY be uploaded in the closing
/// `PUT` request." (Pushing a blob in chunks)
#[test]
fn the_final_chunk_may_come_with_the_put() {
    let repo = plain().repo("final-put");
    let blob = noise("final-put", 3000);
    for range in [None, Some("1000-2999")] {
        let location = stands_at(chunk(&repo, &repo.begin(), 0, &blob[..1000]), 1000);
        let put = repo.put(&with_digest(&location, &digest(&blob)));
        let put = match range {
            Some(range) => put.with("Content-Range", range),
            None => put,
        };
        put.body(&blob[1000..]).send().expect(201);
    }
}

/// "Regardless of how the final chunk is uploaded, the session MUST be closed with a `PUT`
/// request." (Pushing a blob in chunks): before it there is no blob.
#[test]
fn before_the_closing_put_there_is_no_blob() {
    let repo = plain().repo("not-closed");
    let blob = noise("not-closed", 1000);
    let location = stands_at(chunk(&repo, &repo.begin(), 0, &blob), 1000);
    repo.get(&format!("blobs/{}", digest(&blob)))
        .send()
        .refused(404, "BLOB_UNKNOWN");
    repo.close(&location, &digest(&blob), b"").expect(201);
    repo.get(&format!("blobs/{}", digest(&blob)))
        .send()
        .expect(200);
}

/// "The closing `PUT` request MUST include the `<digest>` of the whole blob (not the final chunk)
/// as a query parameter." (Pushing a blob in chunks)
#[test]
fn the_closing_digest_is_of_the_whole() {
    let repo = plain().repo("whole-digest");
    let blob = noise("whole-digest", 2000);
    let location = stands_at(chunk(&repo, &repo.begin(), 0, &blob[..1000]), 1000);
    let answer = repo.close(&location, &digest(&blob[1000..]), &blob[1000..]);
    answer.refused(400, "DIGEST_INVALID");
}

/// "Chunks MUST be uploaded in order […]. If a chunk is uploaded out of order, the registry MUST
/// respond with a `416 Requested Range Not Satisfiable` code." (Pushing a blob in chunks)
#[test]
fn a_chunk_out_of_order_is_refused_and_changes_nothing() {
    let repo = plain().repo("out-of-order");
    let blob = noise("out-of-order", 3000);
    let location = repo.begin();
    chunk(&repo, &location, 1000, &blob[1000..]).expect(416);
    let location = stands_at(chunk(&repo, &location, 0, &blob[..1000]), 1000);
    for first in [0, 500, 1001, 2000] {
        let answer = chunk(&repo, &location, first, &blob[first..]).expect(416);
        // Where the next chunk begins is told at once.
        assert_eq!(answer.the("range"), "0-999");
    }
    let location = stands_at(chunk(&repo, &location, 1000, &blob[1000..]), 3000);
    repo.close(&location, &digest(&blob), b"").expect(201);
}

/// "If the final chunk is uploaded out of order, the registry MUST respond with a `416 Requested
/// Range Not Satisfiable` code." (Pushing a blob in chunks, end-6)
#[test]
fn a_final_chunk_out_of_order_is_refused_and_can_be_put_right() {
    let repo = plain().repo("final-out-of-order");
    let blob = noise("final-out-of-order", 2000);
    let location = stands_at(chunk(&repo, &repo.begin(), 0, &blob[..1000]), 1000);
    for range in ["0-999", "1001-2000", "2000-2999"] {
        let put = repo.put(&with_digest(&location, &digest(&blob)));
        put.with("Content-Range", range)
            .body(&blob[1000..])
            .send()
            .expect(416);
    }
    repo.close(&location, &digest(&blob), &blob[1000..])
        .expect(201);
}

/// "A GET request may be used to retrieve the current valid offset and upload location." and "The
/// response to an active upload `<blob-push-location>` MUST be a `204 No Content` response code,
/// and MUST have the following headers: `Location: <blob-push-location>`, `Range:
/// 0-<end-of-range>`" (Pushing a blob in chunks, end-13)
#[test]
fn where_an_upload_stands_can_be_asked() {
    let repo = plain().repo("status");
    let blob = noise("status", 2000);
    let location = repo.begin();
    let answer = repo.get(&location).send().expect(204);
    // There is no way to say "nothing yet"; this is what everybody says.
    assert_eq!(answer.the("range"), "0-0");
    let location = stands_at(chunk(&repo, answer.the("location"), 0, &blob[..1234]), 1234);
    for request in [repo.get(&location), repo.head(&location)] {
        let answer = request.send().expect(204);
        assert_eq!(answer.the("range"), "0-1233");
        assert!(answer.the("location").contains("/blobs/uploads/"));
    }
    let location = repo.get(&location).send().the("location").to_owned();
    let location = stands_at(chunk(&repo, &location, 1234, &blob[1234..]), 2000);
    repo.close(&location, &digest(&blob), b"").expect(201);
    repo.get(&location)
        .send()
        .refused(404, "BLOB_UPLOAD_UNKNOWN");
}

/// "The `<range>` refers to the byte range of the chunk, and MUST be inclusive on both ends. […] It
/// MUST match the following regular expression: `^[0-9]+-[0-9]+$`" (Pushing a blob in chunks)
#[test]
fn a_range_that_cannot_be_one_is_refused() {
    let repo = plain().repo("bad-range");
    let location = repo.begin();
    for range in [
        "",
        "0",
        "-",
        "0-",
        "-9",
        "a-b",
        "9-0",
        "0-9-",
        "0x0-0x9",
        "+0-9",
        "0- 9",
        "0-18446744073709551615",
        "18446744073709551615-18446744073709551616",
    ] {
        let answer = repo
            .patch(&location)
            .with("Content-Range", range)
            .body("0123456789")
            .send();
        assert!(matches!(answer.status, 400 | 416), "{range:?}: {answer:?}");
    }
    assert_eq!(repo.get(&location).send().expect(204).the("range"), "0-0");
}

/// "The `<length>` is the content-length, in bytes, of the current chunk." (Pushing a blob in
/// chunks): it must be what the range says, or else one of them lies.
#[test]
fn a_chunk_of_another_length_than_its_range_is_refused() {
    let repo = plain().repo("range-length");
    for range in ["0-4", "0-99"] {
        let location = repo.begin();
        let answer = repo
            .patch(&location)
            .with("Content-Range", range)
            .body("0123456789")
            .send();
        assert!(matches!(answer.status, 400 | 416), "{range}: {answer:?}");
    }
}

/// Clients that follow RFC 9110 write `bytes 0-9/10` or `bytes 0-9/*`.
#[test]
fn a_range_in_the_form_of_http_is_understood() {
    let repo = plain().repo("http-range");
    for range in ["bytes 0-9/10", "bytes 0-9/*", "bytes=0-9"] {
        let answer = repo
            .patch(&repo.begin())
            .with("Content-Range", range)
            .body("0123456789")
            .send();
        stands_at(answer, 10);
    }
}

/// docker, containerd and BuildKit send one PATCH without a range and without a length.
#[test]
fn a_patch_may_be_streamed_without_range_and_length() {
    let repo = plain().repo("streamed-patch");
    let blob = noise("streamed-patch", 500_000);
    let pieces: Vec<&[u8]> = blob.chunks(32_768).collect();
    let location = stands_at(
        repo.patch(&repo.begin()).streamed(&pieces).send(),
        blob.len(),
    );
    repo.close(&location, &digest(&blob), b"").expect(201);
    let answer = repo
        .get(&format!("blobs/{}", digest(&blob)))
        .send()
        .expect(200);
    assert_eq!(answer.body, blob);
}

/// A chunk without a range goes where the upload stands.
#[test]
fn chunks_without_ranges_follow_each_other() {
    let repo = plain().repo("no-range");
    let blob = noise("no-range", 900);
    let mut location = repo.begin();
    for (place, bytes) in blob.chunks(300).enumerate() {
        location = stands_at(repo.patch(&location).body(bytes).send(), (place + 1) * 300);
    }
    repo.close(&location, &digest(&blob), b"").expect(201);
}

/// "If the registry has a minimum chunk size, the `POST` response SHOULD include the following
/// header" (Pushing a blob in chunks): it has none; chunks of one byte are taken.
#[test]
fn chunks_may_be_as_small_as_a_byte() {
    let repo = plain().repo("tiny-chunks");
    let answer = repo.post("blobs/uploads/").send().expect(202);
    assert_eq!(answer.header("oci-chunk-min-length"), None);
    let blob = noise("tiny-chunks", 20);
    let mut location = answer.the("location").to_owned();
    for place in 0..blob.len() {
        location = stands_at(
            chunk(&repo, &location, place, &blob[place..=place]),
            place + 1,
        );
    }
    repo.close(&location, &digest(&blob), b"").expect(201);
}

/// And as large as the layer: the vendor's 4 MiB for a chunk with a range is not kept.
#[test]
fn a_chunk_with_a_range_may_be_larger_than_four_mebibytes() {
    let repo = plain().repo("large-chunk");
    let blob = noise("large-chunk", 9_000_000);
    let location = stands_at(chunk(&repo, &repo.begin(), 0, &blob), blob.len());
    repo.close(&location, &digest(&blob), b"").expect(201);
}

/// "If successful, the response SHOULD be a `204 No Content` response code." (Cancel a blob upload,
/// end-14)
#[test]
fn an_upload_can_be_given_up() {
    let repo = plain().repo("cancel");
    let blob = noise("cancel", 1000);
    let location = stands_at(chunk(&repo, &repo.begin(), 0, &blob), 1000);
    repo.delete(&location).send().expect(204);
    for answer in [
        repo.get(&location).send(),
        chunk(&repo, &location, 1000, &blob),
        repo.close(&location, &digest(&blob), b""),
        repo.delete(&location).send(),
    ] {
        answer.refused(404, "BLOB_UPLOAD_UNKNOWN");
    }
    repo.get(&format!("blobs/{}", digest(&blob)))
        .send()
        .expect(404);
}

/// An id that no upload has, or that could not be one, is not found.
#[test]
fn an_upload_that_never_began_is_not_found() {
    let repo = plain().repo("no-upload");
    repo.push_image("v1");
    for id in [
        "0192d3f0-7c1e-7000-8000-000000000000",
        "x",
        "..",
        "a%2Fb",
        &"a".repeat(129),
    ] {
        let location = format!("blobs/uploads/{id}");
        repo.get(&location)
            .send()
            .refused(404, "BLOB_UPLOAD_UNKNOWN");
        repo.patch(&location)
            .body("x")
            .send()
            .refused(404, "BLOB_UPLOAD_UNKNOWN");
        repo.close(&location, &digest(b"x"), b"x")
            .refused(404, "BLOB_UPLOAD_UNKNOWN");
    }
}

/// An upload belongs to who began it and to its repository: to others it is not there, and what
/// they try does it no harm.
#[test]
fn an_upload_of_somebody_else_is_not_found() {
    let server = plain();
    let repo = server.repo("foreign-upload");
    repo.push_image("v1");
    let helper = server.someone("foreign-upload-helper");
    server.naru([
        "package",
        "grant",
        &repo.name,
        "--user",
        "foreign-upload-helper",
        "--role",
        "write",
    ]);
    let blob = noise("foreign-upload", 1000);
    let location = stands_at(chunk(&repo, &repo.begin(), 0, &blob), 1000);
    let id = location.rsplit('/').next().unwrap();
    let elsewhere = server.repo("foreign-upload-elsewhere");
    elsewhere.push_image("v1");
    for foreign in [repo.by(&helper), elsewhere] {
        let location = format!("blobs/uploads/{id}");
        foreign
            .get(&location)
            .send()
            .refused(404, "BLOB_UPLOAD_UNKNOWN");
        chunk(&foreign, &location, 1000, b"x").refused(404, "BLOB_UPLOAD_UNKNOWN");
        foreign
            .close(&location, &digest(&blob), b"")
            .refused(404, "BLOB_UPLOAD_UNKNOWN");
        foreign
            .delete(&location)
            .send()
            .refused(404, "BLOB_UPLOAD_UNKNOWN");
    }
    let nobody = repo.by(&Credential::Absent);
    nobody.get(&location).send().expect(401);
    repo.close(&location, &digest(&blob), b"").expect(201);
}
