//! A struct that is not `Copy` is not `Pod`.

use io_shared::Message;
use io_shared::private::bytemuck;

#[derive(Message)]
#[repr(C)]
struct Counter {
    count: u64,
}

fn main() {
    let _ = bytemuck::bytes_of(&Counter { count: 1 });
}
