//! A connection as tasks see it: questions go to a thread of its own, which may wait for the disk,
//! and answers come back whole, so that the asking task is woken once however many rows there are.
//!
//! A thread for each connection, and not one of the runtime's for each question: what asks many small
//! ones costs a quarter less, because nobody has to agree on who answers.

use std::sync::mpsc;

use tokio::sync::oneshot;

use super::session::Session;
use crate::error::{Error, Result};

/// The way to a connection. Dropped, it closes behind the last question.
#[derive(Debug)]
pub(in crate::db) struct Connection {
    jobs: mpsc::Sender<Job>,
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
                opened.send(Ok(())).ok();
                serve(session, &receiver);
            }
            Err(error) => drop(opened.send(Err(error))),
        });
        started.map_err(|error| Error::Unavailable(format!("no thread for SQLite: {error}")))?;
        answer.await.map_err(|_| lost())??;
        Ok(Self { jobs })
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
        let job = Job::Ask(Box::new(move |session| drop(reply.send(question(session)))));
        self.jobs.send(job).map_err(|_| lost())?;
        answer.await.map_err(|_| lost())
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

fn serve(session: Session, jobs: &mpsc::Receiver<Job>) {
    while let Ok(job) = jobs.recv() {
        match job {
            Job::Ask(question) => question(&session),
            Job::Close(reply) => {
                reply.send(session.close()).ok();
                return;
            }
        }
    }
}

fn lost() -> Error {
    Error::Unavailable("the connection to the database was lost".to_owned())
}
