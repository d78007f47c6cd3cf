//! Calls of Durable Objects. In scope: one request to an object, and its whole answer.
//!
//! The `worker` crate's own types would do, but make a `Request` and a stream for each call: under load a sixth of what a beacon costs.

use js_sys::futures::JsFuture;
use js_sys::{Promise, Uint8Array};
use serde::de::DeserializeOwned;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::RequestInit;
use worker::{Method, Result, Stub};

#[wasm_bindgen]
extern "C" {
    /// A stub as JavaScript has it.
    type Object;

    #[wasm_bindgen(method, catch)]
    fn fetch(this: &Object, url: &str, init: &RequestInit) -> std::result::Result<Promise, JsValue>;
}

/// What an object has answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as text; what is no UTF-8 is replaced.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as what its JSON says.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_json::from_slice(&self.body)?)
    }
}

/// Calls an object; an error if it was not reached, or if its answer was cut off.
pub(crate) async fn call(stub: Stub, method: &Method, url: &str, body: Option<&[u8]>) -> Result<Answer> {
    let init = RequestInit::new();
    init.set_method(method.as_ref());
    if let Some(body) = body {
        init.set_body(&Uint8Array::from(body));
    }
    let response = JsFuture::from(stub.into_rpc::<Object>().fetch(url, &init)?).await?;
    let response: web_sys::Response = response.dyn_into()?;
    let body = JsFuture::from(response.array_buffer()?).await?;
    Ok(Answer { status: response.status(), body: Uint8Array::new(&body).to_vec() })
}
