//! A client under way: it pushes in every way there is, moves tags and deletes, and writes down in
//! its ledger what it began and what was acknowledged.

use rand::rngs::StdRng;
use rand::{Rng, RngExt};
use reqwest::header::LOCATION;
use reqwest::{Method, Response, StatusCode};
use serde_json::json;

use crate::ledger::{Change, Ledger};
use crate::wire::{CutOff, Wire, digest_of};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Works until the server is gone.
pub(crate) async fn until_cut_off(wire: Wire, ledger: Ledger, chance: StdRng) -> Ledger {
    let mut client = Client {
        wire,
        ledger,
        chance,
    };
    while client.act().await.is_ok() {}
    client.ledger
}

struct Client {
    wire: Wire,
    ledger: Ledger,
    chance: StdRng,
}

impl Client {
    /// Does one thing.
    async fn act(&mut self) -> Result<(), CutOff> {
        let standing = self.ledger.standing();
        if standing.len() < 2 {
            return self.push_image().await;
        }
        let (tag, digest) = standing[self.chance.random_range(0..standing.len())].clone();
        match self.chance.random_range(0..10) {
            0 => self.delete_tag(&tag).await,
            1 => self.delete_image(&digest).await,
            2 => self.move_tag(&digest).await,
            _ => self.push_image().await,
        }
    }

    async fn push_image(&mut self) -> Result<(), CutOff> {
        let layer = self.content(3 << 20);
        let config = json!({ "architecture": "amd64", "os": "linux", "id": digest_of(&layer) });
        let config = config.to_string().into_bytes();
        let mut descriptors = Vec::new();
        for blob in [config, layer] {
            let descriptor = json!({
                "mediaType": "application/octet-stream",
                "digest": digest_of(&blob),
                "size": blob.len(),
            });
            descriptors.push(descriptor);
            self.push_blob(blob).await?;
        }
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptors[0],
            "layers": [descriptors[1]],
        });
        let manifest = manifest.to_string().into_bytes();
        let tag = self.a_tag();
        self.put_manifest(&tag, manifest).await
    }

    /// Bytes that nobody has seen before, of any size up to a limit, small ones more often.
    fn content(&mut self, limit: usize) -> Vec<u8> {
        let bits = self.chance.random_range(5..=limit.ilog2());
        let mut bytes = vec![0; self.chance.random_range(16..1 << bits)];
        self.chance.fill_bytes(&mut bytes);
        bytes
    }

    fn a_tag(&mut self) -> String {
        format!("v{}", self.chance.random_range(0..6))
    }

    async fn push_blob(&mut self, blob: Vec<u8>) -> Result<(), CutOff> {
        let digest = digest_of(&blob);
        match self.chance.random_range(0..3) {
            0 => self.push_at_once(&digest, blob).await?,
            1 => self.push_after_asking(&digest, blob).await?,
            _ => self.push_in_chunks(&digest, &blob).await?,
        }
        self.ledger.blobs.insert(digest);
        Ok(())
    }

    /// One POST (end-4b).
    async fn push_at_once(&self, digest: &str, blob: Vec<u8>) -> Result<(), CutOff> {
        let place = format!("{}?digest={digest}", self.uploads());
        let request = self.wire.request(Method::POST, &place).body(blob);
        self.wire
            .expect(request, StatusCode::CREATED)
            .await
            .map(drop)
    }

    /// A POST and a PUT (end-4a, end-6).
    async fn push_after_asking(&self, digest: &str, blob: Vec<u8>) -> Result<(), CutOff> {
        let upload = self.begin_upload().await?;
        self.finish(&upload, digest, blob).await
    }

    /// A POST, a PATCH for each chunk, and a PUT (end-4a, end-5, end-6).
    async fn push_in_chunks(&mut self, digest: &str, blob: &[u8]) -> Result<(), CutOff> {
        let mut upload = self.begin_upload().await?;
        let size = self.chance.random_range(1..=blob.len());
        for chunk in blob.chunks(size.max(blob.len() / 4)) {
            let request = self
                .wire
                .request(Method::PATCH, &upload)
                .body(chunk.to_vec());
            let answer = self.wire.expect(request, StatusCode::ACCEPTED).await?;
            upload = self.location(&answer);
        }
        self.finish(&upload, digest, Vec::new()).await
    }

    async fn begin_upload(&self) -> Result<String, CutOff> {
        let request = self.wire.request(Method::POST, &self.uploads());
        let answer = self.wire.expect(request, StatusCode::ACCEPTED).await?;
        Ok(self.location(&answer))
    }

    async fn finish(&self, upload: &str, digest: &str, rest: Vec<u8>) -> Result<(), CutOff> {
        let and = if upload.contains('?') { '&' } else { '?' };
        let place = format!("{upload}{and}digest={digest}");
        let request = self.wire.request(Method::PUT, &place).body(rest);
        self.wire
            .expect(request, StatusCode::CREATED)
            .await
            .map(drop)
    }

    fn uploads(&self) -> String {
        format!("/v2/{}/blobs/uploads/", self.ledger.repository)
    }

    fn location(&self, answer: &Response) -> String {
        answer.headers()[LOCATION].to_str().unwrap().to_owned()
    }

    fn manifest(&self, reference: &str) -> String {
        format!("/v2/{}/manifests/{reference}", self.ledger.repository)
    }

    async fn put_manifest(&mut self, tag: &str, manifest: Vec<u8>) -> Result<(), CutOff> {
        let digest = digest_of(&manifest);
        self.ledger.begun.insert(digest.clone(), manifest.clone());
        self.ledger.begin(Change {
            tags: vec![tag.to_owned()],
            to: Some(digest),
        });
        let request = self
            .wire
            .request(Method::PUT, &self.manifest(tag))
            .body(manifest);
        let request = request.header("Content-Type", MANIFEST);
        self.wire.expect(request, StatusCode::CREATED).await?;
        self.ledger.acknowledge();
        Ok(())
    }

    async fn move_tag(&mut self, digest: &str) -> Result<(), CutOff> {
        let tag = self.a_tag();
        let manifest = self.ledger.begun[digest].clone();
        self.put_manifest(&tag, manifest).await
    }

    async fn delete_tag(&mut self, tag: &str) -> Result<(), CutOff> {
        self.ledger.begin(Change {
            tags: vec![tag.to_owned()],
            to: None,
        });
        self.delete(tag).await
    }

    async fn delete_image(&mut self, digest: &str) -> Result<(), CutOff> {
        let standing = self.ledger.standing().into_iter();
        let tags = standing
            .filter(|(_, to)| to == digest)
            .map(|(tag, _)| tag)
            .collect();
        self.ledger.begin(Change { tags, to: None });
        self.ledger.release(digest);
        self.delete(digest).await
    }

    async fn delete(&mut self, reference: &str) -> Result<(), CutOff> {
        let request = self.wire.request(Method::DELETE, &self.manifest(reference));
        self.wire.expect(request, StatusCode::ACCEPTED).await?;
        self.ledger.acknowledge();
        Ok(())
    }
}
