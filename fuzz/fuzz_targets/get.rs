//! A whole region whose shared words are written arbitrarily while it is used.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| torture::hostile::input::get(bytes));
