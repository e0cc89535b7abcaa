//! The contract on a real server and on an object store in memory, and what only a network can do.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use naru_oci::{Algorithm, Digest};
use naru_testkit::services::s3 as service;
use object_store::memory::InMemory;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path as ObjectPath;
use object_store::{
    CopyOptions, Error as ObjectError, GetOptions, GetResult, ListResult, MultipartId,
    MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, Result as ObjectResult,
};
use tempfile::TempDir;

use super::{Bucket, S3};
use crate::contract::{Subject, bytes, fresh_key, pull, push};
use crate::failpoint;
use crate::{BackendKind, BlobStore, BlobStoreSettings, Error, Opened, blob_store_contract};

fn settings_of(bucket: service::Bucket) -> BlobStoreSettings {
    BlobStoreSettings {
        backend: BackendKind::S3,
        bucket: Some(bucket.name),
        prefix: Some("some/where".to_owned()),
        region: bucket.region,
        endpoint: Some(bucket.endpoint.parse().unwrap()),
        access_key_id: Some(bucket.access_key_id),
        secret_access_key: Some(bucket.secret_access_key.into()),
        ..BlobStoreSettings::default()
    }
}

/// Two replicas with one bucket on a real server, and scratch disks of their own.
fn on_a_server() -> Option<Subject> {
    let settings = settings_of(service::bucket()?);
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    Some(Subject {
        store: BlobStore::new(&settings, one.path()).unwrap(),
        other: BlobStore::new(&settings, two.path()).unwrap(),
        keep: Box::new((one, two)),
    })
}

fn in_memory() -> Option<Subject> {
    let place = Place::new();
    Some(Subject {
        store: place.store(),
        other: place.store(),
        keep: Box::new(place),
    })
}

blob_store_contract!(contract, on_a_server());
blob_store_contract!(contract_in_memory, in_memory());

struct Place {
    bucket: Arc<Faulty>,
    scratch: TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            bucket: Arc::default(),
            scratch: tempfile::tempdir().unwrap(),
        }
    }

    fn store(&self) -> BlobStore {
        let bucket: Arc<dyn Bucket> = self.bucket.clone();
        BlobStore::over(S3::in_memory(bucket, self.scratch.path()))
    }

    /// The names of all objects.
    async fn objects(&self) -> Vec<String> {
        let all: Vec<_> = self.bucket.inner.list(None).try_collect().await.unwrap();
        all.into_iter()
            .map(|object| object.location.to_string())
            .collect()
    }

    async fn tails(&self) -> usize {
        self.objects()
            .await
            .iter()
            .filter(|name| name.starts_with("tails/"))
            .count()
    }
}

fn digest(bytes: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, bytes)
}

const PART: usize = 8 << 20;

#[tokio::test]
async fn small_blobs_are_one_request_and_large_ones_have_equal_parts() {
    let place = Place::new();
    for (size, puts, parts) in [
        (1000, 1, 0),
        (3 << 20, 1, 0),
        (PART, 1, 0),
        (PART + 1, 0, 2),
        (3 * PART + 5, 0, 4),
    ] {
        place.bucket.forget();
        push(&place.store(), fresh_key(), &bytes(size, 1)).await;
        assert_eq!(place.bucket.count("put"), puts, "{size}");
        let sizes = place.bucket.part_sizes();
        assert_eq!(sizes.len(), parts, "{size}");
        assert!(
            sizes.iter().rev().skip(1).all(|&size| size == PART),
            "{sizes:?}"
        );
    }
}

#[tokio::test]
async fn tails_go_when_no_row_can_name_them() {
    let place = Place::new();
    let (store, key, content) = (place.store(), fresh_key(), bytes(PART + 3000, 2));
    let mut upload = store.begin(key).unwrap();
    for (cut, tails) in [
        (0..1000, 1),
        (1000..2000, 2),
        (2000..3000, 2),
        (3000..PART, 1),
    ] {
        upload.append(content.slice(cut)).await.unwrap();
        upload.checkpoint().await.unwrap();
        assert_eq!(place.tails().await, tails);
    }
    upload.append(content.slice(PART..)).await.unwrap();
    upload.checkpoint().await.unwrap();
    upload.finish(&digest(&content)).await.unwrap();
    assert_eq!(place.objects().await, [key.to_string()]);
}

#[tokio::test]
async fn tails_that_a_crash_left_go_with_their_blob() {
    let place = Place::new();
    let (store, key, content) = (place.store(), fresh_key(), bytes(5000, 3));
    let mut upload = store.begin(key).unwrap();
    upload.append(content.clone()).await.unwrap();
    upload.checkpoint().await.unwrap();
    // Finished by a process that knew nothing of the tail.
    push(&place.store(), key, &content).await;
    assert_eq!(place.tails().await, 1);
    drop(upload);
    store.delete(&key).await.unwrap();
    assert!(place.objects().await.is_empty());
}

#[tokio::test]
async fn a_lost_tail_shortens_the_upload_to_its_parts() {
    let place = Place::new();
    let (store, key, content) = (place.store(), fresh_key(), bytes(PART + 9000, 4));
    let mut upload = store.begin(key).unwrap();
    upload.append(content.slice(..PART + 5000)).await.unwrap();
    let state = upload.checkpoint().await.unwrap();
    drop(upload);
    let tail = place
        .objects()
        .await
        .into_iter()
        .find(|name| name.starts_with("tails/"))
        .unwrap();
    place
        .bucket
        .inner
        .delete(&ObjectPath::from(tail))
        .await
        .unwrap();
    let stands = store.resumable(&key, Some(&state)).await;
    assert_eq!(stands.unwrap(), PART as u64);
    let mut upload = store.resume(key, Some(&state)).await.unwrap();
    assert_eq!(upload.offset(), PART as u64);
    upload
        .append(content.slice(PART..PART + 5000))
        .await
        .unwrap();
    let again = upload.checkpoint().await.unwrap();
    assert_eq!(again.offset(), state.offset());
    assert_eq!(place.tails().await, 1, "the tail is there again");
    upload.append(content.slice(PART + 5000..)).await.unwrap();
    upload.finish(&digest(&content)).await.unwrap();
    assert_eq!(pull(&store, key, content.len()).await, content);
}

#[tokio::test]
async fn what_was_done_but_timed_out_counts_as_done() {
    for (operation, size) in [("put", 1000), ("put", 3 << 20), ("complete", PART + 1000)] {
        let place = Place::new();
        let (store, key, content) = (place.store(), fresh_key(), bytes(size, 5));
        place.bucket.done_but_timed_out(operation, &key.to_string());
        push(&store, key, &content).await;
        assert_eq!(pull(&store, key, size).await, content);
    }
}

#[tokio::test]
async fn an_outcome_that_stays_unknown_is_never_acknowledged_and_can_be_repeated() {
    for (operation, size) in [
        ("put", 1000),
        ("part", PART + 1000),
        ("complete", PART + 1000),
        ("create", PART + 1000),
    ] {
        let place = Place::new();
        let (store, key, content) = (place.store(), fresh_key(), bytes(size, 6));
        let mut upload = store.begin(key).unwrap();
        upload.append(content.slice(..500)).await.unwrap();
        let state = upload.checkpoint().await.unwrap();
        place.bucket.fail(operation, &key.to_string());
        let outcome = async {
            upload.append(content.slice(500..)).await?;
            upload.finish(&digest(&content)).await
        };
        let outcome = outcome.await;
        assert!(
            matches!(outcome, Err(Error::Unavailable(_))),
            "{operation}: {outcome:?}"
        );
        assert_eq!(store.stat(&key).await.unwrap(), None);
        place.bucket.forget();
        let mut upload = store.resume(key, Some(&state)).await.unwrap();
        upload.append(content.slice(500..)).await.unwrap();
        upload.finish(&digest(&content)).await.unwrap();
        assert_eq!(pull(&store, key, size).await, content);
    }
}

#[tokio::test]
async fn an_object_that_another_writer_completed_differently_is_not_taken_for_ours() {
    let place = Place::new();
    let (store, key, content) = (place.store(), fresh_key(), bytes(1000, 7));
    let mut upload = store.begin(key).unwrap();
    upload.append(content.clone()).await.unwrap();
    push(&place.store(), key, &bytes(1000, 8)).await;
    place.bucket.fail("put", &key.to_string());
    let outcome = upload.finish(&digest(&content)).await;
    assert!(
        matches!(outcome, Err(Error::Unavailable(_))),
        "same size, other bytes: {outcome:?}"
    );
}

#[tokio::test]
async fn a_failed_upload_is_broken_until_it_is_resumed() {
    let place = Place::new();
    let (store, key) = (place.store(), fresh_key());
    let mut upload = store.begin(key).unwrap();
    place.bucket.fail("put", "tails/");
    upload.append(bytes(1000, 9)).await.unwrap();
    assert!(matches!(
        upload.checkpoint().await,
        Err(Error::Unavailable(_))
    ));
    assert!(matches!(
        upload.append(bytes(1, 9)).await,
        Err(Error::Broken)
    ));
    assert!(matches!(upload.checkpoint().await, Err(Error::Broken)));
}

#[tokio::test]
async fn parts_that_no_row_knows_are_given_up() {
    let place = Place::new();
    let store = place.store();
    let mut upload = store.begin(fresh_key()).unwrap();
    upload.checkpoint().await.unwrap();
    upload.append(bytes(2 * PART + 1, 10)).await.unwrap();
    drop(upload);
    for _ in 0..500 {
        if place.bucket.count("abort") == 1 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the parts stay in the bucket");
}

#[tokio::test]
async fn a_full_store_is_no_space() {
    let place = Place::new();
    let store = place.store();
    place.bucket.full.store(true, Ordering::Relaxed);
    let mut upload = store.begin(fresh_key()).unwrap();
    let content = bytes(1000, 11);
    upload.append(content.clone()).await.unwrap();
    let outcome = upload.finish(&digest(&content)).await;
    assert!(matches!(outcome, Err(Error::NoSpace)), "{outcome:?}");
}

#[tokio::test]
async fn a_store_that_cannot_be_reached_is_unavailable() {
    let directory = tempfile::tempdir().unwrap();
    let settings = BlobStoreSettings {
        backend: BackendKind::S3,
        bucket: Some("nowhere".to_owned()),
        // Port 9, "discard", where nobody listens.
        endpoint: Some("http://127.0.0.1:9".parse().unwrap()),
        access_key_id: Some("id".to_owned()),
        secret_access_key: Some("secret".into()),
        ..BlobStoreSettings::default()
    };
    let store = BlobStore::new(&settings, directory.path()).unwrap();
    match store.probe().await {
        Err(Error::Unavailable(why)) => assert!(!why.contains("secret"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_redirect_is_a_signed_url_where_it_was_asked_for() {
    let Some(bucket) = service::bucket() else {
        return;
    };
    let settings = BlobStoreSettings {
        redirect: true,
        ..settings_of(bucket)
    };
    let directory = tempfile::tempdir().unwrap();
    let store = BlobStore::new(&settings, directory.path()).unwrap();
    let key = fresh_key();
    push(&store, key, &bytes(1000, 12)).await;
    match store.open(&key, 0..1000).await.unwrap() {
        Opened::Redirect { url, lifetime } => {
            assert_eq!(lifetime.as_secs(), 300);
            assert!(url.path().ends_with(&key.to_string()), "{url}");
            assert!(
                url.query()
                    .is_some_and(|query| query.contains("X-Amz-Signature"))
            );
        }
        other => panic!("{other:?}"),
    }
    let here = store.open_here(&key, 0..1000).await.unwrap();
    assert_eq!(
        here.read().await.unwrap(),
        bytes(1000, 12),
        "this process reads for itself"
    );
}

#[tokio::test]
async fn an_error_at_any_crash_point_acknowledges_nothing_and_the_row_still_resumes() {
    for point in failpoint::BLOBS_IN_A_BUCKET {
        let place = Place::new();
        let (store, key, content) = (place.store(), fresh_key(), bytes(2 * PART + 1000, 13));
        let mut upload = store.begin(key).unwrap();
        upload.append(content.slice(..1000)).await.unwrap();
        let state = upload.checkpoint().await.unwrap();
        let failing = failpoint::arm(point, &key.to_string(), 0, failpoint::Action::Error(5));
        let outcome = async {
            upload.append(content.slice(1000..3000)).await?;
            upload.checkpoint().await?;
            upload.append(content.slice(3000..)).await?;
            upload.finish(&digest(&content)).await
        };
        match outcome.await {
            Err(Error::Unavailable(_)) => {}
            // Only the answer was lost, and the object told.
            Ok(_) if *point == "s3.completed" => {
                assert_eq!(pull(&store, key, content.len()).await, content);
                continue;
            }
            other => panic!("{point}: {other:?}"),
        }
        drop(failing);
        let mut upload = store.resume(key, Some(&state)).await.unwrap();
        assert_eq!(upload.offset(), 1000, "{point}");
        upload.append(content.slice(1000..)).await.unwrap();
        upload.finish(&digest(&content)).await.unwrap();
        assert_eq!(pull(&store, key, content.len()).await, content, "{point}");
    }
}

/// An object store in memory that counts, fails, and does what it then denies.
#[derive(Debug, Default)]
struct Faulty {
    inner: InMemory,
    calls: Mutex<Vec<(&'static str, usize)>>,
    failing: Mutex<Option<(&'static str, String, Fault)>>,
    full: AtomicBool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Every time, before anything is done.
    Error,
    /// Once, after it was done.
    DoneButTimedOut,
}

impl Faulty {
    fn fail(&self, operation: &'static str, at: &str) {
        *self.failing.lock().unwrap() = Some((operation, at.to_owned(), Fault::Error));
    }

    fn done_but_timed_out(&self, operation: &'static str, at: &str) {
        *self.failing.lock().unwrap() = Some((operation, at.to_owned(), Fault::DoneButTimedOut));
    }

    fn forget(&self) {
        *self.failing.lock().unwrap() = None;
        self.calls.lock().unwrap().clear();
    }

    fn count(&self, operation: &str) -> usize {
        self.calls
            .lock()
            .unwrap()
            .iter()
            .filter(|(name, _)| *name == operation)
            .count()
    }

    fn part_sizes(&self) -> Vec<usize> {
        let calls = self.calls.lock().unwrap();
        calls
            .iter()
            .filter(|(name, _)| *name == "part")
            .map(|(_, size)| *size)
            .collect()
    }

    fn note(&self, operation: &'static str, size: usize) {
        self.calls.lock().unwrap().push((operation, size));
    }

    fn before(&self, operation: &str, at: &ObjectPath) -> ObjectResult<()> {
        if self.full.load(Ordering::Relaxed) {
            return Err(generic("XMinioStorageFull"));
        }
        match &*self.failing.lock().unwrap() {
            Some((name, part, Fault::Error))
                if *name == operation && at.as_ref().contains(part) =>
            {
                Err(generic("no answer"))
            }
            _ => Ok(()),
        }
    }

    fn after(&self, operation: &str, at: &ObjectPath) -> ObjectResult<()> {
        let mut failing = self.failing.lock().unwrap();
        match &*failing {
            Some((name, part, Fault::DoneButTimedOut))
                if *name == operation && at.as_ref().contains(part) =>
            {
                *failing = None;
                Err(generic("timed out"))
            }
            _ => Ok(()),
        }
    }
}

fn generic(why: &str) -> ObjectError {
    ObjectError::Generic {
        store: "Faulty",
        source: why.into(),
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(
        &self,
        at: &ObjectPath,
        payload: PutPayload,
        options: PutOptions,
    ) -> ObjectResult<PutResult> {
        self.note("put", payload.content_length());
        self.before("put", at)?;
        let put = self.inner.put_opts(at, payload, options).await?;
        self.after("put", at)?;
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        at: &ObjectPath,
        options: PutMultipartOptions,
    ) -> ObjectResult<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, at: &ObjectPath, options: GetOptions) -> ObjectResult<GetResult> {
        self.inner.get_opts(at, options).await
    }

    fn delete_stream(
        &self,
        at: BoxStream<'static, ObjectResult<ObjectPath>>,
    ) -> BoxStream<'static, ObjectResult<ObjectPath>> {
        self.inner.delete_stream(at)
    }

    fn list(&self, prefix: Option<&ObjectPath>) -> BoxStream<'static, ObjectResult<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&ObjectPath>) -> ObjectResult<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &ObjectPath,
        to: &ObjectPath,
        options: CopyOptions,
    ) -> ObjectResult<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[async_trait]
impl MultipartStore for Faulty {
    async fn create_multipart(&self, at: &ObjectPath) -> ObjectResult<MultipartId> {
        self.note("create", 0);
        self.before("create", at)?;
        self.inner.create_multipart(at).await
    }

    async fn put_part(
        &self,
        at: &ObjectPath,
        id: &MultipartId,
        index: usize,
        payload: PutPayload,
    ) -> ObjectResult<PartId> {
        self.note("part", payload.content_length());
        self.before("part", at)?;
        self.inner.put_part(at, id, index, payload).await
    }

    async fn complete_multipart(
        &self,
        at: &ObjectPath,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> ObjectResult<PutResult> {
        self.note("complete", parts.len());
        self.before("complete", at)?;
        let completed = self.inner.complete_multipart(at, id, parts).await?;
        self.after("complete", at)?;
        Ok(completed)
    }

    async fn abort_multipart(&self, at: &ObjectPath, id: &MultipartId) -> ObjectResult<()> {
        self.note("abort", 0);
        // The one in memory has no word for an upload it does not know.
        self.inner
            .abort_multipart(at, id)
            .await
            .map_err(|_| ObjectError::NotFound {
                path: at.to_string(),
                source: "no such upload".into(),
            })
    }
}
