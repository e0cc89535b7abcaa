//! podman.

use std::process::Command;

use naru_testkit::naru::Server;
use naru_testkit::services::absent;

use crate::support::{GREETING, Person, fails, plain, secure, speaks_of, succeeds};

/// `podman` with its own storage and these words; `None` where there is none.
pub(crate) fn podman<const N: usize>(person: &Person, words: [&str; N]) -> Option<Command> {
    let mut command = person.command(&absent::program("podman")?);
    command
        .arg("--root")
        .arg(person.at("storage"))
        .arg("--runroot")
        .arg(person.at("run"));
    command.args(["--storage-driver", "vfs"]).args(words);
    Some(command)
}

/// What a client of this family needs to know of the server's TLS.
pub(crate) fn trust(server: &Server) -> Vec<String> {
    match server.authority().and_then(|file| file.parent()) {
        Some(directory) => vec!["--cert-dir".to_owned(), directory.display().to_string()],
        None => vec!["--tls-verify=false".to_owned()],
    }
}

fn journey(server: Option<&'static Server>) {
    let Some(server) = server else { return };
    let person = Person::arrive(server, "podman");
    let image = person.reference("hello:1");
    let (name, token) = (person.user.name.as_str(), person.user.token.as_str());
    let Some(mut login) = podman(&person, ["login", "-u", name, "-p", token]) else {
        return;
    };
    succeeds(login.args(trust(server)).arg(server.host()));
    let podman = |words: [&str; 1]| podman(&person, words).unwrap();
    succeeds(
        podman(["build"])
            .args(["-q", "--isolation=chroot", "-t", &image])
            .arg(person.context()),
    );
    succeeds(podman(["push"]).args(trust(server)).arg(&image));
    succeeds(podman(["rmi"]).args(["-f", &image]));
    succeeds(podman(["pull"]).args(trust(server)).arg(&image));
    // Limits of its own, since the machine's may not let podman raise its usual ones.
    let limits = ["--ulimit=nofile=512:512", "--ulimit=nproc=1024:1024"];
    let mut run = podman(["run"]);
    run.args(["--rm", "--runtime=runc", "--network=none"])
        .args(limits)
        .arg(&image);
    assert_eq!(succeeds(&mut run), GREETING);
    succeeds(podman(["logout"]).arg(server.host()));
    let refusal = fails(podman(["pull"]).args(trust(server)).arg(&image));
    speaks_of(
        &refusal,
        &["denied", "unauthorized", "authentication required"],
    );
}

#[test]
fn podman_pushes_pulls_and_runs_over_plain_http() {
    journey(plain());
}

#[test]
fn podman_pushes_pulls_and_runs_over_tls() {
    journey(secure());
}

#[test]
fn podman_does_not_trust_a_server_whose_authority_it_was_not_told() {
    let Some(server) = secure() else { return };
    let person = Person::arrive(server, "podman");
    let (name, token) = (person.user.name.as_str(), person.user.token.as_str());
    let Some(mut login) = podman(&person, ["login", "-u", name, "-p", token]) else {
        return;
    };
    let refusal = fails(login.env_remove("SSL_CERT_FILE").arg(server.host()));
    speaks_of(&refusal, &["certificate"]);
}
