//! Decisions about tags: what a package's tag rules take from those whose role would allow it.

use std::fmt;

use crate::id::TeamId;
use crate::permission::Role;
use crate::principal::Principal;
use crate::tag_rule::{TagAction, TagAllowance, TagRule, TagRuleSource, TagRules};
use crate::team::TeamPrivacy;

/// What there is to know about a caller whom tag rules bind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagCaller {
    /// The live role on the package, whatever the credential is.
    pub role: Option<Role>,
    /// The teams of the package's owner that the user is in.
    pub teams: Vec<TeamId>,
    /// Whether the user belongs to the organization: then the names of its teams are no secret.
    pub is_member: bool,
}

/// Which rule stands against something, and whom it would let.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagRefusal {
    /// The tag.
    pub tag: String,
    /// What was to be done with it.
    pub action: TagAction,
    /// Whose rule it is.
    pub source: TagRuleSource,
    /// The rule in words: whose it is, and which tags it is about.
    pub rule: String,
    /// Whom it lets, in words; `None` for nobody, however high their role.
    pub who: Option<String>,
}

/// Decides whether the rules let `principal` do something with a tag. Every rule that is about the
/// tag must let them: a package's rule takes nothing back from its organization's.
///
/// This comes after the decision about the package, which the rules only narrow. The machine
/// itself is not bound.
///
/// # Errors
/// The rule that stands against it.
pub fn decide_tag(
    principal: &Principal,
    action: TagAction,
    tag: &str,
    rules: &TagRules,
    caller: &TagCaller,
) -> Result<(), TagRefusal> {
    if *principal == Principal::System {
        return Ok(());
    }
    let against = rules.about(tag).find(|rule| {
        let allowance = rule.allowance(action);
        !allowance.is_some_and(|allowance| lets(allowance, principal, caller))
    });
    match against {
        None => Ok(()),
        Some(rule) => Err(refusal(rule, action, tag, caller)),
    }
}

fn lets(allowance: &TagAllowance, principal: &Principal, caller: &TagCaller) -> bool {
    if allowance.role.is_some_and(|role| caller.role >= Some(role)) {
        return true;
    }
    match principal {
        Principal::User { user, .. } => {
            let is_named = allowance.users.iter().any(|(named, _)| named == user);
            let mut teams = allowance.teams.iter();
            is_named || teams.any(|(team, ..)| caller.teams.contains(team))
        }
        Principal::Workflow { repository, .. } => {
            let mut named = allowance.repositories.iter();
            named.any(|(named, _)| named == repository)
        }
        Principal::Anonymous { .. } | Principal::System => false,
    }
}

fn refusal(rule: &TagRule, action: TagAction, tag: &str, caller: &TagCaller) -> TagRefusal {
    let allowance = rule.allowance(action).filter(|found| !found.is_nobody());
    TagRefusal {
        tag: tag.to_owned(),
        action,
        source: rule.source,
        rule: rule.to_string(),
        who: allowance.map(|allowance| who(allowance, caller.is_member)),
    }
}

/// Whom an allowance lets, saying no more than the caller may know: users are no secret, closed
/// teams are none to their organization, and which repositories there are is never told here.
fn who(allowance: &TagAllowance, is_member: bool) -> String {
    let role = allowance.role.map(|role| match role {
        Role::Admin => "admins of the package".to_owned(),
        Role::Read | Role::Write => format!("whoever has the role {role} on the package"),
    });
    let users = allowance.users.iter().map(|(_, login)| login.to_string());
    let (named, unnamed): (Vec<_>, Vec<_>) = allowance
        .teams
        .iter()
        .partition(|(.., privacy)| is_member && *privacy == TeamPrivacy::Closed);
    let teams = named.iter().map(|(_, slug, _)| format!("the team {slug}"));
    let more_teams = (!unnamed.is_empty())
        .then(|| format!("members of {}", counted(unnamed.len(), "team", "teams")));
    let repositories = match allowance.repositories.len() {
        0 => None,
        named => Some(format!(
            "workflows of {}",
            counted(named, "repository", "repositories")
        )),
    };
    let all: Vec<String> = role
        .into_iter()
        .chain(users)
        .chain(teams)
        .chain(more_teams)
        .chain(repositories)
        .collect();
    all.join(", ")
}

fn counted(number: usize, one: &str, more: &str) -> String {
    if number == 1 {
        format!("1 {one}")
    } else {
        format!("{number} {more}")
    }
}

impl TagRefusal {
    /// Whether nobody at all may do it, as long as there is the rule.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        self.who.is_none()
    }
}

impl fmt::Display for TagRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            tag, action, rule, ..
        } = self;
        match &self.who {
            Some(who) => write!(
                f,
                "the tag `{tag}` is protected: {rule} lets only these {action} it: {who}"
            ),
            None if *action == TagAction::Create => {
                write!(
                    f,
                    "the tag `{tag}` is protected: {rule} lets nobody create it"
                )
            }
            None => write!(
                f,
                "the tag `{tag}` is immutable: {rule} lets nobody {action} it"
            ),
        }
    }
}

impl std::error::Error for TagRefusal {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{AccountId, RepositoryId, TagRuleId, TokenId};
    use crate::principal::{Credential, Transport};

    fn user(id: i64) -> Principal {
        Principal::User {
            user: AccountId::new(id),
            site_admin: true,
            credential: Credential::session(),
        }
    }

    fn workflow(id: i64) -> Principal {
        Principal::Workflow {
            repository: RepositoryId::new(id),
            packages: None,
            token: TokenId::new(1),
            transport: Transport::Bearer,
        }
    }

    fn with(role: Option<Role>, teams: &[i64]) -> TagCaller {
        TagCaller {
            role,
            teams: teams.iter().map(|id| TeamId::new(*id)).collect(),
            is_member: true,
        }
    }

    fn named() -> TagAllowance {
        TagAllowance {
            role: Some(Role::Admin),
            users: vec![(AccountId::new(7), "octocat".parse().unwrap())],
            teams: vec![(
                TeamId::new(3),
                "release".parse().unwrap(),
                TeamPrivacy::Closed,
            )],
            repositories: vec![(RepositoryId::new(9), "acme/app".parse().unwrap())],
            unseen: 0,
        }
    }

    fn rule(pattern: &str, moves: TagAllowance) -> TagRule {
        TagRule {
            id: TagRuleId::new(1),
            source: TagRuleSource::Package,
            pattern: pattern.parse().unwrap(),
            except: None,
            immutable: false,
            deletes: TagAllowance::role(Role::Write),
            moves,
            ..TagRule::of_the_legacy_registry()
        }
    }

    fn may(
        principal: &Principal,
        action: TagAction,
        rules: &[TagRule],
        caller: &TagCaller,
    ) -> bool {
        let rules = TagRules::new(rules.to_vec()).unwrap();
        decide_tag(principal, action, "v1", &rules, caller).is_ok()
    }

    #[test]
    fn a_rule_lets_its_role_and_those_it_names_and_nobody_else() {
        let rules = [rule("v*", named())];
        for (principal, caller, expected) in [
            (user(1), with(Some(Role::Admin), &[]), true),
            (user(1), with(Some(Role::Write), &[]), false),
            (user(1), with(None, &[]), false),
            (user(7), with(Some(Role::Write), &[]), true),
            (user(1), with(Some(Role::Write), &[3]), true),
            (user(1), with(Some(Role::Write), &[4]), false),
            (workflow(9), with(Some(Role::Write), &[]), true),
            (workflow(8), with(Some(Role::Write), &[]), false),
            (workflow(8), with(Some(Role::Admin), &[]), true),
            // Numbers of another kind are nobody's.
            (workflow(7), with(Some(Role::Write), &[3]), false),
            (user(9), with(Some(Role::Write), &[]), false),
            (Principal::ANONYMOUS, with(None, &[3]), false),
            (Principal::System, TagCaller::default(), true),
        ] {
            let found = may(&principal, TagAction::Move, &rules, &caller);
            assert_eq!(found, expected, "{principal:?} {caller:?}");
        }
    }

    #[test]
    fn each_action_has_its_own_list() {
        let rules = [rule("v*", TagAllowance::role(Role::Admin))];
        let writer = with(Some(Role::Write), &[]);
        assert!(may(&user(1), TagAction::Create, &rules, &writer));
        assert!(!may(&user(1), TagAction::Move, &rules, &writer));
        assert!(may(&user(1), TagAction::Delete, &rules, &writer));
    }

    #[test]
    fn a_rule_about_other_tags_binds_nobody() {
        let rules = [rule("w*", TagAllowance::default())];
        assert!(may(&user(1), TagAction::Move, &rules, &with(None, &[])));
        assert!(may(&user(1), TagAction::Move, &[], &with(None, &[])));
    }

    #[test]
    fn every_rule_about_the_tag_must_let_them() {
        let wide = rule("*", TagAllowance::role(Role::Write));
        let narrow = rule("v1", TagAllowance::role(Role::Admin));
        let writer = with(Some(Role::Write), &[]);
        for rules in [[wide.clone(), narrow.clone()], [narrow, wide]] {
            assert!(!may(&user(1), TagAction::Move, &rules, &writer));
        }
    }

    #[test]
    fn what_is_immutable_nobody_moves_or_deletes_but_the_machine() {
        let rules = [TagRule {
            immutable: true,
            ..rule("v*", named())
        }];
        let admin = with(Some(Role::Admin), &[3]);
        for action in [TagAction::Move, TagAction::Delete] {
            assert!(!may(&user(7), action, &rules, &admin));
            assert!(may(&Principal::System, action, &rules, &admin));
        }
        assert!(may(&user(7), TagAction::Create, &rules, &admin));
    }

    fn message(rule: TagRule, action: TagAction, caller: &TagCaller) -> String {
        let rules = TagRules::new(vec![rule]).unwrap();
        decide_tag(&user(1), action, "v1", &rules, caller)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_refusal_names_the_rule_and_who_may() {
        let member = with(Some(Role::Write), &[]);
        assert_eq!(
            message(rule("v*", named()), TagAction::Move, &member),
            "the tag `v1` is protected: the package's tag rule `v*` lets only these move it: \
             admins of the package, octocat, the team release, workflows of 1 repository"
        );
        assert_eq!(
            message(
                TagRule::of_the_legacy_registry(),
                TagAction::Delete,
                &member
            ),
            "the tag `v1` is immutable: the registry's tag rule `*` except `latest` lets nobody \
             delete it"
        );
    }

    #[test]
    fn a_secret_team_is_not_named_to_other_members() {
        let moves = TagAllowance {
            teams: vec![
                (TeamId::new(4), "open".parse().unwrap(), TeamPrivacy::Closed),
                (
                    TeamId::new(5),
                    "hidden".parse().unwrap(),
                    TeamPrivacy::Secret,
                ),
            ],
            ..TagAllowance::default()
        };
        let member = with(Some(Role::Admin), &[]);
        let text = message(rule("v*", moves), TagAction::Move, &member);
        assert!(
            text.ends_with(": the team open, members of 1 team"),
            "{text}"
        );
    }

    #[test]
    fn an_outsider_learns_no_names_of_teams_or_repositories() {
        let outsider = TagCaller {
            is_member: false,
            ..with(Some(Role::Write), &[])
        };
        let text = message(rule("v*", named()), TagAction::Move, &outsider);
        assert!(text.ends_with("octocat, members of 1 team, workflows of 1 repository"));
    }
}
