//! Linking by label.

use naru_model::{RepositoryRole, Visibility};
use naru_registry::Caller;
use naru_registry::repositories::NewRepository;

use crate::world::{MANIFEST, container, repository};
use crate::{World, name};

const SOURCE: &str = "org.opencontainers.image.source";

fn label(source: &str) -> String {
    format!("{{\"{SOURCE}\":\"{source}\"}}")
}

async fn is_linked(world: &World, package: &str) -> bool {
    let path = container(package);
    let record = world.registry.package(&Caller::system(), &path).await;
    record.unwrap().repository.is_some()
}

async fn inherits(world: &World, package: &str) -> bool {
    let path = container(package);
    let record = world.registry.package(&Caller::system(), &path).await;
    record.unwrap().inherit_access
}

#[tokio::test]
async fn a_package_that_is_born_linked_takes_over_the_access_and_one_linked_later_does_not() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let hubot = world.person("hubot").await;
    world
        .repository("octocat/source", Visibility::Private)
        .await;
    let (system, path) = (Caller::system(), repository("octocat/source"));
    let read = RepositoryRole::Read;
    world
        .registry
        .set_collaborator(&system, &path, &name("hubot"), read)
        .await
        .unwrap();
    let label = label("https://naru.example/octocat/source");
    world
        .push_image(&octocat, "octocat/born", "1", &label)
        .await
        .unwrap();
    assert!(inherits(&world, "octocat/born").await);
    assert!(world.pull(&hubot, "octocat/born", "1").await.is_ok());
    world.push(&octocat, "octocat/later", "1").await;
    world
        .push_image(&octocat, "octocat/later", "2", &label)
        .await
        .unwrap();
    assert!(is_linked(&world, "octocat/later").await);
    assert!(!inherits(&world, "octocat/later").await);
    assert!(world.pull(&hubot, "octocat/later", "2").await.is_err());
}

#[tokio::test]
async fn a_label_links_the_package_to_a_repository_of_its_owner() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    world
        .repository("octocat/source", Visibility::Private)
        .await;
    let label = label("https://naru.example/octocat/Source");
    world
        .push_image(&octocat, "octocat/app", "1", &label)
        .await
        .unwrap();
    assert!(is_linked(&world, "octocat/app").await);
}

#[tokio::test]
async fn an_address_on_a_forge_finds_the_record_that_has_it() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let new = NewRepository {
        path: repository("octocat/source"),
        visibility: Visibility::Private,
        description: None,
        forge_url: Some("https://forge.example/octocat/source".to_owned()),
        homepage: None,
    };
    world
        .registry
        .create_repository(&Caller::system(), new)
        .await
        .unwrap();
    let label = label("https://forge.example/Octocat/source.git");
    world
        .push_image(&octocat, "octocat/app", "1", &label)
        .await
        .unwrap();
    assert!(is_linked(&world, "octocat/app").await);
}

#[tokio::test]
async fn a_label_that_names_what_the_pusher_may_not_write_links_nothing() {
    let world = World::new().await;
    let hubot = world.person("hubot").await;
    world.user("octocat").await;
    world.organization("octo", "octocat").await;
    let role = naru_model::OrganizationRole::Member;
    let system = Caller::system();
    world
        .registry
        .set_member(&system, &name("octo"), &name("hubot"), role)
        .await
        .unwrap();
    world.repository("octo/source", Visibility::Private).await;
    world.repository("octocat/source", Visibility::Public).await;
    for (package, source) in [
        ("octo/one", "https://naru.example/octo/source"),
        ("octo/two", "https://naru.example/octocat/source"),
        ("octo/three", "https://naru.example/octo/absent"),
        ("octo/four", "https://elsewhere.example/octo/source"),
        ("octo/five", "no address"),
    ] {
        world
            .push_image(&hubot, package, "1", &label(source))
            .await
            .unwrap();
        assert!(!is_linked(&world, package).await, "{package}");
    }
    let (path, write) = (repository("octo/source"), RepositoryRole::Write);
    world
        .registry
        .set_collaborator(&system, &path, &name("hubot"), write)
        .await
        .unwrap();
    let source = label("https://naru.example/octo/source");
    world
        .push_image(&hubot, "octo/one", "2", &source)
        .await
        .unwrap();
    assert!(
        is_linked(&world, "octo/one").await,
        "read again while it is unlinked"
    );
}

#[tokio::test]
async fn an_annotation_of_an_index_counts_too() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    world
        .repository("octocat/source", Visibility::Private)
        .await;
    let image = world.push(&octocat, "octocat/app", "1").await;
    assert!(!is_linked(&world, "octocat/app").await);
    let size = world.content(&octocat, "octocat/app", "1").await.len();
    let index = format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"{}\",\"manifests\":[{{\"mediaType\":\"{MANIFEST}\",\
         \"digest\":\"{}\",\"size\":{size}}}],\"annotations\":{}}}",
        crate::world::INDEX,
        image.digest,
        label("https://naru.example/octocat/source")
    );
    world
        .put(
            &octocat,
            "octocat/app",
            Some("2"),
            crate::world::INDEX,
            index,
        )
        .await
        .unwrap();
    assert!(is_linked(&world, "octocat/app").await);
}
