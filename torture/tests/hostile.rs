//! Hostile bytes: the error in which each kind ends.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "it is for tests")]

mod child;
mod damaged;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use child::in_child;
use damaged::{LATEST, Name, is_corrupt};
use io_shared::{Channel, Error, ErrorKind, Message, RwSharedMmap, consumer, producer};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use torture::hostile::input;
use torture::hostile::specimen::{PRELUDE, Shape, Specimen};
use torture::hostile::visit::{Site, visit};

const WAITING: u64 = 0x108;

/// The errors of all roles that open these bytes as `shape`.
#[track_caller]
fn refused(bytes: &[u8], shape: Shape) -> Vec<Error> {
    let site = Site::Descriptor(input::memory(bytes).unwrap());
    shape.roles().iter().map(|role| visit(&site, shape, *role).unwrap_err()).collect()
}

#[test]
fn a_file_without_a_byte_or_with_half_a_header_is_refused_and_no_bus_error() {
    for shape in Shape::ALL {
        let whole = Specimen::new(shape).unwrap().0;
        for length in [0, 1, PRELUDE - 1] {
            for error in refused(&whole[..length], shape) {
                assert!(matches!(error.kind(), ErrorKind::NotARegion { .. }), "{length}: {error}");
            }
        }
        let buffers = Specimen(whole.clone()).field("buffers_offset") as usize;
        for length in [PRELUDE, buffers, whole.len() - 1] {
            for error in refused(&whole[..length], shape) {
                assert!(matches!(error.kind(), ErrorKind::Corrupt { .. }), "{length}: {error}");
            }
        }
    }
}

#[test]
fn numbers_that_overflow_or_exceed_the_file_are_refused_under_a_checksum_that_holds() {
    for shape in Shape::ALL {
        let whole = Specimen::new(shape).unwrap();
        for (field, value) in [
            ("consumers", 0),
            ("consumers", u64::from(u32::MAX)),
            ("stride", u64::MAX),
            ("stride", 0),
            ("capacity", u64::MAX),
            ("capacity", i64::MAX as u64),
            ("buffers_offset", u64::MAX - 4095),
            ("schema_offset", u64::from(u32::MAX)),
            ("schema_length", u64::from(u32::MAX)),
            ("payload_offset", u64::from(u32::MAX)),
            ("align", 0),
            ("align", 3),
            ("page_size", 0),
            ("page_size", 1),
            ("schema_hash", 0),
        ] {
            let mut damaged = whole.clone();
            damaged.set_field(field, value);
            let hash = damaged.field("schema_hash");
            damaged.seal();
            if field == "schema_hash" {
                // Sealing repairs it; check again with only the sum wrong.
                assert_ne!(damaged.field(field), hash);
                damaged = whole.with_schema(b"\"<i8\"", whole.field("align"));
            }
            for error in refused(&damaged.0, shape) {
                let kind = error.kind();
                let typed = matches!(kind, ErrorKind::Corrupt { .. } | ErrorKind::Mismatch { .. });
                assert!(typed, "{shape:?}, {field} = {value}: {error}");
            }
        }
        // A file is longer than the region says if somebody has appended to it.
        let longer = [&whole.0[..], &[0; 100]].concat();
        let site = Site::Descriptor(input::memory(&longer).unwrap());
        for role in shape.roles() {
            visit(&site, shape, *role).unwrap();
        }
    }
}

#[test]
fn a_buffer_number_outside_the_pool_is_corrupt_for_every_role() {
    let name = Name::new("index");
    let mut put = producer::<u64>(&name.0).unwrap();
    put.put(&1).unwrap();
    let mut get = consumer::<u64>(&name.0).unwrap();
    let mut copy = Channel::<u64>::named(&*name.0).observer().unwrap();
    for index in [3, 4, 127, 255] {
        name.write(LATEST, index << 56 | 2);
        is_corrupt(get.try_get());
        is_corrupt(get.latest());
        is_corrupt(get.get_timeout(Duration::from_secs(60)));
        is_corrupt(copy.copy());
        assert!(put.put(&2).is_err());
        is_corrupt(Channel::<u64>::named(&*name.0).consumers(1).observer().unwrap().copy());
    }
    drop((put, get));
    is_corrupt(producer::<u64>(&name.0));
    // A consumer that joins looks at the buffer when it gets the value.
    is_corrupt(consumer::<u64>(&name.0).unwrap().latest());
}

#[test]
fn a_length_beyond_the_capacity_is_corrupt_and_costs_no_hold() {
    let name = Name::new("length");
    let channel = Channel::<[u32]>::named(&*name.0).elements(100);
    let mut put = channel.clone().producer().unwrap();
    let mut get = channel.clone().consumer().unwrap();
    let mut copy = channel.observer().unwrap();
    for length in [401, 404, 402, u64::MAX, 1 << 63, i64::MAX as u64] {
        let sequence = put.loan_len(100).unwrap().put().unwrap();
        let buffer = name.read(LATEST) >> 56;
        name.write(name.buffer(buffer) + 8, length);
        is_corrupt(copy.copy());
        // Next to `latest`, where consumers look.
        name.write(LATEST + 32, length);
        is_corrupt(get.latest());
        is_corrupt(get.latest());
        assert_eq!(get.last_seen(), sequence);
    }
    put.loan_len(7).unwrap().put().unwrap();
    assert_eq!(get.try_get().unwrap().unwrap().len(), 7);
}

#[test]
fn held_entries_and_sleepers_of_garbage_stop_nobody_for_long() {
    let name = Name::new("held");
    // Too large to be stored inline: inline values hold nothing.
    let channel = Channel::<[u64; 6]>::named(&*name.0).consumers(2);
    let mut put = channel.clone().producer().unwrap();
    let mut get = channel.clone().consumer().unwrap();
    // Entries that name no buffer pin nothing.
    for slot in 0..2 {
        name.write(name.block(slot), 0x00ff_00ff);
    }
    for value in 0..20 {
        put.put(&[value; 6]).unwrap();
    }
    let error = get.try_get().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::AlreadyHeld { .. }), "{error}");
    // Bits of sleepers that are nobody's: each put wakes nobody, until the dead are buried.
    name.write(WAITING, u64::MAX);
    let started = Instant::now();
    for value in 0..1000 {
        put.put(&[value; 6]).unwrap();
    }
    assert!(started.elapsed() < Duration::from_secs(2));
    // A consumer that takes over the slot clears it.
    drop(get);
    let mut get = channel.consumer().unwrap();
    assert_eq!(*get.get().unwrap(), [999; 6]);
}

#[test]
fn a_block_of_garbage_is_told_of_in_few_words_and_keeps_its_owner() {
    let name = Name::new("block");
    let channel = Channel::<u64>::named(&*name.0);
    let _owner = channel.clone().consumer().unwrap();
    // As many as fill all slots but its own.
    let others: Vec<_> = (1..64).map(|_| channel.clone().consumer().unwrap()).collect();
    let slots = 1 + others.len();
    for (length, byte) in [(0xff, 0xff), (63, 0xff), (63, 0), (0xff, 0x1b), (4, b'a')] {
        let mut block = [byte; 128];
        block[9] = length;
        name.file().write_all_at(&block, name.block(0)).unwrap();
        let error = channel.clone().consumer().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NoSlot { .. }), "{error}");
        let shown = error.to_string();
        assert!(shown.len() < 200 * slots && !shown.contains('\x1b'), "{shown}");
    }
    // The slot with that name, which is in use.
    let error = channel.consumer_name("aaaa").consumer().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::RoleTaken { .. }), "{error}");
}

#[test]
fn an_alignment_that_is_not_its_schemas_is_corrupt() {
    let name = Name::new("alignment");
    let channel = Channel::<u64>::named(&*name.0);
    drop(channel.clone().producer().unwrap());
    let whole = name.bytes();
    for align in [1, 2, 4] {
        let mut damaged = Specimen(whole.0.clone());
        damaged.set_field("align", align); // this moves nothing
        damaged.seal();
        name.file().write_all_at(&damaged.0, 0).unwrap();
        for opened in [
            channel.clone().producer().map(drop),
            channel.clone().consumer().map(drop),
            channel.clone().observer().map(drop),
        ] {
            let error = opened.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Corrupt { .. }), "{align}: {error}");
        }
    }
}

#[test]
fn entries_that_name_all_they_can_leave_a_buffer_to_fill() {
    let name = Name::new("holds");
    let channel = Channel::<u64>::named(&*name.0).holds(2);
    let mut put = channel.clone().producer().unwrap();
    let _consumers = [channel.clone().consumer().unwrap(), channel.consumer().unwrap()];
    for value in 0..20 {
        put.put(&value).unwrap();
        // Four entries for six buffers, one of which is the latest.
        let latest = name.read(LATEST) >> 56;
        let mut others = (0..6).filter(|buffer| *buffer != latest).map(|buffer| buffer + 1);
        for slot in 0..2 {
            let entries = others.next().unwrap() | others.next().unwrap() << 8;
            name.write(name.block(slot), entries);
        }
    }
}

#[test]
fn a_region_marked_as_removed_under_a_name_that_is_still_there_is_an_error_at_once() {
    let name = Name::new("retired");
    let _user = producer::<u64>(&name.0).unwrap();
    name.file().write_all_at(&[1], 0x100).unwrap();
    let started = Instant::now();
    is_corrupt(producer::<u64>(&name.0)); // its role is also taken, for which it waits 20 ms
    is_corrupt(consumer::<u64>(&name.0));
    is_corrupt(Channel::<u64>::named(&*name.0).observer());
    let error = Channel::<u64>::from_fd(name.file()).producer().unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Replaced);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    Channel::remove(&name.0).unwrap();
}

#[test]
fn a_lock_word_that_names_no_slot_is_corrupt_and_a_stranger_in_it_is_buried() {
    let name = Name::new("lock");
    let mut first = RwSharedMmap::named(&*name.0).size(8).handles(2).open().unwrap();
    let mut second = RwSharedMmap::named(&*name.0).open().unwrap();
    let wait = Duration::from_secs(60);
    for word in [3, 1000, 1023, 1023 | 1 << 31, u64::MAX] {
        name.write(LATEST, word);
        is_corrupt(first.write_timeout(wait).map(drop).map_err(Error::from));
        is_corrupt(second.read_timeout(wait).map(drop).map_err(Error::from));
        is_corrupt(second.try_write().map(drop).map_err(Error::from));
    }
    // The second handle's slot, with an incarnation that never was: nobody robs a living handle.
    name.write(LATEST, 2 | 77 << 10);
    let error = Error::from(first.try_write().unwrap_err());
    assert_eq!(*error.kind(), ErrorKind::WouldBlock);
    drop(second);
    let error = Error::from(first.try_write().unwrap_err());
    assert_eq!(*error.kind(), ErrorKind::OwnerDied);
    // No owner, and bits without meaning: the lock is free.
    name.write(LATEST, 0xffff_fffe_0000_0000);
    assert!(first.write_timeout(wait).unwrap_err().into_guard().is_ok());
    // The handle's own flag, which it did not raise.
    name.write(name.block(0), 0x0100);
    let error = first.read_timeout(wait).unwrap_err().into_guard().unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::WouldDeadlock);
}

#[test]
fn a_value_that_has_gone_back_or_is_not_the_one_promised_is_corrupt() {
    let name = Name::new("back");
    let mut put = producer::<u64>(&name.0).unwrap();
    let mut get = consumer::<u64>(&name.0).unwrap();
    let mut copy = Channel::<u64>::named(&*name.0).observer().unwrap();
    put.put(&1).unwrap();
    let old = name.read(LATEST);
    put.put(&2).unwrap();
    let new = name.read(LATEST);
    assert_eq!(*get.get().unwrap(), 2);
    name.write(LATEST, old);
    is_corrupt(get.try_get());
    is_corrupt(get.latest());
    is_corrupt(put.put(&3));
    // A new number on an old buffer, other than the number of the put that failed.
    name.write(LATEST, (old & !0xff) | 4);
    is_corrupt(get.try_get());
    let error = copy.copy().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Busy { .. }), "{error}");
    name.write(LATEST, new);
    assert_eq!(*get.latest().unwrap().unwrap(), 2);
    put.put(&3).unwrap();
    assert_eq!(*get.get().unwrap(), 3);
}

#[test]
fn a_header_of_another_byte_order_or_version_is_refused_for_that() {
    let whole = Specimen::new(Shape::Number).unwrap();
    for version in [0, 1, 2, 4, u64::from(1_u32.swap_bytes()), u64::from(u32::MAX)] {
        let mut other = whole.clone();
        other.set_field("version", version);
        for sealed in [false, true] {
            if sealed {
                other.seal();
            }
            for error in refused(&other.0, Shape::Number) {
                assert!(matches!(error.kind(), ErrorKind::Mismatch { .. }), "{error}");
                assert!(error.to_string().contains(&format!("has {version}")), "{error}");
            }
        }
    }
    let mut other = whole;
    other.0[..8].reverse();
    for error in refused(&other.0, Shape::Number) {
        assert!(matches!(error.kind(), ErrorKind::NotARegion { .. }), "{error}");
    }
}

mod named {
    /// The same fields, as another program names the struct.
    #[derive(Clone, Copy, io_shared::Message)]
    #[repr(C)]
    pub(super) struct Position {
        pub(super) x: f32,
        pub(super) y: f32,
    }
}

#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Point {
    x: f32,
    y: f32,
}

#[test]
fn a_struct_of_another_name_and_the_same_fields_opens() {
    let name = Name::new("struct");
    producer::<Point>(&name.0).unwrap().put(&Point { x: 1.0, y: 2.0 }).unwrap();
    let mut get = consumer::<named::Position>(&name.0).unwrap();
    let position = *get.get().unwrap();
    assert_eq!((position.x, position.y), (1.0, 2.0));
}

#[test]
fn a_schema_that_is_no_text_or_no_schema_is_corrupt_and_its_error_is_short() {
    let whole = Specimen::new(Shape::Number).unwrap();
    let long = "n".repeat(1 << 19);
    let misnamed = format!(
        "{{\"struct\":\"S\",\"size\":8,\"align\":8,\
         \"fields\":[{{\"name\":\"f\\u001b[2J\",\"offset\":0,\"type\":\"{long}\"}}]}}"
    );
    for text in [
        b"\"<u\xff8\"".as_slice(),
        b"\"<u8",
        b"\"<u8\0",
        b"",
        "[".repeat(100_000).as_bytes(),
        misnamed.as_bytes(),
    ] {
        for error in refused(&whole.with_schema(text, 8).0, Shape::Number) {
            assert!(matches!(error.kind(), ErrorKind::Corrupt { .. }), "{error}");
            let shown = error.to_string();
            assert!(shown.len() < 2000, "{} bytes", shown.len());
            assert!(!shown.contains('\x1b'), "{shown}");
        }
    }
}

#[test]
fn a_peer_that_truncates_one_channel_costs_its_user_the_process_and_no_other_channel() {
    let (cut, whole) = (Name::new("cut"), Name::new("whole"));
    let process = in_child(|| {
        let mut first = producer::<u64>(&cut.0).unwrap();
        let mut second = producer::<u64>(&whole.0).unwrap();
        first.put(&1).unwrap();
        cut.file().set_len(0).unwrap();
        second.put(&2).unwrap(); // it is unaffected
        let _ = first.put(&3); // SIGBUS, as SECURITY.md says
    });
    let ended = waitpid(process, None).unwrap();
    assert!(matches!(ended, WaitStatus::Signaled(_, Signal::SIGBUS, _)), "{ended:?}");
    assert_eq!(*consumer::<u64>(&whole.0).unwrap().get().unwrap(), 2);
    producer::<u64>(&whole.0).unwrap().put(&4).unwrap();
    let error = producer::<u64>(&cut.0).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotARegion { .. }), "{error}");
}

#[test]
fn sequences_go_on_past_32_bits_also_for_sleepers_and_end_with_an_error() {
    let name = Name::new("wrap");
    let mut put = producer::<u64>(&name.0).unwrap();
    put.put(&0).unwrap();
    drop(put);
    let set = |sequence: u64| {
        let word = name.read(LATEST);
        name.write(LATEST, word >> 52 << 52 | sequence);
        name.write(name.buffer(word >> 56), sequence);
        name.write(name.block(0) + 96, 0); // it has seen no value
    };
    set((1 << 32) - 2);
    let mut put = producer::<u64>(&name.0).unwrap();
    let mut get = consumer::<u64>(&name.0).unwrap();
    assert_eq!(get.get().unwrap().seq(), (1 << 32) - 2);
    for sequence in (1 << 32) - 1..(1_u64 << 32) + 20 {
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| {
                let value = get.get_timeout(Duration::from_secs(2)).unwrap();
                (value.seq(), value.missed())
            });
            // Asleep, or about to be.
            let flagged = || name.read(WAITING) != 0;
            let deadline = Instant::now() + Duration::from_secs(2);
            while !flagged() && Instant::now() < deadline {
                std::thread::yield_now();
            }
            assert_eq!(put.put(&sequence).unwrap(), sequence);
            assert_eq!(sleeper.join().unwrap(), (sequence, 0));
        });
    }
    drop((put, get));
    set((1 << 52) - 2);
    let mut put = producer::<u64>(&name.0).unwrap();
    assert_eq!(put.put(&1).unwrap(), (1 << 52) - 1);
    assert_eq!(*put.put(&2).unwrap_err().kind(), ErrorKind::SequenceExhausted);
    assert_eq!(consumer::<u64>(&name.0).unwrap().get().unwrap().seq(), (1 << 52) - 1);
}

#[test]
fn a_copy_of_a_message_larger_than_memory_is_an_error() {
    // A file with holes may be as large as an address space: a message has 16 TiB here.
    let whole = {
        let producer = Channel::<[u8]>::anonymous().elements(8).producer().unwrap();
        let file = File::from(producer.as_fd().unwrap().try_clone_to_owned().unwrap());
        let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
        file.read_exact_at(&mut bytes, 0).unwrap();
        Specimen(bytes)
    };
    let mut large = whole;
    let (capacity, start) = (1_u64 << 44, large.field("buffers_offset"));
    let stride = (64 + capacity).next_multiple_of(128);
    large.set_field("capacity", capacity);
    large.set_field("payload_offset", 64);
    large.set_field("stride", stride);
    large.seal();
    large.write(LATEST as usize, &1_u64.to_le_bytes());
    let file = input::memory(&large.0[..start as usize]).unwrap();
    file.set_len((start + 3 * stride).next_multiple_of(4096)).unwrap();
    file.write_all_at(&[1_u64, capacity, 0].map(u64::to_le_bytes).concat(), start).unwrap();
    let mut observer = Site::Descriptor(file).channel::<[u8]>().observer().unwrap();
    let error = observer.copy().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::System { .. }), "{error}");
}
