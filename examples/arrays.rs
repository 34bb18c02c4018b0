//! Sends images to another process and gets masks back, as arrays with their shape and dtype.
//!
//! Run it with `cargo run --example arrays`. The messages are in NumPy's `.npy` format, so either
//! side may be a Python program.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::process::Command;

use io_shared::{Array, Channel, Consumer, Producer};
use ndarray::Ix2;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            let name = format!("/arrays-{}", std::process::id());
            let done = show_images(&name);
            Channel::remove(images_of(&name))?;
            Channel::remove(masks_of(&name))?;
            done
        }
        ["mark", name] => mark_bright(name),
        _ => Err("usage: arrays".into()),
    }
}

fn images_of(name: &str) -> String {
    format!("{name}-images")
}

fn masks_of(name: &str) -> String {
    format!("{name}-masks")
}

fn show_images(name: &str) -> Result<(), Box<dyn Error>> {
    let mut images: Producer<Array> = Channel::named(images_of(name)).capacity("1M").producer()?;
    let mut masks: Consumer<Array> = Channel::named(masks_of(name)).capacity("1M").consumer()?;
    let mut other = Command::new(std::env::current_exe()?).args(["mark", name]).spawn()?;
    for (number, radius) in [30.0, 60.0, 90.0].into_iter().enumerate() {
        let mut loan = images.loan_array::<f32>((240, 320))?;
        // This fills the image in shared memory.
        let mut image = loan.array_mut::<f32>()?.into_dimensionality::<Ix2>()?;
        for ((row, column), brightness) in image.indexed_iter_mut() {
            let distance = (row as f32 - 120.0).hypot(column as f32 - 160.0);
            *brightness = if distance < radius { 0.9 } else { 0.1 };
        }
        loan.put()?;
        let mask = masks.get()?;
        let mask = mask.array::<bool>()?;
        let bright = mask.iter().filter(|bright| **bright).count();
        println!("image {number}, a disc of radius {radius}: {bright} of {} bright", mask.len());
    }
    images.put_array(&ndarray::arr0(0u8))?; // another dtype marks the end
    if other.wait()?.success() { Ok(()) } else { Err("the other process failed".into()) }
}

/// Runs in another process.
fn mark_bright(name: &str) -> Result<(), Box<dyn Error>> {
    let mut images = io_shared::consumer::<Array>(&images_of(name))?;
    let mut masks = io_shared::producer::<Array>(&masks_of(name))?;
    loop {
        let message = images.get()?;
        match message.array::<f32>() {
            Ok(image) => {
                let image = image.into_dimensionality::<Ix2>()?;
                masks.put_array(&image.map(|brightness| *brightness > 0.5))?
            }
            Err(end) => {
                println!("{end}");
                return Ok(());
            }
        };
    }
}
