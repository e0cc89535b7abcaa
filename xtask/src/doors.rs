//! The test of the doors: our crates depend on each other only as ARCHITECTURE.md draws it.

use anyhow::{Result, bail};
use cargo_metadata::{DependencyKind, Metadata};

/// Every room and the rooms it may know, from the bottom up.
const DOORS: &[(&str, &[&str])] = &[
    ("naru-oci", &[]),
    ("naru-model", &["naru-oci"]),
    ("naru-handoff", &[]),
    ("naru-blobstore", &["naru-oci", "naru-handoff"]),
    ("naru-metadata", &["naru-oci", "naru-model"]),
    (
        "naru-registry",
        &["naru-oci", "naru-model", "naru-blobstore", "naru-metadata"],
    ),
    (
        "naru-server",
        &["naru-oci", "naru-model", "naru-registry", "naru-handoff"],
    ),
    (
        "naru",
        &[
            "naru-oci",
            "naru-model",
            "naru-handoff",
            "naru-blobstore",
            "naru-metadata",
            "naru-registry",
            "naru-server",
        ],
    ),
    (
        "naru-testkit",
        &[
            "naru-oci",
            "naru-model",
            "naru-handoff",
            "naru-blobstore",
            "naru-metadata",
            "naru-registry",
            "naru-server",
        ],
    ),
    ("naru-bench", &[]),
    ("xtask", &[]),
];

/// The room that only tests may enter.
const TEST_ROOM: &str = "naru-testkit";

/// Compares the crate graph with the drawing. Fails with every door that is not drawn.
pub(crate) fn check(members: &Metadata) -> Result<String> {
    let mut wrong = Vec::new();
    let mut doors = 0;
    for package in members.workspace_packages() {
        let Some((_, may_know)) = DOORS
            .iter()
            .find(|(room, _)| *room == package.name.as_str())
        else {
            wrong.push(format!(
                "{}: a room that ARCHITECTURE.md does not draw",
                package.name
            ));
            continue;
        };
        let ours = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.path.is_some());
        for dependency in ours {
            doors += 1;
            if !allowed(may_know, &dependency.name, dependency.kind) {
                wrong.push(format!(
                    "{} must not know {}",
                    package.name, dependency.name
                ));
            }
        }
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    Ok(format!("{doors} doors, all drawn"))
}

/// Whether a room that may know `may_know` may have this dependency of this kind.
fn allowed(may_know: &[&str], dependency: &str, kind: DependencyKind) -> bool {
    let for_tests = kind == DependencyKind::Development && dependency == TEST_ROOM;
    for_tests || may_know.contains(&dependency)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_drawn_from_the_bottom_up() {
        for (index, (room, may_know)) in DOORS.iter().enumerate() {
            for known in *may_know {
                let below = DOORS[..index].iter().any(|(lower, _)| lower == known);
                assert!(below, "{room} knows {known}, which does not stand below it");
            }
        }
    }

    #[test]
    fn the_test_kit_is_known_to_tests_only() {
        assert!(allowed(&[], TEST_ROOM, DependencyKind::Development));
        assert!(!allowed(&[], TEST_ROOM, DependencyKind::Normal));
        assert!(
            DOORS
                .iter()
                .all(|(_, may_know)| !may_know.contains(&TEST_ROOM))
        );
    }
}
