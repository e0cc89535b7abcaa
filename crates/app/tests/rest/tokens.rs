//! Tokens by REST: one's own are seen and ended, those of workflows are made too.

use serde_json::json;

use crate::attestations::organization;
use crate::kit::http::Credential;
use crate::kit::server::plain;

#[test]
fn ones_own_tokens_are_listed_without_secrets_and_ended() {
    let user = plain().someone_with_all("token-owner");
    let other = plain().token("token-owner", &["read:packages"]);
    let list = plain()
        .api("GET", "/user/tokens")
        .signed(&user)
        .send()
        .expect(200);
    assert!(!list.text().contains("ghp_"));
    let tokens = list.json();
    assert_eq!(tokens.as_array().unwrap().len(), 2);
    assert_eq!(tokens[0]["scopes"], json!(["read:packages"]));
    assert_eq!(tokens[0]["state"], "active");
    let other = Credential::bearer(&other);
    plain()
        .api("GET", "/user/tokens")
        .signed(&other)
        .send()
        .expect(403);
    let path = format!("/user/tokens/{}", tokens[0]["id"]);
    plain()
        .api("DELETE", &path)
        .signed(&user)
        .send()
        .expect(204);
    plain()
        .api("GET", "/user/tokens")
        .signed(&other)
        .send()
        .expect(401);
    let stranger = plain().someone_with_all("token-stranger");
    let mine = format!("/user/tokens/{}", tokens[1]["id"]);
    plain()
        .api("DELETE", &mine)
        .signed(&stranger)
        .send()
        .expect(404);
}

#[test]
fn a_token_for_workflows_is_made_by_whoever_administers_the_repository() {
    let owner = organization(plain(), "ci-owner", "ci-org");
    let path = "/repos/ci-org/app/workflow-tokens";
    let body = json!({ "packages": "write", "expires_in": 600 });
    let make = |who: &Credential| plain().api("POST", path).signed(who).json(&body).send();
    let made = make(&owner).expect(201).json();
    let secret = made["token"].as_str().unwrap();
    assert!(secret.starts_with("ghs_"));
    assert_eq!(made["permissions"], json!({ "packages": "write" }));
    let workflow = Credential::bearer(secret);
    let about = "/repos/ci-org/app/attestations/sha256:0000000000000000000000000000000000000000000000000000000000000000";
    plain()
        .api("GET", about)
        .signed(&workflow)
        .send()
        .expect(200);
    make(&workflow).expect(403);
    make(&plain().someone_with_all("ci-stranger")).expect(404);
    let list = plain().api("GET", path).signed(&owner).send().expect(200);
    assert!(!list.text().contains("ghs_"));
    assert_eq!(
        list.json()[0]["permissions"],
        json!({ "packages": "write" })
    );
    let one = format!("{path}/{}", made["id"]);
    plain()
        .api("DELETE", &one)
        .signed(&owner)
        .send()
        .expect(204);
    plain()
        .api("GET", about)
        .signed(&workflow)
        .send()
        .expect(401);
    for expires_in in [0, 59, 90_000] {
        let body = json!({ "expires_in": expires_in });
        let answer = plain().api("POST", path).signed(&owner).json(&body).send();
        assert_eq!(answer.status, 422, "{expires_in}");
    }
}
