//! skopeo: copying, mirroring, looking and deleting, without an engine.

use std::process::Command;

use naru_testkit::naru::Server;
use naru_testkit::services::absent;

use crate::buildah;
use crate::support::{Person, fails, plain, secure, succeeds};

/// `skopeo` with these words; `None` where there is none.
pub(crate) fn skopeo<const N: usize>(person: &Person, words: [&str; N]) -> Option<Command> {
    let mut command = person.command(&absent::program("skopeo")?);
    command.args(words);
    Some(command)
}

/// What it needs to know of the server's TLS, on one side (`""`, `"src-"`, `"dest-"`) of a copy.
fn trust(server: &Server, side: &str) -> String {
    match server.authority().and_then(|file| file.parent()) {
        Some(directory) => format!("--{side}cert-dir={}", directory.display()),
        None => format!("--{side}tls-verify=false"),
    }
}

fn journey(server: Option<&'static Server>) {
    let Some(server) = server else { return };
    let person = Person::arrive(server, "skopeo");
    let at = |name: &str| format!("docker://{}", person.reference(name));
    if skopeo(&person, []).is_none() {
        return;
    }
    let skopeo = |words: &[&str]| {
        let mut command = skopeo(&person, []).unwrap();
        command.args(words);
        command
    };
    let (name, token) = (person.user.name.as_str(), person.user.token.as_str());
    let one = trust(server, "");
    let (from, to) = (trust(server, "src-"), trust(server, "dest-"));
    succeeds(&mut skopeo(&[
        "login",
        "-u",
        name,
        "-p",
        token,
        &one,
        server.host(),
    ]));
    let Some(()) = buildah::push_two_platforms(&person, &person.reference("both:1")) else {
        return;
    };

    succeeds(&mut skopeo(&[
        "copy",
        "-q",
        "--all",
        &from,
        &to,
        &at("both:1"),
        &at("copy:1"),
    ]));
    let original = succeeds(&mut skopeo(&["inspect", "--raw", &one, &at("both:1")]));
    let copied = succeeds(&mut skopeo(&["inspect", "--raw", &one, &at("copy:1")]));
    assert_eq!(original, copied);

    let config = succeeds(&mut skopeo(&["inspect", "--config", &one, &at("copy:1")]));
    assert!(config.contains("/hello"), "{config}");
    let tags = succeeds(&mut skopeo(&["list-tags", &one, &at("copy")]));
    assert!(tags.contains("\"1\""), "{tags}");

    let mirror = person.at("mirror");
    std::fs::create_dir(&mirror).unwrap();
    let mut sync = skopeo(&["sync", "--all", "--src=docker", "--dest=dir", &from]);
    succeeds(sync.arg(person.reference("both")).arg(&mirror));
    assert!(mirror.join("both:1/manifest.json").is_file());
    let back = format!("{}/{}/mirrored", server.host(), person.user.name);
    let mut sync = skopeo(&["sync", "--all", "--src=dir", "--dest=docker", &to]);
    succeeds(sync.arg(&mirror).arg(&back));
    let mirrored = format!("docker://{back}/both:1");
    assert_eq!(
        succeeds(&mut skopeo(&["inspect", "--raw", &one, &mirrored])),
        original
    );

    succeeds(&mut skopeo(&["delete", &one, &at("copy:1")]));
    fails(&mut skopeo(&["inspect", "--raw", &one, &at("copy:1")]));
    succeeds(&mut skopeo(&["inspect", "--raw", &one, &at("both:1")]));
}

#[test]
fn skopeo_copies_mirrors_inspects_and_deletes_over_plain_http() {
    journey(plain());
}

#[test]
fn skopeo_copies_mirrors_inspects_and_deletes_over_tls() {
    journey(secure());
}
