//! What several lists in one message cost, compared with one tail of the same bytes: a loan, its
//! filling, a put, and a get that reads where the elements lie. Both are filled by copies of as
//! many bytes. Run it with `cargo bench --bench lists`, or a part of it with `-- 'not filled'`.
//!
//! On two virtual cores of an AMD Zen 4 the ratios are 1.01 for a filled image of 928 kB, 1.34 for
//! 6.4 kB, and 1.86 where nothing is filled: 1,420 instructions to 728. Of the difference, 170 are
//! the checks of the put and of the get; the rest places four lists, lends them, and reads each.
//!
//! Each round measures both, one after the other, so that a change of the machine's speed affects
//! both. The ratio is the median of the rounds' ratios; brackets show the least and the most.

#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use io_shared::{Channel, Consumer, List, ListData, Message, NdList, Producer, Text};

const ROUNDS: usize = 101;

/// The camera that saw it.
#[derive(Debug, Clone, Copy, Message)]
#[repr(u8)]
enum Camera {
    Front,
    Rear,
}

/// A perception message: header, enum, bool, three lists, names.
#[derive(Message)]
#[repr(C)]
struct Lists {
    frame: u64,
    stamp: u64,
    source: Camera,
    valid: bool,
    _pad: [u8; 6],
    boxes: List<[f32; 7]>,
    names: List<Text<32>>,
    scores: List<f32>,
    image: NdList<u8, 3>,
    data: ListData,
}

/// As many bytes in one tail.
#[derive(Message)]
#[repr(C)]
struct Tail {
    frame: u64,
    stamp: u64,
    source: Camera,
    valid: bool,
    _pad: [u8; 6],
    bytes: [u8],
}

/// How many boxes there are, and the image's shape.
type Size = (usize, [usize; 3]);

/// What the lists are filled with, and as many bytes for the tail.
struct Content {
    boxes: Vec<[f32; 7]>,
    names: Vec<Text<32>>,
    scores: Vec<f32>,
    image: Vec<u8>,
    bytes: Vec<u8>,
}

impl Content {
    fn new((count, shape): Size, bytes: usize) -> Self {
        Content {
            boxes: vec![[0.5; 7]; count],
            names: vec![Text::from([b'x'; 32]); count],
            scores: vec![0.5; count],
            image: vec![7; shape.iter().product()],
            bytes: vec![7; bytes],
        }
    }
}

#[inline(never)]
fn of_lists(
    producer: &mut Producer<Lists>,
    consumer: &mut Consumer<Lists>,
    (count, shape): Size,
    content: Option<&Content>,
) -> io_shared::Result<()> {
    let sizes = Lists::capacity().boxes(count).names(count).scores(count).image(shape);
    let mut loan = producer.loan_lists(sizes)?;
    (loan.frame, loan.source, loan.valid) = (7, Camera::Rear, true);
    let mut lists = loan.lists_mut();
    if let Some(content) = content {
        lists.boxes.copy_from_slice(&content.boxes);
        lists.names.copy_from_slice(&content.names);
        lists.scores.copy_from_slice(&content.scores);
        lists.image.as_mut_slice().copy_from_slice(&content.image);
    }
    loan.put()?;
    let found = consumer.get()?;
    black_box((found.boxes().last(), found.names().last(), found.scores().last()));
    black_box(found.image().as_slice().last());
    Ok(())
}

#[inline(never)]
fn of_tail(
    producer: &mut Producer<Tail>,
    consumer: &mut Consumer<Tail>,
    bytes: usize,
    content: Option<&Content>,
) -> io_shared::Result<()> {
    let mut loan = producer.loan_len(bytes)?;
    (loan.frame, loan.source, loan.valid) = (7, Camera::Rear, true);
    if let Some(content) = content {
        loan.bytes.copy_from_slice(&content.bytes);
    }
    loan.put()?;
    black_box(consumer.get()?.bytes.last());
    Ok(())
}

fn measure(name: &str, size: Size, is_filled: bool, calls: u32) -> io_shared::Result<()> {
    use io_shared::message::ListCapacity as _;
    let most = Lists::capacity().boxes(size.0).names(size.0).scores(size.0).image(size.1);
    let bytes = most.bytes();
    let content = Content::new(size, bytes);
    let content = is_filled.then_some(&content);
    let (lists, tail) = (Channel::<Lists>::anonymous(), Channel::<Tail>::anonymous());
    let mut lists = lists.lists(most).producer()?;
    let mut tail = tail.elements(bytes).producer()?;
    let mut lists_consumer = Channel::<Lists>::from_fd(duplicate(lists.as_fd())).consumer()?;
    let mut tail_consumer = Channel::<Tail>::from_fd(duplicate(tail.as_fd())).consumer()?;
    let (mut ratios, mut times) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let started = Instant::now();
        for _ in 0..calls {
            of_lists(&mut lists, &mut lists_consumer, size, content)?;
        }
        let with_lists = started.elapsed().as_nanos() as f64 / f64::from(calls);
        let started = Instant::now();
        for _ in 0..calls {
            of_tail(&mut tail, &mut tail_consumer, bytes, content)?;
        }
        let with_tail = started.elapsed().as_nanos() as f64 / f64::from(calls);
        ratios.push(with_lists / with_tail);
        times.push(with_lists);
    }
    ratios.sort_by(f64::total_cmp);
    times.sort_by(f64::total_cmp);
    let [least, median, most] = [0, ROUNDS / 2, ROUNDS - 1].map(|i| ratios.get(i).copied());
    println!(
        "{name:28} {bytes:>7} bytes, {:9.1} ns, ratio {:.3} ({:.3} to {:.3})",
        times.get(ROUNDS / 2).copied().unwrap_or(f64::NAN),
        median.unwrap_or(f64::NAN),
        least.unwrap_or(f64::NAN),
        most.unwrap_or(f64::NAN)
    );
    Ok(())
}

/// The descriptor of a channel without a name, for its consumer.
#[allow(clippy::unwrap_used, reason = "a channel without a name has a descriptor")]
fn duplicate(fd: Option<std::os::fd::BorrowedFd<'_>>) -> std::os::fd::OwnedFd {
    fd.unwrap().try_clone_to_owned().unwrap()
}

fn main() -> io_shared::Result<()> {
    let picked = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let size = (100, [480, 640, 3]);
    for (name, size, is_filled, calls) in [
        ("an image, filled", size, true, 20),
        ("100 boxes, filled", (100, [0; 3]), true, 10_000),
        ("an image, not filled", size, false, 10_000),
    ] {
        if picked.as_ref().is_none_or(|picked| name.contains(picked)) {
            measure(name, size, is_filled, calls)?;
        }
    }
    Ok(())
}
