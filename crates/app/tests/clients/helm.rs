//! Helm 4: charts.

use std::fs;
use std::process::Command;

use naru_testkit::naru::Server;
use naru_testkit::services::absent;

use crate::support::{Person, fails, plain, secure, succeeds};

fn helm(person: &Person, words: &[&str]) -> Option<Command> {
    let mut command = person.command(&absent::built("helm")?);
    command.args(words);
    match person.server.authority() {
        Some(authority) => command.arg("--ca-file").arg(authority),
        None => command.arg("--plain-http"),
    };
    Some(command)
}

/// A chart of one object, from nothing.
fn chart(person: &Person) {
    let directory = person.at("cargo");
    fs::create_dir_all(directory.join("templates")).unwrap();
    let about = "apiVersion: v2\nname: cargo\nversion: 1.2.3\ndescription: What the ship carries\n";
    fs::write(directory.join("Chart.yaml"), about).unwrap();
    fs::write(directory.join("values.yaml"), "goods: silk\n").unwrap();
    let object = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n\
                  data:\n  goods: {{ .Values.goods }}\n";
    fs::write(directory.join("templates/goods.yaml"), object).unwrap();
}

fn journey(server: Option<&'static Server>) {
    let Some(server) = server else { return };
    let person = Person::arrive(server, "helm");
    let (name, token) = (person.user.name.as_str(), person.user.token.as_str());
    let login = ["registry", "login", server.host(), "-u", name, "-p", token];
    let Some(mut login) = helm(&person, &login) else {
        return;
    };
    succeeds(&mut login);
    let helm = |words: &[&str]| helm(&person, words).unwrap();
    chart(&person);
    let mut package = person.command(&absent::built("helm").unwrap());
    succeeds(package.args(["package", "cargo"]));
    let charts = format!("oci://{}", person.reference("charts"));
    succeeds(&mut helm(&["push", "cargo-1.2.3.tgz", &charts]));
    let cargo = format!("{charts}/cargo");
    fs::rename(person.at("cargo-1.2.3.tgz"), person.at("original.tgz")).unwrap();
    succeeds(&mut helm(&["pull", &cargo, "--version", "1.2.3"]));
    assert_eq!(
        fs::read(person.at("cargo-1.2.3.tgz")).unwrap(),
        fs::read(person.at("original.tgz")).unwrap()
    );
    // Without a version Helm asks for the list of tags and takes the newest.
    let install = [
        "install",
        "voyage",
        &cargo,
        "--dry-run=client",
        "--set=goods=tea",
    ];
    let installed = succeeds(&mut helm(&install));
    assert!(installed.contains("goods: tea"), "{installed}");
    let mut logout = person.command(&absent::built("helm").unwrap());
    succeeds(logout.args(["registry", "logout", server.host()]));
    fails(&mut helm(&["pull", &cargo, "--version", "1.2.3"]));
}

#[test]
fn helm_pushes_pulls_and_installs_a_chart_over_plain_http() {
    journey(plain());
}

#[test]
fn helm_pushes_pulls_and_installs_a_chart_over_tls() {
    journey(secure());
}
