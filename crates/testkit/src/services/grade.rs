//! The grade of a run: on which database and on which blob store the whole registry is tested.

use super::environment;

/// The database below a registry under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// One file in the data directory.
    Sqlite,
    /// A fresh database of [`super::postgres`].
    Postgres,
}

/// The blob store below a registry under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blobstore {
    /// Files in the data directory.
    Directory,
    /// A fresh bucket of [`super::s3`].
    S3,
}

/// A database and a blob store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grade {
    /// Where the rows are.
    pub database: Database,
    /// Where the bytes are.
    pub blobstore: Blobstore,
}

impl Grade {
    /// All four.
    pub const ALL: [Self; 4] = [
        Self {
            database: Database::Sqlite,
            blobstore: Blobstore::Directory,
        },
        Self {
            database: Database::Sqlite,
            blobstore: Blobstore::S3,
        },
        Self {
            database: Database::Postgres,
            blobstore: Blobstore::Directory,
        },
        Self {
            database: Database::Postgres,
            blobstore: Blobstore::S3,
        },
    ];

    /// What `NARU_TEST_DATABASE` (`sqlite`, `postgres`) and `NARU_TEST_BLOBSTORE` (`directory`,
    /// `s3`) ask for; SQLite and a directory where they are silent.
    ///
    /// # Panics
    /// When one of them has another value, so that a misspelt grade is not taken for a tested one.
    #[must_use]
    #[expect(
        clippy::panic,
        reason = "a misspelt grade must not be taken for a tested one"
    )]
    pub fn from_environment() -> Self {
        let database = match environment("NARU_TEST_DATABASE").as_deref() {
            None | Some("sqlite") => Database::Sqlite,
            Some("postgres") => Database::Postgres,
            Some(other) => panic!("NARU_TEST_DATABASE is `{other}`: not sqlite, not postgres"),
        };
        let blobstore = match environment("NARU_TEST_BLOBSTORE").as_deref() {
            None | Some("directory") => Blobstore::Directory,
            Some("s3") => Blobstore::S3,
            Some(other) => panic!("NARU_TEST_BLOBSTORE is `{other}`: not directory, not s3"),
        };
        Self {
            database,
            blobstore,
        }
    }
}
