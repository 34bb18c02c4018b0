//! Without a lock the bytes cannot be reached: the handle has no methods to read or write.

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
