//! Saves an array into shared memory and loads it as from a file, in NumPy's own format.
//!
//! Run it with `cargo run --example npy_in_shm`. A guard implements `Read` and `Write`, so whatever
//! saves to files can save to it: here the `npyz` crate. Python reads the same bytes with
//! `numpy.load`.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::io::Seek;
use std::process::Command;

use io_shared::RwSharedMmap;
use npyz::WriterBuilder;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            let name = format!("/npy_in_shm-{}", std::process::id());
            let done = save_and_have_it_loaded(&name);
            RwSharedMmap::remove(&name)?;
            done
        }
        ["load", name] => load(name),
        _ => Err("usage: npy_in_shm".into()),
    }
}

fn save_and_have_it_loaded(name: &str) -> Result<(), Box<dyn Error>> {
    let mut shared = RwSharedMmap::named(name).size("1M").open()?;
    let options = npyz::WriteOptions::new().default_dtype().shape(&[2, 3]);
    let mut array = options.writer(shared.write()?).begin_nd()?;
    array.extend([1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0])?;
    array.finish()?; // this releases the lock
    println!("saved: {} bytes", shared.stream_position()?);
    let loaded = Command::new(std::env::current_exe()?).args(["load", name]).status()?;
    if loaded.success() { Ok(()) } else { Err("the other process failed".into()) }
}

/// Runs in another process.
fn load(name: &str) -> Result<(), Box<dyn Error>> {
    let mut shared = RwSharedMmap::named(name).open()?;
    let array = npyz::NpyFile::new(shared.read()?)?;
    let shape = array.shape().to_vec();
    println!("loaded: {shape:?} {:?}", array.into_vec::<f32>()?);
    Ok(())
}
