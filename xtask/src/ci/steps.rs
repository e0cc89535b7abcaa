//! What the run consists of. To add a step, write its function and give it a row in [`STEPS`].

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::Session;
use super::summary::{self, Outcome};
use crate::services::{self, Services};
use crate::shell::{self, Log};
use crate::{dependencies, doors, image as image_of, licences, prerequisites, tools, workspace};

/// One part of the run.
pub(super) struct Step {
    /// What `--only` and `--skip` call it.
    pub(super) name: &'static str,
    /// What it does, for the one who watches.
    pub(super) title: &'static str,
    /// Steps without which this one makes no sense.
    pub(super) needs: &'static [&'static str],
    /// Does it.
    pub(super) run: fn(&mut Session, &Log) -> Result<Outcome>,
}

/// Every step, in order.
pub(super) const STEPS: &[Step] = &[
    step(
        "install",
        "what the tests need and this machine lacks",
        &[],
        install,
    ),
    step("fmt", "rustfmt", &[], fmt),
    step("doors", "crates depend on each other as drawn", &[], doors),
    step(
        "licences",
        "licences, bans and sources of dependencies",
        &[],
        licences,
    ),
    step(
        "dependencies",
        "every dependency is used and explained",
        &[],
        dependencies,
    ),
    step("shell", "shellcheck", &[], shell),
    step(
        "clippy",
        "clippy over all targets, warnings are errors",
        &[],
        clippy,
    ),
    step("doc", "the documentation, private items too", &[], doc),
    step("build", "the binary and every test", &[], build),
    step(
        "test",
        "all tests, on SQLite and a directory",
        &["build"],
        test_sqlite_directory,
    ),
    step(
        "test-s3",
        "tests of the whole registry, on SQLite and S3",
        &["build"],
        test_sqlite_s3,
    ),
    step(
        "test-pg",
        "tests of the whole registry, on PostgreSQL and a directory",
        &["build"],
        test_postgres_directory,
    ),
    step(
        "test-pg-s3",
        "tests of the whole registry, on PostgreSQL and S3",
        &["build"],
        test_postgres_s3,
    ),
    step(
        "tools",
        "the Go programs that the tests use",
        &[],
        await_tools,
    ),
    step(
        "crashes",
        "kill -9 under load, again and again",
        &["build"],
        crashes,
    ),
    step(
        "image",
        "the static binary and the container image, run by Docker",
        &["build"],
        image,
    ),
    step(
        "conformance",
        "the OCI conformance suite",
        &["test"],
        conformance,
    ),
    step(
        "clients",
        "real clients, on SQLite and a directory",
        &["build", "tools"],
        clients_small,
    ),
    step(
        "clients-pg-s3",
        "real clients, on PostgreSQL and S3",
        &["build", "tools"],
        clients_large,
    ),
];

const fn step(
    name: &'static str,
    title: &'static str,
    needs: &'static [&'static str],
    run: fn(&mut Session, &Log) -> Result<Outcome>,
) -> Step {
    Step {
        name,
        title,
        needs,
        run,
    }
}

/// The longest a single command of the run may take.
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// A database and a blob store, as the test kit knows them by name.
#[derive(Clone, Copy)]
struct Grade {
    database: &'static str,
    blobstore: &'static str,
}

const SMALL: Grade = Grade {
    database: "sqlite",
    blobstore: "directory",
};
const SQLITE_S3: Grade = Grade {
    database: "sqlite",
    blobstore: "s3",
};
const POSTGRES_DIRECTORY: Grade = Grade {
    database: "postgres",
    blobstore: "directory",
};
const LARGE: Grade = Grade {
    database: "postgres",
    blobstore: "s3",
};

/// The test programs that depend on the grade. The contract suites of the lower rooms meet every
/// backend by themselves, and the command line's own tests say which they want.
const GRADED: &[&[&str]] = &[
    &["--package", "naru-registry", "--test", "it"],
    &["--package", "naru", "--test", "registry"],
    &["--package", "naru", "--test", "rest"],
];

fn install(session: &mut Session, _: &Log) -> Result<Outcome> {
    let note = prerequisites::install()?;
    // The Go programs take minutes of one core; they are built beside everything up to the clients.
    session.tools = Some(std::thread::spawn(tools::build_all));
    Ok(Outcome::passed(note))
}

fn fmt(_: &mut Session, log: &Log) -> Result<Outcome> {
    log.run(
        shell::cargo().args(["fmt", "--all", "--", "--check"]),
        LIMIT,
    )?;
    Ok(Outcome::passed(""))
}

fn doors(_: &mut Session, _: &Log) -> Result<Outcome> {
    Ok(Outcome::passed(doors::check(&workspace::members()?)?))
}

fn licences(_: &mut Session, log: &Log) -> Result<Outcome> {
    Ok(Outcome::passed(licences::check(log)?))
}

fn dependencies(_: &mut Session, _: &Log) -> Result<Outcome> {
    Ok(Outcome::passed(
        dependencies::check(&workspace::members()?)?,
    ))
}

fn shell(_: &mut Session, log: &Log) -> Result<Outcome> {
    let Some(shellcheck) = workspace::find_program("shellcheck") else {
        return Ok(Outcome::skipped("no shellcheck"));
    };
    let mut command = Command::new(shellcheck);
    command
        .current_dir(workspace::root())
        .args(shell_scripts()?);
    log.run(&mut command, LIMIT)?;
    Ok(Outcome::passed(""))
}

/// Every script under version control that names a shell in its first line.
fn shell_scripts() -> Result<Vec<String>> {
    let root = workspace::root();
    let listed = shell::output(Command::new("git").current_dir(&root).arg("ls-files"))?;
    let is_script = |path: &&str| {
        let text = std::fs::read(root.join(path)).unwrap_or_default();
        text.starts_with(b"#!/bin/sh") || text.starts_with(b"#!/usr/bin/env bash")
    };
    Ok(listed
        .lines()
        .filter(is_script)
        .map(str::to_owned)
        .collect())
}

fn clippy(_: &mut Session, log: &Log) -> Result<Outcome> {
    let words = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ];
    log.run(shell::cargo().args(words), LIMIT)?;
    // `--all-targets` leaves out the tests that run as steps of their own.
    for target in outside_tests()? {
        let words = ["clippy", "--workspace", "--locked", "--test", &target];
        let mut clippy = shell::cargo();
        log.run(clippy.args(words).args(["--", "-D", "warnings"]), LIMIT)?;
    }
    Ok(Outcome::passed(""))
}

fn doc(_: &mut Session, log: &Log) -> Result<Outcome> {
    let words = [
        "doc",
        "--workspace",
        "--no-deps",
        "--document-private-items",
        "--locked",
    ];
    log.run(
        shell::cargo()
            .args(words)
            .env("RUSTDOCFLAGS", "-D warnings"),
        LIMIT,
    )?;
    Ok(Outcome::passed(""))
}

fn build(_: &mut Session, log: &Log) -> Result<Outcome> {
    // One command, so that the tests run the very binary that was built with their features.
    log.run(
        shell::cargo().args(["test", "--workspace", "--no-run", "--locked"]),
        LIMIT,
    )?;
    for target in outside_tests()? {
        let words = [
            "test",
            "--workspace",
            "--no-run",
            "--locked",
            "--test",
            &target,
        ];
        log.run(shell::cargo().args(words), LIMIT)?;
    }
    Ok(Outcome::passed(""))
}

fn test_sqlite_directory(session: &mut Session, log: &Log) -> Result<Outcome> {
    run_tests(session, log, SMALL, &[&["--workspace"]])
}

fn test_sqlite_s3(session: &mut Session, log: &Log) -> Result<Outcome> {
    run_tests(session, log, SQLITE_S3, GRADED)
}

fn test_postgres_directory(session: &mut Session, log: &Log) -> Result<Outcome> {
    run_tests(session, log, POSTGRES_DIRECTORY, GRADED)
}

fn test_postgres_s3(session: &mut Session, log: &Log) -> Result<Outcome> {
    run_tests(session, log, LARGE, GRADED)
}

fn await_tools(session: &mut Session, log: &Log) -> Result<Outcome> {
    let _ = log;
    let note = match session.tools.take() {
        Some(building) => building
            .join()
            .map_err(|_| anyhow::anyhow!("the build of the tools panicked"))??,
        None => tools::build_all()?,
    };
    Ok(Outcome::passed(note))
}

/// The binary is that of the profile of the tests: what is tried here is how it is linked, packed
/// and run, and an optimised build would take most of an hour on a small machine.
fn image(session: &mut Session, log: &Log) -> Result<Outcome> {
    session.static_binary = Some(image_of::static_binary("dev", log)?);
    run_outside_test(session, log, SMALL, "image")
}

fn crashes(session: &mut Session, log: &Log) -> Result<Outcome> {
    run_outside_test(session, log, SMALL, "crashes")
}

/// The suite itself runs within the graded tests, against each grade's server.
fn conformance(_: &mut Session, _: &Log) -> Result<Outcome> {
    Ok(match workspace::environment("NARU_CONFORMANCE_BIN") {
        Some(program) => Outcome::passed(format!("{program} ran within the tests of each grade")),
        None => Outcome::skipped(
            "NOT RUN: NARU_CONFORMANCE_BIN names no binary of the OCI conformance suite",
        ),
    })
}

fn clients_small(session: &mut Session, log: &Log) -> Result<Outcome> {
    run_outside_test(session, log, SMALL, "clients")
}

fn clients_large(session: &mut Session, log: &Log) -> Result<Outcome> {
    run_outside_test(session, log, LARGE, "clients")
}

/// Runs a test program that is not part of plain `cargo test`, since it needs other programs.
fn run_outside_test(session: &mut Session, log: &Log, grade: Grade, name: &str) -> Result<Outcome> {
    if !outside_tests()?.iter().any(|target| target == name) {
        return Ok(Outcome::skipped(format!(
            "there is no test program `{name}` yet"
        )));
    }
    // Most of the time these tests wait for other programs.
    run_tests(
        session,
        log,
        grade,
        &[&["--workspace", "--test", name, "--", "--test-threads=4"]],
    )
}

/// Test programs whose manifest says `test = false`: they run as steps of their own.
fn outside_tests() -> Result<Vec<String>> {
    let members = workspace::members()?;
    let packages = members.workspace_packages();
    let targets = packages.iter().flat_map(|package| &package.targets);
    let outside = targets.filter(|target| target.is_test() && !target.test);
    Ok(outside.map(|target| target.name.clone()).collect())
}

/// `cargo test` on one grade, once with each of these lists of words; the note is the sum of the
/// closing lines.
fn run_tests(
    session: &mut Session,
    log: &Log,
    grade: Grade,
    wanted: &[&[&str]],
) -> Result<Outcome> {
    if session.services.is_none() {
        session.services = Some(Services::start()?);
    }
    let mut ran = Ok(());
    for words in wanted {
        let mut command = shell::cargo();
        command
            .args(["test", "--locked", "--no-fail-fast"])
            .args(*words);
        tell(&mut command, session, grade)?;
        ran = ran.and(log.run(&mut command, LIMIT));
    }
    let sum = summary::add_up(&log.text()).unwrap_or_else(|| "no test ran".to_owned());
    ran.with_context(|| sum.clone())?;
    Ok(Outcome::passed(sum))
}

/// Tells the tests what they find where.
fn tell(command: &mut Command, session: &Session, grade: Grade) -> Result<()> {
    command.env("NARU_TEST_DATABASE", grade.database);
    command.env("NARU_TEST_BLOBSTORE", grade.blobstore);
    command.env("NARU_TEST_TOOLS", tools::directory());
    command.env("NARU_TEST_SKIPS", &session.skips);
    if let Some(binary) = &session.static_binary {
        command.env("NARU_TEST_STATIC_BINARY", binary);
    }
    command.env(
        services::MOTO_VARIABLE,
        prerequisites::python("moto_server"),
    );
    if !session.lenient {
        command.env("NARU_TEST_REQUIRE_ALL", "1");
    }
    let services = session
        .services
        .as_ref()
        .context("the services are started before tests")?;
    command.envs(services.variables());
    Ok(())
}
