//! The Rust end of the Python tests: gives back arrays as they came and then puts one of its own, or
//! answers clouds with labels. `io-shared-ffi/tests/peer.c` is the same in C.

#[path = "../../../../tests/common/cloud.rs"]
mod cloud;

use std::error::Error;

use cloud::{Cloud, Labels, Point};
use io_shared::{Array, Channel, Message, Text};

/// All kinds of fields.
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
        [_, "pose", there, back] => pose(there, back),
        _ => Err("usage: python-peer arrays|clouds|pose THERE BACK [COUNT]".into()),
    }
}

fn arrays(there: &str, back: &str, count: usize) -> Result<(), Box<dyn Error>> {
    let mut there = Channel::<Array>::named(there).capacity("5M").consumer()?;
    let mut back = Channel::<Array>::named(back).capacity("5M").producer()?;
    for _ in 0..count {
        let array = there.get()?;
        array.npy()?; // or the error says what is wrong with it
        let mut answer = back.loan_len(array.npy.len())?;
        answer.npy.copy_from_slice(&array.npy);
        answer.put()?;
    }
    // The last one was had when the next comes; it is answered by one that was never NumPy's.
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
        labels.put()?;
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
