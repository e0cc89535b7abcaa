//! What a delete does to versions, as it is printed.

use naru_oci::Digest;
use naru_registry::versions::plan::{Because, Fate, Obstacle, PlannedVersion};
use serde::Serialize;

use crate::output::Row;

/// What becomes of one version, and why.
#[derive(Debug, Serialize)]
pub(super) struct DeletionRow<'a> {
    id: i64,
    name: &'a Digest,
    tags: &'a [String],
    media_type: &'a str,
    fate: &'static str,
    because: String,
    retained_by: Option<&'a Digest>,
}

impl<'a> From<&'a PlannedVersion> for DeletionRow<'a> {
    fn from(version: &'a PlannedVersion) -> Self {
        let (fate, retained_by) = match &version.fate {
            Fate::Deleted => ("deleted", None),
            Fate::Withdrawn { by } => ("withdrawn", Some(&by.digest)),
            Fate::Stays { by } => ("stays", Some(&by.digest)),
            Fate::Refused(Obstacle::Needed { by }) => ("refused", Some(&by.digest)),
            Fate::Refused(Obstacle::LastTagged) => ("refused: the last tagged version", None),
            Fate::Refused(Obstacle::TagProtected(_)) => ("refused: a protected tag", None),
            Fate::Refused(Obstacle::WidelyDownloaded { .. }) => {
                ("refused: downloaded too often", None)
            }
        };
        Self {
            id: version.id.get(),
            name: &version.digest,
            tags: &version.tags,
            media_type: &version.media_type,
            fate,
            because: because(&version.because),
            retained_by,
        }
    }
}

fn because(because: &Because) -> String {
    match because {
        Because::Asked => "asked for".to_owned(),
        Because::ChildOf(index) => format!("child of {index}"),
        Because::ReferrerOf(subject) => format!("refers to {subject}"),
        Because::NothingKeepsIt => "withdrawn before, and nothing keeps it".to_owned(),
        Because::WithPackage => "in the package".to_owned(),
    }
}

impl Row for DeletionRow<'_> {
    const COLUMNS: &'static [&'static str] = &["DIGEST", "TAGS", "FATE", "BECAUSE", "KEPT BY"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.to_string(),
            self.tags.join(","),
            self.fate.to_owned(),
            self.because.clone(),
            self.retained_by.map(Digest::to_string).unwrap_or_default(),
        ]
    }
}
