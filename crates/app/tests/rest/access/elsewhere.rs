//! Operations that are about no package: accounts, organizations, teams, repositories, and what is
//! about the instance. Every one that the server describes is asked by those who may surely not
//! change anything, about what is there and about what is not; reading is asked by everybody.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::server;
use super::world::{Principal, world};
use crate::contract::Description;
use crate::contract::description::Operation;
use crate::kit::http::{Answer, Method};

/// Names for the parameters of a path: those of what is there, and of what is not.
const PARAMETERS: &[(&str, &str, &str)] = &[
    ("org", "acc-org", "acc-nil"),
    ("owner", "acc-org", "acc-nil"),
    ("username", "acc-member", "acc-absent"),
    ("repo", "source", "absent"),
    ("login", "acc-org", "acc-nil"),
    ("team_slug", "team-read", "team-none"),
    ("subject_digest", DIGEST, DIGEST),
    ("cluster", "east", "east"),
    ("package_type", "container", "container"),
    ("package_name", "prv1", "abs1"),
    ("tag", "v1", "v1"),
];

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Who may change nothing of the organization, its teams and its repositories.
const POWERLESS: &[&str] = &["nobody", "stranger"];

fn own_operations() -> Vec<Operation> {
    let document = server()
        .api("GET", "/openapi.json")
        .send()
        .expect(200)
        .json();
    let mut operations = Description::read(document).operations;
    operations.retain(|operation| !operation.path.contains("{package_name}"));
    operations
}

fn method(operation: &Operation) -> Method {
    let known = ["GET", "POST", "PUT", "PATCH", "DELETE"];
    known
        .into_iter()
        .find(|method| *method == operation.method)
        .unwrap()
}

/// The path with names of what is there, or of what is not.
fn filled(template: &str, there: bool) -> String {
    let parts = template.split('/').map(|part| {
        let Some(name) = part
            .strip_prefix('{')
            .and_then(|part| part.strip_suffix('}'))
        else {
            return part.to_owned();
        };
        let known = PARAMETERS.iter().find(|(known, ..)| *known == name);
        match known {
            Some((_, yes, no)) => if there { *yes } else { *no }.to_owned(),
            None => "4000000".to_owned(),
        }
    });
    parts.collect::<Vec<_>>().join("/")
}

fn ask(operation: &Operation, principal: &Principal, there: bool) -> (Answer, Vec<String>) {
    let mut path = filled(&operation.path, there);
    if operation.path.ends_with("/packages") {
        path.push_str("?package_type=container");
    }
    let call = server().api(method(operation), &path);
    let call = match principal.secret.as_str() {
        "" => call,
        secret => call.with("Authorization", &format!("token {secret}")),
    };
    match operation.method.as_str() {
        "POST" | "PUT" | "PATCH" => call.json(&serde_json::json!({})).judged(),
        _ => call.judged(),
    }
}

/// Whether an operation is about the caller or the public, so that its path hides nothing.
fn is_open(operation: &Operation) -> bool {
    let own = [
        "/user",
        "/meta",
        "/versions",
        "/rate_limit",
        "/openapi.json",
        "/search",
    ];
    operation.path == "/" || own.iter().any(|start| operation.path.starts_with(start))
}

#[test]
fn nobody_without_a_right_changes_anything_or_learns_what_is_there() {
    let asked = AtomicUsize::new(0);
    let mut faults = Vec::new();
    for operation in own_operations() {
        let is_read = operation.method == "GET";
        for principal in &world().principals {
            let powerless = POWERLESS.contains(&principal.who) || !principal.works;
            if !is_read && !powerless {
                continue;
            }
            let mut answers = BTreeMap::new();
            for there in [true, false] {
                let (answer, wrong) = ask(&operation, principal, there);
                asked.fetch_add(1, Ordering::Relaxed);
                let tell = |fault: &str| {
                    let Principal { who, kind, .. } = principal;
                    format!("{who} ({kind}): {fault}: {answer:?}")
                };
                faults.extend(wrong.iter().map(|fault| tell(fault)));
                if answer.status >= 500 {
                    faults.push(tell("a fault of the server"));
                }
                if !principal.works && answer.status != 401 {
                    faults.push(tell("a useless token is taken"));
                }
                if !is_read && !is_open(&operation) && !refuses(principal, answer.status) {
                    faults.push(tell("it is neither asked for a right nor refused"));
                }
                answers.insert(there, answer);
            }
            let private = operation.path.contains("{repo}");
            let hidden = matches!(answers[&true].status, 400 | 401 | 404 | 422);
            if private && hidden && lasting(&answers[&true]) != lasting(&answers[&false]) {
                faults.push(format!(
                    "{} ({}) can tell what is there:\n{:?}\n--- and\n{:?}",
                    principal.who, principal.kind, answers[&true], answers[&false]
                ));
            }
        }
    }
    let shown = faults
        .iter()
        .take(20)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n\n");
    assert!(
        faults.is_empty(),
        "{} wrong answers, the first of them:\n\n{shown}",
        faults.len()
    );
    assert!(asked.into_inner() > 1_000);
}

/// Whether a status changes nothing and says nothing about what is there. A body that is none is
/// refused as such before anything is looked up, to those who have signed in.
fn refuses(principal: &Principal, status: u16) -> bool {
    match status {
        401 | 403 | 404 => true,
        400 | 422 => principal.who != "nobody",
        _ => false,
    }
}

/// The answer without the names that were asked for.
fn lasting(answer: &Answer) -> String {
    let mut text = answer.lasting();
    for (_, there, absent) in PARAMETERS {
        text = text.replace(there, "NAME").replace(absent, "NAME");
    }
    text
}
