//! The body of a `200`: whole if it is small, streamed if it is not.
//!
//! In scope: sizes, back-pressure, slow readers.
//! Out of scope: which lines ([`crate::lines`]) and status codes ([`crate::route`]).
//!
//! A response is either complete or visibly broken: small bodies carry `Content-Length`, streamed ones are chunked and end
//! without the terminating chunk when anything goes wrong, which ClickHouse detects. A streamed response holds at most
//! [`QUEUED_PIECES`] pieces. It is cut off, and its snapshot released, when its reader takes nothing for [`STALL_LIMIT`], takes longer
//! than [`STREAM_LIMIT`] in all, or still reads a snapshot whose lease has expired ([`crate::feed`]).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Response, StatusCode, header};
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;

use crate::coding::{Coding, Encoder};
use crate::entries::Entries;
use crate::feed::Lease;
use crate::lines::Lines;
use crate::metric::Metrics;

/// Lines are collected up to this size before they are encoded.
pub const LINES_BYTES: usize = 256 * 1024;
/// Encoded bytes are sent from this size on: smaller pieces cost a wake-up each. A body that stays below is sent whole.
pub const PIECE_BYTES: usize = 64 * 1024;
/// Pieces that wait for a slow reader.
pub const QUEUED_PIECES: usize = 2;
/// Streamed responses at one time. Each holds up to 3 pieces and an encoder, about 1 MiB: 64 MiB in all.
pub const MAX_STREAMS: usize = 64;
/// A reader that takes nothing for this long is cut off. ClickHouse itself gives up after 30 s without a byte.
pub const STALL_LIMIT: Duration = Duration::from_secs(30);
/// A reader that is not done after this time is cut off, however steadily it trickles: 10 million users fit through 15 Mbit/s.
pub const STREAM_LIMIT: Duration = Duration::from_mins(15);

/// Why there is no body.
#[derive(Debug, thiserror::Error)]
pub enum ReplyError {
    /// [`MAX_STREAMS`] responses are running.
    #[error("expected at most {MAX_STREAMS} streamed responses at one time")]
    Busy,
    /// The encoder failed.
    #[error("encoding failed")]
    Encode(#[from] io::Error),
}

enum Piece {
    Bytes(Bytes),
    /// Everything was sent. A stream that ends without it was cut off.
    End,
}

/// Why a streamed response ended early. The tags are labels of `responses_cut_off_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// The reader went away.
    Gone,
    /// [`STALL_LIMIT`] or [`STREAM_LIMIT`].
    Slow,
    /// The lease expired.
    Superseded,
    /// The encoder failed.
    Failed,
}

impl Cut {
    fn tag(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Slow => "slow",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
        }
    }
}

/// Answers `200` with `lines`, which are of the snapshot that `lease` is for.
pub fn send<E: Entries>(
    lines: Lines<E>,
    lease: Lease,
    coding: Coding,
    streams: &Arc<Semaphore>,
    metrics: &Metrics,
) -> Result<Response<Body>, ReplyError> {
    let mut producer = Producer::new(lines, coding)?;
    let first = producer.advance()?;
    let body = if producer.is_done() {
        metrics.sent(first.len());
        Body::from(first)
    } else {
        let permit = Arc::clone(streams).try_acquire_owned().map_err(|_| ReplyError::Busy)?;
        stream_body(first, producer, lease, permit, metrics.clone())
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/x-ndjson"));
    if let Some(value) = coding.header() {
        headers.insert(header::CONTENT_ENCODING, value);
    }
    Ok(response)
}

/// Produces the encoded body piece by piece.
struct Producer<E> {
    lines: Lines<E>,
    /// `None` once the body is complete.
    encoder: Option<Encoder>,
}

impl<E: Entries> Producer<E> {
    fn new(lines: Lines<E>, coding: Coding) -> io::Result<Self> {
        Ok(Self { lines, encoder: Some(Encoder::new(coding)?) })
    }

    fn is_done(&self) -> bool {
        self.encoder.is_none()
    }

    /// The next piece: at least [`PIECE_BYTES`], or the rest. Empty after the end.
    fn advance(&mut self) -> io::Result<Bytes> {
        let Some(mut encoder) = self.encoder.take() else {
            return Ok(Bytes::new());
        };
        loop {
            let mut text = Vec::with_capacity(LINES_BYTES + LINES_BYTES / 16);
            let has_more = self.lines.fill(&mut text, LINES_BYTES);
            encoder.write(text)?;
            if !has_more {
                return encoder.finish().map(Bytes::from);
            }
            if encoder.ready_bytes() >= PIECE_BYTES {
                let piece = encoder.take();
                self.encoder = Some(encoder);
                return Ok(piece.into());
            }
        }
    }
}

fn stream_body<E: Entries>(
    first: Bytes,
    producer: Producer<E>,
    lease: Lease,
    permit: OwnedSemaphorePermit,
    metrics: Metrics,
) -> Body {
    let (sender, receiver) = mpsc::channel(QUEUED_PIECES);
    // A task of its own, because nothing polls the body of a reader that stopped reading.
    tokio::spawn(async move {
        let ended = tokio::select! {
            ended = timeout(STREAM_LIMIT, pump(first, producer, &sender, &metrics)) => ended.unwrap_or(Err(Cut::Slow)),
            () = lease.expired() => Err(Cut::Superseded),
        };
        if let Err(cut) = ended {
            tracing::warn!(reason = cut.tag(), "response cut off");
            metrics.cut_off(cut.tag());
        }
        drop(permit);
    });
    Body::from_stream(stream::unfold(Some(receiver), |receiver| async {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Piece::Bytes(bytes)) => Some((Ok(bytes), Some(receiver))),
            Some(Piece::End) => None,
            None => Some((Err(io::Error::other("response was cut off")), None)),
        }
    }))
}

/// Sends everything.
async fn pump<E: Entries>(
    first: Bytes,
    mut producer: Producer<E>,
    sender: &mpsc::Sender<Piece>,
    metrics: &Metrics,
) -> Result<(), Cut> {
    let mut piece = first;
    loop {
        metrics.sent(piece.len());
        push(sender, Piece::Bytes(piece)).await?;
        if producer.is_done() {
            return push(sender, Piece::End).await;
        }
        piece = producer.advance().map_err(|_| Cut::Failed)?;
    }
}

async fn push(sender: &mpsc::Sender<Piece>, piece: Piece) -> Result<(), Cut> {
    timeout(STALL_LIMIT, sender.send(piece)).await.map_err(|_| Cut::Slow)?.map_err(|_| Cut::Gone)
}
