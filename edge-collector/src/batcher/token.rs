//! What is drawn at random. In scope: deduplication tokens, and the numbers that spread waits.

use uuid::Builder;
use worker::{Error, Result};

use crate::clock;

/// A deduplication token: unique, and in the order of time for whoever reads logs.
pub(super) fn mint_token() -> Result<String> {
    let bytes = random()?;
    Ok(Builder::from_unix_timestamp_millis(clock::now_ms().unsigned_abs(), &bytes).into_uuid().hyphenated().to_string())
}

/// A number of any size, for jitter.
pub(super) fn random_number() -> Result<u64> {
    Ok(u64::from_le_bytes(random()?))
}

fn random<const BYTES: usize>() -> Result<[u8; BYTES]> {
    let mut bytes = [0_u8; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| Error::RustError(format!("expected random bytes, found {error}")))?;
    Ok(bytes)
}
