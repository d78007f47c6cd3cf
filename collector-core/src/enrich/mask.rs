//! Personal data that has no business in URLs, titles and properties.
//!
//! In scope: e-mail-like values and JSON Web Tokens, signed or encrypted, replaced wherever they stand; values of parameters that are named as
//! secrets. Out of scope: query parameters that are not allowed (`page` removes them whole), escapes of single letters.

use std::borrow::Cow;

/// What stands in place of an e-mail address.
pub const EMAIL_MASK: &str = "[email]";

/// What stands in place of a token.
pub const TOKEN_MASK: &str = "[token]";

/// What stands in place of an address that the site does not store.
pub const ADDRESS_MASK: &str = "[address]";

/// The shortest text after which a token is believed: header and claims of the smallest real JSON Web Token are longer.
const MIN_TOKEN_BYTES: usize = 24;

/// How the names of parameters end whose values are secrets.
const SECRET_NAMES: [&str; 4] = ["token", "password", "secret", "api_key"];

/// Replaces e-mail addresses and tokens; borrows when there is none.
pub fn mask(mut text: Cow<'_, str>) -> Cow<'_, str> {
    mask_in_place(&mut text);
    text
}

/// Replaces e-mail addresses and tokens.
pub fn mask_in_place(text: &mut Cow<'_, str>) {
    // One pass without a branch: most text has none of these.
    let (mut has_at, mut has_j) = (false, false);
    for byte in text.bytes() {
        has_at |= byte == b'@' || byte == b'%' || byte == b'\\';
        has_j |= byte == b'J';
    }
    if has_at {
        *text = mask_emails(std::mem::take(text));
    }
    if has_j && text.contains("eyJ") {
        *text = mask_tokens(std::mem::take(text));
    }
}

/// Replaces also the values of secret parameters (`?token=..`), which a page has only where its site allows them.
pub fn mask_value(text: &mut Cow<'_, str>) {
    mask_in_place(text);
    if text.bytes().any(|byte| byte == b'=') {
        *text = mask_secrets(std::mem::take(text));
    }
}

fn mask_emails(text: Cow<'_, str>) -> Cow<'_, str> {
    let mut masked = String::new();
    let mut rest: &str = &text;
    let mut is_changed = false;
    while let Some((at, at_bytes)) = find_at(rest) {
        let (before, from) = rest.split_at(at);
        let (sign, after) = from.split_at(at_bytes);
        let (kept, local) = before.split_at(before.len() - before.bytes().rev().take_while(|b| is_local(*b)).count());
        let domain_bytes = domain_bytes(after.as_bytes());
        if domain_bytes > 0 && !local.is_empty() {
            masked.extend([kept, EMAIL_MASK]);
            rest = after.split_at(domain_bytes).1;
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

/// Offset and length of the next `@`, plain or encoded; one pass over the text in all, however many there are.
fn find_at(text: &str) -> Option<(usize, usize)> {
    text.match_indices(['@', '%', '\\']).find_map(|(at, _)| {
        let (byte, bytes) = text.as_bytes().get(at..).and_then(character)?;
        (byte == b'@').then_some((at, bytes))
    })
}

/// The first character if it is ASCII, else one of its bytes, and its length in the text: as it is, percent-encoded once or twice, or escaped in
/// JSON that is kept as text.
fn character(text: &[u8]) -> Option<(u8, usize)> {
    let hex = |from: usize| {
        let digit = |at: usize| char::from(*text.get(at)?).to_digit(16);
        u8::try_from(digit(from)? << 4 | digit(from + 1)?).ok()
    };
    let (byte, bytes) = match text {
        [] => return None,
        [b'%', b'2', b'5', ..] if hex(3).is_some() => (hex(3), 5),
        [b'%', ..] => (hex(1), 3),
        [b'\\', b'u', b'0', b'0', ..] => (hex(4), 6),
        [byte, ..] => (Some(*byte), 1),
    };
    Some(byte.map_or((*text.first()?, 1), |byte| (byte, bytes)))
}

/// Letters beyond ASCII count as a whole: telling them from other characters takes tables that the Worker has no room for.
fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._+-%'\\".contains(&byte) || !byte.is_ascii()
}

/// The length of the domain that a text begins with: at least two names, the last of two characters or more. 0 if there is none.
fn domain_bytes(text: &[u8]) -> usize {
    let (mut at, mut end, mut has_dot, mut length) = (0, 0, false, 0);
    while let Some((byte, bytes)) = text.get(at..).and_then(character) {
        at += bytes;
        match byte {
            b'.' if length > 0 => (has_dot, length) = (true, 0),
            b'-' => length += 1,
            _ if byte.is_ascii_alphanumeric() || !byte.is_ascii() => {
                length += 1;
                end = if has_dot && length >= 2 { at } else { end };
            }
            _ => break,
        }
    }
    end
}

fn mask_secrets(text: Cow<'_, str>) -> Cow<'_, str> {
    let mut masked = String::new();
    let mut rest: &str = &text;
    let mut is_changed = false;
    while let Some((name, value)) = rest.split_once('=') {
        let is_end = |byte: &u8| byte.is_ascii_whitespace() || b"&#;,\"'\\<>".contains(byte);
        let is_secret = SECRET_NAMES.iter().any(|secret| {
            name.len()
                .checked_sub(secret.len())
                .and_then(|at| name.get(at..))
                .is_some_and(|end| end.eq_ignore_ascii_case(secret))
        });
        let length = if is_secret { value.bytes().take_while(|byte| !is_end(byte)).count() } else { 0 };
        masked.extend([name, "=", if length > 0 { TOKEN_MASK } else { "" }]);
        is_changed |= length > 0;
        rest = value.split_at(length).1;
    }
    if !is_changed {
        return text;
    }
    masked.push_str(rest);
    Cow::Owned(masked)
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
        // Signed ones have three parts, encrypted ones five; one that was cut off may have two.
        let has_parts = token.contains(".eyJ") || token.bytes().filter(|b| *b == b'.').count() >= 2;
        if length >= MIN_TOKEN_BYTES && has_parts {
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
            ("Jürgen.o'müller@häuser.example", "[email]"),
            ("Öl: ann@x.de", "Öl: [email]"),
            ("a@x.é", "[email]"),
            ("/u/ann%40mail%2Eexample%2Fx", "/u/[email]%2Fx"),
            ("/u/ann%2540mail%252eexample?x", "/u/[email]?x"),
            (r#"["ann\u0040mail.example","b"]"#, r#"["[email]","b"]"#),
            (r#"["\"a\u0062@mail\u002eexample"]"#, r#"["\"[email]"]"#),
            ("100%25 of a\\b %4", "100%25 of a\\b %4"),
            (&format!("?t={token}&x"), "?t=[token]&x"),
            ("eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..aXY.Y2lwaGVy.dGFn", "[token]"),
        ] {
            assert_eq!(mask(Cow::Borrowed(text)), masked, "{text}");
        }
        assert!(matches!(mask(Cow::Borrowed("no @ here")), Cow::Borrowed(_)));
    }

    fn value(text: &str) -> String {
        let mut text = Cow::Borrowed(text);
        mask_value(&mut text);
        text.into_owned()
    }

    #[test]
    fn secret_parameters_of_a_value_are_masked() {
        for (text, masked) in [
            ("https://a.example/?token=x&b=1", "https://a.example/?token=[token]&b=1"),
            ("Access_Token=x y", "Access_Token=[token] y"),
            ("password=ä#top", "password=[token]#top"),
            ("tokens=3 secret=", "tokens=3 secret="),
        ] {
            assert_eq!(value(text), masked, "{text}");
        }
        assert_eq!(mask(Cow::Borrowed("?token=x")), "?token=x", "a page keeps what its site allows");
    }

    proptest! {
        #[test]
        fn masking_any_text_twice_changes_nothing_more(text in "([a-zäJ@.%=\\\\ '-]|%40|%2540|%2E|\\\\u0040|eyJ|token=){0,40}|\\PC{0,40}") {
            let once = value(&text);
            prop_assert_eq!(value(&once), once.as_str());
        }
    }
}
