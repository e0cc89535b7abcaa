//! Commands beside a running server, as a script runs them.

use assert_cmd::Command;
use serde_json::Value;

use crate::support::{Server, naru, stderr, stdout};

/// Runs a command that succeeds, and returns what it printed.
pub(crate) fn succeeds(mut command: Command, line: &str) -> String {
    let output = command.args(line.split(' ')).output().unwrap();
    assert!(output.status.success(), "{line}: {}", stderr(&output));
    stdout(&output)
}

pub(crate) fn json(server: &Server, line: &str) -> Value {
    let printed = succeeds(server.naru(), &format!("{line} --json"));
    serde_json::from_str(&printed).unwrap_or_else(|_| panic!("{line} printed: {printed}"))
}

/// Runs a command that fails, and returns what it said.
pub(crate) fn fails(server: &Server, line: &str) -> String {
    let output = server.naru().args(line.split(' ')).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{line}: {}", stdout(&output));
    stderr(&output)
}

/// A server with the users octocat and hubot, the organization acme of octocat, and its team.
pub(crate) fn server_with_people() -> Server {
    let server = Server::start();
    for line in [
        "user create octocat",
        "user create hubot",
        "org create acme --owner octocat",
        "org member add acme hubot",
        "team create acme Core",
    ] {
        succeeds(server.naru(), line);
    }
    server
}

/// A token of `user` that may do everything with packages.
pub(crate) fn token(server: &Server, user: &str) -> String {
    let line = format!("token create {user} --scope write:packages,delete:packages");
    succeeds(server.naru(), &line).trim().to_owned()
}

pub(crate) fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

/// Pushes an image to `name` and deletes it again, and returns how that ended.
pub(crate) fn check(server: &Server, user: &str, name: &str) -> Vec<Value> {
    let check = naru()
        .args(["check", &server.url, "--user", user, "--password-stdin"])
        .args(["--image", name, "--json"])
        .write_stdin(token(server, user))
        .output()
        .unwrap();
    assert!(check.status.success(), "{}", stderr(&check));
    serde_json::from_slice(&check.stdout).unwrap()
}
