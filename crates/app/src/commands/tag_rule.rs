//! `naru tag-rule`.

mod rows;

use std::str::FromStr;

use anyhow::{Error, Result, bail};
use clap::{Args, Subcommand};
use naru_model::{
    AccountName, PackagePath, PackageType, RepositoryPath, Role, TagPattern, TagRuleId, TeamSlug,
};
use naru_oci::RepositoryName;
use naru_registry::tag_rules::{AllowanceWish, TagRuleChange, TagRuleWish, TagRulesOf};

use super::package::absent;
use super::{Instance, beside, or_none, something, words, yes_or_no};
use crate::cli::Global;
use crate::output::Output;
use rows::TagRuleRow;

/// Tag rules: who may create, move and delete which tags of a package, or of all packages of an
/// organization.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  naru tag-rule create acme 'v*' --immutable\n  naru tag-rule create acme/app latest --move admin --move team:release\n  naru tag-rule list acme/app"
)]
pub struct TagRuleCommand {
    /// Which registry the package belongs to: `docker` is the legacy one
    #[arg(long = "type", global = true, value_name = "TYPE", default_value = "container", value_parser = words(PackageType::ALL))]
    package_type: PackageType,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the rules that bind a package, or those of an organization
    #[command(after_help = "Examples:\n  naru tag-rule list acme/app\n  naru tag-rule list acme")]
    List {
        /// OWNER/NAME, or the organization for what holds for all of its packages
        of: Place,
    },
    /// Make a rule; what it does not speak of is left to roles and scopes
    #[command(
        after_help = "Examples:\n  naru tag-rule create acme/app 'v*' --immutable --description \"releases stay\"\n  naru tag-rule create acme '{latest,stable}' --move admin --delete nobody"
    )]
    Create {
        /// OWNER/NAME, or the organization for what is to hold for all of its packages
        of: Place,
        /// The tags that it is about: a glob over the whole name, such as v* or {latest,stable}
        pattern: TagPattern,
        /// Nobody moves or deletes such a tag once it is there
        #[arg(long)]
        immutable: bool,
        #[command(flatten)]
        says: Says,
    },
    /// Change a rule; what is not named stays as it is
    #[command(
        after_help = "Examples:\n  naru tag-rule edit acme/app 3 --move admin\n  naru tag-rule edit acme 4 --immutable no --except 'v*-rc*'"
    )]
    Edit {
        /// OWNER/NAME, or the organization whose rule it is
        of: Place,
        /// Its number in the list
        rule: i64,
        /// The tags that it is about
        #[arg(long, value_name = "PATTERN")]
        pattern: Option<TagPattern>,
        /// Whether nobody moves or deletes such a tag once it is there
        #[arg(long, value_name = "YES/NO", value_parser = yes_or_no())]
        immutable: Option<bool>,
        #[command(flatten)]
        says: Says,
    },
    /// Remove a rule
    #[command(after_help = "Example:\n  naru tag-rule delete acme/app 3")]
    Delete {
        /// OWNER/NAME, or the organization whose rule it is
        of: Place,
        /// Its number in the list
        rule: i64,
    },
}

/// What rules say.
#[derive(Debug, Args)]
struct Says {
    /// Tags that are not meant, although the pattern names them; an empty text for none
    #[arg(long, value_name = "PATTERN")]
    except: Option<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Who creates such tags: write or admin for whoever has the role, user:NAME, team:NAME,
    /// repo:OWNER/NAME for its workflows, or nobody; may be given several times
    #[arg(long = "create", value_name = "WHO")]
    creates: Vec<Who>,
    /// Who moves them, said likewise
    #[arg(long = "move", value_name = "WHO")]
    moves: Vec<Who>,
    /// Who deletes them, said likewise
    #[arg(long = "delete", value_name = "WHO")]
    deletes: Vec<Who>,
}

/// Whom a rule lets.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Who {
    Nobody,
    Role(Role),
    User(AccountName),
    Team(TeamSlug),
    Repository(RepositoryPath),
}

impl FromStr for Who {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text.split_once(':') {
            None if text == "nobody" => Self::Nobody,
            None => Self::Role(text.parse()?),
            Some(("user", name)) => Self::User(name.parse()?),
            Some(("team", slug)) => Self::Team(slug.parse()?),
            Some(("repo", path)) => Self::Repository(path.parse()?),
            Some(_) => {
                bail!("expected write, admin, user:NAME, team:NAME, repo:OWNER/NAME or nobody")
            }
        })
    }
}

/// All who were named; `None` where nobody was spoken of.
fn allowance(named: Vec<Who>) -> Option<AllowanceWish> {
    if named.is_empty() {
        return None;
    }
    let mut wish = AllowanceWish::default();
    for who in named {
        match who {
            Who::Nobody => {}
            // Whoever administers may write: the lesser role lets both.
            Who::Role(role) => wish.role = Some(wish.role.map_or(role, |other| other.min(role))),
            Who::User(user) => wish.users.push(user),
            Who::Team(team) => wish.teams.push(team),
            Who::Repository(path) => wish.repositories.push(path),
        }
    }
    Some(wish)
}

impl Says {
    fn change(self) -> Result<TagRuleChange> {
        let except = or_none(self.except).map(|text| text.map(|text| text.parse()).transpose());
        Ok(TagRuleChange {
            pattern: None,
            except: except.transpose()?,
            description: or_none(self.description),
            immutable: None,
            creates: allowance(self.creates),
            moves: allowance(self.moves),
            deletes: allowance(self.deletes),
        })
    }

    /// As it is meant for a new rule.
    fn wish(self, pattern: TagPattern, immutable: bool) -> Result<TagRuleWish> {
        let said = self.change()?;
        let whoever = || AllowanceWish {
            role: Some(Role::Write),
            ..AllowanceWish::default()
        };
        Ok(TagRuleWish {
            pattern,
            except: said.except.flatten(),
            description: said.description.flatten(),
            immutable,
            creates: said.creates.unwrap_or_else(whoever),
            moves: said.moves.unwrap_or_else(whoever),
            deletes: said.deletes.unwrap_or_else(whoever),
        })
    }
}

/// A package, or an organization.
#[derive(Clone, Debug)]
enum Place {
    Package(RepositoryName),
    Organization(AccountName),
}

impl FromStr for Place {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.contains('/') {
            return Ok(Self::Package(text.parse()?));
        }
        Ok(Self::Organization(text.parse()?))
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Package(package) => package.fmt(f),
            Self::Organization(organization) => organization.fmt(f),
        }
    }
}

impl Place {
    fn rules(&self, package_type: PackageType) -> Result<TagRulesOf> {
        Ok(match self {
            Self::Package(name) => TagRulesOf::Package(PackagePath::new(package_type, name)?),
            Self::Organization(name) => TagRulesOf::Organization(name.clone()),
        })
    }

    fn package(&self) -> Option<RepositoryName> {
        match self {
            Self::Package(name) => Some(name.clone()),
            Self::Organization(_) => None,
        }
    }
}

impl TagRuleCommand {
    pub(super) fn run(self, global: &Global) -> Result<()> {
        let output = global.output();
        let of = self.action.of().clone();
        let rules = of.rules(self.package_type)?;
        beside(global, async |instance| {
            let done = self.action.run(instance, &rules, output).await;
            done.map_err(|error| absent(error, of.package()))
        })
    }
}

impl Action {
    const fn of(&self) -> &Place {
        match self {
            Self::List { of }
            | Self::Create { of, .. }
            | Self::Edit { of, .. }
            | Self::Delete { of, .. } => of,
        }
    }

    async fn run(self, instance: &Instance, rules: &TagRulesOf, output: Output) -> Result<()> {
        let Instance {
            registry, caller, ..
        } = instance;
        match self {
            Self::List { .. } => {
                let found = registry.list_tag_rules(caller, rules).await?;
                let rows: Vec<_> = found.iter().map(TagRuleRow::from).collect();
                output.list(&rows)
            }
            Self::Create {
                of,
                pattern,
                immutable,
                says,
            } => {
                let wish = says.wish(pattern, immutable)?;
                let rule = registry.create_tag_rule(caller, rules, wish).await?;
                let (id, pattern) = (rule.id, &rule.pattern);
                let words = format_args!("made the rule {id} for the tags {pattern} of {of}");
                output.made(&TagRuleRow::from(&rule), words)
            }
            Self::Edit {
                of,
                rule,
                pattern,
                immutable,
                says,
            } => {
                let change = something(TagRuleChange {
                    pattern,
                    immutable,
                    ..says.change()?
                })?;
                let id = TagRuleId::new(rule);
                let rule = registry.change_tag_rule(caller, rules, id, change).await?;
                let words = format_args!("the rule {id} of {of} is changed");
                output.made(&TagRuleRow::from(&rule), words)
            }
            Self::Delete { of, rule } => {
                let id = TagRuleId::new(rule);
                registry.delete_tag_rule(caller, rules, id).await?;
                output.say(format_args!("the rule {id} of {of} is gone"));
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_a_rule_lets_is_read_as_people_write_it() {
        let who = |text: &str| text.parse::<Who>();
        assert_eq!(who("admin").unwrap(), Who::Role(Role::Admin));
        assert_eq!(who("nobody").unwrap(), Who::Nobody);
        let octocat = "octocat".parse().unwrap();
        assert_eq!(who("user:octocat").unwrap(), Who::User(octocat));
        for wrong in ["", "owner", "octocat", "user:", "users:octocat", "repo:app"] {
            assert!(who(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn nobody_is_not_the_same_as_nothing_said() {
        assert_eq!(allowance(Vec::new()), None);
        let nobody = allowance(vec![Who::Nobody]);
        assert_eq!(nobody, Some(AllowanceWish::default()));
        let roles = vec![Who::Role(Role::Admin), Who::Role(Role::Write)];
        assert_eq!(allowance(roles).unwrap().role, Some(Role::Write));
    }
}
