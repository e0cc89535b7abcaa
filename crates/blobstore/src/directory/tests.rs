//! The contract on a directory, and what only a directory can suffer.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Duration;

use naru_oci::{Algorithm, Digest};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::contract::{Subject, bytes, fresh_key, pull, push};
use crate::failpoint::{Action, BLOBS_IN_A_DIRECTORY, arm};
use crate::{BlobStore, BlobStoreSettings, Error, StorageKey, Verdict, blob_store_contract};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// Two replicas on one directory, as after a restart.
fn subject() -> Option<Subject> {
    subject_with(&BlobStoreSettings::default())
}

fn subject_with(settings: &BlobStoreSettings) -> Option<Subject> {
    let data = tempfile::tempdir().unwrap();
    Some(Subject {
        store: BlobStore::new(settings, data.path()).unwrap(),
        other: BlobStore::new(settings, data.path()).unwrap(),
        keep: Box::new(data),
    })
}

blob_store_contract!(contract, subject());
blob_store_contract!(
    contract_without_direct_writes,
    subject_with(&BlobStoreSettings {
        direct_io_from_mib: 0,
        ..BlobStoreSettings::default()
    })
);

struct Place {
    store: BlobStore,
    data: TempDir,
}

impl Place {
    fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        Self {
            store: BlobStore::new(&BlobStoreSettings::default(), data.path()).unwrap(),
            data,
        }
    }

    /// After a restart.
    fn again(&self) -> BlobStore {
        BlobStore::new(&BlobStoreSettings::default(), self.data.path()).unwrap()
    }

    fn path(&self, key: StorageKey) -> PathBuf {
        self.data.path().join(key.to_string())
    }
}

fn digest(bytes: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, bytes)
}

#[tokio::test]
async fn a_used_key_is_refused() {
    let place = Place::new();
    let (key, content) = (fresh_key(), bytes(1000, 1));
    push(&place.store, key, &content).await;
    let mut upload = place.store.begin(key).unwrap();
    upload.append(content.clone()).await.unwrap();
    let refused = upload.finish(&digest(&content)).await;
    assert!(
        matches!(refused, Err(Error::TakenOver { .. })),
        "{refused:?}"
    );
    assert_eq!(pull(&place.store, key, 1000).await, content);
}

#[tokio::test]
async fn nothing_is_made_before_the_first_blob() {
    let place = Place::new();
    let store = place.store.clone();
    assert_eq!(store.stat(&fresh_key()).await.unwrap(), None);
    drop(store.begin(fresh_key()).unwrap());
    assert_eq!(fs::read_dir(place.data.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_file_that_a_power_cut_shortened_shortens_the_upload() {
    for kept in [0, 1, 4096, 3 << 20] {
        let place = Place::new();
        let (key, content) = (fresh_key(), bytes(4 << 20, 2));
        let mut upload = place.store.begin(key).unwrap();
        upload.append(content.clone()).await.unwrap();
        let state = upload.checkpoint().await.unwrap();
        drop(upload);
        fs::OpenOptions::new()
            .write(true)
            .open(place.path(key))
            .unwrap()
            .set_len(kept)
            .unwrap();
        let stands = place.again().resumable(&key, Some(&state)).await;
        assert_eq!(stands.unwrap(), kept);
        let mut upload = place.again().resume(key, Some(&state)).await.unwrap();
        assert_eq!(upload.offset(), kept);
        let rest = content.slice(usize::try_from(kept).unwrap()..);
        upload.append(rest).await.unwrap();
        upload.finish(&digest(&content)).await.unwrap();
        assert_eq!(pull(&place.store, key, 4 << 20).await, content);
    }
}

#[tokio::test]
async fn an_upload_whose_file_is_gone_is_missing() {
    let place = Place::new();
    let key = fresh_key();
    let mut upload = place.store.begin(key).unwrap();
    upload.append(bytes(1000, 3)).await.unwrap();
    let state = upload.checkpoint().await.unwrap();
    fs::remove_file(place.path(key)).unwrap();
    upload.append(bytes(1000, 3)).await.unwrap();
    let lost = upload.checkpoint().await;
    assert!(matches!(lost, Err(Error::Missing { .. })), "{lost:?}");
    let lost = place.store.resume(key, Some(&state)).await;
    assert!(matches!(lost, Err(Error::Missing { .. })), "{lost:?}");
    let lost = place.store.resumable(&key, Some(&state)).await;
    assert!(matches!(lost, Err(Error::Missing { .. })), "{lost:?}");
}

#[tokio::test]
async fn a_blob_with_a_flipped_bit_is_found() {
    let place = Place::new();
    let (key, content) = (fresh_key(), bytes(100_000, 4));
    let digest = push(&place.store, key, &content).await;
    let file = fs::OpenOptions::new()
        .write(true)
        .open(place.path(key))
        .unwrap();
    file.write_all_at(&[content[70_000] ^ 1], 70_000).unwrap();
    let found = place.store.verify(&key, &digest, 100_000).await.unwrap();
    assert!(matches!(found, Verdict::WrongDigest { .. }), "{found:?}");
    file.set_len(99_999).unwrap();
    let found = place.store.verify(&key, &digest, 100_000).await.unwrap();
    assert_eq!(found, Verdict::WrongSize { found: 99_999 });
}

#[tokio::test]
async fn strangers_among_the_files_are_left_alone() {
    use futures_util::TryStreamExt;
    let place = Place::new();
    let key = fresh_key();
    push(&place.store, key, &bytes(10, 5)).await;
    let stranger = place.path(key).with_file_name("notes.txt");
    fs::write(&stranger, "mine").unwrap();
    let listed: Vec<_> = place.store.list(u64::MAX).try_collect().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert!(stranger.exists());
}

#[tokio::test]
async fn a_full_disk_is_no_space_and_gives_back_what_no_row_knows() {
    for (checkpoint, left) in [(0, None), (5000, Some(5000))] {
        let place = Place::new();
        let (key, content) = (fresh_key(), bytes(4 << 20, 6));
        let mut upload = place.store.begin(key).unwrap();
        upload.append(content.slice(..checkpoint)).await.unwrap();
        let state = upload.checkpoint().await.unwrap();
        let full = arm("blob.append", &key.to_string(), 1, Action::Error(ENOSPC));
        let written = async {
            upload.append(content.slice(checkpoint..)).await?;
            upload.checkpoint().await
        };
        let written = written.await;
        assert!(matches!(written, Err(Error::NoSpace)), "{written:?}");
        let broken = upload.append(content.clone()).await;
        assert!(matches!(broken, Err(Error::Broken)), "{broken:?}");
        assert_eq!(place.store.stat(&key).await.unwrap(), left);
        drop(full);
        let mut upload = place.store.resume(key, Some(&state)).await.unwrap();
        upload.append(content.slice(checkpoint..)).await.unwrap();
        upload.finish(&digest(&content)).await.unwrap();
        assert_eq!(pull(&place.store, key, 4 << 20).await, content);
    }
}

#[tokio::test]
async fn a_really_full_disk_is_no_space() {
    let Some(disk) = small_disk() else {
        naru_testkit::services::absent::say("this user may not mount a small filesystem");
        return;
    };
    let settings = BlobStoreSettings {
        allow_unsafe_filesystem: true,
        ..BlobStoreSettings::default()
    };
    let store = BlobStore::new(&settings, &disk.0).unwrap();
    let kept = fresh_key();
    push(&store, kept, &bytes(1 << 20, 8)).await;
    for announced in [false, true] {
        let (key, content) = (fresh_key(), bytes(20 << 20, 9));
        let mut upload = store.begin(key).unwrap();
        if announced {
            upload.expect(20 << 20);
        }
        let mut outcome = Ok(());
        for frame in content.chunks(61_440) {
            outcome = upload.append(content.slice_ref(frame)).await;
            if outcome.is_err() {
                break;
            }
        }
        let outcome = match outcome {
            Ok(()) => upload.finish(&digest(&content)).await.map(|_| ()),
            failed => failed,
        };
        assert!(matches!(outcome, Err(Error::NoSpace)), "{outcome:?}");
        assert_eq!(
            store.stat(&key).await.unwrap(),
            None,
            "the space is given back"
        );
    }
    push(&store, fresh_key(), &bytes(4 << 20, 10)).await;
    store.delete(&kept).await.unwrap();
}

#[tokio::test]
async fn reading_and_deleting_go_on_while_the_disk_is_full() {
    let Some(disk) = small_disk() else {
        naru_testkit::services::absent::say("this user may not mount a small filesystem");
        return;
    };
    let settings = BlobStoreSettings {
        allow_unsafe_filesystem: true,
        ..BlobStoreSettings::default()
    };
    let store = BlobStore::new(&settings, &disk.0).unwrap();
    let (kept, content) = (fresh_key(), bytes(100_000, 7));
    push(&store, kept, &content).await;
    assert!(fs::write(disk.0.join("filler"), vec![1; 8 << 20]).is_err());
    let mut upload = store.begin(fresh_key()).unwrap();
    upload.append(content.clone()).await.unwrap();
    let refused = upload.finish(&digest(&content)).await;
    assert!(matches!(refused, Err(Error::NoSpace)), "{refused:?}");
    assert_eq!(pull(&store, kept, 100_000).await, content);
    store.delete(&kept).await.unwrap();
    assert_eq!(store.stat(&kept).await.unwrap(), None);
}

/// A filesystem of 8 MiB, unmounted when dropped.
struct SmallDisk(PathBuf, #[expect(dead_code, reason = "goes last")] TempDir);

fn small_disk() -> Option<SmallDisk> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("disk");
    fs::create_dir(&path).unwrap();
    let mut mount = std::process::Command::new("mount");
    mount
        .args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"])
        .arg(&path);
    let mounted = mount.stderr(std::process::Stdio::null()).status();
    mounted
        .is_ok_and(|status| status.success())
        .then_some(SmallDisk(path, directory))
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg("-l")
            .arg(&self.0)
            .status();
    }
}

#[tokio::test]
async fn after_a_failed_flush_nothing_is_acknowledged_any_more() {
    let place = Place::new();
    let (kept, key) = (fresh_key(), fresh_key());
    let content = bytes(1000, 11);
    push(&place.store, kept, &content).await;
    let failing = arm("blob.flush", &key.to_string(), 0, Action::Error(EIO));
    let mut upload = place.store.begin(key).unwrap();
    upload.append(content.clone()).await.unwrap();
    let failed = upload.finish(&digest(&content)).await;
    assert!(matches!(failed, Err(Error::Io { .. })), "{failed:?}");
    drop(failing);
    assert!(matches!(
        place.store.begin(fresh_key()),
        Err(Error::ReadOnly)
    ));
    assert!(matches!(
        place.store.resume(key, None).await,
        Err(Error::ReadOnly)
    ));
    assert_eq!(pull(&place.store, kept, 1000).await, content, "reads go on");
    assert_eq!(place.store.stat(&key).await.unwrap(), None);
    push(&place.again(), fresh_key(), &content).await;
}

#[tokio::test]
async fn an_open_upload_is_refused_too_after_a_failed_flush() {
    let place = Place::new();
    let (key, other) = (fresh_key(), fresh_key());
    let content = bytes(1000, 12);
    let mut upload = place.store.begin(key).unwrap();
    upload.append(content.clone()).await.unwrap();
    let failing = arm("blob.flush", &other.to_string(), 0, Action::Error(EIO));
    let mut failed = place.store.begin(other).unwrap();
    failed.append(content.clone()).await.unwrap();
    assert!(failed.checkpoint().await.is_err());
    drop(failing);
    let refused = upload.finish(&digest(&content)).await;
    assert!(matches!(refused, Err(Error::ReadOnly)), "{refused:?}");
}

#[tokio::test]
async fn an_error_at_any_crash_point_acknowledges_nothing_and_the_row_still_resumes() {
    for point in BLOBS_IN_A_DIRECTORY {
        for size in [5000, 3 << 20] {
            let place = Place::new();
            let (key, content) = (fresh_key(), bytes(size, 13));
            let mut upload = place.store.begin(key).unwrap();
            upload.append(content.slice(..1000)).await.unwrap();
            let state = upload.checkpoint().await.unwrap();
            let failing = arm(point, &key.to_string(), 0, Action::Error(EIO));
            let outcome = async {
                upload.append(content.slice(1000..2000)).await?;
                upload.checkpoint().await?;
                upload.append(content.slice(2000..)).await?;
                upload.finish(&digest(&content)).await
            };
            assert!(outcome.await.is_err(), "{point}");
            drop(failing);
            let store = place.again();
            let mut upload = store.resume(key, Some(&state)).await.unwrap();
            assert_eq!(upload.offset(), 1000, "{point}");
            upload.append(content.slice(1000..)).await.unwrap();
            upload.finish(&digest(&content)).await.unwrap();
            assert_eq!(pull(&store, key, size).await, content, "{point}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_over_waits_for_the_last_write_of_the_one_cut_off() {
    let place = Place::new();
    let (key, content) = (fresh_key(), bytes(3 << 20, 14));
    let mut upload = place.store.begin(key).unwrap();
    upload.append(content.slice(..1000)).await.unwrap();
    let state = upload.checkpoint().await.unwrap();
    let slow = arm(
        "blob.append",
        &key.to_string(),
        0,
        Action::Delay(Duration::from_millis(300)),
    );
    // Other bytes, of which a part is under way when the writer is cut off.
    upload.append(bytes(3 << 20, 15)).await.unwrap();
    drop(upload);
    drop(slow);
    let mut upload = place.again().resume(key, Some(&state)).await.unwrap();
    upload.append(content.slice(1000..)).await.unwrap();
    upload.finish(&digest(&content)).await.unwrap();
    assert_eq!(pull(&place.store, key, 3 << 20).await, content);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_upload_without_a_checkpoint_removes_its_file() {
    let place = Place::new();
    let key = fresh_key();
    let mut upload = place.store.begin(key).unwrap();
    upload.append(bytes(5 << 20, 16)).await.unwrap();
    assert!(place.path(key).exists());
    drop(upload);
    for _ in 0..500 {
        if !place.path(key).exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the file stays");
}

#[tokio::test]
async fn a_parked_upload_holds_neither_file_nor_memory() {
    let place = Place::new();
    let key = fresh_key();
    let mut upload = place.store.begin(key).unwrap();
    upload.append(bytes(3 << 20, 17)).await.unwrap();
    upload.checkpoint().await.unwrap();
    assert_eq!(place.store.buffers().in_use(), 0);
    let file = fs::File::open(place.path(key)).unwrap();
    let lock = || rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive);
    // A process that another test is just starting has every open file until it runs its program.
    let mut is_locked = lock().is_ok();
    for _ in 0..500 {
        if is_locked {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        is_locked = lock().is_ok();
    }
    assert!(is_locked, "somebody holds the lock");
    drop(file);
    upload.abort().await.unwrap();
}

#[test]
fn files_are_readable_by_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let place = Place::new();
    let key = fresh_key();
    runtime.block_on(push(&place.store, key, &bytes(10, 18)));
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(place.path(key)), 0o600);
    assert_eq!(mode(place.path(key).parent().unwrap().into()), 0o700);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// The process ends after any number of appended pieces; the row holds any of the checkpoints.
    #[test]
    fn an_upload_killed_anywhere_goes_on_from_its_row(
        pieces in prop::collection::vec(1_usize..400_000, 1..12),
        checkpoints in prop::collection::vec(any::<bool>(), 12),
        killed in 0_usize..12,
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let place = Place::new();
            let size = pieces.iter().sum();
            let (key, content) = (fresh_key(), bytes(size, 19));
            let mut upload = place.store.begin(key).unwrap();
            let (mut at, mut state) = (0, None);
            for (piece, checkpoint) in pieces.iter().zip(&checkpoints).take(killed) {
                upload.append(content.slice(at..at + piece)).await.unwrap();
                at += piece;
                if *checkpoint {
                    state = Some(upload.checkpoint().await.unwrap());
                }
            }
            drop(upload);
            let mut upload = place.again().resume(key, state.as_ref()).await.unwrap();
            assert_eq!(upload.offset(), state.as_ref().map_or(0, crate::UploadState::offset));
            let rest = usize::try_from(upload.offset()).unwrap();
            upload.append(content.slice(rest..)).await.unwrap();
            upload.finish(&digest(&content)).await.unwrap();
            assert_eq!(pull(&place.store, key, size).await, content);
        });
    }
}
