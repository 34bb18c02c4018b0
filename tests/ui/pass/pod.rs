//! Copy messages are Pod; `pod = false` leaves that to the user.

use io_shared::Message;
use io_shared::private::bytemuck;

#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Point {
    x: f32,
    y: f32,
}

#[derive(Clone, Copy, Message)]
#[repr(C)]
#[message(pod = false)]
struct Own {
    x: f32,
}

unsafe impl bytemuck::Zeroable for Own {}
unsafe impl bytemuck::Pod for Own {}

// Not Copy, so not Pod; a message all the same.
#[derive(Message)]
#[repr(C)]
struct Counter {
    count: u64,
}

fn main() {
    let points = [Point { x: 1.0, y: 2.0 }; 3];
    assert_eq!(bytemuck::cast_slice::<Point, f32>(&points).len(), 6);
    assert_eq!(bytemuck::bytes_of(&Own { x: 0.0 }).len(), 4);
    assert_eq!(Counter { count: 7 }.as_bytes(), 7u64.to_le_bytes());
}
