//! Large responses: one snapshot each, whatever happens meanwhile; broken visibly when they break.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use dict_services::reply::{MAX_STREAMS, STALL_LIMIT, STREAM_LIMIT};
use dict_services::route::router;
use dict_services::segment::table::Table;
use flate2::read::GzDecoder;
use futures_util::StreamExt;
use tokio::time::{Instant, interval, timeout};
use tower::ServiceExt;

use crate::{get, request, send, shell, table};

const NOW: u32 = 1_763_660_000;
/// Far more than fits into the pieces that may wait for a reader.
const USERS: u64 = 50_000;

/// Waits until `is_so`, at most `limit`. Where time is paused, it runs ahead as nothing else is left to do.
async fn until(limit: Duration, is_so: impl Fn() -> bool) {
    let mut look = interval(Duration::from_millis(100));
    let wait = async {
        while !is_so() {
            look.tick().await;
        }
    };
    timeout(limit, wait).await.unwrap();
}

fn users(segment_id: u16) -> Vec<(u64, u16)> {
    (1..=USERS).map(|id| (id, segment_id)).collect()
}

#[tokio::test]
async fn a_refresh_during_a_response_does_not_reach_it() {
    let shell = shell::<Table>();
    let old = shell.feed.publish(table(None, &users(1), NOW), NOW).unwrap();
    let running = router(Arc::clone(&shell)).oneshot(request("GET", "/user-segments", Body::empty())).await.unwrap();
    shell.feed.publish(table(Some(&old), &users(2), NOW), NOW + 1).unwrap();
    let body = to_bytes(running.into_body(), usize::MAX).await.unwrap();
    let text = std::str::from_utf8(&body).unwrap();
    assert_eq!(text.lines().filter(|line| line.contains("\"segment_id\":1,")).count(), 50_000);
    assert_eq!(text.lines().count(), 50_001);
}

#[tokio::test]
async fn streams_decode_to_the_same_lines_in_every_coding() {
    let shell = shell::<Table>();
    shell.feed.publish(table(None, &users(1), NOW), NOW).unwrap();
    let plain = get(&shell, "/user-segments").await;
    assert_eq!(plain.lines().len(), 50_001);
    let zstd = get(&shell, "/user-segments?compression=zstd").await;
    assert_eq!(zstd::decode_all(&*zstd.body).unwrap(), plain.body);
    let gzip = get(&shell, "/user-segments?compression=gzip").await;
    let mut text = Vec::new();
    GzDecoder::new(&*gzip.body).read_to_end(&mut text).unwrap();
    assert_eq!(text, plain.body);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_stalls_is_cut_off_and_sees_it() {
    let shell = shell::<Table>();
    let old = shell.feed.publish(table(None, &users(1), NOW), NOW).unwrap();
    let released = Arc::downgrade(&old);
    drop(old);
    let stalled = router(Arc::clone(&shell)).oneshot(request("GET", "/user-segments", Body::empty())).await.unwrap();
    shell.feed.publish(table(None, &[(1, 1)], NOW), NOW).unwrap();
    assert!(released.upgrade().is_some(), "the response holds its snapshot");

    let started = Instant::now();
    until(2 * STALL_LIMIT, || released.upgrade().is_none()).await;
    assert!(started.elapsed() >= STALL_LIMIT, "cut off after {:?}", started.elapsed());
    assert!(to_bytes(stalled.into_body(), usize::MAX).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_trickles_is_cut_off_too() {
    let shell = shell::<Table>();
    let many: Vec<(u64, u16)> = (1..=2 * USERS).map(|id| (id, 1)).collect();
    shell.feed.publish(table(None, &many, NOW), NOW).unwrap();
    let started = Instant::now();
    let response = router(Arc::clone(&shell)).oneshot(request("GET", "/user-segments", Body::empty())).await.unwrap();
    let mut pieces = response.into_body().into_data_stream();
    // Each piece is taken just before the reader would count as stalled.
    let mut pace = interval(STALL_LIMIT * 9 / 10);
    loop {
        pace.tick().await;
        match pieces.next().await {
            Some(Ok(_)) => {}
            Some(Err(_)) => break,
            None => panic!("the response came to its end"),
        }
    }
    assert!((STREAM_LIMIT..STREAM_LIMIT + 3 * STALL_LIMIT).contains(&started.elapsed()), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_reader_may_be_one_snapshot_behind_and_not_two() {
    let shell = shell::<Table>();
    let first = shell.feed.publish(table(None, &users(1), NOW), NOW).unwrap();
    let released = Arc::downgrade(&first);
    drop(first);
    let slow = router(Arc::clone(&shell)).oneshot(request("GET", "/user-segments", Body::empty())).await.unwrap();
    let second = shell.feed.publish(table(None, &users(2), NOW), NOW).unwrap();
    // The task of the slow response runs in between, and keeps its snapshot.
    tokio::task::yield_now().await;
    assert!(released.upgrade().is_some());
    drop(second);
    shell.feed.publish(table(None, &users(3), NOW), NOW).unwrap();
    assert!(to_bytes(slow.into_body(), usize::MAX).await.is_err(), "the reader sees that it was cut off");
    assert!(released.upgrade().is_none(), "memory does not grow with slow readers");
    assert_eq!(get(&shell, "/user-segments").await.lines().len(), 50_001);
}

#[tokio::test(start_paused = true)]
async fn more_readers_than_the_limit_are_told_to_come_back() {
    let shell = shell::<Table>();
    shell.feed.publish(table(None, &users(1), NOW), NOW).unwrap();
    let mut running = Vec::new();
    for _ in 0..MAX_STREAMS {
        let response =
            router(Arc::clone(&shell)).oneshot(request("GET", "/user-segments", Body::empty())).await.unwrap();
        assert_eq!(response.status(), 200);
        running.push(response);
    }
    let refused = get(&shell, "/user-segments").await;
    assert_eq!(refused.status, 503);
    // A lookup is small, so it is answered whole and needs no stream.
    let lookup = send(&shell, request("POST", "/user-segments", "{\"user_id\":1}")).await;
    assert_eq!(lookup.lines().len(), 1);

    for response in running {
        to_bytes(response.into_body(), usize::MAX).await.unwrap();
    }
    assert_eq!(get(&shell, "/user-segments").await.status, 200);
}
