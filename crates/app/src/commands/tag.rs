//! `naru tag`.

use std::str::FromStr;

use anyhow::{Error, Result, anyhow};
use clap::{Args, Subcommand};
use naru_model::{PackagePath, PackageType, TokenKind, VersionId};
use naru_oci::{Digest, RepositoryName, Tag};
use naru_registry::Cursor;
use naru_registry::tags::{TagChanged, TagOrder, TagPlace, TagRecord, WantedTags};
use naru_registry::versions::VersionRef;
use serde::Serialize;

use super::package::absent;
use super::{Instance, beside, words};
use crate::cli::Global;
use crate::output::{Output, Row};

/// Tags of packages: list, move, remove, and where they pointed before.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  naru tag list acme/app\n  naru tag history acme/app:latest\n  naru tag set acme/app:latest --version 17"
)]
pub struct TagCommand {
    /// Which registry the package belongs to: `docker` is the legacy one
    #[arg(long = "type", global = true, value_name = "TYPE", default_value = "container", value_parser = words(PackageType::ALL))]
    package_type: PackageType,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the tags of a package, the one that changed last first
    #[command(
        after_help = "Examples:\n  naru tag list acme/app\n  naru tag list acme/app --holding rc --by-name"
    )]
    List {
        /// OWNER/NAME
        package: RepositoryName,
        /// Only tags that hold this text, in any case
        #[arg(long, value_name = "TEXT")]
        holding: Option<String>,
        /// In the order of their names
        #[arg(long)]
        by_name: bool,
    },
    /// Show where a tag points
    #[command(after_help = "Example:\n  naru tag show acme/app:latest")]
    Show {
        /// OWNER/NAME:TAG
        tag: TagPath,
    },
    /// Point a tag at a version of its package, as a push would
    #[command(
        after_help = "Examples:\n  naru tag set acme/app:latest --version 17\n  naru tag set acme/app:stable --like 1.4\n\nThis is how a tag is put back: `naru tag history` has the numbers of the versions before."
    )]
    Set {
        /// OWNER/NAME:TAG
        tag: TagPath,
        #[command(flatten)]
        to: To,
    },
    /// Remove a tag; its version stays
    #[command(after_help = "Example:\n  naru tag delete acme/app:rc1")]
    Delete {
        /// OWNER/NAME:TAG
        tag: TagPath,
    },
    /// List where a tag pointed and who moved it, the last change first
    #[command(after_help = "Example:\n  naru tag history acme/app:latest")]
    History {
        /// OWNER/NAME:TAG
        tag: TagPath,
    },
}

/// Which version a tag is to point at.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct To {
    /// The version with this number
    #[arg(long, value_name = "NUMBER")]
    version: Option<i64>,
    /// The version with this digest
    #[arg(long, value_name = "DIGEST")]
    digest: Option<Digest>,
    /// The version that this tag points at
    #[arg(long, value_name = "TAG")]
    like: Option<Tag>,
}

impl To {
    fn version(self) -> Result<VersionRef> {
        let by_number = self.version.map(|id| VersionRef::Id(VersionId::new(id)));
        let by_digest = || self.digest.map(VersionRef::Digest);
        let by_tag = self.like.map(|tag| VersionRef::Tag(tag.to_string()));
        let given = by_number.or_else(by_digest).or(by_tag);
        given.ok_or_else(|| anyhow!("say which version: `--version`, `--digest` or `--like`"))
    }
}

/// A tag of a package: `OWNER/NAME:TAG`.
#[derive(Clone, Debug)]
struct TagPath {
    package: RepositoryName,
    tag: Tag,
}

impl FromStr for TagPath {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (package, tag) = text
            .rsplit_once(':')
            .ok_or_else(|| anyhow!("write the tag behind: OWNER/NAME:TAG"))?;
        Ok(Self {
            package: package.parse()?,
            tag: tag.parse()?,
        })
    }
}

impl TagCommand {
    pub(super) fn run(self, global: &Global) -> Result<()> {
        let output = global.output();
        let package = self.action.package().clone();
        let path = PackagePath::new(self.package_type, &package)?;
        beside(global, async |instance| {
            let done = self.action.run(instance, &path, output).await;
            done.map_err(|error| absent(error, Some(package)))
        })
    }
}

impl Action {
    const fn package(&self) -> &RepositoryName {
        match self {
            Self::List { package, .. } => package,
            Self::Show { tag }
            | Self::Set { tag, .. }
            | Self::Delete { tag }
            | Self::History { tag } => &tag.package,
        }
    }

    async fn run(self, instance: &Instance, path: &PackagePath, output: Output) -> Result<()> {
        let Instance {
            registry, caller, ..
        } = instance;
        match self {
            Self::List {
                holding, by_name, ..
            } => {
                let order = if by_name {
                    TagOrder::Name
                } else {
                    TagOrder::Newest
                };
                let rows = list(instance, path, order, holding).await?;
                output.list(&rows)
            }
            Self::Show { tag } => {
                let found = registry.tag_record(caller, path, &tag.tag).await?;
                output.record(&TagRow::from(&found))
            }
            Self::Set { tag, to } => {
                let version = registry.version(caller, path, &to.version()?).await?;
                let id = version.version.id;
                let found = registry.move_tag(caller, path, &tag.tag, id).await?;
                output.made(
                    &TagRow::from(&found),
                    format_args!("{}:{} is {}", tag.package, tag.tag, found.digest),
                )
            }
            Self::Delete { tag } => {
                registry.remove_tag(caller, path, &tag.tag).await?;
                output.say(format_args!("{}:{} is removed", tag.package, tag.tag));
                Ok(())
            }
            Self::History { tag } => {
                let rows = history(instance, path, &tag.tag).await?;
                output.list(&rows)
            }
        }
    }
}

const PAGE: usize = 500;

async fn list(
    instance: &Instance,
    path: &PackagePath,
    order: TagOrder,
    holding: Option<String>,
) -> Result<Vec<TagRow>> {
    let mut rows = Vec::new();
    let mut wanted = WantedTags {
        order,
        holding,
        limit: PAGE,
        skip: 0,
        after: None,
    };
    loop {
        let (registry, caller) = (&instance.registry, &instance.caller);
        let found = registry.list_tag_records(caller, path, &wanted).await?;
        rows.extend(found.tags.iter().map(TagRow::from));
        wanted.after = found.tags.last().map(TagPlace::from);
        if !found.more {
            return Ok(rows);
        }
    }
}

async fn history(instance: &Instance, path: &PackagePath, tag: &Tag) -> Result<Vec<TagChangeRow>> {
    let mut rows = Vec::new();
    let mut next = Some(Cursor::first(PAGE));
    while let Some(cursor) = next {
        let (registry, caller) = (&instance.registry, &instance.caller);
        let found = registry.tag_history(caller, path, tag, cursor).await?;
        rows.extend(found.changes.items.iter().map(TagChangeRow::from));
        next = found.changes.next;
    }
    Ok(rows)
}

/// A tag, with the names of the REST API.
#[derive(Debug, Serialize)]
struct TagRow {
    name: String,
    version_id: i64,
    digest: String,
    created_at: String,
    updated_at: String,
}

impl From<&TagRecord> for TagRow {
    fn from(tag: &TagRecord) -> Self {
        Self {
            name: tag.name.clone(),
            version_id: tag.version.get(),
            digest: tag.digest.to_string(),
            created_at: tag.created_at.to_string(),
            updated_at: tag.updated_at.to_string(),
        }
    }
}

impl Row for TagRow {
    const COLUMNS: &'static [&'static str] = &["TAG", "VERSION", "DIGEST", "UPDATED"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.version_id.to_string(),
            self.digest.clone(),
            self.updated_at.clone(),
        ]
    }
}

/// Something that happened to a tag, with the names of the REST API.
#[derive(Debug, Serialize)]
struct TagChangeRow {
    id: i64,
    reason: &'static str,
    version_id: Option<i64>,
    digest: Option<String>,
    actor: Option<String>,
    repository: Option<String>,
    credential: &'static str,
    created_at: String,
}

impl From<&TagChanged> for TagChangeRow {
    fn from(change: &TagChanged) -> Self {
        Self {
            id: change.id,
            reason: change.reason.as_str(),
            version_id: change.version.map(VersionId::get),
            digest: change.digest.as_ref().map(Digest::to_string),
            actor: change.user.as_ref().map(ToString::to_string),
            repository: change.repository.as_ref().map(ToString::to_string),
            credential: credential(change),
            created_at: change.at.to_string(),
        }
    }
}

/// What was used, in the words of the REST API.
const fn credential(change: &TagChanged) -> &'static str {
    match (change.token, &change.user) {
        (Some(TokenKind::Personal), _) => "personal_access_token",
        (Some(TokenKind::Workflow), _) => "workflow_token",
        (None, Some(_)) => "session",
        (None, None) => "system",
    }
}

impl Row for TagChangeRow {
    const COLUMNS: &'static [&'static str] = &["WHEN", "WHAT", "VERSION", "DIGEST", "BY"];

    fn cells(&self) -> Vec<String> {
        let by = self.actor.as_ref().or(self.repository.as_ref());
        vec![
            self.created_at.clone(),
            self.reason.to_owned(),
            self.version_id.map(|id| id.to_string()).unwrap_or_default(),
            self.digest.clone().unwrap_or_default(),
            by.cloned().unwrap_or_else(|| self.credential.to_owned()),
        ]
    }
}
