//! A message goes around: from this program to any number of others, in Rust, C and Python, and
//! back. It has a header, an enum, a bool, and three lists of any length. Each program fills it in
//! place and reads it in place. This one looks at every value when it comes back.
//!
//! ```console
//! cargo run --release --example relay -- /relay-1 /relay-4 20 &
//! python2.7 examples/python/relay.py /relay-1 /relay-2 20 &
//! python3 examples/python/relay.py /relay-2 /relay-3 20 &
//! io-shared-ffi/examples/relay /relay-3 /relay-4 20
//! ```

#![allow(clippy::print_stdout, reason = "it is a program")]

use std::error::Error;
use std::time::Duration;

use io_shared::{Channel, List, ListData, Message, NdList, Text};

/// A camera of the robot.
#[derive(Debug, Clone, Copy, PartialEq, Message)]
#[repr(u8)]
enum Camera {
    Front,
    Rear,
    Left = 4,
}

#[derive(Debug, Clone, Copy, PartialEq, Message)]
#[repr(C)]
struct Header {
    #[message(unit = "ns")]
    stamp_ns: u64,
    frame_id: Text<24>,
}

#[derive(Debug, Clone, Copy, PartialEq, Message)]
#[repr(C)]
struct Box3 {
    #[message(unit = "m")]
    x: f32,
    #[message(unit = "m")]
    y: f32,
    #[message(unit = "m")]
    z: f32,
    score: f32,
}

/// What a camera sees.
#[derive(Message)]
#[repr(C)]
struct Detections {
    header: Header,
    boxes: List<Box3>,
    names: List<Text<32>>,
    image: NdList<u8, 3>,
    /// How many programs have handed it on.
    hops: u32,
    source: Camera,
    valid: bool,
    data: ListData,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, there, back, count] = arguments.as_slice() else {
        return Err("usage: relay TO FROM COUNT".into());
    };
    let mut there = Channel::<Detections>::named(there).growing(true).producer()?;
    let mut back = Channel::<Detections>::named(back).consumer()?;
    let mut hops = 0;
    for round in 0..count.parse()? {
        let content = Content::of(round);
        content.put(&mut there)?;
        let seen = back.get_timeout(Duration::from_secs(20))?;
        hops = seen.hops;
        assert_eq!(seen.tag(), round, "the tag goes around too");
        content.check(&seen);
    }
    println!("{count} messages came back by {hops} others, with every value in its place");
    Ok(())
}

/// What a message contains.
struct Content {
    round: u64,
    boxes: Vec<Box3>,
    names: Vec<String>,
    shape: [usize; 3],
}

impl Content {
    fn of(round: u64) -> Self {
        let number = round as usize;
        let box_at = |i: usize| {
            let [x, y] = [i as f32, round as f32];
            Box3 { x, y, z: -0.5, score: 0.25 }
        };
        Self {
            round,
            boxes: (0..number * 3 % 40).map(box_at).collect(),
            names: (0..number % 7).map(|i| format!("pédestrian {round}.{i}")).collect(),
            shape: [number % 5 * 120, 160, 3],
        }
    }

    fn source(&self) -> Camera {
        [Camera::Front, Camera::Rear, Camera::Left][self.round as usize % 3]
    }

    fn pixel(&self, i: usize) -> u8 {
        (i as u64 * 7 + self.round) as u8
    }

    fn put(&self, there: &mut io_shared::Producer<Detections>) -> io_shared::Result<()> {
        let sizes = Detections::capacity().boxes(self.boxes.len()).names(self.names.len());
        let mut loan = there.loan_lists(sizes.image(self.shape))?;
        loan.header = Header { stamp_ns: self.round << 40, frame_id: Text::truncated("base_link") };
        loan.source = self.source();
        loan.valid = self.round.is_multiple_of(2);
        let lists = loan.lists_mut();
        lists.boxes.copy_from_slice(&self.boxes);
        for (to, name) in lists.names.iter_mut().zip(&self.names) {
            *to = Text::truncated(name);
        }
        for (i, pixel) in lists.image.into_slice().iter_mut().enumerate() {
            *pixel = self.pixel(i);
        }
        loan.tag(self.round);
        loan.put()?;
        Ok(())
    }

    fn check(&self, seen: &Detections) {
        assert_eq!(seen.header.stamp_ns, self.round << 40);
        assert_eq!(seen.header.frame_id, "base_link");
        assert_eq!((seen.source, seen.valid), (self.source(), self.round.is_multiple_of(2)));
        let moved = |at: &Box3| Box3 { x: at.x + seen.hops as f32, ..*at };
        assert_eq!(seen.boxes(), self.boxes.iter().map(moved).collect::<Vec<_>>());
        let names: Vec<String> = seen.names().iter().map(ToString::to_string).collect();
        assert_eq!(names, self.names);
        assert_eq!(seen.image().shape(), self.shape);
        for (i, pixel) in seen.image().as_slice().iter().enumerate() {
            let expected = if i == 0 { seen.hops as u8 } else { self.pixel(i) };
            assert_eq!(*pixel, expected, "pixel {i} of round {}", self.round);
        }
    }
}
