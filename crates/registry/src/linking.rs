//! Linking by label: an image names its source repository, and its package is linked to it.
//!
//! OCI image-spec, "Annotations"; GitHub documentation, "Connecting a repository to a package". A
//! label of the configuration and an annotation of the manifest or index both count. It is read
//! whenever a tagged version is pushed while the package is unlinked; a label that cannot be
//! followed is no error of the push but leaves a note on the package's page.

use naru_metadata::links::LinkedBlob;
use naru_metadata::{Conn, accounts, grants, links, packages, repositories};
use naru_model::label::{self, ForgeUrl, Source};
use naru_model::policy;
use naru_model::{AccountId, EventKind, Moment, PackageId, RepositoryId, RepositoryPath};
use naru_oci::{Digest, Manifest};
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

/// What a push says about the source of its package.
pub(crate) struct SourceLabel {
    /// The package.
    pub(crate) package: PackageId,
    /// What the label says.
    pub(crate) value: String,
    /// Whether this push publishes the package: then it takes over the repository's access, as far
    /// as its owner lets it. Linking later never does.
    pub(crate) at_birth: bool,
}

impl Registry {
    /// What a manifest that is about to be stored, or else its configuration, names as its source.
    /// Nothing for a package that is linked already. Reads bytes, so it comes before the
    /// transaction.
    ///
    /// # Errors
    /// Those of the database. Whatever is wrong with the label is no error.
    pub(crate) async fn source_label(
        &self,
        package: Option<PackageId>,
        manifest: &Manifest,
    ) -> Result<Option<String>> {
        if let Some(value) = manifest.annotations().get(label::SOURCE) {
            return Ok(Some(value.clone()));
        }
        // A configuration that is there has a package with a row.
        let (Some(package), Some(config)) = (package, manifest.config()) else {
            return Ok(None);
        };
        let has_labels = IMAGE_CONFIGS.contains(&config.media_type.as_str());
        if !has_labels || config.size > LARGEST_CONFIG {
            return Ok(None);
        }
        let mut conn = self.db.read().await?;
        let found = packages::find(&mut conn, package).await?;
        if found.is_none_or(|found| found.repository.is_some()) {
            return Ok(None);
        }
        let Some(blob) = links::find(&mut conn, package, &config.digest).await? else {
            return Ok(None);
        };
        drop(conn);
        Ok(self.source_of_blob(&config.digest, &blob).await)
    }

    async fn source_of_blob(&self, digest: &Digest, blob: &LinkedBlob) -> Option<String> {
        let key = blob.storage_key.parse().ok()?;
        let read = match self.blobs.open_here(&key, 0..blob.size).await {
            Ok(opened) => opened.read().await,
            Err(error) => Err(error),
        };
        match read {
            Ok(bytes) => source_of_config(&bytes),
            Err(error) => {
                tracing::warn!(%digest, %error, "a configuration cannot be read");
                None
            }
        }
    }

    /// Links an unlinked package to the source repository that its label names, if the caller
    /// may; else leaves a note.
    ///
    /// # Errors
    /// Those of the database. Whatever is wrong with the label is no error.
    pub(crate) async fn link_by_label(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        label: &SourceLabel,
        now: Moment,
    ) -> Result<()> {
        let Some(found) = packages::find(conn, label.package).await? else {
            return Ok(());
        };
        if found.repository.is_some() {
            return Ok(());
        }
        let source = label::source(&label.value, &self.host_names());
        let linkable = match source {
            Some(source) => self.linkable(conn, caller, found.owner, &source).await?,
            None => None,
        };
        let Some(repository) = linkable else {
            return Ok(packages::note_link(conn, found.id, &note(&label.value)).await?);
        };
        let inherits = label.at_birth && repository.inherited;
        if !packages::link_from_label(conn, found.id, repository.id, inherits, now).await? {
            return Ok(());
        }
        let event = caller
            .event(EventKind::PackageLinked, now)
            .on_package(found.owner, found.id)
            .with("repository", repository.id)
            .with("inherit_access", inherits)
            .with("label", &label.value);
        events::record(conn, event).await
    }

    /// The repository that a label names, if the policy lets this caller link to it.
    async fn linkable(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        owner: AccountId,
        source: &Source,
    ) -> Result<Option<Linkable>> {
        let path = match source {
            Source::Here(path) => path.clone(),
            Source::Forge(forge) => match path_of_forge(conn, owner, forge).await? {
                Some(path) => path,
                None => return Ok(None),
            },
        };
        let facts = grants::repository_facts(conn, &caller.principal, &path).await?;
        let decision = policy::decide_link(&caller.principal, owner, &facts);
        let inherited = facts
            .owner
            .is_some_and(|owner| owner.settings.inherit_access);
        let linkable = facts.repository.map(|found| Linkable {
            id: found.id,
            inherited,
        });
        Ok(linkable.filter(|_| decision.is_allowed()))
    }

    fn host_names(&self) -> Vec<&str> {
        self.hosts.iter().map(String::as_str).collect()
    }
}

/// A repository that may be linked to.
#[derive(Clone, Copy)]
struct Linkable {
    id: RepositoryId,
    /// Whether its owner lets packages that are born linked take over its access.
    inherited: bool,
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
