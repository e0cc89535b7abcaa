//! Packages: the bin, visibility, grants, links.

use naru_model::policy::Refusal;
use naru_model::{
    OrganizationRole, PackagePermission, PackageSettings, PackageType, Role, Visibility,
};
use naru_registry::packages::{BinPart, GrantTo, PackageDeletion, WantedPackages};
use naru_registry::versions::plan::{Because, Fate};
use naru_registry::{Caller, Cursor, Error};

use crate::kit::{APP, manifest_of, noise, push_artifact};
use crate::world::{container, nobody, repository};
use crate::{World, name};

#[tokio::test]
async fn a_deleted_package_is_gone_and_comes_back_whole() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let path = container("octocat/app");
    let image = world.push(&octocat, "octocat/app", "1").await;
    world
        .registry
        .delete_package(&octocat, &path)
        .await
        .unwrap();
    let gone = world.pull(&octocat, "octocat/app", "1").await;
    assert!(matches!(gone, Err(Error::Refused(Refusal::Unknown))));
    let again = world.registry.delete_package(&octocat, &path).await;
    assert!(matches!(again, Err(Error::Refused(Refusal::Unknown))));
    let deleted = world
        .registry
        .list_deleted_packages(
            &Caller::system(),
            &name("octocat"),
            WantedPackages::all_of(PackageType::Container),
            BinPart {
                limit: 10,
                ..BinPart::default()
            },
        )
        .await;
    assert_eq!(deleted.unwrap().len(), 1);
    world
        .registry
        .restore_package(&octocat, &path)
        .await
        .unwrap();
    assert_eq!(
        world.pull(&octocat, "octocat/app", "1").await.unwrap(),
        image.digest
    );
    assert!(matches!(
        world.registry.restore_package(&octocat, &path).await,
        Err(Error::NotFound { .. })
    ));
}

#[tokio::test]
async fn a_deleted_package_waits_while_its_name_is_taken() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let path = container("octocat/app");
    let old = world.push(&octocat, "octocat/app", "1").await;
    world
        .registry
        .delete_package(&octocat, &path)
        .await
        .unwrap();
    world.push(&octocat, "octocat/app", "2").await;
    let missing = world.pull(&octocat, "octocat/app", "1").await;
    assert!(matches!(missing, Err(Error::ManifestUnknown { .. })));
    let taken = world.registry.restore_package(&octocat, &path).await;
    assert!(matches!(taken, Err(Error::Exists { .. })), "{taken:?}");
    world
        .registry
        .delete_package(&octocat, &path)
        .await
        .unwrap();
    world
        .registry
        .restore_package(&octocat, &path)
        .await
        .unwrap();
    assert!(
        world.pull(&octocat, "octocat/app", "1").await.is_err(),
        "the last one came back"
    );
    world
        .registry
        .delete_package(&octocat, &path)
        .await
        .unwrap();
    drop(old);
}

#[tokio::test]
async fn visibility_decides_who_reads_at_once() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let hubot = world.person("hubot").await;
    let (system, path) = (Caller::system(), container("octocat/app"));
    world.push(&octocat, "octocat/app", "1").await;
    let readers = async || {
        let hubot = world.pull(&hubot, "octocat/app", "1").await.is_ok();
        let nobody = world.pull(&nobody(), "octocat/app", "1").await.is_ok();
        (hubot, nobody)
    };
    assert_eq!(readers().await, (false, false), "private at birth");
    for (visibility, expected) in [
        (Visibility::Internal, (true, false)),
        (Visibility::Public, (true, true)),
        (Visibility::Private, (false, false)),
    ] {
        world
            .registry
            .set_package_visibility(&octocat, &path, visibility)
            .await
            .unwrap();
        assert_eq!(readers().await, expected, "{visibility}");
    }
    let foreign = world
        .registry
        .set_package_visibility(&hubot, &path, Visibility::Public)
        .await;
    assert!(matches!(foreign, Err(Error::Refused(Refusal::Unknown))));
    drop(system);
}

#[tokio::test]
async fn public_is_final_where_the_organization_says_so_except_on_the_machine() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    world.organization("octo", "octocat").await;
    let (system, path) = (Caller::system(), container("octo/app"));
    world.push(&octocat, "octo/app", "1").await;
    let settings = PackageSettings {
        public_is_final: true,
        ..PackageSettings::default()
    };
    world
        .registry
        .set_package_settings(&system, &name("octo"), settings)
        .await
        .unwrap();
    let set = async |caller: &Caller, visibility| {
        world
            .registry
            .set_package_visibility(caller, &path, visibility)
            .await
    };
    set(&octocat, Visibility::Public).await.unwrap();
    assert!(matches!(
        set(&octocat, Visibility::Private).await,
        Err(Error::Refused(_))
    ));
    set(&system, Visibility::Private).await.unwrap();
}

#[tokio::test]
async fn a_grant_counts_at_once_and_ends_at_once() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let hubot = world.person("hubot").await;
    let path = container("octocat/app");
    world.push(&octocat, "octocat/app", "1").await;
    let to = GrantTo::User(name("hubot"));
    let may = async |permission| {
        world
            .registry
            .authorize(&hubot, &path, permission)
            .await
            .is_ok()
    };
    for role in [Role::Read, Role::Write, Role::Admin] {
        world
            .registry
            .grant_package(&octocat, &path, &to, role)
            .await
            .unwrap();
        assert!(may(PackagePermission::Read).await);
        assert_eq!(
            may(PackagePermission::Write).await,
            role >= Role::Write,
            "{role}"
        );
        assert_eq!(
            may(PackagePermission::Delete).await,
            role >= Role::Admin,
            "{role}"
        );
    }
    let grants = world
        .registry
        .list_package_grants(&hubot, &path)
        .await
        .unwrap();
    assert_eq!(
        grants.users.len(),
        2,
        "the publisher and the one granted to"
    );
    world
        .registry
        .revoke_package_grant(&octocat, &path, &to)
        .await
        .unwrap();
    assert!(!may(PackagePermission::Read).await);
    let again = world
        .registry
        .revoke_package_grant(&octocat, &path, &to)
        .await;
    assert!(matches!(again, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn a_private_package_of_an_organization_takes_members_only() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    world.user("hubot").await;
    world.organization("octo", "octocat").await;
    let (system, path) = (Caller::system(), container("octo/app"));
    world.push(&octocat, "octo/app", "1").await;
    let to = GrantTo::User(name("hubot"));
    let grant = async || {
        world
            .registry
            .grant_package(&octocat, &path, &to, Role::Read)
            .await
    };
    assert!(matches!(grant().await, Err(Error::Conflict(_))));
    let role = OrganizationRole::Member;
    world
        .registry
        .set_member(&system, &name("octo"), &name("hubot"), role)
        .await
        .unwrap();
    grant().await.unwrap();
}

#[tokio::test]
async fn lists_show_what_may_be_read_and_nothing_else() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let hubot = world.person("hubot").await;
    for package in ["octocat/one", "octocat/two", "octocat/three"] {
        world.push(&octocat, package, "1").await;
    }
    let (two, visibility) = (container("octocat/two"), Visibility::Internal);
    world
        .registry
        .set_package_visibility(&octocat, &two, visibility)
        .await
        .unwrap();
    let list = async |caller: &Caller, wanted| {
        let cursor = Cursor::first(10);
        let page = world
            .registry
            .list_packages(caller, &name("octocat"), wanted, cursor)
            .await?;
        let names = page
            .items
            .iter()
            .map(|listed| listed.package.name.to_string());
        Ok::<_, Error>(names.collect::<Vec<_>>())
    };
    let all = WantedPackages::all_of(PackageType::Container);
    assert_eq!(list(&octocat, all).await.unwrap(), ["three", "two", "one"]);
    assert_eq!(list(&hubot, all).await.unwrap(), ["two"]);
    assert_eq!(
        list(&Caller::system(), all).await.unwrap(),
        ["three", "two", "one"]
    );
    let private = WantedPackages {
        visibility: Some(Visibility::Private),
        ..all
    };
    assert_eq!(list(&octocat, private).await.unwrap(), ["three", "one"]);
    assert!(matches!(
        list(&nobody(), all).await,
        Err(Error::Refused(Refusal::Unauthenticated))
    ));
}

#[tokio::test]
async fn a_package_is_linked_to_a_repository_of_its_owner_and_unlinked() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    world.user("hubot").await;
    let (system, path) = (Caller::system(), container("octocat/app"));
    world.push(&octocat, "octocat/app", "1").await;
    world.repository("octocat/app", Visibility::Private).await;
    world.repository("hubot/app", Visibility::Private).await;
    let link = async |to: &str, inherit| {
        world
            .registry
            .link_package(&system, &path, &repository(to), inherit)
            .await
    };
    assert!(matches!(
        link("hubot/app", false).await,
        Err(Error::Conflict(_))
    ));
    assert!(matches!(
        link("octocat/absent", false).await,
        Err(Error::NotFound { .. })
    ));
    link("octocat/app", true).await.unwrap();
    let record = world.registry.package(&octocat, &path).await.unwrap();
    assert!(record.repository.is_some() && record.inherit_access);
    world.registry.unlink_package(&system, &path).await.unwrap();
    let record = world.registry.package(&octocat, &path).await.unwrap();
    assert!(record.repository.is_none() && !record.inherit_access);
}

#[tokio::test]
async fn the_bin_is_listed_part_by_part_and_only_what_was_asked_for() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let registry = &world.registry;
    for package in ["octocat/a", "octocat/b", "octocat/c", "octocat/d"] {
        world.push(&octocat, package, "1").await;
        let path = container(package);
        if package.ends_with('b') {
            let public = Visibility::Public;
            registry
                .set_package_visibility(&octocat, &path, public)
                .await
                .unwrap();
        }
        registry.delete_package(&octocat, &path).await.unwrap();
    }
    let list = async |visibility, part| {
        let wanted = WantedPackages {
            package_type: PackageType::Container,
            visibility,
            conflicting: false,
        };
        let owner = name("octocat");
        let found = registry.list_deleted_packages(&octocat, &owner, wanted, part);
        let found = found.await.unwrap().into_iter();
        found.map(|listed| listed.package).collect::<Vec<_>>()
    };
    let one = BinPart {
        limit: 1,
        ..BinPart::default()
    };
    let mut part = one;
    let mut seen = Vec::new();
    while let Some(package) = list(None, part).await.pop() {
        part.after = package.deleted_at.map(|at| (at, package.id));
        // What comes back meanwhile does not end the list.
        let path = container(&format!("octocat/{}", package.name));
        registry.restore_package(&octocat, &path).await.unwrap();
        seen.push(package.name.to_string());
    }
    assert_eq!(seen, ["d", "c", "b", "a"], "all went at the same moment");
    for package in ["octocat/a", "octocat/b", "octocat/c"] {
        let path = container(package);
        registry.delete_package(&octocat, &path).await.unwrap();
    }
    let public = list(Some(Visibility::Public), one).await;
    let public: Vec<_> = public.iter().map(|one| one.name.to_string()).collect();
    assert_eq!(public, ["b"], "a page is as full as it can be");
}

#[tokio::test]
async fn packages_are_counted_as_they_are_listed() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let hubot = world.person("hubot").await;
    for package in ["octocat/a", "octocat/b", "octocat/c"] {
        world.push(&octocat, package, "1").await;
    }
    let registry = &world.registry;
    registry
        .set_package_visibility(&octocat, &container("octocat/b"), Visibility::Public)
        .await
        .unwrap();
    let owner = name("octocat");
    for caller in [&octocat, &hubot, &Caller::system()] {
        for visibility in [None, Some(Visibility::Public), Some(Visibility::Private)] {
            let wanted = WantedPackages {
                visibility,
                ..WantedPackages::all_of(PackageType::Container)
            };
            let all = Cursor::first(10);
            let listed = registry.list_packages(caller, &owner, wanted, all);
            let listed = listed.await.unwrap().items.len() as u64;
            let counted = registry.count_packages(caller, &owner, wanted, 0).await;
            assert_eq!(counted.unwrap(), Some(listed));
            let counted = registry.count_packages(caller, &owner, wanted, 301).await;
            assert_eq!(counted.unwrap(), None, "more than are counted are known of");
        }
    }
}

#[tokio::test]
async fn a_preview_says_what_goes_with_a_package() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let (shared, own) = (noise("shared", 2000), noise("own", 700));
    push_artifact(&world, &octocat, "octocat/other", "1", &[&shared])
        .await
        .unwrap();
    push_artifact(&world, &octocat, APP, "1", &[&shared, &own])
        .await
        .unwrap();
    let manifest = manifest_of(&[&shared, &own]).len() as u64;
    let path = container(APP);
    let preview = world.registry.preview_delete_package(&octocat, &path);
    let PackageDeletion { deletion, more } = preview.await.unwrap();
    assert_eq!((deletion.freed_bytes, more), (700 + manifest, false));
    let [version] = deletion.versions.as_slice() else {
        panic!("{deletion:?}");
    };
    assert_eq!(version.tags, ["1"]);
    assert_eq!(version.because, Because::WithPackage);
    assert_eq!(version.fate, Fate::Deleted);
}

#[tokio::test]
async fn of_two_who_restore_or_delete_a_package_at_once_one_is_told_that_it_did() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let path = container(APP);
    world.push(&octocat, APP, "1").await;
    let registry = &world.registry;
    for _ in 0..8 {
        let deletes = [(); 2].map(|()| registry.delete_package(&octocat, &path));
        let done = futures_util::future::join_all(deletes).await;
        assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1);
        let restores = [(); 2].map(|()| registry.restore_package(&octocat, &path));
        let done = futures_util::future::join_all(restores).await;
        assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1);
    }
    assert!(world.pull(&octocat, APP, "1").await.is_ok());
}
