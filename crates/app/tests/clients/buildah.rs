//! buildah: images for two platforms under one index.

use std::process::Command;

use naru_testkit::naru::Server;
use naru_testkit::services::absent;

use crate::podman::trust;
use crate::skopeo;
use crate::support::{Person, plain, secure, succeeds};

/// `buildah` with its own storage; `None` where there is none.
pub(crate) fn buildah(person: &Person) -> Option<Command> {
    let mut command = person.command(&absent::program("buildah")?);
    command
        .arg("--root")
        .arg(person.at("storage"))
        .arg("--runroot")
        .arg(person.at("run"));
    command.args(["--storage-driver", "vfs"]);
    Some(command)
}

/// Builds an index of two platforms from nothing and pushes it to `image`; `None` without buildah.
pub(crate) fn push_two_platforms(person: &Person, image: &str) -> Option<()> {
    buildah(person)?;
    let buildah = || buildah(person).unwrap();
    let context = person.context();
    for platform in ["amd64", "arm64"] {
        let container = succeeds(buildah().args(["from", "--arch", platform, "scratch"]));
        succeeds(
            buildah()
                .args(["copy", "-q", &container])
                .arg(&context)
                .arg("/"),
        );
        let entrypoint = r#"["/hello"]"#;
        let config = [
            "config",
            "--arch",
            platform,
            "--entrypoint",
            entrypoint,
            &container,
        ];
        succeeds(buildah().args(config));
        succeeds(buildah().args(["commit", "-q", "--manifest", "both", &container]));
    }
    let mut push = buildah();
    push.args(["manifest", "push", "-q", "--all"])
        .args(trust(person.server));
    succeeds(push.args(["both", &format!("docker://{image}")]));
    Some(())
}

fn journey(server: Option<&'static Server>) {
    let Some(server) = server else { return };
    let person = Person::arrive(server, "buildah");
    let image = person.reference("both:1");
    let (name, token) = (person.user.name.as_str(), person.user.token.as_str());
    let Some(mut login) = buildah(&person) else {
        return;
    };
    succeeds(
        login
            .args(["login", "-u", name, "-p", token])
            .args(trust(server))
            .arg(server.host()),
    );
    push_two_platforms(&person, &image);
    let Some(mut inspect) = skopeo::skopeo(&person, ["inspect", "--raw"]) else {
        return;
    };
    let index = succeeds(inspect.args(trust(server)).arg(format!("docker://{image}")));
    for platform in ["amd64", "arm64"] {
        assert!(index.contains(platform), "{index}");
    }
    for platform in ["amd64", "arm64"] {
        let mut pull = buildah(&person).unwrap();
        pull.args(["pull", "-q", "--policy=always", "--arch", platform])
            .args(trust(server));
        succeeds(pull.arg(&image));
    }
}

#[test]
fn buildah_pushes_an_index_of_two_platforms_over_plain_http() {
    journey(plain());
}

#[test]
fn buildah_pushes_an_index_of_two_platforms_over_tls() {
    journey(secure());
}
