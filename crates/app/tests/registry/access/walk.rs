//! The walk: every route × everybody × every transport × every target, each answer compared with
//! the oracle; and what a caller may not know about compared byte for byte with what is not there.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::kit::content::{digest, unknown_digest};
use crate::kit::http::{Answer, Credential};
use crate::kit::repo::Repo;
use crate::kit::server::plain;

use super::oracle::{Expected, Question, Realm, Target, expected};
use super::routes::{BYTES, Needs, ROUTES, Route, Sends, filled};
use super::world::{Principal, Transport, World, world};

#[test]
fn an_organizations_packages_are_for_whom_they_are() {
    walk(Realm::Organization);
}

#[test]
fn a_persons_packages_are_for_whom_they_are() {
    walk(Realm::Person);
}

#[test]
fn the_legacy_registrys_images_are_for_whom_they_are() {
    walk(Realm::Legacy);
}

/// Asks everything about a realm; the faults of all are told together.
fn walk(realm: Realm) {
    let world = world();
    let rows = realm.everybody();
    let callers: Vec<(&Principal, Transport)> = world
        .principals
        .iter()
        .filter(|principal| rows.contains(&principal.who))
        .flat_map(|principal| {
            principal
                .transports(realm)
                .iter()
                .map(move |transport| (principal, *transport))
        })
        .collect();
    for who in &rows {
        assert!(
            callers.iter().any(|(principal, _)| principal.who == *who),
            "nobody is {who}"
        );
    }
    let next = AtomicUsize::new(0);
    let faults: Vec<String> = std::thread::scope(|scope| {
        let work = || {
            let mut faults = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(&(principal, transport)) = callers.get(number) else {
                    return faults;
                };
                faults.extend(
                    Caller {
                        world,
                        realm,
                        principal,
                        transport,
                        number,
                    }
                    .walk(),
                );
            }
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    let shown = faults
        .iter()
        .take(20)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n\n");
    assert!(
        faults.is_empty(),
        "{} wrong answers, the first of them:\n\n{shown}",
        faults.len()
    );
}

/// Somebody who sends a token in one way.
#[derive(Clone, Copy)]
struct Caller<'w> {
    world: &'w World,
    realm: Realm,
    principal: &'w Principal,
    transport: Transport,
    /// No other caller has it; so no other deletes the same tag.
    number: usize,
}

impl Caller<'_> {
    /// Asks every route of every target; answers what was wrong.
    fn walk(self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut answers: HashMap<(Target, usize), (Expected, String)> = HashMap::new();
        for target in Target::ALL {
            let name = World::name(self.realm, target);
            let credential = self.principal.credential(self.world, self.transport, &name);
            let repo = self.world.repo(self.realm, &name).by(&credential);
            for (number, route) in ROUTES.iter().enumerate() {
                let expected = self.expected(route, target);
                if expected == Expected::Created {
                    faults.extend(self.create(route));
                    continue;
                }
                let answer = self.ask(&repo, route);
                if let Some(fault) = fault(self.realm, route, expected, &answer) {
                    faults.push(self.tell(&fault, route, expected, &answer));
                }
                answers.insert((target, number), (expected, without_name(&answer, &name)));
            }
        }
        faults.extend(self.differences(&answers));
        faults
    }

    fn expected(self, route: &Route, target: Target) -> Expected {
        expected(Question {
            realm: self.realm,
            who: self.principal.who,
            scopes: self.principal.scopes,
            standing: self.principal.standing(self.realm, self.transport),
            needs: route.needs,
            target,
        })
    }

    /// Whoever creates a package makes one; so it is another one each time.
    fn create(self, route: &Route) -> Option<String> {
        static NEXT: AtomicUsize = AtomicUsize::new(1000);
        let own = NEXT.fetch_add(1, Ordering::Relaxed).to_string();
        let name = World::name(self.realm, Target::Absent).replace("abs1", &own);
        let credential = self.principal.credential(self.world, self.transport, &name);
        let answer = self.ask(&self.world.repo(self.realm, &name).by(&credential), route);
        (answer.status != route.created).then(|| {
            self.tell(
                &format!("{} was expected", route.created),
                route,
                Expected::Created,
                &answer,
            )
        })
    }

    fn ask(self, repo: &Repo<'_>, route: &Route) -> Answer {
        let World { image, child, .. } = self.world;
        let spare = format!("s{}", self.number);
        let rest = filled(
            route.rest,
            &[
                ("$manifest", image.digest()),
                ("$child", child),
                ("$layer", &image.layer_digest()),
                ("$bytes", &digest(BYTES)),
                ("$unknown", &unknown_digest()),
                ("$name", &repo.name),
                ("$spare", &spare),
            ],
        );
        let request = repo.request(route.method, &rest);
        match route.sends {
            Sends::Nothing => request.send(),
            Sends::Bytes => request.body(BYTES).send(),
            Sends::Manifest => request
                .with("Content-Type", &image.manifest.media_type)
                .body(image.manifest.bytes.clone())
                .send(),
        }
    }

    /// What this caller may not know about must answer like what does not exist. Whoever may create
    /// packages here learns by a push that a name is taken.
    fn differences(self, answers: &HashMap<(Target, usize), (Expected, String)>) -> Vec<String> {
        let mut faults = Vec::new();
        for (number, route) in ROUTES.iter().enumerate() {
            let Some((hidden, private)) = answers.get(&(Target::Private, number)) else {
                continue;
            };
            let taken = route.needs == Needs::Push && self.realm.creates(self.principal.who);
            let secret = matches!(hidden, Expected::Unknown | Expected::WhoAreYou)
                || (*hidden == Expected::Denied("create_package") && !taken);
            for twin in [Target::Absent, Target::Nobody] {
                let Some((expected, absent)) = answers.get(&(twin, number)) else {
                    continue;
                };
                if secret && expected == hidden && absent != private {
                    let who = (self.principal.who, self.principal.kind, self.transport);
                    faults.push(format!(
                        "{who:?} can tell a private package from {twin:?} by {} {}:\n{private}\n--- and\n{absent}",
                        route.method, route.rest
                    ));
                }
            }
        }
        faults
    }

    fn tell(self, fault: &str, route: &Route, expected: Expected, answer: &Answer) -> String {
        let (who, kind) = (self.principal.who, self.principal.kind);
        format!(
            "{who} ({kind}) by {:?}, {} {}: {expected:?}: {fault}, but {answer:?}",
            self.transport, route.method, route.rest
        )
    }
}

/// What is wrong with an answer, if anything.
fn fault(realm: Realm, route: &Route, expected: Expected, answer: &Answer) -> Option<String> {
    let head = route.method == "HEAD";
    let status = |wanted: u16| (answer.status != wanted).then(|| format!("{wanted} was expected"));
    let message = |wanted: &str| {
        (!head && answer.error().message != wanted).then(|| format!("`{wanted}` was expected"))
    };
    let challenge = |error: Option<&str>| {
        let found = answer.challenge();
        let wanted = error.is_none() || found.get("error") == error;
        (!wanted).then(|| format!("a challenge with {error:?} was expected"))
    };
    match expected {
        Expected::Granted => status(route.granted_in(realm)),
        Expected::Created => status(route.created),
        Expected::WhoAreYou => status(401).or_else(|| challenge(None)),
        Expected::Narrow => status(401).or_else(|| challenge(Some("insufficient_scope"))),
        Expected::Scopes => status(403).or_else(|| {
            message("permission_denied: The token provided does not match expected scopes.")
        }),
        Expected::Denied(permission) => {
            status(403).or_else(|| message(&format!("permission_denied: {permission}")))
        }
        // What is not there has no referrers; a 404 would say that none can be listed.
        Expected::Unknown if route.rest.starts_with("referrers/") => status(200).or_else(|| {
            let empty = head
                || answer.json()["manifests"]
                    .as_array()
                    .is_some_and(Vec::is_empty);
            (!empty).then(|| "an empty index was expected".to_owned())
        }),
        Expected::Unknown => status(404),
    }
}

/// The answer without the name that was asked for, which is all that may differ.
fn without_name(answer: &Answer, name: &str) -> String {
    let owner = name.split('/').next().unwrap();
    answer
        .lasting()
        .replace(name, "NAME")
        .replace(owner, "OWNER")
}

/// A list must say what reading would: the catalogue has a package if and only if its caller may
/// pull it.
#[test]
fn the_catalogue_lists_what_its_caller_may_pull() {
    let world = world();
    for realm in [Realm::Organization, Realm::Person] {
        for principal in &world.principals {
            if !realm.everybody().contains(&principal.who) {
                continue;
            }
            let standing = principal.standing(realm, Transport::Basic);
            let credential = principal.credential(world, Transport::Basic, "");
            let answer = plain()
                .get("/v2/_catalog?n=10000")
                .signed(&credential)
                .send();
            if standing != super::oracle::Standing::Good {
                assert_eq!(answer.status, 401, "{answer:?}");
                continue;
            }
            let listed = answer.text();
            for target in Target::ALL {
                let name = World::name(realm, target);
                let reads = Caller {
                    world,
                    realm,
                    principal,
                    transport: Transport::Basic,
                    number: 0,
                }
                .expected(&ROUTES[0], target);
                let is_listed = listed.contains(&format!("\"{name}\""));
                let (who, kind) = (principal.who, principal.kind);
                assert_eq!(
                    is_listed,
                    reads == Expected::Granted,
                    "{name} for {who} ({kind}): {answer:?}"
                );
            }
        }
    }
    assert_eq!(ROUTES[0].needs, Needs::Read);
    plain()
        .get("/v2/_catalog")
        .signed(&Credential::Absent)
        .send()
        .expect(401);
}
