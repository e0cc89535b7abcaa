//! A connection as tasks see it.
//!
//! A question that may take long goes to a thread of its own, which may wait for the disk, and the
//! answer comes back whole, so that the asking task is woken once however many rows there are. A
//! short one is answered where it is asked: to change the thread and come back costs more than it.
//!
//! A thread for each connection, and not one of the runtime's for each question: what asks many small
//! ones costs a quarter less, because nobody has to agree on who answers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use tokio::sync::oneshot;
use tokio::task::coop::consume_budget;

use super::session::Session;
use crate::error::{Error, Result};

/// The way to a connection. Dropped, it closes behind the last question. Whoever has it is alone
/// with it, but for questions put by somebody who did not wait for the answer.
#[derive(Debug)]
pub(in crate::db) struct Connection {
    jobs: mpsc::Sender<Job>,
    shared: Arc<Shared>,
}

/// What the thread and whoever asks something short have in common.
#[derive(Debug)]
struct Shared {
    /// `None` once it is closed.
    session: Mutex<Option<Session>>,
    /// How many questions the thread has still to answer.
    waiting: AtomicUsize,
}

enum Job {
    Ask(Box<dyn FnOnce(&Session) + Send>),
    Close(oneshot::Sender<Result<(), rusqlite::Error>>),
}

impl Connection {
    /// Opens a connection on a thread of its own.
    pub(in crate::db) async fn open(
        open: impl FnOnce() -> Result<Session> + Send + 'static,
    ) -> Result<Self> {
        let (jobs, receiver) = mpsc::channel();
        let (opened, answer) = oneshot::channel();
        let thread = std::thread::Builder::new().name("sqlite".to_owned());
        let started = thread.spawn(move || match open() {
            Ok(session) => {
                let shared = Arc::new(Shared {
                    session: Mutex::new(Some(session)),
                    waiting: AtomicUsize::new(0),
                });
                opened.send(Ok(Arc::clone(&shared))).ok();
                serve(&shared, &receiver);
            }
            Err(error) => drop(opened.send(Err(error))),
        });
        started.map_err(|error| Error::Unavailable(format!("no thread for SQLite: {error}")))?;
        let shared = answer.await.map_err(|_| lost())??;
        Ok(Self { jobs, shared })
    }

    /// Asks, behind whatever was asked before. The question is put even if nobody waits for the
    /// answer any more.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the connection was lost.
    pub(in crate::db) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Session) -> T + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let shared = Arc::clone(&self.shared);
        shared.waiting.fetch_add(1, Ordering::AcqRel);
        let job = Job::Ask(Box::new(move |session| {
            let answer = question(session);
            // Before the reply: who has it may ask something short at once.
            shared.waiting.fetch_sub(1, Ordering::AcqRel);
            reply.send(answer).ok();
        }));
        self.jobs.send(job).map_err(|_| lost())?;
        answer.await.map_err(|_| lost())
    }

    /// Asks something that is answered within a few dozen microseconds, here and now; behind
    /// whatever was asked before, if that is not answered yet.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the connection was lost.
    pub(in crate::db) async fn ask_shortly<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Session) -> T + Send + 'static,
    ) -> Result<T> {
        // Whoever asks a thousand of these in a row lets others run in between.
        consume_budget().await;
        if self.shared.waiting.load(Ordering::Acquire) == 0
            && let Ok(held) = self.shared.session.try_lock()
        {
            return held.as_ref().map(question).ok_or_else(lost);
        }
        self.ask(question).await
    }

    /// Closes it in order, behind the last question.
    ///
    /// # Errors
    /// What SQLite says.
    pub(in crate::db) async fn close(self) -> Result<()> {
        let (reply, closed) = oneshot::channel();
        self.jobs.send(Job::Close(reply)).map_err(|_| lost())?;
        Ok(closed.await.map_err(|_| lost())??)
    }
}

impl Shared {
    fn answer<T>(&self, question: impl FnOnce(&Session) -> T) -> Result<T> {
        let session = self.session.lock().map_err(|_| lost())?;
        Ok(question(session.as_ref().ok_or_else(lost)?))
    }

    fn close(&self) -> Result<(), rusqlite::Error> {
        let session = self.session.lock().ok().and_then(|mut held| held.take());
        session.map_or(Ok(()), Session::close)
    }
}

fn serve(shared: &Shared, jobs: &mpsc::Receiver<Job>) {
    while let Ok(job) = jobs.recv() {
        match job {
            Job::Ask(question) => {
                if shared.answer(question).is_err() {
                    return;
                }
            }
            Job::Close(reply) => {
                reply.send(shared.close()).ok();
                return;
            }
        }
    }
}

fn lost() -> Error {
    Error::Unavailable("the connection to the database was lost".to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::db::Statement;

    static COUNT: Statement = Statement::new("COUNT", "SELECT COUNT(*) FROM t");

    async fn small(directory: &tempfile::TempDir) -> Connection {
        let file = directory.path().join("small.db");
        let connection = Connection::open(move || Session::open(&file, true)).await;
        let connection = connection.unwrap();
        let made = connection.ask_shortly(|session| session.run("CREATE TABLE t (a INTEGER)"));
        made.await.unwrap().unwrap();
        connection
    }

    #[tokio::test]
    async fn a_short_question_is_answered_behind_one_that_nobody_waits_for() {
        let directory = tempfile::tempdir().unwrap();
        let connection = small(&directory).await;
        let slow = connection.ask(|session| {
            std::thread::sleep(Duration::from_millis(200));
            session.run("INSERT INTO t VALUES (1)")
        });
        futures_util::future::poll_immediate(Box::pin(slow)).await;
        let rows = connection.ask_shortly(|session| session.rows(&COUNT, &[], 1));
        let rows = rows.await.unwrap().unwrap();
        assert_eq!(rows, [[rusqlite::types::Value::Integer(1)]]);
    }

    #[tokio::test]
    async fn a_question_that_panics_loses_the_connection_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let connection = small(&directory).await;
        let broken = connection.ask(|_| panic!("a defect"));
        assert!(matches!(broken.await, Err(Error::Unavailable(_))));
        let after = connection.ask_shortly(|session| session.run("SELECT 1"));
        assert!(matches!(after.await, Err(Error::Unavailable(_))));
        connection.close().await.unwrap_err();
    }
}
