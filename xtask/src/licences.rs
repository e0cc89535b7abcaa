//! Licences, bans and sources, as `deny.toml` states them.
//!
//! cargo-deny takes minutes to build from source, so it is used where it is installed, and
//! elsewhere this reads the same file and checks the same three things over `cargo metadata`.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use cargo_metadata::{Metadata, Package};
use toml::{Table, Value};

use crate::shell::{self, Log};
use crate::workspace;

/// Checks the whole graph. Fails with every crate that breaks a rule.
pub(crate) fn check(log: &Log) -> Result<String> {
    if workspace::find_program("cargo-deny").is_some() {
        let mut deny = shell::cargo();
        deny.args(["deny", "check", "licenses", "bans", "sources"]);
        log.run(&mut deny, Duration::from_secs(300))?;
        return Ok("by cargo-deny".to_owned());
    }
    let text = std::fs::read_to_string(workspace::root().join("deny.toml"))?;
    let rules = Rules::parse(&text).context("deny.toml")?;
    let linked = linked()?;
    let wrong = violations(&rules, &workspace::graph()?, &linked);
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    Ok(format!(
        "{} crates, by our own reading of deny.toml",
        linked.len()
    ))
}

/// What `deny.toml` says, as far as we read it.
struct Rules {
    allowed: BTreeSet<String>,
    exceptions: Vec<(String, BTreeSet<String>)>,
    banned: Vec<(String, String)>,
    registries: Vec<String>,
}

impl Rules {
    fn parse(text: &str) -> Result<Self> {
        let root: Table = text.parse()?;
        let section = |name: &str| root.get(name).and_then(Value::as_table);
        let licenses = section("licenses").context("no [licenses]")?;
        let bans = section("bans").context("no [bans]")?;
        let sources = section("sources").context("no [sources]")?;
        Ok(Self {
            allowed: strings(licenses.get("allow")).collect(),
            exceptions: tables(licenses.get("exceptions"))
                .map(|entry| {
                    (
                        text_of(entry, "crate"),
                        strings(entry.get("allow")).collect(),
                    )
                })
                .collect(),
            banned: tables(bans.get("deny"))
                .map(|entry| (text_of(entry, "crate"), text_of(entry, "reason")))
                .collect(),
            registries: strings(sources.get("allow-registry")).collect(),
        })
    }

    fn permits(&self, package: &str, licence: &str) -> bool {
        let excepted = |(name, allowed): &(String, BTreeSet<String>)| {
            name == package && allowed.contains(licence)
        };
        self.allowed.contains(licence) || self.exceptions.iter().any(excepted)
    }
}

fn strings(value: Option<&Value>) -> impl Iterator<Item = String> {
    let items = value
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    items.iter().filter_map(Value::as_str).map(str::to_owned)
}

fn tables(value: Option<&Value>) -> impl Iterator<Item = &Table> {
    let items = value
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    items.iter().filter_map(Value::as_table)
}

fn text_of(table: &Table, key: &str) -> String {
    table
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// Name and version of every crate that is compiled for us. `cargo metadata` also lists crates
/// behind features that nobody switched on; `cargo tree` follows the features as the build does.
fn linked() -> Result<BTreeSet<(String, String)>> {
    let words = [
        "tree",
        "--workspace",
        "--all-features",
        "--locked",
        "--prefix=none",
    ];
    let tree = shell::output(
        shell::cargo()
            .args(words)
            .args(["--edges=all", "--format={p}"]),
    )?;
    let crates = tree.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((
            words.next()?.to_owned(),
            words.next()?.strip_prefix('v')?.to_owned(),
        ))
    });
    Ok(crates.collect())
}

/// One sentence for each crate that breaks a rule.
fn violations(rules: &Rules, graph: &Metadata, linked: &BTreeSet<(String, String)>) -> Vec<String> {
    let ours: BTreeSet<_> = graph.workspace_members.iter().collect();
    let is_linked = |package: &&Package| {
        linked.contains(&(package.name.to_string(), package.version.to_string()))
    };
    let theirs = graph
        .packages
        .iter()
        .filter(|package| !ours.contains(&package.id));
    theirs
        .filter(is_linked)
        .flat_map(|package| violations_of(rules, package))
        .collect()
}

fn violations_of(rules: &Rules, package: &Package) -> Vec<String> {
    let name = package.name.as_str();
    let mut wrong = Vec::new();
    if let Some((_, reason)) = rules.banned.iter().find(|(banned, _)| banned == name) {
        wrong.push(format!("{name} {}: banned: {reason}", package.version));
    }
    let source = package
        .source
        .as_ref()
        .map(|source| source.repr.clone())
        .unwrap_or_default();
    if !rules
        .registries
        .iter()
        .any(|registry| source.ends_with(registry.as_str()))
    {
        wrong.push(format!(
            "{name} {}: not from an allowed registry: {source}",
            package.version
        ));
    }
    let expression = package.license.clone().unwrap_or_default();
    if !satisfied(&expression, &|licence| rules.permits(name, licence)) {
        wrong.push(format!(
            "{name} {}: licence not allowed: {expression:?}",
            package.version
        ));
    }
    wrong
}

/// Whether an SPDX licence expression can be met with licences that `permits` accepts.
/// `MIT/Apache-2.0` is the old way to write OR.
fn satisfied(expression: &str, permits: &dyn Fn(&str) -> bool) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser {
        words: &words,
        permits,
        broken: false,
    };
    let met = parser.alternatives();
    met && !parser.broken && parser.words.is_empty()
}

/// Reads `A OR B AND (C WITH D)`: OR binds loosest, WITH tightest.
struct Parser<'a> {
    words: &'a [&'a str],
    permits: &'a dyn Fn(&str) -> bool,
    /// Set where a word is missing: such an expression allows nothing, whatever else it says.
    broken: bool,
}

impl<'a> Parser<'a> {
    fn take(&mut self) -> Option<&'a str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    fn take_if(&mut self, word: &str) -> bool {
        let found = self.words.first() == Some(&word);
        if found {
            self.take();
        }
        found
    }

    fn alternatives(&mut self) -> bool {
        let mut met = self.conjunction();
        while self.take_if("OR") {
            met |= self.conjunction();
        }
        met
    }

    fn conjunction(&mut self) -> bool {
        let mut met = self.licence();
        while self.take_if("AND") {
            met &= self.licence();
        }
        met
    }

    fn licence(&mut self) -> bool {
        if self.take_if("(") {
            let met = self.alternatives();
            self.broken |= !self.take_if(")");
            return met;
        }
        let Some(name) = self.take() else {
            self.broken = true;
            return false;
        };
        if !self.take_if("WITH") {
            return (self.permits)(name);
        }
        let exception = self.take();
        exception.is_some_and(|exception| (self.permits)(&format!("{name} WITH {exception}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(expression: &str) -> bool {
        let allowed = [
            "MIT",
            "Apache-2.0",
            "Apache-2.0 WITH LLVM-exception",
            "Unicode-3.0",
        ];
        satisfied(expression, &|licence| allowed.contains(&licence))
    }

    #[test]
    fn one_allowed_alternative_is_enough() {
        assert!(met("MIT OR GPL-3.0"));
        assert!(met("GPL-3.0/MIT"));
        assert!(!met("GPL-3.0 OR LGPL-2.1"));
    }

    #[test]
    fn every_part_of_a_conjunction_must_be_allowed() {
        assert!(met("(MIT OR Apache-2.0) AND Unicode-3.0"));
        assert!(!met("MIT AND OpenSSL"));
        assert!(!met("(MIT OR Apache-2.0) AND OpenSSL"));
    }

    #[test]
    fn an_exception_belongs_to_its_licence() {
        assert!(met("Apache-2.0 WITH LLVM-exception"));
        assert!(!met("MIT WITH LLVM-exception"));
    }

    #[test]
    fn a_missing_or_broken_expression_is_not_allowed() {
        assert!(!met(""));
        assert!(!met("MIT OR (Apache-2.0"));
        assert!(!met("MIT Apache-2.0"));
    }

    #[test]
    fn the_rules_of_the_project_can_be_read() {
        let text = std::fs::read_to_string(workspace::root().join("deny.toml")).unwrap();
        let rules = Rules::parse(&text).unwrap();
        assert!(rules.permits("anything", "MIT"));
        assert!(!rules.permits("anything", "GPL-3.0"));
        assert!(
            rules
                .banned
                .iter()
                .any(|(name, reason)| name == "ring" && !reason.is_empty())
        );
    }
}
