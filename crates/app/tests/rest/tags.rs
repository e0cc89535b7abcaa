//! Tags one by one, and the rules that protect them (`P/tags…`, `P/tag-rules`, `S/tag-rules`).

use serde_json::{Value, json};

use crate::kit::http::{Answer, Credential};
use crate::kit::repo::Repo;
use crate::kit::server::plain;
use crate::package::push;

fn send(credential: &Credential, method: &'static str, path: &str, body: Option<Value>) -> Answer {
    let call = plain().api(method, path).signed(credential);
    match body {
        Some(body) => call.json(&body).send(),
        None => call.send(),
    }
}

fn names(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap().iter();
    list.map(|one| one["name"].as_str().unwrap()).collect()
}

#[test]
fn tags_are_listed_newest_first_filtered_and_by_name() {
    let octo = plain().someone_with_all("tag-list");
    for tag in ["b", "rc-1", "A", "rc-2"] {
        push("tag-list", &octo, "app", tag);
    }
    let all = "/user/packages/container/app/tags";
    let list = |query: &str| send(&octo, "GET", &format!("{all}{query}"), None);
    assert_eq!(
        names(&list("").expect(200).json()),
        ["rc-2", "A", "rc-1", "b"]
    );
    assert_eq!(
        names(&list("?sort=name").expect(200).json()),
        ["A", "b", "rc-1", "rc-2"]
    );
    assert_eq!(names(&list("?q=RC").expect(200).json()), ["rc-2", "rc-1"]);
    let first = list("?per_page=3").expect(200);
    let next = first.page("next").unwrap().to_owned();
    assert_eq!(
        names(&send(&octo, "GET", &next, None).expect(200).json()),
        ["b"]
    );
    // What `page` does not reach is behind a place.
    let all = names(&list("?after=9999999999999999.").expect(200).json()).len();
    assert_eq!(all, 4);
    assert_eq!(list("?after=1.").expect(200).text(), "[]");
    let after = list("?sort=name&after=1.b").expect(200).json();
    assert_eq!(names(&after), ["rc-1", "rc-2"]);
    list("?after=b").expect(400);
    list("?sort=age").expect(400);
}

#[test]
fn a_tag_is_moved_put_back_and_removed_and_its_history_says_so() {
    let octo = plain().someone_with_all("tag-move");
    let first = push("tag-move", &octo, "app", "1");
    push("tag-move", &octo, "app", "2");
    let tags = "/user/packages/container/app/tags";
    let tag = |name: &str| send(&octo, "GET", &format!("{tags}/{name}"), None);
    let one = tag("1").expect(200).json();
    assert_eq!(one["digest"], first);
    let two = tag("2").expect(200).json();

    let latest = format!("{tags}/latest");
    let point = |version: &Value| {
        send(
            &octo,
            "PUT",
            &latest,
            Some(json!({ "version_id": version })),
        )
    };
    let made = point(&one["version_id"]).expect(200).json();
    assert_eq!(made["digest"], first);
    point(&two["version_id"]).expect(200);
    let back = point(&one["version_id"]).expect(200).json();
    assert_eq!(back["version_id"], one["version_id"]);
    let basic = Credential::basic("tag-move", octo.secret());
    let repo = Repo::new(plain(), "tag-move/app", basic);
    assert_eq!(
        repo.get("manifests/latest")
            .send()
            .expect(200)
            .the("docker-content-digest"),
        first
    );

    point(&json!(999_999_999)).expect(422);
    point(&json!("x")).expect(422);
    send(&octo, "PUT", &latest, Some(json!({}))).expect(422);
    send(
        &octo,
        "PUT",
        &format!("{tags}/-no-tag"),
        Some(json!({ "version_id": 1 })),
    )
    .expect(404);

    send(&octo, "DELETE", &format!("{latest}?dryrun=true"), None).expect(422);
    send(&octo, "DELETE", &latest, None).expect(204);
    send(&octo, "DELETE", &latest, None).expect(404);
    assert_eq!(repo.tags(), ["1", "2"]);

    let history = send(&octo, "GET", &format!("{latest}/history"), None)
        .expect(200)
        .json();
    let told: Vec<_> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["reason"].as_str().unwrap(), one["version_id"].clone()))
        .collect();
    let expected = [
        ("delete", Value::Null),
        ("move", one["version_id"].clone()),
        ("move", two["version_id"].clone()),
        ("move", one["version_id"].clone()),
    ];
    assert_eq!(told, expected);
    assert_eq!(history[0]["actor"], "tag-move");
    assert_eq!(history[0]["credential"], "personal_access_token");
    send(&octo, "GET", &format!("{tags}/never/history"), None).expect(404);
}

#[test]
fn a_workflow_that_moved_a_tag_is_named_to_those_who_may_push() {
    use naru_model::WorkflowPackages;
    let octo = plain().someone_with_all("tag-flow");
    let reader = plain().someone_with_all("tag-flow-reader");
    plain().naru(["repo", "create", "tag-flow/src", "--visibility", "private"]);
    let token = plain().workflow_token("tag-flow/src", WorkflowPackages::Write);
    let basic = Credential::basic("x", &token);
    Repo::new(plain(), "tag-flow/app", basic).push_image("1");
    plain().set_visibility("tag-flow/app", "public");
    let path = "/users/tag-flow/packages/container/app/tags/1/history";
    let told = |credential| send(credential, "GET", path, None).expect(200).json()[0].clone();
    assert_eq!(told(&octo)["repository"], "tag-flow/src");
    assert_eq!(told(&octo)["credential"], "workflow_token");
    assert_eq!(told(&reader)["repository"], Value::Null);
}

#[test]
fn a_rule_is_made_read_changed_and_removed() {
    let octo = plain().someone_with_all("rule-crud");
    push("rule-crud", &octo, "app", "v1");
    let rules = "/user/packages/container/app/tag-rules";
    let body = json!({
        "pattern": "v*",
        "except": "v0*",
        "description": "releases",
        "move": { "role": "admin", "users": ["rule-crud"] },
    });
    let made = send(&octo, "POST", rules, Some(body)).expect(201).json();
    assert_eq!(made["source"], "package");
    assert_eq!(
        made["create"],
        json!({
            "role": "write", "users": [], "teams": [], "repositories": [], "hidden_count": 0,
        })
    );
    assert_eq!(made["move"]["users"], json!(["rule-crud"]));
    let one = format!("{rules}/{}", made["id"]);
    assert_eq!(send(&octo, "GET", &one, None).expect(200).json(), made);
    assert_eq!(
        send(&octo, "GET", rules, None).expect(200).json(),
        json!([made])
    );
    let change = json!({ "immutable": true, "except": null });
    let changed = send(&octo, "PATCH", &one, Some(change)).expect(200).json();
    assert_eq!(
        (&changed["immutable"], &changed["except"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(changed["description"], "releases");
    for refused in [
        json!({}),
        json!({ "pattern": "" }),
        json!({ "pattern": "[" }),
        json!({ "pattern": "a/b" }),
        json!({ "pattern": "v*", "move": { "role": "read" } }),
        json!({ "pattern": "v*", "move": { "role": "owner" } }),
        json!({ "pattern": "v*", "move": { "users": ["-"] } }),
        json!({ "pattern": "v*", "move": "admin" }),
        json!({ "pattern": "v*", "description": "x".repeat(257) }),
    ] {
        send(&octo, "POST", rules, Some(refused)).expect(422);
    }
    send(&octo, "DELETE", &one, None).expect(204);
    send(&octo, "GET", &one, None).expect(404);
    send(&octo, "GET", &format!("{rules}/x"), None).expect(404);
}

#[test]
fn what_a_rule_protects_is_refused_at_every_door_with_the_rule_and_who_may() {
    let octo = plain().someone_with_all("rule-doors");
    let writer = plain().someone_with_all("rule-writer");
    push("rule-doors", &octo, "app", "v1");
    push("rule-doors", &octo, "app", "other");
    let package = "/users/rule-doors/packages/container/app";
    let role = Some(json!({ "role": "write" }));
    send(
        &octo,
        "PUT",
        &format!("{package}/access/users/rule-writer"),
        role,
    )
    .expect(204);
    let rules = format!("{package}/tag-rules");
    let body =
        json!({ "pattern": "v*", "move": { "role": "admin" }, "delete": { "role": "admin" } });
    let rule = send(&octo, "POST", &rules, Some(body)).expect(201).json();

    let basic = Credential::basic("rule-writer", writer.secret());
    let repo = Repo::new(plain(), "rule-doors/app", basic);
    let image = repo.push_image("mine");
    let manifest = repo.get("manifests/mine").send().expect(200);
    let pushed = repo
        .put("manifests/v1")
        .with("Content-Type", manifest.the("content-type"))
        .body(manifest.body.clone())
        .send()
        .refused(403, "DENIED");
    let expected = "the tag `v1` is protected: the package's tag rule `v*` lets only these move \
                    it: admins of the package";
    assert_eq!(pushed.error().message, expected);
    let by_digest = format!("manifests/{}?tag=free&tag=v1", image.digest());
    repo.put(&by_digest)
        .with("Content-Type", manifest.the("content-type"))
        .body(manifest.body.clone())
        .send()
        .refused(403, "DENIED");
    assert_eq!(repo.tags(), ["mine", "other", "v1"]);
    let mine = send(&writer, "GET", &format!("{package}/tags/mine"), None)
        .expect(200)
        .json();
    let body = Some(json!({ "version_id": mine["version_id"] }));
    let moved = send(&writer, "PUT", &format!("{package}/tags/v1"), body.clone()).expect(403);
    assert_eq!(moved.message(), expected);
    // A name that is free is anybody's who may push.
    send(&writer, "PUT", &format!("{package}/tags/v2"), body).expect(200);

    // Immutable tags are no admin's to move or delete either.
    let one = format!("{rules}/{}", rule["id"]);
    send(&octo, "PATCH", &one, Some(json!({ "immutable": true }))).expect(200);
    let refused = send(&octo, "DELETE", &format!("{package}/tags/v1"), None).expect(409);
    assert!(
        refused.message().contains("lets nobody delete it"),
        "{refused:?}"
    );
    let basic = Credential::basic("rule-doors", octo.secret());
    let repo = repo.by(&basic);
    repo.delete("manifests/v1").send().refused(409, "DENIED");
    let digest = send(&octo, "GET", &format!("{package}/tags/v1"), None).json()["digest"].clone();
    let by_digest = format!("manifests/{}", digest.as_str().unwrap());
    repo.delete(&by_digest).send().refused(409, "DENIED");
    repo.put("manifests/v1")
        .with("Content-Type", manifest.the("content-type"))
        .body(manifest.body.clone())
        .send()
        .refused(409, "DENIED");
}

#[test]
fn an_organizations_rules_are_its_owners_and_bind_its_packages() {
    let owner = plain().someone_with_all("rule-owner");
    let member = plain().someone_with_all("rule-member");
    plain().naru(["org", "create", "rule-org", "--owner", "rule-owner"]);
    plain().naru(["org", "member", "add", "rule-org", "rule-member"]);
    let rules = "/orgs/rule-org/settings/packages/tag-rules";
    let body = json!({ "pattern": "v*", "immutable": true });
    send(&member, "POST", rules, Some(body.clone())).expect(403);
    let rule = send(&owner, "POST", rules, Some(body)).expect(201).json();
    assert_eq!(rule["source"], "organization");
    assert_eq!(
        send(&owner, "GET", rules, None).expect(200).json(),
        json!([rule])
    );
    let one = format!("{rules}/{}", rule["id"]);
    assert_eq!(send(&owner, "GET", &one, None).expect(200).json(), rule);
    send(&member, "GET", &one, None).expect(403);
    let change = Some(json!({ "description": "releases" }));
    send(&member, "PATCH", &one, change.clone()).expect(403);
    let rule = send(&owner, "PATCH", &one, change).expect(200).json();
    assert_eq!(rule["description"], "releases");
    push("rule-org", &member, "app", "v1");
    let listed = "/orgs/rule-org/packages/container/app/tag-rules";
    assert_eq!(
        send(&member, "GET", listed, None).expect(200).json(),
        json!([rule])
    );
    let tag = "/orgs/rule-org/packages/container/app/tags/v1";
    send(&member, "DELETE", tag, None).expect(409);
    send(&member, "DELETE", &format!("{listed}/{}", rule["id"]), None).expect(404);
    send(&owner, "DELETE", &format!("{rules}/{}", rule["id"]), None).expect(204);
    send(&member, "DELETE", tag, None).expect(204);
    // A user has no such settings.
    send(
        &owner,
        "GET",
        "/orgs/rule-owner/settings/packages/tag-rules",
        None,
    )
    .expect(404);
}
