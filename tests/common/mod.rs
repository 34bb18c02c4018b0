//! What the tests of the facade share: names that clean up after themselves, and programs of the
//! workspace.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(unreachable_pub, reason = "as in a crate of its own")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "it is for tests"
)]

pub(crate) mod cloud;
pub(crate) mod pose;

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use io_shared::Channel;

/// Ends this program by SIGALRM if no test of it asks for a name for ten minutes, so that no wait of a
/// test lasts for ever. The harness has said by then which test was running.
pub(crate) fn set_patience() {
    let seconds = std::env::var("IO_SHARED_TEST_PATIENCE").map(|text| text.parse());
    nix::unistd::alarm::set(seconds.map_or(600, |seconds| seconds.expect("it is a number")));
}

/// A channel name of this test alone; the channel goes with it.
pub(crate) struct TestName(String);

impl TestName {
    pub(crate) fn new(what: &str) -> Self {
        set_patience();
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(format!("/test-{what}-{}-{count}", std::process::id()))
    }

    pub(crate) fn path(&self) -> PathBuf {
        Path::new("/dev/shm").join(self.trim_start_matches('/'))
    }
}

impl std::ops::Deref for TestName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Drop for TestName {
    fn drop(&mut self) {
        if Channel::remove(&self.0).is_err() {
            let _ = std::fs::remove_file(self.path());
        }
    }
}

/// Locks `length` bytes at `first` of a channel's claims, as another handle's claim does, until the
/// file is dropped.
#[track_caller]
pub(crate) fn claim(name: &TestName, first: i64, length: i64) -> std::fs::File {
    claim_in(&name.path(), first, length)
}

/// The same, of a channel in a file.
pub(crate) fn claim_in(path: &std::path::Path, first: i64, length: i64) -> std::fs::File {
    use nix::fcntl::{FcntlArg, fcntl};
    use nix::libc::{F_WRLCK, SEEK_SET, flock};
    let file =
        std::fs::File::options().read(true).write(true).open(path).expect("the channel is there");
    let lock = flock {
        l_type: F_WRLCK as i16,
        l_whence: SEEK_SET as i16,
        l_start: (1 << 62) + first,
        l_len: length,
        l_pid: 0,
    };
    fcntl(&file, FcntlArg::F_OFD_SETLK(&lock)).expect("nobody has these claims");
    file
}

/// How many descriptors of a channel this process has open.
pub(crate) fn descriptors_of(name: &TestName) -> usize {
    let descriptors = std::fs::read_dir("/proc/self/fd").expect("/proc is mounted");
    descriptors
        .flatten()
        .filter(|entry| std::fs::read_link(entry.path()).is_ok_and(|to| to == name.path()))
        .count()
}

/// Builds a program of the workspace in this test's profile, and says where it is.
pub fn build(package: &str) -> PathBuf {
    cargo_build(&["--package", package]).join(package)
}

/// Builds an example in this test's profile, and says where it is.
pub fn build_example(example: &str) -> PathBuf {
    cargo_build(&["--example", example]).join("examples").join(example)
}

fn cargo_build(what: &[&str]) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet"]).args(what);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let status = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo runs");
    assert!(status.success(), "{what:?} does not build");
    // .../target/PROFILE/deps/TEST
    let test = std::env::current_exe().expect("a test has a path");
    let profile = test.parent().and_then(Path::parent).expect("a test lies in deps");
    profile.to_owned()
}

/// Waits until `condition` holds, for at most two seconds.
#[track_caller]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(2), "not within 2 s: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A file of this test alone, on the disk that the tests are built on; it goes with this.
pub struct TestFile(PathBuf);

impl TestFile {
    pub fn new(what: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        Self(directory.join(format!("{what}-{}-{count}", std::process::id())))
    }
}

impl std::ops::Deref for TestFile {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for TestFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Another process: this test binary, running one of its ignored tests as a role.
pub struct Peer {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

const ARGUMENTS: &str = "IO_SHARED_TEST_PEER";
const MARK: &str = ">> ";

impl Peer {
    pub fn start(role: &str, arguments: &[&str]) -> Self {
        Self::start_on(role, arguments, Stdio::piped())
    }

    /// With its standard input on a descriptor.
    pub fn start_on(role: &str, arguments: &[&str], stdin: Stdio) -> Self {
        let program = std::env::current_exe().expect("a test has a path");
        Self::spawn(Command::new(program), role, arguments, stdin)
    }

    /// By another program, which executes it.
    pub fn start_under(prefix: &[&str], role: &str, arguments: &[&str]) -> Self {
        let [program, rest @ ..] = prefix else { panic!("a program") };
        let mut command = Command::new(program);
        command.args(rest).arg(std::env::current_exe().expect("a test has a path"));
        Self::spawn(command, role, arguments, Stdio::piped())
    }

    fn spawn(mut command: Command, role: &str, arguments: &[&str], stdin: Stdio) -> Self {
        let mut child = command
            .args(["--exact", role, "--nocapture", "--test-threads=1"])
            .env(ARGUMENTS, arguments.join("\n"))
            .stdin(stdin)
            .stdout(Stdio::piped())
            .spawn()
            .expect("a test runs");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Self { child, lines }
    }

    /// What the peer told next.
    #[track_caller]
    pub fn hear(&mut self) -> String {
        loop {
            let line = self.lines.next().expect("the peer still speaks").expect("it is text");
            if let Some((_, told)) = line.split_once(MARK) {
                return told.to_owned();
            }
        }
    }

    #[track_caller]
    pub fn expect(&mut self, told: &str) {
        assert_eq!(self.hear(), told);
    }

    pub fn tell(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().expect("it is piped");
        writeln!(stdin, "{line}").expect("the peer listens");
    }

    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(self.child.id() as i32);
        nix::sys::signal::kill(pid, signal).expect("the peer is ours");
    }

    /// SIGSTOP, and waits until all its threads stand still: the signal alone takes its time.
    pub fn stop(&self) {
        use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
        self.signal(nix::sys::signal::Signal::SIGSTOP);
        let pid = nix::unistd::Pid::from_raw(self.child.id() as i32);
        let flags = WaitPidFlag::WUNTRACED | WaitPidFlag::WNOHANG;
        eventually("it stands still", || {
            matches!(waitpid(pid, Some(flags)), Ok(WaitStatus::Stopped(..)))
        });
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, and waits until the process is gone.
    pub fn kill(mut self) {
        self.child.kill().expect("the peer is ours");
        self.child.wait().expect("the peer is ours");
    }

    /// Waits until the peer has ended well.
    #[track_caller]
    pub fn end(mut self) {
        drop(self.child.stdin.take());
        for _ in self.lines.by_ref() {}
        assert!(self.child.wait().expect("the peer is ours").success());
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In a peer: the arguments that it was started with; `None` if somebody runs the ignored tests.
pub fn arguments() -> Option<Vec<String>> {
    let arguments = std::env::var(ARGUMENTS).ok()?;
    Some(arguments.split('\n').map(str::to_owned).collect())
}

/// In a peer: tells the test something.
pub fn tell(line: &str) {
    println!("{MARK}{line}");
}

/// In a peer: waits for the test to tell something.
pub fn hear() -> String {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("stdin is a pipe");
    line.trim_end().to_owned()
}
