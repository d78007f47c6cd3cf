//! Pages that nobody has seen yet.
//!
//! In scope: the headers by which browsers mark prefetched and prerendered requests. Out of scope: verdicts; a prefetch is no bot.

use crate::client::Client;

/// True if the beacon comes from a page that is only being prepared.
pub fn matches(client: &Client<'_>) -> bool {
    let purpose = client.purpose.unwrap_or("");
    ["prefetch", "prerender", "preview"].iter().any(|word| contains_ignoring_case(purpose, word))
}

fn contains_ignoring_case(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prepared_pages_are_recognised() {
        for (purpose, is_prefetch) in [
            (None, false),
            (Some(""), false),
            (Some("instant"), false),
            (Some("prefetch"), true),
            (Some("prefetch;prerender"), true),
            (Some("Preview"), true),
        ] {
            assert_eq!(matches(&Client { purpose, ..Client::default() }), is_prefetch, "{purpose:?}");
        }
    }
}
