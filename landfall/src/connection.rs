//! One ClickHouse over its HTTP interface.
//!
//! In scope: sending a statement, and errors that tell an operator what to do. Out of scope: what is sent.

use std::fmt;
use std::time::Duration;

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
    /// The URL is not one of ours.
    #[error("expected a URL such as http://127.0.0.1:8123, found {0}")]
    Url(String),
    /// The URL carries a password, which would show in logs and process lists.
    #[error("expected a URL without credentials; give them as --user and LANDFALL_CLICKHOUSE_PASSWORD")]
    UrlCredentials,
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

/// An HTTP client for one target.
pub struct Connection {
    target: Target,
    agent: ureq::Agent,
}

impl Connection {
    /// Checks the URL; connects only when a statement is sent.
    pub fn new(target: &Target) -> Result<Self, ConnectionError> {
        let rest = target.url.strip_prefix("http://").or_else(|| target.url.strip_prefix("https://"));
        let authority =
            rest.and_then(|rest| rest.split(['/', '?', '#']).next()).filter(|authority| !authority.is_empty());
        match authority {
            None => return Err(ConnectionError::Url(target.url.clone())),
            Some(authority) if authority.contains('@') => return Err(ConnectionError::UrlCredentials),
            Some(_) => {}
        }
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let config = config.timeout_connect(Some(Duration::from_secs(CONNECT_LIMIT_S)));
        let agent = config.timeout_global(Some(Duration::from_secs(STATEMENT_LIMIT_S))).build().into();
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

/// The first line that says something, at most 200 characters of it.
fn first_line(text: &str) -> String {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("nothing").chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Target {
        Target { url: url.to_owned(), user: "default".to_owned(), password: "secret".to_owned() }
    }

    #[test]
    fn urls_that_cannot_work_are_refused_before_connecting() {
        for url in ["", "127.0.0.1:8123", "tcp://127.0.0.1:9000", "http://", "https:///x"] {
            assert!(matches!(Connection::new(&target(url)), Err(ConnectionError::Url(_))), "{url} was accepted");
        }
        assert!(matches!(Connection::new(&target("http://u:p@host:8123/")), Err(ConnectionError::UrlCredentials)));
        assert!(Connection::new(&target("https://host/path?user@x")).is_ok());
    }

    #[test]
    fn a_target_does_not_print_its_password() {
        assert_eq!(format!("{:?}", target("http://h")), r#"Target { url: "http://h", user: "default", .. }"#);
    }
}
