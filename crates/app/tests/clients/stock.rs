//! Packages for the clients of the REST API to find.

use std::fs;
use std::process::Command;

use naru_testkit::naru::{Server, User};

use crate::crane::crane;
use crate::support::{Person, succeeds};

/// Every scope that has to do with packages, repositories and organizations.
pub(crate) const SCOPES: &str = "repo,delete_repo,write:packages,delete:packages,admin:org,user";

/// Somebody new whose token has all of [`SCOPES`].
pub(crate) fn arrive(server: &'static Server, name: &str) -> Person {
    let mut person = Person::arrive(server, name);
    person.user.token = server.token(&person.user.name, SCOPES, "1d");
    person.sign_in();
    person
}

/// An organization of this person's own.
pub(crate) fn organization(person: &Person) -> String {
    let name = format!("{}-org", person.user.name);
    let User { name: owner, .. } = &person.user;
    person
        .server
        .naru(["org", "create", &name, "--owner", owner]);
    person.wait_for_changes();
    name
}

/// Pushes so many versions of `owner/package`, tagged `1`, `2`, and so on; `None` where crane is not
/// built.
pub(crate) fn push(person: &Person, owner: &str, package: &str, versions: u32) -> Option<()> {
    for number in 1..=versions {
        let image = format!("{}/{owner}/{package}:{number}", person.server.host());
        let (content, layer) = (person.at("cargo"), person.at("cargo.tar"));
        fs::write(content, &image).unwrap();
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(person.home.path()).arg("-cf").arg(&layer);
        succeeds(tar.arg("cargo"));
        let mut append = crane(person, &["append", "--oci-empty-base", "-t", &image, "-f"])?;
        succeeds(append.arg(layer));
    }
    Some(())
}
