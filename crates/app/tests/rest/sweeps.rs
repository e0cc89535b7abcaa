//! The clean-up tools that people point at GitHub, pointed at Naru: none of them stops, and
//! whatever is tagged afterwards is whole (contract D6, L1; PRODUCT, "REST: decisions").

use crate::api::SCOPES;
use crate::cleanup::Job;
use crate::cleanup::container_retention_policy::{self as retention, Wish as Retention};
use crate::cleanup::delete_package_versions::{self as versions, Wish as Versions};
use crate::cleanup::fleet::Fleet;
use crate::cleanup::ghcr_cleanup_action::{self as cleanup, Wish as Cleanup};
use crate::kit::http::Credential;
use crate::kit::repo::Repo;
use crate::kit::server::plain;

/// A fleet in a package of somebody new, with the job of cleaning it.
fn at_users(name: &str) -> (Fleet<'static>, Job<'static>) {
    plain().user(name);
    let token = plain().token(name, SCOPES);
    laid_out(name, name, false, &token)
}

/// The same in an organization of somebody new.
fn at_organizations(name: &str) -> (Fleet<'static>, Job<'static>) {
    plain().user(name);
    let token = plain().token(name, SCOPES);
    let organization = format!("{name}-org");
    plain().naru(["org", "create", &organization, "--owner", name]);
    laid_out(name, &organization, true, &token)
}

fn laid_out(
    user: &str,
    owner: &str,
    is_organization: bool,
    token: &str,
) -> (Fleet<'static>, Job<'static>) {
    let package = "harbour/app".to_owned();
    let credential = Credential::basic(user, token);
    let fleet = Fleet::push(Repo::new(
        plain(),
        &format!("{owner}/{package}"),
        credential,
    ));
    let job = Job {
        server: plain(),
        token: token.to_owned(),
        owner: owner.to_owned(),
        is_organization,
        package,
    };
    (fleet, job)
}

const EVERYTHING: &[&str] = &["1.0", "1.1", "1.2", "latest"];

#[test]
fn deleting_untagged_versions_breaks_no_image() {
    for (fleet, job) in [
        at_users("sweep-untagged"),
        at_organizations("sweep-untagged-o"),
    ] {
        let deleted = versions::run(&job, Versions::Untagged { keep: 0 });
        // Children, attestations, abandoned indexes and bundles: all are untagged.
        assert!(deleted.len() > 15, "{}", deleted.len());
        fleet.assert_whole(EVERYTHING);
        assert_eq!(versions::run(&job, Versions::Untagged { keep: 0 }), []);
        for index in &fleet.abandoned {
            fleet
                .repo
                .get(&format!("manifests/{}", index.digest))
                .send()
                .expect(404);
        }
    }
}

#[test]
fn keeping_the_newest_versions_breaks_no_image_that_stays() {
    let (fleet, job) = at_users("sweep-newest");
    // The last release, its parts and its signatures, and nothing else.
    versions::run(&job, Versions::KeepNewest(4));
    fleet.assert_whole(&["1.2", "latest"]);
}

#[test]
fn the_clean_up_action_deletes_what_is_abandoned_and_finds_nothing_amiss() {
    for (fleet, job) in [at_users("sweep-action"), at_organizations("sweep-action-o")] {
        let wish = Cleanup {
            untagged: true,
            validate: true,
            ..Cleanup::default()
        };
        let deleted = cleanup::run(&job, &wish);
        for index in &fleet.abandoned {
            assert!(deleted.contains(&index.digest));
        }
        fleet.assert_whole(EVERYTHING);
        assert_eq!(cleanup::run(&job, &wish), [].into());
    }
}

#[test]
fn the_clean_up_action_finds_images_whole_after_another_tool_deleted_their_parts() {
    let (fleet, job) = at_users("sweep-after");
    versions::run(&job, Versions::Untagged { keep: 0 });
    let wish = Cleanup {
        untagged: true,
        validate: true,
        ..Cleanup::default()
    };
    assert_eq!(cleanup::run(&job, &wish), [].into());
    fleet.assert_whole(EVERYTHING);
}

#[test]
fn the_clean_up_action_takes_a_tag_away_and_leaves_the_image() {
    let (fleet, job) = at_users("sweep-tag");
    let wish = Cleanup {
        delete_tags: vec!["latest".to_owned()],
        validate: true,
        ..Cleanup::default()
    };
    cleanup::run(&job, &wish);
    fleet.assert_whole(&["1.0", "1.1", "1.2"]);
}

#[test]
fn the_clean_up_action_keeps_the_newest_releases() {
    let (fleet, job) = at_users("sweep-keep");
    let wish = Cleanup {
        keep_tagged: Some(1),
        validate: true,
        ..Cleanup::default()
    };
    cleanup::run(&job, &wish);
    fleet.assert_whole(&["1.2", "latest"]);
}

#[test]
fn the_retention_policy_breaks_no_image_whether_or_not_it_protects_their_parts() {
    for (name, protects) in [("sweep-blunt", false), ("sweep-careful", true)] {
        for (fleet, job) in [at_users(name), at_organizations(&format!("{name}-o"))] {
            let wish = Retention {
                protects,
                tagged_too: false,
                keep: 0,
            };
            let deleted = retention::run(&job, wish);
            assert!(deleted.len() >= fleet.abandoned.len());
            fleet.assert_whole(EVERYTHING);
        }
    }
}

#[test]
fn the_retention_policy_keeps_the_newest_releases_whole() {
    let (fleet, job) = at_users("sweep-policy");
    // The newest release and its signature tag.
    let wish = Retention {
        protects: true,
        tagged_too: true,
        keep: 2,
    };
    retention::run(&job, wish);
    fleet.assert_whole(&["1.2", "latest"]);
}
