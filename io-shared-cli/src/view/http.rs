//! Requests, and the answers to them: the few bytes of HTTP that a page and a WebSocket need.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tungstenite::WebSocket;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::{Role, WebSocketConfig};

use super::page::File;

/// The longest request, and how long it may take.
const LONGEST: usize = 16 << 10;
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest message of a client: it subscribes, and nothing more.
const LARGEST_MESSAGE: usize = 1 << 20;

/// A request, without a body.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) path: String,
    query: String,
    headers: Vec<(String, String)>,
    /// What came after its end.
    rest: Vec<u8>,
}

impl Request {
    /// The value of a header; its name in lower case. One that is there twice is none.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        found.next().filter(|_| found.next().is_none()).map(|(_, value)| &**value)
    }

    /// A parameter after the `?`.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        let mut pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut parsed = httparse::Request::new(&mut headers);
        let httparse::Status::Complete(length) = parsed.parse(bytes).ok()? else { return None };
        if parsed.method != Some("GET") {
            return None;
        }
        let target = parsed.path?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers = parsed.headers.iter().map(|header| {
            let value = std::str::from_utf8(header.value).unwrap_or_default();
            (header.name.to_ascii_lowercase(), value.to_owned())
        });
        Some(Self {
            path: path.to_owned(),
            query: query.to_owned(),
            headers: headers.collect(),
            rest: bytes[length..].to_vec(),
        })
    }

    #[cfg(test)]
    pub(super) fn of(target: &str, headers: &[(&str, &str)]) -> Self {
        let lines = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        let text = format!("GET {target} HTTP/1.1\r\n{}\r\n", lines.collect::<String>());
        Self::parse(text.as_bytes()).expect("it is a request")
    }
}

/// Reads a request. `None`: it is none, or takes too long; the answer was sent.
pub(super) fn read(stream: &mut TcpStream) -> Option<Request> {
    let until = Instant::now() + PATIENCE;
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || bytes.len() > LONGEST {
            break;
        }
        stream.set_read_timeout(Some(left)).ok()?;
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend(&piece[..read]),
        }
    }
    let request = Request::parse(&bytes);
    if request.is_none() {
        let _ = answer(stream, 400, "text/plain", b"this is no request for a page");
    }
    request
}

/// Makes the connection a WebSocket.
pub(super) fn upgrade(
    mut stream: TcpStream,
    request: Request,
    protocol: &str,
) -> Option<WebSocket<TcpStream>> {
    let key = match request.header("sec-websocket-key") {
        Some(key) if request.header("sec-websocket-version") == Some("13") => key,
        _ => {
            refuse(stream, 400, "the key or the version of the WebSocket is missing");
            return None;
        }
    };
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n",
        derive_accept_key(key.as_bytes()),
    );
    stream.set_nodelay(true).ok()?;
    stream.write_all(head.as_bytes()).ok()?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(LARGEST_MESSAGE))
        .max_frame_size(Some(LARGEST_MESSAGE))
        // What is sent is sent at once: a message that does not fit waits in the socket alone.
        .write_buffer_size(0);
    Some(WebSocket::from_partially_read(stream, request.rest, Role::Server, Some(config)))
}

/// Sends a file of the page.
pub(super) fn send(mut stream: TcpStream, file: &File) {
    let _ = answer(&mut stream, 200, file.kind, file.body.as_bytes());
}

pub(super) fn refuse(mut stream: TcpStream, status: u16, text: &str) {
    let _ = answer(&mut stream, status, "text/plain; charset=utf-8", text.as_bytes());
}

fn answer(stream: &mut TcpStream, status: u16, kind: &str, body: &[u8]) -> io::Result<()> {
    let reason = match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        _ => "Service Unavailable",
    };
    // The page runs its own script and nothing else, and talks to this server alone.
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
         Connection: close\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n\
         X-Content-Type-Options: nosniff\r\nContent-Security-Policy: default-src 'none'; \
         script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; \
         frame-ancestors 'none'; base-uri 'none'; form-action 'none'\r\n\r\n",
        body.len(),
    );
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    stream.flush()
}
