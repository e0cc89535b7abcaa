//! Source repositories and who works in them.

use naru_model::{
    PackagePath, PackagePermission, PackageType, RepositoryRole, Visibility, WorkflowPackages,
};
use naru_registry::repositories::NewRepository;
use naru_registry::{BadCredential, Caller, Error};

use crate::world::{PACKAGES, basic, container, repository};
use crate::{World, name};

#[tokio::test]
async fn whoever_may_create_one_makes_it_and_administers_it() {
    let world = World::new().await;
    world.user("octocat").await;
    world.user("hubot").await;
    let octocat = world.caller(&world.pat("octocat", "repo").await).await;
    let hubot = world.caller(&world.pat("hubot", "repo").await).await;
    let new = NewRepository {
        path: repository("octocat/app"),
        visibility: Visibility::Private,
        description: Some("An app".to_owned()),
        forge_url: Some("https://Forge.example/octocat/app.git".to_owned()),
        homepage: None,
    };
    assert!(
        world
            .registry
            .create_repository(&hubot, new.clone())
            .await
            .is_err()
    );
    let made = world
        .registry
        .create_repository(&octocat, new.clone())
        .await
        .unwrap();
    assert_eq!(made.forge_url.as_deref(), Some("forge.example/octocat/app"));
    let again = world.registry.create_repository(&octocat, new).await;
    assert!(matches!(again, Err(Error::Exists { .. })));
    assert_eq!(
        world
            .registry
            .list_repositories(&octocat, &name("octocat"))
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        world
            .registry
            .list_repositories(&hubot, &name("octocat"))
            .await
            .unwrap()
            .len(),
        0
    );
    let unseen = world
        .registry
        .repository(&hubot, &repository("octocat/app"))
        .await;
    assert!(matches!(unseen, Err(Error::Refused(_))));
}

#[tokio::test]
async fn collaborators_have_their_role_on_legacy_packages_until_it_is_taken() {
    let world = World::new().await;
    world.user("octocat").await;
    world.user("hubot").await;
    world.repository("octocat/app", Visibility::Private).await;
    let (system, path) = (Caller::system(), repository("octocat/app"));
    let hubot = world
        .caller(&world.pat("hubot", &format!("{PACKAGES},repo")).await)
        .await;
    let image =
        PackagePath::new(PackageType::Docker, &"octocat/app/image".parse().unwrap()).unwrap();
    let may_push = async || world.registry.authorize_push(&hubot, &image).await.is_ok();
    assert!(!may_push().await);
    let role = RepositoryRole::Write;
    world
        .registry
        .set_collaborator(&system, &path, &name("hubot"), role)
        .await
        .unwrap();
    assert!(may_push().await);
    let listed = world
        .registry
        .list_collaborators(&system, &path)
        .await
        .unwrap();
    assert_eq!(listed.users.len(), 1);
    world
        .registry
        .remove_collaborator(&system, &path, &name("hubot"))
        .await
        .unwrap();
    assert!(!may_push().await);
    let again = world
        .registry
        .remove_collaborator(&system, &path, &name("hubot"))
        .await;
    assert!(matches!(again, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn a_workflows_token_is_bound_to_its_repository_and_dies_with_it() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    world.repository("octocat/app", Visibility::Private).await;
    let (system, path) = (Caller::system(), repository("octocat/app"));
    let life = std::time::Duration::from_secs(3600);
    let packages = Some(WorkflowPackages::Write);
    let made = world
        .registry
        .create_workflow_token(&system, &path, packages, life)
        .await
        .unwrap();
    let secret = basic(made.secret.expose());
    let workflow = world.caller_of(&secret).await;
    world.push(&workflow, "octocat/built", "1").await;
    let built = container("octocat/built");
    let record = world.registry.package(&octocat, &built).await.unwrap();
    assert!(
        record.repository.is_some(),
        "a workflow's package is linked to its repository"
    );
    let delete = PackagePermission::Delete;
    assert!(
        world
            .registry
            .authorize(&workflow, &built, delete)
            .await
            .is_ok()
    );
    world.push(&octocat, "octocat/own", "1").await;
    let own = container("octocat/own");
    assert!(
        world
            .registry
            .authorize(&workflow, &own, PackagePermission::Read)
            .await
            .is_err()
    );
    world
        .registry
        .delete_repository(&system, &path)
        .await
        .unwrap();
    let gone = world
        .identify(naru_registry::credentials::Door::Rest, &secret)
        .await;
    assert!(
        matches!(gone, Err(Error::BadCredential(BadCredential::Unknown))),
        "{gone:?}"
    );
    let record = world.registry.package(&octocat, &built).await.unwrap();
    assert!(
        record.repository.is_none(),
        "the package stays and loses the link"
    );
}

#[tokio::test]
async fn a_workflows_token_lives_for_a_day_at_most() {
    let world = World::new().await;
    world.user("octocat").await;
    world.repository("octocat/app", Visibility::Private).await;
    let path = repository("octocat/app");
    let life = std::time::Duration::from_secs(25 * 3600);
    let made = world
        .registry
        .create_workflow_token(&Caller::system(), &path, None, life)
        .await;
    assert!(matches!(made, Err(Error::Invalid(_))));
}
