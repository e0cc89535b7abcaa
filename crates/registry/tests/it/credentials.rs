//! Who is calling.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use naru_model::{Principal, Scope};
use naru_registry::authorization::Authorization;
use naru_registry::credentials::{Door, Identity};
use naru_registry::{BadCredential, Caller, Error};

use crate::world::{PACKAGES, basic, bearer};
use crate::{World, name};

const DOORS: [Door; 4] = [
    Door::ContainerRegistry,
    Door::DockerRegistry,
    Door::TokenEndpoint,
    Door::Rest,
];

fn refused(outcome: &naru_registry::Result<Identity>, why: BadCredential) -> bool {
    matches!(outcome, Err(Error::BadCredential(found)) if *found == why)
}

#[tokio::test]
async fn a_token_is_its_owner_at_every_door_however_it_is_presented() {
    let world = World::new().await;
    world.user("octocat").await;
    let pat = world.pat("octocat", PACKAGES).await;
    let encoded = STANDARD.encode(&pat.secret);
    let pair = STANDARD.encode(format!("octocat:{}", pat.secret));
    let plain = Authorization::parse(Some(format!("token {}", pat.secret).as_bytes()));
    let forms = [
        basic(&pat.secret),
        bearer(&pat.secret),
        bearer(&encoded),
        bearer(&pair),
        plain,
    ];
    for door in DOORS {
        for form in &forms {
            let identity = world.identify(door, form).await.unwrap();
            let Identity::Known(Principal::User {
                credential,
                site_admin,
                ..
            }) = identity
            else {
                panic!("{door:?} {form:?}: {identity:?}");
            };
            assert_eq!(credential.token, Some(pat.id));
            assert!(credential.has(Scope::WritePackages) && !credential.has(Scope::Repo));
            assert!(!site_admin);
        }
    }
}

#[tokio::test]
async fn an_account_password_is_no_token() {
    let world = World::new().await;
    for door in DOORS {
        let outcome = world.identify(door, &basic("correct horse battery")).await;
        assert!(
            refused(&outcome, BadCredential::NotAToken),
            "{door:?}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn an_unusable_bearer_is_quietly_nobody_on_the_container_registry_alone() {
    let world = World::new().await;
    let unknown = {
        let elsewhere = World::new().await;
        elsewhere.user("octocat").await;
        elsewhere.pat("octocat", PACKAGES).await.secret
    };
    for (text, why) in [
        (unknown.as_str(), BadCredential::Unknown),
        ("QQ==", BadCredential::NotAToken),
        ("a.b.c", BadCredential::Unknown),
        ("hunter2", BadCredential::NotAToken),
    ] {
        let outcome = world.identify(Door::ContainerRegistry, &bearer(text)).await;
        assert_eq!(outcome.unwrap(), Identity::Ignored(why), "{text}");
        for door in [Door::DockerRegistry, Door::TokenEndpoint, Door::Rest] {
            let outcome = world.identify(door, &bearer(text)).await;
            assert!(refused(&outcome, why), "{door:?} {text}");
        }
    }
}

#[tokio::test]
async fn a_wrong_basic_credential_is_refused_at_every_door() {
    let world = World::new().await;
    world.user("octocat").await;
    let pat = world.pat("octocat", PACKAGES).await;
    let mut wrong = pat.secret.clone();
    let last = wrong.pop().unwrap();
    wrong.push(if last == '0' { '1' } else { '0' });
    for door in DOORS {
        let outcome = world.identify(door, &basic(&wrong)).await;
        assert!(refused(&outcome, BadCredential::Checksum), "{door:?}");
    }
}

#[tokio::test]
async fn nothing_and_an_empty_bearer_are_told_apart() {
    let world = World::new().await;
    let nothing = world
        .identify(Door::ContainerRegistry, &Authorization::Absent)
        .await;
    assert_eq!(nothing.unwrap(), Identity::Known(Principal::ANONYMOUS));
    let empty = world.identify(Door::ContainerRegistry, &bearer("")).await;
    assert_eq!(empty.unwrap(), Identity::TokenNotProvided);
}

#[tokio::test]
async fn a_token_works_until_it_expires() {
    let world = World::new().await;
    world.user("octocat").await;
    let pat = world.pat_for("octocat", PACKAGES, "1h").await;
    world.clock.advance(Duration::from_secs(3599));
    assert!(
        world
            .identify(Door::Rest, &basic(&pat.secret))
            .await
            .is_ok()
    );
    world.clock.advance(Duration::from_secs(1));
    let outcome = world.identify(Door::Rest, &basic(&pat.secret)).await;
    assert!(refused(&outcome, BadCredential::Expired));
}

#[tokio::test]
async fn a_revoked_token_is_refused_at_once_and_elsewhere_when_that_is_heard() {
    let world = World::new().await;
    let other = world.another().await;
    world.user("octocat").await;
    let pat = world.pat("octocat", PACKAGES).await;
    let form = basic(&pat.secret);
    assert!(world.identify(Door::Rest, &form).await.is_ok());
    assert!(other.identify(Door::Rest, &form).await.is_ok());
    let system = Caller::system();
    world
        .registry
        .revoke_token(&system, &name("octocat"), pat.id)
        .await
        .unwrap();
    assert!(refused(
        &world.identify(Door::Rest, &form).await,
        BadCredential::Unknown
    ));
    other.changed_elsewhere();
    assert!(refused(
        &other.identify(Door::Rest, &form).await,
        BadCredential::Unknown
    ));
}

#[tokio::test]
async fn a_suspended_user_is_refused_at_once_and_let_in_again() {
    let world = World::new().await;
    world.user("octocat").await;
    let pat = world.pat("octocat", PACKAGES).await;
    let (form, system, login) = (basic(&pat.secret), Caller::system(), name("octocat"));
    assert!(world.identify(Door::Rest, &form).await.is_ok());
    world.registry.suspend_user(&system, &login).await.unwrap();
    assert!(refused(
        &world.identify(Door::Rest, &form).await,
        BadCredential::Suspended
    ));
    world
        .registry
        .unsuspend_user(&system, &login)
        .await
        .unwrap();
    assert!(world.identify(Door::Rest, &form).await.is_ok());
}

#[tokio::test]
async fn an_administrator_is_known_as_one_while_they_are() {
    let world = World::new().await;
    world.user("octocat").await;
    let pat = world.pat("octocat", "site_admin").await;
    let system = Caller::system();
    let is_admin = async || match world.caller(&pat).await.principal {
        Principal::User { site_admin, .. } => site_admin,
        other => panic!("{other:?}"),
    };
    world
        .registry
        .promote_user(&system, &name("octocat"))
        .await
        .unwrap();
    assert!(is_admin().await);
    world.user("hubot").await;
    world
        .registry
        .promote_user(&system, &name("hubot"))
        .await
        .unwrap();
    world
        .registry
        .demote_user(&system, &name("octocat"))
        .await
        .unwrap();
    assert!(!is_admin().await);
}
