//! `naru check` over TLS, with an authority that this machine does not know.

use naru_testkit::naru::{Plan, Server};
use naru_testkit::services::grade::{Blobstore, Database, Grade};

use crate::support::{naru, stderr, stdout};

fn server() -> Server {
    let grade = Grade {
        database: Database::Sqlite,
        blobstore: Blobstore::Directory,
    };
    let plan = Plan::new(env!("CARGO_BIN_EXE_naru")).with_tls().on(grade);
    Server::start(plan).expect("SQLite and a directory are everywhere")
}

#[test]
fn a_registry_of_an_own_authority_is_checked_when_it_is_named() {
    let server = server();
    let check = naru()
        .args([
            "check",
            server.url(),
            "--user",
            "admin",
            "--password-stdin",
            "--ca-file",
        ])
        .arg(server.authority().unwrap())
        .write_stdin(server.administrator().token)
        .output()
        .unwrap();
    assert!(
        check.status.success(),
        "{}{}",
        stdout(&check),
        stderr(&check)
    );
}

#[test]
fn a_certificate_of_an_unknown_authority_is_told_with_the_fix() {
    let server = server();
    let check = naru()
        .args(["check", server.url(), "--user", "admin", "--password-stdin"])
        .write_stdin("x")
        .output()
        .unwrap();
    assert_eq!(check.status.code(), Some(1));
    assert!(
        stdout(&check).contains("does not trust the certificate"),
        "{}",
        stdout(&check)
    );
    assert!(stdout(&check).contains("--ca-file"), "{}", stdout(&check));
}

#[test]
fn plain_http_at_a_tls_port_and_the_other_way_round_are_told_with_the_fix() {
    let encrypted = server();
    let plain = crate::support::Server::start();
    let swapped = [
        (encrypted.url().replace("https://", "http://"), "https://"),
        (plain.url.replace("http://", "https://"), "http://"),
    ];
    for (url, fix) in swapped {
        let check = naru()
            .args(["check", &url, "--user", "admin", "--password-stdin"])
            .write_stdin("x")
            .output()
            .unwrap();
        let printed = stdout(&check);
        let said = printed.rsplit('\t').next().unwrap();
        assert!(said.contains(fix), "{url}: {printed}");
    }
}
