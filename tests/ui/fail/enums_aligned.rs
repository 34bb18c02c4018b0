//! An enum has the size and alignment of its number: what follows it would be in no schema, and no
//! check would read it.

use io_shared::Message;

#[derive(Message)]
#[repr(u8, align(8))]
enum Aligned {
    Idle,
}

#[derive(Message)]
#[repr(u16)]
#[repr(align(4))]
enum AlignedAfter {
    Idle,
}

#[derive(Message)]
#[r#repr(r#u8, r#align(8))]
enum AlignedRaw {
    Idle,
}

#[derive(Message)]
#[repr(align(8))]
enum AlignedOnly {
    Idle,
}

fn main() {}
