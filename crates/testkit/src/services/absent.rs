//! What a test says when the machine lacks what it needs: loudly, and never silently green in CI.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::environment;

/// Says that the running test is passed over because `missing` is not there.
///
/// The words go to standard error and, for the summary of `cargo xtask ci`, into the file that
/// `NARU_TEST_SKIPS` names.
///
/// # Panics
/// Where `NARU_TEST_REQUIRE_ALL` is set: there a missing program is a failure.
pub fn say(missing: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let words = format!("{test}: passed over, because {missing}");
    assert!(environment("NARU_TEST_REQUIRE_ALL").is_none(), "{words}");
    let mut words = words.into_bytes();
    words.push(b'\n');
    // Where neither can be written, nobody is listening.
    let _ = std::io::stderr().write_all(&words);
    if let Some(path) = environment("NARU_TEST_SKIPS") {
        let file = OpenOptions::new().append(true).create(true).open(path);
        let _ = file.and_then(|mut file| file.write_all(&words));
    }
}

/// Finds a program in `PATH` or the usual system directories.
#[must_use]
pub fn find_program(program: &str) -> Option<PathBuf> {
    let path = environment("PATH").unwrap_or_default();
    path.split(':')
        .chain([
            "/usr/local/sbin",
            "/usr/local/bin",
            "/usr/sbin",
            "/usr/bin",
            "/sbin",
            "/bin",
        ])
        .map(|directory| Path::new(directory).join(program))
        .find(|candidate| candidate.is_file())
}

/// A program of the machine; `None`, said loudly, where there is none.
#[must_use]
pub fn program(name: &str) -> Option<PathBuf> {
    let found = find_program(name);
    if found.is_none() {
        say(&format!(
            "there is no `{name}` (`cargo xtask install` brings it)"
        ));
    }
    found
}

/// A Go program that `cargo xtask tools build` builds; `None`, said loudly, where it is not built.
#[must_use]
pub fn built(name: &str) -> Option<PathBuf> {
    let found = tools_directory()
        .map(|tools| tools.join(name))
        .filter(|path| path.is_file());
    if found.is_none() {
        say(&format!(
            "`{name}` is not built (`cargo xtask tools build {name}` does it)"
        ));
    }
    found
}

/// The interpreter of the tests' own Python environment; `None`, said loudly, where there is none.
#[must_use]
pub fn python() -> Option<PathBuf> {
    let found = cache_directory()
        .map(|cache| cache.join("python/bin/python"))
        .filter(|path| path.is_file());
    if found.is_none() {
        say("there is no Python environment (`cargo xtask install` brings it)");
    }
    found
}

/// The directory that `cargo xtask tools directory` prints.
#[must_use]
pub fn tools_directory() -> Option<PathBuf> {
    let told = environment("NARU_TEST_TOOLS").map(PathBuf::from);
    told.or_else(|| Some(cache_directory()?.join("tools")))
}

/// Where `cargo xtask` keeps what outlives `cargo clean`.
pub(crate) fn cache_directory() -> Option<PathBuf> {
    environment("NARU_CACHE")
        .map(PathBuf::from)
        .or_else(|| environment("XDG_CACHE_HOME").map(|dir| Path::new(&dir).join("naru")))
        .or_else(|| environment("HOME").map(|dir| Path::new(&dir).join(".cache/naru")))
}
