//! Mixed load: whole and chunked uploads, mounts, images, tags that move, deletions.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::client::{Answer, Client, digest};
use crate::ledger::Ledger;

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

/// Numbers that look random and can be had again (xorshift).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn bytes(&mut self, length: u64) -> Bytes {
        (0..length.div_ceil(8))
            .flat_map(|_| self.next().to_le_bytes())
            .collect()
    }
}

/// One client: its tags are its own, its repository is shared with another one.
pub(crate) async fn work(number: u64, client: Client, ledger: Arc<Ledger>) {
    let mut worker = Worker {
        repository: format!("app-{}", number / 2),
        number,
        random: Random::new(number + 1),
        client,
        ledger,
        pushed: Vec::new(),
    };
    while !worker.ledger.is_stopped() {
        if worker.step().await.is_none() {
            // The server is away: a moment later it is back.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

struct Worker {
    repository: String,
    number: u64,
    random: Random,
    client: Client,
    ledger: Arc<Ledger>,
    /// Manifests of this client that were acknowledged and not deleted.
    pushed: Vec<(String, Bytes)>,
}

impl Worker {
    /// One thing that a client does; `None` when the connection broke in it.
    async fn step(&mut self) -> Option<()> {
        match self.random.below(10) {
            0..=5 => self.push_image().await,
            6 | 7 => self.move_tag().await,
            8 => self.delete_tag().await,
            _ => self.upload_only().await,
        }
    }

    fn tag(&mut self) -> String {
        format!("t{}-{}", self.number, self.random.below(5))
    }

    async fn push_image(&mut self) -> Option<()> {
        let layer = self.upload().await?;
        let config = self.upload().await?;
        let manifest = Bytes::from(image(&config, &layer).to_string());
        let name = digest(&manifest);
        let tag = self.tag();
        self.ledger.manifest(&self.repository, &name, false);
        self.ledger.tag_begun(&self.repository, &tag, Some(&name));
        let path = format!("{}/manifests/{tag}", self.repository);
        let answer = self.put(&path, manifest.clone()).await?;
        assert_eq!(
            answer.0,
            StatusCode::CREATED,
            "{}",
            String::from_utf8_lossy(&answer.1)
        );
        self.ledger.manifest(&self.repository, &name, true);
        self.ledger
            .tag_acknowledged(&self.repository, &tag, Some(&name));
        self.pushed.push((name, manifest));
        Some(())
    }

    async fn move_tag(&mut self) -> Option<()> {
        let count = u64::try_from(self.pushed.len())
            .ok()
            .filter(|count| *count > 0)?;
        let place = usize::try_from(self.random.below(count)).ok()?;
        let (name, manifest) = self.pushed.get(place)?.clone();
        let tag = self.tag();
        self.ledger.tag_begun(&self.repository, &tag, Some(&name));
        let path = format!("{}/manifests/{tag}", self.repository);
        let answer = self.put(&path, manifest).await?;
        assert_eq!(
            answer.0,
            StatusCode::CREATED,
            "{}",
            String::from_utf8_lossy(&answer.1)
        );
        self.ledger
            .tag_acknowledged(&self.repository, &tag, Some(&name));
        Some(())
    }

    async fn delete_tag(&mut self) -> Option<()> {
        let tag = self.tag();
        self.ledger.tag_begun(&self.repository, &tag, None);
        let path = format!("{}/manifests/{tag}", self.repository);
        let (status, _) = self
            .client
            .send(Method::DELETE, &path, Bytes::new())
            .await?;
        if matches!(status, StatusCode::ACCEPTED | StatusCode::NOT_FOUND) {
            self.ledger.tag_acknowledged(&self.repository, &tag, None);
        }
        Some(())
    }

    async fn upload_only(&mut self) -> Option<()> {
        self.upload().await.map(|_| ())
    }

    /// A blob by one of the three ways; its digest and length.
    async fn upload(&mut self) -> Option<(String, usize)> {
        let length = 1 + self.random.below(200_000);
        let bytes = self.random.bytes(length);
        let name = digest(&bytes);
        self.ledger.blob(&self.repository, &name, false);
        let way = self.random.below(3);
        let (status, body) = self.send_blob(way, &name, bytes.clone()).await?;
        assert_eq!(
            status,
            StatusCode::CREATED,
            "{}",
            String::from_utf8_lossy(&body)
        );
        self.ledger.blob(&self.repository, &name, true);
        Some((name, bytes.len()))
    }

    async fn send_blob(&mut self, way: u64, name: &str, bytes: Bytes) -> Answer {
        let uploads = format!("{}/blobs/uploads/", self.repository);
        if way == 0 {
            let path = format!("{uploads}?digest={name}");
            return self.client.send(Method::POST, &path, bytes).await;
        }
        let (_, mut location) = self
            .client
            .send_for_location(Method::POST, &uploads, Bytes::new(), None)
            .await
            .filter(|(_, location)| !location.is_empty())?;
        let mut rest = bytes;
        if way == 2 {
            let chunk = rest.split_to(rest.len() / 2);
            let answer = self
                .client
                .send_for_location(Method::PATCH, &location, chunk, None)
                .await?;
            if answer.0.0 != StatusCode::ACCEPTED {
                return None;
            }
            location = answer.1;
        }
        let and = if location.contains('?') { '&' } else { '?' };
        let path = format!("{location}{and}digest={name}");
        let answer = self.client.send(Method::PUT, &path, rest).await?;
        // The upload may have ended with the server that it began on, before its first chunk.
        (answer.0 != StatusCode::NOT_FOUND).then_some(answer)
    }

    async fn put(&self, path: &str, manifest: Bytes) -> Answer {
        let sent = self
            .client
            .send_for_location(Method::PUT, path, manifest, Some(IMAGE))
            .await?;
        Some(sent.0)
    }
}

fn image(config: &(String, usize), layer: &(String, usize)) -> serde_json::Value {
    json!({
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": {
            "mediaType": "application/vnd.example.config.v1+json",
            "digest": config.0,
            "size": config.1,
        },
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar",
            "digest": layer.0,
            "size": layer.1,
        }],
    })
}
