//! Asks a question again and again, checks each answer, and says what one of them cost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::questions::{Expected, Question};
use crate::client::{Answer, Request, Script, Tally, Want, ask, drive};
use crate::process::{cpu_time, family_cpu_time};
use crate::servers::Server;
use crate::statistics::percentile;

/// How often it is looked whether the server is calm.
const LOOK: Duration = Duration::from_secs(1);
/// How much CPU time a calm server spends between two looks.
const CALM: Duration = Duration::from_millis(20);

/// What is asked: a server, its database, and those who ask.
pub(super) struct Site<'a> {
    /// The server.
    pub(super) server: &'a Server,
    /// The first process of its database, where that has processes of its own.
    pub(super) database: Option<u32>,
    /// The header lines of those who ask, by [`Question::who`].
    pub(super) tokens: [String; 2],
    /// How long each question is asked.
    pub(super) span: Duration,
}

/// What one request costs, in ms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// CPU time of the server.
    pub(super) naru: f64,
    /// CPU time of the database's own processes.
    pub(super) database: f64,
    /// The middle of the times until the whole answer was there.
    pub(super) median: f64,
}

/// One thing to ask for, and what must come back.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// The path below the API, with its query.
    pub(super) path: String,
    /// What the answer must hold.
    pub(super) expected: Expected,
}

/// Asks for each target in turn, so many times or until the time is over.
struct Asking {
    targets: Arc<[Target]>,
    headers: String,
    at: usize,
    times: usize,
    until: Instant,
}

impl Script for Asking {
    fn next(&mut self, last: &Answer) -> Result<Option<Arc<Request>>> {
        let target = |at: usize| self.targets.get(at % self.targets.len().max(1));
        if let Some(before) = self.at.checked_sub(1).and_then(target) {
            check(&before.expected, &last.body).with_context(|| before.path.clone())?;
        }
        if self.at == self.times || Instant::now() >= self.until {
            return Ok(None);
        }
        let request = target(self.at).map(|target| Arc::new(get(&target.path, &self.headers)));
        self.at += 1;
        Ok(request)
    }
}

fn get(path: &str, headers: &str) -> Request {
    let target = format!("/api/v3{path}");
    let headers = format!("User-Agent: naru-bench\r\n{headers}");
    Request::new("GET", &target, &headers, Want::status(200).keep())
}

fn check(expected: &Expected, body: &[u8]) -> Result<()> {
    let json: Value = serde_json::from_slice(body).context("the answer is no JSON")?;
    if let Some(count) = expected.count {
        let length = json.as_array().map_or(0, Vec::len);
        ensure!(length == count, "{length} things instead of {count}");
    }
    let found = json.pointer(expected.place);
    if found != Some(&expected.value) {
        bail!(
            "{} is {found:?} instead of {}",
            expected.place,
            expected.value
        );
    }
    Ok(())
}

impl Site<'_> {
    /// Asks once.
    ///
    /// # Errors
    /// The answer is no success.
    pub(super) fn once(&self, path: &str) -> Result<Value> {
        let [headers, _] = &self.tokens;
        let answer = ask(self.server.address, get(path, headers)).context(path.to_owned())?;
        serde_json::from_slice(&answer.body).context("the answer is no JSON")
    }

    /// Waits until the server has done what it does after a start.
    ///
    /// # Errors
    /// It goes on for too long.
    pub(super) fn wait_for_calm(&self, within: Duration) -> Result<()> {
        let begun = Instant::now();
        let mut before = self.cpu()?;
        while begun.elapsed() < within {
            std::thread::sleep(LOOK);
            let now = self.cpu()?;
            if now.0 + now.1 - before.0 - before.1 <= CALM {
                return Ok(());
            }
            before = now;
        }
        bail!("the server has not become calm")
    }

    /// What a question costs.
    ///
    /// # Errors
    /// An answer is wrong.
    pub(super) fn ask(&self, question: &Question) -> Result<Cost> {
        const WARM: usize = 10;
        let targets: Arc<[Target]> = question.targets.clone().into();
        let most = if question.is_asked_once {
            targets.len()
        } else {
            self.asked(question, &targets, WARM)?;
            usize::MAX
        };
        let before = self.cpu()?;
        let tally = self.asked(question, &targets, most)?;
        self.cost(before, &tally)
    }

    fn asked(&self, question: &Question, targets: &Arc<[Target]>, times: usize) -> Result<Tally> {
        let script = Asking {
            targets: Arc::clone(targets),
            headers: self
                .tokens
                .get(question.who)
                .context("who asks")?
                .to_owned(),
            at: 0,
            times,
            until: Instant::now() + self.span,
        };
        drive(self.server.address, vec![Box::new(script)])
    }

    /// The CPU time that the server and its database have had.
    fn cpu(&self) -> Result<(Duration, Duration)> {
        let database = self.database.map(family_cpu_time).transpose()?;
        Ok((cpu_time(self.server.pid())?, database.unwrap_or_default()))
    }

    /// What each request of a run cost.
    fn cost(&self, before: (Duration, Duration), tally: &Tally) -> Result<Cost> {
        let after = self.cpu()?;
        let mut times: Vec<f64> = tally.times.iter().map(ms).collect();
        times.sort_by(f64::total_cmp);
        let each = |spent: Duration| ms(&spent) / times.len().max(1) as f64;
        Ok(Cost {
            naru: each(after.0.saturating_sub(before.0)),
            database: each(after.1.saturating_sub(before.1)),
            median: percentile(&times, 50),
        })
    }
}

fn ms(time: &Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_checked_for_its_length_and_one_value() {
        let expected = |count, value: &str| Expected {
            count,
            place: "/0/name",
            value: Value::from(value),
        };
        let body = br#"[{"name":"a"},{"name":"b"}]"#;
        check(&expected(Some(2), "a"), body).unwrap();
        check(&expected(Some(3), "a"), body).unwrap_err();
        check(&expected(None, "b"), body).unwrap_err();
        check(&expected(None, "a"), b"[").unwrap_err();
    }
}
