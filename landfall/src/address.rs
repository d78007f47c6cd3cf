//! Addresses that an operator gives.
//!
//! In scope: what can be said of one before connecting, and what is shown of a stranger's answer. Out of scope: connecting.

/// The most characters shown of an answer that is none of ours.
const MAX_SHOWN_CHARACTERS: usize = 200;

/// Why an address cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is no HTTP address.
    #[error("expected a URL such as {example}, found {found:?}")]
    Url {
        /// One that would do.
        example: &'static str,
        /// What was given.
        found: String,
    },
    /// It carries credentials.
    #[error("expected a URL without credentials, which show in logs and process lists; --help says where they go")]
    Credentials,
}

/// Accepts `http://` and `https://` with a host and without credentials.
pub(crate) fn check(url: &str, example: &'static str) -> Result<(), AddressError> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let authority = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).filter(|authority| !authority.is_empty());
    match authority {
        None => Err(AddressError::Url { example, found: url.to_owned() }),
        Some(authority) if authority.contains('@') => Err(AddressError::Credentials),
        Some(_) => Ok(()),
    }
}

/// The first line that says something, or the beginning of it.
pub(crate) fn first_line(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("nothing");
    line.chars().take(MAX_SHOWN_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_cannot_work_are_refused_before_connecting() {
        for url in ["", "127.0.0.1:8123", "tcp://127.0.0.1:9000", "http://", "https:///x"] {
            assert!(matches!(check(url, "http://h"), Err(AddressError::Url { .. })), "{url} was accepted");
        }
        assert_eq!(check("http://u:p@host:8123/", "http://h"), Err(AddressError::Credentials));
        assert_eq!(check("https://host/path?user@x", "http://h"), Ok(()));
    }
}
