//! An organization and a person with a package of each visibility, and everybody of the tables.

use std::sync::OnceLock;

use naru_model::WorkflowPackages;

use crate::kit::content::{index, noise};
use crate::kit::hand::ALL_SCOPES;
use crate::kit::http::Credential;
use crate::kit::repo::{Image, Repo};
use crate::kit::server::Server;

use super::oracle::{Realm, Scopes, Standing, Target};

const ORGANIZATION: &str = "acc-org";
const PERSON: &str = "acc-per";
const LEGACY_HOST: &str = "docker.localhost";
const VISIBILITIES: [(Target, &str); 3] = [
    (Target::Public, "public"),
    (Target::Internal, "internal"),
    (Target::Private, "private"),
];

/// How a credential is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Transport {
    None,
    Basic,
    Bearer,
    /// A registry token for all that is granted.
    Token,
    /// A registry token for pulling.
    PullToken,
}

/// Somebody with a token.
#[derive(Clone, Debug)]
pub(super) struct Principal {
    /// The row in the tables.
    pub(super) who: &'static str,
    /// What is special about the token, for what a failing test says.
    pub(super) kind: &'static str,
    pub(super) scopes: Scopes,
    pub(super) secret: String,
    /// Whether the token works at all.
    pub(super) works: bool,
}

/// What was pushed to each package, the same bytes everywhere.
#[derive(Debug)]
pub(super) struct World {
    pub(super) server: &'static Server,
    pub(super) principals: Vec<Principal>,
    pub(super) image: Image,
    pub(super) child: String,
}

pub(super) fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(World::make)
}

impl World {
    fn make() -> Self {
        let server = super::server();
        let people = people(server);
        let (image, child) = packages(server);
        grants(server);
        let mut world = Self {
            server,
            principals: people,
            image,
            child,
        };
        world.principals.extend(special(server));
        world
    }

    /// The name of a package; all of a realm are of the same length.
    pub(super) fn name(realm: Realm, target: Target) -> String {
        let own = match target {
            Target::Public => "pub1",
            Target::Internal => "int1",
            Target::Private | Target::Nobody => "prv1",
            Target::Absent => "abs1",
        };
        let owner = match (realm, target) {
            (_, Target::Nobody) => "acc-nil",
            (Realm::Person, _) => PERSON,
            (Realm::Organization | Realm::Legacy, _) => ORGANIZATION,
        };
        match realm {
            Realm::Legacy => format!("{owner}/{own}/app"),
            _ => format!("{owner}/{own}"),
        }
    }

    /// A package, asked by nobody yet.
    pub(super) fn repo(&self, realm: Realm, name: &str) -> Repo<'static> {
        let repo = Repo::new(self.server, name, Credential::Absent);
        match realm {
            Realm::Legacy => repo.at_host(LEGACY_HOST),
            _ => repo,
        }
    }
}

impl Principal {
    fn new(who: &'static str, kind: &'static str, secret: String) -> Self {
        Self {
            who,
            kind,
            scopes: Scopes::ALL,
            secret,
            works: true,
        }
    }

    fn limited(self, scopes: Scopes) -> Self {
        Self { scopes, ..self }
    }

    /// Every way to send the token; what works on the legacy registry is the token itself.
    pub(super) fn transports(&self, realm: Realm) -> &'static [Transport] {
        use Transport::{Basic, Bearer, None, PullToken, Token};
        match (self.who, self.works, realm) {
            ("nobody", _, Realm::Legacy) => &[None],
            ("nobody", ..) => &[None, Token],
            (_, false, _) | (_, _, Realm::Legacy) => &[Basic, Bearer],
            _ => &[Basic, Bearer, Token, PullToken],
        }
    }

    /// What the server is to make of it.
    pub(super) fn standing(&self, realm: Realm, transport: Transport) -> Standing {
        match (self.who, transport, self.works) {
            ("nobody", ..) => Standing::Nobody,
            (_, Transport::Bearer, false) if realm != Realm::Legacy => Standing::Nobody,
            (_, _, false) => Standing::Refused,
            (_, Transport::PullToken, true) => Standing::PullOnly,
            _ => Standing::Good,
        }
    }

    /// The credential for a request to `name`.
    pub(super) fn credential(&self, world: &World, transport: Transport, name: &str) -> Credential {
        let basic = Credential::basic("acc", &self.secret);
        let token = |actions: &str| {
            let own = if self.who == "nobody" {
                &Credential::Absent
            } else {
                &basic
            };
            let scope = format!("repository:{name}:{actions}");
            let answer = world.server.ask_token(own, &[&scope]).send();
            // Nobody gets none for what is not public.
            if answer.status == 200 {
                crate::kit::token_endpoint::token_in(&answer)
            } else {
                Credential::Absent
            }
        };
        match transport {
            Transport::None => Credential::Absent,
            Transport::Bearer => Credential::bearer(&self.secret),
            Transport::Token => token("pull,push,delete"),
            Transport::PullToken => token("pull"),
            Transport::Basic => basic,
        }
    }
}

/// Those of the tables with an account: `acc-` and the name of the row.
const PEOPLE: [&str; 15] = [
    "stranger",
    "site-admin",
    "outside",
    "member",
    "reader",
    "writer",
    "admin",
    "team-reader",
    "team-writer",
    "team-admin",
    "repo-reader",
    "repo-writer",
    "repo-admin",
    "org-owner",
    "person",
];

fn login(who: &str) -> String {
    if who == "person" {
        PERSON.to_owned()
    } else {
        format!("acc-{who}")
    }
}

fn people(server: &Server) -> Vec<Principal> {
    let mut principals = vec![Principal::new("nobody", "no token", String::new())];
    for who in PEOPLE {
        let login = login(who);
        if who == "site-admin" {
            server.naru(["user", "create", &login, "--admin"]);
        } else {
            server.user(&login);
        }
        principals.push(Principal::new(
            who,
            "all scopes",
            server.token(&login, ALL_SCOPES),
        ));
    }
    server.naru(["org", "create", ORGANIZATION, "--owner", "acc-org-owner"]);
    for who in [
        "member",
        "reader",
        "writer",
        "admin",
        "team-reader",
        "team-writer",
        "team-admin",
    ] {
        server.naru(["org", "member", "add", ORGANIZATION, &login(who)]);
    }
    principals
}

fn owner_of(server: &Server, who: &str) -> Credential {
    Credential::basic("acc", &server.token(&login(who), ALL_SCOPES))
}

fn packages(server: &'static Server) -> (Image, String) {
    for (_, visibility) in VISIBILITIES {
        let own = &visibility[..3];
        let own = if own == "pri" { "prv" } else { own };
        let path = format!("{ORGANIZATION}/{own}1");
        server.naru(["repo", "create", &path, "--visibility", visibility]);
    }
    let mut pushed = None;
    for (realm, owner) in [
        (Realm::Organization, "org-owner"),
        (Realm::Person, "person"),
        (Realm::Legacy, "org-owner"),
    ] {
        let credential = owner_of(server, owner);
        for (target, visibility) in VISIBILITIES {
            let name = World::name(realm, target);
            let repo = Repo::new(server, &name, credential.clone());
            let repo = if realm == Realm::Legacy {
                repo.at_host(LEGACY_HOST)
            } else {
                repo
            };
            pushed = Some(push(&repo));
            if realm != Realm::Legacy && visibility != "private" {
                server.set_visibility(&name, visibility);
            }
        }
    }
    pushed.unwrap()
}

/// The same image under `v1`, with an index that needs it, and spare tags to be deleted.
fn push(repo: &Repo<'_>) -> (Image, String) {
    let config = b"{\"of\":\"everybody\"}".to_vec();
    let layer = noise("the access matrix", 200);
    repo.push_blob(&config);
    repo.push_blob(&layer);
    let manifest = repo.push("v1", &crate::kit::content::image(&config, &[&layer]));
    let other = b"{\"of\":\"a child\"}".as_slice();
    repo.push_blob(other);
    let child = repo.push_untagged(&crate::kit::content::image(other, &[]));
    repo.push("list", &index(&[&child, &manifest]));
    let tags: Vec<String> = (0..100).map(|number| format!("tag=s{number}")).collect();
    let path = format!("{}?{}", manifest.digest, tags.join("&"));
    repo.put_manifest(&path, &manifest).expect(201);
    (
        Image {
            manifest,
            config,
            layer,
        },
        child.digest,
    )
}

fn grants(server: &Server) {
    let source = format!("{ORGANIZATION}/source");
    server.naru(["repo", "create", &source]);
    for (role, word) in [("read", "reader"), ("write", "writer"), ("admin", "admin")] {
        let (user, team) = (login(word), format!("team-{word}"));
        let collaborator = login(&format!("repo-{word}"));
        server.naru(["team", "create", ORGANIZATION, &team]);
        let path = format!("{ORGANIZATION}/{team}");
        server.naru(["team", "member", "add", &path, &login(&team)]);
        server.naru([
            "repo",
            "collaborator",
            "add",
            &source,
            "--user",
            &collaborator,
            "--role",
            role,
        ]);
        for (target, _) in VISIBILITIES {
            let package = World::name(Realm::Organization, target);
            server.naru([
                "package", "grant", &package, "--user", &user, "--role", role,
            ]);
            server.naru([
                "package", "grant", &package, "--team", &team, "--role", role,
            ]);
            let package = World::name(Realm::Person, target);
            server.naru([
                "package", "grant", &package, "--user", &user, "--role", role,
            ]);
            let image = World::name(Realm::Legacy, target);
            let repository = image.rsplit_once('/').unwrap().0;
            server.naru([
                "repo",
                "collaborator",
                "add",
                repository,
                "--user",
                &collaborator,
                "--role",
                role,
            ]);
        }
    }
    for (target, _) in VISIBILITIES {
        let package = World::name(Realm::Organization, target);
        server.naru(["package", "link", &package, &source, "--inherit-access"]);
    }
    let public = World::name(Realm::Organization, Target::Public);
    server.naru([
        "package",
        "grant",
        &public,
        "--user",
        "acc-outside",
        "--role",
        "write",
    ]);
}

/// Tokens with something about them.
fn special(server: &Server) -> Vec<Principal> {
    const NONE: Scopes = Scopes {
        read: false,
        write: false,
        delete: false,
        repo: false,
    };
    let limited = |kind, words: &[&str], scopes| {
        Principal::new("org-owner", kind, server.token("acc-org-owner", words)).limited(scopes)
    };
    let workflow =
        server.workflow_token(&format!("{ORGANIZATION}/source"), WorkflowPackages::Write);
    let mut special = vec![
        limited("no scope for packages", &["gist"], NONE),
        limited(
            "read:packages",
            &["read:packages"],
            Scopes { read: true, ..NONE },
        ),
        limited(
            "write:packages",
            &["write:packages"],
            Scopes {
                read: true,
                write: true,
                ..NONE
            },
        ),
        limited(
            "delete:packages alone",
            &["delete:packages"],
            Scopes {
                delete: true,
                ..NONE
            },
        ),
        limited("repo alone", &["repo"], Scopes { repo: true, ..NONE }),
        limited(
            "all but repo",
            &["write:packages", "delete:packages"],
            Scopes {
                repo: false,
                ..Scopes::ALL
            },
        ),
        Principal::new("workflow", "of the organization's repository", workflow),
    ];
    let expired = server.expired_token("acc-org-owner", ALL_SCOPES);
    special.push(Principal {
        works: false,
        ..Principal::new("org-owner", "expired", expired)
    });
    server.user("acc-suspended");
    let suspended = server.token("acc-suspended", ALL_SCOPES);
    server.naru([
        "org",
        "member",
        "add",
        ORGANIZATION,
        "acc-suspended",
        "--role",
        "admin",
    ]);
    server.naru(["user", "suspend", "acc-suspended"]);
    special.push(Principal {
        works: false,
        ..Principal::new("org-owner", "suspended", suspended)
    });
    let (revoked, number) = server.numbered_token("acc-org-owner", ALL_SCOPES);
    server.naru(["token", "revoke", "acc-org-owner", &number]);
    special.push(Principal {
        works: false,
        ..Principal::new("org-owner", "revoked", revoked)
    });
    special
}
