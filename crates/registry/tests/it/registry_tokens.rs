//! The token endpoint, and what comes back from it.

use std::time::Duration;

use naru_model::policy::Refusal;
use naru_model::{Action, PackagePermission, PackageType, Principal, Visibility};
use naru_oci::Scopes;
use naru_registry::credentials::{Door, Identity};
use naru_registry::registry_tokens::IssuedToken;
use naru_registry::uploads::{BeginUpload, Begun};
use naru_registry::{BadCredential, Caller, Error, Result};

use crate::world::{PACKAGES, Pat, bearer, container, nobody};
use crate::{World, name};

async fn ask(world: &World, caller: &Caller, scopes: &[&str]) -> Result<IssuedToken> {
    let scopes = Scopes::parse(scopes.iter().copied());
    world
        .registry
        .issue_registry_token(caller, PackageType::Container, &scopes)
        .await
}

fn granted(token: &IssuedToken, package: &str) -> Vec<Action> {
    let path = container(package);
    let actions = [Action::Pull, Action::Push, Action::Delete];
    actions
        .into_iter()
        .filter(|action| token.granted.allows(&path, *action))
        .collect()
}

async fn bearing(world: &World, token: &IssuedToken) -> Result<Identity> {
    world.identify(Door::Rest, &bearer(&token.token)).await
}

async fn caller(world: &World, token: &IssuedToken) -> Caller {
    Caller {
        principal: bearing(world, token).await.unwrap().into_principal(),
        request_id: None,
    }
}

#[tokio::test]
async fn whoever_signed_in_gets_what_their_rights_allow() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let hubot = world.person("hubot").await;
    world.push(&octocat, "octocat/app", "1").await;
    let all = [
        "repository:octocat/app:*",
        "repository:hubot/tool:pull,push",
    ];
    let token = ask(&world, &octocat, &all).await.unwrap();
    assert_eq!(
        granted(&token, "octocat/app"),
        [Action::Pull, Action::Push, Action::Delete]
    );
    assert_eq!(granted(&token, "hubot/tool"), []);
    let token = ask(&world, &hubot, &all).await.unwrap();
    assert_eq!(granted(&token, "octocat/app"), []);
    assert_eq!(granted(&token, "hubot/tool"), [Action::Pull, Action::Push]);
    let login = ask(&world, &hubot, &[]).await.unwrap();
    assert_eq!(login.granted.iter().count(), 0);
    assert_eq!(login.expires_in, Duration::from_secs(300));
}

#[tokio::test]
async fn a_token_without_a_scope_for_it_is_granted_less() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    world.push(&octocat, "octocat/app", "1").await;
    let reader = world
        .caller(&world.pat("octocat", "read:packages").await)
        .await;
    let token = ask(&world, &reader, &["repository:octocat/app:*"])
        .await
        .unwrap();
    assert_eq!(granted(&token, "octocat/app"), [Action::Pull]);
}

#[tokio::test]
async fn nobody_gets_a_token_for_what_is_public_and_for_nothing_else() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    world.push(&octocat, "octocat/app", "1").await;
    let scope = ["repository:octocat/app:pull"];
    for vain in [
        scope,
        ["repository:octocat/absent:pull"],
        ["repository:nobody/app:pull"],
    ] {
        let outcome = ask(&world, &nobody(), &vain).await;
        assert!(
            matches!(outcome, Err(Error::Refused(Refusal::Unauthenticated))),
            "{vain:?}"
        );
    }
    let (system, path) = (Caller::system(), container("octocat/app"));
    world
        .registry
        .set_package_visibility(&system, &path, Visibility::Public)
        .await
        .unwrap();
    let token = ask(&world, &nobody(), &scope).await.unwrap();
    assert_eq!(granted(&token, "octocat/app"), [Action::Pull]);
    let visitor = caller(&world, &token).await;
    assert!(matches!(
        visitor.principal,
        Principal::Anonymous { access: Some(_) }
    ));
    assert!(world.pull(&visitor, "octocat/app", "1").await.is_ok());
    assert!(ask(&world, &nobody(), &[]).await.is_ok());
}

#[tokio::test]
async fn a_token_for_a_package_that_is_to_be_created_is_good_for_the_whole_push() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let token = ask(&world, &octocat, &["repository:octocat/new:pull,push"])
        .await
        .unwrap();
    let pusher = caller(&world, &token).await;
    let image = world.push(&pusher, "octocat/new", "1").await;
    assert_eq!(
        world.pull(&pusher, "octocat/new", "1").await.unwrap(),
        image.digest
    );
}

#[tokio::test]
async fn a_registry_token_narrows_and_never_widens() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    world.push(&octocat, "octocat/app", "1").await;
    let token = ask(&world, &octocat, &["repository:octocat/app:pull"])
        .await
        .unwrap();
    let puller = caller(&world, &token).await;
    let path = container("octocat/app");
    let write = world
        .registry
        .authorize(&puller, &path, PackagePermission::Write)
        .await;
    assert!(
        matches!(write, Err(Error::Refused(Refusal::TokenTooNarrow { .. }))),
        "{write:?}"
    );
    let hubot = world.person("hubot").await;
    let token = ask(&world, &hubot, &["repository:hubot/app:*"])
        .await
        .unwrap();
    let stranger = caller(&world, &token).await;
    let read = world
        .registry
        .authorize(&stranger, &path, PackagePermission::Read)
        .await;
    assert!(matches!(read, Err(Error::Refused(Refusal::Unknown))));
}

#[tokio::test]
async fn a_registry_token_makes_no_other() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let token = ask(&world, &octocat, &[]).await.unwrap();
    let again = ask(&world, &caller(&world, &token).await, &[]).await;
    assert!(
        matches!(again, Err(Error::Refused(Refusal::Role { .. }))),
        "{again:?}"
    );
}

#[tokio::test]
async fn a_registry_token_ends_with_its_time_and_with_the_token_behind_it() {
    let world = World::new().await;
    world.user("octocat").await;
    let pat = world.pat_for("octocat", PACKAGES, "10m").await;
    let octocat = world.caller(&pat).await;
    let first = ask(&world, &octocat, &[]).await.unwrap();
    assert!(bearing(&world, &first).await.is_ok());
    world.clock.advance(Duration::from_secs(305));
    assert!(matches!(
        bearing(&world, &first).await,
        Err(Error::BadCredential(BadCredential::Expired))
    ));
    let second = ask(&world, &octocat, &[]).await.unwrap();
    assert_eq!(
        second.expires_in,
        Duration::from_secs(295),
        "not longer than the token behind it"
    );
    world
        .registry
        .revoke_token(&Caller::system(), &name("octocat"), pat.id)
        .await
        .unwrap();
    assert!(matches!(
        bearing(&world, &second).await,
        Err(Error::BadCredential(BadCredential::Unknown))
    ));
}

#[tokio::test]
async fn a_registry_token_of_a_suspended_user_is_refused_at_once() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let token = ask(&world, &octocat, &[]).await.unwrap();
    assert!(bearing(&world, &token).await.is_ok());
    world
        .registry
        .suspend_user(&Caller::system(), &name("octocat"))
        .await
        .unwrap();
    assert!(matches!(
        bearing(&world, &token).await,
        Err(Error::BadCredential(BadCredential::Suspended))
    ));
}

#[tokio::test]
async fn a_changed_token_with_a_known_signature_is_refused() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let token = ask(&world, &octocat, &[]).await.unwrap();
    assert!(bearing(&world, &token).await.is_ok());
    let (message, signature) = token.token.rsplit_once('.').unwrap();
    let forged = IssuedToken {
        token: format!("{message}A.{signature}"),
        ..token
    };
    assert!(bearing(&world, &forged).await.is_err());
}

#[tokio::test]
async fn an_open_upload_outlives_the_expiry_of_its_token_but_not_its_revocation() {
    let world = World::new().await;
    world.user("octocat").await;
    let path = container("octocat/app");
    let open = async |pat: &Pat| {
        let caller = world.caller(pat).await;
        let target = world.registry.authorize_push(&caller, &path).await.unwrap();
        let begin = BeginUpload::default();
        match world
            .registry
            .begin_upload(&caller, &target, begin)
            .await
            .unwrap()
        {
            Begun::Open(status) => status.id,
            mounted => panic!("{mounted:?}"),
        }
    };
    let go_on = async |pat: &Pat, id| {
        let caller = world.caller(pat).await;
        let target = world.registry.authorize_push(&caller, &path).await.unwrap();
        world.registry.upload_status(&caller, &target, id).await
    };
    let short = world.pat_for("octocat", PACKAGES, "10m").await;
    let lost = world.pat("octocat", PACKAGES).await;
    let fresh = world.pat("octocat", PACKAGES).await;
    let (of_short, of_lost) = (open(&short).await, open(&lost).await);
    world.clock.advance(Duration::from_secs(600));
    world
        .registry
        .revoke_token(&Caller::system(), &name("octocat"), lost.id)
        .await
        .unwrap();
    assert!(
        go_on(&fresh, &of_short).await.is_ok(),
        "the upload belongs to the user"
    );
    assert!(matches!(
        go_on(&fresh, &of_lost).await,
        Err(Error::UploadUnknown)
    ));
}

#[tokio::test]
async fn two_processes_that_start_together_trust_each_others_tokens() {
    let world = World::new().await;
    let other = world.another().await;
    let (one, two) = tokio::join!(world.registry.prepare_keys(), other.prepare_keys());
    one.unwrap();
    two.unwrap();
    let octocat = world.person("octocat").await;
    let here = ask(&world, &octocat, &[]).await.unwrap();
    assert!(
        other
            .identify(Door::Rest, &bearer(&here.token))
            .await
            .is_ok()
    );
    let container = PackageType::Container;
    let there = other
        .issue_registry_token(&octocat, container, &Scopes::default())
        .await
        .unwrap();
    assert!(bearing(&world, &there).await.is_ok());
}

#[tokio::test]
async fn another_master_key_is_found_at_the_start() {
    let world = World::new().await;
    world.registry.prepare_keys().await.unwrap();
    let stranger = world.another_with_key([8; 32]).await;
    let error = stranger.prepare_keys().await.unwrap_err();
    assert!(
        matches!(&error, Error::Conflict(text) if text.contains("master key")),
        "{error}"
    );
}
