//! What was begun and what was acknowledged, and how that compares with what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use reqwest::{Method, StatusCode};

use crate::client::{Client, digest};

/// Notes of all clients.
#[derive(Default)]
pub(crate) struct Ledger {
    stopped: AtomicBool,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    /// Blobs by repository and digest: acknowledged or only begun.
    blobs: BTreeMap<(String, String), bool>,
    /// Manifests by repository and digest.
    manifests: BTreeMap<(String, String), bool>,
    /// Tags by repository and name: each has one client that writes it.
    tags: BTreeMap<(String, String), Tag>,
}

/// Where a tag may point: what was acknowledged last, or anything begun since.
#[derive(Clone, Default)]
struct Tag {
    allowed: BTreeSet<Option<String>>,
}

/// What the comparison found.
pub(crate) struct Report {
    pub(crate) acknowledged: usize,
    begun: usize,
    pub(crate) faults: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            acknowledged,
            begun,
            faults,
        } = self;
        write!(
            f,
            "{begun} things begun, {acknowledged} acknowledged, {} faults",
            faults.len()
        )
    }
}

impl Ledger {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    pub(crate) fn blob(&self, repository: &str, digest: &str, acknowledged: bool) {
        let key = (repository.to_owned(), digest.to_owned());
        *self.notes().blobs.entry(key).or_default() |= acknowledged;
    }

    pub(crate) fn manifest(&self, repository: &str, digest: &str, acknowledged: bool) {
        let key = (repository.to_owned(), digest.to_owned());
        *self.notes().manifests.entry(key).or_default() |= acknowledged;
    }

    /// A tag is about to be pointed at `target`, or removed for `None`.
    pub(crate) fn tag_begun(&self, repository: &str, name: &str, target: Option<&str>) {
        let key = (repository.to_owned(), name.to_owned());
        let mut notes = self.notes();
        let tag = notes.tags.entry(key).or_default();
        if tag.allowed.is_empty() {
            tag.allowed.insert(None);
        }
        tag.allowed.insert(target.map(ToOwned::to_owned));
    }

    /// It was: nothing earlier is allowed any more.
    pub(crate) fn tag_acknowledged(&self, repository: &str, name: &str, target: Option<&str>) {
        let key = (repository.to_owned(), name.to_owned());
        let mut notes = self.notes();
        let tag = notes.tags.entry(key).or_default();
        tag.allowed = BTreeSet::from([target.map(ToOwned::to_owned)]);
    }
}

/// Asks for everything that was noted.
pub(crate) async fn compare(ledger: &Ledger, client: &Client) -> Report {
    let (blobs, manifests, tags) = {
        let notes = ledger.notes();
        (
            notes.blobs.clone(),
            notes.manifests.clone(),
            notes.tags.clone(),
        )
    };
    let mut faults = Vec::new();
    for (kind, things) in [("blobs", &blobs), ("manifests", &manifests)] {
        for ((repository, digest), acknowledged) in things {
            let path = format!("{repository}/{kind}/{digest}");
            faults.extend(thing(client, &path, digest, *acknowledged).await);
        }
    }
    for ((repository, name), tag) in &tags {
        faults.extend(tag_fault(client, repository, name, tag).await);
    }
    for repository in tags
        .keys()
        .map(|(repository, _)| repository)
        .collect::<BTreeSet<_>>()
    {
        faults.extend(unknown_tags(client, repository, &tags).await);
    }
    let acknowledged = blobs
        .values()
        .chain(manifests.values())
        .filter(|a| **a)
        .count();
    Report {
        acknowledged,
        begun: blobs.len() + manifests.len() + tags.len(),
        faults,
    }
}

async fn thing(client: &Client, path: &str, name: &str, acknowledged: bool) -> Option<String> {
    match client.send(Method::GET, path, Bytes::new()).await {
        Some((StatusCode::OK, body)) if digest(&body) == name => None,
        Some((StatusCode::OK, body)) => Some(format!("{path} has the digest {}", digest(&body))),
        Some((StatusCode::NOT_FOUND, _)) if !acknowledged => None,
        Some((status, _)) => Some(format!("{path} was acknowledged and answers {status}")),
        None => Some(format!("{path} does not answer")),
    }
}

async fn tag_fault(client: &Client, repository: &str, name: &str, tag: &Tag) -> Option<String> {
    let path = format!("{repository}/manifests/{name}");
    let found = match client.send(Method::GET, &path, Bytes::new()).await {
        Some((StatusCode::OK, body)) => Some(digest(&body)),
        Some((StatusCode::NOT_FOUND, _)) => None,
        other => {
            return Some(format!(
                "{path} answers {:?}",
                other.map(|(status, _)| status)
            ));
        }
    };
    let allowed = &tag.allowed;
    (!allowed.contains(&found)).then(|| format!("{path} is {found:?}, not one of {allowed:?}"))
}

/// Tags that are listed and were never begun.
async fn unknown_tags(
    client: &Client,
    repository: &str,
    tags: &BTreeMap<(String, String), Tag>,
) -> Vec<String> {
    let path = format!("{repository}/tags/list?n=10000");
    let Some((StatusCode::OK, body)) = client.send(Method::GET, &path, Bytes::new()).await else {
        return Vec::new();
    };
    let list: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let names = list
        .get("tags")
        .and_then(|tags| tags.as_array())
        .cloned()
        .unwrap_or_default();
    names
        .iter()
        .filter_map(|name| name.as_str())
        .filter(|name| !tags.contains_key(&(repository.to_owned(), (*name).to_owned())))
        .map(|name| format!("{repository} lists {name}, which nobody pushed"))
        .collect()
}
