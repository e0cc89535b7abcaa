//! The official conformance suite (opencontainers/distribution-spec, `conformance/`), with every
//! flag on, where the environment variable `NARU_CONFORMANCE_BIN` names the program.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::kit::http::Credential;
use crate::kit::server::sparse;

/// What is not on by itself.
const FLAGS: [&str; 6] = [
    "OCI_API_BLOBS_UPLOAD_CANCEL",
    "OCI_API_MANIFESTS_TAG_PARAM",
    "OCI_API_BLOBS_DIGEST_HEADER",
    "OCI_API_MANIFESTS_DIGEST_HEADER",
    "OCI_DATA_SPARSE",
    "OCI_DATA_SHA512",
];

/// Fewer tests than that are not the whole suite.
const AT_LEAST: usize = 500;

#[test]
fn the_official_suite_of_version_1_1_finds_no_fault() {
    finds_no_fault("1.1");
}

#[test]
fn the_official_suite_of_the_next_version_finds_no_fault() {
    finds_no_fault("dev");
}

fn finds_no_fault(version: &str) {
    let Some(program) = program() else {
        eprintln!("conformance suite not run: NARU_CONFORMANCE_BIN is not set");
        return;
    };
    let results = tempfile::tempdir().unwrap();
    run(&program, version, results.path());
    let report = std::fs::read_to_string(results.path().join("junit.xml")).unwrap();
    let tests = tests_in(&report);
    let with = |status: &str| -> Vec<String> {
        let found = tests.iter().filter(|(_, found)| *found == status);
        found.map(|(name, _)| (*name).to_owned()).collect()
    };
    let wrong = [with("failure"), with("error")].concat();
    let (passed, skipped) = (with("passed").len(), with("skipped"));
    eprintln!(
        "conformance {version}: {passed} passed, {} skipped: {skipped:#?}",
        skipped.len()
    );
    assert!(
        wrong.is_empty(),
        "conformance {version}: {} failed: {wrong:#?}",
        wrong.len()
    );
    assert!(
        passed >= AT_LEAST,
        "conformance {version}: only {passed} tests passed"
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "the environment is how a run names the program"
)]
fn program() -> Option<PathBuf> {
    let named = std::env::var("NARU_CONFORMANCE_BIN").ok()?;
    (!named.is_empty()).then(|| named.into())
}

/// Runs the suite against the server that takes sparse manifests, in two repositories of its own.
fn run(program: &Path, version: &str, results: &Path) {
    let server = sparse();
    let Credential::Basic(user, token) = server.octo() else {
        panic!("a person has a name and a token");
    };
    let mut command = Command::new(program);
    command.current_dir(results).env("OCI_RESULTS_DIR", results);
    command
        .env("OCI_VERSION", version)
        .env("OCI_TLS", "disabled");
    command.env("OCI_REGISTRY", server.address.to_string());
    command.env("OCI_REPO1", server.fresh_name("conformance/one"));
    command.env("OCI_REPO2", server.fresh_name("conformance/two"));
    command.env("OCI_USERNAME", user).env("OCI_PASSWORD", token);
    command.envs(FLAGS.map(|flag| (flag, "true")));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    // The report tells what failed; the exit status says nothing.
    command.status().unwrap();
}

/// Every test in the report with its status: `passed`, `skipped`, `failure`, `error`.
fn tests_in(report: &str) -> Vec<(&str, &str)> {
    let cases = report.split("<testcase ").skip(1);
    cases
        .map(|case| {
            let tag = case.split_once('>').unwrap().0;
            (attribute(tag, "name"), attribute(tag, "status"))
        })
        .collect()
}

fn attribute<'t>(tag: &'t str, name: &str) -> &'t str {
    let (_, rest) = tag.split_once(&format!("{name}=\"")).unwrap();
    rest.split_once('"').unwrap().0
}

#[test]
fn the_report_is_read() {
    let report = r#"<testsuite name="x"><testcase name="a/b" classname="c" status="passed"></testcase>
        <testcase name="d" classname="e" time="1" status="failure"><failure>no</failure></testcase>"#;
    assert_eq!(tests_in(report), [("a/b", "passed"), ("d", "failure")]);
}
