//! What operations answer with: GitHub's shapes (contract D3 and the official description), and
//! where the addresses in them lead.

mod access;
mod account;
mod deletion;
mod either;
mod explanation;
mod organization;
mod package;
mod profile;
mod repository;
mod tag;
mod tag_rule;
mod team;
mod urls;
mod version;

pub(super) use access::PackageAccessView;
pub(super) use account::SimpleUser;
pub(super) use deletion::{
    BulkDeletionView, BulkRestorationView, DeleteRequest, DeletionView, FilterView,
    PackageDeletionView, RestoreRequest,
};
use either::{either, schemas_of_either};
pub(super) use explanation::ExplanationView;
pub(super) use organization::{
    OrgMembership, OrganizationInvitation, OrganizationSimple, OrganizationView,
};
pub(super) use package::PackageView;
pub(super) use profile::UserView;
pub(super) use repository::{
    CollaboratorPermission, CollaboratorView, ContentFile, FullRepository, Permissions,
    RepositoryView,
};
pub(super) use tag::{TagChangeView, TagView};
pub(super) use tag_rule::TagRuleView;
pub(super) use team::{TeamFull, TeamMember, TeamMembershipView, TeamView};
use urls::Below;
pub(super) use urls::{Urls, part};
pub(super) use version::VersionView;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use naru_model::Moment;

/// A moment as the vendor writes it: UTC, in whole seconds.
pub(super) fn time(moment: Moment) -> String {
    moment.to_string()
}

/// The name of a thing that GraphQL knows it by: opaque to clients, the same for ever.
pub(super) fn node_id(kind: &str, id: i64) -> String {
    STANDARD.encode(format!("0{}:{kind}{id}", kind.len()))
}
