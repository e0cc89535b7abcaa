//! Attestations, stored and found as `actions/attest` and `gh attestation` do.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use naru_model::WorkflowPackages;
use serde_json::{Value, json};

use crate::kit::http::Credential;
use crate::kit::server::{Server, plain};

/// A Sigstore bundle about one thing.
fn bundle(digest: &str, predicate_type: &str) -> Value {
    let (algorithm, hex) = digest.split_once(':').unwrap();
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": "app", "digest": { algorithm: hex } }],
        "predicateType": predicate_type,
        "predicate": {},
    });
    json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": { "tlogEntries": [] },
        "dsseEnvelope": {
            "payload": STANDARD.encode(statement.to_string()),
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{ "sig": "bm8=" }],
        },
    })
}

const PROVENANCE: &str = "https://slsa.dev/provenance/v1";

fn digest(letter: &str) -> String {
    format!("sha256:{}", letter.repeat(64))
}

/// An organization of `owner` with a private repository.
pub(crate) fn organization(server: &Server, owner: &str, name: &str) -> Credential {
    let credential = server.someone_with_all(owner);
    server
        .process
        .naru(["org", "create", name, "--owner", owner]);
    let repository = format!("{name}/app");
    server
        .process
        .naru(["repo", "create", &repository, "--visibility", "private"]);
    credential
}

fn store(owner: &Credential, path: &str, bundle: &Value) -> i64 {
    let answer = plain()
        .api("POST", &format!("/repos/{path}/attestations"))
        .signed(owner)
        .json(&json!({ "bundle": bundle }))
        .send()
        .expect(201);
    answer.json()["id"].as_i64().unwrap()
}

#[test]
fn an_attestation_is_found_by_its_subject_with_the_bundle_as_it_came() {
    let owner = organization(plain(), "attester", "attested");
    let app = digest("a");
    let stored = bundle(&app, PROVENANCE);
    store(&owner, "attested/app", &stored);
    for path in [
        format!("/repos/attested/app/attestations/{app}"),
        format!("/orgs/attested/attestations/{app}?predicate_type=provenance"),
        format!("/users/attested/attestations/{app}"),
    ] {
        let found = plain().api("GET", &path).signed(&owner).send().expect(200);
        let list = &found.json()["attestations"];
        assert_eq!(list.as_array().unwrap().len(), 1, "{path}");
        assert_eq!(list[0]["bundle"], stored, "{path}");
        assert_eq!(list[0].get("bundle_url"), None);
    }
    let other = format!("/orgs/attested/attestations/{app}?predicate_type=sbom");
    let none = plain().api("GET", &other).signed(&owner).send().expect(200);
    assert_eq!(none.text(), r#"{"attestations":[]}"#);
}

#[test]
fn the_newer_version_of_the_api_tells_where_the_bundle_is() {
    let owner = organization(plain(), "attester-new", "attested-new");
    let app = digest("b");
    let stored = bundle(&app, PROVENANCE);
    store(&owner, "attested-new/app", &stored);
    let path = format!("/orgs/attested-new/attestations/{app}");
    let found = plain()
        .api("GET", &path)
        .signed(&owner)
        .with("X-GitHub-Api-Version", "2026-03-10")
        .send()
        .expect(200);
    let first = found.json()["attestations"][0].clone();
    assert_eq!(first.get("bundle"), None);
    let url = first["bundle_url"].as_str().unwrap();
    let fetched = plain().api("GET", url).signed(&owner).send().expect(200);
    assert_eq!(fetched.json(), stored);
    plain().api("GET", url).send().expect(401);
}

#[test]
fn pages_of_attestations_are_turned_in_both_directions() {
    let owner = organization(plain(), "attester-pages", "attested-pages");
    let app = digest("c");
    for _ in 0..3 {
        store(&owner, "attested-pages/app", &bundle(&app, PROVENANCE));
    }
    let count = |path: &str| {
        let page = plain().api("GET", path).signed(&owner).send().expect(200);
        let count = page.json()["attestations"].as_array().unwrap().len();
        let link = |relation: &str| page.page(relation).map(str::to_owned);
        (count, link("next"), link("prev"))
    };
    let (first, next, none) = count(&format!(
        "/orgs/attested-pages/attestations/{app}?per_page=2"
    ));
    assert_eq!((first, none), (2, None));
    let (second, end, back) = count(&next.unwrap());
    assert_eq!((second, end), (1, None));
    assert_eq!(count(&back.unwrap()).0, 2);
    let bulk = plain()
        .api(
            "POST",
            "/orgs/attested-pages/attestations/bulk-list?per_page=2",
        )
        .signed(&owner)
        .json(&json!({ "subject_digests": [app, digest("d")] }))
        .send()
        .expect(200)
        .json();
    assert_eq!(bulk["page_info"]["has_next"], true);
    assert_eq!(
        bulk["attestations_subject_digests"][&app]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert!(bulk["attestations_subject_digests"][digest("d")].is_null());
}

#[test]
fn attestations_are_deleted_by_number_by_digest_and_many_at_once() {
    let owner = organization(plain(), "attester-gone", "attested-gone");
    let path = "attested-gone/app";
    let delete = |target: &str| {
        plain()
            .api(
                "DELETE",
                &format!("/orgs/attested-gone/attestations/{target}"),
            )
            .signed(&owner)
            .send()
            .status
    };
    let by_number = store(&owner, path, &bundle(&digest("a"), PROVENANCE)).to_string();
    assert_eq!(delete(&by_number), 204);
    assert_eq!(delete(&by_number), 404);
    store(&owner, path, &bundle(&digest("b"), PROVENANCE));
    let by_digest = format!("digest/{}", digest("b"));
    assert_eq!(delete(&by_digest), 204);
    assert_eq!(delete(&by_digest), 404);
    let ids = ["c", "d"].map(|one| store(&owner, path, &bundle(&digest(one), PROVENANCE)));
    let request = |body: &Value| {
        plain()
            .api("POST", "/orgs/attested-gone/attestations/delete-request")
            .signed(&owner)
            .json(body)
            .send()
            .status
    };
    assert_eq!(
        request(&json!({ "attestation_ids": ids, "subject_digests": [] })),
        422
    );
    assert_eq!(request(&json!({ "attestation_ids": ids })), 200);
    assert_eq!(request(&json!({ "attestation_ids": ids })), 404);
}

#[test]
fn what_is_in_a_private_repository_looks_to_others_like_what_is_not_there() {
    let owner = organization(plain(), "attester-shy", "attested-shy");
    let app = digest("e");
    let id = store(&owner, "attested-shy/app", &bundle(&app, PROVENANCE));
    let stranger = plain().someone_with_all("attester-stranger");
    let ask = |method, path: &str| {
        let answer = plain().api(method, path).signed(&stranger).send();
        (answer.status, answer.text())
    };
    let unseen = ask("GET", &format!("/orgs/attested-shy/attestations/{app}"));
    let absent = ask(
        "GET",
        &format!("/orgs/attested-shy/attestations/{}", digest("f")),
    );
    assert_eq!(unseen, absent);
    let unseen = ask(
        "GET",
        &format!("/repos/attested-shy/app/attestations/{app}"),
    );
    let absent = ask(
        "GET",
        &format!("/repos/attested-shy/absent/attestations/{app}"),
    );
    assert_eq!(unseen, absent);
    let unseen = ask("DELETE", &format!("/orgs/attested-shy/attestations/{id}"));
    let absent = ask(
        "DELETE",
        &format!("/orgs/attested-shy/attestations/{}", id + 1000),
    );
    assert_eq!(unseen, absent);
    assert_eq!(unseen.0, 404);
    let listed = ask("GET", "/orgs/attested-shy/attestations/repositories");
    assert_eq!(listed, (200, "[]".to_owned()));
}

#[test]
fn a_workflow_that_may_push_attests_what_it_built() {
    let owner = organization(plain(), "attester-ci", "attested-ci");
    let token = plain().workflow_token("attested-ci/app", WorkflowPackages::Write);
    let workflow = Credential::bearer(&token);
    let app = digest("a");
    store(&workflow, "attested-ci/app", &bundle(&app, PROVENANCE));
    let path = format!("/repos/attested-ci/app/attestations/{app}");
    let found = plain().api("GET", &path).signed(&owner).send().expect(200);
    assert_eq!(found.json()["attestations"][0]["initiator"], "workflow");
    let reading = plain().workflow_token("attested-ci/app", WorkflowPackages::Read);
    plain()
        .api("POST", "/repos/attested-ci/app/attestations")
        .signed(&Credential::bearer(&reading))
        .json(&json!({ "bundle": bundle(&app, PROVENANCE) }))
        .send()
        .expect(403);
}

#[test]
fn what_is_no_bundle_is_refused_with_the_field() {
    let owner = organization(plain(), "attester-odd", "attested-odd");
    for (body, status) in [
        (r#"{"bundle":{}}"#, 422),
        (r#"{"bundle":7}"#, 422),
        ("{}", 422),
        ("{", 400),
    ] {
        let answer = plain()
            .api("POST", "/repos/attested-odd/app/attestations")
            .signed(&owner)
            .text(body)
            .send();
        assert_eq!(answer.status, status, "{body}");
    }
}

#[test]
fn attestations_in_a_users_repositories_are_listed_and_removed_in_every_way() {
    let owner = plain().someone_with_all("attested-user");
    let stranger = plain().someone_with_all("attested-user-stranger");
    plain().naru(["repo", "create", "attested-user/app"]);
    let base = "/users/attested-user/attestations";
    let [one, two, three] = ["7", "8", "9"].map(digest);
    let ids = [&one, &two, &three]
        .map(|about| store(&owner, "attested-user/app", &bundle(about, PROVENANCE)));
    let found = |who: &Credential| {
        let body = json!({ "subject_digests": [one, two, three] });
        let list = plain().api("POST", &format!("{base}/bulk-list"));
        let list = list.signed(who).json(&body).send().expect(200).json();
        let all = list["attestations_subject_digests"].as_object().unwrap();
        all.values().filter(|found| !found.is_null()).count()
    };
    // The repository is private.
    assert_eq!((found(&owner), found(&stranger)), (3, 0));
    let remove = |who: &Credential, path: &str| {
        let path = format!("{base}/{path}");
        plain().api("DELETE", &path).signed(who).send()
    };
    let by_number = ids[0].to_string();
    remove(&stranger, &by_number).expect(404);
    remove(&owner, &by_number).expect(204);
    assert_eq!(found(&owner), 2);
    remove(&owner, &format!("digest/{two}")).expect(204);
    assert_eq!(found(&owner), 1);
    let request = |who: &Credential| {
        let body = json!({ "attestation_ids": [ids[2]] });
        let call = plain().api("POST", &format!("{base}/delete-request"));
        call.signed(who).json(&body).send()
    };
    request(&stranger).expect(404);
    request(&owner).expect(200);
    assert_eq!(found(&owner), 0);
}
