//! Profiles, teams inside teams, and what is deleted and restored: what REST does not show by
//! itself.

use std::time::Duration;

use naru_metadata::accounts;
use naru_metadata::db::Dialect;
use naru_model::{
    OrganizationRole, PackagePermission, RepositoryRole, Role, TeamRole, Visibility,
    WorkflowPackages,
};
use naru_registry::packages::GrantTo;
use naru_registry::repositories::RepositoryChange;
use naru_registry::team_trees::{NewTeam, TeamChange, TeamRef};
use naru_registry::{Caller, Error};

use crate::fsck::damage;
use crate::kit::DAY;
use crate::world::{PACKAGES, basic, container, repository};
use crate::{World, name};

fn team(title: &str, parent: Option<&str>) -> NewTeam {
    NewTeam {
        name: title.to_owned(),
        privacy: Some(naru_model::TeamPrivacy::Closed),
        parent: parent.map(|slug| TeamRef::Slug(slug.parse().unwrap())),
        ..NewTeam::default()
    }
}

/// A user that is there, with a token for packages.
async fn packager(world: &World, login: &str) -> Caller {
    world.caller(&world.pat(login, PACKAGES).await).await
}

async fn organization_with_member(world: &World) {
    world.user("owner").await;
    world.user("hubot").await;
    world.organization("octo", "owner").await;
    let (system, org) = (Caller::system(), name("octo"));
    let member = OrganizationRole::Member;
    world
        .registry
        .set_member(&system, &org, &name("hubot"), member)
        .await
        .unwrap();
}

#[tokio::test]
async fn rights_of_an_upper_team_come_and_go_with_the_place_of_the_lower_one() {
    let world = World::new().await;
    organization_with_member(&world).await;
    let (system, org) = (Caller::system(), name("octo"));
    let registry = &world.registry;
    for (title, parent) in [
        ("Upper", None),
        ("Middle", Some("upper")),
        ("Lower", Some("middle")),
    ] {
        registry
            .create_team_from(&system, &org, &team(title, parent))
            .await
            .unwrap();
    }
    let lower = "lower".parse().unwrap();
    registry
        .set_team_member(&system, &org, &lower, &name("hubot"), TeamRole::Member)
        .await
        .unwrap();
    let owner = packager(&world, "owner").await;
    world.push(&owner, "octo/app", "1").await;
    let hubot = packager(&world, "hubot").await;
    let path = container("octo/app");
    let may_read = async || {
        let read = PackagePermission::Read;
        registry.authorize(&hubot, &path, read).await.is_ok()
    };
    assert!(!may_read().await);
    let upper = GrantTo::Team("upper".parse().unwrap());
    registry
        .grant_package(&system, &path, &upper, Role::Read)
        .await
        .unwrap();
    assert!(may_read().await);
    let out = TeamChange {
        parent: Some(None),
        ..TeamChange::default()
    };
    let middle = "middle".parse().unwrap();
    registry
        .update_team(&system, &org, &middle, &out)
        .await
        .unwrap();
    assert!(!may_read().await);
    let back = TeamChange {
        parent: Some(Some(TeamRef::Slug("upper".parse().unwrap()))),
        ..TeamChange::default()
    };
    registry
        .update_team(&system, &org, &middle, &back)
        .await
        .unwrap();
    assert!(may_read().await);
    registry.delete_team(&system, &org, &middle).await.unwrap();
    assert!(!may_read().await);
    assert!(registry.team_details(&system, &org, &lower).await.is_err());
}

#[tokio::test]
async fn teams_are_not_stacked_without_end() {
    let world = World::new().await;
    organization_with_member(&world).await;
    let (system, org) = (Caller::system(), name("octo"));
    let mut parent: Option<String> = None;
    for depth in 0..=17 {
        let made = world
            .registry
            .create_team_from(
                &system,
                &org,
                &team(&format!("t{depth}"), parent.as_deref()),
            )
            .await;
        if depth == 17 {
            assert!(matches!(made, Err(Error::InvalidField { .. })), "{made:?}");
        } else {
            made.unwrap();
        }
        parent = Some(format!("t{depth}"));
    }
}

#[tokio::test]
async fn an_organization_takes_its_packages_along_and_brings_them_back() {
    let world = World::new().await;
    organization_with_member(&world).await;
    world.repository("octo/source", Visibility::Private).await;
    let (system, org) = (Caller::system(), name("octo"));
    let owner = packager(&world, "owner").await;
    world.push(&owner, "octo/app", "1").await;
    let token = world
        .registry
        .create_workflow_token(
            &system,
            &repository("octo/source"),
            Some(WorkflowPackages::Read),
            Duration::from_secs(3600),
        )
        .await
        .unwrap();
    let basic = basic(token.secret.expose());
    let workflow = world.caller_of(&basic).await;
    let path = container("octo/app");
    let read = PackagePermission::Read;
    let registry = &world.registry;
    let caller = world.caller(&world.pat("owner", "admin:org").await).await;
    registry.delete_organization(&caller, &org).await.unwrap();
    assert!(registry.authorize(&owner, &path, read).await.is_err());
    assert!(registry.authorize_push(&owner, &path).await.is_err());
    let may_link = registry.authorize_push(&workflow, &path).await;
    assert!(matches!(may_link, Err(Error::Refused(_))), "{may_link:?}");
    world.clock.advance(29 * DAY);
    registry.restore_organization(&system, &org).await.unwrap();
    let owner = packager(&world, "owner").await;
    registry.authorize(&owner, &path, read).await.unwrap();
    let members = registry.list_members(&system, &org).await.unwrap();
    assert_eq!(members.len(), 2);

    registry.delete_organization(&system, &org).await.unwrap();
    world.clock.advance(31 * DAY);
    let late = registry.restore_organization(&system, &org).await;
    assert!(matches!(late, Err(Error::Conflict(_))), "{late:?}");
}

#[tokio::test]
async fn a_repository_with_packages_of_the_docker_registry_keeps_its_name() {
    let world = World::new().await;
    world.user("octocat").await;
    world.repository("octocat/app", Visibility::Private).await;
    let (system, path) = (Caller::system(), repository("octocat/app"));
    let rename = RepositoryChange {
        name: Some("other".parse().unwrap()),
        ..RepositoryChange::default()
    };
    let registry = &world.registry;
    let to = registry
        .update_repository(&system, &path, &rename)
        .await
        .unwrap();
    assert_eq!(to.to_string(), "octocat/other");
    let back = RepositoryChange {
        name: Some("app".parse().unwrap()),
        ..RepositoryChange::default()
    };
    registry
        .update_repository(&system, &to, &back)
        .await
        .unwrap();
    let moved = registry
        .moved_repository(&system, &to)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(moved.path(), path);
    let hubot = {
        world.user("hubot").await;
        world.caller(&world.pat("hubot", "repo").await).await
    };
    assert_eq!(registry.moved_repository(&hubot, &to).await.unwrap(), None);
    let role = RepositoryRole::Write;
    registry
        .set_collaborator(&system, &path, &name("hubot"), role)
        .await
        .unwrap();
    assert!(
        registry
            .moved_repository(&hubot, &to)
            .await
            .unwrap()
            .is_some()
    );
    let refused = registry.update_repository(&hubot, &path, &rename).await;
    assert!(matches!(refused, Err(Error::Refused(_))));
    let described = RepositoryChange {
        description: Some(Some("An app".to_owned())),
        ..RepositoryChange::default()
    };
    registry
        .update_repository(&hubot, &path, &described)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_database_that_fails_is_no_repository_that_is_not_there() {
    let world = World::new().await;
    world.user("octocat").await;
    world.repository("octocat/app", Visibility::Private).await;
    let (system, path) = (Caller::system(), repository("octocat/app"));
    let rename = RepositoryChange {
        name: Some("other".parse().unwrap()),
        ..RepositoryChange::default()
    };
    let registry = &world.registry;
    let renamed = registry.update_repository(&system, &path, &rename).await;
    renamed.unwrap();
    let moved = registry.moved_repository(&system, &path).await;
    assert!(moved.unwrap().is_some());
    damage(&world, "ALTER TABLE repository_users RENAME TO away").await;
    let lost = registry.moved_repository(&system, &path).await;
    assert!(matches!(lost, Err(Error::Internal(_))), "{lost:?}");
}

/// On SQLite whoever writes is alone, and nothing can be in the way after the decision.
#[tokio::test]
async fn a_team_that_cannot_be_locked_is_no_refusal() {
    let world = World::new().await;
    let db = world.db().await;
    if db.dialect() == Dialect::Sqlite {
        return;
    }
    for login in ["owner", "maintainer"] {
        world.user(login).await;
    }
    world.organization("octo", "owner").await;
    world.repository("octo/app", Visibility::Public).await;
    let (system, octo, who) = (Caller::system(), name("octo"), name("maintainer"));
    let registry = &world.registry;
    let member = registry.set_member(&system, &octo, &who, OrganizationRole::Member);
    member.await.unwrap();
    let team = registry.create_team(&system, &octo, "Crew", None).await;
    let (slug, path) = (team.unwrap().slug, repository("octo/app"));
    let role = TeamRole::Maintainer;
    let set = registry.set_team_member(&system, &octo, &slug, &who, role);
    set.await.unwrap();
    let role = RepositoryRole::Read;
    let given = registry.give_team_repository(&system, &octo, &slug, &path, role);
    given.await.unwrap();
    let maintainer = world
        .caller(&world.pat("maintainer", "repo,admin:org").await)
        .await;
    let organization = registry.account(&system, &octo).await.unwrap().id();
    let mut other = db.write().await.unwrap();
    accounts::lock(&mut other, organization).await.unwrap();
    let taken = registry.take_team_repository(&maintainer, &octo, &slug, &path);
    let taken = taken.await;
    assert!(matches!(taken, Err(Error::Unavailable(_))), "{taken:?}");
    drop(other);
    let taken = registry.take_team_repository(&maintainer, &octo, &slug, &path);
    taken.await.unwrap();
}
