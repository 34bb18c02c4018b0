//! Opening and removing channels: which side creates, which waits, and which is refused.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, Instant};

use io_shared::{Channel, ErrorKind, Message};
use test_support::TestName;
use test_support::pose::{Pose, is_mismatch, later};

#[test]
fn either_side_may_start_first() {
    let name = TestName::new("either");
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    producer.put(&1).unwrap();
    assert_eq!(*consumer.get().unwrap(), 1);

    // A consumer that cannot know the channel's size waits for a side that does.
    let name = TestName::new("either-slice");
    let waiting = name.to_string();
    let thread = std::thread::spawn(move || {
        let mut consumer = Channel::<[u8]>::named(waiting).consumer().unwrap();
        consumer.get_timeout(Duration::from_secs(2)).unwrap().len()
    });
    std::thread::sleep(Duration::from_millis(20));
    let mut producer = Channel::<[u8]>::named(&*name).capacity(10).producer().unwrap();
    producer.put(b"hello").unwrap();
    assert_eq!(thread.join().unwrap(), 5);
}

#[test]
fn a_value_outlives_its_producer_and_sequences_go_on() {
    let name = TestName::new("outlives");
    for sequence in 1..=50 {
        let mut producer = io_shared::producer::<u64>(&name).unwrap();
        assert_eq!(producer.seq(), sequence - 1);
        assert_eq!(producer.put(&sequence).unwrap(), sequence);
    }
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
    let value = consumer.get().unwrap();
    assert_eq!((*value, value.missed()), (50, 0));
}

#[test]
fn whoever_is_refused_is_told_of_slots_and_of_handles_of_its_own_process() {
    let name = TestName::new("told");
    let open = || Channel::<u64>::named(&*name);
    let viewer = open().consumer_name("viewer").consumer().unwrap();
    let others = [(); 63].map(|()| open().consumer().unwrap());
    let pid = std::process::id();
    let first = open().producer().unwrap();
    let taken = open().producer().unwrap_err().to_string();
    assert!(taken.contains(&format!("(producer, held by this process, {pid})")), "{taken}");
    assert!(taken.contains("drop that handle"), "{taken}");
    let named = open().consumer_name("viewer").consumer().unwrap_err().to_string();
    assert!(named.contains(&format!("slot 0 (viewer), held by this process, {pid}")), "{named}");
    let full = open().consumer().unwrap_err().to_string();
    assert!(full.contains(&format!("slot 1, held by this process, {pid}")), "{full}");
    assert!(full.contains("drop a handle of this process") && !full.contains("user"), "{full}");
    drop((first, viewer, others));
}

#[test]
fn numbers_beyond_a_limit_are_told_the_most_that_can_be_written() {
    let name = TestName::new("most");
    let open = || Channel::<[u8]>::named(&*name);
    for (error, option) in [
        (open().capacity(u64::MAX / 2).producer().unwrap_err(), "capacity"),
        (open().capacity(u64::MAX / 2).consumer().unwrap_err(), "capacity"),
        (open().capacity(1).consumers(300).producer().unwrap_err(), "consumers"),
    ] {
        let text = error.to_string();
        let number =
            text.split(&format!("at most .{option}(")).nth(1).unwrap_or_else(|| panic!("{text}"));
        let most: u64 = number.trim_end_matches(')').parse().unwrap();
        let with = |more: u64| match option {
            "capacity" => open().capacity(most + more).producer(),
            _ => open().capacity(1).consumers((most + more) as usize).producer(),
        };
        let is_refused = |more| {
            with(more).is_err_and(|error| matches!(error.kind(), ErrorKind::BadOption { .. }))
        };
        assert!(!is_refused(0) && is_refused(1), "{text}");
    }
}

#[test]
fn a_second_producer_is_refused_by_the_pid_of_the_first() {
    let name = TestName::new("second");
    let first = io_shared::producer::<u64>(&name).unwrap();
    let open = name.to_string();
    for error in [
        io_shared::producer::<u64>(&name).unwrap_err(),
        std::thread::spawn(move || io_shared::producer::<u64>(&open).unwrap_err()).join().unwrap(),
    ] {
        let ErrorKind::RoleTaken { holder } = error.kind() else { panic!("{error}") };
        assert_eq!(holder.pid, Some(std::process::id()));
    }
    drop(first);
    assert!(io_shared::producer::<u64>(&name).is_ok());
}

#[test]
fn another_type_is_refused_field_by_field_while_somebody_lives_there() {
    let name = TestName::new("type");
    let producer = io_shared::producer::<Pose>(&name).unwrap();
    for error in [
        io_shared::consumer::<later::Pose>(&name).unwrap_err(),
        io_shared::producer::<later::Pose>(&name).unwrap_err(),
        Channel::<later::Pose>::named(&*name).open_timeout(Duration::ZERO).observer().unwrap_err(),
    ] {
        let text = error.to_string();
        let line = "field `intensity`: channel has <f4 at 4, this program <u2 at 4";
        assert!(text.contains(line), "{text}");
        assert!(text.contains(&*name), "{text}");
    }
    let error = io_shared::producer::<later::Pose>(&name).unwrap_err();
    assert!(is_mismatch(&error, 1), "{error}");
    drop(producer);
    // Nobody is using it, so a producer of the new shape needs no clean-up.
    assert!(io_shared::producer::<later::Pose>(&name).is_ok());
}

#[test]
fn options_mean_at_least_and_say_both_numbers_when_there_is_less() {
    let name = TestName::new("options");
    let living = Channel::<[u8]>::named(&*name).capacity(100).consumers(2).consumer().unwrap();
    let open = || Channel::<[u8]>::named(&*name);
    assert!(open().capacity(50).consumers(64).holds(8).producer().is_ok());
    for (channel, line) in [
        (open().capacity(101), "capacity: channel has 100, this program wants at least 101"),
        (open().consumers(65), "consumers: channel has 64, this program wants at least 65"),
    ] {
        let error = channel.clone().producer().unwrap_err();
        assert!(is_mismatch(&error, 1), "{error}");
        assert!(error.to_string().contains(line), "{error}");
        let error = channel.open_timeout(Duration::ZERO).consumer().unwrap_err();
        assert!(error.to_string().contains(line), "{error}");
    }
    drop(living);
    assert_eq!(open().capacity(101).producer().unwrap().capacity(), 101);
}

#[test]
fn bad_names_sizes_and_options_are_typed_errors() {
    let name = TestName::new("bad");
    let open = || Channel::<[u8]>::named(&*name).capacity(8);
    assert!(matches!(
        Channel::<u64>::named("a//b").producer().unwrap_err().kind(),
        ErrorKind::BadName { .. }
    ));
    assert!(matches!(
        open().capacity("5MB").producer().unwrap_err().kind(),
        ErrorKind::BadSize { .. }
    ));
    for channel in [
        open().consumers(0),
        open().consumers(254),
        open().consumers(usize::MAX),
        open().holds(0),
        open().holds(9),
        open().capacity(u64::MAX / 2),
        open().elements(usize::MAX),
        // Not octal, more than permissions, and bits that would lock out the owner.
        open().mode(660),
        open().mode(0o4600),
        open().mode(0o444),
    ] {
        let error = channel.clone().producer().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::BadOption { .. }), "{channel:?}: {error}");
    }
    for consumer in ["", &"x".repeat(64)] {
        let error = open().consumer_name(consumer).consumer().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::BadOption { .. }), "{error}");
    }
    assert!(!name.path().exists(), "nothing is left of what was refused");
    // A producer that does not say how large it gets is told so and does not wait for ever.
    let error = Channel::<[u8]>::named(&*name).producer().unwrap_err();
    let ways = "that end in a slice says how large they get, or that they may grow, as in \
                .capacity(\"5M\"), .elements(100_000) or .growing(true)";
    assert!(error.to_string().contains(ways), "{error}");
    let error = Channel::<[u8]>::named(&*name).open_timeout(Duration::ZERO).consumer();
    assert_eq!(*error.unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn impossible_options_are_refused_also_where_opening_would_wait_for_the_other_side() {
    let open = || Channel::<[u8]>::named("/test-impossible").open_timeout(Duration::from_secs(9));
    let started = Instant::now();
    for channel in [open().consumers(0), open().holds(9), open().mode(660)] {
        let error = channel.clone().consumer().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::BadOption { .. }), "{channel:?}: {error}");
        let error = channel.producer().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::BadOption { .. }), "{error}");
    }
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[test]
fn elements_of_a_sized_message_are_refused_for_what_they_are() {
    let name = TestName::new("sized");
    let error = Channel::<[f32; 3]>::named(&*name).elements(3).producer().unwrap_err();
    assert!(error.to_string().contains("a fixed size, and no tail"), "{error}");
}

#[test]
fn a_region_aligned_beyond_this_machines_pages_is_refused() {
    #[derive(Clone, Copy, Message)]
    #[message(pod = false)]
    #[repr(C, align(65536))]
    struct Wide {
        bytes: [u8; 65536],
    }
    let name = TestName::new("wide");
    let error = io_shared::producer::<Wide>(&name).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }), "{error}");
    assert!(!name.path().exists());
    let schema = <[Wide]>::schema();
    let text = schema.to_json();
    // What a machine with pages of 64 KiB would have made, in layout version 3.
    let (page, stride) = (65536, 131_072);
    let mut bytes = b"ioshared".to_vec();
    bytes.extend([3u32, 1].map(u32::to_le_bytes).concat());
    let wide = [7, 7, page, stride, page, schema.hash()];
    bytes.extend(wide.map(u64::to_le_bytes).concat());
    let narrow = [65536, 1, 65536, 65536, 0x180, 0x380, 0x400, text.len() as u32, 0];
    bytes.extend(narrow.map(u32::to_le_bytes).concat());
    bytes.extend([0; 20]);
    let fnv = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let sum = bytes.iter().fold(0xcbf2_9ce4_8422_2325, fnv);
    bytes.extend(sum.to_le_bytes());
    bytes.resize(0x200, 0);
    bytes.extend([3u64, 0].map(u64::to_le_bytes).concat()); // the pool, and the slots in use
    bytes.resize(0x400, 0);
    bytes.extend(text.as_bytes());
    bytes.resize((page + 3 * stride) as usize, 0);
    std::fs::write(name.path(), &bytes).unwrap();
    for error in [
        Channel::<[Wide]>::named(&*name).elements(1).producer().unwrap_err(),
        Channel::<[Wide]>::named(&*name).producer().unwrap_err(),
        Channel::<[Wide]>::named(&*name).consumer().unwrap_err(),
        Channel::<[Wide]>::named(&*name).observer().unwrap_err(),
    ] {
        assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }), "{error}");
    }
}

#[test]
fn a_name_reads_the_same_in_every_error() {
    let name = TestName::new("spelling");
    let channel = Channel::<u64>::named(name.trim_start_matches('/'));
    let mut consumer = channel.reopen(false).consumer().unwrap();
    let timeout = consumer.get_timeout(Duration::ZERO).unwrap_err();
    Channel::remove(&name).unwrap();
    let replaced = consumer.try_get().unwrap_err();
    assert_eq!((timeout.name(), replaced.name()), (&*name, &*name));
}

#[test]
fn removing_races_with_whoever_deletes_the_name_and_with_other_removers() {
    for round in 0..300 {
        let name = TestName::new("unlink");
        drop(io_shared::producer::<u64>(&name).unwrap());
        let barrier = std::sync::Barrier::new(2);
        let (first, second) = std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                barrier.wait();
                match round % 2 {
                    0 => std::fs::remove_file(name.path()).is_ok(),
                    _ => Channel::remove(&name).is_ok(),
                }
            });
            barrier.wait();
            let removed = Channel::remove(&name);
            if let Err(error) = &removed {
                assert_eq!(*error.kind(), ErrorKind::NotFound, "{error}");
            }
            (removed.is_ok(), other.join().unwrap())
        });
        assert!(first || second);
        assert!(!name.path().exists());
    }
}

#[test]
fn the_mode_is_exact_whatever_the_umask() {
    let name = TestName::new("mode");
    let _producer = Channel::<u64>::named(&*name).mode(0o666).producer().unwrap();
    let mode = std::fs::metadata(name.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o666);
    let name = TestName::new("mode-default");
    let _producer = io_shared::producer::<u64>(&name).unwrap();
    let mode = std::fs::metadata(name.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
}

#[test]
fn all_memory_is_reserved_at_creation() {
    let name = TestName::new("reserved");
    let _producer = Channel::<[u8]>::named(&*name).capacity("5M").producer().unwrap();
    let metadata = std::fs::metadata(name.path()).unwrap();
    assert!(metadata.blocks() * 512 >= metadata.len(), "no holes");
    assert!(metadata.len() <= 3 * (5 << 20) + (20 << 10), "{}", metadata.len());
}

#[test]
fn more_than_there_is_room_for_is_an_error_and_leaves_nothing() {
    let name = TestName::new("full");
    let error = Channel::<[u8]>::named(&*name).capacity(1u64 << 50).producer().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NoSpace { .. }), "{error}");
    assert!(error.to_string().contains("--shm-size"), "{error}");
    assert!(!name.path().exists());
}

#[test]
fn whatever_is_not_ours_is_refused_and_left_alone() {
    let name = TestName::new("foreign");
    let path = name.path();
    let check = |what: &str| {
        for error in [
            io_shared::producer::<u64>(&name).unwrap_err(),
            io_shared::consumer::<u64>(&name).unwrap_err(),
            Channel::<u64>::named(&*name).observer().unwrap_err(),
            Channel::remove(&name).unwrap_err(),
        ] {
            assert!(matches!(error.kind(), ErrorKind::NotARegion { .. }), "{what}: {error}");
        }
    };
    for length in [0, 1, 127, 128, 5000] {
        std::fs::write(&path, vec![0x41; length]).unwrap();
        check(&format!("{length} bytes"));
        assert_eq!(std::fs::read(&path).unwrap(), vec![0x41; length]);
    }
    // Shorter than a header, with the beginning of a real one.
    drop(std::fs::remove_file(&path));
    drop(io_shared::producer::<u64>(&name).unwrap());
    let ours = std::fs::read(&path).unwrap();
    for length in [8, 127] {
        std::fs::write(&path, &ours[..length]).unwrap();
        check(&format!("{length} bytes of a region"));
    }
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    check("a directory");
    std::fs::remove_dir(&path).unwrap();
    let other = TestName::new("linked");
    let _there = io_shared::producer::<u64>(&other).unwrap();
    drop(io_shared::consumer::<u64>(&other).unwrap());
    std::os::unix::fs::symlink(other.path(), &path).unwrap();
    check("a link to a channel");
    assert!(other.path().exists(), "links are not followed");
    std::fs::remove_file(&path).unwrap();
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    check("a FIFO");
    std::fs::remove_file(&path).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    check("a socket");
    std::fs::remove_file(&path).unwrap();
    for device in ["/dev/null", "/dev/zero"] {
        let open = || Channel::<u64>::file(device);
        for error in [
            open().producer().unwrap_err(),
            open().consumer().unwrap_err(),
            open().observer().unwrap_err(),
        ] {
            assert!(matches!(error.kind(), ErrorKind::NotARegion { .. }), "{device}: {error}");
        }
    }
}

#[test]
fn a_truncated_or_altered_header_is_corrupt() {
    let name = TestName::new("corrupt");
    drop(io_shared::producer::<u64>(&name).unwrap());
    let whole = std::fs::read(name.path()).unwrap();
    let check = |bytes: &[u8], what: &str| {
        std::fs::write(name.path(), bytes).unwrap();
        for error in [
            io_shared::producer::<u64>(&name).unwrap_err(),
            Channel::<u64>::named(&*name).observer().unwrap_err(),
        ] {
            assert!(matches!(error.kind(), ErrorKind::Corrupt { .. }), "{what}: {error}");
        }
    };
    for length in [128, 129, 200] {
        check(&whole[..length], &format!("of {length} bytes"));
    }
    check(&whole[..whole.len() - 1], "truncated by one");
    let code = whole.windows(3).position(|code| code == b"<u8").expect("the schema's type code");
    for at in [16, 24, 50, 80, 127, code, code + 2] {
        let mut altered = whole.clone();
        altered[at] ^= 0x10;
        check(&altered, &format!("altered at {at}"));
    }
    std::fs::write(name.path(), &whole).unwrap();
    assert!(io_shared::producer::<u64>(&name).is_ok());
}

#[test]
fn sixty_four_openers_at_once_meet_in_one_channel() {
    let name = TestName::new("race");
    let barrier = std::sync::Barrier::new(64);
    std::thread::scope(|scope| {
        let openers: Vec<_> = (0..64)
            .map(|i| {
                let (name, barrier) = (&name, &barrier);
                scope.spawn(move || {
                    let channel = Channel::<u64>::named(&**name).consumers(63);
                    barrier.wait();
                    if i == 0 {
                        let mut producer = channel.producer().unwrap();
                        barrier.wait();
                        producer.put(&42).unwrap();
                        None
                    } else {
                        let mut consumer = channel.consumer().unwrap();
                        barrier.wait();
                        Some(*consumer.get_timeout(Duration::from_secs(2)).unwrap())
                    }
                })
            })
            .collect();
        for opener in openers {
            assert!(opener.join().unwrap().is_none_or(|value| value == 42));
        }
    });
}

#[test]
fn different_types_created_at_once_leave_one_winner_and_errors_that_show_both() {
    for _ in 0..20 {
        let name = TestName::new("types");
        let barrier = std::sync::Barrier::new(2);
        let (a, b) = std::thread::scope(|scope| {
            let a = scope.spawn(|| {
                barrier.wait();
                let producer = io_shared::producer::<Pose>(&name);
                barrier.wait();
                producer.map(drop)
            });
            let b = scope.spawn(|| {
                barrier.wait();
                let producer = io_shared::producer::<later::Pose>(&name);
                barrier.wait();
                producer.map(drop)
            });
            (a.join().unwrap(), b.join().unwrap())
        });
        assert_ne!(a.is_ok(), b.is_ok(), "{a:?} {b:?}");
        let error = a.and(b).unwrap_err();
        assert!(error.to_string().contains("<f4") && error.to_string().contains("<u2"), "{error}");
    }
}
