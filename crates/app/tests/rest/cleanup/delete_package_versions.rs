//! `actions/delete-package-versions`: it knows only the paths below `/users`, also for
//! organizations, nothing of indexes, and fails when one of its requests does.

use super::{Job, Version};

/// Its inputs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wish {
    /// `delete-only-untagged-versions: true`, all but so many.
    Untagged { keep: usize },
    /// `min-versions-to-keep`, whatever they are.
    KeepNewest(usize),
}

/// How many versions one page has, and how many one run deletes.
const LIMIT: usize = 100;

/// Runs it; answers what it deleted.
pub(crate) fn run(job: &Job<'_>, wish: Wish) -> Vec<Version> {
    let mut versions = list(job);
    // Times are in whole seconds; the lower id counts as the older one.
    versions.sort_by(|one, other| (&one.created_at, one.id).cmp(&(&other.created_at, other.id)));
    let keep = match wish {
        Wish::Untagged { keep } => {
            versions.retain(|version| version.tags.is_empty());
            keep
        }
        Wish::KeepNewest(keep) => keep,
    };
    versions.truncate(versions.len().saturating_sub(keep).min(LIMIT));
    for version in &versions {
        delete(job, version);
    }
    versions
}

/// It asks for the next page as long as pages are full.
fn list(job: &Job<'_>) -> Vec<Version> {
    let mut versions = Vec::new();
    for page in 1.. {
        let (owner, name) = (&job.owner, job.encoded());
        let path = format!(
            "/users/{owner}/packages/container/{name}/versions?per_page={LIMIT}&page={page}"
        );
        let found = Version::list(&job.octokit("GET", &path).send().expect(200));
        let is_full = found.len() == LIMIT;
        versions.extend(found);
        if !is_full {
            break;
        }
    }
    versions
}

fn delete(job: &Job<'_>, version: &Version) {
    let (owner, name, id) = (&job.owner, job.encoded(), version.id);
    let path = format!("/users/{owner}/packages/container/{name}/versions/{id}");
    job.octokit("DELETE", &path).send().expect(204);
}
