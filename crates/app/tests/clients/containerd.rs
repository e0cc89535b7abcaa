//! containerd, driven by `ctr`.

use std::fs;
use std::process::Command;
use std::sync::OnceLock;

use naru_testkit::naru::Server;
use naru_testkit::services::engine::Containerd;

use crate::support::{GREETING, Person, plain, secure, succeeds};
use crate::{crane, support};

fn engine() -> Option<&'static Containerd> {
    static ENGINE: OnceLock<Option<Containerd>> = OnceLock::new();
    ENGINE.get_or_init(Containerd::start).as_ref()
}

/// The flags by which `ctr images` reaches the server and signs in.
fn reach(person: &Person) -> Vec<String> {
    let mut words = vec![
        "-u".to_owned(),
        format!("{}:{}", person.user.name, person.user.token),
    ];
    match person.server.authority() {
        None => words.push("--plain-http".to_owned()),
        Some(authority) => {
            let host = person.at("hosts").join(person.server.host());
            fs::create_dir_all(&host).unwrap();
            let toml = format!("[host.\"{}\"]\nca = {authority:?}\n", person.server.url());
            fs::write(host.join("hosts.toml"), toml).unwrap();
            words.extend([
                "--hosts-dir".to_owned(),
                person.at("hosts").display().to_string(),
            ]);
        }
    }
    words
}

fn journey(server: Option<&'static Server>) {
    let (Some(engine), Some(server)) = (engine(), server) else {
        return;
    };
    let person = Person::arrive(server, "containerd");
    let Some(image) = crane::push_greeter(&person, "hello:1") else {
        return;
    };
    let ctr = |words: &[&str]| -> Command {
        let mut command = engine.command();
        person.settle(&mut command);
        command.args(words);
        command
    };
    let native = "--snapshotter=native";
    succeeds(
        ctr(&["images", "pull", native])
            .args(reach(&person))
            .arg(&image),
    );
    let container = person.user.name.as_str();
    assert_eq!(
        succeeds(&mut ctr(&["run", "--rm", native, &image, container])),
        GREETING
    );
    let again = person.reference("again:1");
    succeeds(
        ctr(&["images", "push"])
            .args(reach(&person))
            .args([&again, &image]),
    );
    let (first, second) = (
        crane::digest(&person, &image),
        crane::digest(&person, &again),
    );
    assert_eq!(first, second);
    let mut nobody = ctr(&["images", "pull", native]);
    support::fails(nobody.args(reach(&person).split_off(2)).arg(&again));
}

#[test]
fn containerd_pulls_runs_and_pushes_over_plain_http() {
    journey(plain());
}

#[test]
fn containerd_pulls_runs_and_pushes_over_tls() {
    journey(secure());
}
