//! What `gh` asks by GraphQL, in its own words.

use serde_json::{Value, json};

use crate::attestations::organization;
use crate::kit::http::{Answer, Credential};
use crate::kit::server::plain;

fn ask(who: Option<&Credential>, query: &str, variables: &Value) -> Answer {
    let body = json!({ "query": query, "variables": variables });
    let request = plain()
        .request("POST", "/api/graphql")
        .with("User-Agent", "GitHub CLI 2.23.0")
        .with("Content-Type", "application/json")
        .body(body.to_string());
    match who {
        Some(who) => request.signed(who).send(),
        None => request.send(),
    }
}

#[test]
fn gh_auth_status_learns_who_it_is() {
    let octo = plain().someone_with_all("graphql-user");
    let answer = ask(Some(&octo), "query UserCurrent{viewer{login}}", &json!({})).expect(200);
    assert_eq!(
        answer.text(),
        r#"{"data":{"viewer":{"login":"graphql-user"}}}"#
    );
    ask(None, "query UserCurrent{viewer{login}}", &json!({})).expect(401);
}

#[test]
fn gh_repo_view_finds_a_repository_and_nobody_elses() {
    let owner = organization(plain(), "graphql-owner", "graphql-org");
    let query = "query RepositoryInfo($owner: String!, $name: String!) {
        repository(owner: $owner, name: $name) {name,owner{id,login},description,viewerPermission,visibility}
    }";
    let variables = json!({ "owner": "graphql-org", "name": "app" });
    let answer = ask(Some(&owner), query, &variables).expect(200).json();
    let repository = &answer["data"]["repository"];
    assert_eq!(repository["owner"]["login"], "graphql-org");
    assert_eq!(repository["viewerPermission"], "ADMIN");
    assert_eq!(repository["visibility"], "PRIVATE");
    let orgs = "query UserCurrent{viewer{login,organizations(first: 100){nodes{login}}}}";
    let orgs = ask(Some(&owner), orgs, &json!({})).expect(200).json();
    let nodes = &orgs["data"]["viewer"]["organizations"]["nodes"];
    assert_eq!(nodes, &json!([{ "login": "graphql-org" }]));
    let stranger = plain().someone_with_all("graphql-stranger");
    let unseen = ask(Some(&stranger), query, &variables).expect(200).json();
    assert_eq!(unseen["data"], json!({ "repository": null }));
    assert_eq!(unseen["errors"][0]["type"], "NOT_FOUND");
    let absent = json!({ "owner": "graphql-org", "name": "nothing" });
    let absent = ask(Some(&stranger), query, &absent).expect(200).text();
    let absent: Value = serde_json::from_str(&absent.replace("/nothing'", "/app'")).unwrap();
    assert_eq!(absent, unseen);
}

#[test]
fn gh_learns_which_fields_there_are() {
    let octo = plain().someone_with_all("graphql-fields");
    let query = "query Repository_fields{Repository: __type(name: \"Repository\")\
                 {fields(includeDeprecated: true){name}},PullRequest: __type(name: \"PullRequest\")\
                 {fields(includeDeprecated: true){name}}}";
    let answer = ask(Some(&octo), query, &json!({})).expect(200).json();
    assert!(answer["data"]["Repository"]["fields"].is_array());
    assert!(answer["data"]["PullRequest"].is_null());
}
