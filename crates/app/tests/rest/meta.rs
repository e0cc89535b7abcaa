//! What the API says of itself, and how often it may be asked.

use std::io::{BufRead, BufReader, Write};
use std::sync::OnceLock;

use serde_json::json;

use crate::kit::http::{Answer, Credential};
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

#[track_caller]
fn is_told_to_wait(answer: &Answer) {
    let message = answer.message();
    let known = "You have exceeded a secondary rate limit";
    assert!(message.starts_with(known), "{message}");
    let documentation = answer.json()["documentation_url"].to_string();
    assert!(
        documentation.ends_with("#secondary-rate-limits\""),
        "{documentation}"
    );
    let wait: u64 = answer.the("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
}

/// A request that the server has begun to answer: it waits for the body, and says so.
fn under_way(server: &Server, who: &Credential) -> BufReader<std::net::TcpStream> {
    let mut connection = server.connect();
    write!(
        connection,
        "PATCH /api/v3/user HTTP/1.1\r\nHost: {}\r\nUser-Agent: slow\r\nAuthorization: {}\r\n\
         Content-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n",
        server.address,
        who.header().unwrap()
    )
    .unwrap();
    let mut connection = BufReader::new(connection);
    let mut line = String::new();
    connection.read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 100"), "{line}");
    connection.read_line(&mut line).unwrap();
    connection
}

#[test]
fn more_requests_at_once_than_may_be_are_told_to_wait() {
    let server = Server::start(&[("NARU_REST__CONCURRENT_REQUESTS", "1")]);
    let [busy, idle] = ["busy", "idle"].map(|name| server.someone_with_all(name));
    let get = |who: &Credential| server.api("GET", "/user").signed(who).send();
    let mut slow = under_way(&server, &busy);
    let refused = get(&busy).expect(403);
    is_told_to_wait(&refused);
    assert_ne!(refused.the("x-ratelimit-remaining"), "0");
    get(&idle).expect(200);
    slow.get_mut().write_all(b"{}").unwrap();
    let mut line = String::new();
    slow.read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 200"), "{line}");
    get(&busy).expect(200);
}

#[test]
fn more_changes_in_a_minute_than_may_be_are_told_to_wait() {
    let server = Server::start(&[("NARU_REST__CHANGES_PER_MINUTE", "2")]);
    let octo = server.someone_with_all("changing");
    let change = || {
        let bio = json!({"bio": "changed"});
        server.api("PATCH", "/user").signed(&octo).json(&bio).send()
    };
    change().expect(200);
    change().expect(200);
    is_told_to_wait(&change().expect(403));
    server.api("GET", "/user").signed(&octo).send().expect(200);
    let query = json!({"query": "{ viewer { login } }"});
    let asked = server.request("POST", "/api/graphql").signed(&octo);
    let asked = asked.with("User-Agent", "naru-tests");
    asked.body(query.to_string()).send().expect(200);
}
