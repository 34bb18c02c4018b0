//! Loans: a buffer of a channel, filled in place by C and then put; and windows, which keep a
//! loan's bytes mapped. Producers lend their buffers, and so do the clients of services and the
//! replies to questions.

use std::ffi::c_void;
use std::sync::Arc;

use io_shared_channel::binding::Window;
use io_shared_core::{Error, ErrorKind};

use crate::call::call;
use crate::label::Label;
use crate::lender::{Lender, ios_loan};
use crate::memory::{drop_from_c, into_c};
use crate::pointer::{In, OptionalOut, Out, Taken};
use crate::producer::ios_producer;
use crate::status::ios_status;

/// The bytes of a loan, at an address that stays mapped until the window is dropped, whatever
/// happens to the loan, the producer and its channel. It is for callers that cannot prove who keeps
/// the address.
#[derive(Debug)]
pub struct ios_window {
    window: Arc<Window>,
    name: String,
}

// Any thread may sever or drop a window.
const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<ios_window>();
};

/// All that was lent, in place of a length for `ios_loan_put`. The header has it as a macro.
pub const IOS_WHOLE: usize = usize::MAX;

/// Lends a buffer of `length` bytes at `*data`, in shared memory. Nobody sees it until it is put.
/// It is aligned for the channel's type, and contains an older message or zeros: zeros are the
/// fields if a bool or an enum is among them, and so is a tail that has some. A producer lends one
/// buffer at a time.
///
/// # Safety
/// `producer` is NULL or open; `loan` and `data` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_loan(
    producer: *mut ios_producer,
    length: usize,
    loan: *mut *mut ios_loan,
    data: *mut *mut c_void,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open producer is a live handle, which is used through `&` alone; pointers may
        // be written to `loan` and `data`.
        let (handle, out_loan, out_data) = unsafe {
            arguments.read((In(producer, "producer"), Out(loan, "loan"), Out(data, "data")))
        }?;
        let loan = handle.0.lend(length)?;
        loan.hand_out(out_loan, out_data);
        Ok(())
    })
}

/// As `ios_producer_loan`. The bytes at `*data` are those of `*window`, which keeps them mapped
/// until it is dropped: after the put, and also when the producer opens another channel or is
/// closed.
///
/// The buffer is the same as a loan's, so nobody may write to it after the put. Callers that cannot
/// promise that use `ios_window_sever`.
///
/// # Safety
/// `producer` is NULL or open; `loan`, `window` and `data` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_producer_loan_window(
    producer: *mut ios_producer,
    length: usize,
    loan: *mut *mut ios_loan,
    window: *mut *mut ios_window,
    data: *mut *mut c_void,
) -> ios_status {
    call(|arguments| {
        // SAFETY: an open producer is a live handle, which is used through `&` alone; pointers may
        // be written to `loan`, `window` and `data`.
        let (handle, out_loan, out_window, out_data) = unsafe {
            let (loan, window, data) =
                (Out(loan, "loan"), Out(window, "window"), Out(data, "data"));
            arguments.read((In(producer, "producer"), loan, window, data))
        }?;
        let (loan, window) = handle.0.lend_window(length)?;
        out_data.set(window.as_mut_ptr().cast());
        out_window.set(into_c(ios_window { window, name: handle.0.name().to_owned() }));
        out_loan.set(into_c(loan));
        Ok(())
    })
}

/// Makes the bytes of a window private to this process, with their present content: nobody else
/// sees what is written there afterwards. It is for a loan that is dropped while somebody may still
/// write to its bytes. `IOS_SYSTEM`: there is no memory for a private copy, and the bytes remain
/// the buffer's.
///
/// # Safety
/// `window` is NULL or was not dropped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_window_sever(window: *const ios_window) -> ios_status {
    call(|arguments| {
        // SAFETY: a window that was not dropped is live, and is used through `&` alone.
        let window = unsafe { arguments.read(In(window, "window")) }?;
        Ok(window.window.sever(&window.name)?)
    })
}

/// Drops a window, from any thread. NULL is left alone.
///
/// # Safety
/// `window` is NULL, or came from `ios_producer_loan_window` and is dropped for the first time;
/// nobody uses its bytes any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_window_drop(window: *mut ios_window) {
    // SAFETY: it came from `ios_producer_loan_window`, which made it by `into_c`, and is dropped
    // once.
    unsafe { drop_from_c(window) };
}

/// Gives the loan a tag, with which its value is put: any number of the caller's, which consumers
/// and observers find in the value. Without this it is 0. (`IOS_UNSUPPORTED`: a loan of a service,
/// which tags and numbers its messages itself.)
///
/// # Safety
/// `loan` is NULL, or came from a call that lends, and was neither put nor dropped; no other
/// thread uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_loan_tag(loan: *mut ios_loan, tag: u64) -> ios_status {
    call(|arguments| {
        // SAFETY: a loan that was neither put nor dropped is live, and this thread alone uses it.
        let loan = unsafe { arguments.read(In(loan, "loan")) }?;
        loan.lender.check_label(None, loan.length)?;
        loan.label.set(Label { tag, ..loan.label.get() });
        Ok(())
    })
}

/// Gives the loan's value a number and a stamp, as in `ios_producer_put_numbered`. `IOS_BAD_SEQ`:
/// the number is not greater than the last; the loan is as it was.
///
/// # Safety
/// As for `ios_loan_tag`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_loan_number(
    loan: *mut ios_loan,
    number: u64,
    stamp: u64,
) -> ios_status {
    call(|arguments| {
        // SAFETY: a loan that was neither put nor dropped is live, and this thread alone uses it.
        let loan = unsafe { arguments.read(In(loan, "loan")) }?;
        loan.lender.check_label(Some(number), loan.length)?;
        loan.label.set(Label { number: Some(number), stamp, ..loan.label.get() });
        Ok(())
    })
}

/// Publishes the first `length` bytes of a loan, at most as many as were lent (all of them with
/// `IOS_WHOLE`), and wakes consumers that wait. Writes the value's sequence number to `seq`, unless
/// that is NULL. The loan is over, whatever the status is. If the channel was removed or replaced
/// meanwhile, the value is put into the one that has the name now (`IOS_REPLACED` with
/// `IOS_NO_REOPEN`).
///
/// # Safety
/// `loan` is NULL, or came from a call that lends, and was neither put nor dropped; nobody writes
/// to its bytes any more; `seq` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_loan_put(
    loan: *mut ios_loan,
    length: usize,
    seq: *mut u64,
) -> ios_status {
    call(|arguments| {
        // SAFETY: the loan was made by `into_c` and is handed back once, with its bytes; a number
        // may be written to `seq`.
        let (loan, seq) =
            unsafe { arguments.read((Taken(loan, "loan"), OptionalOut(seq, "seq"))) }?;
        let length = if length == IOS_WHOLE { loan.length } else { length };
        if length > loan.length {
            let (length, size) = (length as u64, loan.length as u64);
            let kind = ErrorKind::OutOfBounds { at: 0, length, size };
            return Err(Error::new(loan.lender.name(), kind).into());
        }
        seq.set(loan.lender.put(loan.data().cast(), length, loan.label.get())?);
        Ok(())
    })
}

/// Gives a loan back without publishing anything. NULL is left alone.
///
/// # Safety
/// `loan` is NULL, or came from a call that lends, and was neither put nor dropped; nobody writes
/// to its bytes any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_loan_drop(loan: *mut ios_loan) {
    // SAFETY: the loan was made by `into_c` and is handed back once.
    unsafe { drop_from_c(loan) };
}
