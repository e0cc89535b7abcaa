//! crane: the registry at its barest.

use std::process::Command;

use naru_testkit::naru::Server;
use naru_testkit::services::absent;

use crate::support::{Person, fails, plain, secure, succeeds};

/// `crane` with these words; `None` where it is not built.
pub(crate) fn crane(person: &Person, words: &[&str]) -> Option<Command> {
    let mut command = person.command(&absent::built("crane")?);
    command.args(words);
    Some(command)
}

/// Pushes an image of the greeting program, as its signed-in owner; its reference.
pub(crate) fn push_greeter(person: &Person, name: &str) -> Option<String> {
    let image = person.reference(name);
    person.sign_in();
    let layer = person.at("greeter.tar");
    let mut tar = Command::new("tar");
    succeeds(
        tar.arg("-C")
            .arg(person.context())
            .arg("-cf")
            .arg(&layer)
            .args(["hello", "whose"]),
    );
    let mut append = crane(
        person,
        &["append", "--oci-empty-base", "--platform=linux/amd64", "-t"],
    )?;
    succeeds(append.arg(&image).arg("-f").arg(layer));
    let change = [
        "mutate",
        "--entrypoint=/hello",
        "--set-platform=linux/amd64",
        "-t",
        &image,
        &image,
    ];
    succeeds(&mut crane(person, &change)?);
    Some(image)
}

/// The digest that a reference stands for.
pub(crate) fn digest(person: &Person, image: &str) -> String {
    succeeds(&mut crane(person, &["digest", image]).unwrap())
}

fn journey(server: Option<&'static Server>) {
    let Some(server) = server else { return };
    let person = Person::arrive(server, "crane");
    let (name, token) = (person.user.name.as_str(), person.user.token.as_str());
    let login = ["auth", "login", "-u", name, "-p", token, server.host()];
    let Some(mut login) = crane(&person, &login) else {
        return;
    };
    succeeds(&mut login);
    let crane = |words: &[&str]| crane(&person, words).unwrap();
    let Some(image) = push_greeter(&person, "hello:1") else {
        return;
    };
    succeeds(&mut crane(&["validate", "--remote", &image]));

    let copy = person.reference("copy:1");
    succeeds(&mut crane(&["copy", &image, &copy]));
    assert_eq!(digest(&person, &image), digest(&person, &copy));

    let labelled = person.reference("copy:labelled");
    succeeds(&mut crane(&[
        "mutate",
        "--label=of=cargo",
        "-t",
        &labelled,
        &copy,
    ]));
    assert!(succeeds(&mut crane(&["config", &labelled])).contains("cargo"));

    let index = person.reference("copy:index");
    succeeds(&mut crane(&[
        "index", "append", "-m", &copy, "-m", &labelled, "-t", &index,
    ]));
    assert!(succeeds(&mut crane(&["manifest", &index])).contains(&digest(&person, &labelled)));
    let tags = succeeds(&mut crane(&["ls", &person.reference("copy")]));
    assert_eq!(tags.lines().collect::<Vec<_>>(), ["1", "index", "labelled"]);

    succeeds(crane(&["pull", &index]).arg(person.at("pulled.tar")));
    let by_digest = person.reference(&format!("copy@{}", digest(&person, &index)));
    succeeds(&mut crane(&["delete", &by_digest]));
    fails(&mut crane(&["manifest", &index]));
    succeeds(&mut crane(&["manifest", &labelled]));
}

#[test]
fn crane_copies_indexes_mutates_and_deletes_over_plain_http() {
    journey(plain());
}

#[test]
fn crane_copies_indexes_mutates_and_deletes_over_tls() {
    journey(secure());
}
