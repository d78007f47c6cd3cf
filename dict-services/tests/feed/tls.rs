//! HTTPS of the feeds.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dict_services::country::Countries;
use dict_services::entries::Entries;
use dict_services::route::{Shell, router};
use dict_services::segment::table::Table;
use dict_services::{server, tls};
use futures_util::future::pending;
use reqwest::{Certificate, Client};
use tokio::net::TcpListener;

use crate::{shell, table};

const NOW: u32 = 1_763_660_000;

/// The feed of countries, as [`serve`] does it.
async fn start() -> (SocketAddr, Certificate) {
    let shell = shell::<Countries>();
    shell.feed.publish(Countries::vendored().unwrap(), NOW).unwrap();
    serve(shell).await
}

/// Serves with a certificate for `localhost`, and gives that certificate.
async fn serve<E: Entries>(shell: Arc<Shell<E>>) -> (SocketAddr, Certificate) {
    tls::install_provider();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("feed.pem"), folder.path().join("feed.key"));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let acceptor = tls::acceptor(&certificate, &key).unwrap();

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(server::serve(listener, Some(acceptor), router(shell), pending(), Duration::ZERO));
    (address, Certificate::from_pem(made.cert.pem().as_bytes()).unwrap())
}

/// Reads a feed as somebody who trusts only `certificate`.
async fn read(address: SocketAddr, certificate: Certificate, path: &str) -> String {
    let client = Client::builder().tls_certs_only([certificate]).resolve("localhost", address).build().unwrap();
    let url = format!("https://localhost:{}/{path}", address.port());
    client.get(url).bearer_auth("secret").send().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn a_client_that_trusts_the_certificate_reads_the_feed() {
    let (address, certificate) = start().await;
    assert_eq!(read(address, certificate, "countries").await.lines().count(), 249);
}

#[tokio::test]
async fn a_body_of_many_pieces_comes_whole() {
    let shell = shell::<Table>();
    let users: Vec<(u64, u16)> = (1..=50_000).map(|id| (id, 1)).collect();
    shell.feed.publish(table(None, &users, NOW), NOW).unwrap();
    let (address, certificate) = serve(shell).await;
    assert_eq!(read(address, certificate, "user-segments").await.lines().count(), 50_001);
}

#[tokio::test]
async fn plain_http_and_strange_certificates_do_not_work() {
    let (address, _) = start().await;
    let (_, other) = start().await;
    let stranger = Client::builder().tls_certs_only([other]).resolve("localhost", address).build().unwrap();
    assert!(stranger.get(format!("https://localhost:{}/countries", address.port())).send().await.is_err());
    assert!(stranger.get(format!("http://{address}/countries")).send().await.is_err());
    // One bad handshake costs the next client nothing.
    assert!(Client::new().get(format!("http://{address}/healthz")).send().await.is_err());
}
