//! `naru serve`: the first start, the data directory, signals.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::{Server, naru, naru_on, run, stderr, stdout};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The token in the words of the first start.
fn first_token(said: &[String]) -> Option<&str> {
    let line = said.iter().find(|line| line.contains("docker login"))?;
    let start = line.find("ghp_")?;
    line.get(start..start + 40)
}

#[test]
fn the_first_start_says_once_how_to_go_on() {
    let scratch = TempDir::new().unwrap();
    let data = scratch.path().join("data");
    let server = Server::start_on(&data, &[]);
    let host = server.url.strip_prefix("http://").unwrap().to_owned();
    let said = server.stop();
    let login = said
        .iter()
        .find(|line| line.contains("docker login"))
        .unwrap();
    assert!(login.contains(&format!(
        "docker login {host} --username admin --password-stdin"
    )));
    assert!(first_token(&said).is_some(), "{said:#?}");
    assert!(
        said.iter()
            .any(|line| line.contains("user create NAME --admin"))
    );

    let later = Server::start_on(&data, &[]).stop();
    assert_eq!(first_token(&later), None);
}

#[test]
fn the_token_of_the_first_start_opens_the_registry() {
    let server = Server::start();
    let token = first_token(&server.said).unwrap().to_owned();
    let check = naru()
        .args(["check", &server.url, "--user", "admin", "--password-stdin"])
        .write_stdin(token)
        .output()
        .unwrap();
    assert!(
        check.status.success(),
        "{}{}",
        stdout(&check),
        stderr(&check)
    );
}

#[test]
fn everything_in_the_data_directory_is_for_its_owner_alone() {
    let server = Server::start();
    let data = server.data();
    assert_eq!(mode(data), 0o700);
    assert_eq!(mode(&data.join("master.key")), 0o600);
    assert_eq!(mode(&data.join("naru.db")), 0o600);
}

#[test]
fn a_second_server_on_the_same_data_refuses_and_names_the_first() {
    let server = Server::start();
    let second = run(naru_on(server.data()), ["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.status.code(), Some(1));
    let said = stderr(&second);
    assert!(
        said.contains(&format!("another server (process {})", server.pid())),
        "{said}"
    );
    assert!(said.contains("--data"), "{said}");
}

#[test]
fn a_data_directory_that_everybody_can_write_to_is_refused() {
    let scratch = TempDir::new().unwrap();
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let output = run(
        naru_on(scratch.path()),
        ["serve", "--listen", "127.0.0.1:0"],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("chmod 700"), "{}", stderr(&output));
}

#[test]
fn a_lost_master_key_is_not_made_anew() {
    let scratch = TempDir::new().unwrap();
    let data = scratch.path().join("data");
    Server::start_on(&data, &[]).stop();
    fs::remove_file(data.join("master.key")).unwrap();
    let output = run(naru_on(&data), ["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("backup"), "{}", stderr(&output));
    assert!(!data.join("master.key").exists());
}

#[test]
fn an_exposed_master_key_is_refused() {
    let scratch = TempDir::new().unwrap();
    let data = scratch.path().join("data");
    Server::start_on(&data, &[]).stop();
    let key = data.join("master.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let output = run(naru_on(&data), ["serve", "--listen", "127.0.0.1:0"]);
    assert!(stderr(&output).contains("chmod 600"), "{}", stderr(&output));
}

#[test]
fn an_address_in_use_is_named_with_a_way_out() {
    let server = Server::start();
    let address = server.url.strip_prefix("http://").unwrap();
    let scratch = TempDir::new().unwrap();
    let output = run(
        naru_on(&scratch.path().join("data")),
        ["serve", "--listen", address],
    );
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(
        said.contains(&format!("cannot listen on {address}")),
        "{said}"
    );
    assert!(said.contains("--listen"), "{said}");
}

#[test]
fn a_failed_start_does_not_use_up_the_first_one() {
    let taken = Server::start();
    let address = taken.url.strip_prefix("http://").unwrap();
    let scratch = TempDir::new().unwrap();
    let data = scratch.path().join("data");
    run(naru_on(&data), ["serve", "--listen", address]);
    assert!(first_token(&Server::start_on(&data, &[]).stop()).is_some());
}

#[test]
fn both_signals_to_stop_end_the_server_with_zero() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start();
        server.signal(signal);
        assert_eq!(server.wait(), Some(0), "{:#?}", server.said);
    }
}

/// A request whose body never comes.
fn standing_request(server: &Server) -> TcpStream {
    let mut connection = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).unwrap();
    let head = "POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\
                Content-Type: application/x-www-form-urlencoded\r\n\r\n";
    connection.write_all(head.as_bytes()).unwrap();
    connection
}

#[test]
fn a_request_that_runs_holds_the_server_until_the_second_signal() {
    let mut server = Server::start();
    let _standing = standing_request(&server);
    // The server must have read the head before it is told to stop.
    sleep(Duration::from_millis(300));
    server.signal(Signal::TERM);
    server.wait_for("stopping; ");
    sleep(Duration::from_millis(300));
    assert!(server.is_running(), "{:#?}", server.said);
    let told = Instant::now();
    server.signal(Signal::TERM);
    assert_eq!(server.wait(), Some(0));
    assert!(told.elapsed() < Duration::from_secs(10));
}

#[test]
fn the_signal_to_reload_does_not_end_the_server() {
    let mut server = Server::start();
    server.signal(Signal::HUP);
    server.wait_for("certificates");
    server.stop();
}

fn assert_json(lines: &[String]) {
    for line in lines {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(
            object["level"].is_string() && object["message"].is_string(),
            "{line}"
        );
    }
}

#[test]
fn the_log_is_one_json_object_a_line_where_nobody_looks() {
    let scratch = TempDir::new().unwrap();
    let data = scratch.path().join("data");
    Server::start_on(&data, &[]).stop();
    assert_json(&Server::start_on(&data, &[]).stop());
}

#[test]
fn the_words_of_the_first_start_are_for_a_person_even_there() {
    let said = Server::start().stop();
    let (log, words): (Vec<_>, Vec<_>) = said.into_iter().partition(|line| line.starts_with('{'));
    assert_json(&log);
    assert!(
        words.iter().any(|line| line.starts_with("    echo ghp_")),
        "{words:#?}"
    );
}

#[test]
fn everything_is_json_where_that_was_asked_for() {
    let scratch = TempDir::new().unwrap();
    let config = scratch.path().join("naru.toml");
    fs::write(&config, "[log]\nformat = \"json\"\n").unwrap();
    let data = scratch.path().join("data");
    let config = config.to_str().unwrap();
    let said = Server::start_on(&data, &["--config", config]).stop();
    assert!(first_token(&said).is_some());
    assert_json(&said);
}

#[test]
fn a_start_logs_what_the_blob_store_is_like() {
    let said = Server::start().stop();
    let found = |line: &&String| line.contains("the blob store is fit");
    let line = said.iter().find(found).unwrap();
    assert!(line.contains("MiB free"), "{line}");
}

#[test]
fn a_server_is_asked_for_its_health_where_its_configuration_says() {
    let server = Server::start();
    let port = server.url.rsplit(':').next().unwrap().to_owned();
    let ask = |arguments: &[&str]| {
        naru()
            .env("NARU_LISTEN__ADDRESS", format!("0.0.0.0:{port}"))
            .arg("health")
            .args(arguments)
            .output()
            .unwrap()
    };
    let alive = ask(&[]);
    assert!(alive.status.success(), "{}", stderr(&alive));
    assert!(stdout(&alive).contains("/livez\n"), "{}", stdout(&alive));
    assert!(stdout(&ask(&["--ready"])).contains("/readyz\n"));
    assert!(ask(&[&server.url]).status.success());
    server.stop();
    let dead = ask(&[]);
    assert_eq!(dead.status.code(), Some(1));
    assert!(
        stderr(&dead).contains("nothing listens"),
        "{}",
        stderr(&dead)
    );
}

#[test]
fn the_log_is_for_people_where_they_ask_for_it() {
    let scratch = TempDir::new().unwrap();
    let config = scratch.path().join("naru.toml");
    fs::write(&config, "[log]\nformat = \"human\"\n").unwrap();
    let data = scratch.path().join("data");
    let config = config.to_str().unwrap();
    let said = Server::start_on(&data, &["--config", config]).stop();
    assert!(
        said.iter()
            .any(|line| line.starts_with("listening on http://127.0.0.1:"))
    );
    assert!(!said.iter().any(|line| line.starts_with('{')), "{said:#?}");
}
