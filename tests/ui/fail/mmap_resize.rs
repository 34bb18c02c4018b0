//! Shared memory keeps its size: there is no method to resize it.

use io_shared::{RwSharedMmap, SharedMmap, UnsafeSharedMmap};

fn main() {
    let mut shared = UnsafeSharedMmap::named("/x").size(15).open().unwrap();
    shared.resize(30).unwrap();
    let mut shared = SharedMmap::named("/y").size(15).open().unwrap();
    shared.resize(30).unwrap();
    shared.lock().unwrap().resize(30).unwrap();
    let mut shared = RwSharedMmap::named("/z").size(15).open().unwrap();
    shared.resize(30).unwrap();
}
