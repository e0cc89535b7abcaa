//! Questions about people: accounts, organizations, teams, repositories, grants, tokens, keys,
//! events.

use crate::home::{at, change};
use crate::{Home, on_both};
use naru_metadata::accounts::{self, NewOrganization, NewUser};
use naru_metadata::repositories::{self, NewRepository};
use naru_metadata::teams::{self, NewTeam};
use naru_metadata::tokens::{self, NewToken};
use naru_metadata::{Conn, Cursor, Db, Tx, events, grants, packages, signing_keys};
use naru_model::{
    Account, AccountId, AccountName, Actor, EventKind, NewEvent, OrganizationRole, PackageId,
    PackageSettings, PackageType, RepositoryId, RepositoryRole, Role, Scope, Scopes, TeamId,
    TeamPrivacy, TeamRole, TokenHolder, Visibility, WorkflowPackages,
};

on_both!(
    an_account_is_found_in_any_case_and_keeps_its_spelling,
    users_and_organizations_share_one_namespace,
    a_password_hash_is_given_only_when_it_is_asked_for,
    a_suspended_administrator_does_not_count,
    members_have_one_role_each,
    what_an_organization_allows_is_read_back,
    a_team_goes_with_all_that_was_granted_to_it,
    whoever_leaves_an_organization_leaves_its_teams,
    a_deleted_repository_frees_its_name_and_keeps_its_row,
    two_first_pushes_make_one_repository,
    roles_in_a_repository_are_given_changed_and_taken,
    grants_on_a_package_are_given_changed_and_taken,
    a_token_is_found_by_its_hash_with_what_it_speaks_for,
    a_token_is_revoked_once,
    keys_are_retired_and_then_forgotten,
    events_are_read_back_page_by_page,
    a_renamed_account_keeps_the_names_that_were_pulled,
);

pub(crate) fn name(text: &str) -> AccountName {
    text.parse().unwrap()
}

pub(crate) async fn user(tx: &mut Conn, login: &str) -> AccountId {
    let login = name(login);
    let new = NewUser {
        login: &login,
        name: Some("A person"),
        site_admin: false,
        password_hash: None,
        now: at(1),
    };
    accounts::create_user(tx, &new).await.unwrap().unwrap()
}

pub(crate) async fn organization(tx: &mut Conn, login: &str) -> AccountId {
    let login = name(login);
    let new = NewOrganization {
        login: &login,
        name: None,
        now: at(1),
    };
    accounts::create_organization(tx, &new)
        .await
        .unwrap()
        .unwrap()
}

pub(crate) async fn team(tx: &mut Conn, organization: AccountId, slug: &str) -> TeamId {
    let slug = slug.parse().unwrap();
    let new = NewTeam {
        organization,
        slug: &slug,
        name: "A team",
        description: None,
        privacy: TeamPrivacy::Closed,
        notifications: true,
        now: at(1),
    };
    teams::create(tx, &new).await.unwrap().unwrap()
}

pub(crate) async fn repository(
    tx: &mut Conn,
    owner: AccountId,
    name: &str,
    visibility: Visibility,
) -> RepositoryId {
    let name = name.parse().unwrap();
    let new = NewRepository {
        owner,
        name: &name,
        description: None,
        forge_url: Some("https://forge.example/octo/app"),
        homepage: None,
        visibility,
        now: at(1),
    };
    repositories::create(tx, &new).await.unwrap().unwrap()
}

pub(crate) async fn package(
    tx: &mut Conn,
    owner: AccountId,
    package_type: PackageType,
    name: &str,
) -> PackageId {
    let name = name.parse().unwrap();
    let new = packages::NewPackage {
        owner,
        package_type,
        name: &name,
        visibility: Visibility::Private,
        repository: None,
        inherit_access: false,
        created_by: None,
        now: at(1),
    };
    packages::create_hidden(tx, &new).await.unwrap().unwrap()
}

async fn begin(home: &Home) -> (Db, Tx) {
    let db = home.open().await;
    let tx = db.write().await.unwrap();
    (db, tx)
}

async fn an_account_is_found_in_any_case_and_keeps_its_spelling(home: Home) {
    let (_db, mut tx) = begin(&home).await;
    let id = user(&mut tx, "Octo-Cat").await;
    let found = accounts::find(&mut tx, &name("octo-CAT"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((found.id(), found.login().as_str()), (id, "Octo-Cat"));
    assert_eq!(
        accounts::find_by_id(&mut tx, id).await.unwrap(),
        Some(found)
    );
    assert_eq!(
        accounts::find(&mut tx, &name("nobody")).await.unwrap(),
        None
    );
}

async fn users_and_organizations_share_one_namespace(home: Home) {
    let (_db, mut tx) = begin(&home).await;
    let octo = organization(&mut tx, "octo").await;
    let taken = name("OCTO");
    let new = NewUser {
        login: &taken,
        name: None,
        site_admin: false,
        password_hash: None,
        now: at(1),
    };
    assert_eq!(accounts::create_user(&mut tx, &new).await.unwrap(), None);
    for login in ["zoe", "Adam", "bea"] {
        user(&mut tx, login).await;
    }
    let users = accounts::users(&mut tx, 2, 1).await.unwrap();
    let logins: Vec<_> = users.iter().map(|user| user.login.as_str()).collect();
    assert_eq!(logins, ["bea", "zoe"]);
    assert_eq!(
        accounts::organizations(&mut tx, 10, 0).await.unwrap()[0].id,
        octo
    );
    assert_eq!(accounts::user(&mut tx, octo).await.unwrap(), None);
}

async fn a_password_hash_is_given_only_when_it_is_asked_for(home: Home) {
    let (_db, mut tx) = begin(&home).await;
    let id = user(&mut tx, "octocat").await;
    accounts::set_password_hash(&mut tx, id, Some("$argon2id$…"), at(2))
        .await
        .unwrap();
    let found = accounts::user_with_password(&mut tx, &name("Octocat"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((found.0.id, found.1.as_deref()), (id, Some("$argon2id$…")));
    organization(&mut tx, "octo").await;
    assert_eq!(
        accounts::user_with_password(&mut tx, &name("octo"))
            .await
            .unwrap(),
        None
    );
}

async fn a_suspended_administrator_does_not_count(home: Home) {
    let (_db, mut tx) = begin(&home).await;
    let one = user(&mut tx, "one").await;
    let other = user(&mut tx, "other").await;
    for id in [one, other] {
        accounts::set_site_admin(&mut tx, id, true, at(2))
            .await
            .unwrap();
    }
    assert_eq!(
        accounts::count_active_administrators(&mut tx)
            .await
            .unwrap(),
        2
    );
    accounts::set_suspended(&mut tx, other, Some(at(3)), at(3))
        .await
        .unwrap();
    assert_eq!(
        accounts::count_active_administrators(&mut tx)
            .await
            .unwrap(),
        1
    );
    let suspended = accounts::user(&mut tx, other).await.unwrap().unwrap();
    assert_eq!(
        (suspended.suspended_at, suspended.updated_at),
        (Some(at(3)), at(3))
    );
}

async fn members_have_one_role_each(home: Home) {
    use OrganizationRole::{Member, Owner};
    let (_db, mut tx) = begin(&home).await;
    let octo = organization(&mut tx, "octo").await;
    let cat = user(&mut tx, "cat").await;
    let bot = user(&mut tx, "bot").await;
    accounts::set_member(&mut tx, octo, cat, Member, at(1))
        .await
        .unwrap();
    accounts::set_member(&mut tx, octo, cat, Owner, at(2))
        .await
        .unwrap();
    accounts::set_member(&mut tx, octo, bot, Member, at(2))
        .await
        .unwrap();
    let members = accounts::members(&mut tx, octo).await.unwrap();
    let seen: Vec<_> = members
        .iter()
        .map(|(user, role)| (user.id, *role))
        .collect();
    assert_eq!(seen, [(bot, Member), (cat, Owner)]);
    assert_eq!(accounts::count_owners(&mut tx, octo).await.unwrap(), 1);
    assert_eq!(
        accounts::member_role(&mut tx, octo, cat).await.unwrap(),
        Some(Owner)
    );
    assert_eq!(
        accounts::memberships(&mut tx, bot).await.unwrap()[0].1,
        Member
    );
    assert!(accounts::remove_member(&mut tx, octo, bot).await.unwrap());
    assert!(!accounts::remove_member(&mut tx, octo, bot).await.unwrap());
    assert_eq!(
        accounts::member_role(&mut tx, octo, bot).await.unwrap(),
        None
    );
}

async fn what_an_organization_allows_is_read_back(home: Home) {
    let (_db, mut tx) = begin(&home).await;
    let octo = organization(&mut tx, "octo").await;
    let found = accounts::organization(&mut tx, octo)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.packages, PackageSettings::default());
    let settings = PackageSettings {
        members_create_public: false,
        members_create_internal: true,
        members_create_private: false,
        members_create_repositories: true,
        inherit_access: false,
        public_is_final: true,
        refuse_needed_deletes: true,
    };
    accounts::set_package_settings(&mut tx, octo, &settings, at(2))
        .await
        .unwrap();
    let found = accounts::find(&mut tx, &name("octo"))
        .await
        .unwrap()
        .unwrap();
    let Account::Organization(found) = found else {
        panic!("{found:?}")
    };
    assert_eq!((found.packages, found.updated_at), (settings, at(2)));
}

async fn a_team_goes_with_all_that_was_granted_to_it(home: Home) {
    let (_db, mut tx) = begin(&home).await;
    let octo = organization(&mut tx, "octo").await;
    let cat = user(&mut tx, "cat").await;
    let core = team(&mut tx, octo, "core").await;
    let app = repository(&mut tx, octo, "app", Visibility::Private).await;
    let image = package(&mut tx, octo, PackageType::Container, "image").await;
    teams::set_member(&mut tx, core, cat, TeamRole::Member, at(1))
        .await
        .unwrap();
    teams::set_member(&mut tx, core, cat, TeamRole::Maintainer, at(2))
        .await
        .unwrap();
    repositories::set_team_role(&mut tx, app, core, RepositoryRole::Write, at(2))
        .await
        .unwrap();
    grants::set_team(&mut tx, image, core, Role::Write, at(2))
        .await
        .unwrap();
    let members = teams::members(&mut tx, core).await.unwrap();
    assert_eq!((members.len(), members[0].1), (1, TeamRole::Maintainer));
    teams::delete(&mut tx, core).await.unwrap();
    assert_eq!(teams::of_organization(&mut tx, octo).await.unwrap(), []);
    assert_eq!(grants::teams(&mut tx, image).await.unwrap(), []);
    assert_eq!(repositories::teams(&mut tx, app).await.unwrap(), []);
    let again = "core".parse().unwrap();
    assert_eq!(teams::find(&mut tx, octo, &again).await.unwrap(), None);
}

async fn whoever_leaves_an_organization_leaves_its_teams(home: Home) {
    let (_db, mut tx) = begin(&home).await;
    let cat = user(&mut tx, "cat").await;
    let mut found = Vec::new();
    for login in ["here", "elsewhere"] {
        let octo = organization(&mut tx, login).await;
        let core = team(&mut tx, octo, "core").await;
        teams::set_member(&mut tx, core, cat, TeamRole::Member, at(1))
            .await
            .unwrap();
        found.push((octo, core));
    }
    teams::remove_from_all(&mut tx, found[0].0, cat)
        .await
        .unwrap();
    assert_eq!(
        teams::member_role(&mut tx, found[0].1, cat).await.unwrap(),
        None
    );
    let kept = teams::member_role(&mut tx, found[1].1, cat).await.unwrap();
    assert_eq!(kept, Some(TeamRole::Member));
    assert!(
        teams::remove_member(&mut tx, found[1].1, cat)
            .await
            .unwrap()
    );
    assert!(
        !teams::remove_member(&mut tx, found[1].1, cat)
            .await
            .unwrap()
    );
}

async fn a_deleted_repository_frees_its_name_and_keeps_its_row(home: Home) {
    let (_db, mut tx) = begin(&home).await;
    let octo = organization(&mut tx, "octo").await;
    let app = repository(&mut tx, octo, "App", Visibility::Private).await;
    let image = package(&mut tx, octo, PackageType::Container, "image").await;
    packages::set_repository(&mut tx, image, Some(app), true, at(2))
        .await
        .unwrap();
    let path = "OCTO/app".parse().unwrap();
    let found = repositories::find_by_path(&mut tx, &path)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((found.id, found.name.as_str()), (app, "App"));
    let by_address = repositories::find_by_forge_url(&mut tx, "https://forge.example/octo/app")
        .await
        .unwrap();
    assert_eq!(by_address, [found]);

    repositories::set_visibility(&mut tx, app, Visibility::Public, at(3))
        .await
        .unwrap();
    repositories::unlink_packages(&mut tx, app, at(4))
        .await
        .unwrap();
    repositories::delete(&mut tx, app, at(4)).await.unwrap();
    assert_eq!(repositories::find_by_id(&mut tx, app).await.unwrap(), None);
    assert_eq!(repositories::of_owner(&mut tx, octo).await.unwrap(), []);
    let package = packages::find(&mut tx, image).await.unwrap().unwrap();
    assert_eq!((package.repository, package.inherit_access), (None, false));
    assert_ne!(
        repository(&mut tx, octo, "app", Visibility::Private).await,
        app
    );
}

async fn two_first_pushes_make_one_repository(home: Home) {
    let db = home.open().await;
    let octo = change(&db, async |tx| Ok(organization(tx, "octo").await))
        .await
        .unwrap();
    let app = "app".parse().unwrap();
    let push = || {
        change(&db, async |tx| {
            repositories::find_or_create(tx, octo, &app, Visibility::Private, at(1)).await
        })
    };
    let (one, other, third) = tokio::join!(push(), push(), push());
    let one = one.unwrap();
    assert_eq!((one, one), (other.unwrap(), third.unwrap()));
}

async fn roles_in_a_repository_are_given_changed_and_taken(home: Home) {
    let (_db, mut tx) = begin(&home).await;
    let octo = organization(&mut tx, "octo").await;
    let cat = user(&mut tx, "cat").await;
    let core = team(&mut tx, octo, "core").await;
    let app = repository(&mut tx, octo, "app", Visibility::Private).await;
    for role in RepositoryRole::ALL.iter().copied() {
        repositories::set_user_role(&mut tx, app, cat, role, at(1))
            .await
            .unwrap();
        repositories::set_team_role(&mut tx, app, core, role, at(1))
            .await
            .unwrap();
        assert_eq!(
            repositories::user_role(&mut tx, app, cat).await.unwrap(),
            Some(role)
        );
        assert_eq!(
            repositories::team_role(&mut tx, app, core).await.unwrap(),
            Some(role)
        );
    }
    assert_eq!(
        repositories::users(&mut tx, app).await.unwrap()[0].1,
        RepositoryRole::Admin
    );
    assert_eq!(
        repositories::teams(&mut tx, app).await.unwrap()[0].1,
        RepositoryRole::Admin
    );
    assert!(
        repositories::remove_user_role(&mut tx, app, cat)
            .await
            .unwrap()
    );
    assert!(
        repositories::remove_team_role(&mut tx, app, core)
            .await
            .unwrap()
    );
    assert!(
        !repositories::remove_user_role(&mut tx, app, cat)
            .await
            .unwrap()
    );
    assert!(
        !repositories::has_legacy_packages(&mut tx, app)
            .await
            .unwrap()
    );
    let legacy = package(&mut tx, octo, PackageType::Docker, "app/image").await;
    packages::set_repository(&mut tx, legacy, Some(app), true, at(2))
        .await
        .unwrap();
    assert!(
        repositories::has_legacy_packages(&mut tx, app)
            .await
            .unwrap()
    );
}

async fn grants_on_a_package_are_given_changed_and_taken(home: Home) {
    let (_db, mut tx) = begin(&home).await;
    let octo = organization(&mut tx, "octo").await;
    let cat = user(&mut tx, "cat").await;
    let core = team(&mut tx, octo, "core").await;
    let app = repository(&mut tx, octo, "app", Visibility::Private).await;
    let image = package(&mut tx, octo, PackageType::Container, "image").await;
    for role in Role::ALL.iter().copied() {
        grants::set_user(&mut tx, image, cat, role, at(1))
            .await
            .unwrap();
        grants::set_team(&mut tx, image, core, role, at(1))
            .await
            .unwrap();
        grants::set_repository(&mut tx, image, app, role, at(1))
            .await
            .unwrap();
    }
    assert_eq!(
        grants::users(&mut tx, image).await.unwrap()[0].1,
        Role::Admin
    );
    assert_eq!(
        grants::teams(&mut tx, image).await.unwrap()[0].1,
        Role::Admin
    );
    assert_eq!(
        grants::repositories(&mut tx, image).await.unwrap()[0].1,
        Role::Admin
    );
    assert!(grants::remove_user(&mut tx, image, cat).await.unwrap());
    assert!(grants::remove_team(&mut tx, image, core).await.unwrap());
    assert!(
        grants::remove_repository(&mut tx, image, app)
            .await
            .unwrap()
    );
    assert!(
        !grants::remove_repository(&mut tx, image, app)
            .await
            .unwrap()
    );
    assert_eq!(grants::users(&mut tx, image).await.unwrap(), []);
}

async fn a_token_is_found_by_its_hash_with_what_it_speaks_for(home: Home) {
    let (_db, mut tx) = begin(&home).await;
    let cat = user(&mut tx, "cat").await;
    let app = repository(&mut tx, cat, "app", Visibility::Private).await;
    let scopes: Scopes = [Scope::WritePackages, Scope::Repo].into_iter().collect();
    let holders = [
        TokenHolder::User { user: cat, scopes },
        TokenHolder::User {
            user: cat,
            scopes: Scopes::NONE,
        },
        TokenHolder::Repository {
            repository: app,
            packages: Some(WorkflowPackages::Write),
        },
        TokenHolder::Repository {
            repository: app,
            packages: None,
        },
    ];
    for (number, holder) in holders.into_iter().enumerate() {
        let hash = [u8::try_from(number).unwrap(); 32];
        let new = NewToken {
            holder,
            hash: &hash,
            note: "laptop",
            expires_at: Some(at(99)),
            now: at(1),
        };
        let id = tokens::insert(&mut tx, &new).await.unwrap();
        let found = tokens::live_by_hash(&mut tx, &hash).await.unwrap().unwrap();
        assert_eq!((found.token.id, found.token.holder), (id, holder));
        assert!(found.holder_active && !found.site_admin);
        assert_eq!(
            tokens::live_by_id(&mut tx, id).await.unwrap(),
            Some(found.clone())
        );
        assert_eq!(tokens::find(&mut tx, id).await.unwrap(), Some(found.token));
    }
    assert_eq!(tokens::live_by_hash(&mut tx, &[9; 32]).await.unwrap(), None);
    assert_eq!(tokens::of_user(&mut tx, cat).await.unwrap().len(), 2);

    accounts::set_site_admin(&mut tx, cat, true, at(2))
        .await
        .unwrap();
    assert!(
        tokens::live_by_hash(&mut tx, &[0; 32])
            .await
            .unwrap()
            .unwrap()
            .site_admin
    );
    accounts::set_suspended(&mut tx, cat, Some(at(2)), at(2))
        .await
        .unwrap();
    for hash in [[0; 32], [2; 32]] {
        assert!(
            !tokens::live_by_hash(&mut tx, &hash)
                .await
                .unwrap()
                .unwrap()
                .holder_active
        );
    }
}

async fn a_token_is_revoked_once(home: Home) {
    let (_db, mut tx) = begin(&home).await;
    let cat = user(&mut tx, "cat").await;
    let app = repository(&mut tx, cat, "app", Visibility::Private).await;
    let holder = TokenHolder::Repository {
        repository: app,
        packages: None,
    };
    let new = NewToken {
        holder,
        hash: &[1; 32],
        note: "",
        expires_at: None,
        now: at(1),
    };
    let id = tokens::insert(&mut tx, &new).await.unwrap();
    tokens::note_use(&mut tx, id, at(5)).await.unwrap();
    tokens::note_use(&mut tx, id, at(4)).await.unwrap();
    let found = tokens::find(&mut tx, id).await.unwrap().unwrap();
    assert_eq!((found.last_used_at, found.revoked_at), (Some(at(5)), None));
    assert!(tokens::revoke(&mut tx, id, at(6)).await.unwrap());
    assert!(!tokens::revoke(&mut tx, id, at(7)).await.unwrap());
    assert_eq!(
        tokens::find(&mut tx, id).await.unwrap().unwrap().revoked_at,
        Some(at(6))
    );
    assert_eq!(
        tokens::revoke_of_repository(&mut tx, app, at(8))
            .await
            .unwrap(),
        0
    );
}

async fn keys_are_retired_and_then_forgotten(home: Home) {
    let (_db, mut tx) = begin(&home).await;
    signing_keys::insert(&mut tx, "old", &[1, 2], at(1))
        .await
        .unwrap();
    signing_keys::retire_all(&mut tx, at(2)).await.unwrap();
    signing_keys::insert(&mut tx, "new", &[3, 4], at(2))
        .await
        .unwrap();
    let keys = signing_keys::all(&mut tx).await.unwrap();
    let seen: Vec<_> = keys
        .iter()
        .map(|key| (key.kid.as_str(), key.retired_at))
        .collect();
    assert_eq!(seen, [("old", Some(at(2))), ("new", None)]);
    assert_eq!(keys[1].sealed, [3, 4]);
    assert_eq!(
        signing_keys::forget_retired_before(&mut tx, at(2))
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        signing_keys::forget_retired_before(&mut tx, at(3))
            .await
            .unwrap(),
        1
    );
}

async fn events_are_read_back_page_by_page(home: Home) {
    let (_db, mut tx) = begin(&home).await;
    let cat = user(&mut tx, "cat").await;
    let image = package(&mut tx, cat, PackageType::Container, "image").await;
    let token = naru_model::TokenId::new(7);
    let actors = [
        Actor::Anonymous,
        Actor::System,
        Actor::User(cat, None),
        Actor::User(cat, Some(token)),
        Actor::Workflow(RepositoryId::new(9), token),
    ];
    let mut written = Vec::new();
    for actor in actors {
        let event = NewEvent::new(EventKind::TagMoved, at(3), actor)
            .on_package(cat, image)
            .in_request(Some("request".to_owned()))
            .with("tag", "\"latest\" 나루");
        written.push((events::insert(&mut tx, &event).await.unwrap(), event));
    }
    written.reverse();
    let mut seen = Vec::new();
    let mut cursor = Some(Cursor::first(2));
    while let Some(from) = cursor {
        let page = events::of_package(&mut tx, image, from).await.unwrap();
        seen.extend(page.items.into_iter().map(|event| (event.id, event.event)));
        cursor = page.next;
    }
    assert_eq!(seen, written);
    let all = Cursor::first(5);
    assert_eq!(
        events::of_account(&mut tx, cat, all)
            .await
            .unwrap()
            .items
            .len(),
        5
    );
    assert_eq!(events::all(&mut tx, all).await.unwrap().next, None);
}

async fn a_renamed_account_keeps_the_names_that_were_pulled(home: Home) {
    let (_db, mut tx) = begin(&home).await;
    let cat = user(&mut tx, "cat").await;
    for image in ["pulled", "quiet"] {
        let id = package(&mut tx, cat, PackageType::Container, image).await;
        if image == "pulled" {
            packages::note_pulled(&mut tx, id, at(2)).await.unwrap();
        }
    }
    accounts::rename(&mut tx, cat, &name("lion"), at(3))
        .await
        .unwrap();
    let found = accounts::find(&mut tx, &name("Lion"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.id(), cat);
    let other = user(&mut tx, "cat").await;
    let retired = async |tx: &mut Conn, image: &str, account| {
        let path = naru_model::PackagePath {
            package_type: PackageType::Container,
            owner: name("cat"),
            name: image.parse().unwrap(),
        };
        let principal = crate::facts::session(account);
        grants::package_facts(tx, &principal, &path)
            .await
            .unwrap()
            .name_retired
    };
    assert!(retired(&mut tx, "pulled", other).await);
    assert!(!retired(&mut tx, "quiet", other).await);
    // Who gave the name up may take it again.
    accounts::rename(&mut tx, other, &name("tiger"), at(4))
        .await
        .unwrap();
    accounts::rename(&mut tx, cat, &name("cat"), at(4))
        .await
        .unwrap();
    assert!(!retired(&mut tx, "pulled", cat).await);
}
