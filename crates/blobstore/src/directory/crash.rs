//! Processes that end in the middle: this test runs itself as a child and kills it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use naru_oci::{Algorithm, Digest};

use crate::contract::bytes;
use crate::failpoint::{BLOBS_IN_A_DIRECTORY, arm_from};
use crate::{BlobStore, BlobStoreSettings, StorageKey, UploadState};

/// What the child does: the crash points to arm. It lies in the child's working directory.
const PLAN: &str = "plan";
/// The row: the state of the last checkpoint whose answer was sent.
const ROW: &str = "row";
/// The other row: that the finish was answered.
const ANSWERED: &str = "answered";
/// Three pieces, of which each has a part beyond one buffer.
const SIZE: usize = 5 << 20;
const CHECKPOINTS: [usize; 2] = [1 << 20, 3 << 20];

fn key() -> StorageKey {
    StorageKey::fresh(1_700_000_000_000, [9; 12])
}

fn store(directory: &Path) -> BlobStore {
    BlobStore::new(&BlobStoreSettings::default(), directory).unwrap()
}

#[test]
fn a_process_killed_at_any_crash_point_leaves_what_it_acknowledged() {
    for point in BLOBS_IN_A_DIRECTORY {
        // The first checkpoint, the second one, and the finish.
        for pass in 1..=8 {
            let directory = tempfile::tempdir().unwrap();
            fs::write(directory.path().join(PLAN), format!("{point}={pass}*abort")).unwrap();
            let killed = run_child(directory.path());
            survive(directory.path(), &format!("{point}, pass {pass}"));
            if !killed {
                break;
            }
        }
    }
}

/// Runs [`child`] in the directory. Says whether it was killed before it had done all.
fn run_child(directory: &Path) -> bool {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "directory::crash::child", "--test-threads", "1"])
        .current_dir(directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    !status.unwrap().success()
}

/// Pushes a blob with two checkpoints, where there is a plan; in an ordinary run there is none.
#[test]
fn child() {
    let Ok(plan) = fs::read_to_string(PLAN) else {
        return;
    };
    arm_from(&plan).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let content = bytes(SIZE, 1);
        let mut upload = store(Path::new(".")).begin(key()).unwrap();
        let mut at = 0;
        for checkpoint in CHECKPOINTS {
            upload.append(content.slice(at..checkpoint)).await.unwrap();
            at = checkpoint;
            let state = upload.checkpoint().await.unwrap();
            fs::write("row.new", state.to_bytes().unwrap()).unwrap();
            fs::rename("row.new", ROW).unwrap();
        }
        upload.append(content.slice(at..)).await.unwrap();
        upload
            .finish(&Digest::of(Algorithm::Sha256, &content))
            .await
            .unwrap();
        fs::write(ANSWERED, "").unwrap();
    });
}

/// What was answered is there; what was not goes on from the row, or anew.
fn survive(directory: &Path, when: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (store, content) = (store(directory), bytes(SIZE, 1));
        if !directory.join(ANSWERED).exists() {
            let row = fs::read(directory.join(ROW)).ok();
            let state = row.map(|row| UploadState::from_bytes(&row).unwrap());
            let mut upload = store.resume(key(), state.as_ref()).await.unwrap();
            let offset = state.as_ref().map_or(0, UploadState::offset);
            assert_eq!(upload.offset(), offset, "{when}");
            upload
                .append(content.slice(usize::try_from(offset).unwrap()..))
                .await
                .unwrap();
            let finished = upload
                .finish(&Digest::of(Algorithm::Sha256, &content))
                .await;
            assert!(finished.is_ok(), "{when}: {finished:?}");
        }
        let opened = store.open(&key(), 0..SIZE as u64).await.unwrap();
        assert_eq!(opened.read().await.unwrap(), content, "{when}");
    });
}
