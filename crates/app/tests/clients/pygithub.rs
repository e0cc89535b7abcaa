//! PyGithub, in a program of our own on it (`tools/pygithub`): it knows accounts, and no packages.

use std::path::Path;

use naru_testkit::naru::Server;
use naru_testkit::services::absent;

use crate::stock;
use crate::support::{Person, plain, secure, succeeds};

fn journey(server: Option<&'static Server>) {
    let Some(server) = server else { return };
    let Some(python) = absent::python() else {
        return;
    };
    let person = stock::arrive(server, "pygithub");
    let friend = Person::arrive(server, "pygithub-friend").user.name;
    let org = stock::organization(&person);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/pygithub/journey.py");
    let mut program = person.command(&python);
    program
        .arg(script)
        .args([
            server.url(),
            &person.user.token,
            &person.user.name,
            &org,
            &friend,
        ])
        .args(server.authority());
    assert_eq!(succeeds(&mut program), "PyGithub is content");
}

#[test]
fn pygithub_keeps_organizations_teams_and_repositories_over_plain_http() {
    journey(plain());
}

#[test]
fn pygithub_keeps_organizations_teams_and_repositories_over_tls() {
    journey(secure());
}
