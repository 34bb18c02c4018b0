//! A guard for reading has no methods to write.

use std::io::Write;

use io_shared::RwSharedMmap;
use io_shared::mmap::BytesMut;

fn main() {
    let mut shared = RwSharedMmap::named("/x").size(15).open().unwrap();
    let mut guard = shared.read().unwrap();
    guard.write_all(b"Hello").unwrap();
    guard.as_bytes_mut()[0] = 1;
    guard.write_byte(1).unwrap();
    guard.move_within(0, 1, 2).unwrap();
}
