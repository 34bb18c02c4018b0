//! A type of another crate is a message if it is `Pod`, and is laid out as the message that says
//! what its bytes are.

use io_shared::Message;

mod other {
    use io_shared::private::bytemuck;

    #[derive(Clone, Copy)]
    #[repr(C)]
    pub struct Vec3(pub [f32; 3]);
    unsafe impl bytemuck::Zeroable for Vec3 {}
    unsafe impl bytemuck::Pod for Vec3 {}

    pub struct Handle(pub u64);
}

#[derive(Message)]
#[repr(transparent)]
#[message(foreign = [f32; 3])]
struct Right(other::Vec3);

#[derive(Message)]
#[repr(transparent)]
#[message(foreign = [f32; 4])]
struct Longer(other::Vec3);

#[derive(Message)]
#[repr(transparent)]
#[message(foreign = [u8; 12])]
struct Unaligned(other::Vec3);

#[derive(Message)]
#[repr(transparent)]
#[message(foreign = [bool; 1])]
struct OfFlags(u8);

#[derive(Message)]
#[repr(transparent)]
#[message(foreign = u64)]
struct NotPod(other::Handle);

#[derive(Message)]
#[repr(transparent)]
#[message(foreign = String)]
struct Unknown(u64);

#[derive(Message)]
#[repr(C)]
#[message(foreign = u64)]
struct NotTransparent {
    handle: u64,
}

#[derive(Message)]
#[repr(u8)]
#[message(foreign = u8)]
enum Mode {
    Idle,
}

fn main() {}
