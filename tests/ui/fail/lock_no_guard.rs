//! What is not locked is not reachable: there is nothing to read or write with.

use std::io::{Read, Write};

use io_shared::{RwSharedMmap, SharedMmap};

fn main() {
    let mut shared = SharedMmap::named("/x").size(15).open().unwrap();
    shared.write_all(b"Hello").unwrap();
    shared.read(&mut [0; 5]).unwrap();
    shared.as_bytes();
    shared.find(b"lo", ..);
    let mut shared = RwSharedMmap::named("/y").size(15).open().unwrap();
    shared.write_all(b"Hello").unwrap();
    shared.read_exact(&mut [0; 5]).unwrap();
    shared.as_bytes_mut();
}
