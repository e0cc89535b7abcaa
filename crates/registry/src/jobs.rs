//! Work in the background: recurring jobs that happen once however many processes run, and chores
//! that each process does for itself.
//!
//! A job is a row with a next time, claimed by a lease. A job that fails or panics is logged, noted
//! in its row, and tried again at its next time; every job is safe to run twice and to stop at any
//! await.

use std::sync::Arc;
use std::time::Duration;

use naru_metadata::Conn;
use naru_metadata::jobs::{self, Ending};
use naru_model::{EventKind, Moment};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::clock_watch::ClockWatch;
use crate::error::{Error, Result};
use crate::garbage_collection::{Collected, Sweep};
use crate::{Caller, Registry, account_access, events};

/// How often is looked for jobs that are due.
const LOOK: Duration = Duration::from_secs(5);
/// How long a job is claimed for; renewed while it runs.
const LEASE: Duration = Duration::from_secs(300);
/// How often the lease of a running job is renewed.
const RENEW: Duration = Duration::from_secs(60);
/// How often each process does its own chores.
const CHORES: Duration = Duration::from_secs(10);
/// After how long without a request a process lets go of an upload; it goes on from its row.
const PARKED: Duration = Duration::from_secs(600);
/// How often is looked for packages whose terms are to be written anew.
const INDEX: Duration = Duration::from_secs(2);
/// How often each process reads the signing keys again.
const KEYS: Duration = Duration::from_secs(900);

/// Every recurring job there is. To add one: a name here, its interval and what it does below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Job {
    /// The collector, as far as the indexes lead: purges the bin, frees what is due.
    Collect,
    /// The collector over all rows and objects.
    CollectFully,
    /// Ends uploads that were given up.
    EndUploads,
    /// Renews the keys that sign registry tokens.
    RotateSigningKeys,
    /// Forgets what was downloaded on days long gone; totals stay.
    ForgetDownloads,
    /// Measures what owners with a quota hold.
    MeasureUsage,
}

impl Job {
    const ALL: [Self; 6] = [
        Self::Collect,
        Self::CollectFully,
        Self::EndUploads,
        Self::RotateSigningKeys,
        Self::ForgetDownloads,
        Self::MeasureUsage,
    ];

    /// Its name in the database.
    const fn name(self) -> &'static str {
        match self {
            Self::Collect => "collect",
            Self::CollectFully => "collect fully",
            Self::EndUploads => "end uploads",
            Self::RotateSigningKeys => "rotate signing keys",
            Self::ForgetDownloads => "forget downloads",
            Self::MeasureUsage => "measure usage",
        }
    }

    /// How much time lies between two runs.
    fn every(self, registry: &Registry) -> Duration {
        const MINUTE: u64 = 60;
        Duration::from_secs(match self {
            Self::Collect => registry
                .settings
                .collect_minutes
                .max(1)
                .saturating_mul(MINUTE),
            Self::CollectFully => 24 * 60 * MINUTE,
            Self::EndUploads => 10 * MINUTE,
            Self::RotateSigningKeys => 60 * MINUTE,
            Self::ForgetDownloads => 24 * 60 * MINUTE,
            Self::MeasureUsage => 10 * MINUTE,
        })
    }

    /// Does it, and says in words what was done.
    async fn run(self, registry: &Registry, watch: &Mutex<ClockWatch>) -> Result<String> {
        match self {
            Self::Collect => registry.collect_in_background(Sweep::Quick, watch).await,
            Self::CollectFully => registry.collect_in_background(Sweep::Full, watch).await,
            Self::EndUploads => {
                registry.believe_clock(&mut *watch.lock().await).await?;
                let ended = registry.expire_uploads(200).await?;
                Ok(format!("{ended} uploads ended"))
            }
            Self::RotateSigningKeys => {
                let rotated = registry.rotate_signing_keys().await?;
                Ok(if rotated {
                    "a new key signs"
                } else {
                    "not due"
                }
                .to_owned())
            }
            Self::ForgetDownloads => {
                registry.believe_clock(&mut *watch.lock().await).await?;
                let forgotten = registry.forget_download_days().await?;
                Ok(format!("{forgotten} rows of days forgotten"))
            }
            Self::MeasureUsage => {
                let measured = registry.measure_owners_with_quotas().await?;
                Ok(format!("{measured} owners with a quota"))
            }
        }
    }
}

impl Registry {
    /// Runs the collector by hand: `naru gc run`. Whoever does it vouches for the clock.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers the instance; as
    /// [`Registry::collect_garbage`].
    pub async fn collect_by_hand(
        &self,
        caller: &Caller,
        sweep: Sweep,
        progress: &(dyn Fn(&Collected) + Send + Sync),
    ) -> Result<Collected> {
        let mut conn = self.db.read().await?;
        account_access::instance(&mut conn, caller).await?;
        drop(conn);
        self.confirm_clock().await?;
        let collected = self.collect_garbage(sweep, progress).await?;
        self.note_collection(caller, &collected).await?;
        Ok(collected)
    }

    async fn collect_in_background(
        &self,
        sweep: Sweep,
        watch: &Mutex<ClockWatch>,
    ) -> Result<String> {
        // Locked only while it is asked: no job waits for a collector that takes hours.
        self.believe_clock(&mut *watch.lock().await).await?;
        let collected = self.collect_garbage(sweep, &|_| {}).await;
        if matches!(collected, Err(Error::Conflict(_))) {
            // The watch of all jobs begins anew too, or it would report the same jump once more
            // after somebody has vouched for the clock.
            self.believe_clock(&mut *watch.lock().await).await?;
        }
        let collected = collected?;
        self.note_collection(&Caller::system(), &collected).await?;
        serde_json::to_string(&collected).map_err(|error| Error::Internal(error.to_string()))
    }

    /// Tells the event, unless nothing was done.
    async fn note_collection(&self, caller: &Caller, collected: &Collected) -> Result<()> {
        if *collected == Collected::default() {
            return Ok(());
        }
        let event = caller
            .event(EventKind::GarbageCollected, self.clock.now())
            .with("versions", collected.versions)
            .with("packages", collected.packages)
            .with("condemned", collected.condemned)
            .with("removed", collected.removed);
        let mut tx = self.db.write().await?;
        events::record(&mut tx, event).await?;
        tx.commit().await?;
        Ok(())
    }

    /// What each process does for itself every few seconds.
    async fn do_chores(&self) {
        let before = self.clock.now().minus(PARKED);
        self.uploads.let_go(before);
        if let Err(error) = self.write_token_uses().await {
            tracing::warn!(%error, "the last uses of tokens could not be written down");
        }
        if let Err(error) = self.write_downloads().await {
            tracing::warn!(%error, "downloads could not be written down yet");
        }
    }
}

/// Runs jobs and chores until it is stopped.
#[derive(Clone, Debug)]
pub struct Runner {
    registry: Arc<Registry>,
    /// Whose leases are whose.
    name: String,
}

impl Runner {
    /// A runner of this process.
    ///
    /// # Errors
    /// [`Error::Internal`] without randomness for its name.
    pub fn new(registry: Arc<Registry>) -> Result<Self> {
        let mut random = [0; 8];
        registry
            .random
            .fill(&mut random)
            .map_err(|error| Error::Internal(error.to_string()))?;
        Ok(Self {
            registry,
            name: hex::encode(random),
        })
    }

    /// Runs until `stop`. Then what runs is cut off at its next await, leases are given back, and
    /// what was only remembered is written down.
    pub async fn run(self, stop: CancellationToken) {
        tokio::join!(
            self.run_jobs(&stop),
            self.run_chores(&stop),
            self.listen(&stop)
        );
        self.registry.do_chores().await;
    }

    async fn run_jobs(&self, stop: &CancellationToken) {
        let watch = Arc::new(Mutex::new(ClockWatch::start(self.registry.clock.now())));
        let mut running = JoinSet::new();
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = running.join_next(), if !running.is_empty() => continue,
                _ = ticks.tick() => {}
            }
            match self.claim_due().await {
                Ok(claimed) => {
                    for job in claimed {
                        running.spawn(self.clone().run_job(job, Arc::clone(&watch)));
                    }
                }
                Err(error) => tracing::warn!(%error, "the jobs could not be looked at"),
            }
        }
        running.shutdown().await;
        if let Err(error) = self.give_back().await {
            tracing::warn!(%error, "the leases of jobs could not be given back");
        }
    }

    /// The jobs that are due and that this process won. Reads first: mostly nothing is due, and a
    /// look should not cost a write.
    async fn claim_due(&self) -> Result<Vec<Job>> {
        let registry = &self.registry;
        let now = registry.clock.now();
        let mut conn = registry.db.read().await?;
        let known = jobs::all(&mut conn).await?;
        drop(conn);
        let mut claimed = Vec::new();
        for job in Job::ALL {
            let row = known.iter().find(|row| row.name == job.name());
            if row.is_some_and(|row| row.next_at > now || row.lease_until > now) {
                continue;
            }
            let mut tx = registry.db.write().await?;
            if row.is_none() {
                // The first time comes a little later, so that a start is quiet.
                let first = now.plus(job.every(registry).min(Duration::from_secs(600)));
                jobs::ensure(&mut tx, job.name(), first).await?;
            } else if self.claim(&mut tx, job, now).await? {
                claimed.push(job);
            }
            tx.commit().await?;
        }
        Ok(claimed)
    }

    async fn claim(&self, conn: &mut Conn, job: Job, now: Moment) -> Result<bool> {
        let until = now.plus(LEASE);
        let claimed = jobs::claim(conn, &[job.name()], &self.name, now, until).await?;
        Ok(claimed.is_some())
    }

    /// Runs one claimed job to its end, whatever that is, and notes it.
    async fn run_job(self, job: Job, watch: Arc<Mutex<ClockWatch>>) {
        let registry = Arc::clone(&self.registry);
        let work = async move { job.run(&registry, &watch).await };
        let mut work = std::pin::pin!(contained(work));
        let mut renewals = interval(RENEW);
        let result = loop {
            tokio::select! {
                ended = &mut work => break ended,
                _ = renewals.tick() => self.renew(job).await,
            }
        };
        let name = job.name();
        let text = match &result {
            Ok(done) => {
                tracing::info!(job = name, done, "a job is done");
                done.clone()
            }
            Err(error) => {
                tracing::error!(job = name, %error, "a job failed; it is tried again");
                format!("failed: {error}")
            }
        };
        if let Err(error) = self.finish(job, &text).await {
            tracing::warn!(job = name, %error, "the end of a job could not be noted");
        }
    }

    async fn renew(&self, job: Job) {
        let until = self.registry.clock.now().plus(LEASE);
        let renewed = async {
            let mut tx = self.registry.db.write().await?;
            jobs::renew(&mut tx, job.name(), &self.name, until).await?;
            tx.commit().await
        };
        if let Err(error) = renewed.await {
            tracing::warn!(job = job.name(), %error, "the lease of a job could not be renewed");
        }
    }

    async fn finish(&self, job: Job, result: &str) -> Result<()> {
        let now = self.registry.clock.now();
        let next = now.plus(job.every(&self.registry));
        let ending = Ending {
            now,
            result,
            next_at: next,
        };
        let mut tx = self.registry.db.write().await?;
        jobs::finish(&mut tx, job.name(), &self.name, ending).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn give_back(&self) -> Result<()> {
        let mut tx = self.registry.db.write().await?;
        jobs::release_all(&mut tx, &self.name).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn run_chores(&self, stop: &CancellationToken) {
        let mut chores = interval(CHORES);
        let mut keys = interval(KEYS);
        let mut index = interval(INDEX);
        index.set_missed_tick_behavior(MissedTickBehavior::Delay);
        keys.reset();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = chores.tick() => self.registry.do_chores().await,
                _ = index.tick() => {
                    if let Err(error) = self.registry.index_packages().await {
                        tracing::warn!(%error, "packages cannot be found by their changes yet");
                    }
                }
                _ = keys.tick() => {
                    if let Err(error) = self.registry.signing_keys_again().await {
                        tracing::warn!(%error, "the signing keys could not be read again");
                    }
                }
            }
        }
    }

    /// Hears when another process has written to the database, and forgets what is remembered.
    async fn listen(&self, stop: &CancellationToken) {
        let registry = &self.registry;
        let every = if registry.db.is_shared() { 1000 } else { 250 };
        let mut ticks = interval(Duration::from_millis(every));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            match registry.db.changes().await {
                Ok(stamp) => {
                    // What was remembered before the first look may be older than it.
                    if last != Some(stamp) {
                        registry.changed_elsewhere();
                    }
                    last = Some(stamp);
                }
                Err(error) => {
                    tracing::debug!(%error, "the database was not heard");
                    last = None;
                }
            }
        }
    }
}

/// Runs work as a task of its own, so that a panic ends nothing but it. Dropping this ends the work
/// too.
async fn contained<T, F>(work: F) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    tasks.spawn(work);
    match tasks.join_next().await {
        Some(Ok(result)) => result,
        Some(Err(broken)) => Err(Error::Internal(format!("it broke off: {broken}"))),
        None => Err(Error::Internal("it never began".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_in_a_job_is_a_failure_of_that_job_and_nothing_else() {
        let broken: Result<()> = contained(async { panic!("on purpose") }).await;
        assert!(matches!(broken, Err(Error::Internal(text)) if text.contains("panic")));
        assert_eq!(contained(async { Ok(7) }).await.unwrap(), 7);
    }

    #[test]
    fn no_two_jobs_share_a_name() {
        let names: std::collections::HashSet<_> = Job::ALL.iter().map(|job| job.name()).collect();
        assert_eq!(names.len(), Job::ALL.len());
    }
}
