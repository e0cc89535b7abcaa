//! A repository for one test on a shared server, and its owner's requests to it.

use serde_json::Value;

use super::content::{Pushed, digest, image, noise};
use super::http::{Answer, Credential, Request};
use super::server::Server;

/// A name under `/v2/`, and who asks.
#[derive(Clone, Debug)]
pub(crate) struct Repo<'s> {
    pub(crate) server: &'s Server,
    pub(crate) name: String,
    pub(crate) credential: Credential,
    /// The host name that requests go to, if it is not the server's address.
    pub(crate) host: Option<String>,
}

impl<'s> Repo<'s> {
    pub(crate) fn new(server: &'s Server, name: &str, credential: Credential) -> Self {
        Self {
            server,
            name: name.to_owned(),
            credential,
            host: None,
        }
    }

    /// The same repository, asked by somebody else.
    pub(crate) fn by(&self, credential: &Credential) -> Self {
        Self {
            credential: credential.clone(),
            ..self.clone()
        }
    }

    /// Another repository, asked by the same.
    pub(crate) fn named(&self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..self.clone()
        }
    }

    /// The same, at another host name.
    pub(crate) fn at_host(&self, host: &str) -> Self {
        Self {
            host: Some(host.to_owned()),
            ..self.clone()
        }
    }

    /// The path of something in the repository.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/v2/{}/{rest}", self.name)
    }

    /// A request to something in the repository, or to a `Location` that the server gave.
    pub(crate) fn request(&self, method: &str, rest: &str) -> Request {
        let given = rest.contains("://") || rest.starts_with('/');
        let target = if given {
            rest.to_owned()
        } else {
            self.path(rest)
        };
        let request = self
            .server
            .request(method, &target)
            .signed(&self.credential);
        match &self.host {
            Some(host) => request.at_host(host),
            None => request,
        }
    }

    pub(crate) fn get(&self, rest: &str) -> Request {
        self.request("GET", rest)
    }

    pub(crate) fn head(&self, rest: &str) -> Request {
        self.request("HEAD", rest)
    }

    pub(crate) fn post(&self, rest: &str) -> Request {
        self.request("POST", rest)
    }

    pub(crate) fn put(&self, rest: &str) -> Request {
        self.request("PUT", rest)
    }

    pub(crate) fn patch(&self, rest: &str) -> Request {
        self.request("PATCH", rest)
            .with("Content-Type", "application/octet-stream")
    }

    pub(crate) fn delete(&self, rest: &str) -> Request {
        self.request("DELETE", rest)
    }

    /// Opens an upload; answers where it is.
    #[track_caller]
    pub(crate) fn begin(&self) -> String {
        self.post("blobs/uploads/")
            .send()
            .expect(202)
            .the("location")
            .to_owned()
    }

    /// Closes the upload at `location` with these last bytes.
    pub(crate) fn close(&self, location: &str, digest: &str, rest: &[u8]) -> Answer {
        self.put(&with_digest(location, digest))
            .with("Content-Type", "application/octet-stream")
            .body(rest)
            .send()
    }

    /// Pushes a blob; answers its digest.
    #[track_caller]
    pub(crate) fn push_blob(&self, bytes: &[u8]) -> String {
        let digest = digest(bytes);
        self.push_blob_as(&digest, bytes);
        digest
    }

    /// Pushes a blob that is named by this digest.
    #[track_caller]
    pub(crate) fn push_blob_as(&self, digest: &str, bytes: &[u8]) {
        let location = self.begin();
        self.close(&location, digest, bytes).expect(201);
    }

    /// Sends a manifest to a tag or digest.
    pub(crate) fn put_manifest(&self, reference: &str, manifest: &Pushed) -> Answer {
        self.put(&format!("manifests/{reference}"))
            .with("Content-Type", &manifest.media_type)
            .body(manifest.bytes.clone())
            .send()
    }

    /// Pushes a manifest; all that it needs must be there.
    #[track_caller]
    pub(crate) fn push(&self, reference: &str, document: &Value) -> Pushed {
        let manifest = Pushed::new(document);
        self.put_manifest(reference, &manifest).expect(201);
        manifest
    }

    /// Pushes a manifest by its digest, without a tag.
    #[track_caller]
    pub(crate) fn push_untagged(&self, document: &Value) -> Pushed {
        let manifest = Pushed::new(document);
        self.put_manifest(&manifest.digest, &manifest).expect(201);
        manifest
    }

    /// Pushes an image of one small layer that no other repository has, under a tag.
    #[track_caller]
    pub(crate) fn push_image(&self, tag: &str) -> Image {
        let config = format!(
            "{{\"architecture\":\"amd64\",\"os\":\"linux\",\"of\":\"{}:{tag}\"}}",
            self.name
        );
        let layer = noise(&format!("{}:{tag}", self.name), 1000);
        self.push_blob(config.as_bytes());
        self.push_blob(&layer);
        let manifest = self.push(tag, &image(config.as_bytes(), &[&layer]));
        Image {
            manifest,
            config: config.into_bytes(),
            layer,
        }
    }

    /// What `tags/list` says.
    #[track_caller]
    pub(crate) fn tags(&self) -> Vec<String> {
        names(&self.get("tags/list").send().expect(200).json())
    }

    /// The digests of the referrers of `subject`, in the order of the answer.
    #[track_caller]
    pub(crate) fn referrers(&self, subject: &str) -> Vec<String> {
        let answer = self.get(&format!("referrers/{subject}")).send().expect(200);
        digests(&answer.json())
    }
}

/// An image that was pushed.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) manifest: Pushed,
    pub(crate) config: Vec<u8>,
    pub(crate) layer: Vec<u8>,
}

impl Image {
    pub(crate) fn digest(&self) -> &str {
        &self.manifest.digest
    }

    pub(crate) fn layer_digest(&self) -> String {
        digest(&self.layer)
    }
}

/// `<blob-push-location>?digest=<digest>`; the location may have a query of its own.
pub(crate) fn with_digest(location: &str, digest: &str) -> String {
    let joint = if location.contains('?') { '&' } else { '?' };
    format!("{location}{joint}digest={digest}")
}

/// The tags in the body of `tags/list`.
#[track_caller]
pub(crate) fn names(body: &Value) -> Vec<String> {
    let tags = body["tags"]
        .as_array()
        .unwrap_or_else(|| panic!("no tags in {body}"));
    tags.iter()
        .map(|tag| tag.as_str().unwrap().to_owned())
        .collect()
}

/// The digests in an index.
#[track_caller]
pub(crate) fn digests(index: &Value) -> Vec<String> {
    let manifests = index["manifests"]
        .as_array()
        .unwrap_or_else(|| panic!("no index: {index}"));
    manifests
        .iter()
        .map(|entry| entry["digest"].as_str().unwrap().to_owned())
        .collect()
}
