//! A guard does not outlive its handle, nor a reference its guard.

use io_shared::mmap::Bytes;
use io_shared::{Shared, SharedMmap};

fn main() {
    let mut shared = SharedMmap::named("/x").size(15).open().unwrap();
    let guard = shared.lock().unwrap();
    drop(shared);
    drop(guard);
    let mut shared = SharedMmap::named("/x").size(15).open().unwrap();
    let bytes = shared.lock().unwrap().as_bytes();
    println!("{bytes:?}");
    let value: &u64 = {
        let mut state = Shared::<u64>::open("/y").unwrap();
        &*state.read().unwrap()
    };
    println!("{value}");
}
