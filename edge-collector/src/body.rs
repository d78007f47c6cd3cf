//! The body of a beacon's request. In scope: reading it up to its limit, whatever it declares. Out of scope: what is in it (`collector_core::beacon`).

use std::borrow::Cow;

use collector_core::beacon::BeaconError;
use collector_core::body::{self, MAX_BODY_BYTES};
use worker::Result;

use crate::incoming::Incoming;

/// The body, inflated, or why it is none: too large by what it declares, cut off as soon as it is, or not what its encoding says.
pub(crate) async fn read(request: &Incoming<'_>) -> Result<std::result::Result<Vec<u8>, BeaconError>> {
    let declared_bytes = request.headers.content_length.and_then(|text| text.parse::<usize>().ok());
    let bytes = match declared_bytes {
        Some(bytes) if bytes > MAX_BODY_BYTES => None,
        // HTTP holds a body to its declared length, and reading it at once costs less than a stream.
        Some(_) => Some(request.bytes().await?).filter(|bytes| bytes.len() <= MAX_BODY_BYTES),
        None => request.bytes_up_to(MAX_BODY_BYTES).await?,
    };
    Ok(bytes
        .ok_or(BeaconError::BodyTooLarge { limit_bytes: MAX_BODY_BYTES })
        .and_then(|bytes| body::decode(&bytes, request.headers.content_encoding).map(Cow::into_owned)))
}
