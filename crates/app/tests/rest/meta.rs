//! What the API says of itself, and how often it may be asked.

use std::sync::OnceLock;

use crate::kit::http::Credential;
use crate::kit::server::{Server, plain};

/// A server that may be asked three times an hour.
fn counting() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        Server::start(&[
            ("NARU_REST__USER_REQUESTS_PER_HOUR", "3"),
            ("NARU_REST__ANONYMOUS_REQUESTS_PER_HOUR", "2"),
        ])
    })
}

#[test]
fn the_root_names_what_gh_and_octokit_look_for() {
    let octo = plain().someone_with_all("meta-root");
    let root = plain().api("GET", "").signed(&octo).send().expect(200);
    let url = root.json()["current_user_url"].as_str().unwrap().to_owned();
    assert!(url.ends_with("/api/v3/user"), "{url}");
    assert!(root.the("x-oauth-scopes").contains("repo"));
    assert!(root.json()["hub_url"].is_string());
    // The description is that of the older version, which has the names that went.
    let (newer, _) = plain()
        .api("GET", "/")
        .signed(&octo)
        .with("X-GitHub-Api-Version", "2026-03-10")
        .judged();
    assert!(newer.json()["hub_url"].is_null());
    let meta = plain().api("GET", "/meta").send().expect(200).json();
    assert!(meta["installed_version"].is_string());
    let versions = plain().api("GET", "/versions").send().expect(200).text();
    assert_eq!(versions, r#"["2022-11-28","2026-03-10"]"#);
}

#[test]
fn a_token_that_expires_says_when() {
    plain().user("meta-expiry");
    let token = plain().process.token("meta-expiry", "repo", "7d");
    let answer = plain()
        .api("GET", "/")
        .signed(&Credential::bearer(&token))
        .send();
    let when = answer.the("github-authentication-token-expiration");
    assert!(when.ends_with(" UTC") && when.len() == "2027-10-12 09:00:00 UTC".len());
    let lasting = plain().process.token("meta-expiry", "repo", "never");
    let lasting = Credential::bearer(&lasting);
    let answer = plain().api("GET", "/").signed(&lasting).send();
    assert_eq!(
        answer.header("github-authentication-token-expiration"),
        None
    );
}

#[test]
fn there_are_no_apps() {
    let octo = plain().someone_with_all("meta-apps");
    let path = "/app/installations/1/access_tokens";
    plain().api("POST", path).signed(&octo).send().expect(401);
    plain().api("POST", path).send().expect(401);
}

#[test]
fn the_description_names_every_path_that_is_answered_and_has_an_entity_tag() {
    let answer = plain().api("GET", "/openapi.json").send().expect(200);
    let document = answer.json();
    assert_eq!(document["openapi"], "3.1.0");
    for path in [
        "/meta",
        "/orgs/{org}/packages",
        "/repos/{owner}/{repo}/attestations",
    ] {
        assert!(document["paths"][path].is_object(), "{path}");
    }
    let server = document["servers"][0]["url"].as_str().unwrap();
    assert!(server.ends_with("/api/v3"), "{server}");
    let known = answer.the("etag").to_owned();
    let again = plain()
        .api("GET", "/openapi.json")
        .with("If-None-Match", &known)
        .send();
    assert_eq!(again.status, 304);
}

#[test]
fn requests_are_counted_per_user_and_asking_costs_nothing() {
    let server = counting();
    server.user("counted");
    let tokens = [
        server.token("counted", &["repo"]),
        server.token("counted", &["repo"]),
    ];
    let [one, other] = tokens.map(|token| Credential::bearer(&token));
    let used = |who: &Credential| {
        let answer = server
            .api("GET", "/rate_limit")
            .signed(who)
            .send()
            .expect(200);
        let core = answer.json()["resources"]["core"].clone();
        assert_eq!(core["used"].to_string(), answer.the("x-ratelimit-used"));
        core["used"].as_u64().unwrap()
    };
    assert_eq!((used(&one), used(&one)), (0, 0));
    for who in [&one, &other, &one] {
        server.api("GET", "/meta").signed(who).send().expect(200);
    }
    assert_eq!(used(&other), 3, "counted per user, not per token");
    let refused = server.api("GET", "/meta").signed(&other).send().expect(403);
    assert!(
        refused
            .message()
            .starts_with("API rate limit exceeded for user ID ")
    );
    assert_eq!(refused.the("x-ratelimit-remaining"), "0");
    assert_eq!(used(&one), 3);
}

#[test]
fn nobody_is_counted_by_address() {
    let server = counting();
    for _ in 0..2 {
        server.api("GET", "/versions").send().expect(200);
    }
    let refused = server.api("GET", "/versions").send().expect(403);
    assert!(
        refused
            .message()
            .contains("Authenticated requests get a higher rate limit")
    );
}

#[test]
fn where_nothing_is_counted_nothing_is_said_of_it() {
    let server = Server::start(&[("NARU_REST__RATE_LIMIT", "false")]);
    let answer = server.api("GET", "/meta").send().expect(200);
    assert_eq!(answer.header("x-ratelimit-limit"), None);
    server.api("GET", "/rate_limit").send().expect(404);
}
