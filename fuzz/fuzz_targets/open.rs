//! Arbitrary bytes as a region, opened as everything in every role.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| torture::hostile::input::open(bytes));
