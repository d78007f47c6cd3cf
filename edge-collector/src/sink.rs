//! Sends an INSERT. In scope: the request, its deadline, reading the answer to its end. Out of scope: what the answer means.

use collector_core::delivery::Meaning;
use collector_core::insert::Insert;
use js_sys::Uint8Array;
use worker::{AbortSignal, Fetch, Headers, Method, Request, RequestInit, RequestRedirect, Response, Result};

/// How long one attempt may take; after that its outcome is unknown.
const MAX_ATTEMPT_MS: u32 = 30_000;
/// How long a region may take to say that it is there.
const MAX_PING_MS: u32 = 3_000;
/// How much of ClickHouse's message is kept.
const MAX_MESSAGE_BYTES: usize = 500;

/// What an attempt brought.
pub(crate) struct Answer {
    pub(crate) meaning: Meaning,
    /// `X-ClickHouse-Exception-Code`
    pub(crate) code: Option<i32>,
    /// The start of the answer's body, or of the error.
    pub(crate) message: String,
}

/// Sends; every way to fail is an answer too.
pub(crate) async fn send(insert: Insert) -> Answer {
    match attempt(insert).await {
        Ok(answer) => answer,
        // The runtime does not say how far the request got, so it may have arrived.
        Err(error) => {
            Answer { meaning: Meaning::without_answer(true), code: None, message: shorten(&error.to_string()) }
        }
    }
}

/// Whether the region's ClickHouse answers at all. Asked before a batch is risked: a batch that goes nowhere is in no doubt.
pub(crate) async fn is_reachable(url: &str) -> bool {
    ping(url).await.unwrap_or(false)
}

async fn ping(url: &str) -> Result<bool> {
    let request = Request::new(&format!("{}/ping", url.trim_end_matches('/')), Method::Get)?;
    let signal = AbortSignal::from(web_sys::AbortSignal::timeout_with_u32(MAX_PING_MS));
    let mut response = Fetch::Request(request).send_with_signal(&signal).await?;
    // An unread body would hold the connection.
    response.bytes().await?;
    // Whatever ClickHouse says, the batch will hear the truth; a gateway in front of it that says 502 has not found it.
    Ok(response.status_code() < 500)
}

async fn attempt(insert: Insert) -> Result<Answer> {
    let headers = Headers::new();
    for (name, value) in &insert.headers {
        headers.set(name, value)?;
    }
    let mut init = RequestInit::new();
    let body = Uint8Array::from(insert.body.as_slice());
    // A redirect is somebody else's answer, and following it would make an empty login page a success.
    init.with_method(Method::Post)
        .with_headers(headers)
        .with_body(Some(body.into()))
        .with_redirect(RequestRedirect::Manual);
    let request = Request::new_with_init(&insert.url, &init)?;
    // The signal stays armed until the body is read.
    let signal = AbortSignal::from(web_sys::AbortSignal::timeout_with_u32(MAX_ATTEMPT_MS));
    let mut response: Response = Fetch::Request(request).send_with_signal(&signal).await?;
    let code = response.headers().get("X-ClickHouse-Exception-Code")?.and_then(|text| text.parse().ok());
    let is_from_clickhouse =
        response.headers().has("X-ClickHouse-Summary")? || response.headers().has("X-ClickHouse-Query-Id")?;
    let body = response.bytes().await?;
    let meaning = Meaning::read(response.status_code(), code, is_from_clickhouse, &body);
    Ok(Answer { meaning, code, message: shorten(&String::from_utf8_lossy(&body)) })
}

fn shorten(text: &str) -> String {
    let mut end = text.len().min(MAX_MESSAGE_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}
