//! Base64 of a known length: keys, key ids and signatures.
//!
//! In scope: decoding, of the usual alphabet and of that for URLs, with and without padding, because agents mix them. Out of scope: anything
//! longer. A crate would bring its tables for every alphabet into the Worker.

/// The bytes; `None` if these are not exactly so many.
pub(super) fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let text = text.trim_end_matches('=').as_bytes();
    if text.len() != (N * 8).div_ceil(6) {
        return None;
    }
    let mut bytes = [0; N];
    let mut digits = text.iter();
    for group in bytes.chunks_mut(3) {
        let mut bits = 0_u32;
        for position in 0..=group.len() {
            bits |= digit(*digits.next()?)? << (18 - 6 * position);
        }
        for (byte, value) in group.iter_mut().zip(bits.to_be_bytes().into_iter().skip(1)) {
            *byte = value;
        }
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_test_vectors_of_rfc_4648_are_decoded() {
        assert_eq!(decode(""), Some([]));
        assert_eq!(decode("Zg=="), Some(*b"f"));
        assert_eq!(decode("Zm9v"), Some(*b"foo"));
        assert_eq!(decode("Zm9vYg=="), Some(*b"foob"));
        assert_eq!(decode("Zm9vYmFy"), Some(*b"foobar"));
        assert_eq!(decode("-_-_"), decode::<3>("+/+/"));
    }

    #[test]
    fn another_length_or_letter_is_none() {
        for text in ["Zm9", "Zm9vYg", "Zm9!", "Zm9 ", "Zmü"] {
            assert_eq!(decode::<3>(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_gives_an_answer(text in "\\PC{0,90}") {
            let _ = (decode::<32>(&text), decode::<64>(&text));
        }
    }
}
