//! Hostile bytes in what says how many buffers a channel has, and whose they are.

#![allow(clippy::unwrap_used, reason = "it is for tests")]

mod damaged;

use std::fs::File;
use std::os::unix::fs::FileExt;

use damaged::{LATEST, Name, is_corrupt};
use io_shared::{Channel, Consumer, ErrorKind, Producer, Result};
use torture::hostile::input;
use torture::hostile::specimen::{Shape, Specimen};
use torture::hostile::visit::{Site, visit};

/// Too large to be stored inline: it is held in its buffer.
type Large = [u64; 6];

/// The offset in the producer's block of the number of slots that had an owner, after the pool's.
const USED: u64 = 8;
/// The offset in a consumer's block of its grant.
const GRANT: u64 = 8;

fn channel(name: &Name) -> Channel<Large> {
    Channel::named(&*name.0)
}

/// A producer and a consumer, and what they have in common.
fn pair(name: &Name) -> (Producer<Large>, Consumer<Large>) {
    (channel(name).producer().unwrap(), channel(name).consumer().unwrap())
}

/// Values go from one to the other, more of them than there can be buffers.
#[track_caller]
fn work(put: &mut Producer<Large>, get: &mut Consumer<Large>) {
    for value in 0..300 {
        put.put(&[value; 6]).unwrap();
        assert_eq!(*get.get().unwrap(), [value; 6]);
    }
}

/// What each role's opening of these bytes ends in.
fn opened(bytes: &[u8], shape: Shape) -> Vec<Result<()>> {
    let site = Site::Descriptor(input::memory(bytes).unwrap());
    shape.roles().iter().map(|role| visit(&site, shape, *role)).collect()
}

#[test]
fn a_pool_that_no_channel_has_or_its_file_does_not_hold_is_corrupt_for_every_role() {
    for shape in [Shape::Number, Shape::Scan] {
        let whole = Specimen::new(shape).unwrap();
        let room = (whole.0.len() as u64 - whole.field("buffers_offset")) / whole.field("stride");
        for pool in [0, 1, room + 33, 255, 254, 256, 1 << 32, u64::MAX] {
            let mut damaged = whole.clone();
            damaged.set_pool(pool);
            for opened in opened(&damaged.0, shape) {
                let error = opened.unwrap_err();
                let is_told = matches!(error.kind(), ErrorKind::Corrupt { .. });
                assert!(is_told, "{shape:?}, {pool}: {error}");
            }
        }
        // With less than there are, whatever is found is used within its bounds.
        let mut damaged = whole.clone();
        damaged.set_pool(2);
        for error in opened(&damaged.0, shape).into_iter().filter_map(Result::err) {
            assert!(matches!(error.kind(), ErrorKind::Corrupt { .. }), "{shape:?}: {error}");
        }
    }
}

#[test]
fn a_file_that_is_shorter_than_its_pool_is_corrupt_for_every_role() {
    for shape in [Shape::Number, Shape::Scan] {
        let whole = Specimen::new(shape).unwrap();
        let buffers = whole.field("buffers_offset") as usize;
        for length in [buffers, buffers + 1, whole.0.len() - 4096, whole.0.len() - 1] {
            for opened in opened(&whole.0[..length], shape) {
                let error = opened.unwrap_err();
                assert!(matches!(error.kind(), ErrorKind::Corrupt { .. }), "{length}: {error}");
            }
        }
    }
}

#[test]
fn garbage_after_the_pool_is_no_part_of_it_and_gone_when_a_consumer_joins() {
    let name = Name::new("garbage");
    let (mut put, mut get) = pair(&name);
    work(&mut put, &mut get);
    let pool = name.read(name.pool());
    let (size, end) = (name.bytes().0.len() as u64, name.buffer(pool));
    let garbage = vec![0xff; (size + (1 << 16) - end) as usize];
    name.file().write_all_at(&garbage, end).unwrap();
    work(&mut put, &mut get);
    let mut joiner = channel(&name).holds(8).consumer().unwrap();
    let extended = name.read(name.pool());
    assert_eq!(extended, pool + 8);
    let added = name.bytes().0[end as usize..name.buffer(extended) as usize].to_vec();
    assert!(added.iter().all(|byte| *byte == 0), "a new buffer is zeros");
    for value in 0..8 {
        put.put(&[value; 6]).unwrap();
        assert_eq!(joiner.get().unwrap().into_owned()[0], value);
    }
    work(&mut put, &mut get);
    work(&mut put, &mut joiner);
    work(&mut channel_again(&name, put), &mut get);
}

/// The producer's successor.
fn channel_again(name: &Name, producer: Producer<Large>) -> Producer<Large> {
    drop(producer);
    channel(name).producer().unwrap()
}

#[test]
fn a_pool_raised_without_its_file_is_corrupt_and_no_bus_error() {
    let name = Name::new("raised");
    let (mut put, mut get) = pair(&name);
    let mut copy = channel(&name).observer().unwrap();
    work(&mut put, &mut get);
    let (pool, latest) = (name.read(name.pool()), name.read(LATEST));
    let room = (name.bytes().0.len() as u64 - name.buffer(0)) / name.bytes().field("stride");
    let next = (latest + 1) & ((1 << 52) - 1);
    for raised in [room + 40, 255, 256, u64::MAX] {
        name.write(name.pool(), raised);
        for index in [room, room + 32, 254, 255] {
            name.write(LATEST, index << 56 | next);
            is_corrupt(get.try_get());
            is_corrupt(get.latest());
            is_corrupt(copy.copy());
            assert!(put.put(&[0; 6]).is_err());
        }
    }
    // Its file has these, but none of them was ever filled.
    name.write(name.pool(), room);
    name.write(LATEST, (room - 1) << 56 | next);
    is_corrupt(get.try_get());
    assert!(copy.copy().is_err());
    name.write(name.pool(), pool);
    name.write(LATEST, latest);
    work(&mut put, &mut get);
    assert_eq!(copy.copy().unwrap().unwrap().seq(), put.seq());
}

#[test]
fn a_grant_of_garbage_costs_its_owner_alone() {
    let name = Name::new("grant");
    let victim = channel(&name).consumer().unwrap();
    let (mut put, mut get) = pair(&name);
    for grant in [0, 9, 255] {
        name.file().write_all_at(&[grant], name.block(0) + GRANT).unwrap();
        work(&mut put, &mut get);
        match channel(&name).holds(2).consumer() {
            Ok(mut joiner) => work(&mut put, &mut joiner),
            Err(error) => assert!(matches!(error.kind(), ErrorKind::NoSlot { .. }), "{error}"),
        }
        put = channel_again(&name, put);
        work(&mut put, &mut get);
    }
    // More entries than there can be buffers: nobody adds any, and who needs none joins.
    for slot in 0..64 {
        name.file().write_all_at(&[255], name.block(slot) + GRANT).unwrap();
    }
    work(&mut put, &mut get);
    drop(victim);
    let mut joiner = channel(&name).consumer().unwrap();
    work(&mut put, &mut joiner);
}

#[test]
fn a_number_of_used_slots_that_is_garbage_stops_nobody() {
    let name = Name::new("used");
    let (mut put, mut get) = pair(&name);
    for used in [0, 1, 65, 255, u64::MAX] {
        name.write(name.pool() + USED, used);
        for value in 0..300 {
            put.put(&[value; 6]).unwrap();
            let _ = get.try_get().unwrap().map(|value| *value);
        }
        let mut joiner = channel(&name).consumer().unwrap();
        work(&mut put, &mut joiner);
        put = channel_again(&name, put);
    }
    drop(get);
    let mut get = channel(&name).consumer().unwrap();
    work(&mut put, &mut get);
}

#[test]
fn descriptors_of_a_damaged_pool_are_refused_as_names_are() {
    let name = Name::new("descriptor");
    let (put, get) = pair(&name);
    let pool = name.read(name.pool());
    name.write(name.pool(), u64::MAX);
    let file = || -> File { name.file() };
    is_corrupt(Channel::<Large>::from_fd(file()).observer());
    is_corrupt(Channel::<Large>::from_fd(file()).consumer());
    name.write(name.pool(), pool);
    drop((put, get));
    let (mut put, mut get) = pair(&name);
    work(&mut put, &mut get);
}
