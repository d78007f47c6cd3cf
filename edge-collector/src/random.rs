//! The only place of the Worker that draws at random.

use worker::{Error, Result};

/// Bytes that nobody can guess.
pub(crate) fn bytes<const COUNT: usize>() -> Result<[u8; COUNT]> {
    let mut bytes = [0_u8; COUNT];
    getrandom::fill(&mut bytes).map_err(|error| Error::RustError(format!("expected random bytes, found {error}")))?;
    Ok(bytes)
}

/// A number of any size.
pub(crate) fn number() -> Result<u64> {
    Ok(u64::from_le_bytes(bytes()?))
}
