//! The native module of the Python package `io_shared`: what is called for each value.
//!
//! The package calls the C library through ctypes, which takes two microseconds a call. For CPython
//! 3.9 and later this module does instead what a program does for each value: puts and gets of
//! arrays, values that are borrowed, loans in place, and puts and gets of short messages whose
//! fields are plain numbers ([`typed`], [`message`], [`fields`]). All else (opening, options,
//! errors, other messages) stays in Python, and calls the same library by ctypes.
//!
//! There is one library in a process. This module contains none: Python passes it the addresses
//! of the functions of the one that ctypes has loaded ([`library`]). So handles, the hooks of forks
//! and the table of mappings are shared, and a library that lacks a function is an
//! `AttributeError` of Python before anything is called.
//!
//! What must stay true:
//! - A status that is not 0 goes back to Python as a number, which raises the error in its words.
//! - Nothing here keeps a handle open: each class has a `close`, and no class refers to a share.
//! - Unsafe code calls the C library, reads and makes NumPy's arrays, exports buffers, and copies
//!   the bytes of messages. Each block says why it may.

mod array;
mod consumer;
mod fields;
mod gets;
mod library;
mod loans;
mod memory;
mod message;
mod method;
mod protected;
mod puts;
mod share;
mod typed;

/// What `io_shared._native` consists of.
#[pyo3::pymodule]
mod _native {
    #[pymodule_export]
    use super::consumer::Consumer;
    #[pymodule_export]
    use super::fields::Fields;
    #[pymodule_export]
    use super::gets::Gets;
    #[pymodule_export]
    use super::library::{bind, functions};
    #[pymodule_export]
    use super::loans::{Lent, Loan};
    #[pymodule_export]
    use super::memory::{Held, Kept, held_now};
    #[pymodule_export]
    use super::message::{Message, read_by};
    #[pymodule_export]
    use super::puts::Puts;
    #[pymodule_export]
    use super::share::{Share, serve};
    #[pymodule_export]
    use super::typed::Typed;
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::consumer::add_try_get(module.py())?;
        super::typed::add_put(module.py())
    }
}
