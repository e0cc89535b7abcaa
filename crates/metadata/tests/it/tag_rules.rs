//! Tag rules: read back as they were written, and gone with what they name.

use crate::accounts::{package, user};
use crate::home::at;
use crate::{Home, on_both};
use naru_metadata::tag_rules::{self, RuleText, RulesOf};
use naru_metadata::teams::NewTeam;
use naru_metadata::{Conn, packages, repositories, teams};
use naru_model::{
    AccountId, PackageId, PackageType, Role, TagAction, TagAllowance, TagRule, TagRuleSource,
    TeamId, TeamPrivacy, Visibility,
};

on_both!(
    a_rule_is_read_back_as_it_was_written,
    a_package_is_bound_by_its_own_rules_and_its_owners,
    a_team_that_goes_leaves_its_rules_to_fewer,
    a_package_is_purged_with_its_rules,
);

async fn team(tx: &mut Conn, owner: AccountId, slug: &str) -> TeamId {
    let new = NewTeam {
        organization: owner,
        slug: &slug.parse().unwrap(),
        name: slug,
        description: None,
        privacy: TeamPrivacy::Closed,
        notifications: true,
        now: at(1),
    };
    teams::create(tx, &new).await.unwrap().unwrap()
}

/// Somebody of each kind is named for moving.
async fn named(tx: &mut Conn, owner: AccountId) -> TagAllowance {
    let repository = "App".parse().unwrap();
    let visibility = Visibility::Private;
    let found = repositories::find_or_create(tx, owner, &repository, visibility, at(1)).await;
    TagAllowance {
        role: None,
        users: vec![(user(tx, "Hubot").await, "Hubot".parse().unwrap())],
        teams: vec![(
            team(tx, owner, "release").await,
            "release".parse().unwrap(),
            TeamPrivacy::Closed,
        )],
        repositories: vec![(found.unwrap(), "cat/App".parse().unwrap())],
        unseen: 0,
    }
}

async fn create(tx: &mut Conn, owner: AccountId, of: Option<PackageId>, rule: &TagRule) -> TagRule {
    let text = text(rule);
    let id = tag_rules::create(tx, owner, of, text, None, at(3)).await;
    let of = match of {
        Some(package) => RulesOf::Package(package),
        None => RulesOf::Owner(owner),
    };
    let found = tag_rules::find(tx, of, id.unwrap()).await.unwrap();
    found.unwrap()
}

fn text(rule: &TagRule) -> RuleText<'_> {
    RuleText {
        pattern: &rule.pattern,
        except: rule.except.as_ref(),
        description: rule.description.as_deref(),
        immutable: rule.immutable,
        creates: &rule.creates,
        moves: &rule.moves,
        deletes: &rule.deletes,
    }
}

fn rule(pattern: &str, moves: TagAllowance) -> TagRule {
    TagRule {
        source: TagRuleSource::Package,
        pattern: pattern.parse().unwrap(),
        immutable: false,
        deletes: TagAllowance::role(Role::Admin),
        moves,
        created_at: at(3),
        updated_at: at(3),
        ..TagRule::of_the_legacy_registry()
    }
}

async fn a_rule_is_read_back_as_it_was_written(home: Home) {
    let mut tx = home.open().await.write().await.unwrap();
    let cat = user(&mut tx, "cat").await;
    let app = package(&mut tx, cat, PackageType::Container, "app").await;
    let written = rule("v*", named(&mut tx, cat).await);
    let found = create(&mut tx, cat, Some(app), &written).await;
    let id = found.id;
    assert_eq!(found, TagRule { id, ..written });

    let other = TagRule {
        id,
        except: None,
        immutable: true,
        moves: TagAllowance::default(),
        updated_at: at(4),
        ..rule("w*", TagAllowance::default())
    };
    tag_rules::change(&mut tx, id, text(&other), TagAction::ALL, at(4))
        .await
        .unwrap();
    let of = RulesOf::Package(app);
    let found = tag_rules::list(&mut tx, of).await.unwrap();
    assert_eq!(found, [other]);

    tag_rules::delete(&mut tx, id).await.unwrap();
    assert_eq!(tag_rules::list(&mut tx, of).await.unwrap(), []);
}

async fn a_package_is_bound_by_its_own_rules_and_its_owners(home: Home) {
    let mut tx = home.open().await.write().await.unwrap();
    let (cat, dog) = (user(&mut tx, "cat").await, user(&mut tx, "dog").await);
    let app = package(&mut tx, cat, PackageType::Container, "app").await;
    let other = package(&mut tx, cat, PackageType::Container, "other").await;
    let nobody = TagAllowance::default;
    create(&mut tx, cat, Some(app), &rule("own", nobody())).await;
    create(
        &mut tx,
        cat,
        Some(other),
        &rule("another-packages", nobody()),
    )
    .await;
    let owners = create(&mut tx, cat, None, &rule("owners", nobody())).await;
    create(&mut tx, dog, None, &rule("another-owners", nobody())).await;
    let found = tag_rules::binding(&mut tx, app, cat).await.unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|rule| (rule.pattern.as_str(), rule.source))
        .collect();
    let expected = [
        ("own", TagRuleSource::Package),
        ("owners", TagRuleSource::Organization),
    ];
    assert_eq!(found, expected);
    for of in [RulesOf::Package(app), RulesOf::Owner(dog)] {
        let found = tag_rules::find(&mut tx, of, owners.id).await.unwrap();
        assert_eq!(found, None, "a rule is found where it belongs");
    }
}

async fn a_team_that_goes_leaves_its_rules_to_fewer(home: Home) {
    let mut tx = home.open().await.write().await.unwrap();
    let cat = user(&mut tx, "cat").await;
    let app = package(&mut tx, cat, PackageType::Container, "app").await;
    let named = named(&mut tx, cat).await;
    let team = named.teams[0].0;
    let of = RulesOf::Package(app);
    let rule = create(&mut tx, cat, Some(app), &rule("v*", named)).await;
    teams::delete(&mut tx, team).await.unwrap();
    let found = tag_rules::find(&mut tx, of, rule.id).await.unwrap();
    let found = found.unwrap();
    assert_eq!(found.moves.teams, []);
    assert_eq!(found.moves.users, rule.moves.users);
    assert_eq!(found.moves.role, None, "nobody else may instead");
}

async fn a_package_is_purged_with_its_rules(home: Home) {
    let mut tx = home.open().await.write().await.unwrap();
    let cat = user(&mut tx, "cat").await;
    let app = package(&mut tx, cat, PackageType::Container, "app").await;
    let named = named(&mut tx, cat).await;
    create(&mut tx, cat, Some(app), &rule("v*", named)).await;
    let owners = create(&mut tx, cat, None, &rule("owners", TagAllowance::default())).await;
    packages::delete(&mut tx, app, at(5), None).await.unwrap();
    assert_eq!(packages::purge_empty(&mut tx, at(6), 10).await.unwrap(), 1);
    let left = tag_rules::list(&mut tx, RulesOf::Owner(cat)).await.unwrap();
    assert_eq!(left, [owners]);
}
