//! Packages (contract D3).

use naru_model::{Account, Package, PackageType};
use naru_registry::packages::ListedPackage;
use naru_registry::repository_lists::RepositoryDetails;
use serde::Serialize;
use utoipa::ToSchema;

use super::{RepositoryView, SimpleUser, Urls, time};

/// A package's record (official description: `package`).
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Package)]
pub(crate) struct PackageView {
    /// The number of the package.
    id: i64,
    /// Its name under the owner.
    name: String,
    /// `container`, or `docker` for the older Docker registry.
    package_type: String,
    /// Whose it is.
    owner: SimpleUser,
    /// How many versions are listed.
    version_count: u64,
    /// `public`, `internal` or `private`.
    visibility: String,
    /// This record.
    url: String,
    /// Its page.
    html_url: String,
    created_at: String,
    updated_at: String,
    /// The source repository that it is linked to, if the caller may know of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    repository: Option<RepositoryView>,
    /// What it is, in a sentence (Naru's addition).
    description: Option<String>,
    /// Whether explicit roles on the linked repository count (Naru's addition).
    inherit_access: bool,
    /// Why the source label of an image did not link it (Naru's addition).
    link_note: Option<String>,
    /// Whether published versions are immutable: the registry's own tag rule, which binds packages
    /// of the older Docker registry unless it is lifted (Naru's addition).
    #[serde(skip_serializing_if = "Option::is_none")]
    default_tag_rule: Option<bool>,
    /// When it was deleted; only in lists of deleted packages (Naru's addition).
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_at: Option<String>,
}

impl PackageView {
    /// A package of `owner`; the repository it is linked to is among those given, if the caller may
    /// know of it.
    pub(crate) fn new(
        listed: &ListedPackage,
        owner: &Account,
        repositories: &[RepositoryDetails],
        urls: &Urls,
    ) -> Self {
        let repository = repositories
            .iter()
            .find(|details| Some(details.repository.id) == listed.package.repository);
        let Package {
            id,
            package_type,
            name,
            description,
            ..
        } = &listed.package;
        Self {
            id: id.get(),
            name: name.to_string(),
            package_type: package_type.to_string(),
            owner: SimpleUser::new(owner, urls),
            version_count: listed.version_count,
            visibility: listed.package.visibility.to_string(),
            url: urls.package(owner, *package_type, name),
            html_url: urls.package_page(owner, *package_type, name),
            created_at: time(listed.package.created_at),
            updated_at: time(listed.package.updated_at),
            repository: repository.map(|details| RepositoryView::new(details, urls)),
            description: description.clone(),
            inherit_access: listed.package.inherit_access,
            link_note: listed.package.link_note.clone(),
            default_tag_rule: (*package_type == PackageType::Docker)
                .then_some(listed.package.default_tag_rule),
            deleted_at: listed.package.deleted_at.map(time),
        }
    }
}
