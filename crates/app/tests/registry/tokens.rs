//! Who is calling: the challenge, the token endpoint, and every way in which clients send a
//! credential (Docker, "Token Authentication Specification"; RFC 6750; GitHub documentation,
//! "Working with the Container registry").

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use naru_testkit::services::grade::{Database, Grade};

use crate::kit::content::{digest, noise};
use crate::kit::eventually;
use crate::kit::hand::ALL_SCOPES;
use crate::kit::http::{Answer, Credential, in_query};
use crate::kit::repo::Repo;
use crate::kit::server::{Server, plain, tight};
use crate::kit::token_endpoint::token_in;

/// A change made on the machine is seen within so long at the latest: by a server that shares its
/// database with others, and on a busy machine.
const SOON: Duration = Duration::from_secs(5);

/// A revocation bites within a second where the database is embedded; another one is for a machine
/// that runs all tests at once.
fn revocation_bound() -> Duration {
    match Grade::from_environment().database {
        Database::Sqlite => Duration::from_secs(2),
        Database::Postgres => SOON,
    }
}

/// A package that everybody may pull.
fn public(server: &'static Server, about: &str) -> Repo<'static> {
    let repo = server.repo(about);
    repo.push_image("v1");
    server.set_visibility(&repo.name, "public");
    repo
}

/// A package that only its owner may pull.
fn private(server: &'static Server, about: &str) -> Repo<'static> {
    let repo = server.repo(about);
    repo.push_image("v1");
    repo
}

fn sorted(list: &str) -> Vec<&str> {
    let mut list: Vec<&str> = list.split(',').collect();
    list.sort_unstable();
    list
}

// ---- The challenge ----

#[test]
fn a_challenge_names_realm_and_service_and_what_is_needed() {
    let server = plain();
    let repo = private(server, "challenge").by(&Credential::Absent);
    let host = server.address.to_string();
    let base = server.get("/v2/").send().expect(401).challenge();
    assert_eq!(base.scheme, "Bearer");
    assert_eq!(base.get("realm"), Some(&*format!("http://{host}/token")));
    assert_eq!(base.get("service"), Some(&*host));
    assert_eq!((base.get("scope"), base.get("error")), (None, None));
    let blob = digest(b"challenge");
    for (request, actions) in [
        (repo.get("manifests/v1"), "pull"),
        (repo.head("manifests/v1"), "pull"),
        (repo.get("tags/list"), "pull"),
        (repo.get(&format!("blobs/{blob}")), "pull"),
        (repo.get(&format!("referrers/{blob}")), "pull"),
        (repo.post("blobs/uploads/"), "push,pull"),
        (repo.put("manifests/v1"), "push,pull"),
        (repo.delete("manifests/v1"), "delete"),
    ] {
        let challenge = request.send().expect(401).challenge();
        let scope = challenge.get("scope").unwrap();
        let (name, found) = scope.rsplit_once(':').unwrap();
        assert_eq!(name, format!("repository:{}", repo.name));
        assert_eq!(sorted(found), sorted(actions));
    }
}

/// A mount reads elsewhere: one token is to do for both.
#[test]
fn the_challenge_of_a_mount_names_both_repositories() {
    let repo = private(plain(), "challenge-mount").by(&Credential::Absent);
    let mount = format!("blobs/uploads/?mount={}&from=octo/other", digest(b"x"));
    let challenge = repo.post(&mount).send().expect(401).challenge();
    let scope = challenge.get("scope").unwrap();
    assert!(
        scope.contains(&repo.name) && scope.contains("repository:octo/other:pull"),
        "{scope}"
    );
}

/// The realm leads back to the host that the client named.
#[test]
fn the_realm_is_at_the_host_that_the_client_named() {
    let answer = plain()
        .get("/v2/")
        .at_host("registry.example.com:8443")
        .send()
        .expect(401);
    let challenge = answer.challenge();
    assert_eq!(
        challenge.get("realm"),
        Some("http://registry.example.com:8443/token")
    );
    assert_eq!(challenge.get("service"), Some("registry.example.com:8443"));
}

// ---- The endpoint ----

#[test]
fn a_token_is_had_with_get_and_works() {
    let repo = private(plain(), "token-get");
    let answer = repo
        .server
        .ask_token(&repo.credential, &[&repo.scope("pull")])
        .send()
        .expect(200);
    assert_eq!(answer.the("cache-control"), "no-store");
    assert!(answer.the("content-type").starts_with("application/json"));
    let body = answer.json();
    assert_eq!(body["token"], body["access_token"]);
    assert_eq!(body["expires_in"], 300);
    // RFC 3339, in UTC.
    let issued = body["issued_at"].as_str().unwrap();
    assert!(
        issued.starts_with("20") && issued.contains('T') && issued.ends_with('Z'),
        "{issued}"
    );
    let bearer = repo.by(&token_in(&answer));
    bearer.get("manifests/v1").send().expect(200);
    bearer
        .server
        .get("/v2/")
        .signed(&bearer.credential)
        .send()
        .expect(200);
}

/// `docker login` asks with parameters of its own and for no scope.
#[test]
fn a_login_asks_for_nothing_and_gets_a_token() {
    let server = plain();
    for query in [
        "account=octo&client_id=docker&offline_token=true&service=x",
        "service=something%20else",
        "",
        "scope=",
    ] {
        let answer = server
            .get(&format!("/token?{query}"))
            .signed(&server.octo())
            .send();
        let token = token_in(&answer.expect(200));
        server.get("/v2/").signed(&token).send().expect(200);
    }
}

/// OAuth 2.0's form (RFC 6749, sections 4.3 and 6), as containerd and others post it.
#[test]
fn a_token_is_had_with_post_and_a_form() {
    let repo = private(plain(), "token-post");
    let secret = repo.credential.secret();
    let scope = in_query(&repo.scope("pull"));
    for form in [
        format!(
            "grant_type=password&service=s&client_id=c&username=octo&password={secret}&scope={scope}"
        ),
        format!(
            "grant_type=password&username=octo&password={secret}&scope={scope}&access_type=offline"
        ),
        format!(
            "grant_type=refresh_token&refresh_token={secret}&scope={scope}&client_id=c&service=s"
        ),
    ] {
        let post = repo.server.request("POST", "/token");
        let answer = post
            .with("Content-Type", "application/x-www-form-urlencoded")
            .body(form)
            .send();
        repo.by(&token_in(&answer.expect(200)))
            .get("manifests/v1")
            .send()
            .expect(200);
    }
    let post = repo
        .server
        .request("POST", "/token")
        .signed(&repo.credential);
    let answer = post
        .body(format!("grant_type=password&scope={scope}"))
        .send()
        .expect(200);
    repo.by(&token_in(&answer))
        .get("manifests/v1")
        .send()
        .expect(200);
    let wrong = repo.server.request("POST", "/token");
    wrong
        .body("grant_type=password&username=octo&password=wrong")
        .send()
        .refused(403, "DENIED");
}

#[test]
fn the_endpoint_takes_get_and_post_and_no_endless_form() {
    let server = plain();
    for method in ["PUT", "DELETE", "PATCH"] {
        let answer = server
            .request(method, "/token")
            .signed(&server.octo())
            .send();
        assert_eq!(answer.refused(405, "UNSUPPORTED").the("allow"), "GET, POST");
    }
    let long = format!("scope={}", "x".repeat(100_000));
    server
        .request("POST", "/token")
        .signed(&server.octo())
        .body(long)
        .send()
        .expect(413);
}

/// Several `scope` parameters, several in one, and `*` for everything.
#[test]
fn several_scopes_make_one_token() {
    let (one, two) = (
        private(plain(), "scopes-one"),
        private(plain(), "scopes-two"),
    );
    let server = one.server;
    let separate = [&*one.scope("pull"), &*two.scope("pull,push")];
    let joined = separate.join(" ");
    let stars = [&*one.scope("*"), &*two.scope("*")];
    for scopes in [&separate[..], &[&joined], &stars] {
        let token = server.registry_token(&one.credential, scopes);
        for repo in [&one, &two] {
            repo.by(&token).get("manifests/v1").send().expect(200);
        }
        two.by(&token).push_blob(b"several scopes");
    }
    let all = server.registry_token(&one.credential, &stars);
    one.by(&all).delete("manifests/v1").send().expect(202);
    let unknown = [
        "registry:catalog:*",
        "nonsense",
        "repository:UPPER/case:pull",
        &*two.scope("pull"),
    ];
    let token = server.registry_token(&one.credential, &unknown);
    two.by(&token).get("manifests/v1").send().expect(200);
}

/// Whoever signs in gets a token for what is granted of what was asked for.
#[test]
fn a_token_is_given_for_the_part_that_is_granted() {
    let server = plain();
    let repo = public(server, "granted-part");
    let stranger = server.someone("granted-stranger");
    let token = server.registry_token(&stranger, &[&repo.scope("pull,push,delete")]);
    let repo = repo.by(&token);
    repo.get("manifests/v1").send().expect(200);
    repo.post("blobs/uploads/").send().refused(403, "DENIED");
    repo.delete("manifests/v1").send().refused(403, "DENIED");
}

// ---- Nobody in particular ----

#[test]
fn what_is_public_is_pulled_with_an_anonymous_token() {
    let (repo, secret) = (
        public(plain(), "anonymous"),
        private(plain(), "anonymous-private"),
    );
    let server = repo.server;
    let token = server.registry_token(
        &Credential::Absent,
        &[&repo.scope("pull"), &secret.scope("pull")],
    );
    let anonymous = repo.by(&token);
    anonymous.get("manifests/v1").send().expect(200);
    assert_eq!(anonymous.tags(), ["v1"]);
    anonymous
        .post("blobs/uploads/")
        .send()
        .refused(401, "UNAUTHORIZED");
    secret
        .by(&token)
        .get("manifests/v1")
        .send()
        .refused(401, "UNAUTHORIZED");
    repo.by(&Credential::Absent)
        .get("manifests/v1")
        .send()
        .expect(200);
    // It says that nobody has signed in.
    server.get("/v2/").signed(&token).send().expect(401);
}

/// Without a credential what is private and what is absent are told apart by nothing.
#[test]
fn an_anonymous_token_for_what_is_not_public_is_refused() {
    let secret = private(plain(), "anonymous-secret");
    let ask = |scope: &str| plain().ask_token(&Credential::Absent, &[scope]).send();
    let refused = ask(&secret.scope("pull")).refused(401, "UNAUTHORIZED");
    for absent in [
        "repository:octo/never-pushed:pull",
        "repository:nobody-at-all/app:pull",
    ] {
        assert_eq!(ask(absent).lasting(), refused.lasting());
    }
    let public = public(plain(), "anonymous-push");
    ask(&public.scope("push")).refused(401, "UNAUTHORIZED");
}

// ---- Wrong credentials ----

fn wrong_secrets(good: &str) -> Vec<String> {
    let last = if good.ends_with('0') { '1' } else { '0' };
    let unknown = format!("ghp_{}{}", "A".repeat(30), "0uCPlr");
    vec![
        String::new(),
        "hunter2".to_owned(),
        format!("{}{last}", &good[..good.len() - 1]),
        good[..good.len() - 1].to_owned(),
        format!("{good}x"),
        good.to_lowercase(),
        unknown,
        format!("github_pat_{}_{}", "a".repeat(22), "b".repeat(59)),
    ]
}

/// A wrong credential is refused also where none is needed, and the answer says what to do about
/// it: nobody looks for a stale login when a public pull fails.
#[test]
fn a_wrong_password_is_refused_even_for_what_is_public() {
    let repo = public(plain(), "wrong-basic");
    let server = repo.server;
    for secret in wrong_secrets(repo.credential.secret()) {
        let wrong = Credential::basic("octo", &secret);
        for scopes in [&[&*repo.scope("pull")][..], &[]] {
            let answer = server
                .ask_token(&wrong, scopes)
                .send()
                .refused(403, "DENIED");
            assert_eq!(answer.error().message, "denied");
            assert!(answer.error().detail["reason"].is_string(), "{answer:?}");
            assert!(answer.text().contains("docker logout"), "{answer:?}");
        }
        for rest in ["manifests/v1", "tags/list"] {
            let answer = repo
                .by(&wrong)
                .get(rest)
                .send()
                .refused(401, "UNAUTHORIZED");
            let text = "unauthenticated: User cannot be authenticated with the token provided.";
            assert_eq!(answer.error().message, text);
        }
        server
            .get("/v2/")
            .signed(&wrong)
            .send()
            .refused(401, "UNAUTHORIZED");
    }
}

/// An unusable bearer is nobody in particular: what is public is served, the rest asks who is
/// there.
#[test]
fn an_unusable_bearer_is_nobody() {
    let (public, private) = (
        public(plain(), "bad-bearer"),
        private(plain(), "bad-bearer-private"),
    );
    for secret in wrong_secrets(public.credential.secret())
        .into_iter()
        .filter(|s| !s.is_empty())
    {
        for text in [secret.clone(), STANDARD.encode(&secret)] {
            let wrong = Credential::bearer(&text);
            public.by(&wrong).get("manifests/v1").send().expect(200);
            let answer = private
                .by(&wrong)
                .get("manifests/v1")
                .send()
                .refused(401, "UNAUTHORIZED");
            assert_eq!(answer.challenge().get("error"), Some("invalid_token"));
            public.server.get("/v2/").signed(&wrong).send().expect(401);
        }
    }
}

#[test]
fn a_bearer_with_nothing_after_it_is_told_so() {
    let repo = public(plain(), "empty-bearer");
    for value in ["Bearer", "Bearer ", "bearer"] {
        let answer = repo
            .by(&Credential::Absent)
            .get("manifests/v1")
            .with("Authorization", value)
            .send();
        let answer = answer.refused(401, "UNAUTHORIZED");
        assert_eq!(answer.error().message, "authentication token not provided");
    }
}

/// What cannot be read is no credential, and no crash.
#[test]
fn headers_that_cannot_be_read_are_refused() {
    let server = plain();
    for value in [
        "Basic",
        "Basic !!!",
        "Basic QQ==",
        "Digest username=\"x\"",
        "Negotiate abc",
        "ÄÖÜ",
        "x",
    ] {
        server
            .get("/v2/")
            .with("Authorization", value)
            .send()
            .expect(401);
    }
    let long = format!("Bearer {}", "a".repeat(20_000));
    let answer = server.get("/v2/").with("Authorization", &long).send();
    assert!(matches!(answer.status, 401 | 431), "{answer:?}");
}

/// An account's password signs in to pages and to nothing else; who tries is told to make a token.
#[test]
fn an_account_password_is_no_token_and_the_answer_says_so() {
    let server = plain();
    let person = server.process.user("password-person");
    let wrong = Credential::basic(&person.name, &person.password);
    let answer = server
        .get("/v2/")
        .signed(&wrong)
        .send()
        .refused(401, "UNAUTHORIZED");
    assert!(
        answer.error().detail["reason"]
            .as_str()
            .unwrap()
            .contains("token create"),
        "{answer:?}"
    );
    let answer = server.ask_token(&wrong, &[]).send().refused(403, "DENIED");
    assert!(answer.text().contains("token create"), "{answer:?}");
}

// ---- Other ways in ----

#[test]
fn a_token_works_straight_on_the_registry() {
    let repo = private(plain(), "direct-basic");
    let secret = repo.credential.secret();
    // The user name means nothing.
    for user in ["octo", "x", "token", "somebody-else", ""] {
        repo.by(&Credential::basic(user, secret))
            .get("manifests/v1")
            .send()
            .expect(200);
    }
    let scheme = format!("bAsIc {}", STANDARD.encode(format!("octo:{secret}")));
    repo.by(&Credential::Absent)
        .get("manifests/v1")
        .with("Authorization", &scheme)
        .send()
        .expect(200);
}

/// Argo CD, Homebrew and others put the personal access token itself behind `Bearer`.
#[test]
fn the_bearer_shortcuts_work() {
    let repo = private(plain(), "shortcuts");
    let secret = repo.credential.secret();
    let padded = STANDARD.encode(secret);
    for text in [
        secret.to_owned(),
        padded.clone(),
        padded.trim_end_matches('=').to_owned(),
        STANDARD.encode(format!("octo:{secret}")),
    ] {
        let repo = repo.by(&Credential::bearer(&text));
        repo.get("manifests/v1").send().expect(200);
        repo.push_blob(b"by a shortcut");
    }
    let homebrew = Credential::bearer("QQ==");
    let public = public(plain(), "shortcuts-public").by(&homebrew);
    public.get("manifests/v1").send().expect(200);
    repo.by(&homebrew)
        .get("manifests/v1")
        .send()
        .refused(401, "UNAUTHORIZED");
}

// ---- Less than was hoped for ----

/// A token that was given for less is answered with the challenge for more, and with that the
/// client goes on: pull, then push, then a mount from elsewhere.
#[test]
fn a_token_for_less_leads_to_one_for_enough() {
    let (repo, source) = (
        private(plain(), "narrow"),
        private(plain(), "narrow-source"),
    );
    let mounted = source.push_image("v2").layer_digest();
    let pull = repo.with_token("pull");
    pull.get("manifests/v1").send().expect(200);
    let mount = format!("blobs/uploads/?mount={mounted}&from={}", source.name);
    let requests = [
        pull.post("blobs/uploads/"),
        pull.put("manifests/v2").body("{}"),
        pull.delete("manifests/v1"),
        repo.with_token("pull,push").post(&mount),
    ];
    for request in requests {
        let answer = request.clone().send().refused(401, "UNAUTHORIZED");
        let challenge = answer.challenge();
        assert_eq!(
            challenge.get("error"),
            Some("insufficient_scope"),
            "{answer:?}"
        );
        let scopes: Vec<&str> = challenge.get("scope").unwrap().split(' ').collect();
        let token = repo.server.registry_token(&repo.credential, &scopes);
        let again = request.signed_instead(&token).send();
        assert!(again.status != 401 && again.status != 403, "{again:?}");
    }
}

/// Where the caller's own rights would not do either, a better token is not to be had.
#[test]
fn a_token_for_less_is_simply_refused_where_more_is_not_to_be_had() {
    let server = plain();
    let repo = public(server, "narrow-stranger");
    let stranger = server.someone("narrow-stranger");
    let repo = repo.by(&server.registry_token(&stranger, &[&repo.scope("pull")]));
    repo.post("blobs/uploads/").send().refused(403, "DENIED");
}

/// A registry token keeps the limits of the token that it was made from.
#[test]
fn a_registry_token_may_do_no_more_than_the_token_behind_it() {
    let repo = private(plain(), "ceiling");
    let server = repo.server;
    let reading = Credential::basic("octo", &server.token("octo", &["read:packages"]));
    for credential in [
        reading.clone(),
        server.registry_token(&reading, &[&repo.scope("*")]),
    ] {
        let repo = repo.by(&credential);
        repo.get("manifests/v1").send().expect(200);
        let answer = repo.post("blobs/uploads/").send().refused(403, "DENIED");
        let text = "permission_denied: The token provided does not match expected scopes.";
        assert_eq!(answer.error().message, text);
        assert!(answer.text().contains("write:packages"), "{answer:?}");
    }
}

/// Or it could live for ever.
#[test]
fn a_registry_token_makes_no_other() {
    let repo = private(plain(), "no-other");
    let token = repo.with_token("pull").credential;
    let answer = repo.server.ask_token(&token, &[&repo.scope("pull")]).send();
    assert!(matches!(answer.status, 401 | 403), "{answer:?}");
}

/// Every installation has keys of its own.
#[test]
fn a_token_of_another_instance_is_worth_nothing() {
    let (here, there) = (private(plain(), "instance"), private(tight(), "instance"));
    let foreign = tight().registry_token(&there.credential, &[&here.scope("pull")]);
    here.by(&foreign)
        .get("manifests/v1")
        .send()
        .refused(401, "UNAUTHORIZED");
    here.by(&there.credential)
        .get("manifests/v1")
        .send()
        .refused(401, "UNAUTHORIZED");
}

// ---- The end of a token ----

#[test]
fn an_expired_token_opens_nothing() {
    let server = plain();
    let (public, private) = (
        public(server, "expired"),
        private(server, "expired-private"),
    );
    let secret = server.expired_token("octo", ALL_SCOPES);
    let expired = Credential::basic("octo", &secret);
    for repo in [&public, &private] {
        let answer = repo
            .by(&expired)
            .get("manifests/v1")
            .send()
            .refused(401, "UNAUTHORIZED");
        assert!(answer.text().contains("expired"), "{answer:?}");
        let answer = server
            .ask_token(&expired, &[&repo.scope("pull")])
            .send()
            .refused(403, "DENIED");
        assert!(answer.text().contains("expired"), "{answer:?}");
    }
    let bearer = Credential::bearer(&secret);
    public.by(&bearer).get("manifests/v1").send().expect(200);
    let answer = private
        .by(&bearer)
        .get("manifests/v1")
        .send()
        .refused(401, "UNAUTHORIZED");
    assert_eq!(answer.challenge().get("error"), Some("invalid_token"));
    assert!(answer.text().contains("expired"), "{answer:?}");
}

/// Waits until a request is refused that went through before; says how long it took.
#[track_caller]
fn until_refused(mut ask: impl FnMut() -> Answer) -> Duration {
    let begun = Instant::now();
    assert!(
        eventually(SOON, || ask().status != 200),
        "still served after {SOON:?}"
    );
    ask().expect(401);
    begun.elapsed()
}

/// Revoked, a token is refused in all its forms, also in a registry token made from it before.
#[test]
fn a_revoked_token_is_refused_within_a_moment() {
    let server = plain();
    let repo = private(server, "revoked");
    let (secret, number) = server.numbered_token("octo", ALL_SCOPES);
    let basic = Credential::basic("octo", &secret);
    let forms = [
        basic.clone(),
        Credential::bearer(&secret),
        server.registry_token(&basic, &[&repo.scope("pull")]),
    ];
    for form in &forms {
        repo.by(form).get("manifests/v1").send().expect(200);
    }
    server.naru(["token", "revoke", "octo", &number]);
    for form in &forms {
        let took = until_refused(|| repo.by(form).get("manifests/v1").send());
        assert!(took < revocation_bound(), "{took:?}");
    }
    server.ask_token(&basic, &[]).send().refused(403, "DENIED");
    repo.get("manifests/v1").send().expect(200);
}

#[test]
fn a_suspended_account_may_do_nothing_until_that_is_lifted() {
    let server = plain();
    let someone = server.someone("suspended-for-a-while");
    let repo = Repo::new(server, "suspended-for-a-while/app", someone.clone());
    repo.push_image("v1");
    let token = repo.with_token("pull");
    server.naru(["user", "suspend", "suspended-for-a-while"]);
    until_refused(|| repo.get("manifests/v1").send());
    until_refused(|| token.get("manifests/v1").send());
    let answer = server
        .ask_token(&someone, &[])
        .send()
        .refused(403, "DENIED");
    assert!(answer.text().contains("suspended"), "{answer:?}");
    server.naru(["user", "unsuspend", "suspended-for-a-while"]);
    assert!(eventually(SOON, || repo.get("manifests/v1").send().status == 200));
}

/// Rights are asked on each request, whatever a registry token said when it was made.
#[test]
fn a_right_that_is_taken_away_is_gone_though_a_token_still_says_it() {
    let server = plain();
    let repo = private(server, "taken-away");
    let reader = server.someone("taken-away-reader");
    server.naru([
        "package",
        "grant",
        &repo.name,
        "--user",
        "taken-away-reader",
        "--role",
        "read",
    ]);
    let token = server.registry_token(&reader, &[&repo.scope("pull")]);
    let repo = repo.by(&token);
    repo.get("manifests/v1").send().expect(200);
    server.naru([
        "package",
        "revoke",
        &repo.name,
        "--user",
        "taken-away-reader",
    ]);
    assert!(eventually(SOON, || repo.get("manifests/v1").send().status == 404));
}

/// "An upload belongs to principal and package, not to the token": when the registry token expires
/// in the middle, the next request needs a fresh one and goes on.
#[test]
fn an_upload_survives_the_expiry_of_its_token() {
    let server = tight();
    let repo = server.repo("upload-expiry");
    let blob = noise("upload-expiry", 20_000);
    let first = repo.with_token("pull,push");
    let location = first.begin();
    first
        .patch(&location)
        .body(&blob[..10_000])
        .send()
        .expect(202);
    let status = || first.get(&location).send().status;
    // One second, and five by which clocks may differ.
    assert!(eventually(Duration::from_secs(10), || status() == 401));
    let answer = first
        .patch(&location)
        .body(&blob[10_000..])
        .send()
        .refused(401, "UNAUTHORIZED");
    assert_eq!(answer.challenge().get("error"), Some("invalid_token"));
    let second = repo.with_token("pull,push");
    assert_eq!(
        second.get(&location).send().expect(204).the("range"),
        "0-9999"
    );
    second
        .patch(&location)
        .body(&blob[10_000..])
        .send()
        .expect(202);
    second.close(&location, &digest(&blob), b"").expect(201);
}

/// The same person may go on with another token of theirs.
#[test]
fn an_upload_goes_on_with_another_token_of_the_same_person() {
    let repo = plain().repo("upload-other-token");
    let other = repo.by(&Credential::basic(
        "octo",
        &repo.server.token("octo", ALL_SCOPES),
    ));
    let location = repo.begin();
    repo.patch(&location).body("0123").send().expect(202);
    other
        .close(&location, &digest(b"01234567"), b"4567")
        .expect(201);
}

/// But what was begun with a token that is revoked ends with it.
#[test]
fn an_upload_does_not_survive_the_revocation_of_its_token() {
    let server = plain();
    let repo = server.repo("upload-revoked");
    let (secret, number) = server.numbered_token("octo", ALL_SCOPES);
    let direct = repo.by(&Credential::basic("octo", &secret));
    let begun: Vec<_> = [direct.with_token("pull,push"), direct]
        .into_iter()
        .map(|begun| {
            let location = begun.begin();
            begun.patch(&location).body("0123").send().expect(202);
            (begun, location)
        })
        .collect();
    server.naru(["token", "revoke", "octo", &number]);
    for (begun, location) in begun {
        assert!(eventually(SOON, || begun.get(&location).send().status == 401));
        repo.close(&location, &digest(b"01234567"), b"4567")
            .refused(404, "BLOB_UPLOAD_UNKNOWN");
    }
}
