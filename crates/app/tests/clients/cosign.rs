//! cosign: signatures and attestations, as referrers and under fallback tags.

use std::fs;
use std::process::Command;

use naru_testkit::naru::Server;
use naru_testkit::services::absent;

use crate::crane;
use crate::support::{Person, fails, plain, secure, succeeds};

/// `cosign` with these words; `None` where it is not built.
pub(crate) fn cosign(person: &Person, words: &[&str]) -> Option<Command> {
    let mut command = person.command(&absent::built("cosign")?);
    command
        .args(words)
        .env("COSIGN_PASSWORD", "")
        .env("COSIGN_YES", "true");
    // No network but the registry's: signatures are checked against the key alone.
    command.env("TUF_ROOT", person.at("tuf"));
    Some(command)
}

/// How signatures are kept.
#[derive(Clone, Copy)]
enum Keeping {
    /// As manifests whose subject is the image.
    Referrers,
    /// Under tags named after the image's digest.
    FallbackTags,
}

impl Keeping {
    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Referrers => &["--new-bundle-format=true"],
            Self::FallbackTags => &["--new-bundle-format=false"],
        }
    }
}

fn journey(server: Option<&'static Server>, keeping: Keeping) {
    let Some(server) = server else { return };
    let person = Person::arrive(server, "cosign");
    if cosign(&person, &[]).is_none() {
        return;
    }
    let Some(image) = crane::push_greeter(&person, "signed:1") else {
        return;
    };
    let digest = crane::digest(&person, &image);
    let image = person.reference(&format!("signed@{digest}"));
    let cosign = |words: &[&str]| cosign(&person, words).unwrap();
    succeeds(&mut cosign(&["generate-key-pair"]));
    fs::write(person.at("predicate.json"), r#"{"inspected": true}"#).unwrap();
    let offline = [
        "--tlog-upload=false",
        "--use-signing-config=false",
        "--key=cosign.key",
    ];
    let alone = [
        "--insecure-ignore-tlog=true",
        "--private-infrastructure=true",
        "--key=cosign.pub",
    ];
    let insecure = ["--allow-insecure-registry", "--allow-http-registry"];

    let verify = || {
        let mut verify = cosign(&["verify"]);
        verify
            .args(alone)
            .args(insecure)
            .args(keeping.flags())
            .arg(&image);
        verify
    };
    fails(&mut verify());
    succeeds(
        cosign(&["sign"])
            .args(offline)
            .args(insecure)
            .args(keeping.flags())
            .arg(&image),
    );
    assert!(succeeds(&mut verify()).contains(&digest));

    let attest = ["attest", "--type=custom", "--predicate=predicate.json"];
    succeeds(
        cosign(&attest)
            .args(offline)
            .args(insecure)
            .args(keeping.flags())
            .arg(&image),
    );
    let mut verify = cosign(&["verify-attestation", "--type=custom"]);
    succeeds(
        verify
            .args(alone)
            .args(insecure)
            .args(keeping.flags())
            .arg(&image),
    );

    let tags = succeeds(&mut crane::crane(&person, &["ls", &person.reference("signed")]).unwrap());
    let fallback = tags.contains(&digest.replace(':', "-"));
    assert_eq!(fallback, matches!(keeping, Keeping::FallbackTags), "{tags}");
}

#[test]
fn cosign_keeps_signatures_as_referrers_over_plain_http() {
    journey(plain(), Keeping::Referrers);
}

#[test]
fn cosign_keeps_signatures_as_referrers_over_tls() {
    journey(secure(), Keeping::Referrers);
}

#[test]
fn cosign_keeps_signatures_under_fallback_tags() {
    journey(plain(), Keeping::FallbackTags);
}
