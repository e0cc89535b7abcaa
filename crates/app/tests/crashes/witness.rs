//! What the restarted server shows, against what a ledger says.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::ledger::Ledger;
use crate::wire::{Wire, digest_of};

/// Reads everything that a client may rely on, hashes it again, and settles the ledger.
pub(crate) async fn compare(wire: &Wire, ledger: &mut Ledger) {
    let Some(visible) = tags(wire, ledger).await else {
        // The package is born with its first manifest. What was uploaded before is looked at then.
        ledger.settle(&BTreeMap::new());
        return;
    };
    ledger.settle(&visible);
    for digest in &ledger.blobs {
        let place = format!("/v2/{}/blobs/{digest}", ledger.repository);
        let blob = wire.get(&place).await;
        let blob = blob.unwrap_or_else(|| panic!("{place} was acknowledged and is gone"));
        assert_eq!(digest_of(&blob), *digest, "{place} holds something else");
    }
}

/// Every tag of the repository and the digest that it stands for, with all that it needs; `None`
/// where there is no repository.
async fn tags(wire: &Wire, ledger: &Ledger) -> Option<BTreeMap<String, String>> {
    let repository = &ledger.repository;
    let list = wire.get(&format!("/v2/{repository}/tags/list")).await?;
    let list: Value = serde_json::from_slice(&list).unwrap();
    let mut visible = BTreeMap::new();
    for tag in list["tags"].as_array().unwrap() {
        let tag = tag.as_str().unwrap();
        let place = format!("/v2/{repository}/manifests/{tag}");
        let manifest = wire.get(&place).await;
        let manifest = manifest.unwrap_or_else(|| panic!("{place} is listed and not there"));
        let digest = digest_of(&manifest);
        let begun = ledger.begun.get(&digest);
        assert_eq!(
            begun,
            Some(&manifest),
            "{place} is nothing that was ever pushed"
        );
        whole(wire, repository, &manifest).await;
        visible.insert(tag.to_owned(), digest);
    }
    Some(visible)
}

/// That everything a manifest names is there and is what its digest says.
async fn whole(wire: &Wire, repository: &str, manifest: &[u8]) {
    let manifest: Value = serde_json::from_slice(manifest).unwrap();
    for descriptor in [&manifest["config"], &manifest["layers"][0]] {
        let digest = descriptor["digest"].as_str().unwrap();
        let place = format!("/v2/{repository}/blobs/{digest}");
        let blob = wire.get(&place).await;
        let blob = blob.unwrap_or_else(|| panic!("{place} is needed and not there"));
        assert_eq!(digest_of(&blob), digest, "{place} holds something else");
    }
}
