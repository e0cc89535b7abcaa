//! Uploads that were interrupted: "The registry notifies the build server that the upload has
//! already been partially attempted. The build server responds by only sending the remaining data
//! to complete the blob transfer." (Resumable Push)

use std::io::Write;
use std::net::Shutdown;
use std::time::Duration;

use crate::kit::content::{Hash, digest, noise};
use crate::kit::eventually;
use crate::kit::http::answer_on;
use crate::kit::repo::Repo;
use crate::kit::server::{Server, plain};

/// How many bytes of an upload the server says it has. One byte and none are said alike.
fn offset(repo: &Repo<'_>, location: &str) -> usize {
    let answer = repo.get(location).send().expect(204);
    match answer.the("range") {
        "0-0" => 0,
        range => range.strip_prefix("0-").unwrap().parse::<usize>().unwrap() + 1,
    }
}

/// Sends the head of a PATCH and so many bytes of its body, then vanishes.
fn vanish_after(repo: &Repo<'_>, location: &str, body: &[u8], sent: usize) {
    let request = repo.patch(location).body(body);
    let mut connection = repo.server.connect();
    connection.write_all(request.head().as_bytes()).unwrap();
    connection.write_all(&body[..sent]).unwrap();
    connection.shutdown(Shutdown::Both).unwrap();
}

#[test]
fn an_upload_whose_client_vanished_goes_on_where_the_server_stands() {
    let repo = plain().repo("vanish");
    let blob = noise("vanish", 400_000);
    for sent in [0, 2, 65_536, 399_999] {
        let location = repo.begin();
        vanish_after(&repo, &location, &blob, sent);
        let stood = offset(&repo, &location);
        assert!(stood <= sent, "{stood} of {sent}");
        // What arrived before the client left may still be on its way to the disk.
        eventually(Duration::from_secs(2), || offset(&repo, &location) == sent);
        let stood = offset(&repo, &location);
        assert!(stood <= sent, "{stood} of {sent}");
        let range = format!("{stood}-{}", blob.len() - 1);
        let patch = repo
            .patch(&location)
            .with("Content-Range", &range)
            .body(&blob[stood..]);
        patch.send().expect(202);
        repo.close(&location, &digest(&blob), b"").expect(201);
    }
    let answer = repo
        .get(&format!("blobs/{}", digest(&blob)))
        .send()
        .expect(200);
    assert_eq!(answer.body, blob);
}

/// A connection that hangs half-way does not hold the upload: whoever resumes wins, and the late
/// bytes of the old connection are not written between the new ones.
#[test]
fn a_resuming_client_wins_over_its_own_half_dead_connection() {
    let repo = plain().repo("takeover");
    let blob = noise("takeover", 200_000);
    let location = repo.begin();
    let request = repo.patch(&location).body(blob.clone());
    let mut stuck = repo.server.connect();
    stuck.write_all(request.head().as_bytes()).unwrap();
    stuck.write_all(&blob[..100_000]).unwrap();
    // The new connection does not know how much arrived, asks, and goes on.
    std::thread::sleep(Duration::from_millis(100));
    let patch = repo.patch(&location).body("").send();
    assert!(matches!(patch.status, 202 | 416), "{patch:?}");
    let stood = offset(&repo, &location);
    let range = format!("{stood}-{}", blob.len() - 1);
    repo.patch(&location)
        .with("Content-Range", &range)
        .body(&blob[stood..])
        .send()
        .expect(202);
    // The old one wakes up and sends its rest.
    let _ = stuck.write_all(&blob[100_000..]);
    let late = answer_on(&stuck);
    assert!(
        late.as_ref().map_or(true, |answer| answer.status >= 400),
        "{late:?}"
    );
    repo.close(&location, &digest(&blob), b"").expect(201);
    let answer = repo
        .get(&format!("blobs/{}", digest(&blob)))
        .send()
        .expect(200);
    assert_eq!(answer.body, blob);
}

/// Parallel chunks with the same range: one is taken, the other is told.
#[test]
fn of_two_equal_chunks_at_once_one_is_written() {
    let repo = plain().repo("parallel-chunks");
    let blob = noise("parallel-chunks", 50_000);
    let location = repo.begin();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let send = || {
            let patch = repo
                .patch(&location)
                .with("Content-Range", "0-49999")
                .body(blob.clone());
            patch.send().status
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(send)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(statuses.contains(&202), "{statuses:?}");
    assert!(
        statuses
            .iter()
            .all(|status| *status == 202 || *status >= 400),
        "{statuses:?}"
    );
    let stood = offset(&repo, &location);
    repo.close(&location, &digest(&blob), &blob[stood..])
        .expect(201);
}

/// Of several finishes at once one makes the blob; none corrupts it.
#[test]
fn of_several_finishes_at_once_one_wins() {
    let repo = plain().repo("parallel-finish");
    let blob = noise("parallel-finish", 10_000);
    let location = repo.begin();
    repo.patch(&location).body(blob.clone()).send().expect(202);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let finish = || repo.close(&location, &digest(&blob), b"").status;
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(finish)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let won = statuses.iter().filter(|status| **status == 201).count();
    assert!(won >= 1, "{statuses:?}");
    assert!(
        statuses
            .iter()
            .all(|status| matches!(status, 201 | 404 | 408 | 416)),
        "{statuses:?}"
    );
    let answer = repo
        .get(&format!("blobs/{}", digest(&blob)))
        .send()
        .expect(200);
    assert_eq!(answer.body, blob);
}

/// A client whose 201 was lost on the way closes the upload again, and is told the same.
#[test]
fn a_repeated_close_is_answered_alike() {
    let repo = plain().repo("close-again");
    let blob = noise("close-again", 5000);
    let location = repo.begin();
    repo.patch(&location).body(blob.clone()).send().expect(202);
    for _ in 0..2 {
        repo.close(&location, &digest(&blob), b"").expect(201);
    }
    repo.close(&location, &digest(b"something else"), b"")
        .refused(404, "BLOB_UPLOAD_UNKNOWN");
}

/// What a 202 acknowledged outlives the server: the upload goes on after `kill -9`, by either hash.
#[test]
fn an_upload_goes_on_after_the_server_was_killed() {
    let server = Server::start(&[]);
    let name = server.fresh_name("restart");
    let octo = server.octo();
    let blob = noise("restart", 300_000);
    let begun: Vec<String> = Hash::BOTH
        .iter()
        .map(|_| {
            let repo = Repo::new(&server, &name, octo.clone());
            let location = repo.begin();
            repo.patch(&location)
                .body(&blob[..123_457])
                .send()
                .expect(202)
                .the("location")
                .to_owned()
        })
        .collect();
    let fresh = Repo::new(&server, &name, octo.clone()).begin();
    server.kill_and_restart();
    let repo = Repo::new(&server, &name, octo.clone());
    assert_eq!(offset(&repo, &fresh), 0);
    repo.close(&fresh, &digest(&blob[..10]), &blob[..10])
        .expect(201);
    for location in &begun {
        assert_eq!(offset(&repo, location), 123_457);
        let patch = repo.patch(location).with("Content-Range", "123457-199999");
        patch.body(&blob[123_457..200_000]).send().expect(202);
    }
    server.kill_and_restart();
    let repo = Repo::new(&server, &name, octo);
    for (hash, location) in Hash::BOTH.iter().zip(&begun) {
        assert_eq!(offset(&repo, location), 200_000);
        repo.close(location, &hash.of(&blob), &blob[200_000..])
            .expect(201);
        let answer = repo
            .get(&format!("blobs/{}", hash.of(&blob)))
            .send()
            .expect(200);
        assert_eq!(answer.body, blob);
    }
}

/// What a 201 acknowledged outlives the server.
#[test]
fn an_image_is_still_there_after_the_server_was_killed() {
    let server = Server::start(&[]);
    let name = server.fresh_name("acknowledged");
    let octo = server.octo();
    let image = Repo::new(&server, &name, octo.clone()).push_image("v1");
    server.kill_and_restart();
    let repo = Repo::new(&server, &name, octo);
    assert_eq!(
        repo.get("manifests/v1").send().expect(200).body,
        image.manifest.bytes
    );
    let blob = repo
        .get(&format!("blobs/{}", image.layer_digest()))
        .send()
        .expect(200);
    assert_eq!(blob.body, image.layer);
    assert_eq!(repo.tags(), ["v1"]);
}
