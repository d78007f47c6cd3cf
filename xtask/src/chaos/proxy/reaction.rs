//! What a request can meet. In scope: the kinds, and the answers that the proxy makes up. Out of scope: carrying them out (`exchange`).

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// It reaches ClickHouse, and the answer comes back.
    Pass,
    /// Nobody listens. Only as what every request meets: it is the port that is closed.
    Refuse,
    /// The connection is reset when the head has come.
    ResetBeforeBody,
    /// ClickHouse gets half of the body, then both connections are reset.
    ResetInBody,
    /// ClickHouse takes the batch, but its answer is lost in a reset.
    ResetAfterBody,
    /// ClickHouse takes the batch, but its answer comes after the Worker's patience.
    AnswerLate,
    /// Nothing happens until the proxy behaves again; then it reaches ClickHouse.
    Hang,
    /// An exception with this code instead of ClickHouse's answer.
    Exception {
        code: u16,
        /// Whether ClickHouse takes the batch all the same: for codes that leave it open.
        is_stored: bool,
    },
    /// A success whose body is an exception, as when the status has left already.
    ExceptionInBody { code: u16 },
    /// A gateway before ClickHouse answers everything, the Batcher's question too, because it finds nobody behind it.
    BadGateway,
    /// ClickHouse itself is asked with another password.
    OtherPassword,
}

/// The answer of ClickHouse to a failed statement.
pub(super) fn exception(code: u16) -> Vec<u8> {
    let body = format!("Code: {code}. DB::Exception: injected. (INJECTED)\n");
    let headers = format!("X-ClickHouse-Exception-Code: {code}\r\n");
    answer(status_of(code), &headers, &body)
}

/// The answer of a gateway that finds nobody behind it.
pub(super) fn bad_gateway() -> Vec<u8> {
    answer("502 Bad Gateway", "", "<html>502 Bad Gateway</html>")
}

/// A success with an exception in its body.
pub(super) fn exception_in_body(code: u16) -> Vec<u8> {
    let message = format!("Code: {code}. DB::Exception: injected. (INJECTED)\n");
    let body = format!(
        "\r\n__exception__\r\ninjectedtagtagta\r\n{message}{} injectedtagtagta\r\n__exception__\r\n",
        message.len()
    );
    answer("200 OK", "X-ClickHouse-Exception-Tag: injectedtagtagta\r\nX-ClickHouse-Summary: {}\r\n", &body)
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=UTF-8\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

/// The status that ClickHouse sends with a code (as measured: most are 500, retriable or not).
fn status_of(code: u16) -> &'static str {
    match code {
        159 => "408 Request Timeout",
        209 | 439 => "503 Service Unavailable",
        _ => "500 Internal Server Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_answers_state_their_length() {
        for bytes in [exception(241), exception_in_body(241), bad_gateway()] {
            let text = String::from_utf8(bytes).expect("text");
            let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
            assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{text}");
            assert!(body.contains("Code: 241.") != head.contains("502"), "{text}");
        }
    }
}
