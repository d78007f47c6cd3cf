//! Requests to servers elsewhere. In scope: one request and its whole answer within a time and a length (`runtime.js`). Out of scope: what it means.

use js_sys::futures::JsFuture;
use js_sys::{Array, Promise, Uint8Array};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::{Headers, Response};
use worker::Result;

#[wasm_bindgen(module = "/src/runtime.js")]
extern "C" {
    fn send(
        method: &str,
        url: &str,
        headers: &Headers,
        body: Option<Uint8Array>,
        max_ms: u32,
        max_bytes: usize,
    ) -> Promise;
}

/// A request. A redirect is its answer: another address is somebody else's.
pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    pub(crate) url: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: Option<&'a [u8]>,
    /// How long it may take until the answer is read.
    pub(crate) max_ms: u32,
    /// The longest body of an answer.
    pub(crate) max_bytes: usize,
}

/// What a server has answered.
pub(crate) struct Answer {
    response: Response,
    /// Absent if it was too long.
    pub(crate) body: Option<Vec<u8>>,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.response.status()
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.response.headers().get(name).ok().flatten()
    }
}

impl Call<'_> {
    /// Sends it; an error does not say how far it got.
    pub(crate) async fn send(&self) -> Result<Answer> {
        let headers = Headers::new()?;
        for (name, value) in self.headers {
            headers.set(name, value)?;
        }
        let body = self.body.map(Uint8Array::from);
        let answer = JsFuture::from(send(self.method, self.url, &headers, body, self.max_ms, self.max_bytes)).await?;
        let [response, body] = [0, 1].map(|at| answer.unchecked_ref::<Array>().get(at));
        let body = body.dyn_ref().map(Uint8Array::to_vec);
        Ok(Answer { response: response.dyn_into()?, body })
    }
}
