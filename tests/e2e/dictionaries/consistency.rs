//! Several dictionaries reload in a loop while the feed swaps its snapshot: every load is one snapshot, whole.
//!
//! The feed is the real one, run in this process so that snapshots can be swapped at will. Every row carries the checksum of its snapshot as
//! the name of its segment: the sum of `user_id` x score in millionths, which ClickHouse computes again over what it has loaded.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use dict_services::entries::PENDING;
use dict_services::route::{self, Shell};
use dict_services::segment::table::{Entry, Segment, Table};
use dict_services::server;
use dict_services::token::Tokens;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use xtask::stack::clickhouse::Endpoint;

use super::statement::{Statement, USER_SEGMENTS_INCREMENTAL};
use crate::lab::Lab;

/// Some 3 MB a snapshot, so that a load takes many pieces.
const USERS: u64 = 20_000;
const LAYOUTS: [&str; 3] = ["HASHED_ARRAY()", "HASHED()", "SPARSE_HASHED()"];
const RELOADS: usize = 20;
/// Milliseconds from one swap to the next, at first: less than most loads take together, so that a swap falls into many of them.
const FIRST_PACE_MS: u64 = 40;
/// How long enough snapshots may take to be seen: a slow machine's loads are cut off until the swaps have become slow as well.
const MAX_RUN: Duration = Duration::from_mins(3);
const PPM: u64 = 1_000_000;

pub(super) fn every_load_is_one_snapshot(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let endpoint = &stack.file.clickhouse[0];
    let feed = SwappingFeed::start()?;
    let mut names = Vec::new();
    for (index, layout) in LAYOUTS.into_iter().enumerate() {
        let name = format!("user_segments_swapped_{index}");
        let statement = Statement::read(USER_SEGMENTS_INCREMENTAL)?.named(&name)?.laid_out(layout)?;
        endpoint.query(statement.with_feed(feed.port, "secret")?.sql())?;
        endpoint.query(&format!("SYSTEM RELOAD DICTIONARY ecommerce.{name}"))?;
        names.push(name);
    }
    feed.swap();
    let seen = Mutex::default();
    thread::scope(|scope| -> Result<()> {
        let read = |name| reload_in_a_loop(endpoint, name, &feed.pace_ms, &seen);
        let readers: Vec<_> = names.iter().map(|name| scope.spawn(move || read(name))).collect();
        readers.into_iter().try_for_each(|reader| reader.join().expect("a reader that panics has failed"))
    })?;
    names.iter().try_for_each(|name| endpoint.query(&format!("DROP DICTIONARY ecommerce.{name}")).map(drop))
}

/// Reloads and checks, often and until more snapshots than that are `seen` by all readers together, by their checksums.
fn reload_in_a_loop(
    endpoint: &Endpoint,
    name: &str,
    pace_ms: &AtomicU64,
    seen: &Mutex<BTreeSet<String>>,
) -> Result<()> {
    let started = Instant::now();
    for reload in 1.. {
        // A reader that is two snapshots behind is cut off. That fails the load and keeps the data, which is checked like any other.
        let loaded = endpoint.query(&format!("SYSTEM RELOAD DICTIONARY ecommerce.{name}"));
        if loaded.is_err() {
            pace_ms.fetch_add(FIRST_PACE_MS / 4, Relaxed);
        }
        let sql = format!(
            "SELECT any(segment_name), uniqExact(segment_name), count(), toString(sum(user_id * toUInt64(round(score * 1000000)))) FROM ecommerce.{name}"
        );
        let answer = endpoint.query(&sql).with_context(|| format!("after {loaded:?}"))?;
        let [checksum, checksums, users, sum] = answer.split('\t').collect::<Vec<_>>()[..] else {
            anyhow::bail!("expected four columns, found {answer}");
        };
        ensure!(
            checksums == "1" && users == USERS.to_string() && sum == checksum,
            "expected one whole snapshot, found {answer}"
        );
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(checksum.to_owned());
        if reload >= RELOADS && seen.len() > RELOADS {
            break;
        }
        ensure!(started.elapsed() < MAX_RUN, "expected many snapshots to be seen, found {}", seen.len());
    }
    Ok(())
}

/// The feed of user segments, whose snapshot can be replaced all the time until it is dropped.
struct SwappingFeed {
    port: u16,
    shell: Arc<Shell<Table>>,
    pace_ms: Arc<AtomicU64>,
    is_stopped: Arc<AtomicBool>,
    _runtime: Runtime,
}

impl SwappingFeed {
    fn start() -> Result<Self> {
        let shell = Arc::new(Shell::new(Tokens::parse(Some("secret"), false)?));
        shell.feed.publish(snapshot(0), dict_services::clock::unix_now())?;
        let runtime = Runtime::new()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let port = listener.local_addr()?.port();
        let router = route::router(Arc::clone(&shell));
        runtime.spawn(server::serve(listener, None, router, std::future::pending(), Duration::ZERO));
        let pace_ms = Arc::new(AtomicU64::new(FIRST_PACE_MS));
        Ok(Self { port, shell, pace_ms, is_stopped: Arc::default(), _runtime: runtime })
    }

    /// Begins to swap.
    fn swap(&self) {
        let (shell, pace_ms, is_over) =
            (Arc::clone(&self.shell), Arc::clone(&self.pace_ms), Arc::clone(&self.is_stopped));
        thread::spawn(move || {
            for generation in 1.. {
                if is_over.load(Relaxed) {
                    break;
                }
                shell.feed.publish(snapshot(generation), dict_services::clock::unix_now()).expect("a valid snapshot");
                thread::sleep(Duration::from_millis(pace_ms.load(Relaxed)));
            }
        });
    }
}

impl Drop for SwappingFeed {
    fn drop(&mut self) {
        self.is_stopped.store(true, Relaxed);
    }
}

/// Users 0 and up. Every score is another one in every generation.
fn snapshot(generation: u64) -> Table {
    let score = |user: u64| (user * 7_919 + generation * 104_729) % (PPM + 1);
    let checksum: u64 = (0..USERS).map(|user| user * score(user)).sum();
    let mut table = Table::with_capacity(vec![Segment { id: 1, name: checksum.to_string() }], 0);
    for user_id in 0..USERS {
        let score_ppm = u32::try_from(score(user_id)).expect("at most a million");
        table.push(Entry {
            user_id,
            segment_id: 1,
            score_ppm,
            confidence_ppm: 0,
            updated_at: PENDING,
            is_deleted: false,
        });
    }
    table
}
