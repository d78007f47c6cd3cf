//! Every rule of a feed that ClickHouse relies on.

use std::sync::Arc;

use axum::body::Body;
use axum::http::StatusCode;
use dict_services::clock;
use dict_services::country::{Countries, Country};
use dict_services::entries::Entries;
use dict_services::route::{KEYS_DEADLINE, MAX_LOOKUPS, TURN_DEADLINE};
use dict_services::segment::table::Table;
use serde_json::json;
use tokio::time::Instant;

use crate::{get, request, send, shell, table};

const NOW: u32 = 1_763_660_000;

#[tokio::test]
async fn without_a_snapshot_the_feed_is_unavailable_and_not_empty() {
    let shell = shell::<Table>();
    for (method, path) in [
        ("GET", "/user-segments"),
        ("GET", "/user-segments?last_updated=2025-01-01%2000%3A00%3A00"),
        ("POST", "/user-segments"),
        ("GET", "/readyz"),
    ] {
        let answer = send(&shell, request(method, path, Body::empty())).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{method} {path}");
        assert!(answer.headers.contains_key("retry-after"), "{method} {path}");
    }
    assert_eq!(get(&shell, "/healthz").await.status, StatusCode::OK);
    assert!(get(&shell, "/metrics").await.body.windows(17).any(|text| text == b"snapshot_loaded{f"));
}

#[tokio::test]
async fn an_empty_or_wrong_table_is_never_published() {
    let shell = shell::<Table>();
    assert!(shell.feed.publish(Table::default(), NOW).is_err());
    assert!(shell.feed.snapshot().is_none());
    shell.feed.publish(table(None, &[(5, 2)], NOW), NOW).unwrap();
    assert!(shell.feed.publish(table(None, &[(5, 99)], NOW), NOW).is_err());
    assert_eq!(get(&shell, "/user-segments").await.lines().len(), 2);
}

#[tokio::test]
async fn every_country_comes_with_every_attribute() {
    let shell = shell::<Countries>();
    shell.feed.publish(Countries::vendored().unwrap(), NOW).unwrap();
    let answer = get(&shell, "/countries").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers["content-type"], "application/x-ndjson");
    let lines = answer.lines();
    assert_eq!(lines.len(), 249);
    for line in &lines {
        assert_eq!(line.as_object().unwrap().len(), 5, "{line}");
        serde_json::from_value::<Country>(line.clone()).unwrap();
    }
    let germany = lines.iter().find(|line| line["code"] == "DE").unwrap();
    assert_eq!(germany["name"], "Germany");
    assert_eq!(germany["code3"], "DEU");
    assert_eq!(germany["continent"], "EU");
}

#[tokio::test]
async fn an_entry_is_written_as_the_dictionary_declares_it() {
    let shell = shell::<Table>();
    let users = [(7, 1), (u64::MAX, 7)];
    shell.feed.publish(table(None, &users, NOW), NOW).unwrap();
    let lines = get(&shell, "/user-segments").await.lines();
    assert_eq!(lines[0]["segment_name"], "anonymous");
    assert_eq!(
        lines[1],
        json!({"user_id": 7, "segment_id": 1, "segment_name": "rule_champions", "score": 0.25, "confidence": 0.5,
               "last_updated": "2025-11-20 17:33:20", "deleted": 0})
    );
    assert_eq!(lines[2]["user_id"], u64::MAX);
}

#[tokio::test]
async fn a_token_is_needed_for_entries_only() {
    let shell = shell::<Countries>();
    shell.feed.publish(Countries::vendored().unwrap(), NOW).unwrap();
    for (path, expected) in [
        ("/countries", StatusCode::UNAUTHORIZED),
        ("/healthz", StatusCode::OK),
        ("/readyz", StatusCode::OK),
        ("/metrics", StatusCode::OK),
    ] {
        let mut asked = request("GET", path, Body::empty());
        asked.headers_mut().insert("authorization", "Bearer wrong".parse().unwrap());
        let answer = send(&shell, asked).await;
        assert_eq!(answer.status, expected, "{path}");
        assert!(!answer.body.windows(6).any(|text| text == b"\"code\""), "{path}");
    }
    let mut asked = request("POST", "/countries", r#"{"code":"DE"}"#);
    asked.headers_mut().remove("authorization");
    assert_eq!(send(&shell, asked).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn only_entries_changed_at_or_after_update_field_are_sent() {
    let shell = shell::<Table>();
    let first = shell.feed.publish(table(None, &[(1, 1), (2, 2), (3, 3)], NOW), NOW).unwrap();
    let later = NOW + 60;
    shell.feed.publish(table(Some(&first), &[(1, 1), (2, 4)], later), later).unwrap();
    // As ClickHouse writes it: `:` and the space are escaped.
    let since = |text: &str| format!("/user-segments?last_updated={text}");
    let delta = get(&shell, &since("2025-11-20%2017%3A34%3A20")).await.lines();
    let changed: Vec<_> = delta.iter().map(|line| (&line["user_id"], &line["deleted"])).collect();
    assert_eq!(changed, [(&json!(2), &json!(0)), (&json!(3), &json!(1))]);

    let none = get(&shell, &since("2025-11-20%2017%3A34%3A21")).await;
    assert_eq!((none.status, none.body.len()), (StatusCode::OK, 0));
    let all = get(&shell, &since("2025-11-20%2017%3A33%3A20")).await.lines();
    assert_eq!(all.len(), 4);
    // A reader whose clock is ahead of ours gets everything: we cannot know what it has seen.
    assert_eq!(get(&shell, &since("2106-01-01+00:00:00")).await.lines().len(), 4);
    for wrong in ["", "yesterday", "2025-11-20T17:34:20Z", "1763660060"] {
        assert_eq!(get(&shell, &since(wrong)).await.status, StatusCode::BAD_REQUEST, "{wrong:?}");
    }
}

#[tokio::test]
async fn a_key_lookup_answers_the_found_keys_once() {
    let users = shell::<Table>();
    users.feed.publish(table(None, &[(1, 1), (u64::MAX, 2)], NOW), NOW).unwrap();
    let body = format!(
        "{{\"user_id\":{}}}\n{{\"user_id\":\"1\"}}\n{{\"user_id\":2}}\n{{\"user_id\":1,\"more\":[]}}\n",
        u64::MAX
    );
    let found = send(&users, request("POST", "/user-segments", body)).await;
    let ids: Vec<u64> = found.lines().iter().map(|line| line["user_id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [1, u64::MAX]);

    let countries = shell::<Countries>();
    countries.feed.publish(Countries::vendored().unwrap(), NOW).unwrap();
    let body = "{\"code\":\"FR\"}\n{\"code\":\"XX\"}\n{\"code\":\"de\"}";
    let found = send(&countries, request("POST", "/countries", body)).await.lines();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["name"], "France");
    for wrong in ["{\"code\":1}", "{\"name\":\"FR\"}", "FR", "{\"code\":\"FR\""] {
        let answer = send(&countries, request("POST", "/countries", wrong)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
}

#[tokio::test(start_paused = true)]
async fn key_lookups_take_turns_and_none_is_waited_for_long() {
    let shell = shell::<Table>();
    shell.feed.publish(table(None, &[(1, 1)], NOW), NOW).unwrap();
    let never = || Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let slow: Vec<_> = (0..MAX_LOOKUPS)
        .map(|_| {
            let shell = Arc::clone(&shell);
            tokio::spawn(async move { send(&shell, request("POST", "/user-segments", never())).await.status })
        })
        .collect();
    tokio::task::yield_now().await;
    let started = Instant::now();
    let crowded = send(&shell, request("POST", "/user-segments", "{\"user_id\":1}")).await;
    assert_eq!(crowded.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(started.elapsed() >= TURN_DEADLINE, "told to come back after {:?}", started.elapsed());
    let waited = send(&shell, request("POST", "/user-segments", "{\"user_id\":1}")).await;
    assert_eq!((waited.status, waited.lines().len()), (StatusCode::OK, 1));
    assert!(started.elapsed() >= KEYS_DEADLINE, "it had its turn after {:?}", started.elapsed());
    for lookup in slow {
        assert_eq!(lookup.await.unwrap(), StatusCode::REQUEST_TIMEOUT);
    }
}

#[tokio::test]
async fn range_is_ignored_and_other_methods_are_refused() {
    let shell = shell::<Countries>();
    shell.feed.publish(Countries::vendored().unwrap(), NOW).unwrap();
    let whole = get(&shell, "/countries").await;
    let mut ranged = request("GET", "/countries", Body::empty());
    ranged.headers_mut().insert("range", "bytes=100-".parse().unwrap());
    let answer = send(&shell, ranged).await;
    assert_eq!((answer.status, &answer.body), (StatusCode::OK, &whole.body));
    for method in ["PUT", "DELETE"] {
        let answer = send(&shell, request(method, "/countries", Body::empty())).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
    assert_eq!(get(&shell, "/user-segments").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_body_is_compressed_on_request() {
    let shell = shell::<Countries>();
    shell.feed.publish(Countries::vendored().unwrap(), NOW).unwrap();
    let plain = get(&shell, "/countries").await;
    assert!(!plain.headers.contains_key("content-encoding"));

    let forced = get(&shell, "/countries?compression=zstd").await;
    assert_eq!(forced.headers["content-encoding"], "zstd");
    assert_eq!(zstd::decode_all(&*forced.body).unwrap(), plain.body);

    let mut accepting = request("GET", "/countries", Body::empty());
    accepting.headers_mut().insert("accept-encoding", "gzip".parse().unwrap());
    let accepted = send(&shell, accepting).await;
    assert_eq!(accepted.headers["content-encoding"], "gzip");
    assert!(accepted.body.len() < plain.body.len() / 2);

    let wrong = get(&shell, "/countries?compression=lzma").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn metrics_tell_age_rows_and_requests() {
    let shell = shell::<Table>();
    let published_at = clock::unix_now() - 100;
    let entries = shell.feed.publish(table(None, &[(1, 1)], NOW), published_at).unwrap();
    assert_eq!(entries.len(), 2);
    get(&shell, "/user-segments").await;
    let answer = get(&shell, "/metrics").await;
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let value = |name: &str| -> f64 {
        let line = text.lines().find(|line| line.starts_with(name));
        let line = line.unwrap_or_else(|| panic!("expected {name} in\n{text}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert!(value("snapshot_age_seconds{feed=\"user-segments\"}") >= 100.0);
    assert!((value("snapshot_rows") - 2.0).abs() < f64::EPSILON);
    assert!((value("requests_total{feed=\"user-segments\",method=\"GET\",status=\"200\"}") - 1.0).abs() < f64::EPSILON);
    assert!(value("response_bytes_total") > 100.0);
    assert!(!text.contains("secret"));
}
