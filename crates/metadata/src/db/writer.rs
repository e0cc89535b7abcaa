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

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Row as _};
use tokio::sync::{mpsc, oneshot};

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
    connection: Option<SqliteConnection>,
    home: mpsc::UnboundedSender<Returned>,
}

#[derive(Debug)]
struct Returned {
    connection: SqliteConnection,
    end: End,
}

#[derive(Debug)]
enum End {
    Commit(oneshot::Sender<Result<()>>),
    Rollback,
}

impl Writer {
    /// Gives the connection to a task of its own.
    pub(super) fn start(connection: SqliteConnection) -> Self {
        Self::with_window(connection, WINDOW)
    }

    fn with_window(connection: SqliteConnection, window: Duration) -> Self {
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
    /// The connection; there until the lease ends.
    pub(super) fn connection(&mut self) -> Result<&mut SqliteConnection> {
        self.connection.as_mut().ok_or_else(closed)
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

/// The members of a group whose savepoints were released.
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
    async fn run(mut self, mut connection: SqliteConnection) {
        while let Some(request) = self.next().await {
            match request {
                Request::Write(reply) if reply.is_closed() => {}
                Request::Write(reply) => match self.write(connection, reply).await {
                    Some(returned) => connection = returned,
                    None => return,
                },
                Request::DataVersion(reply) => {
                    reply.send(data_version(&mut connection).await).ok();
                }
                Request::Close(reply) => {
                    if let Err(error) = connection.close().await {
                        tracing::warn!(%error, "the database could not be closed in order");
                    }
                    reply.send(()).ok();
                    return;
                }
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
        mut connection: SqliteConnection,
        first: oneshot::Sender<Result<Lease>>,
    ) -> Option<SqliteConnection> {
        if let Some(error) = &self.failed {
            first.send(Err(error.clone())).ok();
            return Some(connection);
        }
        if let Err(error) = control(&mut connection, "BEGIN IMMEDIATE; SAVEPOINT member").await {
            control(&mut connection, "ROLLBACK").await.ok();
            let error = self.note_failure(error);
            if error == Error::Busy {
                self.refuse_waiting();
            }
            first.send(Err(error)).ok();
            return Some(connection);
        }
        self.group(connection, first).await
    }

    async fn group(
        &mut self,
        mut connection: SqliteConnection,
        first: oneshot::Sender<Result<Lease>>,
    ) -> Option<SqliteConnection> {
        let mut group = Group {
            closes: Instant::now() + self.window,
            waiting: Vec::new(),
        };
        let mut member = Some(first);
        while let Some(reply) = member.take() {
            let returned = self.lend(connection, reply).await?;
            connection = returned.connection;
            if let Err(error) = end_member(&mut connection, returned.end, &mut group).await {
                return Some(self.give_up(connection, group, error).await);
            }
            member = self.next_member(&group);
            if member.is_some()
                && let Err(error) = control(&mut connection, "SAVEPOINT member").await
            {
                return Some(self.give_up(connection, group, error).await);
            }
        }
        Some(self.finish(connection, group).await)
    }

    /// Lends the connection and waits until it comes home.
    async fn lend(
        &mut self,
        connection: SqliteConnection,
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
    async fn finish(&mut self, mut connection: SqliteConnection, group: Group) -> SqliteConnection {
        if group.waiting.is_empty() {
            if let Err(error) = control(&mut connection, "ROLLBACK").await {
                self.note_failure(error);
            }
            return connection;
        }
        match control(&mut connection, "COMMIT").await {
            Ok(()) => group.tell(&Ok(())),
            Err(error) => {
                // A commit that failed may still be open.
                control(&mut connection, "ROLLBACK").await.ok();
                let told = match self.note_failure(error) {
                    known @ (Error::Full | Error::Busy) => known,
                    unknown => Error::CommitUnknown(unknown.to_string()),
                };
                group.tell(&Err(told));
            }
        }
        connection
    }

    /// SQLite itself ended the transaction, as it does when the disk is full: nothing of the group
    /// is stored.
    async fn give_up(
        &mut self,
        mut connection: SqliteConnection,
        group: Group,
        error: sqlx::Error,
    ) -> SqliteConnection {
        control(&mut connection, "ROLLBACK").await.ok();
        let error = match self.note_failure(error) {
            // What RELEASE says is that there is no transaction any more; why, nobody asked.
            Error::Other(_) => Error::Unavailable("the transaction was ended by SQLite".to_owned()),
            known => known,
        };
        group.tell(&Err(error));
        connection
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

    fn note_failure(&mut self, error: sqlx::Error) -> Error {
        if is_failed_flush(&error) {
            tracing::error!(%error, "the disk refused to keep data; writing stops until a restart");
            let text = "the disk refused to keep data; restart the server and run `naru fsck`";
            self.failed = Some(Error::Unavailable(text.to_owned()));
        }
        error.into()
    }
}

/// Releases a member's savepoint or undoes it. An error says that the whole transaction is gone.
async fn end_member(
    connection: &mut SqliteConnection,
    end: End,
    group: &mut Group,
) -> Result<(), sqlx::Error> {
    match end {
        End::Commit(told) => {
            // Told whatever comes: of a failure too.
            group.waiting.push(told);
            control(connection, "RELEASE member").await
        }
        End::Rollback => control(connection, "ROLLBACK TO member; RELEASE member").await,
    }
}

async fn control(connection: &mut SqliteConnection, text: &'static str) -> Result<(), sqlx::Error> {
    sqlx::query(text).execute(connection).await?;
    Ok(())
}

async fn data_version(connection: &mut SqliteConnection) -> Result<i64> {
    let row = sqlx::query("PRAGMA data_version")
        .fetch_one(connection)
        .await?;
    Ok(row.try_get(0)?)
}

#[cfg(test)]
mod tests {
    use sqlx::ConnectOptions as _;
    use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};

    use super::*;

    /// So that two writers share a group however slow the machine is.
    const AN_HOUR: Duration = Duration::from_secs(3600);

    /// A file that may not grow beyond a few pages, as on a full disk.
    async fn small(directory: &tempfile::TempDir) -> SqliteConnection {
        let options = SqliteConnectOptions::new()
            .filename(directory.path().join("small.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let mut connection = options.connect().await.unwrap();
        for text in [
            "CREATE TABLE t (a BLOB) STRICT",
            "PRAGMA max_page_count = 20",
        ] {
            sqlx::query(text).execute(&mut connection).await.unwrap();
        }
        connection
    }

    async fn insert(lease: &mut Lease, bytes: i64) -> Result<()> {
        let query = sqlx::query("INSERT INTO t (a) VALUES (zeroblob($1))").bind(bytes);
        query.execute(lease.connection()?).await?;
        Ok(())
    }

    async fn rows(writer: &Writer) -> i64 {
        let mut lease = writer.lease().await.unwrap();
        let query = sqlx::query("SELECT COUNT(*) FROM t");
        let row = query.fetch_one(lease.connection().unwrap()).await.unwrap();
        row.get(0)
    }

    #[tokio::test]
    async fn on_a_full_disk_nobody_of_the_group_is_told_that_it_is_stored() {
        let directory = tempfile::tempdir().unwrap();
        let writer = Writer::with_window(small(&directory).await, AN_HOUR);
        let mut first = writer.lease().await.unwrap();
        insert(&mut first, 10).await.unwrap();
        // Waits for its turn in the same group.
        let second = tokio::spawn({
            let writer = writer.clone();
            async move { writer.lease().await.unwrap() }
        });
        tokio::task::yield_now().await;
        let first = tokio::spawn(first.commit());
        let mut second = second.await.unwrap();
        assert_eq!(insert(&mut second, 1_000_000).await, Err(Error::Full));
        drop(second);
        // SQLite ends the whole transaction or only the statement; whoever was told no is not
        // there, and whoever was told yes is.
        let told = first.await.unwrap();
        assert_eq!(rows(&writer).await, i64::from(told.is_ok()));
        let mut third = writer.lease().await.unwrap();
        insert(&mut third, 10).await.unwrap();
        third.commit().await.unwrap();
        assert_eq!(rows(&writer).await, 1 + i64::from(told.is_ok()));
    }

    #[tokio::test]
    async fn when_sqlite_ends_a_transaction_by_itself_the_group_hears_of_it() {
        let directory = tempfile::tempdir().unwrap();
        let writer = Writer::with_window(small(&directory).await, AN_HOUR);
        let mut first = writer.lease().await.unwrap();
        insert(&mut first, 10).await.unwrap();
        let second = tokio::spawn({
            let writer = writer.clone();
            async move { writer.lease().await.unwrap() }
        });
        tokio::task::yield_now().await;
        let first = tokio::spawn(first.commit());
        let mut second = second.await.unwrap();
        // What a full disk or a failed read does in the middle of a statement.
        sqlx::query("ROLLBACK")
            .execute(second.connection().unwrap())
            .await
            .unwrap();
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
