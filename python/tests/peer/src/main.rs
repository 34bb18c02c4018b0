//! The Rust end of the Python tests: gives back arrays as they came, or answers clouds with labels.

use std::error::Error;

use io_shared::{Array, Channel, Message, Text};

#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Point {
    x: f32,
    y: f32,
    z: f32,
    intensity: f32,
}

#[derive(Message)]
#[repr(C)]
struct Cloud {
    frame: u64,
    stamp_ns: u64,
    points: [Point],
}

#[derive(Message)]
#[repr(C)]
struct Labels {
    frame: u64,
    cloud_seq: u64,
    labels: [u32],
}

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
