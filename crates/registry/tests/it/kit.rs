//! What tests of the distribution use cases say in one word.

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use naru_model::{PackagePermission, VersionState};
use naru_oci::{Algorithm, Digest, UploadId};
use naru_registry::access::{Authorized, PushTarget};
use naru_registry::garbage_collection::{Collected, Sweep};
use naru_registry::uploads::{BeginUpload, Begun, Chunk, UploadStatus};
use naru_registry::versions::delete::DeleteOptions;
use naru_registry::versions::plan::Deletion;
use naru_registry::versions::{ListedVersion, VersionRef, WantedVersions};
use naru_registry::{Caller, Error, Registry, Result};
use tokio::sync::mpsc;

use crate::World;
use crate::world::{MANIFEST, container, descriptor};

/// A package that most tests push to.
pub(crate) const APP: &str = "octocat/app";

pub(crate) const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);
pub(crate) const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// The body of a request, as the server hands it on.
pub(crate) type Body = BoxStream<'static, Result<Bytes>>;

pub(crate) fn digest_of(content: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, content)
}

/// Bytes that nobody else has and that do not repeat, `length` of them.
pub(crate) fn noise(name: &str, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 64);
    let mut number = 0_u64;
    while bytes.len() < length {
        let block = digest_of(format!("{name} {number}").as_bytes());
        bytes.extend_from_slice(block.hex().as_bytes());
        number += 1;
    }
    bytes.truncate(length);
    bytes
}

pub(crate) fn chunk(content: &[u8]) -> Chunk<Body> {
    Chunk {
        range: None,
        length: Some(content.len() as u64),
        body: stream::iter([Ok(Bytes::copy_from_slice(content))]).boxed(),
    }
}

/// A chunk that says where it begins.
pub(crate) fn chunk_at(start: usize, content: &[u8]) -> Chunk<Body> {
    let range = format!("{start}-{}", start + content.len() - 1);
    Chunk {
        range: Some(range.parse().unwrap()),
        ..chunk(content)
    }
}

/// A chunk whose bytes come when the test sends them; it ends when the sender is dropped.
pub(crate) fn slow_chunk() -> (mpsc::UnboundedSender<Result<Bytes>>, Chunk<Body>) {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let body = stream::poll_fn(move |context| receiver.poll_recv(context)).boxed();
    let chunk = Chunk {
        range: None,
        length: None,
        body,
    };
    (sender, chunk)
}

pub(crate) async fn target(registry: &Registry, caller: &Caller, package: &str) -> PushTarget {
    let path = container(package);
    registry.authorize_push(caller, &path).await.unwrap()
}

pub(crate) async fn readable(registry: &Registry, caller: &Caller, package: &str) -> Authorized {
    let read = PackagePermission::Read;
    let path = container(package);
    registry.authorize(caller, &path, read).await.unwrap()
}

pub(crate) async fn begin(registry: &Registry, caller: &Caller, package: &str) -> UploadId {
    let target = target(registry, caller, package).await;
    let begin = BeginUpload::default();
    match registry.begin_upload(caller, &target, begin).await.unwrap() {
        Begun::Open(status) => status.id,
        Begun::Mounted(_) => panic!("nothing was to be mounted"),
    }
}

/// Mounts a blob `from` another package, or from wherever it can be read.
pub(crate) async fn mount(
    registry: &Registry,
    caller: &Caller,
    package: &str,
    digest: &Digest,
    from: Option<&str>,
) -> bool {
    let from = match from {
        Some(from) => Some(readable(registry, caller, from).await),
        None => None,
    };
    let begin = BeginUpload {
        mount: Some(digest.clone()),
        from,
    };
    let target = target(registry, caller, package).await;
    let begun = registry.begin_upload(caller, &target, begin).await.unwrap();
    matches!(begun, Begun::Mounted(_))
}

pub(crate) async fn append(
    registry: &Registry,
    caller: &Caller,
    package: &str,
    id: &UploadId,
    chunk: Chunk<Body>,
) -> Result<UploadStatus> {
    let target = target(registry, caller, package).await;
    registry.append_upload(caller, &target, id, chunk).await
}

/// Finishes an upload with the last of its bytes.
pub(crate) async fn finish(
    registry: &Registry,
    caller: &Caller,
    package: &str,
    id: &UploadId,
    digest: &Digest,
    rest: &[u8],
) -> Result<()> {
    let target = target(registry, caller, package).await;
    let rest = chunk(rest);
    registry
        .finish_upload(caller, &target, id, digest, rest)
        .await
}

/// Where an upload stands.
pub(crate) async fn offset(
    registry: &Registry,
    caller: &Caller,
    package: &str,
    id: &UploadId,
) -> Result<u64> {
    let target = target(registry, caller, package).await;
    let status = registry.upload_status(caller, &target, id).await?;
    Ok(status.offset)
}

/// HEAD of a blob.
pub(crate) async fn stat(
    registry: &Registry,
    caller: &Caller,
    package: &str,
    digest: &Digest,
) -> Result<u64> {
    let package = readable(registry, caller, package).await;
    Ok(registry.stat_blob(&package, digest).await?.size)
}

/// Pushes a blob in one request.
pub(crate) async fn push_blob(
    world: &World,
    caller: &Caller,
    package: &str,
    content: &[u8],
) -> Digest {
    let target = target(&world.registry, caller, package).await;
    world.upload(caller, &target, content).await.unwrap()
}

/// The manifest of an artifact with these layers and nothing else.
pub(crate) fn manifest_of(layers: &[&[u8]]) -> String {
    manifest_with(layers, "")
}

/// The manifest of an artifact with these layers and more fields, each with a comma before it.
pub(crate) fn manifest_with(layers: &[&[u8]], more: &str) -> String {
    let layers: Vec<String> = layers
        .iter()
        .map(|layer| descriptor("application/octet-stream", &digest_of(layer), layer.len()))
        .collect();
    let config = descriptor("application/vnd.oci.empty.v1+json", &digest_of(b"{}"), 2);
    format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"{MANIFEST}\",\"artifactType\":\"text/plain\",\
         \"config\":{config},\"layers\":[{}]{more}}}",
        layers.join(",")
    )
}

/// Pushes an artifact with its blobs.
pub(crate) async fn push_artifact(
    world: &World,
    caller: &Caller,
    package: &str,
    tag: &str,
    layers: &[&[u8]],
) -> Result<Digest> {
    push_blob(world, caller, package, b"{}").await;
    for layer in layers {
        push_blob(world, caller, package, layer).await;
    }
    put_manifest(world, caller, package, tag, manifest_of(layers)).await
}

pub(crate) async fn put_manifest(
    world: &World,
    caller: &Caller,
    package: &str,
    tag: &str,
    content: String,
) -> Result<Digest> {
    world
        .put(caller, package, Some(tag), MANIFEST, content)
        .await
}

/// Deletes a manifest, as DELETE by digest does.
pub(crate) async fn delete_manifest(
    world: &World,
    caller: &Caller,
    package: &str,
    digest: &Digest,
) -> Result<()> {
    let delete = PackagePermission::Delete;
    let path = container(package);
    let package = world.registry.authorize(caller, &path, delete).await?;
    world
        .registry
        .delete_manifest(caller, &package, digest)
        .await
}

/// The versions of a package in a state, newest first.
pub(crate) async fn versions_of(
    world: &World,
    caller: &Caller,
    package: &str,
    state: VersionState,
) -> Result<Vec<ListedVersion>> {
    let wanted = WantedVersions {
        state,
        ..WantedVersions::first(1000)
    };
    let path = container(package);
    let page = world.registry.list_versions(caller, &path, wanted).await?;
    assert_eq!(page.total, page.items.len() as u64);
    Ok(page.items)
}

/// Deletes a version as plain tools do.
pub(crate) async fn delete_version(
    world: &World,
    caller: &Caller,
    package: &str,
    version: &VersionRef,
) -> Result<Deletion> {
    let options = DeleteOptions::default();
    let path = container(package);
    let deleted = world
        .registry
        .delete_version(caller, &path, version, options);
    deleted.await
}

/// Deletes a blob, as DELETE does.
pub(crate) async fn delete_blob(
    world: &World,
    caller: &Caller,
    package: &str,
    digest: &Digest,
) -> Result<()> {
    let delete = PackagePermission::Delete;
    let path = container(package);
    let package = world.registry.authorize(caller, &path, delete).await?;
    world.registry.delete_blob(caller, &package, digest).await
}

pub(crate) async fn collect(world: &World, sweep: Sweep) -> Collected {
    let collected = world.registry.collect_garbage(sweep, &|_| {}).await;
    collected.unwrap()
}

/// How many objects the store holds, of uploads too.
pub(crate) async fn objects(world: &World) -> usize {
    let keys = world.blobs().list(u64::MAX).map_ok(|listed| listed.key);
    let keys: std::collections::HashSet<_> = keys.try_collect().await.unwrap();
    keys.len()
}

/// Waits until something is so; what happens behind a request has no other sign.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..500 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{what}");
}

pub(crate) fn is_unknown<T>(result: &Result<T>) -> bool {
    matches!(result, Err(Error::BlobUnknown(_)))
}
