//! Facts: what a decision is made from, and that lists say the same as decisions.

use std::collections::BTreeSet;

use crate::accounts::{name, organization, package, repository, team, user};
use crate::home::at;
use crate::{Home, on_both};
use naru_metadata::package_lists::{BinSlice, PackageFilter};
use naru_metadata::repository_lists::{Order, Shown};
use naru_metadata::{
    Conn, Cursor, accounts, grants, instance, package_lists, packages, repositories,
    repository_lists, team_trees, teams,
};
use naru_model::policy::{self, Caller};
use naru_model::{
    AccountId, AccountKind, Credential, OrganizationRole, PackageId, PackagePath,
    PackagePermission, PackageState, PackageType, Principal, RegistryMode, RepositoryId,
    RepositoryPath, RepositoryPermission, RepositoryRole, Role, TeamPermission, TeamPrivacy,
    TeamRole, TokenId, Transport, Visibility, WorkflowPackages,
};

on_both!(
    of_what_is_not_there_there_are_no_facts,
    the_best_of_every_role_is_found,
    a_package_that_is_not_deleted_comes_before_those_that_are,
    a_legacy_package_follows_the_repository_in_its_name,
    a_workflow_is_known_by_its_repository,
    a_suspended_caller_is_not_active,
    lists_show_exactly_what_may_be_read,
    lists_of_repositories_show_exactly_what_may_be_seen,
    lists_of_teams_show_exactly_what_may_be_seen,
    the_bin_shows_exactly_what_may_be_restored,
    a_list_is_cut_into_pages_and_filtered,
    conflicts_are_listed_and_counted_apart,
);

pub(crate) fn session(user: AccountId) -> Principal {
    Principal::User {
        user,
        site_admin: false,
        credential: Credential::session(),
    }
}

fn workflow(repository: RepositoryId) -> Principal {
    Principal::Workflow {
        repository,
        packages: Some(WorkflowPackages::Write),
        token: TokenId::new(1),
        transport: Transport::Bearer,
    }
}

fn path(package_type: PackageType, owner: &str, package: &str) -> PackagePath {
    PackagePath {
        package_type,
        owner: name(owner),
        name: package.parse().unwrap(),
    }
}

async fn of_what_is_not_there_there_are_no_facts(home: Home) {
    let mut tx = home.open().await.write().await.unwrap();
    let cat = user(&mut tx, "cat").await;
    let nowhere = path(PackageType::Container, "nobody", "image");
    for principal in [Principal::ANONYMOUS, Principal::System] {
        let facts = grants::package_facts(&mut tx, &principal, &nowhere)
            .await
            .unwrap();
        let nothing = policy::PackageFacts {
            registry: RegistryMode::Enabled,
            ..policy::PackageFacts::default()
        };
        assert_eq!(facts, nothing);
    }
    let facts = grants::package_facts(&mut tx, &session(cat), &nowhere)
        .await
        .unwrap();
    let caller = Caller {
        active: true,
        ..Caller::default()
    };
    assert_eq!(
        facts,
        policy::PackageFacts {
            registry: RegistryMode::Enabled,
            caller,
            ..policy::PackageFacts::default()
        }
    );
    assert_eq!(
        grants::caller_facts(&mut tx, &session(cat)).await.unwrap(),
        caller
    );
    let stranger = session(AccountId::new(404));
    let facts = grants::caller_facts(&mut tx, &stranger).await.unwrap();
    assert_eq!(facts, Caller::default());
}

async fn the_best_of_every_role_is_found(home: Home) {
    let mut tx = home.open().await.write().await.unwrap();
    let octo = organization(&mut tx, "octo").await;
    let cat = user(&mut tx, "cat").await;
    let image = package(&mut tx, octo, PackageType::Container, "image").await;
    let app = repository(&mut tx, octo, "app", Visibility::Internal).await;
    accounts::set_member(&mut tx, octo, cat, OrganizationRole::Member, at(1))
        .await
        .unwrap();
    grants::set_user(&mut tx, image, cat, Role::Read, at(1))
        .await
        .unwrap();
    let team_roles = [
        ("one", Role::Read, RepositoryRole::Maintain),
        ("two", Role::Admin, RepositoryRole::Triage),
        ("none", Role::Admin, RepositoryRole::Admin),
    ];
    for (slug, role, repository_role) in team_roles {
        let team = team(&mut tx, octo, slug).await;
        if slug != "none" {
            teams::set_member(&mut tx, team, cat, TeamRole::Member, at(1))
                .await
                .unwrap();
        }
        let granted = if slug == "none" {
            Role::Admin
        } else {
            role.min(Role::Write)
        };
        grants::set_team(&mut tx, image, team, granted, at(1))
            .await
            .unwrap();
        repositories::set_team_role(&mut tx, app, team, repository_role, at(1))
            .await
            .unwrap();
    }
    repositories::set_user_role(&mut tx, app, cat, RepositoryRole::Read, at(1))
        .await
        .unwrap();
    packages::set_repository(&mut tx, image, Some(app), true, at(1))
        .await
        .unwrap();
    packages::publish(&mut tx, image, at(2)).await.unwrap();

    let path = path(PackageType::Container, "Octo", "image");
    let facts = grants::package_facts(&mut tx, &session(cat), &path)
        .await
        .unwrap();
    let owner = facts.owner.unwrap();
    assert_eq!((owner.id, owner.kind), (octo, AccountKind::Organization));
    let found = facts.package.unwrap();
    assert_eq!((found.id, found.state), (image, PackageState::Live));
    assert_eq!(
        (found.visibility, found.inherit_access),
        (Visibility::Private, true)
    );
    let linked = facts.repository.unwrap();
    assert_eq!((linked.id, linked.visibility), (app, Visibility::Internal));
    assert_eq!(
        facts.caller,
        Caller {
            active: true,
            organization_role: Some(OrganizationRole::Member),
            grant: Some(Role::Read),
            team_grant: Some(Role::Write),
            repository_role: Some(RepositoryRole::Maintain),
            workflow: None,
        }
    );
    let path = "octo/app".parse().unwrap();
    let facts = grants::repository_facts(&mut tx, &session(cat), &path)
        .await
        .unwrap();
    assert_eq!(facts.repository, Some(linked));
    assert_eq!(facts.caller.repository_role, Some(RepositoryRole::Maintain));
    let facts = grants::account_facts(&mut tx, &session(cat), &name("OCTO"))
        .await
        .unwrap();
    assert_eq!(facts.account, Some(owner));
    assert_eq!(
        facts.caller.organization_role,
        Some(OrganizationRole::Member)
    );
}

async fn a_package_that_is_not_deleted_comes_before_those_that_are(home: Home) {
    let mut tx = home.open().await.write().await.unwrap();
    let cat = user(&mut tx, "cat").await;
    let path = path(PackageType::Container, "cat", "image");
    let facts = async |tx: &mut Conn| {
        grants::package_facts(tx, &session(cat), &path)
            .await
            .unwrap()
            .package
    };
    let mut last = None;
    for deleted in [10, 20, 30] {
        let id = package(&mut tx, cat, PackageType::Container, "image").await;
        assert_eq!(facts(&mut tx).await.unwrap().state, PackageState::Hidden);
        packages::publish(&mut tx, id, at(2)).await.unwrap();
        assert_eq!(facts(&mut tx).await.unwrap().id, id);
        assert!(
            packages::delete(&mut tx, id, at(deleted), Some(cat))
                .await
                .unwrap()
        );
        last = Some(id);
    }
    let found = facts(&mut tx).await.unwrap();
    assert_eq!((Some(found.id), found.state), (last, PackageState::Deleted));
}

async fn a_legacy_package_follows_the_repository_in_its_name(home: Home) {
    let mut tx = home.open().await.write().await.unwrap();
    let octo = organization(&mut tx, "octo").await;
    let app = repository(&mut tx, octo, "App", Visibility::Public).await;
    let path = path(PackageType::Docker, "octo", "app/image");
    let facts = grants::package_facts(&mut tx, &Principal::ANONYMOUS, &path)
        .await
        .unwrap();
    assert_eq!((facts.package, facts.repository.unwrap().id), (None, app));
    repositories::delete(&mut tx, app, at(2)).await.unwrap();
    let facts = grants::package_facts(&mut tx, &Principal::ANONYMOUS, &path)
        .await
        .unwrap();
    assert_eq!(facts.repository, None);
}

async fn a_workflow_is_known_by_its_repository(home: Home) {
    let mut tx = home.open().await.write().await.unwrap();
    let octo = organization(&mut tx, "octo").await;
    let app = repository(&mut tx, octo, "app", Visibility::Internal).await;
    let image = package(&mut tx, octo, PackageType::Container, "image").await;
    grants::set_repository(&mut tx, image, app, Role::Write, at(1))
        .await
        .unwrap();
    let path = path(PackageType::Container, "octo", "image");
    let facts = grants::package_facts(&mut tx, &workflow(app), &path)
        .await
        .unwrap();
    let runs_in = facts.caller.workflow.unwrap();
    assert_eq!(
        (runs_in.owner, runs_in.visibility),
        (octo, Visibility::Internal)
    );
    assert_eq!(
        (facts.caller.active, facts.caller.grant),
        (true, Some(Role::Write))
    );
    repositories::delete(&mut tx, app, at(2)).await.unwrap();
    let facts = grants::package_facts(&mut tx, &workflow(app), &path)
        .await
        .unwrap();
    assert_eq!(facts.caller, Caller::default());
}

async fn a_suspended_caller_is_not_active(home: Home) {
    let mut tx = home.open().await.write().await.unwrap();
    let cat = user(&mut tx, "cat").await;
    accounts::set_suspended(&mut tx, cat, Some(at(2)), at(2))
        .await
        .unwrap();
    assert!(
        !grants::caller_facts(&mut tx, &session(cat))
            .await
            .unwrap()
            .active
    );
    accounts::set_suspended(&mut tx, cat, None, at(3))
        .await
        .unwrap();
    assert!(
        grants::caller_facts(&mut tx, &session(cat))
            .await
            .unwrap()
            .active
    );
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(sides).unwrap()).unwrap()
    }

    fn one_in(&mut self, sides: usize) -> bool {
        self.below(sides) == 0
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// A small world, and everybody in it.
struct World {
    owners: Vec<AccountId>,
    packages: Vec<PackageId>,
    repositories: Vec<RepositoryId>,
    principals: Vec<Principal>,
}

async fn a_world(tx: &mut Conn, dice: &mut Dice) -> World {
    let mut users = Vec::new();
    for login in ["ann", "bob", "cid", "dan"] {
        let id = user(tx, login).await;
        if dice.one_in(5) {
            accounts::set_suspended(tx, id, Some(at(2)), at(2))
                .await
                .unwrap();
        }
        users.push(id);
    }
    let octo = organization(tx, "octo").await;
    let other = organization(tx, "other").await;
    for user in &users {
        for organization in [octo, other] {
            if dice.one_in(2) {
                let role = dice.of(OrganizationRole::ALL);
                accounts::set_member(tx, organization, *user, role, at(2))
                    .await
                    .unwrap();
            }
        }
    }
    let owners = vec![users[0], octo, other];
    let teams = some_teams(tx, dice, &[octo, other], &users).await;
    let mut repositories = Vec::new();
    for owner in &owners {
        for name in ["app", "lib"] {
            let visibility = dice.of(Visibility::ALL);
            repositories.push(repository(tx, *owner, name, visibility).await);
        }
    }
    roles_in_repositories(tx, dice, &repositories, &users, &teams).await;
    let mut packages = Vec::new();
    for owner in &owners {
        packages.extend(some_packages(tx, dice, *owner, &repositories).await);
    }
    grants_on_packages(tx, dice, &packages, &users, &teams, &repositories).await;
    for repository in &repositories {
        if dice.one_in(6) {
            repositories::delete(tx, *repository, at(4)).await.unwrap();
        }
    }
    let mut principals = vec![Principal::ANONYMOUS, Principal::System];
    principals.extend(users.into_iter().map(session));
    principals.extend(repositories.iter().copied().map(workflow));
    World {
        owners,
        packages,
        repositories,
        principals,
    }
}

async fn make_secret(tx: &mut Conn, team: naru_model::TeamId) {
    let mut record = teams::find_by_id(tx, team).await.unwrap().unwrap();
    record.privacy = TeamPrivacy::Secret;
    teams::update(tx, &record, at(2)).await.unwrap();
}

async fn some_teams(
    tx: &mut Conn,
    dice: &mut Dice,
    organizations: &[AccountId],
    users: &[AccountId],
) -> Vec<naru_model::TeamId> {
    let mut teams = Vec::new();
    for organization in organizations {
        for slug in ["core", "docs"] {
            let team = team(tx, *organization, slug).await;
            if dice.one_in(2) {
                make_secret(tx, team).await;
            }
            for user in users {
                if dice.one_in(3) {
                    let role = TeamRole::Member;
                    teams::set_member(tx, team, *user, role, at(2))
                        .await
                        .unwrap();
                }
            }
            teams.push(team);
        }
        if let [.., upper, lower] = teams.as_slice()
            && dice.one_in(2)
        {
            team_trees::set_parent(tx, *lower, Some(*upper), at(2))
                .await
                .unwrap();
        }
    }
    teams
}

async fn roles_in_repositories(
    tx: &mut Conn,
    dice: &mut Dice,
    repositories: &[RepositoryId],
    users: &[AccountId],
    teams: &[naru_model::TeamId],
) {
    for repository in repositories {
        for user in users {
            if dice.one_in(5) {
                let role = dice.of(RepositoryRole::ALL);
                repositories::set_user_role(tx, *repository, *user, role, at(2))
                    .await
                    .unwrap();
            }
        }
        for team in teams {
            if dice.one_in(6) {
                let role = dice.of(RepositoryRole::ALL);
                repositories::set_team_role(tx, *repository, *team, role, at(2))
                    .await
                    .unwrap();
            }
        }
    }
}

async fn some_packages(
    tx: &mut Conn,
    dice: &mut Dice,
    owner: AccountId,
    repositories: &[RepositoryId],
) -> Vec<PackageId> {
    let names = [
        (PackageType::Container, "one"),
        (PackageType::Container, "two"),
        (PackageType::Container, "app/deep"),
        (PackageType::Docker, "app/image"),
        (PackageType::Docker, "lib/image"),
        (PackageType::Docker, "gone/image"),
    ];
    let mut packages = Vec::new();
    for (package_type, name) in names {
        let id = package(tx, owner, package_type, name).await;
        let visibility = dice.of(Visibility::ALL);
        packages::set_visibility(tx, id, visibility, at(2))
            .await
            .unwrap();
        if dice.one_in(2) {
            let linked = Some(dice.of(repositories));
            packages::set_repository(tx, id, linked, dice.one_in(2), at(2))
                .await
                .unwrap();
        }
        if !dice.one_in(6) {
            packages::publish(tx, id, at(3)).await.unwrap();
        }
        if dice.one_in(7) {
            packages::delete(tx, id, at(4), None).await.unwrap();
        }
        packages.push(id);
    }
    packages
}

async fn grants_on_packages(
    tx: &mut Conn,
    dice: &mut Dice,
    packages: &[PackageId],
    users: &[AccountId],
    teams: &[naru_model::TeamId],
    repositories: &[RepositoryId],
) {
    for package in packages {
        for user in users {
            if dice.one_in(5) {
                grants::set_user(tx, *package, *user, dice.of(Role::ALL), at(2))
                    .await
                    .unwrap();
            }
        }
        for team in teams {
            if dice.one_in(6) {
                grants::set_team(tx, *package, *team, dice.of(Role::ALL), at(2))
                    .await
                    .unwrap();
            }
        }
        for repository in repositories {
            if dice.one_in(6) {
                let role = dice.of(Role::ALL);
                grants::set_repository(tx, *package, *repository, role, at(2))
                    .await
                    .unwrap();
            }
        }
    }
}

async fn lists_show_exactly_what_may_be_read(home: Home) {
    let db = home.open().await;
    let (mut shown, mut withheld) = (0, 0);
    for seed in 1..=12_u64 {
        // Never committed: each world is alone.
        let mut tx = db.write().await.unwrap();
        let world = a_world(&mut tx, &mut Dice(0x9E37_79B9_7F4A_7C15 ^ seed)).await;
        if seed == 12 {
            instance::set_registry(&mut tx, PackageType::Docker, RegistryMode::Disabled)
                .await
                .unwrap();
        }
        for principal in &world.principals {
            let mut listed = BTreeSet::new();
            for owner in &world.owners {
                for package_type in PackageType::ALL {
                    let filter = all_of(*owner, *package_type);
                    let page = listed_packages(&mut tx, principal, filter).await;
                    listed.extend(page);
                }
            }
            let mut readable = BTreeSet::new();
            for package in &world.packages {
                if may_read(&mut tx, principal, *package).await {
                    readable.insert(*package);
                }
            }
            assert_eq!(listed, readable, "world {seed}, {principal:?}");
            shown += readable.len();
            withheld += world.packages.len() - readable.len();
        }
    }
    assert!(
        shown > 300 && withheld > 300,
        "{shown} shown, {withheld} withheld"
    );
}

const fn all_of(owner: AccountId, package_type: PackageType) -> PackageFilter {
    PackageFilter {
        owner,
        package_type,
        visibility: None,
        conflicting: false,
    }
}

/// A list that fits on a page; its total is that of the page.
async fn listed_packages(
    tx: &mut Conn,
    principal: &Principal,
    filter: PackageFilter,
) -> Vec<PackageId> {
    let page = package_lists::visible_packages(tx, principal, filter, Cursor::first(100)).await;
    let page = page.unwrap().items;
    let count = package_lists::count_visible_packages(tx, principal, filter, 100).await;
    assert_eq!(count.unwrap(), page.len() as u64, "the total of the list");
    page.into_iter().map(|listed| listed.package.id).collect()
}

async fn the_bin_shows_exactly_what_may_be_restored(home: Home) {
    let db = home.open().await;
    let (mut shown, mut withheld) = (0, 0);
    for seed in 1..=30_u64 {
        // Never committed: each world is alone.
        let mut tx = db.write().await.unwrap();
        let world = a_world(&mut tx, &mut Dice(0x9E37_79B9_7F4A_7C15 ^ seed)).await;
        for principal in &world.principals {
            let mut listed = BTreeSet::new();
            for owner in &world.owners {
                for package_type in PackageType::ALL {
                    let filter = all_of(*owner, *package_type);
                    let slice = BinSlice {
                        since: at(0),
                        limit: 100,
                        offset: 0,
                        below: None,
                    };
                    let found =
                        package_lists::restorable_packages(&mut tx, principal, filter, slice).await;
                    listed.extend(found.unwrap().into_iter().map(|listed| listed.package.id));
                }
            }
            let (mut restorable, mut deleted) = (BTreeSet::new(), 0);
            for package in &world.packages {
                let Some(may) = may_restore(&mut tx, principal, *package).await else {
                    continue;
                };
                deleted += 1;
                if may {
                    restorable.insert(*package);
                }
            }
            assert_eq!(listed, restorable, "world {seed}, {principal:?}");
            shown += restorable.len();
            withheld += deleted - restorable.len();
        }
    }
    assert!(
        shown > 60 && withheld > 60,
        "{shown} shown, {withheld} withheld"
    );
}

/// What the policy says of restoring a package that was published and deleted; `None` of others.
async fn may_restore(tx: &mut Conn, principal: &Principal, package: PackageId) -> Option<bool> {
    let found = packages::find(tx, package).await.unwrap().unwrap();
    if found.deleted_at.is_none() || found.published_at.is_none() {
        return None;
    }
    let owner = accounts::find_by_id(tx, found.owner).await.unwrap();
    let Some(owner) = owner else {
        return Some(false);
    };
    let path = PackagePath {
        package_type: found.package_type,
        owner: owner.login().clone(),
        name: found.name,
    };
    let facts = grants::package_facts(tx, principal, &path).await.unwrap();
    let restore = PackagePermission::Restore;
    Some(policy::decide_package(principal, restore, &path, &facts).is_allowed())
}

async fn lists_of_repositories_show_exactly_what_may_be_seen(home: Home) {
    let db = home.open().await;
    let (mut shown, mut withheld) = (0, 0);
    for seed in 1..=12_u64 {
        // Never committed: each world is alone.
        let mut tx = db.write().await.unwrap();
        let world = a_world(&mut tx, &mut Dice(0x9E37_79B9_7F4A_7C15 ^ seed)).await;
        for principal in &world.principals {
            let mut listed = BTreeSet::new();
            for owner in &world.owners {
                let (all, order) = (Shown::All, Order::default());
                let first = Cursor::first(100);
                let page =
                    repository_lists::of_owner(&mut tx, principal, *owner, all, order, first).await;
                listed.extend(page.unwrap().items.into_iter().map(|row| row.repository.id));
            }
            let mut visible = BTreeSet::new();
            for repository in &world.repositories {
                if may_see(&mut tx, principal, *repository).await {
                    visible.insert(*repository);
                }
            }
            assert_eq!(listed, visible, "world {seed}, {principal:?}");
            let among = repository_lists::among(&mut tx, principal, &world.repositories).await;
            let among = among.unwrap().into_iter().map(|row| row.repository.id);
            assert_eq!(
                among.collect::<BTreeSet<_>>(),
                visible,
                "world {seed}, {principal:?}"
            );
            for (path, facts) in facts_of_all(&mut tx, principal, &world.repositories).await {
                let alone = grants::repository_facts(&mut tx, principal, &path).await;
                assert_eq!(facts, alone.unwrap(), "world {seed}, {principal:?}, {path}");
            }
            shown += visible.len();
            withheld += world.repositories.len() - visible.len();
        }
    }
    assert!(
        shown > 200 && withheld > 200,
        "{shown} shown, {withheld} withheld"
    );
}

/// The facts of those repositories that are there, read together.
async fn facts_of_all(
    tx: &mut Conn,
    principal: &Principal,
    repositories: &[RepositoryId],
) -> Vec<(RepositoryPath, policy::RepositoryFacts)> {
    let found = grants::facts_of_repositories(tx, principal, repositories).await;
    let (found, mut there) = (found.unwrap(), 0);
    for repository in repositories {
        let path = repositories::path(tx, *repository).await.unwrap();
        there += usize::from(path.is_some());
    }
    assert_eq!(found.len(), there);
    found
}

/// What the policy says of seeing a repository that is not deleted.
async fn may_see(tx: &mut Conn, principal: &Principal, repository: RepositoryId) -> bool {
    let Some(path) = repositories::path(tx, repository).await.unwrap() else {
        return false;
    };
    let facts = grants::repository_facts(tx, principal, &path)
        .await
        .unwrap();
    policy::decide_repository(principal, RepositoryPermission::Read, &facts).is_allowed()
}

async fn lists_of_teams_show_exactly_what_may_be_seen(home: Home) {
    let db = home.open().await;
    let (mut shown, mut withheld) = (0, 0);
    for seed in 1..=12_u64 {
        // Never committed: each world is alone.
        let mut tx = db.write().await.unwrap();
        let world = a_world(&mut tx, &mut Dice(0x9E37_79B9_7F4A_7C15 ^ seed)).await;
        for principal in &world.principals {
            for (login, organization) in ["octo", "other"].iter().zip(&world.owners[1..]) {
                let first = Cursor::first(100);
                let page = team_trees::visible(&mut tx, *organization, principal, first).await;
                let teams = page.unwrap().items;
                let mut ids = Vec::new();
                for slug in ["core", "docs"] {
                    let team = teams::find(&mut tx, *organization, &slug.parse().unwrap()).await;
                    ids.extend(team.unwrap().map(|team| team.id));
                }
                let among = team_trees::among(&mut tx, principal, &ids).await.unwrap();
                let seen: BTreeSet<_> = teams.iter().map(|team| team.id).collect();
                assert_eq!(
                    seen,
                    among.into_iter().collect(),
                    "world {seed}, {principal:?}"
                );
                let listed: Vec<_> = teams.into_iter().map(|team| team.slug).collect();
                for slug in ["core", "docs"] {
                    let slug = slug.parse().unwrap();
                    let facts = grants::team_facts(&mut tx, principal, &name(login), &slug).await;
                    let decision =
                        policy::decide_team(principal, TeamPermission::Read, &facts.unwrap());
                    let is_seen = decision.is_allowed();
                    assert_eq!(
                        listed.contains(&slug),
                        is_seen,
                        "world {seed}, {principal:?}"
                    );
                    shown += u32::from(is_seen);
                    withheld += u32::from(!is_seen);
                }
            }
        }
    }
    assert!(
        shown > 50 && withheld > 50,
        "{shown} shown, {withheld} withheld"
    );
}

/// What the policy says of reading a published package.
async fn may_read(tx: &mut Conn, principal: &Principal, package: PackageId) -> bool {
    let Some(path) = grants::package_path(tx, package).await.unwrap() else {
        return false;
    };
    let facts = grants::package_facts(tx, principal, &path).await.unwrap();
    if facts
        .package
        .is_none_or(|package| package.state != PackageState::Live)
    {
        return false;
    }
    policy::decide_package(principal, PackagePermission::Read, &path, &facts).is_allowed()
}

async fn a_list_is_cut_into_pages_and_filtered(home: Home) {
    let mut tx = home.open().await.write().await.unwrap();
    let cat = user(&mut tx, "cat").await;
    let mut made = Vec::new();
    for number in 0..5 {
        let name = format!("app/image{number}");
        made.insert(
            0,
            published(&mut tx, cat, PackageType::Container, &name).await,
        );
    }
    let image = published(&mut tx, cat, PackageType::Docker, "app/image").await;
    packages::set_visibility(&mut tx, made[0], Visibility::Public, at(3))
        .await
        .unwrap();
    let all = all_of(cat, PackageType::Container);
    let mut seen = Vec::new();
    let mut cursor = Some(Cursor::first(2));
    while let Some(from) = cursor {
        let page = package_lists::visible_packages(&mut tx, &session(cat), all, from)
            .await
            .unwrap();
        assert!(page.items.len() <= 2);
        seen.extend(page.items.into_iter().map(|listed| listed.package.id));
        cursor = page.next;
    }
    assert_eq!(seen, made);
    let images = all_of(cat, PackageType::Docker);
    let public = PackageFilter {
        visibility: Some(Visibility::Public),
        ..all
    };
    for (filter, expected) in [(images, image), (public, made[0])] {
        let page = listed_packages(&mut tx, &session(cat), filter).await;
        assert_eq!(page, [expected]);
    }
}

/// A name of the legacy registry that the container registry has too, and one that it has not.
async fn conflicts_are_listed_and_counted_apart(home: Home) {
    let mut tx = home.open().await.write().await.unwrap();
    let cat = user(&mut tx, "cat").await;
    let image = published(&mut tx, cat, PackageType::Docker, "app/image").await;
    published(&mut tx, cat, PackageType::Docker, "app/other").await;
    let conflicting = PackageFilter {
        conflicting: true,
        ..all_of(cat, PackageType::Docker)
    };
    let page = listed_packages(&mut tx, &session(cat), conflicting).await;
    assert_eq!(page, []);
    let twin = package(&mut tx, cat, PackageType::Container, "app/image").await;
    let page = listed_packages(&mut tx, &session(cat), conflicting).await;
    assert_eq!(page, [], "it is not published");
    packages::publish(&mut tx, twin, at(4)).await.unwrap();
    let page = listed_packages(&mut tx, &session(cat), conflicting).await;
    assert_eq!(page, [image]);
}

async fn published(
    tx: &mut Conn,
    owner: AccountId,
    package_type: PackageType,
    name: &str,
) -> PackageId {
    let id = package(tx, owner, package_type, name).await;
    packages::publish(tx, id, at(2)).await.unwrap();
    id
}
