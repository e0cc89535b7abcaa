//! A small HTTP/1.1 client that hides nothing: what is sent is chosen by the test down to the
//! byte, and what came back is there with every header. It follows nothing, retries nothing that
//! the server has begun to answer, and keeps one connection for each thread and server.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::server::Server;

/// Nothing that a test asks for may take longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Above this a body is written while the answer is read already.
const LARGE: usize = 64 << 10;

/// What stands in the `Authorization` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    /// There is none.
    Absent,
    /// A user name and a password or token.
    Basic(String, String),
    /// A token.
    Bearer(String),
}

impl Credential {
    pub(crate) fn basic(user: &str, secret: &str) -> Self {
        Self::Basic(user.to_owned(), secret.to_owned())
    }

    pub(crate) fn bearer(token: &str) -> Self {
        Self::Bearer(token.to_owned())
    }

    /// The secret in it.
    pub(crate) fn secret(&self) -> &str {
        match self {
            Self::Absent => "",
            Self::Basic(_, secret) | Self::Bearer(secret) => secret,
        }
    }

    /// The value of the header.
    pub(crate) fn header(&self) -> Option<String> {
        match self {
            Self::Absent => None,
            Self::Basic(user, secret) => Some(format!(
                "Basic {}",
                STANDARD.encode(format!("{user}:{secret}"))
            )),
            Self::Bearer(token) => Some(format!("Bearer {token}")),
        }
    }
}

/// A method by its name.
pub(crate) type Method = &'static str;

/// What follows the head of a request.
#[derive(Clone, Debug)]
enum Body {
    Nothing,
    /// With `Content-Length`.
    Whole(Vec<u8>),
    /// With `Transfer-Encoding: chunked`, in these pieces.
    Streamed(Vec<Vec<u8>>),
}

/// A request to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    address: SocketAddr,
    host: String,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Body,
}

impl Server {
    /// A request to a path or to a URL of this server.
    pub(crate) fn request(&self, method: &str, target: &str) -> Request {
        Request {
            address: self.address,
            host: self.address.to_string(),
            method: method.to_owned(),
            target: path_of(target).to_owned(),
            headers: Vec::new(),
            body: Body::Nothing,
        }
    }

    pub(crate) fn get(&self, target: &str) -> Request {
        self.request("GET", target)
    }

    /// A connection, to send by hand what no client would.
    pub(crate) fn connect(&self) -> TcpStream {
        connect(self.address).unwrap()
    }
}

/// A `Location` is a URL or a path; a request line has the path.
fn path_of(target: &str) -> &str {
    let Some((_, rest)) = target.split_once("://") else {
        return target;
    };
    rest.find('/').map_or("/", |at| &rest[at..])
}

impl Request {
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// As whom.
    pub(crate) fn signed(self, credential: &Credential) -> Self {
        match credential.header() {
            Some(value) => self.with("Authorization", &value),
            None => self,
        }
    }

    /// The same request as somebody else.
    pub(crate) fn signed_instead(mut self, credential: &Credential) -> Self {
        self.headers.retain(|(name, _)| name != "Authorization");
        self.signed(credential)
    }

    /// To another host name at the same address.
    pub(crate) fn at_host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Body::Whole(body.into());
        self
    }

    /// The body in pieces, without a length beforehand.
    pub(crate) fn streamed(mut self, pieces: &[&[u8]]) -> Self {
        self.body = Body::Streamed(pieces.iter().map(|piece| piece.to_vec()).collect());
        self
    }

    /// The head as it goes over the wire.
    pub(crate) fn head(&self) -> String {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nHost: {}\r\n",
            self.method, self.target, self.host
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let length = |length: usize| format!("Content-Length: {length}\r\n");
        match &self.body {
            Body::Nothing if matches!(self.method.as_str(), "POST" | "PUT" | "PATCH") => {
                head.push_str(&length(0));
            }
            Body::Nothing => {}
            Body::Whole(bytes) => head.push_str(&length(bytes.len())),
            Body::Streamed(_) => head.push_str("Transfer-Encoding: chunked\r\n"),
        }
        head.push_str("\r\n");
        head
    }

    fn encoded_body(&self) -> Vec<u8> {
        match &self.body {
            Body::Nothing => Vec::new(),
            Body::Whole(bytes) => bytes.clone(),
            Body::Streamed(pieces) => {
                let mut encoded = Vec::new();
                for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
                    encoded.extend(format!("{:x}\r\n", piece.len()).bytes());
                    encoded.extend(piece);
                    encoded.extend(b"\r\n");
                }
                encoded.extend(b"0\r\n\r\n");
                encoded
            }
        }
    }

    /// Sends it and reads the answer.
    pub(crate) fn send(self) -> Answer {
        if let Some(idle) = take_idle(self.address)
            && let Ok(answer) = self.exchange(idle)
        {
            return answer;
        }
        // The server may close an idle connection at any time.
        let fresh = connect(self.address).unwrap();
        self.exchange(fresh)
            .unwrap_or_else(|error| panic!("{} {}: {error}", self.method, self.target))
    }

    fn exchange(&self, connection: TcpStream) -> io::Result<Answer> {
        let mut bytes = self.head().into_bytes();
        bytes.extend(self.encoded_body());
        let mut writer = connection.try_clone()?;
        let answer = if bytes.len() < LARGE {
            writer.write_all(&bytes)?;
            self.read(&connection)
        } else {
            std::thread::scope(|scope| {
                // A refusal may come before the body has gone; then writing fails, rightly.
                let writing = scope.spawn(move || writer.write_all(&bytes));
                let answer = self.read(&connection);
                if answer
                    .as_ref()
                    .is_ok_and(|answer| answer.header("connection") == Some("close"))
                {
                    let _ = connection.shutdown(Shutdown::Both);
                }
                let _ = writing.join();
                answer
            })
        }?;
        if answer.header("connection") != Some("close") {
            put_idle(self.address, connection);
        }
        Ok(answer)
    }

    fn read(&self, connection: &TcpStream) -> io::Result<Answer> {
        let mut reader = BufReader::new(connection);
        let question = format!("{} {}", self.method, self.target);
        let answer = read_answer(&mut reader, &question, self.method == "HEAD")?;
        assert!(
            reader.buffer().is_empty(),
            "{question}: more came than the answer: {answer:?}"
        );
        Ok(answer)
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let connection = TcpStream::connect(address)?;
    connection.set_nodelay(true)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    Ok(connection)
}

thread_local! {
    static IDLE: RefCell<HashMap<SocketAddr, TcpStream>> = RefCell::default();
}

fn take_idle(address: SocketAddr) -> Option<TcpStream> {
    IDLE.with_borrow_mut(|idle| idle.remove(&address))
}

fn put_idle(address: SocketAddr, connection: TcpStream) {
    IDLE.with_borrow_mut(|idle| idle.insert(address, connection));
}

/// What came back.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Method and target of the request, for what a failing test says.
    question: String,
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Reads one answer from a connection; `without_body` if the request was a HEAD.
pub(crate) fn read_answer(
    reader: &mut impl BufRead,
    question: &str,
    without_body: bool,
) -> io::Result<Answer> {
    let mut answer = read_head(reader, question)?;
    // 100 Continue and its like precede the answer.
    while answer.status < 200 {
        answer = read_head(reader, question)?;
    }
    if without_body || matches!(answer.status, 204 | 304) {
        return Ok(answer);
    }
    let length = answer
        .header("content-length")
        .map(|length| length.parse().unwrap());
    answer.body = match length {
        Some(length) => read_exactly(reader, length)?,
        None if answer.header("transfer-encoding") == Some("chunked") => read_chunks(reader)?,
        None => {
            let mut rest = Vec::new();
            reader.read_to_end(&mut rest)?;
            rest
        }
    };
    Ok(answer)
}

fn read_head(reader: &mut impl BufRead, question: &str) -> io::Result<Answer> {
    let line = read_line(reader)?;
    let mut words = line.split(' ');
    let version = words.next().unwrap_or_default();
    let status = words.next().and_then(|status| status.parse().ok());
    let Some(status) = status.filter(|_| version == "HTTP/1.1") else {
        return Err(io::Error::other(format!("no status line: {line:?}")));
    };
    let mut headers = Vec::new();
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| io::Error::other(line.clone()))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok(Answer {
        question: question.to_owned(),
        status,
        headers,
        body: Vec::new(),
    })
}

fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let text = line.strip_suffix("\r\n").ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("the line ended early: {line:?}"),
        )
    })?;
    Ok(text.to_owned())
}

fn read_exactly(reader: &mut impl BufRead, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn read_chunks(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let line = read_line(reader)?;
        let length = usize::from_str_radix(&line, 16).map_err(io::Error::other)?;
        bytes.extend(read_exactly(reader, length)?);
        let end = read_line(reader)?;
        assert!(end.is_empty(), "a chunk is longer than it says: {end:?}");
        if length == 0 {
            return Ok(bytes);
        }
    }
}

impl Answer {
    /// Goes on if the status is this one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// The only header of this name.
    #[track_caller]
    pub(crate) fn the(&self, name: &str) -> &str {
        match self.headers(name).as_slice() {
            [value] => value,
            values => panic!("{} headers `{name}` in {self:?}", values.len()),
        }
    }

    /// The first header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).first().copied()
    }

    /// All headers of this name.
    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        let own = self.headers.iter().filter(|(own, _)| own == name);
        own.map(|(_, value)| value.as_str()).collect()
    }

    /// All headers, their names in small letters.
    pub(crate) fn all_headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The names of all headers.
    pub(crate) fn header_names(&self) -> Vec<&str> {
        self.headers.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The entry of an error body in the form of the specification.
    #[track_caller]
    pub(crate) fn error(&self) -> ErrorEntry {
        let json = self.json();
        let errors = json["errors"]
            .as_array()
            .unwrap_or_else(|| panic!("no errors in {self:?}"));
        assert!(
            self.the("content-type").starts_with("application/json"),
            "{self:?}"
        );
        let entry = &errors[0];
        ErrorEntry {
            code: entry["code"]
                .as_str()
                .unwrap_or_else(|| panic!("no code: {self:?}"))
                .to_owned(),
            message: entry["message"].as_str().unwrap_or_default().to_owned(),
            detail: entry["detail"].clone(),
        }
    }

    /// Goes on if it is this refusal.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.error().code, code, "{answer:?}");
        answer
    }

    /// The challenge of a 401.
    #[track_caller]
    pub(crate) fn challenge(&self) -> Challenge {
        Challenge::parse(self.the("www-authenticate"))
    }

    /// Everything but what differs from one answer to the next whatever is asked.
    pub(crate) fn lasting(&self) -> String {
        let lasting = |(name, _): &&(String, String)| {
            !matches!(name.as_str(), "date" | "x-github-request-id")
        };
        let mut text = format!("{}\n", self.status);
        for (name, value) in self.all_headers().iter().filter(lasting) {
            text.push_str(&format!("{name}: {value}\n"));
        }
        text.push_str(&String::from_utf8_lossy(&self.body));
        text
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the answer to {}:\n{}", self.question, self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {value}")?;
        }
        let shown = self.body.get(..2000).unwrap_or(&self.body);
        write!(f, "\n{}", String::from_utf8_lossy(shown))
    }
}

/// One entry of an error body.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ErrorEntry {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) detail: Value,
}

/// A `WWW-Authenticate` header taken apart (RFC 9110, section 11.6.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    pub(crate) scheme: String,
    parameters: HashMap<String, String>,
}

impl Challenge {
    fn parse(text: &str) -> Self {
        let (scheme, rest) = text.split_once(' ').unwrap();
        let mut parameters = HashMap::new();
        let mut rest = rest.trim();
        while let Some((name, after)) = rest.split_once("=\"") {
            let (value, after) = after.split_once('"').unwrap();
            parameters.insert(
                name.trim_start_matches([',', ' ']).to_owned(),
                value.to_owned(),
            );
            rest = after;
        }
        assert!(rest.is_empty(), "the challenge has a rest: {text:?}");
        Self {
            scheme: scheme.to_owned(),
            parameters,
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }
}

/// A text as it stands in a query.
pub(crate) fn in_query(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Reads the answer that is under way on a connection, if one is.
pub(crate) fn answer_on(connection: &TcpStream) -> io::Result<Answer> {
    read_answer(&mut BufReader::new(connection), "by hand", false)
}
