//! One ClickHouse over its HTTP interface.
//!
//! In scope: sending a statement, and errors that tell an operator what to do. Out of scope: what is sent.

use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::time::Duration;

use collector_core::delivery::{Delivery, Meaning};
use collector_core::insert::{Endpoint, Insert, Table};
use flate2::Compression;
use flate2::write::GzEncoder;
use ureq::Timeout;
use uuid::Uuid;

use crate::address::{self, AddressError, first_line};

/// A statement of a migration may rewrite data; longer than this is a hanging server.
const STATEMENT_LIMIT_S: u64 = 600;
/// The longest that one SELECT may hand out lines: its reader works between them, and a day of a large site is hundreds of millions.
const STREAM_LIMIT: Duration = Duration::from_hours(6);
/// Nobody waits longer than this for a port that does not answer.
const CONNECT_LIMIT_S: u64 = 10;

/// ClickHouse's codes for a login that is refused: required password, wrong password, unknown user, authentication failed.
const CODES_LOGIN: [u32; 4] = [194, 193, 192, 516];
/// What stands on a line of its own where a reply ends in an exception (ClickHouse 25.11 and later).
const EXCEPTION_MARK: &str = "__exception__";
/// What ClickHouse says before the name of a view that failed.
const PUSHING_TO_VIEW: &str = "while pushing to view ";
/// `ACCESS_DENIED`.
const CODE_DENIED: u32 = 497;
/// `UNKNOWN_TABLE`.
pub(crate) const CODE_UNKNOWN_TABLE: u32 = 60;

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
    /// It took longer than it may.
    #[error("ClickHouse at {url} did not answer in time: {source}")]
    Slow {
        /// The URL.
        url: String,
        /// Which limit was reached.
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
        "{url} refused the login of {user}: wrong password or unknown user; the variable LANDFALL_CLICKHOUSE_PASSWORD has the password"
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
    /// Whether the rows may be in the table, but not in all of its views.
    pub(crate) may_be_stored: bool,
    /// Whether ClickHouse may be at work on it still, and store it after this.
    pub(crate) is_open: bool,
    /// The first line of its explanation, and the view that failed.
    pub(crate) text: String,
}

impl Reply {
    /// None, because nothing was sent.
    pub(crate) fn not_sent(error: &ConnectionError) -> Self {
        let Meaning { delivery, may_be_stored } = Meaning::without_answer(false);
        Self { delivery, may_be_stored, is_open: false, text: error.to_string() }
    }
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

    /// The URL.
    pub(crate) fn url(&self) -> &str {
        &self.target.url
    }

    /// Runs one statement; data of an INSERT follows its text. Returns the reply, of at most 10 MiB: what may be longer is read by `lines`.
    pub fn execute(&self, sql: &str) -> Result<String, ConnectionError> {
        let mut reply = self.request().send(sql).map_err(|source| self.unreachable(source))?;
        match self.refusal(&mut reply)? {
            Some(refusal) => Err(refusal),
            None => self.text(&mut reply),
        }
    }

    /// Runs one SELECT and hands out its lines as they come, however many: no more than one of them is in memory.
    pub(crate) fn lines(&self, sql: &str) -> Result<Lines<'_>, ConnectionError> {
        let reply = self.request().config().timeout_global(Some(STREAM_LIMIT)).build().send(sql);
        let mut reply = reply.map_err(|source| self.unreachable(source))?;
        match self.refusal(&mut reply)? {
            Some(refusal) => Err(refusal),
            None => Ok(Lines {
                connection: self,
                reader: BufReader::new(reply.into_body().into_reader()),
                line: String::new(),
            }),
        }
    }

    /// Sends rows just as the collector does: every setting explicit, the same token for the same batch. A request that got no answer
    /// is an answer too: its outcome is unknown.
    pub(crate) fn insert(&self, table: Table, token: Uuid, lines: &[u8]) -> Reply {
        let Target { url, user, password } = self.target.clone();
        let insert = Insert::new(&Endpoint { url, user, password }, table, token, gzip(lines));
        let request = insert
            .headers
            .iter()
            .fold(self.agent.post(&insert.url), |request, (name, value)| request.header(*name, value));
        let answer = request.send(&insert.body).and_then(|mut reply| {
            let code =
                reply.headers().get("X-ClickHouse-Exception-Code").and_then(|code| code.to_str().ok()?.parse().ok());
            let is_clickhouse = code.is_some() || reply.headers().contains_key("X-ClickHouse-Server-Display-Name");
            let text = reply.body_mut().read_to_string()?;
            let meaning = Meaning::read(reply.status().as_u16(), code, is_clickhouse, text.as_bytes());
            Ok((meaning, meaning.delivery == Delivery::Unknown && code.is_none(), reason(&text)))
        });
        let (Meaning { delivery, may_be_stored }, is_open, text) = answer.unwrap_or_else(|error| {
            let was_sent = !is_away(&error);
            (Meaning::without_answer(was_sent), was_sent, error.to_string())
        });
        Reply { delivery, may_be_stored, is_open, text }
    }

    fn request(&self) -> ureq::RequestBuilder<ureq::typestate::WithBody> {
        let Target { url, user, password } = &self.target;
        self.agent.post(url).header("X-ClickHouse-User", user).header("X-ClickHouse-Key", password)
    }

    /// Why the reply is no result, if it is none.
    fn refusal(
        &self,
        reply: &mut ureq::http::Response<ureq::Body>,
    ) -> Result<Option<ConnectionError>, ConnectionError> {
        let header = |name| reply.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let code = header("X-ClickHouse-Exception-Code").and_then(|code| code.parse().ok());
        let is_clickhouse = header("X-ClickHouse-Server-Display-Name").is_some() || code.is_some();
        let status = reply.status().as_u16();
        match code {
            Some(code) => Ok(Some(self.exception(code, &self.text(reply)?))),
            None if is_clickhouse && status == 200 => Ok(None),
            None => {
                let text = first_line(&self.text(reply)?);
                Ok(Some(ConnectionError::NotClickHouse { url: self.target.url.clone(), status, text }))
            }
        }
    }

    fn text(&self, reply: &mut ureq::http::Response<ureq::Body>) -> Result<String, ConnectionError> {
        reply.body_mut().read_to_string().map_err(|source| self.unreachable(source))
    }

    fn unreachable(&self, source: ureq::Error) -> ConnectionError {
        let (url, source) = (self.target.url.clone(), Box::new(source));
        match *source {
            ureq::Error::Timeout(_) if !is_away(&source) => ConnectionError::Slow { url, source },
            _ => ConnectionError::Unreachable { url, source },
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

/// Equal bytes give equal bytes, so what a repeated run sends is the same.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to a Vec cannot fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

/// Whether there was no connection, so that nothing was sent.
fn is_away(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect)
        | ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed => true,
        ureq::Error::Io(error) => error.kind() == io::ErrorKind::ConnectionRefused,
        _ => false,
    }
}

/// Why an INSERT failed: the first line, cut, and which view it is, which comes behind.
fn reason(text: &str) -> String {
    let line = first_line(text);
    match text.find(PUSHING_TO_VIEW) {
        Some(at) if !line.contains(PUSHING_TO_VIEW) => format!("{line} ... {}", first_line(&text[at..])),
        _ => line,
    }
}

/// The lines of a reply, one after the other.
pub(crate) struct Lines<'c> {
    connection: &'c Connection,
    reader: BufReader<ureq::BodyReader<'static>>,
    line: String,
}

impl Lines<'_> {
    /// The next line without its end; `None` at the end of the reply. A reply that breaks off is an error.
    pub(crate) fn next(&mut self) -> Result<Option<&str>, ConnectionError> {
        let has_line = self.read()?;
        if self.line.trim_end() == EXCEPTION_MARK {
            return Err(self.exception()?);
        }
        Ok(has_line.then(|| self.line.trim_end_matches('\n')))
    }

    fn read(&mut self) -> Result<bool, ConnectionError> {
        self.line.clear();
        let read = self.reader.read_line(&mut self.line);
        Ok(read.map_err(|error| self.connection.unreachable(error.into()))? > 0)
    }

    /// What ClickHouse says behind the mark: a tag, and then `Code: 241. DB::Exception: ...`.
    fn exception(&mut self) -> Result<ConnectionError, ConnectionError> {
        while self.read()? {
            if let Some(code) = self.line.strip_prefix("Code: ").and_then(|rest| rest.split('.').next()?.parse().ok()) {
                return Ok(self.connection.exception(code, &self.line));
            }
        }
        Ok(self.connection.exception(0, EXCEPTION_MARK))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    fn target(url: &str) -> Target {
        Target { url: url.to_owned(), user: "default".to_owned(), password: "secret".to_owned() }
    }

    #[test]
    fn a_target_does_not_print_its_password() {
        assert_eq!(format!("{:?}", target("http://h")), r#"Target { url: "http://h", user: "default", .. }"#);
    }

    /// What is read of a reply in chunks that says one line and `more`, and then is over.
    fn lines_of(more: &str) -> Vec<Result<String, ConnectionError>> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connection = Connection::new(&target(&format!("http://{}", listener.local_addr().unwrap()))).unwrap();
        let reply = format!(
            "HTTP/1.1 200 OK\r\nX-ClickHouse-Server-Display-Name: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n{more}"
        );
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1_024]).unwrap();
            stream.write_all(reply.as_bytes()).unwrap();
        });
        let mut lines = connection.lines("SELECT 1").unwrap();
        let mut read = Vec::new();
        while let Some(line) = lines.next().map(|line| line.map(str::to_owned)).transpose() {
            let is_over = line.is_err();
            read.push(line);
            if is_over {
                break;
            }
        }
        server.join().unwrap();
        read
    }

    #[test]
    fn a_server_that_is_slow_is_told_from_one_that_is_away() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = target(&format!("http://{}", listener.local_addr().unwrap()));
        let connection = Connection::with_limit(&target, Duration::from_secs(1)).unwrap();
        // The system takes the connection, and nobody answers.
        let slow = connection.execute("SELECT 1");
        assert!(matches!(slow, Err(ConnectionError::Slow { .. })), "{slow:?}");
        drop(listener);
        let away = Connection::new(&target).unwrap().execute("SELECT 1");
        assert!(matches!(away, Err(ConnectionError::Unreachable { .. })), "{away:?}");
    }

    #[test]
    fn a_reason_names_the_view_that_failed() {
        let long = "x".repeat(500);
        for (text, end) in [
            (
                format!("Code: 395. {long}: while pushing to view ecommerce.v (0a)"),
                "x ... while pushing to view ecommerce.v (0a)",
            ),
            (
                "Code: 6. y: while pushing to view ecommerce.v (0a)".to_owned(),
                "y: while pushing to view ecommerce.v (0a)",
            ),
            (format!("Code: 6. {long}"), "x"),
        ] {
            assert!(reason(&text).ends_with(end), "{}", reason(&text));
        }
    }

    #[test]
    fn a_reply_is_read_line_by_line_to_its_end_and_no_further() {
        let whole = lines_of("3\r\ntwo\r\n0\r\n\r\n");
        assert_eq!(whole.into_iter().map(Result::unwrap).collect::<Vec<_>>(), ["one", "two"]);
        for cut in ["", "3\r\ntwo\r\n", "8\r\ntwo"] {
            let found = lines_of(cut);
            assert!(matches!(found.last(), Some(Err(ConnectionError::Unreachable { .. }))), "{cut:?}: {found:?}");
        }
        let failed = lines_of("32\r\n\r\n__exception__\r\nabc\r\nCode: 159. DB::Exception: x\n\r\n");
        assert!(matches!(failed.last(), Some(Err(ConnectionError::Exception { code: 159, .. }))), "{failed:?}");
    }
}
