//! The body of a request, decoded.
//!
//! In scope: content encodings and both size limits, enforced before and while inflating.
//! Out of scope: what the bytes mean (`beacon`).

mod gzip;
mod inflate;

use std::borrow::Cow;

use crate::beacon::BeaconError;
use inflate::{Format, inflate};

/// The longest body, as received.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// The longest body after decompression: 8 x `MAX_BODY_BYTES`, which well-meant JSON reaches and a decompression bomb passes at once.
pub const MAX_INFLATED_BYTES: usize = 512 * 1024;

/// Decodes a body by its `Content-Encoding` header (empty and absent mean identity). Bytes behind the compressed data are as wrong as missing ones;
/// gzip may have several members.
///
/// `deflate` means zlib by the standard, but some clients send the bare stream: both are accepted.
pub fn decode<'a>(bytes: &'a [u8], content_encoding: Option<&str>) -> Result<Cow<'a, [u8]>, BeaconError> {
    if bytes.len() > MAX_BODY_BYTES {
        return Err(BeaconError::BodyTooLarge { limit_bytes: MAX_BODY_BYTES });
    }
    let encoding = content_encoding.unwrap_or("").trim();
    if encoding.is_empty() || encoding.eq_ignore_ascii_case("identity") {
        return Ok(Cow::Borrowed(bytes));
    }
    if encoding.eq_ignore_ascii_case("gzip") || encoding.eq_ignore_ascii_case("x-gzip") {
        return gzip::decode(bytes).map(Cow::Owned);
    }
    if encoding.eq_ignore_ascii_case("deflate") {
        return decode_deflate(bytes).map(Cow::Owned);
    }
    Err(BeaconError::UnsupportedEncoding)
}

fn decode_deflate(bytes: &[u8]) -> Result<Vec<u8>, BeaconError> {
    // A zlib stream starts with method 8 and a header that is a multiple of 31 (RFC 1950); anything else can only be a bare stream.
    let is_zlib = matches!(bytes, [method, flags, ..]
        if method & 0x0f == 8 && (u16::from(*method) << 8 | u16::from(*flags)) % 31 == 0);
    let format = if is_zlib { Format::Zlib } else { Format::Bare };
    let mut inflated = Vec::new();
    let rest = inflate(bytes, format, &mut inflated)?;
    if rest.is_empty() { Ok(inflated) } else { Err(BeaconError::CorruptEncoding) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;

    use super::*;

    const JSON: &[u8] = br#"{"site":"demo","event_type":"login"}"#;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_encoding_gives_the_same_bytes() {
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(JSON).unwrap();
        let mut bare = flate2::write::DeflateEncoder::new(Vec::new(), Compression::fast());
        bare.write_all(JSON).unwrap();
        for (encoding, bytes) in [
            (None, JSON.to_vec()),
            (Some(""), JSON.to_vec()),
            (Some("identity"), JSON.to_vec()),
            (Some("GZIP"), gzip(JSON)),
            (Some("deflate"), zlib.finish().unwrap()),
            (Some("deflate"), bare.finish().unwrap()),
        ] {
            assert_eq!(decode(&bytes, encoding).unwrap().as_ref(), JSON, "{encoding:?}");
        }
    }

    #[test]
    fn limits_are_exact() {
        assert!(decode(&vec![b' '; MAX_BODY_BYTES], None).is_ok());
        assert_eq!(
            decode(&vec![b' '; MAX_BODY_BYTES + 1], None),
            Err(BeaconError::BodyTooLarge { limit_bytes: MAX_BODY_BYTES })
        );
        assert!(decode(&gzip(&vec![b' '; MAX_INFLATED_BYTES]), Some("gzip")).is_ok());
        assert_eq!(
            decode(&gzip(&vec![b' '; MAX_INFLATED_BYTES + 1]), Some("gzip")),
            Err(BeaconError::BodyTooLarge { limit_bytes: MAX_INFLATED_BYTES })
        );
    }

    #[test]
    fn a_bomb_is_refused() {
        let bomb = gzip(&vec![b' '; 40 * 1024 * 1024]);
        assert!(bomb.len() <= MAX_BODY_BYTES, "the bomb fits the first limit");
        assert!(matches!(decode(&bomb, Some("gzip")), Err(BeaconError::BodyTooLarge { .. })));
    }

    #[test]
    fn a_body_is_read_to_its_end() {
        let (one, two) = JSON.split_at(9);
        assert_eq!(decode(&[gzip(one), gzip(two)].concat(), Some("gzip")).unwrap().as_ref(), JSON);
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(JSON).unwrap();
        let mut bare = flate2::write::DeflateEncoder::new(Vec::new(), Compression::fast());
        bare.write_all(JSON).unwrap();
        for (encoding, bytes) in
            [("gzip", gzip(JSON)), ("deflate", zlib.finish().unwrap()), ("deflate", bare.finish().unwrap())]
        {
            for rest in [&b"x"[..], b"\0\0", b"{\"site\":\"demo\"} and more of it"] {
                let longer = [&bytes, rest].concat();
                let found = decode(&longer, Some(encoding));
                assert_eq!(found, Err(BeaconError::CorruptEncoding), "{encoding}, then {rest:?}");
            }
        }
    }

    #[test]
    fn a_cut_or_foreign_body_is_refused() {
        let whole = gzip(JSON);
        assert_eq!(decode(&whole[..whole.len() - 6], Some("gzip")), Err(BeaconError::CorruptEncoding));
        assert_eq!(decode(JSON, Some("gzip")), Err(BeaconError::CorruptEncoding));
        assert_eq!(decode(b"", Some("gzip")), Err(BeaconError::CorruptEncoding));
        assert_eq!(decode(JSON, Some("br")), Err(BeaconError::UnsupportedEncoding));
    }
}
