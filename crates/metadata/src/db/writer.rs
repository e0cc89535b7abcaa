//! The one connection that writes to SQLite, and group commit.
//!
//! A flush of the disk costs more than everything else in a small transaction, so that transactions
//! that wait for one another share one. A task of its own holds the connection. It opens a
//! transaction, lends the connection to the first writer, inside a savepoint; when it comes back
//! the savepoint is released or rolled back, and the next waiting writer gets its turn; then one
//! COMMIT, and only after that succeeded is any of them told that its change is stored.
//!
//! The connection travels inside a [`Lease`], whose drop sends it home: a writer that vanishes at
//! any await loses its own savepoint and nothing else.

use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::sqlite::{CommitError, Connection, Session};
use crate::error::{Error, Result, is_failed_flush};

/// How many transactions share one flush at most.
const GROUP: usize = 64;

/// For how long a group takes on members: nobody waits much longer than this for those behind.
const WINDOW: Duration = Duration::from_millis(4);

/// How long a writer waits for its turn before it is told that the database is busy.
const PATIENCE: Duration = Duration::from_secs(5);

/// The way to the writing connection; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    requests: mpsc::UnboundedSender<Request>,
}

#[derive(Debug)]
enum Request {
    Write(oneshot::Sender<Result<Lease>>),
    DataVersion(oneshot::Sender<Result<i64>>),
    Close(oneshot::Sender<()>),
}

/// The writing connection, lent to one writer.
#[derive(Debug)]
pub(super) struct Lease {
    connection: Option<Connection>,
    home: mpsc::UnboundedSender<Returned>,
}

#[derive(Debug)]
struct Returned {
    connection: Connection,
    end: End,
}

#[derive(Debug)]
enum End {
    Commit(oneshot::Sender<Result<()>>),
    Rollback,
}

impl Writer {
    /// Gives the connection to a task of its own.
    pub(super) fn start(connection: Connection) -> Self {
        Self::with_window(connection, WINDOW)
    }

    fn with_window(connection: Connection, window: Duration) -> Self {
        let (requests, receiver) = mpsc::unbounded_channel();
        let (home, returned) = mpsc::unbounded_channel();
        let task = Task {
            requests: receiver,
            home,
            returned,
            window,
            postponed: None,
            failed: None,
        };
        tokio::spawn(task.run(connection));
        Self { requests }
    }

    /// Waits for the connection's turn.
    pub(super) async fn lease(&self) -> Result<Lease> {
        let (reply, answer) = oneshot::channel();
        self.requests
            .send(Request::Write(reply))
            .map_err(|_| closed())?;
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(answer) => answer.map_err(|_| closed())?,
            Err(_) => Err(Error::Busy),
        }
    }

    /// A number that changes when another process has written to the file.
    pub(super) async fn data_version(&self) -> Result<i64> {
        let (reply, answer) = oneshot::channel();
        self.requests
            .send(Request::DataVersion(reply))
            .map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Lets those who wait finish, then closes the connection.
    pub(super) async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        if self.requests.send(Request::Close(reply)).is_ok() {
            answer.await.ok();
        }
    }
}

fn closed() -> Error {
    Error::Unavailable("the database is closed".to_owned())
}

impl Lease {
    /// The connection.
    pub(super) fn connection(&self) -> Result<&Connection> {
        self.connection.as_ref().ok_or_else(closed)
    }

    /// Gives the connection back and waits until the group is stored.
    pub(super) async fn commit(mut self) -> Result<()> {
        let connection = self.connection.take().ok_or_else(closed)?;
        let (told, stored) = oneshot::channel();
        let returned = Returned {
            connection,
            end: End::Commit(told),
        };
        self.home.send(returned).map_err(|_| closed())?;
        stored
            .await
            .map_err(|_| Error::CommitUnknown("the database was closed".to_owned()))?
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.home
                .send(Returned {
                    connection,
                    end: End::Rollback,
                })
                .ok();
        }
    }
}

/// What the task holds besides the connection.
struct Task {
    requests: mpsc::UnboundedReceiver<Request>,
    home: mpsc::UnboundedSender<Returned>,
    returned: mpsc::UnboundedReceiver<Returned>,
    window: Duration,
    /// A request that is not for a group, met while one was being gathered.
    postponed: Option<Request>,
    /// Set for good when the disk refused a flush: what was lost is unknown until a restart.
    failed: Option<Error>,
}

/// The members of a group who wait for its commit.
struct Group {
    closes: Instant,
    waiting: Vec<oneshot::Sender<Result<()>>>,
}

impl Group {
    fn takes_more(&self) -> bool {
        self.waiting.len() < GROUP && Instant::now() < self.closes
    }

    fn tell(self, outcome: &Result<()>) {
        for member in self.waiting {
            member.send(outcome.clone()).ok();
        }
    }
}

impl Task {
    async fn run(mut self, mut connection: Connection) {
        while let Some(request) = self.next().await {
            let kept = match request {
                Request::Write(reply) if reply.is_closed() => Some(connection),
                Request::Write(reply) => self.write(connection, reply).await,
                Request::DataVersion(reply) => data_version(connection, reply).await,
                Request::Close(reply) => {
                    close(connection).await;
                    reply.send(()).ok();
                    None
                }
            };
            match kept {
                Some(kept) => connection = kept,
                None => return,
            }
        }
    }

    async fn next(&mut self) -> Option<Request> {
        match self.postponed.take() {
            Some(request) => Some(request),
            None => self.requests.recv().await,
        }
    }

    /// One group, from BEGIN to COMMIT. `None` only if the connection was lost, which ends it all.
    async fn write(
        &mut self,
        connection: Connection,
        first: oneshot::Sender<Result<Lease>>,
    ) -> Option<Connection> {
        if let Some(error) = &self.failed {
            first.send(Err(error.clone())).ok();
            return Some(connection);
        }
        let begin = &["BEGIN IMMEDIATE", "SAVEPOINT member"];
        let (connection, begun) = control(connection, begin).await?;
        let Err(error) = begun else {
            return self.group(connection, first).await;
        };
        let (connection, _) = control(connection, &["ROLLBACK"]).await?;
        let error = self.note_failure(error);
        if error == Error::Busy {
            self.refuse_waiting();
        }
        first.send(Err(error)).ok();
        Some(connection)
    }

    async fn group(
        &mut self,
        mut connection: Connection,
        first: oneshot::Sender<Result<Lease>>,
    ) -> Option<Connection> {
        let mut group = Group {
            closes: Instant::now() + self.window,
            waiting: Vec::new(),
        };
        let mut member = Some(first);
        while let Some(reply) = member.take() {
            let returned = self.lend(connection, reply).await?;
            member = self.next_member(&group);
            let between = returned.end.before(member.is_some());
            let outcome;
            (connection, outcome) = match returned.end {
                End::Commit(told) => {
                    // Told whatever comes: of a failure too.
                    group.waiting.push(told);
                    control_shortly(returned.connection, between).await?
                }
                End::Rollback => control(returned.connection, between).await?,
            };
            if let Err(error) = outcome {
                return self.give_up(connection, group, error).await;
            }
        }
        self.finish(connection, group).await
    }

    /// Lends the connection and waits until it comes home.
    async fn lend(
        &mut self,
        connection: Connection,
        reply: oneshot::Sender<Result<Lease>>,
    ) -> Option<Returned> {
        let lease = Lease {
            connection: Some(connection),
            home: self.home.clone(),
        };
        // If nobody waits any more, dropping the refused lease sends the connection home.
        drop(reply.send(Ok(lease)));
        self.returned.recv().await
    }

    /// The next writer that is waiting already, if the group may still grow.
    fn next_member(&mut self, group: &Group) -> Option<oneshot::Sender<Result<Lease>>> {
        while self.postponed.is_none() && group.takes_more() {
            match self.requests.try_recv().ok()? {
                Request::Write(reply) if reply.is_closed() => {}
                Request::Write(reply) => return Some(reply),
                other => self.postponed = Some(other),
            }
        }
        None
    }

    /// Stores what the group did and tells its members.
    async fn finish(&mut self, connection: Connection, group: Group) -> Option<Connection> {
        if group.waiting.is_empty() {
            let (connection, undone) = control(connection, &["ROLLBACK"]).await?;
            if let Err(error) = undone {
                self.note_failure(error);
            }
            return Some(connection);
        }
        let (connection, stored) = on(connection, Session::commit).await?;
        let Err(error) = stored else {
            group.tell(&Ok(()));
            return Some(connection);
        };
        // A commit that failed may still be open.
        let (connection, _) = control(connection, &["ROLLBACK"]).await?;
        let told = match error {
            CommitError::Ended => ended(),
            CommitError::Refused(error) => match self.note_failure(error) {
                known @ (Error::Full | Error::Busy) => known,
                unknown => Error::CommitUnknown(unknown.to_string()),
            },
        };
        group.tell(&Err(told));
        Some(connection)
    }

    /// SQLite itself ended the transaction, as it does when the disk is full: nothing of the group
    /// is stored.
    async fn give_up(
        &mut self,
        connection: Connection,
        group: Group,
        error: rusqlite::Error,
    ) -> Option<Connection> {
        let (connection, _) = control(connection, &["ROLLBACK"]).await?;
        let error = match self.note_failure(error) {
            // What RELEASE says is that there is no transaction any more; why, nobody asked.
            Error::Other(_) => ended(),
            known => known,
        };
        group.tell(&Err(error));
        Some(connection)
    }

    /// Another process holds the file: those who wait would wait in vain, one after the other.
    fn refuse_waiting(&mut self) {
        while let Ok(request) = self.requests.try_recv() {
            match request {
                Request::Write(reply) => drop(reply.send(Err(Error::Busy))),
                other => {
                    self.postponed = Some(other);
                    return;
                }
            }
        }
    }

    fn note_failure(&mut self, error: rusqlite::Error) -> Error {
        if is_failed_flush(&error) {
            tracing::error!(%error, "the disk refused to keep data; writing stops until a restart");
            let text = "the disk refused to keep data; restart the server and run `naru fsck`";
            self.failed = Some(Error::Unavailable(text.to_owned()));
        }
        error.into()
    }
}

impl End {
    /// What is said between this member and the next one, or the end of the group. Nothing where
    /// the COMMIT, which contains each savepoint, comes next; what was undone leaves its savepoint
    /// to the next member.
    const fn before(&self, next: bool) -> &'static [&'static str] {
        match (self, next) {
            (Self::Commit(_), true) => &["RELEASE member", "SAVEPOINT member"],
            (Self::Commit(_), false) => &[],
            (Self::Rollback, _) => &["ROLLBACK TO member"],
        }
    }
}

fn ended() -> Error {
    Error::Unavailable("the transaction was ended by SQLite".to_owned())
}

/// Asks on the connection. `None` if it was lost.
async fn on<T: Send + 'static>(
    connection: Connection,
    question: impl FnOnce(&Session) -> T + Send + 'static,
) -> Option<(Connection, T)> {
    let outcome = connection.ask(question).await;
    told(connection, outcome)
}

fn told<T>(connection: Connection, outcome: Result<T>) -> Option<(Connection, T)> {
    match outcome {
        Ok(answer) => Some((connection, answer)),
        Err(error) => {
            tracing::error!(%error, "the connection that writes to the database was lost");
            None
        }
    }
}

/// As [`control`], for what neither waits nor undoes anything.
async fn control_shortly(
    connection: Connection,
    texts: &'static [&'static str],
) -> Option<(Connection, Result<(), rusqlite::Error>)> {
    let outcome = connection
        .ask_shortly(|session| session.control(texts))
        .await;
    told(connection, outcome)
}

async fn control(
    connection: Connection,
    texts: &'static [&'static str],
) -> Option<(Connection, Result<(), rusqlite::Error>)> {
    on(connection, |session| session.control(texts)).await
}

async fn data_version(
    connection: Connection,
    reply: oneshot::Sender<Result<i64>>,
) -> Option<Connection> {
    let (connection, version) = on(connection, Session::data_version).await?;
    reply.send(version.map_err(Error::from)).ok();
    Some(connection)
}

async fn close(connection: Connection) {
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "the database could not be closed in order");
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::types::Value;

    use super::*;
    use crate::db::Statement;

    /// So that two writers share a group however slow the machine is.
    const AN_HOUR: Duration = Duration::from_secs(3600);

    /// A file that may not grow beyond a few pages, as on a full disk.
    async fn small(directory: &tempfile::TempDir) -> Connection {
        let file = directory.path().join("small.db");
        let connection = Connection::open(move || Session::open(&file, true)).await;
        let connection = connection.unwrap();
        let text = "CREATE TABLE t (a BLOB) STRICT; PRAGMA max_page_count = 20";
        let made = connection.ask(|session| session.run(text)).await;
        made.unwrap().unwrap();
        connection
    }

    async fn insert(lease: &Lease, bytes: u32) -> Result<()> {
        let text = format!("INSERT INTO t (a) VALUES (zeroblob({bytes}))");
        let inserted = lease
            .connection()
            .unwrap()
            .ask(move |session| session.run(&text))
            .await?;
        Ok(inserted?)
    }

    async fn rows(writer: &Writer) -> i64 {
        static ROWS: Statement = Statement::new("ROWS", "SELECT COUNT(*) FROM t");
        let lease = writer.lease().await.unwrap();
        let rows = lease
            .connection()
            .unwrap()
            .ask(|session| session.rows(&ROWS, &[], 1))
            .await;
        let rows = rows.unwrap().unwrap();
        match rows.as_slice() {
            [row] => match row.as_slice() {
                [Value::Integer(count)] => *count,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn on_a_full_disk_nobody_of_the_group_is_told_that_it_is_stored() {
        let directory = tempfile::tempdir().unwrap();
        let writer = Writer::with_window(small(&directory).await, AN_HOUR);
        let first = writer.lease().await.unwrap();
        insert(&first, 10).await.unwrap();
        // Waits for its turn in the same group.
        let second = tokio::spawn({
            let writer = writer.clone();
            async move { writer.lease().await.unwrap() }
        });
        tokio::task::yield_now().await;
        let first = tokio::spawn(first.commit());
        let second = second.await.unwrap();
        assert_eq!(insert(&second, 1_000_000).await, Err(Error::Full));
        drop(second);
        // SQLite ends the whole transaction or only the statement; whoever was told no is not
        // there, and whoever was told yes is.
        let told = first.await.unwrap();
        assert_eq!(rows(&writer).await, i64::from(told.is_ok()));
        let third = writer.lease().await.unwrap();
        insert(&third, 10).await.unwrap();
        third.commit().await.unwrap();
        assert_eq!(rows(&writer).await, 1 + i64::from(told.is_ok()));
    }

    #[tokio::test]
    async fn when_sqlite_ends_a_transaction_by_itself_the_group_hears_of_it() {
        let directory = tempfile::tempdir().unwrap();
        let writer = Writer::with_window(small(&directory).await, AN_HOUR);
        let first = writer.lease().await.unwrap();
        insert(&first, 10).await.unwrap();
        let second = tokio::spawn({
            let writer = writer.clone();
            async move { writer.lease().await.unwrap() }
        });
        tokio::task::yield_now().await;
        let first = tokio::spawn(first.commit());
        let second = second.await.unwrap();
        // What a full disk or a failed read does in the middle of a statement.
        let ended = second
            .connection()
            .unwrap()
            .ask(|session| session.run("ROLLBACK"))
            .await;
        ended.unwrap().unwrap();
        assert!(matches!(second.commit().await, Err(Error::Unavailable(_))));
        assert!(matches!(first.await.unwrap(), Err(Error::Unavailable(_))));
        assert_eq!(rows(&writer).await, 0);
    }

    #[tokio::test]
    async fn a_lease_that_nobody_waited_for_goes_home() {
        let directory = tempfile::tempdir().unwrap();
        let writer = Writer::with_window(small(&directory).await, AN_HOUR);
        for _ in 0..100 {
            let lease = writer.lease();
            futures_util::future::poll_immediate(Box::pin(lease)).await;
        }
        assert_eq!(rows(&writer).await, 0);
        writer.close().await;
        assert!(matches!(writer.lease().await, Err(Error::Unavailable(_))));
    }
}
