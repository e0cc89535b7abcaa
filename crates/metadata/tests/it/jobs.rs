//! Recurring work happens once, however many processes run.

use crate::home::{ask, at, change};
use crate::{Home, on_both};
use naru_metadata::{Db, SchemaPolicy, instance, jobs};

on_both!(
    a_job_is_claimed_by_one_and_runs_again_when_it_said,
    a_lease_that_ran_out_goes_to_another_and_the_first_hears_so,
    of_many_that_claim_at_once_each_job_has_one,
    whoever_sets_the_instance_up_first_is_the_only_one,
);

const NAMES: &[&str] = &["collect", "expire"];

async fn claim(db: &Db, by: &str, now: i64, until: i64) -> Option<String> {
    let claimed = change(db, async |tx| {
        jobs::claim(tx, NAMES, by, at(now), at(until)).await
    })
    .await;
    claimed.unwrap().map(|job| job.name)
}

async fn with_jobs(home: &Home) -> Db {
    let db = home.open().await;
    change(&db, async |tx| {
        jobs::ensure(tx, "collect", at(10)).await?;
        jobs::ensure(tx, "expire", at(5)).await?;
        // A second process changes nothing.
        jobs::ensure(tx, "expire", at(500)).await
    })
    .await
    .unwrap();
    db
}

async fn a_job_is_claimed_by_one_and_runs_again_when_it_said(home: Home) {
    let db = with_jobs(&home).await;
    assert_eq!(claim(&db, "one", 4, 60).await, None);
    assert_eq!(claim(&db, "one", 20, 60).await.as_deref(), Some("expire"));
    assert_eq!(
        claim(&db, "other", 20, 60).await.as_deref(),
        Some("collect")
    );
    assert_eq!(claim(&db, "third", 20, 60).await, None);
    let ending = jobs::Ending {
        now: at(21),
        result: "3 uploads",
        next_at: at(100),
    };
    let noted = change(&db, async |tx| {
        jobs::finish(tx, "expire", "one", ending).await
    })
    .await;
    assert!(noted.unwrap());
    let job = ask(&db, async |conn| jobs::all(conn).await)
        .await
        .pop()
        .unwrap();
    assert_eq!(
        (job.lease_by, job.last_at, job.next_at),
        (None, Some(at(21)), at(100))
    );
    assert_eq!(job.last_result.as_deref(), Some("3 uploads"));
    assert_eq!(claim(&db, "one", 30, 60).await, None);
    change(&db, async |tx| jobs::hurry(tx, "expire", at(30)).await)
        .await
        .unwrap();
    assert_eq!(claim(&db, "one", 30, 60).await.as_deref(), Some("expire"));
}

async fn a_lease_that_ran_out_goes_to_another_and_the_first_hears_so(home: Home) {
    let db = with_jobs(&home).await;
    assert_eq!(claim(&db, "slow", 6, 8).await.as_deref(), Some("expire"));
    let kept = change(&db, async |tx| {
        jobs::renew(tx, "expire", "slow", at(9)).await
    })
    .await;
    assert!(kept.unwrap());
    assert_eq!(claim(&db, "quick", 8, 60).await, None);
    assert_eq!(claim(&db, "quick", 9, 60).await.as_deref(), Some("expire"));
    let kept = change(&db, async |tx| {
        jobs::renew(tx, "expire", "slow", at(99)).await
    })
    .await;
    assert!(!kept.unwrap());
    let ending = jobs::Ending {
        now: at(9),
        result: "",
        next_at: at(99),
    };
    let noted = change(&db, async |tx| {
        jobs::finish(tx, "expire", "slow", ending).await
    })
    .await;
    assert!(!noted.unwrap());
    change(&db, async |tx| jobs::release_all(tx, "quick").await)
        .await
        .unwrap();
    assert_eq!(claim(&db, "third", 9, 60).await.as_deref(), Some("expire"));
}

async fn of_many_that_claim_at_once_each_job_has_one(home: Home) {
    let one = with_jobs(&home).await;
    let other = home.open_as(SchemaPolicy::MustMatch).await.unwrap();
    let claims = (0..20).map(|number| {
        let db = if number % 2 == 0 {
            one.clone()
        } else {
            other.clone()
        };
        async move { claim(&db, &number.to_string(), 20, 60).await }
    });
    let claimed = futures_util::future::join_all(claims).await;
    let mut claimed: Vec<_> = claimed.into_iter().flatten().collect();
    claimed.sort_unstable();
    assert_eq!(claimed, ["collect", "expire"]);
}

async fn whoever_sets_the_instance_up_first_is_the_only_one(home: Home) {
    let db = home.open().await;
    let first = |who: &'static str| {
        let db = db.clone();
        async move { change(&db, async |tx| instance::claim(tx, "set_up", who).await).await }
    };
    let (one, other) = tokio::join!(first("one"), first("other"));
    assert_ne!(one.unwrap(), other.unwrap());
}
