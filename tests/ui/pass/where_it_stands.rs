//! Without a prelude, in a function, in a macro, under names of the standard library.

#![no_implicit_prelude]
#![forbid(unsafe_code)]

extern crate io_shared;

#[derive(io_shared::Message)]
#[repr(C)]
struct Option {
    some: u32,
}

#[derive(io_shared::Message)]
#[repr(C, align(8))]
struct Cell {
    occupied: u32,
    option: crate::Option,
}

macro_rules! message {
    ($name:ident { $($field:ident: $ty:ty),* }) => {
        #[derive(io_shared::Message)]
        #[repr(C)]
        struct $name {
            $($field: $ty),*
        }
    };
}

message!(Grid { width: u64, cells: [Cell] });

mod reexport {
    pub(crate) mod deep {
        pub(crate) use ::io_shared::private;
    }
}

fn main() {
    #[derive(io_shared::Message)]
    #[repr(C)]
    #[message(crate = reexport::deep)]
    struct Local {
        x: f32,
    }

    ::std::assert_eq!(<Grid as io_shared::Message>::SHAPE.element, ::std::option::Option::Some(8));
    ::std::assert_eq!(<Local as io_shared::Message>::SHAPE.size, 4);
}
