//! The handbook: pages that are made from the code, and links that lead somewhere.

use std::fs;
use std::path::{Path, PathBuf};

use naru::reference::Page;

#[test]
fn the_reference_pages_say_what_the_code_says() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference");
    for page in Page::ALL {
        let text = fs::read_to_string(pages.join(page.file_name())).unwrap();
        assert!(
            page.made_anew(&text).unwrap() == text,
            "{} is out of date: cargo run -p naru -- reference docs/reference",
            page.file_name()
        );
    }
}

#[test]
fn a_page_without_the_marks_is_refused() {
    let refused = Page::Configuration.made_anew("# Configuration\n");
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("configuration.md")
    );
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All Markdown files below `directory`.
fn pages_below(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pages_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// The targets of the links in a page that lead to other files or other places in it.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1);
    let targets = targets.filter_map(|rest| Some(rest.split_once(')')?.0));
    targets
        .filter(|target| !target.contains("://") && !target.contains(' '))
        .collect()
}

/// What a heading is called in links, as GitHub does it.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let text: String = heading.to_lowercase().chars().filter(kept).collect();
    text.replace(' ', "-")
}

fn has_anchor(page: &Path, wanted: &str) -> bool {
    let text = fs::read_to_string(page).unwrap();
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| anchor(line.trim_start_matches('#').trim()))
        .any(|found| found == wanted)
}

#[test]
fn every_link_in_the_handbook_leads_somewhere() {
    let mut pages = vec![root().join("README.md"), root().join("README.ko.md")];
    pages_below(&root().join("docs"), &mut pages);
    let mut dead = Vec::new();
    for page in &pages {
        let text = fs::read_to_string(page).unwrap();
        for link in links(&text) {
            let (file, wanted) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => page.clone(),
                file => page.parent().unwrap().join(file),
            };
            let is_there = target.exists() && (wanted.is_empty() || has_anchor(&target, wanted));
            if !is_there {
                dead.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}
