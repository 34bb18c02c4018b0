//! Connecting to `io-shared view` as a viewer does.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Child;
use std::time::{Duration, Instant};

use io_shared_formats::Foreign;
use serde_json::{Value as Json, json};
use tungstenite::handshake::client::generate_key;
use tungstenite::{Message, WebSocket};

use super::start;

/// How long the tests wait for what must come.
const LONG: Duration = Duration::from_secs(60);

/// A server that was started, and ends with this.
pub(crate) struct View {
    pub(crate) child: Child,
    /// The address and port, and what follows the `?`.
    pub(crate) host: String,
    pub(crate) query: String,
}

impl View {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let all = [&["view", "--json", "--listen", "127.0.0.1:0"], arguments].concat();
        let mut child = start(&all);
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Json = serde_json::from_str(&line).unwrap();
        let url = said["websocket"].as_str().unwrap().strip_prefix("ws://").unwrap();
        let (host, query) = url.split_once('/').unwrap();
        Self { child, host: host.to_owned(), query: query.to_owned() }
    }

    /// Sends a request, and returns all of the answer.
    pub(crate) fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // The rest of a request that was refused may come as a reset.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Connects with these headers besides the usual ones.
    pub(crate) fn connect_with(
        &self,
        query: &str,
        headers: &[(&str, &str)],
    ) -> Result<Viewer, u16> {
        let mut request = tungstenite::http::Request::builder()
            .uri(format!("ws://{}/{query}", self.host))
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", generate_key());
        for (name, value) in [("Host", &*self.host)].iter().chain(headers) {
            // A later one takes the place of an earlier one.
            request.headers_mut().unwrap().insert(
                tungstenite::http::HeaderName::from_bytes(name.as_bytes()).unwrap(),
                value.parse().unwrap(),
            );
        }
        let stream = TcpStream::connect(&self.host).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        let line = Line { stream, is_mute: false };
        match tungstenite::client(request.body(()).unwrap(), line) {
            Ok((socket, response)) => {
                let protocol = &response.headers()["sec-websocket-protocol"];
                let protocol = protocol.to_str().unwrap().to_owned();
                Ok(Viewer { socket, protocol, topics: HashMap::new(), said: Vec::new(), next: 0 })
            }
            Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(response))) => {
                Err(response.status().as_u16())
            }
            Err(other) => panic!("{other}"),
        }
    }

    pub(crate) fn connect(&self) -> Viewer {
        let protocol = ("Sec-WebSocket-Protocol", "foxglove.websocket.v1");
        self.connect_with(&self.query, &[protocol]).unwrap()
    }

    /// The memory that the server has in use, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A topic that the server has.
#[derive(Debug, Clone)]
pub(crate) struct Topic {
    pub(crate) id: u64,
    pub(crate) type_name: String,
    pub(crate) definition: String,
}

/// A connection that may be kept from saying anything.
pub(crate) struct Line {
    pub(crate) stream: TcpStream,
    pub(crate) is_mute: bool,
}

impl Read for Line {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        self.stream.read(bytes)
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.is_mute { Ok(bytes.len()) } else { self.stream.write(bytes) }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.stream.flush()
    }
}

/// A client.
pub(crate) struct Viewer {
    pub(crate) socket: WebSocket<Line>,
    pub(crate) protocol: String,
    /// By their names.
    pub(crate) topics: HashMap<String, Topic>,
    /// What the server said in words.
    pub(crate) said: Vec<String>,
    next: u32,
}

impl Viewer {
    /// The next message of a subscription: its number, the time, and the content. What else comes
    /// is noted. `None`: a message in words was noted.
    pub(crate) fn next(&mut self) -> Option<(u32, u64, Vec<u8>)> {
        match self.socket.read().unwrap() {
            Message::Text(text) => {
                self.note(&serde_json::from_str(&text).unwrap());
                None
            }
            Message::Binary(data) => {
                assert_eq!(data[0], 1);
                let number = |from, to| -> u64 {
                    let mut bytes = [0; 8];
                    bytes[..to - from].copy_from_slice(&data[from..to]);
                    u64::from_le_bytes(bytes)
                };
                Some((number(1, 5) as u32, number(5, 13), data[13..].to_vec()))
            }
            _ => None,
        }
    }

    fn note(&mut self, message: &Json) {
        let text = |json: &Json| json.as_str().unwrap().to_owned();
        match message["op"].as_str().unwrap() {
            "serverInfo" => {}
            "advertise" => {
                for channel in message["channels"].as_array().unwrap() {
                    let topic = Topic {
                        id: channel["id"].as_u64().unwrap(),
                        type_name: text(&channel["schemaName"]),
                        definition: text(&channel["schema"]),
                    };
                    if channel["encoding"] == "cdr" && !topic.type_name.starts_with("tf2") {
                        // Each definition can be read.
                        Foreign::parse(&topic.type_name, &topic.definition).unwrap();
                    }
                    self.topics.insert(text(&channel["topic"]), topic);
                }
            }
            "unadvertise" => {
                for id in message["channelIds"].as_array().unwrap() {
                    self.topics.retain(|_, topic| Some(topic.id) != id.as_u64());
                }
            }
            "status" => self.said.push(text(&message["message"])),
            other => panic!("{other}"),
        }
    }

    /// Reads until `is_so`; what comes meanwhile of subscriptions is lost.
    #[track_caller]
    pub(crate) fn until(&mut self, mut is_so: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + LONG;
        while !is_so(self) {
            assert!(Instant::now() < deadline, "{:?} {:?}", self.topics, self.said);
            self.next();
        }
    }

    /// Waits for a topic, and subscribes to it.
    #[track_caller]
    pub(crate) fn subscribe(&mut self, name: &str) -> u32 {
        self.until(|viewer| viewer.topics.contains_key(name));
        self.next += 1;
        let (id, channel) = (self.next, self.topics[name].id);
        let asks = [json!({ "id": id, "channelId": channel })];
        self.say(&json!({ "op": "subscribe", "subscriptions": asks }));
        id
    }

    pub(crate) fn say(&mut self, message: &Json) {
        self.socket.send(Message::text(message.to_string())).unwrap();
    }

    /// The next message of this subscription.
    #[track_caller]
    pub(crate) fn data(&mut self, subscription: u32) -> (u64, Vec<u8>) {
        let deadline = Instant::now() + LONG;
        loop {
            assert!(Instant::now() < deadline, "nothing came: {:?}", self.said);
            if let Some((id, time, data)) = self.next()
                && id == subscription
            {
                return (time, data);
            }
        }
    }
}
