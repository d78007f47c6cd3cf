//! Deflate streams, inflated up to the limit.
//!
//! In scope: one stream, bare or in zlib's wrapping, and where it ends. Out of scope: what surrounds it (`gzip`).

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};

use super::MAX_INFLATED_BYTES;
use crate::beacon::BeaconError;

/// The most that a stream gets before it has held anything.
const FIRST_ROOM_BYTES: usize = 8 * 1024;

/// What a deflate stream is wrapped in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Nothing (RFC 1951).
    Bare,
    /// Header and checksum of zlib (RFC 1950).
    Zlib,
}

/// Appends what a stream holds to `inflated`, which does not grow beyond the limit. Returns the bytes behind the stream.
pub(super) fn inflate<'a>(bytes: &'a [u8], format: Format, inflated: &mut Vec<u8>) -> Result<&'a [u8], BeaconError> {
    let flags = inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF
        | match format {
            Format::Bare => 0,
            Format::Zlib => inflate_flags::TINFL_FLAG_PARSE_ZLIB_HEADER | inflate_flags::TINFL_FLAG_COMPUTE_ADLER32,
        };
    // A stream refers to its own bytes only, not to those of a member before it.
    let start = inflated.len();
    let mut stream = Box::<DecompressorOxide>::default();
    let (mut rest, mut written) = (bytes, 0);
    // JSON deflates to about a quarter; growing by doubling from there costs little. Behind it may be thousands of other streams.
    let mut room = bytes.len().saturating_mul(4).min(FIRST_ROOM_BYTES);
    loop {
        // One byte more than the limit tells "exactly at the limit" from "over it" without inflating the rest.
        inflated.resize(start.saturating_add(room).min(MAX_INFLATED_BYTES + 1), 0);
        let output = inflated.get_mut(start..).unwrap_or_default();
        let (status, read, more) = decompress(&mut stream, rest, output, written, flags);
        rest = rest.get(read..).unwrap_or_default();
        written += more;
        match status {
            TINFLStatus::Done if start + written <= MAX_INFLATED_BYTES => {
                inflated.truncate(start + written);
                return Ok(rest);
            }
            TINFLStatus::HasMoreOutput if inflated.len() <= MAX_INFLATED_BYTES => room = room.saturating_mul(2),
            TINFLStatus::Done | TINFLStatus::HasMoreOutput => {
                return Err(BeaconError::BodyTooLarge { limit_bytes: MAX_INFLATED_BYTES });
            }
            _ => return Err(BeaconError::CorruptEncoding),
        }
    }
}
