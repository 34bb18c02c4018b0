//! Looking at regions: what is listed, that a look changes nothing, and that nothing that lies
//! there stops it.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

use std::os::unix::fs::{FileExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use io_shared::inspect::{self, Content, Entry, Kind, Reader, Region};
use io_shared::{Channel, ErrorKind, Location, Name, Shared, SharedMmap, Value};
use test_support::hostile::Hostile;
use test_support::peer::{self, Peer};
use test_support::{TestFile, TestName};

fn location(name: &str) -> Location {
    Location::from(Name::new(name).unwrap())
}

fn look(name: &str) -> Entry {
    inspect::entry(&location(name)).unwrap()
}

fn region(name: &str) -> Region {
    match look(name).content {
        Content::Region(region) => *region,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_channel_is_listed_with_its_type_its_newest_value_and_its_users() {
    let name = TestName::new("listed");
    let mut producer = Channel::<[u16]>::named(&*name).capacity(100).producer().unwrap();
    let mut viewer = Channel::<[u16]>::named(&*name).consumer_name("viewer").consumer().unwrap();
    let nameless = Channel::<[u16]>::named(&*name).holds(3).consumer().unwrap();
    producer.put_tagged(&[1, 2, 3], 7).unwrap();
    drop(viewer.get().unwrap());
    let listed = inspect::channels().unwrap();
    let entry = listed.iter().find(|entry| *entry.name == *name).unwrap();
    assert_eq!((entry.mode, entry.uid), (0o600, nix::unistd::getuid().as_raw()));
    assert!(entry.bytes >= entry.allocated && entry.allocated > 0);
    let region = region(&name);
    assert_eq!((region.kind, region.capacity, region.slots), (Kind::Channel, 100, 64));
    assert_eq!(region.schema.root().to_string(), "[<u2]");
    let newest = region.newest.as_ref().unwrap();
    assert_eq!((newest.seq, newest.tag, newest.bytes), (1, 7, 6));
    assert!(newest.age().unwrap() < Duration::from_secs(60));
    let command = std::fs::read_to_string("/proc/self/comm").unwrap().trim().to_owned();
    let pid = Some(std::process::id());
    let put_by = region.producer.as_ref().unwrap();
    assert!(put_by.is_connected && put_by.pid == pid && put_by.slot.is_none());
    assert_eq!(put_by.command.as_ref(), Some(&command));
    assert!(put_by.since.unwrap().elapsed().unwrap() < Duration::from_secs(60));
    let [first, second] = &region.consumers[..] else { panic!("two consumers") };
    assert_eq!((first.name.as_deref(), first.last_seen, first.holds), (Some("viewer"), 1, 1));
    assert_eq!((second.name.as_deref(), second.last_seen, second.holds), (None, 0, 3));
    assert!(first.is_connected && second.is_connected && region.is_used());
    drop((producer, nameless));
    let region = self::region(&name);
    assert!(!region.producer.as_ref().unwrap().is_connected, "a claim proves life, not a pid");
    let connected = region.consumers.iter().filter(|consumer| consumer.is_connected);
    assert_eq!(connected.map(|consumer| consumer.slot).collect::<Vec<_>>(), [Some(0)]);
}

#[test]
fn an_origin_is_seen_through_growth_and_until_the_next_producer() {
    let name = TestName::new("origin");
    let channel = || Channel::<[u8]>::named(&*name).capacity(10).growing(true);
    let origin = || region(&name).producer.unwrap().origin;
    let mut producer = channel().producer().unwrap();
    assert_eq!(origin(), None);
    producer.set_origin("from=robot").unwrap();
    producer.put(&[7; 10]).unwrap();
    assert_eq!(origin().as_deref(), Some("from=robot"));
    producer.put(&[7; 1000]).unwrap();
    assert_eq!((region(&name).capacity, origin().as_deref()), (1024, Some("from=robot")));
    for wrong in ["x".repeat(129), "a\0b".to_owned()] {
        let error = producer.set_origin(&wrong).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::BadOption { .. }), "{error}");
    }
    producer.set_origin(&"x".repeat(128)).unwrap();
    assert_eq!(origin(), Some("x".repeat(128)));
    drop(producer);
    assert_eq!(origin(), Some("x".repeat(128)), "who it was stays known");
    let _next = channel().producer().unwrap();
    assert_eq!(origin(), None);
}

#[test]
fn a_rate_comes_from_the_newest_two_values_or_from_a_second_look() {
    let name = TestName::new("rate");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    producer.put(&1).unwrap();
    assert_eq!(region(&name).rate, None);
    std::thread::sleep(Duration::from_millis(20));
    producer.put(&2).unwrap();
    let rate = region(&name).rate.unwrap();
    assert!(rate > 1.0 && rate <= 50.0, "{rate}");
    // Two values of long ago say nothing about now.
    let mut loan = producer.loan().unwrap();
    *loan = 3;
    let mut entries = [look(&name)];
    loan.put().unwrap();
    if let Content::Region(region) = &mut entries[0].content {
        region.rate = None;
    }
    let started = Instant::now();
    inspect::measure_rates(&mut entries);
    assert!(started.elapsed() >= Duration::from_millis(300));
    let Content::Region(region) = &entries[0].content else { panic!("a region") };
    assert_eq!(region.rate, None, "nothing was put between the looks");
    drop(producer);
    let started = Instant::now();
    inspect::measure_rates(&mut [look(&name)]);
    assert!(started.elapsed() < Duration::from_millis(300), "no producer, so no second look");
}

#[test]
fn locked_bytes_and_typed_state_are_listed_as_what_they_are() {
    let (state, mmap) = (TestName::new("state"), TestName::new("mmap"));
    let _state = Shared::<[f32; 2]>::open(&*state).unwrap();
    let _mmap = SharedMmap::named(&*mmap).size(100).open().unwrap();
    let found = region(&state);
    assert_eq!((found.kind, found.schema.root().to_string()), (Kind::State, "[<f4; 2]".to_owned()));
    assert!(found.producer.is_none() && found.newest.is_none() && found.is_used());
    assert_eq!(found.consumers[0].pid, Some(std::process::id()));
    assert_eq!((region(&mmap).kind, region(&mmap).capacity), (Kind::Mmap, 100));
    SharedMmap::remove(&*mmap).unwrap();
    Shared::<[f32; 2]>::remove(&*state).unwrap();
}

#[test]
fn a_channel_in_a_file_is_seen_where_it_is_named() {
    let file = TestFile::new("inspected");
    let mut producer = Channel::<u32>::file(&*file).producer().unwrap();
    producer.put(&5).unwrap();
    let entry = inspect::entry(&Location::file(&*file)).unwrap();
    assert_eq!(entry.name, file.display().to_string());
    let mut reader = Reader::open(&Location::file(&*file)).unwrap();
    let mut bytes = Vec::new();
    assert_eq!(reader.copy(&mut bytes).unwrap().unwrap().seq, 1);
    assert_eq!(bytes, 5_u32.to_le_bytes());
}

#[test]
fn what_is_no_region_is_told_and_neither_followed_nor_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("text"), "hello").unwrap();
    std::fs::write(path("long"), vec![7; 10_000]).unwrap();
    std::fs::create_dir(path("folder")).unwrap();
    std::os::unix::fs::symlink(path("text"), path("link")).unwrap();
    nix::unistd::mkfifo(&path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let _socket = UnixListener::bind(path("socket")).unwrap();
    for (name, what) in [
        ("text", "an object that does not start with `ioshared`"),
        ("long", "an object that does not start with `ioshared`"),
        ("folder", "a directory"),
        ("link", "a symbolic link"),
        ("fifo", "a FIFO"),
        ("socket", "a socket"),
    ] {
        match inspect::entry(&Location::file(path(name))).unwrap().content {
            Content::Foreign { what: found } => assert_eq!(found, what, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
        assert!(Reader::open(&Location::file(path(name))).is_err());
    }
    let error = inspect::entry(&Location::file(path("nothing"))).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::NotFound);
    let foreign = TestName::new("foreign");
    std::fs::write(foreign.path(), "hello").unwrap();
    let has = |entries: Vec<Entry>| entries.iter().any(|entry| *entry.name == *foreign);
    assert!(has(inspect::objects().unwrap()) && !has(inspect::channels().unwrap()));
}

#[test]
fn a_damaged_cut_or_older_region_is_told_with_whether_somebody_uses_it() {
    let write = |name: &TestName, bytes: &[u8], at| {
        let file = std::fs::File::options().write(true).open(name.path()).unwrap();
        file.write_all_at(bytes, at).unwrap();
    };
    let name = TestName::new("old");
    let producer = io_shared::producer::<u64>(&name).unwrap();
    write(&name, &2_u32.to_le_bytes(), 8);
    match look(&name).content {
        Content::OtherVersion { version: 2, is_used: true } => {}
        other => panic!("{other:?}"),
    }
    drop(producer);
    match look(&name).content {
        Content::OtherVersion { version: 2, is_used: false } => {}
        other => panic!("{other:?}"),
    }
    let cut = TestName::new("cut");
    io_shared::producer::<u64>(&cut).unwrap().put(&1).unwrap();
    let mut reader = Reader::open(&location(&cut)).unwrap();
    for (length, what) in [
        (9_300, Some("it has 9300 bytes instead of 16384")),
        (1_000, Some("it was cut")),
        (128, Some("it was cut")),
        // As for those that open it: not ours, and never removed.
        (127, None),
        (8, None),
        (0, None),
    ] {
        let file = std::fs::File::options().write(true).open(cut.path()).unwrap();
        file.set_len(length).unwrap();
        match (look(&cut).content, what) {
            (Content::Damaged { what: found, is_used: false }, Some(what)) => {
                assert!(found.starts_with(what), "{found}");
            }
            (Content::Foreign { .. }, None) => {}
            (other, _) => panic!("{length}: {other:?}"),
        }
        // A reader that has it open says so too, and is not killed.
        assert!(reader.copy(&mut Vec::new()).is_err());
    }
    let zeros = TestName::new("zeros");
    let _producer = io_shared::producer::<u64>(&zeros).unwrap();
    write(&zeros, &[0; 4096], 0);
    match look(&zeros).content {
        Content::Damaged { is_used: true, .. } => {}
        other => panic!("{other:?}"),
    }
}

/// A peer that looks at a name as a user who may not read it.
#[test]
fn stranger() {
    let Some(arguments) = peer::arguments() else { return };
    if nix::unistd::getuid().is_root() {
        nix::unistd::setuid(nix::unistd::Uid::from_raw(65_534)).unwrap();
    }
    let entries = inspect::channels().unwrap();
    let entry = entries.iter().find(|entry| entry.name == arguments[0]).unwrap();
    assert!(matches!(entry.content, Content::Refused), "{entry:?}");
    assert!(entry.bytes > 0);
    let error = Reader::open(&location(&arguments[0])).unwrap_err();
    peer::tell(&format!("{:04o} {} {error}", entry.mode, entry.uid));
    peer::hear();
}

#[test]
fn what_may_not_be_read_is_listed_with_its_owner_and_mode() {
    let name = TestName::new("refused");
    let _producer = io_shared::producer::<u64>(&name).unwrap();
    let is_root = nix::unistd::getuid().is_root();
    let mode = if is_root { 0o600 } else { 0o200 };
    std::fs::set_permissions(name.path(), std::fs::Permissions::from_mode(mode)).unwrap();
    let mut peer = Peer::start("stranger", &[&name]);
    let told = peer.hear();
    assert!(told.starts_with(&format!("{mode:04o} {}", nix::unistd::getuid())), "{told}");
    assert!(told.contains(&*name), "{told}");
    peer.tell("end");
}

#[test]
fn a_look_changes_nothing_in_the_region_and_takes_no_slot() {
    let name = TestName::new("unchanged");
    let mut producer = Channel::<[u64]>::named(&*name).capacity(4096).producer().unwrap();
    producer.put(&[5; 500]).unwrap();
    let before = std::fs::read(name.path()).unwrap();
    let mut reader = Reader::open(&location(&name)).unwrap();
    for _ in 0..3 {
        look(&name);
        inspect::channels().unwrap();
        reader.newest().unwrap();
        reader.copy(&mut Vec::new()).unwrap();
        reader.next(Duration::from_millis(5)).unwrap();
    }
    assert!(std::fs::read(name.path()).unwrap() == before);
    assert!(producer.connected().unwrap().is_empty());
}

#[test]
fn a_reader_gets_whole_values_however_fast_they_are_put() {
    let name = TestName::new("whole");
    let mut producer = Channel::<[u64]>::named(&*name).capacity(64 << 10).producer().unwrap();
    producer.put(&[0; 8192]).unwrap();
    let mut reader = Reader::open(&location(&name)).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                number += 1;
                producer.put(&vec![number; 1 + (number % 8192) as usize]).unwrap();
            }
        });
        let (mut bytes, mut last, mut read) = (Vec::new(), 0, 0);
        let started = Instant::now();
        while read < 300 && started.elapsed() < Duration::from_secs(60) {
            match reader.copy(&mut bytes) {
                Ok(Some(newest)) => {
                    assert!(newest.seq >= last, "{} after {last}", newest.seq);
                    assert_eq!(newest.bytes, bytes.len() as u64);
                    let number = newest.seq - 1;
                    let words = bytes.chunks_exact(8);
                    assert!(words.into_iter().all(|word| word == number.to_le_bytes()));
                    (last, read) = (newest.seq, read + 1);
                }
                Err(error) => assert!(matches!(error.kind(), ErrorKind::Busy { .. }), "{error}"),
                Ok(None) => panic!("there is a value"),
            }
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(read > 0, "not one whole value in a minute");
    });
}

#[test]
fn a_reader_waits_for_the_next_value_and_says_when_the_channel_was_replaced() {
    let name = TestName::new("next");
    let mut producer = io_shared::producer::<[u8; 2]>(&name).unwrap();
    let mut reader = Reader::open(&location(&name)).unwrap();
    assert_eq!(reader.next(Duration::ZERO).unwrap(), None, "nothing was ever put");
    producer.put(&[1, 2]).unwrap();
    let (saw, seen) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..2 {
                saw.send(reader.next(Duration::from_secs(60)).unwrap().unwrap().seq).unwrap();
            }
        });
        assert_eq!(seen.recv().unwrap(), 1);
        std::thread::sleep(Duration::from_millis(30)); // so that it waits; it does not matter here
        producer.put(&[3, 4]).unwrap();
        assert_eq!(seen.recv().unwrap(), 2);
    });
    assert_eq!(reader.find(1).unwrap().unwrap().seq, 1);
    assert!(reader.is_current());
    io_shared::remove(&name).unwrap();
    let error = reader.next(Duration::from_secs(60)).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Replaced);
    let error = Reader::open(&location(&name)).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::NotFound);
}

#[test]
fn a_reader_decodes_what_it_has_no_type_for() {
    let name = TestName::new("decoded");
    let mut producer = io_shared::producer::<test_support::pose::Pose>(&name).unwrap();
    let pose = test_support::pose::Pose { x: 1.5, intensity: -2.0 };
    producer.put(&pose).unwrap();
    let mut reader = Reader::open(&location(&name)).unwrap();
    let mut bytes = Vec::new();
    reader.copy(&mut bytes).unwrap();
    let value = Value::decode(reader.schema(), &bytes).unwrap();
    assert_eq!(value.at(&"x".parse().unwrap()).unwrap().as_f64(), Some(1.5));
}

#[test]
fn a_reader_copies_a_part_and_no_more_than_that() {
    let name = TestName::new("part");
    let mut producer = Channel::<[u64]>::named(&*name).elements(2000).producer().unwrap();
    let mut reader = Reader::open(&location(&name)).unwrap();
    let (path, mut bytes) = ("[7]".parse().unwrap(), Vec::new());
    assert_eq!(reader.copy_part(&path, &mut bytes).unwrap(), None, "nothing was ever put");
    for (number, length) in [(1, 1000), (2, 2000), (3, 10), (4, 5)] {
        producer.put(&vec![number; length]).unwrap();
        bytes.fill(0);
        let newest = reader.copy_part(&path, &mut bytes).unwrap().unwrap();
        assert_eq!(
            (newest.seq, newest.bytes, bytes.len()),
            (number, 8 * length as u64, 8 * length)
        );
        let value = Value::decode(reader.schema(), &bytes).unwrap();
        match length {
            5 => assert!(value.at(&path).is_err(), "there is no such element"),
            _ => assert_eq!(value.at(&path).unwrap().as_integer(), Some(number.into())),
        }
        let others = bytes.chunks_exact(8).enumerate().filter(|(at, _)| *at != 7);
        assert!(others.into_iter().all(|(_, word)| word == [0; 8]), "only the part is copied");
    }
    assert_eq!(reader.next(Duration::ZERO).unwrap(), None, "the last value counts as returned");
}

#[test]
fn a_hostile_header_is_no_region_or_damaged_and_costs_little() {
    let name = TestName::new("hostile");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    producer.put(&1).unwrap();
    drop(producer);
    let sound = std::fs::read(name.path()).unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    let mut reader = Reader::open(&location(&name)).unwrap();
    let file = std::fs::File::options().write(true).open(name.path()).unwrap();
    let (mut regions, mut damaged, mut read) = (0, 0, 0);
    for round in 0..3_000 {
        let mut bytes = sound.clone();
        let from = if round % 4 == 0 { 8 } else { 128 };
        for _ in 0..random.usize(1..6) {
            // Words, since a program writes words: what is small, what is too large, what is next.
            let word = *random.choice(&[0, 1, 3, 255, 256, 1 << 40, 1 << 56, u64::MAX]).unwrap();
            let word = if random.bool() { word } else { random.u64(..) };
            // `latest`, the number of buffers, and the first buffer's sequence and length.
            let at = match random.bool() {
                true => *random.choice(&[0x80, 0x200, 0x3000, 0x3008]).unwrap(),
                false => random.usize(from / 8..bytes.len() / 8) * 8,
            };
            bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
        }
        // Else nothing but the checksum would be looked at.
        let sum = test_support::hostile::checksum(&bytes);
        bytes[120..128].copy_from_slice(&sum.to_le_bytes());
        file.write_all_at(&bytes, 0).unwrap();
        let started = Instant::now();
        match look(&name).content {
            Content::Region(_) => regions += 1,
            Content::Damaged { .. } | Content::OtherVersion { .. } => damaged += 1,
            other => panic!("{other:?}"),
        }
        read += usize::from(reader.copy(&mut Vec::new()).is_ok());
        let _ = (reader.newest(), reader.find(1));
        assert!(started.elapsed() < Duration::from_secs(5));
    }
    assert!(regions > 300 && damaged > 300 && read > 300, "{regions} {damaged} {read}");
    file.write_all_at(&sound, 0).unwrap();
}

#[test]
fn a_value_that_is_not_in_its_buffer_or_larger_than_memory_is_an_error_and_not_a_wait() {
    let name = TestName::new("torn");
    let region = Hostile::new(r#"{"slice":"|u1"}"#, 1 << 47);
    let file = region.write(&name.path());
    region.put(&file, 1, 2, 3, b"abc");
    let mut reader = Reader::open(&location(&name)).unwrap();
    let error = reader.next(Duration::from_secs(60)).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Corrupt { .. }), "{error}");
    let Content::Damaged { is_used: false, .. } = look(&name).content else { panic!("damaged") };
    region.put(&file, 3, 3, 1 << 47, b"abc");
    let error = reader.copy(&mut Vec::new()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::System { call: "malloc", .. }), "{error}");
    region.put(&file, 4, 4, 3, b"abc");
    let mut bytes = vec![9; 100];
    assert_eq!(reader.copy(&mut bytes).unwrap().unwrap().seq, 4);
    assert_eq!(bytes, b"abc");
}

#[test]
fn what_somebody_uses_or_has_just_used_is_not_idle_and_stays() {
    let name = TestName::new("idle");
    let hour = Duration::from_secs(3600);
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    assert_eq!(look(&name).idle(), None);
    assert!(!inspect::remove_idle(&location(&name), Duration::ZERO).unwrap(), "it is used");
    producer.put(&1).unwrap();
    drop(producer);
    assert!(look(&name).idle().unwrap() < hour);
    // Looked at under the claims, where only the last put, claim and change count.
    assert!(!inspect::remove_idle(&location(&name), hour).unwrap() && name.path().exists());
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
    assert_eq!(*consumer.get().unwrap(), 1, "the claims are free again");
    drop(consumer);
    assert!(inspect::remove_idle(&location(&name), Duration::ZERO).unwrap());
    assert!(!name.path().exists());
    let error = inspect::remove_idle(&location(&name), hour).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::NotFound);
}

#[test]
fn claims_prove_which_process_has_a_role_also_in_files_and_in_memory_without_a_name() {
    let (name, file) = (TestName::new("claims"), TestFile::new("claims"));
    let producer = io_shared::producer::<u64>(&name).unwrap();
    let _consumer = io_shared::consumer::<u64>(&name).unwrap();
    let _in_file = Channel::<u64>::file(&*file).producer().unwrap();
    let nameless = Channel::<u64>::anonymous().producer().unwrap();
    let pid = std::process::id();
    let roles = |region: &str| -> Vec<(Option<usize>, bool)> {
        let found = inspect::claimants().into_iter();
        let of_it = found.filter(|found| found.name.starts_with(region) && found.pid == pid);
        of_it.map(|found| (found.slot, found.is_removed)).collect()
    };
    assert_eq!(roles(&name), [(None, false), (Some(0), false)]);
    assert_eq!(roles(&file.display().to_string()), [(None, false)]);
    assert!(!roles("memfd:").is_empty());
    let found = inspect::claimants();
    let found = found.iter().find(|found| *found.name == *name).unwrap();
    assert_eq!(found.identity, look(&name).identity);
    let command = std::fs::read_to_string("/proc/self/comm").unwrap();
    assert_eq!(found.command.as_deref(), Some(command.trim_end()));
    io_shared::remove(&name).unwrap();
    assert_eq!(roles(&name), [(None, true), (Some(0), true)], "its name is taken away");
    drop((producer, nameless));
    assert_eq!(roles(&name), [(Some(0), true)]);
}
