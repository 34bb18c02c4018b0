//! The functions of the C library that are called for each value, by their addresses; and its
//! structs, as `io_shared.h` has them.

use std::ffi::{c_int, c_void};
use std::ptr::null_mut;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3::exceptions::{PyImportError, PyKeyError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Statuses that are no failures: the call succeeded, or there is nothing to get.
const OK: c_int = 0;
const NOTHING: [c_int; 4] = [11, 12, 32, 100]; // TIMEOUT, BUSY, INTERRUPTED, EMPTY

/// `ios_puts`.
#[repr(C)]
pub(crate) struct PutArguments {
    producer: *mut c_void,
    header: *const c_void,
    header_length: usize,
    length: usize,
    seq: *mut u64,
    tag: u64,
    number: u64,
    stamp: u64,
}

/// `ios_gets`.
#[repr(C)]
struct GetArguments {
    consumer: *mut c_void,
    timeout_ns: i64,
    header: *const c_void,
    header_length: usize,
    data: *mut c_void,
    length: usize,
    value: *mut Value,
}

/// `ios_value`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value {
    pub(crate) guard: *mut c_void,
    pub(crate) data: *const c_void,
    pub(crate) length: usize,
    pub(crate) seq: u64,
    pub(crate) missed: u64,
    pub(crate) stamp: u64,
    pub(crate) tag: u64,
}

impl Value {
    pub(crate) const NONE: Self = Self {
        guard: std::ptr::null_mut(),
        data: std::ptr::null(),
        length: 0,
        seq: 0,
        missed: 0,
        stamp: 0,
        tag: 0,
    };
}

// SAFETY: they are an address and numbers. The library lets any thread use and drop a guard.
unsafe impl Send for Value {}
// SAFETY: as above.
unsafe impl Sync for Value {}

/// What a get ended with.
pub(crate) enum Got {
    /// There is nothing.
    Nothing,
    /// A value, which was copied, or is held.
    Value(Value),
    /// The status of a failure.
    Failed(c_int),
}

impl Got {
    fn of(status: c_int, value: Value) -> Self {
        match status {
            OK => Self::Value(value),
            status if NOTHING.contains(&status) => Self::Nothing,
            status => Self::Failed(status),
        }
    }
}

macro_rules! functions {
    ($($name:ident: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        struct Library {
            $($name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        /// The functions that [`bind`] needs the addresses of, without `ios_`.
        const FUNCTIONS: &[&str] = &[$(stringify!($name)),*];

        impl Library {
            /// # Safety
            /// Each address is that of the function of this name, in a library that stays loaded.
            unsafe fn at(address: impl Fn(&str) -> PyResult<usize>) -> PyResult<Self> {
                $(
                    let $name = {
                        type Function = unsafe extern "C" fn($($argument),*) $(-> $result)?;
                        let found = address(stringify!($name))?;
                        let found = std::ptr::with_exposed_provenance::<()>(found);
                        // SAFETY: it is the address of a function of this type (the contract).
                        unsafe { std::mem::transmute::<*const (), Function>(found) }
                    };
                )*
                Ok(Self { $($name),* })
            }
        }
    };
}
functions! {
    producer_put_like: fn(*const PutArguments, *const c_void) -> c_int;
    consumer_get: fn(*mut c_void, i64, *mut Value) -> c_int;
    consumer_get_like: fn(*const GetArguments) -> c_int;
    guard_drop: fn(*mut c_void);
    producer_loan_window: fn(
        *mut c_void, usize, *mut *mut c_void, *mut *mut c_void, *mut *mut c_void
    ) -> c_int;
    loan_tag: fn(*mut c_void, u64) -> c_int;
    loan_put: fn(*mut c_void, usize, *mut u64) -> c_int;
    loan_drop: fn(*mut c_void);
    window_sever: fn(*const c_void) -> c_int;
    window_drop: fn(*mut c_void);
}

static LIBRARY: OnceLock<Library> = OnceLock::new();

/// The names of the functions that [`bind`] needs, without `ios_`.
#[pyfunction]
pub(crate) fn functions() -> Vec<&'static str> {
    FUNCTIONS.to_vec()
}

/// The version of the C library's ABI that this module was written for.
const ABI: u32 = 2;

/// Takes the address of each function of the loaded C library, by its name, and the version of its
/// ABI. Only `_backend.py` calls it.
#[pyfunction]
pub(crate) fn bind(addresses: &Bound<'_, PyDict>, abi: u32) -> PyResult<()> {
    if abi != ABI {
        let text = format!("it needs a library of ABI {ABI}, and this one has ABI {abi}");
        return Err(PyImportError::new_err(text));
    }
    let address = |name: &str| match addresses.get_item(name)? {
        Some(address) => address.extract::<usize>(),
        None => Err(PyKeyError::new_err(name.to_owned())),
    };
    // SAFETY: the package passes what ctypes found under these names in the library of its ABI,
    // which ctypes never unloads.
    let library = unsafe { Library::at(address) }?;
    LIBRARY.set(library).map_err(|_| PyRuntimeError::new_err("it is bound to a library already"))
}

/// The library. Every class here is made after [`bind`].
fn library() -> &'static Library {
    LIBRARY.get().unwrap_or_else(|| unreachable!("handles are opened after `bind`"))
}

/// A handle that the package opened, and the Python object that closes it at its end.
pub(crate) struct Handle {
    pointer: *mut c_void,
    owner: Py<PyAny>,
}

// SAFETY: the library refuses a second thread that enters a handle, and the owner is a reference
// that is counted under the interpreter's lock.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    /// `address` is that of an open handle of the C library, which stays open while `owner` lives.
    pub(crate) fn new(owner: Py<PyAny>, address: usize) -> PyResult<Self> {
        if LIBRARY.get().is_none() {
            return Err(PyRuntimeError::new_err("it is not bound to a library"));
        }
        Ok(Self { pointer: std::ptr::with_exposed_provenance_mut(address), owner })
    }

    /// Another reference to the same handle: nobody closes it while that lives.
    pub(crate) fn again(&self, py: Python<'_>) -> Self {
        Self { pointer: self.pointer, owner: self.owner.clone_ref(py) }
    }

    /// Puts the message of `header`, followed by the `length` bytes at `data`, with this tag, and
    /// writes its number to `seq`. Returns the status.
    ///
    /// # Safety
    /// It is a producer. `data` points to `length` bytes, which stay there during the call; `seq`
    /// is an address for a number.
    pub(crate) unsafe fn put(
        &self,
        header: &[u8],
        (data, length): (usize, usize),
        seq: usize,
        tag: u64,
    ) -> c_int {
        let arguments = PutArguments {
            producer: self.pointer,
            header: header.as_ptr().cast(),
            header_length: header.len(),
            length,
            seq: std::ptr::with_exposed_provenance_mut(seq),
            tag,
            number: 0,
            stamp: u64::MAX,
        };
        let data = std::ptr::with_exposed_provenance(data);
        // SAFETY: the producer is open, since its owner lives; header, data and number are where
        // the struct says (the contract).
        unsafe { (library().producer_put_like)(&raw const arguments, data) }
    }

    /// Lends `length` bytes of a buffer in shared memory; the status of a failure.
    pub(crate) fn lend(&self, length: usize) -> Result<Loaned, c_int> {
        let (mut loan, mut window, mut data) = (null_mut(), null_mut(), null_mut());
        // SAFETY: the producer is open, since its owner lives; the three take a pointer each.
        let status = unsafe {
            (library().producer_loan_window)(
                self.pointer,
                length,
                &raw mut loan,
                &raw mut window,
                &raw mut data,
            )
        };
        match status {
            OK => Ok(Loaned { loan: AtomicPtr::new(loan), window, data, length }),
            status => Err(status),
        }
    }

    /// Waits for a value, and holds it.
    pub(crate) fn get(&self, timeout_ns: i64) -> Got {
        let mut value = Value::NONE;
        // SAFETY: the consumer is open, since its owner lives; a value may be written to `value`.
        let status = unsafe { (library().consumer_get)(self.pointer, timeout_ns, &raw mut value) };
        Got::of(status, value)
    }

    /// Waits for a value. If it is `header` and `length` bytes, these are copied to `data`, and the
    /// value has no guard.
    ///
    /// # Safety
    /// `data` points to `length` bytes that nobody else looks at during the call.
    pub(crate) unsafe fn get_like(
        &self,
        timeout_ns: i64,
        header: &[u8],
        (data, length): (usize, usize),
    ) -> Got {
        let mut value = Value::NONE;
        let arguments = GetArguments {
            consumer: self.pointer,
            timeout_ns,
            header: header.as_ptr().cast(),
            header_length: header.len(),
            data: std::ptr::with_exposed_provenance_mut(data),
            length,
            value: &raw mut value,
        };
        // SAFETY: the consumer is open, since its owner lives; header and data are where the struct
        // says (the contract), and a value may be written to `value`.
        let status = unsafe { (library().consumer_get_like)(&raw const arguments) };
        Got::of(status, value)
    }
}

/// A producer's buffer on loan, mapped by a window, which keeps the bytes mapped after the loan.
pub(crate) struct Loaned {
    /// NULL when the loan is over.
    loan: AtomicPtr<c_void>,
    window: *mut c_void,
    data: *mut c_void,
    pub(crate) length: usize,
}

// SAFETY: the library lets any thread end a loan and drop a window; the loan is taken out once.
unsafe impl Send for Loaned {}
// SAFETY: as above.
unsafe impl Sync for Loaned {}

impl Loaned {
    pub(crate) fn data(&self) -> *mut c_void {
        self.data
    }

    /// Writes the first bytes.
    pub(crate) fn fill(&self, header: &[u8]) {
        let length = header.len().min(self.length);
        // SAFETY: the window has at least as many bytes, which nobody else sees before the put.
        unsafe { self.data.cast::<u8>().copy_from_nonoverlapping(header.as_ptr(), length) };
    }

    fn take(&self) -> Option<*mut c_void> {
        let loan = self.loan.swap(std::ptr::null_mut(), Ordering::Relaxed);
        (!loan.is_null()).then_some(loan)
    }

    /// Publishes it under a tag, and writes its number to `seq`, an address for one. Returns the
    /// status.
    pub(crate) fn put(&self, tag: u64, seq: usize) -> c_int {
        let Some(loan) = self.take() else { return OK };
        let seq = std::ptr::with_exposed_provenance_mut(seq);
        // SAFETY: the loan was neither put nor dropped, since it was just taken.
        let tagged = if tag == 0 { OK } else { unsafe { (library().loan_tag)(loan, tag) } };
        if tagged != OK {
            // SAFETY: as above.
            unsafe { (library().loan_drop)(loan) };
            return tagged;
        }
        // SAFETY: as above; nobody writes to the bytes, as the caller has looked; a number may be
        // written to `seq`.
        unsafe { (library().loan_put)(loan, self.length, seq) }
    }

    /// Makes the bytes this process's own, and gives the buffer back. Returns the status.
    pub(crate) fn cancel(&self) -> c_int {
        let Some(loan) = self.take() else { return OK };
        // SAFETY: the window was not dropped.
        let severed = unsafe { (library().window_sever)(self.window) };
        // SAFETY: the loan was neither put nor dropped, since it was just taken; who writes to the
        // bytes from now on writes to memory of this process.
        unsafe { (library().loan_drop)(loan) };
        severed
    }
}

impl Drop for Loaned {
    fn drop(&mut self) {
        if let Some(loan) = self.take() {
            // SAFETY: the loan was just taken, and nobody has its bytes any more.
            unsafe { (library().loan_drop)(loan) };
        }
        // SAFETY: it is dropped once, and nobody has its bytes any more.
        unsafe { (library().window_drop)(self.window) };
    }
}

/// Lets go of a value that is held.
///
/// # Safety
/// `guard` came with a [`Value`], and is dropped for the first time; nobody reads its bytes any
/// more.
pub(crate) unsafe fn drop_guard(guard: *mut c_void) {
    // SAFETY: it is the same contract.
    unsafe { (library().guard_drop)(guard) };
}
