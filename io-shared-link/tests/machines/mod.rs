//! Machines made of namespaces: each has its network, its /dev/shm, its host name and its clock.
//! They need root. What one of them runs is killed with it.

#![allow(dead_code, clippy::print_stderr, reason = "it is for tests, which each use a part")]

pub(crate) mod program;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use test_support::peer::Peer;

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a command to its end, and returns what it printed.
#[track_caller]
pub(crate) fn run(command: &[&str]) -> String {
    let output = Command::new(command[0]).args(&command[1..]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// A machine. The process that holds its namespaces ends with it.
#[derive(Debug)]
pub(crate) struct Machine {
    holder: Child,
    number: u8,
}

impl Machine {
    /// A machine of this name, whose clock is `ahead` seconds ahead of this one's.
    pub(crate) fn new(name: &str, number: u8, ahead: i64) -> Self {
        test_support::set_patience();
        let script = format!(
            "mount --make-rprivate / && mount -t tmpfs tmpfs /dev/shm && hostname {name} && \
             ip link set lo up && echo ready && exec sleep 100000"
        );
        let ahead = format!("--monotonic={ahead}");
        let own = ["--net", "--mount", "--uts", "--time", &ahead, "--fork", "--kill-child"];
        let mut holder = Command::new("unshare")
            .args(own)
            .args(["sh", "-c", &script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "the tests of the link need root and namespaces");
        Self { holder, number }
    }

    /// The process inside: the child of unshare.
    fn inside(&self) -> String {
        let pid = self.holder.id();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        children.trim().to_owned()
    }

    /// What a command starts with that runs in this machine.
    pub(crate) fn enter(&self) -> Vec<String> {
        let inside = self.inside();
        let own = ["nsenter", "--target", &inside, "--net", "--mount", "--uts", "--time"];
        own.map(str::to_owned).to_vec()
    }

    /// Runs a command here to its end.
    #[track_caller]
    pub(crate) fn run(&self, command: &[&str]) -> String {
        let enter = self.enter();
        run(&enter.iter().map(String::as_str).chain(command.iter().copied()).collect::<Vec<_>>())
    }

    /// The address towards another machine.
    pub(crate) fn address(&self, other: &Machine) -> String {
        let (low, high) = (self.number.min(other.number), self.number.max(other.number));
        format!("10.{low}.{high}.{}", self.number)
    }

    /// Lays a wire to another machine; with a rate such as `100mbit`, one that is so slow.
    pub(crate) fn wire(&self, other: &Machine, rate: Option<&str>) {
        let (own, others) = (format!("to{}", other.number), format!("to{}", self.number));
        let (here, there) = (self.inside(), other.inside());
        let veth = ["ip", "link", "add", &own, "netns", &here, "type", "veth", "peer", "name"];
        run(&[&veth[..], &[&others, "netns", &there]].concat());
        for (machine, other, device) in [(self, other, &own), (other, self, &others)] {
            let address = format!("{}/24", machine.address(other));
            machine.run(&["ip", "address", "add", &address, "dev", device]);
            machine.run(&["ip", "link", "set", device, "up"]);
            if let Some(rate) = rate {
                let slow = ["tbf", "rate", rate, "burst", "32kb", "latency", "100ms"];
                machine.run(&[&["tc", "qdisc", "add", "dev", device, "root"], &slow[..]].concat());
            }
        }
    }

    /// Lays a wire to another machine on which each packet takes `millis` longer, and of which
    /// `percent` are lost. This machine is 10.9.9.1 then, and the other 10.9.9.2.
    pub(crate) fn far_wire(&self, other: &Machine, millis: &str, percent: &str) -> FarWire {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/machines/far.py");
        let mut child = Command::new("python3")
            .args([program, &self.inside(), &other.inside(), millis, percent])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "TUN devices can be made");
        FarWire(child)
    }

    /// Cuts the wire to another machine, or mends it.
    pub(crate) fn cut(&self, other: &Machine, is_cut: bool) {
        let state = if is_cut { "down" } else { "up" };
        self.run(&["ip", "link", "set", &format!("to{}", other.number), state]);
    }

    /// Starts one of the ignored tests as a peer here.
    pub(crate) fn peer(&self, role: &str, arguments: &[&str]) -> Peer {
        let enter = self.enter();
        Peer::start_under(&enter.iter().map(String::as_str).collect::<Vec<_>>(), role, arguments)
    }

    /// Starts a link here, and waits until it is ready.
    #[track_caller]
    pub(crate) fn link(&self, arguments: &[&str]) -> Link {
        let enter = self.enter();
        let mut child = Command::new(&enter[0])
            .args(&enter[1..])
            .arg(env!("CARGO_BIN_EXE_io-shared-link"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let for_out = sender.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = for_out.send(line);
            }
        });
        std::thread::spawn(move || {
            for line in BufReader::new(err).lines().map_while(Result::ok) {
                eprintln!("{line}");
                let _ = sender.send(line);
            }
        });
        let mut link = Link { child, lines };
        link.expect(" is ready");
        link
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A wire that delays and loses packets. It is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct FarWire(Child);

impl Drop for FarWire {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running link. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Link {
    child: Child,
    lines: Receiver<String>,
}

impl Link {
    /// Waits until the link says a line that contains `text`, and returns it.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) -> String {
        let until = Instant::now() + PATIENCE;
        let mut heard = Vec::new();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => heard.push(line),
                Err(error) => panic!("{error}: not heard: {text}\nbut: {heard:#?}"),
            }
        }
    }

    /// What it has said that was not listened to yet.
    pub(crate) fn rest(&mut self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// The process, of which nsenter has become the link.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it as a person does, and returns what it still said.
    #[track_caller]
    pub(crate) fn end(mut self) -> Vec<String> {
        kill(self.pid(), Signal::SIGTERM).unwrap();
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                break;
            }
            assert!(Instant::now() < until, "the link does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
        // The readers of its output end with it.
        self.lines.iter().collect()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
