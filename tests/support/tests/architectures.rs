//! Programs of two architectures share channels, locks and typed state.
//!
//! `IO_SHARED_OTHER_PROGRAM` names this test built for another architecture. `ci/aarch64.sh` sets
//! it: the program for x86-64 gets the one for ARM, and the other way round. Without it the other
//! program is this one, which a test says.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy.toml allows it in tests, not in their helpers"
)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use io_shared::inspect::{self, Content};
use io_shared::mmap::{Bytes, BytesMut};
use io_shared::{Channel, ErrorKind, Location, Message, Name, Shared, SharedMmap, wait_any};
use test_support::TestName;
use test_support::locks::{died, failed};
use test_support::messages::{Camera, Cloud, Detections, Labels, Point};
use test_support::peer::{Peer, arguments, hear, tell};

const OTHER: &str = "IO_SHARED_OTHER_PROGRAM";
/// Emulation takes its time.
const LONG: Duration = Duration::from_secs(30);
const ROUNDS: usize = 100;
const COUNT: u64 = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Message)]
#[repr(C)]
struct Robot {
    x: f64,
    battery: f32,
    mode: u32,
    moves: u64,
}

mod newer {
    use io_shared::Message;

    #[derive(Debug, Clone, Copy, Message)]
    #[repr(C)]
    pub(crate) struct Robot {
        x: f64,
        battery: u32,
        mode: u32,
        moves: u64,
    }
}

fn program() -> PathBuf {
    std::env::var_os(OTHER).map_or_else(|| std::env::current_exe().unwrap(), PathBuf::from)
}

/// The other program in a role of [`peer`].
fn other(role: &str, names: &[&TestName]) -> Peer {
    let arguments: Vec<&str> =
        [role].into_iter().chain(names.iter().map(|name| &***name)).collect();
    Peer::start_of(&program(), "peer", &arguments)
}

/// What an ELF file says it runs on.
fn machine(program: &Path) -> u16 {
    let header = std::fs::read(program).unwrap();
    assert_eq!(header[..4], *b"\x7fELF");
    u16::from_le_bytes([header[18], header[19]])
}

#[test]
fn the_other_program_is_of_another_architecture() {
    if std::env::var_os(OTHER).is_none() {
        // Not by eprintln!, which is captured when a test passes.
        let why = "NOT RUN between architectures, but between two programs of this one";
        let _ = writeln!(std::io::stderr(), "{why}: ci/aarch64.sh does, and sets {OTHER}");
        return;
    }
    let mut both = [program(), std::env::current_exe().unwrap()].map(|it| machine(&it));
    both.sort_unstable();
    assert_eq!(both, [62, 183], "x86-64 and AArch64");
}

#[test]
fn peer() {
    let Some(arguments) = arguments() else { return };
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["label", there, back] => label(there, back),
        ["detect", there, back] => detect(there, back),
        ["flood", small, large] => flood(small, large),
        ["follow", name] => follow(name),
        ["count", name] => {
            let mut shared = SharedMmap::named(name).open().unwrap();
            tell("ready");
            hear();
            count(&mut shared);
        }
        ["write half", name] => {
            let mut shared = SharedMmap::named(name).open().unwrap();
            let mut guard = shared.lock().unwrap();
            guard.as_bytes_mut()[..4].copy_from_slice(b"half");
            tell("wrote");
            hear();
        }
        ["move", name] => {
            let mut state = Shared::<Robot>::open(name).unwrap();
            tell("ready");
            hear();
            (0..COUNT).for_each(|_| state.update(|robot| robot.moves += 1).unwrap());
            state.update(|robot| (robot.x, robot.battery, robot.mode) = (-0.0, 0.1, 7)).unwrap();
        }
        ["wait", names @ ..] => {
            let open = |name: &&str| Channel::<u64>::named(*name).consumer().unwrap();
            let mut consumers: Vec<_> = names.iter().map(open).collect();
            tell("ready");
            for _ in 0..ROUNDS {
                let [one, two] = &mut consumers[..] else { panic!("two channels") };
                let ready = wait_any(&[&*one, &*two], LONG).unwrap();
                let place = ready.iter().next().unwrap();
                let value = *[one, two][place].try_get().unwrap().unwrap();
                tell(&format!("{place} {value}"));
            }
        }
        other => panic!("{other:?}"),
    }
}

fn label(there: &str, back: &str) {
    let mut clouds = Channel::<Cloud>::named(there).consumer().unwrap();
    let mut labels = Channel::<Labels>::named(back).capacity("1M").producer().unwrap();
    for _ in 0..ROUNDS {
        let cloud = clouds.get_timeout(LONG).unwrap();
        let mut loan = labels.loan_len(cloud.points.len()).unwrap();
        (loan.frame, loan.cloud_seq) = (cloud.frame, cloud.seq());
        for (label, point) in loan.labels.iter_mut().zip(&cloud.points) {
            *label = (point.x + point.y + point.z + point.intensity) as u32;
        }
        loan.tag(cloud.seq());
        loan.put().unwrap();
    }
}

/// Each round waits for the other side, which sleeps meanwhile: the wake-ups cross too.
#[test]
fn clouds_are_read_where_they_lie_and_answered_with_labels() {
    let (there, back) = (TestName::new("clouds"), TestName::new("labels"));
    let mut clouds = Channel::<Cloud>::named(&*there).capacity("1M").producer().unwrap();
    let _other = other("label", &[&there, &back]);
    let mut labels = Channel::<Labels>::named(&*back).open_timeout(LONG).consumer().unwrap();
    for frame in 0..ROUNDS {
        let mut loan = clouds.loan_len(200 * frame).unwrap();
        loan.frame = frame as u64;
        loan.stamp_ns = 0;
        for (n, point) in loan.points.iter_mut().enumerate() {
            *point = Point { x: n as f32, y: 0.25, z: 0.5, intensity: 0.25 };
        }
        let seq = loan.put().unwrap();
        let answer = labels.get_timeout(LONG).unwrap();
        assert_eq!((answer.frame, answer.cloud_seq, answer.tag()), (frame as u64, seq, seq));
        assert_eq!((answer.seq(), answer.missed()), (seq, 0));
        assert!(answer.labels.iter().copied().eq(1..=200 * frame as u32), "frame {frame}");
    }
}

fn detect(there: &str, back: &str) {
    let mut seen = Channel::<Detections>::named(there).consumer().unwrap();
    let most = Detections::capacity().boxes(9).names(9).image([9, 9, 3]);
    let mut put = Channel::<Detections>::named(back).lists(most).producer().unwrap();
    let found = seen.get_timeout(LONG).unwrap();
    let (boxes, names) = (found.boxes().len(), found.names().len());
    let shape = found.image().shape();
    let sizes = Detections::capacity().boxes(boxes).names(names).image(shape);
    let mut loan = put.loan_lists(sizes).unwrap();
    (loan.frame, loan.source, loan.valid) = (found.frame + 1, found.source, found.valid);
    let mut lists = loan.lists_mut();
    lists.boxes.copy_from_slice(found.boxes());
    lists.names.copy_from_slice(found.names());
    lists.image.as_mut_slice().copy_from_slice(found.image().as_slice());
    loan.put().unwrap();
    hear();
}

#[test]
fn lists_enums_and_texts_lie_where_both_look_for_them() {
    let (there, back) = (TestName::new("there"), TestName::new("back"));
    let sizes = Detections::capacity().boxes(2).names(3).image([4, 5, 3]);
    let mut put = Channel::<Detections>::named(&*there).lists(sizes).producer().unwrap();
    let mut loan = put.loan_lists(sizes).unwrap();
    (loan.frame, loan.source, loan.valid) = (1 << 40, Camera::Rear, true);
    let mut lists = loan.lists_mut();
    lists.boxes.copy_from_slice(&[[0.1, -0.0, f32::MAX, f32::MIN_POSITIVE], [1.0; 4]]);
    let names = ["car", "", "tram"];
    lists.names.copy_from_slice(&names.map(|name| name.parse().unwrap()));
    lists.image.as_mut_slice().copy_from_slice(&(0..60).collect::<Vec<u8>>());
    loan.put().unwrap();

    let _other = other("detect", &[&there, &back]);
    let mut answers = Channel::<Detections>::named(&*back).open_timeout(LONG).consumer().unwrap();
    assert_eq!(answers.schema(), &Detections::schema());
    let answer = answers.get_timeout(LONG).unwrap();
    assert_eq!((answer.frame, answer.source, answer.valid), ((1 << 40) + 1, Camera::Rear, true));
    assert_eq!(answer.boxes(), [[0.1, -0.0, f32::MAX, f32::MIN_POSITIVE], [1.0; 4]]);
    assert_eq!(answer.names(), names);
    assert_eq!(answer.image().shape(), [4, 5, 3]);
    assert_eq!(answer.image().as_slice(), (0..60).collect::<Vec<u8>>());
}

/// Puts values whose words are all their number, until it is killed.
fn flood(small: &str, large: &str) {
    let mut small = io_shared::producer::<[u64; 4]>(small).unwrap();
    let mut large = Channel::<[u64]>::named(large).elements(20_000).producer().unwrap();
    for number in 1.. {
        small.put(&[number; 4]).unwrap();
        let mut loan = large.loan_len(20_000).unwrap();
        loan.fill(number);
        loan.put().unwrap();
    }
}

#[test]
fn no_value_is_torn_and_the_role_of_a_killed_program_is_taken_over() {
    let (small, large) = (TestName::new("small"), TestName::new("large"));
    let flooding = other("flood", &[&small, &large]);
    let mut smalls = Channel::<[u64; 4]>::named(&*small).open_timeout(LONG).consumer().unwrap();
    let mut larges = Channel::<[u64]>::named(&*large).open_timeout(LONG).consumer().unwrap();
    let (mut last, started) = ([0; 2], Instant::now());
    let mut got = 0;
    while started.elapsed() < Duration::from_secs(1) || got < 20 {
        let value = *smalls.get_timeout(LONG).unwrap();
        assert!(value == [value[0]; 4] && value[0] > last[0], "{value:?} after {last:?}");
        last[0] = value[0];
        let value = larges.get_timeout(LONG).unwrap();
        let number = value[0];
        assert!(value.iter().all(|word| *word == number) && number > last[1], "{number}");
        assert_eq!(number, value.seq());
        last[1] = number;
        got += 1;
    }
    let taken = io_shared::producer::<[u64; 4]>(&*small).unwrap_err();
    let holder = format!(" ({}))", flooding.id());
    let taken = taken.to_string();
    assert!(taken.contains("(producer ") && taken.contains(&holder), "{taken}");
    let location = Location::from(Name::new(&small).unwrap());
    let Content::Region(region) = inspect::entry(&location).unwrap().content else {
        panic!("a channel is a region");
    };
    assert_eq!(region.producer.unwrap().pid, Some(flooding.id()));

    flooding.kill();
    let mut here = io_shared::producer::<[u64; 4]>(&*small).unwrap();
    assert!(here.seq() >= last[0]);
    let seq = here.put(&[9; 4]).unwrap();
    assert_eq!(smalls.get_timeout(LONG).unwrap().seq(), seq);
}

fn follow(name: &str) {
    let mut values = Channel::<[u64]>::named(name).consumer().unwrap();
    for _ in 0..12 {
        let value = values.get_timeout(LONG).unwrap();
        assert!(value.iter().all(|word| *word == value.seq()));
        tell(&value.len().to_string());
    }
}

#[test]
fn a_channel_that_grows_is_followed_to_its_larger_region() {
    let name = TestName::new("grows");
    let channel = Channel::<[u64]>::named(&*name).growing(true);
    let mut producer = channel.producer().unwrap();
    let mut other = other("follow", &[&name]);
    for round in 1..=12_u64 {
        let words = vec![round; 1 << round];
        producer.put(&words).unwrap();
        other.expect(&words.len().to_string());
    }
    other.end();
}

#[test]
fn whoever_waits_for_any_of_two_channels_is_woken_by_either() {
    let names = [TestName::new("any"), TestName::new("any")];
    let [mut one, mut two] = [&names[0], &names[1]].map(|it| io_shared::producer(it).unwrap());
    let mut other = other("wait", &[&names[0], &names[1]]);
    other.expect("ready");
    for round in 0..ROUNDS as u64 {
        let producer = if round % 3 == 0 { &mut one } else { &mut two };
        producer.put(&round).unwrap();
        other.expect(&format!("{} {round}", u8::from(round % 3 != 0)));
    }
    other.end();
}

fn count(shared: &mut SharedMmap) {
    for _ in 0..COUNT {
        let mut guard = shared.lock().unwrap();
        let bytes = guard.as_bytes_mut();
        for at in [0, 2048] {
            let word = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) + 1;
            bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
        }
    }
}

#[test]
fn a_lock_keeps_the_other_out_and_tells_when_its_owner_died() {
    let name = TestName::new("lock");
    let mut shared = SharedMmap::named(&*name).size("4K").open().unwrap();
    let mut counting = other("count", &[&name]);
    counting.expect("ready");
    counting.tell("go");
    count(&mut shared);
    counting.end();
    let both = (2 * COUNT).to_le_bytes();
    let guard = shared.lock().unwrap();
    assert_eq!([&guard.as_bytes()[..8], &guard.as_bytes()[2048..2056]], [both, both]);
    drop(guard);

    let mut writing = other("write half", &[&name]);
    writing.expect("wrote");
    assert_eq!(failed(shared.try_lock()), ErrorKind::WouldBlock);
    writing.kill();
    let guard = died(shared.lock());
    assert_eq!(&guard.as_bytes()[..4], b"half");
    guard.mark_consistent();
    drop(guard);
    drop(shared.lock().unwrap());
}

#[test]
fn typed_state_is_changed_by_both_and_another_type_is_refused_by_its_field() {
    let name = TestName::new("state");
    let mut moving = other("move", &[&name]);
    moving.expect("ready");
    let mut state = Shared::<Robot>::open(&*name).unwrap();
    moving.tell("go");
    (0..COUNT).for_each(|_| state.update(|robot| robot.moves += 1).unwrap());
    moving.end();
    let robot = state.get().unwrap();
    assert_eq!(robot, Robot { x: 0.0, battery: 0.1, mode: 7, moves: 2 * COUNT });
    assert!(robot.x.is_sign_negative());
    let error = Shared::<newer::Robot>::open(&*name).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Mismatch { .. }), "{error}");
    assert!(error.to_string().contains("`battery`"), "{error}");
}
