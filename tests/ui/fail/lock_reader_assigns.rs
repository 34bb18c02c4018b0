//! A value that is locked for reading cannot be assigned to.

use io_shared::Shared;

fn main() {
    let mut state = Shared::<[u32; 2]>::open("/y").unwrap();
    state.read().unwrap()[0] = 1;
}
