//! What the same answer costs with `uaparser`: the module that `cost.mjs` measures beside `cost`.
#![expect(unsafe_code, reason = "exports of a Wasm module need an unsafe attribute")]

use std::cell::RefCell;

use uaparser::{Parser as _, UserAgentParser};

/// Room for a whole `regexes.yaml`.
const INPUT_BYTES: usize = 1 << 20;

struct State {
    input: Vec<u8>,
    parser: Option<UserAgentParser>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::new(State { input: vec![0; INPUT_BYTES], parser: None });
}

/// Where the host writes what the other functions read.
#[unsafe(no_mangle)]
pub extern "C" fn input() -> *mut u8 {
    STATE.with_borrow_mut(|state| state.input.as_mut_ptr())
}

/// Makes the parser from the `regexes.yaml` in the input.
#[unsafe(no_mangle)]
pub extern "C" fn start(length: usize) {
    STATE.with_borrow_mut(|state| {
        let builder = UserAgentParser::builder().with_unicode_support(false);
        state.parser = state.input.get(..length).and_then(|yaml| builder.build_from_bytes(yaml).ok());
    });
}

/// Parses the user agent in the input.
#[unsafe(no_mangle)]
pub extern "C" fn parse(length: usize) -> usize {
    STATE.with_borrow_mut(|State { input, parser }| {
        let text = input.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok());
        parser.as_ref().zip(text).map_or(0, |(parser, text)| parser.parse(text).user_agent.family.len())
    })
}
