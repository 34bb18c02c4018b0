//! The derive implements `Pod` for structs that are `Copy`; a second implementation clashes.

use io_shared::Message;
use io_shared::private::bytemuck;

#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Point {
    x: f32,
}

unsafe impl bytemuck::Zeroable for Point {}
unsafe impl bytemuck::Pod for Point {}

fn main() {}
