//! Explained access: the policy's sentence, to those who may hear it.

use naru_model::{PackagePermission, Role, TokenId, Visibility};
use naru_registry::explain::{ExplainedSubject, Explanation};
use naru_registry::packages::GrantTo;
use naru_registry::{Caller, Error, Result};

use crate::World;
use crate::world::{container, name, nobody, repository};

const WRITE: PackagePermission = PackagePermission::Write;

fn user(login: &str) -> ExplainedSubject {
    ExplainedSubject::User(name(login))
}

async fn ask(
    world: &World,
    caller: &Caller,
    package: &str,
    subject: &ExplainedSubject,
) -> Result<Explanation> {
    let path = container(package);
    world.registry.explain(caller, &path, subject, WRITE).await
}

/// A private package of octocat, and a stranger.
async fn world() -> (World, Caller, Caller) {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let stranger = world.person("stranger").await;
    world.push(&octocat, "octocat/app", "1").await;
    (world, octocat, stranger)
}

#[tokio::test]
async fn an_administrator_hears_what_would_give_it() {
    let (world, octocat, _) = world().await;
    let stranger = user("stranger");
    let before = ask(&world, &octocat, "octocat/app", &stranger)
        .await
        .unwrap();
    assert!(!before.allowed && before.exists);
    assert_eq!(
        before.reason,
        "write_package is missing (present role: none); an admin of the package can grant write"
    );
    let to = GrantTo::User(name("stranger"));
    let path = container("octocat/app");
    let granted = world
        .registry
        .grant_package(&octocat, &path, &to, Role::Write)
        .await;
    granted.unwrap();
    let after = ask(&world, &octocat, "octocat/app", &stranger)
        .await
        .unwrap();
    assert!(after.allowed);
    assert_eq!(after.reason, "role write, granted directly");
}

#[tokio::test]
async fn what_one_hears_about_oneself_is_what_a_refusal_says() {
    let (world, octocat, stranger) = world().await;
    for caller in [&octocat, &stranger] {
        for package in ["octocat/app", "octocat/free"] {
            let path = container(package);
            let refused = world.registry.authorize_push(caller, &path).await.err();
            let explained = ask(&world, caller, package, &ExplainedSubject::Caller).await;
            let explained = explained.unwrap();
            assert_eq!(explained.allowed, refused.is_none());
            if let Some(Error::Refused(refusal)) = refused {
                assert_eq!(explained.reason, refusal.explanation());
            }
        }
    }
}

#[tokio::test]
async fn a_stranger_learns_nothing_of_what_is_there() {
    let (world, _, stranger) = world().await;
    for subject in [ExplainedSubject::Caller, user("stranger")] {
        let there = ask(&world, &stranger, "octocat/app", &subject)
            .await
            .unwrap();
        let free = ask(&world, &stranger, "octocat/free", &subject)
            .await
            .unwrap();
        assert_eq!(there, free);
        assert!(!there.exists);
    }
    let others = [
        user("octocat"),
        user("nobody"),
        ExplainedSubject::Repository(repository("octocat/none")),
    ];
    for subject in &others {
        for package in ["octocat/app", "octocat/free"] {
            let asked = ask(&world, &stranger, package, subject).await;
            let is_unknown = matches!(&asked, Err(Error::Refused(naru_model::Refusal::Unknown)));
            assert!(is_unknown, "{subject} {package}: {asked:?}");
        }
    }
    let asked = ask(&world, &nobody(), "octocat/app", &ExplainedSubject::Caller).await;
    assert!(matches!(asked, Err(Error::Refused(_))));
}

#[tokio::test]
async fn tokens_are_their_owners_and_the_administrators_to_ask_about() {
    let (world, octocat, stranger) = world().await;
    let narrow = world.pat("octocat", "read:packages").await;
    let subject = ExplainedSubject::Token(narrow.id);
    let found = ask(&world, &octocat, "octocat/app", &subject)
        .await
        .unwrap();
    assert_eq!(
        found.reason,
        "write_package needs the scope write:packages, which the token lacks; make a token with it"
    );
    for caller in [&stranger, &octocat] {
        let absent = ExplainedSubject::Token(TokenId::new(1_000_000));
        let asked = ask(&world, caller, "octocat/app", &absent).await;
        assert!(matches!(asked, Err(Error::NotFound { .. })), "{asked:?}");
    }
    let asked = ask(&world, &stranger, "octocat/app", &subject).await;
    assert!(matches!(asked, Err(Error::NotFound { .. })), "{asked:?}");
    let by_machine = ask(&world, &Caller::system(), "octocat/app", &subject).await;
    assert_eq!(by_machine.unwrap().reason, found.reason);
    world
        .registry
        .revoke_token(&Caller::system(), &name("octocat"), narrow.id)
        .await
        .unwrap();
    let revoked = ask(&world, &octocat, "octocat/app", &subject)
        .await
        .unwrap();
    assert_eq!(revoked.reason, "the token is unknown or revoked");
}

#[tokio::test]
async fn workflows_are_asked_about_by_their_repository() {
    let (world, _, _) = world().await;
    world.repository("octocat/src", Visibility::Private).await;
    let subject = ExplainedSubject::Repository(repository("octocat/src"));
    let system = Caller::system();
    let before = ask(&world, &system, "octocat/app", &subject).await.unwrap();
    assert!(!before.allowed);
    let to = GrantTo::Repository(repository("octocat/src"));
    let path = container("octocat/app");
    let granted = world
        .registry
        .grant_package(&system, &path, &to, Role::Write)
        .await;
    granted.unwrap();
    let after = ask(&world, &system, "octocat/app", &subject).await.unwrap();
    assert_eq!(after.reason, "role write, granted directly");
    let created = ask(&world, &system, "octocat/new", &subject).await.unwrap();
    assert_eq!(
        created.reason,
        "may create it, as a workflow of a repository of the owner"
    );
}

#[tokio::test]
async fn whoever_asks_about_themselves_by_name_hears_what_their_token_lacks() {
    let (world, octocat, _) = world().await;
    let narrow = world.pat("octocat", "read:packages").await;
    let narrow = world.caller(&narrow).await;
    let app = "octocat/app";
    let own = ask(&world, &narrow, app, &user("octocat")).await.unwrap();
    assert!(
        !own.allowed && own.reason.contains("write:packages"),
        "{own:?}"
    );
    let same = ask(&world, &narrow, app, &ExplainedSubject::Caller).await;
    assert_eq!(own, same.unwrap());
    let wide = ask(&world, &octocat, app, &user("octocat")).await.unwrap();
    assert!(wide.allowed, "{wide:?}");
}
