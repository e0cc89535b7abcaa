//! `naru org`.

use anyhow::Result;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use naru_model::{AccountName, Organization, OrganizationRole, User};
use naru_registry::organizations::{NewOrganization, OrganizationChange};
use naru_registry::profiles::ProfileChange;
use serde::Serialize;

use super::profile::{ProfileArgs, ProfileRow};
use super::{Instance, beside, or_none, pages, something, yes_or_no};
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
    /// Show an organization with the profile
    #[command(after_help = "Example:\n  naru org show acme")]
    Show {
        /// The organization
        org: AccountName,
    },
    /// Change what an organization is called, says of itself and lets its members do
    ///
    /// What its members may do with packages is in `naru settings set-account`.
    #[command(
        after_help = "Examples:\n  naru org edit acme --name \"Acme Inc.\" --description \"We make everything\"\n  naru org edit acme --members-create-repositories no"
    )]
    Edit {
        /// The organization
        org: AccountName,
        #[command(flatten)]
        profile: ProfileArgs,
        /// What it is, in a sentence
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// Where bills would go; its owners see it
        #[arg(long, value_name = "ADDRESS")]
        billing_email: Option<String>,
        /// Whether members may make source repositories
        #[arg(long, value_name = "YES/NO", value_parser = yes_or_no())]
        members_create_repositories: Option<bool>,
    },
    /// Delete an organization with everything under it; it can be restored for 30 days
    #[command(
        after_help = "Example:\n  naru org delete acme\n\nNobody reaches it any more, its name stays taken, and its packages go when that time is over."
    )]
    Delete {
        /// The organization
        org: AccountName,
    },
    /// Restore a deleted organization with the packages that went with it
    #[command(after_help = "Example:\n  naru org restore acme")]
    Restore {
        /// The organization
        org: AccountName,
    },
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
            Action::Show { org } => {
                beside(global, async |instance| show(instance, &org, output).await)
            }
            Action::Edit {
                org,
                profile,
                description,
                billing_email,
                members_create_repositories,
            } => {
                let change = something(OrganizationChange {
                    profile: ProfileChange {
                        description: or_none(description),
                        billing_email: or_none(billing_email),
                        ..profile.change()
                    },
                    members_create_repositories,
                })?;
                beside(global, async |instance| {
                    edit(instance, &org, &change, output).await
                })
            }
            Action::Delete { org } => beside(global, async |instance| {
                delete(instance, &org, output).await
            }),
            Action::Restore { org } => beside(global, async |instance| {
                restore(instance, &org, output).await
            }),
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

async fn show(instance: &Instance, org: &AccountName, output: Output) -> Result<()> {
    let found = instance.registry.account_details(&instance.caller, org);
    output.record(&ProfileRow::from(&found.await?))
}

async fn edit(
    instance: &Instance,
    org: &AccountName,
    change: &OrganizationChange,
    output: Output,
) -> Result<()> {
    let (registry, caller) = (&instance.registry, &instance.caller);
    let now = registry.update_organization(caller, org, change).await?;
    output.made(
        &ProfileRow::from(&now),
        format_args!("the organization {org} is changed"),
    )
}

async fn delete(instance: &Instance, org: &AccountName, output: Output) -> Result<()> {
    let (registry, caller) = (&instance.registry, &instance.caller);
    registry.delete_organization(caller, org).await?;
    let days = registry.settings().restore_days;
    output.say(format_args!(
        "{org} is deleted with its packages; for {days} days it can be restored: naru org restore \
         {org}"
    ));
    Ok(())
}

async fn restore(instance: &Instance, org: &AccountName, output: Output) -> Result<()> {
    let (registry, caller) = (&instance.registry, &instance.caller);
    let organization = registry.restore_organization(caller, org).await?;
    output.made(
        &OrganizationRow::from(&organization),
        format_args!("{org} is back"),
    )
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
