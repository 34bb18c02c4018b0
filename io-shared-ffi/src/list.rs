//! Lists: any number of elements for each of several fields of one message. Where they lie is
//! checked at each access, by words that are read once, since another program may change them.

use std::ffi::{c_char, c_void};

use io_shared_channel::binding::{self, Placed};

use crate::call::call;
use crate::guard::ios_guard;
use crate::lender::{Lender, ios_loan};
use crate::lists::{Asked, check_sizes, lay_out, no_lists};
use crate::pointer::{CText, In, Out, OutSlice, Slice};
use crate::producer::ios_producer;
use crate::status::ios_status;

/// A list of a message, as a member of a C struct. `ios_guard_list` returns its elements, and
/// `ios_producer_loan_lists` sets it. For a list of several axes there is `IOS_ND_LIST_OF`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct ios_list {
    /// Where the elements lie, in bytes from the message's start.
    pub offset: u64,
    /// How many elements there are.
    pub count: u64,
}

/// The elements of a list of a value: `elements` points to the first (NULL if there are none), and
/// `shape` is set to how many there are along each of `axes` axes, which is 1 for an `ios_list`.
/// `member` is the offset of the list in its struct, and `element_size` the size of an element. The
/// elements are valid until the guard is dropped.
///
/// ```c
/// const void *boxes;
/// size_t count;
/// ios_guard_list(value.guard, offsetof(Detections, boxes), sizeof(Box), &boxes, &count, 1);
/// ```
///
/// `IOS_CORRUPT`: the list lies outside of the message, over another list, or is not aligned; get
/// refuses such a value, so a program has changed it since. `IOS_BAD_OPTION`: there is no such
/// list; the text names those that there are.
///
/// # Safety
/// `guard` is NULL or was not dropped; `elements` is NULL or may be written to; `shape` has space
/// for `axes` numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_guard_list(
    guard: *const ios_guard,
    member: usize,
    element_size: usize,
    elements: *mut *const c_void,
    shape: *mut usize,
    axes: usize,
) -> ios_status {
    call(|arguments| {
        // SAFETY: a guard that was not dropped is live, and is used through `&` alone; a pointer
        // may be written to `elements`, and `axes` numbers to `shape`.
        let (guard, out, shape) = unsafe {
            let shape = OutSlice(shape, axes, "shape");
            arguments.read((In(guard, "guard"), Out(elements, "elements"), shape))
        }?;
        let (lists, bytes) = guard.lists().ok_or_else(no_lists)?;
        let (message, asked) = (bytes.as_ptr(), Asked { member, element_size, axes });
        // SAFETY: the guard keeps the message's bytes, which are aligned for its type.
        let placed = unsafe { lists.find(bytes, asked) }?;
        out.set(first(message, &placed).cast());
        fill(shape, &placed);
        Ok(())
    })
}

/// The elements of a list of a loan, to be filled: as `ios_guard_list`. Whoever changes the words
/// of a list after that gets `IOS_BAD_VALUE` at the next access, or at the put, unless they are
/// those of a list that lies elsewhere within the loan.
///
/// # Safety
/// `loan` is NULL, or came from a call that lends, and was neither put nor dropped; no other thread
/// uses it; `elements` is NULL or may be written to; `shape` has space for `axes` numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_loan_list(
    loan: *mut ios_loan,
    member: usize,
    element_size: usize,
    elements: *mut *mut c_void,
    shape: *mut usize,
    axes: usize,
) -> ios_status {
    call(|arguments| {
        // SAFETY: a loan that was neither put nor dropped is live, and this thread alone uses it;
        // a pointer may be written to `elements`, and `axes` numbers to `shape`.
        let (loan, out, shape) = unsafe {
            let shape = OutSlice(shape, axes, "shape");
            arguments.read((In(loan, "loan"), Out(elements, "elements"), shape))
        }?;
        let (lists, message, length) = loan.lists().ok_or_else(no_lists)?;
        let asked = Asked { member, element_size, axes };
        // SAFETY: the loan's bytes stay mapped while it lives, and are aligned for its type.
        let placed = unsafe { lists.place(message, length, asked) }?;
        out.set(first(message, &placed).cast_mut().cast());
        fill(shape, &placed);
        Ok(())
    })
}

/// The address of the first element; NULL if there is none.
fn first(message: *const u8, placed: &Placed) -> *const u8 {
    match placed.range.is_empty() {
        true => std::ptr::null(),
        false => message.wrapping_add(placed.range.start),
    }
}

fn fill(shape: &mut [std::mem::MaybeUninit<usize>], placed: &Placed) {
    for (to, axis) in shape.iter_mut().zip(&placed.shape) {
        // A list in memory has no more elements than memory; an empty one may say what it wants.
        to.write(usize::try_from(*axis).unwrap_or(usize::MAX));
    }
}

/// Lends a message whose lists have these many elements, at `*data`, in shared memory: as
/// `ios_producer_loan`. `sizes` has one number for each list, in the order of the struct, and one
/// for each axis of a list of several. The fields are zeros, and the lists are set; their elements
/// are any bytes. `ios_loan_list` returns each. Put it with the length `IOS_WHOLE`.
///
/// The data of the lists begins after the padding that a C struct of the fields may have at its
/// end, so assigning the whole struct overwrites no element. It does overwrite the lists: fill the
/// members one by one, or keep those.
///
/// # Safety
/// `producer` is NULL or open; `sizes` points to `count` numbers; `loan` and `data` are NULL or may
/// be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_loan_lists(
    producer: *mut ios_producer,
    sizes: *const usize,
    count: usize,
    loan: *mut *mut ios_loan,
    data: *mut *mut c_void,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open producer is a live handle, which is used through `&` alone; nobody
        // changes the sizes during the call; pointers may be written to `loan` and `data`.
        let (handle, sizes, out_loan, out_data) = unsafe {
            let sizes = Slice(sizes, count, "sizes");
            let (loan, data) = (Out(loan, "loan"), Out(data, "data"));
            arguments.read((In(producer, "producer"), sizes, loan, data))
        }?;
        let lists = handle.0.lists();
        let loan = ios_loan::with_lists(lists, sizes, |length| handle.0.lend(length))?;
        loan.hand_out(out_loan, out_data);
        Ok(())
    })
}

/// How many bytes a message with lists of these sizes has in a loan: for `options.capacity`. The
/// schema is JSON, and `sizes` is as in `ios_producer_loan_lists`.
///
/// # Safety
/// `schema` is NULL or a text; `sizes` points to `count` numbers; `length` is NULL or may be
/// written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_lists_length(
    schema: *const c_char,
    sizes: *const usize,
    count: usize,
    length: *mut u64,
) -> ios_status {
    call(|arguments| {
        // SAFETY: the schema ends in a zero; nobody changes it or the sizes during the call; a
        // number may be written to `length`.
        let (schema, sizes, out) = unsafe {
            let sizes = Slice(sizes, count, "sizes");
            arguments.read((CText(schema, "schema"), sizes, Out(length, "length")))
        }?;
        let schema = crate::options::schema(schema)?;
        let lists = binding::Lists::of(&schema).ok_or_else(no_lists)?;
        check_sizes(&lists, schema.name(), sizes)?;
        out.set(lay_out(&lists, sizes).1 as u64);
        Ok(())
    })
}
