//! Arrays of any dtype and shape through channels.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

use std::fmt::Debug;

use half::f16;
use io_shared::array::{Element, NpyError};
use io_shared::{Array, Channel, Consumer, ErrorKind, Producer};
use ndarray::{ArrayD, Axis, IxDyn, ShapeBuilder, Slice, arr0, array, s};
use num_complex::Complex;
use proptest::prelude::*;
use test_support::TestName;
use test_support::peer::Peer;

fn both(name: &TestName) -> (Producer<Array>, Consumer<Array>) {
    let channel = Channel::<Array>::named(&**name).capacity("64K");
    (channel.clone().producer().unwrap(), channel.consumer().unwrap())
}

/// Puts an array in each memory order (whole, every other element, reversed, transposed) and gets
/// it back.
fn comes_back<A: Element + PartialEq + Debug>(whole: ArrayD<A>, cut: bool, turned: bool) {
    let name = TestName::new("arrays");
    let (mut producer, mut consumer) = both(&name);
    let mut view = whole.view();
    if cut && view.ndim() > 0 {
        view.slice_axis_inplace(Axis(0), Slice::new(0, None, 2));
        view.invert_axis(Axis(view.ndim() - 1));
    }
    let view = if turned { view.reversed_axes() } else { view };
    producer.put_array(&view).unwrap();

    let guard = consumer.get().unwrap();
    assert_eq!(guard.array::<A>().unwrap(), view);
    let npy = guard.npy().unwrap();
    assert_eq!((&*npy.dtype, npy.shape.as_slice()), (A::DTYPE, view.shape()));
    assert_eq!(npy.data.as_ptr().addr() % 64, 0);
    let fortran = view.t().is_standard_layout() && !view.is_standard_layout();
    assert_eq!(npy.fortran_order, fortran, "as NumPy saves it");
}

macro_rules! every_dtype_comes_back {
    ($($test:ident: $element:ty, $make:expr;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(48))]
            $(
                #[test]
                fn $test(
                    shape in prop::collection::vec(0..5usize, 0..5),
                    fortran: bool, cut: bool, turned: bool,
                    bits in prop::collection::vec(any::<u64>(), 625),
                ) {
                    let make: fn(u64) -> $element = $make;
                    let mut bits = bits.into_iter().cycle();
                    let whole = ArrayD::from_shape_simple_fn(IxDyn(&shape).set_f(fortran), || {
                        make(bits.next().unwrap())
                    });
                    comes_back(whole, cut, turned);
                }
            )*
        }
    };
}

every_dtype_comes_back! {
    arrays_of_bool_come_back: bool, |bits| bits & 1 == 1;
    arrays_of_u8_come_back: u8, |bits| bits as u8;
    arrays_of_u16_come_back: u16, |bits| bits as u16;
    arrays_of_u32_come_back: u32, |bits| bits as u32;
    arrays_of_u64_come_back: u64, |bits| bits;
    arrays_of_i8_come_back: i8, |bits| bits as i8;
    arrays_of_i16_come_back: i16, |bits| bits as i16;
    arrays_of_i32_come_back: i32, |bits| bits as i32;
    arrays_of_i64_come_back: i64, |bits| bits as i64;
    arrays_of_f16_come_back: f16, |bits| f16::from_f64(bits as i16 as f64);
    arrays_of_f32_come_back: f32, |bits| bits as i32 as f32;
    arrays_of_f64_come_back: f64, |bits| bits as i64 as f64;
    arrays_of_complex_f32_come_back: Complex<f32>, |bits| Complex::new(bits as i8 as f32, -0.5);
    arrays_of_complex_f64_come_back: Complex<f64>, |bits| Complex::new(0.5, bits as i8 as f64);
}

#[test]
fn shape_and_dtype_may_change_from_one_message_to_the_next() {
    let name = TestName::new("arrays-change");
    let (mut producer, mut consumer) = both(&name);
    producer.put_array(&arr0(1.5f64)).unwrap();
    assert_eq!(consumer.get().unwrap().array::<f64>().unwrap(), arr0(1.5).into_dyn());
    producer.put_array(&ArrayD::<u8>::zeros(vec![3, 0, 2])).unwrap();
    assert_eq!(consumer.get().unwrap().array::<u8>().unwrap().shape(), [3, 0, 2]);
    producer.put_array(&array![[1i32, 2], [3, 4]].slice(s![.., 1])).unwrap();
    let kept = consumer.get().unwrap().into_owned();
    assert_eq!(kept.array::<i32>().unwrap(), array![2, 4].into_dyn());
    let copy = kept.npy().unwrap().data.to_vec();
    assert_eq!(copy, [2, 0, 0, 0, 4, 0, 0, 0]);
}

#[test]
fn an_array_is_filled_in_place() {
    let name = TestName::new("arrays-loan");
    let (mut producer, mut consumer) = both(&name);
    // An older message leaves bytes behind that are no truth values.
    for _ in 0..3 {
        producer.put_array(&ArrayD::<u8>::from_elem(vec![9], 0xff)).unwrap();
    }
    let mut loan = producer.loan_array::<bool>([3, 2]).unwrap();
    let mut mask = loan.array_mut::<bool>().unwrap();
    assert!(mask.iter().all(|set| !set));
    mask[[2, 1]] = true;
    let error = loan.array_mut::<u8>().unwrap_err();
    assert!(error.to_string().contains("channel has |b1, this program |u1"), "{error}");
    loan.put().unwrap();
    let mask = array![[false, false], [false, false], [false, true]].into_dyn();
    assert_eq!(consumer.get().unwrap().array::<bool>().unwrap(), mask);
}

#[test]
fn another_dtype_or_byte_order_is_an_error_that_names_both_and_the_channel() {
    let name = TestName::new("arrays-dtype");
    let (mut producer, mut consumer) = both(&name);
    let mut put = |dtype: &str, bytes: &[u8]| {
        let size = Array::len_of(dtype, false, &[1]).unwrap();
        let mut loan = producer.loan_len(size).unwrap();
        loan.write_header(dtype, false, &[1]).unwrap().copy_from_slice(bytes);
        loan.put().unwrap();
    };
    put("<f8", &[0; 8]);
    let guard = consumer.get().unwrap();
    let error = guard.array::<f32>().unwrap_err();
    let dtype = NpyError::Dtype { expected: "<f4", found: "<f8".into() };
    assert_eq!(error.kind(), &ErrorKind::Npy(dtype));
    assert_eq!(error.to_string(), format!("{}: channel has <f8, this program <f4", &*name));
    drop(guard);

    put(">f4", &1.5f32.to_be_bytes());
    let guard = consumer.get().unwrap();
    let error = guard.array::<f32>().unwrap_err().to_string();
    assert!(error.contains("channel has >f4, this program <f4: it is big-endian"), "{error}");
    assert_eq!(guard.npy().unwrap().data, 1.5f32.to_be_bytes()); // the bytes can still be read
    drop(guard);

    put("|b1", &[2]);
    let error = consumer.get().unwrap().array::<bool>().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Npy(NpyError::NotBool));
    put("[('x', '<f4'), ('label', '|u1')]", &[0; 5]);
    let guard = consumer.get().unwrap().to_copy().unwrap();
    assert_eq!(guard.npy().unwrap().dtype, "[('x', '<f4'), ('label', '|u1')]");
}

#[test]
fn what_is_no_array_is_an_error_and_objects_are_refused_both_ways() {
    let name = TestName::new("arrays-hostile");
    let (mut producer, mut consumer) = both(&name);
    let mut loan = producer.loan_len(192).unwrap();
    let error = loan.write_header("|O", false, &[1]).unwrap_err();
    assert!(error.to_string().contains("|O means Python objects"), "{error}");
    loan.write_header("|S8", false, &[1]).unwrap();
    let at = loan.npy.windows(3).position(|three| three == b"|S8").unwrap();
    loan.npy[at + 1] = b'O';
    loan.put().unwrap();
    let error = consumer.get().unwrap().npy().unwrap_err();
    assert!(error.to_string().contains("|O8 means Python objects"), "{error}");

    let mut loan = producer.loan_len(5).unwrap();
    loan.npy.copy_from_slice(b"\x80\x04pic");
    loan.put().unwrap();
    let error = consumer.get().unwrap().array::<u8>().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Npy(NpyError::NotNpy));
}

#[test]
fn a_header_that_is_not_padded_to_64_is_refused_in_place_and_read_as_bytes() {
    let name = TestName::new("arrays-unpadded");
    let (mut producer, mut consumer) = both(&name);
    let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\n\n\n\n\n\n";
    let mut loan = producer.loan_len(10 + text.len() + 4).unwrap();
    loan.npy[..8].copy_from_slice(b"\x93NUMPY\x01\x00");
    loan.npy[8..10].copy_from_slice(&(text.len() as u16).to_le_bytes());
    loan.npy[10..][..text.len()].copy_from_slice(text.as_bytes());
    loan.npy[10 + text.len()..].copy_from_slice(&1.5f32.to_le_bytes());
    assert_ne!((10 + text.len()) % 4, 0, "otherwise this tests nothing");
    loan.put().unwrap();
    let guard = consumer.get().unwrap();
    let error = guard.array::<f32>().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Npy(NpyError::Misaligned { expected: 4 }));
    assert_eq!(guard.npy().unwrap().data, 1.5f32.to_le_bytes());
}

#[test]
fn the_capacity_counts_the_header_as_a_file_does() {
    let name = TestName::new("arrays-capacity");
    let channel = Channel::<Array>::named(&*name).capacity(128 + 1000);
    let mut producer = channel.producer().unwrap();
    producer.put_array(&ArrayD::<u8>::zeros(vec![10, 100])).unwrap();
    let error = producer.put_array(&ArrayD::<u8>::zeros(vec![1001])).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::TooLarge { needed: 1129, capacity: 1128 });
    let error = producer.loan_array::<f64>((1 << 31, 1 << 31)).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Npy(NpyError::TooLarge { .. })), "{error}");
    // Elements that are repeated and take no memory.
    let one = arr0(0u8);
    let repeated = one.broadcast((1 << 31, 1 << 31)).unwrap();
    let error = producer.put_array(&repeated).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TooLarge { .. }), "{error}");
}

#[test]
fn put_array_goes_to_what_has_taken_the_place() {
    let name = TestName::new("arrays-reopen");
    let channel = Channel::<Array>::named(&*name).capacity("4K");
    let mut producer = channel.clone().producer().unwrap();
    Channel::remove(&name).unwrap();
    producer.put_array(&array![1u8]).unwrap();
    let mut consumer = channel.consumer().unwrap();
    assert_eq!(consumer.get().unwrap().array::<u8>().unwrap(), array![1].into_dyn());
}

#[test]
fn another_process_gets_arrays_where_they_lie() {
    let name = TestName::new("arrays-peer");
    let channel = Channel::<Array>::named(&*name).capacity("1M");
    let mut producer = channel.producer().unwrap();
    let mut peer = Peer::start("peer_that_sums_arrays", &[&name]);
    peer.expect("ready");
    for (array, sum) in [
        (array![[1.0f32, 2.0], [3.0, 4.0]].into_dyn(), "[2, 2] false 1234 10"),
        (array![[1.0f32, 2.0], [3.0, 4.0]].reversed_axes().into_dyn(), "[2, 2] true 1324 10"),
        (arr0(5.0f32).into_dyn(), "[] false 5 5"),
        (ArrayD::zeros(vec![0, 7]), "[0, 7] false  0"),
    ] {
        producer.put_array(&array).unwrap();
        peer.expect(sum);
    }
    producer.put_array(&array![1u8]).unwrap();
    peer.expect(&format!("{}: channel has |u1, this program <f4", &*name));
    peer.end();
}

#[test]
fn peer_that_sums_arrays() {
    let Some(arguments) = test_support::peer::arguments() else { return };
    let mut consumer = Channel::<Array>::named(&*arguments[0]).consumer().unwrap();
    test_support::peer::tell("ready");
    loop {
        let guard = consumer.get().unwrap();
        match guard.array::<f32>() {
            Ok(array) => {
                let order = guard.npy().unwrap().fortran_order;
                let elements: String = array.iter().map(|element| element.to_string()).collect();
                let (shape, sum) = (array.shape(), array.sum());
                test_support::peer::tell(&format!("{shape:?} {order} {elements} {sum}"));
            }
            Err(error) => return test_support::peer::tell(&error.to_string()),
        }
    }
}
