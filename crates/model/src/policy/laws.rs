//! Laws that the policy keeps for every principal and all facts, tried on random ones.

use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::id::{AccountId, PackageId, RepositoryId, TeamId, TokenId};
use crate::instance::RegistryMode;
use crate::package::{PackagePath, PackageSettings, PackageState, PackageType, Visibility};
use crate::permission::{
    AccountPermission, PackagePermission, RepositoryPermission, Role, TeamPermission,
};
use crate::principal::{AccessList, Action, Actions, Credential, Transport, WorkflowPackages};
use crate::repository::RepositoryRole;
use crate::scope::Scopes;
use crate::team::{TeamPrivacy, TeamRole};

// Few identifiers, so that equal ones are frequent.
fn account_id() -> impl Strategy<Value = AccountId> {
    (1_i64..4).prop_map(AccountId::new)
}

fn repository_id() -> impl Strategy<Value = RepositoryId> {
    (1_i64..3).prop_map(RepositoryId::new)
}

fn word<T: Copy + std::fmt::Debug>(all: &'static [T]) -> impl Strategy<Value = T> {
    select(all)
}

fn scopes() -> impl Strategy<Value = Scopes> {
    let relevant = [
        Scope::ReadPackages,
        Scope::WritePackages,
        Scope::DeletePackages,
        Scope::Repo,
        Scope::PublicRepo,
        Scope::DeleteRepo,
        Scope::AdminOrg,
        Scope::ReadOrg,
        Scope::WriteOrg,
        Scope::ReadUser,
        Scope::User,
        Scope::SiteAdmin,
    ];
    proptest::collection::vec(select(relevant.to_vec()), 0..6)
        .prop_map(|scopes| scopes.into_iter().collect())
}

fn paths() -> Vec<PackagePath> {
    let path = |kind, name: &str| PackagePath::new(kind, &name.parse().unwrap()).unwrap();
    vec![
        path(PackageType::Container, "octo/source/app"),
        path(PackageType::Container, "octo/other"),
        path(PackageType::Docker, "octo/source/app"),
    ]
}

fn access_list() -> impl Strategy<Value = AccessList> {
    let actions = proptest::collection::vec(word(Action::ALL), 0..4)
        .prop_map(|actions| actions.into_iter().collect::<Actions>());
    proptest::collection::vec((select(paths()), actions), 0..3)
        .prop_map(|entries| entries.into_iter().collect())
}

fn transport() -> impl Strategy<Value = Transport> {
    prop_oneof![
        3 => Just(Transport::Basic),
        1 => Just(Transport::Bearer),
        2 => access_list().prop_map(Transport::RegistryToken),
    ]
}

fn credential() -> impl Strategy<Value = Credential> {
    let personal = (scopes(), transport())
        .prop_map(|(scopes, transport)| Credential::personal(TokenId::new(1), scopes, transport));
    prop_oneof![1 => Just(Credential::session()), 2 => personal]
}

fn user() -> impl Strategy<Value = Principal> {
    (account_id(), any::<bool>(), credential()).prop_map(|(user, site_admin, credential)| {
        Principal::User {
            user,
            site_admin,
            credential,
        }
    })
}

fn workflow() -> impl Strategy<Value = Principal> {
    (
        repository_id(),
        option::of(word(WorkflowPackages::ALL)),
        transport(),
    )
        .prop_map(|(repository, packages, transport)| Principal::Workflow {
            repository,
            packages,
            token: TokenId::new(1),
            transport,
        })
}

/// Somebody who owns nothing that random facts are about, and runs in no repository of theirs.
fn stranger() -> impl Strategy<Value = Principal> {
    prop_oneof![user(), workflow()].prop_map(|mut principal| {
        match &mut principal {
            Principal::User { user, .. } => *user = AccountId::new(9),
            Principal::Workflow { repository, .. } => *repository = RepositoryId::new(9),
            _ => {}
        }
        principal
    })
}

fn anonymous() -> impl Strategy<Value = Principal> {
    option::of(access_list()).prop_map(|access| Principal::Anonymous { access })
}

fn principal() -> impl Strategy<Value = Principal> {
    prop_oneof![
        6 => user(),
        3 => workflow(),
        2 => anonymous(),
        1 => Just(Principal::System),
    ]
}

fn caller() -> impl Strategy<Value = Caller> {
    let workflow = (account_id(), word(Visibility::ALL))
        .prop_map(|(owner, visibility)| WorkflowRepository { owner, visibility });
    (
        prop::bool::weighted(0.9),
        option::of(word(OrganizationRole::ALL)),
        option::of(word(Role::ALL)),
        option::of(word(Role::ALL)),
        option::of(word(RepositoryRole::ALL)),
        option::weighted(0.9, workflow),
    )
        .prop_map(
            |(active, organization_role, grant, team_grant, repository_role, workflow)| Caller {
                active,
                organization_role,
                grant,
                team_grant,
                repository_role,
                workflow,
            },
        )
}

fn settings() -> impl Strategy<Value = PackageSettings> {
    any::<[bool; 7]>().prop_map(
        |[
            public,
            internal,
            private,
            repositories,
            inherit,
            is_final,
            refuse,
        ]| PackageSettings {
            members_create_public: public,
            members_create_internal: internal,
            members_create_private: private,
            members_create_repositories: repositories,
            inherit_access: inherit,
            public_is_final: is_final,
            refuse_needed_deletes: refuse,
        },
    )
}

fn owner() -> impl Strategy<Value = Owner> {
    (account_id(), word(AccountKind::ALL), settings()).prop_map(|(id, kind, settings)| Owner {
        id,
        kind,
        settings,
    })
}

fn package() -> impl Strategy<Value = ExistingPackage> {
    (
        word(PackageType::ALL),
        word(PackageState::ALL),
        word(Visibility::ALL),
        any::<bool>(),
    )
        .prop_map(
            |(package_type, state, visibility, inherit_access)| ExistingPackage {
                id: PackageId::new(1),
                package_type,
                state,
                visibility,
                inherit_access,
            },
        )
}

fn repository_state() -> impl Strategy<Value = RepositoryState> {
    (repository_id(), word(Visibility::ALL))
        .prop_map(|(id, visibility)| RepositoryState { id, visibility })
}

fn registry_mode() -> impl Strategy<Value = RegistryMode> {
    prop_oneof![
        8 => Just(RegistryMode::Enabled),
        1 => Just(RegistryMode::ReadOnly),
        1 => Just(RegistryMode::Disabled),
    ]
}

fn facts() -> impl Strategy<Value = PackageFacts> {
    (
        option::weighted(0.9, owner()),
        option::weighted(0.8, package()),
        option::weighted(0.7, repository_state()),
        prop::bool::weighted(0.1),
        registry_mode(),
        caller(),
    )
        .prop_map(
            |(owner, package, repository, name_retired, registry, caller)| PackageFacts {
                registry,
                // Without an owner there is nothing under it.
                package: package.filter(|_| owner.is_some()),
                repository: repository.filter(|_| owner.is_some()),
                owner,
                name_retired,
                caller,
            },
        )
}

fn permission() -> impl Strategy<Value = PackagePermission> {
    select(PackagePermission::ALL.to_vec())
}

fn path() -> impl Strategy<Value = PackagePath> {
    select(paths())
}

fn account_permission() -> impl Strategy<Value = AccountPermission> {
    select(vec![
        AccountPermission::ListPackages,
        AccountPermission::CreateRepository(Visibility::Public),
        AccountPermission::CreateRepository(Visibility::Private),
        AccountPermission::ReadMembers,
        AccountPermission::ReadProfile,
        AccountPermission::ReadMemberships,
        AccountPermission::Administer,
        AccountPermission::RestoreRepository,
        AccountPermission::ManageCredentials,
        AccountPermission::ReviewCredentials,
    ])
}

fn team_state() -> impl Strategy<Value = TeamState> {
    (
        word(TeamPrivacy::ALL),
        option::of(word(TeamRole::ALL)),
        any::<bool>(),
    )
        .prop_map(|(privacy, role, below)| TeamState {
            id: TeamId::new(1),
            privacy,
            role,
            includes_caller: below || role.is_some(),
        })
}

fn repository_permission() -> impl Strategy<Value = RepositoryPermission> {
    select(vec![
        RepositoryPermission::Read,
        RepositoryPermission::Write,
        RepositoryPermission::Attest,
        RepositoryPermission::Administer,
        RepositoryPermission::Delete,
        RepositoryPermission::Leave,
    ])
}

fn repository_facts() -> impl Strategy<Value = RepositoryFacts> {
    facts().prop_map(|facts| RepositoryFacts {
        owner: facts.owner,
        repository: facts.repository,
        caller: facts.caller,
    })
}

/// The principal with another credential, where it has one.
fn with_scopes(principal: &Principal, change: impl Fn(Scopes) -> Scopes) -> Principal {
    let mut principal = principal.clone();
    if let Principal::User { credential, .. } = &mut principal {
        credential.scopes = credential.scopes.map(change);
    }
    principal
}

/// The principal as it is without a registry token.
fn without_access_list(principal: &Principal) -> Principal {
    let mut principal = principal.clone();
    match &mut principal {
        Principal::Anonymous { access } => *access = None,
        Principal::User {
            credential: Credential { transport, .. },
            ..
        }
        | Principal::Workflow { transport, .. } => {
            if matches!(transport, Transport::RegistryToken(_)) {
                *transport = Transport::Bearer;
            }
        }
        Principal::System => {}
    }
    principal
}

/// The user with the same rights, whatever the token.
fn unlimited(principal: &Principal) -> Principal {
    let mut principal = without_access_list(principal);
    match &mut principal {
        Principal::User { credential, .. } => *credential = Credential::session(),
        Principal::Workflow { packages, .. } => *packages = Some(WorkflowPackages::Write),
        _ => {}
    }
    principal
}

/// The caller with at least as strong roles.
fn stronger(caller: &Caller, more: &Caller) -> Caller {
    Caller {
        active: caller.active,
        organization_role: caller.organization_role.max(more.organization_role),
        grant: caller.grant.max(more.grant),
        team_grant: caller.team_grant.max(more.team_grant),
        repository_role: caller.repository_role.max(more.repository_role),
        workflow: caller.workflow,
    }
}

/// The same private things seen by somebody without a role: there; the package not there; the
/// repository not there either; not even the owner there.
fn hidden_from_strangers(facts: &PackageFacts) -> [PackageFacts; 4] {
    let caller = no_roles(&facts.caller);
    let visibility = Visibility::Private;
    let there = PackageFacts {
        package: facts.package.map(|package| ExistingPackage {
            visibility,
            ..package
        }),
        repository: facts.repository.map(|state| RepositoryState {
            visibility,
            ..state
        }),
        caller,
        ..*facts
    };
    let free = PackageFacts {
        package: None,
        ..there
    };
    let no_repository = PackageFacts {
        repository: None,
        ..free
    };
    [
        there,
        free,
        no_repository,
        PackageFacts {
            registry: facts.registry,
            caller,
            ..PackageFacts::default()
        },
    ]
}

/// Whether the roles allow creating, be the credential as it is.
const fn may_create(decision: &Decision) -> bool {
    matches!(
        decision,
        Decision::Allowed(Grounds::Creation(_))
            | Decision::Refused(
                Refusal::Scope { .. }
                    | Refusal::Installation { .. }
                    | Refusal::TokenTooNarrow { .. }
            )
    )
}

/// All that a face can make a text of.
fn texts(decision: &Decision) -> (String, String) {
    match decision {
        Decision::Refused(refusal) => (refusal.message(), refusal.explanation()),
        Decision::Allowed(grounds) => (grounds.to_string(), String::new()),
    }
}

fn no_roles(caller: &Caller) -> Caller {
    Caller {
        active: caller.active,
        workflow: caller.workflow,
        ..Caller::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn anonymous_callers_only_ever_pull_live_public_containers(
        principal in anonymous(), permission in permission(), path in path(), facts in facts()
    ) {
        match decide_package(&principal, permission, &path, &facts) {
            Decision::Allowed(grounds) => {
                let package = facts.package.unwrap();
                prop_assert_eq!(grounds, Grounds::Public);
                prop_assert_eq!(permission, PackagePermission::Read);
                prop_assert_eq!(path.package_type, PackageType::Container);
                prop_assert_eq!(package.package_type, PackageType::Container);
                prop_assert_eq!(package.state, PackageState::Live);
                prop_assert_eq!(package.visibility, Visibility::Public);
            }
            Decision::Refused(Refusal::TokenTooNarrow { .. }) => {
                let without = decide_package(&Principal::ANONYMOUS, permission, &path, &facts);
                prop_assert!(without.is_allowed());
            }
            Decision::Refused(refusal) => prop_assert_eq!(refusal, Refusal::Unauthenticated),
        }
    }

    #[test]
    fn the_suspended_are_told_so_and_nothing_else(
        principal in user(), permission in permission(), path in path(), facts in facts()
    ) {
        let caller = Caller { active: false, ..facts.caller };
        let decision = decide_package(&principal, permission, &path, &PackageFacts { caller, ..facts });
        prop_assert_eq!(decision, Decision::Refused(Refusal::Suspended));
    }

    #[test]
    fn an_explanation_says_yes_where_the_decision_does(
        principal in principal(), permission in permission(), path in path(), facts in facts()
    ) {
        let decision = decide_package(&principal, permission, &path, &facts);
        let explained = explain_package(&principal, permission, &path, &facts);
        prop_assert_eq!(decision.is_allowed(), explained.is_allowed());
        if decision.is_allowed() {
            prop_assert_eq!(decision, explained);
        }
    }

    #[test]
    fn who_may_know_hears_what_is_missing_on_what_is_there(
        principal in user(), permission in permission(), path in path(), facts in facts()
    ) {
        let is_live = facts.package.is_some_and(|package| package.state == PackageState::Live);
        let is_closed = facts.registry == RegistryMode::Disabled;
        if is_live && !is_closed {
            let explained = explain_package(&principal, permission, &path, &facts);
            prop_assert_ne!(explained, Decision::Refused(Refusal::Unknown));
        }
    }

    #[test]
    fn the_role_that_tag_rules_see_is_the_one_that_decides(
        principal in principal(), permission in permission(), path in path(), facts in facts()
    ) {
        let decision = decide_package(&principal, permission, &path, &facts);
        if let Decision::Allowed(Grounds::Role { role, .. }) = decision
            && permission != PackagePermission::Restore
        {
            prop_assert_eq!(role_on_package(&principal, &path, &facts), Some(role));
        }
    }

    #[test]
    fn who_creates_a_package_has_a_role_that_pushes(
        principal in principal(), path in path(), facts in facts()
    ) {
        let decision = decide_package(&principal, PackagePermission::Write, &path, &facts);
        // The machine itself has no role, and tag rules do not bind it.
        if let Decision::Allowed(Grounds::Creation(_)) = decision
            && principal != Principal::System
        {
            prop_assert!(role_on_package(&principal, &path, &facts) >= Some(Role::Write));
        }
    }

    #[test]
    fn facts_that_were_not_loaded_allow_nothing(
        principal in principal(), permission in permission(), path in path()
    ) {
        let decision = decide_package(&principal, permission, &path, &PackageFacts::default());
        prop_assert!(!decision.is_allowed());
    }

    #[test]
    fn one_more_scope_never_removes_a_right(
        principal in user(), more in scopes(), permission in permission(), path in path(), facts in facts()
    ) {
        let wider = with_scopes(&principal, |scopes| more.iter().fold(scopes, Scopes::with));
        if decide_package(&principal, permission, &path, &facts).is_allowed() {
            prop_assert!(decide_package(&wider, permission, &path, &facts).is_allowed());
        }
    }

    #[test]
    fn a_stronger_role_never_removes_a_right(
        principal in principal(), more in caller(), permission in permission(), path in path(), facts in facts()
    ) {
        let stronger = PackageFacts { caller: stronger(&facts.caller, &more), ..facts };
        if decide_package(&principal, permission, &path, &facts).is_allowed() {
            prop_assert!(decide_package(&principal, permission, &path, &stronger).is_allowed());
        }
    }

    #[test]
    fn a_wider_visibility_never_removes_reading(
        principal in principal(), path in path(), facts in facts()
    ) {
        let read = |visibility| {
            let package = facts.package.map(|package| ExistingPackage { visibility, ..package });
            let repository = facts.repository.map(|state| RepositoryState { visibility, ..state });
            let facts = PackageFacts { package, repository, ..facts };
            decide_package(&principal, PackagePermission::Read, &path, &facts).is_allowed()
        };
        prop_assert!(!read(Visibility::Private) || read(Visibility::Internal));
        prop_assert!(!read(Visibility::Internal) || read(Visibility::Public));
    }

    #[test]
    fn what_is_private_is_never_given_without_a_role(
        principal in prop_oneof![user(), workflow()],
        permission in permission(), path in path(), facts in facts()
    ) {
        let owner = facts.owner.filter(|owner| Some(owner.id) != principal.user());
        let private = PackageFacts {
            owner,
            package: facts.package.filter(|_| owner.is_some()).map(|package| ExistingPackage {
                visibility: Visibility::Private,
                package_type: PackageType::Container,
                ..package
            }),
            caller: no_roles(&facts.caller),
            ..facts
        };
        match decide_package(&principal, permission, &path, &private) {
            Decision::Allowed(Grounds::Creation(_)) => {
                prop_assert!(private.package.is_none_or(|package| package.state == PackageState::Deleted));
            }
            Decision::Allowed(grounds) => prop_assert!(false, "{}", grounds),
            Decision::Refused(_) => {}
        }
    }

    #[test]
    fn a_registry_token_never_widens(
        principal in principal(), permission in permission(), path in path(), facts in facts()
    ) {
        let without = decide_package(&without_access_list(&principal), permission, &path, &facts);
        match decide_package(&principal, permission, &path, &facts) {
            Decision::Refused(Refusal::TokenTooNarrow { .. }) => {
                prop_assert!(principal.access().is_some() && without.is_allowed());
            }
            decision => prop_assert_eq!(decision, without),
        }
    }

    #[test]
    fn credentials_only_narrow_and_say_so(
        principal in principal(), permission in permission(), path in path(), facts in facts()
    ) {
        let at_most = decide_package(&unlimited(&principal), permission, &path, &facts);
        match decide_package(&principal, permission, &path, &facts) {
            Decision::Refused(
                Refusal::Scope { .. } | Refusal::Installation { .. } | Refusal::TokenTooNarrow { .. }
            ) => prop_assert!(at_most.is_allowed()),
            decision => prop_assert_eq!(decision, at_most),
        }
    }

    #[test]
    fn what_may_not_be_known_is_answered_like_what_is_not_there(
        principal in stranger(), permission in permission(), path in path(), facts in facts()
    ) {
        let [there, free, no_repository, no_owner] = hidden_from_strangers(&facts)
            .map(|facts| decide_package(&principal, permission, &path, &facts));
        // Whoever may create the name learns from a refusal that it is taken; nobody else does.
        if !may_create(&free) && !may_create(&no_repository) {
            prop_assert_eq!(&there, &free);
            prop_assert_eq!(&free, &no_repository);
        }
        // Users without any tie to the owner may create nothing there.
        if principal.user().is_some() {
            prop_assert_eq!(&there, &no_owner);
            prop_assert_eq!(texts(&there), texts(&no_owner));
        }
    }

    #[test]
    fn administering_the_instance_gives_no_right_anywhere_else(
        user in account_id(), credential in credential(), permission in permission(), path in path(),
        facts in facts(), on_account in account_permission(), on_repository in repository_permission(),
        repository in repository_facts()
    ) {
        let [plain, admin] = [false, true].map(|site_admin| Principal::User {
            user, site_admin, credential: credential.clone(),
        });
        prop_assert_eq!(
            decide_package(&plain, permission, &path, &facts),
            decide_package(&admin, permission, &path, &facts)
        );
        let account = AccountFacts { account: facts.owner, caller: facts.caller };
        prop_assert_eq!(
            decide_account(&plain, on_account, &account),
            decide_account(&admin, on_account, &account)
        );
        prop_assert_eq!(
            decide_repository(&plain, on_repository, &repository),
            decide_repository(&admin, on_repository, &repository)
        );
    }

    #[test]
    fn the_machine_may_do_everything_to_what_is_live(
        permission in permission(), path in path(), facts in facts()
    ) {
        let is_live = facts.package.is_some_and(|package| package.state == PackageState::Live);
        let decision = decide_package(&Principal::System, permission, &path, &facts);
        if is_live {
            prop_assert_eq!(decision, Decision::Allowed(Grounds::System));
        }
    }

    #[test]
    fn workflows_administer_nothing(
        principal in workflow(), path in path(), facts in facts(),
        on_account in account_permission(), repository in repository_facts()
    ) {
        for permission in PackagePermission::ALL.into_iter().skip(5) {
            prop_assert!(!decide_package(&principal, permission, &path, &facts).is_allowed());
        }
        let account = AccountFacts { account: facts.owner, caller: facts.caller };
        prop_assert!(!decide_account(&principal, on_account, &account).is_allowed());
        prop_assert!(!decide_instance(&principal, &facts.caller).is_allowed());
        prop_assert!(!decide_repository(&principal, RepositoryPermission::Write, &repository).is_allowed());
    }

    #[test]
    fn creation_is_only_allowed_where_there_is_nothing(
        principal in principal(), permission in permission(), path in path(), facts in facts()
    ) {
        if let Decision::Allowed(Grounds::Creation(_)) = decide_package(&principal, permission, &path, &facts) {
            prop_assert_eq!(permission, PackagePermission::Write);
            prop_assert!(facts.package.is_none_or(|package| package.state == PackageState::Deleted));
            prop_assert!(facts.owner.is_some());
            let birth = birth(&principal, &path, &facts);
            if let Principal::User { user, .. } = &principal && path.package_type == PackageType::Container {
                prop_assert_eq!(birth.admin, Some(Grantee::User(*user)));
                prop_assert_eq!(birth.visibility, Visibility::Private);
                prop_assert_eq!(birth.repository, None);
            }
        }
    }

    #[test]
    fn the_creator_can_go_on_with_the_push_and_administer_what_came_of_it(
        user in account_id(), facts in facts()
    ) {
        let path = paths()[0].clone();
        let principal = Principal::User { user, site_admin: false, credential: Credential::session() };
        let caller = Caller { active: true, ..facts.caller };
        let free = PackageFacts { package: None, caller, ..facts };
        if !decide_package(&principal, PackagePermission::Write, &path, &free).is_allowed() {
            return Ok(());
        }
        let birth = birth(&principal, &path, &free);
        let grant = (birth.admin == Some(Grantee::User(user))).then_some(Role::Admin);
        let package = |state| PackageFacts {
            package: Some(ExistingPackage {
                id: PackageId::new(1),
                package_type: PackageType::Container,
                state,
                visibility: birth.visibility,
                inherit_access: birth.inherit_access,
            }),
            caller: Caller { grant, ..caller },
            ..free
        };
        let may = |permission, state| decide_package(&principal, permission, &path, &package(state)).is_allowed();
        prop_assert!(may(PackagePermission::Write, PackageState::Hidden));
        prop_assert!(may(PackagePermission::Read, PackageState::Hidden));
        prop_assert!(may(PackagePermission::Administer, PackageState::Live));
        prop_assert!(may(PackagePermission::Restore, PackageState::Deleted));
    }

    #[test]
    fn no_token_manages_credentials_and_no_registry_token_leaves_the_registry(
        principal in user(), facts in facts(), on_account in account_permission(),
        on_repository in repository_permission(), repository in repository_facts()
    ) {
        let account = AccountFacts { account: facts.owner, caller: facts.caller };
        if principal.token().is_some() {
            let decision = decide_account(&principal, AccountPermission::ManageCredentials, &account);
            prop_assert!(!decision.is_allowed());
        }
        if principal.access().is_some() {
            prop_assert!(!decide_account(&principal, on_account, &account).is_allowed());
            prop_assert!(!decide_repository(&principal, on_repository, &repository).is_allowed());
            prop_assert!(!decide_instance(&principal, &facts.caller).is_allowed());
        }
    }

    #[test]
    fn on_accounts_and_repositories_too_more_is_never_less(
        principal in user(), more in caller(), wider in scopes(), facts in facts(),
        on_account in account_permission(), on_repository in repository_permission(),
        repository in repository_facts()
    ) {
        let wide = with_scopes(&principal, |scopes| wider.iter().fold(scopes, Scopes::with));
        let account = AccountFacts { account: facts.owner, caller: facts.caller };
        if decide_account(&principal, on_account, &account).is_allowed() {
            let strong = AccountFacts { caller: stronger(&account.caller, &more), ..account };
            prop_assert!(decide_account(&wide, on_account, &strong).is_allowed());
        }
        if decide_repository(&principal, on_repository, &repository).is_allowed() {
            let strong = RepositoryFacts { caller: stronger(&repository.caller, &more), ..repository };
            prop_assert!(decide_repository(&wide, on_repository, &strong).is_allowed());
        }
    }

    #[test]
    fn whoever_may_not_see_a_team_cannot_tell_it_from_none(
        principal in principal(), permission in word(&[TeamPermission::Read, TeamPermission::Manage]),
        team in team_state(), facts in facts()
    ) {
        let there = TeamFacts { organization: facts.owner, team: Some(team), caller: facts.caller };
        let absent = TeamFacts { team: None, ..there };
        let read = decide_team(&unlimited(&principal), TeamPermission::Read, &there);
        if !read.is_allowed() {
            prop_assert_eq!(
                decide_team(&principal, permission, &there),
                decide_team(&principal, permission, &absent)
            );
        }
        if decide_team(&principal, TeamPermission::Manage, &there).is_allowed() {
            prop_assert!(decide_team(&principal, TeamPermission::Read, &there).is_allowed());
        }
        if principal.access().is_some() {
            prop_assert!(!decide_team(&principal, permission, &there).is_allowed());
        }
    }

    #[test]
    fn packages_are_linked_within_one_owner_only(
        principal in principal(), package_owner in account_id(), facts in repository_facts()
    ) {
        if decide_link(&principal, package_owner, &facts).is_allowed() {
            prop_assert_eq!(facts.owner.map(|owner| owner.id), Some(package_owner));
            prop_assert!(!principal.is_anonymous());
        }
    }
}
