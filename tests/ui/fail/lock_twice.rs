//! A handle can hold its lock only once at a time.

use io_shared::{RwSharedMmap, Shared, SharedMmap};

fn main() {
    let mut shared = SharedMmap::named("/x").size(15).open().unwrap();
    let first = shared.lock().unwrap();
    let second = shared.lock().unwrap();
    drop((first, second));
    let mut shared = RwSharedMmap::named("/y").size(15).open().unwrap();
    let first = shared.write().unwrap();
    let second = shared.read().unwrap();
    drop((first, second));
    let mut state = Shared::<u64>::open("/z").unwrap();
    let first = state.read().unwrap();
    let second = state.get().unwrap();
    drop((first, second));
}
