//! The judge judged: it accepts what GitHub's own examples show, and sees each kind of fault.

#![cfg(test)]

use serde_json::{Value, json};

use super::description::Operation;
use super::judge::Observed;
use super::{GITHUB, faults_by, github, overlay};

fn headers() -> Vec<(String, String)> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    vec![
        pair("content-type", "application/json; charset=utf-8"),
        pair("x-github-request-id", "1"),
    ]
}

fn judged(method: &str, path: &str, status: u16, body: &[u8]) -> Vec<String> {
    let headers = headers();
    faults_by(
        github(),
        &Observed {
            method,
            path,
            status,
            headers: &headers,
            body,
        },
    )
}

fn version() -> Value {
    json!({
        "id": 1,
        "name": "sha256:00",
        "url": "https://naru.example.com/api/v3/orgs/o/packages/container/p/versions/1",
        "package_html_url": "https://naru.example.com/orgs/o/packages/container/package/p",
        "created_at": "2026-01-02T03:04:05Z",
        "updated_at": "2026-01-02T03:04:05Z",
        "metadata": { "package_type": "container", "container": { "tags": ["1"] } },
    })
}

const VERSION: &str = "/orgs/o/packages/container/a%2Fb/versions/1";

#[test]
fn a_right_answer_has_no_faults() {
    let body = version().to_string();
    assert_eq!(
        judged("GET", VERSION, 200, body.as_bytes()),
        Vec::<String>::new()
    );
    assert_eq!(judged("DELETE", VERSION, 204, b""), Vec::<String>::new());
}

#[test]
fn a_field_that_is_missing_is_a_fault() {
    let mut body = version();
    body.as_object_mut().unwrap().remove("name");
    let found = judged("GET", VERSION, 200, body.to_string().as_bytes());
    assert!(
        found[0].contains("\"name\" is a required property"),
        "{found:?}"
    );
}

#[test]
fn a_time_that_is_none_is_a_fault() {
    let mut body = version();
    body["created_at"] = json!("yesterday");
    let found = judged("GET", VERSION, 200, body.to_string().as_bytes());
    assert!(found[0].contains("date-time"), "{found:?}");
}

#[test]
fn a_status_that_the_operation_does_not_have_is_a_fault() {
    let found = judged("GET", VERSION, 418, b"{}");
    assert!(found[0].contains("418"), "{found:?}");
}

#[test]
fn an_answer_without_a_body_must_have_none() {
    let found = judged("DELETE", VERSION, 204, b"{}");
    assert!(found[0].contains("no body"), "{found:?}");
}

#[test]
fn a_link_that_clients_stumble_over_is_a_fault() {
    let mut headers = headers();
    headers.push((
        "link".to_owned(),
        "<https://n/x?page=2>; rel=\"self\"".to_owned(),
    ));
    let path = "/orgs/o/packages";
    let observed = Observed {
        method: "GET",
        path,
        status: 200,
        headers: &headers,
        body: b"[]",
    };
    assert!(faults_by(github(), &observed)[0].contains("relation"));
}

#[test]
fn an_operation_is_found_by_its_most_literal_template() {
    let found = |method, path| {
        github()
            .find(method, path)
            .map(|operation| operation.id.as_str())
    };
    assert_eq!(
        found("GET", "/orgs/o/attestations/repositories"),
        Some("orgs/list-attestation-repositories")
    );
    assert_eq!(
        found("GET", "/orgs/o/attestations/sha256:0"),
        Some("orgs/list-attestations")
    );
    assert_eq!(found("PATCH", "/orgs/o/packages/container/p"), None);
    assert_eq!(found("GET", "/orgs/o/"), None);
}

/// Operations with an example that contradicts the schema beside it, mostly one older than a field
/// that is required by now.
const SLIPS: [&str; 20] = [
    "meta/get",
    "orgs/get",
    "orgs/update",
    "orgs/set-cluster-deployment-records",
    "orgs/list-attestations-bulk",
    "orgs/list-invitation-teams",
    "repos/create-for-authenticated-user",
    "repos/create-in-org",
    "repos/get",
    "repos/get-collaborator-permission-level",
    "repos/list-teams",
    "repos/update",
    "teams/create",
    "teams/get-by-name",
    "teams/list",
    "teams/list-child-in-org",
    "teams/list-for-authenticated-user",
    "teams/update-in-org",
    "users/list-attestations",
    "users/list-attestations-bulk",
];

/// The examples of the description are what its schemas accept, but for its own slips: so neither
/// the conversion nor the overlay asks for something else than GitHub answers.
#[test]
fn githubs_own_examples_are_right_answers() {
    let document: Value = serde_json::from_str(GITHUB).unwrap();
    let mut tried = 0;
    let mut wrong = Vec::new();
    for (operation, status, body) in examples(&document) {
        let path = operation.path.replace(['{', '}'], "");
        let found = judged(&operation.method, &path, status, body.as_bytes());
        let slip = SLIPS.contains(&operation.id.as_str());
        tried += 1;
        wrong.extend(found.into_iter().filter(|_| !slip));
    }
    assert!(tried > 80, "only {tried} examples");
    assert_eq!(wrong, Vec::<String>::new(), "of {tried}");
}

/// Every example of an answer in JSON.
fn examples(document: &Value) -> Vec<(&'static Operation, u16, String)> {
    let mut found = Vec::new();
    for operation in &github().operations {
        let method = operation.method.to_ascii_lowercase();
        let answers = &document["paths"][&operation.path][&method]["responses"];
        for status in operation.answers.keys() {
            let content = &answers[status.to_string()]["content"]["application/json"];
            let examples = content["examples"].as_object();
            for example in examples.into_iter().flat_map(|examples| examples.values()) {
                let pointer = example["$ref"].as_str().map(|pointer| &pointer[1..]);
                let example = pointer.map_or(example, |pointer| document.pointer(pointer).unwrap());
                found.push((operation, *status, example["value"].to_string()));
            }
        }
    }
    found
}

#[test]
fn the_overlay_names_operations_and_schemas_that_are_there() {
    for answer in &overlay().answers {
        for name in &answer.operations {
            let start = name.trim_end_matches('*');
            let known = github()
                .operations
                .iter()
                .any(|operation| operation.id.starts_with(start));
            assert!(known, "{name} is no operation");
        }
        if let Some(schema) = &answer.schema {
            let document: Value = serde_json::from_str(GITHUB).unwrap();
            assert!(
                !document["components"]["schemas"][schema].is_null(),
                "{schema} is no schema"
            );
        }
        assert!(answer.because.len() > 10);
    }
    assert!(
        overlay()
            .schemas
            .iter()
            .all(|change| change.because.len() > 10)
    );
}
