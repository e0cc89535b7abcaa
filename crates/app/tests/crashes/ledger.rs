//! What a client began, and what was acknowledged to it.

use std::collections::{BTreeMap, BTreeSet};

/// What one client knows of its repository, of which it is the only writer.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) repository: String,
    /// Blobs whose upload was acknowledged, by digest.
    pub(crate) blobs: BTreeSet<String>,
    /// Manifests whose push was begun, by digest.
    pub(crate) begun: BTreeMap<String, Vec<u8>>,
    /// What every tag that was ever pushed stands for; `None` after it was deleted.
    tags: BTreeMap<String, Option<String>>,
    /// The one change that was begun and neither acknowledged nor refused.
    in_flight: Option<Change>,
}

/// A change of one or several tags, which happens as a whole or not at all.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) tags: Vec<String>,
    pub(crate) to: Option<String>,
}

impl Ledger {
    pub(crate) fn new(repository: &str) -> Self {
        Self {
            repository: repository.to_owned(),
            blobs: BTreeSet::new(),
            begun: BTreeMap::new(),
            tags: BTreeMap::new(),
            in_flight: None,
        }
    }

    /// Writes down that a change is about to be asked for.
    pub(crate) fn begin(&mut self, change: Change) {
        assert!(
            self.in_flight.is_none(),
            "a client does one thing at a time"
        );
        self.in_flight = Some(change);
    }

    /// Writes down that it was acknowledged.
    pub(crate) fn acknowledge(&mut self) {
        let change = self.in_flight.take().unwrap();
        for tag in change.tags {
            self.tags.insert(tag, change.to.clone());
        }
    }

    /// No longer insists on the blobs of an image that is about to be deleted. No other image has
    /// them, since nobody has seen their bytes before.
    pub(crate) fn release(&mut self, digest: &str) {
        let manifest = String::from_utf8_lossy(&self.begun[digest]).into_owned();
        self.blobs.retain(|blob| !manifest.contains(blob));
    }

    /// The tags that stand for something, and for what.
    pub(crate) fn standing(&self) -> Vec<(String, String)> {
        let standing = self
            .tags
            .iter()
            .filter_map(|(tag, to)| Some((tag.clone(), to.clone()?)));
        standing.collect()
    }

    /// How many blobs were acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        self.blobs.len()
    }

    /// Compares what is visible with what was acknowledged and begun, and takes what is visible
    /// as the truth from now on.
    pub(crate) fn settle(&mut self, visible: &BTreeMap<String, String>) {
        let known: BTreeMap<String, String> = self.standing().into_iter().collect();
        let unfinished = self.in_flight.take();
        let mut changed = known.clone();
        if let Some(change) = &unfinished {
            for tag in &change.tags {
                match &change.to {
                    Some(digest) => changed.insert(tag.clone(), digest.clone()),
                    None => changed.remove(tag),
                };
            }
        }
        let repository = &self.repository;
        assert!(
            *visible == known || *visible == changed,
            "{repository} shows {visible:#?}\nacknowledged: {known:#?}\nbegun: {unfinished:#?}"
        );
        self.tags = visible
            .iter()
            .map(|(tag, to)| (tag.clone(), Some(to.clone())))
            .collect();
    }
}
