//! HTTPS of the feeds.

use std::{fs, net::SocketAddr, time::Duration};

use dict_services::{country::Countries, route::router, server, tls};
use futures_util::future::pending;
use reqwest::{Certificate, Client};
use tokio::net::TcpListener;

use crate::shell;

const NOW: u32 = 1_763_660_000;

/// A feed with a certificate for `localhost`, and that certificate.
async fn start() -> (SocketAddr, Certificate) {
    tls::install_provider();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("feed.pem"), folder.path().join("feed.key"));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let acceptor = tls::acceptor(&certificate, &key).unwrap();

    let shell = shell::<Countries>();
    shell.feed.publish(Countries::vendored().unwrap(), NOW).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(server::serve(listener, Some(acceptor), router(shell), pending(), Duration::ZERO));
    (address, Certificate::from_pem(made.cert.pem().as_bytes()).unwrap())
}

#[tokio::test]
async fn a_client_that_trusts_the_certificate_reads_the_feed() {
    let (address, certificate) = start().await;
    let client = Client::builder().tls_certs_only([certificate]).resolve("localhost", address).build().unwrap();
    let url = format!("https://localhost:{}/countries", address.port());
    let body = client.get(url).bearer_auth("secret").send().await.unwrap().text().await.unwrap();
    assert_eq!(body.lines().count(), 249);
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
