//! `cargo +nightly fuzz run user_agent --features libfuzzer`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::user_agent(bytes));
