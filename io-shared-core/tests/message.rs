//! Messages as users define them: their shapes, their bytes, and the way back.

use io_shared_core::message::{BytesError, Message, Shape};
use io_shared_core::private::bytemuck;
use io_shared_core::{Schema, Text};
use io_shared_derive::Message;
use proptest::prelude::*;

/// A lidar return.
#[derive(Debug, Clone, Copy, PartialEq, Message)]
#[repr(C)]
struct Point {
    /// Forward.
    #[message(unit = "m")]
    x: f32,
    y: f32,
    z: f32,
    intensity: f32,
}

#[derive(Debug, Message)]
#[repr(C)]
struct Cloud {
    frame: u64,
    stamp_ns: u64,
    points: [Point],
}

#[derive(Debug, PartialEq, Message)]
#[repr(C)]
struct Labels {
    frame: u64,
    labels: [u32],
}

#[derive(Debug, Message)]
#[repr(C, align(32))]
struct Wide {
    count: u16,
    samples: [u8],
}

/// Bytes that are aligned for every message here.
#[repr(align(64))]
struct Aligned([u8; 256]);

#[test]
fn a_struct_ending_in_a_slice_is_as_long_as_its_shape_says() {
    let bytes = Aligned([0; 256]);
    fn check<T: Message + ?Sized>(bytes: &[u8], size_of: impl Fn(&T) -> usize) {
        let shape = T::SHAPE;
        for elements in 0..8 {
            let wire = shape.wire_len_of(elements).unwrap();
            let message = T::from_prefix(bytes, wire).unwrap();
            assert_eq!(message.elements(), elements);
            assert_eq!(message.wire_len(), wire);
            assert_eq!(message.as_bytes().len(), wire);
            assert_eq!(size_of(message), shape.padded_len_of(elements).unwrap());
            assert_eq!(align_of_val(message), shape.align);
        }
    }
    check::<Cloud>(&bytes.0, size_of_val);
    check::<Labels>(&bytes.0, size_of_val);
    check::<Wide>(&bytes.0, size_of_val);
    check::<[Point]>(&bytes.0, size_of_val);
}

#[test]
fn bytes_become_the_message_they_came_from() {
    let point = Point { x: 1.0, y: -2.0, z: 3.5, intensity: 0.25 };
    assert_eq!(Point::from_bytes(point.as_bytes()), Ok(&point));

    let words = [7u64, 0x0000_0002_0000_0001];
    let labels = Labels::from_bytes(words.as_bytes()).unwrap();
    assert_eq!((labels.frame, &labels.labels), (7, &[1, 2][..]));
    assert_eq!(labels.as_bytes(), words.as_bytes());
    assert_eq!(labels.as_bytes().as_ptr(), words.as_bytes().as_ptr());
}

#[test]
fn a_padded_end_must_be_there_and_is_not_part_of_the_bytes() {
    let words = [7u64, 1, 2];
    let bytes = words.as_bytes();
    // 3 labels: 20 bytes on the wire, 24 in memory.
    assert_eq!(
        Labels::from_prefix(&bytes[..20], 20),
        Err(BytesError::TooShort { expected: 24, found: 20 })
    );
    assert_eq!(Labels::from_bytes(&bytes[..20]), Labels::from_prefix(&bytes[..20], 20));
    let labels = Labels::from_prefix(bytes, 20).unwrap();
    assert_eq!(labels.labels, [1, 0, 2]);
    assert_eq!(labels.as_bytes(), &bytes[..20]);
}

#[test]
fn bytes_of_another_length_or_start_are_refused_with_both_numbers() {
    let bytes = Aligned([0; 256]).0;
    let words = [0u64; 32];
    let error = |result: Result<&Labels, BytesError>| result.unwrap_err().to_string();
    assert_eq!(
        error(Labels::from_bytes(&words.as_bytes()[..7])),
        "the message has 8 bytes and a whole number of elements of 4 bytes, found 7"
    );
    assert_eq!(
        error(Labels::from_prefix(&words.as_bytes()[..9], 12)),
        "the message needs 16 bytes, including the padding at its end, found 9"
    );
    assert_eq!(
        error(Labels::from_bytes(&words.as_bytes()[4..20])),
        "the message must start at a multiple of 8 bytes, found a start 4 past one"
    );
    assert!(matches!(Point::from_bytes(&bytes[..17]), Err(BytesError::Length { found: 17, .. })));
    assert!(Point::from_prefix(&words.as_bytes()[..17], 16).is_ok());
}

#[test]
fn a_tail_can_be_filled_in_place() {
    let mut words = [0u64; 3];
    let start = words.as_mut_ptr().cast::<u8>();
    let labels = Labels::from_raw_parts_mut(start, 3);
    assert_eq!(labels.cast::<u8>(), start);
    // SAFETY: the words are 24 bytes, which is what 3 labels need, aligned to 8, initialised, and
    // borrowed by nobody else while `labels` is used.
    let labels = unsafe { &mut *labels };
    labels.frame = 1;
    labels.labels.copy_from_slice(&[2, 3, 4]);
    assert_eq!(words, [1, 0x0000_0003_0000_0002, 4]);
}

#[test]
fn copy_messages_are_pod() {
    let points = [Point { x: 1.0, y: 2.0, z: 3.0, intensity: 4.0 }; 2];
    assert_eq!(bytemuck::cast_slice::<Point, f32>(&points)[4..], [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(bytemuck::bytes_of(&Text::<4>::truncated("ab")), b"ab\0\0");
}

#[test]
fn the_schema_has_names_types_offsets_units_and_docs() {
    let text = concat!(
        r#"{"struct":"Cloud","size":16,"align":8,"fields":["#,
        r#"{"name":"frame","offset":0,"type":"<u8"},{"name":"stamp_ns","offset":8,"type":"<u8"},"#,
        r#"{"name":"points","offset":16,"type":{"slice":"#,
        r#"{"struct":"Point","doc":"A lidar return.","size":16,"align":4,"fields":["#,
        r#"{"name":"x","offset":0,"type":"<f4","unit":"m","doc":"Forward."},"#,
        r#"{"name":"y","offset":4,"type":"<f4"},{"name":"z","offset":8,"type":"<f4"},"#,
        r#"{"name":"intensity","offset":12,"type":"<f4"}]}}}]}"#,
    );
    let schema = Cloud::schema();
    assert_eq!(schema.to_json(), text);
    assert_eq!(Schema::from_json(text), Ok(schema));
    assert_eq!(Cloud::layout().shape(), Cloud::SHAPE);
    assert_eq!(Wide::layout().shape(), Wide::SHAPE);
    assert_eq!(Schema::from_json(&Wide::schema().to_json()), Ok(Wide::schema()));
}

#[test]
fn shapes_that_make_no_sense_yield_none_and_no_panic() {
    for size in [0, 1, usize::MAX] {
        for align in [0, 1, 3, 8, usize::MAX] {
            for element in [None, Some(0), Some(1), Some(usize::MAX)] {
                let shape = Shape { size, align, element };
                for n in [0, 1, 7, usize::MAX] {
                    let _ = shape.wire_len_of(n);
                    let _ = shape.padded_len_of(n);
                    let _ = shape.elements_in(n as u64);
                }
            }
        }
    }
}

fn shapes() -> impl Strategy<Value = Shape> {
    let sizes = prop_oneof![0..4096usize, 0..=isize::MAX as usize];
    (sizes.clone(), 0..20u32, prop_oneof![Just(None), sizes.prop_map(|n| Some(n.max(1)))])
        .prop_map(|(size, align, element)| Shape { size, align: 1 << align, element })
}

fn lengths() -> impl Strategy<Value = u64> {
    prop_oneof![0..1u64 << 20, any::<u64>(), (isize::MAX as u64 - 64)..(isize::MAX as u64 + 64)]
}

proptest! {
    #[test]
    fn lengths_agree_with_arithmetic_that_cannot_overflow(shape in shapes(), n in lengths()) {
        let max = isize::MAX as u128;
        let element = shape.element.unwrap_or(0) as u128;
        let wire = shape.size as u128 + element * u128::from(n);
        let padded = wire.next_multiple_of(shape.align as u128);
        let possible = padded <= max && (shape.element.is_some() || n == 0);
        let n = n as usize;
        prop_assert_eq!(shape.wire_len_of(n).map(|l| l as u128), possible.then_some(wire));
        prop_assert_eq!(shape.padded_len_of(n).map(|l| l as u128), possible.then_some(padded));
        if possible {
            prop_assert_eq!(shape.elements_in(wire as u64), Some(n));
        }
    }

    #[test]
    fn a_length_from_elsewhere_is_a_length_of_ours_or_none(shape in shapes(), found in lengths()) {
        if let Some(n) = shape.elements_in(found) {
            prop_assert_eq!(shape.wire_len_of(n).map(|l| l as u64), Some(found));
        }
    }

    #[test]
    fn every_bit_pattern_is_a_message(
        bytes in proptest::array::uniform32(any::<u8>()), n in 0usize..40,
    ) {
        let mut aligned = Aligned([0; 256]);
        aligned.0[..32].copy_from_slice(&bytes);
        let n = n.min(32);
        if let Ok(cloud) = Cloud::from_bytes(&aligned.0[..n]) {
            prop_assert_eq!(cloud.as_bytes(), &aligned.0[..n]);
        }
        let text = Text::from(bytes);
        prop_assert!(text.to_string().len() <= 3 * 32);
    }
}
