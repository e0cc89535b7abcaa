//! Principals: who is calling, and what the credential allows at most.

use crate::id::{AccountId, RepositoryId, TokenId};
use crate::package::PackagePath;
use crate::scope::{Scope, Scopes};
use crate::word::words;

/// Who is calling. What they may do is decided anew on each request, from this and the facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// Nobody in particular.
    Anonymous {
        /// What a registry token of an anonymous caller was given for; none without such a token.
        access: Option<AccessList>,
    },
    /// A user.
    User {
        /// The account.
        user: AccountId,
        /// Whether they administer the instance.
        site_admin: bool,
        /// How they proved it.
        credential: Credential,
    },
    /// A workflow of a source repository, with a token bound to that repository
    /// (GitHub: `GITHUB_TOKEN`).
    Workflow {
        /// The repository.
        repository: RepositoryId,
        /// The token's `packages:` permission; none if the job asked for none.
        packages: Option<WorkflowPackages>,
        /// The token.
        token: TokenId,
        /// How it came.
        transport: Transport,
    },
    /// The machine itself: jobs, and the command line beside the data.
    System,
}

impl Principal {
    /// An anonymous caller without a registry token.
    pub const ANONYMOUS: Self = Self::Anonymous { access: None };

    /// What a registry token was given for, if the caller came with one: an upper bound.
    #[must_use]
    pub const fn access(&self) -> Option<&AccessList> {
        match self {
            Self::Anonymous { access } => access.as_ref(),
            Self::User { credential, .. } => credential.transport.access(),
            Self::Workflow { transport, .. } => transport.access(),
            Self::System => None,
        }
    }

    /// The user's account; none for the others.
    #[must_use]
    pub const fn user(&self) -> Option<AccountId> {
        match self {
            Self::User { user, .. } => Some(*user),
            _ => None,
        }
    }

    /// The stored token behind the call.
    #[must_use]
    pub const fn token(&self) -> Option<TokenId> {
        match self {
            Self::User { credential, .. } => credential.token,
            Self::Workflow { token, .. } => Some(*token),
            Self::Anonymous { .. } | Self::System => None,
        }
    }

    /// The same one without the limits of the credential: for what a role alone decides.
    #[must_use]
    pub fn in_person(&self) -> Self {
        match self {
            Self::User {
                user, site_admin, ..
            } => Self::User {
                user: *user,
                site_admin: *site_admin,
                credential: Credential::session(),
            },
            other => other.clone(),
        }
    }

    /// Whether nobody has signed in.
    #[must_use]
    pub const fn is_anonymous(&self) -> bool {
        matches!(self, Self::Anonymous { .. })
    }
}

/// How a user proved who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The personal access token; none for a browser session.
    pub token: Option<TokenId>,
    /// What it may be used for at most; none means no such limit, as for a browser session.
    pub scopes: Option<Scopes>,
    /// How it came.
    pub transport: Transport,
}

impl Credential {
    /// A browser session: not limited by scopes.
    #[must_use]
    pub const fn session() -> Self {
        Self {
            token: None,
            scopes: None,
            transport: Transport::Session,
        }
    }

    /// A personal access token that came over `transport`.
    #[must_use]
    pub const fn personal(token: TokenId, scopes: Scopes, transport: Transport) -> Self {
        Self {
            token: Some(token),
            scopes: Some(scopes),
            transport,
        }
    }

    /// Whether the credential may be used for what `scope` covers.
    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.is_none_or(|scopes| scopes.contains(scope))
    }
}

/// How a credential came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A browser's cookie.
    Session,
    /// `Authorization: Basic`.
    Basic,
    /// `Authorization: Bearer` or `token` with the token itself.
    Bearer,
    /// `Authorization: Bearer` with a registry token that the token endpoint made from it.
    RegistryToken(AccessList),
}

impl Transport {
    const fn access(&self) -> Option<&AccessList> {
        match self {
            Self::RegistryToken(access) => Some(access),
            _ => None,
        }
    }
}

/// The `packages:` permission of a workflow's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkflowPackages {
    /// Pull.
    Read,
    /// Also push and delete.
    Write,
}

words!(
    WorkflowPackages,
    "workflow permission",
    Read = "read",
    Write = "write"
);

/// What a registry token was given for. It can only narrow what the facts allow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessList(Vec<(PackagePath, Actions)>);

impl AccessList {
    /// A list that allows nothing, as a token for signing in has.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds actions on a package.
    pub fn add(&mut self, path: PackagePath, actions: Actions) {
        match self.0.iter_mut().find(|(listed, _)| *listed == path) {
            Some((_, listed)) => *listed = listed.union(actions),
            None => self.0.push((path, actions)),
        }
    }

    /// Whether the token was given for `action` on the package.
    #[must_use]
    pub fn allows(&self, path: &PackagePath, action: Action) -> bool {
        self.0
            .iter()
            .any(|(listed, actions)| listed == path && actions.contains(action))
    }

    /// The packages and what may be done with each, in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&PackagePath, Actions)> {
        self.0.iter().map(|(path, actions)| (path, *actions))
    }
}

impl FromIterator<(PackagePath, Actions)> for AccessList {
    fn from_iter<I: IntoIterator<Item = (PackagePath, Actions)>>(entries: I) -> Self {
        let mut list = Self::new();
        for (path, actions) in entries {
            list.add(path, actions);
        }
        list
    }
}

/// A word of a registry token's scope (distribution, "Token Scope Documentation").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Read.
    Pull,
    /// Write.
    Push,
    /// Delete.
    Delete,
}

words!(
    Action,
    "action",
    Pull = "pull",
    Push = "push",
    Delete = "delete"
);

/// A set of actions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Actions {
    pull: bool,
    push: bool,
    delete: bool,
}

impl Actions {
    /// None.
    pub const NONE: Self = Self {
        pull: false,
        push: false,
        delete: false,
    };
    /// All three: what `*` asks for.
    pub const ALL: Self = Self {
        pull: true,
        push: true,
        delete: true,
    };

    /// This set with one more.
    #[must_use]
    pub const fn with(mut self, action: Action) -> Self {
        match action {
            Action::Pull => self.pull = true,
            Action::Push => self.push = true,
            Action::Delete => self.delete = true,
        }
        self
    }

    /// What is in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self {
            pull: self.pull || other.pull,
            push: self.push || other.push,
            delete: self.delete || other.delete,
        }
    }

    /// Whether `action` is in it.
    #[must_use]
    pub const fn contains(self, action: Action) -> bool {
        match action {
            Action::Pull => self.pull,
            Action::Push => self.push,
            Action::Delete => self.delete,
        }
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        !(self.pull || self.push || self.delete)
    }

    /// Those in it, in the order pull, push, delete.
    pub fn iter(self) -> impl Iterator<Item = Action> {
        Action::ALL
            .iter()
            .copied()
            .filter(move |action| self.contains(*action))
    }
}

impl FromIterator<Action> for Actions {
    fn from_iter<I: IntoIterator<Item = Action>>(actions: I) -> Self {
        actions.into_iter().fold(Self::NONE, Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::PackageType;

    fn path(package_type: PackageType, name: &str) -> PackagePath {
        PackagePath::new(package_type, &name.parse().unwrap()).unwrap()
    }

    #[test]
    fn an_access_list_allows_what_is_in_it_and_nothing_else() {
        let app = path(PackageType::Container, "octo/app");
        let list: AccessList = [(app.clone(), Actions::NONE.with(Action::Pull))]
            .into_iter()
            .collect();
        assert!(list.allows(&app, Action::Pull));
        assert!(!list.allows(&app, Action::Push));
        assert!(!list.allows(&path(PackageType::Container, "octo/app/x"), Action::Pull));
        assert!(!list.allows(&path(PackageType::Container, "octo/ap"), Action::Pull));
    }

    #[test]
    fn the_same_name_on_the_other_registry_is_another_entry() {
        let container = path(PackageType::Container, "octo/app/image");
        let list: AccessList = [(container, Actions::ALL)].into_iter().collect();
        assert!(!list.allows(&path(PackageType::Docker, "octo/app/image"), Action::Pull));
    }

    #[test]
    fn two_entries_for_one_package_add_up() {
        let app = path(PackageType::Container, "octo/app");
        let list: AccessList = [Action::Pull, Action::Push]
            .map(|action| (app.clone(), Actions::NONE.with(action)))
            .into_iter()
            .collect();
        let (_, actions) = list.iter().next().unwrap();
        assert_eq!(
            actions.iter().collect::<Vec<_>>(),
            [Action::Pull, Action::Push]
        );
        assert_eq!(list.iter().count(), 1);
    }
}
