//! Events: what happened, written in the transaction that made it happen.
//!
//! The words are those of GitHub's audit log where it has one for the same thing; Naru's own
//! follow its manner (`category.what_happened`).

use std::collections::BTreeMap;
use std::fmt;

use crate::clock::Moment;
use crate::id::{AccountId, EventId, PackageId, RepositoryId, TokenId, VersionId};
use crate::principal::Principal;
use crate::word::words;

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    missing_docs,
    reason = "each is documented by its word, the name in the audit log"
)]
pub enum EventKind {
    PackagePublished,
    PackageDeleted,
    PackageRestored,
    PackagePurged,
    PackageVisibilityChanged,
    PackageLinked,
    PackageUnlinked,
    PackageInheritanceChanged,
    PackageSettingsChanged,
    PackageGrantChanged,
    PackageGrantRemoved,
    VersionPublished,
    VersionDeleted,
    VersionWithdrawn,
    VersionRestored,
    VersionPurged,
    TagMoved,
    TagRemoved,
    TagRuleCreated,
    TagRuleUpdated,
    TagRuleDeleted,
    BlobDeleted,
    TokenCreated,
    TokenRevoked,
    SignedIn,
    SignInFailed,
    SignedOut,
    PasswordChanged,
    UserCreated,
    UserRenamed,
    UserUpdated,
    UserSuspended,
    UserUnsuspended,
    UserPromoted,
    UserDemoted,
    UserDeleted,
    OrganizationCreated,
    OrganizationRenamed,
    OrganizationSettingsChanged,
    InstanceSettingsChanged,
    QuotaChanged,
    OrganizationUpdated,
    OrganizationDeleted,
    OrganizationRestored,
    OrganizationMemberAdded,
    OrganizationMemberUpdated,
    OrganizationMemberRemoved,
    TeamCreated,
    TeamUpdated,
    TeamDeleted,
    TeamMemberAdded,
    TeamMemberUpdated,
    TeamMemberRemoved,
    RepositoryCreated,
    RepositoryUpdated,
    RepositoryRenamed,
    RepositoryVisibilityChanged,
    RepositoryDeleted,
    RepositoryRestored,
    RepositoryCollaboratorAdded,
    RepositoryCollaboratorUpdated,
    RepositoryCollaboratorRemoved,
    RepositoryTeamAdded,
    RepositoryTeamUpdated,
    RepositoryTeamRemoved,
    AttestationCreated,
    AttestationDeleted,
    DeploymentRecorded,
    StorageRecorded,
    InstanceCreated,
    SigningKeyRotated,
    GarbageCollected,
    BlobDamaged,
    BlobHealed,
}

words!(
    EventKind,
    "kind of event",
    PackagePublished = "packages.package_published",
    PackageDeleted = "packages.package_deleted",
    PackageRestored = "packages.package_restored",
    PackagePurged = "packages.package_purged",
    PackageVisibilityChanged = "packages.package_visibility_changed",
    PackageLinked = "packages.repository_linked",
    PackageUnlinked = "packages.repository_unlinked",
    PackageInheritanceChanged = "packages.access_inheritance_changed",
    PackageSettingsChanged = "packages.settings_changed",
    PackageGrantChanged = "packages.access_granted",
    PackageGrantRemoved = "packages.access_removed",
    VersionPublished = "packages.package_version_published",
    VersionDeleted = "packages.package_version_deleted",
    VersionWithdrawn = "packages.package_version_withdrawn",
    VersionRestored = "packages.package_version_restored",
    VersionPurged = "packages.package_version_purged",
    TagMoved = "packages.tag_moved",
    TagRemoved = "packages.tag_removed",
    TagRuleCreated = "packages.tag_rule_created",
    TagRuleUpdated = "packages.tag_rule_updated",
    TagRuleDeleted = "packages.tag_rule_deleted",
    BlobDeleted = "packages.blob_deleted",
    TokenCreated = "oauth_authorization.create",
    TokenRevoked = "oauth_authorization.destroy",
    SignedIn = "user.login",
    SignInFailed = "user.failed_login",
    SignedOut = "user.logout",
    PasswordChanged = "user.change_password",
    UserCreated = "user.create",
    UserRenamed = "user.rename",
    UserUpdated = "user.update_profile",
    UserSuspended = "user.suspend",
    UserUnsuspended = "user.unsuspend",
    UserPromoted = "user.promote",
    UserDemoted = "user.demote",
    UserDeleted = "user.delete",
    OrganizationCreated = "org.create",
    OrganizationRenamed = "org.rename",
    OrganizationSettingsChanged = "org.update_package_settings",
    InstanceSettingsChanged = "business.update_package_settings",
    QuotaChanged = "business.update_package_quota",
    OrganizationUpdated = "org.update_profile",
    OrganizationDeleted = "org.delete",
    OrganizationRestored = "org.restore",
    OrganizationMemberAdded = "org.add_member",
    OrganizationMemberUpdated = "org.update_member",
    OrganizationMemberRemoved = "org.remove_member",
    TeamCreated = "team.create",
    TeamUpdated = "team.update",
    TeamDeleted = "team.destroy",
    TeamMemberAdded = "team.add_member",
    TeamMemberUpdated = "team.update_member",
    TeamMemberRemoved = "team.remove_member",
    RepositoryCreated = "repo.create",
    RepositoryUpdated = "repo.update",
    RepositoryRenamed = "repo.rename",
    RepositoryVisibilityChanged = "repo.access",
    RepositoryDeleted = "repo.destroy",
    RepositoryRestored = "repo.restore",
    RepositoryCollaboratorAdded = "repo.add_member",
    RepositoryCollaboratorUpdated = "repo.update_member",
    RepositoryCollaboratorRemoved = "repo.remove_member",
    RepositoryTeamAdded = "team.add_repository",
    RepositoryTeamUpdated = "team.update_repository_permission",
    RepositoryTeamRemoved = "team.remove_repository",
    AttestationCreated = "attestations.create",
    AttestationDeleted = "attestations.destroy",
    DeploymentRecorded = "artifact_metadata.record_deployment",
    StorageRecorded = "artifact_metadata.record_storage",
    InstanceCreated = "instance.create",
    SigningKeyRotated = "instance.rotate_signing_key",
    GarbageCollected = "instance.collect_garbage",
    BlobDamaged = "instance.blob_damaged",
    BlobHealed = "instance.blob_healed",
);

/// Who made something happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// Nobody who signed in: a failed sign-in.
    Anonymous,
    /// A user, and the token if it was not a browser session.
    User(AccountId, Option<TokenId>),
    /// A workflow of a repository.
    Workflow(RepositoryId, TokenId),
    /// A job, or the command line on the machine.
    System,
}

impl From<&Principal> for Actor {
    fn from(principal: &Principal) -> Self {
        match principal {
            Principal::Anonymous { .. } => Self::Anonymous,
            Principal::User {
                user, credential, ..
            } => Self::User(*user, credential.token),
            Principal::Workflow {
                repository, token, ..
            } => Self::Workflow(*repository, *token),
            Principal::System => Self::System,
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::User(user, _) => write!(f, "user:{user}"),
            Self::Workflow(repository, _) => write!(f, "repository:{repository}"),
            Self::System => f.write_str("system"),
        }
    }
}

/// What happened, before it has a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// What kind of thing.
    pub kind: EventKind,
    /// When.
    pub at: Moment,
    /// Who made it happen.
    pub actor: Actor,
    /// The account it happened to, or that owns what it happened to.
    pub account: Option<AccountId>,
    /// The package it happened to.
    pub package: Option<PackageId>,
    /// The package version it happened to.
    pub version: Option<VersionId>,
    /// The request that made it happen.
    pub request_id: Option<String>,
    /// More, by name: what it was before, what it is now. Never a secret.
    pub detail: BTreeMap<String, String>,
}

impl NewEvent {
    /// Something happened at `at`; say to whom and what with the other methods.
    #[must_use]
    pub const fn new(kind: EventKind, at: Moment, actor: Actor) -> Self {
        Self {
            kind,
            at,
            actor,
            account: None,
            package: None,
            version: None,
            request_id: None,
            detail: BTreeMap::new(),
        }
    }

    /// It happened to this account, or to something it owns.
    #[must_use]
    pub const fn on_account(mut self, account: AccountId) -> Self {
        self.account = Some(account);
        self
    }

    /// It happened to this package of the account.
    #[must_use]
    pub const fn on_package(mut self, owner: AccountId, package: PackageId) -> Self {
        self.account = Some(owner);
        self.package = Some(package);
        self
    }

    /// It happened to this version.
    #[must_use]
    pub const fn on_version(mut self, version: VersionId) -> Self {
        self.version = Some(version);
        self
    }

    /// It happened during this request.
    #[must_use]
    pub fn in_request(mut self, request_id: Option<String>) -> Self {
        self.request_id = request_id;
        self
    }

    /// One more detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.detail.insert(name.to_owned(), value.to_string());
        self
    }
}

/// What happened, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The identifier; rises with time.
    pub id: EventId,
    /// What it says.
    pub event: NewEvent,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_at_least_forty_kinds_and_no_two_share_a_word() {
        let mut kinds: Vec<_> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert!(kinds.len() >= 40);
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!(kinds.len(), EventKind::ALL.len());
    }

    #[test]
    fn the_actor_is_who_called() {
        assert_eq!(Actor::from(&Principal::System), Actor::System);
        assert_eq!(Actor::from(&Principal::ANONYMOUS), Actor::Anonymous);
        assert_eq!(
            Actor::Workflow(RepositoryId::new(9), TokenId::new(1)).to_string(),
            "repository:9"
        );
    }

    #[test]
    fn an_event_says_what_happened_to_what() {
        let event = NewEvent::new(EventKind::TagMoved, Moment::from_seconds(1), Actor::System)
            .on_package(AccountId::new(1), PackageId::new(2))
            .with("tag", "latest");
        assert_eq!(
            (event.account, event.package),
            (Some(AccountId::new(1)), Some(PackageId::new(2)))
        );
        assert_eq!(event.detail.get("tag").map(String::as_str), Some("latest"));
    }
}
