//! The design of the collector as a machine, and a search through everything that it can do.
//!
//! One digest, two repositories, two manifests in the first and one in the second. Somebody asks
//! whether the blob exists and pushes to the first repository; somebody mounts it and pushes to the
//! second; both upload when it is not there. Somebody deletes, restores and purges manifests;
//! somebody reads. The collector does one transaction or one removal at a time and may stop after
//! each, which is a crash. The clock ticks at any moment. All of them go on for ever: moments are
//! kept as what is left until then, and a storage key that nobody knows any more is as good as a
//! new one, so that there are finitely many states, and the search sees all of them.
//!
//! What must hold in each: a manifest, live or in the bin, has its bytes; a push that was told
//! "exists" or "created" is not refused within half a lease; who has looked up a key in time finds
//! the bytes. The design keeps these promises, and each of the shortcuts that look as if they would
//! do breaks one of them: see `garbage_collection`.

use std::collections::HashSet;

/// A lease, in ticks. With twice the time, and every manifest going through the bin, the search ended
/// too, after ten million states.
const LEASE: i8 = 2;
/// How long "exists" and "created" are promises.
const PROMISE: i8 = LEASE / 2;
/// How long a blob can be read without a manifest.
const PIN: i8 = 3;
/// How long a key waits in the trash, and how long a reader takes to open what it has looked up.
const DELAY: i8 = 1;
/// How old an object must be to be taken for an orphan.
const ORPHAN: i8 = 1;
/// The lease of a link that a manifest holds.
const PARKED: i8 = i8::MAX;
/// How many storage keys may be known to anybody at once.
const KEYS: usize = 3;

/// A shortcut that must not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shortcut {
    /// The object is named by its digest.
    NameIsDigest,
    /// It is, and before it is removed the collector looks whether its row has come back.
    NameIsDigestAndLook,
    /// HEAD answers without renewing a lease.
    HeadWithoutRenewal,
    /// A blob that loses its last manifest gets no lease.
    LossWithoutLease,
    /// A mounted blob gets no lease.
    MountWithoutLease,
    /// The object goes first and its rows afterwards.
    ObjectFirst,
    /// The collector marks what is needed and sweeps what is not, while others push.
    MarkAndSweep,
    /// Bytes that no row knew while they arrived get one however long that took.
    NameOldBytes,
}

/// Which promise each of them breaks, and with which step.
const SHORTCUTS: [(Shortcut, Promise, &str); 8] = [
    (Shortcut::NameIsDigest, Promise::Content, "object removed"),
    (
        Shortcut::NameIsDigestAndLook,
        Promise::Content,
        "object removed",
    ),
    (
        Shortcut::HeadWithoutRenewal,
        Promise::Push,
        "manifest refused",
    ),
    (
        Shortcut::LossWithoutLease,
        Promise::Push,
        "manifest refused",
    ),
    (
        Shortcut::MountWithoutLease,
        Promise::Push,
        "manifest refused",
    ),
    (Shortcut::ObjectFirst, Promise::Content, "manifest 201"),
    (Shortcut::MarkAndSweep, Promise::Content, "sweep"),
    (Shortcut::NameOldBytes, Promise::Content, "object removed"),
];

/// What must not be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Promise {
    /// S: the collector never removes what a manifest needs.
    Content,
    /// C: a push that was promised a blob is not refused.
    Push,
    /// R: no object vanishes under a reader.
    Read,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Manifest {
    Absent,
    Live,
    Binned,
}

/// That a repository may use the blob. Times are what is left of them; below zero they are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Link {
    lease: i8,
    readable: i8,
}

/// A client that pushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Pusher {
    Idle,
    /// Its bytes are durable under this key for so long. In the first repository an upload row
    /// knows the key, in the second, where blobs are sent in one request, none does.
    Sent {
        key: usize,
        age: i8,
    },
    /// It was told that the blob is there; the promise holds for so long.
    Told {
        left: i8,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Reader {
    Idle,
    /// It has looked up the key and opens it within so long.
    Resolved {
        key: usize,
        left: i8,
    },
}

/// Between two steps of a collector that takes a shortcut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Collector {
    Idle,
    /// It has looked whether this key has a row.
    Looked(usize),
    /// It has removed the object and not yet the rows.
    Removed,
    /// It has marked: nobody needed the blob.
    Unmarked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct State {
    /// The key that the blob's row names.
    row: Option<usize>,
    objects: [bool; KEYS],
    /// What is left of each key's delay in the trash.
    trash: [Option<i8>; KEYS],
    links: [Option<Link>; 2],
    /// Two of the first repository, one of the second. The first of them can be in the bin; the
    /// others are purged as soon as they are deleted, which is less to go through.
    manifests: [Manifest; 3],
    pushers: [Pusher; 2],
    reader: Reader,
    collector: Collector,
}

/// Which repository a manifest is in, and which manifest a pusher of a repository writes.
const REPOSITORY: [usize; 3] = [0, 0, 1];
const PUSHED: [usize; 2] = [1, 2];

/// A step and where it leads: to a state, or to a broken promise.
type Step = (&'static str, Result<State, Promise>);

impl State {
    /// One image in the first repository, as an old push left it.
    const START: Self = Self {
        row: Some(0),
        objects: [true, false, false],
        trash: [None; KEYS],
        links: [
            Some(Link {
                lease: PARKED,
                readable: 0,
            }),
            None,
        ],
        manifests: [Manifest::Live, Manifest::Absent, Manifest::Absent],
        pushers: [Pusher::Idle; 2],
        reader: Reader::Idle,
        collector: Collector::Idle,
    };

    fn has(&self, repository: usize, wanted: impl Fn(Manifest) -> bool) -> bool {
        (0..3).any(|index| REPOSITORY[index] == repository && wanted(self.manifests[index]))
    }

    fn needs(&self, repository: usize) -> bool {
        self.has(repository, |manifest| manifest == Manifest::Live)
    }

    fn holds(&self, repository: usize) -> bool {
        self.has(repository, |manifest| manifest != Manifest::Absent)
    }

    fn is_readable(&self, repository: usize) -> bool {
        let link = self.links[repository];
        link.is_some_and(|link| self.needs(repository) || link.readable > 0)
    }

    /// Whether a manifest that is pushed now may name the blob.
    fn is_usable(&self, repository: usize) -> bool {
        let leased = |link: Link| link.lease > 0 && link.lease < PARKED;
        let link = self.links[repository];
        link.is_some_and(|link| self.needs(repository) || leased(link))
    }

    /// A key that nobody knows.
    fn fresh_key(&self) -> Option<usize> {
        (0..KEYS).find(|&key| {
            let sent =
                |pusher: &Pusher| matches!(pusher, Pusher::Sent { key: sent, .. } if *sent == key);
            let read = matches!(self.reader, Reader::Resolved { key: found, .. } if found == key);
            let free = self.row != Some(key) && !self.objects[key] && self.trash[key].is_none();
            free && !self.pushers.iter().any(sent) && !read
        })
    }

    fn discard(&mut self, key: usize, delay: i8) {
        self.trash[key].get_or_insert(delay);
    }

    /// Links the blob, or prolongs what was promised; never shortens it.
    fn link(&mut self, repository: usize, lease: i8, readable: i8) {
        let before = self.links[repository];
        let finite = before
            .map(|link| link.lease)
            .filter(|lease| *lease < PARKED);
        self.links[repository] = Some(Link {
            lease: finite.map_or(lease, |before| before.max(lease)),
            readable: before.map_or(readable, |link| link.readable.max(readable)),
        });
    }

    /// The same with its keys renamed in the order in which somebody knows them: nothing depends
    /// on which is which.
    fn renamed(self) -> Self {
        let sent = |pusher: Pusher| match pusher {
            Pusher::Sent { key, .. } => Some(key),
            _ => None,
        };
        let read = match self.reader {
            Reader::Resolved { key, .. } => Some(key),
            Reader::Idle => None,
        };
        let known = [self.row, sent(self.pushers[0]), sent(self.pushers[1]), read];
        let place = |key: usize| known.iter().position(|known| *known == Some(key));
        let mut order = [0, 1, 2];
        order.sort_unstable_by_key(|&key| {
            (place(key).unwrap_or(4), !self.objects[key], self.trash[key])
        });
        if order == [0, 1, 2] {
            return self;
        }
        let new = |key: usize| {
            if order[0] == key {
                0
            } else if order[1] == key {
                1
            } else {
                2
            }
        };
        let mut renamed = self;
        renamed.row = self.row.map(new);
        renamed.objects = order.map(|key| self.objects[key]);
        renamed.trash = order.map(|key| self.trash[key]);
        for pusher in &mut renamed.pushers {
            if let Pusher::Sent { key, .. } = pusher {
                *key = new(*key);
            }
        }
        if let Reader::Resolved { key, .. } = &mut renamed.reader {
            *key = new(*key);
        }
        renamed
    }

    /// Whether every manifest has its bytes.
    fn is_sound(&self) -> bool {
        let stored = self.row.is_some_and(|key| self.objects[key]);
        (0..2).all(|repository| {
            !self.holds(repository) || (stored && self.links[repository].is_some())
        })
    }
}

/// The machine, with or without a shortcut.
struct Machine(Option<Shortcut>);

impl Machine {
    fn takes(&self, shortcut: Shortcut) -> bool {
        self.0 == Some(shortcut)
    }

    fn name_is_digest(&self) -> bool {
        self.takes(Shortcut::NameIsDigest) || self.takes(Shortcut::NameIsDigestAndLook)
    }

    /// Where keys are named at random, states that differ in their names only are one.
    fn rename(&self, state: State) -> State {
        if self.name_is_digest() {
            state
        } else {
            state.renamed()
        }
    }

    /// Everything that can happen next.
    fn steps(&self, state: State) -> Vec<Step> {
        let mut steps = vec![("tick", Ok(tick(state)))];
        self.push_to_first(state, &mut steps);
        self.push_to_second(state, &mut steps);
        for repository in 0..2 {
            self.upload(state, repository, &mut steps);
            self.put_manifest(state, repository, &mut steps);
        }
        for manifest in 0..3 {
            self.delete(state, manifest, &mut steps);
        }
        read(state, &mut steps);
        self.collect(state, &mut steps);
        for (_, outcome) in &mut steps {
            if outcome.is_ok_and(|state| !state.is_sound()) {
                *outcome = Err(Promise::Content);
            }
        }
        steps
    }

    fn push_to_first(&self, state: State, steps: &mut Vec<Step>) {
        if state.pushers[0] != Pusher::Idle || !state.is_readable(0) {
            return;
        }
        let mut next = state;
        next.pushers[0] = Pusher::Told { left: PROMISE };
        if let (Some(link), false) = (&mut next.links[0], state.needs(0))
            && !self.takes(Shortcut::HeadWithoutRenewal)
            && (link.lease < PROMISE || link.lease == PARKED)
        {
            link.lease = LEASE;
        }
        steps.push(("HEAD 200", Ok(next)));
    }

    fn push_to_second(&self, state: State, steps: &mut Vec<Step>) {
        if state.pushers[1] != Pusher::Idle || !state.is_readable(0) {
            return;
        }
        let mut next = state;
        let source = state.links[0].map_or(0, |link| link.readable);
        let readable = if state.needs(0) { PIN } else { source };
        let leased = !self.takes(Shortcut::MountWithoutLease);
        next.link(1, if leased { LEASE } else { 0 }, readable);
        next.pushers[1] = Pusher::Told { left: PROMISE };
        steps.push(("mount 201", Ok(next)));
    }

    fn upload(&self, state: State, repository: usize, steps: &mut Vec<Step>) {
        match state.pushers[repository] {
            Pusher::Idle if !state.is_readable(repository) => {
                let key = if self.name_is_digest() {
                    Some(0)
                } else {
                    state.fresh_key()
                };
                let Some(key) = key else { return };
                let mut next = state;
                next.objects[key] = true;
                next.pushers[repository] = Pusher::Sent { key, age: 0 };
                steps.push(("client sends bytes", Ok(next)));
            }
            Pusher::Sent { key, age } => {
                let mut next = state;
                next.pushers[repository] = Pusher::Idle;
                steps.push(("client vanishes", Ok(next)));
                let young = age < ORPHAN || self.takes(Shortcut::NameOldBytes);
                if repository == 0 || young {
                    steps.push(("created", Ok(created(state, repository, key))));
                }
            }
            _ => {}
        }
    }

    fn put_manifest(&self, state: State, repository: usize, steps: &mut Vec<Step>) {
        let Pusher::Told { left } = state.pushers[repository] else {
            return;
        };
        let mut next = state;
        next.pushers[repository] = Pusher::Idle;
        if state.is_usable(repository) {
            next.manifests[PUSHED[repository]] = Manifest::Live;
            if let Some(link) = &mut next.links[repository] {
                link.lease = PARKED;
            }
            steps.push(("manifest 201", Ok(next)));
        } else {
            let outcome = if left > 0 {
                Err(Promise::Push)
            } else {
                Ok(next)
            };
            steps.push(("manifest refused", outcome));
        }
    }

    fn delete(&self, state: State, manifest: usize, steps: &mut Vec<Step>) {
        let repository = REPOSITORY[manifest];
        let mut next = state;
        match state.manifests[manifest] {
            Manifest::Absent => {}
            Manifest::Live => {
                next.manifests[manifest] = Manifest::Binned;
                if !next.needs(repository)
                    && let Some(link) = &mut next.links[repository]
                {
                    link.readable = 0;
                    link.lease = self.lease_of_the_lost(link.lease);
                }
                if manifest == 0 {
                    steps.push(("delete", Ok(next)));
                } else {
                    steps.push(("delete for good", Ok(self.purged(next, manifest))));
                }
            }
            Manifest::Binned => {
                next.manifests[manifest] = Manifest::Live;
                steps.push(("restore", Ok(next)));
                steps.push(("purge", Ok(self.purged(state, manifest))));
            }
        }
    }

    fn purged(&self, state: State, manifest: usize) -> State {
        let repository = REPOSITORY[manifest];
        let mut next = state;
        next.manifests[manifest] = Manifest::Absent;
        if !next.holds(repository)
            && let Some(link) = &mut next.links[repository]
        {
            link.lease = self.lease_of_the_lost(link.lease);
        }
        next
    }

    fn lease_of_the_lost(&self, lease: i8) -> i8 {
        let leased = !self.takes(Shortcut::LossWithoutLease);
        let finite = if lease == PARKED { -1 } else { lease };
        if leased { finite.max(LEASE) } else { finite }
    }

    fn collect(&self, state: State, steps: &mut Vec<Step>) {
        for repository in 0..2 {
            let over = state.links[repository].is_some_and(|link| link.lease < 0);
            let mut next = state;
            if over && state.holds(repository) {
                next.links[repository] = state.links[repository].map(|link| Link {
                    lease: PARKED,
                    ..link
                });
                steps.push(("park", Ok(next)));
            } else if over && self.may_unlink(state) {
                next.links[repository] = None;
                steps.push(("unlink", Ok(next)));
            }
        }
        self.condemn(state, steps);
        self.remove(state, steps);
        self.sweep_orphans(state, steps);
        if self.takes(Shortcut::MarkAndSweep) {
            mark_and_sweep(state, steps);
        }
    }

    fn may_unlink(&self, state: State) -> bool {
        !self.takes(Shortcut::ObjectFirst) || state.collector == Collector::Removed
    }

    fn condemn(&self, state: State, steps: &mut Vec<Step>) {
        let Some(key) = state.row else { return };
        let loose = |repository: usize| {
            let over = state.links[repository].is_none_or(|link| link.lease < 0);
            over && !state.holds(repository)
        };
        let mut next = state;
        if self.takes(Shortcut::ObjectFirst) {
            if state.collector == Collector::Idle && loose(0) && loose(1) {
                next.objects[key] = false;
                next.collector = Collector::Removed;
                steps.push(("object removed", Ok(next)));
            } else if state.collector == Collector::Removed && state.links == [None, None] {
                next.row = None;
                next.collector = Collector::Idle;
                steps.push(("row removed", Ok(next)));
            }
        } else if state.links == [None, None] {
            next.row = None;
            next.discard(key, DELAY);
            steps.push(("condemn", Ok(next)));
        }
    }

    fn remove(&self, state: State, steps: &mut Vec<Step>) {
        for key in 0..KEYS {
            if state.trash[key].is_none_or(|left| left >= 0) {
                continue;
            }
            let mut next = state;
            if self.takes(Shortcut::NameIsDigestAndLook)
                && state.collector != Collector::Looked(key)
            {
                if state.row == Some(key) {
                    next.trash[key] = None;
                } else {
                    next.collector = Collector::Looked(key);
                }
                steps.push(("look", Ok(next)));
                continue;
            }
            next.collector = Collector::Idle;
            // Again and again, if it crashed before it forgot the key: missing is fine.
            next.objects[key] = false;
            steps.push(("object removed", Ok(next)));
            if !state.objects[key] {
                next.trash[key] = None;
                steps.push(("key forgotten", Ok(next)));
            }
        }
    }

    fn sweep_orphans(&self, state: State, steps: &mut Vec<Step>) {
        for key in 0..KEYS {
            let known = state.row == Some(key) || state.trash[key].is_some();
            let kept = |repository: usize| match state.pushers[repository] {
                Pusher::Sent { key: sent, age } => sent == key && (repository == 0 || age < ORPHAN),
                _ => false,
            };
            if !state.objects[key] || known || kept(0) || kept(1) {
                continue;
            }
            let mut next = state;
            next.discard(key, DELAY);
            steps.push(("orphan", Ok(next)));
        }
    }
}

/// The transaction that ends an upload.
fn created(state: State, repository: usize, key: usize) -> State {
    let mut next = state;
    match state.row {
        None => next.row = Some(key),
        // Nobody ever looked this key up, so it need not wait.
        Some(other) if other != key => next.discard(key, -1),
        Some(_) => {}
    }
    next.link(repository, LEASE, PIN);
    next.pushers[repository] = Pusher::Told { left: PROMISE };
    next
}

fn read(state: State, steps: &mut Vec<Step>) {
    let mut next = state;
    match (state.reader, state.row) {
        (Reader::Idle, Some(key)) if state.is_readable(0) || state.is_readable(1) => {
            next.reader = Reader::Resolved { key, left: DELAY };
            steps.push(("reader looks up", Ok(next)));
        }
        (Reader::Resolved { key, .. }, _) => {
            next.reader = Reader::Idle;
            let found = state.objects[key];
            let outcome = if found { Ok(next) } else { Err(Promise::Read) };
            steps.push(("reader opens", outcome));
        }
        _ => {}
    }
}

/// What others do between the two does not matter to it, which is the mistake.
fn mark_and_sweep(state: State, steps: &mut Vec<Step>) {
    let mut next = state;
    match (state.collector, state.row) {
        (Collector::Idle, Some(_)) if !state.holds(0) && !state.holds(1) => {
            next.collector = Collector::Unmarked;
            steps.push(("mark", Ok(next)));
        }
        (Collector::Unmarked, Some(key)) => {
            next.collector = Collector::Idle;
            next.objects[key] = false;
            if !state.holds(0) && !state.holds(1) {
                (next.row, next.links) = (None, [None, None]);
            }
            steps.push(("sweep", Ok(next)));
        }
        (Collector::Unmarked, None) => {
            next.collector = Collector::Idle;
            steps.push(("sweep", Ok(next)));
        }
        _ => {}
    }
}

fn tick(state: State) -> State {
    let mut next = state;
    let later = |left: i8| {
        if left == PARKED {
            left
        } else {
            (left - 1).max(-1)
        }
    };
    for link in next.links.iter_mut().flatten() {
        link.lease = later(link.lease);
        link.readable = later(link.readable).max(0);
    }
    for left in next.trash.iter_mut().flatten() {
        *left = later(*left);
    }
    for pusher in &mut next.pushers {
        match pusher {
            Pusher::Idle => {}
            Pusher::Sent { age, .. } => *age = (*age + 1).min(ORPHAN),
            Pusher::Told { left } => *left = later(*left).max(0),
        }
    }
    next.reader = match state.reader {
        Reader::Resolved { key, left } if left > 0 => Reader::Resolved {
            key,
            left: left - 1,
        },
        // It has taken longer than the delay, and begins anew.
        _ => Reader::Idle,
    };
    next
}

/// A broken promise, and the fewest steps that lead to it.
#[derive(Debug)]
struct Failure {
    promise: Promise,
    steps: Vec<&'static str>,
}

/// Goes through all states, those with the fewest steps first. Returns how many there are, or how
/// one of the promises that are `watched` is broken.
fn search(machine: &Machine, watched: &[Promise]) -> Result<usize, Failure> {
    let mut seen = HashSet::from([State::START]);
    let mut found = vec![(State::START, 0, "")];
    let mut at = 0;
    while at < found.len() {
        for (name, outcome) in machine.steps(found[at].0) {
            match outcome {
                Ok(next) => {
                    let next = machine.rename(next);
                    if seen.insert(next) {
                        found.push((next, at, name));
                    }
                }
                Err(promise) if watched.contains(&promise) => {
                    let steps = way_to(&found, at, name);
                    return Err(Failure { promise, steps });
                }
                _ => {}
            }
        }
        at += 1;
    }
    Ok(found.len())
}

fn way_to(
    found: &[(State, usize, &'static str)],
    mut at: usize,
    last: &'static str,
) -> Vec<&'static str> {
    let mut steps = vec![last];
    while at != 0 {
        steps.push(found[at].2);
        at = found[at].1;
    }
    steps.reverse();
    steps
}

#[test]
fn no_order_of_events_breaks_a_promise_of_the_collector() {
    let all = [Promise::Content, Promise::Push, Promise::Read];
    let states = search(&Machine(None), &all).unwrap_or_else(|failure| panic!("{failure:?}"));
    assert!(
        states > 100_000,
        "only {states} states: somebody does nothing"
    );
}

#[test]
fn every_shortcut_breaks_a_promise() {
    for (shortcut, broken, step) in SHORTCUTS {
        let failure = search(&Machine(Some(shortcut)), &[broken]).expect_err("it breaks one");
        let Failure { promise, steps } = failure;
        assert_eq!(
            (promise, steps.last()),
            (broken, Some(&step)),
            "{shortcut:?}: {steps:?}"
        );
    }
}
