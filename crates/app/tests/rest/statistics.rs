//! Statistics of packages and versions.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::kit::content::image;
use crate::kit::http::Credential;
use crate::kit::repo::Repo;
use crate::kit::server::plain;

/// The longest that a download waits to be counted, and a little more.
const SOON: Duration = Duration::from_secs(25);

fn repo(owner: &str, credential: &Credential, package: &str) -> Repo<'static> {
    let basic = Credential::basic(owner, credential.secret());
    let repo = Repo::new(plain(), &format!("{owner}/{package}"), basic);
    let config = format!("{{\"of\":\"{owner}/{package}\"}}");
    repo.push_blob(config.as_bytes());
    repo.push("1", &image(config.as_bytes(), &[]));
    repo
}

/// The body of an answer, when it is so.
fn eventually(path: &str, caller: &Credential, is_so: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let answer = plain().api("GET", path).signed(caller).send().expect(200);
        let body = answer.json();
        if is_so(&body) {
            return body;
        }
        assert!(begun.elapsed() < SOON, "{body}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_get_counts_and_a_head_or_an_unchanged_manifest_does_not() {
    let octo = plain().someone_with_all("stats-counts");
    let repo = repo("stats-counts", &octo, "app");
    let got = repo.get("manifests/1").send().expect(200);
    repo.head("manifests/1").send().expect(200);
    let etag = got.the("etag").to_owned();
    repo.get("manifests/1")
        .with("If-None-Match", &etag)
        .send()
        .expect(304);
    repo.get("manifests/1").send().expect(200);
    let base = "/user/packages/container/app";
    let found = eventually(&format!("{base}/statistics"), &octo, |body| {
        body["downloads"] != 0
    });
    assert_eq!(
        (&found["downloads"], &found["pulls"]),
        (&2.into(), &2.into())
    );
    assert_eq!(found["downloads_last_30_days"], 2);
    assert!(found["last_downloaded_at"].is_string());
    let bytes = &found["bytes"];
    assert_eq!(bytes["total"], bytes["unique"]);
    assert_eq!(
        (&bytes["shared"], &bytes["complete"]),
        (&0.into(), &true.into())
    );

    let days = format!("{base}/statistics/downloads?per=day&days=7");
    let days = plain().api("GET", &days).signed(&octo).send().expect(200);
    let days = days.json();
    let days = days.as_array().unwrap();
    assert_eq!(days.len(), 7);
    assert_eq!(
        (&days[6]["downloads"], &days[0]["downloads"]),
        (&2.into(), &0.into())
    );
    for wrong in ["per=week", "days=0", "days=397", "days=x"] {
        let path = format!("{base}/statistics/downloads?{wrong}");
        plain().api("GET", &path).signed(&octo).send().expect(400);
    }
}

#[test]
fn whoever_only_reads_a_package_is_told_downloads_and_no_bytes() {
    let octo = plain().someone_with_all("stats-public");
    repo("stats-public", &octo, "app");
    let path = "/users/stats-public/packages/container/app/statistics";
    for absent in [
        path,
        "/users/stats-nobody/packages/container/app/statistics",
    ] {
        let answer = plain().api("GET", absent).send().expect(401);
        assert_eq!(answer.message(), "Requires authentication");
    }
    let stranger = plain().someone_with_all("stats-stranger");
    plain()
        .api("GET", path)
        .signed(&stranger)
        .send()
        .expect(404);
    plain().set_visibility("stats-public/app", "public");
    // What the command line does beside the server shows within a second.
    let shows = || {
        let stranger = plain().api("GET", path).signed(&stranger).send();
        let nobody = plain().api("GET", path).send();
        (stranger.status, nobody.status) == (200, 200)
    };
    assert!(crate::kit::eventually(SOON, shows));
    for answer in [
        plain().api("GET", path).send().expect(200),
        plain()
            .api("GET", path)
            .signed(&stranger)
            .send()
            .expect(200),
    ] {
        let body = answer.json();
        assert!(
            body["downloads"].is_u64() && body["bytes"].is_null(),
            "{body}"
        );
    }
}

#[test]
fn an_image_of_the_docker_registry_is_as_undeletable_as_its_repository_is_public() {
    let octo = plain().someone_with_all("stats-legacy");
    let settings = serde_json::json!({ "undeletable_downloads": 1 });
    let patch = plain().api("PATCH", "/user/settings/packages");
    patch.signed(&octo).json(&settings).send().expect(200);
    let basic = Credential::basic("stats-legacy", octo.secret());
    let repo = Repo::new(plain(), "stats-legacy/source/image", basic);
    let repo = repo.at_host("docker.localhost");
    repo.push_image("1.0");
    for _ in 0..2 {
        repo.get("manifests/1.0").send().expect(200);
    }
    let image = "/user/packages/docker/source%2Fimage";
    let statistics = format!("{image}/statistics");
    eventually(&statistics, &octo, |body| body["downloads"] == 2);
    let delete = || {
        let path = format!("{image}?dry_run=true");
        plain().api("DELETE", &path).signed(&octo).send()
    };
    delete().expect(200);
    plain().naru(["repo", "visibility", "stats-legacy/source", "public"]);
    let refused = delete().expect(400);
    assert!(
        refused.message().contains("more than 1 downloads"),
        "{refused:?}"
    );
}
