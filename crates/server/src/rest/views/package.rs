//! Packages (contract D3).

use naru_model::{Account, Package};
use naru_registry::packages::ListedPackage;
use serde::Serialize;
use utoipa::ToSchema;

use super::{SimpleUser, Urls, time};

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
    /// What it is, in a sentence (Naru's addition).
    description: Option<String>,
}

impl PackageView {
    /// A package of `owner`.
    pub(crate) fn new(listed: &ListedPackage, owner: &Account, urls: &Urls) -> Self {
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
            description: description.clone(),
        }
    }
}
