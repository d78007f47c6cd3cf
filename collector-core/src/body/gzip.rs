//! gzip (RFC 1952), decoded.
//!
//! In scope: members with their headers and checksums. Out of scope: the streams in them (`inflate`).
//!
//! Read here and not by a library, because those that offer it bring 16 KB of tables for the checksum, which do not compress: too much
//! for a Worker that few gzip bodies reach.

use super::inflate::{Format, inflate};
use crate::beacon::BeaconError;

/// The only method that there is.
const DEFLATE: u8 = 8;
/// Bytes of a header without optional fields.
const HEADER_BYTES: usize = 10;
/// Flags: which optional fields the header has.
const HEADER_CRC: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
/// Flags without a meaning, which are 0.
const RESERVED: u8 = !0 << 5;
/// Bytes of a trailer: the checksum and the length of what the member holds.
const TRAILER_BYTES: usize = 8;

/// What all members hold together.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<u8>, BeaconError> {
    let (mut inflated, mut rest) = (Vec::new(), bytes);
    loop {
        let start = inflated.len();
        let stream = behind_header(rest).ok_or(BeaconError::CorruptEncoding)?;
        let behind = inflate(stream, Format::Bare, &mut inflated)?;
        let held = inflated.get(start..).unwrap_or_default();
        rest = behind_trailer(behind, held).ok_or(BeaconError::CorruptEncoding)?;
        if rest.is_empty() {
            return Ok(inflated);
        }
    }
}

fn behind_header(member: &[u8]) -> Option<&[u8]> {
    let (header, mut rest) = member.split_first_chunk::<HEADER_BYTES>()?;
    let flags = match *header {
        [0x1F, 0x8B, DEFLATE, flags, ..] if flags & RESERVED == 0 => flags,
        _ => return None,
    };
    if flags & EXTRA != 0 {
        let (length, extra) = rest.split_first_chunk()?;
        rest = extra.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    for _ in [NAME, COMMENT].iter().filter(|field| flags & **field != 0) {
        let end = rest.iter().position(|byte| *byte == 0)?;
        rest = rest.get(end + 1..)?;
    }
    if flags & HEADER_CRC != 0 {
        let header = member.get(..member.len() - rest.len())?;
        let (expected, stream) = rest.split_first_chunk()?;
        (crc32(header) & 0xFFFF == u32::from(u16::from_le_bytes(*expected))).then_some(())?;
        rest = stream;
    }
    Some(rest)
}

fn behind_trailer<'a>(bytes: &'a [u8], held: &[u8]) -> Option<&'a [u8]> {
    let (trailer, rest) = bytes.split_first_chunk::<TRAILER_BYTES>()?;
    // Both are 32-bit little-endian, one after the other. The limit on what is inflated is far below 2^32.
    let expected = u64::from(crc32(held)) | (held.len() as u64) << 32;
    (u64::from_le_bytes(*trailer) == expected).then_some(rest)
}

/// The checksum of gzip (CRC-32, reflected polynomial 0xEDB88320), half a byte at a time.
fn crc32(bytes: &[u8]) -> u32 {
    let half = |crc: u32| crc >> 4 ^ REMAINDERS.get((crc & 0xF) as usize).copied().unwrap_or_default();
    !bytes.iter().fold(!0, |crc, byte| half(half(crc ^ u32::from(*byte))))
}

/// Of each half byte, divided by the polynomial.
const REMAINDERS: [u32; 16] = [
    0x0000_0000,
    0x1DB7_1064,
    0x3B6E_20C8,
    0x26D9_30AC,
    0x76DC_4190,
    0x6B6B_51F4,
    0x4DB2_6158,
    0x5005_713C,
    0xEDB8_8320,
    0xF00F_9344,
    0xD6D6_A3E8,
    0xCB61_B38C,
    0x9B64_C2B0,
    0x86D3_D2D4,
    0xA00A_E278,
    0xBDBD_F21C,
];

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use flate2::bufread::MultiGzDecoder;
    use flate2::{Compression, GzBuilder};
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    fn member(builder: GzBuilder, held: &[u8]) -> Vec<u8> {
        let mut encoder = builder.write(Vec::new(), Compression::fast());
        encoder.write_all(held).unwrap();
        encoder.finish().unwrap()
    }

    /// No library writes this field.
    fn with_header_checksum(held: &[u8]) -> Vec<u8> {
        let mut bytes = member(GzBuilder::new(), held);
        bytes[3] |= HEADER_CRC;
        let checksum = crc32(&bytes[..HEADER_BYTES]).to_le_bytes();
        bytes.splice(HEADER_BYTES..HEADER_BYTES, [checksum[0], checksum[1]]);
        bytes
    }

    #[test]
    fn the_checksum_is_that_of_the_catalogue() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn a_header_checksum_is_checked() {
        let mut bytes = with_header_checksum(b"{}");
        assert_eq!(decode(&bytes).unwrap(), b"{}");
        bytes[HEADER_BYTES] ^= 1;
        assert_eq!(decode(&bytes), Err(BeaconError::CorruptEncoding));
    }

    #[test]
    fn members_share_the_limit() {
        let half = vec![b' '; crate::body::MAX_INFLATED_BYTES / 2];
        let two = [member(GzBuilder::new(), &half), member(GzBuilder::new(), &half)].concat();
        assert_eq!(decode(&two).map(|inflated| inflated.len()), Ok(crate::body::MAX_INFLATED_BYTES));
        let more = [two, member(GzBuilder::new(), b" ")].concat();
        assert!(matches!(decode(&more), Err(BeaconError::BodyTooLarge { .. })));
    }

    #[test]
    fn reserved_flags_and_other_methods_are_refused() {
        let whole = member(GzBuilder::new(), b"{}");
        for (at, byte) in [(2, 7), (3, 1 << 5), (3, 1 << 7)] {
            let mut bytes = whole.clone();
            bytes[at] = byte;
            assert_eq!(decode(&bytes), Err(BeaconError::CorruptEncoding), "byte {at} is {byte}");
        }
    }

    proptest! {
        #[test]
        fn what_a_library_writes_is_read(
            held in proptest::collection::vec(any::<u8>(), 0..500),
            extra in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..300)),
            name in proptest::option::of("[a-z]{0,20}"),
            comment in proptest::option::of("[a-z]{0,20}"),
        ) {
            let mut builder = GzBuilder::new();
            builder = match extra { Some(extra) => builder.extra(extra), None => builder };
            builder = match name { Some(name) => builder.filename(name), None => builder };
            builder = match comment { Some(comment) => builder.comment(comment), None => builder };
            prop_assert_eq!(decode(&member(builder, &held)), Ok(held));
        }

        #[test]
        fn a_changed_byte_of_the_trailer_is_found(held in "[a-z]{0,50}", at in 1_usize..=8, change in 1_u8..) {
            let mut bytes = member(GzBuilder::new(), held.as_bytes());
            let place = bytes.len() - at;
            bytes[place] ^= change;
            prop_assert_eq!(decode(&bytes), Err(BeaconError::CorruptEncoding));
        }

        #[test]
        fn a_damaged_body_is_decoded_or_refused_as_by_a_library(
            held in "[a-z]{0,50}", name in "[a-z]{0,20}", at in any::<Index>(), change in any::<u8>(), cut in 0_usize..3,
        ) {
            let mut bytes = [GzBuilder::new().filename(name), GzBuilder::new()].map(|builder| member(builder, held.as_bytes())).concat();
            *at.get_mut(&mut bytes) ^= change;
            bytes.truncate(bytes.len() - cut);
            let mut found = Vec::new();
            let is_read = MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut found).is_ok();
            prop_assert_eq!(decode(&bytes).ok(), is_read.then_some(found));
        }
    }
}
