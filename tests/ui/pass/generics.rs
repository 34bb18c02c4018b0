//! Structs with type and const parameters, where they are sound.

#![forbid(unsafe_code)]

use io_shared::Message;

#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Stamped<T> {
    stamp: u64,
    value: T,
}

#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Row<T, const N: usize>
where
    T: Default,
{
    values: [T; N],
}

#[derive(Message)]
#[repr(C)]
struct Table<T: Copy = f32, const N: usize = 3> {
    rows: u64,
    values: [[T; N]],
}

#[derive(Message)]
#[repr(C)]
struct Outer {
    matrix: Row<Row<f64, 3>, 3>,
    tail: [Stamped<i64>],
}

trait Sensor {
    type Sample;
}

enum Lidar {}

impl Sensor for Lidar {
    type Sample = [f32; 4];
}

#[derive(Message)]
#[repr(C)]
struct Measured<S: Sensor> {
    sample: S::Sample,
}

impl<T: Default, const N: usize> Default for Row<T, N> {
    fn default() -> Self {
        Row { values: std::array::from_fn(|_| T::default()) }
    }
}

fn main() {
    assert_eq!(<Stamped<f64>>::SHAPE.size, 16);
    assert_eq!(<Row<u16, 5>>::SHAPE.size, 10);
    assert_eq!(<Table>::SHAPE.element, Some(12));
    assert_eq!(Outer::SHAPE.size, 72);
    assert_eq!(<Measured<Lidar>>::SHAPE.size, 16);
}
