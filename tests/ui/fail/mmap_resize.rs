//! What is shared keeps its size: there is nothing to resize it with.

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
