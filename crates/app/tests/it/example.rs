//! `config.example.toml`: every setting, with its default.

use std::collections::BTreeSet;

use naru::config::Config;
use naru::config::inspect::EXAMPLE;
use toml::{Table, Value};

/// The example with everything that is commented out switched on. A setting that stands twice is
/// shown once with its default and once with something else.
fn everything_on() -> Table {
    let mut lines: Vec<String> = Vec::new();
    for line in EXAMPLE.lines() {
        let on = match line.strip_prefix('#') {
            Some(setting) if is_setting(setting) => setting,
            _ => line,
        };
        if let Some((key, _)) = on.split_once(" = ").filter(|_| !on.starts_with('#')) {
            let section = lines
                .iter()
                .rposition(|line| line.starts_with('['))
                .unwrap_or(0);
            let same = |line: &String| line.starts_with(&format!("{key} = "));
            if let Some(earlier) = lines.iter().skip(section).position(same) {
                lines.remove(section + earlier);
            }
        }
        lines.push(on.to_owned());
    }
    lines.join("\n").parse().unwrap()
}

fn is_setting(text: &str) -> bool {
    let key = text.split(" = ").next().unwrap_or_default();
    let is_key = text.contains(" = ")
        && key
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b"_0123456789".contains(&b));
    is_key || (text.starts_with('[') && text.ends_with(']'))
}

/// What serde knows in the table at `path`: it lists all of it when it meets something unknown.
fn known(path: &[String]) -> BTreeSet<String> {
    const UNKNOWN: &str = "no_such_setting";
    let mut value = Value::Table(Table::from_iter([(UNKNOWN.to_owned(), Value::Integer(0))]));
    for name in path.iter().rev() {
        value = Value::Table(Table::from_iter([(name.clone(), value)]));
    }
    let error = value.try_into::<Config>().unwrap_err();
    let quoted = error.message().split('`').skip(1).step_by(2);
    quoted
        .map(str::to_owned)
        .filter(|name| name != UNKNOWN)
        .collect()
}

fn assert_complete(example: &Table, path: &[String]) {
    let shown: BTreeSet<String> = example.keys().cloned().collect();
    assert_eq!(shown, known(path), "in [{}]", path.join("."));
    for (name, value) in example {
        if let Value::Table(inner) = value {
            assert_complete(inner, &[path, std::slice::from_ref(name)].concat());
        }
    }
}

#[test]
fn the_example_names_every_setting() {
    assert_complete(&everything_on(), &[]);
}

#[test]
fn everything_in_the_example_can_be_switched_on() {
    let config: Result<Config, _> = Value::Table(everything_on()).try_into();
    config.unwrap();
}

#[test]
fn the_example_as_it_stands_says_what_is_so_without_it() {
    let example: Config = toml::from_str(EXAMPLE).unwrap();
    assert_eq!(format!("{example:#?}"), format!("{:#?}", Config::default()));
}

#[test]
fn every_setting_of_the_example_is_explained() {
    let mut explained = false;
    for line in EXAMPLE.lines() {
        let commented = line.strip_prefix('#');
        let setting = is_setting(commented.unwrap_or(line));
        assert!(!setting || explained, "`{line}` is not explained");
        // Lines that belong together share an explanation.
        explained = setting && explained || commented.is_some_and(|text| text.starts_with(' '));
    }
}
