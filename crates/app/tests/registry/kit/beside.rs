//! The registry in this process, beside the server and on the same data, as the command line has
//! it, but with a clock that the test sets.

use std::sync::Arc;
use std::time::Duration;

use naru::compose::Instance;
use naru::config::{self, Config, Sources};
use naru::data::{self, DataDirectory};
use naru_blobstore::BlobStore;
use naru_metadata::{Db, SchemaPolicy};
use naru_model::{
    Clock, Lifetime, ManualClock, Moment, Scopes, SystemClock, SystemRandom, WorkflowPackages,
};
use naru_registry::tokens::TokenWish;
use naru_registry::{Caller, Parts, Registry};

use super::server::Server;

const HOUR: Duration = Duration::from_secs(3600);

impl Server {
    /// A personal access token that expired an hour ago.
    pub(crate) fn expired_token(&self, user: &str, scopes: &[&str]) -> String {
        let scopes: Scopes = scopes.join(",").parse().unwrap();
        let wish = TokenWish {
            scopes,
            lifetime: Lifetime::For(HOUR),
            note: String::new(),
        };
        wait(async {
            let (registry, db) = self.registry_at(SystemClock.now().minus(2 * HOUR)).await;
            let (machine, user) = (Caller::system(), user.parse().unwrap());
            let created = registry.create_token(&machine, &user, wish).await.unwrap();
            db.close().await;
            created.secret.expose().to_owned()
        })
    }

    /// A token for the workflows of a repository, good for an hour.
    pub(crate) fn workflow_token(&self, repository: &str, packages: WorkflowPackages) -> String {
        wait(async {
            let instance =
                Instance::beside(&self.config(), &self.data(), SchemaPolicy::MustMatch).await;
            let instance = instance.unwrap();
            let repository = repository.parse().unwrap();
            let Instance {
                registry, caller, ..
            } = &instance;
            let created = registry
                .create_workflow_token(caller, &repository, Some(packages), HOUR)
                .await;
            let secret = created.unwrap().secret.expose().to_owned();
            instance.close().await;
            secret
        })
    }

    /// The server's configuration.
    fn config(&self) -> Config {
        let environment = self
            .settings
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let file = self.data().with_file_name("naru.toml");
        let sources = Sources {
            file: Some(file),
            environment,
            flags: Vec::new(),
        };
        config::load(sources)
            .unwrap_or_else(|problem| panic!("{problem}"))
            .config
    }

    async fn registry_at(&self, moment: Moment) -> (Registry, Db) {
        let config = self.config();
        let master_key = match &config.secrets.master_key_file {
            Some(file) => data::read_master_key(file),
            None => DataDirectory::open(&self.data()).and_then(|data| data.master_key()),
        };
        let db = Db::open(&config.database, &self.data(), SchemaPolicy::MustMatch)
            .await
            .unwrap();
        let registry = Registry::new(Parts {
            db: db.clone(),
            blobs: BlobStore::new(&config.blobstore, &self.data()).unwrap(),
            clock: Arc::new(ManualClock::new(moment)),
            random: Arc::new(SystemRandom),
            master_key: master_key.unwrap(),
            settings: config.registry,
            hosts: Vec::new(),
        });
        (registry, db)
    }
}

fn wait<T>(task: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap().block_on(task)
}
