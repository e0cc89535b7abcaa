//! `naru org`.

use anyhow::Result;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use naru_model::{AccountName, Organization, OrganizationRole, User};
use naru_registry::organizations::NewOrganization;
use serde::Serialize;

use super::{Instance, beside, pages};
use crate::cli::Global;
use crate::output::{Output, Row};

/// Organizations and their members.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  naru org create acme --owner octocat\n  naru org member add acme hubot"
)]
pub struct OrgCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make an organization
    #[command(after_help = "Example:\n  naru org create acme --owner octocat")]
    Create {
        /// The account name: letters, digits and hyphens
        name: AccountName,
        /// Its first owner
        #[arg(long, value_name = "USER")]
        owner: AccountName,
        /// What it is called
        #[arg(id = "full_name", long = "name", value_name = "TEXT")]
        full_name: Option<String>,
    },
    /// List the organizations
    #[command(after_help = "Example:\n  naru org list")]
    List,
    /// Members of an organization
    #[command(
        arg_required_else_help = true,
        after_help = "Example:\n  naru org member add acme hubot --role admin"
    )]
    Member {
        #[command(subcommand)]
        action: MemberAction,
    },
}

#[derive(Debug, Subcommand)]
enum MemberAction {
    /// Add a member, or change what they are
    #[command(after_help = "Example:\n  naru org member add acme hubot --role admin")]
    Add {
        /// The organization
        org: AccountName,
        /// The user
        user: AccountName,
        /// `admin` owns the organization and every package of it
        #[arg(long, default_value = "member", value_parser = organization_role())]
        role: OrganizationRole,
    },
    /// Remove a member from the organization and all its teams
    #[command(after_help = "Example:\n  naru org member remove acme hubot")]
    Remove {
        /// The organization
        org: AccountName,
        /// The user
        user: AccountName,
    },
    /// List the members
    #[command(after_help = "Example:\n  naru org member list acme")]
    List {
        /// The organization
        org: AccountName,
    },
}

/// The words of GitHub's REST API: an owner is an `admin`.
fn organization_role() -> impl TypedValueParser<Value = OrganizationRole> {
    PossibleValuesParser::new(["admin", "member"])
        .try_map(|word| OrganizationRole::from_rest_word(&word))
}

impl OrgCommand {
    pub(super) fn run(self, global: &Global) -> Result<()> {
        let output = global.output();
        match self.action {
            Action::Create {
                name,
                owner,
                full_name,
            } => {
                let new = NewOrganization {
                    login: name,
                    name: full_name,
                    owner,
                };
                beside(global, async |instance| create(instance, new, output).await)
            }
            Action::List => beside(global, async |instance| list(instance, output).await),
            Action::Member { action } => {
                beside(global, async |instance| action.run(instance, output).await)
            }
        }
    }
}

impl MemberAction {
    async fn run(self, instance: &Instance, output: Output) -> Result<()> {
        let Instance {
            registry, caller, ..
        } = instance;
        match self {
            Self::Add { org, user, role } => {
                registry.set_member(caller, &org, &user, role).await?;
                let role = role.rest_word();
                output.say(format_args!("{user} is in {org} as {role}"));
            }
            Self::Remove { org, user } => {
                registry.remove_member(caller, &org, &user).await?;
                output.say(format_args!("{user} is no longer in {org}"));
            }
            Self::List { org } => {
                let members = registry.list_members(caller, &org).await?;
                let rows: Vec<_> = members.iter().map(MemberRow::from).collect();
                output.list(&rows)?;
            }
        }
        Ok(())
    }
}

async fn create(instance: &Instance, new: NewOrganization, output: Output) -> Result<()> {
    let Instance {
        registry, caller, ..
    } = instance;
    let organization = registry.create_organization(caller, new).await?;
    let login = &organization.login;
    output.made(
        &OrganizationRow::from(&organization),
        format_args!("made the organization {login}; members: naru org member add {login} USER"),
    )
}

async fn list(instance: &Instance, output: Output) -> Result<()> {
    let Instance {
        registry, caller, ..
    } = instance;
    let page = async |limit, offset| registry.list_organizations(caller, limit, offset).await;
    let rows: Vec<_> = pages(page)
        .await?
        .iter()
        .map(OrganizationRow::from)
        .collect();
    output.list(&rows)
}

/// An organization, with the names of GitHub's REST API.
#[derive(Debug, Serialize)]
struct OrganizationRow {
    login: String,
    id: i64,
    r#type: &'static str,
    name: Option<String>,
    created_at: String,
    updated_at: String,
}

impl From<&Organization> for OrganizationRow {
    fn from(organization: &Organization) -> Self {
        Self {
            login: organization.login.to_string(),
            id: organization.id.get(),
            r#type: "Organization",
            name: organization.name.clone(),
            created_at: organization.created_at.to_string(),
            updated_at: organization.updated_at.to_string(),
        }
    }
}

impl Row for OrganizationRow {
    const COLUMNS: &'static [&'static str] = &["NAME", "CALLED", "CREATED"];

    fn cells(&self) -> Vec<String> {
        let called = self.name.clone().unwrap_or_default();
        vec![self.login.clone(), called, self.created_at.clone()]
    }
}

/// A member of an organization or a team.
#[derive(Debug, Serialize)]
pub(super) struct MemberRow {
    login: String,
    id: i64,
    role: &'static str,
}

impl MemberRow {
    pub(super) fn new(user: &User, role: &'static str) -> Self {
        Self {
            login: user.login.to_string(),
            id: user.id.get(),
            role,
        }
    }
}

impl From<&(User, OrganizationRole)> for MemberRow {
    fn from((user, role): &(User, OrganizationRole)) -> Self {
        Self::new(user, role.rest_word())
    }
}

impl Row for MemberRow {
    const COLUMNS: &'static [&'static str] = &["NAME", "ROLE"];

    fn cells(&self) -> Vec<String> {
        vec![self.login.clone(), self.role.to_owned()]
    }
}
