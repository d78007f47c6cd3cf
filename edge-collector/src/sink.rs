//! Sends an INSERT. In scope: the request, its deadline, reading the answer to its end. Out of scope: what the answer means.

use collector_core::delivery::Meaning;
use collector_core::insert::Insert;
use worker::{Error, Result};

use crate::remote::Call;

/// How long one attempt may take; after that its outcome is unknown.
const MAX_ATTEMPT_MS: u32 = 30_000;
/// How long a region may take to say that it is there.
const MAX_PING_MS: u32 = 3_000;
/// The longest answer: an exception has a few KB.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;
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

impl Answer {
    /// None, because the request was not made; later it may be.
    pub(crate) fn not_sent(error: &Error) -> Self {
        Self { meaning: Meaning::without_answer(false), code: None, message: shorten(&error.to_string()) }
    }
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
    let url = format!("{}/ping", url.trim_end_matches('/'));
    let call =
        Call { method: "GET", url: &url, headers: &[], body: None, max_ms: MAX_PING_MS, max_bytes: MAX_ANSWER_BYTES };
    // Whatever ClickHouse says, the batch will hear the truth; a gateway in front of it that says 502 has not found it.
    Ok(call.send().await?.status() < 500)
}

async fn attempt(insert: Insert) -> Result<Answer> {
    let headers: Vec<(&str, &str)> = insert.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let call = Call {
        method: "POST",
        url: &insert.url,
        headers: &headers,
        body: Some(&insert.body),
        max_ms: MAX_ATTEMPT_MS,
        max_bytes: MAX_ANSWER_BYTES,
    };
    // Following a redirect would make an empty login page a success: a call does not.
    let answer = call.send().await?;
    let body = answer.body.as_deref().ok_or_else(|| Error::RustError("an answer that is too long".into()))?;
    let code = answer.header("X-ClickHouse-Exception-Code").and_then(|text| text.parse().ok());
    let is_from_clickhouse =
        ["X-ClickHouse-Summary", "X-ClickHouse-Query-Id"].iter().any(|name| answer.header(name).is_some());
    let meaning = Meaning::read(answer.status(), code, is_from_clickhouse, body);
    Ok(Answer { meaning, code, message: shorten(&String::from_utf8_lossy(body)) })
}

fn shorten(text: &str) -> String {
    let mut end = text.len().min(MAX_MESSAGE_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}
