//! The search index: what each package is found by, written behind the changes.
//!
//! Whatever happens to a package puts it on a queue, in the transaction that makes it happen; a
//! chore takes it off and writes its terms anew, so that a search finds it a few seconds later.

use std::collections::{BTreeMap, BTreeSet};

use naru_metadata::search::{self, Reach};
use naru_metadata::{Conn, links, packages, versions};
use naru_model::{Package, PackageId, PackageState, VersionId, Visibility};
use naru_oci::{Digest, Manifest};
use serde::Deserialize;

use crate::Registry;
use crate::error::Result;

/// How many packages are taken off the queue at a time.
const BATCH: i64 = 50;
/// How many of the newest tags and digests a package is found by.
const NEWEST: i64 = 1000;
/// Of how many of the newest tags the labels are read.
const LABELLED: i64 = 3;
/// How many labels of an image are read, and words of a text.
const MOST_LABELS: usize = 50;
const MOST_WORDS: usize = 100;
/// The longest term, in characters; longer ones are cut.
const LONGEST: usize = 120;
/// The largest configuration that is read for its labels, in bytes.
const LARGEST_CONFIG: u64 = 1 << 20;

/// The labels of an image's configuration (OCI image-spec, "config": "Labels").
#[derive(Default, Deserialize)]
struct ImageConfig {
    #[serde(default)]
    config: Option<Labels>,
}

#[derive(Default, Deserialize)]
struct Labels {
    #[serde(default, rename = "Labels")]
    labels: Option<BTreeMap<String, Option<String>>>,
}

impl Registry {
    /// Writes the terms of packages anew to which something happened. Returns how many.
    pub(crate) async fn index_packages(&self) -> Result<usize> {
        let mut conn = self.db.read().await?;
        let queued = search::queued(&mut conn, BATCH).await?;
        drop(conn);
        for package in &queued {
            self.index_package(*package).await?;
        }
        Ok(queued.len())
    }

    async fn index_package(&self, package: PackageId) -> Result<()> {
        let labels = self.labels(package).await?;
        let mut tx = self.db.write().await?;
        // Locked first, as by everybody who changes it: what they put on the queue meanwhile stays.
        let found = packages::lock(&mut tx, package).await?;
        if !search::dequeue(&mut tx, package).await? {
            return Ok(());
        }
        if let Some(found) = found {
            let (reach, terms) = terms(&mut tx, &found, &labels).await?;
            search::put_terms(&mut tx, package, reach, &terms).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Annotations and labels of the images that were tagged last.
    async fn labels(&self, package: PackageId) -> Result<BTreeMap<String, String>> {
        let mut conn = self.db.read().await?;
        let newest = search::newest_tagged(&mut conn, package, LABELLED).await?;
        drop(conn);
        let mut labels = BTreeMap::new();
        for version in newest {
            labels.extend(self.labels_of(package, version).await?);
        }
        Ok(labels.into_iter().take(MOST_LABELS).collect())
    }

    async fn labels_of(
        &self,
        package: PackageId,
        version: VersionId,
    ) -> Result<BTreeMap<String, String>> {
        let mut conn = self.db.read().await?;
        let Some(header) = versions::header_by_id(&mut conn, package, version).await? else {
            return Ok(BTreeMap::new());
        };
        let mut labels = BTreeMap::new();
        let mut config = None;
        // Of an index, the first image stands for all.
        let mut next = Some(header.digest);
        for _ in 0..2 {
            let Some(digest) = next.take() else { break };
            let Some(manifest) = manifest(&mut conn, package, &digest).await? else {
                break;
            };
            let annotations = manifest.annotations().iter();
            labels.extend(annotations.map(|(key, value)| (key.clone(), value.clone())));
            config = manifest.config().map(|config| config.digest.clone());
            next = manifest
                .children()
                .first()
                .map(|child| child.digest.clone());
        }
        let blob = match &config {
            Some(digest) => links::find(&mut conn, package, digest).await?,
            None => None,
        };
        drop(conn);
        let Some(blob) = blob.filter(|blob| blob.size <= LARGEST_CONFIG) else {
            return Ok(labels);
        };
        let Ok(key) = blob.storage_key.parse() else {
            return Ok(labels);
        };
        let read = match self.blobs.open_here(&key, 0..blob.size).await {
            Ok(opened) => opened.read().await,
            Err(error) => Err(error),
        };
        // What cannot be read has no labels; the check of all content says so louder.
        let bytes = read.unwrap_or_default();
        let config: ImageConfig = serde_json::from_slice(&bytes).unwrap_or_default();
        let found = config.config.unwrap_or_default().labels.unwrap_or_default();
        let found = found.into_iter();
        labels.extend(found.filter_map(|(key, value)| Some((key, value?))));
        Ok(labels)
    }
}

async fn manifest(
    conn: &mut Conn,
    package: PackageId,
    digest: &Digest,
) -> Result<Option<Manifest>> {
    let found = versions::find_by_digest(conn, package, digest).await?;
    Ok(found.and_then(|found| Manifest::parse(&found.content, Some(&found.media_type)).ok()))
}

/// What a package is found by, and whom it may be shown to; nobody unless it is live.
async fn terms(
    conn: &mut Conn,
    package: &Package,
    labels: &BTreeMap<String, String>,
) -> Result<(Option<Reach>, BTreeSet<String>)> {
    let mut terms = Terms::default();
    let indexed = search::indexed(conn, package.id).await?;
    let Some(indexed) = indexed.filter(|_| package.state() == PackageState::Live) else {
        return Ok((None, terms.0));
    };
    terms.name(package.name.as_str());
    terms.add('o', &package.owner.to_string());
    terms.add('k', package.package_type.as_str());
    terms.words(package.description.as_deref().unwrap_or_default());
    if let Some(repository) = &indexed.repository {
        terms.add('r', repository);
        terms.words(repository);
    }
    for tag in search::newest_tags(conn, package.id, NEWEST).await? {
        terms.add('t', &tag);
        terms.add('w', &tag);
    }
    for digest in search::newest_digests(conn, package.id, NEWEST).await? {
        terms.add('d', digest.hex());
    }
    for (key, value) in labels {
        terms.add('l', &format!("{key}={value}"));
        terms.words(value);
    }
    let reach = match indexed.visibility {
        Visibility::Public => Reach::PUBLIC,
        Visibility::Internal => Reach::INTERNAL,
        Visibility::Private => Reach::of_owner(package.owner),
    };
    Ok((Some(reach), terms.0))
}

#[derive(Default)]
struct Terms(BTreeSet<String>);

impl Terms {
    fn add(&mut self, kind: char, text: &str) {
        self.0.insert(term(kind, text));
    }

    fn name(&mut self, name: &str) {
        self.add('n', name);
        self.add('w', name);
        for part in name.split('/') {
            self.add('w', part);
        }
        self.words(name);
    }

    fn words(&mut self, text: &str) {
        for word in words(text).take(MOST_WORDS) {
            self.add('w', word);
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
}

/// A term as it stands in the index: in lower case, without control characters, not too long.
pub(crate) fn term(kind: char, text: &str) -> String {
    let text = text.chars().filter(|c| !c.is_control()).take(LONGEST);
    let lower = text.flat_map(char::to_lowercase);
    [kind, ':'].into_iter().chain(lower).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_by_itself_its_parts_and_its_words() {
        let mut terms = Terms::default();
        terms.name("tools/build-Base");
        let found: Vec<&str> = terms.0.iter().map(String::as_str).collect();
        assert_eq!(
            found,
            [
                "n:tools/build-base",
                "w:base",
                "w:build",
                "w:build-base",
                "w:tools",
                "w:tools/build-base"
            ]
        );
    }

    #[test]
    fn terms_have_no_control_characters_and_an_end() {
        assert_eq!(term('w', "a\u{0}b\nC"), "w:abc");
        assert_eq!(term('l', &"x".repeat(500)).len(), 2 + LONGEST);
    }
}
