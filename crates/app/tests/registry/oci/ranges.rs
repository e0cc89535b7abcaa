//! Parts of blobs (end-2).
//!
//! "A registry SHOULD support the `Range` request header in accordance with RFC 9110 (section 14)."
//! (Pulling blobs)

use crate::kit::content::{Hash, noise};
use crate::kit::http::Answer;
use crate::kit::repo::Repo;
use crate::kit::server::plain;

const LENGTH: usize = 100_000;

fn blob() -> Vec<u8> {
    noise("ranges", LENGTH)
}

fn repo(about: &str) -> (Repo<'static>, String) {
    let repo = plain().repo(about);
    let digest = repo.push_blob(&blob());
    (repo, format!("blobs/{digest}"))
}

#[track_caller]
fn is_part(answer: &Answer, first: usize, last: usize) {
    assert_eq!(answer.status, 206, "{answer:?}");
    assert_eq!(
        answer.the("content-range"),
        format!("bytes {first}-{last}/{LENGTH}")
    );
    assert_eq!(answer.the("content-length"), (last - first + 1).to_string());
    assert_eq!(answer.body, blob()[first..=last]);
    assert_eq!(
        answer.the("docker-content-digest"),
        Hash::Sha256.of(&blob())
    );
}

#[test]
fn a_part_of_a_blob_is_had_by_its_first_and_last_byte() {
    let (repo, path) = repo("range");
    for (range, first, last) in [
        ("bytes=0-0", 0, 0),
        ("bytes=0-9", 0, 9),
        ("bytes=4095-4096", 4095, 4096),
        ("bytes=99999-99999", 99_999, 99_999),
        ("bytes=50000-", 50_000, 99_999),
        ("bytes=0-", 0, 99_999),
        ("bytes=-1", 99_999, 99_999),
        ("bytes=-100", 99_900, 99_999),
        ("bytes=-100000", 0, 99_999),
        ("bytes=-999999999", 0, 99_999),
        ("bytes=10-99999999999999999999999", 10, 99_999),
        ("Bytes=0-9", 0, 9),
    ] {
        let answer = repo.get(&path).with("Range", range).send();
        is_part(&answer, first, last);
    }
}

#[test]
fn a_pull_that_broke_off_goes_on_where_it_stopped() {
    let (repo, path) = repo("range-resume");
    let mut got = repo
        .get(&path)
        .with("Range", "bytes=0-33332")
        .send()
        .expect(206)
        .body;
    while got.len() < LENGTH {
        let rest = format!("bytes={}-{}", got.len(), got.len() + 33_332);
        got.extend(repo.get(&path).with("Range", &rest).send().expect(206).body);
    }
    assert_eq!(got, blob());
}

#[test]
fn a_range_beyond_the_blob_is_not_satisfiable() {
    let (repo, path) = repo("range-beyond");
    for range in [
        "bytes=100000-",
        "bytes=100000-100001",
        "bytes=-0",
        "bytes=9-5",
    ] {
        let answer = repo.get(&path).with("Range", range).send();
        // What ends before it begins is invalid and may be ignored instead (section 14.1.1).
        assert!(
            answer.status == 416 || (range == "bytes=9-5" && answer.status == 200),
            "{answer:?}"
        );
        if answer.status == 416 {
            assert_eq!(answer.the("content-range"), format!("bytes */{LENGTH}"));
        }
    }
}

#[test]
fn what_is_no_single_range_of_bytes_gives_the_whole() {
    let (repo, path) = repo("range-whole");
    for range in [
        "lines=1-2",
        "bytes=a-b",
        "bytes=",
        "bytes=-",
        "bytes",
        "",
        "bytes=0-1,5-6",
    ] {
        let answer = repo.get(&path).with("Range", range).send().expect(200);
        assert_eq!(answer.body.len(), LENGTH, "{range:?}");
    }
}

#[test]
fn a_range_with_if_range_holds_while_the_content_is_the_same() {
    let (repo, path) = repo("if-range");
    let tag = repo.head(&path).send().expect(200).the("etag").to_owned();
    let ask = |condition: &str| {
        repo.get(&path)
            .with("Range", "bytes=0-9")
            .with("If-Range", condition)
            .send()
    };
    is_part(&ask(&tag), 0, 9);
    let whole = ask("\"sha256:of something else\"").expect(200);
    assert_eq!(whole.body.len(), LENGTH);
}

/// "The Range header field […] is not applicable to HEAD" in effect: the length is of the whole
/// (RFC 9110, section 14.2).
#[test]
fn a_head_tells_that_ranges_are_to_be_had_and_gives_none() {
    let (repo, path) = repo("range-head");
    let answer = repo
        .head(&path)
        .with("Range", "bytes=0-9")
        .send()
        .expect(200);
    assert_eq!(answer.the("accept-ranges"), "bytes");
    assert_eq!(answer.the("content-length"), LENGTH.to_string());
}

#[test]
fn a_range_of_an_empty_blob_is_the_whole_blob() {
    let repo = plain().repo("range-empty");
    let digest = repo.push_blob(b"");
    for range in ["bytes=0-", "bytes=0-0", "bytes=-5"] {
        let answer = repo
            .get(&format!("blobs/{digest}"))
            .with("Range", range)
            .send();
        assert!(matches!(answer.status, 200 | 416), "{answer:?}");
        assert!(answer.status == 416 || answer.body.is_empty());
    }
}
