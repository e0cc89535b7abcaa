//! `snok/container-retention-policy`: it asks for the rate limit first, stops where the token lacks
//! `delete:packages`, and stops at a relation in `Link` that it does not know. Releases before the
//! protection of multi-architecture images delete the children of what they keep; later ones read
//! the kept manifests first (and know no registry but GitHub's, so this is what they would do).

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{Job, Version};
use crate::api::{BASE, Call};
use crate::kit::http::{Answer, Method};

/// Its inputs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    /// Which release: with `true`, one that protects children of what it keeps.
    pub(crate) protects: bool,
    /// `tag-selection: both` instead of `untagged`.
    pub(crate) tagged_too: bool,
    /// `keep-n-most-recent`, of the tagged ones.
    pub(crate) keep: usize,
}

/// Runs it; answers what it deleted.
pub(crate) fn run(job: &Job<'_>, wish: Wish) -> Vec<Version> {
    check_rate_limit(job);
    let packages = pages(
        job,
        &format!("{}?package_type=container&per_page=100", packages(job)),
    );
    let names: Vec<&Value> = packages.iter().map(|package| &package["name"]).collect();
    assert!(
        names.contains(&&Value::from(job.package.clone())),
        "{names:?}"
    );
    let path = format!(
        "{}/container/{}/versions?per_page=100",
        packages_of(job),
        job.encoded()
    );
    let versions: Vec<_> = pages(job, &path).iter().map(Version::read).collect();
    let (mut tagged, mut doomed): (Vec<_>, Vec<_>) = versions
        .into_iter()
        .partition(|version| !version.tags.is_empty());
    tagged.sort_by(|one, other| other.updated_at.cmp(&one.updated_at));
    if wish.tagged_too {
        doomed.extend(tagged.split_off(wish.keep.min(tagged.len())));
    }
    if wish.protects {
        let children = children(job, &tagged);
        doomed.retain(|version| !children.contains(&version.digest));
    }
    for version in &doomed {
        let path = format!(
            "{}/container/{}/versions/{}",
            packages_of(job),
            job.encoded(),
            version.id
        );
        call(job, "DELETE", &path).send().expect(204);
    }
    doomed
}

fn packages_of(job: &Job<'_>) -> String {
    match job.is_organization {
        true => format!("/orgs/{}/packages", job.owner),
        false => "/user/packages".to_owned(),
    }
}

fn packages(job: &Job<'_>) -> String {
    packages_of(job)
}

fn call(job: &Job<'_>, method: Method, path: &str) -> Call {
    job.server
        .api_as("snok/container-retention-policy", method, path)
        .with("Accept", "application/vnd.github+json")
        .with("X-GitHub-Api-Version", "2022-11-28")
        .with("Authorization", &format!("Bearer {}", job.token))
}

fn check_rate_limit(job: &Job<'_>) {
    let answer = call(job, "GET", "/rate_limit").send().expect(200);
    assert!(
        answer.the("x-oauth-scopes").contains("delete:packages"),
        "{answer:?}"
    );
    assert!(remaining(&answer) > 100);
    let reset: i64 = answer.the("x-ratelimit-reset").parse().unwrap();
    assert!(reset > 1_700_000_000, "{reset} is no time in seconds");
}

fn remaining(answer: &Answer) -> usize {
    answer.the("x-ratelimit-remaining").parse().unwrap()
}

/// Every entry of a list. It reads the parts of `Link` one by one, up to the one that says `next`.
fn pages(job: &Job<'_>, path: &str) -> Vec<Value> {
    let mut entries = Vec::new();
    let mut next = Some(path.to_owned());
    while let Some(path) = next {
        let answer = call(job, "GET", &path).send().expect(200);
        entries.extend(answer.json().as_array().unwrap().iter().cloned());
        assert!(remaining(&answer) > 1);
        next = answer.header("link").and_then(next_link);
    }
    entries
}

fn next_link(link: &str) -> Option<String> {
    for part in link.split(',') {
        if ["prev", "first", "last"]
            .iter()
            .any(|word| part.contains(word))
        {
            continue;
        }
        assert!(part.contains("next"), "the tool would stop at {part}");
        let sections: Vec<&str> = part.trim().split(';').collect();
        assert_eq!(sections.len(), 2, "the tool would stop at {part}");
        let url = sections[0].trim().trim_matches(['<', '>']);
        return Some(url.split_once(BASE).unwrap().1.to_owned());
    }
    None
}

/// The children of the indexes among these, asked for with the token itself in base64.
fn children(job: &Job<'_>, kept: &[Version]) -> BTreeSet<String> {
    let mut children = BTreeSet::new();
    for version in kept {
        let path = format!(
            "/v2/{}/{}/manifests/{}",
            job.owner, job.package, version.digest
        );
        let answer = job
            .server
            .get(&path)
            .with("Authorization", &format!("Bearer {}", STANDARD.encode(&job.token)))
            .with(
                "Accept",
                "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json",
            )
            .send()
            .expect(200);
        let manifests = answer.json()["manifests"].clone();
        let entries = manifests.as_array().cloned().unwrap_or_default();
        children.extend(
            entries
                .iter()
                .map(|entry| entry["digest"].as_str().unwrap().to_owned()),
        );
    }
    children
}
