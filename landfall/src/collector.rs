//! One collector over its HTTP interface, as its operator.
//!
//! In scope: sending a request with the admin token, and errors that tell an operator what to do. Out of scope: what is asked.

use std::fmt;
use std::time::Duration;

use crate::address::{self, AddressError, first_line};

/// The collector answers within milliseconds; longer than this is a hanging network.
const REQUEST_LIMIT_S: u64 = 30;
/// How long a connection is kept for the next request: servers close one that is idle for 5 s, and a request that meets that is lost.
const MAX_IDLE: Duration = Duration::from_secs(2);

/// Where the collector is, and the token that makes one its operator.
#[derive(Clone)]
pub struct Access {
    /// Base URL, with the collector's `PATH_PREFIX` if it has one.
    pub url: String,
    /// The secret `ADMIN_TOKEN` of the Worker.
    pub admin_token: String,
}

impl fmt::Debug for Access {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Access").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Why a request brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum CollectorError {
    /// The URL cannot work.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Nothing answered, or not to the end.
    #[error("cannot reach the collector at {url}: {source}")]
    Unreachable {
        /// The URL.
        url: String,
        /// What the connection reported.
        source: Box<ureq::Error>,
    },
    /// Something else answered, or the path prefix is missing.
    #[error(
        "expected a collector at {url}, found something that answers {status}: {text}; does the URL lack its PATH_PREFIX?"
    )]
    NotCollector {
        /// The URL.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of the reply.
        text: String,
    },
    /// The token is not the Worker's.
    #[error("{url} refused the admin token: expected the secret ADMIN_TOKEN of this Worker")]
    Token {
        /// The URL.
        url: String,
    },
    /// The collector understood and said no.
    #[error("the collector refused with {status}: {text}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Its explanation.
        text: String,
    },
}

/// An HTTP client for one collector.
pub struct Collector {
    access: Access,
    agent: ureq::Agent,
}

/// What the collector says; any status but 401.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Collector {
    /// Checks the URL; connects only when something is asked.
    pub fn new(access: &Access) -> Result<Self, CollectorError> {
        address::check(&access.url, "https://collect.example.com")?;
        // A redirect leads elsewhere, and the token with it.
        let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
        let config = config.max_idle_age(MAX_IDLE);
        let agent = config.timeout_global(Some(Duration::from_secs(REQUEST_LIMIT_S))).build().into();
        Ok(Self { access: access.clone(), agent })
    }

    /// The base URL, without a slash at its end.
    pub(crate) fn url(&self) -> &str {
        self.access.url.trim_end_matches('/')
    }

    pub(crate) fn get(&self, path: &str) -> Result<Answer, CollectorError> {
        let request = self.agent.get(self.address(path)).header("Authorization", self.authorization());
        self.answer(request.call())
    }

    pub(crate) fn put(&self, path: &str, json: &str) -> Result<Answer, CollectorError> {
        let request = self.agent.put(self.address(path)).header("Authorization", self.authorization());
        self.answer(request.header("Content-Type", "application/json").send(json))
    }

    pub(crate) fn post(&self, path: &str, json: &str) -> Result<Answer, CollectorError> {
        let request = self.agent.post(self.address(path)).header("Authorization", self.authorization());
        self.answer(request.header("Content-Type", "application/json").send(json))
    }

    pub(crate) fn delete(&self, path: &str) -> Result<Answer, CollectorError> {
        let request = self.agent.delete(self.address(path)).header("Authorization", self.authorization());
        self.answer(request.call())
    }

    /// An answer that is none of this interface's.
    pub(crate) fn unexpected(&self, answer: &Answer) -> CollectorError {
        let (status, text) = (answer.status, explanation(&answer.body));
        match text {
            Some(text) => CollectorError::Refused { status, text },
            None => CollectorError::NotCollector { url: self.url().to_owned(), status, text: first_line(&answer.body) },
        }
    }

    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.url())
    }

    fn authorization(&self) -> String {
        format!("Bearer {}", self.access.admin_token)
    }

    fn answer(&self, result: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Answer, CollectorError> {
        let unreachable = |source| CollectorError::Unreachable { url: self.url().to_owned(), source: Box::new(source) };
        let mut response = result.map_err(unreachable)?;
        let status = response.status().as_u16();
        let body = response.body_mut().read_to_string().map_err(unreachable)?;
        if status == 401 {
            return Err(CollectorError::Token { url: self.url().to_owned() });
        }
        Ok(Answer { status, body })
    }
}

/// The text of `{"error": "..."}`, the shape of the collector's refusals.
pub(crate) fn explanation(body: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(body).ok()?;
    Some(value.get("error")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_does_not_print_its_token() {
        let access = Access { url: "http://h".to_owned(), admin_token: "secret".to_owned() };
        assert_eq!(format!("{access:?}"), r#"Access { url: "http://h", .. }"#);
    }

    #[test]
    fn a_refusal_is_told_from_a_stranger() {
        assert_eq!(explanation(r#"{"error":"no site has this id"}"#).as_deref(), Some("no site has this id"));
        for body in ["", "no such path\n", "<html>", "{}", r#"{"error":1}"#] {
            assert_eq!(explanation(body), None, "{body}");
        }
    }
}
