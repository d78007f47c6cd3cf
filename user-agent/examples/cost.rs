//! What an answer costs in Wasm: the module that `cost.mjs` measures. `cost_uaparser` has the same exports.
#![expect(unsafe_code, reason = "exports of a Wasm module need an unsafe attribute")]

use std::cell::RefCell;

use user_agent::{ClientHints, Parser};

/// Room for one user agent.
const INPUT_BYTES: usize = 1 << 12;

struct State {
    input: Vec<u8>,
    parser: Option<Parser>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::new(State { input: vec![0; INPUT_BYTES], parser: None });
}

/// Where the host writes what the other functions read.
#[unsafe(no_mangle)]
pub extern "C" fn input() -> *mut u8 {
    STATE.with_borrow_mut(|state| state.input.as_mut_ptr())
}

/// Makes the parser; there is no input.
#[unsafe(no_mangle)]
pub extern "C" fn start(_length: usize) {
    STATE.with_borrow_mut(|state| state.parser = Some(Parser::new()));
}

/// Parses the user agent in the input.
#[unsafe(no_mangle)]
pub extern "C" fn parse(length: usize) -> usize {
    read(length, |parser, text| parser.parse(text, &ClientHints::default()).browser.len())
}

/// Judges the user agent in the input.
#[unsafe(no_mangle)]
pub extern "C" fn crawler(length: usize) -> usize {
    read(length, |parser, text| usize::from(parser.crawler(text).is_some()))
}

fn read(length: usize, answer: impl FnOnce(&mut Parser, &str) -> usize) -> usize {
    STATE.with_borrow_mut(|State { input, parser }| {
        let text = input.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok());
        parser.as_mut().zip(text).map_or(0, |(parser, text)| answer(parser, text))
    })
}
