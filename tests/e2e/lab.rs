//! What the tests share: one stack, a client, and waiting for a condition with a deadline.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use xtask::chaos::proxy::Proxy;
use xtask::interrupt;
use xtask::stack::layout::Surroundings;
use xtask::stack::process::Stop;
use xtask::stack::{Options, Stack, port};

/// A usual browser.
pub(crate) const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
const MAX_REQUEST: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);
/// So many times as long as on a usual machine a wait may last, because there are slow ones that do other work besides.
const PATIENCE: u64 = 5;
const DAY_S: u64 = 86_400;
/// More than any test takes whose numbers are a day's.
const DAYS_END_S: u64 = 120;

pub(crate) struct Lab {
    folder: PathBuf,
    stack: Option<Stack>,
    /// Kept for its drop, which removes the folder.
    _own_folder: Option<tempfile::TempDir>,
}

/// An answer of the collector.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.text).with_context(|| format!("expected JSON, found {:?}", self.text))
    }

    /// The outcome of each event.
    pub(crate) fn outcomes(&self) -> Result<Vec<String>> {
        let body = self.json()?;
        let results = body["results"].as_array().with_context(|| format!("expected results, found {body}"))?;
        Ok(results.iter().map(|result| result["outcome"].as_str().unwrap_or_default().to_owned()).collect())
    }
}

impl Lab {
    pub(crate) fn new() -> Result<Self> {
        if let Some(folder) = std::env::var_os("LANDFALL_E2E_DIR") {
            return Ok(Self { folder: PathBuf::from(folder), stack: None, _own_folder: None });
        }
        let folder = tempfile::Builder::new().prefix("landfall-e2e-").tempdir()?;
        Ok(Self { folder: folder.path().to_owned(), stack: None, _own_folder: Some(folder) })
    }

    /// A folder below which `cargo xtask test` finds and stops every stack.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The shared stack, whole: whatever a failed test left stopped is started again.
    pub(crate) fn stack(&mut self) -> Result<&mut Stack> {
        let options = match &self.stack {
            Some(stack) => Options { dir: stack.layout.dir.clone(), regions: None, port_base: None },
            None => Options {
                dir: self.folder("shared"),
                regions: Some(vec!["eu".to_owned(), "us".to_owned()]),
                port_base: Some(port::free_block()?),
            },
        };
        Ok(self.stack.insert(Stack::up(&options)?))
    }

    pub(crate) fn stop(&mut self) {
        if let Some(mut stack) = self.stack.take()
            && let Err(error) = stack.down()
        {
            println!("expected to stop the stack, found: {error:#}");
        }
    }
}

/// A proxy before each region's ClickHouse. Whoever puts them around the collector (`surrounded`) keeps them for as long.
pub(crate) fn proxies(stack: &Stack) -> Result<Vec<Proxy>> {
    stack.layout.ports.clickhouse.iter().map(|(http, _)| Proxy::start(*http)).collect()
}

/// Starts the collector anew with these surroundings, for the time of a test.
pub(crate) fn surrounded(
    stack: &mut Stack,
    surroundings: Surroundings,
    test: impl FnOnce(&mut Stack) -> Result<()>,
) -> Result<()> {
    stack.layout.surroundings = surroundings;
    let result = restart_collector(stack).and_then(|()| test(stack));
    stack.layout.surroundings = Surroundings::default();
    restart_collector(stack)?;
    result
}

/// Ends the collector as a crash would, and starts it again.
pub(crate) fn restart_collector(stack: &mut Stack) -> Result<()> {
    stack.stop_workerd(Stop::Kill)?;
    stack.start_workerd()
}

/// Runs a statement in every region.
pub(crate) fn on_every_region(stack: &Stack, sql: &str) -> Result<()> {
    stack.file.clickhouse.iter().try_for_each(|endpoint| endpoint.query(sql).map(drop))
}

/// The sum over all regions of what a query counts.
pub(crate) fn sum_of_regions(stack: &Stack, sql: &str) -> Result<u64> {
    stack.file.clickhouse.iter().map(|endpoint| Ok(endpoint.query(sql)?.parse::<u64>()?)).sum()
}

/// Sends a body to `/v1/events` as a browser on the demo site would.
pub(crate) fn send(stack: &Stack, body: &Value) -> Result<Answer> {
    post(stack, "/v1/events", body.to_string().as_bytes(), &[])
}

/// Creates or replaces a site.
pub(crate) fn put_site(stack: &Stack, settings: &Value) -> Result<()> {
    let url = format!("{}/v1/sites/{}", stack.file.collector, settings["id"].as_str().unwrap_or_default());
    let token = format!("Bearer {}", stack.file.admin_token);
    let request = ureq::put(&url).config().http_status_as_error(false).timeout_global(Some(MAX_REQUEST)).build();
    let answer = answer(request.header("Authorization", token).send(settings.to_string())?)?;
    anyhow::ensure!(answer.status == 200, "{answer:?}");
    Ok(())
}

/// Posts bytes as a browser would; `headers` replace its own of the same name.
pub(crate) fn post(stack: &Stack, path: &str, body: &[u8], headers: &[(&str, &str)]) -> Result<Answer> {
    let usual = [
        ("Content-Type", "text/plain"),
        ("User-Agent", FIREFOX),
        ("Accept-Language", "de-DE,de;q=0.8"),
        ("Sec-Fetch-Mode", "no-cors"),
    ];
    let is_replaced = |name: &str| headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
    let all: Vec<_> = usual.into_iter().filter(|(name, _)| !is_replaced(name)).chain(headers.iter().copied()).collect();
    post_bare(stack, path, body, &all)
}

/// Posts bytes with these headers alone.
pub(crate) fn post_bare(stack: &Stack, path: &str, body: &[u8], headers: &[(&str, &str)]) -> Result<Answer> {
    let mut request = ureq::post(format!("{}{path}", stack.file.collector))
        .config()
        .http_status_as_error(false)
        .timeout_global(Some(MAX_REQUEST))
        .build();
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    answer(request.send(body)?)
}

/// Gets a path of the collector.
pub(crate) fn get(stack: &Stack, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
    get_url(&format!("{}{path}", stack.file.collector), headers)
}

/// Gets any URL of the stack.
pub(crate) fn get_url(url: &str, headers: &[(&str, &str)]) -> Result<Answer> {
    let mut request = ureq::get(url).config().http_status_as_error(false).timeout_global(Some(MAX_REQUEST)).build();
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    answer(request.call()?)
}

fn answer(response: ureq::http::Response<ureq::Body>) -> Result<Answer> {
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let bytes = response.into_body().read_to_vec()?;
    Ok(Answer { status, headers, text: String::from_utf8_lossy(&bytes).into_owned() })
}

/// Waits until `look` finds something. On a usual machine that takes `seconds` at most, on a slow one `PATIENCE` times as long.
pub(crate) fn wait_for<T>(what: &str, seconds: u64, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let seconds = seconds * PATIENCE;
    let started = Instant::now();
    loop {
        interrupt::check()?;
        let found = look();
        if let Ok(Some(value)) = found {
            return Ok(value);
        }
        if started.elapsed() > Duration::from_secs(seconds) {
            let last = found.err().map_or_else(String::new, |error| format!("; last error: {error:#}"));
            bail!("expected {what} within {seconds} s{last}");
        }
        std::thread::sleep(POLL);
    }
}

/// Lets the end of a day (UTC) pass: for tests whose numbers are a day's.
pub(crate) fn pass_midnight() -> Result<()> {
    wait_for("the new day", DAYS_END_S, || {
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        Ok((now_s % DAY_S < DAY_S - DAYS_END_S).then_some(()))
    })
}

/// How many rows a condition on the events of all regions finds.
pub(crate) fn count_events(stack: &Stack, condition: &str) -> Result<u64> {
    sum_of_regions(stack, &format!("SELECT count() FROM ecommerce.events WHERE {condition}"))
}

/// Waits until a condition finds exactly this many rows, and once more that it stays so: a doubled row may come late.
pub(crate) fn expect_events(stack: &Stack, condition: &str, expected: u64, seconds: u64) -> Result<()> {
    wait_for(&format!("{expected} events where {condition}"), seconds, || {
        Ok((count_events(stack, condition)? >= expected).then_some(()))
    })?;
    let settled = Instant::now() + Duration::from_secs(3);
    while Instant::now() < settled {
        let found = count_events(stack, condition)?;
        anyhow::ensure!(found == expected, "expected {expected} events where {condition}, found {found}");
        std::thread::sleep(POLL);
    }
    Ok(())
}

/// A fresh event id.
pub(crate) fn event_id() -> String {
    uuid::Uuid::now_v7().to_string()
}
