//! Docker: Debian's engine, which speaks schema 2, and the current one, which speaks OCI.

use std::process::Command;
use std::sync::OnceLock;

use naru_testkit::naru::Server;
use naru_testkit::services::engine::{Docker, Generation};

use crate::support::{GREETING, Person, fails, plain, secure, speaks_of, succeeds};

/// Debian's engine, shared by all journeys.
pub(crate) fn debian() -> Option<&'static Docker> {
    static ENGINE: OnceLock<Option<Docker>> = OnceLock::new();
    ENGINE
        .get_or_init(|| Docker::start(Generation::Debian))
        .as_ref()
}

/// The current engine, shared by all journeys.
pub(crate) fn current() -> Option<&'static Docker> {
    static ENGINE: OnceLock<Option<Docker>> = OnceLock::new();
    ENGINE
        .get_or_init(|| Docker::start(Generation::Current))
        .as_ref()
}

/// `docker` with these words, in this person's home.
pub(crate) fn docker<const N: usize>(
    engine: &Docker,
    person: &Person,
    words: [&str; N],
) -> Command {
    let mut command = engine.command(person.home.path());
    person.settle(&mut command);
    command.args(words);
    command
}

/// Signs in as `docker login` does, with the token as the password.
pub(crate) fn login(engine: &Docker, person: &Person) -> Command {
    let (name, token) = (person.user.name.as_str(), person.user.token.as_str());
    docker(
        engine,
        person,
        ["login", "-u", name, "-p", token, person.server.host()],
    )
}

/// Login, build, push, pull, run, logout; and nothing more after that.
fn journey(engine: Option<&Docker>, server: Option<&'static Server>) {
    let (Some(engine), Some(server)) = (engine, server) else {
        return;
    };
    let person = Person::arrive(server, "docker");
    let image = person.reference("hello:1");
    succeeds(&mut login(engine, &person));
    let context = person.context();
    succeeds(docker(engine, &person, ["build", "-q", "-t", &image]).arg(context));
    let tagged = person.reference("hello:latest");
    succeeds(&mut docker(engine, &person, ["tag", &image, &tagged]));
    succeeds(&mut docker(engine, &person, ["push", &image]));
    succeeds(&mut docker(engine, &person, ["push", &tagged]));
    succeeds(&mut docker(engine, &person, ["rmi", "-f", &image, &tagged]));
    succeeds(&mut docker(engine, &person, ["pull", &image]));
    let mut run = docker(engine, &person, ["run"]);
    assert_eq!(succeeds(run.args(engine.run_flags()).arg(&image)), GREETING);
    succeeds(&mut docker(engine, &person, ["logout", server.host()]));
    let refusal = fails(&mut docker(engine, &person, ["pull", &tagged]));
    speaks_of(
        &refusal,
        &["denied", "unauthorized", "authentication required"],
    );
}

#[test]
fn debians_docker_pushes_pulls_and_runs_over_plain_http() {
    journey(debian(), plain());
}

#[test]
fn debians_docker_pushes_pulls_and_runs_over_tls() {
    journey(debian(), secure());
}

#[test]
fn the_current_docker_pushes_pulls_and_runs_over_plain_http() {
    journey(current(), plain());
}

#[test]
fn the_current_docker_pushes_pulls_and_runs_over_tls() {
    journey(current(), secure());
}

#[test]
fn an_image_that_one_docker_pushed_is_run_by_the_other() {
    let (Some(debian), Some(current), Some(server)) = (debian(), current(), plain()) else {
        return;
    };
    for (from, to) in [(debian, current), (current, debian)] {
        let person = Person::arrive(server, "dockers");
        let image = person.reference("shared:1");
        succeeds(&mut login(from, &person));
        let context = person.context();
        succeeds(docker(from, &person, ["build", "-q", "-t", &image]).arg(context));
        succeeds(&mut docker(from, &person, ["push", &image]));
        let mut run = docker(to, &person, ["run"]);
        assert!(succeeds(run.args(to.run_flags()).arg(&image)).contains(GREETING));
    }
}

#[test]
fn a_public_image_is_pulled_without_login() {
    let (Some(engine), Some(server)) = (debian(), plain()) else {
        return;
    };
    let person = Person::arrive(server, "docker");
    let image = person.reference("open:1");
    succeeds(&mut login(engine, &person));
    succeeds(docker(engine, &person, ["build", "-q", "-t", &image]).arg(person.context()));
    succeeds(&mut docker(engine, &person, ["push", &image]));
    succeeds(&mut docker(engine, &person, ["logout", server.host()]));
    succeeds(&mut docker(engine, &person, ["rmi", "-f", &image]));
    fails(&mut docker(engine, &person, ["pull", &image]));
    person.publish("open");
    succeeds(&mut docker(engine, &person, ["pull", &image]));
}
