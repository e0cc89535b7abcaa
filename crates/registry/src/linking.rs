//! Linking by label: an image names its source repository, and its package is linked to it.
//!
//! OCI image-spec, "Annotations"; GitHub documentation, "Connecting a repository to a package". A
//! label of the configuration and an annotation of the manifest or index both count. It is read
//! whenever a tagged version is pushed while the package is unlinked; a label that cannot be
//! followed is no error of the push but leaves a note on the package's page.

use naru_metadata::{Conn, accounts, grants, links, packages, repositories};
use naru_model::label::{self, ForgeUrl, Source};
use naru_model::policy;
use naru_model::{AccountId, EventKind, Moment, Package, PackageId, RepositoryId, RepositoryPath};
use naru_oci::Manifest;
use serde::Deserialize;

use crate::error::Result;
use crate::{Caller, Registry, events};

/// The largest configuration that is read for its labels, in bytes.
const LARGEST_CONFIG: u64 = 1 << 20;

/// Types of configurations that have labels (OCI image-spec, "Image Configuration").
const IMAGE_CONFIGS: [&str; 2] = [
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
];

/// What an image configuration says that matters here.
#[derive(Default, Deserialize)]
struct ImageConfig {
    #[serde(default)]
    config: Option<Execution>,
}

#[derive(Default, Deserialize)]
struct Execution {
    #[serde(rename = "Labels", default)]
    labels: Option<std::collections::HashMap<String, Option<String>>>,
}

impl Registry {
    /// Links an unlinked package to the source repository that a pushed manifest names, if the
    /// caller may; else leaves a note.
    ///
    /// # Errors
    /// Those of the database. Whatever is wrong with the label is no error.
    pub(crate) async fn link_by_label(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        package: PackageId,
        manifest: &Manifest,
        now: Moment,
    ) -> Result<()> {
        let Some(found) = packages::find(conn, package).await? else {
            return Ok(());
        };
        if found.repository.is_some() {
            return Ok(());
        }
        let Some(value) = self.source_label(conn, package, manifest).await? else {
            return Ok(());
        };
        self.follow_label(conn, caller, &found, &value, now).await
    }

    /// What the manifest, or else its configuration, names as its source.
    async fn source_label(
        &self,
        conn: &mut Conn,
        package: PackageId,
        manifest: &Manifest,
    ) -> Result<Option<String>> {
        if let Some(value) = manifest.annotations().get(label::SOURCE) {
            return Ok(Some(value.clone()));
        }
        let Some(config) = manifest.config() else {
            return Ok(None);
        };
        let has_labels = IMAGE_CONFIGS.contains(&config.media_type.as_str());
        if !has_labels || config.size > LARGEST_CONFIG {
            return Ok(None);
        }
        let Some(blob) = links::find(conn, package, &config.digest).await? else {
            return Ok(None);
        };
        let Ok(key) = blob.storage_key.parse() else {
            return Ok(None);
        };
        let read = match self.blobs.open(&key, 0..blob.size).await {
            Ok(opened) => opened.read().await,
            Err(error) => Err(error),
        };
        match read {
            Ok(bytes) => Ok(source_of_config(&bytes)),
            Err(error) => {
                tracing::warn!(digest = %config.digest, %error, "a configuration cannot be read");
                Ok(None)
            }
        }
    }

    async fn follow_label(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        package: &Package,
        value: &str,
        now: Moment,
    ) -> Result<()> {
        let repository = match label::source(value, &self.host_names()) {
            Some(source) => self.linkable(conn, caller, package.owner, &source).await?,
            None => None,
        };
        let Some(repository) = repository else {
            return Ok(packages::note_link(conn, package.id, &note(value)).await?);
        };
        if packages::link_from_label(conn, package.id, repository, now).await? {
            let event = caller
                .event(EventKind::PackageLinked, now)
                .on_package(package.owner, package.id)
                .with("repository", repository)
                .with("label", value);
            events::record(conn, event).await?;
        }
        Ok(())
    }

    /// The repository that a label names, if the policy lets this caller link to it.
    async fn linkable(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        owner: AccountId,
        source: &Source,
    ) -> Result<Option<RepositoryId>> {
        let path = match source {
            Source::Here(path) => path.clone(),
            Source::Forge(forge) => match path_of_forge(conn, owner, forge).await? {
                Some(path) => path,
                None => return Ok(None),
            },
        };
        let facts = grants::repository_facts(conn, &caller.principal, &path).await?;
        let decision = policy::decide_link(&caller.principal, owner, &facts);
        let repository = facts.repository.map(|repository| repository.id);
        Ok(repository.filter(|_| decision.is_allowed()))
    }

    fn host_names(&self) -> Vec<&str> {
        self.hosts.iter().map(String::as_str).collect()
    }
}

/// The repository of `owner` whose source lives at that address.
async fn path_of_forge(
    conn: &mut Conn,
    owner: AccountId,
    forge: &ForgeUrl,
) -> Result<Option<RepositoryPath>> {
    let found = repositories::find_by_forge_url(conn, &forge.to_string()).await?;
    let Some(repository) = found
        .into_iter()
        .find(|repository| repository.owner == owner)
    else {
        return Ok(None);
    };
    let owner = accounts::find_by_id(conn, owner).await?;
    Ok(owner.map(|owner| RepositoryPath {
        owner: owner.login().clone(),
        name: repository.name,
    }))
}

fn source_of_config(json: &[u8]) -> Option<String> {
    let config: ImageConfig = serde_json::from_slice(json).ok()?;
    config.config?.labels?.remove(label::SOURCE)?
}

/// Says the same whether the repository is absent, somebody else's or out of reach.
fn note(value: &str) -> String {
    let shown: String = value.chars().take(256).collect();
    format!(
        "The image names {shown} as its source ({}). It was not linked: there is no repository of \
         this owner with that address, or whoever pushed may not write there.",
        label::SOURCE
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_is_found_in_a_configuration() {
        let json = br#"{"architecture":"amd64","config":{"Labels":{
            "org.opencontainers.image.source":"https://naru.example/octo/app","other":null}}}"#;
        assert_eq!(
            source_of_config(json).as_deref(),
            Some("https://naru.example/octo/app")
        );
    }

    #[test]
    fn configurations_without_labels_or_of_other_kinds_name_nothing() {
        for json in [
            "{}",
            "[]",
            "",
            r#"{"config":null}"#,
            r#"{"config":{"Labels":null}}"#,
            r#"{"config":{"Labels":{"org.opencontainers.image.source":null}}}"#,
            r#"{"config":{"Labels":[]}}"#,
        ] {
            assert_eq!(source_of_config(json.as_bytes()), None, "{json}");
        }
    }
}
