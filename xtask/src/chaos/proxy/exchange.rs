//! One request through the proxy. In scope: reading it, carrying out its reaction. Out of scope: choosing the reaction.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::reaction::{self, Reaction};
use super::{Plan, Shared, reset};

/// Longer than the Worker waits for an answer (30 s), with some room.
const LATE: Duration = Duration::from_secs(33);
/// An orderly exchange takes milliseconds; a part of one that takes longer than this is given up.
const MAX_IO: Duration = Duration::from_mins(1);
const MAX_CONNECT: Duration = Duration::from_secs(5);
const MAX_HEAD_BYTES: u64 = 64 * 1024;
/// Well above the largest batch.
const MAX_BODY_BYTES: usize = 64 << 20;

/// Serves one connection; whatever goes wrong ends it, as the Worker must expect of any network.
pub(super) fn serve(client: &TcpStream, shared: &Shared) {
    if exchange(client, shared).is_err() {
        shared.plan().disturbed += 1;
        reset(client);
    }
}

fn exchange(client: &TcpStream, shared: &Shared) -> io::Result<()> {
    client.set_read_timeout(Some(MAX_IO))?;
    client.set_write_timeout(Some(MAX_IO))?;
    let mut reader = BufReader::new(client);
    let Some(head) = read_head(&mut reader)? else { return Ok(()) };
    if head.first().is_some_and(|line| line.starts_with("GET ")) {
        // The Batcher asks whether anybody is there: somebody is, unless only a gateway is. Other faults are for what it then risks.
        return carry_out(shared.reaction_to_question(), client, shared, &head, &[]);
    }
    let reaction = shared.next_reaction();
    if reaction == Reaction::ResetBeforeBody {
        reset(client);
        return Ok(());
    }
    let body = read_body(&mut reader, &head)?;
    carry_out(reaction, client, shared, &head, &body)
}

fn carry_out(reaction: Reaction, client: &TcpStream, shared: &Shared, head: &[String], body: &[u8]) -> io::Result<()> {
    let mut client = client;
    match reaction {
        Reaction::Pass => client.write_all(&ask(shared, head, body)?),
        Reaction::OtherPassword => client.write_all(&ask(shared, &with_other_password(head), body)?),
        Reaction::Exception { code, is_stored } => {
            if is_stored {
                ask(shared, head, body)?;
            }
            client.write_all(&reaction::exception(code))
        }
        Reaction::BadGateway => client.write_all(&reaction::bad_gateway()),
        Reaction::ExceptionInBody { code } => client.write_all(&reaction::exception_in_body(code)),
        Reaction::ResetAfterBody => {
            ask(shared, head, body)?;
            reset(client);
            Ok(())
        }
        Reaction::AnswerLate => {
            let answer = ask(shared, head, body)?;
            wait(LATE, shared, |_| false);
            client.write_all(&answer)
        }
        Reaction::Hang => {
            let healings = shared.plan().healings;
            wait(LATE, shared, |plan| plan.healings != healings);
            client.write_all(&ask(shared, head, body)?)
        }
        Reaction::ResetInBody => {
            let mut upstream = send_head(shared, head)?;
            upstream.write_all(&body[..body.len() / 2])?;
            reset(&upstream);
            reset(client);
            Ok(())
        }
        Reaction::Refuse | Reaction::ResetBeforeBody => {
            reset(client);
            Ok(())
        }
    }
}

/// Passes the request on and returns the whole answer; an exception of ClickHouse's own counts as a fault met.
fn ask(shared: &Shared, head: &[String], body: &[u8]) -> io::Result<Vec<u8>> {
    let mut upstream = send_head(shared, head)?;
    upstream.write_all(body)?;
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer)?;
    if answer.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    shared.plan().disturbed += u64::from(is_exception(&answer));
    Ok(answer)
}

/// Connects to ClickHouse and sends the head; it is to close the connection behind its answer.
fn send_head(shared: &Shared, head: &[String]) -> io::Result<TcpStream> {
    let mut upstream = TcpStream::connect_timeout(&shared.upstream, MAX_CONNECT)?;
    upstream.set_read_timeout(Some(MAX_IO))?;
    upstream.set_write_timeout(Some(MAX_IO))?;
    let lines = head.iter().filter(|line| !is_header(line, "connection")).map(String::as_str);
    let head: Vec<&str> = lines.chain(["Connection: close", "", ""]).collect();
    upstream.write_all(head.join("\r\n").as_bytes())?;
    Ok(upstream)
}

/// Request line and headers without line ends; nothing if the other side has gone without asking.
fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Vec<String>>> {
    let mut head = Vec::new();
    let mut limited = reader.take(MAX_HEAD_BYTES);
    loop {
        let mut line = String::new();
        if limited.read_line(&mut line)? == 0 {
            return if head.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
        match line.trim_end() {
            "" => return Ok(Some(head)),
            text => head.push(text.to_owned()),
        }
    }
}

fn read_body(reader: &mut impl Read, head: &[String]) -> io::Result<Vec<u8>> {
    let length = head.iter().find(|line| is_header(line, "content-length")).and_then(|line| line.split_once(':'));
    let length = length.and_then(|(_, value)| value.trim().parse().ok()).filter(|length| *length <= MAX_BODY_BYTES);
    let length = length.ok_or_else(|| io::Error::other("expected an insert with a Content-Length"))?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(body)
}

fn with_other_password(head: &[String]) -> Vec<String> {
    let replace = |line: &String| match line.split_once(':') {
        Some((name, _)) if is_header(line, "x-clickhouse-key") => format!("{name}: another"),
        _ => line.clone(),
    };
    head.iter().map(replace).collect()
}

fn is_exception(answer: &[u8]) -> bool {
    let lines = answer.split(|byte| *byte == b'\n').map_while(|line| std::str::from_utf8(line).ok());
    lines.take_while(|line| !line.trim().is_empty()).any(|line| is_header(line, "x-clickhouse-exception-code"))
}

fn is_header(line: &str, name: &str) -> bool {
    line.split_once(':').is_some_and(|(found, _)| found.eq_ignore_ascii_case(name))
}

/// Waits until something has happened, but not longer than the proxy lives.
fn wait(limit: Duration, shared: &Shared, has_happened: impl Fn(&Plan) -> bool) {
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline && !shared.is_stopping() && !has_happened(&shared.plan()) {
        std::thread::sleep(super::POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_and_its_password_replaced() {
        let mut bytes = &b"POST / HTTP/1.1\r\nContent-length: 3\r\nX-ClickHouse-Key: secret\r\n\r\nabcd"[..];
        let head = read_head(&mut bytes).expect("a head").expect("one request");
        assert_eq!(read_body(&mut bytes, &head).expect("a body"), b"abc");
        assert_eq!(with_other_password(&head)[2], "X-ClickHouse-Key: another");
        assert!(is_exception(b"HTTP/1.1 500 Error\r\nX-ClickHouse-Exception-Code: 60\r\n\r\nCode: 60."));
        assert!(!is_exception(b"HTTP/1.1 200 OK\r\n\r\nX-ClickHouse-Exception-Code: 60\r\n"));
        assert!(read_head(&mut &b""[..]).expect("nobody").is_none());
        assert!(read_head(&mut &b"POST / HTTP/1.1\r\n"[..]).is_err(), "cut off");
        assert!(read_body(&mut &b""[..], &["POST / HTTP/1.1".to_owned()]).is_err(), "no length");
    }
}
