//! `naru team`.

use std::str::FromStr;

use anyhow::Result;
use clap::{Args, Subcommand};
use naru_model::{AccountName, Team, TeamRole, TeamSlug};
use serde::Serialize;

use super::org::MemberRow;
use super::{Instance, beside, words};
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
            Self::Delete { team } => {
                registry.delete_team(caller, &team.org, &team.slug).await?;
                output.say(format_args!("the team {team} is gone"));
                Ok(())
            }
            Self::Member { action } => action.run(instance, output).await,
        }
    }
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
