//! What is asked, what must come back, and what it may cost.

use anyhow::{Context, Result};
use serde_json::Value;

use super::asking::{Site, Target};

/// A member of the organization who owns nothing of it.
pub(super) const MEMBER: &str = "member";
/// The package with the most versions.
const LARGEST: &str = "group-2/app-2";
/// How many things a page has.
const PAGE: u64 = 100;
/// The last page that can be asked for by its number.
const DEEPEST: u64 = 100;

/// What lies in the registry; `fill.sql` says it in detail.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stock {
    /// How many packages there are: every other one is the organization's.
    pub(super) packages: u64,
    /// How many versions the largest package has beside the ten of each.
    pub(super) in_largest: u64,
}

/// A question that is measured.
#[derive(Clone, Debug)]
pub(super) struct Question {
    /// What it is called.
    pub(super) name: &'static str,
    /// How much CPU time an answer may cost, in ms.
    pub(super) goal: f64,
    /// Who asks: 0 the owner of the organization, 1 a member.
    pub(super) who: usize,
    /// What is asked for in turn.
    pub(super) targets: Vec<Target>,
    /// Nothing is asked for twice, so that nothing is remembered.
    pub(super) is_asked_once: bool,
}

/// What an answer must hold.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    /// How many things the list has.
    pub(super) count: Option<usize>,
    /// The place of a value (RFC 6901).
    pub(super) place: &'static str,
    /// That value.
    pub(super) value: Value,
}

impl Stock {
    /// So many packages.
    pub(super) const fn new(packages: u64) -> Self {
        let packages = packages - packages % 2;
        Self {
            packages,
            in_largest: packages / 5,
        }
    }

    /// How many versions there are.
    pub(super) const fn versions(self) -> u64 {
        self.packages * 10 + self.in_largest
    }

    /// The organization's package that comes after so many newer ones.
    fn package(self, newer: u64) -> String {
        let number = self.packages.saturating_sub(2 * newer);
        format!("group-{}/app-{number}", number % 100)
    }

    /// The last page of the organization's packages that can be asked for by its number.
    fn deepest(self) -> u64 {
        (self.packages / 2 / PAGE).min(DEEPEST)
    }

    /// The digest of the version of the largest package that comes after so many newer ones.
    fn version(self, newer: u64) -> String {
        format!("sha256:f{:063}", self.in_largest.saturating_sub(newer))
    }

    /// Its tag.
    fn tag(self, newer: u64) -> String {
        format!("v{}", (self.in_largest + 10).saturating_sub(newer))
    }
}

impl Question {
    fn new(name: &'static str, goal: f64, targets: Vec<Target>) -> Self {
        Self {
            name,
            goal,
            who: 0,
            targets,
            is_asked_once: false,
        }
    }

    fn by_member(self) -> Self {
        Self { who: 1, ..self }
    }

    fn asked_once(self) -> Self {
        Self {
            is_asked_once: true,
            ..self
        }
    }
}

/// A whole page of which the first thing has this value at this place.
fn page(path: String, place: &'static str, value: impl Into<Value>) -> Vec<Target> {
    vec![Target {
        path,
        expected: Expected {
            count: Some(100),
            place,
            value: value.into(),
        },
    }]
}

/// One thing with this value at this place.
fn one(path: String, place: &'static str, value: impl Into<Value>) -> Target {
    Target {
        path,
        expected: Expected {
            count: None,
            place,
            value: value.into(),
        },
    }
}

fn address(package: &str) -> String {
    format!(
        "/orgs/octo/packages/container/{}",
        package.replace('/', "%2F")
    )
}

/// Every question, in the order of the table.
///
/// # Errors
/// What the questions are made from cannot be asked for.
pub(super) fn all(site: &Site<'_>, stock: Stock) -> Result<Vec<Question>> {
    let mut questions = packages(site, stock)?;
    questions.extend(versions(site, stock)?);
    questions.extend(single(site, stock)?);
    questions.extend(searches(stock));
    questions.extend(others(stock));
    Ok(questions)
}

fn packages(site: &Site<'_>, stock: Stock) -> Result<Vec<Question>> {
    let list =
        |rest: String| format!("/orgs/octo/packages?package_type=container&per_page=100{rest}");
    let deepest = stock.deepest();
    // The place that the Link header of the page before names.
    let before = number(
        site,
        &address(&stock.package((deepest - 1) * PAGE - 1)),
        "/id",
    )?;
    let half = stock.packages / 4;
    let half_id = number(site, &address(&stock.package(half)), "/id")?;
    // A member reads half of them for what they are, and some of the others by their roles.
    let of_member = deepest.min(stock.packages / 4 / PAGE);
    let deep_for_member = list(format!("&page={of_member}"));
    let name = "/0/name";
    Ok(vec![
        Question::new(
            "packages, first page of 100",
            5.0,
            page(list(String::new()), name, stock.package(0)),
        ),
        Question::new(
            "packages, the deepest page",
            5.0,
            page(
                list(format!("&page={deepest}")),
                name,
                stock.package((deepest - 1) * PAGE),
            ),
        ),
        Question::new(
            "packages, the deepest page, where Link leads",
            5.0,
            page(
                list(format!("&page={deepest}&after={before}~{deepest}")),
                name,
                stock.package((deepest - 1) * PAGE),
            ),
        ),
        Question::new(
            "packages, after half of them",
            5.0,
            page(
                list(format!("&after={half_id}")),
                name,
                stock.package(half + 1),
            ),
        ),
        Question::new(
            "packages, first page, a member",
            5.0,
            page(list(String::new()), "/0/package_type", "container"),
        )
        .by_member(),
        Question::new(
            "packages, the deepest page, a member",
            5.0,
            page(deep_for_member, "/0/package_type", "container"),
        )
        .by_member(),
    ])
}

fn versions(site: &Site<'_>, stock: Stock) -> Result<Vec<Question>> {
    let list = |rest: String| format!("{}/versions?per_page=100{rest}", address(LARGEST));
    let deepest = (stock.in_largest / PAGE).min(DEEPEST);
    let half = deepest / 2;
    let half_id = number(site, &list(format!("&page={half}")), "/99/id")?;
    let name = "/0/name";
    Ok(vec![
        Question::new(
            "versions, first page of 100",
            5.0,
            page(list(String::new()), name, stock.version(0)),
        ),
        Question::new(
            "versions, the deepest page",
            5.0,
            page(
                list(format!("&page={deepest}")),
                name,
                stock.version((deepest - 1) * PAGE),
            ),
        ),
        Question::new(
            "versions, after some thousands",
            5.0,
            page(
                list(format!("&after={half_id}")),
                name,
                stock.version(half * PAGE),
            ),
        ),
    ])
}

fn single(site: &Site<'_>, stock: Stock) -> Result<Vec<Question>> {
    let package = |newer: u64| {
        let name = stock.package(newer);
        one(address(&name), "/name", name)
    };
    // Each of the organization's, but for the largest, which is the last.
    let of_organization = stock.packages / 2 - 2;
    let list = format!("{}/versions?per_page=100", address(LARGEST));
    let ids = site.once(&list)?;
    let ids = ids.as_array().context("a list of versions")?;
    let ids = ids.iter().filter_map(|version| version["id"].as_i64());
    let version = |id: i64| one(format!("{}/versions/{id}", address(LARGEST)), "/id", id);
    Ok(vec![
        Question::new(
            "one package, remembered facts",
            0.5,
            (0..100).map(package).collect(),
        ),
        Question::new(
            "one package, never asked for before",
            0.5,
            (100..of_organization).map(package).collect(),
        )
        .asked_once(),
        Question::new(
            "the package with the most versions",
            5.0,
            vec![one(address(LARGEST), "/name", LARGEST)],
        ),
        Question::new("one version", 0.5, ids.map(version).collect()),
    ])
}

fn searches(stock: Stock) -> Vec<Question> {
    let search = |query: &str, place, value: Value| {
        vec![one(
            format!("/search/packages?q={query}&per_page=30"),
            place,
            value,
        )]
    };
    let newest = stock.package(0);
    let (_, rare) = newest.split_once('/').unwrap_or_default();
    let total = "/total_count";
    vec![
        Question::new(
            "search, a rare word",
            10.0,
            search(rare, "/items/0/name", newest.as_str().into()),
        ),
        Question::new(
            "search, a word of all",
            10.0,
            search("app", total, 1_000.into()),
        ),
        Question::new(
            "search, a word of all, a member",
            10.0,
            search("app", "/incomplete_results", true.into()),
        )
        .by_member(),
        Question::new(
            "search, the beginning of many",
            10.0,
            search("app-1", "/incomplete_results", true.into()),
        ),
        Question::new(
            "search, a word of all and a rarer one",
            10.0,
            search("app+group-42", "/items/0/package_type", "container".into()),
        ),
        Question::new(
            "search, private ones",
            10.0,
            search("app+is:private", "/items/0/visibility", "private".into()),
        ),
        Question::new(
            "search, the tag of all and a word",
            10.0,
            search(
                &format!("tag:v9+{rare}"),
                "/items/0/name",
                newest.as_str().into(),
            ),
        ),
    ]
}

fn others(stock: Stock) -> Vec<Question> {
    let explain = |newer: u64| {
        let name = stock.package(newer);
        let path = format!("{}/access/explain?user={MEMBER}", address(&name));
        one(path, "/package", format!("octo/{name}"))
    };
    let deepest = |of: &str| format!("/orgs/octo/{of}?per_page=100&page=100");
    let first = |of: &str| format!("/orgs/octo/{of}?per_page=100");
    let tags = |page: u64| format!("{}/tags?per_page=100&page={page}", address(LARGEST));
    let tags_deep = (stock.in_largest / PAGE).min(DEEPEST);
    vec![
        Question::new("explain", 0.5, (0..100).map(explain).collect()),
        Question::new(
            "tags, first page",
            5.0,
            page(tags(1), "/0/name", stock.tag(0)),
        ),
        Question::new(
            "tags, the deepest page",
            5.0,
            page(
                tags(tags_deep),
                "/0/name",
                stock.tag((tags_deep - 1) * PAGE),
            ),
        ),
        Question::new(
            "members, first page",
            5.0,
            page(first("members"), "/0/type", "User"),
        ),
        Question::new(
            "members, the deepest page",
            5.0,
            page(deepest("members"), "/0/type", "User"),
        ),
        Question::new(
            "teams, first page",
            5.0,
            page(first("teams"), "/0/name", "Team 1"),
        ),
        Question::new(
            "repositories, first page",
            5.0,
            page(first("repos"), "/0/name", "source-10000"),
        ),
        Question::new(
            "repositories, the deepest page",
            5.0,
            page(deepest("repos"), "/0/name", "source-100"),
        ),
    ]
}

/// A number in an answer.
fn number(site: &Site<'_>, path: &str, place: &str) -> Result<i64> {
    let answer = site.once(path)?;
    let found = answer.pointer(place).and_then(Value::as_i64);
    found.with_context(|| format!("{path} has no number at {place}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_begin_where_the_ones_before_end() {
        let stock = Stock::new(100_001);
        assert_eq!(stock.versions(), 1_020_000);
        assert_eq!(stock.deepest(), 100);
        assert_eq!(stock.package(0), "group-0/app-100000");
        assert_eq!(stock.package(9_900), "group-0/app-80200");
        assert_eq!(address("a/b"), "/orgs/octo/packages/container/a%2Fb");
        assert_eq!(stock.version(0).len(), "sha256:".len() + 64);
    }
}
