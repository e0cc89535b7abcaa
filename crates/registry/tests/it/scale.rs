//! How much lists, one package and a search cost among 100,000 packages with 1,000,000 versions.
//!
//! Not a part of the usual run: filling takes minutes. `cargo test --release -p naru-registry
//! --test it -- --ignored scale --nocapture` prints the table; `NARU_TEST_DATABASE=postgres` chooses
//! the other database. `NARU_SCALE` is the number of packages.

use std::time::{Duration, Instant};

use naru_metadata::Cursor;
use naru_metadata::db::{Arg, Statement};
use naru_model::{AccountId, OrganizationRole};
use naru_registry::packages::WantedPackages;
use naru_registry::search::SearchQuery;
use naru_registry::{Caller, Registry};

use crate::world::container;
use crate::{World, name};

/// A number of packages: half of them of one organization, the rest of the user.
const FILL_PACKAGES: &str = "WITH RECURSIVE n (i) AS
        (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < $3)
    INSERT INTO packages (owner_id, package_type, name, visibility, created_at, updated_at,
        published_at)
    SELECT CASE i % 2 WHEN 0 THEN $1 ELSE $2 END, 'container',
        'team-' || CAST(i % 100 AS TEXT) || '/app-' || CAST(i AS TEXT),
        CASE i % 4 WHEN 0 THEN 'public' WHEN 1 THEN 'internal' ELSE 'private' END, i, i, i
    FROM n";

/// Ten versions for each package.
const FILL_VERSIONS: &str = "WITH RECURSIVE n (i) AS
        (SELECT CAST(0 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < 9)
    INSERT INTO versions (package_id, digest, media_type, size, created_at, updated_at, content)
    SELECT p.id, 'sha256:' || substr(CAST($1 AS TEXT) || CAST(p.id * 10 + n.i AS TEXT),
            length(CAST(p.id * 10 + n.i AS TEXT)) + 1, 64),
        'application/vnd.oci.image.manifest.v1+json', 1500, n.i, n.i, $2
    FROM packages p CROSS JOIN n";

/// A tag for the newest version of each.
const FILL_TAGS: &str = "INSERT INTO tags (package_id, name, version_id, created_at, updated_at)
    SELECT v.package_id, 'v' || CAST(v.created_at AS TEXT), v.id, v.created_at, v.created_at
    FROM versions v WHERE v.created_at >= 7";

const REACH: &str = "CASE p.visibility WHEN 'public' THEN 0 WHEN 'internal' THEN -1
    ELSE p.owner_id END";

fn leaked(text: String) -> &'static Statement {
    let text: &'static str = Box::leak(text.into_boxed_str());
    Box::leak(Box::new(Statement::new("FILL", text)))
}

async fn fill(world: &World, organization: AccountId, user: AccountId, packages: i64) {
    let db = world.db().await;
    let run = async |text: &str, args: &[Arg<'_>]| {
        let mut tx = db.write().await.unwrap();
        tx.execute(leaked(text.to_owned()), args).await.unwrap();
        tx.commit().await.unwrap();
    };
    let owners = [organization.into(), user.into(), packages.into()];
    run(FILL_PACKAGES, &owners).await;
    let zeros = "0".repeat(64);
    let content = [b' '; 1500];
    run(
        FILL_VERSIONS,
        &[zeros.as_str().into(), content.as_slice().into()],
    )
    .await;
    run(FILL_TAGS, &[]).await;
    for term in [
        "'n:' || p.name",
        "'w:' || p.name",
        "'w:app'",
        "'w:' || substr(p.name, 1, length(p.name) - length(replace(p.name, '/', '')) + 5)",
        "'o:' || CAST(p.owner_id AS TEXT)",
        "'k:container'",
    ] {
        let text = format!(
            "INSERT INTO search_terms (reach, term, package_id) SELECT {REACH}, {term}, p.id
             FROM packages p WHERE true ON CONFLICT (reach, term, package_id) DO NOTHING"
        );
        run(&text, &[]).await;
    }
    for (table, term) in [
        ("tags", "'t:' || x.name"),
        ("versions", "'d:' || substr(x.digest, 8)"),
    ] {
        let text = format!(
            "INSERT INTO search_terms (reach, term, package_id) SELECT {REACH}, {term}, p.id
             FROM {table} x JOIN packages p ON p.id = x.package_id WHERE true
             ON CONFLICT (reach, term, package_id) DO NOTHING"
        );
        run(&text, &[]).await;
    }
    run("ANALYZE", &[]).await;
    db.close().await;
}

/// The processor time of this process and of the database's, as far as they are on this machine.
fn processor_time() -> Duration {
    let mut ticks = 0;
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        let is_own = entry.file_name().to_str() == Some(&std::process::id().to_string());
        if !is_own && !stat.contains("(postgres)") {
            continue;
        }
        let rest = stat.rsplit(')').next().unwrap_or_default();
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let field = |at: usize| fields[at].parse::<u64>().unwrap();
        ticks += field(11) + field(12);
    }
    Duration::from_millis(ticks * 10)
}

/// Asks a question many times and prints what one of them costs.
async fn measure(what: &str, most: Duration, question: impl AsyncFn()) {
    const TIMES: u32 = 100;
    question().await;
    let (begun, before) = (Instant::now(), processor_time());
    for _ in 0..TIMES {
        question().await;
    }
    let (elapsed, used) = (begun.elapsed() / TIMES, (processor_time() - before) / TIMES);
    let mark = if used <= most { "" } else { "  TOO MUCH" };
    eprintln!("{what:<44} {used:>12.2?} processor {elapsed:>12.2?} elapsed, aim {most:?}{mark}");
}

async fn lists(registry: &Registry, owner: &Caller) {
    const AIM: Duration = Duration::from_millis(5);
    let org = name("octo");
    let list = async |cursor: Cursor| {
        let wanted = WantedPackages::default();
        let page = registry
            .list_packages(owner, &org, wanted, cursor)
            .await
            .unwrap();
        assert!(!page.items.is_empty());
    };
    measure("list packages, first page of 100", AIM, async || {
        list(Cursor::first(100)).await;
    })
    .await;
    let deep = Cursor {
        skip: 9900,
        ..Cursor::first(100)
    };
    measure("list packages, page 100 of 100", AIM, async || {
        list(deep).await
    })
    .await;
    measure("list packages, after half of them", AIM, async || {
        list(Cursor::after(50_000, 100)).await;
    })
    .await;
}

async fn searches(registry: &Registry, caller: &Caller, who: &str) {
    const AIM: Duration = Duration::from_millis(10);
    for query in [
        "app",
        "team-7/app-5",
        "app team-42",
        "app is:private",
        "tag:v9 app-99",
    ] {
        let query_of = SearchQuery::read(query).unwrap();
        measure(&format!("search `{query}`, {who}"), AIM, async || {
            registry
                .search_packages(caller, &query_of, 0, 30)
                .await
                .unwrap();
        })
        .await;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how much is filled is chosen by whoever measures"
)]
fn wanted_packages() -> i64 {
    let packages = std::env::var("NARU_SCALE").ok();
    packages.map_or(100_000, |number| number.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "fills a million rows; see the head of the file"]
async fn scale() {
    let packages = wanted_packages();
    let world = World::new().await;
    let owner = world.person("octocat").await;
    let member = world.person("hubot").await;
    world.organization("octo", "octocat").await;
    let system = Caller::system();
    let role = OrganizationRole::Member;
    world
        .registry
        .set_member(&system, &name("octo"), &name("hubot"), role)
        .await
        .unwrap();
    let account = async |login: &str| {
        let found = world.registry.account(&system, &name(login)).await;
        found.unwrap().id()
    };
    let begun = Instant::now();
    fill(
        &world,
        account("octo").await,
        account("octocat").await,
        packages,
    )
    .await;
    eprintln!(
        "{packages} packages with ten versions each, filled in {:.0?}",
        begun.elapsed()
    );
    world.registry.changed_elsewhere();
    let registry = &world.registry;
    lists(registry, &owner).await;
    let path = container(&format!("octo/team-{}/app-{packages}", packages % 100));
    measure("one package", Duration::from_micros(500), async || {
        registry.package(&owner, &path).await.unwrap();
    })
    .await;
    searches(registry, &owner, "an owner").await;
    searches(registry, &member, "a member").await;
}
