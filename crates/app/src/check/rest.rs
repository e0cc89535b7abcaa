//! The REST API beside a registry, in GitHub's shapes: packages, scopes, versions.

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use url::Url;

use super::client::{Attempt, Got};
use super::reason::Reason;
use super::{Check, Good};

/// Lists longer than this many pages are not read to their end.
const PAGES: usize = 100;

/// What is known of a REST API once it has answered.
#[derive(Debug)]
pub(super) struct Rest {
    /// Where the package that was pushed is.
    package: Url,
    /// `X-OAuth-Scopes`, if it says what the token may be used for.
    scopes: Option<String>,
    /// The version that was pushed, once it was found.
    version: Option<u64>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    visibility: String,
}

#[derive(Deserialize)]
struct Version {
    id: u64,
    name: String,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    container: Container,
}

#[derive(Deserialize)]
struct Container {
    tags: Vec<String>,
}

impl Check {
    /// `GET /users/OWNER/packages?package_type=container`, which serves organizations too.
    pub(super) async fn list_by_rest(&mut self) -> Attempt<Good> {
        let (owner, image) = self.name.split_once('/').unwrap_or((&self.name, ""));
        let Some(url) = rest_url(self.client.base(), &["users", owner, "packages"]) else {
            return Ok(Good::Skipped("there is no REST API beside it".to_owned()));
        };
        let mut package = url.clone();
        if let Ok(mut path) = package.path_segments_mut() {
            path.extend(["container", image]);
        }
        let mut next = Some(with_query(url, &[("package_type", "container")]));
        for _ in 0..PAGES {
            let Some(url) = next else { break };
            let got = self.client.rest(Method::GET, url.clone()).await?;
            let packages = serde_json::from_slice::<Vec<Package>>(&got.body);
            let packages = match (got.status, packages) {
                (StatusCode::OK, Ok(packages)) => packages,
                (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => {
                    return Err(Reason::refused(&got.answer(), self.client.user()));
                }
                _ => return Ok(Good::Skipped("it has no REST API like GitHub's".to_owned())),
            };
            if let Some(found) = packages.iter().find(|package| package.name == image) {
                self.rest = Some(Rest {
                    package,
                    scopes: got.header("x-oauth-scopes").map(str::to_owned),
                    version: None,
                });
                let Package { name, visibility } = found;
                return Ok(Good::Done(format!("{name} is {visibility}")));
            }
            next = got.next(&url);
        }
        let why = format!("the packages of {owner} lack {image}");
        Err(Reason::new(why, "list them with `naru package list`"))
    }

    /// What the token may be used for, as clean-up tools ask before they begin.
    pub(super) fn scopes_by_rest(&self) -> Attempt<Good> {
        let Some(rest) = &self.rest else {
            return Ok(Good::Skipped("packages are not listed".to_owned()));
        };
        match &rest.scopes {
            None => Ok(Good::Skipped("it does not say which there are".to_owned())),
            Some(scopes) if scopes.contains("delete:packages") => Ok(Good::Done(scopes.clone())),
            Some(scopes) => Err(Reason::new(
                format!("the token has the scopes `{scopes}`, not delete:packages"),
                "clean-up tools stop at that: make a token with the scope delete:packages for them",
            )),
        }
    }

    /// The version that was pushed, by its digest, with its tag.
    pub(super) async fn versions_by_rest(&mut self) -> Attempt<Good> {
        let Some(rest) = &self.rest else {
            return Ok(Good::Skipped("packages are not listed".to_owned()));
        };
        let mut next = Some(with_query(below(&rest.package, &["versions"]), &[]));
        let digest = self.image.manifest.digest.to_string();
        for _ in 0..PAGES {
            let Some(url) = next else { break };
            let got = self.client.rest(Method::GET, url.clone()).await?;
            let got = got.expect(&[StatusCode::OK], self.client.user())?;
            if let Some(version) = version_in(&got, &digest)? {
                return self.found(version);
            }
            next = got.next(&url);
        }
        Err(Reason::new(
            format!("the versions of {} lack {digest}", self.name),
            "a cache in front of the REST API may serve an old list",
        ))
    }

    fn found(&mut self, version: Version) -> Attempt<Good> {
        let Version { id, metadata, .. } = version;
        if !metadata.container.tags.contains(&self.image.tag) {
            let why = format!("version {id} lacks the tag {}", self.image.tag);
            return Err(Reason::new(
                why,
                "a cache in front of the REST API may serve an old list",
            ));
        }
        if let Some(rest) = &mut self.rest {
            rest.version = Some(id);
        }
        Ok(Good::Done(format!("{id} has the tag {}", self.image.tag)))
    }

    /// Deletes what was pushed where `/v2/` deletes nothing, as on GitHub: the version, or, since the
    /// last tagged one cannot be deleted, the package that was made for it. `left` says what would
    /// be left there.
    pub(super) async fn delete_by_rest(&mut self, left: &str) -> Attempt<Good> {
        let rest = self.rest.as_ref();
        let Some((package, version)) = rest.and_then(|rest| Some((&rest.package, rest.version?)))
        else {
            let detail = format!("it deletes nothing over `/v2/`; {left}");
            return Ok(Good::Skipped(detail));
        };
        let version = below(package, &["versions", &version.to_string()]);
        let got = self.client.rest(Method::DELETE, version).await?;
        if got.status == StatusCode::BAD_REQUEST && self.is_new {
            let got = self.client.rest(Method::DELETE, package.clone()).await?;
            got.expect(&[StatusCode::NO_CONTENT], self.client.user())?;
            return Ok(Good::Done(
                "gone again by REST, with its package".to_owned(),
            ));
        }
        match got.status {
            StatusCode::NO_CONTENT => Ok(Good::Done("gone again by REST".to_owned())),
            StatusCode::FORBIDDEN => Err(Reason::new(
                got.answer().to_string(),
                format!(
                    "use a token with the scope delete:packages of somebody who has the admin \
                     role; {left}"
                ),
            )),
            _ => Err(Reason::refused(&got.answer(), self.client.user())),
        }
    }
}

fn version_in(got: &Got, digest: &str) -> Attempt<Option<Version>> {
    let versions: Vec<Version> = serde_json::from_slice(&got.body).map_err(|error| {
        Reason::new(
            format!("{} is not in GitHub's shape: {error}", got.what()),
            "GitHub's clean-up tools would stop at this; tell whoever runs the server",
        )
    })?;
    Ok(versions.into_iter().find(|version| version.name == digest))
}

/// Where something of the REST API of a registry is: below `/api/v3` on the same host, as on GitHub
/// Enterprise Server, and on a host of its own for github.com.
fn rest_url(registry: &Url, path: &[&str]) -> Option<Url> {
    let mut url = match registry.host_str() {
        Some("ghcr.io") => Url::parse("https://api.github.com/").ok()?,
        _ => registry.join("/api/v3/").ok()?,
    };
    url.path_segments_mut().ok()?.pop_if_empty().extend(path);
    Some(url)
}

fn below(url: &Url, path: &[&str]) -> Url {
    let mut url = url.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.extend(path);
    }
    url
}

/// A list in pages as long as there are.
fn with_query(mut url: Url, pairs: &[(&str, &str)]) -> Url {
    url.query_pairs_mut()
        .extend_pairs(pairs)
        .append_pair("per_page", "100");
    url
}
