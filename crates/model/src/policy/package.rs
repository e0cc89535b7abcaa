//! Decisions about packages: pull, push, delete, administer.

use std::cmp::Reverse;

use crate::account::AccountKind;
use crate::id::{AccountId, RepositoryId};
use crate::instance::RegistryMode;
use crate::package::{PackagePath, PackageState, PackageType, Visibility};
use crate::permission::{PackagePermission, Permission, Role};
use crate::principal::{Action, Principal, WorkflowPackages};
use crate::scope::Scope;

use super::decision::{CreationGrounds, Decision, Grounds, Refusal, Remedy, RoleSource};
use super::facts::{ExistingPackage, PackageFacts};
use super::{Standing, admit, require_scopes, standing, unknown};

/// Decides whether `principal` may do something with the package at `path`.
///
/// Asking for [`PackagePermission::Write`] where there is no such package asks for creating it;
/// the yes then is [`Grounds::Creation`], and [`birth`] says what the new package is like. On the
/// legacy registry this includes creating the repository, if the facts have none.
pub fn decide_package(
    principal: &Principal,
    permission: PackagePermission,
    path: &PackagePath,
    facts: &PackageFacts,
) -> Decision {
    Case {
        principal,
        permission,
        path,
        facts,
        candid: false,
    }
    .decide()
    .into()
}

/// The decision as somebody may hear it who knows everything about the package: nothing is hidden
/// of what is missing. The yes and the no are those of [`decide_package`].
pub fn explain_package(
    principal: &Principal,
    permission: PackagePermission,
    path: &PackagePath,
    facts: &PackageFacts,
) -> Decision {
    Case {
        principal,
        permission,
        path,
        facts,
        candid: true,
    }
    .decide()
    .into()
}

/// What a package is like that a push creates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Birth {
    /// Its visibility once it is published.
    pub visibility: Visibility,
    /// The repository it is linked to.
    pub repository: Option<RepositoryId>,
    /// Whether it takes over that repository's access.
    pub inherit_access: bool,
    /// Who gets the role admin, written with the package's row.
    pub admin: Option<Grantee>,
}

/// Who can be granted a role on a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Grantee {
    /// A user.
    User(AccountId),
    /// The workflows of a repository.
    Repository(RepositoryId),
}

/// What a package is like that `principal` creates at `path`.
///
/// A user's push makes it private and unlinked. A workflow's push links it to the workflow's
/// repository, whose access and visibility it takes over as far as the owner allows (GitHub
/// documentation, "Publishing and installing a package with GitHub Actions"). A package of the
/// legacy registry is its repository's; a repository that is created with it is private.
#[must_use]
pub fn birth(principal: &Principal, path: &PackagePath, facts: &PackageFacts) -> Birth {
    let case = Case {
        principal,
        permission: PackagePermission::Write,
        path,
        facts,
        candid: false,
    };
    let visibility = case.birth_visibility();
    match (path.package_type, principal) {
        (PackageType::Docker, _) => Birth {
            visibility,
            repository: facts.repository.map(|repository| repository.id),
            inherit_access: true,
            admin: None,
        },
        (PackageType::Container, Principal::Workflow { repository, .. }) => Birth {
            visibility,
            repository: Some(*repository),
            inherit_access: facts
                .owner
                .is_some_and(|owner| owner.settings.inherit_access),
            admin: Some(Grantee::Repository(*repository)),
        },
        (PackageType::Container, _) => Birth {
            visibility,
            repository: None,
            inherit_access: false,
            admin: principal.user().map(Grantee::User),
        },
    }
}

/// The role that `principal` has on the package at `path`, whatever the credential is; on one that
/// is not there yet, the role that creating it would give.
///
/// Only for rules that narrow what [`decide_package`] has allowed.
#[must_use]
pub fn role_on_package(
    principal: &Principal,
    path: &PackagePath,
    facts: &PackageFacts,
) -> Option<Role> {
    let case = Case {
        principal,
        permission: PackagePermission::Write,
        path,
        facts,
        candid: false,
    };
    admit(principal, &facts.caller).ok()?;
    match case.present() {
        Some(package) => case.role(package).map(|(role, _)| role),
        None => case.role_at_birth(),
    }
}

/// One question with all that belongs to it.
struct Case<'a> {
    principal: &'a Principal,
    permission: PackagePermission,
    path: &'a PackagePath,
    facts: &'a PackageFacts,
    /// Whether the answer is for somebody who may know everything about the package.
    candid: bool,
}

/// The best role of the caller, and where it comes from.
type Held = Option<(Role, RoleSource)>;

impl Case<'_> {
    fn decide(&self) -> Result<Grounds, Refusal> {
        admit(self.principal, &self.facts.caller)?;
        let is_closed = self.facts.registry == RegistryMode::Disabled;
        if is_closed && *self.principal != Principal::System {
            return Err(unknown(self.principal));
        }
        let grounds = self.by_facts()?;
        self.by_registry()?;
        self.by_credential(grounds)?;
        self.by_access_list()?;
        Ok(grounds)
    }

    /// A registry that is read-only keeps its content as it is, whoever asks; who may read it can
    /// still be changed.
    fn by_registry(&self) -> Result<(), Refusal> {
        use PackagePermission::{Delete, Restore, Write};
        let changes_content = matches!(self.permission, Write | Delete | Restore);
        let is_open = self.facts.registry == RegistryMode::Enabled;
        if is_open || !changes_content || *self.principal == Principal::System {
            return Ok(());
        }
        Err(Refusal::Role {
            missing: self.permission.into(),
            have: None,
            remedy: Remedy::ReadOnlyRegistry,
        })
    }

    /// What the live state and the live roles say, whatever the credential is.
    fn by_facts(&self) -> Result<Grounds, Refusal> {
        match (self.present(), self.permission) {
            (Some(package), _) => self.on(package),
            (None, PackagePermission::Write) => self.create().map(Grounds::Creation),
            (None, _) => Err(unknown(self.principal)),
        }
    }

    /// The package, if it is there for what is asked: a hidden one only for the push that is
    /// under way (which may take back a blob), a deleted one only for being restored.
    fn present(&self) -> Option<&ExistingPackage> {
        use PackagePermission::{Delete, Read, Restore, Write};
        self.facts
            .package
            .as_ref()
            .filter(|package| match package.state {
                PackageState::Live => true,
                PackageState::Hidden => matches!(self.permission, Read | Write | Delete),
                PackageState::Deleted => matches!(self.permission, Restore),
            })
    }

    fn on(&self, package: &ExistingPackage) -> Result<Grounds, Refusal> {
        if *self.principal == Principal::System {
            return Ok(Grounds::System);
        }
        let visibility = self.visibility(package);
        let held = self.role(package);
        let reads = self.permission.role() == Role::Read;
        if reads && visibility == Visibility::Public && self.is_served(package) {
            return Ok(Grounds::Public);
        }
        match held {
            Some((role, source)) if role >= self.permission.role() => {
                self.within_rules(package, role)?;
                Ok(Grounds::Role { role, source })
            }
            _ if reads && visibility == Visibility::Internal && !self.principal.is_anonymous() => {
                Ok(Grounds::Internal)
            }
            _ => Err(self.refuse(visibility, held)),
        }
    }

    /// Whether the registry serves the caller what is public: the legacy registry and the REST
    /// API only those who have signed in.
    fn is_served(&self, package: &ExistingPackage) -> bool {
        let is_container = self.path.package_type == PackageType::Container
            && package.package_type == PackageType::Container;
        let is_pull = self.permission == PackagePermission::Read;
        !self.principal.is_anonymous() || (is_container && is_pull)
    }

    /// Who may read it without a role, now.
    fn visibility(&self, package: &ExistingPackage) -> Visibility {
        match (package.state, package.package_type) {
            (PackageState::Hidden | PackageState::Deleted, _) => Visibility::Private,
            (PackageState::Live, PackageType::Container) => package.visibility,
            (PackageState::Live, PackageType::Docker) => self.repository_visibility(),
        }
    }

    /// The visibility of the source repository; private if there is none (yet).
    fn repository_visibility(&self) -> Visibility {
        self.facts
            .repository
            .map_or(Visibility::Private, |repository| repository.visibility)
    }

    fn role(&self, package: &ExistingPackage) -> Held {
        match (self.principal, package.package_type) {
            (Principal::User { .. }, PackageType::Container) => best([
                self.role_in_namespace(),
                self.granted(package, self.facts.caller.grant, RoleSource::Grant),
                self.granted(package, self.facts.caller.team_grant, RoleSource::Team),
                self.role_in_repository().filter(|_| package.inherit_access),
            ]),
            (Principal::User { .. }, PackageType::Docker) => self.legacy_role(),
            (Principal::Workflow { .. }, PackageType::Container) => {
                let same_owner = self
                    .facts
                    .caller
                    .grant
                    .filter(|_| self.workflow_is_of_owner());
                same_owner.map(|role| (role, RoleSource::Grant))
            }
            (Principal::Workflow { .. }, PackageType::Docker) => self.legacy_role(),
            (Principal::Anonymous { .. } | Principal::System, _) => None,
        }
    }

    /// The role on every package, there or not, of the legacy registry in the repository.
    fn legacy_role(&self) -> Held {
        match self.principal {
            Principal::Workflow { repository, .. } => {
                let own = self
                    .facts
                    .repository
                    .filter(|named| named.id == *repository);
                own.map(|_| (Role::Admin, RoleSource::OwnRepository))
            }
            _ => best([self.role_in_namespace(), self.role_in_repository()]),
        }
    }

    fn standing(&self) -> Option<Standing> {
        standing(
            self.principal,
            self.facts.owner.as_ref(),
            &self.facts.caller,
        )
    }

    fn role_in_namespace(&self) -> Held {
        match self.standing()? {
            Standing::Owner => Some((Role::Admin, RoleSource::Owner)),
            Standing::OrganizationOwner => Some((Role::Admin, RoleSource::OrganizationOwner)),
            Standing::Member => None,
        }
    }

    fn role_in_repository(&self) -> Held {
        self.facts.repository?;
        let role = self.facts.caller.repository_role?;
        Some((role.on_packages(), RoleSource::Repository))
    }

    /// A stored grant, as far as it counts: an organization's private and internal packages take
    /// members only, so what was granted sleeps while its holder is not one.
    fn granted(&self, package: &ExistingPackage, role: Option<Role>, source: RoleSource) -> Held {
        let owner = self.facts.owner?;
        let counts = owner.kind == AccountKind::User
            || self.facts.caller.organization_role.is_some()
            || (package.visibility == Visibility::Public && source == RoleSource::Grant);
        role.filter(|_| counts).map(|role| (role, source))
    }

    fn workflow_is_of_owner(&self) -> bool {
        let workflow = self
            .facts
            .caller
            .workflow
            .map(|repository| repository.owner);
        workflow.is_some() && workflow == self.facts.owner.map(|owner| owner.id)
    }

    /// Rules that bind even admins.
    fn within_rules(&self, package: &ExistingPackage, role: Role) -> Result<(), Refusal> {
        let refusal = |remedy| Refusal::Role {
            missing: self.permission.into(),
            have: Some(role),
            remedy,
        };
        if self.is_beyond_workflows() {
            return Err(refusal(Remedy::PersonalToken));
        }
        let (PackagePermission::ChangeVisibility(visibility), Some(owner)) =
            (self.permission, self.facts.owner)
        else {
            return Ok(());
        };
        let is_public = package.visibility == Visibility::Public;
        if owner.settings.public_is_final && is_public && visibility != Visibility::Public {
            return Err(refusal(Remedy::PublicIsFinal));
        }
        let is_bound = !matches!(
            self.standing(),
            Some(Standing::Owner | Standing::OrganizationOwner)
        );
        if is_bound && !owner.settings.members_create(visibility) {
            return Err(refusal(Remedy::OrganizationSetting { visibility }));
        }
        Ok(())
    }

    /// Workflows delete and restore at most; access and visibility are for people.
    const fn is_beyond_workflows(&self) -> bool {
        use PackagePermission::{Administer, ChangeVisibility};
        matches!(self.principal, Principal::Workflow { .. })
            && matches!(self.permission, Administer | ChangeVisibility(_))
    }

    /// Refuses for want of a role, saying no more than the caller may know.
    fn refuse(&self, visibility: Visibility, held: Held) -> Refusal {
        if self.principal.is_anonymous() {
            return Refusal::Unauthenticated;
        }
        let knows = self.candid || visibility != Visibility::Private || held.is_some();
        match self.permission {
            _ if knows => self.missing_role(held),
            // The answer of a free name, unless that would be a yes.
            PackagePermission::Write => match self.create().and_then(|_| self.by_registry()) {
                Ok(()) => self.missing_role(held),
                Err(refusal) => refusal,
            },
            _ => Refusal::Unknown,
        }
    }

    fn missing_role(&self, held: Held) -> Refusal {
        let role = self.permission.role();
        let is_legacy = self
            .facts
            .package
            .is_some_and(|package| package.package_type == PackageType::Docker);
        let remedy = match self.principal {
            _ if self.is_beyond_workflows() => Remedy::PersonalToken,
            _ if is_legacy => Remedy::RepositoryGrant { role },
            _ => Remedy::Grant { role },
        };
        Refusal::Role {
            missing: self.permission.into(),
            have: held.map(|(role, _)| role),
            remedy,
        }
    }

    /// Whether a package of this name could be created if the name were free.
    fn create(&self) -> Result<CreationGrounds, Refusal> {
        let grounds = match (self.principal, self.path.package_type) {
            (Principal::Anonymous { .. }, _) => return Err(Refusal::Unauthenticated),
            (Principal::System, _) => {
                return self
                    .facts
                    .owner
                    .map(|_| CreationGrounds::System)
                    .ok_or(Refusal::Unknown);
            }
            (_, PackageType::Docker) => self.create_legacy()?,
            (Principal::User { .. }, PackageType::Container) => self.create_as_user()?,
            (Principal::Workflow { .. }, PackageType::Container) => self.create_as_workflow()?,
        };
        if self.facts.name_retired {
            return Err(self.no_creation(Remedy::AnotherName));
        }
        Ok(grounds)
    }

    /// The creator's role on what a push creates: that of a container package is granted with it,
    /// that of a legacy one is the repository's, which its creator administers.
    fn role_at_birth(&self) -> Option<Role> {
        self.create().ok()?;
        match (self.path.package_type, self.facts.repository) {
            (PackageType::Docker, Some(_)) => self.legacy_role().map(|(role, _)| role),
            (PackageType::Docker, None) | (PackageType::Container, _) => Some(Role::Admin),
        }
    }

    fn create_as_user(&self) -> Result<CreationGrounds, Refusal> {
        match self.standing() {
            Some(Standing::Owner) => Ok(CreationGrounds::Owner),
            Some(Standing::OrganizationOwner) => Ok(CreationGrounds::OrganizationOwner),
            Some(Standing::Member) => self
                .organization_lets_members_create()
                .map(|()| CreationGrounds::Member),
            None => Err(self.foreign()),
        }
    }

    fn create_as_workflow(&self) -> Result<CreationGrounds, Refusal> {
        if !self.workflow_is_of_owner() {
            return Err(self.foreign());
        }
        self.organization_lets_members_create()
            .map(|()| CreationGrounds::Workflow)
    }

    fn organization_lets_members_create(&self) -> Result<(), Refusal> {
        let visibility = self.birth_visibility();
        if self.members_create(visibility) {
            return Ok(());
        }
        Err(self.no_creation(Remedy::OrganizationSetting { visibility }))
    }

    fn members_create(&self, visibility: Visibility) -> bool {
        self.facts.owner.is_some_and(|owner| {
            owner.kind == AccountKind::User || owner.settings.members_create(visibility)
        })
    }

    /// The visibility a package is created with: a workflow's repository's where the owner
    /// allows it, else private.
    fn birth_visibility(&self) -> Visibility {
        match (self.path.package_type, self.facts.caller.workflow) {
            (PackageType::Docker, _) => self.repository_visibility(),
            (PackageType::Container, Some(workflow))
                if matches!(self.principal, Principal::Workflow { .. })
                    && self.members_create(workflow.visibility) =>
            {
                workflow.visibility
            }
            (PackageType::Container, _) => Visibility::Private,
        }
    }

    /// Publishing in the legacy registry is writing in the repository, which may be created too.
    fn create_legacy(&self) -> Result<CreationGrounds, Refusal> {
        let Some(repository) = self.facts.repository else {
            return self.create_repository();
        };
        let held = self.legacy_role();
        match held {
            Some((Role::Write | Role::Admin, source)) => Ok(match source {
                RoleSource::Owner => CreationGrounds::Owner,
                RoleSource::OrganizationOwner => CreationGrounds::OrganizationOwner,
                RoleSource::OwnRepository => CreationGrounds::Workflow,
                _ => CreationGrounds::RepositoryWriter,
            }),
            Some((Role::Read, _)) => Err(self.no_repository_role(held)),
            None if repository.visibility != Visibility::Private => {
                Err(self.no_repository_role(held))
            }
            // The answer of a free repository name, unless that would be a yes.
            None => Err(self
                .create_repository()
                .err()
                .unwrap_or_else(|| self.no_repository_role(held))),
        }
    }

    fn create_repository(&self) -> Result<CreationGrounds, Refusal> {
        let lets_members = self
            .facts
            .owner
            .is_some_and(|owner| owner.settings.members_create_repositories);
        match self.standing() {
            Some(Standing::Owner) => Ok(CreationGrounds::Owner),
            Some(Standing::OrganizationOwner) => Ok(CreationGrounds::OrganizationOwner),
            Some(Standing::Member) if lets_members => Ok(CreationGrounds::Member),
            Some(Standing::Member) => Err(self.no_creation(Remedy::RepositoryCreation)),
            None => Err(self.foreign()),
        }
    }

    fn no_repository_role(&self, held: Held) -> Refusal {
        Refusal::Role {
            missing: Permission::CreatePackage,
            have: held.map(|(role, _)| role),
            remedy: Remedy::RepositoryGrant { role: Role::Write },
        }
    }

    /// The refusal in a namespace that is not the caller's: made from the path alone, so that it
    /// is the same whether the package or the owner exists or not.
    fn foreign(&self) -> Refusal {
        self.no_creation(Remedy::Namespace {
            owner: self.path.owner.clone(),
        })
    }

    const fn no_creation(&self, remedy: Remedy) -> Refusal {
        Refusal::Role {
            missing: Permission::CreatePackage,
            have: None,
            remedy,
        }
    }

    /// What the credential allows at most.
    fn by_credential(&self, grounds: Grounds) -> Result<(), Refusal> {
        let permission = match grounds {
            Grounds::Creation(_) => Permission::CreatePackage,
            _ => self.permission.into(),
        };
        let package_type = match (grounds, self.facts.package) {
            (Grounds::Creation(_), _) | (_, None) => self.path.package_type,
            (_, Some(package)) => package.package_type,
        };
        let is_open = grounds == Grounds::Public
            && self.permission == PackagePermission::Read
            && package_type == PackageType::Container;
        if is_open {
            return Ok(());
        }
        if let Principal::Workflow { packages, .. } = self.principal {
            return if *packages >= Some(self.workflow_permission()) {
                Ok(())
            } else {
                Err(Refusal::Installation { permission })
            };
        }
        require_scopes(self.principal, permission, self.scopes())?;
        let is_closed_legacy = package_type == PackageType::Docker
            && self.repository_visibility() != Visibility::Public;
        let repository_scopes: &[Scope] = if is_closed_legacy {
            &[Scope::Repo]
        } else {
            &[]
        };
        require_scopes(self.principal, permission, repository_scopes)
    }

    /// The scopes that a token needs. GitHub has none for administering a package, because there
    /// it is done on pages only; Naru asks for both that go beyond reading.
    const fn scopes(&self) -> &'static [Scope] {
        match self.permission {
            PackagePermission::Read | PackagePermission::ReadMetadata => &[Scope::ReadPackages],
            PackagePermission::Write => &[Scope::WritePackages],
            PackagePermission::Delete => &[Scope::ReadPackages, Scope::DeletePackages],
            PackagePermission::Restore => &[Scope::ReadPackages, Scope::WritePackages],
            PackagePermission::Administer | PackagePermission::ChangeVisibility(_) => {
                &[Scope::WritePackages, Scope::DeletePackages]
            }
        }
    }

    fn workflow_permission(&self) -> WorkflowPackages {
        match self.permission.role() {
            Role::Read => WorkflowPackages::Read,
            Role::Write | Role::Admin => WorkflowPackages::Write,
        }
    }

    /// What the registry token was given for. Other things than pull, push and delete are not
    /// done with one.
    fn by_access_list(&self) -> Result<(), Refusal> {
        let Some(access) = self.principal.access() else {
            return Ok(());
        };
        let action = match self.permission {
            PackagePermission::Read => Some(Action::Pull),
            PackagePermission::Write => Some(Action::Push),
            PackagePermission::Delete => Some(Action::Delete),
            _ => None,
        };
        if action.is_some_and(|action| access.allows(self.path, action)) {
            return Ok(());
        }
        Err(Refusal::TokenTooNarrow {
            permission: self.permission,
        })
    }
}

/// The strongest role; among equals the most certain source.
fn best<const N: usize>(held: [Held; N]) -> Held {
    held.into_iter()
        .flatten()
        .max_by_key(|(role, source)| (*role, Reverse(*source)))
}
