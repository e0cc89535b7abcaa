//! Organizations and who is in them.

use naru_metadata::accounts::{self, NewOrganization as NewOrganizationRow};
use naru_metadata::{Conn, changes, organizations, profiles, teams};
use naru_model::{
    Account, AccountId, AccountName, AccountPermission, EventKind, Moment, Organization,
    OrganizationRole, PackageSettings, User,
};

use crate::account_access::{self as access, AuthorizedAccount};
use crate::accounts::{find_user, registrable, taken};
use crate::commit::Outdated;
use crate::error::{Error, Result};
use crate::profiles::{AccountDetails, ProfileChange, details, invalid};
use crate::{Caller, Registry, events};

/// An organization about to be made.
#[derive(Clone, Debug)]
pub struct NewOrganization {
    /// The account name, as it is to be shown.
    pub login: AccountName,
    /// What it is called.
    pub name: Option<String>,
    /// The user who is its first owner.
    pub owner: AccountName,
}

/// What is to change of an organization.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrganizationChange {
    /// Its name and what it says of itself.
    pub profile: ProfileChange,
    /// Whether members may create source repositories under it.
    pub members_create_repositories: Option<bool>,
}

impl Registry {
    /// Makes an organization with its first owner.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the instance; [`Error::Exists`];
    /// [`Error::AccountUnknown`] for the owner.
    pub async fn create_organization(
        &self,
        caller: &Caller,
        new: NewOrganization,
    ) -> Result<Organization> {
        let login = registrable(&new.login)?;
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        access::instance(&mut tx, caller).await?;
        let owner = find_user(&mut tx, &new.owner).await?;
        let row = NewOrganizationRow {
            login: &login,
            name: new.name.as_deref(),
            now,
        };
        let id = accounts::create_organization(&mut tx, &row).await?;
        let id = id.ok_or_else(|| taken(&login))?;
        let role = OrganizationRole::Owner;
        accounts::set_member(&mut tx, id, owner.id, role, now).await?;
        let event = caller
            .event(EventKind::OrganizationCreated, now)
            .on_account(id);
        events::record(
            &mut tx,
            event.with("login", &login).with("owner", &owner.login),
        )
        .await?;
        changes::bump_access(&mut tx).await?;
        let organization = accounts::organization(&mut tx, id).await?;
        self.commit(tx, Outdated::ACCESS).await?;
        organization.ok_or_else(|| Error::AccountUnknown(login.to_string()))
    }

    /// All organizations in the order of their names.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the instance.
    pub async fn list_organizations(
        &self,
        caller: &Caller,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<Organization>> {
        let mut conn = self.db.read().await?;
        access::instance(&mut conn, caller).await?;
        Ok(accounts::organizations(&mut conn, limit, offset).await?)
    }

    /// Adds a user to an organization, or changes what they are in it; effective at once.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller owns the organization; [`Error::AccountUnknown`];
    /// [`Error::Conflict`] for taking the last owner's ownership.
    pub async fn set_member(
        &self,
        caller: &Caller,
        organization: &AccountName,
        user: &AccountName,
        role: OrganizationRole,
    ) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let found = administer(&mut tx, caller, organization).await?;
        let user = find_user(&mut tx, user).await?;
        let before = put_member(&mut tx, &found, organization, &user, role, now).await?;
        if before == Some(role) {
            return Ok(());
        }
        let kind = match before {
            None => EventKind::OrganizationMemberAdded,
            Some(_) => EventKind::OrganizationMemberUpdated,
        };
        let event = caller.event(kind, now).on_account(found.id());
        self.commit_access_change(tx, event.with("user", &user.login).with("role", role))
            .await
    }

    /// Removes a user from an organization and all its teams. What was granted to them on its
    /// private and internal packages sleeps until they come back.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller owns the organization; [`Error::NotFound`] for who is
    /// not in it; [`Error::Conflict`] for the last owner.
    pub async fn remove_member(
        &self,
        caller: &Caller,
        organization: &AccountName,
        user: &AccountName,
    ) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let found = administer(&mut tx, caller, organization).await?;
        let user = find_user(&mut tx, user).await?;
        match accounts::member_role(&mut tx, found.id(), user.id).await? {
            None => return Err(no_member(&user.login)),
            Some(OrganizationRole::Owner) => {
                keep_an_owner(&mut tx, found.id(), organization).await?;
            }
            Some(OrganizationRole::Member) => {}
        }
        teams::remove_from_all(&mut tx, found.id(), user.id).await?;
        accounts::remove_member(&mut tx, found.id(), user.id).await?;
        let event = caller
            .event(EventKind::OrganizationMemberRemoved, now)
            .on_account(found.id());
        self.commit_access_change(tx, event.with("user", &user.login))
            .await
    }

    /// Who is in an organization and what they are there, in the order of their names.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller is in it.
    pub async fn list_members(
        &self,
        caller: &Caller,
        organization: &AccountName,
    ) -> Result<Vec<(User, OrganizationRole)>> {
        let mut conn = self.db.read().await?;
        let permission = AccountPermission::ReadMembers;
        let found = access::organization(&mut conn, caller, organization, permission).await?;
        Ok(accounts::members(&mut conn, found.id()).await?)
    }

    /// Changes what an organization is called, says of itself and lets its members do.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller owns the organization; [`Error::InvalidField`].
    pub async fn update_organization(
        &self,
        caller: &Caller,
        organization: &AccountName,
        change: &OrganizationChange,
    ) -> Result<AccountDetails> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let found = administer(&mut tx, caller, organization).await?;
        // The whole record is written back, so nobody may change it meanwhile.
        accounts::lock(&mut tx, found.id()).await?;
        let mut record = live(&mut tx, found.id(), organization).await?;
        let mut profile = profiles::find(&mut tx, found.id()).await?;
        let made = change.profile.make(&mut record.name, &mut profile);
        made.map_err(invalid)?;
        accounts::set_name(&mut tx, found.id(), record.name.as_deref(), now).await?;
        profiles::put(&mut tx, found.id(), &profile).await?;
        if let Some(allowed) = change.members_create_repositories {
            record.packages.members_create_repositories = allowed;
            accounts::set_package_settings(&mut tx, found.id(), &record.packages, now).await?;
        }
        let record = live(&mut tx, found.id(), organization).await?;
        let seen = details(&mut tx, caller, Account::Organization(record)).await?;
        let event = caller.event(EventKind::OrganizationUpdated, now);
        self.commit_access_change(tx, event.on_account(found.id()))
            .await?;
        Ok(seen)
    }

    /// Deletes an organization with everything under it: nobody can reach it any more, its name
    /// stays taken, and its packages go when their time in the bin is over.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller owns the organization.
    pub async fn delete_organization(
        &self,
        caller: &Caller,
        organization: &AccountName,
    ) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let found = administer(&mut tx, caller, organization).await?;
        organizations::delete(&mut tx, found.id(), now, caller.principal.user()).await?;
        let event = caller
            .event(EventKind::OrganizationDeleted, now)
            .on_account(found.id());
        self.commit_access_change(tx, event.with("login", organization))
            .await
    }

    /// Restores an organization as it was, with the packages that were deleted with it. It has no
    /// owners who could ask, so that an administrator of the instance does it.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the instance; [`Error::NotFound`];
    /// [`Error::Conflict`] after its time in the bin.
    pub async fn restore_organization(
        &self,
        caller: &Caller,
        organization: &AccountName,
    ) -> Result<Organization> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        access::instance(&mut tx, caller).await?;
        let deleted = organizations::find_deleted(&mut tx, organization).await?;
        let deleted = deleted.ok_or_else(|| Error::NotFound {
            what: "deleted organization",
            name: organization.to_string(),
        })?;
        if deleted.deleted_at < self.end_of_bin_time() {
            return Err(Error::Conflict(format!(
                "{organization} cannot be restored any more: it was deleted too long ago, or purged"
            )));
        }
        organizations::restore(&mut tx, &deleted, now).await?;
        let id = deleted.organization.id;
        let event = caller
            .event(EventKind::OrganizationRestored, now)
            .on_account(id);
        self.commit_access_change(tx, event.with("login", organization))
            .await?;
        Ok(deleted.organization)
    }

    /// Changes what an organization lets its members do with packages.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller owns the organization.
    pub async fn set_package_settings(
        &self,
        caller: &Caller,
        organization: &AccountName,
        settings: PackageSettings,
    ) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let found = administer(&mut tx, caller, organization).await?;
        accounts::set_package_settings(&mut tx, found.id(), &settings, now).await?;
        let kind = EventKind::OrganizationSettingsChanged;
        let event = caller.event(kind, now).on_account(found.id());
        self.commit_access_change(tx, event.with("settings", format!("{settings:?}")))
            .await
    }
}

/// The record of an organization that is known to be there.
async fn live(conn: &mut Conn, id: AccountId, name: &AccountName) -> Result<Organization> {
    let found = accounts::organization(conn, id).await?;
    found.ok_or_else(|| Error::AccountUnknown(name.to_string()))
}

/// Makes a user a member or changes what they are; answers what they were.
pub(crate) async fn put_member(
    conn: &mut Conn,
    organization: &AuthorizedAccount,
    name: &AccountName,
    user: &User,
    role: OrganizationRole,
    now: Moment,
) -> Result<Option<OrganizationRole>> {
    let id = organization.id();
    let before = accounts::member_role(conn, id, user.id).await?;
    if before == Some(role) {
        return Ok(before);
    }
    if before == Some(OrganizationRole::Owner) {
        keep_an_owner(conn, id, name).await?;
    }
    accounts::set_member(conn, id, user.id, role, now).await?;
    Ok(before)
}

/// Asks for administering an organization.
pub(crate) async fn administer(
    conn: &mut Conn,
    caller: &Caller,
    organization: &AccountName,
) -> Result<AuthorizedAccount> {
    access::organization(conn, caller, organization, AccountPermission::Administer).await
}

async fn keep_an_owner(conn: &mut Conn, id: AccountId, name: &AccountName) -> Result<()> {
    // Two owners who remove each other at once would both count the other one.
    accounts::lock(conn, id).await?;
    if accounts::count_owners(conn, id).await? > 1 {
        return Ok(());
    }
    Err(Error::Conflict(format!(
        "{name} would be without an owner; make somebody else one first"
    )))
}

fn no_member(login: &AccountName) -> Error {
    Error::NotFound {
        what: "member",
        name: login.to_string(),
    }
}
