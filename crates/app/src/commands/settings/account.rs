//! The package settings of an account, as they are typed and printed.

use std::str::FromStr;

use anyhow::{Error, Result, anyhow};
use naru_registry::package_settings::AccountSettings;
use serde::Serialize;

use crate::output::Row;

/// How many downloads make a package undeletable, or what the instance says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Downloads(Option<u64>);

impl Downloads {
    pub(super) const fn most(self) -> Option<u64> {
        self.0
    }
}

impl FromStr for Downloads {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "default" {
            return Ok(Self(None));
        }
        let most = text.parse();
        most.map(|most| Self(Some(most)))
            .map_err(|_| anyhow!("expected a number such as 5000, or `default`"))
    }
}

/// The package settings of an account, with the names of the REST API.
#[derive(Debug, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting of its own, as in the REST API"
)]
pub(super) struct AccountSettingsRow {
    members_can_create_public_packages: bool,
    members_can_create_internal_packages: bool,
    members_can_create_private_packages: bool,
    inherit_access_from_repository: bool,
    public_is_final: bool,
    refuse_needed_deletes: bool,
    undeletable_downloads: Option<u64>,
}

impl From<AccountSettings> for AccountSettingsRow {
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

impl Row for AccountSettingsRow {
    const COLUMNS: &'static [&'static str] = &[
        "members create public",
        "members create internal",
        "members create private",
        "inherit access",
        "public is final",
        "refuse needed deletes",
        "undeletable downloads",
    ];

    fn cells(&self) -> Vec<String> {
        let word = |is: bool| if is { "yes" } else { "no" }.to_owned();
        let downloads = self.undeletable_downloads;
        vec![
            word(self.members_can_create_public_packages),
            word(self.members_can_create_internal_packages),
            word(self.members_can_create_private_packages),
            word(self.inherit_access_from_repository),
            word(self.public_is_final),
            word(self.refuse_needed_deletes),
            downloads.map_or_else(|| "default".to_owned(), |most| most.to_string()),
        ]
    }
}
