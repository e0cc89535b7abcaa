//! Every operation of a package, asked by everybody about everything.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::operations::{First, ROWS, Row, Scope};
use super::oracle::{Level, Realm, Target};
use super::server;
use super::world::{Principal, World, world};
use crate::api::SCOPES;
use crate::contract;
use crate::kit::http::{Answer, Credential};

/// How a token is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Basic,
    Bearer,
    Token,
}

/// How the owner is named in the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Orgs,
    Users,
    /// `/user`: the caller's own, under the same names.
    Own,
}

impl Form {
    /// What is asked about; of one's own there is no owner who is not there.
    fn targets(self) -> impl Iterator<Item = Target> {
        let all = Target::ALL.into_iter();
        all.filter(move |target| self != Self::Own || *target != Target::Nobody)
    }
}

/// What must be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Granted(u16),
    WhoAreYou,
    BadCredentials,
    Scopes,
    Denied,
    Unknown,
}

impl Expected {
    const fn status(self) -> u16 {
        match self {
            Self::Granted(status) => status,
            Self::WhoAreYou | Self::BadCredentials => 401,
            Self::Scopes | Self::Denied => 403,
            Self::Unknown => 404,
        }
    }
}

/// Somebody who sends a token in one way, and names owners in one way.
#[derive(Clone, Copy)]
struct Caller<'w> {
    realm: Realm,
    form: Form,
    principal: &'w Principal,
    transport: Transport,
}

#[test]
fn an_organizations_packages_are_for_whom_they_are_by_rest() {
    assert!(walk(Realm::Organization) > 14_000);
}

#[test]
fn a_persons_packages_are_for_whom_they_are_by_rest() {
    assert!(walk(Realm::Person) > 5_000);
}

#[test]
fn images_of_the_legacy_registry_are_for_whom_they_are_by_rest() {
    assert!(walk(Realm::Legacy) > 3_000);
}

/// Asks everything about a realm, tells all faults together, and answers how much was asked.
fn walk(realm: Realm) -> usize {
    let callers = callers(realm);
    let next = AtomicUsize::new(0);
    let asked = AtomicUsize::new(0);
    let work = || {
        let mut faults = Vec::new();
        while let Some(caller) = callers.get(next.fetch_add(1, Ordering::Relaxed)) {
            faults.extend(caller.walk(&asked));
        }
        faults
    };
    let faults: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    // All of them, for the one who looks into a failure.
    let file = format!("{}/rest-{realm:?}.txt", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(file, faults.join("\n\n")).unwrap();
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
    asked.into_inner()
}

fn callers(realm: Realm) -> Vec<Caller<'static>> {
    let rows = realm.everybody();
    let mut callers = Vec::new();
    let forms: &[Form] = match realm {
        Realm::Person => &[Form::Users, Form::Own],
        Realm::Organization | Realm::Legacy => &[Form::Orgs, Form::Users],
    };
    for principal in world()
        .principals
        .iter()
        .filter(|one| rows.contains(&one.who))
    {
        for transport in [Transport::Basic, Transport::Bearer, Transport::Token] {
            for form in forms {
                callers.push(Caller {
                    realm,
                    form: *form,
                    principal,
                    transport,
                });
            }
        }
    }
    callers
}

/// The id of a version of each package that is there.
fn versions() -> &'static HashMap<String, i64> {
    static VERSIONS: OnceLock<HashMap<String, i64>> = OnceLock::new();
    VERSIONS.get_or_init(|| {
        let mut versions = HashMap::new();
        for realm in [Realm::Organization, Realm::Person, Realm::Legacy] {
            let owner = if realm == Realm::Person {
                "acc-per"
            } else {
                "acc-org-owner"
            };
            let credential = Credential::bearer(&server().token(owner, SCOPES));
            for target in [Target::Public, Target::Internal, Target::Private] {
                let path = format!("{}/versions", path(realm, Form::Users, target));
                let answer = server()
                    .api("GET", &path)
                    .signed(&credential)
                    .send()
                    .expect(200);
                let id = answer.json()[0]["id"].as_i64().unwrap();
                versions.insert(World::name(realm, target), id);
            }
        }
        versions
    })
}

/// `/orgs/OWNER/packages/TYPE/NAME` and its like.
fn path(realm: Realm, form: Form, target: Target) -> String {
    let name = World::name(realm, target);
    let (owner, package) = name.split_once('/').unwrap();
    let of = match form {
        Form::Orgs => format!("/orgs/{owner}"),
        Form::Users => format!("/users/{owner}"),
        Form::Own => "/user".to_owned(),
    };
    let kind = if realm == Realm::Legacy {
        "docker"
    } else {
        "container"
    };
    format!("{of}/packages/{kind}/{}", package.replace('/', "%2F"))
}

impl Caller<'_> {
    fn walk(self, asked: &AtomicUsize) -> Vec<String> {
        let mut faults = Vec::new();
        for row in described_rows() {
            let mut answers = BTreeMap::new();
            for target in self.form.targets() {
                let (answer, wrong) = self.ask(row, target);
                asked.fetch_add(1, Ordering::Relaxed);
                let expected = self.expected(row, target);
                let tell = |fault: &str| {
                    let Principal { who, kind, .. } = self.principal;
                    format!(
                        "{who} ({kind}) by {:?}: {expected:?}: {fault}: {answer:?}",
                        self.transport
                    )
                };
                faults.extend(wrong.iter().map(|fault| tell(fault)));
                if let Some(fault) = fault(expected, &answer) {
                    faults.push(tell(&fault));
                }
                answers.insert(
                    target,
                    (
                        expected,
                        without_name(&answer, &World::name(self.realm, target)),
                    ),
                );
            }
            faults.extend(self.differences(row, &answers));
        }
        faults
    }

    fn ask(self, row: &Row, target: Target) -> (Answer, Vec<String>) {
        let version = versions().get(&World::name(self.realm, target)).copied();
        // What is absent has no versions: any number will do, of the same length as the others.
        let version = version.unwrap_or(versions().values().copied().max().unwrap_or(1));
        let rest = row.rest.replace("$version", &version.to_string());
        let path = format!("{}{rest}", path(self.realm, self.form, target));
        let call = server().api(row.method, &path);
        let call = match self.authorization() {
            Some(value) => call.with("Authorization", &value),
            None => call,
        };
        match row.body {
            Some(body) => call.json(&serde_json::from_str(body).unwrap()).judged(),
            None => call.judged(),
        }
    }

    fn authorization(self) -> Option<String> {
        let secret = &self.principal.secret;
        if secret.is_empty() {
            return None;
        }
        match self.transport {
            Transport::Basic => Credential::basic("anybody", secret).header(),
            Transport::Bearer => Credential::bearer(secret).header(),
            Transport::Token => Some(format!("token {secret}")),
        }
    }

    fn expected(self, row: &Row, target: Target) -> Expected {
        if self.principal.who == "nobody" {
            let open = target == Target::Public && self.realm != Realm::Legacy;
            let open = open && self.form != Form::Own;
            return match row.pulls && open {
                true => Expected::Granted(row.granted),
                false => Expected::WhoAreYou,
            };
        }
        if !self.principal.works {
            return Expected::BadCredentials;
        }
        if target == Target::Nobody {
            return Expected::Unknown;
        }
        // A workflow is no user who could own something.
        if self.form == Form::Own && self.principal.who == "workflow" {
            return Expected::Denied;
        }
        if matches!(row.first, First::Sent | First::Caller) {
            return Expected::Granted(row.granted);
        }
        let level = self.level(target);
        if level < row.needs {
            return self.refused(row, level, target);
        }
        if !self.has_scopes(row, target) {
            return Expected::Scopes;
        }
        // Images of the legacy registry have the roles of their repository and none of their own.
        let grants = row.method == "PUT" && row.rest.starts_with("/access/");
        if grants && self.realm == Realm::Legacy {
            return Expected::Granted(422);
        }
        Expected::Granted(row.granted)
    }

    /// What the caller is to the package. Under one's own name there is only what one pushed.
    fn level(self, target: Target) -> Level {
        let who = self.principal.who;
        match self.form {
            Form::Own if who != "person" => Level::None,
            _ => self.realm.level(who, target),
        }
    }

    /// Whether the caller may push to the name, where there is nothing that they may know of.
    fn creates(self, target: Target) -> bool {
        match self.form {
            Form::Own => true,
            _ => target == Target::Absent && self.realm.creates(self.principal.who),
        }
    }

    fn refused(self, row: &Row, level: Level, target: Target) -> Expected {
        let creates = level == Level::None && self.creates(target);
        match row.first {
            First::Namespace if creates && self.has_scopes(row, target) => Expected::Unknown,
            First::Namespace if creates => Expected::Scopes,
            First::Namespace => Expected::Denied,
            _ if level >= Level::Read => Expected::Denied,
            _ => Expected::Unknown,
        }
    }

    /// What is private in the legacy registry needs `repo` besides (contract B5, E6).
    fn has_scopes(self, row: &Row, target: Target) -> bool {
        let scopes = self.principal.scopes;
        let has = |scope: &Scope| match scope {
            Scope::Read => scopes.read,
            Scope::Write => scopes.write,
            Scope::Delete => scopes.delete,
        };
        if row.pulls && target == Target::Public && self.realm != Realm::Legacy {
            return true;
        }
        let closed = self.realm == Realm::Legacy && target != Target::Public;
        row.scopes.iter().all(has) && (scopes.repo || !closed)
    }

    /// What this caller may not know about must answer like what does not exist.
    fn differences(self, row: &Row, answers: &BTreeMap<Target, (Expected, String)>) -> Vec<String> {
        let level = self.level(Target::Private);
        let (hidden, private) = &answers[&Target::Private];
        let (expected, absent) = &answers[&Target::Absent];
        // Who signs in with nothing, or with what is of no use, learns nothing of any package.
        let useless = matches!(hidden, Expected::WhoAreYou | Expected::BadCredentials);
        let everything = useless && !row.pulls;
        let same = answers.values().all(|(_, answer)| answer == absent);
        let learns = level == Level::None && hidden == expected && private != absent;
        if !learns && (same || !everything) {
            return Vec::new();
        }
        let Principal { who, kind, .. } = self.principal;
        let (method, rest) = (row.method, row.rest);
        vec![format!(
            "{who} ({kind}) can tell packages apart by {method} {rest}:\n{private}\n--- and\n{absent}"
        )]
    }
}

fn fault(expected: Expected, answer: &Answer) -> Option<String> {
    if answer.status != expected.status() {
        return Some(format!("{} was expected", expected.status()));
    }
    let sentence = match expected {
        Expected::WhoAreYou => "Requires authentication",
        Expected::BadCredentials => "Bad credentials",
        Expected::Scopes => "You need at least ",
        Expected::Unknown => "Not Found",
        Expected::Granted(_) | Expected::Denied => return None,
    };
    let message = answer.message();
    (!message.starts_with(sentence)).then(|| format!("`{sentence}` was expected"))
}

/// The answer without the name that was asked for, and what is made of it, which is all that may
/// differ.
fn without_name(answer: &Answer, name: &str) -> String {
    let (owner, package) = name.split_once('/').unwrap();
    let lasting = answer.lasting();
    let lines = lasting.lines().filter(|line| !line.starts_with("etag: "));
    let text = lines.collect::<Vec<_>>().join("\n");
    text.replace(name, "NAME")
        .replace(owner, "OWNER")
        .replace(&format!("/{package}\""), "/PACKAGE\"")
}

/// The rows whose operation the server describes.
fn described_rows() -> &'static [Row] {
    static DESCRIBED: OnceLock<Vec<Row>> = OnceLock::new();
    DESCRIBED.get_or_init(|| {
        let described = described();
        let is_there = |row: &&Row| described.contains(&(row.method.to_owned(), row.template()));
        ROWS.iter().filter(is_there).copied().collect()
    })
}

/// Method and path, below a package, of every operation of a package that the server describes.
fn described() -> Vec<(String, String)> {
    described_below("/orgs/{org}")
}

fn described_below(owner: &str) -> Vec<(String, String)> {
    let document = server()
        .api("GET", "/openapi.json")
        .send()
        .expect(200)
        .json();
    let prefix = format!("{owner}/packages/{{package_type}}/{{package_name}}");
    let operations = contract::Description::read(document).operations;
    let of_packages = operations.into_iter().filter_map(|operation| {
        let rest = operation.path.strip_prefix(prefix.as_str())?;
        let rest = contract::description::without_names(rest);
        Some((operation.method, rest))
    });
    of_packages.collect()
}

/// An operation of a package that stands in the description and not in the table fails.
#[test]
fn every_operation_of_a_package_is_in_the_table() {
    let asked: Vec<_> = ROWS
        .iter()
        .map(|row| (row.method.to_owned(), row.template()))
        .collect();
    let mut missing = described();
    missing.retain(|operation| !asked.contains(operation));
    assert!(missing.is_empty(), "not in the table: {missing:#?}");
    // Each is there for every way in which an owner is named.
    for owner in ["/users/{username}", "/user"] {
        assert_eq!(described_below(owner), described(), "{owner}");
    }
    assert!(described_rows().len() > 30);
}
