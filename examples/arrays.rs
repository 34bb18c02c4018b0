//! Images to another process and masks back, as arrays whose shape and dtype travel with them.
//!
//! `cargo run --example arrays`. The messages are NumPy's `.npy` format, so either side may as well
//! be a Python program.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::process::Command;

use io_shared::{Array, Channel, Consumer, Producer};
use ndarray::Ix2;

fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args().nth(1) {
        None => {
            let name = format!("/arrays-{}", std::process::id());
            let done = show_images(&name);
            Channel::remove(&images_of(&name))?;
            Channel::remove(&masks_of(&name))?;
            done
        }
        Some(name) => mark_bright(&name),
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
    let mut other = Command::new(std::env::current_exe()?).arg(name).spawn()?;
    for side in [3, 4] {
        let mut loan = images.loan_array::<f32>((side, side))?;
        let mut image = loan.array_mut::<f32>()?; // in shared memory already
        image.fill(0.1);
        image.diag_mut().fill(0.9);
        loan.put()?;
        let mask = masks.get()?;
        println!("{}", mask.array::<bool>()?.map(|bright| u8::from(*bright)));
    }
    images.put_array(&ndarray::arr0(0u8))?; // of another dtype: the end
    if other.wait()?.success() { Ok(()) } else { Err("the other process failed".into()) }
}

/// In another process.
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
