//! `naru check` and the REST API: against Naru, and against a registry that deletes nothing over
//! `/v2/`, as GitHub's.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Output;
use std::thread;

use naru_testkit::naru::{Plan, Server, User};
use naru_testkit::services::grade::{Blobstore, Database, Grade};
use serde_json::Value;

/// A server that needs nothing of the machine.
fn server() -> Server {
    let grade = Grade {
        database: Database::Sqlite,
        blobstore: Blobstore::Directory,
    };
    Server::start(Plan::new(env!("CARGO_BIN_EXE_naru")).on(grade)).unwrap()
}

/// What `naru check` says of `url`, step by step.
fn check(server: &Server, url: &str, user: &User) -> (Output, Vec<Value>) {
    use std::process::Stdio;
    let mut command = server.command();
    command.args([
        "check",
        url,
        "--user",
        &user.name,
        "--password-stdin",
        "--json",
    ]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(user.token.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let steps = serde_json::from_slice(&output.stdout).unwrap();
    (output, steps)
}

fn step<'s>(steps: &'s [Value], name: &str) -> (&'s str, &'s str) {
    let step = steps.iter().find(|step| step["step"] == name).unwrap();
    (
        step["outcome"].as_str().unwrap(),
        step["detail"].as_str().unwrap(),
    )
}

#[test]
fn packages_scopes_and_versions_are_found_by_rest() {
    let server = server();
    let user = server.user("octocat");
    let (output, steps) = check(&server, server.url(), &user);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        step(&steps, "list by REST"),
        ("ok", "naru-check is private")
    );
    let (outcome, scopes) = step(&steps, "scopes by REST");
    assert_eq!(outcome, "ok");
    assert!(scopes.contains("write:packages"), "{scopes}");
    assert_eq!(step(&steps, "versions by REST").0, "ok", "{steps:?}");
}

#[test]
fn a_token_that_clean_up_tools_would_stop_at_is_told_with_the_fix() {
    let server = server();
    let mut user = server.user("octocat");
    user.token = server.token("octocat", "write:packages", "1d");
    let (output, steps) = check(&server, server.url(), &user);
    assert_eq!(output.status.code(), Some(1));
    let (outcome, detail) = step(&steps, "scopes by REST");
    assert_eq!(outcome, "failed");
    assert!(detail.contains("write:packages"), "{detail}");
}

#[test]
fn what_was_pushed_is_deleted_by_rest_where_the_registry_deletes_nothing() {
    let server = server();
    let user = server.user("octocat");
    let url = deleting_nothing_over_v2(&server);
    // The last tagged version goes with its package.
    let (output, steps) = check(&server, &url, &user);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        step(&steps, "delete"),
        ("ok", "gone again by REST, with its package")
    );
    assert_eq!(server.naru(["package", "list", "octocat", "--json"]), "[]");
}

/// The URL of a proxy that refuses every `DELETE` below `/v2/` and passes on everything else.
fn deleting_nothing_over_v2(server: &Server) -> String {
    let target: SocketAddr = server.host().parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // A client that goes away in the middle is none of the test's business.
            thread::spawn(move || pass_on(&client, target));
        }
    });
    url
}

/// Answers one request; each has a connection of its own.
fn pass_on(client: &TcpStream, target: SocketAddr) -> io::Result<()> {
    let mut reader = BufReader::new(client);
    let mut head = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or_default();
        }
        head.push_str(&line);
    }
    let mut answer = client;
    if head.starts_with("DELETE /v2/") {
        return answer.write_all(
            b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        );
    }
    let mut server = TcpStream::connect(target)?;
    write!(server, "{head}Connection: close\r\n\r\n")?;
    io::copy(&mut reader.take(length), &mut server)?;
    io::copy(&mut server, &mut answer)?;
    client.shutdown(Shutdown::Both)
}
