//! Calls of Durable Objects. In scope: one request to an object, and its whole answer.
//!
//! The `worker` crate's own types would do, but make a `Request` and a stream for each call: under load a sixth of what a beacon costs.

use js_sys::futures::JsFuture;
use js_sys::{Promise, Uint8Array};
use serde::de::DeserializeOwned;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::RequestInit;
use worker::{Error, Method, Result, Stub};

#[wasm_bindgen]
extern "C" {
    /// A stub as JavaScript has it.
    type Object;

    #[wasm_bindgen(method, catch)]
    fn fetch(this: &Object, url: &str, init: &RequestInit) -> std::result::Result<Promise, JsValue>;
}

/// What an object has answered.
pub(crate) struct Answer(web_sys::Response);

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.0.status()
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.0.headers().get(name).ok().flatten()
    }

    /// The answer if it is 200; else an error with what it says.
    pub(crate) async fn expect_ok(self) -> Result<Self> {
        match self.status() {
            200 => Ok(self),
            _ => Err(Error::RustError(self.text().await?)),
        }
    }

    /// Reads what nobody needs: a body that is left unread keeps its connection.
    pub(crate) async fn discard(self) {
        let _ = self.bytes().await;
    }

    async fn bytes(&self) -> Result<Vec<u8>> {
        let body = JsFuture::from(self.0.array_buffer()?).await?;
        Ok(Uint8Array::new(&body).to_vec())
    }

    /// The body as text; what is no UTF-8 is replaced.
    pub(crate) async fn text(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.bytes().await?).into_owned())
    }

    /// The body as what its JSON says.
    pub(crate) async fn json<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_json::from_str(&self.text().await?)?)
    }
}

/// Calls an object; an error if it was not reached.
pub(crate) async fn call(stub: Stub, method: &Method, url: &str, body: Option<&[u8]>) -> Result<Answer> {
    let init = RequestInit::new();
    init.set_method(method.as_ref());
    if let Some(body) = body {
        init.set_body(&Uint8Array::from(body));
    }
    let response = JsFuture::from(stub.into_rpc::<Object>().fetch(url, &init)?).await?;
    Ok(Answer(response.dyn_into()?))
}
