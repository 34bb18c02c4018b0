use io_shared::Message;

#[derive(Message)]
#[repr(C)]
#[message(crate = no::such::path)]
struct Lost {
    x: f32,
}

fn main() {}
