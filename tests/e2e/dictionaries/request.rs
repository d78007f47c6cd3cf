//! What ClickHouse really sends. `dict-services/tests/feed/wire.rs` sends the same to the feeds.

use anyhow::{Context, Result, ensure};

use super::proxy::{Mode, Proxy};
use super::statement::{COUNTRIES, Statement, USER_SEGMENTS, USER_SEGMENTS_INCREMENTAL};
use crate::lab::Lab;

pub(super) fn requests_are_those_that_the_feeds_are_tested_with(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let (endpoint, ports) = (&stack.file.clickhouse[0], &stack.layout.ports);
    let proxy = Proxy::start(Mode::Pass(ports.user_segments))?;
    // The server loads a new dictionary by itself, which may come between.
    let sent = |question: &str, start: &str| -> Result<String> {
        proxy.take_requests();
        endpoint.query(question)?;
        let requests = proxy.take_requests();
        let own = requests.iter().find(|request| request.starts_with(start));
        own.cloned().with_context(|| format!("expected a request {start} for {question}, found {requests:?}"))
    };
    let name = "user_segments_recorded";
    let reload = format!("SYSTEM RELOAD DICTIONARY ecommerce.{name}");

    let full = Statement::read(USER_SEGMENTS)?.named(name)?.over(proxy.port(), "user-segments")?;
    endpoint.query(full.sql())?;
    let request = sent(&reload, "GET /user-segments HTTP/1.1\r\n")?;
    let bearer = format!("Authorization: Bearer {}", stack.file.user_segments.token);
    ensure!(request.contains(&bearer), "{request}");
    ensure!(request.contains("\r\nUser-Agent: ClickHouse/"), "{request}");
    for absent in ["Accept-Encoding", "If-None-Match", "If-Modified-Since", "Range", "Content-Type"] {
        ensure!(!request.contains(absent), "{request}");
    }

    let incremental = Statement::read(USER_SEGMENTS_INCREMENTAL)?.named(name)?;
    endpoint.query(incremental.with_feed(proxy.port(), &stack.file.user_segments.token)?.sql())?;
    let request = sent(&reload, "GET /user-segments HTTP/1.1\r\n").context("the first load asks for everything")?;
    ensure!(request.contains("\r\nAuthorization: Basic "), "{request}");

    endpoint.query(full.laid_out("DIRECT()")?.sql())?;
    let lookup =
        format!("SELECT dictGet('ecommerce.{name}', 'segment_id', arrayJoin([toUInt64(7), 18446744073709551615]))");
    let request = sent(&lookup, "POST /user-segments HTTP/1.1\r\n")?;
    ensure!(request.contains("Transfer-Encoding: chunked") && !request.contains("Content-Type"), "{request}");
    ensure!(request.contains("{\"user_id\":7}\n{\"user_id\":18446744073709551615}\n"), "{request}");
    endpoint.query(&format!("DROP DICTIONARY ecommerce.{name}"))?;

    proxy.set(Mode::Pass(ports.countries));
    let name = "countries_recorded";
    let countries = Statement::read(COUNTRIES)?.named(name)?.over(proxy.port(), "countries")?;
    endpoint.query(countries.laid_out("COMPLEX_KEY_DIRECT()")?.sql())?;
    let request = sent(&format!("SELECT dictGet('ecommerce.{name}', 'name', tuple('DE'))"), "POST /countries")?;
    ensure!(request.contains("{\"code\":\"DE\"}\n"), "{request}");
    endpoint.query(&format!("DROP DICTIONARY ecommerce.{name}")).map(drop)
}
