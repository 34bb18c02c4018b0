//! Lists through the C ABI: they are laid out and found, and none that lies outside of its message
//! is returned.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "each is a call with pointers of this test")]
#![allow(clippy::multiple_unsafe_ops_per_block, reason = "the same")]

use std::mem::offset_of;
use std::os::unix::fs::FileExt;
use std::ptr::{null, null_mut};

use io_shared::{Channel, List, ListData, Message, NdList, Text};
use io_shared_ffi::ios_status::*;
use io_shared_ffi::*;

mod common;

use common::calls::{bytes_of, get, last_error, nothing, options, put};
use test_support::TestName;

#[derive(Message)]
#[repr(C)]
struct Seen {
    mark: u64,
    boxes: List<[f32; 4]>,
    names: List<Text<8>>,
    image: NdList<u8, 3>,
    valid: bool,
    data: ListData,
}

const MARK: u64 = 0x1122_3344_5566_7799;
const BOXES: usize = offset_of!(Seen, boxes);
const NAMES: usize = offset_of!(Seen, names);
const IMAGE: usize = offset_of!(Seen, image);

/// Two names, in their 8 bytes each.
const NAMED: &[u8; 16] = b"car\0\0\0\0\0bicycle ";

/// The elements of a list of a value: its bytes, and its shape.
fn list(
    value: &ios_value,
    at: usize,
    size: usize,
    axes: usize,
) -> Result<(*const u8, Vec<usize>), ios_status> {
    let (mut elements, mut shape) = (null(), vec![9; axes]);
    let (guard, shape_out) = (value.guard, shape.as_mut_ptr());
    match unsafe { ios_guard_list(guard, at, size, &raw mut elements, shape_out, axes) } {
        IOS_OK => Ok((elements.cast(), shape)),
        status => Err(status),
    }
}

fn loan_list(loan: *mut ios_loan, at: usize, size: usize, axes: usize) -> *mut u8 {
    let (mut elements, mut shape) = (null_mut(), vec![9; axes]);
    let out = shape.as_mut_ptr();
    let status = unsafe { ios_loan_list(loan, at, size, &raw mut elements, out, axes) };
    assert_eq!(status, IOS_OK, "{}", last_error());
    elements.cast()
}

/// A loan of one box, two names and an image of 2 x 2 x 3.
fn lend(producer: *mut ios_producer) -> (*mut ios_loan, *mut u8) {
    let (mut loan, mut data) = (null_mut(), null_mut());
    let sizes = [1_usize, 2, 2, 2, 3];
    let (loan_out, data_out) = (&raw mut loan, &raw mut data);
    let status =
        unsafe { ios_producer_loan_lists(producer, sizes.as_ptr(), 5, loan_out, data_out) };
    assert_eq!(status, IOS_OK, "{}", last_error());
    (loan, data.cast())
}

fn put_one(producer: *mut ios_producer) {
    let (loan, data) = lend(producer);
    unsafe {
        data.cast::<u64>().write(MARK);
        data.add(offset_of!(Seen, valid)).write(1);
        loan_list(loan, BOXES, 16, 1).cast::<[f32; 4]>().write([1.0, 2.0, 3.0, 4.0]);
        loan_list(loan, NAMES, 8, 1).copy_from(NAMED.as_ptr(), 16);
        loan_list(loan, IMAGE, 1, 3).copy_from([7; 12].as_ptr(), 12);
        assert_eq!(ios_loan_put(loan, IOS_WHOLE, null_mut()), IOS_OK, "{}", last_error());
    }
}

#[test]
fn a_message_with_lists_is_filled_in_place_and_read_in_place_by_rust_and_c() {
    let name = TestName::new("lists");
    let schema = Seen::schema().to_json();
    let producer = options(&name, Some(&schema)).with(|o| o.flags = IOS_GROWING).producer();
    let mut rust = Channel::<Seen>::named(&*name).consumer().unwrap();
    let consumer = options(&name, None).consumer();
    let observer = options(&name, None).observer();
    put_one(producer);
    let seen = rust.get().unwrap();
    assert_eq!((seen.mark, seen.valid, seen.boxes()), (MARK, true, &[[1.0, 2.0, 3.0, 4.0]][..]));
    assert_eq!(seen.names(), ["car", "bicycle "]);
    assert_eq!((seen.image().shape(), seen.image().as_slice()), ([2, 2, 3], &[7; 12][..]));
    drop(seen);

    let held = get(consumer, 0).unwrap();
    let mut copy = nothing();
    assert_eq!(unsafe { ios_observer_copy(observer, &raw mut copy) }, IOS_OK);
    for value in [&held, &copy] {
        let (boxes, count) = list(value, BOXES, 16, 1).unwrap();
        assert_eq!((unsafe { *boxes.cast::<[f32; 4]>() }, count), ([1.0, 2.0, 3.0, 4.0], vec![1]));
        assert_eq!(list(value, NAMES, 8, 1).unwrap().1, [2]);
        let (image, shape) = list(value, IMAGE, 1, 3).unwrap();
        assert_eq!((unsafe { *image.cast::<[u8; 12]>() }, shape), ([7; 12], vec![2, 2, 3]));
        let message = value.data.cast::<u8>();
        assert!(image >= message && image <= message.wrapping_add(value.length), "in place");
        unsafe { ios_guard_drop(value.guard) };
    }

    // From Rust to C, where the list of boxes is empty and no list is named.
    drop(rust);
    unsafe { ios_producer_close(producer) };
    let mut rust = Channel::<Seen>::named(&*name).producer().unwrap();
    let sizes = Seen::capacity().names(1);
    let mut loan = rust.loan_lists(sizes).unwrap();
    loan.lists_mut().names[0] = Text::truncated("bus");
    loan.put().unwrap();
    let value = get(consumer, 0).unwrap();
    assert_eq!(list(&value, BOXES, 16, 1).unwrap(), (null(), vec![0]));
    let (names, count) = list(&value, NAMES, 8, 1).unwrap();
    assert_eq!((unsafe { *names.cast::<[u8; 8]>() }, count), (*b"bus\0\0\0\0\0", vec![1]));
    assert_eq!(list(&value, IMAGE, 1, 3).unwrap().1, [0, 0, 0]);
    unsafe {
        ios_guard_drop(value.guard);
        ios_consumer_close(consumer);
        ios_observer_close(observer);
    }
}

#[test]
fn a_list_that_is_asked_for_wrongly_is_told_in_the_words_of_the_struct() {
    let name = TestName::new("asked");
    let schema = Seen::schema().to_json();
    let producer = options(&name, Some(&schema)).with(|o| o.capacity = 1024).producer();
    let consumer = options(&name, None).consumer();
    put_one(producer);
    let value = get(consumer, 0).unwrap();
    for (at, size, axes, said) in [
        (0, 16, 1, "no list lies at 0: there are `boxes` at 8, `names` at 24, `image` at 40"),
        (BOXES, 12, 1, "an element of `boxes` has 16 bytes, not 12"),
        (IMAGE, 1, 1, "`image` has axes: 3, not 1"),
    ] {
        assert_eq!(list(&value, at, size, axes), Err(IOS_BAD_OPTION));
        assert!(last_error().ends_with(said), "{}", last_error());
    }
    let (mut loan, mut data) = (null_mut(), null_mut());
    let out = (&raw mut loan, &raw mut data);
    let status =
        unsafe { ios_producer_loan_lists(producer, [1_usize; 3].as_ptr(), 3, out.0, out.1) };
    assert_eq!(status, IOS_BAD_OPTION);
    let said =
        "the lists `boxes`, `names`, `image` (3 axes) need 5 sizes, one for each axis, not 3";
    assert!(last_error().ends_with(said), "{}", last_error());
    for too_many in [[usize::MAX; 5], [1, 1 << 40, 1, 1, 1], [100, 1, 1, 1, 1]] {
        let status =
            unsafe { ios_producer_loan_lists(producer, too_many.as_ptr(), 5, out.0, out.1) };
        assert_eq!(status, IOS_TOO_LARGE, "{}", last_error());
    }
    // None of these has the buffer.
    put_one(producer);

    let (json, mut length) = (std::ffi::CString::new(schema).unwrap(), 0);
    let sizes = [1_usize, 2, 2, 2, 3];
    let status = unsafe { ios_lists_length(json.as_ptr(), sizes.as_ptr(), 5, &raw mut length) };
    assert_eq!((status, length), (IOS_OK, value.length as u64));
    let plain = TestName::new("asked-plain");
    let other = options(&plain, Some(r#""<f8""#)).producer();
    let status = unsafe { ios_producer_loan_lists(other, sizes.as_ptr(), 5, out.0, out.1) };
    assert_eq!(status, IOS_BAD_OPTION);
    assert!(last_error().contains("have no lists"), "{}", last_error());
    unsafe {
        ios_guard_drop(value.guard);
        ios_producer_close(other);
        ios_producer_close(producer);
        ios_consumer_close(consumer);
    }
}

/// What lists must not be: the offset of a word, what is written there, and the field in the error.
const HOSTILE: &[(usize, u64, &str)] = &[
    (BOXES, 4096, "boxes.offset"),
    (BOXES, 8, "boxes.offset"),
    (BOXES, u64::MAX - 7, "boxes.offset"),
    (BOXES, 82, "boxes.offset"),
    (BOXES + 8, 1 << 60, "boxes.count"),
    (BOXES + 8, 4, "boxes.count"),
    (NAMES, 80, "names.offset"),
    (IMAGE + 16, u64::MAX, "image.shape[1]"),
    (offset_of!(Seen, valid), 2, "valid"),
];

#[test]
fn lists_that_lie_outside_misaligned_or_over_others_are_refused_by_every_put() {
    let name = TestName::new("hostile-put");
    let schema = Seen::schema().to_json();
    let producer = options(&name, Some(&schema)).with(|o| o.capacity = 1024).producer();
    let consumer = options(&name, None).consumer();
    put_one(producer);
    let value = get(consumer, 0).unwrap();
    let good = bytes_of(&value).to_vec();
    unsafe { ios_guard_drop(value.guard) };
    for (at, word, field) in HOSTILE {
        let mut bytes = good.clone();
        bytes[*at..*at + 8].copy_from_slice(&word.to_le_bytes());
        assert_eq!(put(producer, &bytes), IOS_BAD_VALUE, "{field}");
        assert!(last_error().contains(&format!("field `{field}` is ")), "{}", last_error());
        let (loan, data) = lend(producer);
        unsafe {
            data.copy_from(bytes.as_ptr(), bytes.len());
            let (mut elements, mut count) = (null_mut(), 0);
            let out = (&raw mut elements, &raw mut count);
            if *field == "boxes.offset" || *field == "boxes.count" {
                let status = ios_loan_list(loan, BOXES, 16, out.0, out.1, 1);
                assert_eq!(status, IOS_BAD_VALUE, "{field}");
                assert!(elements.is_null(), "nothing is written");
            }
            assert_eq!(ios_loan_put(loan, IOS_WHOLE, null_mut()), IOS_BAD_VALUE, "{field}");
        }
    }
    assert_eq!(get(consumer, 0).unwrap_err(), IOS_EMPTY, "nothing of all that was put");
    unsafe {
        ios_producer_close(producer);
        ios_consumer_close(consumer);
    }
}

#[test]
fn lists_that_a_stranger_moves_are_refused_by_every_get_and_by_each_later_access() {
    let name = TestName::new("hostile-get");
    let schema = Seen::schema().to_json();
    let producer = options(&name, Some(&schema)).with(|o| o.capacity = 1024).producer();
    let consumer = options(&name, None).consumer();
    let observer = options(&name, None).observer();
    let file = std::fs::File::options().write(true).open(name.path()).unwrap();
    // Into every value that lies there.
    let write = |at: usize, word: u64| {
        let bytes = std::fs::read(name.path()).unwrap();
        for mark in (0..bytes.len() - 8).filter(|at| bytes[*at..*at + 8] == MARK.to_le_bytes()) {
            file.write_all_at(&word.to_le_bytes(), (mark + at) as u64).unwrap();
        }
    };
    for (at, word, field) in HOSTILE {
        put_one(producer);
        write(*at, *word);
        let kind = if *field == "valid" { IOS_BAD_VALUE } else { IOS_CORRUPT };
        let said = format!("field `{field}` is ");
        assert_eq!(get(consumer, 0).unwrap_err(), kind, "{field}");
        assert!(last_error().contains(&said), "{}", last_error());
        let mut value = nothing();
        assert_eq!(unsafe { ios_consumer_latest(consumer, &raw mut value) }, kind);
        assert_eq!(unsafe { ios_observer_copy(observer, &raw mut value) }, kind);

        // After the value was got and checked.
        put_one(producer);
        let held = get(consumer, 0).unwrap();
        assert_eq!(unsafe { ios_observer_copy(observer, &raw mut value) }, IOS_OK);
        write(*at, *word);
        if *field != "valid" {
            assert_eq!(list(&held, BOXES, 16, 1), Err(IOS_CORRUPT), "{field}");
            assert!(last_error().contains(&said) || *field == "names.offset", "{}", last_error());
        }
        assert!(list(&value, BOXES, 16, 1).is_ok(), "a copy is nobody else's");
        unsafe {
            ios_guard_drop(held.guard);
            ios_guard_drop(value.guard);
        }
    }
    unsafe {
        ios_producer_close(producer);
        ios_consumer_close(consumer);
        ios_observer_close(observer);
    }
}
