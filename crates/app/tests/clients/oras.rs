//! oras, as a program of our own on the library that the command is made of (`tools/clients/oras`).

use std::fs;
use std::process::Command;

use naru_testkit::naru::Server;
use naru_testkit::services::absent;

use crate::support::{Person, fails, plain, secure, succeeds};

fn oras(person: &Person, words: &[&str]) -> Option<Command> {
    let mut command = person.command(&absent::built("oras")?);
    match person.server.authority() {
        Some(authority) => command.arg("-ca").arg(authority),
        None => command.arg("-plain-http"),
    };
    command
        .args(["-u", &person.user.name, "-p", &person.user.token])
        .args(words);
    Some(command)
}

fn journey(server: Option<&'static Server>) {
    let Some(server) = server else { return };
    let person = Person::arrive(server, "oras");
    if oras(&person, &[]).is_none() {
        return;
    }
    let oras = |words: &[&str]| oras(&person, words).unwrap();
    fs::write(person.at("chart.txt"), "here be dragons").unwrap();
    fs::write(person.at("stamp.txt"), "inspected").unwrap();
    let chart = person.reference("charts/east:1");
    succeeds(&mut oras(&[
        "push",
        &chart,
        "application/vnd.naru.chart",
        "chart.txt",
    ]));
    succeeds(&mut oras(&["pull", &chart, "pulled"]));
    assert_eq!(
        fs::read_to_string(person.at("pulled/chart.txt")).unwrap(),
        "here be dragons"
    );

    let stamp = "application/vnd.naru.stamp";
    let attached = succeeds(&mut oras(&["attach", &chart, stamp, "stamp.txt"]));
    let found = succeeds(&mut oras(&["discover", &chart]));
    assert_eq!(found, format!("{attached} {stamp}"));
    assert_eq!(
        succeeds(&mut oras(&[
            "discover",
            &chart,
            "application/vnd.naru.other"
        ])),
        ""
    );

    let copy = person.reference("charts/west:1");
    succeeds(&mut oras(&["copy", &chart, &copy]));
    assert_eq!(succeeds(&mut oras(&["discover", &copy])), found);
    assert_eq!(
        succeeds(&mut oras(&["tags", &person.reference("charts/west")])),
        "1"
    );
    succeeds(&mut oras(&["delete", &copy]));
    fails(&mut oras(&["pull", &copy, "gone"]));
    succeeds(&mut oras(&["pull", &chart, "again"]));
}

#[test]
fn oras_pushes_attaches_discovers_copies_and_deletes_over_plain_http() {
    journey(plain());
}

#[test]
fn oras_pushes_attaches_discovers_copies_and_deletes_over_tls() {
    journey(secure());
}
