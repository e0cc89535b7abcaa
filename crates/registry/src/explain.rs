//! Explaining access: why somebody may do something with a package, or what is missing and what
//! would give it. The sentences are those of the policy, which refusals carry too.
//!
//! Who asks about somebody else administers the package, or the namespace of a name that is free,
//! or the instance; they may know, so that nothing is hidden from them in the answer.

use naru_metadata::{Conn, accounts, grants};
use naru_model::policy::{
    self, CreationGrounds, Decision, ExistingPackage, Grounds, PackageFacts, Refusal,
};
use naru_model::{
    AccountName, Credential, PackagePath, PackagePermission, PackageState, Principal, RegistryMode,
    RepositoryPath, RepositoryPermission, TokenId, Transport, User, WorkflowPackages,
};

use crate::access::authorize_in;
use crate::account_access::administers_instance;
use crate::accounts::find_user;
use crate::credentials::principal_of;
use crate::error::{BadCredential, Error, Result};
use crate::{Caller, Registry, account_access};

/// About whom it is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ExplainedSubject {
    /// The caller, with the credential that they came with.
    #[default]
    Caller,
    /// A user, whatever their credential; the caller, if it is their name, with the one that they
    /// came with.
    User(AccountName),
    /// A stored token, with its limits.
    Token(TokenId),
    /// The workflows of a repository, with `packages: write`.
    Repository(RepositoryPath),
}

impl std::fmt::Display for ExplainedSubject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Caller => f.write_str("you"),
            Self::User(login) => write!(f, "user {login}"),
            Self::Token(id) => write!(f, "token {id}"),
            Self::Repository(path) => write!(f, "repository {path}"),
        }
    }
}

/// Why something is allowed, or what is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What was asked about.
    pub permission: PackagePermission,
    /// Whether there is a package of the name, as far as the caller may know.
    pub exists: bool,
    /// Yes or no.
    pub allowed: bool,
    /// Why, or what is missing and what would give it: one sentence.
    pub reason: String,
    /// The decision; `None` when the credential itself is of no use.
    pub decision: Option<Decision>,
}

/// Whether the caller may know everything about the package.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Candour {
    /// They hear what the one asked about would hear.
    AsRefused,
    /// They administer it, or the instance.
    Open,
}

impl Registry {
    /// Why somebody may do something with the package at `path`, or with the name if it is free;
    /// or what is missing and what would give it.
    ///
    /// # Errors
    /// [`Error::Refused`] for nobody, and unless the caller asks about themselves or administers
    /// the package, the namespace of a free name, or the instance; [`Error::AccountUnknown`] and
    /// [`Error::NotFound`] for whom it is asked about.
    pub async fn explain(
        &self,
        caller: &Caller,
        path: &PackagePath,
        subject: &ExplainedSubject,
        permission: PackagePermission,
    ) -> Result<Explanation> {
        if caller.principal.is_anonymous() {
            return Err(Error::Refused(Refusal::Unauthenticated));
        }
        let mut conn = self.db.read().await?;
        let (principal, candour) = match self.subject(&mut conn, caller, path, subject).await {
            Err(Error::BadCredential(bad)) => return Ok(useless(permission, bad)),
            found => found?,
        };
        let facts = grants::package_facts(&mut conn, &principal, path).await?;
        let decision = match candour {
            Candour::AsRefused => policy::decide_package(&principal, permission, path, &facts),
            Candour::Open => policy::explain_package(&principal, permission, path, &facts),
        };
        let exists = exists(&principal, path, &facts, candour);
        let reason = reason(&decision, &facts, candour);
        Ok(Explanation {
            permission,
            exists,
            allowed: decision.is_allowed(),
            reason,
            decision: Some(decision),
        })
    }

    /// Whom the question is about, as a principal, if the caller may ask about them.
    async fn subject(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        path: &PackagePath,
        subject: &ExplainedSubject,
    ) -> Result<(Principal, Candour)> {
        match subject {
            ExplainedSubject::Caller => Ok((caller.principal.clone(), Candour::AsRefused)),
            ExplainedSubject::User(login) => about_user(conn, caller, path, login).await,
            ExplainedSubject::Token(id) => {
                let candour = about_token(conn, caller, *id).await?;
                Ok((self.stored_principal(*id).await?, candour))
            }
            ExplainedSubject::Repository(repository) => {
                may_know(conn, caller, path).await?;
                let permission = RepositoryPermission::Read;
                let found =
                    account_access::repository(conn, caller, repository, permission).await?;
                let principal = Principal::Workflow {
                    repository: found.id(),
                    packages: Some(WorkflowPackages::Write),
                    // No stored token has this number.
                    token: TokenId::new(0),
                    transport: Transport::Bearer,
                };
                Ok((principal, Candour::Open))
            }
        }
    }

    /// The principal that a stored token makes now.
    async fn stored_principal(&self, id: TokenId) -> Result<Principal> {
        let entry = self.live_token(id).await?;
        principal_of(&entry, Transport::Bearer, self.clock.now())
    }
}

async fn about_user(
    conn: &mut Conn,
    caller: &Caller,
    path: &PackagePath,
    login: &AccountName,
) -> Result<(Principal, Candour)> {
    let found = accounts::find(conn, login).await?;
    if found.is_some_and(|found| Some(found.id()) == caller.principal.user()) {
        // What they cannot do with this token would be a mystery if it were told without it.
        return Ok((caller.principal.clone(), Candour::AsRefused));
    }
    may_know(conn, caller, path).await?;
    let user = find_user(conn, login).await?;
    Ok((in_person(&user), Candour::Open))
}

/// A user with no limits but their own.
fn in_person(user: &User) -> Principal {
    Principal::User {
        user: user.id,
        site_admin: user.site_admin,
        credential: Credential::session(),
    }
}

/// One's own tokens, and to those who administer the instance everybody's: what a token may be used
/// for at most is its owner's matter.
async fn about_token(conn: &mut Conn, caller: &Caller, id: TokenId) -> Result<Candour> {
    let found = naru_metadata::tokens::find(conn, id).await?;
    let holder = found.as_ref().and_then(|token| token.holder.user());
    if holder.is_some() && holder == caller.principal.user() {
        return Ok(Candour::AsRefused);
    }
    match account_access::instance(conn, caller).await {
        Ok(_) if found.is_some() => Ok(Candour::Open),
        // That there is such a token is nobody else's matter.
        Ok(_) | Err(Error::Refused(_)) => Err(Error::NotFound {
            what: "token",
            name: id.to_string(),
        }),
        Err(error) => Err(error),
    }
}

/// Asks whether the caller may know everything about the package: they administer it, or the
/// instance, or they own the namespace in which the name is free.
async fn may_know(conn: &mut Conn, caller: &Caller, path: &PackagePath) -> Result<()> {
    if administers_instance(conn, caller).await? {
        return Ok(());
    }
    let refused = match authorize_in(conn, caller, path, PackagePermission::Administer).await {
        Ok(_) => return Ok(()),
        Err(refused @ (Error::Refused(_) | Error::NotFound { .. })) => refused,
        Err(error) => return Err(error),
    };
    let facts = grants::package_facts(conn, &caller.principal, path).await?;
    let write = PackagePermission::Write;
    match policy::decide_package(&caller.principal, write, path, &facts) {
        Decision::Allowed(Grounds::Creation(
            CreationGrounds::Owner | CreationGrounds::OrganizationOwner | CreationGrounds::System,
        )) => Ok(()),
        _ => Err(refused),
    }
}

/// The sentence of the policy; where that says nothing and the one who asks may know, the fact.
fn reason(decision: &Decision, facts: &PackageFacts, candour: Candour) -> String {
    match decision {
        Decision::Allowed(grounds) => grounds.to_string(),
        Decision::Refused(Refusal::Unknown) if candour == Candour::Open => {
            let reason = match facts.registry {
                RegistryMode::Disabled => "the registry is closed by an administrator",
                RegistryMode::Enabled | RegistryMode::ReadOnly => {
                    "there is no package of this name"
                }
            };
            reason.to_owned()
        }
        Decision::Refused(refusal) => refusal.explanation(),
    }
}

/// Whether there is a published package of the name, as far as whoever asks may know.
fn exists(
    principal: &Principal,
    path: &PackagePath,
    facts: &PackageFacts,
    candour: Candour,
) -> bool {
    let is_live = |package: ExistingPackage| package.state == PackageState::Live;
    let read = PackagePermission::ReadMetadata;
    let is_known = || {
        let decision = policy::decide_package(principal, read, path, facts);
        let unknown = [
            Refusal::Unknown,
            Refusal::Unauthenticated,
            Refusal::Suspended,
        ];
        !unknown.map(Decision::Refused).contains(&decision)
    };
    facts.package.is_some_and(is_live) && (candour == Candour::Open || is_known())
}

fn useless(permission: PackagePermission, bad: BadCredential) -> Explanation {
    Explanation {
        permission,
        exists: false,
        allowed: false,
        reason: bad.to_string(),
        decision: None,
    }
}
