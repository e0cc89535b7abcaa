//! The table: what each side reached, how much better Naru is, and whether that is enough.

use comfy_table::{CellAlignment, Table, presets};

use crate::operations::{Goal, Operation, Sample, Unit};
use crate::process::Memory;
use crate::run::{Outcome, Round};
use crate::statistics::{median, reaches};

/// The heads of the columns.
const COLUMNS: [&str; 7] = [
    "operation",
    "Naru",
    "peer",
    "speed ×",
    "cpu ×",
    "goal",
    "met",
];
/// A value that there is not.
const NONE: &str = "–";

/// How far a goal was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The goal.
    Met,
    /// Not the goal, but what must be reached in any case.
    Least,
    /// Neither.
    Missed,
    /// Nothing was asked for, or nothing to compare with was there.
    Open,
}

impl Verdict {
    fn text(self) -> &'static str {
        match self {
            Self::Met => "yes",
            Self::Least => "least",
            Self::Missed => "NO",
            Self::Open => NONE,
        }
    }
}

/// One line.
type Row = [String; 7];

/// The table of a run, in Markdown.
pub(crate) fn table(outcomes: &[Outcome]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::ASCII_MARKDOWN)
        .set_header(COLUMNS);
    for row in outcomes.iter().flat_map(rows) {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// What went wrong, a line each.
pub(crate) fn failures(outcomes: &[Outcome]) -> String {
    let line = |outcome: &Outcome| {
        let failure = outcome.failure.as_ref()?;
        Some(format!("\n{}: {failure}", outcome.operation.name))
    };
    outcomes.iter().filter_map(line).collect()
}

/// The lines of one operation: its speed, and its memory where that was looked at.
fn rows(outcome: &Outcome) -> Vec<Row> {
    let operation = outcome.operation;
    if outcome.failure.is_some() {
        return vec![failed(operation)];
    }
    let mut rows = Vec::new();
    if operation.unit != Unit::Memory {
        rows.push(speed_row(operation, &outcome.rounds));
    }
    let (resident_goal, anonymous_goal) = operation.memory_goal.unwrap_or_default();
    if outcome
        .rounds
        .iter()
        .any(|round| round.naru.memory.is_some())
    {
        let name = operation.name;
        let resident = (format!("{name}: resident"), resident_goal);
        rows.push(memory_row(resident, &outcome.rounds, |memory| {
            memory.resident
        }));
        let anonymous = (format!("{name}: anonymous"), anonymous_goal);
        rows.push(memory_row(anonymous, &outcome.rounds, |memory| {
            memory.anonymous
        }));
    }
    rows
}

/// The line of an operation that went wrong.
fn failed(operation: &Operation) -> Row {
    let none = || NONE.to_owned();
    let (name, goal) = (
        operation.name.replace('|', "against"),
        goal_text(operation.goal),
    );
    [
        name,
        "failed".to_owned(),
        none(),
        none(),
        none(),
        goal,
        Verdict::Missed.text().to_owned(),
    ]
}

fn speed_row(operation: &Operation, rounds: &[Round]) -> Row {
    let naru: Vec<Sample> = rounds.iter().map(|round| round.naru).collect();
    let other: Vec<Sample> = rounds.iter().filter_map(|round| round.other).collect();
    let (speed, cpu) = (ratios(rounds, speed_ratio), ratios(rounds, cpu_ratio));
    [
        operation.name.replace('|', "against"),
        value(operation.unit, &naru),
        value(operation.unit, &other),
        ratio_text(&speed),
        ratio_text(&cpu),
        goal_text(operation.goal),
        verdict(operation.goal, &naru, &speed, &cpu)
            .text()
            .to_owned(),
    ]
}

fn memory_row((name, goal): (String, f64), rounds: &[Round], of: fn(Memory) -> u64) -> Row {
    let mebibytes = |sample: &Sample| Some(of(sample.memory?) as f64 / f64::from(1 << 20));
    let naru: Vec<f64> = rounds
        .iter()
        .filter_map(|round| mebibytes(&round.naru))
        .collect();
    let other: Vec<f64> = rounds
        .iter()
        .filter_map(|round| mebibytes(round.other.as_ref()?))
        .collect();
    let text = |values: &[f64]| {
        if values.is_empty() {
            NONE.to_owned()
        } else {
            format!("{:.1} MiB", median(values))
        }
    };
    let better: Vec<f64> = naru
        .iter()
        .zip(&other)
        .map(|(naru, other)| other / naru)
        .collect();
    let (goal_text, verdict) = if goal > 0.0 {
        let reached: Vec<f64> = naru.iter().map(|value| goal / value).collect();
        (format!("≤ {goal} MiB"), met(reaches(&reached, 1.0)))
    } else {
        (NONE.to_owned(), Verdict::Open)
    };
    let less = ratio_text(&better);
    let name = name.replace('|', "against");
    [
        name,
        text(&naru),
        text(&other),
        less,
        NONE.to_owned(),
        goal_text,
        verdict.text().to_owned(),
    ]
}

/// One ratio for each round that has two sides.
fn ratios(rounds: &[Round], ratio: fn(&Sample, &Sample) -> f64) -> Vec<f64> {
    rounds
        .iter()
        .filter_map(|round| Some(ratio(&round.naru, round.other.as_ref()?)))
        .collect()
}

/// How much more work Naru does in the same time.
fn speed_ratio(naru: &Sample, other: &Sample) -> f64 {
    naru.rate() / other.rate().max(f64::MIN_POSITIVE)
}

/// How much less CPU time Naru spends on the same work.
fn cpu_ratio(naru: &Sample, other: &Sample) -> f64 {
    other.cpu_each() / naru.cpu_each().max(f64::MIN_POSITIVE)
}

fn verdict(goal: Goal, naru: &[Sample], speed: &[f64], cpu: &[f64]) -> Verdict {
    let of = |value: fn(&Sample) -> f64| naru.iter().map(value).collect::<Vec<_>>();
    match goal {
        Goal::None => Verdict::Open,
        Goal::Times { .. } if speed.is_empty() => Verdict::Open,
        Goal::Times { goal, least } => {
            let reached = |(s, c): (f64, f64)| reaches(speed, s) && reaches(cpu, c);
            match (reached(goal), least != (0.0, 0.0) && reached(least)) {
                (true, _) => Verdict::Met,
                (false, true) => Verdict::Least,
                (false, false) => Verdict::Missed,
            }
        }
        Goal::Within(milliseconds) => {
            let per_second = 1000.0 / milliseconds;
            met(reaches(&of(Sample::rate), per_second))
        }
        Goal::Rate(per_second, microseconds) => {
            let cheap: Vec<f64> = naru
                .iter()
                .map(|sample| microseconds / (sample.cpu_each() * 1e6))
                .collect();
            met(reaches(&of(Sample::rate), per_second) && reaches(&cheap, 1.0))
        }
    }
}

fn met(reached: bool) -> Verdict {
    if reached {
        Verdict::Met
    } else {
        Verdict::Missed
    }
}

/// Medians of rate and CPU time.
fn value(unit: Unit, samples: &[Sample]) -> String {
    if samples.is_empty() {
        return NONE.to_owned();
    }
    let rate = median(&samples.iter().map(Sample::rate).collect::<Vec<_>>());
    let cpu = median(&samples.iter().map(Sample::cpu_each).collect::<Vec<_>>());
    match unit {
        Unit::Requests => format!("{}/s, {:.1} µs", grouped(rate), cpu * 1e6),
        Unit::Bytes => {
            let gibibyte = f64::from(1 << 30);
            format!("{} MB/s, {:.2} s/GiB", grouped(rate / 1e6), cpu * gibibyte)
        }
        Unit::Milliseconds | Unit::Memory => {
            format!(
                "{:.2} ms, {:.2} ms",
                1000.0 / rate.max(f64::MIN_POSITIVE),
                cpu * 1000.0
            )
        }
    }
}

fn ratio_text(ratios: &[f64]) -> String {
    let ratio = median(ratios);
    match ratio {
        _ if ratios.is_empty() => NONE.to_owned(),
        _ if ratio >= 20.0 => format!("{ratio:.0}"),
        _ => format!("{ratio:.2}"),
    }
}

fn goal_text(goal: Goal) -> String {
    let times = |(speed, cpu): (f64, f64)| {
        let one = |value: f64| {
            if value > 0.0 {
                value.to_string()
            } else {
                NONE.to_owned()
            }
        };
        format!("{} / {}", one(speed), one(cpu))
    };
    match goal {
        Goal::None => NONE.to_owned(),
        Goal::Times { goal, least } if least == (0.0, 0.0) || least == goal => times(goal),
        Goal::Times { goal, least } => format!("{} (least {})", times(goal), times(least)),
        Goal::Within(milliseconds) => format!("≤ {milliseconds} ms"),
        Goal::Rate(rate, cpu) => format!("≥ {}/s, ≤ {cpu} µs", grouped(rate)),
    }
}

/// A whole number with commas.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(work: f64, seconds: f64, cpu_seconds: f64) -> Sample {
        Sample {
            work,
            seconds,
            cpu_seconds,
            ..Sample::default()
        }
    }

    #[test]
    fn ratios_above_one_say_that_naru_is_better() {
        let (naru, peer) = (sample(3000.0, 1.0, 0.3), sample(1000.0, 1.0, 1.0));
        assert!((speed_ratio(&naru, &peer) - 3.0).abs() < 1e-9);
        assert!((cpu_ratio(&naru, &peer) - 10.0).abs() < 1e-9);
    }

    #[test]
    fn cpu_time_below_the_clock_is_not_free() {
        let naru = sample(100.0, 1.0, 0.0);
        assert!(cpu_ratio(&naru, &sample(100.0, 1.0, 1.0)) <= 200.0);
    }

    #[test]
    fn a_goal_is_met_by_both_ratios_or_not_at_all() {
        let goal = Goal::Times {
            goal: (5.0, 10.0),
            least: (0.0, 3.0),
        };
        assert_eq!(verdict(goal, &[], &[6.0], &[11.0]), Verdict::Met);
        assert_eq!(verdict(goal, &[], &[6.0], &[4.0]), Verdict::Least);
        assert_eq!(verdict(goal, &[], &[6.0], &[2.0]), Verdict::Missed);
        assert_eq!(verdict(goal, &[], &[], &[]), Verdict::Open);
        let no_least = Goal::Times {
            goal: (5.0, 0.0),
            least: (0.0, 0.0),
        };
        assert_eq!(verdict(no_least, &[], &[4.0], &[1.0]), Verdict::Missed);
    }

    #[test]
    fn absolute_goals_look_at_naru_alone() {
        let quick = [sample(1.0, 0.015, 0.01)];
        assert_eq!(verdict(Goal::Within(20.0), &quick, &[], &[]), Verdict::Met);
        assert_eq!(
            verdict(Goal::Within(10.0), &quick, &[], &[]),
            Verdict::Missed
        );
        let tokens = [sample(20_000.0, 1.0, 0.8)];
        assert_eq!(
            verdict(Goal::Rate(15_000.0, 45.0), &tokens, &[], &[]),
            Verdict::Met
        );
        assert_eq!(
            verdict(Goal::Rate(15_000.0, 35.0), &tokens, &[], &[]),
            Verdict::Missed
        );
    }

    #[test]
    fn values_are_shown_with_their_units() {
        let requests = [sample(52_345.0, 1.0, 0.5)];
        assert_eq!(value(Unit::Requests, &requests), "52,345/s, 9.6 µs");
        let bytes = [sample(f64::from(1 << 30), 0.5, 0.2)];
        assert_eq!(value(Unit::Bytes, &bytes), "2,147 MB/s, 0.20 s/GiB");
        assert_eq!(
            value(Unit::Milliseconds, &[sample(100.0, 1.0, 0.5)]),
            "10.00 ms, 5.00 ms"
        );
        assert_eq!(grouped(1_234_567.0), "1,234,567");
        assert_eq!(grouped(12.0), "12");
    }
}
