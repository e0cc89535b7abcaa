//! Finding packages, and only those that may be read.

use naru_metadata::packages;
use naru_model::{PackageType, RegistryMode, Role, Visibility};
use naru_registry::Caller;
use naru_registry::packages::GrantTo;
use naru_registry::search::{Found, SearchQuery};

use crate::jobs::running;
use crate::kit::{APP, DAY, collect, delete_version};
use crate::world::{container, nobody};
use crate::{World, name};

/// Waits until everything that happened can be found.
async fn indexed(world: &World) {
    let db = world.db().await;
    running(&world.registry, async || {
        let mut conn = db.read().await.unwrap();
        let queued = naru_metadata::search::queued(&mut conn, 1).await.unwrap();
        queued.is_empty()
    })
    .await;
    db.close().await;
}

async fn find(world: &World, caller: &Caller, query: &str) -> Found {
    let query = SearchQuery::read(query).unwrap();
    world
        .registry
        .search_packages(caller, &query, 0, 100)
        .await
        .unwrap()
}

/// The names of what is found, best first.
async fn names(world: &World, caller: &Caller, query: &str) -> Vec<String> {
    let found = find(world, caller, query).await;
    assert_eq!(found.total, found.items.len());
    let items = found.items.into_iter();
    let names = items.map(|(listed, owner)| format!("{}/{}", owner.login(), listed.package.name));
    names.collect()
}

async fn set_visibility(world: &World, package: &str, visibility: Visibility) {
    world
        .registry
        .set_package_visibility(&Caller::system(), &container(package), visibility)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_package_is_found_by_name_description_tag_label_and_digest() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let labels = "{\"org.example.team\":\"Platform Crew\"}";
    let image = world
        .push_image(&octocat, "octocat/tools/build-base", "v1.2", labels)
        .await
        .unwrap();
    world.push(&octocat, "octocat/other", "latest").await;
    let db = world.db().await;
    let mut tx = db.write().await.unwrap();
    let found = naru_metadata::accounts::find(&mut tx, &name("octocat")).await;
    let owner = found.unwrap().unwrap().id();
    let path = container("octocat/tools/build-base");
    let found = packages::find_live(&mut tx, owner, PackageType::Container, &path.name).await;
    let package = found.unwrap().unwrap().id;
    packages::describe(&mut tx, package, Some("Compilers, linkers & friends"))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    db.close().await;
    indexed(&world).await;
    let digest = image.digest.as_str();
    let beginning: String = image.digest.hex().chars().take(9).collect();
    for query in [
        "tools/build-base",
        "build",
        "BASE",
        "too",
        "linkers",
        "compil friends",
        "v1.2",
        "crew",
        "tag:v1.2",
        "tag:v1*",
        "label:\"org.example.team=Platform Crew\"",
        "label:org.example.team=*",
        digest,
        &format!("digest:{beginning}"),
        &format!("digest:sha256:{beginning}"),
        "build user:octocat type:container is:private",
        "owner:OctoCat tag:v1.2",
    ] {
        let found = names(&world, &octocat, query).await;
        assert_eq!(found, ["octocat/tools/build-base"], "{query}");
    }
    for query in [
        "nothing",
        "build nothing",
        "tag:v1",
        "build tag:latest",
        "build is:public",
        "build type:docker",
        "build org:octocat",
        "build user:nobody",
        "digest:0000000",
        "label:org.example.team=Platform",
    ] {
        assert!(names(&world, &octocat, query).await.is_empty(), "{query}");
    }
    let everything = names(&world, &octocat, "user:octocat").await;
    assert_eq!(everything, ["octocat/other", "octocat/tools/build-base"]);
}

#[tokio::test]
async fn the_best_match_comes_first_and_pages_go_on() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    for package in ["app-tools", "app", "team/app", "my-app"] {
        world
            .push(&octocat, &format!("octocat/{package}"), "1")
            .await;
    }
    indexed(&world).await;
    let order = [
        "octocat/app",
        "octocat/team/app",
        "octocat/my-app",
        "octocat/app-tools",
    ];
    assert_eq!(names(&world, &octocat, "app").await, order);
    let query = SearchQuery::read("app").unwrap();
    let page = world.registry.search_packages(&octocat, &query, 1, 2).await;
    let page = page.unwrap();
    assert_eq!(
        (page.total, page.items.len(), page.incomplete),
        (4, 2, false)
    );
    assert_eq!(page.items[0].0.package.name.as_str(), "team/app");
}

#[tokio::test]
async fn everybody_finds_and_counts_exactly_what_they_may_read() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let hubot = world.person("hubot").await;
    for package in [
        "public-thing",
        "internal-thing",
        "private-thing",
        "granted-thing",
    ] {
        world
            .push(&octocat, &format!("octocat/{package}"), "1")
            .await;
    }
    set_visibility(&world, "octocat/public-thing", Visibility::Public).await;
    set_visibility(&world, "octocat/internal-thing", Visibility::Internal).await;
    let granted = container("octocat/granted-thing");
    let to = GrantTo::User(name("hubot"));
    world
        .registry
        .grant_package(&Caller::system(), &granted, &to, Role::Read)
        .await
        .unwrap();
    indexed(&world).await;
    let all = [
        "octocat/granted-thing",
        "octocat/private-thing",
        "octocat/internal-thing",
        "octocat/public-thing",
    ];
    assert_eq!(names(&world, &octocat, "thing").await, all);
    assert_eq!(
        names(&world, &hubot, "thing").await,
        [all[0], all[2], all[3]]
    );
    assert_eq!(names(&world, &nobody(), "thing").await, [all[3]]);
    assert_eq!(names(&world, &hubot, "thing is:private").await, [all[0]]);
    assert_eq!(names(&world, &hubot, "user:octocat").await.len(), 3);
    assert!(names(&world, &hubot, "private").await.is_empty());
}

#[tokio::test]
async fn a_token_that_may_not_list_packages_finds_what_strangers_find() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    for package in ["octocat/open", "octocat/closed"] {
        world
            .push_image(&octocat, package, "v1", "{}")
            .await
            .unwrap();
    }
    set_visibility(&world, "octocat/open", Visibility::Public).await;
    indexed(&world).await;
    for (scopes, found) in [
        ("repo", vec!["octocat/open"]),
        ("read:packages", vec!["octocat/closed", "octocat/open"]),
    ] {
        let caller = world.caller(&world.pat("octocat", scopes).await).await;
        let mut names = names(&world, &caller, "user:octocat").await;
        names.sort();
        assert_eq!(names, found, "{scopes}");
    }
}

#[tokio::test]
async fn what_became_private_is_not_found_even_before_the_index_knows() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    world.push(&octocat, APP, "1").await;
    set_visibility(&world, APP, Visibility::Public).await;
    indexed(&world).await;
    assert_eq!(names(&world, &nobody(), "app").await, [APP]);
    set_visibility(&world, APP, Visibility::Private).await;
    assert!(names(&world, &nobody(), "app").await.is_empty());
    indexed(&world).await;
    assert_eq!(names(&world, &octocat, "app").await, [APP]);
}

#[tokio::test]
async fn what_is_deleted_or_closed_is_not_found_and_leaves_nothing_behind() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    world.push(&octocat, APP, "1").await;
    indexed(&world).await;
    let system = Caller::system();
    let registry = &world.registry;
    let container_registry = PackageType::Container;
    registry
        .set_registry_mode(&system, container_registry, RegistryMode::Disabled)
        .await
        .unwrap();
    assert!(names(&world, &octocat, "app").await.is_empty());
    registry
        .set_registry_mode(&system, container_registry, RegistryMode::Enabled)
        .await
        .unwrap();
    registry
        .delete_package(&octocat, &container(APP))
        .await
        .unwrap();
    assert!(names(&world, &octocat, "app").await.is_empty());
    registry
        .restore_package(&octocat, &container(APP))
        .await
        .unwrap();
    indexed(&world).await;
    assert_eq!(names(&world, &octocat, "app").await, [APP]);
    // Terms do not stand in the way of the collector.
    registry
        .delete_package(&octocat, &container(APP))
        .await
        .unwrap();
    for _ in 0..2 {
        world.clock.advance(31 * DAY);
        let sweep = naru_registry::garbage_collection::Sweep::Full;
        collect(&world, sweep).await;
    }
    indexed(&world).await;
}

#[tokio::test]
async fn tags_that_went_are_found_no_more_and_new_ones_are() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    world.push(&octocat, APP, "first").await;
    world.push(&octocat, APP, "second").await;
    indexed(&world).await;
    assert_eq!(names(&world, &octocat, "tag:first").await, [APP]);
    let first = naru_registry::versions::VersionRef::Tag("first".to_owned());
    delete_version(&world, &octocat, APP, &first).await.unwrap();
    world.push(&octocat, APP, "third").await;
    indexed(&world).await;
    assert!(names(&world, &octocat, "tag:first").await.is_empty());
    assert_eq!(names(&world, &octocat, "tag:third").await, [APP]);
}

#[tokio::test]
async fn more_than_a_thousand_matches_are_said_to_be_incomplete() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    world.push(&octocat, APP, "1").await;
    indexed(&world).await;
    let db = world.db().await;
    let mut tx = db.write().await.unwrap();
    let found = naru_metadata::accounts::find(&mut tx, &name("octocat")).await;
    let owner = found.unwrap().unwrap().id();
    for number in 0..1100 {
        let package = packages::NewPackage {
            owner,
            package_type: PackageType::Container,
            name: &format!("many/p{number}").parse().unwrap(),
            visibility: Visibility::Private,
            repository: None,
            inherit_access: false,
            created_by: None,
            now: crate::world::START,
        };
        let id = packages::create_hidden(&mut tx, &package).await.unwrap();
        let id = id.unwrap();
        packages::publish(&mut tx, id, crate::world::START)
            .await
            .unwrap();
        let reach = naru_metadata::search::Reach::of_owner(owner);
        let terms = [format!("n:many/p{number}"), "w:many".to_owned()].into();
        naru_metadata::search::put_terms(&mut tx, id, Some(reach), &terms)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    db.close().await;
    let query = SearchQuery::read("many").unwrap();
    let found = world
        .registry
        .search_packages(&octocat, &query, 0, 30)
        .await;
    let found = found.unwrap();
    assert_eq!((found.total, found.incomplete), (1000, true));
    assert!(!find(&world, &octocat, "app").await.incomplete);
}

#[tokio::test]
async fn the_machine_itself_finds_private_packages_of_everybody() {
    let world = World::new().await;
    for owner in ["octocat", "hubot"] {
        let person = world.person(owner).await;
        let package = format!("{owner}/app");
        world.push(&person, &package, "latest").await;
    }
    indexed(&world).await;
    let mut found = names(&world, &Caller::system(), "app is:private").await;
    found.sort();
    assert_eq!(found, ["hubot/app", "octocat/app"]);
}
