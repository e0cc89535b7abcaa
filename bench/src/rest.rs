//! What the REST API costs on a registry with many packages: `naru-bench rest`.
//!
//! One real server on a database that was filled before it started. Each question is asked again and
//! again over one connection, every answer is read and checked, and what counts is the CPU time of
//! the server, with that of the database where it has processes of its own.
//!
//! - [`fill`] makes the database and fills it.
//! - [`questions`] is the table of what is asked, with its goals.
//! - [`asking`] asks, checks and measures.

mod asking;
mod fill;
mod questions;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use comfy_table::{CellAlignment, Table, presets};

use self::asking::{Cost, Site};
use self::fill::Database;
use self::questions::{Question, Stock};
use crate::say::{self, say};
use crate::servers::{Program, SETTINGS, USER};

/// How long the server may take to be done with what it does after a start.
const CALM_WITHIN: Duration = Duration::from_secs(120);

/// Measures the REST API on a registry with many packages.
///
/// Example: naru-bench rest --packages 100000
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The `naru` program; by default the one built beside this program.
    #[arg(long, value_name = "FILE")]
    naru: Option<PathBuf>,
    /// How many packages there are; each has ten versions.
    #[arg(long, value_name = "N", default_value_t = 100_000,
        value_parser = clap::value_parser!(u64).range(2_000..))]
    packages: u64,
    /// A database of this PostgreSQL server in place of SQLite, made and dropped again. The server is
    /// on this machine and does nothing else meanwhile: all its CPU time counts.
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// How long each question is asked.
    #[arg(long, value_name = "N", default_value_t = 3)]
    seconds: u64,
    /// Only questions with these words in their name; may be repeated.
    #[arg(long, value_name = "WORDS")]
    only: Vec<String>,
    /// Where the data goes while it runs (up to 5 GiB), on a real disk.
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
}

/// What a question came to.
struct Line {
    name: &'static str,
    goal: f64,
    cost: Result<Cost>,
}

/// Fills a registry, asks it everything and prints the table; whether every answer was right.
///
/// # Errors
/// The server or its database does not do what is asked of it.
pub(crate) fn bench(options: &Options) -> Result<bool> {
    let directory = crate::on_disk(options.directory.as_deref())?;
    let naru = crate::existing(&crate::naru_program(options.naru.as_deref())?)?;
    let stock = Stock::new(options.packages);
    let database = Database::make(options.postgres.as_deref())?;
    let program = Program::Naru(naru.clone());
    let mut server = program.start_with(&directory, |home| {
        std::fs::write(home.join(SETTINGS), database.settings(home)?)?;
        Ok(())
    })?;
    server.create_user(questions::MEMBER)?;
    let scopes = ["write:packages", "delete:packages", "repo", "read:org"];
    let tokens = [
        server.personal_token(USER, &scopes)?,
        server.personal_token(questions::MEMBER, &scopes)?,
    ];
    say!("filling the database with {} packages", options.packages);
    let begun = Instant::now();
    server.restart_after(|home| database.fill(home, stock))?;
    let filled_in = begun.elapsed();
    let site = Site {
        server: &server,
        database: database.process()?,
        tokens,
        span: Duration::from_secs(options.seconds),
    };
    site.wait_for_calm(CALM_WITHIN)?;
    let wanted = |question: &Question| {
        let wants = |words: &String| question.name.contains(words.as_str());
        options.only.is_empty() || options.only.iter().any(wants)
    };
    let questions = questions::all(&site, stock)?;
    let questions: Vec<_> = questions.into_iter().filter(wanted).collect();
    ensure!(!questions.is_empty(), "no question has any of these words");
    let mut lines = Vec::new();
    for question in &questions {
        say!("{}", question.name);
        lines.push(Line {
            name: question.name,
            goal: question.goal,
            cost: site.ask(question),
        });
    }
    print(&lines, &naru, &database, stock, filled_in)
}

/// The table, and what went wrong; whether nothing did.
fn print(
    lines: &[Line],
    naru: &Path,
    database: &Database,
    stock: Stock,
    filled_in: Duration,
) -> Result<bool> {
    let load = std::fs::read_to_string("/proc/loadavg").context("the load")?;
    say::result(format_args!(
        "{}; {}; {} packages, {} versions, filled in {:.0} s. {} cores of {}, load {} at the end.\n\n{}",
        crate::version(naru),
        database.name(),
        stock.packages,
        stock.versions(),
        filled_in.as_secs_f64(),
        std::thread::available_parallelism()?,
        crate::processor(),
        load.split(' ').next().unwrap_or_default(),
        table(lines),
    ));
    let wrong = lines
        .iter()
        .filter_map(|line| Some((line, line.cost.as_ref().err()?)));
    for (line, error) in wrong.clone() {
        say!("{}: {error:#}", line.name);
    }
    Ok(wrong.count() == 0)
}

/// CPU time for each request in ms, and the time until its answer.
fn table(lines: &[Line]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header([
        "question", "cpu", "naru", "database", "median", "goal", "met",
    ]);
    for line in lines {
        table.add_row(row(line));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

fn row(line: &Line) -> [String; 7] {
    let ms = |value: f64| format!("{value:.3} ms");
    let Ok(cost) = &line.cost else {
        let none = || "–".to_owned();
        let failed = "failed".to_owned();
        return [
            line.name.to_owned(),
            failed,
            none(),
            none(),
            none(),
            ms(line.goal),
            "NO".to_owned(),
        ];
    };
    let cpu = cost.naru + cost.database;
    let met = if cpu <= line.goal { "yes" } else { "NO" };
    [
        line.name.to_owned(),
        ms(cpu),
        ms(cost.naru),
        ms(cost.database),
        ms(cost.median),
        format!("≤ {} ms", line.goal),
        met.to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(cpu: f64) -> [String; 7] {
        row(&Line {
            name: "a list",
            goal: 5.0,
            cost: Ok(Cost {
                naru: cpu,
                database: 1.0,
                median: 7.0,
            }),
        })
    }

    #[test]
    fn the_time_of_the_database_counts_towards_the_goal() {
        assert_eq!(line(4.0)[6], "yes");
        assert_eq!(line(4.1)[6], "NO");
        assert_eq!(line(4.1)[1], "5.100 ms");
    }
}
