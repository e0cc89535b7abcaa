//! TLS: `naru check` with an authority that this machine does not know, and new certificates.

use std::fs;
use std::path::Path;

use naru_testkit::certificates::Certificates;
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

/// Whether a client that trusts `authority` alone reaches the server.
fn is_reached(url: &str, authority: &Path) -> bool {
    let check = naru()
        .args(["check", url, "--user", "admin", "--password-stdin"])
        .arg("--ca-file")
        .arg(authority)
        .write_stdin("x")
        .output()
        .unwrap();
    stdout(&check).starts_with("reach\tok")
}

#[test]
fn the_signal_to_reload_loads_new_certificates_at_once() {
    let scratch = tempfile::tempdir().unwrap();
    let old = Certificates::make(&scratch.path().join("old")).unwrap();
    let new = Certificates::make(&scratch.path().join("new")).unwrap();
    let config = scratch.path().join("naru.toml");
    let settings = format!(
        "[tls]\nreload_seconds = 86400\n[[tls.certificates]]\ncertificate = {:?}\nkey = {:?}\n",
        old.certificate, old.key
    );
    fs::write(&config, settings).unwrap();
    let data = scratch.path().join("data");
    let arguments = ["--config", config.to_str().unwrap()];
    let mut server = crate::support::Server::start_on(&data, &arguments);
    let url = server.url.clone();
    assert!(is_reached(&url, &old.authority));

    fs::rename(&new.certificate, &old.certificate).unwrap();
    fs::rename(&new.key, &old.key).unwrap();
    assert!(!is_reached(&url, &new.authority), "a day has not passed");
    server.signal(rustix::process::Signal::HUP);
    server.wait_for("loaded the certificates again");
    assert!(is_reached(&url, &new.authority));
    assert!(!is_reached(&url, &old.authority));
}

#[test]
fn a_server_with_tls_is_asked_for_its_health_without_names() {
    let scratch = tempfile::tempdir().unwrap();
    let files = Certificates::make(scratch.path()).unwrap();
    let config = scratch.path().join("naru.toml");
    let settings = format!(
        "[[tls.certificates]]\ncertificate = {:?}\nkey = {:?}\n",
        files.certificate, files.key
    );
    fs::write(&config, settings).unwrap();
    let data = scratch.path().join("data");
    let arguments = ["--config", config.to_str().unwrap()];
    let server = crate::support::Server::start_on(&data, &arguments);
    let own = naru()
        .args(["health", "--config"])
        .arg(&config)
        .env(
            "NARU_LISTEN__ADDRESS",
            server.url.strip_prefix("https://").unwrap(),
        )
        .output()
        .unwrap();
    assert!(own.status.success(), "{}", stderr(&own));
    let named = naru().args(["health", &server.url]).output().unwrap();
    assert_eq!(named.status.code(), Some(1), "somebody else's is looked at");
}

#[test]
fn certificates_that_cannot_be_loaded_leave_the_old_ones_in_use() {
    let scratch = tempfile::tempdir().unwrap();
    let files = Certificates::make(scratch.path()).unwrap();
    let config = scratch.path().join("naru.toml");
    let settings = format!(
        "[[tls.certificates]]\ncertificate = {:?}\nkey = {:?}\n",
        files.certificate, files.key
    );
    fs::write(&config, settings).unwrap();
    let data = scratch.path().join("data");
    let arguments = ["--config", config.to_str().unwrap()];
    let mut server = crate::support::Server::start_on(&data, &arguments);
    fs::write(&files.certificate, "half of it").unwrap();
    server.signal(rustix::process::Signal::HUP);
    server.wait_for("cannot load the certificates again");
    assert!(is_reached(&server.url.clone(), &files.authority));
}
