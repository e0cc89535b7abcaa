//! Who is in an organization: asked page by page, shown to everybody or not.

pub use naru_metadata::members::{MemberFilter, Membership};
use naru_metadata::{Conn, Cursor, Page, accounts, members, profiles, teams};
use naru_model::{
    Account, AccountId, AccountName, AccountPermission, EventKind, Moment, Organization,
    OrganizationRole, TeamRole, User,
};

use crate::account_access as access;
use crate::accounts::find_user;
use crate::error::{Error, Result};
use crate::organizations::{administer, put_member};
use crate::team_trees::{TeamRef, find_ref};
use crate::{Caller, Registry, events};

/// Into how many teams somebody is put at once.
const MOST_TEAMS: usize = 100;

/// A membership with both its ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MembershipDetails {
    /// Of which organization.
    pub organization: ListedOrganization,
    /// Who.
    pub user: User,
    /// What they are in it.
    pub role: OrganizationRole,
}

/// An organization in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedOrganization {
    /// Its record.
    pub organization: Organization,
    /// What it is, in a sentence.
    pub description: Option<String>,
}

/// What came of adding somebody to an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddedMember {
    /// Who.
    pub user: User,
    /// What they are in it.
    pub role: OrganizationRole,
    /// Who added them.
    pub by: User,
    /// When.
    pub at: Moment,
    /// How many teams they were put in.
    pub teams: usize,
}

/// What asking whether somebody is in an organization comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MembershipCheck {
    /// The caller may know, and they are.
    Member,
    /// The caller may know, and they are not.
    NotMember,
    /// The caller may know of memberships only that are shown to everybody.
    AskPublic,
}

impl Registry {
    /// Members of an organization, oldest account first. Whoever is not in it sees those who show
    /// it to everybody.
    ///
    /// # Errors
    /// [`Error::Refused`] for nobody; [`Error::AccountUnknown`]; [`Error::NotFound`] for a user.
    pub async fn list_members_page(
        &self,
        caller: &Caller,
        organization: &AccountName,
        filter: MemberFilter,
        cursor: Cursor,
    ) -> Result<Page<(User, OrganizationRole)>> {
        let mut conn = self.db.read().await?;
        let found = find_organization(&mut conn, caller, organization).await?;
        let permission = AccountPermission::ReadMembers;
        let may = access::may(&mut conn, caller, organization, permission).await?;
        let filter = MemberFilter {
            public_only: filter.public_only || !may,
            ..filter
        };
        Ok(members::page(&mut conn, found.id, filter, cursor).await?)
    }

    /// Whether a user is in an organization, as far as the caller may know.
    ///
    /// # Errors
    /// [`Error::Refused`] for nobody; [`Error::AccountUnknown`]; [`Error::NotFound`].
    pub async fn check_member(
        &self,
        caller: &Caller,
        organization: &AccountName,
        user: &AccountName,
    ) -> Result<MembershipCheck> {
        let mut conn = self.db.read().await?;
        let found = find_organization(&mut conn, caller, organization).await?;
        let permission = AccountPermission::ReadMembers;
        if !access::may(&mut conn, caller, organization, permission).await? {
            return Ok(MembershipCheck::AskPublic);
        }
        let user = find_user(&mut conn, user).await?;
        match members::find(&mut conn, found.id, user.id).await? {
            Some(_) => Ok(MembershipCheck::Member),
            None => Ok(MembershipCheck::NotMember),
        }
    }

    /// Whether a user shows everybody that they are in an organization.
    ///
    /// # Errors
    /// [`Error::Refused`] for nobody; [`Error::AccountUnknown`]; [`Error::NotFound`].
    pub async fn check_public_member(
        &self,
        caller: &Caller,
        organization: &AccountName,
        user: &AccountName,
    ) -> Result<bool> {
        let mut conn = self.db.read().await?;
        let found = find_organization(&mut conn, caller, organization).await?;
        let user = find_user(&mut conn, user).await?;
        let membership = members::find(&mut conn, found.id, user.id).await?;
        Ok(membership.is_some_and(|membership| membership.is_public))
    }

    /// What a user is in an organization.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller is in it; [`Error::NotFound`] for who is not.
    pub async fn membership(
        &self,
        caller: &Caller,
        organization: &AccountName,
        user: &AccountName,
    ) -> Result<MembershipDetails> {
        let mut conn = self.db.read().await?;
        let permission = AccountPermission::ReadMembers;
        access::organization(&mut conn, caller, organization, permission).await?;
        let organization = find_organization(&mut conn, caller, organization).await?;
        let user = find_user(&mut conn, user).await?;
        between(&mut conn, organization, user).await
    }

    /// What the caller is in an organization.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::NotFound`] if they are not in it, also if there is none.
    pub async fn my_membership(
        &self,
        caller: &Caller,
        organization: &AccountName,
    ) -> Result<MembershipDetails> {
        let mut conn = self.db.read().await?;
        let user = my_memberships(&mut conn, caller).await?;
        let organization = find_organization(&mut conn, caller, organization).await?;
        between(&mut conn, organization, user).await
    }

    /// The organizations that the caller is in, oldest first.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub async fn list_my_memberships(
        &self,
        caller: &Caller,
        cursor: Cursor,
    ) -> Result<Page<MembershipDetails>> {
        let mut conn = self.db.read().await?;
        let user = my_memberships(&mut conn, caller).await?;
        let found = members::of_user(&mut conn, user.id, false, cursor).await?;
        let mut items = Vec::with_capacity(found.items.len());
        for (organization, role) in found.items {
            items.push(MembershipDetails {
                organization: listed(&mut conn, organization).await?,
                user: user.clone(),
                role,
            });
        }
        Ok(Page {
            items,
            next: found.next,
        })
    }

    /// The organizations that a user shows everybody to be in, oldest first.
    ///
    /// # Errors
    /// [`Error::Refused`] for nobody; [`Error::AccountUnknown`].
    pub async fn list_public_memberships(
        &self,
        caller: &Caller,
        user: &AccountName,
        cursor: Cursor,
    ) -> Result<Page<ListedOrganization>> {
        let mut conn = self.db.read().await?;
        let account = access::profile(&mut conn, caller, user).await?;
        let found = members::of_user(&mut conn, account.id(), true, cursor).await?;
        let mut items = Vec::with_capacity(found.items.len());
        for (organization, _) in found.items {
            items.push(listed(&mut conn, organization).await?);
        }
        Ok(Page {
            items,
            next: found.next,
        })
    }

    /// Shows everybody that the caller is in an organization, or hides it from who is not.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::NotFound`] if they are not in it.
    pub async fn show_membership(
        &self,
        caller: &Caller,
        organization: &AccountName,
        user: &AccountName,
        is_public: bool,
    ) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        access::account(&mut tx, caller, user, AccountPermission::Administer).await?;
        let organization = find_organization(&mut tx, caller, organization).await?;
        let user = find_user(&mut tx, user).await?;
        between(&mut tx, organization.clone(), user.clone()).await?;
        members::set_public(&mut tx, organization.id, user.id, is_public).await?;
        let kind = EventKind::OrganizationMemberUpdated;
        let event = caller.event(kind, now).on_account(organization.id);
        let event = event.with("user", &user.login).with("public", is_public);
        events::record(&mut tx, event).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Adds the user with this number to an organization and to teams of it, or changes what they
    /// are in it; effective at once.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller owns the organization; [`Error::InvalidField`] for who
    /// is no user and for what is no team; [`Error::Conflict`] for taking the last owner's
    /// ownership.
    pub async fn add_member_and_teams(
        &self,
        caller: &Caller,
        organization: &AccountName,
        user: AccountId,
        role: OrganizationRole,
        into: &[TeamRef],
    ) -> Result<AddedMember> {
        if into.len() > MOST_TEAMS {
            return Err(Error::InvalidField {
                field: "team_ids",
                message: format!("{MOST_TEAMS} teams at once are the most"),
            });
        }
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let found = administer(&mut tx, caller, organization).await?;
        let by = access::myself(&mut tx, caller).await?;
        let user = accounts::user(&mut tx, user).await?;
        let user = user.ok_or_else(|| Error::InvalidField {
            field: "invitee_id",
            message: "there is no such user".to_owned(),
        })?;
        put_member(&mut tx, &found, organization, &user, role, now).await?;
        for team in into {
            let team = find_ref(&mut tx, found.id(), "team_ids", team).await?;
            teams::set_member(&mut tx, team.id, user.id, TeamRole::Member, now).await?;
        }
        let event = caller
            .event(EventKind::OrganizationMemberAdded, now)
            .on_account(found.id())
            .with("user", &user.login);
        self.commit_access_change(tx, event.with("role", role))
            .await?;
        Ok(AddedMember {
            user,
            role,
            by,
            at: now,
            teams: into.len(),
        })
    }

    /// Whether the caller may administer an organization: for what only owners may ask.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller owns it.
    pub async fn may_administer_organization(
        &self,
        caller: &Caller,
        organization: &AccountName,
    ) -> Result<()> {
        let mut conn = self.db.read().await?;
        administer(&mut conn, caller, organization).await?;
        Ok(())
    }
}

/// The organization of this name, for whoever has signed in.
async fn find_organization(
    conn: &mut Conn,
    caller: &Caller,
    name: &AccountName,
) -> Result<Organization> {
    match access::profile(conn, caller, name).await? {
        Account::Organization(organization) => Ok(organization),
        Account::User(_) => Err(Error::NotFound {
            what: "organization",
            name: name.to_string(),
        }),
    }
}

/// The caller, who may see which organizations they are in.
pub(crate) async fn my_memberships(conn: &mut Conn, caller: &Caller) -> Result<User> {
    let user = access::myself(conn, caller).await?;
    let permission = AccountPermission::ReadMemberships;
    access::account(conn, caller, &user.login, permission).await?;
    Ok(user)
}

async fn between(
    conn: &mut Conn,
    organization: Organization,
    user: User,
) -> Result<MembershipDetails> {
    let Some(found) = members::find(conn, organization.id, user.id).await? else {
        return Err(Error::NotFound {
            what: "member",
            name: user.login.to_string(),
        });
    };
    Ok(MembershipDetails {
        organization: listed(conn, organization).await?,
        user,
        role: found.role,
    })
}

async fn listed(conn: &mut Conn, organization: Organization) -> Result<ListedOrganization> {
    let profile = profiles::find(conn, organization.id).await?;
    Ok(ListedOrganization {
        description: profile.description,
        organization,
    })
}
