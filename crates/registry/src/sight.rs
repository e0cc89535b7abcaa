//! What a caller may see of those who stand beside a package, in its grants and its tag rules.
//!
//! To name a team there takes being one of those who may see it, to name a repository a role in it
//! or that it is open to everybody; the credential needs no scope of its own for that, as where a
//! package names the repository it is linked to. Of the others it is told how many they are.

use std::collections::HashSet;
use std::hash::Hash;

use naru_metadata::{Conn, repository_lists, team_trees};
use naru_model::{RepositoryId, TagAllowance, TagRule, TeamId};

use crate::Caller;
use crate::error::Result;
use crate::packages::PackageGrants;

struct Sight {
    teams: HashSet<TeamId>,
    repositories: HashSet<RepositoryId>,
}

impl Sight {
    async fn of(
        conn: &mut Conn,
        caller: &Caller,
        mut teams: Vec<TeamId>,
        mut repositories: Vec<RepositoryId>,
    ) -> Result<Self> {
        let principal = &caller.principal;
        if !teams.is_empty() {
            teams = team_trees::among(conn, principal, &teams).await?;
        }
        if !repositories.is_empty() {
            let listed = repository_lists::among(conn, principal, &repositories).await?;
            repositories = listed.into_iter().map(|row| row.repository.id).collect();
        }
        Ok(Self {
            teams: teams.into_iter().collect(),
            repositories: repositories.into_iter().collect(),
        })
    }
}

/// Keeps what may be seen; returns how many are left out.
fn keep<T, Id: Eq + Hash>(items: &mut Vec<T>, seen: &HashSet<Id>, id: impl Fn(&T) -> Id) -> usize {
    let before = items.len();
    items.retain(|item| seen.contains(&id(item)));
    before - items.len()
}

/// The grants as the caller may see them.
pub(crate) async fn seen_grants(
    conn: &mut Conn,
    caller: &Caller,
    mut grants: PackageGrants,
) -> Result<PackageGrants> {
    let teams = grants.teams.iter().map(|(team, _)| team.id).collect();
    let repositories = grants.repositories.iter().map(|(found, _)| found.id);
    let sight = Sight::of(conn, caller, teams, repositories.collect()).await?;
    grants.unseen += keep(&mut grants.teams, &sight.teams, |(team, _)| team.id);
    grants.unseen += keep(
        &mut grants.repositories,
        &sight.repositories,
        |(found, _)| found.id,
    );
    Ok(grants)
}

/// The rules as the caller may see them.
pub(crate) async fn seen_rules(
    conn: &mut Conn,
    caller: &Caller,
    mut rules: Vec<TagRule>,
) -> Result<Vec<TagRule>> {
    let allowances = || rules.iter().flat_map(TagRule::allowances);
    let teams = allowances().flat_map(|one| one.teams.iter().map(|(team, ..)| *team));
    let repositories =
        allowances().flat_map(|one| one.repositories.iter().map(|(found, _)| *found));
    let (teams, repositories) = (teams.collect(), repositories.collect());
    let sight = Sight::of(conn, caller, teams, repositories).await?;
    for rule in &mut rules {
        for allowance in [&mut rule.creates, &mut rule.moves, &mut rule.deletes] {
            leave_out(allowance, &sight);
        }
    }
    Ok(rules)
}

/// One rule as the caller may see it.
pub(crate) async fn seen_rule(conn: &mut Conn, caller: &Caller, rule: TagRule) -> Result<TagRule> {
    let mut seen = seen_rules(conn, caller, vec![rule.clone()]).await?;
    Ok(seen.pop().unwrap_or(rule))
}

fn leave_out(allowance: &mut TagAllowance, sight: &Sight) {
    allowance.unseen += keep(&mut allowance.teams, &sight.teams, |(team, ..)| *team);
    let repositories = &mut allowance.repositories;
    allowance.unseen += keep(repositories, &sight.repositories, |(found, _)| *found);
}
