//! Bearer tokens: who may read a feed.
//!
//! In scope: parsing `FEED_TOKENS`, comparing in constant time. Several tokens are valid at once, so that one can be rotated
//! without a gap: add the new one here, change the dictionaries, remove the old one. A token may also come as the password of Basic
//! authentication, whatever the user: `SHOW CREATE DICTIONARY` hides a password and shows a header, and only the statement itself can
//! carry either next to `update_field`.
//! Out of scope: where secrets are kept. Tokens come from the environment, never from a flag, which `ps` would show.

use axum::http::HeaderValue;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// The most tokens a rotation can need, with room.
pub const MAX_TOKENS: usize = 16;

/// Why the tokens were refused at start.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Nothing protects the feed.
    #[error("expected at least one token in FEED_TOKENS, found none (--insecure-no-token serves anybody)")]
    Missing,
    /// More than [`MAX_TOKENS`].
    #[error("expected at most {MAX_TOKENS} tokens in FEED_TOKENS, found {0}")]
    TooMany(usize),
}

/// The accepted tokens, kept as digests: comparing digests takes the same time whatever the length, and a dump of this
/// process's memory does not show them. No `Debug`: they do not belong in logs.
pub struct Tokens {
    digests: Vec<[u8; 32]>,
    open: bool,
}

impl Tokens {
    /// Parses a comma-separated list. `open` lets anybody in when the list is empty, and only then.
    pub fn parse(list: Option<&str>, open: bool) -> Result<Self, TokenError> {
        let digests: Vec<[u8; 32]> =
            list.unwrap_or_default().split(',').map(str::trim).filter(|token| !token.is_empty()).map(digest).collect();
        if digests.len() > MAX_TOKENS {
            return Err(TokenError::TooMany(digests.len()));
        }
        if digests.is_empty() && !open {
            return Err(TokenError::Missing);
        }
        Ok(Self { open: digests.is_empty(), digests })
    }

    /// Whether an `Authorization` header carries one of the tokens.
    pub fn is_valid(&self, authorization: Option<&HeaderValue>) -> bool {
        if self.open {
            return true;
        }
        let Some(token) = authorization.and_then(|value| value.to_str().ok()).and_then(credential) else {
            return false;
        };
        let found = digest(&token);
        // No early exit: which token matched must not show in the time either.
        self.digests.iter().fold(Choice::from(0), |any, known| any | known.ct_eq(&found)).into()
    }
}

/// What follows `Bearer`, or the password that follows `Basic`.
fn credential(header: &str) -> Option<String> {
    let (scheme, value) = header.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(value.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(BASE64_STANDARD.decode(value.trim()).ok()?).ok()?;
    pair.split_once(':').map(|(_, password)| password.to_owned())
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::{TokenError, Tokens};
    use axum::http::HeaderValue;

    fn is_valid(tokens: &Tokens, header: &'static str) -> bool {
        tokens.is_valid(Some(&HeaderValue::from_static(header)))
    }

    #[test]
    fn every_listed_token_is_valid_during_a_rotation() {
        let tokens = Tokens::parse(Some("old, new"), false).unwrap();
        assert!(is_valid(&tokens, "Bearer old"));
        assert!(is_valid(&tokens, "bearer new"));
    }

    #[test]
    fn a_token_may_come_as_a_password() {
        let tokens = Tokens::parse(Some("se:cret"), false).unwrap();
        // clickhouse:se:cret, :se:cret
        assert!(is_valid(&tokens, "Basic Y2xpY2tob3VzZTpzZTpjcmV0"));
        assert!(is_valid(&tokens, "basic OnNlOmNyZXQ="));
        // se:cret:x, clickhouse:secret, secret, and no base64 at all
        for header in ["Basic c2U6Y3JldDp4", "Basic Y2xpY2tob3VzZTpzZWNyZXQ=", "Basic c2VjcmV0", "Basic se:cret"] {
            assert!(!is_valid(&tokens, header), "{header:?}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let tokens = Tokens::parse(Some("secret"), false).unwrap();
        for header in ["Bearer secre", "Bearer secrets", "Bearer ", "Bearer", "Basic secret", "secret", ""] {
            assert!(!is_valid(&tokens, header), "{header:?}");
        }
        assert!(!tokens.is_valid(None));
    }

    #[test]
    fn no_token_needs_the_explicit_flag() {
        for empty in [None, Some(""), Some(" , ")] {
            assert!(matches!(Tokens::parse(empty, false), Err(TokenError::Missing)));
        }
        assert!(Tokens::parse(None, true).unwrap().is_valid(None));
        // The flag does not switch off tokens that are there.
        assert!(!Tokens::parse(Some("t"), true).unwrap().is_valid(None));
    }
}
