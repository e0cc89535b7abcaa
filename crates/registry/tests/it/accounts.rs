//! People, organizations, teams.

use naru_model::policy::Refusal;
use naru_model::{Lifetime, OrganizationRole, PackagePermission, Role, TeamRole, TeamSlug};
use naru_registry::accounts::NewUser;
use naru_registry::packages::GrantTo;
use naru_registry::profiles::ProfileChange;
use naru_registry::tokens::TokenWish;
use naru_registry::{BadCredential, Caller, Error};

use crate::world::{container, nobody};
use crate::{World, name};

fn slug(text: &str) -> TeamSlug {
    text.parse().unwrap()
}

fn with_password(login: &str, password: &str) -> NewUser {
    let password = Some(password.into());
    NewUser {
        login: name(login),
        name: None,
        site_admin: false,
        password,
    }
}

#[tokio::test]
async fn names_are_unique_in_any_case_and_none_is_reserved() {
    let world = World::new().await;
    world.user("Octocat").await;
    let system = Caller::system();
    let again = world
        .registry
        .create_user(&system, with_password("octoCAT", "ferry at dawn"));
    assert!(matches!(again.await, Err(Error::Exists { .. })));
    let route = world
        .registry
        .create_user(&system, with_password("settings", "ferry at dawn"));
    assert!(matches!(route.await, Err(Error::Invalid(_))));
    let weak = world
        .registry
        .create_user(&system, with_password("hubot", "hubot123"));
    assert!(matches!(weak.await, Err(Error::Invalid(_))));
}

#[tokio::test]
async fn only_administrators_of_the_instance_make_users() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    for caller in [nobody(), octocat] {
        let made = world
            .registry
            .create_user(&caller, with_password("hubot", "ferry at dawn"));
        assert!(matches!(made.await, Err(Error::Refused(_))));
        assert!(world.registry.list_users(&caller, 10, 0).await.is_err());
    }
    world.user("admin").await;
    world
        .registry
        .promote_user(&Caller::system(), &name("admin"))
        .await
        .unwrap();
    let admin = world.caller(&world.pat("admin", "site_admin").await).await;
    world
        .registry
        .create_user(&admin, with_password("hubot", "ferry at dawn"))
        .await
        .unwrap();
    let logins = world.registry.list_users(&admin, 10, 0).await.unwrap();
    let logins: Vec<_> = logins.iter().map(|user| user.login.to_string()).collect();
    assert_eq!(logins, ["admin", "hubot", "octocat"]);
}

#[tokio::test]
async fn a_profile_is_changed_by_its_user_and_the_machine_and_nobody_else() {
    let world = World::new().await;
    for login in ["octocat", "hubot"] {
        world.user(login).await;
    }
    let octocat = world.caller(&world.pat("octocat", "user").await).await;
    let hubot = world.caller(&world.pat("hubot", "user").await).await;
    let registry = &world.registry;
    let login = name("octocat");
    let change = ProfileChange {
        bio: Some(Some("hi".to_owned())),
        ..ProfileChange::default()
    };
    for caller in [nobody(), hubot] {
        let changed = registry.update_user_profile(&caller, &login, &change);
        assert!(matches!(changed.await, Err(Error::Refused(_))));
    }
    for caller in [octocat, Caller::system()] {
        let changed = registry.update_user_profile(&caller, &login, &change);
        assert_eq!(changed.await.unwrap().profile.bio.as_deref(), Some("hi"));
    }
}

#[tokio::test]
async fn the_last_administrator_stays_one() {
    let world = World::new().await;
    let system = Caller::system();
    for login in ["admin", "hubot"] {
        world.user(login).await;
        world
            .registry
            .promote_user(&system, &name(login))
            .await
            .unwrap();
    }
    world
        .registry
        .suspend_user(&system, &name("hubot"))
        .await
        .unwrap();
    let demoted = world.registry.demote_user(&system, &name("admin")).await;
    assert!(matches!(demoted, Err(Error::Conflict(_))));
    let suspended = world.registry.suspend_user(&system, &name("admin")).await;
    assert!(matches!(suspended, Err(Error::Conflict(_))));
    world
        .registry
        .unsuspend_user(&system, &name("hubot"))
        .await
        .unwrap();
    world
        .registry
        .demote_user(&system, &name("admin"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_password_is_checked_changed_and_never_betrays_who_exists() {
    let world = World::new().await;
    let (system, visitor) = (Caller::system(), nobody());
    let check = async |login: &str, password: &str| {
        world
            .registry
            .check_password(&visitor, login, password.into())
            .await
    };
    world
        .registry
        .create_user(&system, with_password("octocat", "ferry at dawn"))
        .await
        .unwrap();
    assert_eq!(
        check("Octocat", "ferry at dawn")
            .await
            .unwrap()
            .login
            .as_str(),
        "octocat"
    );
    for (login, password) in [
        ("octocat", "ferry at dusk"),
        ("nobody", "ferry at dawn"),
        ("no body", ""),
        ("", ""),
    ] {
        let outcome = check(login, password).await;
        assert!(
            matches!(outcome, Err(Error::BadCredential(BadCredential::Unknown))),
            "{login}"
        );
    }
    let new = "barge at noon".into();
    world
        .registry
        .set_password(&system, &name("octocat"), new)
        .await
        .unwrap();
    assert!(check("octocat", "ferry at dawn").await.is_err());
    assert!(check("octocat", "barge at noon").await.is_ok());
    world
        .registry
        .suspend_user(&system, &name("octocat"))
        .await
        .unwrap();
    let right = check("octocat", "barge at noon").await;
    assert!(matches!(
        right,
        Err(Error::BadCredential(BadCredential::Suspended))
    ));
    let wrong = check("octocat", "ferry at dusk").await;
    assert!(matches!(
        wrong,
        Err(Error::BadCredential(BadCredential::Unknown))
    ));
}

#[tokio::test]
async fn a_suspended_user_is_given_no_token() {
    let world = World::new().await;
    world.user("octocat").await;
    let system = Caller::system();
    let create = async || {
        let wish = TokenWish {
            scopes: "read:packages".parse().unwrap(),
            lifetime: Lifetime::Never,
            note: String::new(),
        };
        let login = name("octocat");
        world.registry.create_token(&system, &login, wish).await
    };
    world
        .registry
        .suspend_user(&system, &name("octocat"))
        .await
        .unwrap();
    let refused = create().await;
    assert!(
        matches!(&refused, Err(Error::Conflict(text)) if text.contains("suspended")),
        "{refused:?}"
    );
    world
        .registry
        .unsuspend_user(&system, &name("octocat"))
        .await
        .unwrap();
    assert!(create().await.is_ok());
}

#[tokio::test]
async fn a_token_makes_no_credentials_and_changes_no_password() {
    let world = World::new().await;
    world.user("octocat").await;
    let caller = world
        .caller(&world.pat("octocat", "repo,user,admin:org").await)
        .await;
    let wish = TokenWish {
        scopes: "read:packages".parse().unwrap(),
        lifetime: Lifetime::Never,
        note: String::new(),
    };
    let made = world
        .registry
        .create_token(&caller, &name("octocat"), wish)
        .await;
    assert!(matches!(made, Err(Error::Refused(_))));
    // Reviewing them only takes rights away, and has a scope of its own.
    let listed = world.registry.list_tokens(&caller, &name("octocat")).await;
    assert!(listed.is_ok());
    let without = world
        .caller(&world.pat("octocat", "repo,admin:org").await)
        .await;
    let listed = world.registry.list_tokens(&without, &name("octocat")).await;
    assert!(matches!(listed, Err(Error::Refused(_))));
    let new = "barge at noon".into();
    let changed = world
        .registry
        .set_password(&caller, &name("octocat"), new)
        .await;
    assert!(matches!(changed, Err(Error::Refused(_))));
}

#[tokio::test]
async fn an_organization_keeps_an_owner() {
    let world = World::new().await;
    let system = Caller::system();
    world.user("octocat").await;
    world.user("hubot").await;
    world.organization("octo", "octocat").await;
    let (org, octocat, hubot) = (name("octo"), name("octocat"), name("hubot"));
    let registry = &world.registry;
    let member = OrganizationRole::Member;
    assert!(matches!(
        registry.remove_member(&system, &org, &octocat).await,
        Err(Error::Conflict(_))
    ));
    assert!(matches!(
        registry.set_member(&system, &org, &octocat, member).await,
        Err(Error::Conflict(_))
    ));
    registry
        .set_member(&system, &org, &hubot, OrganizationRole::Owner)
        .await
        .unwrap();
    registry
        .set_member(&system, &org, &octocat, member)
        .await
        .unwrap();
    let members = registry.list_members(&system, &org).await.unwrap();
    let members: Vec<_> = members
        .iter()
        .map(|(user, role)| (user.login.to_string(), *role))
        .collect();
    assert_eq!(
        members,
        [
            ("hubot".to_owned(), OrganizationRole::Owner),
            ("octocat".to_owned(), member)
        ]
    );
}

#[tokio::test]
async fn only_owners_change_members_and_only_members_see_them() {
    let world = World::new().await;
    for login in ["octocat", "hubot", "mona"] {
        world.user(login).await;
    }
    world.organization("octo", "octocat").await;
    let org = name("octo");
    let owner = world.caller(&world.pat("octocat", "admin:org").await).await;
    let hubot = world.caller(&world.pat("hubot", "admin:org").await).await;
    let registry = &world.registry;
    let role = OrganizationRole::Member;
    registry
        .set_member(&owner, &org, &name("hubot"), role)
        .await
        .unwrap();
    let added = registry.set_member(&hubot, &org, &name("mona"), role).await;
    assert!(matches!(added, Err(Error::Refused(Refusal::Role { .. }))));
    assert_eq!(registry.list_members(&hubot, &org).await.unwrap().len(), 2);
    let mona = world.caller(&world.pat("mona", "read:org").await).await;
    assert!(matches!(
        registry.list_members(&mona, &org).await,
        Err(Error::Refused(_))
    ));
    assert!(
        registry
            .create_team(&hubot, &org, "Crew", None)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_right_given_to_a_team_ends_with_the_membership_the_team_or_the_organization() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let hubot = world.person("hubot").await;
    world.organization("octo", "octocat").await;
    let (system, org, path) = (Caller::system(), name("octo"), container("octo/app"));
    world.push(&octocat, "octo/app", "1").await;
    let registry = &world.registry;
    let team = registry
        .create_team(&system, &org, "The Crew", None)
        .await
        .unwrap();
    assert_eq!(team.slug.as_str(), "the-crew");
    let crew = slug("the-crew");
    let to = GrantTo::Team(crew.clone());
    registry
        .grant_package(&system, &path, &to, Role::Write)
        .await
        .unwrap();
    let may_push = async || {
        registry
            .authorize(&hubot, &path, PackagePermission::Write)
            .await
            .is_ok()
    };
    let join = async || {
        let role = OrganizationRole::Member;
        registry
            .set_member(&system, &org, &name("hubot"), role)
            .await
            .unwrap();
        let role = TeamRole::Member;
        registry
            .set_team_member(&system, &org, &crew, &name("hubot"), role)
            .await
    };
    let role = TeamRole::Member;
    let early = registry
        .set_team_member(&system, &org, &crew, &name("hubot"), role)
        .await;
    assert!(
        matches!(early, Err(Error::Conflict(_))),
        "first into the organization"
    );
    assert!(!may_push().await);
    join().await.unwrap();
    assert!(may_push().await);
    registry
        .remove_team_member(&system, &org, &crew, &name("hubot"))
        .await
        .unwrap();
    assert!(!may_push().await);
    join().await.unwrap();
    registry
        .remove_member(&system, &org, &name("hubot"))
        .await
        .unwrap();
    assert!(!may_push().await);
    join().await.unwrap();
    assert!(may_push().await);
    registry.delete_team(&system, &org, &crew).await.unwrap();
    assert!(!may_push().await);
}
