//! Arbitrary bytes as a ROS 2 message definition, and a message of it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| torture::hostile::formats::definition(bytes));
