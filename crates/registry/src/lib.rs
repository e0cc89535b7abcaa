//! What the registry does: use cases, authorization, jobs. Only decisions; no HTTP, no SQL.
//!
//! Read in this order:
//! - [`access`]: the one place of permission. A use case that reads content or changes anything
//!   takes an [`access::Authorized`], which is made nowhere else.
//! - the distribution use cases: [`uploads`], [`blobs`], [`manifests`], [`tags`], [`referrers`];
//! - credentials: [`authorization`] (what a client presents), [`credentials`] (who that is),
//!   [`registry_tokens`] (the token endpoint), [`tokens`] (those that are stored), [`passwords`],
//!   [`sealing`] and `keys` (what signs, and how secrets are kept);
//! - accounts and packages: [`account_access`] (permission again), [`accounts`],
//!   [`profiles`], [`organizations`], [`members`], [`teams`], [`team_trees`],
//!   [`team_repositories`], [`repositories`],
//!   [`repository_lists`], [`collaborators`], [`readmes`], [`packages`], [`versions`],
//!   [`tag_rules`], `linking`; [`explain`] says why access is what it is;
//! - figures: [`statistics`], [`usage`], [`quotas`]; [`search`] and `search_index`;
//! - what is said about artifacts: [`attestations`], [`artifacts`];
//! - what holds for all packages of an account, and for the whole instance:
//!   [`package_settings`], [`instance`];
//! - `commit`: how every one of them ends;
//! - the machine's own work: [`setup`], [`jobs`], [`garbage_collection`], [`purge`], [`fsck`],
//!   [`backup`];
//! - [`error`]: how any of them can end otherwise.

pub mod access;
pub mod account_access;
pub mod accounts;
pub mod artifacts;
pub mod attestations;
pub mod authorization;
pub mod backup;
pub mod blobs;
mod cache;
mod caller;
mod clock_watch;
pub mod collaborators;
mod commit;
pub mod credentials;
pub mod error;
mod events;
pub mod explain;
pub mod fsck;
pub mod garbage_collection;
pub mod instance;
pub mod jobs;
mod jwt;
mod keys;
mod linking;
pub mod manifests;
pub mod members;
pub mod organizations;
pub mod package_settings;
pub mod packages;
pub mod passwords;
pub mod profiles;
pub mod purge;
pub mod quotas;
pub mod readmes;
pub mod referrers;
pub mod registry_tokens;
pub mod repositories;
pub mod repository_lists;
pub mod sealing;
pub mod search;
mod search_index;
pub mod settings;
pub mod setup;
mod sight;
pub mod statistics;
pub mod tag_rules;
pub mod tags;
pub mod team_repositories;
pub mod team_trees;
pub mod teams;
pub mod tokens;
pub mod uploads;
pub mod usage;
pub mod versions;

use std::sync::Arc;

use naru_blobstore::{BlobStore, StorageKey};
use naru_metadata::Db;
use naru_model::{Clock, Moment, Random};
use naru_oci::UploadId;

pub use cache::CachedManifest;
pub use caller::Caller;
pub use error::{BadCredential, Error, Result};
pub use naru_metadata::{BothWays, Cursor, Edge, Page};
pub use sealing::MasterKey;
pub use settings::Settings;

use access::FactsCache;
use cache::ContentCache;
use credentials::TokenCache;
use keys::Keyring;
use passwords::Passwords;
use quotas::QuotaCache;
use registry_tokens::VerifiedTokens;
use statistics::DownloadCounter;
use uploads::OpenUploads;
use usage::Measuring;

/// The registry: everything a use case needs, given and not taken. Cheap to share behind an
/// [`Arc`].
#[derive(Debug)]
pub struct Registry {
    pub(crate) db: Db,
    pub(crate) blobs: BlobStore,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) settings: Settings,
    pub(crate) content_cache: Arc<ContentCache>,
    pub(crate) facts_cache: Arc<FactsCache>,
    pub(crate) uploads: OpenUploads,
    pub(crate) downloads: DownloadCounter,
    pub(crate) quota_cache: QuotaCache,
    pub(crate) measuring: Measuring,
    pub(crate) keyring: Keyring,
    pub(crate) passwords: Passwords,
    pub(crate) token_cache: Arc<TokenCache>,
    pub(crate) verified_tokens: VerifiedTokens,
    pub(crate) hosts: Vec<String>,
}

/// What a registry is made of.
#[derive(Debug)]
pub struct Parts {
    /// Facts by name.
    pub db: Db,
    /// Bytes by storage key.
    pub blobs: BlobStore,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives unpredictable bytes.
    pub random: Arc<dyn Random>,
    /// Limits and choices.
    pub settings: Settings,
    /// What secrets in the database are sealed with.
    pub master_key: MasterKey,
    /// The host names of this instance, in lower case and without ports: a label that names one
    /// of them means a repository here.
    pub hosts: Vec<String>,
}

impl Registry {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let shared = parts.db.is_shared();
        Self {
            content_cache: Arc::new(ContentCache::new(parts.settings.manifest_cache, shared)),
            facts_cache: Arc::new(FactsCache::new(shared)),
            uploads: OpenUploads::default(),
            downloads: DownloadCounter::new(),
            quota_cache: QuotaCache::new(shared),
            measuring: Measuring::new(),
            keyring: Keyring::new(parts.master_key),
            passwords: Passwords::default(),
            token_cache: Arc::new(TokenCache::new(shared)),
            verified_tokens: VerifiedTokens::new(parts.settings.token_seconds),
            hosts: parts.hosts,
            db: parts.db,
            blobs: parts.blobs,
            clock: parts.clock,
            random: parts.random,
            settings: parts.settings,
        }
    }

    /// The limits and choices in force.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What time it is, by the clock that decisions are made with.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    /// Forgets what was remembered of access, because something that decides it was changed.
    fn access_changed(&self) {
        self.facts_cache.forget();
        self.token_cache.forget();
    }

    /// Forgets everything remembered, because another process has written to the database.
    pub fn changed_elsewhere(&self) {
        self.content_cache.changed_elsewhere();
        self.access_changed();
    }

    /// An upload id with 122 random bits.
    pub(crate) fn new_upload_id(&self) -> Result<UploadId> {
        let mut random = [0; 16];
        self.random
            .fill(&mut random)
            .map_err(|error| Error::Internal(error.to_string()))?;
        let id = uuid::Builder::from_random_bytes(random)
            .into_uuid()
            .to_string();
        id.parse()
            .map_err(|_| Error::Internal("a UUID is no upload id".to_owned()))
    }

    /// Whether the database and the blob store answer.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when one of them does not.
    pub async fn ready(&self) -> Result<()> {
        let mut conn = self.db.read().await?;
        naru_metadata::collector::trash_size(&mut conn).await?;
        drop(conn);
        // Nothing is stored under a fresh key: asking for it costs least.
        self.blobs.stat(&self.new_storage_key()?).await?;
        Ok(())
    }

    pub(crate) fn new_storage_key(&self) -> Result<StorageKey> {
        let mut random = [0; 12];
        self.random
            .fill(&mut random)
            .map_err(|error| Error::Internal(error.to_string()))?;
        let millis = u64::try_from(self.clock.now().as_micros() / 1000).unwrap_or(0);
        Ok(StorageKey::fresh(millis, random))
    }
}
