//! Countries from an upstream: good data is taken, anything else keeps what is served.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::get;
use dict_services::country::Countries;
use dict_services::country::refresh::Refresher;
use dict_services::country::upstream::{MAX_BODY_BYTES, MAX_TRIES, Upstream, UpstreamError};
use dict_services::schedule::{RefreshError, Refreshed};
use dict_services::server;
use dict_services::store::Store;
use futures_util::future::pending;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::{get as get_feed, shell};

const NOW: u32 = 1_763_660_000;

/// A web server whose answers are given, the last one for good.
struct Origin {
    url: String,
    asked: Arc<AtomicUsize>,
}

impl Origin {
    async fn start(answers: Vec<(StatusCode, Bytes)>) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let answer = move || {
            let turn = count.fetch_add(1, Relaxed).min(answers.len() - 1);
            std::future::ready(answers[turn].clone())
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/countries.jsonl", listener.local_addr().unwrap());
        let router = Router::new().route("/countries.jsonl", get(answer));
        tokio::spawn(server::serve(listener, None, router, pending(), Duration::ZERO));
        Self { url, asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(Relaxed)
    }
}

/// A refresher that serves the vendored data, and the folder that it keeps its snapshot in.
fn refresher(url: &str) -> (Refresher, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let shell = shell::<Countries>();
    let vendored = Countries::vendored().unwrap();
    shell.feed.publish(vendored.clone(), NOW).unwrap();
    let upstream = Upstream::new(url.parse().unwrap(), None).unwrap();
    (Refresher { shell, upstream, store: Store::open(folder.path()).unwrap(), vendored }, folder)
}

/// The data file with some text replaced.
fn lines(replacements: &[(&str, &str)]) -> Bytes {
    let vendored = include_str!("../../data/countries.jsonl").to_owned();
    let text = replacements.iter().fold(vendored, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    text.into()
}

#[tokio::test]
async fn a_changed_country_is_served_and_kept() {
    let renamed = lines(&[(r#""name":"Germany""#, r#""name":"Deutschland""#)]);
    let origin = Origin::start(vec![(StatusCode::OK, renamed)]).await;
    let (refresher, folder) = refresher(&origin.url);
    assert_eq!(refresher.refresh().await.unwrap(), Refreshed::Changed);
    assert_eq!(refresher.refresh().await.unwrap(), Refreshed::Unchanged);
    let served = get_feed(&refresher.shell, "/countries").await;
    assert!(served.lines().iter().any(|line| line["name"] == "Deutschland"));
    let (stored, _) = Store::<Countries>::open(folder.path()).unwrap().load().unwrap().unwrap();
    assert_eq!(stored, *refresher.shell.feed.snapshot().unwrap());
}

#[tokio::test]
async fn poison_keeps_what_is_served_and_is_called_suspicious() {
    let whole = lines(&[]);
    let half = whole.slice(..whole.len() / 2);
    for (poison, reason) in [
        (Bytes::new(), "countries"),
        (Bytes::from("<html>Welcome</html>"), "countries"),
        (Bytes::from(r#"{"error":"quota exceeded"}"#), "countries"),
        (half, "countries"),
        (Bytes::from(vec![0xff; 100]), "countries"),
        (lines(&[(r#""code":"DE","code3":"DEU""#, r#""code":"ZZ","code3":"ZZZ""#)]), "code"),
        (lines(&[(r#""code3":"DEU""#, r#""code3":"FRA""#)]), "code3"),
        (lines(&[(r#""population":8351659"#, r#""population":18351659"#)]), "population"),
        (lines(&[(r#""name":"Germany""#, r#""name":"""#)]), "name"),
        (Bytes::from(vec![b'\n'; MAX_BODY_BYTES + 1]), "more"),
    ] {
        let origin = Origin::start(vec![(StatusCode::OK, poison.clone())]).await;
        let (refresher, _folder) = refresher(&origin.url);
        let before = get_feed(&refresher.shell, "/countries").await.body;
        let error = refresher.refresh().await.unwrap_err();
        assert!(error.is_suspicious(), "{error}");
        assert!(error.to_string().ends_with(reason), "expected {reason}, found {error}");
        assert_eq!(get_feed(&refresher.shell, "/countries").await.body, before, "{reason}");
        assert_eq!(origin.asked(), 1, "a refused answer does not become better by asking again");
    }
}

#[tokio::test]
async fn an_upstream_that_is_down_is_asked_again_within_limits() {
    let down = (StatusCode::SERVICE_UNAVAILABLE, Bytes::new());
    let origin = Origin::start(vec![down.clone(), (StatusCode::OK, lines(&[]))]).await;
    let (refresher, _folder) = refresher(&origin.url);
    assert_eq!(refresher.refresh().await.unwrap(), Refreshed::Unchanged);
    assert_eq!(origin.asked(), 2);

    let origin = Origin::start(vec![down]).await;
    let (refresher, _folder) = self::refresher(&origin.url);
    let error = refresher.refresh().await.unwrap_err();
    assert!(matches!(error, UpstreamError::Status(StatusCode::SERVICE_UNAVAILABLE)), "{error}");
    assert!(!error.is_suspicious());
    assert_eq!(origin.asked(), MAX_TRIES as usize);
}

#[tokio::test]
async fn an_upstream_that_does_not_know_us_is_asked_once() {
    let origin = Origin::start(vec![(StatusCode::UNAUTHORIZED, Bytes::new())]).await;
    let (refresher, _folder) = refresher(&origin.url);
    refresher.refresh().await.unwrap_err();
    assert_eq!(origin.asked(), 1);
}
