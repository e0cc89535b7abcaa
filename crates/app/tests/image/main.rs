//! The container image of Naru: built by every tool that can, and run as the documentation says.
//!
//! `NARU_TEST_STATIC_BINARY` names the static binary, which `cargo xtask ci --only image` builds.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly, also in the helpers that clippy does not know as tests"
)]

mod builders;
mod container;

use std::time::Duration;

use naru_testkit::run::{succeeds, succeeds_told};

use builders::Builder;
use container::{Container, engine};

/// The documented way to run it: `docs/how-to/container-image.md`.
#[test]
fn the_image_serves_pushes_and_pulls_and_keeps_them_over_a_restart() {
    let Some(engine) = engine() else { return };
    let Some(image) = Builder::Docker.build(engine) else {
        return;
    };
    let container = Container::run(engine, &image);
    container.wait_until_ready();
    assert!(
        container.logs().contains("ghp_"),
        "the first start shows how to sign in:\n{}",
        container.logs()
    );

    container.naru(&["user", "create", "octocat"]);
    let scopes = ["--scope", "write:packages", "--scope", "delete:packages"];
    let token = container.naru(&[&["token", "create", "octocat"][..], &scopes].concat());
    let host = container.host();
    succeeds(&mut container.docker(&["login", "-u", "octocat", "-p", &token, host]));
    let pushed = format!("{host}/octocat/naru:1");
    let docker = |words: &[&str]| succeeds(&mut container.docker(words));
    docker(&["tag", &image, &pushed]);
    docker(&["push", "-q", &pushed]);
    let digest = |image: &str| docker(&["image", "inspect", "--format={{.RepoDigests}}", image]);
    let before = digest(&pushed);
    docker(&["rmi", &pushed]);

    container.stop_and_start();
    container.wait_until_ready();
    docker(&["pull", "-q", &pushed]);
    assert_eq!(digest(&pushed), before);
}

#[test]
fn the_program_in_the_image_is_nobody_in_particular_and_finds_hosts_by_name() {
    let Some(engine) = engine() else { return };
    let Some(image) = Builder::Docker.build(engine) else {
        return;
    };
    let container = Container::run(engine, &image);
    container.wait_until_ready();
    let status = container.process_status();
    let line = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!(
        (line("Uid:"), line("Gid:")),
        ("10001".into(), "10001".into())
    );
    assert_eq!(line("CapEff:"), "0000000000000000");
    assert_eq!(line("NoNewPrivs:"), "1");

    container.naru(&["user", "create", "octocat"]);
    let scopes = ["--scope", "write:packages,delete:packages"];
    let token = container.naru(&[&["token", "create", "octocat"][..], &scopes].concat());
    // A static program looks names up with what was linked into it, so this is not for granted.
    let port = container.host().rsplit(':').next().unwrap();
    let url = format!("http://localhost:{port}");
    let check = ["check", &url, "--user", "octocat", "--password-stdin"];
    succeeds_told(&mut container.exec(&check), &token);
}

#[test]
fn docker_buildah_and_podman_build_the_same_image() {
    let Some(engine) = engine() else { return };
    let mut known = None;
    for builder in [Builder::Docker, Builder::Buildah, Builder::Podman] {
        let Some(image) = builder.build(engine) else {
            continue;
        };
        let described = container::describe(engine, &image);
        assert_eq!(described["User"], "10001:10001", "{builder:?}");
        let known = known.get_or_insert_with(|| described.clone());
        assert_eq!(&described, known, "{builder:?}");
        let container = Container::run(engine, &image);
        container.wait_until_ready();
        let status = container.stop(Duration::from_secs(40));
        assert_eq!(status, "0", "{builder:?}: {}", container.logs());
    }
}
