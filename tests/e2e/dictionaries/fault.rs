//! Whatever goes wrong between ClickHouse and a feed, the dictionary keeps the last good data, and the health view says so.

use anyhow::{Context, Result, ensure};
use xtask::stack::feed::Service;
use xtask::stack::process::{self, Stop};

use super::extra::Extra;
use super::health::Health;
use super::proxy::{Mode, Proxy};
use super::statement::Statement;
use super::watched::Watched;
use crate::lab::{self, Lab};

pub(super) fn a_fault_on_the_way_keeps_the_last_good_data(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let feed = stack.layout.ports.countries;
    let proxy = Proxy::start(Mode::Pass(feed))?;
    let dictionary = Watched::create(&stack.file.clickhouse[0], "countries_faulty", proxy.port())?;
    dictionary.expect_good()?;
    for fault in [
        Mode::WrongToken(feed),
        Mode::Reset,
        Mode::Truncate(feed, 100),
        Mode::Truncate(feed, 10_000),
        Mode::Answer(500, "oh".to_owned()),
        Mode::Answer(204, String::new()),
    ] {
        proxy.set(fault.clone());
        dictionary.expect_failing(&format!("{fault:?}"))?;
        proxy.set(Mode::Pass(feed));
        dictionary.expect_good()?;
    }
    Ok(())
}

pub(super) fn a_killed_service_keeps_the_last_good_data(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let pid = stack.file.pids.feed_mut(Service::Countries).take().context("expected the feed to run")?;
    let port = stack.layout.ports.countries;
    let dictionary = Watched::create(&stack.file.clickhouse[0], "countries_orphaned", port)?;
    process::stop_how(pid, &stack.layout.dir, Stop::Kill);
    dictionary.expect_failing("the feed was killed")?;
    drop(dictionary);
    let stack = lab.stack()?;
    let dictionary = Watched::create(&stack.file.clickhouse[0], "countries_found", port)?;
    dictionary.expect_good()
}

/// A service that has nothing yet says 503: what was never loaded stays so, and what was loaded stays too.
pub(super) fn a_feed_without_a_snapshot_wipes_nothing(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let service = Extra::user_segments_without_clickhouse(stack)?;
    let status = lab::wait_for("the service to answer", 20, || {
        let bearer = format!("Bearer {}", stack.file.countries.token);
        let url = format!("http://127.0.0.1:{}/user-segments", service.port);
        Ok(Some(lab::get_url(&url, &[("Authorization", &bearer)])?.status))
    })?;
    ensure!(status == 503, "expected 503, found {status}");
    // The dictionary of countries is led to a service that has not loaded anything either: it answers 404 or 503, never an empty 200.
    let proxy = Proxy::start(Mode::Pass(stack.layout.ports.countries))?;
    let dictionary = Watched::create(&stack.file.clickhouse[0], "countries_unready", proxy.port())?;
    proxy.set(Mode::Answer(503, "no snapshot is loaded yet\n".to_owned()));
    dictionary.expect_failing("503 while loading")?;

    let endpoint = &stack.file.clickhouse[0];
    let never = Statement::read(super::statement::USER_SEGMENTS)?.named("user_segments_never")?;
    endpoint.query(never.over(service.port, "user-segments")?.sql())?;
    ensure!(endpoint.query("SYSTEM RELOAD DICTIONARY ecommerce.user_segments_never").is_err(), "expected no load");
    Health::expect(endpoint, "user_segments_never", "failed")?;
    endpoint.query("DROP DICTIONARY ecommerce.user_segments_never").map(drop)
}

/// An upstream that changes a country is believed; one that answers nonsense is not, and the service says so.
pub(super) fn a_poisoned_upstream_reaches_no_dictionary(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let vendored = std::fs::read_to_string(xtask::paths::root().join("dict-services/data/countries.jsonl"))?;
    let renamed = vendored.replace(r#""name":"Germany""#, r#""name":"Deutschland""#);
    let upstream = Proxy::start(Mode::Answer(200, renamed))?;
    let service = Extra::countries_with_upstream(stack, upstream.port())?;
    lab::wait_for("the upstream's countries", 20, || {
        Ok((service.metric("refreshes_total", "changed")? >= 1).then_some(()))
    })?;
    let dictionary = Watched::create(&stack.file.clickhouse[0], "countries_upstream", service.port)?;
    ensure!(dictionary.germany()? == "Deutschland", "{}", dictionary.germany()?);
    let half = vendored.lines().take(100).collect::<Vec<_>>().join("\n");
    for poison in
        [r#"{"error":"quota exceeded"}"#, "", &half, &vendored.replace("\"population\":8", "\"population\":98")]
    {
        let before = service.metric("refreshes_total", "suspicious")?;
        upstream.set(Mode::Answer(200, poison.to_owned()));
        lab::wait_for("a refusal", 20, || {
            Ok((service.metric("refreshes_total", "suspicious")? > before).then_some(()))
        })?;
        dictionary.reload()?;
        ensure!(dictionary.germany()? == "Deutschland", "{}", dictionary.germany()?);
        Health::expect(dictionary.endpoint, dictionary.name, "ok")?;
    }
    Ok(())
}
