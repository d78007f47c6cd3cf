//! gzip as the runtime makes it: a library would be 25 KB of the Worker, and no faster. In scope: lines of a batch (`runtime.js`). Out of scope:
//! bodies of beacons (`collector_core::body`), which are inflated within a limit.

use js_sys::futures::JsFuture;
use js_sys::{Promise, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use worker::Result;

#[wasm_bindgen(module = "/src/runtime.js")]
extern "C" {
    #[wasm_bindgen(js_name = gzip, catch)]
    fn gzip_bytes(bytes: Uint8Array) -> std::result::Result<Promise, JsValue>;
}

/// Bytes as gzip.
pub(crate) async fn compress(bytes: Vec<u8>) -> Result<Vec<u8>> {
    // The runtime works on what it is given: it must not be the Wasm's own memory. That is free again before anybody else compresses.
    let copy = Uint8Array::from(bytes.as_slice());
    drop(bytes);
    let compressed = JsFuture::from(gzip_bytes(copy)?).await?;
    Ok(Uint8Array::new(&compressed).to_vec())
}
