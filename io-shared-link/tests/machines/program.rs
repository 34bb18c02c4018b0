//! Two machines with a program on each, that does what a test tells it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use io_shared::inspect::{self, Content, Region};
use io_shared::{Channel, Consumer, ErrorKind, Location, Name, Producer, Schema};
use test_support::peer;
use zenoh::Wait;

use super::{Link, Machine};

/// How far the second machine's clock is ahead.
pub(crate) const AHEAD: i64 = 100;

fn entry(name: &str) -> Option<inspect::Entry> {
    inspect::entry(&Location::from(Name::new(name).unwrap())).ok()
}

fn region(name: &str) -> Option<Region> {
    match entry(name)?.content {
        Content::Region(region) => Some(*region),
        _ => None,
    }
}

/// A program that does what it is told, one line at a time, and tells what came of it.
#[test]
fn program() {
    if peer::arguments().is_none() {
        return;
    }
    test_support::set_patience();
    let mut handles = Handles::default();
    peer::tell("here");
    loop {
        let line = peer::hear();
        let words: Vec<&str> = line.split(' ').collect();
        let told = match words[..] {
            ["produce", name, schema, capacity] => {
                handles.produce(name, schema, capacity.parse().unwrap())
            }
            ["put", name, bytes, byte, tag] => {
                let value = vec![byte.parse().unwrap(); bytes.parse().unwrap()];
                handles.put(name, &value, tag.parse().unwrap())
            }
            ["get", name, seconds] => {
                handles.get(name, Duration::from_secs(seconds.parse().unwrap()))
            }
            ["stop", name] => {
                handles.producers.retain(|(known, _)| known != name);
                handles.consumers.retain(|(known, _)| known != name);
                "done".to_owned()
            }
            ["stream", name, bytes, micros] => {
                let (name, bytes) = (name.to_owned(), bytes.parse().unwrap());
                let period = Duration::from_micros(micros.parse().unwrap());
                std::thread::spawn(move || stream(&name, bytes, period));
                "done".to_owned()
            }
            ["watch", name, seconds] => watch(name, seconds.parse().unwrap()),
            ["announce", address, key] => announce(address, key),
            ["ask", address, selector] => ask(address, selector),
            ["serve", bytes] => serve(bytes.parse().unwrap()),
            ["fetch", address, bytes] => fetch(address, bytes.parse().unwrap()),
            ["origin", name] => {
                let origin = region(name).and_then(|region| region.producer?.origin);
                origin.unwrap_or_else(|| "none".to_owned())
            }
            ["pass", name, from] => {
                // As another link does that has become the producer.
                let text = format!("from={from} delay=1 clock=0 error=1 line=1 via=robot");
                let mut producers = handles.producers.iter_mut();
                let (_, producer) = producers.find(|(known, _)| known == name).unwrap();
                producer.set_origin(&text).unwrap();
                "done".to_owned()
            }
            ["remove", name] => {
                io_shared::remove(name).map_or_else(|error| error.to_string(), |()| "done".into())
            }
            ["mode", name] => {
                entry(name).map_or("none".to_owned(), |entry| format!("{:o}", entry.mode))
            }
            ["names"] => {
                let names = inspect::channels().unwrap().into_iter().map(|entry| entry.name);
                names.collect::<Vec<_>>().join(" ")
            }
            [""] => return,
            _ => panic!("{line}"),
        };
        peer::tell(&told);
    }
}

/// What a program has opened.
#[derive(Default)]
struct Handles {
    producers: Vec<(String, Producer<[u8]>)>,
    consumers: Vec<(String, Consumer<[u8]>)>,
}

impl Handles {
    fn produce(&mut self, name: &str, schema: &str, capacity: usize) -> String {
        let channel = Channel::<[u8]>::named(name).schema(Schema::from_json(schema).unwrap());
        let channel = match capacity {
            0 => channel, // of a fixed size
            capacity => channel.capacity(capacity),
        };
        match channel.wait_for_role(Duration::from_secs(5)).producer() {
            Err(error) => error.to_string(),
            Ok(producer) => {
                self.producers.push((name.to_owned(), producer));
                "done".to_owned()
            }
        }
    }

    fn put(&mut self, name: &str, value: &[u8], tag: u64) -> String {
        let found = self.producers.iter_mut().find(|(known, _)| known == name);
        let put = found.unwrap().1.put_tagged(value, tag);
        put.map_or_else(|error| error.to_string(), |seq| seq.to_string())
    }

    /// Tells number, length, first byte, whether all bytes are the same, tag, and age in us.
    fn get(&mut self, name: &str, timeout: Duration) -> String {
        if !self.consumers.iter().any(|(known, _)| known == name) {
            let channel = Channel::<[u8]>::named(name).any_schema().requires_producer(true);
            let consumer = channel.open_timeout(Duration::from_secs(20)).consumer().unwrap();
            self.consumers.push((name.to_owned(), consumer));
        }
        let found = self.consumers.iter_mut().find(|(known, _)| known == name);
        match found.unwrap().1.get_timeout(timeout) {
            Ok(value) => {
                let same = value.iter().all(|byte| *byte == value[0]);
                let age = value.age().map_or(-1, |age| age.as_micros() as i64);
                let (byte, length) = (value[0], value.len());
                format!("{} {length} {byte} {same} {} {age}", value.seq(), value.tag())
            }
            Err(error) => match error.kind() {
                ErrorKind::NoProducer { .. } => "no producer".to_owned(),
                ErrorKind::Timeout { .. } => "nothing".to_owned(),
                _ => error.to_string(),
            },
        }
    }
}

/// Puts values until the program ends: each has one byte again and again.
fn stream(name: &str, bytes: usize, period: Duration) {
    let channel = Channel::<[u8]>::named(name).schema(Schema::from_json(BYTES).unwrap());
    let mut producer = channel.capacity(bytes).producer().unwrap();
    let mut due = Instant::now();
    for number in 0_u64.. {
        let mut loan = producer.loan_len(bytes).unwrap();
        loan.fill(number as u8);
        loan.put().unwrap();
        due += period;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

/// Gets values for some seconds, after one to begin with. Tells how many there were, the median,
/// 99th percentile and maximum of their ages in us, and asserts that none is torn or old.
fn watch(name: &str, seconds: u64) -> String {
    let channel = Channel::<[u8]>::named(name).any_schema();
    let mut consumer = channel.open_timeout(Duration::from_secs(20)).consumer().unwrap();
    let timeout = Duration::from_secs(20);
    let mut last = consumer.get_timeout(timeout).unwrap().seq();
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut ages = Vec::new();
    while Instant::now() < until {
        let value = consumer.get_timeout(timeout).unwrap();
        // Before the look at its bytes, which takes its time.
        ages.push(value.age().unwrap().as_micros());
        assert!(value.seq() > last, "{} after {last}", value.seq());
        last = value.seq();
        assert!(value.iter().all(|byte| *byte == value[0]), "torn: {last}");
    }
    ages.sort_unstable();
    let part = |part: usize| ages[(ages.len() * part / 100).min(ages.len() - 1)];
    format!("{} {} {} {}", ages.len(), part(50), part(99), part(100))
}

/// A session of a peer of Zenoh that is no link.
fn session(address: &str) -> zenoh::Session {
    let mut config = zenoh::Config::default();
    let endpoints = [("listen", "[]".to_owned()), ("connect", format!("[\"{address}\"]"))];
    for (side, endpoints) in endpoints {
        config.insert_json5(&format!("{side}/endpoints"), &endpoints).unwrap();
    }
    config.insert_json5("scouting/multicast/enabled", "false").unwrap();
    zenoh::open(config).wait().unwrap()
}

/// Asks twice at once, and tells how many milliseconds each question was open.
fn ask(address: &str, selector: &str) -> String {
    let (session, started) = (session(address), Instant::now());
    let ask = |_| session.get(selector).timeout(Duration::from_secs(60)).wait().unwrap();
    let questions: Vec<_> = (0..2).map(ask).collect();
    let ended = questions.iter().map(|answers| {
        while answers.recv().is_ok() {}
        started.elapsed().as_millis().to_string()
    });
    ended.collect::<Vec<_>>().join(" ")
}

/// Is a peer of Zenoh that has a token, until the program ends.
fn announce(address: &str, key: &str) -> String {
    let session = session(address);
    let token = session.liveliness().declare_token(key.to_owned()).wait().unwrap();
    std::mem::forget((token, session));
    "done".to_owned()
}

/// The port of the bare server.
const PORT: u16 = 7000;

/// Serves that many bytes for each byte that it is sent.
fn serve(bytes: usize) -> String {
    let listener = TcpListener::bind(("0.0.0.0", PORT)).unwrap();
    std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        stream.set_nodelay(true).unwrap();
        let answer = vec![7; bytes];
        while stream.read_exact(&mut [0]).is_ok() && stream.write_all(&answer).is_ok() {}
    });
    "done".to_owned()
}

/// Fetches that many bytes again and again, ten times per second. Tells the median time in us.
fn fetch(address: &str, bytes: usize) -> String {
    let mut stream = TcpStream::connect((address, PORT)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut answer = vec![0; bytes];
    let mut times: Vec<u128> = (0..50)
        .map(|_| {
            let started = Instant::now();
            stream.write_all(&[1]).unwrap();
            stream.read_exact(&mut answer).unwrap();
            let took = started.elapsed();
            std::thread::sleep(Duration::from_millis(100).saturating_sub(took));
            took.as_micros()
        })
        .collect();
    times.sort_unstable();
    times[25].to_string()
}

/// A program on a machine.
pub(crate) struct Program(peer::Peer);

impl Program {
    pub(crate) fn on(machine: &Machine) -> Self {
        let mut peer = machine.peer("machines::program::program", &["here"]);
        peer.expect("here");
        Self(peer)
    }

    pub(crate) fn ask(&mut self, line: &str) -> String {
        self.0.tell(line);
        self.0.hear()
    }

    pub(crate) fn tell(&mut self, line: &str) {
        self.0.tell(line);
    }

    pub(crate) fn hear(&mut self) -> String {
        self.0.hear()
    }

    #[track_caller]
    pub(crate) fn put(&mut self, name: &str, bytes: usize, byte: u8, tag: u64) -> u64 {
        self.ask(&format!("put {name} {bytes} {byte} {tag}")).parse().unwrap()
    }

    /// Gets values until the one with this number, and returns its length, byte, tag and age in us.
    #[track_caller]
    pub(crate) fn get(&mut self, name: &str, seq: u64) -> (usize, u8, u64, i64) {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let told = self.ask(&format!("get {name} 1"));
            let words: Vec<&str> = told.split(' ').collect();
            if let [found, length, byte, same, tag, age] = words[..] {
                assert_eq!(same, "true", "torn: {told}");
                if found.parse::<u64>().unwrap() == seq {
                    let (length, byte) = (length.parse().unwrap(), byte.parse().unwrap());
                    return (length, byte, tag.parse().unwrap(), age.parse().unwrap());
                }
            }
            assert!(Instant::now() < until, "value {seq} of {name} does not come: {told}");
        }
    }

    /// Waits until a get says this.
    #[track_caller]
    pub(crate) fn until(&mut self, line: &str, wanted: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let told = self.ask(line);
            if wanted(&told) {
                return told;
            }
            assert!(Instant::now() < until, "{line}: {told}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The schema of bytes.
pub(crate) const BYTES: &str = r#"{"slice":"|u1"}"#;

/// A robot and a workstation, a wire between them, and a program on each.
pub(crate) struct Two {
    pub(crate) robot: Machine,
    pub(crate) desk: Machine,
    pub(crate) on_robot: Program,
    pub(crate) on_desk: Program,
}

impl Two {
    pub(crate) fn new() -> Self {
        let (robot, desk) = (Machine::new("robot", 1, 0), Machine::new("desk", 2, AHEAD));
        robot.wire(&desk, None);
        let (on_robot, on_desk) = (Program::on(&robot), Program::on(&desk));
        Self { robot, desk, on_robot, on_desk }
    }

    pub(crate) fn robot_link(&self, arguments: &[&str]) -> Link {
        self.robot.link(&[&["--listen", "tcp/0.0.0.0:7447"], arguments].concat())
    }

    pub(crate) fn desk_link(&self, arguments: &[&str]) -> Link {
        let robot = format!("tcp/{}:7447", self.robot.address(&self.desk));
        self.desk.link(&[&["--connect", &robot], arguments].concat())
    }
}
