//! PostgreSQL: a pool of connections to a server that several processes share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, Postgres};
use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqlStr};
use tokio::time::error::Elapsed;

use crate::error::{Error, Result};
use crate::settings::DatabaseSettings;

/// The oldest server that is tested: what is still supported by its makers.
const OLDEST: i64 = 140_000;

/// How long a question waits for a connection, so that a client hears 503 within five seconds.
const PATIENCE: Duration = Duration::from_millis(4500);

/// The server, connected.
#[derive(Clone, Debug)]
pub(super) struct PostgresDb {
    pool: PgPool,
    timeout: Duration,
    trouble: Arc<Trouble>,
}

/// When connections were last seen to fail: older ones are tested before they are used again, so
/// that a restart of the server costs one answer and not one for each connection. In normal times
/// there is no test, because it would be one more round trip for each question.
#[derive(Debug)]
struct Trouble {
    began: Instant,
    last_millis: AtomicU64,
}

impl Trouble {
    fn note(&self) {
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_millis.store(millis.max(1), Ordering::Relaxed);
    }

    /// Whether a connection of this age was there when another one failed.
    fn concerns(&self, age: Duration) -> bool {
        let last = self.last_millis.load(Ordering::Relaxed);
        last != 0 && age + Duration::from_millis(last) >= self.began.elapsed()
    }
}

impl PostgresDb {
    /// Connects and looks whether the server keeps what it acknowledges.
    pub(super) async fn open(url: &SecretString, settings: &DatabaseSettings) -> Result<Self> {
        let options = options(url, settings)?;
        let place = place(&options);
        let trouble = Arc::new(Trouble {
            began: Instant::now(),
            last_millis: AtomicU64::new(0),
        });
        let watched = Arc::clone(&trouble);
        let pool = PgPoolOptions::new()
            .max_connections(settings.connections.unwrap_or(16).max(1))
            .acquire_timeout(PATIENCE)
            .test_before_acquire(false)
            .before_acquire(move |connection, meta| {
                let suspect = watched.concerns(meta.age);
                Box::pin(async move { Ok(!suspect || answers(connection).await) })
            })
            .connect_lazy_with(options);
        let db = Self {
            pool,
            timeout: settings.timeout(),
            trouble,
        };
        db.check(settings, &place).await?;
        Ok(db)
    }

    pub(super) async fn connection(&self) -> Result<Connection> {
        let pooled = self.pool.acquire().await?;
        Ok(Connection {
            pooled: Some(pooled),
            in_transaction: false,
            timeout: self.timeout,
            trouble: Arc::clone(&self.trouble),
        })
    }

    pub(super) async fn begin(&self) -> Result<Connection> {
        let mut connection = self.connection().await?;
        connection.begin().await?;
        Ok(connection)
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    async fn check(&self, settings: &DatabaseSettings, place: &str) -> Result<()> {
        let mut connection = self.pool.acquire().await.map_err(|error| match error {
            sqlx::Error::Database(error) if error.code().as_deref() == Some("3D000") => {
                Error::Refused(format!(
                    "there is no database {place}; make an empty one with `createdb` first"
                ))
            }
            other => Error::Unavailable(format!("{place}: {other}")),
        })?;
        let version: i64 = show(&mut connection, "server_version_num")
            .await?
            .parse()
            .unwrap_or(0);
        if version < OLDEST {
            let text = format!(
                "PostgreSQL {} is too old; Naru needs 14 or later",
                version / 10_000
            );
            return Err(Error::Refused(text));
        }
        let encoding = show(&mut connection, "server_encoding").await?;
        if encoding != "UTF8" {
            let text = format!("the database's encoding is {encoding}; Naru needs UTF8");
            return Err(Error::Refused(text));
        }
        for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
            if show(&mut connection, setting).await? == "off" && !settings.allow_data_loss {
                return Err(Error::Refused(format!(
                    "PostgreSQL has {setting} = off, so that acknowledged pushes can be lost in a \
                     power cut; turn it on, or set `allow_data_loss = true` in [database]"
                )));
            }
        }
        Ok(())
    }
}

fn options(url: &SecretString, settings: &DatabaseSettings) -> Result<PgConnectOptions> {
    // The parser's error repeats the URL, and with it the password.
    let options: PgConnectOptions = url
        .expose_secret()
        .parse()
        .map_err(|_| Error::Refused("[database] url is not a PostgreSQL URL".to_owned()))?;
    let timeout = settings.timeout().as_millis().to_string();
    Ok(options
        .application_name("naru")
        .statement_cache_capacity(512)
        .options([
            ("statement_timeout", timeout.as_str()),
            ("lock_timeout", "4000"),
            // A process that stands still must not hold locks for ever.
            ("idle_in_transaction_session_timeout", "30000"),
            ("default_transaction_isolation", "read committed"),
            // Compiling a plan takes longer than any of our statements.
            ("jit", "off"),
            // A plan is made once and kept: to plan a list takes longer than to read a page of it.
            ("plan_cache_mode", "force_generic_plan"),
        ])
        .disable_statement_logging())
}

fn place(options: &PgConnectOptions) -> String {
    let database = options
        .get_database()
        .unwrap_or_else(|| options.get_username());
    format!("{}:{}/{database}", options.get_host(), options.get_port())
}

async fn show(connection: &mut PgConnection, setting: &str) -> Result<String> {
    let row = sqlx::query("SELECT current_setting($1)")
        .bind(setting)
        .fetch_one(connection)
        .await?;
    Ok(row.try_get(0)?)
}

async fn answers(connection: &mut PgConnection) -> bool {
    let ping = tokio::time::timeout(Duration::from_secs(1), connection.ping()).await;
    matches!(ping, Ok(Ok(())))
}

/// A connection of the pool, with or without a transaction; dropped, it rolls back.
#[derive(Debug)]
pub(super) struct Connection {
    /// There until it is dropped.
    pooled: Option<PoolConnection<Postgres>>,
    in_transaction: bool,
    timeout: Duration,
    trouble: Arc<Trouble>,
}

impl Connection {
    pub(super) const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The connection itself; what is asked on it goes through [`Connection::judge`].
    pub(super) fn connection(&mut self) -> Result<&mut PgConnection> {
        let gone = || Error::Unavailable("the connection was given up".to_owned());
        self.pooled.as_deref_mut().ok_or_else(gone)
    }

    /// What became of a statement; a connection that failed or did not answer in time is not used
    /// again.
    pub(super) fn judge<T>(
        &mut self,
        outcome: Result<Result<T, sqlx::Error>, Elapsed>,
    ) -> Result<T> {
        let error = match outcome {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => Error::from(error),
            Err(_) => Error::Unavailable("the server did not answer in time".to_owned()),
        };
        if matches!(error, Error::Unavailable(_)) {
            self.trouble.note();
            if let Some(pooled) = &mut self.pooled {
                pooled.close_on_drop();
            }
        }
        Err(error)
    }

    /// Runs a text of one or more statements without parameters, however long it takes.
    pub(super) async fn run_script(&mut self, text: SqlStr) -> Result<()> {
        let outcome = sqlx::raw_sql(text).execute(self.connection()?).await;
        self.judge(Ok(outcome)).map(drop)
    }

    /// Lets the next statements be planned for their values, or no longer. A rollback forgets it.
    pub(super) async fn plan_anew(&mut self, anew: bool) -> Result<()> {
        self.run(if anew {
            "SET plan_cache_mode = force_custom_plan"
        } else {
            "RESET plan_cache_mode"
        })
        .await
    }

    async fn run(&mut self, text: &'static str) -> Result<()> {
        let timeout = self.timeout;
        let outcome = sqlx::raw_sql(text).execute(self.connection()?);
        let outcome = tokio::time::timeout(timeout, outcome).await;
        self.judge(outcome).map(drop)
    }

    async fn begin(&mut self) -> Result<()> {
        // Set first, so that a future dropped while waiting rolls back what may have begun.
        self.in_transaction = true;
        self.run("BEGIN").await
    }

    pub(super) async fn commit(mut self) -> Result<()> {
        let outcome = self.run("COMMIT").await;
        self.in_transaction = outcome.is_err();
        outcome.map_err(|error| match error {
            // The server answered, and its answer was no.
            known @ (Error::Unique { .. } | Error::ForeignKey { .. } | Error::Full) => known,
            unknown => Error::CommitUnknown(unknown.to_string()),
        })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.in_transaction {
            return;
        }
        let Some(mut pooled) = self.pooled.take() else {
            return;
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let rollback = sqlx::raw_sql("ROLLBACK").execute(&mut *pooled);
                let outcome = tokio::time::timeout(Duration::from_secs(1), rollback).await;
                if !matches!(outcome, Ok(Ok(_))) {
                    pooled.close_on_drop();
                }
            });
        }
    }
}
