//! Personal data that has no business in URLs, titles and properties.
//!
//! In scope: e-mail-like values and signed tokens (JSON Web Tokens), replaced wherever they stand. Out of scope: query parameters that are not
//! allowed (`page` removes them whole).

use std::borrow::Cow;

/// What stands in place of an e-mail address.
pub const EMAIL_MASK: &str = "[email]";

/// What stands in place of a token.
pub const TOKEN_MASK: &str = "[token]";

/// The shortest text after which a token is believed: header and claims of the smallest real JSON Web Token are longer.
const MIN_TOKEN_BYTES: usize = 24;

/// Replaces e-mail addresses and tokens; borrows when there is none.
pub fn mask(text: Cow<'_, str>) -> Cow<'_, str> {
    let text = if text.contains('@') || text.contains("%40") { mask_emails(text) } else { text };
    if text.contains("eyJ") { mask_tokens(text) } else { text }
}

fn mask_emails(text: Cow<'_, str>) -> Cow<'_, str> {
    let mut masked = String::new();
    let mut rest: &str = &text;
    let mut is_changed = false;
    while let Some((at, at_bytes)) = find_at(rest) {
        let (before, after) = (&rest[..at], &rest[at + at_bytes..]);
        let local = before.len() - before.bytes().rev().take_while(|b| is_local(*b)).count();
        let domain = after.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'-' || *b == b'.').count();
        let domain = after[..domain].trim_end_matches(['.', '-']);
        let is_email =
            local < at && domain.rsplit_once('.').is_some_and(|(name, tld)| !name.is_empty() && tld.len() >= 2);
        if is_email {
            masked.push_str(&before[..local]);
            masked.push_str(EMAIL_MASK);
            rest = &after[domain.len()..];
            is_changed = true;
        } else {
            masked.push_str(&rest[..at + at_bytes]);
            rest = after;
        }
    }
    if !is_changed {
        return text;
    }
    masked.push_str(rest);
    Cow::Owned(masked)
}

/// Offset and length of the next `@`, plain or percent-encoded.
fn find_at(text: &str) -> Option<(usize, usize)> {
    let plain = text.find('@').map(|at| (at, 1));
    let encoded = text.find("%40").map(|at| (at, 3));
    plain.into_iter().chain(encoded).min()
}

fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._+-%".contains(&byte)
}

fn mask_tokens(text: Cow<'_, str>) -> Cow<'_, str> {
    let mut masked = String::new();
    let mut rest: &str = &text;
    let mut is_changed = false;
    while let Some(at) = rest.find("eyJ") {
        let (before, from) = rest.split_at(at);
        let length = from.bytes().take_while(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b)).count();
        let (token, after) = from.split_at(length);
        masked.push_str(before);
        if length >= MIN_TOKEN_BYTES && token.contains(".eyJ") {
            masked.push_str(TOKEN_MASK);
            is_changed = true;
        } else {
            masked.push_str(token);
        }
        rest = after;
    }
    if !is_changed {
        return text;
    }
    masked.push_str(rest);
    Cow::Owned(masked)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn emails_and_tokens_are_masked_and_nothing_else() {
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
        for (text, masked) in [
            ("Hello ann.lee+x@mail.example.com!", "Hello [email]!"),
            ("/u/ann%40mail.example/x", "/u/[email]/x"),
            ("a@b.co,c@d.org.", "[email],[email]."),
            ("@media (x)", "@media (x)"),
            ("price @ 5.00", "price @ 5.00"),
            ("user@localhost", "user@localhost"),
            ("a@@b.example", "a@@b.example"),
            ("https://shop.example/@ann", "https://shop.example/@ann"),
            ("eyJust a word", "eyJust a word"),
            (&format!("?t={token}&x"), "?t=[token]&x"),
        ] {
            assert_eq!(mask(Cow::Borrowed(text)), masked, "{text}");
        }
        assert!(matches!(mask(Cow::Borrowed("no @ here")), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn masking_any_text_twice_changes_nothing_more(text in "[a-z@.%40 eyJ\\-]{0,60}|\\PC{0,40}") {
            let once = mask(Cow::Owned(text)).into_owned();
            prop_assert_eq!(mask(Cow::Borrowed(&once)), once.as_str());
        }
    }
}
