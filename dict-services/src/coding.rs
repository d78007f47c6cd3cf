//! Content coding: which one a request gets, and the streaming encoders.
//!
//! In scope: `?compression=`, `Accept-Encoding`, zstd and gzip.
//! Out of scope: request bodies; ClickHouse sends its keys uncompressed.
//!
//! ClickHouse decodes a compressed body but sends no `Accept-Encoding`, hence the query parameter.

use std::io::{self, Write};

use axum::http::HeaderValue;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Cheap levels: the feed is usually as fast as its encoder, and the reader is near.
const ZSTD_LEVEL: i32 = 1;
const GZIP_LEVEL: u32 = 1;

/// How a response body is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// As it is.
    Identity,
    /// `Content-Encoding: gzip`.
    Gzip,
    /// `Content-Encoding: zstd`.
    Zstd,
}

impl Coding {
    /// The coding a `compression` query parameter asks for.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "identity" => Some(Self::Identity),
            "gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The best coding an `Accept-Encoding` header allows: highest weight first, zstd before gzip.
    pub fn accepted(header: Option<&HeaderValue>) -> Self {
        let Some(list) = header.and_then(|value| value.to_str().ok()) else {
            return Self::Identity;
        };
        let mut best = (Self::Identity, 0.0_f32);
        for coding in [Self::Zstd, Self::Gzip] {
            let weight = list.split(',').find_map(|item| coding.weight(item)).unwrap_or(0.0);
            if weight > best.1 {
                best = (coding, weight);
            }
        }
        best.0
    }

    /// The `Content-Encoding` value, none for identity.
    pub fn header(self) -> Option<HeaderValue> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some(HeaderValue::from_static("gzip")),
            Self::Zstd => Some(HeaderValue::from_static("zstd")),
        }
    }

    fn weight(self, item: &str) -> Option<f32> {
        let mut parts = item.split(';').map(str::trim);
        if Self::parse(&parts.next()?.to_ascii_lowercase()) != Some(self) {
            return None;
        }
        let weight = parts.find_map(|part| part.strip_prefix("q="));
        Some(weight.map_or(1.0, |text| text.parse().unwrap_or(0.0)))
    }
}

/// An encoder that hands out what it has so far.
pub enum Encoder {
    /// Bytes pass through.
    Identity(Vec<u8>),
    /// One gzip member.
    Gzip(GzEncoder<Vec<u8>>),
    /// One zstd frame.
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Encoder {
    /// An encoder for one body.
    pub fn new(coding: Coding) -> io::Result<Self> {
        Ok(match coding {
            Coding::Identity => Self::Identity(Vec::new()),
            Coding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL))),
            Coding::Zstd => Self::Zstd(zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)?),
        })
    }

    /// Encodes `bytes`, keeping none of the buffer: identity takes it over as it is.
    pub fn write(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        match self {
            Self::Identity(out) if out.is_empty() => *out = bytes,
            Self::Identity(out) => out.extend_from_slice(&bytes),
            Self::Gzip(encoder) => encoder.write_all(&bytes)?,
            Self::Zstd(encoder) => encoder.write_all(&bytes)?,
        }
        Ok(())
    }

    /// Encoded bytes that wait to be taken.
    pub fn ready_bytes(&self) -> usize {
        match self {
            Self::Identity(out) => out.len(),
            Self::Gzip(encoder) => encoder.get_ref().len(),
            Self::Zstd(encoder) => encoder.get_ref().len(),
        }
    }

    /// Takes the encoded bytes so far.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(match self {
            Self::Identity(out) => out,
            Self::Gzip(encoder) => encoder.get_mut(),
            Self::Zstd(encoder) => encoder.get_mut(),
        })
    }

    /// Ends the body and returns its last bytes.
    pub fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Identity(out) => Ok(out),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Coding, Encoder};
    use axum::http::HeaderValue;
    use std::io::Read;

    #[test]
    fn the_best_accepted_coding_wins() {
        for (header, expected) in [
            ("", Coding::Identity),
            ("br, deflate", Coding::Identity),
            ("gzip", Coding::Gzip),
            ("gzip, zstd", Coding::Zstd),
            ("GZIP;q=0.9, zstd;q=0.5", Coding::Gzip),
            ("zstd;q=0, gzip;q=0", Coding::Identity),
            ("*", Coding::Identity),
        ] {
            let value = HeaderValue::from_str(header).unwrap();
            assert_eq!(Coding::accepted(Some(&value)), expected, "{header:?}");
        }
        assert_eq!(Coding::accepted(None), Coding::Identity);
    }

    #[test]
    fn pieces_decode_to_the_whole() {
        for coding in [Coding::Identity, Coding::Gzip, Coding::Zstd] {
            let mut encoder = Encoder::new(coding).unwrap();
            let mut coded = Vec::new();
            for pieces in [["first ", "piece "], ["and ", "second "], ["", "third"]] {
                for piece in pieces {
                    encoder.write(piece.as_bytes().to_vec()).unwrap();
                }
                coded.extend(encoder.take());
            }
            coded.extend(encoder.finish().unwrap());
            let mut text = String::new();
            match coding {
                Coding::Identity => text = String::from_utf8(coded).unwrap(),
                Coding::Gzip => {
                    flate2::read::GzDecoder::new(coded.as_slice()).read_to_string(&mut text).unwrap();
                }
                Coding::Zstd => {
                    text = String::from_utf8(zstd::decode_all(coded.as_slice()).unwrap()).unwrap();
                }
            }
            assert_eq!(text, "first piece and second third", "{coding:?}");
        }
    }
}
