//! `cargo +nightly fuzz run beacon --features libfuzzer`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::beacon(bytes));
