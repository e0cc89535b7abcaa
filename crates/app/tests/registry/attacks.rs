//! What strangers try: each family of attacks stands for one that worked somewhere.

use std::io::{BufReader, Read, Write};
use std::time::Duration;

use crate::kit::content::{digest, noise, unknown_digest};
use crate::kit::eventually;
use crate::kit::http::{Answer, Credential, read_answer};
use crate::kit::repo::Repo;
use crate::kit::server::{Server, plain, tight};

/// Every way to read something of a repository.
fn reads(image: &crate::kit::repo::Image) -> Vec<(&'static str, String, &'static str)> {
    let (manifest, layer) = (image.digest(), image.layer_digest());
    let mut reads = Vec::new();
    for rest in [
        "manifests/v1".to_owned(),
        format!("manifests/{manifest}"),
        format!("blobs/{layer}"),
        format!("blobs/{}", digest(&image.config)),
        "tags/list".to_owned(),
        "tags/list?n=1&last=a".to_owned(),
        format!("referrers/{manifest}"),
        format!("referrers/{manifest}?artifactType=a%2Fb"),
    ] {
        for header in [
            "",
            "Range: bytes=0-9",
            "If-None-Match: *",
            "Accept: text/html",
            "If-Range: x",
        ] {
            reads.push(("GET", rest.clone(), header));
            reads.push(("HEAD", rest.clone(), header));
        }
    }
    reads
}

fn ask(repo: &Repo<'_>, (method, rest, header): &(&str, String, &str)) -> Answer {
    let request = repo.request(method, rest);
    match header.split_once(": ") {
        Some((name, value)) => request.with(name, value).send(),
        None => request.send(),
    }
}

/// What is not there is 404; but what is not there has no referrers, and a 404 would say that this
/// registry cannot list any.
#[track_caller]
fn is_not_there(rest: &str, answer: &Answer) {
    if rest.starts_with("referrers/") {
        assert_eq!(answer.status, 200, "{answer:?}");
        let none = "\"manifests\":[]";
        assert!(
            answer.body.is_empty() || answer.text().contains(none),
            "{answer:?}"
        );
    } else {
        assert_eq!(answer.status, 404, "{answer:?}");
    }
}

/// Gitea CVE-2026-27771, Harbor CVE-2020-29662: nothing that is private is read by any side door,
/// and the answer is that of what is not there, byte for byte.
#[test]
fn nobody_reads_what_is_private_by_any_door() {
    let server = plain();
    let repo = server.repo("doors-a");
    let absent = server.repo("doors-b");
    let image = repo.push_image("v1");
    let stranger = server.someone("doors-stranger");
    let names = |answer: Answer| {
        let length = answer
            .lasting()
            .replace(&repo.name, "NAME")
            .replace(&absent.name, "NAME");
        length
            .lines()
            .filter(|line| !line.starts_with("content-length"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    for read in reads(&image) {
        let nobody = Credential::Absent;
        let answer = ask(&repo.by(&nobody), &read);
        assert_eq!(answer.status, 401, "{answer:?}");
        assert_eq!(answer.challenge().scheme, "Bearer");
        assert_eq!(
            names(answer),
            names(ask(&absent.by(&nobody), &read)),
            "{read:?}"
        );
        let answer = ask(&repo.by(&stranger), &read);
        is_not_there(&read.1, &answer);
        assert_eq!(
            names(answer),
            names(ask(&absent.by(&stranger), &read)),
            "{read:?}"
        );
    }
}

/// Other spellings of a path are the same path, or none: they open nothing.
#[test]
fn other_spellings_of_a_path_open_nothing() {
    let server = plain();
    let repo = server.repo("spellings");
    repo.push_image("v1");
    let name = &repo.name;
    for path in [
        format!("//v2/{name}/manifests/v1"),
        format!("/v2//{name}/manifests/v1"),
        format!("/v2/{name}//manifests/v1"),
        format!("/v2/{name}/manifests//v1"),
        format!("/v2/./{name}/manifests/v1"),
        format!("/v2/x/../{name}/manifests/v1"),
        format!("/V2/{name}/manifests/v1"),
        format!("/v2/{}/manifests/v1", name.to_uppercase()),
        format!("/v2/{}/manifests/v1", name.replace('/', "%2F")),
        format!("/v2/{name}/manifests/v1/"),
        format!("/v2/{name}/manifests/v1%00"),
        format!("/v2/{name}/manifests/v1;x"),
        format!("/v2/{name}/%6Danifests/v1"),
        format!("/%76%32/{name}/manifests/v1"),
        format!("/v2/{name}/manifests/v1%0d%0aX: y"),
    ] {
        for credential in [Credential::Absent, server.someone("spellings-stranger")] {
            let answer = server
                .get(&path.replace(' ', "%20"))
                .signed(&credential)
                .send();
            assert!(matches!(answer.status, 400 | 401 | 404), "{answer:?}");
            assert_eq!(answer.header("docker-content-digest"), None);
        }
    }
}

/// Nexus CVE-2024-4956, Gogs CVE-2026-52813: no path leads out of the data directory.
#[test]
fn no_path_leads_to_a_file() {
    let server = plain();
    let octo = server.octo();
    for path in [
        "/../../../../etc/passwd",
        "/v2/../../../etc/passwd",
        "/v2/%2e%2e/%2e%2e/etc/passwd",
        "/v2/..%2f..%2fetc%2fpasswd",
        "/v2/octo/..%5c..%5cetc/manifests/v1",
        "/v2/octo/app/blobs/../../x",
        "/v2/octo/app/blobs/uploads/..%2f..%2fnaru.db",
        "/v2/octo/app/blobs/uploads/../../naru.db",
        "/v2/octo/app/manifests/..%2f..%2fnaru.db",
        "/v2/octo/app/blobs/sha256:..%2f..%2f",
        "/v2/octo/app/blobs/sha256:/etc/passwd",
        "/naru.db",
        "/data/naru.db",
        "/v2/octo/%00/manifests/v1",
        "/v2/octo/app/manifests/%00",
        "/v2/octo/a%c0%af/manifests/v1",
        "/v2/octo/\u{202e}/manifests/v1",
    ] {
        let path: String = path
            .chars()
            .map(|c| {
                if c.is_ascii() {
                    c.to_string()
                } else {
                    "%E2%80%AE".to_owned()
                }
            })
            .collect();
        for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE"] {
            let answer = server.request(method, &path).signed(&octo).send();
            assert!(matches!(answer.status, 400 | 404 | 405), "{answer:?}");
            assert!(!answer.text().contains("root:"), "{answer:?}");
        }
    }
}

/// distribution CVE-2023-2253: page sizes are clamped, cursors cannot break out of the `Link`.
#[test]
fn pages_are_bounded_and_cursors_are_encoded() {
    let repo = tight().repo("attack-pages");
    let image = repo.push_image("t0");
    for number in 1..9 {
        repo.put_manifest(&format!("t{number}"), &image.manifest)
            .expect(201);
    }
    for n in [
        "2147483647",
        "2147483648",
        "4294967296",
        "9223372036854775808",
        "1e9",
    ] {
        let answer = repo.get(&format!("tags/list?n={n}")).send();
        assert!(matches!(answer.status, 200 | 400), "{answer:?}");
        let length = answer.json()["tags"].as_array().map_or(0, Vec::len);
        assert!(length <= 5, "{answer:?}");
    }
    for cursor in [
        "%0d%0aSet-Cookie:%20a=b",
        "%3E;%20rel=%22next%22",
        "%00",
        "%ff",
        "t0%0a",
    ] {
        for path in [
            "tags/list".to_owned(),
            format!("referrers/{}", unknown_digest()),
        ] {
            let answer = repo.get(&format!("{path}?n=1&last={cursor}")).send();
            assert_eq!(answer.header("set-cookie"), None, "{answer:?}");
            assert!(matches!(answer.status, 200 | 400), "{answer:?}");
            if let Some(link) = answer.header("link") {
                assert_eq!(link.matches('>').count(), 1, "{link}");
            }
        }
    }
}

/// GHCR 2023: headers say nothing of what lies behind.
#[test]
fn answers_have_no_headers_but_those_known() {
    const KNOWN: [&str; 25] = [
        "accept-ranges",
        "allow",
        "cache-control",
        "connection",
        "content-disposition",
        "content-length",
        "content-range",
        "content-security-policy",
        "content-type",
        "date",
        "docker-content-digest",
        "docker-distribution-api-version",
        "docker-upload-uuid",
        "etag",
        "link",
        "location",
        "oci-filters-applied",
        "oci-subject",
        "oci-tag",
        "range",
        "retry-after",
        "transfer-encoding",
        "www-authenticate",
        "x-content-type-options",
        "x-github-request-id",
    ];
    let server = plain();
    let repo = server.repo("headers");
    let image = repo.push_image("v1");
    let location = repo.begin();
    let layer = format!("blobs/{}", image.layer_digest());
    for answer in [
        server.get("/").send(),
        server.get("/nothing").send(),
        server.get("/livez").send(),
        server.get("/readyz").send(),
        server.get("/metrics").send(),
        server.get("/v2/").send(),
        server
            .ask_token(&repo.credential, &[&repo.scope("pull")])
            .send(),
        repo.get("manifests/v1").send(),
        repo.get("manifests/absent").send(),
        repo.get(&layer).send(),
        repo.get(&layer).with("Range", "bytes=0-9").send(),
        repo.get(&layer).with("Range", "bytes=99999-").send(),
        repo.get("tags/list?n=1").send(),
        repo.get(&format!("referrers/{}", image.digest())).send(),
        repo.patch(&location).body("x").send(),
        repo.get(&location).send(),
        repo.delete(&location).send(),
        repo.put_manifest(&format!("{}?tag=v2", image.digest()), &image.manifest),
        repo.request("POST", "tags/list").send(),
        repo.delete("manifests/v2").send(),
    ] {
        for name in answer.header_names() {
            assert!(KNOWN.contains(&name), "the header {name} in {answer:?}");
        }
        // Headers of its own stand once.
        for name in [
            "content-type",
            "content-length",
            "x-github-request-id",
            "etag",
        ] {
            assert!(answer.headers(name).len() <= 1, "{answer:?}");
        }
    }
}

/// A page of the instance says what it is, and no version that one could look up holes for.
#[test]
fn nothing_tells_a_version_or_a_path_of_the_machine() {
    let server = plain();
    let data = server.data().display().to_string();
    for path in [
        "/",
        "/nothing",
        "/livez",
        "/readyz",
        "/v2/",
        "/v2/octo/app/manifests/%00",
    ] {
        let answer = server.get(path).signed(&server.octo()).send();
        let text = answer.lasting().to_lowercase();
        assert!(
            !text.contains(&data) && !text.contains("panicked") && !text.contains(".rs:"),
            "{text}"
        );
        assert!(
            !text.contains("hyper") && !text.contains("sqlite") && !text.contains("postgres"),
            "{text}"
        );
    }
}

/// zot CVE-2025-48374, Harbor CVE-2024-22261: no secret is ever written to the log, and nobody
/// writes lines of their own into it.
#[test]
fn no_secret_and_no_forged_line_is_in_the_log() {
    let server = Server::start(&[("NARU_LOG__LEVEL", "trace")]);
    let person = server.process.user("canary");
    let repo = Repo::new(
        &server,
        "canary/app",
        Credential::basic("canary", &person.token),
    );
    repo.push_image("v1");
    let token = repo.with_token("pull,push").credential;
    repo.by(&token).get("manifests/v1").send().expect(200);
    let form = format!(
        "grant_type=password&username=canary&password={}",
        person.token
    );
    server
        .request("POST", "/token")
        .body(form)
        .send()
        .expect(200);
    server
        .get("/v2/")
        .signed(&Credential::basic("canary", &person.password))
        .send()
        .expect(401);
    for path in [
        "/v2/%0aFORGED%20LINE/x/manifests/v1",
        "/%1b[31mFORGED",
        "/v2/a/b/manifests/v1?x=%0d%0aFORGED",
    ] {
        let _ = server
            .get(path)
            .with("User-Agent", "a\u{1b}[2Jb")
            .signed(&repo.credential)
            .send();
    }
    let log = server.process.log();
    assert!(log.len() > 1000, "there is no log: {log}");
    let signature = token.secret().rsplit('.').next().unwrap();
    for secret in [
        person.token.as_str(),
        &person.token[4..],
        &person.password,
        token.secret(),
        signature,
    ] {
        assert!(!log.contains(secret), "a secret is in the log");
    }
    assert!(
        !log.lines().any(|line| line.starts_with("FORGED")),
        "a line was forged"
    );
    assert!(!log.contains('\u{1b}'), "an escape is in the log");
}

/// Rights that are lost are gone at the next request: membership, team, visibility, collaboration.
#[test]
fn rights_that_are_lost_are_gone() {
    const SOON: Duration = Duration::from_secs(5);
    let server = plain();
    server.octo();
    for name in ["stale-member", "stale-team", "stale-collaborator"] {
        server.someone(name);
    }
    server.naru(["org", "create", "stale", "--owner", "octo"]);
    let owner = Repo::new(server, "stale/app", server.octo());
    owner.push_image("v1");
    let by = |name: &str| owner.by(&server.someone(name));
    for name in ["stale-member", "stale-team"] {
        server.naru(["org", "member", "add", "stale", name]);
    }
    server.naru([
        "package",
        "grant",
        "stale/app",
        "--user",
        "stale-member",
        "--role",
        "read",
    ]);
    server.naru(["team", "create", "stale", "core"]);
    server.naru(["team", "member", "add", "stale/core", "stale-team"]);
    server.naru([
        "package",
        "grant",
        "stale/app",
        "--team",
        "core",
        "--role",
        "read",
    ]);
    server.naru(["repo", "create", "stale/source"]);
    server.naru([
        "repo",
        "collaborator",
        "add",
        "stale/source",
        "--user",
        "stale-collaborator",
        "--role",
        "read",
    ]);
    server.naru([
        "package",
        "link",
        "stale/app",
        "stale/source",
        "--inherit-access",
    ]);
    let status = |repo: &Repo<'_>| repo.get("manifests/v1").send().status;
    for name in ["stale-member", "stale-team", "stale-collaborator"] {
        assert!(eventually(SOON, || status(&by(name)) == 200), "{name}");
    }
    server.naru(["org", "member", "remove", "stale", "stale-member"]);
    server.naru(["team", "member", "remove", "stale/core", "stale-team"]);
    server.naru([
        "repo",
        "collaborator",
        "remove",
        "stale/source",
        "--user",
        "stale-collaborator",
    ]);
    for name in ["stale-member", "stale-team", "stale-collaborator"] {
        assert!(eventually(SOON, || status(&by(name)) == 404), "{name}");
    }
    server.set_visibility("stale/app", "public");
    let nobody = owner.by(&Credential::Absent);
    assert!(eventually(SOON, || status(&nobody) == 200));
    server.set_visibility("stale/app", "private");
    assert!(eventually(SOON, || status(&nobody) == 401));
}

/// A deleted package is gone for everybody, with all of its content, and comes back whole.
#[test]
fn a_deleted_package_answers_like_an_absent_one() {
    const SOON: Duration = Duration::from_secs(5);
    let server = plain();
    let repo = server.repo("deleted-package");
    let image = repo.push_image("v1");
    server.naru(["package", "delete", &repo.name]);
    assert!(eventually(SOON, || repo.get("manifests/v1").send().status == 404));
    for read in reads(&image) {
        is_not_there(&read.1, &ask(&repo, &read));
    }
    server.naru(["package", "restore", &repo.name]);
    assert!(eventually(SOON, || repo.get("manifests/v1").send().status == 200));
    repo.get(&format!("blobs/{}", image.layer_digest()))
        .send()
        .expect(200);
}

// ---- HTTP ----

/// Sends bytes as they are and reads what comes back, until the server closes or is silent.
fn by_hand(server: &Server, bytes: &[u8]) -> String {
    let mut connection = server.connect();
    connection
        .set_read_timeout(Some(Duration::from_millis(700)))
        .unwrap();
    // A server that closes early is right to do so.
    let _ = connection.write_all(bytes);
    let mut answer = Vec::new();
    let _ = connection.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Requests whose end two programs could see in two places are answered once, with a refusal, and
/// what is smuggled behind them is not answered at all (RFC 9112, section 6.3).
#[test]
fn nothing_is_smuggled_behind_a_request() {
    let server = plain();
    let repo = server.repo("smuggled");
    repo.push_image("v1");
    let authorization = repo.credential.header().unwrap();
    let hidden = format!("GET {} HTTP/1.1\r\nHost: h\r\n\r\n", repo.path("tags/list"));
    let framings = [
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 3",
        "Content-Length: 3\r\nContent-Length: 4",
        "Content-Length: 3, 4",
        "Content-Length: +3",
        "Content-Length: -3",
        "Content-Length: 0x3",
        "Content-Length: 3 3",
        "Content-Length: 99999999999999999999",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity, chunked, identity",
        "Transfer-Encoding : chunked",
        "Content-Length : 3",
        " Content-Length: 3",
        "Transfer-Encoding:\u{b}chunked",
        "X: y\rContent-Length: 3",
        "X: y\0z",
    ];
    for framing in framings {
        let bytes = format!(
            "POST {} HTTP/1.1\r\nHost: h\r\nAuthorization: {authorization}\r\n{framing}\r\n\r\n0\r\n\r\n{hidden}",
            repo.path("blobs/uploads/")
        );
        let answer = by_hand(server, bytes.as_bytes());
        let answers = answer.matches("HTTP/1.1 ").count();
        assert!(answers <= 1, "{framing:?}: {answer}");
        assert!(!answer.contains("\"tags\""), "{framing:?}: {answer}");
    }
}

/// A request line or host that is none is refused, and the process lives on.
#[test]
fn requests_that_are_none_are_refused() {
    let server = plain();
    for bytes in [
        "\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "GET /v2/\r\n\r\n",
        "GET /v2/ HTTP/9.9\r\nHost: h\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nHost: \"\r\n\r\n",
        "G\0T /v2/ HTTP/1.1\r\nHost: h\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let answer = by_hand(server, bytes.as_bytes());
        assert!(
            !answer.starts_with("HTTP/1.1 200") && !answer.starts_with("HTTP/1.1 5"),
            "{bytes:?}: {answer}"
        );
    }
    let long = format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "a".repeat(20_000));
    assert!(by_hand(server, long.as_bytes()).starts_with("HTTP/1.1 414"));
    let many: String = (0..300)
        .map(|number| format!("X-{number}: y\r\n"))
        .collect();
    let answer = by_hand(
        server,
        format!("GET / HTTP/1.1\r\nHost: h\r\n{many}\r\n").as_bytes(),
    );
    assert!(
        answer.starts_with("HTTP/1.1 431") || answer.starts_with("HTTP/1.1 400"),
        "{answer}"
    );
    server.get("/livez").send().expect(200);
}

/// Requests in one packet are answered one after the other, in their order.
#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = plain();
    let repo = server.repo("pipelined");
    let blob = noise("pipelined", 100);
    let digest = repo.push_blob(&blob);
    let first = repo.get(&format!("blobs/{digest}")).head();
    let second = repo.get("tags/list").head();
    let mut connection = server.connect();
    connection
        .write_all(format!("{first}{second}{first}").as_bytes())
        .unwrap();
    let mut reader = BufReader::new(&connection);
    let statuses: Vec<u16> = (0..3)
        .map(|_| read_answer(&mut reader, "pipelined", false).unwrap().status)
        .collect();
    assert_eq!(statuses[0], 200);
    assert_eq!(statuses[2], 200);
}

/// `Expect: 100-continue` asks before it sends: a refusal costs no transfer.
#[test]
fn a_body_that_is_refused_need_not_be_sent() {
    let server = plain();
    let repo = server.repo("expect");
    let head = |credential: &Credential| {
        let request = repo
            .by(credential)
            .put("manifests/v1")
            .with("Expect", "100-continue");
        request.body(vec![b'x'; 1000]).head()
    };
    let mut connection = server.connect();
    connection
        .write_all(head(&Credential::Absent).as_bytes())
        .unwrap();
    let answer = read_answer(&mut BufReader::new(&connection), "expect", false).unwrap();
    assert_eq!(answer.status, 401);
}
