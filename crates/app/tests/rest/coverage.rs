//! What of GitHub's API is there, what is extra and what differs: asked of the running server, and
//! written down in `docs/reference/rest-coverage.md`.
//!
//! After a change, make the page anew with
//! `NARU_WRITE_PAGES=1 cargo test -p naru --test rest the_page`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::contract::description::Operation;
use crate::contract::{self, Description, OverlaidAnswer};
use crate::kit::server::plain;

/// GitHub's operations that Naru does not have yet: a part of their names, and why.
const LEFT: [(&str, &str); 3] = [
    ("webhook", "webhooks come with a later version"),
    ("hook-delivery", "webhooks come with a later version"),
    ("get-audit-log", "the audit log comes with a later version"),
];

fn left(id: &str) -> Option<&'static str> {
    let found = LEFT.iter().find(|(part, _)| id.contains(part));
    found.map(|(_, why)| *why)
}

/// What the server says of itself.
fn own_document() -> Value {
    plain()
        .api("GET", "/openapi.json")
        .send()
        .expect(200)
        .json()
}

#[test]
fn every_operation_of_githubs_description_is_there() {
    let own = Description::read(own_document());
    let mut missing = Vec::new();
    for operation in &contract::github().operations {
        let Operation {
            method, path, id, ..
        } = operation;
        if !own.has(method, path) && left(id).is_none() {
            missing.push(format!("{method} {path} ({id})"));
        }
    }
    assert!(
        missing.is_empty(),
        "{} are missing: {missing:#?}",
        missing.len()
    );
}

/// Operations that have GitHub's names have GitHub's paths, and those of Naru's own have none of
/// GitHub's.
#[test]
fn operations_say_rightly_whose_they_are() {
    let document = own_document();
    for (method, path, operation) in operations(&document) {
        let known = contract::github()
            .operations
            .iter()
            .find(|known| known.id == operation["operationId"].as_str().unwrap_or_default());
        let is_github = operation["x-naru-origin"] == "vendor";
        let at_path = contract::github().has(&method, path);
        assert_eq!(is_github, at_path, "{method} {path}");
        assert_eq!(is_github, known.is_some(), "{method} {path}");
    }
}

#[test]
fn the_page_about_coverage_says_what_the_server_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/rest-coverage.md");
    let made = page(&own_document());
    #[expect(clippy::disallowed_methods, reason = "a test that may write its page")]
    if std::env::var_os("NARU_WRITE_PAGES").is_some() {
        fs::write(&file, &made).unwrap();
    }
    let page = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        page == made,
        "docs/reference/rest-coverage.md is out of date: NARU_WRITE_PAGES=1 cargo test -p naru --test rest the_page"
    );
}

/// Method, path and description of every operation, in the order of the document.
fn operations(document: &Value) -> Vec<(String, &str, &Value)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            found.push((method.to_ascii_uppercase(), path.as_str(), operation));
        }
    }
    found.sort_by_key(|(method, path, _)| (path.to_string(), method.clone()));
    found
}

const HEAD: &str = "# Coverage of GitHub's REST API

<!-- Made by a test (crates/app/tests/rest/coverage.rs); do not edit -->

Tools that were written for GitHub meet Naru as they meet GitHub: under `/api/v3` on the web host, and at the root of the API host where that is a host of its own.
Every answer that Naru's tests get is held against GitHub's own OpenAPI description.
This page says which operations of that description are there, which there are besides, and where answers differ from it on purpose.
";

fn page(document: &Value) -> String {
    let mut page = HEAD.to_owned();
    let own = Description::read(document.clone());
    page.push_str("\n## GitHub's operations\n\n| Operation | Name | Here |\n|---|---|---|\n");
    let mut known: Vec<&Operation> = contract::github().operations.iter().collect();
    known.sort_by_key(|operation| (&operation.path, &operation.method));
    for Operation {
        method, path, id, ..
    } in known
    {
        let here = match (own.has(method, path), left(id)) {
            (true, _) => "yes",
            (false, why) => why.unwrap_or("no"),
        };
        line(
            &mut page,
            &[&format!("`{method} {path}`"), &format!("`{id}`"), here],
        );
    }
    page.push_str("\n## Naru's own operations\n\nTheir paths collide with none of GitHub's.\n\n");
    page.push_str("| Operation | What it does |\n|---|---|\n");
    for (method, path, operation) in operations(document) {
        if operation["x-naru-origin"] != "vendor" {
            let summary = operation["summary"].as_str().unwrap_or_default();
            line(&mut page, &[&format!("`{method} {path}`"), summary]);
        }
    }
    page.push_str("\n## Answers that GitHub's description lacks\n\n");
    page.push_str("| Operations | Status | Why |\n|---|---|---|\n");
    for answer in &contract::overlay().answers {
        let status = answer.status.to_string();
        line(&mut page, &[&which(answer), &status, &answer.because]);
    }
    page.push_str("\n## Fields that GitHub's description gets wrong\n\n");
    page.push_str("| Place in the description | What it is here | Why |\n|---|---|---|\n");
    for change in &contract::overlay().schemas {
        let place = format!("`{}`", change.at);
        line(
            &mut page,
            &[&place, &format!("`{}`", change.value), &change.because],
        );
    }
    page
}

/// A line of a table.
fn line(page: &mut String, cells: &[&str]) {
    // Writing to a string does not fail.
    let _ = writeln!(page, "| {} |", cells.join(" | ").replace('\n', " "));
}

fn which(answer: &OverlaidAnswer) -> String {
    let methods = answer.methods.join(", ");
    let names = answer.operations.iter().map(|name| match name.as_str() {
        "*" => "all".to_owned(),
        name => format!("`{name}`"),
    });
    let names = names.collect::<Vec<_>>().join(", ");
    match methods.as_str() {
        "" => names,
        methods => format!("{names} with {methods}"),
    }
}
