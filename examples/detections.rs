//! What was found in an image goes into one message, with the image: boxes, names and pixels.
//!
//! Run it with `cargo run --example detections`. Both ends are in this program; in two programs
//! they would look the same.

#![allow(clippy::print_stdout)]

use io_shared::{Channel, List, ListData, Message, NdList, Text};

#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Box2 {
    #[message(unit = "px")]
    corner: [f32; 2],
    #[message(unit = "px")]
    size: [f32; 2],
}

#[derive(Message)]
#[repr(C)]
struct Detections {
    frame: u64,
    boxes: List<Box2>,
    names: List<Text<32>>,
    image: NdList<u8, 3>, // rows, columns, colours
    data: ListData,       // where the lists lie, last
}

fn main() -> io_shared::Result<()> {
    let name = &format!("/detections-{}", std::process::id());
    let channel = || Channel::<Detections>::named(name).growing(true);
    let (mut detector, mut viewer) = (channel().producer()?, channel().consumer()?);

    let sizes = Detections::capacity().boxes(2).names(2).image([480, 640, 3]);
    let mut loan = detector.loan_lists(sizes)?; // in shared memory, zeros
    loan.frame = 7;
    let lists = loan.lists_mut();
    lists.boxes[0] = Box2 { corner: [10.0, 20.0], size: [64.0, 128.0] };
    lists.boxes[1] = Box2 { corner: [300.0, 40.0], size: [90.0, 50.0] };
    lists.names[0] = Text::truncated("pedestrian");
    lists.names[1] = Text::truncated("car");
    lists.image.into_slice().fill(128);
    loan.put()?;

    let found = viewer.get()?; // read where it lies
    println!("frame {}, an image of {:?}", found.frame, found.image().shape());
    for (name, found) in found.names().iter().zip(found.boxes()) {
        println!("{name} of {:?} px at {:?}", found.size, found.corner);
    }
    drop(found);
    Channel::remove(name)
}
