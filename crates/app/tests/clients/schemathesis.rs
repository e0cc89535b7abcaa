//! schemathesis: it reads the REST API's description of itself and asks every operation what the
//! description allows and what it does not. No answer may be a fault of the server, and none may be
//! one that the description does not have.
//!
//! `NARU_SCHEMATHESIS_EXAMPLES=1000 cargo test -p naru --test clients schemathesis` looks further.

use std::ffi::OsString;
use std::fs;
use std::process::Command;
use std::time::Duration;

use naru_testkit::naru::Server;
use naru_testkit::run::succeeds_within;
use naru_testkit::services::absent;

use crate::stock::{self, SCOPES};
use crate::support::plan;

/// How many cases are made up for each operation. A number and not a time, so that every machine
/// asks the same.
const EXAMPLES: &str = "30";

/// Another number of cases, for a long search; then they are others each time.
const LONG_SEARCH: &str = "NARU_SCHEMATHESIS_EXAMPLES";

/// The longest that a run may take, also a long search's.
const PATIENCE: Duration = Duration::from_hours(6);

/// What answers are held against.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance";

/// Operations that would take away what the others are to find.
const TAKES_AWAY: &[&str] = &[
    "orgs/delete",
    "packages/delete-package-for-org",
    "packages/delete-package-for-user",
    "packages/delete-package-for-authenticated-user",
    "repos/delete",
    "teams/delete-in-org",
];

/// Names that lead to something, so that operations are asked about more than what is absent.
const NAMES: &str = "
[parameters]
org = \"ORG\"
username = \"USER\"
owner = \"ORG\"
repo = \"charts\"
package_type = \"container\"
package_name = \"app\"
";

/// A server that does not count requests, with a person who may do everything.
fn run(name: &str, configuration: &str, words: &[&str]) {
    let Some(python) = absent::python() else {
        return;
    };
    let plan = plan(name).set("NARU_REST__RATE_LIMIT", "false");
    // It lives as long as the tests do, as those do that journeys share.
    let Some(server) = Server::start(plan).map(|server| &*Box::leak(Box::new(server))) else {
        return;
    };
    let mut person = stock::arrive(server, "schemathesis");
    person.user.token = server.token(&person.user.name, &format!("{SCOPES},site_admin"), "1d");
    let org = stock::organization(&person);
    if stock::push(&person, &org, "app", 2).is_none() {
        return;
    }
    server.naru(["repo", "create", &format!("{org}/charts")]);
    person.wait_for_changes();
    let configuration = configuration
        .replace("ORG", &org)
        .replace("USER", &person.user.name);
    let settings = person.at("schemathesis.toml");
    fs::write(&settings, configuration).unwrap();
    let mut st: Command = person.command(&python.with_file_name("st"));
    st.arg("--config-file").arg(settings).arg("run");
    st.arg(format!("{}/api/v3/openapi.json", server.url()));
    st.args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing"]);
    st.args(["--warnings", "off", "--request-timeout", "10"]);
    match long_search() {
        Some(examples) => st.arg("--max-examples").arg(examples),
        None => st.args(["--generation-deterministic", "--max-examples", EXAMPLES]),
    };
    st.arg("--header")
        .arg(format!("Authorization: Bearer {}", person.user.token));
    st.args(["--header", "User-Agent: schemathesis", "--no-color"]);
    succeeds_within(PATIENCE, st.args(words));
}

#[expect(clippy::disallowed_methods, reason = "a test that may take longer")]
fn long_search() -> Option<OsString> {
    std::env::var_os(LONG_SEARCH)
}

#[test]
fn schemathesis_finds_no_fault_about_what_is_there() {
    let mut words = Vec::new();
    for operation in TAKES_AWAY {
        words.extend(["--exclude-operation-id", operation]);
    }
    run("schemathesis-known", NAMES, &words);
}

#[test]
fn schemathesis_finds_no_fault_about_what_is_absent() {
    run("schemathesis-absent", "", &[]);
}
