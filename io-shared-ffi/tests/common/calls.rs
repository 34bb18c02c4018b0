//! The calls of the C ABI that the tests of channels make, as C makes them.

use std::ffi::{CStr, CString, c_char};
use std::ptr::{null, null_mut};

use io_shared_ffi::ios_status::*;
use io_shared_ffi::*;

pub(crate) fn last_error() -> String {
    unsafe { CStr::from_ptr(ios_last_error()) }.to_str().unwrap().to_owned()
}

/// Copies a text that the library returned, and frees it.
pub(crate) fn taken(text: *mut c_char) -> String {
    let copy = unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned();
    unsafe { ios_text_free(text) };
    copy
}

/// Options, and the texts that they point to.
pub(crate) struct Options {
    pub(crate) raw: ios_options,
    _texts: Vec<CString>,
}

pub(crate) fn options(name: &str, schema: Option<&str>) -> Options {
    let mut raw = unsafe { std::mem::zeroed::<ios_options>() };
    unsafe { ios_options_init(&raw mut raw, size_of::<ios_options>()) };
    let mut texts = vec![CString::new(name).unwrap()];
    raw.name = texts[0].as_ptr();
    if let Some(schema) = schema {
        texts.push(CString::new(schema).unwrap());
        raw.schema = texts[1].as_ptr();
    }
    raw.open_timeout = 0;
    Options { raw, _texts: texts }
}

impl Options {
    pub(crate) fn with(mut self, set: impl FnOnce(&mut ios_options)) -> Self {
        set(&mut self.raw);
        self
    }

    #[track_caller]
    pub(crate) fn producer(&self) -> *mut ios_producer {
        let mut producer = null_mut();
        let status = unsafe { ios_producer_open(&raw const self.raw, &raw mut producer) };
        assert_eq!(status, IOS_OK, "{}", last_error());
        producer
    }

    #[track_caller]
    pub(crate) fn consumer(&self) -> *mut ios_consumer {
        let mut consumer = null_mut();
        let status = unsafe { ios_consumer_open(&raw const self.raw, &raw mut consumer) };
        assert_eq!(status, IOS_OK, "{}", last_error());
        consumer
    }

    #[allow(dead_code, reason = "not every test observes")]
    #[track_caller]
    pub(crate) fn observer(&self) -> *mut ios_observer {
        let mut observer = null_mut();
        let status = unsafe { ios_observer_open(&raw const self.raw, &raw mut observer) };
        assert_eq!(status, IOS_OK, "{}", last_error());
        observer
    }

    pub(crate) fn refused(&self) -> ios_status {
        let mut producer = null_mut();
        let status = unsafe { ios_producer_open(&raw const self.raw, &raw mut producer) };
        assert!(producer.is_null(), "what is given out is left alone by a failure");
        status
    }
}

pub(crate) fn nothing() -> ios_value {
    ios_value { guard: null_mut(), data: null(), length: 0, seq: 0, missed: 0, stamp: 0, tag: 0 }
}

pub(crate) fn put(producer: *mut ios_producer, bytes: &[u8]) -> ios_status {
    unsafe { ios_producer_put(producer, bytes.as_ptr().cast(), bytes.len(), null_mut()) }
}

pub(crate) fn get(consumer: *mut ios_consumer, timeout: i64) -> Result<ios_value, ios_status> {
    let mut value = nothing();
    match unsafe { ios_consumer_get(consumer, timeout, &raw mut value) } {
        IOS_OK => Ok(value),
        status => Err(status),
    }
}

pub(crate) fn bytes_of(value: &ios_value) -> &[u8] {
    unsafe { std::slice::from_raw_parts(value.data.cast(), value.length) }
}
