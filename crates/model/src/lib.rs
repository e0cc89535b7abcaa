//! Words of GitHub accounts and packages; pure, no I/O.
//!
//! Read in this order: identifiers and time; what exists (accounts, teams, repositories, packages
//! and their versions); what may be done (permissions and roles, scopes, tokens); who is asking
//! (principals); and the whole policy, [`policy`]. What happened is told by events.

mod account;
mod artifact;
mod attestation;
mod clock;
mod day;
mod event;
mod id;
mod instance;
pub mod label;
mod name;
mod package;
mod permission;
pub mod policy;
mod principal;
mod profile;
mod quota;
mod repository;
mod scope;
mod tag_rule;
mod team;
mod token;
mod version;
mod word;

pub use account::{Account, AccountKind, AccountName, Organization, OrganizationRole, User};
pub use artifact::{
    ClusterJob, Deployment, DeploymentRecord, DeploymentStatus, Environment, RecordError,
    RuntimeRisk, StorageRecord, StorageStatus, Stored,
};
pub use attestation::{Attestation, AttestationBundle, Initiator, NotABundle, PredicateKind};
pub use clock::{
    Clock, ManualClock, Moment, NoRandomness, NotAMoment, Random, SystemClock, SystemRandom,
};
pub use day::Day;
pub use event::{Actor, Event, EventKind, NewEvent};
pub use id::{
    AccountId, AttestationId, ClusterJobId, DeploymentRecordId, EventId, PackageId, RepositoryId,
    StorageRecordId, TagRuleId, TeamId, TokenId, VersionId,
};
pub use instance::{InstanceSettings, RegistryMode};
pub use name::NameError;
pub use package::{
    Package, PackageName, PackagePath, PackageSettings, PackageState, PackageType, Visibility,
};
pub use permission::{
    AccountPermission, PackagePermission, Permission, RepositoryPermission, Role, TeamPermission,
};
pub use policy::{Decision, Refusal};
pub use principal::{
    AccessList, Action, Actions, Credential, Principal, Transport, WorkflowPackages,
};
pub use profile::{Profile, ProfileError, check_text};
pub use quota::Quota;
pub use repository::{Repository, RepositoryPath, RepositoryRole, SourceRepositoryName, Topics};
pub use scope::{Scope, Scopes};
pub use tag_rule::{
    TagAction, TagAllowance, TagPattern, TagPatterns, TagRule, TagRuleSource, TagRules,
};
pub use team::{Team, TeamPrivacy, TeamRole, TeamSlug};
pub use token::{
    Lifetime, NotALifetime, Token, TokenError, TokenHolder, TokenKind, TokenSecret, TokenState,
};
pub use version::{Cascade, Needed, VersionState};
pub use word::UnknownWord;
