//! The same program in Rust, C and Python: it puts clouds with their labels, or gets one cloud.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use io_shared::{Channel, Message};
use test_support::peer;

pub(crate) const IMAGE: &str = "/camera/rgb/image_raw";
pub(crate) const LABELS: &str = "/camera/rgb/labels";

// Without comments of documentation, which programs in Python cannot give.
#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Points {
    x: f32,
    y: f32,
    z: f32,
    intensity: f32,
}

#[derive(Message)]
#[repr(C)]
struct Cloud {
    frame: u64,
    stamp_ns: u64,
    points: [Points],
}

/// A namespace of names, and what was created there, which goes with it.
pub(crate) struct Domain(String);

impl Domain {
    pub(crate) fn new(what: &str) -> Self {
        Self(format!("test-{what}-{}", std::process::id()))
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    /// The names of the files in it.
    pub(crate) fn files(&self) -> Vec<String> {
        let files = std::fs::read_dir("/dev/shm").unwrap();
        let names = files.flatten().map(|file| file.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with(&format!("{}%%", self.0))).collect()
    }
}

impl Drop for Domain {
    fn drop(&mut self) {
        for file in self.files() {
            let _ = std::fs::remove_file(Path::new("/dev/shm").join(file));
        }
    }
}

/// How the program is started.
pub(crate) struct Language {
    pub(crate) name: &'static str,
    program: PathBuf,
    arguments: Vec<PathBuf>,
    environment: Vec<(&'static str, PathBuf)>,
}

impl Language {
    /// A role of this test.
    pub(crate) fn rust() -> Self {
        let arguments = ["--exact", "rust", "--nocapture", "--test-threads=1"];
        Self {
            name: "rust",
            program: std::env::current_exe().unwrap(),
            arguments: arguments.map(PathBuf::from).to_vec(),
            environment: Vec::new(),
        }
    }

    /// languages/clouds.c, compiled into `folder` and linked with the library there.
    pub(crate) fn c(folder: &Path, library: &Path) -> Self {
        let ffi = Path::new(env!("CARGO_MANIFEST_DIR")).join("../io-shared-ffi");
        // The name by which the program looks for it, as in an installation.
        let header = std::fs::read_to_string(ffi.join("include/io_shared.h")).unwrap();
        let version = header.lines().find_map(|line| line.strip_prefix("#define IOS_ABI_VERSION "));
        let soname = folder.join(format!("libio_shared_ffi.so.{}", version.unwrap().trim()));
        std::os::unix::fs::symlink(library, soname).unwrap();
        let program = folder.join("program_in_c");
        let mut compiler = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".into()));
        compiler.args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I"]);
        compiler.arg(ffi.join("include")).arg("-o").arg(&program).arg(here("clouds.c"));
        compiler.arg("-L").arg(library.parent().unwrap()).arg("-lio_shared_ffi");
        compiler.arg(format!("-Wl,-rpath,{}", folder.display()));
        assert!(compiler.status().unwrap().success(), "{compiler:?}");
        Self { name: "c", program, arguments: Vec::new(), environment: Vec::new() }
    }

    /// languages/clouds.py, with the package of this checkout.
    pub(crate) fn python(library: &Path) -> Self {
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../python/src");
        Self {
            name: "python",
            program: test_support::readers::python(),
            arguments: vec!["-B".into(), here("clouds.py")],
            environment: vec![("PYTHONPATH", package), ("IO_SHARED_LIBRARY", library.to_owned())],
        }
    }

    pub(crate) fn start(&self, role: &str, domain: &Domain) -> Program {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).envs(self.environment.iter().map(|(name, at)| (name, at)));
        // The test harness would take the role for a filter.
        match self.name {
            "rust" => command.env("IO_SHARED_TEST_PEER", role),
            _ => command.arg(role),
        };
        command.env("IO_SHARED_DOMAIN", domain.name());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Program { child, lines }
    }
}

fn here(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/languages").join(file)
}

/// The C library. It is built into a folder of its own: next to the tests it would take the place
/// of the one that its own documentation tests are compiled against.
pub(crate) fn c_library() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("c-library");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--package", "io-shared-ffi", "--target-dir"]);
    cargo.arg(&target).current_dir(env!("CARGO_MANIFEST_DIR"));
    assert!(cargo.status().unwrap().success(), "{cargo:?}");
    target.join("debug/libio_shared_ffi.so")
}

/// A running program, which is killed when this is dropped.
pub(crate) struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Program {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its name, as the kernel has it.
    pub(crate) fn command(&self) -> String {
        let file = format!("/proc/{}/comm", self.pid());
        std::fs::read_to_string(file).unwrap().trim().to_owned()
    }

    /// What it says next.
    #[track_caller]
    pub(crate) fn says(&mut self) -> String {
        loop {
            let line = self.lines.next().unwrap().unwrap();
            if let Some((_, said)) = line.split_once(">> ") {
                return said.to_owned();
            }
        }
    }

    /// Has it put the value with this number and stamp.
    #[track_caller]
    pub(crate) fn put(&mut self, number: u64, stamp: u64) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{number} {stamp}").unwrap();
        assert_eq!(self.says(), "put");
    }

    /// Closes its standard input, and waits for its end.
    #[track_caller]
    pub(crate) fn end(mut self) {
        drop(self.child.stdin.take());
        for _ in self.lines.by_ref() {}
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program in Rust, and a consumer with a name, `view`.
pub(crate) fn rust() {
    let Some(roles) = peer::arguments() else { return };
    match &*roles[0] {
        "put" => put(),
        "get" => {
            let mut consumer = io_shared::consumer::<Cloud>(IMAGE).unwrap();
            let value = consumer.get_timeout(std::time::Duration::from_secs(60)).unwrap();
            let points = value
                .points
                .iter()
                .map(|Points { x, y, z, intensity }| format!(" ({x} {y} {z} {intensity})"));
            let (seq, tag, frame, stamp) = (value.seq(), value.tag(), value.frame, value.stamp_ns);
            let points: String = points.collect();
            peer::tell(&format!("value {seq} tag {tag}: frame {frame} stamp {stamp}{points}"));
        }
        _ => {
            let viewer = Channel::<Cloud>::named(IMAGE).consumer_name("viewer");
            let mut viewer = viewer.consumer().unwrap();
            peer::tell(&format!("got {}", viewer.get().unwrap().seq()));
            peer::hear();
        }
    }
}

fn put() {
    let mut clouds = Channel::<Cloud>::named(IMAGE).capacity(65_536).producer().unwrap();
    let mut labels = Channel::<[u32]>::named(LABELS).capacity(65_536).producer().unwrap();
    peer::tell("there");
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let (number, stamp) = line.split_once(' ').unwrap();
        let (number, stamp): (u64, u64) = (number.parse().unwrap(), stamp.parse().unwrap());
        let mut cloud = clouds.loan_len(3).unwrap();
        (cloud.frame, cloud.stamp_ns) = (number, 1000 * number);
        for (number, point) in cloud.points.iter_mut().enumerate() {
            let x = number as f32;
            *point = Points { x, y: x * x, z: 0.5 * x, intensity: 1.0 };
        }
        cloud.numbered(number, stamp).unwrap();
        cloud.put().unwrap();
        // The labels of a cloud come 20 ms later, by their stamps.
        let mut out = labels.loan_len(3).unwrap();
        out.copy_from_slice(&[0, 1, 2]);
        out.tag(number);
        out.numbered(number, stamp + 20_000_000).unwrap();
        out.put().unwrap();
        peer::tell("put");
    }
}
