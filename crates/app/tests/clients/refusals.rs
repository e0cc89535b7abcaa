//! What clients are refused, and that they say why.

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use naru_testkit::services::absent;

use crate::crane::{crane, push_greeter};
use crate::docker::{debian, docker, login};
use crate::skopeo::skopeo;
use crate::support::{Person, fails, plain, speaks_of, succeeds};

const REFUSED: &[&str] = &["denied", "unauthorized", "incorrect username or password"];

#[test]
fn docker_login_with_a_wrong_password_is_refused() {
    let (Some(engine), Some(server)) = (debian(), plain()) else {
        return;
    };
    let mut person = Person::arrive(server, "wrong");
    let real = std::mem::replace(&mut person.user.token, "not-the-token".to_owned());
    speaks_of(&fails(&mut login(engine, &person)), REFUSED);
    person.user.token = person.user.password.clone();
    speaks_of(&fails(&mut login(engine, &person)), REFUSED);
    person.user.token = real;
    succeeds(&mut login(engine, &person));
}

#[test]
fn docker_login_with_an_expired_token_is_refused() {
    let (Some(engine), Some(server)) = (debian(), plain()) else {
        return;
    };
    let mut person = Person::arrive(server, "late");
    person.user.token = server.token(&person.user.name, "write:packages", "1m");
    succeeds(&mut login(engine, &person));
    // The shortest life that a token can have.
    sleep(Duration::from_secs(61));
    speaks_of(&fails(&mut login(engine, &person)), REFUSED);
}

#[test]
fn docker_with_a_token_that_may_only_read_pulls_and_does_not_push() {
    let (Some(engine), Some(server)) = (debian(), plain()) else {
        return;
    };
    let mut person = Person::arrive(server, "reader");
    let Some(image) = push_greeter(&person, "hello:1") else {
        return;
    };
    person.user.token = server.token(&person.user.name, "read:packages", "1h");
    succeeds(&mut login(engine, &person));
    succeeds(&mut docker(engine, &person, ["pull", &image]));
    let other = person.reference("hello:2");
    succeeds(&mut docker(engine, &person, ["tag", &image, &other]));
    speaks_of(
        &fails(&mut docker(engine, &person, ["push", &other])),
        REFUSED,
    );
}

#[test]
fn crane_with_a_token_that_may_not_delete_does_not_delete() {
    let Some(server) = plain() else { return };
    let mut person = Person::arrive(server, "keeper");
    let Some(image) = push_greeter(&person, "hello:1") else {
        return;
    };
    let digest = crate::crane::digest(&person, &image);
    person.user.token = server.token(&person.user.name, "write:packages", "1h");
    person.sign_in();
    let by_digest = person.reference(&format!("hello@{digest}"));
    speaks_of(
        &fails(&mut crane(&person, &["delete", &by_digest]).unwrap()),
        REFUSED,
    );
    succeeds(&mut crane(&person, &["manifest", &by_digest]).unwrap());
}

#[test]
fn somebody_elses_package_is_neither_pulled_nor_pushed_to() {
    let Some(server) = plain() else { return };
    let owner = Person::arrive(server, "owner");
    let Some(image) = push_greeter(&owner, "secret:1") else {
        return;
    };
    let stranger = Person::arrive(server, "stranger");
    let Some(own) = push_greeter(&stranger, "own:1") else {
        return;
    };
    let pulled = fails(&mut crane(&stranger, &["manifest", &image]).unwrap());
    let absent = fails(&mut crane(&stranger, &["manifest", &owner.reference("absent:1")]).unwrap());
    // What one may not know about answers like what does not exist.
    assert_eq!(pulled.replace("secret", "absent"), absent);
    speaks_of(
        &fails(&mut crane(&stranger, &["copy", &own, &image]).unwrap()),
        REFUSED,
    );
    owner.publish("secret");
    succeeds(&mut crane(&stranger, &["manifest", &image]).unwrap());
    speaks_of(
        &fails(&mut crane(&stranger, &["copy", &own, &image]).unwrap()),
        REFUSED,
    );
}

#[test]
fn a_suspended_user_is_refused_at_once() {
    let Some(server) = plain() else { return };
    let person = Person::arrive(server, "suspended");
    let Some(image) = push_greeter(&person, "hello:1") else {
        return;
    };
    server.naru(["user", "suspend", &person.user.name]);
    person.wait_for_changes();
    speaks_of(
        &fails(&mut crane(&person, &["manifest", &image]).unwrap()),
        REFUSED,
    );
}

#[test]
fn a_name_with_capitals_is_refused_with_the_name_that_would_do() {
    let Some(server) = plain() else { return };
    let person = Person::arrive(server, "capital");
    person.sign_in();
    let shouted = format!("docker://{}/{}/HELLO:1", server.host(), person.user.name);
    let Some(mut inspect) = skopeo(&person, ["inspect", "--tls-verify=false", &shouted]) else {
        return;
    };
    speaks_of(&fails(&mut inspect), &["lowercase"]);
    let name = person.user.name.as_str();
    let answer = curl(
        &person,
        &["-X", "POST", &format!("/v2/{name}/HELLO/blobs/uploads/")],
    );
    speaks_of(&answer, &["name_invalid"]);
    speaks_of(&answer, &[&format!("{name}/hello")]);
}

#[test]
fn a_blob_whose_digest_does_not_match_is_refused() {
    let Some(server) = plain() else { return };
    let person = Person::arrive(server, "mismatch");
    let digest = format!("sha256:{}", "0".repeat(64));
    let path = format!(
        "/v2/{}/hello/blobs/uploads/?digest={digest}",
        person.user.name
    );
    let words = [
        "-X",
        "POST",
        "-H",
        "Content-Type: application/octet-stream",
        "-d",
        "cargo",
        &path,
    ];
    speaks_of(&curl(&person, &words), &["digest_invalid"]);
    let path = format!("/v2/{}/hello/blobs/{digest}", person.user.name);
    speaks_of(&curl(&person, &[&path]), &["unknown"]);
}

/// A request by hand, signed in; the last word is the path. Clients check before they ask, so what
/// they never send must be sent otherwise.
fn curl(person: &Person, words: &[&str]) -> String {
    let (path, flags) = words.split_last().unwrap();
    let mut command: Command = person.command(&absent::find_program("curl").unwrap());
    command.args([
        "-sS",
        "-u",
        &format!("{}:{}", person.user.name, person.user.token),
    ]);
    succeeds(
        command
            .args(flags)
            .arg(format!("{}{path}", person.server.url())),
    )
}
