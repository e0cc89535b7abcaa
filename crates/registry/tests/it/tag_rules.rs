//! Tag rules: every door is held by the same ones.

use naru_model::{
    PackagePath, PackagePermission, PackageType, Role, TagRule, TagRuleSource, Visibility,
};
use naru_oci::{Digest, Tag};
use naru_registry::manifests::PutManifest;
use naru_registry::packages::GrantTo;
use naru_registry::tag_rules::{AllowanceWish, TagRuleChange, TagRuleWish, TagRulesOf};
use naru_registry::versions::VersionRef;
use naru_registry::{Caller, Error, Result, Settings};

use crate::World;
use crate::kit::{APP, delete_manifest, delete_version, manifest_with, push_blob, put_manifest};
use crate::world::{MANIFEST, PACKAGES, container, name, repository};

fn role(role: Role) -> AllowanceWish {
    AllowanceWish {
        role: Some(role),
        ..AllowanceWish::default()
    }
}

/// A rule that leaves creating to writers, and everything else to admins.
fn admins(pattern: &str) -> TagRuleWish {
    TagRuleWish {
        pattern: pattern.parse().unwrap(),
        except: None,
        description: None,
        immutable: false,
        creates: role(Role::Write),
        moves: role(Role::Admin),
        deletes: role(Role::Admin),
    }
}

fn immutable(pattern: &str) -> TagRuleWish {
    TagRuleWish {
        immutable: true,
        ..admins(pattern)
    }
}

fn of(package: &str) -> TagRulesOf {
    TagRulesOf::Package(container(package))
}

async fn make(world: &World, caller: &Caller, of: &TagRulesOf, wish: TagRuleWish) -> TagRule {
    let made = world.registry.create_tag_rule(caller, of, wish).await;
    made.unwrap()
}

/// Pushes manifest `number` to `tag`; its blobs are there.
async fn push(world: &World, caller: &Caller, tag: &str, number: u32) -> Result<Digest> {
    put_manifest(world, caller, APP, tag, content(number)).await
}

fn content(number: u32) -> String {
    manifest_with(&[], &format!(",\"annotations\":{{\"n\":\"{number}\"}}"))
}

fn is_protected<T: std::fmt::Debug>(result: &Result<T>) -> bool {
    matches!(result, Err(Error::TagProtected(_)))
}

/// A world with a package of octocat, who administers it, and a writer.
async fn world() -> (World, Caller, Caller) {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let hubot = world.person("hubot").await;
    push_blob(&world, &octocat, APP, b"{}").await;
    push(&world, &octocat, "v1", 1).await.unwrap();
    let to = GrantTo::User(name("hubot"));
    let path = container(APP);
    let granted = world
        .registry
        .grant_package(&octocat, &path, &to, Role::Write)
        .await;
    granted.unwrap();
    (world, octocat, hubot)
}

async fn remove(world: &World, caller: &Caller, tag: &str) -> Result<()> {
    let delete = PackagePermission::Delete;
    let path = container(APP);
    let package = world.registry.authorize(caller, &path, delete).await?;
    let tag: Tag = tag.parse().unwrap();
    world.registry.delete_tag(caller, &package, &tag).await
}

#[tokio::test]
async fn a_rule_binds_from_the_next_push_on_and_ends_with_its_removal() {
    let (world, octocat, hubot) = world().await;
    push(&world, &hubot, "v1", 2).await.unwrap();
    let rule = make(&world, &octocat, &of(APP), admins("v*")).await;
    assert!(is_protected(&push(&world, &hubot, "v1", 3).await));
    push(&world, &hubot, "v2", 3).await.unwrap();
    push(&world, &hubot, "w1", 3).await.unwrap();
    push(&world, &hubot, "w1", 4).await.unwrap();
    push(&world, &octocat, "v1", 5).await.unwrap();
    let removed = world
        .registry
        .delete_tag_rule(&octocat, &of(APP), rule.id)
        .await;
    removed.unwrap();
    push(&world, &hubot, "v1", 6).await.unwrap();
}

#[tokio::test]
async fn pushing_what_is_there_already_is_no_move() {
    let (world, octocat, hubot) = world().await;
    make(&world, &octocat, &of(APP), immutable("v*")).await;
    push(&world, &hubot, "v1", 1).await.unwrap();
}

#[tokio::test]
async fn a_refused_tag_leaves_nothing_of_the_push() {
    let (world, octocat, hubot) = world().await;
    make(&world, &octocat, &of(APP), admins("v*")).await;
    assert!(is_protected(&push(&world, &hubot, "v1", 7).await));
    let digest = Digest::of(naru_oci::Algorithm::Sha256, content(7).as_bytes());
    let pulled = world.pull(&octocat, APP, digest.as_str()).await;
    assert!(matches!(pulled, Err(Error::ManifestUnknown { .. })));
}

#[tokio::test]
async fn every_door_through_which_a_tag_goes_is_held() {
    let (world, octocat, _) = world().await;
    let digest = world.pull(&octocat, APP, "v1").await.unwrap();
    push(&world, &octocat, "other", 8).await.unwrap();
    make(&world, &octocat, &of(APP), immutable("v*")).await;
    let path = container(APP);

    // A push by tag, and a push by digest that names more tags.
    assert!(is_protected(&push(&world, &octocat, "v1", 2).await));
    let target = world
        .registry
        .authorize_push(&octocat, &path)
        .await
        .unwrap();
    let content = content(2);
    let put = PutManifest {
        reference: naru_oci::Reference::Digest(Digest::of(
            naru_oci::Algorithm::Sha256,
            content.as_bytes(),
        )),
        tags: vec!["free".parse().unwrap(), "v1".parse().unwrap()],
        content_type: Some(MANIFEST.to_owned()),
        content: content.into(),
    };
    let pushed = world.registry.put_manifest(&octocat, &target, put).await;
    assert!(is_protected(&pushed));
    assert!(world.pull(&octocat, APP, "free").await.is_err());

    // The tag alone, and with its version, by either name of it.
    assert!(is_protected(&remove(&world, &octocat, "v1").await));
    let deleted = delete_manifest(&world, &octocat, APP, &digest).await;
    assert!(is_protected(&deleted));
    for version in [
        VersionRef::Digest(digest.clone()),
        VersionRef::Tag("v1".to_owned()),
    ] {
        let deleted = delete_version(&world, &octocat, APP, &version).await;
        assert!(is_protected(&deleted), "{version}");
    }
    assert_eq!(world.pull(&octocat, APP, "v1").await.unwrap(), digest);
}

#[tokio::test]
async fn a_restored_version_gets_no_tag_that_its_restorer_may_not_create() {
    let (world, octocat, _) = world().await;
    let path = container(APP);
    push(&world, &octocat, "w1", 1).await.unwrap();
    push(&world, &octocat, "other", 8).await.unwrap();
    let digest = world.pull(&octocat, APP, "v1").await.unwrap();
    delete_manifest(&world, &octocat, APP, &digest)
        .await
        .unwrap();
    let nobody = TagRuleWish {
        creates: AllowanceWish::default(),
        ..admins("v*")
    };
    make(&world, &octocat, &of(APP), nobody).await;
    let version = VersionRef::Digest(digest);
    let back = world
        .registry
        .restore_version(&octocat, &path, &version)
        .await;
    assert_eq!(back.unwrap().tags(), ["w1"]);
    assert!(world.pull(&octocat, APP, "v1").await.is_err());
}

#[tokio::test]
async fn the_machine_itself_is_not_bound() {
    let (world, octocat, _) = world().await;
    push(&world, &octocat, "other", 8).await.unwrap();
    make(&world, &octocat, &of(APP), immutable("*")).await;
    let version = VersionRef::Tag("v1".to_owned());
    delete_version(&world, &Caller::system(), APP, &version)
        .await
        .unwrap();
}

#[tokio::test]
async fn of_two_who_publish_one_immutable_tag_at_once_one_does() {
    let (world, octocat, hubot) = world().await;
    make(&world, &octocat, &of(APP), immutable("v*")).await;
    for number in 2..12 {
        let tag = format!("v{number}");
        let (one, two) = tokio::join!(
            push(&world, &octocat, &tag, 100 + number),
            push(&world, &hubot, &tag, 200 + number)
        );
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
        let lost = one.as_ref().err().or(two.as_ref().err());
        assert!(matches!(lost, Some(Error::TagProtected(_))), "{lost:?}");
        let won = one.or(two).unwrap();
        assert_eq!(world.pull(&octocat, APP, &tag).await.unwrap(), won);
    }
}

#[tokio::test]
async fn an_organizations_rule_binds_all_of_its_packages_and_their_admins() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    world.user("owner").await;
    world.organization("acme", "owner").await;
    let pat = world
        .pat("owner", "write:packages,delete:packages,admin:org")
        .await;
    let owner = world.caller(&pat).await;
    let acme = name("acme");
    world
        .registry
        .set_member(
            &Caller::system(),
            &acme,
            &name("octocat"),
            naru_model::OrganizationRole::Member,
        )
        .await
        .unwrap();
    let rules = TagRulesOf::Organization(acme);
    // For packages that are not there yet, too.
    make(&world, &owner, &rules, immutable("v*")).await;
    world.push(&octocat, "acme/app", "v1").await;
    let again = world
        .push_image(&octocat, "acme/app", "v1", "{\"again\":\"1\"}")
        .await;
    assert!(is_protected(&again));
    let listed = world
        .registry
        .list_tag_rules(&octocat, &of("acme/app"))
        .await
        .unwrap();
    assert_eq!(listed[0].source, TagRuleSource::Organization);
    // An admin of the package can neither change nor remove it there.
    let removed = world
        .registry
        .delete_tag_rule(&octocat, &of("acme/app"), listed[0].id)
        .await;
    assert!(matches!(removed, Err(Error::NotFound { .. })));
    let made = world
        .registry
        .create_tag_rule(&octocat, &rules, admins("*"))
        .await;
    assert!(matches!(made, Err(Error::Refused(_))));
}

#[tokio::test]
async fn an_organizations_rule_is_not_evaded_by_deleting_the_package() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    world.user("owner").await;
    world.organization("acme", "owner").await;
    let system = Caller::system();
    let member = naru_model::OrganizationRole::Member;
    let added = world
        .registry
        .set_member(&system, &name("acme"), &name("octocat"), member)
        .await;
    added.unwrap();
    let scopes = "write:packages,delete:packages,admin:org";
    let pat = world.pat("owner", scopes).await;
    let owner = world.caller(&pat).await;
    let (app, other) = (container("acme/app"), container("acme/other"));
    for package in ["acme/app", "acme/other"] {
        world.push(&octocat, package, "free").await;
    }
    world.push(&octocat, "acme/app", "v1").await;
    // A rule of the package itself does not keep whoever could lift it.
    make(&world, &octocat, &of("acme/other"), immutable("*")).await;
    let rules = TagRulesOf::Organization(name("acme"));
    let rule = make(&world, &owner, &rules, immutable("v*")).await;
    let registry = &world.registry;
    for caller in [&octocat, &owner] {
        let looked = registry.preview_delete_package(caller, &app).await;
        assert!(is_protected(&looked));
        assert!(is_protected(&registry.delete_package(caller, &app).await));
    }
    registry.delete_package(&octocat, &other).await.unwrap();
    registry
        .delete_tag_rule(&owner, &rules, rule.id)
        .await
        .unwrap();
    registry.delete_package(&octocat, &app).await.unwrap();
}

#[tokio::test]
async fn those_whom_a_rule_names_may_and_a_team_that_goes_lets_nobody_instead() {
    let world = World::new().await;
    let owner = world.person("owner").await;
    world.organization("acme", "owner").await;
    let system = Caller::system();
    let acme = name("acme");
    for login in ["octocat", "hubot"] {
        world.user(login).await;
        let member = naru_model::OrganizationRole::Member;
        let set = world
            .registry
            .set_member(&system, &acme, &name(login), member)
            .await;
        set.unwrap();
    }
    world.push(&owner, "acme/app", "v1").await;
    let team = world
        .registry
        .create_team(&system, &acme, "release", None)
        .await
        .unwrap();
    let path = container("acme/app");
    let mut callers = Vec::new();
    for login in ["octocat", "hubot"] {
        let to = GrantTo::User(name(login));
        let granted = world
            .registry
            .grant_package(&system, &path, &to, Role::Write)
            .await;
        granted.unwrap();
        let pat = world.pat(login, PACKAGES).await;
        callers.push(world.caller(&pat).await);
    }
    let (octocat, hubot) = (&callers[0], &callers[1]);
    let in_team = world
        .registry
        .set_team_member(
            &system,
            &acme,
            &team.slug,
            &name("octocat"),
            naru_model::TeamRole::Member,
        )
        .await;
    in_team.unwrap();
    let wish = TagRuleWish {
        moves: AllowanceWish {
            teams: vec![team.slug.clone()],
            ..AllowanceWish::default()
        },
        ..admins("v*")
    };
    make(&world, &owner, &of("acme/app"), wish).await;
    let labels = |text: &str| format!("{{\"by\":\"{text}\"}}");
    let push = async |caller: &Caller, text: &str| {
        world
            .push_image(caller, "acme/app", "v1", &labels(text))
            .await
    };
    push(octocat, "octocat").await.unwrap();
    assert!(is_protected(&push(hubot, "hubot").await));
    let refused = push(&owner, "owner").await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the tag `v1` is protected: the package's tag rule `v*` lets only these move it: the team \
         release",
        "admins are not named here"
    );
    world
        .registry
        .delete_team(&system, &acme, &team.slug)
        .await
        .unwrap();
    for caller in [octocat, hubot, &owner] {
        assert!(is_protected(&push(caller, "after").await));
    }
}

#[tokio::test]
async fn a_package_setting_lifts_the_legacy_registrys_own_rule() {
    let world = World::new().await;
    world.user("octocat").await;
    let pat = world
        .pat("octocat", "write:packages,delete:packages,repo")
        .await;
    let octocat = world.caller(&pat).await;
    let path =
        PackagePath::new(PackageType::Docker, &"octocat/hello/app".parse().unwrap()).unwrap();
    let put = async |tag: &str, number: u32| {
        let target = world.registry.authorize_push(&octocat, &path).await?;
        world.upload(&octocat, &target, b"{}").await?;
        let put = PutManifest {
            reference: tag.parse().unwrap(),
            tags: Vec::new(),
            content_type: Some(MANIFEST.to_owned()),
            content: content(number).into(),
        };
        world.registry.put_manifest(&octocat, &target, put).await
    };
    put("1", 1).await.unwrap();
    assert!(is_protected(&put("1", 2).await));
    let rules = TagRulesOf::Package(path.clone());
    let listed = world.registry.list_tag_rules(&octocat, &rules).await;
    assert_eq!(listed.unwrap(), [TagRule::of_the_legacy_registry()]);
    world
        .registry
        .set_default_tag_rule(&octocat, &path, false)
        .await
        .unwrap();
    let listed = world.registry.list_tag_rules(&octocat, &rules).await;
    assert_eq!(listed.unwrap(), []);
    put("1", 2).await.unwrap();
}

#[tokio::test]
async fn only_those_who_administer_the_package_see_and_change_its_rules() {
    let (world, octocat, hubot) = world().await;
    let rule = make(&world, &octocat, &of(APP), admins("v*")).await;
    let stranger = world.person("stranger").await;
    for caller in [&hubot, &stranger] {
        let registry = &world.registry;
        let listed = registry.list_tag_rules(caller, &of(APP)).await;
        assert!(matches!(listed, Err(Error::Refused(_))));
        let found = registry.tag_rule(caller, &of(APP), rule.id).await;
        assert!(matches!(found, Err(Error::Refused(_))));
        let made = registry
            .create_tag_rule(caller, &of(APP), admins("*"))
            .await;
        assert!(matches!(made, Err(Error::Refused(_))));
        let change = TagRuleChange::default();
        let changed = registry
            .change_tag_rule(caller, &of(APP), rule.id, change)
            .await;
        assert!(matches!(changed, Err(Error::Refused(_))));
        let removed = registry.delete_tag_rule(caller, &of(APP), rule.id).await;
        assert!(matches!(removed, Err(Error::Refused(_))));
    }
}

#[tokio::test]
async fn a_change_leaves_what_it_does_not_name() {
    let (world, octocat, _) = world().await;
    let wish = TagRuleWish {
        except: Some("v0".parse().unwrap()),
        description: Some("releases".to_owned()),
        ..admins("v*")
    };
    let rule = make(&world, &octocat, &of(APP), wish).await;
    world.clock.advance(std::time::Duration::from_secs(1));
    let change = TagRuleChange {
        immutable: Some(true),
        except: Some(None),
        ..TagRuleChange::default()
    };
    let changed = world
        .registry
        .change_tag_rule(&octocat, &of(APP), rule.id, change)
        .await
        .unwrap();
    let expected = TagRule {
        immutable: true,
        except: None,
        updated_at: changed.updated_at,
        ..rule.clone()
    };
    assert_eq!(changed, expected);
    assert!(changed.updated_at > rule.updated_at);
}

#[tokio::test]
async fn rules_name_only_what_is_there_and_are_bounded() {
    let (world, octocat, _) = world().await;
    world.repository("hubot/other", Visibility::Public).await;
    let moves = |moves| TagRuleWish {
        moves,
        ..admins("v*")
    };
    let create = async |wish| {
        world
            .registry
            .create_tag_rule(&octocat, &of(APP), wish)
            .await
    };
    let named = AllowanceWish::default;
    for (wish, what) in [
        (
            AllowanceWish {
                users: vec![name("nobody")],
                ..named()
            },
            "no such user",
        ),
        (
            AllowanceWish {
                teams: vec!["none".parse().unwrap()],
                ..named()
            },
            "no such team",
        ),
        (
            AllowanceWish {
                repositories: vec![repository("hubot/other")],
                ..named()
            },
            "another owner's repository",
        ),
        (
            AllowanceWish {
                repositories: vec![repository("octocat/none")],
                ..named()
            },
            "no such repository",
        ),
        (role(Role::Read), "readers"),
        (
            AllowanceWish {
                users: vec![name("hubot"); TagRule::MOST_NAMED + 1],
                ..named()
            },
            "too many",
        ),
    ] {
        assert!(create(moves(wish)).await.is_err(), "{what}");
    }
    let long = TagRuleWish {
        description: Some("ä".repeat(TagRule::LONGEST_DESCRIPTION + 1)),
        ..admins("v*")
    };
    assert!(matches!(create(long).await, Err(Error::Invalid(_))));
    for _ in 0..TagRule::MOST {
        create(admins("v*")).await.unwrap();
    }
    assert!(matches!(
        create(admins("v*")).await,
        Err(Error::Conflict(_))
    ));
}

#[tokio::test]
async fn a_change_keeps_those_whom_a_rule_names_and_who_are_in_the_bin() {
    let (world, ..) = world().await;
    let system = Caller::system();
    let path = repository("octocat/source");
    world
        .repository("octocat/source", Visibility::Private)
        .await;
    let named = || AllowanceWish {
        repositories: vec![path.clone()],
        ..AllowanceWish::default()
    };
    let wish = TagRuleWish {
        creates: named(),
        moves: named(),
        ..admins("v*")
    };
    let rule = make(&world, &system, &of(APP), wish).await;
    let registry = &world.registry;
    registry.delete_repository(&system, &path).await.unwrap();
    let change = TagRuleChange {
        moves: Some(AllowanceWish::default()),
        ..TagRuleChange::default()
    };
    let changed = registry
        .change_tag_rule(&system, &of(APP), rule.id, change)
        .await;
    assert_eq!(changed.unwrap().creates.repositories, []);
    registry.restore_repository(&system, &path).await.unwrap();
    let back = registry.tag_rule(&system, &of(APP), rule.id).await.unwrap();
    assert_eq!(back.creates.repositories.len(), 1);
    assert_eq!(back.moves.repositories, [], "said anew");
}

#[tokio::test]
async fn an_organization_goes_with_its_packages_whatever_its_rules_say_of_tags() {
    let settings = Settings {
        undeletable_downloads: 1,
        ..Settings::default()
    };
    let world = World::with(settings).await;
    world.user("owner").await;
    world.organization("octo", "owner").await;
    let scopes = "admin:org,write:packages,delete:packages";
    let owner = world.caller(&world.pat("owner", scopes).await).await;
    world.push(&owner, "octo/app", "v1").await;
    let octo = TagRulesOf::Organization(name("octo"));
    make(&world, &owner, &octo, immutable("*")).await;
    let (registry, path) = (&world.registry, container("octo/app"));
    let deleted = registry.delete_package(&owner, &path).await;
    assert!(is_protected(&deleted), "{deleted:?}");
    let organization = name("octo");
    registry
        .delete_organization(&owner, &organization)
        .await
        .unwrap();
    registry
        .restore_organization(&Caller::system(), &organization)
        .await
        .unwrap();
    world.pull(&owner, "octo/app", "v1").await.unwrap();
}
