//! Answers. In scope: status, body and headers as the runtime's response, in one go (`runtime.js`). Out of scope: what is answered.

use js_sys::Uint8Array;
use serde::Serialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::Response;
use worker::Result;

#[wasm_bindgen(module = "/src/runtime.js")]
extern "C" {
    #[wasm_bindgen(js_name = respond, catch)]
    fn respond_with_lines(
        status: u16,
        body: Option<Uint8Array>,
        headers: &str,
    ) -> std::result::Result<Response, JsValue>;
}

/// An answer; one without a body is what 204 and 304 want.
pub(crate) fn respond(status: u16, body: Option<&[u8]>, headers: &[(&str, &str)]) -> Result<Response> {
    let mut lines = String::new();
    for (name, value) in headers {
        for text in [*name, "\n", *value, "\n"] {
            lines.push_str(text);
        }
    }
    // The runtime keeps what it is given: it must not be the Wasm's own memory.
    Ok(respond_with_lines(status, body.map(Uint8Array::from), &lines)?)
}

/// A plain text answer.
pub(crate) fn text(status: u16, text: &str) -> Result<Response> {
    respond(status, Some(text.as_bytes()), &[("Content-Type", "text/plain; charset=utf-8")])
}

/// A value as JSON.
pub(crate) fn json<T: Serialize + ?Sized>(status: u16, value: &T) -> Result<Response> {
    respond(status, Some(&serde_json::to_vec(value)?), &[("Content-Type", "application/json")])
}
