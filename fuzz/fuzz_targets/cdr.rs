//! Arbitrary bytes as the CDR of messages, as recordings have it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| torture::hostile::formats::cdr(bytes));
