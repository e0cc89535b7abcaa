//! Configuration: where settings come from, and what is said when one is wrong.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use naru::config::{self, Loaded, Problem, Sources};
use secrecy::ExposeSecret;
use tempfile::TempDir;

/// A configuration file and variables.
fn sources(scratch: &TempDir, text: &str, variables: &[(&str, &str)]) -> Sources {
    let file = scratch.path().join("naru.toml");
    fs::write(&file, text).unwrap();
    Sources {
        file: Some(file),
        environment: variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
        flags: Vec::new(),
    }
}

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, Problem> {
    config::load(sources(&TempDir::new().unwrap(), text, variables))
}

/// What is said about a wrong configuration.
fn complaint(text: &str, variables: &[(&str, &str)]) -> String {
    let scratch = TempDir::new().unwrap();
    let problem = config::load(sources(&scratch, text, variables)).unwrap_err();
    let directory = format!("{}/", scratch.path().display());
    problem.to_string().replace(&directory, "")
}

fn secret_file(scratch: &TempDir, text: &str, mode: u32) -> PathBuf {
    let path = scratch.path().join("secret");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

#[test]
fn an_unknown_key_is_shown_with_line_caret_and_the_nearest_known_key() {
    insta::assert_snapshot!(complaint("[log]\n\n# colours?\nlevle = \"debug\"\n", &[]), @r#"
    naru.toml:4:1: unknown key `levle` in [log]
      |
    4 | levle = "debug"
      | ^^^^^ did you mean `level`?
    "#);
}

#[test]
fn an_unknown_section_is_shown_with_the_nearest_known_one() {
    insta::assert_snapshot!(complaint("[lgo]\nlevel = \"debug\"\n", &[]), @r#"
    naru.toml:1:2: unknown section `lgo`
      |
    1 | [lgo]
      |  ^^^ did you mean `log`?
    "#);
}

#[test]
fn a_key_like_no_other_is_answered_with_the_known_ones() {
    insta::assert_snapshot!(complaint("[log]\nxyz = 1\n", &[]), @r#"
    naru.toml:2:1: unknown key `xyz` in [log]
      |
    2 | xyz = 1
      | ^^^ known here: `format`, `level`
    "#);
}

#[test]
fn a_word_that_is_none_of_the_known_ones_is_shown_in_its_line() {
    insta::assert_snapshot!(complaint("[log]\nformat = \"jsn\"\n", &[]), @r#"
    naru.toml:2:10: `log.format` cannot be `jsn`
      |
    2 | format = "jsn"
      |          ^^^^^ did you mean `json`?
    "#);
}

#[test]
fn a_value_of_another_kind_is_shown_in_its_line() {
    insta::assert_snapshot!(complaint("log = { level = 3 }\n", &[]), @r#"
    naru.toml:1:17: `log.level`: invalid type: integer `3`, expected a string
      |
    1 | log = { level = 3 }
      |                 ^
    "#);
}

#[test]
fn what_is_no_toml_is_shown_in_its_line() {
    insta::assert_snapshot!(complaint("[log]\nlevel = info\n", &[]), @r#"
    naru.toml:2:9: string values must be quoted
      |
    2 | level = info
      |         ^^^^
    "#);
}

#[test]
fn a_missing_file_is_named() {
    let file = Path::new("there/is/none.toml");
    let sources = Sources {
        file: Some(file.into()),
        ..Sources::default()
    };
    insta::assert_snapshot!(config::load(sources).unwrap_err(), @"there/is/none.toml: cannot be read: No such file or directory (os error 2)");
}

#[test]
fn a_wrong_variable_is_named_with_the_right_one() {
    insta::assert_snapshot!(complaint("", &[("NARU_LOG__LEVLE", "debug")]), @"environment variable NARU_LOG__LEVLE: unknown key `levle` in [log]; did you mean `NARU_LOG__LEVEL`?");
}

#[test]
fn a_variable_below_a_setting_is_refused() {
    insta::assert_snapshot!(complaint("", &[("NARU_LOG__LEVEL", "a"), ("NARU_LOG__LEVEL__X", "b")]), @"environment variable NARU_LOG__LEVEL__X: `level` is a setting, not a section");
}

#[test]
fn the_environment_stands_over_the_file() {
    let loaded = load("[log]\nlevel = \"warn\"\n", &[("NARU_LOG__LEVEL", "debug")]).unwrap();
    assert_eq!(loaded.config.log.level, "debug");
}

#[test]
fn a_variable_without_two_underscores_is_no_setting() {
    let kubernetes = [
        ("NARU_PORT", "tcp://10.0.0.1:80"),
        ("NARU_SERVICE_HOST", "10.0.0.1"),
    ];
    load("", &kubernetes).unwrap();
}

#[test]
fn a_variable_that_looks_like_a_number_may_be_a_text() {
    let loaded = load("", &[("NARU_LOG__LEVEL", "12")]).unwrap();
    assert_eq!(loaded.config.log.level, "12");
}

#[test]
fn a_secret_may_stand_in_a_file_of_its_own() {
    let scratch = TempDir::new().unwrap();
    let file = secret_file(&scratch, "sqlite:elsewhere.db\n", 0o600);
    let text = format!("[database]\nurl_file = {:?}\n", file.display().to_string());
    let loaded = load(&text, &[]).unwrap();
    let url = loaded.config.database.url.unwrap();
    assert_eq!(url.expose_secret(), "sqlite:elsewhere.db");
}

#[test]
fn a_secret_file_that_everybody_can_read_is_refused() {
    let scratch = TempDir::new().unwrap();
    let file = secret_file(&scratch, "sqlite:elsewhere.db\n", 0o644);
    let said = complaint("", &[("NARU_DATABASE__URL_FILE", file.to_str().unwrap())]);
    assert!(
        said.starts_with("environment variable NARU_DATABASE__URL_FILE: every user"),
        "{said}"
    );
    assert!(said.contains("chmod 600"), "{said}");
}

#[test]
fn a_secret_that_is_said_twice_is_refused() {
    let scratch = TempDir::new().unwrap();
    let file = secret_file(&scratch, "sqlite:a.db", 0o600);
    let text = format!(
        "[database]\nurl = \"sqlite:b.db\"\nurl_file = {:?}\n",
        file.display().to_string()
    );
    let said = complaint(&text, &[]);
    assert!(
        said.contains("`database.url` and `database.url_file` say the same thing"),
        "{said}"
    );
}

#[test]
fn the_line_of_a_secret_is_not_shown() {
    let said = complaint("[blobstore]\nsecret_access_key = [\"hunter2\"]\n", &[]);
    assert!(said.starts_with("naru.toml:2:"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn a_password_in_a_database_url_is_not_shown() {
    let key = ("NARU_SECRETS__MASTER_KEY_FILE", "master.key");
    let url = (
        "NARU_DATABASE__URL",
        "postgres://naru:hunter2@db.example.com/naru",
    );
    let loaded = load("", &[key, url]).unwrap();
    let shown = config::inspect::in_force(&loaded.layers).unwrap();
    let url = shown
        .iter()
        .find(|setting| setting.key == "database.url")
        .unwrap();
    assert_eq!(
        url.value.as_str(),
        Some("postgres://naru:hidden@db.example.com/naru")
    );
    assert_eq!(url.from, "NARU_DATABASE__URL");
}

#[test]
fn what_is_in_force_says_where_it_came_from() {
    let scratch = TempDir::new().unwrap();
    let mut sources = sources(
        &scratch,
        "[log]\nlevel = \"warn\"\n",
        &[("NARU_LISTEN__DRAIN_SECONDS", "5")],
    );
    let address = toml::Value::String("127.0.0.1:0".to_owned());
    sources.flags = vec![(
        "--listen",
        config::key::Key::of(["listen", "address"]),
        address,
    )];
    let loaded = config::load(sources).unwrap();
    let shown = config::inspect::in_force(&loaded.layers).unwrap();
    let from = |key: &str| {
        shown
            .iter()
            .find(|setting| setting.key == key)
            .unwrap()
            .from
            .clone()
    };
    assert!(from("log.level").ends_with("naru.toml:2"));
    assert_eq!(from("listen.drain_seconds"), "NARU_LISTEN__DRAIN_SECONDS");
    assert_eq!(from("listen.address"), "--listen");
    assert_eq!(from("log.format"), "default");
}

#[test]
fn sections_that_contradict_each_other_are_refused_with_a_way_out() {
    insta::assert_snapshot!(complaint("[server]\nlayout = \"single-host-legacy\"\n", &[]), @r#"[server] layout = "single-host-legacy" makes the main host the legacy Docker registry; name a host for the container registry: containers = "containers.example.com""#);
    insta::assert_snapshot!(complaint("[database]\nurl = \"postgres://db/naru\"\n", &[]), @r#"PostgreSQL needs a master key that every server shares; make one with `head -c 32 /dev/urandom | od -An -vtx1 | tr -d ' \n' > master.key && chmod 600 master.key`, and name it: [secrets] master_key_file = "master.key""#);
    insta::assert_snapshot!(complaint("[listen]\ninternal = \"127.0.0.1:5000\"\n", &[]), @"[listen] address and internal are both 127.0.0.1:5000; give the internal listener another port");
    insta::assert_snapshot!(complaint("[limits]\nheader_bytes = 100\n", &[]), @"[limits] header_bytes is 100; it is at least 8192");
    insta::assert_snapshot!(complaint("[registry]\ntags_page = 0\n", &[]), @"[registry] tags_page is not between 1 and tags_page_limit; a page has as many tags when the client does not say");
    let text = "[blobstore]\nredirect = true\n[registry]\ntrash_hours = 0\n";
    insta::assert_snapshot!(complaint(text, &[]), @"[blobstore] redirect_seconds is longer than [registry] trash_hours (0); a signed URL would outlive what it leads to; shorten the one or lengthen the other");
    insta::assert_snapshot!(complaint("[log]\nlevel = \"loud=very\"\n", &[]), @"[log] level: `loud=very` is no log level; say error, warn, info, debug or trace, or a list such as info,naru_registry=debug");
}
