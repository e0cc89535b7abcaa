//! The truth table: every answer of the policy, printed to `policy.truth.txt` for review.
//!
//! A cell says what a *browser session* is answered. Where that is a yes, all sets of scopes are
//! tried with a personal access token, and the smallest that suffice stand before the grounds; all
//! others must be refused for want of a scope, and where the session is refused, every token must
//! be refused in the same words. So the table covers scopes without listing them.

use std::fmt::Write as _;

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

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/policy.truth.txt");

const ME: AccountId = AccountId::new(1);
const OTHER: AccountId = AccountId::new(2);
const OWNER: AccountId = AccountId::new(3);
const REPOSITORY: RepositoryId = RepositoryId::new(4);
const OTHER_REPOSITORY: RepositoryId = RepositoryId::new(5);

#[test]
fn the_truth_table_is_the_reviewed_one() {
    let reviewed = std::fs::read_to_string(FILE).unwrap_or_default();
    let printed = print();
    let differs = reviewed
        .lines()
        .zip(printed.lines())
        .position(|(old, new)| old != new);
    assert!(
        reviewed == printed,
        "the policy and policy.truth.txt differ, first in line {}; if the change is meant, run \
         `cargo test -p naru-model -- --ignored update_the_truth_table` and have it reviewed",
        differs.unwrap_or_else(|| reviewed.lines().count().min(printed.lines().count())) + 1
    );
}

#[test]
#[ignore = "writes policy.truth.txt, to be reviewed"]
fn update_the_truth_table() {
    std::fs::write(FILE, print()).unwrap();
}

const LEGEND: &str = "\
The policy's truth table. Printed by `cargo test -p naru-model -- --ignored update_the_truth_table`,
compared by every other test run. A change here is a change of who may do what: read it as such.

A yes names its grounds: public, internal, a role (owner, org-owner, grant, team, repo, own-repo),
or `+` and what allows creating. Before it stand the smallest sets of scopes that a personal access
token needs (several are joined by `|`, none is `yes`):
  R read:packages   W write:packages   D delete:packages   others by their word
A refusal is one of
  401   who are you?                         404     does not exist, as far as you may know
  -x    permission_denied: x                 job     the job's `packages:` permission is too small
  susp  the account is suspended             gone    the workflow's repository does not exist
  narrow  the registry token was given for less
";

fn print() -> String {
    let mut out = LEGEND.to_owned();
    container_of_an_organization(&mut out);
    container_of_a_user(&mut out);
    closed_registries(&mut out);
    organization_settings(&mut out);
    legacy(&mut out);
    registry_tokens(&mut out);
    accounts(&mut out);
    repositories(&mut out);
    teams(&mut out);
    links(&mut out);
    out
}

// ---- Who ----

/// A row: who asks, and what is known about them.
struct Who {
    name: &'static str,
    principal: Principal,
    caller: Caller,
    /// Whether the package inherits its repository's access.
    inherits: bool,
}

fn user(name: &'static str, caller: Caller) -> Who {
    let credential = Credential::session();
    let principal = Principal::User {
        user: ME,
        site_admin: false,
        credential,
    };
    Who {
        name,
        principal,
        caller,
        inherits: true,
    }
}

const ACTIVE: Caller = Caller {
    active: true,
    organization_role: None,
    grant: None,
    team_grant: None,
    repository_role: None,
    workflow: None,
};
const MEMBER: Caller = Caller {
    organization_role: Some(OrganizationRole::Member),
    ..ACTIVE
};
const ORGANIZATION_OWNER: Caller = Caller {
    organization_role: Some(OrganizationRole::Owner),
    ..ACTIVE
};

fn anonymous() -> Who {
    Who {
        name: "anonymous",
        principal: Principal::ANONYMOUS,
        caller: Caller::default(),
        inherits: true,
    }
}

fn system() -> Who {
    Who {
        name: "system",
        principal: Principal::System,
        caller: Caller::default(),
        inherits: true,
    }
}

fn site_administrator() -> Who {
    let credential = Credential::session();
    let principal = Principal::User {
        user: ME,
        site_admin: true,
        credential,
    };
    Who {
        name: "site administrator",
        principal,
        caller: ACTIVE,
        inherits: true,
    }
}

fn workflow(
    name: &'static str,
    packages: Option<WorkflowPackages>,
    owner: AccountId,
    visibility: Visibility,
    grant: Option<Role>,
) -> Who {
    let principal = Principal::Workflow {
        repository: REPOSITORY,
        packages,
        token: TokenId::new(1),
        transport: Transport::Basic,
    };
    let workflow = Some(WorkflowRepository { owner, visibility });
    let caller = Caller {
        active: true,
        grant,
        workflow,
        ..Caller::default()
    };
    Who {
        name,
        principal,
        caller,
        inherits: true,
    }
}

fn workflows() -> Vec<Who> {
    use WorkflowPackages::{Read, Write};
    let private = Visibility::Private;
    let mut gone = workflow(
        "workflow whose repository is gone",
        Some(Write),
        OWNER,
        private,
        Some(Role::Admin),
    );
    gone.caller.active = false;
    vec![
        workflow(
            "workflow of the owner, packages: write",
            Some(Write),
            OWNER,
            private,
            None,
        ),
        workflow(
            "  with Actions access read",
            Some(Write),
            OWNER,
            private,
            Some(Role::Read),
        ),
        workflow(
            "  with Actions access write",
            Some(Write),
            OWNER,
            private,
            Some(Role::Write),
        ),
        workflow(
            "  with Actions access admin",
            Some(Write),
            OWNER,
            private,
            Some(Role::Admin),
        ),
        workflow(
            "  the same, packages: read",
            Some(Read),
            OWNER,
            private,
            Some(Role::Admin),
        ),
        workflow(
            "  the same, no packages permission",
            None,
            OWNER,
            private,
            Some(Role::Admin),
        ),
        workflow(
            "workflow of another owner, access admin",
            Some(Write),
            OTHER,
            private,
            Some(Role::Admin),
        ),
        gone,
    ]
}

fn granted(name: &'static str, caller: Caller, role: Role) -> Who {
    user(
        name,
        Caller {
            grant: Some(role),
            ..caller
        },
    )
}

fn collaborator(name: &'static str, role: RepositoryRole, inherits: bool) -> Who {
    Who {
        inherits,
        ..user(
            name,
            Caller {
                repository_role: Some(role),
                ..ACTIVE
            },
        )
    }
}

// ---- What ----

/// A column: what is there.
#[derive(Clone)]
struct What {
    name: &'static str,
    path: PackagePath,
    facts: PackageFacts,
}

fn path(package_type: PackageType, name: &str) -> PackagePath {
    PackagePath::new(package_type, &name.parse().unwrap()).unwrap()
}

const fn owner(kind: AccountKind, settings: PackageSettings) -> Owner {
    Owner {
        id: OWNER,
        kind,
        settings,
    }
}

fn existing(
    package_type: PackageType,
    state: PackageState,
    visibility: Visibility,
) -> ExistingPackage {
    ExistingPackage {
        id: PackageId::new(1),
        package_type,
        state,
        visibility,
        inherit_access: true,
    }
}

/// The container registry under an owner: a free name, and a package in each state.
fn containers(owner: Owner) -> Vec<What> {
    use PackageState::{Deleted, Hidden, Live};
    let what = |name, facts| What {
        name,
        path: path(PackageType::Container, "octo/app"),
        facts,
    };
    let linked = Some(RepositoryState {
        id: OTHER_REPOSITORY,
        visibility: Visibility::Public,
    });
    let package = |state, visibility| PackageFacts {
        owner: Some(owner),
        package: Some(existing(PackageType::Container, state, visibility)),
        repository: linked,
        registry: RegistryMode::Enabled,
        ..PackageFacts::default()
    };
    let free = PackageFacts {
        owner: Some(owner),
        registry: RegistryMode::Enabled,
        ..PackageFacts::default()
    };
    vec![
        what(
            "no owner",
            PackageFacts {
                owner: None,
                ..free
            },
        ),
        what("free name", free),
        what(
            "retired name",
            PackageFacts {
                name_retired: true,
                ..free
            },
        ),
        what("hidden", package(Hidden, Visibility::Public)),
        what("public", package(Live, Visibility::Public)),
        what("internal", package(Live, Visibility::Internal)),
        what("private", package(Live, Visibility::Private)),
        what("deleted", package(Deleted, Visibility::Public)),
    ]
}

// ---- Tables ----

/// The permissions on a package that tables are printed for. Making it private stands for all
/// changes of visibility; what settings do to those has a table of its own.
const PACKAGE: [PackagePermission; 7] = [
    PackagePermission::Read,
    PackagePermission::ReadMetadata,
    PackagePermission::Write,
    PackagePermission::Delete,
    PackagePermission::Restore,
    PackagePermission::Administer,
    PackagePermission::ChangeVisibility(Visibility::Private),
];

fn container_of_an_organization(out: &mut String) {
    let settings = PackageSettings::default();
    let mut rows = vec![
        anonymous(),
        user("stranger", ACTIVE),
        site_administrator(),
        user(
            "suspended owner",
            Caller {
                active: false,
                ..ORGANIZATION_OWNER
            },
        ),
        user("member", MEMBER),
        user("organization owner", ORGANIZATION_OWNER),
        granted("member granted read", MEMBER, Role::Read),
        granted("member granted write", MEMBER, Role::Write),
        granted("member granted admin", MEMBER, Role::Admin),
        user(
            "member of a team with read",
            Caller {
                team_grant: Some(Role::Read),
                ..MEMBER
            },
        ),
        user(
            "member of a team with write",
            Caller {
                team_grant: Some(Role::Write),
                ..MEMBER
            },
        ),
        user(
            "member of a team with admin",
            Caller {
                team_grant: Some(Role::Admin),
                ..MEMBER
            },
        ),
        granted("no member (any more), granted admin", ACTIVE, Role::Admin),
        collaborator("repository read, inherited", RepositoryRole::Read, true),
        collaborator("repository triage, inherited", RepositoryRole::Triage, true),
        collaborator("repository write, inherited", RepositoryRole::Write, true),
        collaborator(
            "repository maintain, inherited",
            RepositoryRole::Maintain,
            true,
        ),
        collaborator("repository admin, inherited", RepositoryRole::Admin, true),
        collaborator(
            "repository admin, not inherited",
            RepositoryRole::Admin,
            false,
        ),
    ];
    rows.extend(workflows());
    rows.push(system());
    let columns = containers(owner(AccountKind::Organization, settings));
    package_tables(
        out,
        "Container registry, owner is an organization",
        &rows,
        &columns,
    );
}

/// The container registry while administrators let nothing be changed in it, and while they have
/// closed it.
fn closed_registries(out: &mut String) {
    let rows = [
        anonymous(),
        user("stranger", ACTIVE),
        user("organization owner", ORGANIZATION_OWNER),
        granted("member granted read", MEMBER, Role::Read),
        granted("member granted write", MEMBER, Role::Write),
        granted("member granted admin", MEMBER, Role::Admin),
        system(),
    ];
    for (title, registry) in [
        ("Container registry, read-only", RegistryMode::ReadOnly),
        ("Container registry, disabled", RegistryMode::Disabled),
    ] {
        let mut columns = containers(owner(AccountKind::Organization, PackageSettings::default()));
        for column in &mut columns {
            column.facts.registry = registry;
        }
        package_tables(out, title, &rows, &columns);
    }
}

fn container_of_a_user(out: &mut String) {
    let mut mine = user("the owner", ACTIVE);
    mine.principal = Principal::User {
        user: OWNER,
        site_admin: false,
        credential: Credential::session(),
    };
    let rows = [
        anonymous(),
        user("stranger", ACTIVE),
        mine,
        granted("granted read", ACTIVE, Role::Read),
        granted("granted write", ACTIVE, Role::Write),
        granted("granted admin", ACTIVE, Role::Admin),
        workflow(
            "workflow of the owner, packages: write",
            Some(WorkflowPackages::Write),
            OWNER,
            Visibility::Public,
            None,
        ),
        system(),
    ];
    let columns = containers(owner(AccountKind::User, PackageSettings::default()));
    package_tables(out, "Container registry, owner is a user", &rows, &columns);
}

fn package_tables(out: &mut String, title: &str, rows: &[Who], columns: &[What]) {
    for permission in PACKAGE {
        heading(out, &format!("{title}: {permission}"));
        let names = columns.iter().map(|column| column.name);
        line(out, "", names.map(str::to_owned));
        for who in rows {
            let cells = columns
                .iter()
                .map(|what| package_cell(who, permission, what));
            line(out, who.name, cells);
        }
    }
}

fn package_cell(who: &Who, permission: PackagePermission, what: &What) -> String {
    let package = what.facts.package.map(|package| ExistingPackage {
        inherit_access: who.inherits,
        ..package
    });
    let facts = PackageFacts {
        caller: who.caller,
        package,
        ..what.facts
    };
    cell(who, &PACKAGE_SCOPES, |principal| {
        decide_package(principal, permission, &what.path, &facts)
    })
}

/// What an organization's settings do to members' pushes and to changes of visibility.
fn organization_settings(out: &mut String) {
    let no_private = PackageSettings {
        members_create_private: false,
        ..PackageSettings::default()
    };
    let no_public = PackageSettings {
        members_create_public: false,
        ..PackageSettings::default()
    };
    let only_public = PackageSettings {
        members_create_internal: false,
        ..no_private
    };
    let nothing = PackageSettings {
        members_create_public: false,
        ..only_public
    };
    let no_repository = PackageSettings {
        members_create_repositories: false,
        ..PackageSettings::default()
    };
    let is_final = PackageSettings {
        public_is_final: true,
        ..PackageSettings::default()
    };
    let settings = [
        ("all allowed", PackageSettings::default()),
        ("no private", no_private),
        ("no public", no_public),
        ("nothing", nothing),
        ("no repository", no_repository),
        ("public is final", is_final),
    ];
    let write = Some(WorkflowPackages::Write);
    let rows = [
        user("stranger", ACTIVE),
        user("member", MEMBER),
        granted("member granted admin", MEMBER, Role::Admin),
        user("organization owner", ORGANIZATION_OWNER),
        workflow(
            "workflow of a private repository",
            write,
            OWNER,
            Visibility::Private,
            None,
        ),
        workflow(
            "workflow of a public repository",
            write,
            OWNER,
            Visibility::Public,
            None,
        ),
        system(),
    ];
    let questions = [
        ("push to a free name", PackagePermission::Write, 1),
        ("push to a private package", PackagePermission::Write, 6),
        (
            "make a private package public",
            PackagePermission::ChangeVisibility(Visibility::Public),
            6,
        ),
        (
            "make a public package internal",
            PackagePermission::ChangeVisibility(Visibility::Internal),
            4,
        ),
        (
            "make a public package private",
            PackagePermission::ChangeVisibility(Visibility::Private),
            4,
        ),
    ];
    for (title, permission, column) in questions {
        heading(out, &format!("Settings of an organization: {title}"));
        line(out, "", settings.iter().map(|(name, _)| (*name).to_owned()));
        for who in &rows {
            let cells = settings.iter().map(|(_, settings)| {
                let columns = containers(owner(AccountKind::Organization, *settings));
                package_cell(who, permission, &columns[column])
            });
            line(out, who.name, cells);
        }
    }
}

fn legacy(out: &mut String) {
    let owner = owner(AccountKind::Organization, PackageSettings::default());
    let write = Some(WorkflowPackages::Write);
    let private = Visibility::Private;
    let role = |name, role| collaborator(name, role, false);
    let no_repositories = workflow(
        "workflow of the repository, packages: read",
        Some(WorkflowPackages::Read),
        OWNER,
        private,
        None,
    );
    let mut elsewhere = workflow(
        "workflow of another repository",
        write,
        OWNER,
        private,
        Some(Role::Admin),
    );
    if let Principal::Workflow { repository, .. } = &mut elsewhere.principal {
        *repository = OTHER_REPOSITORY;
    }
    let rows = [
        anonymous(),
        user("stranger", ACTIVE),
        site_administrator(),
        user(
            "suspended owner",
            Caller {
                active: false,
                ..ORGANIZATION_OWNER
            },
        ),
        user("member", MEMBER),
        user("organization owner", ORGANIZATION_OWNER),
        granted("member granted admin on the package", MEMBER, Role::Admin),
        role("repository read", RepositoryRole::Read),
        role("repository triage", RepositoryRole::Triage),
        role("repository write", RepositoryRole::Write),
        role("repository maintain", RepositoryRole::Maintain),
        role("repository admin", RepositoryRole::Admin),
        workflow(
            "workflow of the repository, packages: write",
            write,
            OWNER,
            private,
            None,
        ),
        no_repositories,
        elsewhere,
        system(),
    ];
    package_tables(
        out,
        "Docker registry, owner is an organization",
        &rows,
        &legacy_columns(owner),
    );
}

fn legacy_columns(owner: Owner) -> Vec<What> {
    let what = |name, facts| What {
        name,
        path: path(PackageType::Docker, "octo/source/app"),
        facts,
    };
    let free = PackageFacts {
        owner: Some(owner),
        registry: RegistryMode::Enabled,
        ..PackageFacts::default()
    };
    let in_repository = |visibility| PackageFacts {
        repository: Some(RepositoryState {
            id: REPOSITORY,
            visibility,
        }),
        ..free
    };
    let package = |package_type, visibility| PackageFacts {
        package: Some(existing(
            package_type,
            PackageState::Live,
            Visibility::Public,
        )),
        ..in_repository(visibility)
    };
    vec![
        what("no owner", PackageFacts::default()),
        what("no repository", free),
        what("free, in public", in_repository(Visibility::Public)),
        what("free, in private", in_repository(Visibility::Private)),
        what(
            "in public",
            package(PackageType::Docker, Visibility::Public),
        ),
        what(
            "in internal",
            package(PackageType::Docker, Visibility::Internal),
        ),
        what(
            "in private",
            package(PackageType::Docker, Visibility::Private),
        ),
        what(
            "migrated, public",
            package(PackageType::Container, Visibility::Private),
        ),
    ]
}

/// What a registry token adds: nothing. Rows are what it was given for.
fn registry_tokens(out: &mut String) {
    let here = path(PackageType::Container, "octo/app");
    let other = path(PackageType::Container, "octo/other");
    let one = |action| Actions::NONE.with(action);
    let lists = [
        ("nothing", AccessList::new()),
        (
            "pull",
            [(here.clone(), one(Action::Pull))].into_iter().collect(),
        ),
        (
            "push",
            [(here.clone(), one(Action::Push))].into_iter().collect(),
        ),
        (
            "delete",
            [(here.clone(), one(Action::Delete))].into_iter().collect(),
        ),
        ("all", [(here, Actions::ALL)].into_iter().collect()),
        (
            "all, on another package",
            [(other, Actions::ALL)].into_iter().collect::<AccessList>(),
        ),
    ];
    let columns = containers(owner(AccountKind::Organization, PackageSettings::default()));
    let people = [
        ("organization owner", ORGANIZATION_OWNER),
        ("stranger", ACTIVE),
        ("anonymous", Caller::default()),
    ];
    for (who, caller) in people {
        for column in [1, 4, 6] {
            let what = &columns[column];
            heading(
                out,
                &format!(
                    "Registry token of {who}, {}: what it was given for",
                    what.name
                ),
            );
            line(out, "", PACKAGE.map(|permission| permission.to_string()));
            for (name, list) in &lists {
                let row = Who {
                    name,
                    principal: with_registry_token(who, list),
                    caller,
                    inherits: true,
                };
                let facts = PackageFacts {
                    caller,
                    ..what.facts
                };
                let cells = PACKAGE.map(|permission| {
                    answer(&decide_package(
                        &row.principal,
                        permission,
                        &what.path,
                        &facts,
                    ))
                });
                line(out, row.name, cells);
            }
        }
    }
}

fn with_registry_token(who: &str, list: &AccessList) -> Principal {
    if who == "anonymous" {
        return Principal::Anonymous {
            access: Some(list.clone()),
        };
    }
    let all = [Scope::WritePackages, Scope::DeletePackages]
        .into_iter()
        .collect();
    let transport = Transport::RegistryToken(list.clone());
    let credential = Credential::personal(TokenId::new(1), all, transport);
    Principal::User {
        user: ME,
        site_admin: false,
        credential,
    }
}

fn accounts(out: &mut String) {
    let questions = [
        ("list packages", AccountPermission::ListPackages),
        (
            "create public repo",
            AccountPermission::CreateRepository(Visibility::Public),
        ),
        (
            "create private repo",
            AccountPermission::CreateRepository(Visibility::Private),
        ),
        ("read members", AccountPermission::ReadMembers),
        ("read profile", AccountPermission::ReadProfile),
        ("read memberships", AccountPermission::ReadMemberships),
        ("administer", AccountPermission::Administer),
        ("restore repo", AccountPermission::RestoreRepository),
        ("credentials", AccountPermission::ManageCredentials),
        ("review", AccountPermission::ReviewCredentials),
    ];
    let rows = || {
        let mut myself = user("the account itself", ACTIVE);
        myself.principal = Principal::User {
            user: OWNER,
            site_admin: false,
            credential: Credential::session(),
        };
        let write = Some(WorkflowPackages::Write);
        vec![
            anonymous(),
            user("stranger", ACTIVE),
            site_administrator(),
            user(
                "suspended owner",
                Caller {
                    active: false,
                    ..ORGANIZATION_OWNER
                },
            ),
            user("member", MEMBER),
            user("organization owner", ORGANIZATION_OWNER),
            myself,
            workflow(
                "workflow of the account",
                write,
                OWNER,
                Visibility::Private,
                None,
            ),
            system(),
        ]
    };
    let settings = PackageSettings::default();
    let targets = [
        (
            "an organization",
            Some(owner(AccountKind::Organization, settings)),
        ),
        ("a user", Some(owner(AccountKind::User, settings))),
        ("no such account", None),
    ];
    for (title, account) in targets {
        heading(out, &format!("Account: {title}"));
        line(
            out,
            "",
            questions.iter().map(|(name, _)| (*name).to_owned()),
        );
        let is_user = account.is_some_and(|account| account.kind == AccountKind::User);
        for who in rows() {
            if is_user && who.caller.organization_role.is_some() {
                continue;
            }
            let facts = AccountFacts {
                account,
                caller: who.caller,
            };
            let cells = questions.map(|(_, permission)| {
                cell(&who, &ACCOUNT_SCOPES, |principal| {
                    decide_account(principal, permission, &facts)
                })
            });
            line(out, who.name, cells);
        }
    }
    heading(out, "The instance");
    line(out, "", ["administer".to_owned()]);
    for who in rows() {
        let answer = cell(&who, &ACCOUNT_SCOPES, |principal| {
            decide_instance(principal, &who.caller)
        });
        line(out, who.name, [answer]);
    }
}

fn repositories(out: &mut String) {
    let questions = [
        ("read", RepositoryPermission::Read),
        ("write", RepositoryPermission::Write),
        ("attest", RepositoryPermission::Attest),
        ("administer", RepositoryPermission::Administer),
        ("delete", RepositoryPermission::Delete),
        ("leave", RepositoryPermission::Leave),
    ];
    for (title, facts) in repository_targets() {
        heading(out, &format!("Source repository: {title}"));
        line(
            out,
            "",
            questions.iter().map(|(name, _)| (*name).to_owned()),
        );
        for who in repository_rows() {
            let facts = RepositoryFacts {
                caller: who.caller,
                ..facts
            };
            let cells = questions.map(|(_, permission)| {
                cell(&who, &REPOSITORY_SCOPES, |principal| {
                    decide_repository(principal, permission, &facts)
                })
            });
            line(out, who.name, cells);
        }
    }
}

fn teams(out: &mut String) {
    let questions = [
        ("read", TeamPermission::Read),
        ("manage", TeamPermission::Manage),
    ];
    let organization = Some(owner(AccountKind::Organization, PackageSettings::default()));
    let state = |privacy, role: Option<TeamRole>, includes_caller| TeamState {
        id: TeamId::new(6),
        privacy,
        role,
        includes_caller,
    };
    for (title, privacy) in [
        ("absent", None),
        ("closed", Some(TeamPrivacy::Closed)),
        ("secret", Some(TeamPrivacy::Secret)),
    ] {
        heading(out, &format!("Team: {title}"));
        line(out, "", questions.map(|(name, _)| name.to_owned()));
        for (who, role, includes_caller) in team_rows() {
            let facts = TeamFacts {
                organization,
                team: privacy.map(|privacy| state(privacy, role, includes_caller)),
                caller: who.caller,
            };
            let cells = questions.map(|(_, permission)| {
                cell(&who, &ACCOUNT_SCOPES, |principal| {
                    decide_team(principal, permission, &facts)
                })
            });
            line(out, who.name, cells);
        }
    }
}

fn team_rows() -> Vec<(Who, Option<TeamRole>, bool)> {
    let suspended = Caller {
        active: false,
        ..ORGANIZATION_OWNER
    };
    let write = Some(WorkflowPackages::Write);
    let of_owner = workflow(
        "workflow of the organization",
        write,
        OWNER,
        Visibility::Private,
        None,
    );
    let maintainer = Some(TeamRole::Maintainer);
    vec![
        (anonymous(), None, false),
        (user("stranger", ACTIVE), None, false),
        (site_administrator(), None, false),
        (user("suspended owner", suspended), None, false),
        (user("member", MEMBER), None, false),
        (
            user("member of the team", MEMBER),
            Some(TeamRole::Member),
            true,
        ),
        (user("member of a team below", MEMBER), None, true),
        (user("maintainer of the team", MEMBER), maintainer, true),
        (user("maintainer, not a member", ACTIVE), maintainer, true),
        (user("organization owner", ORGANIZATION_OWNER), None, false),
        (of_owner, None, false),
        (system(), None, false),
    ]
}

fn links(out: &mut String) {
    heading(
        out,
        "Linking a package to a source repository that a label names",
    );
    let targets = repository_targets();
    let names = targets
        .iter()
        .flat_map(|(name, _)| [(*name).to_owned(), "… of another".to_owned()]);
    line(out, "", names);
    for who in repository_rows() {
        let cells = targets.iter().flat_map(|(_, facts)| {
            let facts = RepositoryFacts {
                caller: who.caller,
                ..*facts
            };
            [OWNER, OTHER].map(|package_owner| {
                cell(&who, &REPOSITORY_SCOPES, |principal| {
                    decide_link(principal, package_owner, &facts)
                })
            })
        });
        line(out, who.name, cells);
    }
}

fn repository_targets() -> [(&'static str, RepositoryFacts); 4] {
    let owner = Some(owner(AccountKind::Organization, PackageSettings::default()));
    let facts = |visibility| RepositoryFacts {
        owner,
        repository: Some(RepositoryState {
            id: REPOSITORY,
            visibility,
        }),
        ..RepositoryFacts::default()
    };
    [
        (
            "absent",
            RepositoryFacts {
                owner,
                ..RepositoryFacts::default()
            },
        ),
        ("public", facts(Visibility::Public)),
        ("internal", facts(Visibility::Internal)),
        ("private", facts(Visibility::Private)),
    ]
}

fn repository_rows() -> Vec<Who> {
    let write = Some(WorkflowPackages::Write);
    let mut elsewhere = workflow(
        "workflow of another repository",
        write,
        OWNER,
        Visibility::Private,
        None,
    );
    if let Principal::Workflow { repository, .. } = &mut elsewhere.principal {
        *repository = OTHER_REPOSITORY;
    }
    vec![
        anonymous(),
        user("stranger", ACTIVE),
        site_administrator(),
        user(
            "suspended owner",
            Caller {
                active: false,
                ..ORGANIZATION_OWNER
            },
        ),
        user("member", MEMBER),
        user("organization owner", ORGANIZATION_OWNER),
        collaborator("role read", RepositoryRole::Read, true),
        collaborator("role write", RepositoryRole::Write, true),
        collaborator("role admin", RepositoryRole::Admin, true),
        workflow(
            "workflow of the repository",
            write,
            OWNER,
            Visibility::Private,
            None,
        ),
        elsewhere,
        system(),
    ]
}

// ---- Cells ----

const PACKAGE_SCOPES: [Scope; 5] = [
    Scope::ReadPackages,
    Scope::WritePackages,
    Scope::DeletePackages,
    Scope::Repo,
    Scope::SiteAdmin,
];
const ACCOUNT_SCOPES: [Scope; 10] = [
    Scope::ReadPackages,
    Scope::Repo,
    Scope::PublicRepo,
    Scope::ReadOrg,
    Scope::WriteOrg,
    Scope::AdminOrg,
    Scope::ReadUser,
    Scope::User,
    Scope::AdminEnterprise,
    Scope::SiteAdmin,
];
const REPOSITORY_SCOPES: [Scope; 5] = [
    Scope::WritePackages,
    Scope::Repo,
    Scope::PublicRepo,
    Scope::DeleteRepo,
    Scope::SiteAdmin,
];

/// What `who` is answered, with the scopes that a token needs for it.
fn cell(who: &Who, universe: &[Scope], decide: impl Fn(&Principal) -> Decision) -> String {
    let decision = decide(&who.principal);
    let Principal::User {
        user, site_admin, ..
    } = who.principal
    else {
        return answer(&decision);
    };
    let with_scopes = |scopes: &Scopes| {
        let credential = Credential::personal(TokenId::new(1), *scopes, Transport::Basic);
        decide(&Principal::User {
            user,
            site_admin,
            credential,
        })
    };
    let sets = every_set(universe);
    if !decision.is_allowed() {
        for set in &sets {
            assert_eq!(
                with_scopes(set),
                decision,
                "{}: a refusal depends on {set}",
                who.name
            );
        }
        return answer(&decision);
    }
    let suffices = |set: &&Scopes| match with_scopes(set) {
        Decision::Refused(Refusal::Scope { .. }) => false,
        other if other == decision => true,
        // Only credentials themselves are out of reach of every token.
        Decision::Refused(Refusal::Role {
            remedy: Remedy::Session,
            ..
        }) => false,
        other => panic!(
            "{}: {set} gives {other:?} instead of {decision:?}",
            who.name
        ),
    };
    let sufficient: Vec<_> = sets.iter().filter(suffices).collect();
    let is_smallest = |set: &&&Scopes| {
        !sufficient
            .iter()
            .any(|other| *other != **set && set.covers(**other))
    };
    let smallest: Vec<_> = sufficient
        .iter()
        .filter(is_smallest)
        .map(|set| short(**set))
        .collect();
    let scopes = match smallest.as_slice() {
        [] => "session".to_owned(),
        [only] if only.is_empty() => "yes".to_owned(),
        several => several.join("|"),
    };
    format!("{scopes} {}", grounds(&decision))
}

/// Every set of some of `universe`; those that cover the same stand once.
fn every_set(universe: &[Scope]) -> Vec<Scopes> {
    let mut sets = Vec::new();
    for bits in 0..1_u32 << universe.len() {
        let chosen = universe
            .iter()
            .enumerate()
            .filter(|(place, _)| bits >> place & 1 == 1);
        let set: Scopes = chosen.map(|(_, scope)| *scope).collect();
        if !sets.contains(&set) {
            sets.push(set);
        }
    }
    sets
}

fn short(scopes: Scopes) -> String {
    let words = scopes.iter().map(|scope| match scope {
        Scope::ReadPackages => "R",
        Scope::WritePackages => "W",
        Scope::DeletePackages => "D",
        other => other.as_str(),
    });
    words.collect::<Vec<_>>().join("+")
}

fn answer(decision: &Decision) -> String {
    match decision {
        Decision::Allowed(_) => format!("yes {}", grounds(decision)),
        Decision::Refused(refusal) => match refusal {
            Refusal::Unauthenticated => "401".to_owned(),
            Refusal::Suspended => "susp".to_owned(),
            Refusal::InstallationGone => "gone".to_owned(),
            Refusal::Unknown => "404".to_owned(),
            Refusal::Scope { missing, .. } => format!("scope {missing}"),
            Refusal::Installation { .. } => "job".to_owned(),
            Refusal::TokenTooNarrow { .. } => "narrow".to_owned(),
            Refusal::Role { missing, .. } => format!("-{missing}"),
        },
    }
}

fn grounds(decision: &Decision) -> &'static str {
    let Decision::Allowed(grounds) = decision else {
        return "";
    };
    match grounds {
        Grounds::System => "system",
        Grounds::Public => "public",
        Grounds::Internal => "internal",
        Grounds::Role { source, .. } => match source {
            RoleSource::Owner => "owner",
            RoleSource::OrganizationOwner => "org-owner",
            RoleSource::Grant => "grant",
            RoleSource::Team => "team",
            RoleSource::Repository => "repo",
            RoleSource::OwnRepository => "own-repo",
        },
        Grounds::Creation(creation) => match creation {
            CreationGrounds::System => "+system",
            CreationGrounds::Owner => "+owner",
            CreationGrounds::OrganizationOwner => "+org-owner",
            CreationGrounds::Member => "+member",
            CreationGrounds::Workflow => "+workflow",
            CreationGrounds::RepositoryWriter => "+repo",
        },
        Grounds::OwnAccount => "own",
        Grounds::Member => "member",
        Grounds::SignedIn => "signed-in",
        Grounds::SiteAdministrator => "site-admin",
    }
}

fn heading(out: &mut String, title: &str) {
    write!(out, "\n== {title}\n").unwrap();
}

fn line(out: &mut String, name: &str, cells: impl IntoIterator<Item = String>) {
    let mut text = format!("{name:<44}");
    for cell in cells {
        write!(text, "{cell:<17} ").unwrap();
    }
    writeln!(out, "{}", text.trim_end()).unwrap();
}
