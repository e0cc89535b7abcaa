//! gh, as Debian has it: over TLS, on a name of its own.

use std::fs;
use std::process::{Command, Stdio};

use naru_testkit::certificates::NAME;
use naru_testkit::services::absent;

use crate::support::{Person, fails, secure, speaks_of, succeeds};
use crate::{proxy, stock};

/// A person with `gh` and a way to the server.
struct Hand {
    person: Person,
    proxy: String,
}

impl Hand {
    /// Somebody new; `None` where the machine lacks what is needed.
    fn arrive(name: &str) -> Option<Self> {
        absent::program("gh")?;
        let server = secure()?;
        let person = stock::arrive(server, name);
        let proxy = proxy::leading_to(server);
        Some(Self { person, proxy })
    }

    fn gh(&self, words: &[&str]) -> Command {
        let mut command = self.person.command(&absent::program("gh").unwrap());
        command
            .args(words)
            .env("HTTPS_PROXY", &self.proxy)
            .env("GH_CONFIG_DIR", self.person.at("gh"))
            .env("GH_HOST", NAME)
            .env("GH_NO_UPDATE_NOTIFIER", "1")
            .env("NO_COLOR", "1")
            .env("PAGER", "cat");
        command
    }

    /// `gh auth login --with-token`, as this person.
    fn login(&self) {
        let token = self.person.at("token");
        fs::write(&token, &self.person.user.token).unwrap();
        let mut login = self.gh(&["auth", "login", "--hostname", NAME, "--with-token"]);
        let output = login
            .stdin(Stdio::from(fs::File::open(token).unwrap()))
            .output()
            .unwrap();
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{words}");
    }

    fn api(&self, words: &[&str]) -> String {
        succeeds(&mut self.gh(&[&["api"], words].concat()))
    }
}

#[test]
fn gh_signs_in_and_says_as_whom() {
    let Some(hand) = Hand::arrive("gh") else {
        return;
    };
    fails(&mut hand.gh(&["auth", "status", "--hostname", NAME]));
    hand.login();
    let mut status = hand.gh(&["auth", "status", "--hostname", NAME]);
    let output = crate::support::output(&mut status);
    let words = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{words}");
    assert!(
        words.contains(&format!("Logged in to {NAME} as {}", hand.person.user.name)),
        "{words}"
    );
    assert!(words.contains("delete:packages"), "{words}");
    assert_eq!(hand.api(&["user", "--jq", ".login"]), hand.person.user.name);
}

#[test]
fn gh_refuses_a_token_that_could_not_do_its_work() {
    let Some(mut hand) = Hand::arrive("gh-poor") else {
        return;
    };
    let name = hand.person.user.name.clone();
    hand.person.user.token = hand.person.server.token(&name, "read:packages", "1d");
    let token = hand.person.at("token");
    fs::write(&token, &hand.person.user.token).unwrap();
    let mut login = hand.gh(&["auth", "login", "--hostname", NAME, "--with-token"]);
    let output = login
        .stdin(Stdio::from(fs::File::open(token).unwrap()))
        .output()
        .unwrap();
    assert!(!output.status.success());
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    speaks_of(&words, &["missing required scope"]);
}

#[test]
fn gh_lists_pages_picks_and_deletes() {
    let Some(hand) = Hand::arrive("gh-api") else {
        return;
    };
    let owner = &hand.person.user.name;
    if stock::push(&hand.person, owner, "tools/app", 5).is_none() {
        return;
    }
    hand.login();
    let packages = format!("/users/{owner}/packages?package_type=container");
    let names = hand.api(&[&packages, "--jq", ".[].name"]);
    assert_eq!(names.lines().collect::<Vec<_>>(), ["tools/app"]);

    let versions = format!("/users/{owner}/packages/container/tools%2Fapp/versions");
    let paged = format!("{versions}?per_page=2");
    let tags = [".[].metadata.container.tags[0]"];
    let found = hand.api(&[&["--paginate", &paged, "--jq"], &tags[..]].concat());
    assert_eq!(found.lines().collect::<Vec<_>>(), ["5", "4", "3", "2", "1"]);
    let first = hand.api(&[&[paged.as_str(), "--jq"], &tags[..]].concat());
    assert_eq!(first.lines().collect::<Vec<_>>(), ["5", "4"]);

    let oldest = hand.api(&[&versions, "--jq", ".[-1].id"]);
    let version = format!("{versions}/{oldest}");
    assert_eq!(hand.api(&["-X", "DELETE", &version]), "");
    let gone = fails(&mut hand.gh(&["api", &version]));
    assert!(gone.contains("HTTP 404"), "{gone}");
    assert_eq!(hand.api(&["-X", "POST", &format!("{version}/restore")]), "");
    let back = hand.api(&[&version, "--jq", ".id"]);
    assert_eq!(back, oldest);
}

#[test]
fn gh_says_which_scope_is_missing() {
    let Some(mut hand) = Hand::arrive("gh-scope") else {
        return;
    };
    let name = hand.person.user.name.clone();
    hand.person.user.token = hand.person.server.token(&name, "repo,read:org", "1d");
    hand.login();
    let path = format!("/users/{name}/packages?package_type=container");
    let words = fails(&mut hand.gh(&["api", &path]));
    speaks_of(
        &words,
        &["you need at least read:packages scope to list packages"],
    );
    speaks_of(
        &words,
        &[
            "gh auth refresh -h naru.test -s read:packages",
            "\"read:packages\" scope",
        ],
    );
}

#[test]
fn gh_shows_a_repository() {
    let Some(hand) = Hand::arrive("gh-repo") else {
        return;
    };
    hand.login();
    hand.api(&[
        "-X",
        "POST",
        "/user/repos",
        "-f",
        "name=harbour",
        "-f",
        "description=Where ships rest",
    ]);
    let repository = format!("{}/harbour", hand.person.user.name);
    let shown = succeeds(&mut hand.gh(&["repo", "view", &repository]));
    assert!(shown.contains(&repository), "{shown}");
    assert!(shown.contains("Where ships rest"), "{shown}");
    let json = succeeds(&mut hand.gh(&[
        "repo",
        "view",
        &repository,
        "--json",
        "name,owner,isPrivate",
    ]));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["name"], &json["isPrivate"]),
        (&"harbour".into(), &false.into())
    );
    assert_eq!(json["owner"]["login"], hand.person.user.name);
    fails(&mut hand.gh(&["repo", "view", &format!("{repository}-absent")]));
}

#[test]
fn gh_takes_a_token_from_the_environment() {
    let Some(hand) = Hand::arrive("gh-env") else {
        return;
    };
    let mut api = hand.gh(&["api", "user", "--jq", ".login"]);
    api.env("GH_ENTERPRISE_TOKEN", &hand.person.user.token);
    assert_eq!(succeeds(&mut api), hand.person.user.name);
}
