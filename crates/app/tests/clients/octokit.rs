//! octokit, in a program of our own on it (`tools/octokit`), with its plugins as they come.

use std::process::Command;

use naru_testkit::naru::Server;
use naru_testkit::services::absent;

use crate::stock;
use crate::support::{Person, plain, secure, succeeds};

fn program(person: &Person, org: &str) -> Option<Command> {
    let script = absent::built("octokit/journey.mjs")?;
    let mut command = person.command(&absent::program("node")?);
    command
        .arg(script)
        .env("NARU_URL", person.server.url())
        .env("NARU_TOKEN", &person.user.token)
        .env("NARU_USER", &person.user.name)
        .env("NARU_ORG", org);
    if let Some(authority) = person.server.authority() {
        command.env("NODE_EXTRA_CA_CERTS", authority);
    }
    Some(command)
}

fn journey(server: Option<&'static Server>) {
    let Some(server) = server else { return };
    let person = stock::arrive(server, "octokit");
    let org = stock::organization(&person);
    let Some(mut program) = program(&person, &org) else {
        return;
    };
    let user = person.user.name.clone();
    for (owner, package, versions) in [
        (&user, "one", 4),
        (&user, "a/b", 4),
        (&user, "last", 1),
        (&org, "team/app", 4),
    ] {
        if stock::push(&person, owner, package, versions).is_none() {
            return;
        }
    }
    assert_eq!(succeeds(&mut program), "octokit is content");
}

#[test]
fn octokit_reads_deletes_and_restores_over_plain_http() {
    journey(plain());
}

#[test]
fn octokit_reads_deletes_and_restores_over_tls() {
    journey(secure());
}
