//! The Docker registry of old (`docker.pkg.github.com`; on GitHub Enterprise Server
//! `docker.HOST`): GitHub documentation, "Working with the Docker registry".

use serde_json::json;

use crate::kit::content::{
    DOCKER_CONFIG, DOCKER_MANIFEST, EMPTY, Pushed, descriptor, digest, image, noise,
};
use crate::kit::hand::ALL_SCOPES;
use crate::kit::http::{Credential, Request};
use crate::kit::repo::Repo;
use crate::kit::server::{Server, plain, single_host, tight};

/// Without configuration, a name that begins with `docker.` is the legacy registry.
const HOST: &str = "docker.localhost";

const REALM: &str = "GitHub Package Registry";

/// An image in a repository that does not exist yet.
fn fresh(server: &'static Server, about: &str) -> Repo<'static> {
    let name = format!("{}/image", server.fresh_name(&format!("legacy-{about}")));
    Repo::new(server, &name, server.octo()).at_host(HOST)
}

/// The repository that a name of three parts lies in.
fn repository(repo: &Repo<'_>) -> String {
    repo.name.rsplit_once('/').unwrap().0.to_owned()
}

#[track_caller]
fn asks_for_basic(request: Request) {
    let answer = request.send().expect(401);
    let challenge = answer.challenge();
    assert_eq!(
        (challenge.scheme.as_str(), challenge.get("realm")),
        ("Basic", Some(REALM))
    );
    assert_eq!(
        answer.the("www-authenticate"),
        format!("Basic realm=\"{REALM}\"")
    );
}

#[test]
fn the_challenge_is_basic_with_the_exact_realm() {
    let repo = fresh(plain(), "challenge");
    repo.push_image("1.0");
    let nobody = repo.by(&Credential::Absent);
    for request in [
        repo.server.get("/v2/").at_host(HOST),
        nobody.get("manifests/1.0"),
        nobody.head("manifests/1.0"),
        nobody.get("tags/list"),
        nobody.post("blobs/uploads/"),
        nobody.named("octo/never/pushed").get("manifests/1.0"),
    ] {
        asks_for_basic(request);
    }
    repo.server
        .get("/v2/")
        .at_host(HOST)
        .signed(&repo.credential)
        .send()
        .expect(200);
}

/// "A token is needed to publish, install, and delete private, internal, and public packages."
#[test]
fn nobody_in_particular_may_pull_even_what_is_public() {
    let repo = fresh(plain(), "anonymous");
    let image = repo.push_image("1.0");
    repo.server
        .naru(["repo", "visibility", &repository(&repo), "public"]);
    let nobody = repo.by(&Credential::Absent);
    for rest in [
        "manifests/1.0".to_owned(),
        format!("blobs/{}", image.layer_digest()),
        "tags/list".to_owned(),
    ] {
        asks_for_basic(nobody.get(&rest));
    }
    let stranger = repo.by(&repo.server.someone("legacy-stranger"));
    let served = || stranger.get("manifests/1.0").send().status == 200;
    assert!(crate::kit::eventually(
        std::time::Duration::from_secs(5),
        served
    ));
}

#[test]
fn an_image_has_a_name_of_three_parts() {
    let server = plain();
    for name in ["octo/app", "octo/a/b/c", "octo"] {
        let repo = Repo::new(server, name, server.octo()).at_host(HOST);
        repo.get("manifests/1.0")
            .send()
            .refused(400, "NAME_INVALID");
        repo.post("blobs/uploads/")
            .send()
            .refused(400, "NAME_INVALID");
        asks_for_basic(repo.by(&Credential::Absent).get("manifests/1.0"));
    }
}

#[test]
fn an_image_is_pushed_and_pulled_by_tag_and_by_digest() {
    let repo = fresh(plain(), "push");
    let image = repo.push_image("1.0");
    for reference in ["1.0", image.digest()] {
        let answer = repo
            .get(&format!("manifests/{reference}"))
            .send()
            .expect(200);
        assert_eq!(answer.body, image.manifest.bytes);
        assert_eq!(answer.the("docker-content-digest"), image.digest());
    }
    let blob = repo
        .get(&format!("blobs/{}", image.layer_digest()))
        .send()
        .expect(200);
    assert_eq!(blob.body, image.layer);
    assert_eq!(repo.tags(), ["1.0"]);
    let location = repo.begin();
    assert!(location.starts_with(&format!("http://{HOST}/v2/")) || location.starts_with("/v2/"));
}

/// The images of old are of Docker's own types; foreign layers stay where they are.
#[test]
fn images_of_docker_with_foreign_layers_are_kept() {
    let repo = fresh(plain(), "foreign");
    repo.push_blob(EMPTY);
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let mut layer = descriptor(foreign, b"far away");
    layer["urls"] = json!(["https://example.com/layer"]);
    let document = json!({
        "schemaVersion": 2, "mediaType": DOCKER_MANIFEST,
        "config": descriptor(DOCKER_CONFIG, EMPTY), "layers": [layer],
    });
    let pushed = repo.push("1.0", &document);
    assert_eq!(
        repo.get("manifests/1.0").send().expect(200).body,
        pushed.bytes
    );
}

/// The two registries share no names: the same path is another package here.
#[test]
fn a_container_package_of_the_same_name_is_another_package() {
    let repo = fresh(plain(), "apart");
    let container = Repo {
        host: None,
        ..repo.clone()
    };
    repo.push_image("1.0");
    container
        .get("manifests/1.0")
        .send()
        .refused(404, "MANIFEST_UNKNOWN");
    container.push_image("2.0");
    assert_eq!(repo.tags(), ["1.0"]);
    assert_eq!(container.tags(), ["2.0"]);
}

/// What one's own registry token allows on one registry it does not allow on the other.
#[test]
fn a_registry_token_for_containers_opens_nothing_here() {
    let repo = fresh(plain(), "bearer");
    repo.push_image("1.0");
    let container = Repo {
        host: None,
        ..repo.clone()
    };
    let token = container.with_token("pull,push,delete").credential;
    let answer = repo.by(&token).get("manifests/1.0").send();
    assert!(matches!(answer.status, 401 | 403), "{answer:?}");
    let wrong = Credential::bearer("QQ==");
    asks_for_basic(repo.by(&wrong).get("manifests/1.0"));
}

// ---- Repositories ----

/// The repository must exist, or be created by the push of somebody who may; it is private then.
#[test]
fn the_first_push_makes_the_repository_for_whom_may_make_one() {
    let server = plain();
    let repo = fresh(server, "create");
    repo.push_image("1.0");
    let listed = server.naru(["repo", "list", "octo"]);
    let name = repository(&repo);
    let own = name.split_once('/').unwrap().1;
    assert!(
        listed
            .lines()
            .any(|line| line.contains(own) && line.contains("private")),
        "{listed}"
    );
    let stranger = repo.by(&server.someone("legacy-creator"));
    for name in [
        repo.name.clone(),
        "octo/never-made/image".to_owned(),
        "nobody-at-all/repo/image".to_owned(),
    ] {
        let answer = stranger
            .named(&name)
            .post("blobs/uploads/")
            .send()
            .refused(403, "DENIED");
        assert_eq!(answer.error().message, "permission_denied: create_package");
    }
}

/// Read, publish and delete are the repository's read, write and admin.
#[test]
fn roles_in_the_repository_are_roles_on_its_images() {
    let server = plain();
    let repo = fresh(server, "roles");
    repo.push_image("1.0");
    let name = repository(&repo);
    let mut people = Vec::new();
    for role in ["read", "triage", "write", "maintain", "admin"] {
        let user = format!("legacy-{role}");
        people.push((role, repo.by(&server.someone(&user))));
        server.naru([
            "repo",
            "collaborator",
            "add",
            &name,
            "--user",
            &user,
            "--role",
            role,
        ]);
    }
    for (role, person) in people {
        let reads = || person.get("manifests/1.0").send().status == 200;
        assert!(
            crate::kit::eventually(std::time::Duration::from_secs(5), reads),
            "{role}"
        );
        let push = person.post("blobs/uploads/").send();
        let may_push = matches!(role, "write" | "maintain" | "admin");
        assert_eq!(
            push.status,
            if may_push { 202 } else { 403 },
            "{role}: {push:?}"
        );
        let other = person
            .named(&format!("{name}/another"))
            .post("blobs/uploads/")
            .send();
        assert_eq!(
            other.status,
            if may_push { 202 } else { 403 },
            "{role}: {other:?}"
        );
        let delete = person
            .delete(&format!("manifests/{}", digest(b"unknown")))
            .send();
        assert_eq!(
            delete.status,
            if role == "admin" { 404 } else { 403 },
            "{role}: {delete:?}"
        );
    }
}

/// Private repositories need the scope `repo` besides; public ones do not.
#[test]
fn the_scope_repo_is_needed_for_what_is_private() {
    let server = plain();
    let repo = fresh(server, "scope");
    repo.push_image("1.0");
    let without = Credential::basic("octo", &server.token("octo", &["write:packages"]));
    let without = repo.by(&without);
    let answer = without.get("manifests/1.0").send().refused(403, "DENIED");
    let text = "permission_denied: The token provided does not match expected scopes.";
    assert_eq!(answer.error().message, text);
    assert!(answer.text().contains("repo"), "{answer:?}");
    without.post("blobs/uploads/").send().refused(403, "DENIED");
    server.naru(["repo", "visibility", &repository(&repo), "public"]);
    let served = || without.get("manifests/1.0").send().status == 200;
    assert!(crate::kit::eventually(
        std::time::Duration::from_secs(5),
        served
    ));
    without.post("blobs/uploads/").send().expect(202);
}

#[test]
fn a_wrong_credential_is_refused() {
    let server = plain();
    let repo = fresh(server, "wrong");
    repo.push_image("1.0");
    let expired = server.expired_token("octo", ALL_SCOPES);
    for secret in ["", "hunter2", expired.as_str()] {
        let wrong = repo.by(&Credential::basic("octo", secret));
        asks_for_basic(wrong.get("manifests/1.0"));
        asks_for_basic(server.get("/v2/").at_host(HOST).signed(&wrong.credential));
    }
}

// ---- Versions ----

/// "The version cannot be changed afterwards": a published tag other than `latest` stays where it
/// is, by whatever request one tries to move it.
#[test]
fn a_published_tag_cannot_be_moved_but_latest_can() {
    let repo = fresh(plain(), "immutable");
    let first = repo.push_image("1.0");
    let second = repo.push_image("latest");
    for request in [
        "1.0".to_owned(),
        format!("{}?tag=1.0", second.digest()),
        format!("{}?tag=new&tag=1.0", second.digest()),
    ] {
        let answer = repo
            .put_manifest(&request, &second.manifest)
            .refused(409, "DENIED");
        assert!(answer.text().contains("1.0"), "{answer:?}");
    }
    // All or nothing.
    assert_eq!(repo.tags(), ["1.0", "latest"]);
    assert_eq!(
        repo.get("manifests/1.0").send().expect(200).body,
        first.manifest.bytes
    );
    // The same again changes nothing and is no error: clients repeat their pushes.
    repo.put_manifest("1.0", &first.manifest).expect(201);
    repo.put_manifest("latest", &first.manifest).expect(201);
    assert_eq!(
        repo.get("manifests/latest").send().expect(200).body,
        first.manifest.bytes
    );
}

/// Nor is it freed for something else by deleting it (distribution CVE-2026-41888).
#[test]
fn a_published_tag_cannot_be_deleted_but_latest_can() {
    let repo = fresh(plain(), "immutable-delete");
    let published = repo.push_image("1.0");
    let latest = repo.push_image("latest");
    for image in [
        "manifests/1.0",
        &format!("manifests/{}", published.digest()),
    ] {
        repo.delete(image).send().refused(409, "DENIED");
    }
    assert_eq!(repo.tags(), ["1.0", "latest"]);
    repo.delete("manifests/latest").send().expect(202);
    let by_digest = format!("manifests/{}", latest.digest());
    repo.delete(&by_digest).send().expect(202);
    assert_eq!(repo.tags(), ["1.0"]);
}

/// Of two who publish the same version at once, one does.
#[test]
fn of_two_pushes_of_one_version_one_wins() {
    let repo = fresh(plain(), "immutable-race");
    let images: Vec<Pushed> = (0..4)
        .map(|number| {
            let config = format!("{{\"race\":{number}}}");
            repo.push_blob(config.as_bytes());
            Pushed::new(&image(config.as_bytes(), &[]))
        })
        .collect();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let push = |image| {
            let repo = &repo;
            scope.spawn(move || repo.put_manifest("1.0", image).status)
        };
        let threads: Vec<_> = images.iter().map(push).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(
        statuses.iter().filter(|status| **status == 201).count(),
        1,
        "{statuses:?}"
    );
    assert_eq!(
        statuses.iter().filter(|status| **status == 409).count(),
        3,
        "{statuses:?}"
    );
}

/// Layers are limited apart from those of the container registry (5 GB, not 10).
#[test]
fn layers_have_a_limit_of_their_own() {
    let repo = fresh(tight(), "layer-limit");
    let large = noise("legacy-layer-limit", 50_001);
    let location = repo.begin();
    repo.close(&location, &digest(&large), &large)
        .refused(413, "SIZE_INVALID");
    repo.push_blob(&large[..50_000]);
    Repo { host: None, ..repo }.push_blob(&large);
}

// ---- Layouts ----

/// Subdomain isolation off: the main host is the legacy registry, and the container registry has a
/// name of its own.
#[test]
fn with_a_single_host_the_main_name_is_the_legacy_registry() {
    let server = single_host();
    let octo = server.octo();
    let name = format!("{}/image", server.fresh_name("layout"));
    let main = Repo::new(server, &name, octo.clone()).at_host("ghes.example.com");
    asks_for_basic(server.get("/v2/").at_host("ghes.example.com"));
    asks_for_basic(server.get("/v2/").at_host("10.0.0.7:5000"));
    let location = main
        .post("blobs/uploads/")
        .send()
        .expect(202)
        .the("location")
        .to_owned();
    assert!(
        location.starts_with("https://ghes.example.com/v2/"),
        "{location}"
    );
    main.push_image("1.0");
    let containers = main.at_host("containers.ghes.example.com");
    containers
        .get("manifests/1.0")
        .send()
        .refused(404, "MANIFEST_UNKNOWN");
    let nobody = containers.by(&Credential::Absent);
    let challenge = nobody.get("manifests/1.0").send().expect(401).challenge();
    assert_eq!(challenge.scheme, "Bearer");
    assert_eq!(
        challenge.get("realm"),
        Some("https://containers.ghes.example.com/token")
    );
    assert_eq!(
        challenge.get("service"),
        Some("containers.ghes.example.com")
    );
    containers.push_image("2.0");
    assert_eq!(containers.tags(), ["2.0"]);
    assert_eq!(main.tags(), ["1.0"]);
}

/// Subdomain isolation on: `docker.HOST` beside the container registry.
#[test]
fn with_subdomains_the_legacy_registry_has_a_name_of_its_own() {
    let server = plain();
    for host in [
        "docker.localhost:5000",
        "docker.example.com",
        "DOCKER.Example.com",
    ] {
        asks_for_basic(server.get("/v2/").at_host(host));
    }
    for host in [
        "localhost",
        "example.com",
        "mydocker.example.com",
        "dockers.example.com",
    ] {
        let answer = server.get("/v2/").at_host(host).send().expect(401);
        assert_eq!(answer.challenge().scheme, "Bearer", "{host}");
    }
}
