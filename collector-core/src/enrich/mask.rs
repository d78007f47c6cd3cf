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
    // One pass without a branch: most text has neither `@`, `%` nor `J`.
    let (mut has_sign, mut has_j) = (false, false);
    for byte in text.bytes() {
        has_sign |= byte == b'@' || byte == b'%';
        has_j |= byte == b'J';
    }
    let text = if has_sign { mask_emails(text) } else { text };
    if has_j && text.contains("eyJ") { mask_tokens(text) } else { text }
}

fn mask_emails(text: Cow<'_, str>) -> Cow<'_, str> {
    let mut masked = String::new();
    let mut rest: &str = &text;
    let mut is_changed = false;
    while let Some((at, at_bytes)) = find_at(rest) {
        let (before, from) = rest.split_at(at);
        let (sign, after) = from.split_at(at_bytes);
        let (kept, local) = before.split_at(before.len() - before.bytes().rev().take_while(|b| is_local(*b)).count());
        let domain_bytes = after.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'-' || *b == b'.').count();
        let domain = after.split_at(domain_bytes).0.trim_end_matches(['.', '-']);
        let has_dot = domain.rsplit_once('.').is_some_and(|(name, tld)| !name.is_empty() && tld.len() >= 2);
        if has_dot && !local.is_empty() {
            masked.extend([kept, EMAIL_MASK]);
            rest = after.split_at(domain.len()).1;
            is_changed = true;
        } else {
            masked.extend([before, sign]);
            rest = after;
        }
    }
    if !is_changed {
        return text;
    }
    masked.push_str(rest);
    Cow::Owned(masked)
}

/// Offset and length of the next `@`, plain or percent-encoded; one pass over the text in all, however many there are.
fn find_at(text: &str) -> Option<(usize, usize)> {
    text.match_indices(['@', '%']).find_map(|(at, sign)| match sign {
        "@" => Some((at, 1)),
        _ => text.split_at(at).1.starts_with("%40").then_some((at, 3)),
    })
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
