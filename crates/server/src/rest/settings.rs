//! Settings of packages: of an organization or a user, and of the instance (`EXTENSIONS`, `S`,
//! `/user/settings/packages`, `E`).

use naru_model::{InstanceSettings, PackageType, RegistryMode, Scope};
use naru_registry::package_settings::{AccountSettings, SettingsChange};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::call::{Call, Owner};
use super::error::Failure;
use super::finish::Outcome;
use super::input::{Json, given};
use super::operation::Operations;

/// The operations of settings.
pub(super) fn routes(operations: &mut Operations) {
    for (path, get_id, patch_id, scopes) in [
        (
            "/orgs/{org}/settings/packages",
            "packages/get-settings-for-organization",
            "packages/update-settings-for-organization",
            &[Scope::AdminOrg],
        ),
        (
            "/user/settings/packages",
            "packages/get-settings-for-authenticated-user",
            "packages/update-settings-for-authenticated-user",
            &[Scope::User],
        ),
    ] {
        operations
            .get(path, get)
            .own(get_id)
            .summary("Get the package settings of an account")
            .needs(scopes, "read package settings")
            .answers::<SettingsView>(200, "The settings")
            .refuses(&[401, 403, 404]);
        operations
            .patch(path, patch)
            .own(patch_id)
            .summary("Update the package settings of an account")
            .needs(scopes, "change package settings")
            .body::<PatchSettings>()
            .answers::<SettingsView>(200, "The settings as they are now")
            .refuses(&[400, 401, 403, 404, 422]);
    }
    operations
        .get("/enterprise/settings/packages", get_instance)
        .own("packages/get-settings-for-enterprise")
        .summary("Get the package settings of the instance")
        .needs(&[Scope::SiteAdmin], "read the settings of the instance")
        .answers::<InstanceView>(200, "The settings")
        .refuses(&[401, 403]);
    operations
        .patch("/enterprise/settings/packages", patch_instance)
        .own("packages/update-settings-for-enterprise")
        .summary("Update the package settings of the instance")
        .description(
            "A registry is `enabled`, `read-only` (its packages are pulled, and pushes and \
             deletions are refused) or `disabled` (nobody reaches its packages or hears of them).",
        )
        .needs(&[Scope::SiteAdmin], "change the settings of the instance")
        .body::<PatchInstance>()
        .answers::<InstanceView>(200, "The settings as they are now")
        .refuses(&[400, 401, 403, 422]);
}

/// The package settings of an account. Those about members mean nothing for a user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PackageSettings)]
struct SettingsView {
    /// Whether members may publish public packages, and make packages public.
    members_can_create_public_packages: bool,
    /// Whether members may publish internal packages, and make packages internal.
    members_can_create_internal_packages: bool,
    /// Whether members may publish private packages, and make packages private.
    members_can_create_private_packages: bool,
    /// Whether a package linked before its first publication takes over the repository's access.
    inherit_access_from_repository: bool,
    /// Whether a public package can never be anything else again.
    public_is_final: bool,
    /// Whether deleting a version that something needs is refused, instead of withdrawing it.
    refuse_needed_deletes: bool,
    /// A public package of which a version was downloaded more often than this cannot be deleted,
    /// nor can such a version; null is what the instance says.
    undeletable_downloads: Option<u64>,
}

impl From<AccountSettings> for SettingsView {
    fn from(settings: AccountSettings) -> Self {
        let packages = settings.packages;
        Self {
            members_can_create_public_packages: packages.members_create_public,
            members_can_create_internal_packages: packages.members_create_internal,
            members_can_create_private_packages: packages.members_create_private,
            inherit_access_from_repository: packages.inherit_access,
            public_is_final: packages.public_is_final,
            refuse_needed_deletes: packages.refuse_needed_deletes,
            undeletable_downloads: settings.undeletable_downloads,
        }
    }
}

/// What is to change; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdatePackageSettings)]
struct PatchSettings {
    #[serde(default)]
    members_can_create_public_packages: Option<bool>,
    #[serde(default)]
    members_can_create_internal_packages: Option<bool>,
    #[serde(default)]
    members_can_create_private_packages: Option<bool>,
    #[serde(default)]
    inherit_access_from_repository: Option<bool>,
    #[serde(default)]
    public_is_final: Option<bool>,
    #[serde(default)]
    refuse_needed_deletes: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u64>)]
    undeletable_downloads: Option<Option<u64>>,
}

impl From<PatchSettings> for SettingsChange {
    fn from(patch: PatchSettings) -> Self {
        Self {
            members_create_public: patch.members_can_create_public_packages,
            members_create_internal: patch.members_can_create_internal_packages,
            members_create_private: patch.members_can_create_private_packages,
            inherit_access: patch.inherit_access_from_repository,
            public_is_final: patch.public_is_final,
            refuse_needed_deletes: patch.refuse_needed_deletes,
            undeletable_downloads: patch.undeletable_downloads,
        }
    }
}

/// The package settings of the instance.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InstancePackageSettings)]
struct InstanceView {
    /// Which registries are open.
    registries: RegistriesView,
}

/// Which registries are open: `enabled`, `read-only` or `disabled`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Registries)]
struct RegistriesView {
    /// The container registry.
    container: String,
    /// The older Docker registry.
    docker: String,
}

impl From<InstanceSettings> for InstanceView {
    fn from(settings: InstanceSettings) -> Self {
        Self {
            registries: RegistriesView {
                container: settings.container.to_string(),
                docker: settings.docker.to_string(),
            },
        }
    }
}

/// What is to change; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateInstancePackageSettings)]
struct PatchInstance {
    #[serde(default)]
    registries: PatchRegistries,
}

/// Registries to be opened or closed: `enabled`, `read-only` or `disabled`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = UpdateRegistries)]
struct PatchRegistries {
    /// The container registry.
    #[serde(default)]
    container: Option<String>,
    /// The older Docker registry.
    #[serde(default)]
    docker: Option<String>,
}

impl PatchRegistries {
    fn wanted(&self) -> Result<Vec<(PackageType, RegistryMode)>, Failure> {
        let named = [
            (PackageType::Container, &self.container),
            (PackageType::Docker, &self.docker),
        ];
        let mut wanted = Vec::new();
        for (registry, word) in named {
            let Some(word) = word else { continue };
            let mode = word.parse().map_err(|_| invalid(registry))?;
            wanted.push((registry, mode));
        }
        Ok(wanted)
    }
}

fn invalid(registry: PackageType) -> Failure {
    let field = format!("registries.{registry}");
    let expected = "is enabled, read-only or disabled";
    Failure::invalid("Settings", &field, expected)
}

async fn get(call: Call) -> Outcome {
    let Owner(owner) = call.owner().await?;
    let settings = call
        .registry()
        .package_settings(call.caller(), owner.login())
        .await?;
    call.ok(&SettingsView::from(settings))
}

async fn patch(call: Call, Json(body): Json<PatchSettings>) -> Outcome {
    let Owner(owner) = call.owner().await?;
    let settings = call
        .registry()
        .change_package_settings(call.caller(), owner.login(), body.into())
        .await?;
    call.ok(&SettingsView::from(settings))
}

async fn get_instance(call: Call) -> Outcome {
    let settings = call.registry().instance_settings(call.caller()).await?;
    call.ok(&InstanceView::from(settings))
}

async fn patch_instance(call: Call, Json(body): Json<PatchInstance>) -> Outcome {
    let registry = call.registry();
    let wanted = body.registries.wanted()?;
    let mut settings = registry.instance_settings(call.caller()).await?;
    for (of, mode) in wanted {
        settings = registry.set_registry_mode(call.caller(), of, mode).await?;
    }
    call.ok(&InstanceView::from(settings))
}
