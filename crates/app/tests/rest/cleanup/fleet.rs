//! A package as builds leave it behind: images for two platforms with attestations beside them, a
//! part that two images share, signatures in both forms, tags that have moved on.

use serde_json::{Value, json};

use crate::kit::content::{Pushed, artifact, image, noise};
use crate::kit::repo::Repo;

const PLATFORMS: [&str; 2] = ["amd64", "arm64"];

/// What was pushed.
#[derive(Debug)]
pub(crate) struct Fleet<'s> {
    pub(crate) repo: Repo<'s>,
    /// The index of each release, oldest first, tagged `1.0`, `1.1`, `1.2`; the newest is `latest`
    /// too.
    pub(crate) releases: Vec<Pushed>,
    /// Indexes that lost their tag to a later build.
    pub(crate) abandoned: Vec<Pushed>,
}

impl<'s> Fleet<'s> {
    /// Pushes three releases, each built twice, and signs those that keep their tag.
    pub(crate) fn push(repo: Repo<'s>) -> Self {
        let mut fleet = Self {
            repo,
            releases: Vec::new(),
            abandoned: Vec::new(),
        };
        for release in ["1.0", "1.1", "1.2"] {
            let tags = [release, "latest"];
            let first = fleet.build(release, "first", &tags);
            fleet.abandoned.push(first);
            let second = fleet.build(release, "second", &tags);
            fleet.sign(&second);
            fleet.releases.push(second);
        }
        fleet
    }

    /// An index of two images and their attestations, as BuildKit makes it (contract I2). The image
    /// for arm64 is the same in every build.
    fn build(&self, release: &str, attempt: &str, tags: &[&str]) -> Pushed {
        let mut entries = Vec::new();
        for platform in PLATFORMS {
            let seed = match platform {
                "arm64" => platform.to_owned(),
                _ => format!("{platform} {release} {attempt}"),
            };
            let pushed = self.image(platform, &seed);
            let mut entry = pushed.descriptor();
            entry["platform"] = json!({ "os": "linux", "architecture": platform });
            entries.push(entry);
            let attestation = self.attestation(&pushed, &format!("{release} {attempt}"));
            let mut entry = attestation.descriptor();
            entry["platform"] = json!({ "os": "unknown", "architecture": "unknown" });
            entry["annotations"] = json!({
                "vnd.docker.reference.type": "attestation-manifest",
                "vnd.docker.reference.digest": pushed.digest,
            });
            entries.push(entry);
        }
        let index = Pushed::new(&json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": entries,
        }));
        for tag in tags {
            self.repo.put_manifest(tag, &index).expect(201);
        }
        index
    }

    fn image(&self, platform: &str, seed: &str) -> Pushed {
        let name = &self.repo.name;
        let config = json!({ "os": "linux", "architecture": platform, "of": [name, seed] });
        let config = config.to_string().into_bytes();
        let layer = noise(&format!("{name} {seed}"), 500);
        self.repo.push_blob(&config);
        self.repo.push_blob(&layer);
        self.repo.push_untagged(&image(&config, &[&layer]))
    }

    fn attestation(&self, of: &Pushed, build: &str) -> Pushed {
        let statement = format!("{{\"of\":\"{}\",\"by\":\"{build}\"}}", of.digest).into_bytes();
        let config = b"{\"architecture\":\"unknown\",\"os\":\"unknown\"}".to_vec();
        self.repo.push_blob(&config);
        self.repo.push_blob(&statement);
        let mut manifest = image(&config, &[&statement]);
        manifest["layers"][0]["mediaType"] = json!("application/vnd.in-toto+json");
        self.repo.push_untagged(&manifest)
    }

    /// A signature under a tag made of the digest, and one that has the index as its subject.
    fn sign(&self, index: &Pushed) {
        let layer = format!("signature of {}", index.digest).into_bytes();
        self.repo.push_blob(&layer);
        self.repo.push_blob(b"{}");
        let tag = format!("{}.sig", index.digest.replace(':', "-"));
        let kind = "application/vnd.dev.cosign.artifact.sig.v1+json";
        self.repo.push(&tag, &artifact(kind, &layer));
        let mut bundle = artifact("application/vnd.dev.sigstore.bundle.v0.3+json", &layer);
        bundle["subject"] = index.descriptor();
        self.repo.push_untagged(&bundle);
    }

    /// Everything that is tagged can be pulled on every platform, and its signatures are found.
    /// `tags` is what must be there still.
    #[track_caller]
    pub(crate) fn assert_whole(&self, tags: &[&str]) {
        let mut found = self.repo.tags();
        found.retain(|tag| !tag.starts_with("sha256-"));
        assert_eq!(found, tags);
        for tag in tags {
            let index = self
                .repo
                .get(&format!("manifests/{tag}"))
                .send()
                .expect(200);
            let digest = index.the("docker-content-digest").to_owned();
            let entries = index.json()["manifests"].clone();
            for entry in entries.as_array().unwrap() {
                self.assert_pulls(entry);
            }
            assert_eq!(
                self.repo.referrers(&digest).len(),
                1,
                "{tag} has lost its bundle"
            );
            let signature = format!("manifests/{}.sig", digest.replace(':', "-"));
            self.repo.get(&signature).send().expect(200);
        }
    }

    /// A manifest and all its blobs are there.
    #[track_caller]
    fn assert_pulls(&self, entry: &Value) {
        let digest = entry["digest"].as_str().unwrap();
        let answer = self
            .repo
            .get(&format!("manifests/{digest}"))
            .send()
            .expect(200);
        let manifest = answer.json();
        let layers = manifest["layers"].as_array().unwrap();
        for blob in layers.iter().chain([&manifest["config"]]) {
            let path = format!("blobs/{}", blob["digest"].as_str().unwrap());
            self.repo.get(&path).send().expect(200);
        }
    }
}
