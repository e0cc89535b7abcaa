//! How much of everything a run moves: bounded in count and in time.

use std::time::Duration;

/// The sizes of a run.
#[derive(Clone, Debug)]
pub(crate) struct Sizes {
    /// How long requests that change nothing are repeated in one round.
    pub(crate) span: Duration,
    /// How many bytes the one huge blob has.
    pub(crate) huge: u64,
    /// How many blobs are pulled at the same time, and of how many bytes.
    pub(crate) pulls: (u64, u64),
    /// How many blobs are pushed at the same time, and of how many bytes.
    pub(crate) uploads: (u64, u64),
    /// How many bytes a range of the huge blob has.
    pub(crate) range: u64,
    /// How many small blobs are pushed in one round.
    pub(crate) small_pushes: u64,
    /// How many blobs are mounted in one round.
    pub(crate) mounts: u64,
    /// How many manifests are pushed in one round.
    pub(crate) manifests: u64,
    /// How many tags the listed repositories have: few, as the peer's, and many.
    pub(crate) tags: [u64; 3],
}

impl Sizes {
    /// Those of the goals.
    pub(crate) fn full() -> Self {
        Self {
            span: Duration::from_secs(1),
            huge: 1 << 30,
            pulls: (64, 16 << 20),
            uploads: (64, 64 << 20),
            range: 1 << 20,
            small_pushes: 2_000,
            mounts: 2_000,
            manifests: 4_000,
            tags: [1_000, 10_000, 100_000],
        }
    }

    /// Small ones, that show within a minute whether everything works.
    pub(crate) fn quick() -> Self {
        Self {
            span: Duration::from_millis(300),
            huge: 128 << 20,
            pulls: (32, 2 << 20),
            uploads: (32, 4 << 20),
            range: 1 << 20,
            small_pushes: 200,
            mounts: 200,
            manifests: 300,
            tags: [200, 500, 2_000],
        }
    }
}
