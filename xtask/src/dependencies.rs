//! Dependencies that nobody uses, and dependencies that nobody explains.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use cargo_metadata::{Metadata, Package};
use toml::{Table, Value};

use crate::workspace;

/// Fails when a manifest names a crate that the sources beside it never mention, when the root
/// declares a crate that no member takes, or when a declaration does not say what it is for.
pub(crate) fn check(members: &Metadata) -> Result<String> {
    let mut wrong = Vec::new();
    let mut count = 0;
    for package in members.workspace_packages() {
        let unused = unused_in(package)?;
        count += package.dependencies.len();
        wrong.extend(
            unused
                .iter()
                .map(|name| format!("{}: {name} is not used", package.name)),
        );
    }
    let manifest = fs::read_to_string(workspace::root().join("Cargo.toml"))?;
    wrong.extend(nobody_takes(&manifest, members)?);
    wrong.extend(unexplained(&manifest));
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    Ok(format!("{count} entries, all used and explained"))
}

/// The dependencies of one crate whose name stands in none of its sources. As with cargo-machete,
/// `[package.metadata.cargo-machete] ignored = […]` names those that are there for another reason.
fn unused_in(package: &Package) -> Result<Vec<String>> {
    let directory = package
        .manifest_path
        .parent()
        .context("a manifest has a directory")?;
    let mut sources = String::new();
    for part in ["src", "tests", "benches", "examples", "build.rs"] {
        read_sources(&directory.join(part).into_std_path_buf(), &mut sources)?;
    }
    let words: BTreeSet<&str> = sources
        .split(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
        .collect();
    let ignored = package.metadata.pointer("/cargo-machete/ignored");
    let ignored = ignored.and_then(|names| names.as_array());
    let is_ignored =
        |name: &str| ignored.is_some_and(|names| names.iter().any(|entry| entry == name));
    let named = package.dependencies.iter().map(|dependency| {
        dependency
            .rename
            .clone()
            .unwrap_or_else(|| dependency.name.clone())
    });
    Ok(named
        .filter(|name| !words.contains(name.replace('-', "_").as_str()) && !is_ignored(name))
        .collect())
}

/// Appends every Rust source below `path`.
fn read_sources(path: &Path, sources: &mut String) -> Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            read_sources(&entry?.path(), sources)?;
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") && path.is_file() {
        sources.push_str(&fs::read_to_string(path)?);
        sources.push('\n');
    }
    Ok(())
}

/// Crates that the root declares and no member takes.
fn nobody_takes(manifest: &str, members: &Metadata) -> Result<Vec<String>> {
    let root: Table = manifest.parse().context("Cargo.toml")?;
    let declared = root
        .get("workspace")
        .and_then(|workspace| workspace.get("dependencies"))
        .and_then(Value::as_table)
        .context("no [workspace.dependencies]")?;
    let packages = members.workspace_packages();
    let taken: BTreeSet<&str> = packages
        .iter()
        .flat_map(|package| {
            package
                .dependencies
                .iter()
                .map(|dependency| dependency.name.as_str())
        })
        .collect();
    let unused = declared
        .keys()
        .filter(|name| !taken.contains(name.as_str()));
    Ok(unused
        .map(|name| format!("Cargo.toml: no member takes {name}"))
        .collect())
}

/// Lines of `[workspace.dependencies]` that declare a foreign crate and do not say what it is for.
fn unexplained(manifest: &str) -> Vec<String> {
    manifest
        .lines()
        .skip_while(|line| *line != "[workspace.dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| line.contains(" = ") && !line.starts_with('#'))
        .filter(|line| !line.contains("path = ") && !line.contains(" # "))
        .filter_map(|line| line.split_whitespace().next())
        .map(|name| format!("Cargo.toml: {name} does not say what it is for"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_without_a_purpose_is_found() {
        let manifest =
            "[workspace.dependencies]\nurl = \"2\"\nhex = \"1\" # digests\n[profile.dev]\n";
        let found = unexplained(manifest);
        assert_eq!(found, ["Cargo.toml: url does not say what it is for"]);
    }
}
