//! The Rust end of the Python tests. It returns arrays as they came and then puts one of its own,
//! answers clouds with labels, opens many consumers, is the server or a client of a service, or
//! counts in shared bytes under their lock. `io-shared-ffi/tests/peer.c` does the same in C, except
//! for the last.

use std::error::Error;
use std::io::Write;
use std::time::Duration;

use io_shared::mmap::MmapGuard;
use io_shared::{Array, BytesMut, Channel, Message, RwSharedMmap, Service, SharedMmap, Text};

mod messages;

use messages::{Cloud, Labels, Point};

/// Fields of all kinds.
#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Pose {
    matrix: [[f64; 3]; 2],
    name: Text<8>,
    first: Point,
    flags: [u8; 6],
    mode: i16,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [_, "arrays", there, back, count] => arrays(there, back, count.parse()?),
        [_, "clouds", there, back, count] => clouds(there, back, count.parse()?),
        [_, "join", there, count] => join(there, count.parse()?),
        [_, "pose", there, back] => pose(there, back),
        [_, "label", name] => label(name),
        [_, "ask", name, count] => ask(name, count.parse()?),
        [_, "count", name, kind, count] => {
            let count = count.parse()?;
            locked(name, kind, |bytes| add(bytes, count))
        }
        [_, "hold", name, kind] => locked(name, kind, hold),
        _ => Err("usage: python-peer arrays|clouds THERE BACK COUNT | join THERE COUNT \
                  | pose THERE BACK | label NAME | ask NAME COUNT \
                  | count NAME one|rw COUNT | hold NAME one|rw"
            .into()),
    }
}

fn arrays(there: &str, back: &str, count: usize) -> Result<(), Box<dyn Error>> {
    let mut there = Channel::<Array>::named(there).capacity("5M").consumer()?;
    let mut back = Channel::<Array>::named(back).capacity("5M").producer()?;
    for _ in 0..count {
        let array = there.get()?;
        array.npy()?; // the error says what is wrong with it
        let mut answer = back.loan_len(array.npy.len())?;
        answer.npy.copy_from_slice(&array.npy);
        answer.tag(array.tag());
        answer.put()?;
    }
    // The next array shows that the last one was seen. It is answered by one that NumPy did not
    // make.
    drop(there.get()?);
    let mut own = back.loan_len(Array::len_of("<u2", false, &[2, 3])?)?;
    let elements = own.write_header("<u2", false, &[2, 3])?;
    elements.copy_from_slice(&[1_u16, 2, 3, 4, 5, 60_000].map(u16::to_le_bytes).concat());
    own.put()?;
    Ok(())
}

fn clouds(there: &str, back: &str, count: usize) -> Result<(), Box<dyn Error>> {
    let mut there = Channel::<Cloud>::named(there).capacity("5M").consumer()?;
    let mut back = Channel::<Labels>::named(back).capacity("1M").producer()?;
    for _ in 0..count {
        let cloud = there.get()?;
        let mut labels = back.loan_len(cloud.points.len())?;
        labels.frame = cloud.frame;
        labels.cloud_seq = cloud.seq();
        for (label, point) in labels.labels.iter_mut().zip(&cloud.points) {
            *label = u32::from(point.z > 1.0);
        }
        labels.tag(cloud.seq());
        labels.put()?;
    }
    Ok(())
}

/// Opens `count` consumers of arrays of one number, and gets by each in turn until it has a value
/// with a tag. The elements of each value are the same, and the numbers grow.
fn join(there: &str, count: usize) -> Result<(), Box<dyn Error>> {
    let mut consumers = Vec::new();
    for _ in 0..count {
        consumers.push((Channel::<Array>::named(there).consumer()?, 0));
    }
    while !consumers.is_empty() {
        let mut left = Vec::new();
        for (mut consumer, seen) in consumers {
            let array = consumer.get_timeout(Duration::from_secs(60))?;
            let (seq, tag, elements) = (array.seq(), array.tag(), array.npy()?.data);
            assert!(seq > seen, "the numbers grow");
            assert_eq!(elements[8..], elements[..elements.len() - 8], "a value is torn");
            drop(array);
            if tag == 0 {
                left.push((consumer, seq));
            }
        }
        consumers = left;
    }
    Ok(())
}

fn pose(there: &str, back: &str) -> Result<(), Box<dyn Error>> {
    let mut there = io_shared::consumer::<Pose>(there)?;
    let mut back = io_shared::producer::<Pose>(back)?;
    let mut pose = *there.get()?;
    pose.mode += 1;
    pose.first.x *= 2.0;
    back.put(&pose)?;
    Ok(())
}

/// Says of each number of a question whether it is above 1.5, until it is killed.
fn label(name: &str) -> Result<(), Box<dyn Error>> {
    let mut server = Service::<[f32], [u32]>::named(name).server()?;
    loop {
        let (heights, mut reply) = server.next()?.into_parts();
        let mut labels = reply.loan_len(heights.len())?;
        for (label, height) in labels.iter_mut().zip(&*heights) {
            *label = u32::from(*height > 1.5);
        }
        labels.put()?;
    }
}

/// Asks about 0; then about 0 and 1; and so on.
fn ask(name: &str, count: usize) -> Result<(), Box<dyn Error>> {
    let mut client = Service::<[f32], [u32]>::named(name).client()?;
    for number in 1..=count {
        let heights: Vec<f32> = (0..number).map(|at| at as f32).collect();
        let labels = client.call(&heights, Duration::from_secs(60))?;
        let expected: Vec<u32> = (0..number).map(|at| u32::from(at > 1)).collect();
        assert_eq!(*labels, *expected);
    }
    Ok(())
}

/// Opens shared bytes of that kind; whichever program is first creates them.
enum Locked {
    One(SharedMmap),
    Rw(RwSharedMmap),
}

impl Locked {
    fn lock(&mut self) -> Result<MmapGuard<'_>, Box<dyn Error>> {
        match self {
            Self::One(bytes) => bytes.lock().map_err(|error| error.to_string().into()),
            Self::Rw(bytes) => bytes.write().map_err(|error| error.to_string().into()),
        }
    }
}

fn locked(
    name: &str,
    kind: &str,
    act: impl FnOnce(&mut Locked) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    act(&mut match kind {
        "one" => Locked::One(SharedMmap::named(name).size("1K").open()?),
        _ => Locked::Rw(RwSharedMmap::named(name).size("1K").open()?),
    })
}

/// Adds 1 to the number at the start `count` times, in two steps under the lock.
fn add(bytes: &mut Locked, count: usize) -> Result<(), Box<dyn Error>> {
    for _ in 0..count {
        let mut guard = bytes.lock()?;
        let number = &mut guard.as_bytes_mut()[..8];
        let next = u64::from_le_bytes((&*number).try_into()?) + 1;
        number.copy_from_slice(&next.to_le_bytes());
    }
    Ok(())
}

/// Writes half a word, prints a line, and keeps the lock until it is killed.
fn hold(bytes: &mut Locked) -> Result<(), Box<dyn Error>> {
    let mut guard = bytes.lock()?;
    guard.write_all(b"half")?;
    let mut out = std::io::stdout();
    writeln!(out, "in")?;
    out.flush()?;
    std::io::stdin().read_line(&mut String::new())?;
    Ok(())
}
