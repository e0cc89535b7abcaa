//! Many versions of a package in which everything hangs together somehow: whatever is deleted at
//! once, a preview says it before.

use naru_model::{Cascade, Needed, VersionId, VersionState};
use naru_oci::Digest;
use naru_registry::Caller;
use naru_registry::versions::bulk::Selection;
use naru_registry::versions::delete::DeleteOptions;

use crate::World;
use crate::bulk::delete_so;
use crate::graph::{findings, image_content, index_content};
use crate::kit::{APP, push_blob, versions_of};
use crate::world::{INDEX, MANIFEST};

const IMAGES: usize = 60;
const INDEXES: usize = 100;

/// Numbers that a seed leads to.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        let Self(state) = self;
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(*state >> 33).unwrap() % end
    }
}

/// Images and indexes of them and of each other, some of which refer to another one; every tenth
/// has a tag.
async fn fill(world: &World, caller: &Caller, numbers: &mut Numbers) {
    push_blob(world, caller, APP, b"{}").await;
    let mut pushed: Vec<(Digest, usize)> = Vec::new();
    for number in 0..IMAGES + INDEXES {
        let mut any = || pushed.get(numbers.below(pushed.len().max(1)));
        let subject = any().filter(|_| number % 3 == 0);
        let subject = subject.map(|(digest, size)| (digest, *size));
        let (media_type, content) = if number < IMAGES {
            let layer = format!("layer {number}");
            push_blob(world, caller, APP, layer.as_bytes()).await;
            (MANIFEST, image_content(&layer, subject))
        } else {
            let children: Vec<_> = (0..1 + number % 3).filter_map(|_| any()).collect();
            let children = children.iter().map(|(digest, size)| (digest, *size));
            let children: Vec<_> = children.collect();
            (INDEX, index_content(&children, subject))
        };
        let tag = (number % 10 == 0).then(|| format!("t{number}"));
        let size = content.len();
        let digest = world.put(caller, APP, tag.as_deref(), media_type, content);
        pushed.push((digest.await.unwrap(), size));
    }
}

async fn check(seed: u64, options: DeleteOptions) {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let mut numbers = Numbers(seed);
    fill(&world, &octocat, &mut numbers).await;
    let listed = versions_of(&world, &octocat, APP, VersionState::Listed).await;
    let mut all: Vec<VersionId> = listed.unwrap().iter().map(|one| one.version.id).collect();
    while all.len() > 130 {
        all.swap_remove(numbers.below(all.len()));
    }
    delete_so(&world, &octocat, &Selection::Ids(all), options).await;
    assert_eq!(findings(&world).await, []);
}

#[tokio::test]
async fn batches_do_what_a_preview_of_all_says_whatever_hangs_together() {
    for (seed, needed, cascade) in [
        (1, Needed::Refuse, Cascade::None),
        (2, Needed::Refuse, Cascade::All),
        (3, Needed::Withdraw, Cascade::All),
    ] {
        let options = DeleteOptions {
            needed: Some(needed),
            cascade,
        };
        check(seed, options).await;
    }
}
