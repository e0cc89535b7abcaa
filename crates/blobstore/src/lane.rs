//! [`Lane`]: work on one value, in order, on blocking threads, without a thread that waits.
//!
//! A thread per upload would stand idle while its client is slow, and a few hundred slow clients
//! would use up all blocking threads. A lane borrows one of the store's [`Threads`] only while
//! there is work, and gives it back after a few jobs when others wait.
//!
//! [`Threads`]: crate::threads::Threads

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use crate::error::{Error, Result};
use crate::threads::{Gate, Permit};

/// A value and the work that waits for it. Jobs run one at a time, first come, first served.
///
/// Dropping a lane drops the jobs that have not begun; the value goes when the running job ends.
pub(crate) struct Lane<S> {
    line: Arc<Mutex<Line<S>>>,
    gate: Gate,
}

/// How many jobs are done before others get their turn on the thread.
const IN_A_ROW: usize = 4;

struct Line<S> {
    waiting: VecDeque<Step<S>>,
    place: Place<S>,
}

enum Place<S> {
    /// Nobody works on the value.
    Here(S),
    /// A thread has it.
    Working,
    /// A job panicked, or the value was taken out.
    Gone,
}

enum Step<S> {
    Job(Box<dyn FnOnce(&mut S) + Send>),
    End(oneshot::Sender<S>),
}

impl<S: Send + 'static> Lane<S> {
    /// Work on `value`, by the threads that `gate` lets in.
    pub(crate) fn new(value: S, gate: Gate) -> Self {
        let line = Line {
            waiting: VecDeque::new(),
            place: Place::Here(value),
        };
        Self {
            line: Arc::new(Mutex::new(line)),
            gate,
        }
    }

    /// Has `job` done after those that wait already.
    pub(crate) fn push(&self, job: impl FnOnce(&mut S) + Send + 'static) {
        self.step(Step::Job(Box::new(job)));
    }

    /// Has a question answered after the jobs that wait already. It waits in line from now on,
    /// not only once the future is polled.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut S) -> T + Send + 'static,
    ) -> BoxFuture<'static, Result<T>> {
        let (give, given) = oneshot::channel();
        self.push(move |value| {
            // Who does not wait any more needs no answer.
            let _ = give.send(question(value));
        });
        Box::pin(async { given.await.map_err(|_| Error::Broken) })
    }

    /// The value, once all jobs are done.
    pub(crate) async fn end(self) -> Result<S> {
        let (give, given) = oneshot::channel();
        self.step(Step::End(give));
        given.await.map_err(|_| Error::Broken)
    }

    fn step(&self, step: Step<S>) {
        let mut line = lock(&self.line);
        match std::mem::replace(&mut line.place, Place::Working) {
            Place::Here(value) => {
                line.waiting.push_back(step);
                Work {
                    line: self.line.clone(),
                    gate: self.gate.clone(),
                    value: Some(value),
                }
                .start();
            }
            Place::Working => line.waiting.push_back(step),
            // The step is dropped, and whoever waits for it learns that.
            Place::Gone => line.place = Place::Gone,
        }
    }
}

impl<S> Drop for Lane<S> {
    fn drop(&mut self) {
        let mut line = lock(&self.line);
        // An end that waits has an owner who wants the value.
        line.waiting.retain(|step| matches!(step, Step::End(_)));
    }
}

struct Work<S> {
    line: Arc<Mutex<Line<S>>>,
    gate: Gate,
    value: Option<S>,
}

impl<S: Send + 'static> Work<S> {
    fn start(self) {
        let gate = self.gate.clone();
        gate.start(move |permit| self.run(permit));
    }

    fn run(mut self, permit: Permit) {
        let mut done = 0;
        while let Some(step) = self.next() {
            match (step, self.value.as_mut()) {
                (Step::Job(job), Some(value)) => job(value),
                (Step::End(give), _) => {
                    lock(&self.line).place = Place::Gone;
                    // Who does not wait any more lets the value go.
                    self.value.take().map(|value| give.send(value));
                    return;
                }
                (Step::Job(_), None) => return,
            }
            done += 1;
            if done >= IN_A_ROW && self.gate.is_crowded() {
                drop(permit);
                return self.start();
            }
        }
    }

    /// The next step; without one, the value is put back in the same instant.
    fn next(&mut self) -> Option<Step<S>> {
        let mut line = lock(&self.line);
        let step = line.waiting.pop_front();
        if step.is_none() {
            line.place = self.value.take().map_or(Place::Gone, Place::Here);
        }
        step
    }
}

impl<S> Drop for Work<S> {
    fn drop(&mut self) {
        // The value is still here only when a job panicked: it may be half changed.
        if self.value.is_some() {
            let mut line = lock(&self.line);
            line.place = Place::Gone;
            line.waiting.clear();
        }
    }
}

fn lock<S>(line: &Mutex<Line<S>>) -> MutexGuard<'_, Line<S>> {
    // No job runs while the lock is held, so the line is whole.
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn jobs_run_in_order_and_the_value_comes_back() {
        let lane = Lane::new(Vec::new(), Gate::new(1));
        for number in 0..1000 {
            lane.push(move |seen: &mut Vec<i32>| seen.push(number));
        }
        assert_eq!(lane.end().await.unwrap(), (0..1000).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn lanes_take_turns_on_one_thread() {
        let gate = Gate::new(1);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let lanes: Vec<_> = (0..2).map(|_| Lane::new((), gate.clone())).collect();
        for job in 0..20 {
            for (number, lane) in lanes.iter().enumerate() {
                let seen = seen.clone();
                lane.push(move |()| {
                    seen.lock().unwrap().push(number);
                    // The first thread must not be done before both lanes have all their jobs.
                    std::thread::sleep(std::time::Duration::from_millis(u64::from(job == 0) * 20));
                });
            }
        }
        for lane in lanes {
            lane.end().await.unwrap();
        }
        let seen = seen.lock().unwrap();
        let first_of_the_other = seen.iter().position(|&number| number == 1).unwrap();
        assert_eq!(first_of_the_other, IN_A_ROW);
    }

    #[tokio::test]
    async fn a_question_sees_what_was_pushed_before_it_and_nothing_after() {
        let lane = Lane::new(1, Gate::new(1));
        lane.push(|value| *value += 1);
        let answer = lane.ask(|value| *value);
        lane.push(|value| *value += 1);
        assert_eq!(answer.await.unwrap(), 2);
        assert_eq!(lane.end().await.unwrap(), 3);
    }

    #[tokio::test]
    async fn a_dropped_lane_forgets_what_has_not_begun() {
        let lane = Lane::new(Arc::new(()), Gate::new(1));
        let (started, start) = std::sync::mpsc::channel();
        let (go, gate) = std::sync::mpsc::channel::<()>();
        lane.push(move |_| {
            started.send(()).unwrap();
            gate.recv().unwrap();
        });
        lane.push(|_| panic!("this must not run"));
        let start = tokio::task::spawn_blocking(move || start.recv());
        start.await.unwrap().unwrap();
        drop(lane);
        go.send(()).unwrap();
    }

    #[tokio::test]
    async fn a_job_that_panics_ends_the_lane_instead_of_hanging_it() {
        let lane = Lane::new((), Gate::new(1));
        lane.push(|()| panic!("on purpose"));
        lane.push(|()| ());
        assert!(matches!(lane.end().await, Err(Error::Broken)));
    }
}
