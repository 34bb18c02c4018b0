//! What the link costs more than what it is made of.
//!
//! A value goes from a program on one machine to a program on another by the link, by a bare put of
//! Zenoh and by bare TCP, in alternating rounds. The acknowledgement goes by TCP in each case.
//!
//! It needs root, a quiet machine and two minutes:
//! `cargo test --release --locked -p io-shared-link --test bare -- --ignored --nocapture`

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(clippy::print_stdout, reason = "this test prints what it measured")]

mod machines;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use io_shared::{Channel, Producer};
use machines::Machine;
use test_support::peer;
use zenoh::Wait;
use zenoh::pubsub::Publisher;
use zenoh::qos::CongestionControl;

const SYSTEMS: [&str; 3] = ["tcp", "zenoh", "link"];
/// The sizes of values, how many a system is given per round, and how long to wait between two.
const SIZES: [(usize, usize, Duration); 2] =
    [(5_000_000, 20, Duration::from_millis(10)), (64, 200, Duration::from_millis(2))];
const ROUNDS: usize = 15;
const ACKS: u16 = 7001;
const VALUES: u16 = 7002;
const ZENOH: u16 = 7003;
/// How long to wait for what has to come.
const TIMEOUT: Duration = Duration::from_secs(20);

fn listen(port: u16) -> TcpListener {
    TcpListener::bind(("0.0.0.0", port)).unwrap()
}

fn connect(address: &str, port: u16) -> TcpStream {
    let stream = TcpStream::connect((address, port)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream
}

/// A session of Zenoh with its defaults, but that it looks for nobody.
fn session(side: &str, endpoint: &str) -> zenoh::Session {
    let mut config = zenoh::Config::default();
    for other in ["listen", "connect"] {
        let endpoints = if other == side { format!("[\"{endpoint}\"]") } else { "[]".to_owned() };
        config.insert_json5(&format!("{other}/endpoints"), &endpoints).unwrap();
    }
    config.insert_json5("scouting/multicast/enabled", "false").unwrap();
    zenoh::open(config).wait().unwrap()
}

fn key(bytes: usize) -> String {
    format!("bare/{bytes}")
}

fn name(bytes: usize) -> String {
    format!("/value{bytes}")
}

/// Acknowledges a value that is whole, whichever way it came.
fn acknowledge(mut acks: &TcpStream, value: &[u8]) {
    assert!(value.iter().step_by(4096).all(|byte| *byte == value[0]), "torn");
    acks.write_all(&value[..1]).unwrap();
}

/// The program that values are for.
#[test]
fn receiver() {
    if peer::arguments().is_none() {
        return;
    }
    let (acks, values) = (listen(ACKS), listen(VALUES));
    let session = session("listen", &format!("tcp/0.0.0.0:{ZENOH}"));
    peer::tell("listens");
    let acks = acks.accept().unwrap().0;
    acks.set_nodelay(true).unwrap();
    let mut subscribers = Vec::new();
    for (bytes, ..) in SIZES {
        let own = acks.try_clone().unwrap();
        let subscriber = session.declare_subscriber(key(bytes));
        let subscriber =
            subscriber.callback(move |sample| acknowledge(&own, &sample.payload().to_bytes()));
        subscribers.push(subscriber.wait().unwrap());
        let (mut stream, own) = (values.accept().unwrap().0, acks.try_clone().unwrap());
        std::thread::spawn(move || {
            let mut value = vec![0; bytes];
            while stream.read_exact(&mut value).is_ok() {
                acknowledge(&own, &value);
            }
        });
        let channel = Channel::<[u8]>::named(name(bytes)).open_timeout(TIMEOUT);
        let (mut consumer, own) = (channel.consumer().unwrap(), acks.try_clone().unwrap());
        std::thread::spawn(move || {
            while let Ok(value) = consumer.get() {
                acknowledge(&own, &value);
            }
        });
    }
    peer::tell("ready");
    assert_eq!(peer::hear(), "end");
}

/// One size of value, three ways to send it.
struct Sender {
    value: Vec<u8>,
    tcp: TcpStream,
    zenoh: Publisher<'static>,
    link: Producer<[u8]>,
}

impl Sender {
    fn send(&mut self, system: &str) {
        match system {
            "tcp" => self.tcp.write_all(&self.value).unwrap(),
            "zenoh" => self.zenoh.put(self.value.clone()).wait().unwrap(),
            _ => drop(self.link.put(&self.value).unwrap()),
        }
    }
}

/// The program that has the values. Tells medians of times to the acknowledgement, in nanoseconds.
#[test]
fn sender() {
    let Some(arguments) = peer::arguments() else { return };
    let address = &arguments[0];
    let mut acks = connect(address, ACKS);
    let session = session("connect", &format!("tcp/{address}:{ZENOH}"));
    let mut senders = SIZES.map(|(bytes, ..)| {
        let publisher = session.declare_publisher(key(bytes)).express(true);
        let publisher = publisher.congestion_control(CongestionControl::Block).wait().unwrap();
        Sender {
            value: vec![0; bytes],
            tcp: connect(address, VALUES),
            zenoh: publisher,
            link: Channel::<[u8]>::named(name(bytes)).capacity(bytes).producer().unwrap(),
        }
    });
    peer::tell("produces");
    loop {
        let line = peer::hear();
        let Some((system, size)) = line.split_once(' ') else { return };
        let size: usize = size.parse().unwrap();
        let (sender, (_, count, pause)) = (&mut senders[size], SIZES[size]);
        let mut times = Vec::new();
        for byte in (1..=u8::MAX).cycle().take(count) {
            sender.value.fill(byte);
            let sent = Instant::now();
            sender.send(system);
            let mut ack = [0];
            acks.read_exact(&mut ack).unwrap();
            times.push(sent.elapsed().as_nanos());
            assert_eq!(ack[0], byte, "{system}: of another value");
            std::thread::sleep(pause);
        }
        times.sort_unstable();
        peer::tell(&times[times.len() / 2].to_string());
    }
}

/// The least, the quartiles and the greatest.
fn spread(mut values: Vec<f64>) -> [f64; 5] {
    values.sort_by(f64::total_cmp);
    [0, 1, 2, 3, 4].map(|quarter| values[quarter * (values.len() - 1) / 4])
}

#[test]
#[ignore = "two minutes, on a quiet machine"]
fn a_cloud_takes_at_most_1_3_of_a_bare_put_and_a_small_value_80_us_more() {
    let (robot, desk) = (Machine::new("robot", 1, 0), Machine::new("desk", 2, 0));
    robot.wire(&desk, None);
    let mut receiver = desk.peer("receiver", &["here"]);
    receiver.expect("listens");
    let mut sender = robot.peer("sender", &[&desk.address(&robot)]);
    sender.expect("produces");
    let _robot = robot.link(&["--listen", "tcp/0.0.0.0:7447", "--give", "/**"]);
    let address = format!("tcp/{}:7447", robot.address(&desk));
    let _desk = desk.link(&["--connect", &address, "--take", "/**"]);
    receiver.expect("ready");
    let mut play = |system: &str, size: usize| {
        sender.tell(&format!("{system} {size}"));
        sender.hear().parse::<f64>().unwrap() / 1000.0
    };
    let mut costs = Vec::new();
    for (size, (bytes, ..)) in SIZES.iter().enumerate() {
        for system in SYSTEMS {
            play(system, size); // all is allocated
        }
        let mut times = [(); 3].map(|()| Vec::new());
        for round in 0..ROUNDS {
            for turn in 0..SYSTEMS.len() {
                let system = (round + turn) % SYSTEMS.len();
                times[system].push(play(SYSTEMS[system], size));
            }
        }
        for (system, times) in SYSTEMS.iter().zip(&times) {
            let [least, low, median, high, most] = spread(times.clone());
            let spread = format!("{low:.0} to {high:.0}, {least:.0} to {most:.0}");
            println!("{bytes} B by {system}: {median:.0} us ({spread})");
        }
        let [_, zenoh, link] = &times;
        let pairs = || zenoh.iter().zip(link);
        let [least, low, ratio, high, most] = spread(pairs().map(|(z, l)| l / z).collect());
        println!(
            "{bytes} B, link / zenoh: {ratio:.2} ({low:.2} to {high:.2}, {least:.2} to {most:.2})"
        );
        let [.., more, _, _] = spread(pairs().map(|(zenoh, link)| link - zenoh).collect());
        println!("{bytes} B, link - zenoh: {more:.0} us");
        costs.push((ratio, more));
    }
    sender.tell("end");
    receiver.tell("end");
    assert!(costs[0].0 <= 1.3 && costs[1].1 <= 80.0, "{costs:?}");
}
