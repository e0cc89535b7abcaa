//! Pushes that are cut off, servers that vanish, disks that fill up.

use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use naru_testkit::naru::{Plan, Server};
use naru_testkit::services::grade::{Blobstore, Database, Grade};

use crate::crane::{crane, push_greeter};
use crate::regctl::{regctl, settle};
use crate::support::{Person, fails, plain, plan, speaks_of, succeeds};

/// A server for one test alone, which the test may kill. It stays until the process ends, as the
/// shared ones do.
fn own(plan: Plan) -> Option<&'static Server> {
    Server::start(plan).map(|server| &*Box::leak(Box::new(server)))
}

/// Starts a client and lets it run beside the test.
fn start(mut command: Command) -> Child {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_push_that_was_killed_half_way_succeeds_when_it_is_done_again() {
    let Some(server) = plain() else { return };
    let person = Person::arrive(server, "killed");
    person.sign_in();
    let layer = person.layer("cargo", 64);
    let image = person.reference("cargo:1");
    let push = || {
        let mut push = crane(&person, &["append", "--oci-empty-base", "-t", &image])?;
        push.arg("-f").arg(&layer);
        Some(push)
    };
    let Some(first) = push() else { return };
    let mut first = start(first);
    sleep(Duration::from_millis(300));
    let _ = first.kill();
    first.wait().unwrap();
    fails(&mut crane(&person, &["manifest", &image]).unwrap());
    succeeds(&mut push().unwrap());
    succeeds(&mut crane(&person, &["validate", "--remote", &image]).unwrap());
}

#[test]
fn a_chunked_push_goes_on_where_it_was_when_the_server_was_killed() {
    let Some(server) = own(plan("clients-killed-in-chunks")) else {
        return;
    };
    let person = Person::arrive(server, "chunks");
    let Some(()) = settle(&person) else { return };
    let layer = person.layer("cargo", 96);
    let image = person.reference("cargo:1");
    let mut push = regctl(
        &person,
        &[
            "artifact",
            "put",
            "--artifact-type=application/vnd.naru.cargo",
            "--file-title",
            "--strip-dirs",
        ],
    )
    .unwrap();
    push.arg("-f").arg(&layer).arg(&image);
    let mut pushing = start(push);
    sleep(Duration::from_millis(400));
    assert!(
        pushing.try_wait().unwrap().is_none(),
        "the push was over before the server died"
    );
    server.kill();
    server.restart();
    assert!(
        pushing.wait().unwrap().success(),
        "the push did not go on:\n{}",
        server.log()
    );
    std::fs::create_dir(person.at("got")).unwrap();
    succeeds(
        regctl(&person, &["artifact", "get", &image, "-o"])
            .unwrap()
            .arg(person.at("got")),
    );
    assert_eq!(
        std::fs::read(person.at("got/cargo.tar")).unwrap(),
        std::fs::read(layer).unwrap()
    );
}

#[test]
fn what_was_acknowledged_is_there_when_the_server_was_killed() {
    let Some(server) = own(plan("clients-killed")) else {
        return;
    };
    let person = Person::arrive(server, "safe");
    let Some(image) = push_greeter(&person, "hello:1") else {
        return;
    };
    server.kill();
    server.restart();
    succeeds(&mut crane(&person, &["validate", "--remote", &image]).unwrap());
}

#[test]
fn a_full_disk_refuses_pushes_and_goes_on_serving() {
    // A disk of its own: 48 MiB of memory, mounted where only the server sees it.
    const DISK: &str = r#"mount -t tmpfs -o size=48m naru "$1" && shift && exec "$@""#;
    let disk = tempfile::tempdir().unwrap();
    let directory = disk.path().to_str().unwrap();
    let grade = Grade {
        database: Database::Sqlite,
        blobstore: Blobstore::Directory,
    };
    let plan = plan("clients-full-disk")
        .on(grade)
        .set("NARU_BLOBSTORE__PATH", directory)
        .under(["unshare", "--mount", "sh", "-c", DISK, "sh", directory]);
    let Some(server) = own(plan) else { return };
    let person = Person::arrive(server, "crowded");
    let Some(image) = push_greeter(&person, "small:1") else {
        return;
    };
    let layer = person.layer("cargo", 64);
    let mut push = crane(&person, &["append", "--oci-empty-base", "-t"]).unwrap();
    let refusal = fails(push.arg(person.reference("large:1")).arg("-f").arg(layer));
    speaks_of(&refusal, &["507", "insufficient storage", "no space"]);
    succeeds(&mut crane(&person, &["validate", "--remote", &image]).unwrap());
    // What the refused push had written is given back, and pushes succeed again by themselves.
    assert!(push_greeter(&person, "small:2").is_some());
}
