//! What all endpoints have in common: determining support, names, error bodies, HTTP itself
//! (end-1).

use crate::kit::content::{noise, unknown_digest};
use crate::kit::http::Credential;
use crate::kit::server::plain;

/// "To check whether or not the registry implements this specification, perform a `GET` request to
/// the following endpoint: `/v2/`. If the response is `200 OK`, then the registry implements this
/// specification." (Determining Support, end-1)
#[test]
fn the_base_endpoint_says_that_this_is_a_registry() {
    let server = plain();
    for path in ["/v2/", "/v2"] {
        let answer = server.get(path).signed(&server.octo()).send().expect(200);
        assert_eq!(answer.text(), "{}");
        assert_eq!(
            answer.the("docker-distribution-api-version"),
            "registry/2.0"
        );
    }
}

/// "This endpoint MAY be used for authentication/authorization purposes" (Determining Support):
/// a login is checked here, so nobody in particular gets no 200.
#[test]
fn the_base_endpoint_asks_who_is_there() {
    let answer = plain().get("/v2/").send().refused(401, "UNAUTHORIZED");
    assert_eq!(answer.challenge().scheme, "Bearer");
}

/// "`<name>` MUST match the following regular expression" (Pulling manifests)
#[test]
fn names_outside_the_grammar_are_refused() {
    let server = plain();
    let octo = server.octo();
    for name in [
        "octo/_app",
        "octo/app_",
        "octo/a___b",
        "octo/a..b",
        "octo/a._b",
        "octo/.app",
        "octo/app.",
        "octo/-app",
        "octo/app-",
        "octo//app",
        "octo/a%2Fb",
        "octo/%2e%2e/app",
        "octo/a%00b",
        "octo/a%20b",
        "octo/%C3%A4",
    ] {
        for (method, rest) in [
            ("GET", "manifests/latest"),
            ("GET", "tags/list"),
            ("POST", "blobs/uploads/"),
            ("PUT", "manifests/latest"),
        ] {
            let request = server.request(method, &format!("/v2/{name}/{rest}"));
            request.signed(&octo).send().refused(400, "NAME_INVALID");
        }
    }
}

/// "`<name>` MUST match the following regular expression" (Pulling manifests): what does match is
/// served, as deep and as odd as it is, also where it looks like a route.
#[test]
fn names_within_the_grammar_are_served() {
    let server = plain();
    for name in [
        "octo/grammar/a",
        "octo/grammar/a/b/c/d/e/f/g",
        "octo/grammar.b",
        "octo/grammar_c",
        "octo/grammar__d",
        "octo/grammar-e",
        "octo/grammar---f",
        "octo/0",
        "octo/grammar/tags/list",
        "octo/grammar/manifests",
        "octo/grammar/blobs/uploads",
        "octo/grammar/referrers",
    ] {
        let repo = server.repo("unused").named(name);
        let image = repo.push_image("v1");
        let answer = repo.get("manifests/v1").send().expect(200);
        assert_eq!(answer.body, image.manifest.bytes, "{name}");
        assert_eq!(repo.tags(), ["v1"], "{name}");
    }
}

/// "Many clients impose a limit of 255 characters on the length of the concatenation of the
/// registry hostname (and optional port), `/`, and `<name>` value. […] registries should avoid
/// values of `<name>` that would cause this limit to be exceeded." (Pulling manifests)
#[test]
fn a_name_too_long_for_clients_is_refused() {
    let server = plain();
    let name = format!("octo/{}", "a".repeat(251));
    let request = server.request("POST", &format!("/v2/{name}/blobs/uploads/"));
    request
        .signed(&server.octo())
        .send()
        .refused(400, "NAME_INVALID");
}

/// "If the response body is in JSON format, it MUST have the following format […] The `code` field
/// MUST be a unique identifier, containing only uppercase alphabetic characters and underscores."
/// (Error Codes)
#[test]
fn every_refusal_has_the_body_of_the_specification() {
    let repo = plain().repo("error-bodies");
    repo.push_image("v1");
    let unknown = unknown_digest();
    let cases = [
        (
            "GET",
            format!("manifests/{unknown}"),
            404,
            "MANIFEST_UNKNOWN",
        ),
        (
            "GET",
            "manifests/absent".to_owned(),
            404,
            "MANIFEST_UNKNOWN",
        ),
        ("GET", format!("blobs/{unknown}"), 404, "BLOB_UNKNOWN"),
        (
            "GET",
            "blobs/uploads/0192d3f0-7c1e-7000-8000-000000000000".to_owned(),
            404,
            "BLOB_UPLOAD_UNKNOWN",
        ),
        ("GET", "blobs/sha256:abc".to_owned(), 400, "DIGEST_INVALID"),
        ("GET", "manifests/-tag".to_owned(), 400, "TAG_INVALID"),
        ("PUT", "manifests/v2".to_owned(), 400, "MANIFEST_INVALID"),
        ("POST", "manifests/v1".to_owned(), 405, "UNSUPPORTED"),
    ];
    for (method, rest, status, code) in cases {
        let answer = repo.request(method, &rest).send().refused(status, code);
        let body = answer.json();
        let errors = body["errors"].as_array().unwrap();
        assert_eq!(
            (body.as_object().unwrap().len(), errors.len()),
            (1, 1),
            "{answer:?}"
        );
        for key in errors[0].as_object().unwrap().keys() {
            assert!(
                ["code", "message", "detail"].contains(&key.as_str()),
                "{answer:?}"
            );
        }
        assert!(errors[0]["message"].is_string(), "{answer:?}");
        let code = errors[0]["code"].as_str().unwrap();
        assert!(
            code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'),
            "{answer:?}"
        );
    }
}

/// "Where this specification does not define specific behavior, implementations SHOULD follow the
/// HTTP semantics defined in RFC 9110." (API): a 405 names the methods there are (section 15.5.6),
/// and a HEAD is answered as its GET without the body (section 9.3.2).
#[test]
fn http_semantics_hold_where_the_specification_is_silent() {
    let repo = plain().repo("http-semantics");
    let image = repo.push_image("v1");
    let answer = repo
        .request("POST", "tags/list")
        .send()
        .refused(405, "UNSUPPORTED");
    assert_eq!(answer.the("allow"), "GET, HEAD");
    for rest in [
        "manifests/v1".to_owned(),
        format!("blobs/{}", image.layer_digest()),
        "tags/list".to_owned(),
        format!("referrers/{}", image.digest()),
        "manifests/absent".to_owned(),
        format!("blobs/{}", unknown_digest()),
    ] {
        let get = repo.get(&rest).send();
        let head = repo.head(&rest).send();
        assert_eq!(head.status, get.status, "{rest}");
        assert!(head.body.is_empty());
        for name in [
            "content-type",
            "content-length",
            "docker-content-digest",
            "etag",
        ] {
            assert_eq!(head.headers(name), get.headers(name), "{name} of {rest}");
        }
    }
}

/// "If included, `Warning` headers MUST specify a `warn-code` of `299` and a `warn-agent` of `-`,
/// and MUST NOT specify a `warn-date` value." (Warnings)
#[test]
fn warnings_have_the_form_of_the_specification() {
    let repo = plain().repo("warnings");
    let image = repo.push_image("v1");
    let answers = [
        repo.get("manifests/v1").send(),
        repo.put_manifest("v2", &image.manifest),
        repo.post("blobs/uploads/").send(),
    ];
    for warning in answers.iter().flat_map(|answer| answer.headers("warning")) {
        assert!(
            warning.starts_with("299 - \"") && warning.ends_with('"'),
            "{warning}"
        );
        assert!(warning.len() <= 4096);
    }
}

/// "A registry that uses the `ns` query parameter to scope the request SHOULD return […]. A
/// registry MAY choose to ignore the `ns` query parameter." (Registry Proxying)
#[test]
fn a_query_parameter_that_means_nothing_here_changes_nothing() {
    let repo = plain().repo("ns");
    let image = repo.push_image("v1");
    let answer = repo.get("manifests/v1?ns=docker.io&x=y").send().expect(200);
    assert_eq!(answer.body, image.manifest.bytes);
    let blob = repo
        .get(&format!("blobs/{}?ns=docker.io", image.layer_digest()))
        .send()
        .expect(200);
    assert_eq!(blob.body, image.layer);
}

/// The catalogue is no part of the specification; it lists what the caller may read, and is no
/// list for strangers.
#[test]
fn the_catalogue_is_not_for_strangers() {
    let server = plain();
    let repo = server.repo("catalogue");
    repo.push_image("v1");
    server
        .get("/v2/_catalog")
        .send()
        .refused(401, "UNAUTHORIZED");
    let stranger = server.someone("catalogue-stranger");
    let listed = server.get("/v2/_catalog?n=1000").signed(&stranger).send();
    assert!(!listed.text().contains(&repo.name), "{listed:?}");
}

/// An upload is made of bytes, whatever a client calls them; and two requests can share a
/// connection (RFC 9112, section 9.3).
#[test]
fn one_connection_serves_one_request_after_another() {
    let repo = plain().repo("keep-alive");
    let blob = noise("keep-alive", 100);
    let digest = repo.push_blob(&blob);
    for _ in 0..10 {
        assert_eq!(
            repo.get(&format!("blobs/{digest}")).send().expect(200).body,
            blob
        );
        repo.by(&Credential::Absent)
            .get("manifests/v1")
            .send()
            .expect(401);
    }
}
