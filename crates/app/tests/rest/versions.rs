//! Versions: listed, deleted, restored; and that no clean-up breaks an image.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::kit::content::{EMPTY, Pushed, artifact, image, index};
use crate::kit::http::{Answer, Credential};
use crate::kit::repo::{Repo, digests};
use crate::kit::server::{Server, plain};

/// A package with one owner, who has a token for everything.
struct Package {
    repo: Repo<'static>,
    owner: Credential,
    login: String,
    /// `/users/LOGIN/packages/container/NAME/versions`.
    versions: String,
}

impl Package {
    fn new(login: &str) -> Self {
        let owner = plain().someone_with_all(login);
        let basic = Credential::basic(login, owner.secret());
        let repo = Repo::new(plain(), &format!("{login}/app"), basic);
        Self {
            repo,
            owner,
            login: login.to_owned(),
            versions: format!("/users/{login}/packages/container/app/versions"),
        }
    }

    /// An image of one layer with these words in it.
    fn image(&self, tag: Option<&str>, words: &str) -> Pushed {
        let config = format!("{{\"os\":\"linux\",\"of\":\"{words}\"}}");
        let layer = format!("layer of {words}");
        self.repo.push_blob(config.as_bytes());
        self.repo.push_blob(layer.as_bytes());
        let document = image(config.as_bytes(), &[layer.as_bytes()]);
        self.push(tag, &document)
    }

    /// Images with the tags `t0` to `t4`, oldest first.
    fn five_images(&self) -> Vec<Pushed> {
        let image = |number: u32| self.image(Some(&format!("t{number}")), &number.to_string());
        (0..5).map(image).collect()
    }

    /// An artifact of a type, which may refer to a manifest.
    fn artifact(&self, tag: Option<&str>, kind: &str, words: &str, of: Option<&Pushed>) -> Pushed {
        self.repo.push_blob(EMPTY);
        self.repo.push_blob(words.as_bytes());
        let mut document = artifact(kind, words.as_bytes());
        if let Some(subject) = of {
            document["subject"] = subject.descriptor();
        }
        self.push(tag, &document)
    }

    fn push(&self, tag: Option<&str>, document: &Value) -> Pushed {
        match tag {
            Some(tag) => self.repo.push(tag, document),
            None => self.repo.push_untagged(document),
        }
    }

    fn get(&self, rest: &str) -> Answer {
        let path = format!("{}{rest}", self.versions);
        plain().api("GET", &path).signed(&self.owner).send()
    }

    fn post(&self, rest: &str) -> Answer {
        let path = format!("{}{rest}", self.versions);
        plain().api("POST", &path).signed(&self.owner).send()
    }

    fn ask(&self, rest: &str, body: &Value) -> Answer {
        let path = format!("{}{rest}", self.versions);
        let call = plain().api("POST", &path).signed(&self.owner);
        call.json(body).send()
    }

    fn delete(&self, id: i64, query: &str) -> Answer {
        let path = format!("{}/{id}{query}", self.versions);
        plain().api("DELETE", &path).signed(&self.owner).send()
    }

    /// The versions of a list, all pages of it.
    fn list(&self, query: &str) -> Vec<Value> {
        let mut found = Vec::new();
        let mut next = Some(format!("{}{query}", self.versions));
        while let Some(url) = next {
            let answer = plain().api("GET", &url).signed(&self.owner).send();
            let answer = answer.expect(200);
            found.extend(answer.json().as_array().unwrap().iter().cloned());
            next = answer.page("next").map(str::to_owned);
        }
        found
    }

    fn names(&self, query: &str) -> BTreeSet<String> {
        let list = self.list(query);
        let names = list.iter().map(|one| one["name"].as_str().unwrap());
        names.map(str::to_owned).collect()
    }

    fn id(&self, manifest: &Pushed) -> i64 {
        let list = self.list("?state=active");
        let found = list.iter().find(|one| one["name"] == *manifest.digest);
        found.unwrap()["id"].as_i64().unwrap()
    }

    fn is_served(&self, manifest: &Pushed) -> bool {
        let path = format!("manifests/{}", manifest.digest);
        self.repo.get(&path).send().status == 200
    }

    /// Everything that a client comes to from a tag, byte for byte: manifests, their blobs, their
    /// children, and what refers to each of them.
    fn tree(&self, tag: &str) -> BTreeMap<String, Vec<u8>> {
        let mut tree = BTreeMap::new();
        let answer = self.repo.get(&format!("manifests/{tag}")).send();
        let root = answer.expect(200).the("docker-content-digest").to_owned();
        let mut waiting = vec![root];
        while let Some(digest) = waiting.pop() {
            if tree.contains_key(&digest) {
                continue;
            }
            let answer = self.repo.get(&format!("manifests/{digest}")).send();
            let manifest = answer.expect(200);
            let document = manifest.json();
            tree.insert(digest.clone(), manifest.body.clone());
            if document["manifests"].is_array() {
                waiting.extend(digests(&document));
            }
            waiting.extend(self.repo.referrers(&digest));
            let layers = document["layers"].as_array().into_iter().flatten();
            for blob in layers.chain(document.get("config")) {
                let digest = blob["digest"].as_str().unwrap().to_owned();
                let answer = self.repo.get(&format!("blobs/{digest}")).send();
                tree.insert(digest, answer.expect(200).body.clone());
            }
        }
        tree
    }
}

fn tags(version: &Value) -> Vec<&str> {
    let tags = version["metadata"]["container"]["tags"].as_array().unwrap();
    tags.iter().map(|tag| tag.as_str().unwrap()).collect()
}

/// An index of two platforms with an attestation each, as buildkit makes it.
fn built(package: &Package, tag: Option<&str>, release: &str) -> (Pushed, Vec<Pushed>) {
    let mut children = Vec::new();
    for platform in ["amd64", "arm64"] {
        children.push(package.image(None, &format!("{release} {platform}")));
        let words = format!("provenance of {release} {platform}");
        children.push(package.artifact(None, "application/vnd.in-toto+json", &words, None));
    }
    let of: Vec<&Pushed> = children.iter().collect();
    let index = package.push(tag, &index(&of));
    (index, children)
}

#[test]
fn every_tagged_image_still_pulls_after_everything_untagged_was_deleted() {
    let package = Package::new("rest-cleanup");
    let (old, old_children) = built(&package, None, "old");
    let (first, first_children) = built(&package, Some("1"), "first");
    let shared = first_children.first().unwrap();
    let own = package.image(None, "own");
    package.push(Some("2"), &index(&[shared, &own]));
    // A signature and an SBOM that refer to what they are about, and a signature of the SBOM.
    let kind = "application/vnd.dev.cosign.artifact.sig.v1+json";
    let signature = package.artifact(None, kind, "signature", Some(&first));
    let sbom = package.artifact(None, "application/spdx+json", "sbom", Some(shared));
    package.artifact(None, kind, "signature of the sbom", Some(&sbom));
    // And a signature as cosign attaches it by tag.
    let hex = first.digest.strip_prefix("sha256:").unwrap();
    let by_tag = format!("sha256-{hex}.sig");
    package.artifact(Some(&by_tag), kind, "signature by tag", None);
    let before: Vec<_> = ["1", "2", &by_tag].map(|tag| package.tree(tag)).into();
    let (manifests, blobs) = (1 + 4 + 3, 4 + 2 + 3 + 1);
    assert_eq!(before[0].len(), manifests + blobs, "nothing is left out");

    // As GitHub's action and many scripts do it.
    let untagged = package.list("?per_page=3");
    let untagged: Vec<_> = untagged.iter().filter(|one| tags(one).is_empty()).collect();
    assert_eq!(untagged.len(), 1 + 4 + 4 + 1 + 3);
    for version in &untagged {
        package
            .delete(version["id"].as_i64().unwrap(), "")
            .expect(204);
    }

    let after: Vec<_> = ["1", "2", &by_tag].map(|tag| package.tree(tag)).into();
    assert_eq!(before, after, "byte for byte");
    assert_eq!(package.list("").len(), 3, "only what has a tag is listed");
    assert!(package.names("?state=active").contains(&signature.digest));
    for gone in old_children.iter().chain([&old]) {
        assert!(!package.is_served(gone), "nothing reaches it");
    }
}

#[test]
fn a_version_looks_as_at_the_vendor() {
    let package = Package::new("rest-look");
    let pushed = package.image(Some("1.0"), "look");
    package.repo.put_manifest("latest", &pushed).expect(201);
    let list = package.list("");
    let [version] = list.as_slice() else {
        panic!("{list:?}")
    };
    let origin = plain().process.host();
    let id = version["id"].as_i64().unwrap();
    assert_eq!(version["name"], *pushed.digest);
    let web = format!("http://{origin}/users/rest-look/packages/container");
    assert_eq!(version["package_html_url"], format!("{web}/package/app"));
    assert_eq!(version["html_url"], format!("{web}/app/{id}"));
    let api = format!("http://{origin}/api/v3{}/{id}", package.versions);
    assert_eq!(version["url"], *api);
    assert_eq!(version["metadata"]["package_type"], "container");
    assert_eq!(tags(version).len(), 2);
    assert!(version.get("deleted_at").is_none());
    assert_eq!(package.get(&format!("/{id}")).expect(200).json(), *version);
    let by_me = format!("/user/packages/container/app/versions/{id}");
    let by_me = plain().api("GET", &by_me).signed(&package.owner).send();
    assert_eq!(by_me.expect(200).json(), *version);
}

#[test]
fn a_version_of_the_docker_registry_has_its_tags_by_both_names() {
    let owner = plain().someone_with_all("rest-legacy");
    let basic = Credential::basic("rest-legacy", owner.secret());
    let repo = Repo::new(plain(), "rest-legacy/source/image", basic);
    repo.at_host("docker.localhost").push_image("1.0");
    let path = "/users/rest-legacy/packages/docker/source%2Fimage/versions";
    let list = plain().api("GET", path).signed(&owner).send().expect(200);
    let tags = json!({ "tag": ["1.0"], "tags": ["1.0"] });
    let expected = json!({ "package_type": "docker", "docker": tags });
    assert_eq!(list.json()[0]["metadata"], expected);
}

#[test]
fn versions_come_in_pages_newest_first() {
    let package = Package::new("rest-version-pages");
    let pushed = package.five_images();
    let names = |list: &[Value]| -> Vec<String> {
        let names = list.iter().map(|one| one["name"].as_str().unwrap());
        names.map(str::to_owned).collect()
    };
    let expected: Vec<String> = pushed.iter().rev().map(|one| one.digest.clone()).collect();
    assert_eq!(names(&package.list("?per_page=2")), expected);
    let second = package.get("?per_page=2&page=2").expect(200);
    assert_eq!(names(second.json().as_array().unwrap()), expected[2..4]);
    for (relation, page) in [("prev", 1), ("last", 3), ("first", 1)] {
        let url = second.page(relation).unwrap();
        assert!(url.ends_with(&format!("page={page}")), "{relation} {url}");
    }
    let last = package.list("").last().unwrap()["id"].as_i64().unwrap();
    let third = package.list("")[2]["id"].as_i64().unwrap();
    let after = package.list(&format!("?per_page=1&after={third}"));
    assert_eq!(names(&after), expected[3..]);
    assert!(package.list(&format!("?after={last}")).is_empty());
    let nowhere = package.get("?after=2000000000").expect(422);
    assert!(nowhere.text().contains("after"), "{nowhere:?}");
    package.get("?state=sleeping").expect(400);
    package.get("?page=101&per_page=100").expect(400);
}

#[test]
fn the_next_page_begins_where_this_one_ends_whatever_is_pushed_meanwhile() {
    let package = Package::new("rest-version-places");
    let pushed = package.five_images();
    let digests = |answer: &Answer| -> Vec<String> {
        let versions = answer.json();
        let versions = versions.as_array().unwrap().iter();
        let digests = versions.map(|one| one["name"].as_str().unwrap().to_owned());
        digests.collect()
    };
    let second = package.get("?per_page=2&page=2").expect(200);
    let place = second.json()[1]["id"].as_i64().unwrap();
    let next = second.page("next").unwrap();
    assert!(
        next.ends_with(&format!("&page=3&after={place}~3")),
        "{next}"
    );

    let newest = package.image(Some("meanwhile"), "meanwhile").digest;
    let at = |page: u64| package.get(&format!("?per_page=2&page={page}&after={place}~3"));
    let third = at(3).expect(200);
    assert_eq!(digests(&third), [pushed[0].digest.clone()]);
    assert!(third.page("prev").unwrap().ends_with("page=2"));
    assert_eq!(third.page("next"), None);
    // Whoever changes the number means that page.
    let first = at(1).expect(200);
    assert_eq!(digests(&first), [newest, pushed[4].digest.clone()]);
    assert!(first.page("last").unwrap().ends_with("page=3"));
}

#[test]
fn a_delete_names_what_keeps_a_version_and_refuses_where_told_to() {
    let package = Package::new("rest-keeper");
    let child = package.image(None, "child");
    let parent = package.push(Some("1"), &index(&[&child]));
    let id = package.id(&child);
    let refused = package.delete(id, "?needed=refuse").expect(409);
    assert!(refused.message().contains(&parent.digest), "{refused:?}");
    let preview = package.delete(id, "?dry_run=true").expect(200).json();
    assert_eq!(preview["versions"][0]["fate"], "withdrawn");
    assert_eq!(
        preview["versions"][0]["retained_by"]["name"],
        *parent.digest
    );
    assert_eq!(preview["freed_bytes"], 0);
    assert!(package.names("").contains(&child.digest), "nothing changed");
    let deleted = package.delete(id, "").expect(204);
    assert_eq!(
        deleted.header("naru-retained-by"),
        Some(parent.digest.as_str())
    );
    assert!(package.is_served(&child));
    // It is served still, so its address leads to it, as the list of what is served says.
    let shown = package.get(&format!("/{id}")).expect(200).json();
    assert!(shown["deleted_at"].is_string());
    assert_eq!(tags(&shown), [""; 0]);
    let active = package.list("?state=active");
    assert!(active.contains(&shown));
    for version in &active {
        let url = version["url"].as_str().unwrap();
        let answer = plain().api("GET", url).signed(&package.owner).send();
        assert_eq!(answer.expect(200).json(), *version);
    }
    package.delete(id, "").expect(404);
    assert!(package.names("?state=deleted").contains(&child.digest));
}

#[test]
fn a_parameter_that_is_misspelt_deletes_nothing() {
    let package = Package::new("rest-misspelt");
    let version = package.image(Some("1"), "one");
    package.image(Some("2"), "two");
    let id = package.id(&version);
    for query in [
        "?dryrun=true",
        "?dry_run=True",
        "?dry_run=1",
        "?dry_run=",
        "?dry_run",
        "?needed=maybe",
        "?cascade=everything",
        "?dry_run=true&dry_run=false",
    ] {
        package.delete(id, query).expect(422);
    }
    assert!(package.names("").contains(&version.digest));
    package
        .delete(id, "?dry_run=false&cascade=none")
        .expect(204);
    assert!(!package.is_served(&version));
}

#[test]
fn the_last_tagged_version_is_refused_with_the_vendors_sentence() {
    let package = Package::new("rest-last");
    let version = package.image(Some("1"), "one");
    package.image(None, "untagged");
    let refused = package.delete(package.id(&version), "").expect(400);
    assert_eq!(
        refused.message(),
        "You cannot delete the last tagged version of a package. You must delete the package instead."
    );
}

#[test]
fn a_cascade_takes_a_release_along_and_a_restore_brings_it_back() {
    let package = Package::new("rest-cascade");
    package.image(Some("other"), "other");
    let (release, children) = built(&package, Some("1"), "release");
    let kind = "application/vnd.dev.cosign.artifact.sig.v1+json";
    let signature = package.artifact(None, kind, "signature", Some(&release));
    let before = package.tree("1");
    let id = package.id(&release);
    let preview = package.delete(id, "?cascade=all&dry_run=true").expect(200);
    let preview = preview.json();
    let fates = preview["versions"].as_array().unwrap();
    assert_eq!(fates.len(), 6);
    assert!(
        fates.iter().all(|one| one["fate"] == "deleted"),
        "{preview}"
    );
    assert!(preview["freed_bytes"].as_u64().unwrap() > 0);
    package.delete(id, "?cascade=all").expect(204);
    for gone in children.iter().chain([&release, &signature]) {
        assert!(!package.is_served(gone));
    }
    package.post(&format!("/{id}/restore")).expect(204);
    assert_eq!(package.tree("1"), before);
    package.post(&format!("/{id}/restore")).expect(404);
}

#[test]
fn many_versions_are_deleted_and_restored_at_once() {
    let package = Package::new("rest-many");
    package.image(Some("main"), "main");
    for number in 1..4 {
        package.image(Some(&format!("pr-{number}")), &number.to_string());
    }
    let loose = package.image(None, "loose");
    let filter = json!({ "tags": ["pr-*"], "keep_newest": 1 });
    for (body, field) in [
        (json!({ "filter": filter }), "dry_run"),
        (json!({ "dry_run": true }), "ids"),
        (
            json!({ "dry_run": true, "ids": [1], "filter": filter }),
            "ids",
        ),
        (json!({ "dry_run": "yes", "filter": filter }), "dry_run"),
        (
            json!({ "dry_run": true, "filter": { "oldre": 1 } }),
            "filter",
        ),
    ] {
        let refused = package.ask("/delete-request", &body).expect(422);
        assert!(refused.text().contains(field), "{body} {refused:?}");
    }
    let mut body = json!({ "dry_run": true, "filter": filter });
    let preview = package.ask("/delete-request", &body).expect(200).json();
    assert_eq!(package.list("").len(), 5, "nothing changed");
    body["dry_run"] = false.into();
    let done = package.ask("/delete-request", &body).expect(200).json();
    assert_eq!(done["freed_bytes"], preview["freed_bytes"]);
    let gone: BTreeSet<&str> = done["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["tags"][0].as_str().unwrap())
        .collect();
    assert_eq!(gone, ["pr-1", "pr-2"].into());
    let id = package.id(&loose);
    let body = json!({ "dry_run": false, "ids": [id, 2_000_000_000] });
    let done = package.ask("/delete-request", &body).expect(200).json();
    assert_eq!(done["versions"][0]["name"], *loose.digest);
    assert_eq!(done["unknown"], json!([2_000_000_000]));
    let body = json!({ "dry_run": true, "filter": { "tags": ["pr-2"] } });
    let one = package.ask("/restore-request", &body).expect(200).json();
    assert_eq!(one["versions"][0]["tags"], json!(["pr-2"]));
    assert_eq!((&one["more"], &one["stop"]), (&json!(false), &json!(null)));
    let body = json!({ "dry_run": false, "filter": { "after": 2_000_000_000 } });
    package.ask("/restore-request", &body).expect(422);
    let body = json!({ "dry_run": false, "filter": {} });
    let back = package.ask("/restore-request", &body).expect(200).json();
    assert_eq!(back["versions"].as_array().unwrap().len(), 3);
    assert_eq!(package.list("").len(), 5);
    assert_eq!(package.repo.tags(), ["main", "pr-1", "pr-2", "pr-3"]);
}

/// Requests to everything about a version, with what they would do.
fn requests(versions: &str, id: i64) -> Vec<(&'static str, String)> {
    vec![
        ("GET", versions.to_owned()),
        ("GET", format!("{versions}?state=deleted")),
        ("GET", format!("{versions}/{id}")),
        ("DELETE", format!("{versions}/{id}")),
        ("DELETE", format!("{versions}/{id}?dry_run=true")),
        ("POST", format!("{versions}/{id}/restore")),
    ]
}

fn status(server: &Server, method: &'static str, path: &str, who: &Credential) -> (u16, String) {
    let answer = server.api(method, path).signed(who).send();
    (answer.status, answer.text())
}

#[test]
fn whoever_may_not_know_of_a_package_hears_what_they_hear_of_none() {
    let package = Package::new("rest-hidden");
    let id = package.id(&package.image(Some("1"), "one"));
    let stranger = plain().someone_with_all("rest-stranger");
    let absent = package.versions.replace("/app/", "/none/");
    let there = requests(&package.versions, id);
    for ((method, path), (_, absent)) in there.iter().zip(requests(&absent, id)) {
        let there = status(plain(), method, path, &stranger);
        assert_eq!(there.0, 404, "{method} {path}");
        assert_eq!(there, status(plain(), method, &absent, &stranger));
        plain().api(method, path).send().expect(401);
        plain().api(method, &absent).send().expect(401);
    }
    assert_eq!(package.list("").len(), 1);
}

#[test]
fn a_token_without_the_scope_is_told_which_one() {
    let package = Package::new("rest-scopes");
    let id = package.id(&package.image(Some("1"), "one"));
    let narrow = plain().token(&package.login, &["repo"]);
    let narrow = Credential::bearer(&narrow);
    let list = plain().api("GET", &package.versions).signed(&narrow);
    assert_eq!(
        list.send().expect(403).message(),
        "You need at least read:packages scope to get a package's versions."
    );
    let path = format!("{}/{id}", package.versions);
    let reading = plain().token(&package.login, &["read:packages"]);
    let reading = Credential::bearer(&reading);
    let refused = plain().api("DELETE", &path).signed(&reading).send();
    assert!(refused.expect(403).message().contains("delete:packages"));
}

#[test]
fn the_command_line_previews_a_delete_and_refuses_what_is_needed() {
    let package = Package::new("rest-cli");
    package.image(Some("other"), "other");
    let (release, children) = built(&package, Some("1"), "release");
    let child = children.first().unwrap();
    let target = format!("{}/app", package.login);
    let by_digest = format!("{target}@{}", child.digest);
    let refused = run(&["package", "delete", &by_digest]).unwrap_err();
    assert!(refused.contains(&release.digest), "{refused}");
    let whole = run(&["package", "delete", &target, "--dry-run", "--json"]).unwrap();
    let whole: Value = serde_json::from_str(&whole).unwrap();
    let whole = whole.as_array().unwrap();
    assert_eq!(whole.len(), 6);
    assert!(whole.iter().all(|one| one["because"] == "in the package"));
    let by_tag = format!("{target}:1");
    let all = ["package", "delete", &by_tag, "--cascade", "all"];
    let preview = run(&[&all[..], &["--dry-run", "--json"]].concat()).unwrap();
    let preview: Value = serde_json::from_str(&preview).unwrap();
    let fates = preview.as_array().unwrap();
    assert!(
        fates.iter().all(|one| one["fate"] == "deleted"),
        "{preview}"
    );
    assert_eq!(fates.len(), 5);
    assert!(package.is_served(&release), "nothing changed");
    run(&all).unwrap();
    soon(|| !package.is_served(&release) && !package.is_served(child));
    let deleted = run(&["package", "versions", &target, "--deleted"]).unwrap();
    assert_eq!(deleted.lines().count(), 5);
    let restored = format!("{target}@{}", release.digest);
    run(&["package", "restore", &restored]).unwrap();
    soon(|| package.is_served(&release) && package.is_served(child));
    let number = package.id(&release).to_string();
    run(&["package", "delete", &target, "--version", &number]).unwrap();
    soon(|| !package.is_served(&release) && package.is_served(child));
}

/// What a command does beside the server shows within a second, or five on another replica.
#[track_caller]
fn soon(is_so: impl Fn() -> bool) {
    for _ in 0..60 {
        if is_so() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("not within six seconds");
}

/// Runs a command beside the server: what it printed, or what it said.
fn run(arguments: &[&str]) -> Result<String, String> {
    let mut command = plain().process.command();
    let done = command.args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    match done.status.success() {
        true => Ok(text(&done.stdout)),
        false => Err(text(&done.stderr)),
    }
}

#[test]
fn an_organization_makes_it_the_rule_that_what_is_needed_is_not_deleted() {
    let owner = plain().organization("rest-needed");
    let basic = Credential::basic("rest-needed-owner", owner.secret());
    let package = Package {
        login: "rest-needed".to_owned(),
        repo: Repo::new(plain(), "rest-needed/app", basic),
        owner: owner.clone(),
        versions: "/orgs/rest-needed/packages/container/app/versions".to_owned(),
    };
    let (parent, children) = built(&package, Some("1"), "needed");
    let id = package.id(&children[0]);
    let rule = |refuse: bool| {
        let settings = json!({ "refuse_needed_deletes": refuse });
        let patch = plain().api("PATCH", "/orgs/rest-needed/settings/packages");
        patch.signed(&owner).json(&settings).send().expect(200);
    };
    rule(true);
    let refused = package.delete(id, "").expect(422);
    assert!(refused.text().contains(&parent.digest), "{refused:?}");
    assert!(package.names("").contains(&children[0].digest));
    // Who says what they want is not held to what they did not say.
    package.delete(id, "?needed=refuse").expect(409);
    package.delete(id, "?needed=withdraw").expect(204);
    assert!(package.is_served(&children[0]));
    rule(false);
    package.delete(package.id(&children[1]), "").expect(204);
}
