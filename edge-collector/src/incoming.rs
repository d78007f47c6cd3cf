//! A request as the runtime hands it over. In scope: reading it; what every request needs at once (`runtime.js`), the rest one by one.
//! Out of scope: what it means (`http`, `client`).

use std::str::Split;

use collector_core::url::Url;
use js_sys::futures::JsFuture;
use js_sys::{Array, Promise, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::ReadableStream;
use worker::Result;

use crate::query;

#[wasm_bindgen(module = "/src/runtime.js")]
extern "C" {
    fn describe(request: &web_sys::Request, headers: &Array, properties: &Array) -> String;
    fn read(stream: Option<ReadableStream>, max_bytes: usize) -> Promise;
}

/// A struct of what lines say, in the order of their names.
macro_rules! lines {
    ($(#[$doc:meta])* $type:ident of $names:ident: $($field:ident = $name:literal,)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default)]
        pub(crate) struct $type<'r> { $(pub(crate) $field: Option<&'r str>,)* }

        impl<'r> $type<'r> {
            fn read(lines: &mut Split<'r, char>) -> Self {
                Self { $($field: present(lines.next()),)* }
            }
        }

        thread_local! {
            static $names: Array = [$($name),*].into_iter().map(JsValue::from_str).collect();
        }
    };
}

lines! {
    /// Headers. One that is empty counts as absent.
    Headers of HEADERS:
    accept_language = "Accept-Language",
    authorization = "Authorization",
    ip = "CF-Connecting-IP",
    content_encoding = "Content-Encoding",
    content_length = "Content-Length",
    cookie = "Cookie",
    dnt = "DNT",
    origin = "Origin",
    sec_purpose = "Sec-Purpose",
    purpose = "Purpose",
    x_purpose = "X-Purpose",
    x_moz = "X-Moz",
    ch_brands = "Sec-CH-UA",
    ch_full_version_list = "Sec-CH-UA-Full-Version-List",
    ch_mobile = "Sec-CH-UA-Mobile",
    ch_model = "Sec-CH-UA-Model",
    ch_platform = "Sec-CH-UA-Platform",
    ch_platform_version = "Sec-CH-UA-Platform-Version",
    sec_fetch_dest = "Sec-Fetch-Dest",
    sec_fetch_mode = "Sec-Fetch-Mode",
    sec_fetch_site = "Sec-Fetch-Site",
    sec_gpc = "Sec-GPC",
    signature_agent = "Signature-Agent",
    user_agent = "User-Agent",
}

lines! {
    /// Properties of `request.cf`, as text. Outside Cloudflare there are none.
    Properties of PROPERTIES:
    asn = "asn",
    city = "city",
    colo = "colo",
    continent = "continent",
    country = "country",
    region = "region",
    timezone = "timezone",
}

/// What of Cloudflare's properties is no plain text.
#[derive(Clone, Copy, Default)]
pub(crate) struct Numbers {
    /// Degrees north and east.
    pub(crate) latitude: Option<f64>,
    pub(crate) longitude: Option<f64>,
    pub(crate) bot_score: Option<u8>,
    pub(crate) is_verified_bot: bool,
}

/// A request that came in.
#[derive(Clone, Copy)]
pub(crate) struct Incoming<'r> {
    raw: &'r web_sys::Request,
    pub(crate) method: &'r str,
    pub(crate) url: &'r str,
    pub(crate) headers: Headers<'r>,
    pub(crate) properties: Properties<'r>,
    pub(crate) numbers: Numbers,
}

/// What `Incoming::of` reads, as text.
pub(crate) fn text(raw: &web_sys::Request) -> String {
    HEADERS.with(|headers| PROPERTIES.with(|properties| describe(raw, headers, properties)))
}

impl<'r> Incoming<'r> {
    /// The request and the text that describes it.
    pub(crate) fn of(raw: &'r web_sys::Request, text: &'r str) -> Self {
        let mut lines = text.split('\n');
        Self {
            raw,
            method: lines.next().unwrap_or_default(),
            url: lines.next().unwrap_or_default(),
            headers: Headers::read(&mut lines),
            properties: Properties::read(&mut lines),
            numbers: Numbers::read(&mut lines),
        }
    }

    pub(crate) fn path(&self) -> &'r str {
        Url::parse(self.url).map_or("/", |url| url.path)
    }

    /// The query as written, without its `?`.
    pub(crate) fn query(&self) -> &'r str {
        query::of(self.url)
    }

    /// A header that few requests are asked for.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.raw.headers().get(name).ok().flatten()
    }

    /// The whole body.
    pub(crate) async fn bytes(&self) -> Result<Vec<u8>> {
        let body = JsFuture::from(self.raw.array_buffer()?).await?;
        Ok(Uint8Array::new(&body).to_vec())
    }

    /// The whole body, if it is not longer; of a body that declares its length, `bytes` costs less.
    pub(crate) async fn bytes_up_to(&self, max_bytes: usize) -> Result<Option<Vec<u8>>> {
        let body = JsFuture::from(read(self.raw.body(), max_bytes)).await?;
        Ok(body.dyn_ref().map(Uint8Array::to_vec))
    }
}

impl Numbers {
    fn read(lines: &mut Split<'_, char>) -> Self {
        // The runtime makes whole numbers of degrees: the tables that Rust has for fractions are 12 KB of the gzipped Worker.
        let mut degrees =
            || present(lines.next()).and_then(|text| text.parse::<i32>().ok()).map(|n| f64::from(n) / 1e6);
        Self {
            latitude: degrees(),
            longitude: degrees(),
            bot_score: present(lines.next()).and_then(|text| text.parse().ok()),
            is_verified_bot: lines.next() == Some("true"),
        }
    }
}

fn present(line: Option<&str>) -> Option<&str> {
    line.filter(|text| !text.is_empty())
}
