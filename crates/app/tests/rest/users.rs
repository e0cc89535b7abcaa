//! Users: who one is, and what one says of oneself.

use serde_json::json;

use crate::kit::http::Credential;
use crate::kit::server::plain;

#[test]
fn everybody_sees_who_they_are_and_only_a_user_token_sees_what_is_private() {
    plain().user("me-cat");
    let narrow = Credential::bearer(&plain().token("me-cat", &["read:packages"]));
    let wide = Credential::bearer(&plain().token("me-cat", &["read:user"]));
    let seen = plain()
        .api("GET", "/user")
        .signed(&narrow)
        .send()
        .expect(200)
        .json();
    assert_eq!(seen["login"], "me-cat");
    assert!(seen.get("two_factor_authentication").is_none());
    let seen = plain()
        .api("GET", "/user")
        .signed(&wide)
        .send()
        .expect(200)
        .json();
    assert_eq!(seen["two_factor_authentication"], false);
    assert_eq!(seen["owned_private_repos"], 0);
    plain().api("GET", "/user").send().expect(401);
}

#[test]
fn a_profile_is_changed_field_by_field_and_shown_to_others() {
    let cat = plain().someone_with_all("profile-cat");
    let dog = plain().someone_with_all("profile-dog");
    let change = json!({
        "name": "Cat", "company": "@octo", "blog": "https://cat.example", "location": "Roof",
        "email": "cat@cat.example", "bio": "Sleeps.", "twitter_username": "cat", "hireable": true,
        "unknown": 1
    });
    let patch =
        |body: &serde_json::Value| plain().api("PATCH", "/user").signed(&cat).json(body).send();
    let changed = patch(&change).expect(200).json();
    assert_eq!(
        (&changed["bio"], &changed["hireable"]),
        (&json!("Sleeps."), &json!(true))
    );
    patch(&json!({"bio": null, "company": ""})).expect(200);
    let seen = plain()
        .api("GET", "/users/Profile-Cat")
        .signed(&dog)
        .send()
        .expect(200)
        .json();
    assert_eq!(seen["name"], "Cat");
    assert_eq!(
        (&seen["bio"], &seen["company"]),
        (&json!(null), &json!(null))
    );
    assert_eq!(seen["email"], "cat@cat.example");
    assert!(seen.get("owned_private_repos").is_none());
}

#[test]
fn a_profile_that_cannot_be_shown_is_refused_by_field() {
    let cat = plain().someone_with_all("profile-wrong");
    for (body, field) in [
        (json!({"email": "nobody"}), "email"),
        (json!({"bio": "x".repeat(161)}), "bio"),
        (json!({"name": 7}), "name"),
        (json!({"hireable": "yes"}), "hireable"),
    ] {
        let answer = plain()
            .api("PATCH", "/user")
            .signed(&cat)
            .json(&body)
            .send()
            .expect(422);
        assert_eq!(answer.json()["errors"][0]["field"], field, "{answer:?}");
    }
    let narrow = Credential::bearer(&plain().token("profile-wrong", &["read:user"]));
    let refused = plain()
        .api("PATCH", "/user")
        .signed(&narrow)
        .json(&json!({"name": "x"}))
        .send()
        .expect(403);
    assert!(refused.message().contains("user scope"), "{refused:?}");
}

#[test]
fn accounts_are_listed_in_the_order_they_were_made() {
    let cat = plain().someone_with_all("listed-cat");
    plain().user("listed-dog");
    let me = plain().api("GET", "/user").signed(&cat).send().json();
    let since = me["id"].as_i64().unwrap() - 1;
    let page = plain()
        .api("GET", &format!("/users?since={since}&per_page=1"))
        .signed(&cat)
        .send()
        .expect(200);
    assert_eq!(page.json()[0]["login"], "listed-cat");
    let next = page.page("next").unwrap().to_owned();
    let next = plain().api("GET", &next).signed(&cat).send().expect(200);
    assert!(next.json()[0]["id"].as_i64().unwrap() > since + 1);
    plain()
        .api("GET", "/users?since=x")
        .signed(&cat)
        .send()
        .expect(400);
}

#[test]
fn an_account_that_is_not_there_is_not_found_and_nobody_learns_of_it_without_signing_in() {
    let cat = plain().someone_with_all("absent-cat");
    for path in [
        "/users/nobody-at-all",
        "/orgs/nobody-at-all",
        "/orgs/absent-cat",
        "/users/a--b",
    ] {
        let answer = plain().api("GET", path).signed(&cat).send().expect(404);
        assert_eq!(answer.message(), "Not Found");
        plain().api("GET", path).send().expect(401);
    }
}
