//! `naru team`.

use std::str::FromStr;

use anyhow::Result;
use clap::{Args, Subcommand};
use naru_model::{AccountName, Team, TeamPrivacy, TeamRole, TeamSlug};
use naru_registry::team_trees::{TeamChange, TeamRef};
use serde::Serialize;

use super::org::MemberRow;
use super::{Instance, beside, or_none, something, words};
use crate::cli::Global;
use crate::output::{Output, Row};

/// Teams of organizations and their members.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  naru team create acme \"Core Team\"\n  naru team member add acme/core-team octocat"
)]
pub struct TeamCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a team; its name in addresses comes from its name
    #[command(after_help = "Example:\n  naru team create acme \"Core Team\"")]
    Create {
        /// The organization
        org: AccountName,
        /// The name, in any letters
        name: String,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
    },
    /// List the teams of an organization
    #[command(after_help = "Example:\n  naru team list acme")]
    List {
        /// The organization
        org: AccountName,
    },
    /// Change what a team is called, what it is for and who sees it
    #[command(
        after_help = "Examples:\n  naru team edit acme/core-team --description \"Those who release\" --privacy secret\n  naru team edit acme/core-team --parent everybody\n\nIts name in addresses follows its name."
    )]
    Edit {
        /// The team: ORG/TEAM
        team: TeamPath,
        /// The name, in any letters
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
        /// What it is for; an empty text for nothing
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// Who sees it: every member of the organization, or its own members
        #[arg(long, value_parser = words(TeamPrivacy::ALL))]
        privacy: Option<TeamPrivacy>,
        /// The team that it is a part of; an empty text for none
        #[arg(long, value_name = "TEAM")]
        parent: Option<String>,
    },
    /// Remove a team with everything that was granted to it
    #[command(after_help = "Example:\n  naru team delete acme/core-team")]
    Delete {
        /// The team: ORG/TEAM
        team: TeamPath,
    },
    /// Members of a team
    #[command(
        arg_required_else_help = true,
        after_help = "Example:\n  naru team member add acme/core-team octocat --role maintainer"
    )]
    Member {
        #[command(subcommand)]
        action: MemberAction,
    },
}

#[derive(Debug, Subcommand)]
enum MemberAction {
    /// Add a member, or change what they are
    #[command(
        after_help = "Example:\n  naru team member add acme/core-team octocat --role maintainer"
    )]
    Add {
        /// The team: ORG/TEAM
        team: TeamPath,
        /// The user, who is a member of the organization
        user: AccountName,
        /// What they are in the team
        #[arg(long, default_value = "member", value_parser = words(TeamRole::ALL))]
        role: TeamRole,
    },
    /// Remove a member
    #[command(after_help = "Example:\n  naru team member remove acme/core-team octocat")]
    Remove {
        /// The team: ORG/TEAM
        team: TeamPath,
        /// The user
        user: AccountName,
    },
    /// List the members
    #[command(after_help = "Example:\n  naru team member list acme/core-team")]
    List {
        /// The team: ORG/TEAM
        team: TeamPath,
    },
}

/// A team by name: `ORG/TEAM`.
#[derive(Clone, Debug)]
pub(super) struct TeamPath {
    pub(super) org: AccountName,
    pub(super) slug: TeamSlug,
}

impl FromStr for TeamPath {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (org, slug) = text
            .split_once('/')
            .ok_or_else(|| anyhow::anyhow!("write the organization in front: ORG/TEAM"))?;
        Ok(Self {
            org: org.parse()?,
            slug: slug.parse()?,
        })
    }
}

impl std::fmt::Display for TeamPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.org, self.slug)
    }
}

impl TeamCommand {
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
                org,
                name,
                description,
            } => {
                let description = description.as_deref();
                let team = registry
                    .create_team(caller, &org, &name, description)
                    .await?;
                let slug = &team.slug;
                output.made(
                    &TeamRow::from(&team),
                    format_args!(
                        "made the team {org}/{slug}; members: naru team member add {org}/{slug} USER"
                    ),
                )
            }
            Self::List { org } => {
                let teams = registry.list_teams(caller, &org).await?;
                let rows: Vec<_> = teams.iter().map(TeamRow::from).collect();
                output.list(&rows)
            }
            Self::Edit {
                team,
                name,
                description,
                privacy,
                parent,
            } => {
                let change = something(TeamChange {
                    name,
                    description: or_none(description),
                    privacy,
                    notifications: None,
                    parent: parent_of(parent)?,
                })?;
                let TeamPath { org, slug } = &team;
                let updated = registry.update_team(caller, org, slug, &change).await?;
                let now = &updated.team.team;
                let words = format_args!("the team {org}/{} is changed", now.slug);
                output.made(&TeamRow::from(now), words)
            }
            Self::Delete { team } => {
                registry.delete_team(caller, &team.org, &team.slug).await?;
                output.say(format_args!("the team {team} is gone"));
                Ok(())
            }
            Self::Member { action } => action.run(instance, output).await,
        }
    }
}

/// The team that another is to be a part of.
#[expect(
    clippy::option_option,
    reason = "not said, none and a team are three things in a change"
)]
fn parent_of(text: Option<String>) -> Result<Option<Option<TeamRef>>> {
    Ok(match or_none(text) {
        Some(Some(slug)) => Some(Some(TeamRef::Slug(slug.parse()?))),
        Some(None) => Some(None),
        None => None,
    })
}

impl MemberAction {
    async fn run(self, instance: &Instance, output: Output) -> Result<()> {
        let Instance {
            registry, caller, ..
        } = instance;
        match self {
            Self::Add { team, user, role } => {
                let TeamPath { org, slug } = &team;
                registry
                    .set_team_member(caller, org, slug, &user, role)
                    .await?;
                output.say(format_args!("{user} is in {team} as {role}"));
            }
            Self::Remove { team, user } => {
                let TeamPath { org, slug } = &team;
                registry
                    .remove_team_member(caller, org, slug, &user)
                    .await?;
                output.say(format_args!("{user} is no longer in {team}"));
            }
            Self::List { team } => {
                let TeamPath { org, slug } = &team;
                let members = registry.list_team_members(caller, org, slug).await?;
                let row = |(user, role): &(_, TeamRole)| MemberRow::new(user, role.as_str());
                let rows: Vec<_> = members.iter().map(row).collect();
                output.list(&rows)?;
            }
        }
        Ok(())
    }
}

/// A team, with the names of GitHub's REST API.
#[derive(Debug, Serialize)]
struct TeamRow {
    slug: String,
    id: i64,
    name: String,
    description: Option<String>,
    privacy: TeamPrivacy,
    created_at: String,
    updated_at: String,
}

impl From<&Team> for TeamRow {
    fn from(team: &Team) -> Self {
        Self {
            slug: team.slug.to_string(),
            id: team.id.get(),
            name: team.name.clone(),
            description: team.description.clone(),
            privacy: team.privacy,
            created_at: team.created_at.to_string(),
            updated_at: team.updated_at.to_string(),
        }
    }
}

impl Row for TeamRow {
    const COLUMNS: &'static [&'static str] = &["TEAM", "NAME", "DESCRIPTION"];

    fn cells(&self) -> Vec<String> {
        let description = self.description.clone().unwrap_or_default();
        vec![self.slug.clone(), self.name.clone(), description]
    }
}
