//! While the database does not answer, nobody is told that he may not, or that something is not
//! there: the server could not look it up, and says that (503 with `Retry-After`, within five
//! seconds). Soon after the database is well again, so is the server.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use naru_metadata::{Db, SchemaPolicy};
use naru_model::{SystemRandom, TokenKind, TokenSecret};
use naru_testkit::services::grade::{Database, Grade};
use naru_testkit::services::postgres::Cluster;

use crate::kit::content::{digest, unknown_digest};
use crate::kit::http::{Answer, Credential, Request};
use crate::kit::repo::Repo;
use crate::kit::server::Server;

use super::routes::{BYTES, NAMELESS, Needs, ROUTES, Route, Sends, filled};

/// An answer must come so soon: five seconds, and what a busy machine adds.
const SOON: Duration = Duration::from_secs(7);

/// After this the server must be as well as the database.
const WELL_AGAIN: Duration = Duration::from_secs(10);

/// REST operations that look something up: of an account, of packages.
const REST: [&str; 2] = [
    "/api/v3/users/octo/packages?package_type=container",
    "/api/v3/users/octo/packages/container/outage",
];

/// A server with a package that others may read and one that they may not, and who asks for them.
struct Scene {
    server: Server,
    callers: Vec<Credential>,
    values: Vec<(&'static str, String)>,
}

impl Scene {
    fn new(server: Server) -> Self {
        let octo = server.octo();
        let repo = Repo::new(&server, "octo/outage", octo.clone());
        let image = repo.push_image("v1");
        server.set_visibility("octo/outage", "public");
        let secret = repo.named("octo/outage-secret");
        secret.push_image("v1");
        let stranger = server.someone("stranger");
        let actions = [
            &*secret.scope("pull,push,delete"),
            &*repo.scope("pull,push,delete"),
        ];
        let session = server.registry_token(&octo, &actions);
        // Well formed, and nobody's: only the database knows.
        let unknown = TokenSecret::generate(TokenKind::Personal, &SystemRandom).unwrap();
        let unknown = Credential::basic("octo", unknown.expose());
        let manifest = image.digest().to_owned();
        let values = vec![
            ("$manifest", manifest.clone()),
            ("$child", manifest),
            ("$layer", image.layer_digest()),
            ("$bytes", digest(BYTES)),
            ("$unknown", unknown_digest()),
            ("$name", "octo/outage".to_owned()),
            ("$spare", "spare".to_owned()),
        ];
        Self {
            server,
            callers: vec![Credential::Absent, octo, stranger, session, unknown],
            values,
        }
    }

    /// Every route of the registry by everybody, for the package and for the one that is secret.
    /// Strangers without a token are asked who they are before anything is looked up, unless they
    /// only want to read.
    fn requests(&self, wanted: impl Fn(&Route) -> bool) -> Vec<Request> {
        let mut requests = Vec::new();
        for caller in &self.callers {
            let routes = ROUTES.iter().filter(|route| wanted(route));
            let routes =
                routes.filter(|route| *caller != Credential::Absent || route.needs == Needs::Read);
            for route in routes {
                for name in ["octo/outage", "octo/outage-secret"] {
                    let repo = Repo::new(&self.server, name, caller.clone());
                    requests.push(self.request(&repo, route));
                }
            }
        }
        requests
    }

    fn request(&self, repo: &Repo<'_>, route: &Route) -> Request {
        let values: Vec<(&str, &str)> = self
            .values
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let request = repo.request(route.method, &filled(route.rest, &values));
        match route.sends {
            Sends::Nothing => request,
            Sends::Bytes => request
                .with("Content-Type", "application/octet-stream")
                .body(BYTES),
            Sends::Manifest => request
                .with("Content-Type", crate::kit::content::OCI_MANIFEST)
                .body(b"{\"schemaVersion\":2}".as_slice()),
        }
    }

    /// What is asked besides the routes of a repository.
    fn other_requests(&self) -> Vec<Request> {
        let mut requests = Vec::new();
        for caller in self.callers.iter().skip(1) {
            for (method, path) in NAMELESS {
                requests.push(self.server.request(method, path).signed(caller));
            }
            requests.push(self.server.get("/metrics").signed(caller));
            if !matches!(caller, Credential::Bearer(_)) {
                let scope = "repository:octo/outage-secret:pull";
                requests.push(self.server.ask_token(caller, &[scope]));
                let rest = REST.iter().map(|path| self.server.get(path).signed(caller));
                requests.extend(rest.map(|request| request.with("User-Agent", "tests")));
            }
        }
        let scope = "repository:octo/outage:pull";
        requests.push(self.server.ask_token(&Credential::Absent, &[scope]));
        requests.push(self.server.get("/readyz"));
        requests
    }

    /// Sends them, many at a time because each waits for seconds, and says which answers were wrong.
    fn all_unavailable(&self, requests: Vec<Request>) {
        assert!(requests.len() > 30, "{} requests", requests.len());
        let next = std::sync::Mutex::new(requests.into_iter());
        let faults: Vec<String> = std::thread::scope(|scope| {
            let work = || {
                let mut faults = Vec::new();
                loop {
                    let Some(request) = next.lock().unwrap().next() else {
                        return faults;
                    };
                    let began = Instant::now();
                    let answer = request.send();
                    faults.extend(fault(&answer, began.elapsed()));
                }
            };
            let threads: Vec<_> = (0..64).map(|_| scope.spawn(work)).collect();
            let ended = threads.into_iter().map(|thread| thread.join().unwrap());
            ended.flatten().collect()
        });
        let shown: Vec<&str> = faults.iter().take(12).map(String::as_str).collect();
        assert!(
            faults.is_empty(),
            "{} wrong answers, the first of them:\n\n{}",
            faults.len(),
            shown.join("\n\n")
        );
    }

    /// Waits until the owner's requests are answered as usual.
    fn is_well_again(&self) {
        let began = Instant::now();
        let repo = Repo::new(&self.server, "octo/outage-secret", self.callers[1].clone());
        let well = || {
            let ready = self.server.get("/readyz").send().status == 200;
            ready
                && repo.get("manifests/v1").send().status == 200
                && repo.post("blobs/uploads/").send().status == 202
        };
        while !well() {
            assert!(began.elapsed() < WELL_AGAIN, "{:?}", began.elapsed());
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(began.elapsed() < WELL_AGAIN, "{:?}", began.elapsed());
    }
}

fn fault(answer: &Answer, took: Duration) -> Option<String> {
    let is_right = answer.status == 503
        && (answer.header("retry-after").is_some() || answer.text().starts_with("not ready"))
        && took < SOON;
    (!is_right).then(|| format!("after {took:?}: {answer:?}"))
}

/// The grade of this run decides which database is tried.
fn is_about(database: Database) -> bool {
    Grade::from_environment().database == database
}

/// A server on a cluster of its own.
fn on(cluster: &Cluster) -> Scene {
    let key = std::env::temp_dir().join(format!("naru-outage-{}.key", std::process::id()));
    std::fs::write(&key, "5eed".repeat(16)).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let settings = vec![
        ("NARU_DATABASE__URL", leak(cluster.url("postgres"))),
        (
            "NARU_SECRETS__MASTER_KEY_FILE",
            leak(key.display().to_string()),
        ),
    ];
    Scene::new(Server::start(Vec::leak(settings)))
}

/// Settings of a server are known for as long as the test process.
fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

/// What was remembered must not answer any more: that is at most a second old.
fn forget() {
    std::thread::sleep(Duration::from_secs(2));
}

#[test]
fn a_postgresql_that_fails_is_never_taken_for_a_refusal() {
    if !is_about(Database::Postgres) {
        return;
    }
    let Some(mut cluster) = Cluster::own() else {
        return;
    };
    let scene = on(&cluster);
    cluster.kill();
    forget();
    scene.all_unavailable(scene.requests(|_| true));
    scene.all_unavailable(scene.other_requests());
    scene.server.get("/livez").send().expect(200);
    cluster.restart().unwrap();
    scene.is_well_again();
}

#[test]
fn a_postgresql_that_stands_still_is_never_taken_for_a_refusal() {
    if !is_about(Database::Postgres) {
        return;
    }
    let Some(cluster) = Cluster::own() else {
        return;
    };
    let scene = on(&cluster);
    cluster.pause();
    forget();
    // Each takes seconds: one route of each kind.
    let kinds = [
        "manifests/v1",
        "blobs/$layer",
        "tags/list",
        "blobs/uploads/",
    ];
    scene.all_unavailable(scene.requests(|route| kinds.contains(&route.rest)));
    scene.all_unavailable(scene.other_requests());
    cluster.resume();
    scene.is_well_again();
}

/// Whoever writes is told to come again; whoever reads does not notice.
#[test]
fn an_sqlite_that_somebody_else_has_locked_is_never_taken_for_a_refusal() {
    if !is_about(Database::Sqlite) {
        return;
    }
    let scene = Scene::new(Server::start(&[]));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let settings = naru_metadata::DatabaseSettings::default();
    let data = scene.server.data();
    let (db, lock) = runtime.block_on(async {
        let db = Db::open(&settings, &data, SchemaPolicy::MustMatch)
            .await
            .unwrap();
        let mut lock = db.write().await.unwrap();
        // A transaction begins with its first statement.
        naru_metadata::instance::put(&mut lock, "outage", "1")
            .await
            .unwrap();
        (db, lock)
    });
    let owner = Repo::new(
        &scene.server,
        "octo/outage-secret",
        scene.callers[1].clone(),
    );
    let writes = ROUTES.iter().filter(|route| {
        matches!(
            route.rest,
            "blobs/uploads/" | "blobs/uploads/?digest=$bytes"
        )
    });
    let writes: Vec<Request> = writes.map(|route| scene.request(&owner, route)).collect();
    for request in writes {
        let began = Instant::now();
        let answer = request.send();
        assert_eq!(fault(&answer, began.elapsed()), None);
    }
    owner.get("manifests/v1").send().expect(200);
    owner.get("tags/list").send().expect(200);
    drop(lock);
    runtime.block_on(db.close());
    scene.is_well_again();
}
