//! Many versions deleted and restored at once.

use naru_metadata::db::{Dialect, Statement};
use naru_model::{Clock, VersionId, VersionState};
use naru_registry::versions::VersionRef;
use naru_registry::versions::bulk::{BulkDeletion, MOST, MOST_LOOKED_AT, Selection, VersionFilter};
use naru_registry::versions::delete::DeleteOptions;
use naru_registry::versions::plan::{Fate, Obstacle};
use naru_registry::{Caller, Error};

use crate::World;
use crate::graph::{findings, image};
use crate::kit::{APP, DAY, delete_version, manifest_with, push_artifact, versions_of};
use crate::world::{Image, MANIFEST, container};

/// What becomes of a version, but for who keeps it.
const fn word(fate: &Fate) -> &'static str {
    match fate {
        Fate::Deleted => "deleted",
        Fate::Withdrawn { .. } => "withdrawn",
        Fate::Stays { .. } => "stays",
        Fate::Refused(Obstacle::LastTagged) => "last",
        Fate::Refused(_) => "refused",
    }
}

async fn delete(world: &World, caller: &Caller, selection: &Selection) -> BulkDeletion {
    delete_so(world, caller, selection, DeleteOptions::default()).await
}

pub(crate) async fn delete_so(
    world: &World,
    caller: &Caller,
    selection: &Selection,
    options: DeleteOptions,
) -> BulkDeletion {
    let path = container(APP);
    let registry = &world.registry;
    let preview = registry.preview_delete_versions(caller, &path, selection, options);
    let preview = preview.await.unwrap();
    let done = registry.delete_versions(caller, &path, selection, options);
    let done = done.await.unwrap();
    let sorted = |done: &BulkDeletion| {
        let versions = done.deletion.versions.iter();
        let mut fates: Vec<_> = versions.map(|v| (v.id, word(&v.fate))).collect();
        fates.sort_unstable();
        let mut unknown = done.unknown.clone();
        unknown.sort_unstable();
        let freed = done.deletion.freed_bytes;
        (fates, unknown, done.more, done.stop, freed)
    };
    assert_eq!(
        sorted(&preview),
        sorted(&done),
        "a preview says what happens"
    );
    done
}

async fn listed(world: &World, caller: &Caller) -> Vec<Vec<String>> {
    let listed = versions_of(world, caller, APP, VersionState::Listed).await;
    listed
        .unwrap()
        .into_iter()
        .map(|listed| listed.tags)
        .collect()
}

async fn ids(world: &World, caller: &Caller, state: VersionState) -> Vec<VersionId> {
    let found = versions_of(world, caller, APP, state).await.unwrap();
    found.into_iter().map(|found| found.version.id).collect()
}

fn untagged() -> Selection {
    Selection::Filter(VersionFilter {
        tagged: Some(false),
        ..VersionFilter::default()
    })
}

/// Five tagged images, a day apart.
async fn five_days(world: &World, caller: &Caller) {
    for tag in ["1", "2", "3", "4", "5"] {
        push_artifact(world, caller, APP, tag, &[tag.as_bytes()])
            .await
            .unwrap();
        world.clock.advance(DAY);
    }
}

#[tokio::test]
async fn everything_untagged_goes_but_what_a_tag_reaches() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let child = world.push(&octocat, APP, "amd64").await;
    world.push_index(&octocat, APP, "1", &[&child]).await;
    world.push(&octocat, APP, "amd64").await;
    let loose = image(&world, &octocat, APP, "loose").await;
    let moved = world.push_image(&octocat, APP, "amd64", "{\"a\":\"b\"}");
    moved.await.unwrap();
    let done = delete(&world, &octocat, &untagged()).await;
    let fates = done.deletion.versions.iter();
    let fates: Vec<_> = fates
        .map(|v| (&v.digest, v.fate == Fate::Deleted))
        .collect();
    assert!(fates.contains(&(&loose, true)) && fates.contains(&(&child.digest, false)));
    assert_eq!(listed(&world, &octocat).await, [["amd64"], ["1"]]);
    let Image { digest, .. } = child;
    assert!(world.pull(&octocat, APP, digest.as_str()).await.is_ok());
}

#[tokio::test]
async fn a_filter_takes_by_age_and_keeps_the_newest() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    five_days(&world, &octocat).await;
    let filter = |days: u32, keep_newest| {
        Selection::Filter(VersionFilter {
            older_than: Some(DAY * days),
            keep_newest,
            ..VersionFilter::default()
        })
    };
    delete(&world, &octocat, &filter(3, 1)).await;
    assert_eq!(listed(&world, &octocat).await, [["5"], ["4"], ["3"], ["2"]]);
    delete(&world, &octocat, &filter(2, 0)).await;
    assert_eq!(listed(&world, &octocat).await, [["5"], ["4"]]);
}

#[tokio::test]
async fn the_newest_tagged_version_is_spared_and_told() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    five_days(&world, &octocat).await;
    let everything = Selection::Filter(VersionFilter::default());
    let done = delete(&world, &octocat, &everything).await;
    let spared: Vec<_> = done
        .deletion
        .versions
        .iter()
        .filter(|version| version.fate == Fate::Refused(Obstacle::LastTagged))
        .map(|version| version.tags.clone())
        .collect();
    assert_eq!(spared, [["5"]]);
    assert_eq!(listed(&world, &octocat).await, [["5"]]);
}

#[tokio::test]
async fn what_is_not_there_is_told_and_the_others_go() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    five_days(&world, &octocat).await;
    let all = ids(&world, &octocat, VersionState::Listed).await;
    let gone = VersionRef::Id(*all.get(4).unwrap());
    delete_version(&world, &octocat, APP, &gone).await.unwrap();
    let absent = VersionId::new(987_654);
    let wanted = vec![all[3], absent, all[4], all[3]];
    let done = delete(&world, &octocat, &Selection::Ids(wanted)).await;
    assert_eq!(done.deletion.deleted(), [all[3]]);
    let mut unknown = done.unknown;
    unknown.sort_unstable();
    assert_eq!(unknown, [all[4], absent]);
}

#[tokio::test]
async fn what_was_deleted_at_once_comes_back_at_once() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    five_days(&world, &octocat).await;
    let before = listed(&world, &octocat).await;
    delete(
        &world,
        &octocat,
        &Selection::Filter(VersionFilter::default()),
    )
    .await;
    let path = container(APP);
    let everything = Selection::Filter(VersionFilter::default());
    let registry = &world.registry;
    let preview = registry.preview_restore_versions(&octocat, &path, &everything);
    assert_eq!(preview.await.unwrap().restoration.versions.len(), 4);
    assert_eq!(listed(&world, &octocat).await.len(), 1, "nothing changed");
    let removed = ids(&world, &octocat, VersionState::Deleted).await;
    let removed = Selection::Ids(removed);
    let done = registry.restore_versions(&octocat, &path, &removed);
    assert_eq!(done.await.unwrap().restoration.tags(), ["4", "3", "2", "1"]);
    assert_eq!(listed(&world, &octocat).await, before);
    assert_eq!(findings(&world).await, []);
}

#[tokio::test]
async fn a_request_takes_so_many_and_says_that_there_are_more() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    push_artifact(&world, &octocat, APP, "kept", &[b"kept"])
        .await
        .unwrap();
    let first = manifest_with(&[b"kept"], ",\"annotations\":{\"number\":\"0\"}");
    for number in 0..=MOST {
        let number = format!("\"number\":\"{number}\"");
        let content = first.replace("\"number\":\"0\"", &number);
        let pushed = world.put(&octocat, APP, None, MANIFEST, content);
        pushed.await.unwrap();
    }
    let done = delete(&world, &octocat, &untagged()).await;
    assert_eq!((done.deletion.deleted().len(), done.more), (MOST, true));
    let done = delete(&world, &octocat, &untagged()).await;
    assert_eq!((done.deletion.deleted().len(), done.more), (1, false));
}

/// So many small versions without a tag.
async fn fillers(world: &World, caller: &Caller, from: usize, count: usize) {
    for number in from..from + count {
        let content = manifest_with(
            &[],
            &format!(",\"annotations\":{{\"number\":\"{number}\"}}"),
        );
        let pushed = world.put(caller, APP, None, MANIFEST, content);
        pushed.await.unwrap();
    }
}

#[tokio::test]
async fn batches_refuse_no_more_than_a_preview_of_all_says() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    push_artifact(&world, &octocat, APP, "kept", &[b"kept"])
        .await
        .unwrap();
    // The children are the oldest, their index is the newest; and one has an index that stays.
    let amd = world.push(&octocat, APP, "amd64").await;
    let arm = world.push(&octocat, APP, "arm64").await;
    fillers(&world, &octocat, 0, 120).await;
    world.push_index(&octocat, APP, "both", &[&amd, &arm]).await;
    world.push_index(&octocat, APP, "stays", &[&arm]).await;
    let mut all = ids(&world, &octocat, VersionState::Listed).await;
    all.remove(0);
    all.pop();
    let all = Selection::Ids(all);
    let done = delete_so(&world, &octocat, &all, DeleteOptions::REFUSE).await;
    let refused = done.deletion.versions.iter();
    let refused: Vec<_> = refused.filter(|v| word(&v.fate) == "refused").collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused.first().unwrap().digest, arm.digest);
    assert_eq!(
        listed(&world, &octocat).await,
        [["stays"], ["arm64"], ["kept"]]
    );
    assert_eq!(findings(&world).await, []);
}

#[tokio::test]
async fn batches_spare_the_newest_tagged_version_in_whatever_order_they_are_named() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    five_days(&world, &octocat).await;
    fillers(&world, &octocat, 0, 120).await;
    let mut all = ids(&world, &octocat, VersionState::Listed).await;
    all.reverse();
    all.push(VersionId::new(987_654));
    let done = delete(&world, &octocat, &Selection::Ids(all)).await;
    assert_eq!(done.unknown, [VersionId::new(987_654)]);
    assert_eq!(listed(&world, &octocat).await, [["5"]]);
}

/// Makes the database refuse to change the row of a version, as a full disk might, or lets it again.
async fn refuse_changes(world: &World, version: Option<VersionId>) {
    let id = version.map_or(0, VersionId::get);
    let db = world.db().await;
    let texts = match (db.dialect(), version) {
        (Dialect::Sqlite, Some(_)) => vec![format!(
            "CREATE TRIGGER refuse BEFORE UPDATE ON versions WHEN NEW.id = {id}
                BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )],
        (Dialect::Postgres, Some(_)) => vec![
            format!(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN
                    IF NEW.id = {id} THEN RAISE EXCEPTION ''refused''; END IF; RETURN NEW; END'"
            ),
            "CREATE TRIGGER refuse BEFORE UPDATE ON versions
                FOR EACH ROW EXECUTE FUNCTION refuse()"
                .to_owned(),
        ],
        (Dialect::Sqlite, None) => vec!["DROP TRIGGER refuse".to_owned()],
        (Dialect::Postgres, None) => vec!["DROP TRIGGER refuse ON versions".to_owned()],
    };
    let mut tx = db.write().await.unwrap();
    for text in texts {
        let text: &'static str = Box::leak(text.into_boxed_str());
        let statement = Box::leak(Box::new(Statement::new("REFUSE", text)));
        tx.execute(statement, &[]).await.unwrap();
    }
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_batch_that_fails_undoes_nothing_before_it_and_says_that_there_is_more() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    push_artifact(&world, &octocat, APP, "kept", &[b"kept"])
        .await
        .unwrap();
    fillers(&world, &octocat, 0, 120).await;
    let (registry, path) = (&world.registry, container(APP));
    // The oldest go first, so that the newest is in the second batch.
    let newest = ids(&world, &octocat, VersionState::Listed).await[0];
    refuse_changes(&world, Some(newest)).await;
    let all = untagged();
    let done = registry
        .delete_versions(&octocat, &path, &all, DeleteOptions::default())
        .await
        .unwrap();
    let gone: Vec<_> = done.deletion.versions.iter().map(|v| v.id).collect();
    assert!(
        gone.len() >= 100 && !gone.contains(&newest),
        "{}",
        gone.len()
    );
    assert_eq!((done.more, done.stop), (true, None));
    let left = ids(&world, &octocat, VersionState::Listed).await;
    assert_eq!(left.len(), 121 - gone.len());
    // Nothing of the batch that failed is half done.
    assert!(left.contains(&newest) && findings(&world).await.is_empty());

    // The first batch alone has nothing to tell but the failure.
    let alone = Selection::Ids(vec![newest]);
    let refused = registry
        .delete_versions(&octocat, &path, &alone, DeleteOptions::default())
        .await;
    assert!(matches!(refused, Err(Error::Internal(_))), "{refused:?}");

    refuse_changes(&world, None).await;
    let rest = delete(&world, &octocat, &all).await;
    assert_eq!((rest.more, rest.stop), (false, None));
    assert_eq!(listed(&world, &octocat).await, [["kept"]]);
}

/// Adds so many tagged versions to the package, newer than all others.
async fn tagged(world: &World, count: i64) {
    static VERSIONS: Statement = Statement::new(
        "VERSIONS",
        "INSERT INTO versions (package_id, digest, media_type, size, created_at, updated_at, content)
            WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < $1)
            SELECT p.id, 'sha256:' || substr('0000000000000000000000000000000000000000000000000000000000000000', 1, 64 - length(CAST(n.i AS TEXT))) || CAST(n.i AS TEXT),
                'a/b', 2, $2 + n.i, $2 + n.i, $3
            FROM n, packages p",
    );
    static TAGS: Statement = Statement::new(
        "TAGS",
        "INSERT INTO tags (package_id, name, version_id, created_at, updated_at)
            SELECT v.package_id, 't' || CAST(v.id AS TEXT), v.id, v.created_at, v.created_at
            FROM versions v WHERE v.media_type = 'a/b'",
    );
    let db = world.db().await;
    let mut tx = db.write().await.unwrap();
    let (content, now): (&[u8], _) = (b"{}", world.clock.now());
    let args = [count.into(), now.into(), content.into()];
    tx.execute(&VERSIONS, &args).await.unwrap();
    tx.execute(&TAGS, &[]).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_filter_looks_at_so_many_and_says_where_to_go_on() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    world.push(&octocat, APP, "1").await;
    let loose = image(&world, &octocat, APP, "loose").await;
    let older = image(&world, &octocat, APP, "older").await;
    let most = i64::try_from(MOST_LOOKED_AT).unwrap();
    tagged(&world, most + 5).await;
    let filter = |after, keep_newest| {
        Selection::Filter(VersionFilter {
            tagged: Some(false),
            after,
            keep_newest,
            ..VersionFilter::default()
        })
    };
    let done = delete(&world, &octocat, &filter(None, 1)).await;
    assert_eq!((done.deletion.versions.len(), done.more), (0, true));
    let stop = done.stop.unwrap();
    assert_eq!(stop.keep_newest, 1, "none was seen of what it keeps");
    let rest = filter(Some(stop.after), stop.keep_newest);
    let done = delete(&world, &octocat, &rest).await;
    let gone: Vec<_> = done.deletion.versions.iter().map(|v| &v.digest).collect();
    assert_eq!(gone.len(), 1);
    assert!(gone == [&loose] || gone == [&older]);
    assert_eq!((done.more, done.stop), (false, None));
    let nowhere = filter(Some(VersionId::new(987_654)), 0);
    let refused = world
        .registry
        .delete_versions(
            &octocat,
            &container(APP),
            &nowhere,
            DeleteOptions::default(),
        )
        .await;
    assert!(
        matches!(refused, Err(Error::InvalidField { field: "after", .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_filter_knows_the_tags_that_deleted_versions_had() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    five_days(&world, &octocat).await;
    image(&world, &octocat, APP, "loose").await;
    let everything = Selection::Filter(VersionFilter::default());
    delete(&world, &octocat, &everything).await;
    let path = container(APP);
    let restore = async |filter: VersionFilter| {
        let filter = Selection::Filter(filter);
        let done = world.registry.restore_versions(&octocat, &path, &filter);
        done.await.unwrap().restoration
    };
    let back = restore(VersionFilter {
        tags: vec!["[12]".parse().unwrap()],
        keep_tags: vec!["2".parse().unwrap()],
        ..VersionFilter::default()
    });
    assert_eq!(back.await.tags(), ["1"]);
    let loose = restore(VersionFilter {
        tagged: Some(false),
        ..VersionFilter::default()
    });
    let loose = loose.await;
    assert_eq!((loose.versions.len(), loose.tags().len()), (1, 0));
    let rest = restore(VersionFilter {
        tagged: Some(true),
        ..VersionFilter::default()
    });
    assert_eq!(rest.await.tags(), ["4", "3", "2"]);
}

#[tokio::test]
async fn only_administrators_delete_and_restore_many() {
    let world = World::new().await;
    let octocat = world.person("octocat").await;
    let hubot = world.person("hubot").await;
    world.push(&octocat, APP, "1").await;
    let path = container(APP);
    let registry = &world.registry;
    let options = DeleteOptions::default();
    for refused in [
        registry
            .delete_versions(&hubot, &path, &untagged(), options)
            .await
            .err(),
        registry
            .preview_delete_versions(&hubot, &path, &untagged(), options)
            .await
            .err(),
        registry
            .restore_versions(&hubot, &path, &untagged())
            .await
            .err(),
    ] {
        assert!(matches!(refused, Some(Error::Refused(_))), "{refused:?}");
    }
}
