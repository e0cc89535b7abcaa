//! Requests at once: whatever their order turns out to be, what was acknowledged is true together.

use serde_json::Value;

use crate::kit::content::{EMPTY, Pushed, digest, image, index, noise};
use crate::kit::server::plain;

/// How often a race is run; most are decided by microseconds.
const ROUNDS: usize = 15;

/// Two requests that start at the same time; their statuses.
fn together(one: impl FnOnce() -> u16 + Send, other: impl FnOnce() -> u16 + Send) -> (u16, u16) {
    let start = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| {
            start.wait();
            one()
        });
        let second = scope.spawn(|| {
            start.wait();
            other()
        });
        (first.join().unwrap(), second.join().unwrap())
    })
}

/// An index that was taken has its children, for every tagged tree can be pulled (distribution #3178).
#[test]
fn a_child_is_not_deleted_while_an_index_takes_it() {
    let repo = plain().repo("race-child");
    for round in 0..ROUNDS {
        let child = repo.push_image(&format!("child{round}")).manifest;
        let list = Pushed::new(&index(&[&child]));
        let (put, deleted) = together(
            || repo.put_manifest("list", &list).status,
            || {
                repo.delete(&format!("manifests/{}", child.digest))
                    .send()
                    .status
            },
        );
        assert!(
            matches!((put, deleted), (201, 409) | (400, 202)),
            "{put} and {deleted}"
        );
        let there = repo
            .get(&format!("manifests/{}", child.digest))
            .send()
            .status;
        assert_eq!(there, if put == 201 { 200 } else { 404 });
    }
}

/// An image that was taken has its blobs. A deletion that came first need not refuse it: what a
/// client was promised is kept for its manifest.
#[test]
fn an_image_that_was_taken_has_its_blobs_though_one_was_deleted_meanwhile() {
    let repo = plain().repo("race-blob");
    repo.push_blob(EMPTY);
    for round in 0..ROUNDS {
        let layer = noise(&format!("race-blob-{round}"), 100);
        let blob = repo.push_blob(&layer);
        let manifest = Pushed::new(&image(EMPTY, &[&layer]));
        let (put, deleted) = together(
            || repo.put_manifest("v1", &manifest).status,
            || repo.delete(&format!("blobs/{blob}")).send().status,
        );
        assert!(
            matches!((put, deleted), (201, 202 | 409) | (400, 202)),
            "{put} and {deleted}"
        );
        let there = repo.get(&format!("blobs/{blob}")).send();
        assert_eq!(
            there.status,
            if put == 201 { 200 } else { 404 },
            "{deleted}"
        );
        assert!(put != 201 || there.body == layer);
    }
}

/// After a deletion and a push of the same tag at once, the tag is there or not, and never points
/// at what is gone.
#[test]
fn a_tag_never_points_at_what_is_gone() {
    let repo = plain().repo("race-tag");
    let stays = repo.push_image("stays").manifest;
    for round in 0..ROUNDS {
        let goes = repo.push_image(&format!("goes{round}")).manifest;
        repo.put_manifest("moving", &goes).expect(201);
        let (put, deleted) = together(
            || repo.put_manifest("moving", &stays).status,
            || {
                repo.delete(&format!("manifests/{}", goes.digest))
                    .send()
                    .status
            },
        );
        assert_eq!((put, deleted), (201, 202));
        let answer = repo.get("manifests/moving").send();
        assert!(
            answer.status == 404 || answer.body == stays.bytes,
            "{answer:?}"
        );
        assert_eq!(
            repo.tags().contains(&"moving".to_owned()),
            answer.status == 200
        );
    }
}

/// A manifest that is deleted and pushed again at once is there or not; when the push was last,
/// its tag works.
#[test]
fn a_manifest_deleted_and_pushed_at_once_is_whole_or_gone() {
    let repo = plain().repo("race-again");
    repo.push_image("other");
    for _ in 0..ROUNDS {
        let image = repo.push_image("v1").manifest;
        let (put, deleted) = together(
            || repo.put_manifest("v1", &image).status,
            || {
                repo.delete(&format!("manifests/{}", image.digest))
                    .send()
                    .status
            },
        );
        assert_eq!(deleted, 202);
        assert!(put == 201 || put == 400, "{put}");
        let by_tag = repo.get("manifests/v1").send().status;
        let by_digest = repo
            .get(&format!("manifests/{}", image.digest))
            .send()
            .status;
        assert_eq!(by_tag, by_digest, "put {put}");
    }
}

/// The first pushes to a new repository, several at once: all of them count.
#[test]
fn several_first_pushes_make_one_repository() {
    let server = plain();
    for round in 0..ROUNDS / 3 {
        let repo = server.repo(&format!("race-birth-{round}"));
        std::thread::scope(|scope| {
            for number in 0..4 {
                let repo = &repo;
                scope.spawn(move || repo.push_image(&format!("v{number}")));
            }
        });
        assert_eq!(repo.tags(), ["v0", "v1", "v2", "v3"]);
    }
}

/// Many clients move one tag: each is told 201, and in the end it is where one of them put it.
#[test]
fn a_tag_that_many_move_is_where_one_of_them_put_it() {
    let repo = plain().repo("race-many");
    let images: Vec<Value> = (0..6)
        .map(|number| {
            let config = format!("{{\"many\":{number}}}");
            repo.push_blob(config.as_bytes());
            image(config.as_bytes(), &[])
        })
        .collect();
    std::thread::scope(|scope| {
        for image in &images {
            let repo = &repo;
            scope.spawn(move || repo.push("latest", image));
        }
    });
    let found = repo.get("manifests/latest").send().expect(200);
    let pushed: Vec<String> = images
        .iter()
        .map(|image| digest(image.to_string().as_bytes()))
        .collect();
    assert!(pushed.contains(&digest(&found.body)));
    for digest in &pushed {
        repo.get(&format!("manifests/{digest}")).send().expect(200);
    }
}
