//! The one place of permission, for accounts, source repositories and the instance; packages are
//! in [`access`](crate::access).
//!
//! Facts are read inside the transaction that acts on the decision, so nothing changes between the
//! two.

use naru_metadata::{Conn, Tx, accounts, changes, grants};
use naru_model::policy::{self, Refusal, RepositoryFacts};
use naru_model::{
    Account, AccountId, AccountKind, AccountName, AccountPermission, NewEvent, Permission,
    Principal, RepositoryId, RepositoryPath, RepositoryPermission, RepositoryRole, TeamId,
    TeamPermission, TeamSlug, User,
};

use crate::commit::Outdated;
use crate::error::{Error, Result};
use crate::{Caller, Registry, events};

/// An account, and the proof that this caller may do with it what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizedAccount {
    id: AccountId,
    kind: AccountKind,
}

impl AuthorizedAccount {
    /// The account.
    #[must_use]
    pub const fn id(&self) -> AccountId {
        self.id
    }

    /// Whether it is a user or an organization.
    #[must_use]
    pub const fn kind(&self) -> AccountKind {
        self.kind
    }
}

/// A source repository, and the proof that this caller may do with it what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizedRepository {
    id: RepositoryId,
    owner: AccountId,
    role: Option<RepositoryRole>,
}

impl AuthorizedRepository {
    /// The repository.
    #[must_use]
    pub const fn id(&self) -> RepositoryId {
        self.id
    }

    /// The account that owns it.
    #[must_use]
    pub const fn owner(&self) -> AccountId {
        self.owner
    }

    /// The caller's own role in it; what everybody may do with a public one is none.
    #[must_use]
    pub const fn role(&self) -> Option<RepositoryRole> {
        self.role
    }
}

/// A team, and the proof that this caller may do with it what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizedTeam {
    id: TeamId,
    organization: AccountId,
}

impl AuthorizedTeam {
    /// The team.
    #[must_use]
    pub const fn id(&self) -> TeamId {
        self.id
    }

    /// The organization it is part of.
    #[must_use]
    pub const fn organization(&self) -> AccountId {
        self.organization
    }
}

/// The proof that this caller administers the instance.
#[derive(Clone, Copy, Debug)]
pub struct Administrator(());

/// Asks whether `caller` may do something to the account `name`.
///
/// # Errors
/// [`Error::Refused`]; [`Error::AccountUnknown`] for the machine itself, which may know.
pub(crate) async fn account(
    conn: &mut Conn,
    caller: &Caller,
    name: &AccountName,
    permission: AccountPermission,
) -> Result<AuthorizedAccount> {
    let facts = grants::account_facts(conn, &caller.principal, name).await?;
    if facts.account.is_none() && caller.principal == Principal::System {
        return Err(Error::AccountUnknown(name.to_string()));
    }
    policy::decide_account(&caller.principal, permission, &facts)
        .into_result()
        .map_err(Error::Refused)?;
    let account = facts
        .account
        .ok_or_else(|| Error::AccountUnknown(name.to_string()))?;
    Ok(AuthorizedAccount {
        id: account.id,
        kind: account.kind,
    })
}

/// Asks whether anybody has signed in at all.
///
/// # Errors
/// [`Error::Refused`] for nobody.
pub(crate) fn signed_in(caller: &Caller) -> Result<()> {
    if caller.principal.is_anonymous() {
        return Err(Error::Refused(Refusal::Unauthenticated));
    }
    Ok(())
}

/// The account of this name, for whoever has signed in: that there is one is no secret to them,
/// and no scope is needed to know it. What it owns is decided for each thing.
///
/// # Errors
/// [`Error::Refused`] for nobody; [`Error::AccountUnknown`].
pub(crate) async fn profile(
    conn: &mut Conn,
    caller: &Caller,
    name: &AccountName,
) -> Result<Account> {
    signed_in(caller)?;
    let found = accounts::find(conn, name).await?;
    found.ok_or_else(|| Error::AccountUnknown(name.to_string()))
}

/// The caller's own account: no scope is needed to know who one is.
///
/// # Errors
/// [`Error::Refused`] for nobody, and for a workflow, which is no user.
pub(crate) async fn myself(conn: &mut Conn, caller: &Caller) -> Result<User> {
    let refusal = match &caller.principal {
        Principal::User { user, .. } => {
            if let Some(user) = accounts::user(conn, *user).await? {
                return Ok(user);
            }
            Refusal::Unauthenticated
        }
        Principal::Workflow { .. } => Refusal::Installation {
            permission: Permission::ManageCredentials,
        },
        Principal::Anonymous { .. } | Principal::System => Refusal::Unauthenticated,
    };
    Err(Error::Refused(refusal))
}

/// As [`account`], of an organization: that a user has no members or teams is no refusal.
///
/// # Errors
/// As [`account`]; [`Error::NotFound`] when it is a user.
pub(crate) async fn organization(
    conn: &mut Conn,
    caller: &Caller,
    name: &AccountName,
    permission: AccountPermission,
) -> Result<AuthorizedAccount> {
    let account = account(conn, caller, name, permission).await?;
    match account.kind {
        AccountKind::Organization => Ok(account),
        AccountKind::User => Err(Error::NotFound {
            what: "organization",
            name: name.to_string(),
        }),
    }
}

/// Asks whether `caller` may do something with the repository at `path`.
///
/// # Errors
/// [`Error::Refused`]; [`Error::NotFound`] for the machine itself, which may know.
pub(crate) async fn repository(
    conn: &mut Conn,
    caller: &Caller,
    path: &RepositoryPath,
    permission: RepositoryPermission,
) -> Result<AuthorizedRepository> {
    let facts = grants::repository_facts(conn, &caller.principal, path).await?;
    let absent = || Error::NotFound {
        what: "repository",
        name: path.to_string(),
    };
    if facts.repository.is_none() && caller.principal == Principal::System {
        return Err(absent());
    }
    policy::decide_repository(&caller.principal, permission, &facts)
        .into_result()
        .map_err(Error::Refused)?;
    match (facts.owner, facts.repository) {
        (Some(owner), Some(repository)) => Ok(AuthorizedRepository {
            id: repository.id,
            owner: owner.id,
            role: policy::repository_role(&caller.principal, &facts),
        }),
        _ => Err(absent()),
    }
}

/// Those of the repositories with which `caller` may do something. The others are passed over as if
/// they were not there.
///
/// # Errors
/// Those of the database.
pub(crate) async fn repositories_among(
    conn: &mut Conn,
    caller: &Caller,
    candidates: &[RepositoryId],
    permission: RepositoryPermission,
) -> Result<Vec<RepositoryId>> {
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let principal = &caller.principal;
    let found = grants::facts_of_repositories(conn, principal, candidates).await?;
    let allowed = found.iter().filter_map(|(_, facts)| {
        let decision = policy::decide_repository(principal, permission, facts);
        decision.is_allowed().then_some(facts.repository?.id)
    });
    Ok(allowed.collect())
}

/// Asks whether `caller` may do something with every one of the repositories that they may see;
/// returns those. What they may not see is passed over as if it were not there.
///
/// # Errors
/// [`Error::Refused`] by the first that may be seen and refuses.
pub(crate) async fn repositories_seen(
    conn: &mut Conn,
    caller: &Caller,
    candidates: &[RepositoryId],
    permission: RepositoryPermission,
) -> Result<Vec<RepositoryId>> {
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let principal = &caller.principal;
    let ask = |permission, facts: &RepositoryFacts| {
        let decision = policy::decide_repository(principal, permission, facts);
        decision.into_result().map_err(Error::Refused)
    };
    let mut seen = Vec::new();
    for (_, facts) in grants::facts_of_repositories(conn, principal, candidates).await? {
        if ask(RepositoryPermission::Read, &facts).is_ok() {
            ask(permission, &facts)?;
            seen.extend(facts.repository.map(|found| found.id));
        }
    }
    Ok(seen)
}

/// Asks whether `caller` may do something with a team of an organization.
///
/// # Errors
/// [`Error::Refused`]; [`Error::NotFound`] for the machine itself, which may know.
pub(crate) async fn team(
    conn: &mut Conn,
    caller: &Caller,
    organization: &AccountName,
    slug: &TeamSlug,
    permission: TeamPermission,
) -> Result<AuthorizedTeam> {
    let facts = grants::team_facts(conn, &caller.principal, organization, slug).await?;
    let absent = || Error::NotFound {
        what: "team",
        name: slug.to_string(),
    };
    if facts.organization.is_none() && caller.principal == Principal::System {
        return Err(Error::AccountUnknown(organization.to_string()));
    }
    if facts.team.is_none() && caller.principal == Principal::System {
        return Err(absent());
    }
    policy::decide_team(&caller.principal, permission, &facts)
        .into_result()
        .map_err(Error::Refused)?;
    match (facts.organization, facts.team) {
        (Some(organization), Some(team)) => Ok(AuthorizedTeam {
            id: team.id,
            organization: organization.id,
        }),
        _ => Err(absent()),
    }
}

/// Whether `caller` may do something to the account `name`, where that only decides how much is
/// shown.
///
/// # Errors
/// Those of the database.
pub(crate) async fn may(
    conn: &mut Conn,
    caller: &Caller,
    name: &AccountName,
    permission: AccountPermission,
) -> Result<bool> {
    match account(conn, caller, name, permission).await {
        Ok(_) => Ok(true),
        Err(Error::Refused(_) | Error::AccountUnknown(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What is said of a repository that is not there.
///
/// # Errors
/// Always: [`Error::Refused`], or those of the database.
pub(crate) async fn no_repository<T>(conn: &mut Conn, caller: &Caller) -> Result<T> {
    let nowhere = RepositoryFacts {
        caller: grants::caller_facts(conn, &caller.principal).await?,
        ..RepositoryFacts::default()
    };
    let decision =
        policy::decide_repository(&caller.principal, RepositoryPermission::Read, &nowhere);
    let refusal = decision.into_result().err().unwrap_or(Refusal::Unknown);
    Err(Error::Refused(refusal))
}

/// Asks whether `caller` administers the instance.
///
/// # Errors
/// [`Error::Refused`].
pub(crate) async fn instance(conn: &mut Conn, caller: &Caller) -> Result<Administrator> {
    let facts = grants::caller_facts(conn, &caller.principal).await?;
    policy::decide_instance(&caller.principal, &facts)
        .into_result()
        .map_err(Error::Refused)?;
    Ok(Administrator(()))
}

/// Whether `caller` administers the instance, where that only decides how much they may do.
///
/// # Errors
/// Those of the database.
pub(crate) async fn administers_instance(conn: &mut Conn, caller: &Caller) -> Result<bool> {
    match instance(conn, caller).await {
        Ok(_) => Ok(true),
        Err(Error::Refused(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

impl Registry {
    /// The end of a use case that changes who may do what: tells the event, lets other processes
    /// hear of it, commits, and forgets what was remembered of access.
    pub(crate) async fn commit_access_change(&self, mut tx: Tx, event: NewEvent) -> Result<()> {
        events::record(&mut tx, event).await?;
        self.commit_access_changes(tx).await
    }

    /// The same for a use case that has told its events already.
    pub(crate) async fn commit_access_changes(&self, mut tx: Tx) -> Result<()> {
        changes::bump_access(&mut tx).await?;
        self.commit(tx, Outdated::ACCESS).await?;
        Ok(())
    }
}
