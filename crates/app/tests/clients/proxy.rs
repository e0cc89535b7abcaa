//! A proxy as companies have them (HTTP `CONNECT`), which leads the name in the test certificates
//! to a server on any port.
//!
//! Some clients take no port with a host name; by way of the proxy they reach port 443 of a name
//! that no machine resolves, without a port of the machine's own, and unmodified.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use naru_testkit::certificates::NAME;
use naru_testkit::naru::Server;

/// The address of a proxy that leads to this server, for `HTTPS_PROXY`. It lasts as long as the
/// tests do.
pub(crate) fn leading_to(server: &Server) -> String {
    let target: SocketAddr = server.host().parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // A client that goes away in the middle is none of the test's business.
            thread::spawn(move || lead(&client, target));
        }
    });
    format!("http://{address}")
}

/// Answers one `CONNECT`, then passes bytes on in both directions.
fn lead(client: &TcpStream, target: SocketAddr) -> io::Result<()> {
    let mut reader = BufReader::new(client);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut line = String::from("-");
    while !line.trim().is_empty() {
        line.clear();
        reader.read_line(&mut line)?;
    }
    let mut answer = client;
    if !request.starts_with(&format!("CONNECT {NAME}:443 ")) {
        return answer.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n");
    }
    let server = TcpStream::connect(target)?;
    answer.write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
    thread::scope(|scope| {
        scope.spawn(|| pass(&mut reader, &server));
        pass(&mut &server, client);
    });
    Ok(())
}

/// Passes bytes on until one side has no more, and says so to the other.
fn pass(from: &mut impl io::Read, mut to: &TcpStream) {
    // Either end may vanish.
    let _ = io::copy(from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
