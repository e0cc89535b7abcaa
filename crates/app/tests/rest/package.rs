//! One package: shown, changed, deleted and restored (contract D3, D6, D7; `PATCH P`).

use serde_json::json;

use crate::kit::http::Credential;
use crate::kit::repo::Repo;
use crate::kit::server::plain;

/// Pushes an image to `OWNER/NAME`.
pub(crate) fn push(owner: &str, credential: &Credential, name: &str, tag: &str) -> String {
    let basic = Credential::basic(owner, credential.secret());
    let repo = Repo::new(plain(), &format!("{owner}/{name}"), basic);
    repo.push_image(tag).digest().to_owned()
}

#[test]
fn a_package_is_shown_by_all_three_ways_to_its_owner() {
    let octo = plain().someone_with_all("pkg-shown");
    push("pkg-shown", &octo, "a/b", "1");
    plain().naru(["org", "create", "pkg-shown-org", "--owner", "pkg-shown"]);
    push("pkg-shown-org", &octo, "app", "1");
    let get = |path: &str| plain().api("GET", path).signed(&octo).send();
    let own = get("/user/packages/container/a%2Fb").expect(200).json();
    assert_eq!(own["name"], "a/b");
    assert_eq!(own["visibility"], "private");
    assert_eq!(own["version_count"], 1);
    assert_eq!(own["owner"]["login"], "pkg-shown");
    let url = own["url"].as_str().unwrap();
    assert!(
        url.ends_with("/api/v3/users/pkg-shown/packages/container/a%2Fb"),
        "{url}"
    );
    let html = own["html_url"].as_str().unwrap();
    assert!(
        html.ends_with("/users/pkg-shown/packages/container/package/a%2Fb"),
        "{html}"
    );
    assert_eq!(
        get("/users/PKG-shown/packages/container/a%2Fb")
            .expect(200)
            .json(),
        own
    );
    // The forms for users serve organizations too, and the addresses say what they are.
    let organizations = get("/users/pkg-shown-org/packages/container/app")
        .expect(200)
        .json();
    let url = organizations["url"].as_str().unwrap();
    assert!(
        url.ends_with("/orgs/pkg-shown-org/packages/container/app"),
        "{url}"
    );
    assert_eq!(
        get("/orgs/pkg-shown-org/packages/container/app")
            .expect(200)
            .json(),
        organizations
    );
    // A user is no organization; a slash is no part of a name; what is encoded twice is no name.
    for absent in [
        "/orgs/pkg-shown/packages/container/a%2Fb",
        "/user/packages/container/a/b",
        "/user/packages/container/a%252Fb",
        "/user/packages/docker/a%2Fb",
        "/user/packages/npm/a%2Fb",
        "/user/packages/container/none",
    ] {
        get(absent).expect(404);
    }
}

#[test]
fn what_may_not_be_known_answers_like_what_is_not_there() {
    let octo = plain().someone_with_all("pkg-secret");
    let stranger = plain().someone_with_all("pkg-stranger");
    push("pkg-secret", &octo, "app", "1");
    let there = "/users/pkg-secret/packages/container/app";
    let absent = "/users/pkg-secret/packages/container/absent";
    let body = json!({ "visibility": "public" });
    for (method, rest) in [
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/restore"),
        ("GET", "/access"),
        ("GET", "/access/explain"),
        ("GET", "/access/explain?user=pkg-secret"),
        ("GET", "/access/explain?permission=write"),
        ("GET", "/tags"),
        ("GET", "/tags/1"),
        ("GET", "/tags/1/history"),
        ("DELETE", "/tags/1"),
        ("GET", "/tag-rules"),
    ] {
        let answer = |path: &str| {
            let call = plain()
                .api(method, &format!("{path}{rest}"))
                .signed(&stranger);
            let call = if method == "PATCH" {
                call.json(&body)
            } else {
                call
            };
            let answer = call.send();
            (answer.status, answer.text().replace("absent", "app"))
        };
        assert_eq!(answer(there), answer(absent), "{method} {rest}");
    }
}

#[test]
fn a_package_is_changed_as_said_or_not_at_all() {
    let octo = plain().someone_with_all("pkg-changed");
    push("pkg-changed", &octo, "app", "1");
    plain().naru([
        "repo",
        "create",
        "pkg-changed/app",
        "--visibility",
        "private",
    ]);
    let patch = |body| {
        plain()
            .api("PATCH", "/user/packages/container/app")
            .signed(&octo)
            .json(&body)
            .send()
    };
    let changed = patch(json!({
        "visibility": "public",
        "description": "An application",
        "repository": "pkg-changed/app",
        "inherit_access": true,
    }));
    let changed = changed.expect(200).json();
    assert_eq!(changed["visibility"], "public");
    assert_eq!(changed["description"], "An application");
    assert_eq!(changed["inherit_access"], true);
    assert_eq!(changed["repository"]["full_name"], "pkg-changed/app");
    // Who may not know of the repository is not told of it.
    let stranger = plain().someone_with_all("pkg-changed-stranger");
    for path in [
        "/users/pkg-changed/packages/container/app",
        "/users/pkg-changed/packages?package_type=container",
    ] {
        let own = plain().api("GET", path).signed(&octo).send().expect(200);
        assert!(own.text().contains("\"full_name\":\"pkg-changed/app\""));
        let seen = plain()
            .api("GET", path)
            .signed(&stranger)
            .send()
            .expect(200);
        assert!(seen.text().contains("An application"));
        assert!(!seen.text().contains("full_name"), "{seen:?}");
    }
    // What is not named stays; null takes away.
    let unlinked = patch(json!({ "repository": null, "description": null }))
        .expect(200)
        .json();
    assert_eq!(unlinked["visibility"], "public");
    assert_eq!(unlinked["inherit_access"], false);
    assert_eq!(unlinked["description"], json!(null));
    // One fault, and nothing is changed.
    let before = patch(json!({})).expect(200).json();
    for refused in [
        json!({ "visibility": "secret" }),
        json!({ "visibility": "private", "repository": "pkg-changed/none" }),
        json!({ "visibility": "private", "inherit_access": true }),
        json!({ "visibility": "private", "description": "x".repeat(513) }),
        json!({ "visibility": 7 }),
    ] {
        let answer = patch(refused.clone());
        assert!(matches!(answer.status, 404 | 422), "{refused}: {answer:?}");
        assert_eq!(patch(json!({})).expect(200).json(), before);
    }
}

#[test]
fn a_deleted_package_is_listed_for_those_who_may_restore_it_and_comes_back() {
    let octo = plain().someone_with_all("pkg-bin");
    let stranger = plain().someone_with_all("pkg-bin-stranger");
    push("pkg-bin", &octo, "app", "1");
    push("pkg-bin", &octo, "kept", "1");
    let send = |method, path: &str| plain().api(method, path).signed(&octo).send();
    let one = "/users/pkg-bin/packages/container/app";
    // Looking first deletes nothing, and neither does a misspelt wish to look first.
    let preview = send("DELETE", &format!("{one}?dry_run=true"))
        .expect(200)
        .json();
    let [version] = preview["versions"].as_array().unwrap().as_slice() else {
        panic!("{preview}");
    };
    assert_eq!(version["tags"], json!(["1"]));
    assert_eq!(
        (&version["fate"], &version["reason"]),
        (&json!("deleted"), &json!("package"))
    );
    assert!(preview["freed_bytes"].as_u64().unwrap() > 0);
    assert_eq!(preview["more"], false);
    for misspelt in ["dryrun=true", "dry_run=yes", "dry_run", "force=1"] {
        send("DELETE", &format!("{one}?{misspelt}")).expect(422);
    }
    send("GET", one).expect(200);

    send("DELETE", one).expect(204);
    send("DELETE", one).expect(404);
    let bin = "/users/pkg-bin/packages?package_type=container&state=deleted";
    let deleted = send("GET", bin).expect(200).json();
    let deleted = deleted.as_array().unwrap();
    assert_eq!(deleted.len(), 1);
    assert_eq!(deleted[0]["name"], "app");
    assert!(deleted[0]["deleted_at"].is_string());
    let seen = plain().api("GET", bin).signed(&stranger).send().expect(200);
    assert_eq!(seen.text(), "[]");

    // The page is filled with what was asked for, and goes on behind a place.
    let public = format!("{bin}&visibility=public");
    assert_eq!(send("GET", &public).expect(200).text(), "[]");
    let beyond = format!("{bin}&after=9999999999999999.1");
    assert_eq!(send("GET", &beyond).expect(200).json(), json!(deleted));
    let behind = format!("{bin}&after=1.1");
    assert_eq!(send("GET", &behind).expect(200).text(), "[]");
    send("GET", &format!("{bin}&after=somewhere")).expect(400);

    // While its name is another's it waits.
    push("pkg-bin", &octo, "app", "2");
    let restore = format!("{one}/restore?token=ignored");
    let taken = send("POST", &restore).expect(422);
    assert!(
        taken.text().contains("`pkg-bin/app` exists already"),
        "{taken:?}"
    );
    assert_eq!(
        send("GET", bin)
            .expect(200)
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );
    send("DELETE", one).expect(204);
    // The one that was deleted last comes back.
    send("POST", &restore).expect(204);
    let tags = send("GET", &format!("{one}/tags")).expect(200).json();
    assert_eq!(tags[0]["name"], "2");
}

#[test]
fn only_admins_delete_and_a_token_needs_the_scope() {
    let octo = plain().someone_with_all("pkg-admin");
    push("pkg-admin", &octo, "app", "1");
    let writer = plain().someone_with_all("pkg-writer");
    let one = "/users/pkg-admin/packages/container/app";
    let grant = plain()
        .api("PUT", &format!("{one}/access/users/pkg-writer"))
        .signed(&octo)
        .json(&json!({ "role": "write" }));
    grant.send().expect(204);
    let refused = plain()
        .api("DELETE", one)
        .signed(&writer)
        .send()
        .expect(403);
    assert!(
        refused.message().contains("delete_package is missing"),
        "{refused:?}"
    );
    let reader = Credential::bearer(&plain().token("pkg-admin", &["read:packages"]));
    let refused = plain()
        .api("DELETE", one)
        .signed(&reader)
        .send()
        .expect(403);
    let expected = "You need at least delete:packages scope to delete a package.";
    assert_eq!(refused.message(), expected);
}

#[test]
fn packages_that_cannot_migrate_are_listed() {
    let octo = plain().someone_with_all("pkg-conflict");
    let all = plain()
        .api("GET", "/user/docker/conflicts")
        .signed(&octo)
        .send();
    assert_eq!(all.expect(200).text(), "[]");
}
