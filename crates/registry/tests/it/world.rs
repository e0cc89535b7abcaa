//! A small world: a registry on fresh storage, people with tokens, images to push.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use naru_blobstore::{BackendKind, BlobStore, BlobStoreSettings};
use naru_metadata::{DatabaseSettings, Db, SchemaPolicy};
use naru_model::{
    AccountName, ManualClock, Moment, PackagePath, PackageType, Principal, RepositoryPath, Scopes,
    SystemRandom, TokenId, Visibility,
};
use naru_oci::{Accept, Algorithm, Digest, Reference};
use naru_registry::access::PushTarget;
use naru_registry::accounts::NewUser;
use naru_registry::authorization::Authorization;
use naru_registry::credentials::{Door, Identity};
use naru_registry::manifests::PutManifest;
use naru_registry::organizations::NewOrganization;
use naru_registry::repositories::NewRepository;
use naru_registry::tokens::TokenWish;
use naru_registry::uploads::Chunk;
use naru_registry::{Caller, MasterKey, Parts, Registry, Result, Settings};
use naru_testkit::services::grade::{Blobstore, Database, Grade};
use naru_testkit::services::{postgres, s3};
use tempfile::TempDir;

/// Where the clock stands when a world begins.
pub(crate) const START: Moment = Moment::from_seconds(1_800_000_000);

/// What may be done with packages, and no more.
pub(crate) const PACKAGES: &str = "write:packages,delete:packages";

/// A registry on storage of its own.
pub(crate) struct World {
    pub(crate) registry: Arc<Registry>,
    pub(crate) clock: ManualClock,
    settings: Settings,
    directory: TempDir,
    database: Option<postgres::Database>,
    bucket: Option<s3::Bucket>,
}

/// An image as it was pushed.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) digest: Digest,
    pub(crate) layer: Digest,
}

/// A personal access token.
#[derive(Clone, Debug)]
pub(crate) struct Pat {
    pub(crate) id: TokenId,
    pub(crate) secret: String,
}

pub(crate) fn name(text: &str) -> AccountName {
    text.parse().unwrap()
}

pub(crate) fn container(text: &str) -> PackagePath {
    PackagePath::new(PackageType::Container, &text.parse().unwrap()).unwrap()
}

pub(crate) fn repository(text: &str) -> RepositoryPath {
    text.parse().unwrap()
}

pub(crate) fn basic(secret: &str) -> Authorization {
    Authorization::from_parts("whoever", secret)
}

pub(crate) fn bearer(secret: &str) -> Authorization {
    Authorization::parse(Some(format!("Bearer {secret}").as_bytes()))
}

pub(crate) fn nobody() -> Caller {
    Caller {
        principal: Principal::ANONYMOUS,
        request_id: None,
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        let grade = Grade::from_environment();
        let postgres = grade.database == Database::Postgres;
        let s3 = grade.blobstore == Blobstore::S3;
        let directory = tempfile::tempdir().unwrap();
        let database = postgres.then(|| postgres::database().expect("asked for PostgreSQL"));
        let bucket = s3.then(|| s3::bucket().expect("asked for S3"));
        let clock = ManualClock::new(START);
        let place = Place {
            directory: directory.path(),
            database: &database,
            bucket: &bucket,
        };
        let registry = open(place, &clock, [7; 32], &settings).await;
        Self {
            registry,
            clock,
            settings,
            directory,
            database,
            bucket,
        }
    }

    /// Another process on the same storage.
    pub(crate) async fn another(&self) -> Arc<Registry> {
        self.another_with_key([7; 32]).await
    }

    pub(crate) async fn another_with_key(&self, key: [u8; 32]) -> Arc<Registry> {
        let (database, bucket) = (&self.database, &self.bucket);
        let place = Place {
            directory: self.directory.path(),
            database,
            bucket,
        };
        open(place, &self.clock, key, &self.settings).await
    }

    /// The bytes, for looking behind everybody's back.
    pub(crate) fn blobs(&self) -> BlobStore {
        BlobStore::new(&blob_settings(&self.bucket), self.directory.path()).unwrap()
    }

    /// The database, for looking behind everybody's back.
    pub(crate) async fn db(&self) -> Db {
        let (database, bucket) = (&self.database, &self.bucket);
        open_db(Place {
            directory: self.directory.path(),
            database,
            bucket,
        })
        .await
    }

    /// Whether rows and bytes are files that a test can damage.
    pub(crate) fn is_embedded(&self) -> bool {
        self.database.is_none() && self.bucket.is_none()
    }

    /// Whether several processes may write bytes at once: a directory belongs to one.
    pub(crate) fn shares_bytes(&self) -> bool {
        self.bucket.is_some()
    }

    pub(crate) fn data(&self) -> &Path {
        self.directory.path()
    }

    /// Makes a user without any token.
    pub(crate) async fn user(&self, login: &str) {
        let new = NewUser {
            login: name(login),
            name: None,
            site_admin: false,
            password: None,
        };
        self.registry
            .create_user(&Caller::system(), new)
            .await
            .unwrap();
    }

    pub(crate) async fn organization(&self, login: &str, owner: &str) {
        let new = NewOrganization {
            login: name(login),
            name: None,
            owner: name(owner),
        };
        self.registry
            .create_organization(&Caller::system(), new)
            .await
            .unwrap();
    }

    pub(crate) async fn repository(&self, path: &str, visibility: Visibility) {
        let new = NewRepository {
            path: repository(path),
            visibility,
            description: None,
            forge_url: None,
            homepage: None,
        };
        self.registry
            .create_repository(&Caller::system(), new)
            .await
            .unwrap();
    }

    /// Makes a token that lasts for good.
    pub(crate) async fn pat(&self, login: &str, scopes: &str) -> Pat {
        self.pat_for(login, scopes, "never").await
    }

    pub(crate) async fn pat_for(&self, login: &str, scopes: &str, lifetime: &str) -> Pat {
        let wish = TokenWish {
            scopes: scopes.parse::<Scopes>().unwrap(),
            lifetime: lifetime.parse().unwrap(),
            note: "a test".to_owned(),
        };
        let created = self
            .registry
            .create_token(&Caller::system(), &name(login), wish)
            .await;
        let created = created.unwrap();
        Pat {
            id: created.token.id,
            secret: created.secret.expose().to_owned(),
        }
    }

    /// A user with a token for packages, as a caller.
    pub(crate) async fn person(&self, login: &str) -> Caller {
        self.user(login).await;
        let pat = self.pat(login, PACKAGES).await;
        self.caller(&pat).await
    }

    pub(crate) async fn caller(&self, pat: &Pat) -> Caller {
        self.caller_of(&basic(&pat.secret)).await
    }

    pub(crate) async fn caller_of(&self, authorization: &Authorization) -> Caller {
        match self.identify(Door::Rest, authorization).await.unwrap() {
            Identity::Known(principal) => Caller {
                principal,
                request_id: None,
            },
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn identify(
        &self,
        door: Door,
        authorization: &Authorization,
    ) -> Result<Identity> {
        self.registry.identify(door, authorization).await
    }

    /// Pushes an image of one small layer with what it is to say.
    pub(crate) async fn push(&self, caller: &Caller, package: &str, tag: &str) -> Image {
        self.push_image(caller, package, tag, "{}").await.unwrap()
    }

    /// Pushes an image whose configuration has these labels, a JSON object.
    pub(crate) async fn push_image(
        &self,
        caller: &Caller,
        package: &str,
        tag: &str,
        labels: &str,
    ) -> Result<Image> {
        let target = self
            .registry
            .authorize_push(caller, &container(package))
            .await?;
        let config = format!("{{\"os\":\"{tag}\",\"config\":{{\"Labels\":{labels}}}}}");
        let layer = format!("layer of {package}:{tag}");
        let config_digest = self.upload(caller, &target, config.as_bytes()).await?;
        let layer_digest = self.upload(caller, &target, layer.as_bytes()).await?;
        let manifest = format!(
            "{{\"schemaVersion\":2,\"mediaType\":\"{MANIFEST}\",\"config\":{},\"layers\":[{}]}}",
            descriptor(
                "application/vnd.oci.image.config.v1+json",
                &config_digest,
                config.len()
            ),
            descriptor(
                "application/vnd.oci.image.layer.v1.tar",
                &layer_digest,
                layer.len()
            ),
        );
        let digest = self
            .put(caller, package, Some(tag), MANIFEST, manifest)
            .await?;
        Ok(Image {
            digest,
            layer: layer_digest,
        })
    }

    /// Pushes an index of images that are there.
    pub(crate) async fn push_index(
        &self,
        caller: &Caller,
        package: &str,
        tag: &str,
        children: &[&Image],
    ) -> Digest {
        let mut entries = Vec::new();
        for child in children {
            let content = self.content(caller, package, child.digest.as_str()).await;
            entries.push(descriptor(MANIFEST, &child.digest, content.len()));
        }
        let index = format!(
            "{{\"schemaVersion\":2,\"mediaType\":\"{INDEX}\",\"manifests\":[{}]}}",
            entries.join(",")
        );
        self.put(caller, package, Some(tag), INDEX, index)
            .await
            .unwrap()
    }

    pub(crate) async fn put(
        &self,
        caller: &Caller,
        package: &str,
        tag: Option<&str>,
        media_type: &str,
        content: String,
    ) -> Result<Digest> {
        let target = self
            .registry
            .authorize_push(caller, &container(package))
            .await?;
        let reference = match tag {
            Some(tag) => tag.parse().unwrap(),
            None => Reference::Digest(Digest::of(Algorithm::Sha256, content.as_bytes())),
        };
        let put = PutManifest {
            reference,
            tags: Vec::new(),
            content_type: Some(media_type.to_owned()),
            content: Bytes::from(content),
        };
        Ok(self
            .registry
            .put_manifest(caller, &target, put)
            .await?
            .digest)
    }

    pub(crate) async fn upload(
        &self,
        caller: &Caller,
        target: &PushTarget,
        content: &[u8],
    ) -> Result<Digest> {
        let digest = Digest::of(Algorithm::Sha256, content);
        let body = futures_util::stream::iter([Ok(Bytes::copy_from_slice(content))]);
        let chunk = Chunk {
            range: None,
            length: Some(content.len() as u64),
            body,
        };
        self.registry
            .upload_whole(caller, target, &digest, chunk)
            .await?;
        Ok(digest)
    }

    /// The bytes of the manifest that a reference names.
    pub(crate) async fn content(&self, caller: &Caller, package: &str, name: &str) -> String {
        let read = naru_model::PackagePermission::Read;
        let found = self
            .registry
            .authorize(caller, &container(package), read)
            .await
            .unwrap();
        let reference: Reference = name.parse().unwrap();
        let found = self
            .registry
            .get_manifest(&found, &reference, &any())
            .await
            .unwrap();
        String::from_utf8(found.content.to_vec()).unwrap()
    }

    /// Pulls the manifest that a reference names. `Err` is what stands in the way.
    pub(crate) async fn pull(
        &self,
        caller: &Caller,
        package: &str,
        reference: &str,
    ) -> Result<Digest> {
        pull(&self.registry, caller, package, reference).await
    }
}

/// Pulls the manifest that a reference names from this registry.
pub(crate) async fn pull(
    registry: &Registry,
    caller: &Caller,
    package: &str,
    reference: &str,
) -> Result<Digest> {
    let permission = naru_model::PackagePermission::Read;
    let found = registry
        .authorize(caller, &container(package), permission)
        .await?;
    let reference: Reference = reference.parse().unwrap();
    let manifest = registry.get_manifest(&found, &reference, &any()).await?;
    Ok(manifest.digest.clone())
}

/// Reads a blob from this registry, whole.
pub(crate) async fn blob(
    registry: &Registry,
    caller: &Caller,
    package: &str,
    digest: &Digest,
) -> Result<Bytes> {
    let permission = naru_model::PackagePermission::Read;
    let found = registry
        .authorize(caller, &container(package), permission)
        .await?;
    let info = registry.stat_blob(&found, digest).await?;
    let opened = registry.open_blob(&info, 0..info.size).await?;
    Ok(opened.read().await.unwrap())
}

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

pub(crate) fn any() -> Accept {
    Accept::from_values(["*/*"])
}

pub(crate) fn descriptor(media_type: &str, digest: &Digest, size: usize) -> String {
    format!("{{\"mediaType\":\"{media_type}\",\"digest\":\"{digest}\",\"size\":{size}}}")
}

#[derive(Clone, Copy)]
struct Place<'a> {
    directory: &'a Path,
    database: &'a Option<postgres::Database>,
    bucket: &'a Option<s3::Bucket>,
}

async fn open_db(place: Place<'_>) -> Db {
    let mut database = match place.database {
        Some(database) => DatabaseSettings::with_url(&database.url()),
        None => DatabaseSettings::default(),
    };
    database.allow_data_loss = true;
    let policy = SchemaPolicy::CreateOrMigrate;
    Db::open(&database, place.directory, policy).await.unwrap()
}

async fn open(
    place: Place<'_>,
    clock: &ManualClock,
    key: [u8; 32],
    settings: &Settings,
) -> Arc<Registry> {
    let db = open_db(place).await;
    let blobs = BlobStore::new(&blob_settings(place.bucket), place.directory).unwrap();
    blobs.probe().await.unwrap();
    Arc::new(Registry::new(Parts {
        db,
        blobs,
        clock: Arc::new(clock.clone()),
        random: Arc::new(SystemRandom),
        settings: settings.clone(),
        master_key: MasterKey::new(key),
        hosts: vec!["naru.example".to_owned()],
    }))
}

fn blob_settings(bucket: &Option<s3::Bucket>) -> BlobStoreSettings {
    let mut settings = BlobStoreSettings {
        allow_unsafe_filesystem: true,
        ..BlobStoreSettings::default()
    };
    if let Some(bucket) = bucket {
        settings.backend = BackendKind::S3;
        settings.endpoint = Some(bucket.endpoint.parse().unwrap());
        settings.bucket = Some(bucket.name.clone());
        settings.region.clone_from(&bucket.region);
        settings.access_key_id = Some(bucket.access_key_id.clone());
        settings.secret_access_key = Some(bucket.secret_access_key.clone().into());
    }
    settings
}
