//! Many versions at once: `naru package delete-versions` and `naru package restore-versions`.

use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use clap::Args;
use naru_model::{Cascade, Lifetime, Needed, PackagePath, TagPattern, VersionId};
use naru_oci::RepositoryName;
use naru_registry::versions::bulk::{
    BulkDeletion, BulkRestoration, MOST, Selection, Stop, VersionFilter,
};
use naru_registry::versions::delete::DeleteOptions;
use naru_registry::versions::plan::Fate;
use naru_registry::versions::restore::RestoredVersion;
use serde::Serialize;

use super::versions;
use crate::commands::{Instance, words};
use crate::failure::hinted;
use crate::output::{Output, Row};

/// Which versions are to be deleted, and how.
#[derive(Debug, Args)]
pub(super) struct DeleteArgs {
    /// OWNER/NAME
    pub(super) package: RepositoryName,
    #[command(flatten)]
    which: Which,
    /// What becomes of a version that something keeps: it leaves the lists and stays served, or is
    /// not deleted; without this what the organization says, else withdraw
    #[arg(long, value_parser = words(Needed::ALL))]
    needed: Option<Needed>,
    /// What goes along, unless something else keeps it
    #[arg(long, default_value = "none", value_parser = words(Cascade::ALL))]
    cascade: Cascade,
    /// Only say what would go and why, and how many bytes become free
    #[arg(long)]
    dry_run: bool,
}

/// Which versions are to be restored.
#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// OWNER/NAME
    pub(super) package: RepositoryName,
    #[command(flatten)]
    which: Which,
    /// Only say what would come back
    #[arg(long)]
    dry_run: bool,
}

/// Which versions are meant: by numbers, or all that every other flag lets through.
#[derive(Debug, Args)]
struct Which {
    /// The version with this number; may be given several times
    #[arg(long = "version", value_name = "NUMBER")]
    versions: Vec<i64>,
    /// Only those without a tag
    #[arg(long, conflicts_with = "tagged")]
    untagged: bool,
    /// Only those with a tag
    #[arg(long)]
    tagged: bool,
    /// Only those pushed longer ago: 30d, 12h, …
    #[arg(long, value_name = "TIME", value_parser = age)]
    older_than: Option<Duration>,
    /// Only those with tags, all of which match; may be given several times
    #[arg(long = "tag", value_name = "PATTERN")]
    tags: Vec<TagPattern>,
    /// None that has a tag which matches; may be given several times
    #[arg(long = "keep-tag", value_name = "PATTERN")]
    keep_tags: Vec<TagPattern>,
    /// Not the newest so many of those that are left
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    keep_newest: usize,
}

/// How long ago.
fn age(text: &str) -> Result<Duration> {
    match text.parse()? {
        Lifetime::For(duration) => Ok(duration),
        Lifetime::Never => bail!("expected a time such as 30d or 12h"),
    }
}

impl Which {
    /// What is meant; not every version by accident.
    fn selection(self) -> Result<Selection> {
        let tagged = match (self.tagged, self.untagged) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            (false, false) => None,
        };
        let filter = VersionFilter {
            older_than: self.older_than,
            tagged,
            tags: self.tags,
            keep_tags: self.keep_tags,
            keep_newest: self.keep_newest,
            after: None,
        };
        let is_filter = filter != VersionFilter::default();
        match (self.versions.len(), is_filter) {
            (0, true) => Ok(Selection::Filter(filter)),
            (0, false) => Err(hinted(
                anyhow!("say which versions"),
                "by number with `--version`, or with flags such as `--untagged --older-than 30d`",
            )),
            (_, true) => Err(anyhow!("name versions by number or by the other flags")),
            (1..=MOST, false) => {
                let ids = self.versions.into_iter().map(VersionId::new);
                Ok(Selection::Ids(ids.collect()))
            }
            (_, false) => Err(anyhow!("name at most {MOST} versions at once")),
        }
    }
}

/// Deletes what is meant, batch after batch until nothing more goes; or says what would.
pub(super) async fn delete(
    instance: &Instance,
    path: &PackagePath,
    wanted: DeleteArgs,
    output: Output,
) -> Result<()> {
    let Instance {
        registry, caller, ..
    } = instance;
    let options = DeleteOptions {
        needed: wanted.needed,
        cascade: wanted.cascade,
    };
    let mut selection = wanted.which.selection()?;
    if wanted.dry_run {
        let preview = registry.preview_delete_versions(caller, path, &selection, options);
        let preview = preview.await?;
        versions::print(&preview.deletion, "would become free", output)?;
        return finish(&preview.unknown, preview.more, output);
    }
    let mut done = BulkDeletion::default();
    loop {
        let part = registry.delete_versions(caller, path, &selection, options);
        let part = part.await?;
        let (more, any, stop) = (part.more, does_something(&part), part.stop);
        done.add(part);
        done.more = more;
        let again = more && any;
        if !goes_on(&mut selection, stop) && !again {
            break;
        }
    }
    versions::print(&done.deletion, "become free when that time is over", output)?;
    let days = registry.settings().restore_days;
    output.say(format_args!("they can be restored for {days} days"));
    finish(&done.unknown, done.more, output)
}

/// Lets a filter go on where a request stopped; whether there is such a place.
const fn goes_on(selection: &mut Selection, stop: Option<Stop>) -> bool {
    let (Selection::Filter(filter), Some(stop)) = (selection, stop) else {
        return false;
    };
    filter.after = Some(stop.after);
    filter.keep_newest = stop.keep_newest;
    true
}

fn does_something(done: &BulkDeletion) -> bool {
    let mut fates = done.deletion.versions.iter().map(|version| &version.fate);
    fates.any(|fate| matches!(fate, Fate::Deleted | Fate::Withdrawn { .. }))
}

/// Restores what is meant, batch after batch until nothing more comes back; or says what would.
pub(super) async fn restore(
    instance: &Instance,
    path: &PackagePath,
    wanted: RestoreArgs,
    output: Output,
) -> Result<()> {
    let Instance {
        registry, caller, ..
    } = instance;
    let mut selection = wanted.which.selection()?;
    if wanted.dry_run {
        let preview = registry.preview_restore_versions(caller, path, &selection);
        return restored(&preview.await?, output);
    }
    let mut done = BulkRestoration::default();
    loop {
        let part = registry.restore_versions(caller, path, &selection).await?;
        let (more, any) = (part.more, !part.restoration.versions.is_empty());
        let stop = part.stop;
        done.add(part);
        done.more = more;
        let again = more && any;
        if !goes_on(&mut selection, stop) && !again {
            break;
        }
    }
    restored(&done, output)
}

fn restored(done: &BulkRestoration, output: Output) -> Result<()> {
    let versions = done.restoration.versions.iter();
    let rows: Vec<_> = versions.map(RestoredRow::from).collect();
    output.list(&rows)?;
    finish(&done.unknown, done.more, output)
}

/// Says what is left to do; a number that nothing has is a mistake.
fn finish(unknown: &[VersionId], more: bool, output: Output) -> Result<()> {
    if more {
        output.say("there are more, which another run takes");
    }
    if unknown.is_empty() {
        return Ok(());
    }
    let numbers: Vec<_> = unknown.iter().map(ToString::to_string).collect();
    Err(hinted(
        anyhow!("there is no such version: {}", numbers.join(", ")),
        "`naru package versions OWNER/NAME --json` has the numbers, with `--deleted` of what was deleted",
    ))
}

/// A version that came back, with the names of the REST API.
#[derive(Debug, Serialize)]
struct RestoredRow {
    id: i64,
    name: String,
    tags: Vec<String>,
    listed: bool,
}

impl From<&RestoredVersion> for RestoredRow {
    fn from(version: &RestoredVersion) -> Self {
        Self {
            id: version.id.get(),
            name: version.digest.to_string(),
            tags: version.tags.clone(),
            listed: version.listed,
        }
    }
}

impl Row for RestoredRow {
    const COLUMNS: &'static [&'static str] = &["DIGEST", "TAGS", "LISTED"];

    fn cells(&self) -> Vec<String> {
        let listed = if self.listed { "yes" } else { "no" };
        vec![self.name.clone(), self.tags.join(","), listed.to_owned()]
    }
}
