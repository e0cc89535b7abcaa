//! Statuses and texts: what people search the web for must be what they find there (GitHub
//! documentation and reports of users), and every refusal says what would help to those who may
//! know.

use naru_model::WorkflowPackages;
use serde_json::json;

use crate::kit::content::{EMPTY, Pushed, image, index, unknown_digest};
use crate::kit::http::{Answer, Credential};
use crate::kit::repo::Repo;
use crate::kit::server::plain;

#[track_caller]
fn says(answer: Answer, status: u16, code: &str, message: &str) -> Answer {
    let answer = answer.refused(status, code);
    assert_eq!(answer.error().message, message, "{answer:?}");
    answer
}

/// The body of an anonymous 401 is these 73 bytes, and no others.
#[test]
fn who_are_you_is_asked_in_73_bytes() {
    let server = plain();
    let repo = server.repo("who");
    repo.push_image("v1");
    let repo = repo.by(&Credential::Absent);
    for answer in [
        server.get("/v2/").send(),
        repo.get("manifests/v1").send(),
        repo.named("octo/never-pushed").get("manifests/v1").send(),
        repo.put("manifests/v1").body("{}").send(),
    ] {
        let answer = answer.expect(401);
        let text =
            "{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"authentication required\"}]}\n";
        assert_eq!((answer.text().as_str(), answer.body.len()), (text, 73));
        assert_eq!(answer.the("content-type"), "application/json");
        assert_eq!(
            answer.the("docker-distribution-api-version"),
            "registry/2.0"
        );
        assert!(!answer.the("x-github-request-id").is_empty());
    }
}

#[test]
fn every_answer_has_a_request_id_of_its_own() {
    let server = plain();
    let repo = server.repo("request-id");
    let image = repo.push_image("v1");
    let mut seen = std::collections::HashSet::new();
    for answer in [
        repo.get("manifests/v1").send(),
        repo.head(&format!("blobs/{}", image.layer_digest())).send(),
        repo.head(&format!("blobs/{}", unknown_digest())).send(),
        repo.post("blobs/uploads/").send(),
        server.get("/token").signed(&repo.credential).send(),
        server.get("/").send(),
        server.get("/nothing/here").send(),
    ] {
        assert!(
            seen.insert(answer.the("x-github-request-id").to_owned()),
            "{answer:?}"
        );
    }
}

#[test]
fn a_token_without_the_scope_is_named() {
    let server = plain();
    let reading = Credential::basic("octo", &server.token("octo", &["read:packages"]));
    server.octo();
    let repo = server.repo("no-scope");
    let answer = repo.by(&reading).post("blobs/uploads/").send();
    let text = "permission_denied: The token provided does not match expected scopes.";
    let answer = says(answer, 403, "DENIED", text);
    assert!(
        answer.error().detail.to_string().contains("write:packages"),
        "{answer:?}"
    );
    repo.push_image("v1");
    let answer = says(
        repo.by(&reading).delete("manifests/v1").send(),
        403,
        "DENIED",
        text,
    );
    assert!(
        answer
            .error()
            .detail
            .to_string()
            .contains("delete:packages"),
        "{answer:?}"
    );
}

#[test]
fn a_package_of_others_that_one_may_know_of_is_write_package() {
    let server = plain();
    let repo = server.repo("write-package");
    repo.push_image("v1");
    server.set_visibility(&repo.name, "public");
    let stranger = repo.by(&server.someone("write-stranger"));
    for answer in [
        stranger.post("blobs/uploads/").send(),
        stranger.put_manifest("v2", &Pushed::new(&index(&[]))),
    ] {
        let answer = says(answer, 403, "DENIED", "permission_denied: write_package");
        assert!(
            answer.error().detail.to_string().contains("write"),
            "{answer:?}"
        );
    }
    says(
        stranger.delete("manifests/v1").send(),
        403,
        "DENIED",
        "permission_denied: delete_package",
    );
}

/// The same, byte for byte, whether the package is there, or its owner.
#[test]
fn a_namespace_of_others_is_create_package() {
    let server = plain();
    let repo = server.repo("create-package");
    repo.push_image("v1");
    let stranger = repo.by(&server.someone("create-stranger"));
    let answer = |name: &str| stranger.named(name).post("blobs/uploads/").send();
    let private = says(
        answer(&repo.name),
        403,
        "DENIED",
        "permission_denied: create_package",
    );
    assert_eq!(answer("octo/never-pushed").lasting(), private.lasting());
    let nobody = says(
        answer("nobody-at-all/app"),
        403,
        "DENIED",
        "permission_denied: create_package",
    );
    // The explanation names the owner that the path names.
    let same = nobody.lasting().replace("nobody-at-all", "octo");
    let length = |text: &str| {
        text.lines()
            .filter(|line| !line.starts_with("content-length"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(length(&same), length(&private.lasting()));
}

#[test]
fn workflows_are_told_in_the_vendors_words() {
    let server = plain();
    server.octo();
    server.naru(["repo", "create", "octo/ci-errors"]);
    let workflow =
        |packages| Credential::basic("x", &server.workflow_token("octo/ci-errors", packages));
    let repo = Repo::new(
        server,
        "octo/ci-errors-image",
        workflow(WorkflowPackages::Read),
    );
    let text = "installation not allowed to Create organization package";
    says(repo.post("blobs/uploads/").send(), 403, "DENIED", text);
    let writing = repo.by(&workflow(WorkflowPackages::Write));
    writing.push_image("v1");
    let text = "installation not allowed to Write organization package";
    says(repo.post("blobs/uploads/").send(), 403, "DENIED", text);
    let foreign = server.repo("ci-errors-foreign");
    foreign.push_image("v1");
    let answer = foreign.by(&writing.credential).get("manifests/v1").send();
    assert!(matches!(answer.status, 403 | 404), "{answer:?}");
    server.naru(["repo", "delete", "octo/ci-errors"]);
    // Its tokens are revoked with it; until that is known, the repository is missing.
    let gone = || writing.post("blobs/uploads/").send();
    assert!(crate::kit::eventually(
        std::time::Duration::from_secs(5),
        || gone().status >= 400
    ));
    let answer = gone();
    let text = "permission_denied: The requested installation does not exist.";
    assert!(
        answer.status == 401 || (answer.status == 403 && answer.error().message == text),
        "{answer:?}"
    );
}

#[test]
fn what_is_absent_is_named_in_the_words_of_the_distribution_server() {
    let repo = plain().repo("absent-words");
    repo.push_image("v1");
    let unknown = unknown_digest();
    says(
        repo.get("manifests/v2").send(),
        404,
        "MANIFEST_UNKNOWN",
        "manifest unknown",
    );
    says(
        repo.get(&format!("manifests/{unknown}")).send(),
        404,
        "MANIFEST_UNKNOWN",
        "manifest unknown",
    );
    let answer = repo.get(&format!("blobs/{unknown}")).send();
    let answer = says(answer, 404, "BLOB_UNKNOWN", "blob unknown to registry");
    assert!(answer.text().contains(&unknown));
    let upload = "blobs/uploads/0192d3f0-7c1e-7000-8000-000000000000";
    says(
        repo.get(upload).send(),
        404,
        "BLOB_UPLOAD_UNKNOWN",
        "blob upload unknown to registry",
    );
    let absent = repo.named("octo/never-pushed");
    says(
        absent.get("tags/list").send(),
        404,
        "NAME_UNKNOWN",
        "repository name not known to registry",
    );
    says(
        absent.get("manifests/v1").send(),
        404,
        "MANIFEST_UNKNOWN",
        "manifest unknown",
    );
}

#[test]
fn a_missing_blob_is_named_with_its_digest() {
    let repo = plain().repo("missing-words");
    let manifest = Pushed::new(&image(EMPTY, &[b"never pushed"]));
    let answer = repo.put_manifest("v1", &manifest);
    let answer = says(
        answer,
        400,
        "MANIFEST_BLOB_UNKNOWN",
        "blob unknown to registry",
    );
    assert!(
        answer.error().detail.to_string().contains("sha256:"),
        "{answer:?}"
    );
}

#[test]
fn an_index_that_the_client_does_not_accept_is_named() {
    let repo = plain().repo("accept-words");
    let there = repo.push_image("v1");
    repo.push("list", &index(&[&there.manifest]));
    let get = |tag: &str, accept: &str| {
        repo.get(&format!("manifests/{tag}"))
            .with("Accept", accept)
            .send()
    };
    let docker = "application/vnd.docker.distribution.manifest.v2+json";
    for (tag, kind) in [("list", "OCI index"), ("v1", "OCI manifest")] {
        let answer = get(tag, docker).refused(404, "MANIFEST_UNKNOWN");
        let message = answer.error().message;
        assert!(
            message.starts_with(&format!("{kind} found, but Accept header does not support")),
            "{message}"
        );
    }
}

#[test]
fn an_unsupported_operation_is_named() {
    let repo = plain().repo("unsupported");
    repo.push_image("v1");
    for (method, rest) in [
        ("POST", "manifests/v1"),
        ("PUT", "tags/list"),
        ("PATCH", "manifests/v1"),
        ("GET", "blobs/uploads/"),
    ] {
        let answer = repo.request(method, rest).send();
        let answer = says(answer, 405, "UNSUPPORTED", "The operation is unsupported.");
        assert!(!answer.the("allow").is_empty());
    }
}

/// Capitals are legal on the web and not in a reference; who writes them is told how to write it.
#[test]
fn a_name_in_capitals_is_refused_with_the_name_in_lower_case() {
    let server = plain();
    let octo = server.octo();
    for (name, lower) in [
        ("octo/App", "octo/app"),
        ("Octo/app", "octo/app"),
        ("OCTO/A/B", "octo/a/b"),
    ] {
        for (method, rest) in [
            ("GET", "manifests/v1"),
            ("POST", "blobs/uploads/"),
            ("PUT", "manifests/v1"),
            ("GET", "tags/list"),
        ] {
            let answer = server
                .request(method, &format!("/v2/{name}/{rest}"))
                .signed(&octo)
                .send();
            let error = answer.refused(400, "NAME_INVALID").error();
            assert!(
                error.message.contains("lowercase") && error.message.contains(lower),
                "{error:?}"
            );
        }
    }
}

/// A reference with one part names no package, for nobody may push to it.
#[test]
fn a_name_without_an_owner_is_refused() {
    let server = plain();
    for (method, rest) in [("GET", "manifests/v1"), ("POST", "blobs/uploads/")] {
        let answer = server
            .request(method, &format!("/v2/app/{rest}"))
            .signed(&server.octo())
            .send();
        answer.refused(400, "NAME_INVALID");
    }
}

#[test]
fn a_conflict_names_what_stands_in_the_way() {
    let repo = plain().repo("conflict");
    let there = repo.push_image("v1");
    let answer = repo
        .delete(&format!("blobs/{}", there.layer_digest()))
        .send();
    let answer = answer.refused(409, "DENIED");
    assert_eq!(answer.error().detail["needed_by"], json!(there.digest()));
}

/// A form upload from a browser or `curl -F` would store the form itself.
#[test]
fn a_form_is_no_blob() {
    let repo = plain().repo("form");
    let location = repo.begin();
    let answer = repo
        .request("PATCH", &location)
        .with("Content-Type", "multipart/form-data; boundary=x")
        .body("--x\r\n\r\nblob\r\n--x--")
        .send();
    assert!(matches!(answer.status, 400 | 415), "{answer:?}");
    assert_eq!(answer.error().code, "BLOB_UPLOAD_INVALID");
}

/// What is no endpoint is not there, and says no more.
#[test]
fn what_is_no_endpoint_is_not_found() {
    let server = plain();
    for path in [
        "/v2/a",
        "/v2/octo/app",
        "/v2/octo/app/tags",
        "/v2/octo/app/manifests",
        "/v2/x/y/z",
    ] {
        server.get(path).send().refused(401, "UNAUTHORIZED");
        server
            .get(path)
            .signed(&server.octo())
            .send()
            .expect(404)
            .error();
    }
    for path in ["/v1/", "/v3/", "/api", "/.env", "/v2x"] {
        server.get(path).signed(&server.octo()).send().expect(404);
    }
}
