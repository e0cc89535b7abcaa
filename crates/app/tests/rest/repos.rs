//! Source repositories: made, listed, changed, renamed, deleted, restored; who works in them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::kit::http::{Answer, Credential};
use crate::kit::server::plain;
use crate::orgs::{delete, get, logins, put};

fn post(path: &str, who: &Credential, body: &Value) -> Answer {
    plain().api("POST", path).signed(who).json(body).send()
}

fn patch(path: &str, who: &Credential, body: &Value) -> Answer {
    plain().api("PATCH", path).signed(who).json(body).send()
}

fn names(answer: &Answer) -> Vec<String> {
    let list = answer.json();
    let list = list.as_array().unwrap().iter();
    list.map(|one| one["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_repository_is_made_with_what_is_said_of_it() {
    let cat = plain().someone_with_all("repo-make");
    let new = json!({
        "name": "App", "description": "An app", "homepage": "https://app.example", "private": true,
        "forge_url": "https://forge.example/cat/app.git", "auto_init": true
    });
    let made = post("/user/repos", &cat, &new).expect(201);
    assert!(
        made.the("location").ends_with("/repos/repo-make/App"),
        "{made:?}"
    );
    let made = made.json();
    assert_eq!(
        (&made["private"], &made["visibility"]),
        (&json!(true), &json!("private"))
    );
    assert_eq!(made["clone_url"], "https://forge.example/cat/app.git");
    assert_eq!(made["permissions"]["admin"], true);
    let taken = post("/user/repos", &cat, &json!({"name": "app"}))
        .expect(422)
        .json();
    assert_eq!(
        taken["errors"][0]["message"],
        "name already exists on this account"
    );
    for (body, field) in [
        (json!({}), "name"),
        (json!({"name": "a b"}), "name"),
        (json!({"name": "x", "visibility": "hidden"}), "visibility"),
        (
            json!({"name": "x", "description": "d".repeat(351)}),
            "description",
        ),
        (json!({"name": 1}), "name"),
    ] {
        let answer = post("/user/repos", &cat, &body).expect(422);
        assert_eq!(answer.json()["errors"][0]["field"], field, "{answer:?}");
    }
    assert_eq!(
        post("/user/repos", &cat, &json!({"name": "open"}))
            .expect(201)
            .json()["private"],
        false
    );
    let narrow = Credential::bearer(&plain().token("repo-make", &["public_repo"]));
    post(
        "/user/repos",
        &narrow,
        &json!({"name": "n", "private": true}),
    )
    .expect(403);
    post("/user/repos", &narrow, &json!({"name": "n"})).expect(201);
}

#[test]
fn lists_show_what_the_caller_may_see_and_the_token_reaches() {
    let cat = plain().someone_with_all("repo-list");
    let dog = plain().someone_with_all("repo-list-dog");
    for (name, visibility) in [("c", "public"), ("a", "private"), ("b", "internal")] {
        let new = json!({"name": name, "visibility": visibility});
        post("/user/repos", &cat, &new).expect(201);
    }
    let list = |query: &str, who: &Credential| {
        names(&get(&format!("/users/repo-list/repos{query}"), who).expect(200))
    };
    assert_eq!(list("", &cat), ["a", "b", "c"]);
    assert_eq!(list("?sort=created", &cat), ["b", "a", "c"]);
    assert_eq!(list("?sort=created&direction=asc", &cat), ["c", "a", "b"]);
    assert_eq!(list("?type=private", &cat), ["a", "b"]);
    assert_eq!(list("?type=forks", &cat), [""; 0]);
    assert_eq!(list("", &dog), ["b", "c"]);
    let narrow = Credential::bearer(&plain().token("repo-list", &["public_repo"]));
    assert_eq!(list("", &narrow), ["c"]);
    assert_eq!(list("?type=private", &narrow), [""; 0]);
    get("/users/repo-list/repos?sort=stars", &cat).expect(422);
    let first = get("/users/repo-list/repos?per_page=2", &cat).expect(200);
    assert_eq!(names(&first), ["a", "b"]);
    let second = get(first.page("next").unwrap(), &cat).expect(200);
    assert_eq!(
        (names(&second), second.page("next")),
        (vec!["c".to_owned()], None)
    );

    assert_eq!(names(&get("/user/repos", &dog).expect(200)), [""; 0]);
    put(
        "/repos/repo-list/a/collaborators/repo-list-dog",
        &cat,
        &json!({}),
    )
    .expect(204);
    assert_eq!(list("", &dog), ["a", "b", "c"]);
    let mine = get("/user/repos", &dog).expect(200);
    assert_eq!(names(&mine), ["a"]);
    assert_eq!(mine.json()[0]["permissions"]["push"], true);
    assert_eq!(
        names(&get("/user/repos?affiliation=owner", &dog).expect(200)),
        [""; 0]
    );
    assert_eq!(
        names(&get("/user/repos?type=member", &dog).expect(200)),
        ["a"]
    );
    get("/user/repos?type=owner&visibility=public", &dog).expect(422);
    assert_eq!(
        names(&get("/user/repos?since=2100-01-01T00:00:00Z", &cat).expect(200)),
        [""; 0]
    );
    get("/user/repos?since=yesterday", &cat).expect(422);
}

#[test]
fn what_may_not_be_seen_looks_like_what_is_not_there() {
    let cat = plain().someone_with_all("repo-hidden");
    let dog = plain().someone_with_all("repo-hidden-dog");
    post(
        "/user/repos",
        &cat,
        &json!({"name": "secret", "private": true}),
    )
    .expect(201);
    let id = get("/repos/repo-hidden/secret", &cat).json()["id"].clone();
    for rest in ["", "/readme", "/topics", "/collaborators", "/teams"] {
        let hidden = get(&format!("/repos/repo-hidden/secret{rest}"), &dog).expect(404);
        let absent = get(&format!("/repos/repo-hidden/absent{rest}"), &dog).expect(404);
        assert_eq!(hidden.text(), absent.text());
        plain()
            .api("GET", &format!("/repos/repo-hidden/secret{rest}"))
            .send()
            .expect(401);
        plain()
            .api("GET", &format!("/repos/repo-hidden/absent{rest}"))
            .send()
            .expect(401);
    }
    let hidden = get(&format!("/repositories/{id}"), &dog).expect(404);
    assert_eq!(
        hidden.text(),
        get("/repositories/999999", &dog).expect(404).text()
    );
    patch("/repos/repo-hidden/secret", &dog, &json!({"name": "mine"})).expect(404);
    delete("/repos/repo-hidden/secret", &dog).expect(404);
    put(
        "/repos/repo-hidden/secret/collaborators/repo-hidden-dog",
        &dog,
        &json!({}),
    )
    .expect(404);
    put(
        "/repos/repo-hidden/secret/topics",
        &dog,
        &json!({"names": []}),
    )
    .expect(404);
}

#[test]
fn everybody_sees_a_public_repository_also_without_signing_in() {
    let cat = plain().someone_with_all("repo-public");
    post("/user/repos", &cat, &json!({"name": "open"})).expect(201);
    let seen = plain()
        .api("GET", "/repos/repo-public/open")
        .send()
        .expect(200)
        .json();
    assert_eq!(seen["permissions"]["push"], false);
    let dog = plain().someone_with_all("repo-public-dog");
    let refused = patch("/repos/repo-public/open", &dog, &json!({"name": "mine"})).expect(403);
    assert!(
        refused
            .message()
            .starts_with("Must have admin rights to Repository."),
        "{refused:?}"
    );
    get("/repos/repo-public/open/collaborators", &dog).expect(403);
}

#[test]
fn a_name_that_a_repository_had_leads_to_it_until_somebody_takes_it() {
    let cat = plain().someone_with_all("repo-rename");
    let dog = plain().someone_with_all("repo-rename-dog");
    let made = post(
        "/user/repos",
        &cat,
        &json!({"name": "old", "private": true}),
    )
    .expect(201);
    let id = made.json()["id"].clone();
    let renamed = patch("/repos/repo-rename/old", &cat, &json!({"name": "new"})).expect(200);
    assert_eq!(renamed.json()["full_name"], "repo-rename/new");
    let moved = get("/repos/repo-rename/old", &cat).expect(301);
    assert!(
        moved
            .the("location")
            .ends_with(&format!("/repositories/{id}")),
        "{moved:?}"
    );
    assert_eq!(
        get(moved.the("location"), &cat).expect(200).json()["name"],
        "new"
    );
    let moved = patch("/repos/repo-rename/old", &cat, &json!({"description": "x"})).expect(307);
    patch(moved.the("location"), &cat, &json!({"description": "x"})).expect(200);
    let (moved, _) = plain()
        .api("GET", "/repos/repo-rename/old/topics")
        .signed(&cat)
        .judged();
    assert!(
        moved
            .expect(301)
            .the("location")
            .ends_with("/repos/repo-rename/new/topics")
    );
    get("/repos/repo-rename/old", &dog).expect(404);
    post("/user/repos", &cat, &json!({"name": "old"})).expect(201);
    assert_eq!(
        get("/repos/repo-rename/old", &cat).expect(200).json()["name"],
        "old"
    );
}

#[test]
fn topics_and_readme_are_for_who_may_write() {
    let cat = plain().someone_with_all("repo-text");
    let dog = plain().someone_with_all("repo-text-dog");
    post("/user/repos", &cat, &json!({"name": "app"})).expect(201);
    let topics = "/repos/repo-text/app/topics";
    put(topics, &dog, &json!({"names": ["a"]})).expect(403);
    let set = put(topics, &cat, &json!({"names": ["Rust", "oci"]}))
        .expect(200)
        .json();
    assert_eq!(set, json!({"names": ["rust", "oci"]}));
    assert_eq!(
        get("/repos/repo-text/app", &dog).json()["topics"],
        set["names"]
    );
    put(topics, &cat, &json!({"names": ["no spaces"]})).expect(422);
    let readme = "/repos/repo-text/app/readme";
    get(readme, &cat).expect(404);
    let body = json!({"content": STANDARD.encode("# App\n")});
    put(readme, &dog, &body).expect(403);
    put(readme, &cat, &body).expect(204);
    assert_eq!(
        get(readme, &dog).expect(200).json()["content"],
        body["content"]
    );
    let raw = plain()
        .api("GET", readme)
        .signed(&dog)
        .with("Accept", "application/vnd.github.raw+json")
        .judged();
    assert_eq!(raw.0.expect(200).text(), "# App\n");
    put(readme, &cat, &json!({"content": "!"})).expect(422);
    delete(readme, &cat).expect(204);
    get(readme, &cat).expect(404);
}

#[test]
fn a_deleted_repository_is_restored_with_its_people_while_its_name_is_free() {
    let cat = plain().someone_with_all("repo-bin");
    let dog = plain().someone_with_all("repo-bin-dog");
    post(
        "/user/repos",
        &cat,
        &json!({"name": "app", "private": true}),
    )
    .expect(201);
    put(
        "/repos/repo-bin/app/collaborators/repo-bin-dog",
        &cat,
        &json!({"permission": "pull"}),
    )
    .expect(204);
    delete("/repos/repo-bin/app", &dog).expect(403);
    let narrow = Credential::bearer(&plain().token("repo-bin", &["repo"]));
    delete("/repos/repo-bin/app", &narrow).expect(403);
    delete("/repos/repo-bin/app", &cat).expect(204);
    get("/repos/repo-bin/app", &cat).expect(404);
    let restore = |who: &Credential| post("/repos/repo-bin/app/restore", who, &json!({}));
    restore(&dog).expect(403);
    post("/user/repos", &cat, &json!({"name": "app"})).expect(201);
    restore(&cat).expect(422);
    patch("/repos/repo-bin/app", &cat, &json!({"name": "other"})).expect(200);
    restore(&cat).expect(200);
    assert_eq!(
        get("/repos/repo-bin/app", &dog).expect(200).json()["private"],
        true
    );
}

#[test]
fn collaborators_come_and_go_at_once() {
    let owner = plain().organization("repo-work");
    let dog = plain().someone_with_all("repo-work-dog");
    post(
        "/orgs/repo-work/repos",
        &owner,
        &json!({"name": "app", "private": true}),
    )
    .expect(201);
    let of = |login: &str| format!("/repos/repo-work/app/collaborators/{login}");
    put(&of("repo-work-dog"), &owner, &json!({"permission": "boss"})).expect(422);
    put(&of("repo-work"), &owner, &json!({})).expect(422);
    put(&of("nobody-at-all"), &owner, &json!({})).expect(404);
    put(
        &of("repo-work-dog"),
        &owner,
        &json!({"permission": "triage"}),
    )
    .expect(204);
    get(&of("repo-work-dog"), &dog).expect(403);
    get(&of("repo-work-dog"), &owner).expect(204);
    let level = get(&format!("{}/permission", of("repo-work-dog")), &owner)
        .expect(200)
        .json();
    assert_eq!(
        (&level["permission"], &level["role_name"]),
        (&json!("read"), &json!("triage"))
    );
    let list = |query: &str| {
        logins(
            &get(
                &format!("/repos/repo-work/app/collaborators{query}"),
                &owner,
            )
            .expect(200),
        )
    };
    assert_eq!(list(""), ["repo-work-owner", "repo-work-dog"]);
    assert_eq!(list("?affiliation=outside"), ["repo-work-dog"]);
    assert_eq!(list("?permission=push"), ["repo-work-owner"]);
    get(
        "/repos/repo-work/app/collaborators?affiliation=none",
        &owner,
    )
    .expect(422);
    delete(&of("repo-work-owner"), &dog).expect(403);
    delete(&of("repo-work-dog"), &dog).expect(204);
    get("/repos/repo-work/app", &dog).expect(404);
    let level = get(&format!("{}/permission", of("repo-work-dog")), &owner)
        .expect(200)
        .json();
    assert_eq!(level["permission"], "none");
}

#[test]
fn repositories_of_an_organization_are_listed_and_deleted_by_number() {
    let owner = plain().organization("numbered-org");
    let stranger = plain().someone_with_all("numbered-org-stranger");
    for (name, visibility) in [("open", "public"), ("closed", "private")] {
        let path = format!("numbered-org/{name}");
        plain().naru(["repo", "create", &path, "--visibility", visibility]);
    }
    let listed =
        |who: &Credential| names(&get("/orgs/numbered-org/repos?sort=full_name", who).expect(200));
    assert_eq!(listed(&owner), ["closed", "open"]);
    assert_eq!(listed(&stranger), ["open"]);
    let number = |name: &str| {
        let path = format!("/repos/numbered-org/{name}");
        let id = get(&path, &owner).expect(200).json()["id"].clone();
        format!("/repositories/{id}")
    };
    let (open, closed) = (number("open"), number("closed"));
    delete(&closed, &stranger).expect(404);
    delete(&open, &stranger).expect(403);
    delete(&open, &owner).expect(204);
    get(&open, &owner).expect(404);
    assert_eq!(listed(&owner), ["closed"]);
}
