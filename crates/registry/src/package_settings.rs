//! Package settings of accounts: what an organization lets its members do, and what holds for the
//! packages of an organization or a user.

use naru_metadata::package_settings;
pub use naru_metadata::package_settings::AccountSettings;
use naru_model::{AccountName, AccountPermission, EventKind};

use crate::error::Result;
use crate::{Caller, Registry, account_access};

/// What is to change; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingsChange {
    /// Whether members may publish public packages.
    pub members_create_public: Option<bool>,
    /// Whether members may publish internal packages.
    pub members_create_internal: Option<bool>,
    /// Whether members may publish private packages.
    pub members_create_private: Option<bool>,
    /// Whether a package linked before its first publication takes over the repository's access.
    pub inherit_access: Option<bool>,
    /// Whether a public package can never be anything else again.
    pub public_is_final: Option<bool>,
    /// Whether deleting a version that something needs is refused.
    pub refuse_needed_deletes: Option<bool>,
    /// How many downloads make a public package undeletable; `Some(None)` is what the instance
    /// says.
    pub undeletable_downloads: Option<Option<u64>>,
}

impl SettingsChange {
    fn apply(&self, settings: &mut AccountSettings) {
        let set = |field: &mut bool, value: Option<bool>| *field = value.unwrap_or(*field);
        let packages = &mut settings.packages;
        set(
            &mut packages.members_create_public,
            self.members_create_public,
        );
        set(
            &mut packages.members_create_internal,
            self.members_create_internal,
        );
        set(
            &mut packages.members_create_private,
            self.members_create_private,
        );
        set(&mut packages.inherit_access, self.inherit_access);
        set(&mut packages.public_is_final, self.public_is_final);
        set(
            &mut packages.refuse_needed_deletes,
            self.refuse_needed_deletes,
        );
        if let Some(downloads) = self.undeletable_downloads {
            settings.undeletable_downloads = downloads;
        }
    }
}

impl Registry {
    /// The package settings of an account.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) unless the caller administers the account.
    pub async fn package_settings(
        &self,
        caller: &Caller,
        login: &AccountName,
    ) -> Result<AccountSettings> {
        let mut conn = self.db.read().await?;
        let permission = AccountPermission::Administer;
        let account = account_access::account(&mut conn, caller, login, permission).await?;
        Ok(package_settings::find(&mut conn, account.id()).await?)
    }

    /// Changes package settings of an account; effective at once. Returns them as they are then.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) unless the caller administers the account.
    pub async fn change_package_settings(
        &self,
        caller: &Caller,
        login: &AccountName,
        change: SettingsChange,
    ) -> Result<AccountSettings> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let permission = AccountPermission::Administer;
        let account = account_access::account(&mut tx, caller, login, permission).await?;
        let mut settings = package_settings::find(&mut tx, account.id()).await?;
        change.apply(&mut settings);
        package_settings::set(&mut tx, account.id(), &settings, now).await?;
        let kind = EventKind::OrganizationSettingsChanged;
        let event = caller.event(kind, now).on_account(account.id());
        self.commit_access_change(tx, event.with("settings", format!("{settings:?}")))
            .await?;
        Ok(settings)
    }
}
