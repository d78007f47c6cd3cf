//! One ClickHouse over its HTTP interface.
//!
//! In scope: sending a statement, and errors that tell an operator what to do. Out of scope: what is sent.

use std::fmt;
use std::time::Duration;

use collector_core::delivery::Delivery;
use collector_core::insert::{self, Endpoint, Insert, Table};
use uuid::Uuid;

use crate::address::{self, AddressError, first_line};

/// A statement of a migration may rewrite data; longer than this is a hanging server.
const STATEMENT_LIMIT_S: u64 = 600;
/// Nobody waits longer than this for a port that does not answer.
const CONNECT_LIMIT_S: u64 = 10;

/// ClickHouse's codes for a login that is refused: required password, wrong password, unknown user, authentication failed.
const CODES_LOGIN: [u32; 4] = [194, 193, 192, 516];
/// `ACCESS_DENIED`.
const CODE_DENIED: u32 = 497;

/// Where to connect and as whom.
#[derive(Clone)]
pub struct Target {
    /// `http://host:8123` or `https://...`, without credentials.
    pub url: String,
    /// The user.
    pub user: String,
    /// Its password; may be empty.
    pub password: String,
}

impl fmt::Debug for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Target").field("url", &self.url).field("user", &self.user).finish_non_exhaustive()
    }
}

/// Why a statement did not run.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The URL cannot work.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Nothing answered, or not to the end.
    #[error(
        "cannot reach ClickHouse at {url}: {source}; is the server running, and is this its HTTP port (8123, not the native 9000)?"
    )]
    Unreachable {
        /// The URL.
        url: String,
        /// What the connection reported.
        source: Box<ureq::Error>,
    },
    /// Something else answered.
    #[error("expected ClickHouse at {url}, found something that answers {status}: {text}")]
    NotClickHouse {
        /// The URL.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of the reply.
        text: String,
    },
    /// Wrong password or unknown user.
    #[error(
        "{url} refused the login of {user}: wrong password or unknown user; set LANDFALL_CLICKHOUSE_PASSWORD or --password"
    )]
    Login {
        /// The URL.
        url: String,
        /// The user.
        user: String,
    },
    /// The user may not do this.
    #[error("{user} may not do this: {text}")]
    Denied {
        /// The user.
        user: String,
        /// ClickHouse's explanation, which names the missing grant.
        text: String,
    },
    /// Any other exception.
    #[error("ClickHouse refused with code {code}: {text}")]
    Exception {
        /// ClickHouse's error code.
        code: u32,
        /// ClickHouse's explanation.
        text: String,
    },
}

/// ClickHouse's answer to an INSERT.
pub(crate) struct Reply {
    pub(crate) delivery: Delivery,
    /// The first line of its explanation.
    pub(crate) text: String,
}

/// An HTTP client for one target.
pub struct Connection {
    target: Target,
    agent: ureq::Agent,
}

impl Connection {
    /// Checks the URL; connects only when a statement is sent.
    pub fn new(target: &Target) -> Result<Self, ConnectionError> {
        Self::with_limit(target, Duration::from_secs(STATEMENT_LIMIT_S))
    }

    /// The same for statements that must not take long.
    pub fn with_limit(target: &Target, limit: Duration) -> Result<Self, ConnectionError> {
        address::check(&target.url, "http://127.0.0.1:8123")?;
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let config = config.timeout_connect(Some(Duration::from_secs(CONNECT_LIMIT_S)));
        let agent = config.timeout_global(Some(limit)).build().into();
        Ok(Self { target: target.clone(), agent })
    }

    /// Runs one statement; data of an INSERT follows its text. Returns the reply.
    pub fn execute(&self, sql: &str) -> Result<String, ConnectionError> {
        let Target { url, user, password } = &self.target;
        let unreachable = |source| ConnectionError::Unreachable { url: url.clone(), source: Box::new(source) };
        let request = self.agent.post(url).header("X-ClickHouse-User", user).header("X-ClickHouse-Key", password);
        let mut reply = request.send(sql).map_err(unreachable)?;
        let header = |name| reply.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let code = header("X-ClickHouse-Exception-Code").and_then(|code| code.parse().ok());
        let is_clickhouse = header("X-ClickHouse-Server-Display-Name").is_some() || code.is_some();
        let status = reply.status().as_u16();
        let text = reply.body_mut().read_to_string().map_err(unreachable)?;
        match code {
            Some(code) => Err(self.exception(code, &text)),
            None if is_clickhouse && status == 200 => Ok(text),
            None => Err(ConnectionError::NotClickHouse { url: url.clone(), status, text: first_line(&text) }),
        }
    }

    /// Sends rows just as the collector does: every setting explicit, the same token for the same batch. A request that got no answer
    /// is an answer too: its outcome is unknown.
    pub(crate) fn insert(&self, table: Table, token: Uuid, lines: &[u8]) -> Reply {
        let Target { url, user, password } = self.target.clone();
        let insert = Insert::new(&Endpoint { url, user, password }, table, token, insert::compress([lines]));
        let request = insert
            .headers
            .iter()
            .fold(self.agent.post(&insert.url), |request, (name, value)| request.header(*name, value));
        let answer = request.send(&insert.body).and_then(|mut reply| {
            let code =
                reply.headers().get("X-ClickHouse-Exception-Code").and_then(|code| code.to_str().ok()?.parse().ok());
            Ok((reply.status().as_u16(), code, reply.body_mut().read_to_string()?))
        });
        match answer {
            Ok((status, code, text)) => {
                Reply { delivery: Delivery::classify(status, code, text.as_bytes()), text: first_line(&text) }
            }
            Err(error) => Reply { delivery: Delivery::without_answer(true), text: error.to_string() },
        }
    }

    fn exception(&self, code: u32, text: &str) -> ConnectionError {
        let Target { url, user, .. } = self.target.clone();
        let text = text.trim().to_owned();
        match code {
            code if CODES_LOGIN.contains(&code) => ConnectionError::Login { url, user },
            CODE_DENIED => ConnectionError::Denied { user, text },
            code => ConnectionError::Exception { code, text },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Target {
        Target { url: url.to_owned(), user: "default".to_owned(), password: "secret".to_owned() }
    }

    #[test]
    fn a_target_does_not_print_its_password() {
        assert_eq!(format!("{:?}", target("http://h")), r#"Target { url: "http://h", user: "default", .. }"#);
    }
}
