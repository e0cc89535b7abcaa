//! The clean-up tools, run against real images for two platforms with real signatures and
//! attestations: afterwards everything tagged is pulled on every platform, and cosign finds
//! nothing amiss.

use std::fs;
use std::process::Command;
use std::sync::OnceLock;

use naru_testkit::services::absent;

use crate::cleanup::Job;
use crate::cleanup::container_retention_policy::{self as retention, Wish as Retention};
use crate::cleanup::delete_package_versions::{self as versions, Wish as Versions};
use crate::cleanup::ghcr_cleanup_action::{self as cleanup, Wish as Cleanup};
use crate::cosign::cosign;
use crate::crane::crane;
use crate::kit::http::Credential;
use crate::kit::repo::Repo;
use crate::kit::server::Server;
use crate::stock;
use crate::support::{Person, succeeds};

const PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64"];

/// Flags of cosign that keep it from asking anybody but the registry.
const OFFLINE: [&str; 3] = [
    "--tlog-upload=false",
    "--use-signing-config=false",
    "--key=cosign.key",
];
const ALONE: [&str; 3] = [
    "--insecure-ignore-tlog=true",
    "--private-infrastructure=true",
    "--key=cosign.pub",
];
const INSECURE: [&str; 2] = ["--allow-insecure-registry", "--allow-http-registry"];

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(&[]))
}

/// A package with two releases, each an index of two images that is signed and attested.
struct Release {
    person: Person,
    image: String,
}

impl Release {
    /// Pushes it; `None` where the tools are not built.
    fn push(name: &str, bundles: bool) -> Option<Self> {
        absent::built("cosign")?;
        let person = stock::arrive(&server().process, name);
        let image = person.reference("harbour/app");
        let release = Self { person, image };
        succeeds(&mut cosign(&release.person, &["generate-key-pair"])?);
        fs::write(release.person.at("predicate.json"), "{\"inspected\": true}").unwrap();
        for tag in ["1", "2"] {
            release.build(tag)?;
            release.sign(tag, bundles);
        }
        Some(release)
    }

    /// An index of untagged images, as builds make them.
    fn build(&self, tag: &str) -> Option<()> {
        let index = format!("{}:{tag}", self.image);
        let mut append = crane(&self.person, &["index", "append", "-t", &index])?;
        for platform in PLATFORMS {
            let part = format!("{}:part-{}", self.image, platform.replace('/', "-"));
            let layer = self
                .person
                .layer(&format!("{tag}-{}", platform.replace('/', "-")), 1);
            let words = ["append", "--oci-empty-base", "-t", &part, "-f"];
            succeeds(crane(&self.person, &words)?.arg(layer));
            let set = format!("--set-platform={platform}");
            succeeds(&mut crane(
                &self.person,
                &["mutate", &set, "-t", &part, &part],
            )?);
            append.args(["-m", &part]);
        }
        succeeds(&mut append);
        // Tags go, versions stay.
        let credential = Credential::basic(&self.person.user.name, &self.person.user.token);
        let name = format!("{}/harbour/app", self.person.user.name);
        let repo = Repo::new(server(), &name, credential);
        for platform in PLATFORMS {
            let part = format!("manifests/part-{}", platform.replace('/', "-"));
            repo.delete(&part).send().expect(202);
        }
        Some(())
    }

    fn digest(&self, tag: &str) -> String {
        let image = format!("{}:{tag}", self.image);
        let digest = succeeds(&mut crane(&self.person, &["digest", &image]).unwrap());
        format!("{}@{digest}", self.image)
    }

    fn cosign(&self, words: &[&str], more: &[&str], bundles: bool, tag: &str) -> Command {
        let mut command = cosign(&self.person, words).unwrap();
        command.args(more).args(INSECURE);
        command
            .arg(format!("--new-bundle-format={bundles}"))
            .arg(self.digest(tag));
        command
    }

    fn sign(&self, tag: &str, bundles: bool) {
        succeeds(&mut self.cosign(&["sign"], &OFFLINE, bundles, tag));
        let attest = ["attest", "--type=custom", "--predicate=predicate.json"];
        succeeds(&mut self.cosign(&attest, &OFFLINE, bundles, tag));
    }

    fn assert_whole(&self, tags: &[&str], bundles: bool) {
        for tag in tags {
            for platform in PLATFORMS {
                let image = format!("{}:{tag}", self.image);
                let words = ["pull", "--platform", platform, &image, "pulled.tar"];
                succeeds(&mut crane(&self.person, &words).unwrap());
            }
            succeeds(&mut self.cosign(&["verify"], &ALONE, bundles, tag));
            let verify = ["verify-attestation", "--type=custom"];
            succeeds(&mut self.cosign(&verify, &ALONE, bundles, tag));
        }
    }

    fn job(&self) -> Job<'static> {
        Job {
            server: server(),
            token: self.person.user.token.clone(),
            owner: self.person.user.name.clone(),
            is_organization: false,
            package: "harbour/app".to_owned(),
        }
    }
}

fn journey(name: &str, bundles: bool, run: impl Fn(&Job<'_>)) {
    let Some(release) = Release::push(name, bundles) else {
        return;
    };
    release.assert_whole(&["1", "2"], bundles);
    run(&release.job());
    release.assert_whole(&["1", "2"], bundles);
}

#[test]
fn images_and_bundles_outlive_the_deletion_of_untagged_versions() {
    journey("sweeper-dpv", true, |job| {
        assert!(!versions::run(job, Versions::Untagged { keep: 0 }).is_empty());
    });
}

#[test]
fn images_and_signature_tags_outlive_the_deletion_of_untagged_versions() {
    journey("sweeper-dpv-tags", false, |job| {
        assert!(!versions::run(job, Versions::Untagged { keep: 0 }).is_empty());
    });
}

#[test]
fn images_and_bundles_outlive_the_clean_up_action() {
    let wish = Cleanup {
        untagged: true,
        validate: true,
        ..Cleanup::default()
    };
    journey("sweeper-gca", true, |job| drop(cleanup::run(job, &wish)));
}

#[test]
fn images_and_signature_tags_outlive_the_clean_up_action() {
    let wish = Cleanup {
        untagged: true,
        validate: true,
        ..Cleanup::default()
    };
    journey("sweeper-gca-tags", false, |job| {
        drop(cleanup::run(job, &wish))
    });
}

#[test]
fn images_and_bundles_outlive_the_retention_policy() {
    let wish = Retention {
        protects: false,
        tagged_too: false,
        keep: 0,
    };
    journey("sweeper-crp", true, |job| {
        assert!(!retention::run(job, wish).is_empty());
    });
}

#[test]
fn images_and_signature_tags_outlive_the_retention_policy() {
    let wish = Retention {
        protects: false,
        tagged_too: false,
        keep: 0,
    };
    journey("sweeper-crp-tags", false, |job| {
        assert!(!retention::run(job, wish).is_empty());
    });
}
