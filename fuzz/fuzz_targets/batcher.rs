//! `cargo +nightly fuzz run batcher --features libfuzzer`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::batcher(bytes));
