//! Random graphs of images, indexes and referrers under random pushes, deletes and restores,
//! against a model that knows nothing of how it is done: it computes afresh, over the whole
//! package, what a listed version reaches.
//!
//! Held after every step: what is listed, served and deleted is what the model says; every tag
//! pulls its whole tree byte for byte, referrers included; and what nothing listed reaches is gone,
//! bytes and all.

use std::collections::{BTreeMap, BTreeSet};

use naru_model::{Cascade, Needed, VersionState};
use naru_oci::Digest;
use naru_registry::garbage_collection::Sweep;
use naru_registry::versions::VersionRef;
use naru_registry::versions::delete::DeleteOptions;
use naru_registry::{Caller, Error};

use crate::World;
use crate::graph::{findings, image_content, index_content};
use crate::kit::{
    DAY, collect, delete_manifest, digest_of, is_unknown, push_blob, readable, stat, versions_of,
};
use crate::world::{INDEX, MANIFEST, container};

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (sides as u64)).unwrap()
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.roll(from.len())].clone())
    }
}

/// What a manifest says.
#[derive(Clone, Debug)]
struct Content {
    text: String,
    layer: Option<String>,
    children: Vec<Digest>,
    subject: Option<Digest>,
}

/// What became of a version, by what people did to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    /// When somebody deleted it, over REST.
    removed_at: Option<u64>,
    /// When it went into the bin.
    gone_at: Option<u64>,
}

impl State {
    fn is_listed(self) -> bool {
        self == Self::default()
    }
}

#[derive(Default)]
struct Model {
    contents: BTreeMap<Digest, Content>,
    states: BTreeMap<Digest, State>,
    tags: BTreeMap<String, Digest>,
    /// The tags that a version lost when it was removed.
    lost: BTreeMap<Digest, BTreeSet<String>>,
    step: u64,
}

impl Model {
    fn listed(&self) -> BTreeSet<Digest> {
        self.with(|state| state.is_listed())
    }

    fn served(&self) -> BTreeSet<Digest> {
        self.with(|state| state.gone_at.is_none())
    }

    fn with(&self, is_wanted: impl Fn(State) -> bool) -> BTreeSet<Digest> {
        let states = self.states.iter();
        let wanted = states.filter(|(_, state)| is_wanted(**state));
        wanted.map(|(digest, _)| digest.clone()).collect()
    }

    fn referrers(&self, subject: &Digest) -> BTreeSet<Digest> {
        let names = |digest: &Digest| self.contents[digest].subject.as_ref() == Some(subject);
        self.served().into_iter().filter(names).collect()
    }

    fn below(&self, digest: &Digest) -> BTreeSet<Digest> {
        let children = self.contents[digest].children.iter().cloned();
        children.chain(self.referrers(digest)).collect()
    }

    /// What these reach among what is served.
    fn reach(&self, roots: BTreeSet<Digest>) -> BTreeSet<Digest> {
        let served = self.served();
        let mut reached = BTreeSet::new();
        let mut waiting: Vec<Digest> = roots.into_iter().collect();
        while let Some(digest) = waiting.pop() {
            if served.contains(&digest) && reached.insert(digest.clone()) {
                waiting.extend(self.below(&digest));
            }
        }
        reached
    }

    /// What nothing listed reaches goes.
    fn settle(&mut self) {
        let kept = self.reach(self.listed());
        for (digest, state) in &mut self.states {
            if state.gone_at.is_none() && !kept.contains(digest) {
                state.gone_at = Some(self.step);
            }
        }
    }

    fn push(&mut self, digest: &Digest, content: Content, tag: Option<&str>) {
        self.contents.insert(digest.clone(), content);
        self.states.insert(digest.clone(), State::default());
        if let Some(tag) = tag {
            self.tags.insert(tag.to_owned(), digest.clone());
        }
    }

    fn take_tags(&mut self, digest: &Digest) {
        let own = self.tags.iter().filter(|(_, tagged)| *tagged == digest);
        let own: BTreeSet<String> = own.map(|(tag, _)| tag.clone()).collect();
        self.tags.retain(|_, tagged| tagged != digest);
        self.lost.insert(digest.clone(), own);
    }

    fn remove(&mut self, digest: &Digest) {
        self.take_tags(digest);
        self.states.entry(digest.clone()).or_default().removed_at = Some(self.step);
    }

    /// Deletes over REST: the version, and what is to go along and nothing else reaches.
    fn delete(&mut self, digest: &Digest, cascade: Cascade) {
        let before = self.states.clone();
        let mut along = self.closure(digest, cascade);
        along.remove(digest);
        for one in along.iter().chain([digest]) {
            self.states.entry(one.clone()).or_default().removed_at = Some(self.step);
        }
        let kept = self.reach(self.listed());
        self.states = before;
        along.retain(|one| !kept.contains(one));
        for one in along.iter().chain([digest]) {
            self.remove(one);
        }
        self.settle();
        self.straight_from_the_lists();
    }

    /// What went straight from the lists into the bin comes back into the lists.
    fn straight_from_the_lists(&mut self) {
        for state in self.states.values_mut() {
            if state.gone_at == Some(self.step) && state.removed_at == Some(self.step) {
                state.removed_at = None;
            }
        }
    }

    /// Listed versions below, by what is to go along.
    fn closure(&self, digest: &Digest, cascade: Cascade) -> BTreeSet<Digest> {
        let served = self.served();
        let mut reached = BTreeSet::new();
        let mut waiting = vec![digest.clone()];
        while let Some(next) = waiting.pop() {
            if !served.contains(&next) || !reached.insert(next.clone()) {
                continue;
            }
            if cascade.takes_children() {
                waiting.extend(self.contents[&next].children.iter().cloned());
            }
            if cascade.takes_referrers() {
                waiting.extend(self.referrers(&next));
            }
        }
        reached.retain(|one| self.states[one].is_listed());
        reached
    }

    fn no_tag_but_of(&self, gone: &BTreeSet<Digest>) -> bool {
        let own = self.tags.values().any(|tagged| gone.contains(tagged));
        own && self.tags.values().all(|tagged| gone.contains(tagged))
    }

    fn is_needed(&self, digest: &Digest) -> bool {
        let mut others = self.listed();
        others.remove(digest);
        self.reach(others).contains(digest)
    }

    fn live_parent(&self, digest: &Digest) -> bool {
        let served = self.served();
        let mut served = served.iter();
        served.any(|one| self.contents[one].children.contains(digest))
    }

    /// Deletes over `/v2`, whatever keeps it.
    fn erase(&mut self, digest: &Digest) {
        if self.states[digest].is_listed() {
            self.take_tags(digest);
        }
        self.lost.entry(digest.clone()).or_default();
        if self.states[digest].removed_at.is_some() {
            self.lost.insert(digest.clone(), BTreeSet::new());
        }
        let gone_at = Some(self.step);
        let erased = State {
            removed_at: None,
            gone_at,
        };
        self.states.insert(digest.clone(), erased);
        self.settle();
    }

    fn restore(&mut self, digest: &Digest) {
        let went = self.states[digest].gone_at;
        self.relist(digest);
        let mut waiting = vec![(digest.clone(), went)];
        while let Some((from, went)) = waiting.pop() {
            let children = self.contents[&from].children.clone();
            let all: Vec<Digest> = self.contents.keys().cloned().collect();
            let referrers = all.into_iter().filter(|one| {
                let state = self.states[one];
                self.contents[one].subject.as_ref() == Some(&from)
                    && (state.gone_at == went || state.removed_at.is_some())
            });
            let found: Vec<Digest> = children.into_iter().chain(referrers).collect();
            for one in found {
                let state = self.states[&one];
                if state.gone_at.is_none() {
                    continue;
                }
                if state.removed_at.is_none() {
                    self.relist(&one);
                } else {
                    self.states.entry(one.clone()).or_default().gone_at = None;
                }
                waiting.push((one, state.gone_at));
            }
        }
    }

    fn relist(&mut self, digest: &Digest) {
        self.states.insert(digest.clone(), State::default());
        for tag in self.lost.remove(digest).unwrap_or_default() {
            self.tags.entry(tag).or_insert_with(|| digest.clone());
        }
    }
}

/// One package under test.
struct Case<'w> {
    world: &'w World,
    caller: &'w Caller,
    package: String,
    dice: Dice,
    model: Model,
    log: Vec<String>,
}

impl Case<'_> {
    async fn step(&mut self) {
        self.model.step += 1;
        self.world.clock.advance(std::time::Duration::from_secs(1));
        match self.dice.roll(10) {
            0..=2 => self.push_new().await,
            3 => self.push_again().await,
            4..=6 => self.delete().await,
            7 => self.erase().await,
            _ => self.restore().await,
        }
    }

    async fn push_new(&mut self) {
        let served: Vec<Digest> = self.model.served().into_iter().collect();
        let known: Vec<Digest> = self.model.contents.keys().cloned().collect();
        let mut subject = None;
        if self.dice.roll(3) == 0 {
            subject = self.dice.pick(&known);
        }
        let mut children: BTreeSet<Digest> = BTreeSet::new();
        if self.dice.roll(2) == 0 {
            for _ in 0..=self.dice.roll(3) {
                children.extend(self.dice.pick(&served));
            }
        }
        let sized = |digest: &Digest| self.model.contents[digest].text.len();
        let subject_sized = subject.as_ref().map(|subject| (subject, sized(subject)));
        let content = if children.is_empty() {
            let layer = format!("layer {} of {}", self.model.step, self.package);
            let text = image_content(&layer, subject_sized);
            Content {
                text,
                layer: Some(layer),
                children: Vec::new(),
                subject,
            }
        } else {
            let children: Vec<Digest> = children.into_iter().collect();
            let entries: Vec<_> = children.iter().map(|child| (child, sized(child))).collect();
            Content {
                text: index_content(&entries, subject_sized),
                layer: None,
                children,
                subject,
            }
        };
        self.push(content).await;
    }

    async fn push_again(&mut self) {
        let known: Vec<Digest> = self.model.contents.keys().cloned().collect();
        if let Some(digest) = self.dice.pick(&known) {
            self.push(self.model.contents[&digest].clone()).await;
        }
    }

    async fn push(&mut self, content: Content) {
        let served = self.model.served();
        let tag = (self.dice.roll(2) == 0).then(|| format!("t{}", self.dice.roll(4)));
        if let Some(layer) = &content.layer {
            push_blob(self.world, self.caller, &self.package, b"{}").await;
            push_blob(self.world, self.caller, &self.package, layer.as_bytes()).await;
        }
        let media_type = match content.layer {
            Some(_) => MANIFEST,
            None => INDEX,
        };
        let digest = digest_of(content.text.as_bytes());
        self.log.push(format!("push {digest} {content:?} {tag:?}"));
        let text = content.text.clone();
        let (tag, package) = (tag.as_deref(), self.package.as_str());
        let pushed = self
            .world
            .put(self.caller, package, tag, media_type, text)
            .await;
        // A served one needs nothing new; an index in the bin needs its children to be served.
        let is_served = served.contains(&digest);
        let complete = content.children.iter().all(|child| served.contains(child));
        match pushed {
            Ok(_) => {
                assert!(is_served || complete, "{:#?}", self.log);
                self.model.push(&digest, content, tag);
            }
            Err(Error::ManifestBlobUnknown(_)) => {
                assert!(!is_served && !complete, "{:#?}", self.log);
            }
            Err(error) => panic!("{error} {:#?}", self.log),
        }
    }

    async fn delete(&mut self) {
        let listed: Vec<Digest> = self.model.listed().into_iter().collect();
        let Some(digest) = self.dice.pick(&listed) else {
            return;
        };
        let mut cascade = self.dice.pick(Cascade::ALL).unwrap();
        let is_tagged = self.model.tags.values().any(|tagged| *tagged == digest);
        let all = self.model.closure(&digest, cascade);
        if !is_tagged && self.model.no_tag_but_of(&all) {
            // Which of them is spared is said elsewhere.
            cascade = Cascade::None;
        }
        let needed = self.dice.pick(Needed::ALL);
        let options = DeleteOptions { needed, cascade };
        self.log.push(format!("delete {digest} {options:?}"));
        let version = VersionRef::Digest(digest.clone());
        let path = container(&self.package);
        let registry = &self.world.registry;
        let preview = registry
            .preview_delete_version(self.caller, &path, &version, options)
            .await
            .unwrap();
        let done = registry
            .delete_version(self.caller, &path, &version, options)
            .await;
        let mut concerned = self.model.closure(&digest, cascade);
        concerned.insert(digest.clone());
        match done {
            Ok(done) => {
                assert_eq!(preview, done, "{:#?}", self.log);
                let last = self.model.no_tag_but_of(&concerned);
                assert!(!last, "{:#?}", self.log);
                let before = self.model.served();
                self.model.delete(&digest, cascade);
                let gone: BTreeSet<Digest> =
                    before.difference(&self.model.served()).cloned().collect();
                let said = done.versions.iter();
                let said = said.filter(|one| done.deleted().contains(&one.id));
                let said: BTreeSet<Digest> = said.map(|one| one.digest.clone()).collect();
                assert_eq!(said, gone, "{:#?}", self.log);
            }
            Err(Error::Undeletable(_)) => {
                assert!(self.model.no_tag_but_of(&concerned), "{:#?}", self.log);
            }
            Err(Error::StillNeeded { .. }) => {
                assert_eq!(needed, Some(Needed::Refuse));
                assert!(self.model.is_needed(&digest), "{:#?}", self.log);
            }
            Err(error) => panic!("{error} {:#?}", self.log),
        }
    }

    async fn erase(&mut self) {
        let served: Vec<Digest> = self.model.served().into_iter().collect();
        let Some(digest) = self.dice.pick(&served) else {
            return;
        };
        self.log.push(format!("erase {digest}"));
        let done = delete_manifest(self.world, self.caller, &self.package, &digest).await;
        match done {
            Ok(()) => {
                assert!(!self.model.live_parent(&digest), "{:#?}", self.log);
                self.model.erase(&digest);
            }
            Err(Error::StillNeeded { .. }) => {
                assert!(self.model.live_parent(&digest), "{:#?}", self.log);
            }
            Err(error) => panic!("{error} {:#?}", self.log),
        }
    }

    async fn restore(&mut self) {
        let removed: Vec<Digest> = self
            .model
            .with(|state| !state.is_listed())
            .into_iter()
            .collect();
        let Some(digest) = self.dice.pick(&removed) else {
            return;
        };
        self.log.push(format!("restore {digest}"));
        let version = VersionRef::Digest(digest.clone());
        let path = container(&self.package);
        let registry = &self.world.registry;
        registry
            .restore_version(self.caller, &path, &version)
            .await
            .unwrap();
        self.model.restore(&digest);
    }

    /// Everything that is seen from outside is what the model says.
    async fn check(&self) {
        let (listed, served) = (self.model.listed(), self.model.served());
        let everything: BTreeSet<Digest> = self.model.contents.keys().cloned().collect();
        let removed = everything.difference(&listed).cloned().collect();
        for (state, expected) in [
            (VersionState::Listed, &listed),
            (VersionState::Active, &served),
            (VersionState::Deleted, &removed),
        ] {
            let found = versions_of(self.world, self.caller, &self.package, state).await;
            let found = found.unwrap().into_iter();
            let found: BTreeSet<Digest> = found.map(|one| one.version.digest).collect();
            assert_eq!(found, *expected, "{state} {:#?}", self.log);
        }
        assert_eq!(self.model.reach(listed), served, "the model itself");
        for digest in &everything {
            self.check_version(digest, served.contains(digest)).await;
        }
        for (tag, digest) in &self.model.tags {
            let pulled = self.world.pull(self.caller, &self.package, tag).await;
            assert_eq!(pulled.ok().as_ref(), Some(digest), "{tag} {:#?}", self.log);
        }
    }

    async fn check_version(&self, digest: &Digest, is_served: bool) {
        let (registry, caller) = (&self.world.registry, self.caller);
        let content = &self.model.contents[digest];
        let name = digest.as_str();
        let pulled = self.world.pull(caller, &self.package, name).await;
        assert_eq!(pulled.is_ok(), is_served, "{digest} {:#?}", self.log);
        if let Some(layer) = &content.layer {
            let found = stat(
                registry,
                caller,
                &self.package,
                &digest_of(layer.as_bytes()),
            )
            .await;
            assert_eq!(is_unknown(&found), !is_served, "{layer} {:#?}", self.log);
        }
        if !is_served {
            return;
        }
        let text = self.world.content(caller, &self.package, name).await;
        assert_eq!(text, content.text);
        let package = readable(registry, caller, &self.package).await;
        let page = registry.referrers(&package, digest, None, None).await;
        let found = page.unwrap().descriptors.into_iter();
        let found: BTreeSet<Digest> = found.map(|one| one.digest).collect();
        assert_eq!(found, self.model.referrers(digest), "{:#?}", self.log);
    }
}

async fn run(world: &World, caller: &Caller, seed: u64, steps: usize) -> Model {
    let mut case = Case {
        world,
        caller,
        package: format!("octocat/case-{seed}"),
        dice: Dice(0x9E37_79B9_7F4A_7C15 ^ (seed + 1)),
        model: Model::default(),
        log: vec![format!("seed {seed}")],
    };
    while case.model.contents.len() < 3 {
        case.model.step += 1;
        case.push_new().await;
    }
    for _ in 0..steps {
        case.step().await;
        case.check().await;
    }
    case.model
}

#[tokio::test]
async fn tagged_trees_stay_whole_and_what_nothing_reaches_goes() {
    let world = World::new().await;
    let caller = world.person("octocat").await;
    let mut models = Vec::new();
    for seed in 0..24 {
        models.push((seed, run(&world, &caller, seed, 40).await));
    }
    assert_eq!(findings(&world).await, []);
    world.clock.advance(31 * DAY);
    collect(&world, Sweep::Full).await;
    world.clock.advance(9 * DAY);
    collect(&world, Sweep::Full).await;
    assert_eq!(findings(&world).await, []);
    for (seed, model) in models {
        let package = format!("octocat/case-{seed}");
        let removed = versions_of(&world, &caller, &package, VersionState::Deleted).await;
        let removed: BTreeSet<Digest> = removed
            .unwrap()
            .into_iter()
            .filter(|one| one.version.deleted_at.is_some())
            .map(|one| one.version.digest)
            .collect();
        assert_eq!(removed, BTreeSet::new(), "the bin is empty after its time");
        for digest in model.served() {
            let text = world.content(&caller, &package, digest.as_str()).await;
            assert_eq!(text, model.contents[&digest].text);
            if let Some(layer) = &model.contents[&digest].layer {
                let digest = digest_of(layer.as_bytes());
                let found = crate::world::blob(&world.registry, &caller, &package, &digest).await;
                assert_eq!(found.unwrap(), layer.as_bytes());
            }
        }
    }
}
