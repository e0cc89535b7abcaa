//! regctl: uploads in chunks, referrers, and deleting a tag alone.

use std::process::Command;

use naru_testkit::naru::Server;
use naru_testkit::services::absent;

use crate::support::{Person, fails, plain, secure, succeeds};

/// `regctl` with these words; `None` where it is not built.
pub(crate) fn regctl(person: &Person, words: &[&str]) -> Option<Command> {
    let mut command = person.command(&absent::built("regctl")?);
    command
        .args(words)
        .env("REGCTL_CONFIG", person.at("regctl.json"));
    Some(command)
}

/// Tells it how to reach the server, and signs in. Blobs of more than 1 MiB go in chunks of that.
pub(crate) fn settle(person: &Person) -> Option<()> {
    let server = person.server;
    let tls = if server.is_tls() {
        "--tls=enabled"
    } else {
        "--tls=disabled"
    };
    let chunks = ["--blob-chunk=1048576", "--blob-max=1048576"];
    let mut set = regctl(
        person,
        &["registry", "set", "--skip-check", server.host(), tls],
    )?;
    if let Some(authority) = server.authority() {
        set.arg("--cacert")
            .arg(std::fs::read_to_string(authority).unwrap());
    }
    succeeds(set.args(chunks));
    let (name, token) = (person.user.name.as_str(), person.user.token.as_str());
    succeeds(&mut regctl(
        person,
        &["registry", "login", "-u", name, "-p", token, server.host()],
    )?);
    Some(())
}

fn journey(server: Option<&'static Server>) {
    let Some(server) = server else { return };
    let person = Person::arrive(server, "regctl");
    let Some(()) = settle(&person) else { return };
    let regctl = |words: &[&str]| regctl(&person, words).unwrap();
    let cargo = person.reference("cargo:1");
    let archive = person.layer("cargo", 5);
    let mut put = regctl(&[
        "artifact",
        "put",
        "--artifact-type=application/vnd.naru.cargo",
        "--file-title",
        "--strip-dirs",
        "-f",
    ]);
    succeeds(put.arg(&archive).arg(&cargo));
    let fetched = person.at("fetched");
    std::fs::create_dir(&fetched).unwrap();
    succeeds(regctl(&["artifact", "get", &cargo, "-o"]).arg(&fetched));
    assert_eq!(
        std::fs::read(fetched.join("cargo.tar")).unwrap(),
        std::fs::read(&archive).unwrap()
    );

    std::fs::write(person.at("note.txt"), "a bill of lading").unwrap();
    let note = [
        "artifact",
        "put",
        "--artifact-type=application/vnd.naru.note",
        "-f",
        "note.txt",
    ];
    succeeds(regctl(&note).args(["--subject", &cargo]));
    let listed = succeeds(&mut regctl(&[
        "artifact",
        "list",
        "--format",
        "{{jsonPretty .}}",
        &cargo,
    ]));
    assert!(listed.contains("application/vnd.naru.note"), "{listed}");
    let other = [
        "artifact",
        "list",
        "--filter-artifact-type=application/vnd.naru.other",
    ];
    let listed = succeeds(regctl(&other).args(["--format", "{{jsonPretty .}}", &cargo]));
    assert!(!listed.contains("application/vnd.naru.note"), "{listed}");

    let second = person.reference("cargo:2");
    succeeds(&mut regctl(&["image", "copy", &cargo, &second]));
    succeeds(&mut regctl(&["tag", "delete", &cargo]));
    let tags = succeeds(&mut regctl(&["tag", "ls", &person.reference("cargo")]));
    assert!(
        !tags.lines().any(|tag| tag == "1") && tags.lines().any(|tag| tag == "2"),
        "{tags}"
    );
    fails(&mut regctl(&["manifest", "head", &cargo]));
    succeeds(&mut regctl(&["manifest", "head", &second]));
}

#[test]
fn regctl_pushes_in_chunks_lists_referrers_and_deletes_a_tag_over_plain_http() {
    journey(plain());
}

#[test]
fn regctl_pushes_in_chunks_lists_referrers_and_deletes_a_tag_over_tls() {
    journey(secure());
}
