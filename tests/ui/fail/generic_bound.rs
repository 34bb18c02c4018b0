//! A struct is a message only for parameters that are messages.

use io_shared::Message;

#[derive(Message)]
#[repr(C)]
struct Stamped<T> {
    value: T,
    stamp: u64,
}

fn needs<T: Message>() {}

fn main() {
    needs::<Stamped<u64>>();
    needs::<Stamped<std::rc::Rc<u8>>>();
}
