//! Organizations and who is in them.

use naru_metadata::accounts::{self, NewOrganization as NewOrganizationRow};
use naru_metadata::{Conn, changes, teams};
use naru_model::{
    AccountId, AccountName, AccountPermission, EventKind, Organization, OrganizationRole,
    PackageSettings, User,
};

use crate::account_access::{self as access, AuthorizedAccount};
use crate::accounts::{find_user, registrable, taken};
use crate::commit::Outdated;
use crate::error::{Error, Result};
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
        let before = accounts::member_role(&mut tx, found.id(), user.id).await?;
        if before == Some(role) {
            return Ok(());
        }
        if before == Some(OrganizationRole::Owner) {
            keep_an_owner(&mut tx, found.id(), organization).await?;
        }
        accounts::set_member(&mut tx, found.id(), user.id, role, now).await?;
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

/// Asks for administering an organization.
pub(crate) async fn administer(
    conn: &mut Conn,
    caller: &Caller,
    organization: &AccountName,
) -> Result<AuthorizedAccount> {
    access::organization(conn, caller, organization, AccountPermission::Administer).await
}

async fn keep_an_owner(conn: &mut Conn, id: AccountId, name: &AccountName) -> Result<()> {
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
