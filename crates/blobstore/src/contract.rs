//! The contract of [`BlobStore`], as tests that every backend passes.
//!
//! ```text
//! naru_blobstore::blob_store_contract!(directory, my_subject().await);
//! ```
//!
//! makes one test of each fact below. The expression gives a [`Subject`]: two replicas that share
//! a store and nothing else. Facts use keys of their own and can share a bucket.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is a test suite, which fails by panicking"
)]

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::TryStreamExt;
use futures_util::future::join_all;
use naru_oci::{Algorithm, Digest};

use crate::{BlobStore, Error, StorageKey, Upload, UploadState, Verdict};

/// What the facts are about.
pub struct Subject {
    /// A replica.
    pub store: BlobStore,
    /// Another one on the same store, with no memory in common.
    pub other: BlobStore,
    /// What must live as long as the test, such as a temporary directory.
    pub keep: Box<dyn std::any::Any + Send + Sync>,
}

/// Sizes around every boundary: page, buffers, direct writing, parts.
const SIZES: [usize; 16] = [
    0,
    1,
    4095,
    4096,
    4097,
    65_536,
    1_000_000,
    1 << 20,
    (1 << 20) + 1,
    (2 << 20) + 4095,
    (8 << 20) - 1,
    8 << 20,
    (8 << 20) + 1,
    16 << 20,
    (16 << 20) + 4096,
    (25 << 20) + 17,
];
/// Larger than any buffer and any part.
const LARGE: usize = (9 << 20) + 1234;
/// The frames in which a body arrives.
const FRAME: usize = 61_440;

/// One test for each fact about the backend `$name`, whose subject is `$subject`.
#[macro_export]
macro_rules! blob_store_contract {
    ($name:ident, $subject:expr) => {
        $crate::blob_store_contract!($name, $subject,
            what_was_pushed_is_read_back,
            a_range_is_read_exactly,
            a_digest_that_does_not_match_leaves_nothing,
            an_upload_goes_on_elsewhere_from_its_checkpoint,
            what_came_after_the_checkpoint_is_forgotten,
            an_upload_without_a_checkpoint_begins_anew_and_left_nothing,
            any_split_into_requests_and_replicas_gives_the_whole,
            a_checkpoint_without_new_bytes_changes_nothing,
            a_finish_whose_answer_was_lost_can_be_repeated,
            an_aborted_upload_leaves_nothing,
            an_upload_can_be_discarded_from_its_row,
            deleting_is_idempotent,
            what_is_open_is_read_on_after_it_was_deleted,
            missing_and_short_blobs_are_told_apart,
            verifying_finds_what_is_missing_short_or_different,
            a_listing_tells_blobs_and_uploads_by_age,
            an_announced_length_is_only_a_hint,
            parallel_uploads_stay_within_the_budget,
            a_state_of_another_backend_is_refused,
            a_probe_finds_the_store_fit
        );
    };
    ($name:ident, $subject:expr, $($fact:ident),+) => {
        mod $name {
            #[allow(unused_imports, reason = "the expression may need nothing")]
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $fact() {
                    let Some(subject) = $subject else { return };
                    $crate::contract::$fact(&subject).await;
                }
            )+
        }
    };
}

/// A key that no other test has.
#[must_use]
pub fn fresh_key() -> StorageKey {
    // Facts share buckets with earlier runs, so the process number must be in it.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    fresh_key_of(1_700_000_000_000 + NEXT.fetch_add(1, Ordering::Relaxed))
}

fn fresh_key_of(unix_millis: u64) -> StorageKey {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let process = std::process::id().to_be_bytes();
    let mut random = [0; 12];
    // The first two bytes choose the directory.
    random[..2].copy_from_slice(&number[6..]);
    random[2..6].copy_from_slice(&process);
    random[6..].copy_from_slice(&number[2..]);
    StorageKey::fresh(unix_millis, random)
}

/// Bytes that repeat nowhere near a boundary.
#[must_use]
pub fn bytes(length: usize, seed: u64) -> Bytes {
    let mut random = Sequence(seed.wrapping_mul(2) + 1);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&random.next().to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}

/// Pushes bytes in frames, in one request, and finishes.
pub async fn push(store: &BlobStore, key: StorageKey, bytes: &Bytes) -> Digest {
    let digest = Digest::of(Algorithm::Sha256, bytes);
    let mut upload = store.begin(key).unwrap();
    upload.expect(bytes.len() as u64);
    append(&mut upload, bytes).await;
    let finished = upload.finish(&digest).await.unwrap();
    assert_eq!(finished.size, bytes.len() as u64);
    digest
}

/// Reads a whole blob.
pub async fn pull(store: &BlobStore, key: StorageKey, size: usize) -> Bytes {
    store
        .open(&key, 0..size as u64)
        .await
        .unwrap()
        .read()
        .await
        .unwrap()
}

async fn append(upload: &mut Upload, bytes: &Bytes) {
    for start in (0..bytes.len()).step_by(FRAME) {
        let frame = bytes.slice(start..bytes.len().min(start + FRAME));
        upload.append(frame).await.unwrap();
    }
}

/// As a row keeps it.
fn through_a_row(state: &UploadState) -> UploadState {
    UploadState::from_bytes(&state.to_bytes().unwrap()).unwrap()
}

async fn all_keys(store: &BlobStore) -> Vec<StorageKey> {
    let listed: Vec<_> = store.list(u64::MAX).try_collect().await.unwrap();
    listed.into_iter().map(|listed| listed.key).collect()
}

/// Small pseudo-random numbers, the same in every run (xorshift).
struct Sequence(u64);

impl Sequence {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 16).unwrap() % limit.max(1)
    }
}

/// Of every size, by both algorithms.
pub async fn what_was_pushed_is_read_back(subject: &Subject) {
    for (seed, size) in (0..).zip(SIZES) {
        for algorithm in Algorithm::ALL {
            let (key, bytes) = (fresh_key(), bytes(size, seed));
            let mut upload = subject.store.begin(key).unwrap();
            append(&mut upload, &bytes).await;
            assert_eq!(upload.offset(), size as u64);
            let digest = Digest::of(algorithm, &bytes);
            assert_eq!(upload.finish(&digest).await.unwrap().size, size as u64);
            assert_eq!(subject.other.stat(&key).await.unwrap(), Some(size as u64));
            assert_eq!(pull(&subject.other, key, size).await, bytes, "{size} bytes");
        }
    }
}

/// From the first byte, from the middle, to the last, and none.
pub async fn a_range_is_read_exactly(subject: &Subject) {
    let (key, bytes) = (fresh_key(), bytes(LARGE, 1));
    push(&subject.store, key, &bytes).await;
    for range in [
        0..1,
        0..LARGE,
        4095..4097,
        1 << 20..3 << 20,
        LARGE - 1..LARGE,
        5..5,
    ] {
        let wanted = range.start as u64..range.end as u64;
        let opened = subject.store.open(&key, wanted).await.unwrap();
        assert_eq!(opened.len(), Some(range.len() as u64));
        assert_eq!(opened.read().await.unwrap(), bytes.slice(range));
    }
}

/// Neither of a small upload nor of a large one, nor after a checkpoint, by both algorithms.
pub async fn a_digest_that_does_not_match_leaves_nothing(subject: &Subject) {
    for size in [0, 1000, LARGE] {
        for algorithm in Algorithm::ALL {
            for checkpoint in [false, true] {
                let (key, bytes) = (fresh_key(), bytes(size, 2));
                let mut upload = subject.store.begin(key).unwrap();
                append(&mut upload, &bytes).await;
                if checkpoint {
                    upload.checkpoint().await.unwrap();
                }
                let wrong = Digest::of(algorithm, b"something else");
                match upload.finish(&wrong).await {
                    Err(Error::DigestMismatch { expected, actual }) => {
                        assert_eq!(expected, wrong);
                        assert!(actual.is_of(&bytes));
                    }
                    other => panic!("{other:?}"),
                }
                assert_eq!(subject.store.stat(&key).await.unwrap(), None);
                assert!(!all_keys(&subject.store).await.contains(&key));
            }
        }
    }
}

/// On a replica that has only the row, and with the epoch the row gave it.
pub async fn an_upload_goes_on_elsewhere_from_its_checkpoint(subject: &Subject) {
    for cut in [1, 4096, 100_000, 1 << 20, 8 << 20, (8 << 20) + 5] {
        let (key, bytes) = (fresh_key(), bytes(LARGE, 3));
        let mut upload = subject.store.begin(key).unwrap();
        upload.set_epoch(1);
        append(&mut upload, &bytes.slice(..cut)).await;
        let state = through_a_row(&upload.checkpoint().await.unwrap());
        assert_eq!((state.offset(), state.epoch), (cut as u64, 1));
        drop(upload);
        let stands = subject.other.resumable(&key, Some(&state)).await;
        assert_eq!(stands.unwrap(), cut as u64);
        let mut upload = subject.other.resume(key, Some(&state)).await.unwrap();
        upload.set_epoch(2);
        assert_eq!(upload.offset(), cut as u64);
        append(&mut upload, &bytes.slice(cut..)).await;
        assert_eq!(upload.checkpoint().await.unwrap().epoch, 2);
        upload
            .finish(&Digest::of(Algorithm::Sha256, &bytes))
            .await
            .unwrap();
        assert_eq!(pull(&subject.store, key, LARGE).await, bytes);
    }
}

/// A client that vanishes leaves what was acknowledged, and the next one goes on there.
pub async fn what_came_after_the_checkpoint_is_forgotten(subject: &Subject) {
    let (key, bytes) = (fresh_key(), bytes(LARGE, 4));
    let mut upload = subject.store.begin(key).unwrap();
    append(&mut upload, &bytes.slice(..5000)).await;
    let state = upload.checkpoint().await.unwrap();
    append(&mut upload, &bytes.slice(..4 << 20)).await;
    let stands = subject.other.resumable(&key, Some(&state)).await;
    assert_eq!(stands.unwrap(), 5000, "whoever asks disturbs nobody");
    drop(upload);
    let mut upload = subject.store.resume(key, Some(&state)).await.unwrap();
    assert_eq!(upload.offset(), 5000);
    append(&mut upload, &bytes.slice(5000..)).await;
    upload
        .finish(&Digest::of(Algorithm::Sha256, &bytes))
        .await
        .unwrap();
    assert_eq!(pull(&subject.store, key, LARGE).await, bytes);
}

/// Its key has not been used up.
pub async fn an_upload_without_a_checkpoint_begins_anew_and_left_nothing(subject: &Subject) {
    for size in [1000, LARGE] {
        let (key, bytes) = (fresh_key(), bytes(size, 5));
        let mut upload = subject.store.begin(key).unwrap();
        append(&mut upload, &bytes).await;
        drop(upload);
        assert_eq!(subject.store.resumable(&key, None).await.unwrap(), 0);
        let mut upload = subject.store.resume(key, None).await.unwrap();
        assert_eq!(upload.offset(), 0);
        append(&mut upload, &bytes).await;
        upload
            .finish(&Digest::of(Algorithm::Sha256, &bytes))
            .await
            .unwrap();
        assert_eq!(pull(&subject.store, key, size).await, bytes);
    }
}

/// Appends, checkpoints, losses and changes of replica at random places.
pub async fn any_split_into_requests_and_replicas_gives_the_whole(subject: &Subject) {
    for seed in 1..=24 {
        let mut random = Sequence(seed);
        let size = SIZES[random.below(SIZES.len())];
        let (key, bytes) = (fresh_key(), bytes(size, seed));
        let mut upload = subject.store.begin(key).unwrap();
        let mut state = None;
        while upload.offset() < size as u64 {
            let start = usize::try_from(upload.offset()).unwrap();
            let most = [100, 5000, 1 << 20, 9 << 20][random.below(4)];
            let step = 1 + random.below(most);
            upload
                .append(bytes.slice(start..size.min(start + step)))
                .await
                .unwrap();
            let replica = [&subject.store, &subject.other][random.below(2)];
            match random.below(8) {
                // A request ended, the next one came to the same process or to another one.
                0..=3 => state = Some(upload.checkpoint().await.unwrap()),
                4 => {
                    state = Some(through_a_row(&upload.checkpoint().await.unwrap()));
                    upload = replica.resume(key, state.as_ref()).await.unwrap();
                }
                // A client vanished.
                5 if random.below(4) == 0 => {
                    drop(upload);
                    upload = replica.resume(key, state.as_ref()).await.unwrap();
                    let kept = state.as_ref().map_or(0, UploadState::offset);
                    assert_eq!(upload.offset(), kept, "seed {seed}");
                }
                _ => {}
            }
        }
        let algorithm = Algorithm::ALL[random.below(2)];
        let finished = upload.finish(&Digest::of(algorithm, &bytes)).await;
        assert_eq!(finished.unwrap().size, size as u64, "seed {seed}");
        assert_eq!(pull(&subject.store, key, size).await, bytes, "seed {seed}");
    }
}

/// Neither before the first byte nor after the last.
pub async fn a_checkpoint_without_new_bytes_changes_nothing(subject: &Subject) {
    let (key, bytes) = (fresh_key(), bytes(5000, 6));
    let mut upload = subject.store.begin(key).unwrap();
    let empty = upload.checkpoint().await.unwrap();
    assert_eq!(empty.offset(), 0);
    let mut upload = subject.other.resume(key, Some(&empty)).await.unwrap();
    append(&mut upload, &bytes).await;
    let first = upload.checkpoint().await.unwrap();
    let second = upload.checkpoint().await.unwrap();
    assert_eq!(first, second);
    upload
        .finish(&Digest::of(Algorithm::Sha256, &bytes))
        .await
        .unwrap();
}

/// A process that ends between the finish and the row leaves a row that can be finished again.
pub async fn a_finish_whose_answer_was_lost_can_be_repeated(subject: &Subject) {
    for size in [0, 5000, 8 << 20, LARGE] {
        let (key, bytes) = (fresh_key(), bytes(size, 7));
        let digest = Digest::of(Algorithm::Sha256, &bytes);
        let mut upload = subject.store.begin(key).unwrap();
        append(&mut upload, &bytes).await;
        let state = upload.checkpoint().await.unwrap();
        upload.finish(&digest).await.unwrap();
        let stands = subject.other.resumable(&key, Some(&state)).await;
        let again = subject.other.resume(key, Some(&state)).await.unwrap();
        assert_eq!(stands.unwrap(), again.offset());
        let offset = usize::try_from(again.offset()).unwrap();
        let mut again = again;
        append(&mut again, &bytes.slice(offset..)).await;
        assert_eq!(again.finish(&digest).await.unwrap().size, size as u64);
        assert_eq!(pull(&subject.store, key, size).await, bytes);
    }
}

/// Whatever was there of it, and twice.
pub async fn an_aborted_upload_leaves_nothing(subject: &Subject) {
    for size in [0, 1000, LARGE] {
        let (key, bytes) = (fresh_key(), bytes(size, 8));
        let mut upload = subject.store.begin(key).unwrap();
        append(&mut upload, &bytes).await;
        let state = upload.checkpoint().await.unwrap();
        append(&mut upload, &bytes).await;
        upload.abort().await.unwrap();
        assert_eq!(subject.store.stat(&key).await.unwrap(), None);
        assert!(!all_keys(&subject.store).await.contains(&key));
        subject.store.discard(&key, Some(&state)).await.unwrap();
    }
}

/// By a process that never wrote to it.
pub async fn an_upload_can_be_discarded_from_its_row(subject: &Subject) {
    let (key, bytes) = (fresh_key(), bytes(LARGE, 9));
    let mut upload = subject.store.begin(key).unwrap();
    append(&mut upload, &bytes).await;
    let state = through_a_row(&upload.checkpoint().await.unwrap());
    drop(upload);
    subject.other.discard(&key, Some(&state)).await.unwrap();
    assert!(!all_keys(&subject.store).await.contains(&key));
    subject.other.discard(&key, Some(&state)).await.unwrap();
    subject.other.discard(&fresh_key(), None).await.unwrap();
}

/// What is not there can be deleted, too.
pub async fn deleting_is_idempotent(subject: &Subject) {
    let (key, bytes) = (fresh_key(), bytes(1000, 10));
    subject.store.delete(&key).await.unwrap();
    push(&subject.store, key, &bytes).await;
    subject.other.delete(&key).await.unwrap();
    subject.store.delete(&key).await.unwrap();
    assert_eq!(subject.store.stat(&key).await.unwrap(), None);
}

/// The collector never pulls a blob from under a reader.
pub async fn what_is_open_is_read_on_after_it_was_deleted(subject: &Subject) {
    let (key, bytes) = (fresh_key(), bytes(100_000, 11));
    push(&subject.store, key, &bytes).await;
    let opened = subject.store.open(&key, 0..100_000).await.unwrap();
    subject.store.delete(&key).await.unwrap();
    assert_eq!(opened.read().await.unwrap(), bytes);
    let gone = subject.store.open(&key, 0..100_000).await;
    assert!(matches!(gone, Err(Error::Missing { .. })), "{gone:?}");
}

/// A row that promises more than there is, and one that promises what is not there.
pub async fn missing_and_short_blobs_are_told_apart(subject: &Subject) {
    let (key, bytes) = (fresh_key(), bytes(1000, 12));
    for range in [0..1, 0..0] {
        let missing = subject.store.open(&key, range).await;
        assert!(matches!(missing, Err(Error::Missing { .. })), "{missing:?}");
    }
    push(&subject.store, key, &bytes).await;
    for range in [0..1001, 5000..6000] {
        let expected_end = range.end;
        match subject.store.open(&key, range).await {
            Err(Error::Truncated {
                expected,
                found: 1000,
                ..
            }) => {
                assert_eq!(expected, expected_end);
            }
            other => panic!("{other:?}"),
        }
    }
}

/// What `fsck` asks.
pub async fn verifying_finds_what_is_missing_short_or_different(subject: &Subject) {
    for size in [0, 1000, LARGE] {
        let (key, content) = (fresh_key(), bytes(size, 13));
        let verify = async |digest: &Digest, size: usize| {
            subject
                .other
                .verify(&key, digest, size as u64)
                .await
                .unwrap()
        };
        let digest = Digest::of(Algorithm::Sha256, &content);
        assert_eq!(verify(&digest, size).await, Verdict::Missing);
        push(&subject.store, key, &content).await;
        assert_eq!(verify(&digest, size).await, Verdict::Sound);
        let by_the_other = Digest::of(Algorithm::Sha512, &content);
        assert_eq!(verify(&by_the_other, size).await, Verdict::Sound);
        let found = size as u64;
        assert_eq!(
            verify(&digest, size + 1).await,
            Verdict::WrongSize { found }
        );
        let wrong = Digest::of(Algorithm::Sha256, b"something else");
        assert_eq!(
            verify(&wrong, size).await,
            Verdict::WrongDigest { actual: digest }
        );
    }
}

/// The age of a key is that of its beginning.
pub async fn a_listing_tells_blobs_and_uploads_by_age(subject: &Subject) {
    let moment = 1_600_000_000_000;
    let (old, new) = (fresh_key_of(moment), fresh_key_of(moment + 10));
    push(&subject.store, old, &bytes(1000, 14)).await;
    let mut upload = subject.store.begin(new).unwrap();
    append(&mut upload, &bytes(2000, 15)).await;
    upload.checkpoint().await.unwrap();
    let listed =
        async |before| -> Vec<_> { subject.other.list(before).try_collect().await.unwrap() };
    let before = listed(moment + 10).await;
    assert!(
        before
            .iter()
            .any(|listed| listed.key == old && listed.size == 1000)
    );
    assert!(!before.iter().any(|listed| listed.key == new));
    let all = listed(moment + 11).await;
    assert!(
        all.iter()
            .any(|listed| listed.key == new && listed.size == 2000)
    );
    upload.abort().await.unwrap();
    subject.store.delete(&old).await.unwrap();
}

/// Less may come, more may come, and what comes counts.
pub async fn an_announced_length_is_only_a_hint(subject: &Subject) {
    for announced in [1, 5000, 100 << 20, u64::MAX] {
        for size in [5000, LARGE] {
            let (key, bytes) = (fresh_key(), bytes(size, 16));
            let mut upload = subject.store.begin(key).unwrap();
            upload.expect(announced);
            append(&mut upload, &bytes).await;
            upload
                .finish(&Digest::of(Algorithm::Sha256, &bytes))
                .await
                .unwrap();
            assert_eq!(subject.store.stat(&key).await.unwrap(), Some(size as u64));
            assert_eq!(pull(&subject.store, key, size).await, bytes);
        }
    }
}

/// Sixty-four of them, of which some vanish; and all memory comes back.
pub async fn parallel_uploads_stay_within_the_budget(subject: &Subject) {
    let pool = subject.store.buffers();
    let content = bytes(3 << 20, 17);
    let most = AtomicU64::new(0);
    let uploads = (0..64).map(|number| {
        let (content, most) = (&content, &most);
        async move {
            let key = fresh_key();
            let mut upload = subject.store.begin(key).unwrap();
            for start in (0..content.len()).step_by(FRAME) {
                let frame = content.slice(start..content.len().min(start + FRAME));
                upload.append(frame).await.unwrap();
                most.fetch_max(pool.in_use() as u64, Ordering::Relaxed);
                if number % 8 == 0 && start > 2 << 20 {
                    return;
                }
            }
            upload
                .finish(&Digest::of(Algorithm::Sha256, content))
                .await
                .unwrap();
            subject.store.delete(&key).await.unwrap();
        }
    });
    join_all(uploads).await;
    assert!(most.into_inner() <= pool.budget() as u64);
    for _ in 0..500 {
        if pool.in_use() == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{} bytes of memory did not come back", pool.in_use());
}

/// A row outlives a change of settings; its bytes do not.
pub async fn a_state_of_another_backend_is_refused(subject: &Subject) {
    let key = fresh_key();
    let mut upload = subject.store.begin(key).unwrap();
    append(&mut upload, &bytes(5000, 18)).await;
    let text = String::from_utf8(upload.checkpoint().await.unwrap().to_bytes().unwrap()).unwrap();
    let here = text.find("\"place\":").unwrap();
    let elsewhere = if text.contains("\"directory\"") {
        r#""place":{"s3":{"multipart":"id","done":[],"tail":null}}}"#
    } else {
        r#""place":"directory"}"#
    };
    let text = format!("{}{elsewhere}", &text.split_at(here).0);
    let state = UploadState::from_bytes(text.as_bytes()).unwrap();
    let refused = subject.store.resume(key, Some(&state)).await;
    assert!(matches!(refused, Err(Error::BadState(_))), "{refused:?}");
    let refused = subject.store.resumable(&key, Some(&state)).await;
    assert!(matches!(refused, Err(Error::BadState(_))), "{refused:?}");
    upload.abort().await.unwrap();
}

/// And leaves nothing behind.
pub async fn a_probe_finds_the_store_fit(subject: &Subject) {
    let probe = subject.store.probe().await.unwrap();
    assert!(!probe.to_string().is_empty());
    subject.other.probe().await.unwrap();
}
