//! `naru repo`.

mod edit;
mod readme;

use anyhow::Result;
use clap::{Args, Subcommand};
use naru_model::{AccountName, Repository, RepositoryPath, RepositoryRole, Visibility};
use naru_registry::repositories::NewRepository;
use serde::Serialize;

use super::{Grantee, GranteeArgs, Instance, beside, words};
use crate::cli::Global;
use crate::output::{Output, Row};

/// Source repositories that packages are linked to, and their collaborators.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  naru repo create acme/app --visibility internal\n  naru repo collaborator add acme/app --user octocat --role write"
)]
pub struct RepoCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a source repository: a record, Naru hosts no git
    #[command(
        after_help = "Example:\n  naru repo create acme/app --visibility internal --forge-url https://git.example.com/acme/app"
    )]
    Create {
        /// OWNER/NAME
        repository: RepositoryPath,
        /// Who may see it
        #[arg(long, default_value = "private", value_parser = words(Visibility::ALL))]
        visibility: Visibility,
        /// What it is, in a sentence
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// Where the source lives
        #[arg(long, value_name = "URL")]
        forge_url: Option<String>,
    },
    /// List the repositories of an account
    #[command(after_help = "Example:\n  naru repo list acme")]
    List {
        /// The user or organization
        owner: AccountName,
    },
    /// Show a repository
    #[command(after_help = "Example:\n  naru repo show acme/app")]
    Show {
        /// OWNER/NAME
        repository: RepositoryPath,
    },
    /// Change what a repository is called, says of itself and who may see it
    #[command(
        after_help = "Examples:\n  naru repo edit acme/app --description \"What we run\" --topics \"rust registry\"\n  naru repo edit acme/app --name application\n\nThe name before leads to a renamed repository as long as nobody takes it."
    )]
    Edit(edit::EditArgs),
    /// Restore the repository of this name that was deleted last
    #[command(
        after_help = "Example:\n  naru repo restore acme/app\n\nWhat was linked to it is not linked again."
    )]
    Restore {
        /// OWNER/NAME
        repository: RepositoryPath,
    },
    /// The text that introduces a repository, in Markdown
    #[command(
        arg_required_else_help = true,
        after_help = "Example:\n  naru repo readme set acme/app README.md"
    )]
    Readme {
        #[command(subcommand)]
        action: readme::Action,
    },
    /// Delete a repository; its container packages stay and lose the link. It can be restored for
    /// 30 days
    #[command(after_help = "Example:\n  naru repo delete acme/app")]
    Delete {
        /// OWNER/NAME
        repository: RepositoryPath,
    },
    /// Change who may see a repository
    #[command(after_help = "Example:\n  naru repo visibility acme/app public")]
    Visibility {
        /// OWNER/NAME
        repository: RepositoryPath,
        /// Who may see it
        #[arg(value_parser = words(Visibility::ALL))]
        visibility: Visibility,
    },
    /// Who has a role in a repository
    #[command(
        arg_required_else_help = true,
        after_help = "Example:\n  naru repo collaborator add acme/app --user octocat --role write"
    )]
    Collaborator {
        #[command(subcommand)]
        action: CollaboratorAction,
    },
}

#[derive(Debug, Subcommand)]
enum CollaboratorAction {
    /// Give a user or a team a role, or change it
    #[command(
        after_help = "Examples:\n  naru repo collaborator add acme/app --user octocat --role write\n  naru repo collaborator add acme/app --team core-team --role admin"
    )]
    Add {
        /// OWNER/NAME
        repository: RepositoryPath,
        #[command(flatten)]
        whom: GranteeArgs,
        /// What they may do
        #[arg(long, value_parser = words(RepositoryRole::ALL))]
        role: RepositoryRole,
    },
    /// Take a role away
    #[command(after_help = "Example:\n  naru repo collaborator remove acme/app --user octocat")]
    Remove {
        /// OWNER/NAME
        repository: RepositoryPath,
        #[command(flatten)]
        whom: GranteeArgs,
    },
    /// List who has a role of their own
    #[command(after_help = "Example:\n  naru repo collaborator list acme/app")]
    List {
        /// OWNER/NAME
        repository: RepositoryPath,
    },
}

impl RepoCommand {
    pub(super) fn run(self, global: &Global) -> Result<()> {
        let output = global.output();
        beside(global, async |instance| {
            self.action.run(instance, output).await
        })
    }
}

impl Action {
    async fn run(self, instance: &Instance, output: Output) -> Result<()> {
        let Instance {
            registry, caller, ..
        } = instance;
        match self {
            Self::Create {
                repository: path,
                visibility,
                description,
                forge_url,
            } => {
                let new = NewRepository {
                    path,
                    visibility,
                    description,
                    forge_url,
                    homepage: None,
                };
                create(instance, new, output).await
            }
            Self::List { owner } => {
                let repositories = registry.list_repositories(caller, &owner).await?;
                let row = |repository| RepositoryRow::new(&owner, repository);
                let rows: Vec<_> = repositories.iter().map(row).collect();
                output.list(&rows)
            }
            Self::Delete { repository } => {
                registry.delete_repository(caller, &repository).await?;
                let days = registry.settings().restore_days;
                output.say(format_args!(
                    "the repository {repository} is deleted; for {days} days it can be restored: \
                     naru repo restore {repository}"
                ));
                Ok(())
            }
            Self::Show { repository } => show(instance, &repository, output).await,
            Self::Edit(wanted) => edit::edit(instance, wanted, output).await,
            Self::Restore { repository } => {
                registry.restore_repository(caller, &repository).await?;
                output.say(format_args!("the repository {repository} is back"));
                Ok(())
            }
            Self::Readme { action } => action.run(instance, output).await,
            Self::Visibility {
                repository,
                visibility,
            } => {
                registry
                    .set_repository_visibility(caller, &repository, visibility)
                    .await?;
                output.say(format_args!("{repository} is {visibility}"));
                Ok(())
            }
            Self::Collaborator { action } => action.run(instance, output).await,
        }
    }
}

async fn create(instance: &Instance, new: NewRepository, output: Output) -> Result<()> {
    let path = new.path.clone();
    let repository = instance
        .registry
        .create_repository(&instance.caller, new)
        .await?;
    output.made(
        &RepositoryRow::new(&path.owner, &repository),
        format_args!(
            "made the repository {path}; images link to it by the label \
             org.opencontainers.image.source"
        ),
    )
}

async fn show(instance: &Instance, path: &RepositoryPath, output: Output) -> Result<()> {
    let found = instance.registry.repository(&instance.caller, path).await?;
    output.record(&ShownRepository(RepositoryRow::new(&path.owner, &found)))
}

impl CollaboratorAction {
    async fn run(self, instance: &Instance, output: Output) -> Result<()> {
        let Instance {
            registry, caller, ..
        } = instance;
        match self {
            Self::Add {
                repository,
                whom,
                role,
            } => {
                let whom = whom.grantee()?;
                match &whom {
                    Grantee::User(user) => {
                        registry
                            .set_collaborator(caller, &repository, user, role)
                            .await?;
                    }
                    Grantee::Team(team) => {
                        registry
                            .set_repository_team(caller, &repository, team, role)
                            .await?;
                    }
                }
                output.say(format_args!("{whom} has the role {role} in {repository}"));
            }
            Self::Remove { repository, whom } => {
                let whom = whom.grantee()?;
                match &whom {
                    Grantee::User(user) => {
                        registry
                            .remove_collaborator(caller, &repository, user)
                            .await?;
                    }
                    Grantee::Team(team) => {
                        registry
                            .remove_repository_team(caller, &repository, team)
                            .await?;
                    }
                }
                output.say(format_args!(
                    "{whom} has no role of its own in {repository} any more"
                ));
            }
            Self::List { repository } => {
                let found = registry.list_collaborators(caller, &repository).await?;
                let (users, teams) = (found.users.iter(), found.teams.iter());
                let rows: Vec<_> = users
                    .map(|(user, role)| GrantRow::new("user", &user.login, role.as_str()))
                    .chain(
                        teams.map(|(team, role)| GrantRow::new("team", &team.slug, role.as_str())),
                    )
                    .collect();
                output.list(&rows)?;
            }
        }
        Ok(())
    }
}

/// A source repository, with the names of GitHub's REST API.
#[derive(Debug, Serialize)]
pub(super) struct RepositoryRow {
    pub(super) full_name: String,
    id: i64,
    name: String,
    owner: String,
    visibility: Visibility,
    description: Option<String>,
    homepage: Option<String>,
    forge_url: Option<String>,
    topics: Vec<String>,
    created_at: String,
    updated_at: String,
}

impl RepositoryRow {
    pub(super) fn new(owner: &AccountName, repository: &Repository) -> Self {
        Self {
            full_name: format!("{owner}/{}", repository.name),
            id: repository.id.get(),
            name: repository.name.to_string(),
            owner: owner.to_string(),
            visibility: repository.visibility,
            description: repository.description.clone(),
            homepage: repository.homepage.clone(),
            forge_url: repository.forge_url.clone(),
            topics: repository.topics.as_slice().to_vec(),
            created_at: repository.created_at.to_string(),
            updated_at: repository.updated_at.to_string(),
        }
    }
}

impl Row for RepositoryRow {
    const COLUMNS: &'static [&'static str] = &["REPOSITORY", "VISIBILITY", "DESCRIPTION"];

    fn cells(&self) -> Vec<String> {
        let description = self.description.clone().unwrap_or_default();
        vec![
            self.full_name.clone(),
            self.visibility.to_string(),
            description,
        ]
    }
}

/// A source repository shown alone.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct ShownRepository(RepositoryRow);

impl Row for ShownRepository {
    const COLUMNS: &'static [&'static str] = &[
        "REPOSITORY",
        "VISIBILITY",
        "DESCRIPTION",
        "HOMEPAGE",
        "SOURCE",
        "TOPICS",
        "CREATED",
        "UPDATED",
    ];

    fn cells(&self) -> Vec<String> {
        let row = &self.0;
        let mut cells = row.cells();
        cells.extend([
            row.homepage.clone().unwrap_or_default(),
            row.forge_url.clone().unwrap_or_default(),
            row.topics.join(" "),
            row.created_at.clone(),
            row.updated_at.clone(),
        ]);
        cells
    }
}

/// Who has a role of their own.
#[derive(Debug, Serialize)]
pub(super) struct GrantRow {
    kind: &'static str,
    name: String,
    role: &'static str,
}

impl GrantRow {
    pub(super) fn new(kind: &'static str, name: impl ToString, role: &'static str) -> Self {
        Self {
            kind,
            name: name.to_string(),
            role,
        }
    }
}

impl Row for GrantRow {
    const COLUMNS: &'static [&'static str] = &["KIND", "NAME", "ROLE"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.kind.to_owned(),
            self.name.clone(),
            self.role.to_owned(),
        ]
    }
}
