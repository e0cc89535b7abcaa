//! Configuration in, running registry out: the only place that knows both databases and both blob
//! stores by name.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use naru_blobstore::BlobStore;
use naru_metadata::{Db, SchemaPolicy};
use naru_model::{Clock, Moment, Random, SystemClock, SystemRandom};
use naru_registry::{Caller, MasterKey, Parts, Registry};

use crate::config::Config;
use crate::data::{self, DataDirectory};
use crate::failure::Hint;

/// A registry, and who works with it here: the machine itself.
#[derive(Debug)]
pub struct Instance {
    /// The use cases.
    pub registry: Arc<Registry>,
    /// The machine itself, as a caller.
    pub caller: Caller,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives unpredictable bytes.
    pub random: Arc<dyn Random>,
    /// Whether the master key was configured, and so is not in the data directory.
    pub has_configured_key: bool,
    db: Db,
}

impl Instance {
    /// The registry of a server: makes on the first start whatever is not there, and migrates an
    /// older database.
    ///
    /// # Errors
    /// When the database or the store cannot be used, or keys are missing.
    pub async fn of_server(config: &Config, data: &DataDirectory) -> Result<Self> {
        let master_key = server_key(config, data)?;
        let policy = SchemaPolicy::CreateOrMigrate;
        let instance = Self::open(config, data.path(), policy, master_key).await?;
        instance.registry.prepare_keys().await?;
        Ok(instance)
    }

    /// The registry beside a server that may be running: nothing is made, and the database must be
    /// of this program's schema.
    ///
    /// # Errors
    /// When no server has made it yet, or the database cannot be used.
    pub async fn beside(config: &Config, data: &Path, policy: SchemaPolicy) -> Result<Self> {
        let master_key = match &config.secrets.master_key_file {
            Some(file) => data::read_master_key(file)?,
            None => DataDirectory::open(data)?.master_key()?,
        };
        Self::open(config, data, policy, master_key).await
    }

    async fn open(
        config: &Config,
        data: &Path,
        policy: SchemaPolicy,
        master_key: MasterKey,
    ) -> Result<Self> {
        let blobs = BlobStore::new(&config.blobstore, data)?;
        if policy == SchemaPolicy::CreateOrMigrate {
            // Unfit storage is better found before there is a database that names it.
            let probe = blobs.probe().await;
            let found = probe.context("the blob store cannot be used")?;
            tracing::info!(%found, "the blob store is fit");
        }
        let db = Db::open(&config.database, data, policy).await?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let random: Arc<dyn Random> = Arc::new(SystemRandom);
        let registry = Registry::new(Parts {
            db: db.clone(),
            blobs,
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            settings: config.registry.clone(),
            master_key,
            hosts: hosts(config),
        });
        Ok(Self {
            registry: Arc::new(registry),
            caller: Caller::system(),
            clock,
            random,
            has_configured_key: config.secrets.master_key_file.is_some(),
            db,
        })
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    /// Lets what is being written finish, and closes the database.
    pub async fn close(self) {
        self.db.close().await;
    }
}

/// The names of this instance as labels have them: lower case, without ports.
fn hosts(config: &Config) -> Vec<String> {
    let names = &config.server;
    let configured = [&names.web, &names.containers, &names.docker, &names.api];
    let host = |name: &String| {
        let host = name
            .rsplit_once(':')
            .map_or(name.as_str(), |(host, _)| host);
        host.to_ascii_lowercase()
    };
    configured.into_iter().flatten().map(host).collect()
}

/// The master key of a server: configured, or in the data directory, where the first start makes
/// it. One that is lost is not made anew: what it sealed could never be opened.
fn server_key(config: &Config, data: &DataDirectory) -> Result<MasterKey> {
    if let Some(file) = &config.secrets.master_key_file {
        return data::read_master_key(file);
    }
    if data.has_master_key() || data.path().join("naru.db").exists() {
        return data.master_key();
    }
    data.make_master_key(&SystemRandom)
        .hint("name a key of your own with `[secrets] master_key_file`")
}
